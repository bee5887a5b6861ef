// What clients can do to a server of socket2/http: slowly, by halves, all at once, and by going away.
import { channel } from 'node:diagnostics_channel'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { tcp, type TcpSocket } from 'socket2'
import { serveHttp, type HttpServer, type ServeHttpOptions } from 'socket2/http'
import { gone, until } from './_serve.js'
import { addressOf, child, closing, listener, MUCH } from './_util.js'

async function server(t: ExecutionContext, answer: RequestListener, options: ServeHttpOptions = {}): Promise<HttpServer> {
  const made = await serveHttp({ host: '127.0.0.1', ...options }, answer)
  t.teardown(() => made.close({ grace: 0 }))
  return made
}

async function visit(t: ExecutionContext, port: number): Promise<TcpSocket> {
  return await closing(t, tcp()).connect('127.0.0.1', port)
}

const hello: RequestListener = (_, response) => void response.end('hello')
const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

/** That the server goes on. */
async function serves(t: ExecutionContext, { address }: HttpServer): Promise<void> {
  const client = await visit(t, address.port)
  await client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.regex(String(await client.recvAll()), /^HTTP\/1\.1 200 [^]*hello$/)
}

// With nothing beside them: a server that is too busy to have read what came answers by a reset.
test.serial('slow heads and slow bodies are timed out', async t => {
  const made = await server(t, (request, response) => request.resume().once('end', () => response.end('hello')).on('error', () => {}), {
    http: { headersTimeout: 300, requestTimeout: 300, connectionsCheckingInterval: 50 }
  })
  for (const slow of ['GET / HTTP/1.1\r\nHost', '', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow']) {
    const client = await visit(t, made.address.port)
    if (slow !== '') await client.send(slow)
    t.regex(await gone(client), /^HTTP\/1\.1 408 /, slow)
  }
  await serves(t, made)
})

test.serial('whoever came before the server was made has no more time than others', async t => {
  const from = await listener(t)
  const early = await visit(t, addressOf(from).port)
  await early.send('GET / HTTP/1.1\r\nHost')
  const made = await server(t, hello, { listener: from, host: undefined, http: { headersTimeout: 200, connectionsCheckingInterval: 50 } })
  t.regex(await gone(early), /^HTTP\/1\.1 408 /)
  await serves(t, made)
})

test('many requests at once on one connection are answered in their order', async t => {
  const waiting: (() => void)[] = []
  const made = await server(t, (request, response) => {
    waiting.push(() => response.end(`${request.url};`))
    // The last ones first.
    if (waiting.length === 100) for (const answer of waiting.toReversed()) answer()
  })
  const client = await visit(t, made.address.port)
  await client.send(Array.from({ length: 100 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: x\r\n${i === 99 ? 'Connection: close\r\n' : ''}\r\n`).join(''))
  t.deepEqual(String(await client.recvAll()).match(/\/\d+;/g), Array.from({ length: 100 }, (_, i) => `/${i};`))
})

test('a client that resets in the middle of its request or of its answer ends that alone', async t => {
  const [asked, ends]: [string[], string[]] = [[], []]
  const made = await server(t, (request, response) => {
    if (request.url === '/') return hello(request, response)
    asked.push(String(request.url))
    request.on('error', (error: NodeJS.ErrnoException) => ends.push(`request ${error.code}`)).resume()
    response.on('close', () => ends.push(`answer ${response.writableFinished}`))
    if (request.url === '/much') response.write(Buffer.alloc(MUCH))
  })
  const uploading = await visit(t, made.address.port)
  await uploading.send('POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
  // By a reset some systems lose what was not received before.
  await until(() => asked.length === 1)
  uploading.reset()
  await until(() => ends.length === 2)
  t.deepEqual(ends.splice(0).toSorted(), ['answer false', 'request ECONNRESET'])
  const loading = await visit(t, made.address.port)
  await loading.send('GET /much HTTP/1.1\r\nHost: x\r\n\r\n')
  await loading.recvExact(100_000)
  loading.reset()
  await until(() => ends.includes('answer false') && made.connections === 0)
  await serves(t, made)
})

for (const half of [false, true]) {
  test(`a client that ends what it sends before it is answered gets of ours what it gets of node:http: httpAllowHalfOpen ${half}`, async t => {
    const late: RequestListener = (request, response) => {
      request.on('error', () => {}).resume()
      request.socket.once('end', () => setImmediate(() => response.end('hello')))
    }
    const theirs = createServer(late).listen(0, '127.0.0.1')
    t.teardown(() => theirs.close())
    await once(theirs, 'listening')
    const made = await server(t, late)
    for (const http of [theirs, made.http]) Object.assign(http, { httpAllowHalfOpen: half })
    const answers = await Promise.all([(theirs.address() as AddressInfo).port, made.address.port].map(async port => {
      const client = await visit(t, port)
      await client.send(GET)
      client.shutdown('write')
      return (await gone(client)).replace(/^Date: .*\r\n/m, '')
    }))
    t.is(answers[1], answers[0])
    t.is(answers[1] !== '', half)
    await until(() => made.connections === 0)
  })
}

test('what is wrong with a request is for clientError, where somebody listens to that', async t => {
  const made = await server(t, hello)
  const codes: unknown[] = []
  made.http.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    codes.push(error.code)
    socket.end('HTTP/1.1 418 I am a teapot\r\n\r\n')
  })
  const client = await visit(t, made.address.port)
  await client.send('NONSENSE\r\n\r\n')
  t.regex(String(await client.recvAll()), /^HTTP\/1\.1 418 /)
  t.is(codes.length, 1)
  client.close()
  await until(() => made.connections === 0)
})

test('CONNECT gets the connection, and is refused by the end of it where nobody listens', async t => {
  const made = await server(t, hello)
  const refused = await visit(t, made.address.port)
  await refused.send('CONNECT db.example:5432 HTTP/1.1\r\nHost: x\r\n\r\n')
  t.is(await gone(refused), '')
  made.http.on('connect', (request, stream, head) => {
    stream.write(`HTTP/1.1 200 to ${request.url}\r\n\r\n${head}`)
    stream.pipe(stream)
  })
  const client = await visit(t, made.address.port)
  await client.send('CONNECT db.example:5432 HTTP/1.1\r\nHost: x\r\n\r\nearly ')
  const reader = client.reader()
  t.is(await reader.line(), 'HTTP/1.1 200 to db.example:5432')
  await reader.line()
  await client.send('late')
  t.is(String(await reader.exact(10)), 'early late')
})

test('over a limit a connection is closed, and one that waits for another request is closed when it is idle for too long', async t => {
  const made = await server(t, hello, { maxConnections: 1, idleTimeout: 100 })
  const kept = await visit(t, made.address.port)
  await kept.send(GET)
  t.regex(String(await kept.recv()), /^HTTP\/1\.1 200 /)
  const other = await visit(t, made.address.port)
  t.is(await gone(other), '')
  t.is(await gone(kept), '')
  await until(() => made.connections === 0)
  await serves(t, made)
})

test('what http.createServer is told of connections is set on each', async t => {
  const sockets: TcpSocket[] = []
  const hear = (message: unknown): void => void sockets.push((message as { socket: TcpSocket }).socket)
  channel('socket2:accept').subscribe(hear)
  t.teardown(() => channel('socket2:accept').unsubscribe(hear))
  const marks: number[] = []
  const made = await server(t, (request, response) => {
    marks.push(request.socket.readableHighWaterMark)
    const socket = sockets.find(({ remoteAddress }) => remoteAddress?.port === request.socket.remotePort)
    response.end([socket?.getOption('noDelay'), socket?.getOption('keepAlive'), socket?.getOption('keepAliveIdle')].join(' '))
  }, { http: { noDelay: false, keepAlive: true, keepAliveInitialDelay: 7000, highWaterMark: 1000 } })
  t.is(await (await fetch(`http://127.0.0.1:${made.address.port}/`)).text(), 'false true 7000')
  t.deepEqual(marks, [1000])
  await t.throwsAsync(serveHttp({ http: { highWaterMark: -1 } }), { code: 'ERR_OUT_OF_RANGE' })
  for (const wrong of [null, 5, () => {}]) await t.throwsAsync(serveHttp({ http: wrong as never }), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('a listener that never answers holds up its own connection alone', async t => {
  const waiting: ServerResponse[] = []
  const made = await server(t, (request, response) => request.url === '/never' ? void waiting.push(response) : hello(request, response))
  const client = await visit(t, made.address.port)
  await client.send('GET /never HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await until(() => waiting.length === 1)
  await serves(t, made)
  t.is(client.tryRecv(Buffer.alloc(1)), null)
})

test('a program that goes on after what a listener has thrown finds the server as it was', async t => {
  const { code, stdout, stderr } = await child(t, 'http', ['throws'])
  t.is(stderr, '')
  t.deepEqual([code, stdout], [0, 'at once\nlater\nhello\nleft\n'])
})

test('answers whose turn never comes are forgotten with their connection', async t => {
  const { code, stdout } = await child(t, 'http', ['forgotten'], ['--expose-gc'])
  t.deepEqual([code, stdout], [0, 'nearly all\nleft\n'])
})
