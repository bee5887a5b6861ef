// socket2/http: node:http over our listener, and its clients over our connections.
import { once } from 'node:events'
import { Agent, createServer, get, request, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, get as secureGet } from 'node:https'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { tcp } from 'socket2'
import { agent, connector, serveHttp, type HttpAgentOptions, type HttpServer, type ServeHttpOptions } from 'socket2/http'
import { ca, identity } from './_certificates.js'
import { until } from './_serve.js'
import { closing, freshPath, lacks, unless } from './_util.js'

async function server(t: ExecutionContext, listener: RequestListener, options: ServeHttpOptions = {}): Promise<HttpServer> {
  const made = await serveHttp({ host: '127.0.0.1', ...options }, listener)
  t.teardown(() => made.close({ grace: 0 }))
  return made
}

const hello: RequestListener = (_, response) => void response.end('hello')

/** Asks, and reads the answer to its end. */
async function fetched(ask: (answered: (response: IncomingMessage) => void) => unknown): Promise<{ text: string; response: IncomingMessage }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = ask(resolve) as NodeJS.EventEmitter
    asked.once('error', reject)
  })
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  return { text, response }
}

/** An agent of ours, whose connections the end of the test closes. */
function ours(t: ExecutionContext, options: HttpAgentOptions = {}): Agent {
  const made = agent({ keepAlive: true, ...options })
  t.teardown(() => made.destroy())
  return made
}

/** A plain agent of node:http. */
function theirs(t: ExecutionContext): Agent {
  const made = new Agent({ keepAlive: true })
  t.teardown(() => made.destroy())
  return made
}

test('requests and answers go over one connection after the other, or many at once', async t => {
  const addresses = new Set<string>()
  const { address } = await server(t, async (asked, response) => {
    addresses.add(`${asked.socket.remoteAddress}:${asked.socket.remotePort}`)
    let body = ''
    for await (const chunk of asked) body += String(chunk)
    response.setHeader('x-method', asked.method ?? '')
    response.end(`${asked.url} ${body}`)
  })
  const kept = theirs(t)
  for (let i = 0; i < 3; i++) {
    const { text, response } = await fetched(answered => request({ port: address.port, host: '127.0.0.1', path: `/${i}`, method: 'POST', agent: kept }, answered).end('body'))
    t.deepEqual([text, response.headers['x-method']], [`/${i} body`, 'POST'])
  }
  t.is(addresses.size, 1)
  const all = await Promise.all(Array.from({ length: 20 }, (_, i) => fetch(`http://127.0.0.1:${address.port}/${i}`).then(response => response.text())))
  t.deepEqual(all, Array.from({ length: 20 }, (_, i) => `/${i} `))
})

test('large bodies go both ways, and a client that does not read holds nothing but itself up', async t => {
  const data = Buffer.alloc(5_000_000, 'large ')
  const { address } = await server(t, async (asked, response) => {
    if (asked.url === '/slow') return void response.end(data)
    let length = 0
    for await (const chunk of asked) length += (chunk as Buffer).length
    response.end(String(length))
  })
  const lazy = closing(t, await tcp().connect(address))
  await lazy.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  const answer = await fetch(`http://127.0.0.1:${address.port}/`, { method: 'POST', body: data })
  t.is(await answer.text(), '5000000')
  const whole = await fetch(`http://127.0.0.1:${address.port}/slow`)
  t.true(Buffer.from(await whole.arrayBuffer()).equals(data))
})

test('closing lets the requests in progress come to their end, and closes who waits for another', async t => {
  let answer!: ServerResponse
  const asked = new Promise<void>(resolve => {
    t.context = resolve
  })
  const made = await server(t, (request_, response) => {
    if (request_.url !== '/slow') return void response.end('quick')
    answer = response
    ;(t.context as () => void)()
  })
  const kept = theirs(t)
  const { port } = made.address
  await fetched(answered => get({ port, host: '127.0.0.1', agent: kept }, answered))
  const slow = fetched(answered => get({ port, host: '127.0.0.1', path: '/slow', agent: new Agent({ keepAlive: true }) }, answered))
  await asked
  t.is(made.connections, 2)
  const closed = made.close()
  await until(() => made.connections === 1)
  await t.throwsAsync(fetch(`http://127.0.0.1:${port}/`))
  answer.end('done')
  t.is((await slow).text, 'done')
  await closed
  t.is(made.connections, 0)
})

test('what is left after the time for it is closed', async t => {
  const made = await server(t, () => {})
  const failing = t.throwsAsync(fetched(answered => get({ port: made.address.port, host: '127.0.0.1', agent: false }, answered)), { code: 'ECONNRESET' })
  await until(() => made.connections === 1)
  await made.close({ grace: 30 })
  await failing
})

