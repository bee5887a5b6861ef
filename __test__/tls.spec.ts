// socket2/tls: both ends over our sockets, and each of them against node:tls.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as nodeConnect, createServer, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { serve, SocketError, tcp, type TcpSocket } from 'socket2'
import { connectTls, secure, TlsSocket, type TlsOptions } from 'socket2/tls'
import { ca, identity } from './_certificates.js'
import { numbers } from './_random.js'
import { until } from './_serve.js'
import { localhost, securePair, trusting } from './_tls.js'
import { addressOf, closing, connectedPair, lacks, listener, unless } from './_util.js'

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port

/** A server of node:tls, which the end of the test closes. */
async function nodeServer(t: ExecutionContext, options: object, serve: (socket: TLSSocket) => void): Promise<number> {
  const server = createServer({ ...identity('server'), ...options }, serve)
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return portOf(server)
}

// What both ends say

test('both ends know each other, and what is sent arrives whichever way it is received', async t => {
  const { client, peer } = await securePair(t)
  t.true(client instanceof TlsSocket)
  t.like(client, { authorized: true, authorizationError: null, servername: 'localhost', tlsVersion: 'TLSv1.3', alpnProtocol: null, type: 'tcp', family: 'inet', closed: false })
  t.like(peer, { authorized: false, servername: 'localhost', peerCertificate: null })
  t.like(client.peerCertificate?.subject, { CN: 'localhost' })
  t.is(`${client.remoteAddress}`, `${peer.localAddress}`)
  t.is(await client.send('text, '), 6)
  t.is(await client.send([Buffer.from('a list '), Buffer.from('of two, ')]), 15)
  t.is(await client.send(Buffer.alloc(0)), 0)
  t.is(String(await peer.recvExact(21)), 'text, a list of two, ')
  await client.send('line one\r\nline two\nrest')
  const reader = peer.reader()
  t.deepEqual([await reader.line(), await reader.line()], ['line one', 'line two'])
  t.is(String(await reader.exact(4)), 'rest')
  const into = Buffer.alloc(4)
  await peer.send('in pieces')
  const pieces: string[] = []
  peer.close()
  for (let length; (length = await client.recv(into)) > 0; ) pieces.push(into.toString('utf8', 0, length))
  t.deepEqual([pieces.join(''), await client.recv(into)], ['in pieces', 0])
})

test('a megabyte each way at once, with everything else at its defaults, arrives whole and in order', async t => {
  const { client, peer } = await securePair(t)
  const data = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
  const [there, back] = await Promise.all([
    peer.recvExact(data.length), client.recvExact(data.length),
    client.send(data), peer.send(data)
  ])
  t.true(there.equals(data) && back.equals(data))
  t.deepEqual([client.bytesWritten, client.bytesRead], [data.length, data.length])
})

test('the end of one direction leaves the other open', async t => {
  const { client, peer } = await securePair(t)
  client.shutdown('write')
  client.shutdown('write')
  t.is((await peer.recv()).length, 0)
  await t.throwsAsync(client.send('more'), { code: 'EPIPE' })
  await peer.send('still there')
  t.is(String(await client.recv()), 'still there')
  client.shutdown('read')
  t.is((await client.recv()).length, 0)
})

test('operations keep their order, and one that is given up has taken nothing', async t => {
  const { client, peer } = await securePair(t)
  await t.throwsAsync(client.recv(10, { timeout: 20 }), { code: 'ETIMEDOUT' })
  const abort = new AbortController()
  const aborted = client.recv(10, { signal: abort.signal })
  const first = client.recvExact(3)
  const second = client.recvExact(3)
  const reason = new Error('enough')
  abort.abort(reason)
  t.is(await t.throwsAsync(aborted), reason)
  await Promise.all([peer.send('one'), peer.send('two')])
  t.deepEqual([String(await first), String(await second)], ['one', 'two'])
  await peer.send('more')
  await t.throwsAsync(client.recvExact(9, { timeout: 20 }), { code: 'ETIMEDOUT' })
  t.is(String(await client.recv()), 'more')
  t.is(client.tryRecv(Buffer.alloc(5)), null)
  t.is(client.trySend('nothing of this'), 0)
})

test('closing rejects what waits in the same tick, and the peer hears of the end', async t => {
  const { client, peer, below } = await securePair(t)
  const waiting = client.recv()
  client.close()
  client.close()
  t.true(client.closed)
  await t.throwsAsync(waiting, { code: 'ERR_SOCKET_CLOSED' })
  await t.throwsAsync(client.send('x'), { code: 'ERR_SOCKET_CLOSED' })
  t.is((await peer.recv()).length, 0)
  await until(() => below.client.closed)
  t.true(below.client.closed)
})

