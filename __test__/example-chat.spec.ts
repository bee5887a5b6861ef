/** examples/chat.ts: a room, and those in it. */
import test, { type ExecutionContext } from 'ava'
import { tcp, type Address, type Reader, type TcpSocket } from 'socket2'
import { addressIn, ended, talk } from './_examples.js'
import { closing, lacks, listener, unless } from './_util.js'

/** How long to wait for a line that must come, in ms. */
const PATIENCE = 60_000

test('what one says all hear, and who comes, goes or has another name is told to all', async t => {
  const { at } = await room(t)
  const anna = await enter(t, at)
  const ben = await enter(t, at)
  await anna.hears(/^-- guest2 joined$/)
  await anna.says('/nick Änna', 'hello')
  for (const one of [anna, ben]) {
    await one.hears(/^-- guest1 is Änna now$/)
    await one.hears(/^Änna: hello$/)
  }
  await ben.says('/me waves', '/quit', 'never heard')
  for (const one of [anna, ben]) await one.hears(/^\* guest2 waves$/)
  await anna.hears(/^-- guest2 left$/)
  t.is(await ben.line(), null)
  await anna.says('/who')
  await anna.hears(/^-- here: Änna$/)
})

test('a name is one person’s only, however it is written, and no other’s words', async t => {
  const { at } = await room(t)
  const [anna, ben] = [await enter(t, at), await enter(t, at)]
  await anna.says('/nick Anna')
  await ben.hears(/is Anna now/)
  await ben.says('/nick ANNA', '/nick anna', '/nick a b', `/nick ${'x'.repeat(21)}`, '/nick --', '/nick', '/nick guest2', '/dance', '/nick Ben')
  for (const pattern of [
    /^-- somebody is Anna already$/, /^-- somebody is Anna already$/, /^-- a name has 1 to 20 letters/, /^-- a name has 1 to 20 letters/,
    /^-- a name has 1 to 20 letters/, /^-- a name has 1 to 20 letters/, /^-- guest2 is guest2 now$/, /^-- there is no \/dance, but/, /^-- guest2 is Ben now$/
  ]) t.regex(String(await ben.line()), pattern)
  // A name that somebody has left is free again.
  await anna.says('/nick Carla')
  await ben.hears(/^-- Anna is Carla now$/)
  await ben.says('/nick Anna')
  await ben.hears(/^-- Ben is Anna now$/)
})

test('what could do something to a terminal is not passed on', async t => {
  const { at } = await room(t)
  const anna = await enter(t, at)
  await anna.says('\x1b[2J\x07red\x00\u202e\x9b31m\ttape\r', '\x1b', 'x')
  await anna.hears(/^guest1: \[2Jred31m tape$/)
  t.is(await anna.line(), 'guest1: x')
})

test('a line without an end is the end of who sends it, with a word, and others do not notice', async t => {
  const { at } = await room(t)
  const [anna, ben] = [await enter(t, at), await enter(t, at)]
  await anna.socket.send(Buffer.alloc(100_000, 'x'))
  await anna.hears(/^-- a line has 1000 bytes at most$/)
  t.is(await anna.line(), null)
  await ben.hears(/^-- guest1 was dropped for a line without an end$/)
  await ben.says('still here')
  await ben.hears(/^guest2: still here$/)
})

test('who does not read is dropped, and holds up nobody', async t => {
  const { at } = await room(t)
  const lazy = closing(t, tcp('inet', undefined, { recvBufferSize: 4096 }))
  await lazy.connect(at)
  const anna = await enter(t, at)
  const others = await Promise.all(Array.from({ length: 20 }, async () => await enter(t, at)))
  const rest = others.map(async ({ reader }) => await reader.all({ limit: Infinity }))
  // All others read, so none of them lags, however slow this process is.
  for (let dropped = false; !dropped;) {
    for (const other of others) await other.says('x'.repeat(900))
    for (let heard = 0; heard < others.length && !dropped;) {
      const line = String(await anna.line())
      if (/^guest\d+: x{900}$/.test(line)) heard++
      dropped = line === '-- guest1 was dropped for reading too slowly'
    }
  }
  for (const { socket } of others) socket.shutdown('write')
  await Promise.all(rest)
  const told = await lazy.recvAll()
  t.true(told.length > 0)
  t.regex(String(told), /\n-- you read too slowly for this room\n$/)
})

unless(lacks.posix)('the room closes on an interrupt, with a word to all', async t => {
  const { at, process } = await room(t)
  const anna = await enter(t, at)
  process.signal('SIGINT')
  await anna.hears(/^-- the room closes$/)
  t.is(await anna.line(), null)
  t.regex(await process.rest(), /^-- guest1 joined\n-- guest1 was there till the end$/)
})

test('who joins from a pipe says what is in it, and has heard the room when it ends', async t => {
  const { at } = await room(t)
  const anna = await enter(t, at)
  const joining = talk(t, 'chat', ['join', '--name', 'ben', String(at)], { talking: true })
  await joining.lineLike(/^-- guest2 is ben now$/)
  joining.child.stdin!.end('hello\nand goodbye\n')
  t.is(await joining.rest(), 'ben: hello\nben: and goodbye')
  await anna.hears(/^ben: and goodbye$/)
  await anna.hears(/^-- ben left$/)
})

test('a room that sends what could do something to the terminal of who joins does not do it', async t => {
  const server = await listener(t)
  const accepting = server.accept()
  const joining = talk(t, 'chat', ['join', String(server.localAddress)], { talking: true })
  const peer = closing(t, await accepting)
  await peer.send('\x1b]0;title\x07hello\n')
  t.is(await joining.line(), ']0;titlehello')
  peer.close()
  t.is(await joining.rest(), '')
  t.is(joining.child.exitCode, 0)
})

test('no room is said with what helps', async t => {
  const absent = await closing(t, tcp()).bind('127.0.0.1')
  const at = String(absent.localAddress)
  const { status, stderr } = await ended(t, 'chat', 'join', at)
  t.is(status, 1)
  t.is(stderr, `chat: connect ECONNREFUSED ${at} (nobody listens there: is it running, and is this its port?)\n`)
})

async function room(t: ExecutionContext) {
  const process = talk(t, 'chat', ['serve'])
  return { process, at: addressIn(await process.lineLike(/^the room is at /)) }
}

/** Somebody in a room. */
class Guest {
  readonly reader: Reader

  constructor(readonly socket: TcpSocket) {
    this.reader = socket.reader()
  }

  async says(...lines: string[]): Promise<void> {
    await this.socket.send(lines.map(line => `${line}\n`).join(''))
  }

  line(): Promise<string | null> {
    return this.reader.line({ timeout: PATIENCE })
  }

  /** The next line that is like this; others before it are passed over. */
  async hears(pattern: RegExp): Promise<void> {
    const passed: string[] = []
    try {
      for (let line; (line = await this.line()) !== null; passed.push(line)) if (pattern.test(line)) return
    } catch (cause) {
      throw new Error(`nobody said ${pattern}, but:\n${passed.join('\n')}`, { cause })
    }
    throw new Error(`the room ended without ${pattern}; it said:\n${passed.join('\n')}`)
  }
}

/** Enters, and is welcome. */
async function enter(t: ExecutionContext, at: Address): Promise<Guest> {
  const guest = new Guest(await closing(t, tcp()).connect(at))
  await guest.hears(/^-- welcome, guest\d+\. Here: (guest\d+, )*guest\d+\. /)
  return guest
}
