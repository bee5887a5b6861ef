// What a hostile or careless caller hands in: nothing crashes, nothing throws where a promise is due, and nothing is lost.
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { pair, seqpacket, tcp, udp, type Address, type Family, type OperationOptions, type Protocol, type TcpSocket, type UdpSocket } from 'socket2'
import { child, closing, connectedPair, datagrams, lacks, lacksMemory, loopback, unless } from './_util.js'

// The declarations of ES2023 know neither of these.
interface Resizable extends ArrayBuffer { resize(length: number): void }
const resizable = (length: number, maxByteLength: number): Resizable =>
  new (ArrayBuffer as unknown as new (length: number, options: object) => Resizable)(length, { maxByteLength })
const growable = (length: number, maxByteLength: number): SharedArrayBuffer & { grow(length: number): void } =>
  new (SharedArrayBuffer as unknown as new (length: number, options: object) => SharedArrayBuffer & { grow(length: number): void })(length, { maxByteLength })

const detach = (bytes: Uint8Array): void => void structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] })

/** Memory of every kind, of 8 bytes. */
const MEMORY: Record<string, () => Uint8Array> = {
  'a Uint8Array': () => new Uint8Array(8),
  'a Buffer': () => Buffer.alloc(8),
  'a Buffer out of the pool': () => Buffer.allocUnsafe(8),
  'a part of a longer one': () => new Uint8Array(100).subarray(50, 58),
  'the end of a longer one': () => new Uint8Array(new ArrayBuffer(1001), 993),
  'shared memory': () => new Uint8Array(new SharedArrayBuffer(8)),
  'a part of shared memory': () => new Uint8Array(new SharedArrayBuffer(24), 5, 8),
  'growable shared memory': () => new Uint8Array(growable(8, 1 << 20)),
  'resizable memory': () => new Uint8Array(resizable(8, 1 << 20)),
  'a part of resizable memory': () => new Uint8Array(resizable(32, 1 << 20), 3, 8),
  'memory of WebAssembly': () => runInNewContext('new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer, 65_528)') as Uint8Array,
  'an array of another realm': () => runInNewContext('new Uint8Array(8)') as Uint8Array,
  'an array of a subclass': () => new (class extends Uint8Array {})(8)
}

for (const [kind, make] of Object.entries(MEMORY)) {
  test(`${kind} can be sent and received into, within its bounds`, async t => {
    const { client, peer } = await connectedPair(t)
    const [one, other] = await datagrams(t)
    const [out, into] = [make(), make()]
    Buffer.from(out.buffer, out.byteOffset, 8).write('contents')
    // What is around it must stay as it is; in the pool others write there meanwhile.
    const pooled = kind.includes('pool')
    const all = Buffer.from(into.buffer, pooled ? into.byteOffset : 0, pooled ? 8 : into.buffer.byteLength)
    const expected = Buffer.from(all)
    expected.write('contents', pooled ? 0 : into.byteOffset)
    const received = (): void => {
      t.true(all.equals(expected))
      into.fill(0)
    }

    for (const send of [() => client.send(out), () => client.send([out]), async () => client.trySend(out)]) {
      t.is(await send(), 8)
      t.is(await peer.recvExact(into), 8)
      received()
    }
    await client.send(out)
    t.is(await peer.recv(into, { timeout: 1000 }), 8)
    received()
    const waiting = peer.recv(into)
    await client.send(out)
    t.is(await waiting, 8)
    received()
    await client.send(out)
    t.is(peer.tryRecv(into), 8)
    received()
    t.is(await one.send(out), 8)
    t.like(await other.recv(into), { length: 8, truncated: false })
    received()
  })
}

/** What can happen to memory while an operation waits for it. */
const FATES: Record<string, { make: () => Uint8Array; befall: (bytes: Uint8Array) => void }> = {
  detached: { make: () => new Uint8Array(8), befall: detach },
  'cut off by a resize': {
    make: () => new Uint8Array(resizable(16, 32), 8, 8), befall: (bytes) => (bytes.buffer as Resizable).resize(12)
  },
  'resized to nothing': { make: () => new Uint8Array(resizable(8, 32)), befall: (bytes) => (bytes.buffer as Resizable).resize(0) }
}