test('garbage, slow heads and handlers that throw end one connection, and the server goes on', async t => {
  const failures: unknown[] = []
  const made = await server(t, (asked, response) => {
    if (asked.url === '/throws') asked.socket.destroy(new Error('on purpose'))
    else response.end('hello')
  }, { http: { headersTimeout: 1_000, connectionsCheckingInterval: 100 }, onError: error => failures.push(error) })
  const garbage = closing(t, await tcp().connect(made.address))
  await garbage.send('\x16\x03\x01 nothing of HTTP\r\n\r\n')
  t.regex(String(await garbage.recvAll()), /^HTTP\/1\.1 400 /)
  const slow = closing(t, await tcp().connect(made.address))
  await slow.send('GET / HTTP/1.1\r\nHost: x\r\nX-Never')
  t.regex(String(await slow.recvAll()), /^HTTP\/1\.1 408 /)
  await t.throwsAsync(fetched(answered => get({ port: made.address.port, host: '127.0.0.1', path: '/throws', agent: false }, answered)))
  t.is(await (await fetch(`http://127.0.0.1:${made.address.port}/`)).text(), 'hello')
  await made.close({ grace: 0 })
  t.deepEqual(failures, [])
})

test('an upgrade gets the connection, with what came behind its head', async t => {
  const made = await server(t, hello)
  made.http.on('upgrade', (_, stream, head) => {
    stream.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
    stream.write(head)
    stream.pipe(stream)
  })
  const client = closing(t, await tcp().connect(made.address))
  await client.send('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello')
  const reader = client.reader()
  await reader.until('\r\n\r\n')
  t.is(String(await reader.exact(5)), 'hello')
  await client.send('more')
  t.is(String(await reader.exact(4)), 'more')
})

test('with keys it is a server of HTTPS, and knows whom it talks to', async t => {
  const made = await server(t, (asked, response) => {
    const { encrypted, remoteAddress } = asked.socket as typeof asked.socket & { encrypted?: boolean }
    response.end(`${encrypted} ${remoteAddress}`)
  }, { tls: identity('server') })
  const { text } = await fetched(answered => secureGet({ port: made.address.port, host: '127.0.0.1', servername: 'localhost', ca, agent: false }, answered))
  t.is(text, 'true 127.0.0.1')
  const over = ours(t, { tls: { ca, servername: 'localhost' } })
  for (let i = 0; i < 2; i++) {
    t.is((await fetched(answered => secureGet({ port: made.address.port, host: '127.0.0.1', agent: over as never }, answered))).text, 'true 127.0.0.1')
  }
  await until(() => made.connections === 1)
})

unless(lacks.unix)('it is served over a unix path, and asked there', async t => {
  const path = freshPath(t)
  await server(t, hello, { path })
  t.is((await fetched(answered => get({ socketPath: path, agent: ours(t) }, answered))).text, 'hello')
})

test('an agent keeps its connections, and fails as a connection does', async t => {
  const peers = new Set<number | undefined>()
  const other = createServer((asked, response) => {
    peers.add(asked.socket.remotePort)
    response.end('theirs')
  })
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const kept = ours(t)
  for (let i = 0; i < 3; i++) t.is((await fetched(answered => get({ port, host: '127.0.0.1', agent: kept }, answered))).text, 'theirs')
  t.is(peers.size, 1)
  other.closeAllConnections()
  other.close()
  await once(other, 'close')
  await t.throwsAsync(fetched(answered => get({ port, host: '127.0.0.1', agent: ours(t) }, answered)), { code: 'ECONNREFUSED' })
  t.throws(() => agent(5 as never), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('an agent checks certificates by the name of the host', async t => {
  const other = createSecureServer(identity('other'), hello)
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const over = ours(t, { tls: { ca } })
  await t.throwsAsync(fetched(answered => secureGet({ port, host: 'localhost', family: 4, agent: over as never }, answered)), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  t.is((await fetched(answered => secureGet({ port, host: '127.0.0.1', servername: 'other.test', agent: over as never }, answered))).text, 'hello')
  other.closeAllConnections()
})

test('a connector gives undici connections, plain and secured', async t => {
  const made = await server(t, hello)
  const connect = connector()
  const stream = await new Promise<NodeJS.ReadWriteStream>((resolve, reject) => {
    connect({ hostname: '127.0.0.1', port: String(made.address.port), protocol: 'http:' }, (error, opened) => (error ? reject(error) : resolve(opened!)))
  })
  stream.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  t.regex(text, /hello$/)
  const error = await new Promise<Error | null>(resolve => {
    connector({ tls: { ca } })({ hostname: '127.0.0.1', port: String(made.address.port), protocol: 'https:' }, resolve)
  })
  t.is((error as NodeJS.ErrnoException).code, 'ERR_SSL_WRONG_VERSION_NUMBER')
})

test('what is wrong with the options is told before it listens', async t => {
  await t.throwsAsync(serveHttp(5 as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(serveHttp({}, 5 as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(serveHttp({ port: 65_536 }), { code: 'ERR_SOCKET_BAD_PORT' })
  await t.throwsAsync(serveHttp({ http: { maxHeaderSize: 'large' as never } }), { code: 'ERR_INVALID_ARG_TYPE' })
})
