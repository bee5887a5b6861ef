// A socket as web streams: what they read and write, how they end, and that nothing is taken that nobody asked for.
import { createHash, randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { attach, loop, SocketError, tcp } from 'socket2'
import { until } from './_serve.js'
import { addressOf, closing, connectedPair, lacks, listener, losesEchoes, MUCH, streams, unless } from './_util.js'

const MiB = 1 << 20
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data)

test('chunks are read as they come, to the end', async t => {
  const { client, peer } = await connectedPair(t)
  const reader = peer.readable.getReader()
  for (const word of ['one', 'two']) {
    const reading = reader.read()
    await client.send(word)
    const { value } = await reading
    t.is(Object.getPrototypeOf(value), Uint8Array.prototype)
    t.is(text(value), word)
  }
  client.shutdown('write')
  t.deepEqual(await reader.read(), { done: true, value: undefined })
  await reader.closed
  t.false(peer.closed)
})

test('chunks have memory of their own, however small', async t => {
  const { client, peer } = await connectedPair(t)
  const other = Buffer.from('in the pool of small buffers')
  const reader = peer.readable.getReader()
  const chunks: Uint8Array[] = []
  for (const length of [1, 3000, 5000, 65536]) {
    await client.send(Buffer.alloc(length, 'x'))
    for (let got = 0; got < length;) {
      const { value } = await reader.read()
      chunks.push(value as Uint8Array)
      got += value?.length ?? 0
    }
  }
  for (const chunk of chunks) t.is(chunk.buffer.byteLength, chunk.length)
  t.is(String(other), 'in the pool of small buffers')
})

test('a reader that brings its own memory gets the data there', async t => {
  const { client, peer } = await connectedPair(t)
  const reader = peer.readable.getReader({ mode: 'byob' })
  await client.send('hello world')
  let view = new Uint8Array(5)
  let got = ''
  while (got.length < 11) {
    const { value } = await reader.read(view)
    t.is(value?.buffer.byteLength, 5)
    got += text(value as Uint8Array)
    view = new Uint8Array(value?.buffer as ArrayBuffer)
  }
  t.is(got, 'hello world')
  const last = reader.read(view)
  client.shutdown('write')
  const { done, value } = await last
  t.true(done)
  t.is(value?.length, 0)
})

test('nothing is read that nobody asked for, and both kinds of readers and recv take turns', async t => {
  const { client, peer } = await connectedPair(t)
  const { readable } = peer
  t.is(peer.readable, readable)
  t.false(readable.locked)
  await client.send('abcdef')
  await turn()
  t.is(peer.bytesRead, 0)
  const own = readable.getReader({ mode: 'byob' })
  t.true(readable.locked)
  t.throws(() => peer.readable.getReader(), { instanceOf: TypeError })
  t.is(text((await own.read(new Uint8Array(2))).value as Uint8Array), 'ab')
  t.is(peer.bytesRead, 2)
  own.releaseLock()
  t.is(String(await peer.recvExact(2)), 'cd')
  const usual = readable.getReader()
  t.is(text((await usual.read()).value), 'ef')
  const waiting = usual.read()
  await turn()
  const after = peer.recv()
  await client.send('1')
  t.is(text((await waiting).value), '1')
  await client.send('2')
  t.is(String(await after), '2')
})

test('writes arrive in order, as text and as bytes, and resolve when the system has them', async t => {
  const { client, peer } = await connectedPair(t)
  const writer = client.writable.getWriter()
  t.is(client.writable, client.writable)
  await writer.write('grüße ')
  await Promise.all([writer.write(bytes('one ')), writer.write(''), client.send('two '), writer.write(Buffer.from('three'))])
  t.is(client.bytesWritten, Buffer.byteLength('grüße one two three'))
  await writer.close()
  t.is(String(await peer.recvAll()).length, 'grüße one two three'.length)
  t.false(client.closed)
  await peer.send('still open this way')
  t.is(String(await client.recv()), 'still open this way')
})