for (const [fate, { make, befall }] of Object.entries(FATES)) {
  test(`memory that is ${fate} while it is waited for gives a clean error, and the data stays readable`, async t => {
    const gone = { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE', message: /"into" was detached or (shrunk|resized)/ }
    const { client, peer } = await connectedPair(t)
    const [one, other] = await datagrams(t)
    for (const receive of [(into: Uint8Array) => peer.recv(into), (into: Uint8Array) => peer.recvExact(into)]) {
      const into = make()
      const receiving = receive(into)
      befall(into)
      await client.send('kept')
      await t.throwsAsync(receiving, gone)
      t.is(String(await peer.recvExact(4)), 'kept')
    }
    const into = make()
    const receiving = other.recv(into)
    befall(into)
    await one.send('kept')
    await t.throwsAsync(receiving, gone)
    t.is(String((await other.recv()).data), 'kept')
  })

  test(`memory that was ${fate} before is refused at once, and has nothing to send`, async t => {
    const { client, peer } = await connectedPair(t)
    const [one, other] = await datagrams(t)
    const bytes = make()
    befall(bytes)
    const noRoom = { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' }
    for (const promise of [peer.recv(bytes), peer.recvExact(bytes), other.recv(bytes)]) await t.throwsAsync(promise, noRoom)
    t.throws(() => peer.tryRecv(bytes), noRoom)
    t.is(await client.send(bytes), 0)
    t.is(await client.send([bytes, bytes]), 0)
    t.is(client.trySend(bytes), 0)
    t.is(await one.send(bytes), 0)
    t.is((await other.recv()).data.length, 0)
  })
}

test('memory that is partly received into when it is detached gives back what had come', async t => {
  const { client, peer } = await connectedPair(t)
  const into = new Uint8Array(8)
  const receiving = peer.recvExact(into)
  await client.send('half')
  while (peer.bytesRead === 0) await new Promise((resolve) => setImmediate(resolve))
  detach(into)
  await client.send('rest')
  await t.throwsAsync(receiving, { code: 'ERR_INVALID_ARG_VALUE' })
  t.is(String(await peer.recvExact(4)), 'rest', 'what was in the detached memory went with it')
})

test('data that is detached or shrunk while a send waits ends it, and says how much had gone', async t => {
  for (const [make, befall] of [
    [() => new Uint8Array(1 << 26), detach],
    [() => new Uint8Array(resizable(1 << 26, 1 << 26)), (bytes: Uint8Array) => (bytes.buffer as Resizable).resize(10)]
  ] as const) {
    for (const wrap of [(bytes: Uint8Array) => bytes, (bytes: Uint8Array) => [new Uint8Array(1), bytes]]) {
      const { client, peer } = await connectedPair(t)
      const data = make()
      const sending = client.send(wrap(data))
      befall(data)
      const received = peer.recvAll()
      const error = await t.throwsAsync<Error & { bytesSent?: number }>(sending, { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
      t.regex(error.message, /"data" was detached or (shrunk|resized)/)
      const { bytesWritten } = client
      client.close()
      t.is((await received).length, bytesWritten)
    }
  }
})

test('data that grows while a send waits is sent as long as it was, or ends the send', async t => {
  for (const wrap of [(bytes: Uint8Array) => bytes, (bytes: Uint8Array) => [bytes, Buffer.from('end')]]) {
    const { client, peer } = await connectedPair(t)
    const data = new Uint8Array(resizable(1 << 25, 1 << 26)).fill(1)
    const sending = client.send(wrap(data)).then((count) => ({ count }), (error: NodeJS.ErrnoException) => ({ error }))
    const { buffer } = data
    ;(buffer as Resizable).resize(1 << 26)
    const received = peer.recvAll()
    const outcome = await sending
    client.close()
    const all = await received
    if ('error' in outcome) {
      t.is(outcome.error.code, 'ERR_INVALID_ARG_VALUE')
    } else {
      t.is(all.length, outcome.count)
      t.is(all.indexOf(0), -1)
    }
  }
})

test('memory that grows while recvExact waits is filled as far as it was, or ends it', async t => {
  const { client, peer } = await connectedPair(t)
  const buffer = resizable(8, 64)
  const receiving = peer.recvExact(new Uint8Array(buffer)).then((count) => count, (error: NodeJS.ErrnoException) => error.code)
  buffer.resize(64)
  await client.send('0123456789abcdef')
  client.close()
  const outcome = await receiving
  t.true(outcome === 8 || outcome === 'ERR_INVALID_ARG_VALUE')
  t.is(String(await peer.recvAll()), outcome === 8 ? '89abcdef' : '0123456789abcdef')
})

test('shared memory can be written by its other owners while it is received into', async t => {
  const { client, peer } = await connectedPair(t)
  const shared = new SharedArrayBuffer(1 << 16)
  const [into, twin] = [new Uint8Array(shared), new Uint8Array(shared)]
  const receiving = peer.recvExact(into)
  const sending = client.send(new Uint8Array(1 << 16).fill(7))
  twin.fill(1)
  await Promise.all([receiving, sending])
  t.true(twin.every((byte) => byte === 7))
})

test('text goes out as UTF-8, and lone surrogates are refused, not replaced', async t => {
  const { client, peer } = await connectedPair(t)
  const text = 'grüße 😀 \0 \uffff'
  t.is(await client.send(text), Buffer.byteLength(text))
  t.is(String(await peer.recvExact(Buffer.byteLength(text))), text)
  const [one] = await datagrams(t)
  const lone = { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' }
  for (const bad of ['\ud800', 'x\udc00', '\udc00\ud800']) {
    for (const promise of [client.send(bad), one.send(bad)]) await t.throwsAsync(promise, lone)
    t.throws(() => client.trySend(bad), lone)
  }
  t.is(client.bytesWritten, Buffer.byteLength(text))
})

test('a list is gathered in its order, however many parts it has and whatever is empty', async t => {
  const { client, peer } = await connectedPair(t)
  const parts = Array.from({ length: 5000 }, (_, i) => (i % 3 === 0 ? new Uint8Array(0) : Buffer.from(`${i},`)))
  const whole = Buffer.concat(parts)
  t.is(await client.send(parts), whole.length)
  t.deepEqual(await peer.recvExact(whole.length), whole)
  t.is(await client.send([]), 0)
  t.is(await client.send([new Uint8Array(0)]), 0)
  const changing = [Buffer.from('one'), Buffer.from('two')]
  const sending = client.send(changing)
  changing.length = 0
  t.is(await sending, 6)
  t.is(String(await peer.recvExact(6)), 'onetwo')
})

/** What is no data and no memory. What inherits from a Uint8Array is none, and fails in its own way when it is asked. */
const NO_BYTES: [name: string, value: unknown][] = [
  ['undefined', undefined], ['null', null], ['a boolean', true], ['a bigint', 8n], ['a symbol', Symbol('x')], ['a function', () => {}], ['an object', {}],
  ['an ArrayBuffer', new ArrayBuffer(8)], ['a DataView', new DataView(new ArrayBuffer(8))], ['a Uint16Array', new Uint16Array(8)],
  ['a Uint8ClampedArray', new Uint8ClampedArray(8)], ['an Int8Array', new Int8Array(8)], ['something like an array', { length: 8, 0: 1 }],
  ['what inherits from a Uint8Array', Object.create(Uint8Array.prototype)], ['a proxy of a Uint8Array', new Proxy(new Uint8Array(8), {})],
  ['an object whose getters throw', new Proxy({}, { get: () => { throw new Error('hostile') } })]
]

for (const [name, value] of NO_BYTES) {
  test(`${name} is refused as data and as memory, and async methods do not throw it`, async t => {
    const { client, peer } = await connectedPair(t)
    const [one, other] = await datagrams(t)
    const [data, memory] = [value as string, value as Uint8Array]
    const promises = [
      client.send(data), client.send([memory]), client.send(data, { timeout: 1000 }), one.send(data), one.send(data, 'unix:/x', 0), peer.recvExact(memory)
    ]
    if (value !== undefined) promises.push(peer.recv(memory), other.recv(memory) as unknown as Promise<number>, peer.recv(memory, { timeout: 1000 }))
    for (const promise of promises) {
      const error = await t.throwsAsync<NodeJS.ErrnoException>(promise)
      t.true(error.code === 'ERR_INVALID_ARG_TYPE' || error.message === 'hostile', error.message)
    }
    if (name.includes('throw')) return
    t.throws(() => client.trySend(data), { code: 'ERR_INVALID_ARG_TYPE' })
    t.throws(() => peer.tryRecv(memory), { code: 'ERR_INVALID_ARG_TYPE' })
    await client.send('on')
    t.is(String(await peer.recv()), 'on')
  })
}

test('lengths that are none are refused', async t => {
  const { peer } = await connectedPair(t)
  const [one] = await datagrams(t)
  const packets = lacks.seqpacket ? [] : pair('seqpacket').map((socket) => closing(t, socket))
  const sockets = [peer, one, ...packets]
  const calls = [...sockets.map((socket) => (length: number) => socket.recv(length)), (length: number) => peer.recvExact(length)]
  for (const call of calls) {
    for (const length of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) await t.throwsAsync(call(length), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
    await t.throwsAsync(call('8' as unknown as number), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const socket of sockets) await t.throwsAsync(socket.recv(new Uint8Array(0)), { code: 'ERR_OUT_OF_RANGE' })
  for (const limit of [-1, 1.5, NaN]) await t.throwsAsync(peer.recvAll({ limit }), { code: 'ERR_OUT_OF_RANGE' })
})

test('a length far beyond what comes takes no memory in advance', async t => {
  const { client, peer } = await connectedPair(t)
  const receiving = peer.recvExact(2 ** 50)
  await client.send('little')
  client.close()
  await t.throwsAsync(receiving, { code: 'ERR_UNEXPECTED_EOF', message: /after 6 of 1125899906842624 bytes/ })
  t.is(String(await peer.recv(2 ** 52)), 'little')
})

test('options of an operation that are wrong are refused, and take no data', async t => {
  const { server, client, peer } = await connectedPair(t)
  const [one, other] = await datagrams(t)
  const elsewhere = one.family === 'unix' ? 'unix:/nowhere' : '127.0.0.1'
  await client.send('kept')
  await one.send('kept')
  for (const [op, code] of [
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'], [{ timeout: NaN }, 'ERR_OUT_OF_RANGE'], [{ timeout: '1' }, 'ERR_INVALID_ARG_TYPE'], [{ timeout: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'], [{ signal: null }, 'ERR_INVALID_ARG_TYPE'], [5, 'ERR_INVALID_ARG_TYPE'], ['x', 'ERR_INVALID_ARG_TYPE'], [null, 'ERR_INVALID_ARG_TYPE']
  ] as unknown as [OperationOptions, string][]) {
    for (const promise of [
      peer.recv(8, op), peer.recv(new Uint8Array(8), op), peer.recvExact(4, op), client.send('lost', op), server.accept(op), other.recv(8, op),
      other.recv(new Uint8Array(8), op), one.send('lost', elsewhere, 0, op), closing(t, tcp()).connect(server.localAddress!, op)
    ]) await t.throwsAsync(promise, { code })
  }
  t.is(String(await peer.recv()), 'kept')
  t.is(String((await other.recv()).data), 'kept')
  t.deepEqual([client.bytesWritten, one.bytesWritten], [4, 4])
})

test('families, protocols and types that are none throw', t => {
  for (const family of ['ipv4', '', 'toString', 4, null, {}]) {
    for (const make of [tcp, udp]) t.throws(() => make(family as Family), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
  }
  for (const protocol of ['sctp', '', '__proto__']) t.throws(() => tcp('inet', protocol as Protocol), { code: 'ERR_INVALID_ARG_VALUE' })
  for (const protocol of [null, {}, true]) t.throws(() => tcp('inet', protocol as unknown as Protocol), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const protocol of [-1, 256, 0.5]) t.throws(() => udp('inet', protocol), { code: 'ERR_OUT_OF_RANGE' })
  for (const type of ['stream', '', 'constructor', undefined]) t.throws(() => pair(type as 'tcp'), { code: 'ERR_INVALID_ARG_VALUE' })
})

const HOSTS: [host: unknown, port: unknown, code: string][] = [
  ['127.0.0.1', 65536, 'ERR_SOCKET_BAD_PORT'], ['127.0.0.1', -1, 'ERR_SOCKET_BAD_PORT'], ['127.0.0.1', 1.5, 'ERR_SOCKET_BAD_PORT'],
  ['127.0.0.1', '65536', 'ERR_SOCKET_BAD_PORT'], ['127.0.0.1', null, 'ERR_INVALID_ARG_TYPE'], ['127.0.0.1', 'nosuchservice', 'EAI_SERVICE'],
  ['', 80, 'ERR_INVALID_ARG_VALUE'], ['a\0b', 80, 'ERR_INVALID_ARG_VALUE'], ['\ud800', 80, 'ERR_INVALID_ARG_VALUE'], [null, 80, 'ERR_INVALID_ARG_TYPE'],
  [5, 80, 'ERR_INVALID_ARG_TYPE'], [true, 80, 'ERR_INVALID_ARG_TYPE'], ['::1', 80, 'ERR_INVALID_ARG_VALUE'], ['unix:/x', 80, 'ERR_INVALID_ARG_VALUE'],
  ['unix:/a\0b', 0, 'ERR_INVALID_ARG_VALUE'], [`unix:/${'x'.repeat(200)}`, 0, 'ERR_INVALID_ARG_VALUE']
]

for (const [host, port, code] of HOSTS) {
  test(`the host ${JSON.stringify(host)?.slice(0, 20)} with the port ${JSON.stringify(port)} is ${code} wherever one is given`, async t => {
    const [where, which] = [host as string, port as number]
    const [stream, datagram] = [closing(t, tcp()), closing(t, udp())]
    for (const promise of [
      stream.bind(where, which), stream.listen(where, which), stream.listen({ host: where, port: which }),
      closing(t, tcp()).connect(where, which), datagram.bind(where, which), datagram.connect(where, which), datagram.send('x', where, which)
    ]) await t.throwsAsync(promise, { code })
    // Nothing has changed.
    t.deepEqual([stream.localAddress, datagram.localAddress, datagram.remoteAddress], [null, null, null])
    await stream.listen('127.0.0.1')
  })
}

test('an address of another family is refused wherever one is given', async t => {
  const { localAddress } = await closing(t, tcp('inet6')).listen(...loopback(t, 'inet6'))
  const address = localAddress as Address
  const [stream, datagram]: [TcpSocket, UdpSocket] = [closing(t, tcp()), closing(t, udp())]
  for (const promise of [stream.bind(address), stream.listen(address), stream.connect(address), datagram.connect(address), datagram.send('x', address)]) {
    await t.throwsAsync(promise, { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
  }
})

test('backlogs that are none are refused, and the socket is not bound', async t => {
  const socket = closing(t, tcp())
  for (const backlog of [-1, 1.5, NaN, 2 ** 31]) await t.throwsAsync(socket.listen('127.0.0.1', 0, backlog), { code: 'ERR_OUT_OF_RANGE' })
  for (const backlog of ['5', null]) await t.throwsAsync(socket.listen({ backlog: backlog as unknown as number }), { code: 'ERR_INVALID_ARG_TYPE' })
  t.is(socket.localAddress, null)
  await socket.listen('127.0.0.1', 0, 0)
})

test('directions that are none are refused, and shut nothing down', async t => {
  const { client, peer } = await connectedPair(t)
  for (const how of ['', 'rd', 2, undefined, null]) t.throws(() => client.shutdown(how as 'read'), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
  await client.send('open')
  t.is(String(await peer.recv()), 'open')
})

unless(lacks.seqpacket)('an empty message is refused by seqpacket, since 0 is the end', async t => {
  const [one, other] = pair('seqpacket')
  t.teardown(() => { one.close(); other.close() })
  for (const data of ['', new Uint8Array(0)]) await t.throwsAsync(one.send(data), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => seqpacket(5 as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await one.send('one')
  t.is(String(await other.recv()), 'one')
})

// The memory itself, and as much again for what surrounds it.
unless(lacksMemory(5))('a buffer over 2 GiB is sent whole and received into, also at its end', async t => {
  t.timeout(120_000)
  const { code, stdout, stderr } = await child(t, 'huge-buffer')
  t.is(code, 0, stderr)
  const { length } = JSON.parse(stdout) as { length: number }
  t.true(length > 2 ** 31)
  t.deepEqual(JSON.parse(stdout), { length, sent: length, received: length, marks: ['begin', 'end'], end: 'tail', exact: 'head', datagram: 'EMSGSIZE', small: 'fits' })
})
