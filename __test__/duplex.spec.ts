// What a stream over a socket is beside what duplex-scenes.spec.ts compares: how it connects, what it holds, whom it shares the socket with.
import { createHash, randomBytes } from 'node:crypto'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import net from 'node:net'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { buffer, text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { attach, SocketDuplex, tcp, type Family, type SocketDuplexOptions, type SocketError, type SocketHandle, type TcpSocket } from 'socket2'
import { until } from './_serve.js'
import { addressOf, closing, connectedPair, lacks, listener, loopback, losesEchoes, MUCH, unless } from './_util.js'

const MiB = 1 << 20

/** A stream over a connected socket, and the socket at the other end. */
async function connected(t: ExecutionContext, options?: SocketDuplexOptions): Promise<{ socket: TcpSocket; stream: SocketDuplex; peer: TcpSocket }> {
  const { client: socket, peer } = await connectedPair(t)
  return { socket, stream: socket.toDuplex(options), peer }
}

/** A stream over a socket that is not connected, and where it may connect to. */
async function unconnected(t: ExecutionContext, family: Family = 'inet'): Promise<{ socket: TcpSocket; stream: SocketDuplex; server: TcpSocket }> {
  const server = await listener(t, family)
  const socket = closing(t, tcp(family))
  return { socket, stream: socket.toDuplex(), server }
}

/** What it emits. */
function events(stream: SocketDuplex): string[] {
  const heard: string[] = []
  for (const event of ['connect', 'ready', 'end', 'finish', 'timeout']) stream.on(event, () => heard.push(event))
  stream.on('error', (error: NodeJS.ErrnoException) => heard.push(`error ${error.code}`))
  stream.on('close', (hadError: boolean) => heard.push(`close ${hadError}`))
  return heard
}

/** Resolves when it has closed, for whatever reason. */
async function closed(stream: SocketDuplex): Promise<void> {
  await new Promise<void>(resolve => stream.once('close', () => resolve()))
}

// Connecting

test('it connects its socket, says so, and what was written before goes out then', async t => {
  const { stream, server } = await unconnected(t)
  const heard = events(stream)
  t.deepEqual([stream.pending, stream.connecting, stream.readyState, stream.address()], [true, false, 'open', {}])
  stream.connect(addressOf(server).port, '127.0.0.1', () => heard.push('listener'))
  t.deepEqual([stream.pending, stream.connecting, stream.readyState], [true, true, 'opening'])
  stream.write('early ')
  stream.write('bird')
  t.is(stream.bytesWritten, 10)
  t.false(stream.write(Buffer.alloc(MiB)))
  const peer = closing(t, await server.accept())
  t.is(String(await peer.recvExact(10)), 'early bird')
  t.deepEqual(heard, ['connect', 'listener', 'ready'])
  t.deepEqual([stream.pending, stream.connecting, stream.readyState], [false, false, 'open'])
  t.is(stream.remotePort, addressOf(server).port)
  await peer.send('answer')
  t.is(String((await once(stream, 'data'))[0]), 'answer')
})

test('it tells when somebody else connects its socket, or fails to', async t => {
  const { socket, stream, server } = await unconnected(t)
  stream.write('early')
  const reading = once(stream, 'data')
  await Promise.all([socket.connect(addressOf(server)), once(stream, 'connect')])
  const peer = closing(t, await server.accept())
  t.is(String(await peer.recvExact(5)), 'early')
  await peer.send('answer')
  t.is(String((await reading)[0]), 'answer')

  const other = await unconnected(t)
  const heard = events(other.stream)
  const failing = other.socket.connect('127.0.0.1', 1)
  t.true(other.stream.connecting)
  await t.throwsAsync(failing, { code: 'ECONNREFUSED' })
  await closed(other.stream)
  t.deepEqual(heard, ['error ECONNREFUSED', 'close true'])
})

test('a connect that fails is told as net tells it, and what was written fails', async t => {
  const { socket, stream } = await unconnected(t)
  const heard = events(stream)
  stream.end('never', (error?: Error | null) => heard.push(`end ${error instanceof Error}`))
  const [error] = (await once(stream.connect(1, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException & { address?: string; port?: number }]
  t.like(error, { code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: 1, message: 'connect ECONNREFUSED 127.0.0.1:1' })
  await closed(stream)
  t.deepEqual(heard, ['error ECONNREFUSED', 'end true', 'close true'])
  t.true(socket.closed)
})

test('it is connected by an object, by a path, and to localhost where no host is named', async t => {
  const { stream, server } = await unconnected(t)
  const { port } = addressOf(server)
  stream.connect({ host: '127.0.0.1', port: String(port) })
  await once(stream, 'connect')
  const other = closing(t, tcp())
  await once(other.toDuplex().connect(String(port)), 'connect')
  t.is(other.toDuplex().remoteAddress, '127.0.0.1')
  const third = closing(t, tcp())
  await once(third.toDuplex().connect({ path: '', port, host: '127.0.0.1' }), 'connect')
  t.is(third.toDuplex().remotePort, port)
})

unless(lacks.unix)('over a unix socket it is connected by a path, and has no addresses', async t => {
  for (const byObject of [false, true]) {
    const { stream, server } = await unconnected(t, 'unix')
    const path = addressOf(server).path ?? ''
    stream.connect(byObject ? { path } : path)
    await once(stream, 'connect')
    t.deepEqual([stream.remoteAddress, stream.remoteFamily, stream.localPort, stream.address()], [undefined, undefined, undefined, {}])
    t.is(stream.setNoDelay().setKeepAlive(true, 1000), stream)
    const peer = closing(t, await server.accept())
    stream.end('over a path')
    t.is(String(await peer.recvAll()), 'over a path')
  }
})

test('connecting what is connected already says so, once', async t => {
  const { stream, peer } = await connected(t)
  const heard = events(stream)
  stream.connect(5432, 'db.example', () => heard.push('listener'))
  t.deepEqual(heard, [], 'not before whoever calls has had time to listen')
  await once(stream, 'ready')
  t.deepEqual(heard, ['connect', 'listener', 'ready'])
  stream.write('hello')
  t.is(String(await peer.recvExact(5)), 'hello')
  stream.connect(5432)
  await closed(stream)
  t.deepEqual(heard, ['connect', 'listener', 'ready', 'error ERR_SOCKET_BAD_STATE', 'close true'])
  t.throws(() => stream.connect(5432), { code: 'ERR_SOCKET_CLOSED' })
})

test('wrong arguments of a connect throw as in net, or are told where they have to be looked up', async t => {
  const { stream } = await unconnected(t)
  const connect = stream.connect.bind(stream) as (...args: unknown[]) => SocketDuplex
  for (const args of [[], [undefined], [{}], [null], [true], [{ path: 1 }], [80, 1], [{ port: 80, host: {} }]]) {
    t.throws(() => connect(...args), { code: 'ERR_INVALID_ARG_TYPE' }, String(args))
  }
  t.false(stream.destroyed)
  const [error] = await once(stream.connect(65536), 'error') as [SocketError]
  t.is(error.code, 'ERR_SOCKET_BAD_PORT')
  const [wrongFamily] = await once((await unconnected(t)).stream.connect('/run/db.sock'), 'error') as [SocketError]
  t.is(wrongFamily.code, 'ERR_INVALID_ARG_VALUE')
})

test('it can be destroyed, ended and reset while it connects', async t => {
  const destroyed = await unconnected(t)
  const heard = events(destroyed.stream)
  destroyed.stream.write('never', error => heard.push(`write ${(error as SocketError).code}`))
  destroyed.stream.connect(addressOf(destroyed.server).port, '127.0.0.1')
  destroyed.stream.destroy()
  await closed(destroyed.stream)
  t.deepEqual(heard, ['write ERR_SOCKET_CLOSED', 'close false'])

  const ended = await unconnected(t)
  ended.stream.connect(addressOf(ended.server).port, '127.0.0.1').end()
  t.is((await closing(t, await ended.server.accept()).recv()).length, 0)

  const reset = await unconnected(t)
  reset.stream.connect(addressOf(reset.server).port, '127.0.0.1').resetAndDestroy()
  await closed(reset.stream)
  t.true(reset.socket.closed)
})

// What it is

test('there is one per socket, of a socket that is connected or can be', async t => {
  const { client, server } = await connectedPair(t)
  const stream = client.toDuplex({ allowHalfOpen: true, highWaterMark: 1000 })
  t.true(stream instanceof SocketDuplex)
  t.deepEqual([stream.allowHalfOpen, stream.readableHighWaterMark, stream.writableHighWaterMark], [true, 1000, 1000])
  t.is(client.toDuplex(), stream)
  t.throws(() => client.toDuplex({}), { code: 'ERR_SOCKET_BAD_STATE' })
  t.throws(() => server.toDuplex(), { code: 'ERR_SOCKET_BAD_STATE' })
  client.close()
  t.is(client.toDuplex(), stream)
  server.close()
  t.throws(() => server.toDuplex(), { code: 'ERR_SOCKET_CLOSED' })
})

test('wrong options throw, and make none', async t => {
  const { client } = await connectedPair(t)
  const toDuplex = client.toDuplex.bind(client) as (options: unknown) => SocketDuplex
  for (const options of [null, 1, 'x', { allowHalfOpen: 1 }, { signal: {} }]) t.throws(() => toDuplex(options), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const highWaterMark of [-1, 1.5, 'x']) t.throws(() => toDuplex({ highWaterMark }), { code: 'ERR_INVALID_ARG_VALUE' })
  t.notThrows(() => client.toDuplex({ allowHalfOpen: true, highWaterMark: undefined, signal: undefined }))
})

for (const family of ['inet', 'inet6'] as const) {
  test(`it tells its addresses as a net.Socket does: ${family}`, async t => {
    const server = net.createServer(() => {})
    t.teardown(() => server.close())
    await once(server.listen(0, family === 'inet' ? '127.0.0.1' : '::1'), 'listening')
    const { port } = server.address() as net.AddressInfo
    const theirs = net.connect(port, loopback(t, family)[0])
    t.teardown(() => theirs.destroy())
    await once(theirs, 'connect')
    const ours = (await closing(t, tcp(family)).connect(loopback(t, family)[0], port)).toDuplex()
    const told = (stream: net.Socket | SocketDuplex): unknown => {
      const { remoteAddress, remotePort, remoteFamily, localAddress, localFamily, localPort } = stream
      t.deepEqual(stream.address(), { address: localAddress, family: localFamily, port: localPort })
      return { remoteAddress, remotePort, remoteFamily, localAddress, localFamily }
    }
    t.deepEqual(told(ours), told(theirs))
    ours.destroy()
    t.is(ours.remotePort, port)
  })
}

test('it has no handle and is not encrypted, for tls and http look for that', async t => {
  const { stream } = await connected(t)
  t.false('_handle' in stream)
  t.false('encrypted' in stream)
})

test('setNoDelay and setKeepAlive set the options of the socket, and fail silently', async t => {
  const { socket, stream } = await connected(t)
  t.is(stream.setNoDelay(false), stream)
  t.false(socket.getOption('noDelay'))
  stream.setNoDelay()
  t.true(socket.getOption('noDelay'))
  t.is(stream.setKeepAlive(true, 7000), stream)
  t.deepEqual([socket.getOption('keepAlive'), socket.getOption('keepAliveIdle')], [true, 7000])
  stream.setKeepAlive()
  t.false(socket.getOption('keepAlive'))
  for (const delay of [1e12, Infinity, -1, 1500.5, Number.NaN]) t.is(stream.setKeepAlive(true, delay), stream, String(delay))
  t.true(socket.getOption('keepAlive'))
  socket.close()
  t.is(stream.setNoDelay(false).setKeepAlive(true, 1000).setTimeout(10), stream)
  t.is(stream.ref().unref(), stream)
})

test('setTimeout checks its arguments', async t => {
  const { stream } = await connected(t)
  const setTimeout = stream.setTimeout.bind(stream) as (...args: unknown[]) => unknown
  for (const wrong of ['1', null, undefined]) t.throws(() => setTimeout(wrong), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const wrong of [-1, Number.NaN]) t.throws(() => setTimeout(wrong), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => setTimeout(1, {}), { code: 'ERR_INVALID_ARG_TYPE' })
  t.is(stream.timeout, undefined)
  t.notThrows(() => setTimeout(Infinity))
})

test.serial('a long write that gets on is not idle', async t => {
  const { stream, peer } = await connected(t)
  const heard = events(stream)
  stream.setTimeout(400)
  stream.write(Buffer.alloc(4 * MUCH))
  // So much that the system tells the writer of the room each time, and not only once half of its megabytes are free.
  // And so little that it does not come to its end.
  const into = Buffer.alloc(256 << 10)
  const end = performance.now() + 1_200
  while (performance.now() < end) {
    await peer.recv(into)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  t.deepEqual(heard, [])
  await once(stream, 'timeout')
})

test('the timeout of the socket is not for its stream', async t => {
  const { client, peer } = await connectedPair(t)
  client.timeout = 1
  const stream = client.toDuplex()
  await new Promise(resolve => setTimeout(resolve, 20))
  await peer.send('late')
  t.is(String((await once(stream, 'data'))[0]), 'late')
})

test('whoever gets a stream can listen before it tells of what was wrong already, also from the next tick on', async t => {
  const { client, peer } = await connectedPair(t)
  peer.reset()
  const stream = client.toDuplex()
  const error = new Promise<SocketError>(resolve => process.nextTick(() => stream.once('error', resolve)))
  t.true(['ECONNRESET', 'ECONNABORTED'].includes((await error).code))
})

// How much it holds

test('what comes waits with the system once the stream is full, and is read when somebody reads', async t => {
  const { socket, stream, peer } = await connected(t, { highWaterMark: 1000 })
  const sending = peer.send(Buffer.alloc(MUCH))
  await until(() => stream.readableLength > 0)
  for (let i = 0; i < 20; i++) await turn()
  t.true(socket.bytesRead <= 1000 + 65536, `it has read ${socket.bytesRead} bytes`)
  let length = 0
  for (;;) {
    const data = stream.read() as Buffer | null
    length += data?.length ?? 0
    if (length === MUCH) break
    if (data === null) await once(stream, 'readable')
    t.true(socket.bytesRead - length <= 1000 + 65536)
  }
  await sending
})

test('a write is full until the peer reads, and drains then', async t => {
  const { stream, peer } = await connected(t)
  const heard: string[] = []
  t.true(stream.write('little'))
  t.false(stream.write(Buffer.alloc(MUCH), () => heard.push('written')))
  t.true(stream.writableNeedDrain)
  t.is(stream.bytesWritten, 6 + MUCH)
  stream.once('drain', () => heard.push('drain'))
  await peer.recvExact(6)
  t.deepEqual(heard, [])
  await peer.recvExact(MUCH)
  await until(() => heard.length === 2)
  t.deepEqual(heard.toSorted(), ['drain', 'written'])
})

unless(losesEchoes)(`${MUCH / MiB} MiB go through two streams and back, to a slow reader, whole`, async t => {
  const { client, peer } = await connectedPair(t)
  const echo = peer.toDuplex({ allowHalfOpen: true })
  const piping = pipeline(echo, echo)
  const chunk = randomBytes(100_000)
  const [sent, received] = [createHash('sha256'), createHash('sha256')]
  let left = MUCH
  const source = new Readable({
    read() {
      const part = chunk.subarray(0, Math.min(left, chunk.length))
      left -= part.length
      sent.update(part)
      this.push(part.length > 0 ? part : null)
    }
  })
  const sink = new Writable({
    write(data: Buffer, _encoding, callback) {
      received.update(data)
      setImmediate(callback)
    }
  })
  await pipeline(source, client.toDuplex(), sink)
  await piping
  t.is(received.digest('hex'), sent.digest('hex'))
  await until(() => client.closed && peer.closed)
})

test('many small writes, corked or not, arrive whole, as do lists that are long', async t => {
  const { stream, peer } = await connected(t)
  const all = peer.recvAll()
  let sent = ''
  const write = (chunk: string): void => {
    sent += chunk
    stream.write(chunk)
  }
  for (let i = 0; i < 1000; i++) write(`${i} ü\n`)
  stream.cork()
  for (let i = 0; i < 1000; i++) write(`${i} 😀\n`)
  stream.uncork()
  stream.cork()
  for (let i = 0; i < 3000; i++) write(String(i).repeat(20))
  stream.write(Buffer.alloc(0))
  stream.uncork()
  stream.end()
  t.is(String(await all), sent)
})

test('a buffer that is gone while it waits to be written is an error', async t => {
  const { stream, peer } = await connected(t)
  stream.on('data', () => {})
  const memory = new Uint8Array(MUCH)
  stream.write(memory)
  structuredClone(memory.buffer, { transfer: [memory.buffer] })
  peer.recvAll().catch(() => {})
  const [error] = await once(stream, 'error') as [SocketError]
  t.is(error.code, 'ERR_INVALID_ARG_VALUE')
})

// Whom it shares the socket with

test('recv takes its turn with the stream, and nothing is lost or given twice', async t => {
  const { client, peer } = await connectedPair(t)
  const first = client.recv()
  const stream = client.toDuplex()
  const streamed: string[] = []
  stream.on('data', data => streamed.push(String(data)))
  await peer.send('one')
  t.is(String(await first), 'one')
  await peer.send('two')
  await until(() => streamed.length === 1)
  const second = client.recv()
  await peer.send('three')
  await until(() => streamed.length === 2)
  await peer.send('four')
  t.is(String(await second), 'four')
  t.deepEqual(streamed, ['two', 'three'])
})

test('its end waits for what others have to send, and others for what it writes', async t => {
  const { socket, stream, peer } = await connected(t)
  stream.write(Buffer.alloc(MUCH, 'a'))
  const sending = socket.send(Buffer.alloc(MUCH, 'b'))
  stream.end('c')
  const all = await peer.recvAll()
  t.is(await sending, MUCH)
  t.is(all.length, 2 * MUCH + 1)
  t.deepEqual([all.indexOf('b'), all.indexOf('c')], [MUCH, 2 * MUCH])
})

test('closing the socket destroys the stream, without an error of its own', async t => {
  for (const how of ['close', 'reset'] as const) {
    const { socket, stream } = await connected(t)
    const heard = events(stream)
    stream.write(Buffer.alloc(MUCH), error => heard.push(`write ${(error as SocketError).code}`))
    stream.write('more', error => heard.push(`more ${error instanceof Error}`))
    socket[how]()
    t.true(stream.destroyed)
    await closed(stream)
    await turn()
    t.deepEqual(heard.toSorted(), ['close false', 'more true', 'write ERR_SOCKET_CLOSED'])
  }
})

test('a signal destroys it, also one that is aborted already', async t => {
  const controller = new AbortController()
  const one = await connected(t, { signal: controller.signal })
  controller.abort()
  t.is(((await once(one.stream, 'error')) as [SocketError])[0].code, 'ABORT_ERR')
  t.true(one.socket.closed)
  const other = await connected(t, { signal: controller.signal })
  t.is(((await once(other.stream, 'error')) as [SocketError])[0].code, 'ABORT_ERR')
})

test('what nobody has read moves with the socket', async t => {
  for (const way of ['bytes', 'text', 'put back']) {
    const { client, peer } = await connectedPair(t)
    const stream = client.toDuplex()
    const ended = closed(stream)
    if (way === 'text') stream.setEncoding('utf8')
    const heard = events(stream)
    await peer.send('über')
    await until(() => stream.readableLength > 0)
    if (way === 'put back') stream.unshift(stream.read(2) as Buffer)
    t.throws(() => client.release(), { code: 'ERR_SOCKET_BAD_STATE' })
    const { port1, port2 } = new MessageChannel()
    port1.postMessage(client.detach())
    const [handle] = (await once(port2, 'message')) as [SocketHandle<'tcp'>]
    port1.close()
    await peer.send(' alles')
    const socket = closing(t, await attach(handle))
    t.is(String(await socket.recvExact(11)), 'über alles')
    t.true(stream.destroyed)
    await ended
    t.deepEqual(heard, ['close false'])
  }
})

test('a character that has come in part moves with the socket, too', async t => {
  const { client, peer } = await connectedPair(t)
  const stream = client.toDuplex().setEncoding('utf8')
  const bytes = Buffer.from('a😀')
  await peer.send(bytes.subarray(0, 3))
  await until(() => stream.readableLength > 0)
  const socket = closing(t, await attach(client.detach()))
  await peer.send(bytes.subarray(3))
  t.is(String(await socket.recvExact(5)), 'a😀')
})

test('a server gives each connection as a stream', async t => {
  const server = await listener(t)
  const streams = (async () => {
    for await (const socket of server.connections()) socket.toDuplex().on('data', function echo(this: SocketDuplex, data: Buffer) { this.end(data) })
  })()
  const answers = await Promise.all(['one', 'two', 'three'].map(async word => {
    const stream = (await tcp().connect(addressOf(server))).toDuplex()
    stream.write(word)
    return await text(stream)
  }))
  t.deepEqual(answers, ['one', 'two', 'three'])
  server.close()
  await streams
})

test('its events come in the asynchronous context it was made in', async t => {
  const storage = new AsyncLocalStorage<string>()
  const pairs = await Promise.all(['one', 'two', 'three'].map(async name => ({ name, ...await connectedPair(t) })))
  const heard: unknown[] = []
  for (const { name, client } of pairs) {
    storage.run(name, () => client.toDuplex().on('data', data => heard.push([String(data), storage.getStore()])))
  }
  await storage.run('sender', async () => await Promise.all(pairs.map(({ name, peer }) => peer.send(name))))
  await until(() => heard.length === 3)
  t.deepEqual(heard.toSorted(), [['one', 'one'], ['three', 'three'], ['two', 'two']])
})

test('all of it comes out of an iterator, and what is composed of it', async t => {
  const { stream, peer } = await connected(t)
  await peer.send(['one ', 'two ', 'three'].map(word => Buffer.from(word)))
  peer.shutdown('write')
  t.is(String(await buffer(stream)), 'one two three')
})
