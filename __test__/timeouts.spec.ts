// Deadlines and abort signals: whoever gives up loses nothing and leaves nothing behind.
import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { tcp, type Family, type OperationOptions, type TcpSocket } from 'socket2'
import { numbers } from './_random.js'
import { closing, connectedPair, freshPath, lacks, listener, streams, unless } from './_util.js'

const families: Family[] = ['inet', 'inet6', 'unix']
const MiB = 1 << 20

for (const family of families) {
  const testIt = unless(family === 'unix' && lacks.unix)

  testIt(`${family}: a recv that timed out has taken nothing`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const error = await t.throwsAsync(peer.recv(new Uint8Array(10), { timeout: 10 }), { code: 'ETIMEDOUT' })
    t.like(error, { timeout: 10, syscall: 'recv', name: 'SocketError' })
    t.true((error as { errno?: number }).errno! < 0)
    await client.send('late')
    t.is(String(await peer.recv()), 'late')
  })

  testIt(`${family}: a recv that was aborted rejects with the signal's reason and has taken nothing`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const controller = new AbortController()
    const receiving = peer.recv(new Uint8Array(10), { signal: controller.signal })
    const reason = new Error('changed my mind')
    const sending = client.send('data')
    controller.abort(reason)
    await sending
    t.is(await t.throwsAsync(receiving), reason)
    t.is(String(await peer.recv()), 'data')
  })

  for (const [name, recv] of [
    ['recvExact(length)', (socket: TcpSocket, op: OperationOptions) => socket.recvExact(10, op)],
    ['recvExact(into)', (socket: TcpSocket, op: OperationOptions) => socket.recvExact(new Uint8Array(10), op)],
    ['recvAll()', (socket: TcpSocket, op: OperationOptions) => socket.recvAll(op)]
  ] as const) {
    testIt(`${family}: ${name} that timed out or was aborted says how much came, and leaves it readable`, async t => {
      const { client, peer } = await connectedPair(t, family)
      await client.send('early')
      const error = await t.throwsAsync<Error>(recv(peer, { timeout: 10 }), { code: 'ETIMEDOUT' })
      t.like(error, { bytesRead: 5, timeout: 10 })
      const controller = new AbortController()
      const receiving = recv(peer, { signal: controller.signal })
      await client.send('+')
      await turn()
      controller.abort('enough')
      t.is(await receiving.then(() => undefined, (reason: unknown) => reason), 'enough')
      t.is(peer.bytesRead, 0)
      t.is(String(await peer.recvExact(6)), 'early+')
      t.is(peer.bytesRead, 6)
    })
  }

  testIt(`${family}: a send that timed out says how much the system took, and exactly that arrives`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const error = await t.throwsAsync(client.send(Buffer.alloc(64 * MiB), { timeout: 20 }), { code: 'ETIMEDOUT' })
    const { bytesSent } = error as { bytesSent?: number }
    t.true(bytesSent! > 0 && bytesSent! < 64 * MiB)
    t.is(client.bytesWritten, bytesSent!)
    client.close()
    t.is((await peer.recvAll()).length, bytesSent!)
  })

  testIt(`${family}: random deadlines while data streams in lose no byte`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const random = numbers(1)
    const total = 200_000
    const sending = (async () => {
      for (let sent = 0; sent < total; ) {
        const length = Math.min(1 + Math.floor(random() * 4000), total - sent)
        await client.send(ramp(sent, length))
        sent += length
        if (random() < 0.5) await turn()
      }
      client.shutdown('write')
    })()
    let got = 0
    let inVain = 0
    for (let ended = false; !ended; ) {
      const receiving: Promise<Buffer>[] = []
      for (let i = 0; i < 3; i++) {
        const op = { timeout: random() < 0.3 ? 0 : random() * 2 }
        const length = 1 + Math.floor(random() * 3000)
        receiving.push(random() < 0.5 ? peer.recvExact(length, op) : peer.recv(length, op))
      }
      for (const outcome of await Promise.allSettled(receiving)) {
        if (outcome.status === 'fulfilled') {
          ended ||= outcome.value.length === 0
          if (!outcome.value.equals(ramp(got, outcome.value.length))) return t.fail(`wrong bytes at ${got}`)
          got += outcome.value.length
        } else if (outcome.reason.code === 'ERR_UNEXPECTED_EOF') {
          // What had come follows with the next recv.
        } else {
          t.is(outcome.reason.code, 'ETIMEDOUT')
          inVain++
        }
      }
    }
    await sending
    t.is(got, total)
    t.is(peer.bytesRead, total)
    t.true(inVain > 0)
  })

  testIt(`${family}: a storm of aborts among readers loses no byte, and their order holds`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const random = numbers(2)
    const total = 3000
    let got = 0
    let sent = 0
    while (got < total) {
      const controllers = Array.from({ length: 20 }, () => new AbortController())
      const receiving = controllers.map(({ signal }, i) => (i % 2 === 0 ? peer.recvExact(7, { signal }) : peer.recv(5, { signal })))
      const settled = Promise.allSettled(receiving)
      const length = Math.min(40, total - sent)
      if (length > 0) await client.send(ramp(sent, length))
      sent += length
      if (random() < 0.5) await turn()
      for (const controller of controllers) if (random() < 0.5) controller.abort()
      await turn()
      for (const controller of controllers) controller.abort()
      for (const outcome of await settled) {
        if (outcome.status === 'rejected') continue
        if (!outcome.value.equals(ramp(got, outcome.value.length))) return t.fail(`wrong bytes at ${got}`)
        got += outcome.value.length
      }
    }
    t.is(got, total)
  })

  testIt(`${family}: a timeout of 0 does what can be done at once and nothing else`, async t => {
    const { client, peer, server } = await connectedPair(t, family)
    const now = { timeout: 0 }
    await t.throwsAsync(server.accept(now), { code: 'ETIMEDOUT' })
    await t.throwsAsync(peer.recv(1, now), { code: 'ETIMEDOUT' })
    t.is(await client.send('abc', now), 3)
    t.is(String(await peer.recvExact(3)), 'abc')
    t.is(client.trySend('def'), 3)
    t.is(String(await peer.recv(10, now)), 'def')
    const error = await t.throwsAsync(client.send(Buffer.alloc(64 * MiB), now), { code: 'ETIMEDOUT' })
    t.like(error, { timeout: 0, bytesSent: client.bytesWritten - 6 })
  })

  testIt(`${family}: a timeout of 0 does not push in before those who wait`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const receiving = peer.recv(10)
    client.trySend('x')
    await t.throwsAsync(peer.recv(10, { timeout: 0 }), { code: 'ETIMEDOUT' })
    t.is(String(await receiving), 'x')
  })

  testIt(`${family}: an accept that gave up leaves the connection to the next one`, async t => {
    const server = await listener(t, family)
    await t.throwsAsync(server.accept({ timeout: 5 }), { code: 'ETIMEDOUT', message: /^accept / })
    const random = numbers(3)
    const count = 50
    const clients = (async () => {
      for (let i = 0; i < count; i++) {
        const client = await closing(t, tcp(family)).connect(server.localAddress!)
        await client.send(Buffer.of(i))
      }
    })()
    const greetings: number[] = []
    while (greetings.length < count) {
      const accepting = Array.from({ length: 3 }, () => server.accept({ timeout: random() * 2 }))
      for (const outcome of await Promise.allSettled(accepting)) {
        if (outcome.status === 'fulfilled') greetings.push((await closing(t, outcome.value).recvExact(1))[0]!)
      }
    }
    await clients
    t.deepEqual(greetings, Array.from({ length: count }, (_, i) => i))
  })
}