test('a writer is told when enough waits, and goes on when the peer reads', async t => {
  const { client, peer } = await connectedPair(t)
  const writer = client.writable.getWriter()
  t.is(writer.desiredSize, 65536)
  const writing = writer.write(new Uint8Array(MUCH))
  t.is(writer.desiredSize, 65536 - MUCH)
  let ready = false
  void writer.ready.then(() => (ready = true))
  await turn()
  t.false(ready)
  await peer.recvExact(MUCH)
  await writing
  await writer.ready
  t.is(writer.desiredSize, 65536)
})

unless(losesEchoes)(`${MUCH / MiB} MiB through pipes, there and back, whole`, async t => {
  const { client, peer } = await connectedPair(t)
  const echoing = peer.readable.pipeTo(peer.writable)
  const chunk = randomBytes(100_000)
  const [sent, received] = [createHash('sha256'), createHash('sha256')]
  let left = MUCH
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      const part = new Uint8Array(chunk.subarray(0, Math.min(left, chunk.length)))
      left -= part.length
      sent.update(part)
      if (part.length > 0) controller.enqueue(part)
      else controller.close()
    }
  })
  const sending = source.pipeTo(client.writable)
  for await (const part of client.readable) received.update(part)
  await Promise.all([sending, echoing])
  t.is(received.digest('hex'), sent.digest('hex'))
})

test('they go through what else there is for web streams', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('{"grüße":')
  const answer = new Response(peer.readable).json()
  await client.send(' "😀"}')
  client.shutdown('write')
  t.deepEqual(await answer, { grüße: '😀' })

  const lines = client.readable.pipeThrough(new TextDecoderStream()).getReader()
  const writer = peer.writable.getWriter()
  await writer.write(bytes('ä').subarray(0, 1))
  const reading = lines.read()
  await writer.write(bytes('ä').subarray(1))
  t.is((await reading).value, 'ä')
})

// Ends

test('cancelling ends the reading, also what waits, and closes nothing', async t => {
  const { client, peer } = await connectedPair(t)
  const reader = peer.readable.getReader()
  const reading = reader.read()
  await reader.cancel('enough')
  t.deepEqual(await reading, { done: true, value: undefined })
  t.is(loop.stats().find(({ socket }) => socket === peer)?.waitingFor.length, 0)
  t.false(peer.closed)
  await peer.send('still open this way')
  t.is(String(await client.recv()), 'still open this way')
})

test('leaving the iteration of the readable cancels it', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('one')
  for await (const chunk of peer.readable) {
    t.is(text(chunk), 'one')
    break
  }
  t.false(peer.closed)
  t.deepEqual(await peer.readable.getReader().read(), { done: true, value: undefined })
})

test('aborting the writable resets the connection, even while a write waits', async t => {
  for (const waits of [false, true]) {
    const { client, peer } = await connectedPair(t)
    const writer = client.writable.getWriter()
    const writing = waits ? writer.write(new Uint8Array(MUCH)) : writer.write('whole')
    if (!waits) await writing
    const reason = new Error('not so')
    const outcomes = Promise.allSettled([writing, writer.closed])
    await writer.abort(reason)
    t.like((await outcomes)[1], { status: 'rejected', reason })
    t.true(client.closed)
    const error = await t.throwsAsync(peer.recvAll(), { instanceOf: SocketError })
    t.true(['ECONNRESET', 'ECONNABORTED'].includes((error as SocketError).code), String(error))
  }
})

test('a pipe that fails at its source resets the connection, and one that fails at its end ends the reading', async t => {
  const { client, peer } = await connectedPair(t)
  const broken = new ReadableStream({ start: controller => controller.error(new Error('broken')) })
  await t.throwsAsync(broken.pipeTo(client.writable), { message: 'broken' })
  t.true(client.closed)
  await t.throwsAsync(peer.recv(), { instanceOf: SocketError })

  const other = await connectedPair(t)
  await other.client.send('x')
  const full = new WritableStream({ write: () => { throw new Error('full') } })
  await t.throwsAsync(other.peer.readable.pipeTo(full), { message: 'full' })
  t.is((await other.peer.recv()).length, 0)
})

