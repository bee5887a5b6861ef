// What expects a net.Socket takes a stream over a socket in its place: node:http and node:tls, and the manners of other libraries.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { tcp, type Address, type SocketDuplex, type TcpSocket } from 'socket2'
import { ca, identity } from './_certificates.js'
import { likeNode } from './_duplex.js'
import { until } from './_serve.js'
import { addressOf, closing, connectedPair, listener, MUCH } from './_util.js'

/** Gives each connection of a listener to a server of node's. */
async function feeding(t: ExecutionContext, server: { emit(event: 'connection', stream: SocketDuplex): unknown }): Promise<{ address: Address; streams: SocketDuplex[] }> {
  const from = await listener(t)
  const streams: SocketDuplex[] = []
  void (async () => {
    for await (const socket of from.connections()) {
      const stream = closing(t, socket).toDuplex()
      streams.push(stream)
      server.emit('connection', stream)
    }
  })()
  return { address: addressOf(from), streams }
}

/** An agent whose connections are ours. */
class Agent extends http.Agent {
  readonly streams: SocketDuplex[] = []

  override createConnection(options: http.ClientRequestArgs, callback?: (error: Error | null, stream: SocketDuplex) => void): SocketDuplex {
    const stream = tcp().toDuplex().connect(Number(options.port), options.host ?? undefined)
    this.streams.push(stream)
    callback?.(null, stream)
    return stream
  }
}

async function request(options: http.RequestOptions, body?: string): Promise<{ status: number | undefined; body: string }> {
  const sent = http.request(options)
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [http.IncomingMessage]
  return { status: answer.statusCode, body: await text(answer) }
}

test('http: requests on one connection that is kept, bodies both ways, and an end that closes it', async t => {
  const server = http.createServer((asked, answer) => {
    void text(asked).then(body => answer.end(`${asked.method} ${asked.url} ${body} from ${asked.socket.remoteAddress}`))
  })
  const { address, streams } = await feeding(t, server)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const where = { agent, host: '127.0.0.1', port: address.port }
  for (let i = 0; i < 3; i++) {
    t.deepEqual(await request({ ...where, method: 'POST', path: `/${i}` }, `body ${i}`), { status: 200, body: `POST /${i} body ${i} from 127.0.0.1` })
  }
  t.deepEqual([agent.streams.length, streams.length], [1, 1])
  t.like(await request({ ...where, headers: { connection: 'close' } }), { status: 200 })
  await until(() => streams.every(stream => stream.closed) && agent.streams.every(stream => stream.closed))
  agent.destroy()
})

test('http: a long body flows to a slow reader, chunked or with a length', async t => {
  const chunk = randomBytes(1 << 20)
  const server = http.createServer((asked, answer) => {
    if (asked.url === '/length') answer.setHeader('content-length', MUCH)
    void (async () => {
      for (let sent = 0; sent < MUCH; sent += chunk.length) if (!answer.write(chunk)) await once(answer, 'drain')
      answer.end()
    })()
  })
  const { address, streams } = await feeding(t, server)
  for (const path of ['/length', '/chunked']) {
    const agent = new Agent()
    const [answer] = (await once(http.get({ agent, host: '127.0.0.1', port: address.port, path }), 'response')) as [http.IncomingMessage]
    const hash = createHash('sha256')
    let length = 0
    for await (const part of answer) {
      hash.update(part as Buffer)
      length += (part as Buffer).length
    }
    t.is(length, MUCH)
    const sent = createHash('sha256')
    for (let i = 0; i < MUCH; i += chunk.length) sent.update(chunk)
    t.is(hash.digest('hex'), sent.digest('hex'))
    agent.destroy()
  }
  await until(() => streams.every(stream => stream.closed))
})