test('a reset is a reset, at both ends', async t => {
  const { client, peer } = await securePair(t)
  const waiting = peer.recv()
  client.reset()
  await t.throwsAsync(waiting, { code: 'ECONNRESET' })
  await t.throwsAsync(peer.recv(), { code: 'ECONNRESET' })
  await t.throwsAsync(peer.send('x'))
})

test('what the stream below throws is the error of who sends, and ends the connection: nobody knows what of it went out', async t => {
  for (const data of [Buffer.from('bytes'), 'text']) {
    const { client } = await securePair(t)
    client.tls.write = () => {
      throw new Error('not written')
    }
    await t.throwsAsync(client.send(data), { message: 'not written' })
    t.true(client.closed)
  }
})

test('closing the plain socket below ends what waits above', async t => {
  const { client, below } = await securePair(t)
  const waiting = client.recv()
  below.client.close()
  const sent = client.send(Buffer.from('too late'))
  await t.throwsAsync(waiting, { code: 'ERR_SOCKET_CLOSED' })
  await t.throwsAsync(sent, { code: 'ERR_SOCKET_CLOSED' })
  t.true(client.closed)
  t.is(client.bytesWritten, 0)
})

test('what would leave without the keys is refused', async t => {
  const { client } = await securePair(t)
  for (const leave of [() => client.detach(), () => client.release()]) t.throws(leave, { code: 'ERR_SOCKET_BAD_STATE', message: /TLS/ })
  t.false(client.closed)
})

// With node:tls

test('a client talks to a server of node:tls, and goes on with its session the next time', async t => {
  const port = await nodeServer(t, {}, socket => void socket.pipe(socket))
  const first = closing(t, await connectTls(port, 'localhost', { ca }))
  await first.send('hello')
  t.is(String(await first.recvExact(5)), 'hello')
  t.false(first.sessionReused)
  const { session } = first
  t.true(Buffer.isBuffer(session))
  first.close()
  const second = closing(t, await connectTls(port, 'localhost', { ca, session }))
  t.true(second.sessionReused)
  await second.send('again')
  t.is(String(await second.recvExact(5)), 'again')
})