test('a reset by the peer is the error of both streams', async t => {
  const { client, peer } = await connectedPair(t)
  const reading = peer.readable.getReader().read()
  const writer = peer.writable.getWriter()
  const writing = writer.write(new Uint8Array(MUCH))
  writing.catch(() => {})
  client.reset()
  await t.throwsAsync(reading, { code: 'ECONNRESET' })
  const error = await t.throwsAsync(writing) as SocketError
  t.true(['ECONNRESET', 'EPIPE', 'ECONNABORTED'].includes(error.code), error.code)
  await t.throwsAsync(writer.write('more'), { is: error })
})

test('closing the socket is the error of both streams, whether or not something waits', async t => {
  for (const waits of [false, true]) {
    const { client } = await connectedPair(t)
    const [reader, writer] = [client.readable.getReader(), client.writable.getWriter()]
    const reading = waits ? reader.read() : reader.closed
    const writing = waits ? writer.write(new Uint8Array(MUCH)) : writer.closed
    const outcomes = Promise.allSettled([reading, writing])
    client.close()
    for (const outcome of await outcomes) t.like(outcome, { status: 'rejected', reason: { code: 'ERR_SOCKET_CLOSED' } })
  }
})

test('streams that have ended are not failed by what happens to the socket later', async t => {
  const { client, peer } = await connectedPair(t)
  const [reader, writer] = [client.readable.getReader(), client.writable.getWriter()]
  await writer.close()
  peer.close()
  t.true((await reader.read()).done)
  client.close()
  await Promise.all([reader.closed, writer.closed])
  t.pass()
})

test('a timeout of the socket ends the stream, and loses nothing', async t => {
  const { client, peer } = await connectedPair(t)
  peer.timeout = 5
  const reader = peer.readable.getReader()
  await t.throwsAsync(reader.read(), { code: 'ETIMEDOUT' })
  await client.send('late')
  peer.timeout = Infinity
  t.is(String(await peer.recv()), 'late')
})

test('what is neither text nor bytes fails the writable with a TypeError, and not the socket', async t => {
  for (const wrong of [1, null, undefined, {}, [bytes('x')], new DataView(new ArrayBuffer(1))]) {
    const { client } = await connectedPair(t)
    const writer = client.writable.getWriter()
    await t.throwsAsync(writer.write(wrong as never), { instanceOf: TypeError })
    t.is(await client.send('fine'), 4)
  }
})

test('bytes in shared memory are written, and read into the reader\'s own', async t => {
  const [one, other] = await streams(t)
  const shared = new Uint8Array(new SharedArrayBuffer(6))
  shared.set(bytes('shared'))
  await one.writable.getWriter().write(shared)
  t.is(text((await other.readable.getReader().read()).value), 'shared')
})

test('both branches of a tee get all of it, and end the reading together', async t => {
  const { client, peer } = await connectedPair(t)
  const [one, other] = peer.readable.tee()
  await client.send('twice')
  const [first, second] = [one.getReader(), other.getReader()]
  t.deepEqual([text((await first.read()).value), text((await second.read()).value)], ['twice', 'twice'])
  const cancelled = first.cancel('enough')
  await client.send('more')
  t.is(text((await second.read()).value), 'more')
  await Promise.all([cancelled, second.cancel('enough, too')])
  t.is((await peer.recv()).length, 0)
  t.false(peer.closed)
})

for (const mode of [undefined, 'byob'] as const) {
  test(`what comes for a reader that has left is for the next one: ${mode ?? 'usual'}`, async t => {
    const { client, peer } = await connectedPair(t)
    const { readable } = peer
    const leaving = mode === 'byob' ? readable.getReader({ mode }) : readable.getReader()
    const reading = mode === 'byob' ? (leaving as ReadableStreamBYOBReader).read(new Uint8Array(8)) : (leaving as ReadableStreamDefaultReader).read()
    const failing = t.throwsAsync(reading, { instanceOf: TypeError })
    await turn()
    leaving.releaseLock()
    await failing
    await client.send('for whom')
    // A usual reader that asks before it is there would, by the standard, hear of it only with what comes next.
    await until(() => peer.bytesRead === 8)
    client.shutdown('write')
    let got = ''
    for await (const chunk of readable) got += text(chunk)
    t.is(got, 'for whom')
  })
}