test('http: a client that goes away aborts its request, and a request that is aborted its connection', async t => {
  const aborted: string[] = []
  const server = http.createServer((asked, answer) => {
    asked.on('error', (error: NodeJS.ErrnoException) => aborted.push(`request ${error.code}`))
    answer.on('close', () => aborted.push(`answer ${answer.writableFinished}`))
    answer.write('begun')
  })
  const { address } = await feeding(t, server)
  const client = await closing(t, tcp()).connect(address)
  await client.send('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
  await client.recv()
  client.close()
  await until(() => aborted.length === 2)
  t.deepEqual(aborted.toSorted(), ['answer false', 'request ECONNRESET'])

  const agent = new Agent()
  const asking = http.get({ agent, host: '127.0.0.1', port: address.port })
  const [answer] = (await once(asking, 'response')) as [http.IncomingMessage]
  answer.on('error', () => {})
  asking.destroy()
  await until(() => agent.streams.every(stream => stream.closed) && aborted.length > 2)
})

test('http: idle and slow clients are timed out', async t => {
  const server = http.createServer((_asked, answer) => answer.end('x'))
  server.keepAliveTimeout = 20
  server.timeout = 1_000
  const timeouts: unknown[] = []
  server.on('timeout', stream => {
    timeouts.push(stream)
    stream.destroy()
  })
  const { address, streams } = await feeding(t, server)
  const kept = await closing(t, tcp()).connect(address)
  await kept.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  t.regex(String(await kept.recvAll()), /^HTTP\/1.1 200 OK/)
  const silent = await closing(t, tcp()).connect(address)
  t.is((await silent.recv()).length, 0)
  t.is(timeouts.at(-1), streams[1])
})

test('http: an upgrade hands the stream over, with what came behind it', async t => {
  const server = http.createServer()
  server.on('upgrade', (_asked, stream, head) => {
    stream.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
    stream.write(head)
    stream.pipe(stream)
  })
  const { address } = await feeding(t, server)
  const asking = http.get({ agent: new Agent(), host: '127.0.0.1', port: address.port, headers: { connection: 'upgrade', upgrade: 'echo' } })
  const [, stream] = (await once(asking, 'upgrade')) as [unknown, SocketDuplex]
  stream.write('round')
  t.is(String((await once(stream, 'data'))[0]), 'round')
  stream.end(' trip')
  t.is(await text(stream), ' trip')
})

test('http2: requests on one connection', async t => {
  const server = createHttp2Server((asked, answer) => void answer.end(`answer to ${asked.url}`))
  const { address } = await feeding(t, server as never)
  const session = connectHttp2(`http://127.0.0.1:${address.port}`, { createConnection: () => tcp().toDuplex().connect(address.port, '127.0.0.1') as never })
  t.teardown(() => session.destroy())
  const answers = await Promise.all(['/one', '/two'].map(async path => await text(session.request({ ':path': path }).end())))
  t.deepEqual(answers, ['answer to /one', 'answer to /two'])
})

/** A TLS connection whose both ends are over ours. */
async function secured(t: ExecutionContext, client: tls.ConnectionOptions = {}, server: tls.TLSSocketOptions = {}): Promise<{ client: tls.TLSSocket; server: tls.TLSSocket; sockets: [TcpSocket, TcpSocket] }> {
  const pair = await connectedPair(t)
  const secureContext = tls.createSecureContext(identity('server'))
  const accepting = new tls.TLSSocket(pair.peer.toDuplex(), { isServer: true, secureContext, ...server })
  const connecting = tls.connect({ socket: pair.client.toDuplex(), ca, host: 'localhost', ...client })
  for (const stream of [accepting, connecting]) {
    stream.on('error', () => {})
    t.teardown(() => stream.destroy())
  }
  // Its end is not to close what the TLS above has not been read from yet: docs/streams.md.
  for (const socket of [pair.client, pair.peer]) socket.toDuplex().allowHalfOpen = true
  return { client: connecting, server: accepting, sockets: [pair.client, pair.peer] }
}

test('tls: both ends over streams, with a name to choose the certificate by and a protocol to agree on', async t => {
  const contexts = { localhost: tls.createSecureContext(identity('server')), 'other.test': tls.createSecureContext(identity('other')) }
  const names: string[] = []
  const { client, server } = await secured(t, { servername: 'other.test', host: 'other.test', ALPNProtocols: ['two', 'one'] }, {
    ALPNProtocols: ['one'],
    SNICallback(name, callback) {
      names.push(name)
      callback(null, contexts[name as 'localhost'])
    }
  })
  await once(client, 'secureConnect')
  t.true(client.authorized)
  t.deepEqual([names, client.alpnProtocol, client.getPeerCertificate().subject.CN], [['other.test'], 'one', 'other.test'])
  client.write('hello')
  t.is(String((await once(server, 'data'))[0]), 'hello')
  server.end('bye')
  t.is(await text(client), 'bye')
})

test(`tls: ${MUCH >> 20} MiB to a slow reader, whole, and both sockets are closed by the end`, async t => {
  const { client, server, sockets } = await secured(t)
  const chunk = randomBytes(1 << 20)
  const sent = createHash('sha256')
  const sending = (async () => {
    for (let i = 0; i < MUCH; i += chunk.length) {
      sent.update(chunk)
      if (!client.write(chunk)) await once(client, 'drain')
    }
    client.end()
  })()
  const hash = createHash('sha256')
  let length = 0
  for await (const data of server) {
    hash.update(data as Buffer)
    length += (data as Buffer).length
    await new Promise(setImmediate)
  }
  await sending
  t.is(length, MUCH)
  t.is(hash.digest('hex'), sent.digest('hex'))
  await until(() => sockets.every(socket => socket.closed))
})

test('tls: a certificate that is not to be trusted is refused, and the socket closed', async t => {
  for (const [name, code] of [['expired', 'CERT_HAS_EXPIRED'], ['self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'], ['other', 'ERR_TLS_CERT_ALTNAME_INVALID']] as const) {
    const { client, sockets } = await secured(t, {}, { secureContext: tls.createSecureContext(identity(name)) })
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
    if (likeNode) t.is(error.code, code)
    else t.is(typeof error.code, 'string')
    await until(() => sockets[0].closed)
  }
})

test('tls: a connection that is lost before or after the handshake is told', async t => {
  for (const when of ['before', 'after']) {
    const { client, sockets } = await secured(t)
    const lost = new Promise<NodeJS.ErrnoException>(resolve => client.once('error', resolve))
    if (when === 'after') await once(client, 'secureConnect')
    sockets[1].reset()
    t.is((await lost).code, 'ECONNRESET', when)
    await until(() => sockets[0].closed)
  }
})

test('tls: a stream that is not connected yet is connected first', async t => {
  const server = tls.createServer(identity('server'), stream => stream.pipe(stream))
  const { address } = await feeding(t, server as never)
  const client = tls.connect({ socket: tcp().toDuplex().connect(address.port, '127.0.0.1'), ca, host: 'localhost' })
  t.teardown(() => client.destroy())
  await once(client, 'secureConnect')
  client.end('there and back')
  t.is(await text(client), 'there and back')
})

test('tls: a connection becomes secure after some lines in the clear', async t => {
  const { client, peer } = await connectedPair(t)
  const serving = (async () => {
    t.is(await peer.reader().line(), 'STARTTLS')
    await peer.send('OK\r\n')
    const stream = new tls.TLSSocket(peer.toDuplex(), { isServer: true, ...identity('server') })
    stream.pipe(stream)
  })()
  await client.send('STARTTLS\r\n')
  t.is(String(await client.recvExact(4)), 'OK\r\n')
  const secure = tls.connect({ socket: client.toDuplex(), ca, host: 'localhost' })
  await serving
  secure.end('in secret')
  t.is(await text(secure), 'in secret')
})

test('https: a server and a client over streams', async t => {
  const server = https.createServer(identity('server'), (asked, answer) => answer.end(`${asked.url} ${(asked.socket as tls.TLSSocket).getProtocol()}`))
  const { address, streams } = await feeding(t, server as never)
  const agent = Object.assign(new https.Agent(), {
    createConnection: (options: object) => tls.connect({ ...options, socket: tcp().toDuplex().connect(address.port, '127.0.0.1') })
  })
  const sent = https.get({ ca, agent, host: 'localhost', path: '/x' })
  const [answer] = (await once(sent, 'response')) as [http.IncomingMessage]
  t.is(await text(answer), '/x TLSv1.3')
  sent.destroy()
  await until(() => streams.every(stream => stream.closed))
})

test('as pg does: it connects what it is given, connected or not, and waits for connect', async t => {
  for (const before of [false, true]) {
    const server = await listener(t)
    const socket = closing(t, tcp())
    if (before) await socket.connect(addressOf(server))
    const stream = socket.toDuplex()
    stream.setNoDelay(true)
    stream.connect(addressOf(server).port, '127.0.0.1')
    await new Promise<void>(resolve => stream.once('connect', () => {
      stream.setKeepAlive(true, 0)
      resolve()
    }))
    t.true(stream.write(Buffer.from('startup')))
    const peer = closing(t, await server.accept())
    t.is(String(await peer.recvExact(7)), 'startup')
    stream.ref()
    stream.unref()
    stream.write(Buffer.from('X'), () => stream.end())
    t.is(String(await peer.recvAll()), 'X')
  }
})

test('as undici does: data is read as it is said to be readable, and what is too much is put back', async t => {
  const { client, peer } = await connectedPair(t)
  const stream = client.toDuplex()
  let got = ''
  let paused = false
  const readMore = (): void => {
    while (!paused) {
      const data = stream.read() as Buffer | null
      if (data === null) return
      got += String(data.subarray(0, 3))
      if (data.length <= 3) continue
      paused = true
      stream.unshift(data.subarray(3))
      setImmediate(() => {
        paused = false
        readMore()
      })
    }
  }
  stream.on('readable', readMore)
  await peer.send('one two three')
  await until(() => got === 'one two three')
  await peer.send(' four')
  await until(() => got === 'one two three four')
  t.pass()
})
