// What comes on one connection, sent on another: what a proxy does, and an echo.
import { createHash, randomBytes } from 'node:crypto'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { loop, type Family, type SocketError, type TcpSocket } from 'socket2'
import { securePair } from './_tls.js'
import { connectedPair, lacks, lacksResets, MUCH, unless, wine } from './_util.js'

const BLOCK = 1 << 20

/** A connection from `sender` that goes on in another one to `receiver`: from `from` to `to`. */
interface Path { sender: TcpSocket; from: TcpSocket; to: TcpSocket; receiver: TcpSocket }

async function path(t: ExecutionContext, family: Family = 'inet'): Promise<Path> {
  const [before, behind] = [await connectedPair(t, family), await connectedPair(t, family)]
  return { sender: before.client, from: before.peer, to: behind.peer, receiver: behind.client }
}

/** Sends for as long as somebody takes it, and says how much the system took in the end. */
async function flood(sender: TcpSocket, data: Buffer): Promise<number> {
  let sent = 0
  try {
    for (;;) sent += await sender.send(data)
  } catch (error) {
    return sent + ((error as SocketError).bytesSent ?? 0)
  }
}

/** Until a copy waits for `to` to take more. */
async function stuck(to: TcpSocket): Promise<void> {
  while (!loop.stats().some(({ socket, waitingFor }) => socket === to && waitingFor.includes('send'))) await turn()
}

const stalls = unless(wine > 0 && 'Wine takes all that is sent at once, and keeps what the system does not take')

for (const family of ['inet', 'inet6', 'unix'] as const) {
  const testIt = unless(family === 'unix' && lacks.unix)

  testIt(`${family}: ${MUCH / BLOCK} MiB arrive whole at a slow receiver, and their end is the end of the copy`, async t => {
    const { sender, from, to, receiver } = await path(t, family)
    const copying = from.copyTo(to)
    const data = randomBytes(BLOCK)
    const sent = createHash('sha256')
    for (let i = 0; i < MUCH / BLOCK; i++) sent.update(data)
    const sending = sender.send(Array.from({ length: MUCH / BLOCK }, () => data)).then(() => sender.shutdown('write'))
    const came = createHash('sha256')
    for (let length = 0; length < MUCH; await turn()) {
      const chunk = await receiver.recv(200_000)
      length += chunk.length
      came.update(chunk)
    }
    await sending
    t.is(await copying, MUCH)
    t.is(came.digest('hex'), sent.digest('hex'))
    t.deepEqual([from.bytesRead, to.bytesWritten], [MUCH, MUCH])
    // Nothing but bytes was passed on: the other connection is open, both ways.
    await to.send('end')
    t.is(String(await receiver.recv()), 'end')
    await receiver.send('and back')
    t.is(String(await to.recv()), 'and back')
  })
}

test('a connection copied to itself is an echo, message by message', async t => {
  const { client, peer } = await connectedPair(t)
  const echoing = peer.copyTo(peer)
  for (const word of ['one', 'more', 'x'.repeat(50_000)]) {
    await client.send(word)
    t.is(String(await client.recvExact(word.length)), word)
  }
  client.shutdown('write')
  t.is(await echoing, 50_007)
})

test('what was received and not given out goes first, and who receives or sends meanwhile keeps to the order', async t => {
  const { sender, from, to, receiver } = await path(t)
  await sender.send('given back, ')
  await t.throwsAsync(from.recvExact(100, { timeout: 20 }), { code: 'ETIMEDOUT' })
  const copying = from.copyTo(to)
  const behind = from.recv()
  await sender.send('and new')
  t.is(String(await receiver.recvExact(19)), 'given back, and new')
  await to.send('!')
  t.is(String(await receiver.recv()), '!')
  sender.shutdown('write')
  t.is(await copying, 19)
  t.is((await behind).length, 0)
})

stalls('nothing is received that could not be sent, and what others send meanwhile comes behind it', async t => {
  const { sender, from, to, receiver } = await path(t)
  const copying = from.copyTo(to)
  const data = randomBytes(BLOCK)
  const flooding = flood(sender, data)
  await stuck(to)
  t.true(from.bytesRead - to.bytesWritten <= 65_536)
  const before = from.bytesRead
  const other = to.send('in between')
  for (let i = 0; i < 20; i++) await turn()
  t.is(from.bytesRead, before)
  // The rest of the step, then the other's, then what the next step takes.
  const come = await receiver.recvExact(before)
  for (let i = 0; i < before; i += 1000) if (come[i] !== data[i % BLOCK]) t.fail(`byte ${i} differs`)
  t.is(String(await receiver.recvExact(10)), 'in between')
  t.is(await other, 10)
  t.is((await receiver.recvExact(3000)).compare(Buffer.concat([data, data]).subarray(before % BLOCK, before % BLOCK + 3000)), 0)
  sender.close()
  await flooding
  to.close()
  await t.throwsAsync(copying, { code: 'ERR_SOCKET_CLOSED' })
})

stalls('who gives up while the other side takes nothing has lost nothing: what was not sent stays readable', async t => {
  const { sender, from, to, receiver } = await path(t)
  const data = randomBytes(BLOCK)
  const flooding = flood(sender, data)
  const abort = new AbortController()
  const copying = from.copyTo(to, { signal: abort.signal })
  await stuck(to)
  abort.abort(new Error('enough'))
  await t.throwsAsync(copying, { message: 'enough' })
  const taken = to.bytesWritten
  t.is(from.bytesRead, taken)
  await receiver.recvExact(taken)
  t.is((await from.recvExact(1000)).compare(Buffer.concat([data, data]).subarray(taken % BLOCK, taken % BLOCK + 1000)), 0)
  // And a copy can go on where that one ended.
  const again = from.copyTo(to)
  t.is((await receiver.recvExact(5000)).compare(Buffer.concat([data, data]).subarray(taken % BLOCK + 1000, taken % BLOCK + 6000)), 0)
  to.close()
  await t.throwsAsync(again, { code: 'ERR_SOCKET_CLOSED' })
  sender.reset()
  await flooding
})