test('a pipe that is to leave its ends open leaves them', async t => {
  const { client, peer } = await connectedPair(t)
  await new Response('one ').body?.pipeTo(client.writable as WritableStream<Uint8Array>, { preventClose: true })
  const broken = new ReadableStream({ start: controller => controller.error(new Error('broken')) })
  await t.throwsAsync(broken.pipeTo(client.writable, { preventAbort: true }), { message: 'broken' })
  await client.send('two')
  const reader = peer.reader()
  t.is(String(await reader.exact(7)), 'one two')
  const full = new WritableStream({ write: () => { throw new Error('full') } })
  await client.send('three')
  await t.throwsAsync(peer.readable.pipeTo(full, { preventCancel: true }), { message: 'full' })
  await client.send('four')
  t.is(text((await peer.readable.getReader().read()).value), 'four')
})

test('memory that cannot be read into is refused, and takes nothing', async t => {
  const { client, peer } = await connectedPair(t)
  const reader = peer.readable.getReader({ mode: 'byob' })
  const gone = new Uint8Array(8)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  for (const wrong of [gone, new Uint8Array(0)]) await t.throwsAsync(reader.read(wrong), { instanceOf: TypeError })
  await client.send('kept')
  t.is(text((await reader.read(new Uint8Array(8))).value), 'kept')
})

// Before it is connected

test('a readable that is cancelled before ends the reading once it is connected', async t => {
  const server = await listener(t)
  const socket = closing(t, tcp())
  await socket.readable.cancel('nobody wants it')
  await socket.connect(addressOf(server))
  closing(t, await server.accept())
  t.is((await socket.recv()).length, 0)

  const other = closing(t, tcp())
  await other.readable.cancel()
  await t.throwsAsync(other.connect('127.0.0.1', 1), { code: 'ECONNREFUSED' })
})

test('the streams of a socket that is not connected wait for that', async t => {
  const server = await listener(t)
  const socket = closing(t, tcp())
  const [reader, writer] = [socket.readable.getReader(), socket.writable.getWriter()]
  const [reading, writing] = [reader.read(), writer.write('early')]
  await turn()
  await socket.connect(addressOf(server))
  const peer = closing(t, await server.accept())
  await writing
  t.is(String(await peer.recvExact(5)), 'early')
  await peer.send('answer')
  t.is(text((await reading).value), 'answer')
})

test('a connect that fails, and a close before it, fail the streams with the reason', async t => {
  const socket = closing(t, tcp())
  const [reading, writing] = [socket.readable.getReader().read(), socket.writable.getWriter().write('never')]
  const outcomes = Promise.allSettled([reading, writing])
  await t.throwsAsync(socket.connect('127.0.0.1', 1), { code: 'ECONNREFUSED' })
  for (const outcome of await outcomes) t.like(outcome, { status: 'rejected', reason: { code: 'ECONNREFUSED' } })

  const other = tcp()
  const waiting = t.throwsAsync(other.readable.getReader().read(), { code: 'ERR_SOCKET_CLOSED' })
  other.close()
  await waiting
})

test('a listener and a closed socket have no streams, but those that were made stay', async t => {
  const { server, client } = await connectedPair(t)
  t.throws(() => server.readable, { code: 'ERR_SOCKET_BAD_STATE' })
  t.throws(() => server.writable, { code: 'ERR_SOCKET_BAD_STATE' })
  const { readable } = client
  client.close()
  t.is(client.readable, readable)
  server.close()
  t.throws(() => server.readable, { code: 'ERR_SOCKET_CLOSED' })
})

test('what was not read moves with the socket', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('abcd')
  const reader = peer.readable.getReader({ mode: 'byob' })
  t.is(text((await reader.read(new Uint8Array(2))).value as Uint8Array), 'ab')
  const waiting = t.throwsAsync(peer.readable.cancel(), { instanceOf: TypeError })
  const socket = closing(t, await attach(peer.detach()))
  t.is(String(await socket.recvExact(2)), 'cd')
  await waiting
  await until(() => peer.closed)
})

if (!lacks.pairs) {
  test('a unix pair has them, too', async t => {
    const [one, other] = await streams(t)
    const copying = one.readable.pipeTo(one.writable)
    const writer = other.writable.getWriter()
    await writer.write('round trip')
    await writer.close()
    t.is(await new Response(other.readable).text(), 'round trip')
    await copying
  })
}
