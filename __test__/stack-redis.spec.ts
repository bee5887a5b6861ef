/** Redis: its protocol spoken by hand, and its clients over our sockets. */
import type { ExecutionContext } from 'ava'
import { tcp, type Family, type Reader, type TcpSocket } from 'socket2'
import { Redis } from './_servers.js'
import { closing, unless } from './_util.js'

const server = new Redis()
const withRedis = unless(server.reason)

// Its protocol, by hand

for (const family of ['inet', 'unix'] as const) {
  withRedis(`a reader understands each kind of reply, over ${family}`, async t => {
    const { ask } = await visit(t, family)
    const key = keyOf(t)
    t.is(await ask('PING'), 'PONG')
    t.is(await ask('SET', key, 'a\r\nb'), 'OK')
    t.deepEqual(await ask('GET', key), Buffer.from('a\r\nb'))
    t.deepEqual(await ask('GET', `${key}:none`), null)
    t.is(await ask('STRLEN', key), 4)
    t.is(await ask('RPUSH', `${key}:list`, 'one', '', '\0'), 3)
    t.deepEqual(await ask('LRANGE', `${key}:list`, '0', '-1'), [Buffer.from('one'), Buffer.from(''), Buffer.from('\0')])
    t.deepEqual(await ask('LRANGE', `${key}:none`, '0', '-1'), [])
    t.regex(String(await ask('INCR', key)), /ERR value is not an integer/)
    t.deepEqual(await ask('EVAL', 'return {1, {2, {3, redis.status_reply("deep")}}}', '0'), [1, [2, [3, 'deep']]])
  })
}

withRedis('10,000 commands in one send are answered in their order', async t => {
  const { socket, reader } = await visit(t, 'inet')
  const key = keyOf(t)
  const sending = socket.send(Array.from({ length: 10_000 }, () => command('INCR', key)).join(''))
  for (let i = 1; i <= 10_000; i++) t.is(await reader.line(), `:${i}`)
  await sending
  t.is(reader.buffered, 0)
})

withRedis('a value of 20 MB comes back whole, read by its length or up to a delimiter', async t => {
  const { socket, reader, ask } = await visit(t, 'unix')
  const key = keyOf(t)
  const value = Buffer.alloc(20_000_000, 'abcdefghij')
  t.is(await ask('SET', key, value), 'OK')
  t.true((await ask('GET', key) as Buffer).equals(value))
  await socket.send(command('GET', key))
  t.is(await reader.line(), `$${value.length}`)
  t.true((await reader.until('\r\n', { limit: value.length }))?.equals(value))
})

withRedis('a message that is published comes to who waits for it, whose wait may be given up and begun again', async t => {
  const [subscriber, publisher] = [await visit(t, 'inet'), await visit(t, 'unix')]
  const channel = keyOf(t)
  t.deepEqual(await subscriber.ask('SUBSCRIBE', channel), [Buffer.from('subscribe'), Buffer.from(channel), 1])
  await t.throwsAsync(subscriber.reader.exact(1, { timeout: 1 }), { code: 'ETIMEDOUT' })
  const controller = new AbortController()
  const aborted = subscriber.reader.until('\r\n', { signal: controller.signal })
  controller.abort()
  await t.throwsAsync(aborted, { any: true, name: 'AbortError' })
  t.is(await publisher.ask('PUBLISH', channel, 'news'), 1)
  t.deepEqual(await reply(subscriber.reader), [Buffer.from('message'), Buffer.from(channel), Buffer.from('news')])
})

withRedis('QUIT is answered, and then the stream ends', async t => {
  const { reader, ask } = await visit(t, 'inet')
  t.is(await ask('QUIT'), 'OK')
  t.is(await reader.line(), null)
})

withRedis('what Redis does not understand it says, and closes', async t => {
  const { socket, reader } = await visit(t, 'inet')
  await socket.send('*1\r\n$99999999999\r\n')
  t.is(await reader.line(), '-ERR Protocol error: invalid bulk length')
  t.is(await reader.line(), null)
})

withRedis('who waits for a reply hears that the server has ended the connection', async t => {
  const [waiting, other] = [await visit(t, 'inet'), await visit(t, 'inet')]
  const id = await waiting.ask('CLIENT', 'ID') as number
  await waiting.ask('SUBSCRIBE', keyOf(t))
  const hearing = waiting.reader.exact(1)
  t.is(await other.ask('CLIENT', 'KILL', 'ID', `${id}`), 1)
  await t.throwsAsync(hearing, { code: 'ERR_UNEXPECTED_EOF' })
})

type Reply = string | number | Buffer | Error | null | Reply[]

interface Visit {
  socket: TcpSocket
  reader: Reader
  /** Sends a command; resolves to its reply. */
  ask(...words: (string | Buffer)[]): Promise<Reply>
}

/** A connection to the server. */
async function visit(t: ExecutionContext, family: Family): Promise<Visit> {
  const socket = closing(t, tcp(family))
  await (family === 'unix' ? socket.connect(`unix:${server.path}`, 0) : socket.connect('127.0.0.1', server.port))
  const reader = socket.reader()
  const ask = async (...words: (string | Buffer)[]): Promise<Reply> => {
    const parts = words.flatMap(word => [Buffer.from(`$${Buffer.byteLength(word)}\r\n`), Buffer.from(word), Buffer.from('\r\n')])
    await socket.send([Buffer.from(`*${words.length}\r\n`), ...parts])
    return await reply(reader)
  }
  return { socket, reader, ask }
}

function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

/** The next reply: a status, an error, a number, bytes, or several of them. */
async function reply(reader: Reader): Promise<Reply> {
  const kind = String(await reader.exact(1))
  const line = await reader.line()
  if (line === null) throw new Error('the reply lacks its end')
  if (kind === '+') return line
  if (kind === '-') return new Error(line)
  const number = Number(line)
  if (kind === ':') return number
  if (number < 0) return null
  if (kind === '$') {
    const bytes = await reader.exact(number)
    if (String(await reader.exact(2)) !== '\r\n') throw new Error('the bytes lack their end')
    return bytes
  }
  const all: Reply[] = []
  while (all.length < number) all.push(await reply(reader))
  return all
}

/** A key, or channel, that is the test's own. */
function keyOf(t: ExecutionContext): string {
  return t.title
}