test('a signal that is aborted already ends an operation before it begins', async t => {
  const { client, peer } = await connectedPair(t)
  const reason = { any: 'thing' }
  const op = { signal: AbortSignal.abort(reason) }
  const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)
  t.is(await outcome(client.send('not sent', op)), reason)
  t.is(client.bytesWritten, 0)
  await client.send('there')
  t.is(await outcome(peer.recv(10, op)), reason)
  t.is(await outcome(peer.recvAll(op)), reason)
  t.is(String(await peer.recv()), 'there')
})

test('one signal on a thousand operations makes no warning, and no listener stays', async t => {
  const warnings: Error[] = []
  const warn = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', warn)
  t.teardown(() => process.off('warning', warn))
  const { client, peer } = await connectedPair(t)
  const controller = new AbortController()
  const { signal } = controller
  const listeners = (): number => getEventListeners(signal, 'abort').length

  const reading = Array.from({ length: 1000 }, () => peer.recvExact(1, { signal }))
  t.true(listeners() > 0)
  await client.send(Buffer.alloc(1000))
  await Promise.all(reading)
  t.is(listeners(), 0)

  const waiting = Promise.allSettled(Array.from({ length: 1000 }, () => peer.recv(1, { signal, timeout: 60_000 })))
  controller.abort()
  t.true((await waiting).every(outcome => outcome.status === 'rejected' && outcome.reason === signal.reason))
  t.is(listeners(), 0)
  await turn()
  t.deepEqual(warnings, [])
})