test('a server talks to a client of node:tls', async t => {
  const server = await listener(t)
  const accepting = server.accept()
  const client = nodeConnect({ port: addressOf(server).port, host: '127.0.0.1', servername: 'localhost', ca })
  t.teardown(() => client.destroy())
  const [peer] = await Promise.all([
    accepting.then(async socket => closing(t, await secure(closing(t, socket), { ...identity('server'), isServer: true }))),
    once(client, 'secureConnect')
  ])
  client.write('hello')
  t.is(String(await peer.recv()), 'hello')
  await peer.send('and back')
  const [data] = await once(client, 'data') as [Buffer]
  t.is(String(data), 'and back')
  client.end()
  t.is((await peer.recv()).length, 0)
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a server goes on with the session of a client that comes back (${version})`, async t => {
    const server = await serve({ host: '127.0.0.1', tls: { ...localhost, maxVersion: version } }, async socket => {
      for await (const data of socket) await socket.send(data)
    })
    t.teardown(() => server.close({ grace: 0 }))
    const connect = async (session?: Buffer): Promise<TlsSocket> => {
      const client = closing(t, await connectTls(server.address.port, '127.0.0.1', { ...trusting, session }))
      await client.send('hello')
      t.is(String(await client.recvExact(5)), 'hello')
      return client
    }
    const first = await connect()
    t.is(first.tlsVersion, version)
    t.true((await connect(first.session)).sessionReused)
  })
}

// Names, protocols, certificates

test('a server chooses its certificate by the name that is asked for, and both ends a protocol', async t => {
  const { createSecureContext } = await import('node:tls')
  const server = await serve({
    host: '127.0.0.1',
    tls: {
      ...localhost, ALPNProtocols: ['h2', 'http/1.1'],
      SNICallback: (name, done) => done(null, createSecureContext(identity(name === 'other.test' ? 'other' : 'server')))
    }
  }, async socket => {
    const { servername, alpnProtocol } = socket as TlsSocket
    await socket.send(JSON.stringify([servername, alpnProtocol]))
  })
  t.teardown(() => server.close({ grace: 0 }))
  for (const [name, protocols, chosen] of [['other.test', ['http/1.1'], 'http/1.1'], ['localhost', ['x', 'h2'], 'h2'], ['localhost', undefined, null]] as const) {
    const options = protocols === undefined ? {} : { ALPNProtocols: [...protocols] }
    const client = closing(t, await connectTls(server.address.port, '127.0.0.1', { ca, servername: name, ...options }))
    t.like(client.peerCertificate?.subject, { CN: name })
    t.is(client.alpnProtocol, chosen)
    t.deepEqual(JSON.parse(String(await client.recvAll())), [name, chosen])
  }
})

test('a certificate for the address is enough, where there is no name', async t => {
  const port = await nodeServer(t, {}, socket => socket.end('hello'))
  t.is(String(await closing(t, await connectTls(port, '127.0.0.1', { ca })).recvAll()), 'hello')
  const plain = closing(t, await tcp().connect('127.0.0.1', port))
  t.is(String(await closing(t, await secure(plain, { ca })).recvAll()), 'hello')
})

const refusedServers: [why: string, server: () => object, client: TlsOptions, code: string][] = [
  ['for another name', () => identity('other'), { ca, servername: 'localhost' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['that has expired', () => identity('expired'), { ca, servername: 'localhost' }, 'CERT_HAS_EXPIRED'],
  ['signed by itself', () => identity('self-signed'), { ca, servername: 'localhost' }, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['of an unknown authority', () => identity('server'), { servername: 'localhost' }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']
]
for (const [why, server, client, code] of refusedServers) {
  test(`a certificate ${why} is refused by its code, unless the client does not mind`, async t => {
    const port = await nodeServer(t, server(), socket => socket.on('error', () => {}).end('hello'))
    const plain = closing(t, await tcp().connect('127.0.0.1', port))
    await t.throwsAsync(secure(plain, client), { instanceOf: SocketError, code })
    t.true(plain.closed)
    const careless = closing(t, await connectTls(port, '127.0.0.1', { ...client, rejectUnauthorized: false }))
    t.is(String(await careless.recvAll()), 'hello')
    t.deepEqual([careless.authorized, careless.authorizationError], [false, code])
  })
}

test('a server that asks for a certificate refuses who has none, or one that is for servers, and knows the others', async t => {
  const refusals: unknown[] = []
  const asking = { ...identity('server'), isServer: true, requestCert: true, ca }
  const attempt = async (client: TlsOptions, server: TlsOptions = {}): Promise<TlsSocket | string> => {
    const below = await connectedPair(t)
    const [one, other] = await Promise.allSettled([secure(below.client, { ...trusting, ...client }), secure(below.peer, { ...asking, ...server })])
    if (one.status === 'fulfilled') closing(t, one.value)
    if (other.status === 'fulfilled') return closing(t, other.value)
    refusals.push(other.reason)
    t.true(below.peer.closed)
    return (other.reason as SocketError).code
  }
  const known = await attempt(identity('client'))
  t.like(known, { authorized: true, authorizationError: null })
  t.truthy((known as TlsSocket).peerCertificate)
  t.is(await attempt({}), 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
  t.is(await attempt(identity('self-signed')), 'INVALID_PURPOSE')
  t.like(await attempt({}, { rejectUnauthorized: false }), { authorized: false, authorizationError: 'UNABLE_TO_GET_ISSUER_CERT' })
  t.true(refusals.every(error => error instanceof SocketError))
})

// What goes wrong

test('a peer that talks no TLS, or ends before it has said enough, is an error, and nothing stays open', async t => {
  for (const [talk, code] of [
    [(socket: TcpSocket) => void socket.send('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n'), 'ERR_SSL_WRONG_VERSION_NUMBER'],
    [(socket: TcpSocket) => void socket.close(), 'ECONNRESET'],
    [(socket: TcpSocket) => void socket.reset(), 'ECONNRESET']
  ] as const) {
    const { client, peer } = await connectedPair(t)
    const securing = secure(client, trusting)
    await peer.recv()
    talk(peer)
    await t.throwsAsync(securing, { code })
    t.true(client.closed)
  }
  const { client, peer } = await connectedPair(t)
  const securing = secure(peer, { ...identity('server'), isServer: true })
  await client.send('GET / HTTP/1.1\r\n\r\n')
  await t.throwsAsync(securing, { code: 'ERR_SSL_HTTP_REQUEST' })
  t.true(peer.closed)
})

test('who begins to talk TLS to a peer that has reset the connection already is told so', async t => {
  for (let round = 0; round < 20; round++) {
    const { client, peer } = await connectedPair(t)
    peer.reset()
    const { code } = await t.throwsAsync<SocketError>(secure(client, { servername: 'localhost' }))
    t.true(['ECONNRESET', 'ECONNABORTED', 'EPIPE'].includes(String(code)), code)
    t.true(client.closed)
  }
})

test('a handshake that takes too long, or is aborted, ends with the connection', async t => {
  for (const isServer of [false, true]) {
    const { client } = await connectedPair(t)
    const started = performance.now()
    await t.throwsAsync(secure(client, { ...identity('server'), isServer }, { timeout: 50 }), { code: 'ETIMEDOUT' })
    t.true(performance.now() - started >= 49)
    t.true(client.closed)
    const other = await connectedPair(t)
    const reason = new Error('enough')
    const abort = new AbortController()
    const securing = secure(other.client, { ...identity('server'), isServer }, { signal: abort.signal })
    setImmediate(() => abort.abort(reason))
    t.is(await t.throwsAsync(securing), reason)
    t.true(other.client.closed)
    const third = await connectedPair(t)
    t.is(await t.throwsAsync(secure(third.client, {}, { signal: AbortSignal.abort(reason) })), reason)
  }
})

test('what is wrong with the arguments is told before anything has happened', async t => {
  const { client, server } = await connectedPair(t)
  await t.throwsAsync(secure({} as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(secure(client, 5 as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(secure(client, { key: 'nonsense', cert: 'nonsense' }))
  await t.throwsAsync(secure(client, { minVersion: 'TLSv9' as never }))
  await t.throwsAsync(secure(server, {}), { code: 'ERR_SOCKET_BAD_STATE' })
  await t.throwsAsync(secure(closing(t, tcp()), {}), { code: 'ERR_SOCKET_BAD_STATE' })
  await t.throwsAsync(connectTls(1, 5 as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(connectTls(1, 'localhost', { key: 'nonsense' }))
  t.false(client.closed)
})

test('garbage in the middle ends the connection with an error of TLS, at each end', async t => {
  for (const [sender, receiver] of [['client', 'peer'], ['peer', 'client']] as const) {
    const both = await securePair(t)
    const waiting = both[receiver].recv()
    await both.below[sender].send(Buffer.alloc(100, 0x55))
    const error = await t.throwsAsync(waiting, { instanceOf: SocketError })
    t.regex((error as SocketError).code, /^ERR_SSL_/)
    t.is((await t.throwsAsync(both[receiver].recv()) as SocketError).code, (error as SocketError).code)
    await t.throwsAsync(both[receiver].send('x'))
    both[receiver].close()
    t.true(both.below[receiver].closed)
  }
})

// On top of each other

test('a connection that has already talked begins TLS, also when a reader has read ahead', async t => {
  const { client, peer } = await connectedPair(t)
  const serving = (async () => {
    const reader = peer.reader()
    t.is(await reader.line(), 'STARTTLS')
    // The client did not wait: the beginning of TLS has come along with the line.
    await until(() => reader.buffered > 0 || client.bytesWritten > 20)
    const secured = closing(t, await secure(peer, { ...identity('server'), isServer: true }))
    t.is(String(await secured.recv()), 'secret')
    await secured.send('heard')
  })()
  await client.send('STARTTLS\r\n')
  const secured = closing(t, await secure(client, trusting))
  await secured.send('secret')
  t.is(String(await secured.recv()), 'heard')
  await serving
})

test('TLS is talked over TLS', async t => {
  const outer = await securePair(t)
  const [client, peer] = await Promise.all([
    secure(outer.client, { ca, servername: 'other.test' }),
    secure(outer.peer, { ...identity('other'), isServer: true })
  ])
  closing(t, client)
  closing(t, peer)
  await client.send('hello')
  t.is(String(await peer.recv()), 'hello')
})

unless(lacks.unix)('a unix socket talks TLS, too', async t => {
  const { client, peer } = await connectedPair(t, 'unix')
  const [one, other] = await Promise.all([secure(client, trusting), secure(peer, { ...identity('server'), isServer: true })])
  closing(t, one)
  await one.send('hello')
  t.is(String(await closing(t, other).recv()), 'hello')
})

test('as a stream it is the socket of node:tls, with the addresses of the connection, and loses nothing', async t => {
  const { client, peer } = await securePair(t)
  await client.send('hello, world')
  t.is(String(await peer.recv(5)), 'hello')
  const stream = peer.toDuplex()
  t.true(stream.encrypted)
  t.deepEqual([stream.remoteAddress, stream.remotePort], ['127.0.0.1', client.localAddress?.port])
  const [rest] = await once(stream, 'data') as [Buffer]
  t.is(String(rest), ', world')
  stream.end('bye')
  t.is(String(await client.recvAll()), 'bye')
})

test('a stream that is made behind the end of what the peer sends still has what came before the end', async t => {
  const { client, peer } = await securePair(t)
  await client.send('hello, world')
  client.shutdown('write')
  await once(client.tls, 'finish')
  t.is(String(await peer.recv(5)), 'hello')
  const stream = peer.toDuplex()
  t.is(await text(stream), ', world')
})

test('two connections that talk at once, in pieces of any length and taken in any others, keep theirs apart and whole, also as streams', async t => {
  const sizes = [1, 3, 700, 16_384, 16_385, 50_000]
  const whole = Buffer.from(Array.from({ length: 400_000 }, (_, i) => i * 31 + (i >> 8)))
  const outcomes = Array.from({ length: 2 }, async (_, place) => {
    const { client, peer } = await securePair(t)
    const [next, other] = [numbers(place), numbers(place + 10)]
    const size = (random: () => number): number => sizes[Math.floor(random() * sizes.length)] as number
    const sending = (async () => {
      for (let at = 0, length; at < whole.length; at += length) await client.send(whole.subarray(at, at + (length = size(next))))
      client.shutdown('write')
    })()
    const parts: Buffer[] = []
    for (let length = 0; length < whole.length / 2; length += (parts.at(-1) as Buffer).length) {
      if (other() < 0.3) await new Promise(setImmediate) // so that some comes that nobody waits for
      if (other() < 0.5) {
        parts.push(await peer.recv(size(other)))
      } else {
        const into = Buffer.alloc(size(other))
        parts.push(into.subarray(0, await peer.recv(into)))
      }
    }
    for await (const part of peer.toDuplex()) parts.push(part as Buffer)
    await sending
    return Buffer.concat(parts).equals(whole)
  })
  t.deepEqual(await Promise.all(outcomes), [true, true])
})

// serve

test('a server hands over who has shaken hands, and is not held up by the others', async t => {
  const errors: unknown[] = []
  const server = await serve({ host: '127.0.0.1', tls: { ...localhost, handshakeTimeout: 2_000 }, onError: error => errors.push(error) }, async socket => {
    for await (const data of socket) await socket.send(data)
  })
  t.teardown(() => server.close({ grace: 0 }))
  const silent = closing(t, await tcp().connect('127.0.0.1', server.address.port))
  const babbling = closing(t, await tcp().connect('127.0.0.1', server.address.port))
  await babbling.send('GET / HTTP/1.1\r\n\r\n')
  const client = closing(t, await connectTls(server.address.port, 'localhost', { ca, family: 'inet' }))
  await client.send('hello')
  t.is(String(await client.recv()), 'hello')
  await babbling.recvAll().catch(() => {})
  t.is((await silent.recv()).length, 0)
  client.close()
  await until(() => server.connections === 0)
  t.deepEqual(errors, [])
})

test('threads talk TLS', async t => {
  const handler = new URL('_child/echo-handler.js', import.meta.url)
  const server = await serve({ host: '127.0.0.1', threads: 2, handler, tls: localhost })
  t.teardown(() => server.close({ grace: 0 }))
  const clients = await Promise.all(Array.from({ length: 6 }, () => connectTls(server.address.port, '127.0.0.1', trusting)))
  for (const [place, client] of clients.entries()) {
    closing(t, client)
    await client.send(`client ${place}`)
    t.is(String(await client.recv()), `client ${place}`)
  }
})

test('a server is told what is wrong with its options before it listens', async t => {
  const handler = (): void => {}
  await t.throwsAsync(serve({ tls: 5 as never }, handler), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(serve({ tls: localhost }), { code: 'ERR_INVALID_ARG_TYPE', message: /handler/ })
  await t.throwsAsync(serve({ tls: { key: 'nonsense', cert: 'nonsense' } }, handler))
  await t.throwsAsync(serve({ tls: { ...localhost, handshakeTimeout: -1 } }, handler), { code: 'ERR_OUT_OF_RANGE' })
  const threads = { threads: 1, handler: 'data:text/javascript,export default () => {}' }
  await t.throwsAsync(serve({ ...threads, tls: { ...localhost, SNICallback: () => {} } }), { code: 'ERR_INVALID_ARG_VALUE', message: /SNICallback/ })
  await t.throwsAsync(serve({ ...threads, tls: { key: 'nonsense', cert: 'nonsense' } }))
})