// Those that measure time have it for themselves.

test.serial('the timeout is for how long nothing goes on, and it says how much has gone', async t => {
  const { sender, from, to, receiver } = await path(t)
  const copying = from.copyTo(to, { timeout: 800 })
  const began = performance.now()
  for (let i = 0; i < 3; i++) {
    await sender.send('still here')
    t.is(String(await receiver.recvExact(10)), 'still here')
    await pause(400)
  }
  const error = await t.throwsAsync<SocketError>(copying, { code: 'ETIMEDOUT' })
  t.true(performance.now() - began > 1600)
  t.like(error, { syscall: 'recv', bytesSent: 30, timeout: 800 })
  await sender.send('later')
  t.is(String(await from.recv()), 'later')
})

test.serial('a copy that could not go on because the thread was busy was not idle', async t => {
  const { sender, from, to, receiver } = await path(t)
  const copying = from.copyTo(to, { timeout: 400 })
  await sender.send('meanwhile')
  for (const end = performance.now() + 600; performance.now() < end;);
  t.is(String(await receiver.recvExact(9)), 'meanwhile')
  await sender.send('and on')
  t.is(String(await receiver.recvExact(6)), 'and on')
  t.is((await t.throwsAsync<SocketError>(copying, { code: 'ETIMEDOUT' })).bytesSent, 15)
})

unless(lacks.unix, test.serial)('a receiver that is slow is not idle; one that takes nothing is', async t => {
  // TCP tells the sender of room in larger pieces than this.
  const { sender, from, to, receiver } = await path(t, 'unix')
  // So little at a time that one step of the copy takes many sends.
  to.setOption('sendBufferSize', 4096)
  const flooding = flood(sender, Buffer.alloc(BLOCK))
  const copying = from.copyTo(to, { timeout: 800 })
  let over = false
  const ended = t.throwsAsync<SocketError>(copying, { code: 'ETIMEDOUT' }).finally(() => (over = true))
  const began = performance.now()
  while (performance.now() - began < 1600) {
    await receiver.recvExact(2000)
    await pause(20)
    t.false(over)
  }
  t.is((await ended).syscall, 'send')
  sender.reset()
  await flooding
})

unless(lacksResets)('an error says whose it is: the receiver is gone, and what could not be sent stays readable', async t => {
  const { sender, from, to, receiver } = await path(t)
  const copying = from.copyTo(to)
  receiver.reset()
  await t.throwsAsync(to.recv(), { code: 'ECONNRESET' })
  await sender.send('for nobody')
  const error = await t.throwsAsync<SocketError>(copying)
  t.is(error.syscall, 'send')
  t.is(error.bytesSent, 0)
  t.is(String(await from.recv()), 'for nobody')
})

unless(lacksResets)('an error says whose it is: the sender is gone', async t => {
  const { sender, from, to, receiver } = await path(t)
  const copying = from.copyTo(to)
  await sender.send('half')
  t.is(String(await receiver.recv()), 'half')
  sender.reset()
  const error = await t.throwsAsync<SocketError>(copying, { code: 'ECONNRESET' })
  t.is(error.syscall, 'recv')
  t.is(error.bytesSent, 4)
  // The other one is as it was.
  await to.send('not all')
  t.is(String(await receiver.recv()), 'not all')
})

test('a copy ends when either socket is closed', async t => {
  const one = await path(t)
  const copying = one.from.copyTo(one.to)
  one.from.close()
  await t.throwsAsync(copying, { code: 'ERR_SOCKET_CLOSED' })
  const other = await path(t)
  const next = other.from.copyTo(other.to)
  other.to.close()
  await other.sender.send('too late')
  const error = await t.throwsAsync<SocketError>(next, { code: 'ERR_SOCKET_CLOSED' })
  t.is(error.syscall, 'send')
  t.is(String(await other.from.recv()), 'too late')
})

test('TLS is copied like anything else, in both directions', async t => {
  const before = await securePair(t)
  const { client: receiver, peer: to } = await securePair(t)
  const { client: plain, peer: between } = await connectedPair(t)
  const data = randomBytes(BLOCK)
  const copies = Promise.all([before.peer.copyTo(between), plain.copyTo(to)])
  const sending = before.client.send(data)
  t.is(Buffer.compare(await receiver.recvExact(BLOCK), data), 0)
  t.is(await sending, BLOCK)
  before.client.shutdown('write')
  between.shutdown('write')
  t.deepEqual(await copies, [BLOCK, BLOCK])
})

test('what is not a connected socket is refused, and nothing is taken', async t => {
  const { sender, from, to } = await path(t)
  await sender.send('kept')
  for (const wrong of [undefined, null, 1, {}, process.stdout]) {
    await t.throwsAsync(from.copyTo(wrong as unknown as TcpSocket), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  await t.throwsAsync(from.copyTo(to, { timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' })
  to.close()
  await t.throwsAsync(from.copyTo(to), { code: 'ERR_SOCKET_CLOSED' })
  t.is(String(await from.recv()), 'kept')
})