test('operations that end by their deadline, by a close, or at once leave no listener on their signal', async t => {
  const { client, peer } = await connectedPair(t)
  const { signal } = new AbortController()
  const listeners = (): number => getEventListeners(signal, 'abort').length
  await t.throwsAsync(peer.recv(1, { signal, timeout: 5 }), { code: 'ETIMEDOUT' })
  t.is(listeners(), 0)
  await client.send('x', { signal })
  await peer.recv(1, { signal, timeout: 0 })
  t.is(listeners(), 0)
  const receiving = peer.recv(1, { signal })
  peer.close()
  await t.throwsAsync(receiving, { code: 'ERR_SOCKET_CLOSED' })
  t.is(listeners(), 0)
})

test('one that gives up in the middle of the queue leaves the others their order', async t => {
  const { client, peer } = await connectedPair(t)
  const controllers = Array.from({ length: 5 }, () => new AbortController())
  const receiving = controllers.map(({ signal }) => peer.recv(1, { signal }).then(String, () => '-'))
  controllers[0]!.abort()
  controllers[2]!.abort()
  controllers[4]!.abort()
  const last = peer.recv(10)
  await client.send('abc')
  t.is((await Promise.all(receiving)).join(''), '-a-b-')
  t.is(String(await last), 'c')
})

test('an abort that sends and closes from its own handler harms nobody', async t => {
  const { client, peer } = await connectedPair(t)
  const controller = new AbortController()
  const { signal } = controller
  signal.addEventListener('abort', () => peer.close())
  const receiving = Promise.allSettled(Array.from({ length: 10 }, () => peer.recv(1, { signal })))
  signal.addEventListener('abort', () => client.close())
  controller.abort()
  for (const outcome of await receiving) t.is(outcome.status, 'rejected')
  t.true(client.closed && peer.closed)
})

test("socket.timeout is the default of its operations, and an operation's own goes before it", async t => {
  const { client, peer, server } = await connectedPair(t)
  t.is(peer.timeout, Infinity)
  peer.timeout = server.timeout = client.timeout = 10
  const expired = { code: 'ETIMEDOUT', message: /10 ms/ }
  for (const operation of [
    () => peer.recv(1), () => peer.recv(new Uint8Array(1)), () => peer.recvExact(1), () => peer.recvAll(), () => server.accept(),
    () => client.send(Buffer.alloc(64 * MiB)), () => peer.recv(1, {}).then(() => peer.recvExact(64 * MiB, { timeout: undefined }))
  ]) await t.throwsAsync<Error>(operation(), expired)
  const [one, other] = await streams(t)
  one.timeout = 1
  const receiving = one.recv(1, { timeout: Infinity })
  await t.throwsAsync(other.recv(1, { timeout: 20 }), { message: /20 ms/ })
  await other.send('x')
  t.is(String(await receiving), 'x')
})

test('a deadline is not early, and the longest of all does not overflow', async t => {
  const [one, other] = await streams(t)
  const begin = performance.now()
  await t.throwsAsync(one.recv(1, { timeout: 30 }), { code: 'ETIMEDOUT' })
  t.true(performance.now() - begin >= 29)
  const receiving = one.recv(1, { timeout: 2 ** 40 })
  await t.throwsAsync(other.recv(1, { timeout: 20 }), { code: 'ETIMEDOUT' })
  await other.send('x')
  t.is(String(await receiving), 'x')
})

test('wrong times and wrong signals are refused, and nothing is taken', async t => {
  const [one, other] = await streams(t)
  await other.send('x')
  for (const timeout of [-1, NaN, -Infinity]) {
    await t.throwsAsync(one.recv(1, { timeout }), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => (one.timeout = timeout), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  }
  for (const op of [{ timeout: '5' }, { timeout: null }, { signal: {} }, { signal: null }, 5, null, 'op'] as unknown as OperationOptions[]) {
    await t.throwsAsync(one.recv(1, op), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
    await t.throwsAsync(one.recv(new Uint8Array(1), op), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
    await t.throwsAsync(one.send('y', op), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
  }
  t.is(one.bytesWritten, 0)
  t.is(String(await one.recv()), 'x')
})

unless(lacks.unix)('a connection to a unix listener is made within a timeout of 0', async t => {
  const path = freshPath(t)
  await closing(t, tcp('unix')).listen(`unix:${path}`)
  t.false((await closing(t, tcp('unix')).connect(`unix:${path}`, 0, { timeout: 0 })).closed)
})

/** Bytes that show where in a stream they belong. */
function ramp(from: number, length: number): Buffer {
  const data = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) data[i] = (from + i) % 251
  return data
}
