/** The clients undici and node:http over our sockets, with nginx as their server. */
import { once } from 'node:events'
import { Agent, request, type IncomingMessage, type RequestOptions } from 'node:http'
import { Readable, type Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ExecutionContext } from 'ava'
import { tcp, type Family, type TcpSocket } from 'socket2'
import { BIG, site } from './_nginx.js'
import { until } from './_serve.js'
import { users } from './_users.js'
import { addressOf, listener, unless } from './_util.js'

const { nginx } = site()
const { reason, load } = users('clients', nginx.reason)
const withClients = unless(reason)
const { Client, Agent: UndiciAgent, fetch: fetchOver } = load<Undici>('undici')
// undici, over our sockets

withClients('undici keeps a connection, and has 1,000 requests on their way through it, ten at a time', async t => {
  const { client, sockets } = undiciOf(t, 'inet', { pipelining: 10 })
  const answers = await Promise.all(Array.from({ length: 1000 }, async (_, i) => {
    const { statusCode, body } = await client.request({ method: 'GET', path: i % 3 === 2 ? '/nowhere' : '/' })
    const text = await body.text()
    return statusCode === 200 && text === 'hello\n' ? 200 : statusCode
  }))
  t.deepEqual(answers, Array.from({ length: 1000 }, (_, i) => i % 3 === 2 ? 404 : 200))
  t.is(sockets.length, 1)
  await client.close()
  await until(() => sockets[0]!.closed)
})

for (const family of ['inet', 'unix'] as const) {
  withClients(`undici sends 10 MB and gets them back over ${family}, as bytes and as a stream`, async t => {
    const { client } = undiciOf(t, family)
    for (const body of [BIG, Readable.from(partsOf(BIG))]) {
      const answer = await client.request({ method: 'POST', path: '/web/echo', body })
      t.true(Buffer.from(await answer.body.arrayBuffer()).equals(BIG))
    }
  })
}

withClients('undici unpacks what nginx has packed', async t => {
  const { agent } = undiciAgent(t)
  const answer = await fetchOver(`http://127.0.0.1:${nginx.port}/big.txt`, { dispatcher: agent, headers: { 'accept-encoding': 'gzip' } })
  t.is(answer.headers.get('content-encoding'), 'gzip')
  t.true(Buffer.from(await answer.arrayBuffer()).equals(BIG))
})

withClients('an agent of undici has as many connections as it may, and none when it is closed', async t => {
  const { agent, sockets } = undiciAgent(t, { connections: 5 })
  const url = `http://127.0.0.1:${nginx.port}/`
  const texts = await Promise.all(Array.from({ length: 500 }, async () => await (await fetchOver(url, { dispatcher: agent })).text()))
  t.deepEqual(new Set(texts), new Set(['hello\n']))
  t.is(sockets.length, 5)
  await agent.close()
  await until(() => sockets.every(({ closed }) => closed))
})

withClients('undici makes another connection when nginx allows no more requests on one', async t => {
  const { client, sockets } = undiciOf(t, 'inet')
  for (let i = 0; i < 10; i++) {
    const { body } = await client.request({ method: 'GET', path: '/thrice' })
    t.is(await body.text(), 'again\n')
  }
  t.is(sockets.length, 4)
})

withClients('undici breaks an answer off, and its socket is closed; the next request gets another', async t => {
  const { client, sockets } = undiciOf(t, 'inet')
  const controller = new AbortController()
  const { body } = await client.request({ method: 'GET', path: '/big.txt', signal: controller.signal })
  const reading = body.arrayBuffer()
  controller.abort()
  await t.throwsAsync(reading, { any: true, name: 'AbortError' })
  await until(() => sockets[0]!.closed)
  t.is(await (await client.request({ method: 'GET', path: '/' })).body.text(), 'hello\n')
})

withClients('undici tells of an answer that ends early, and of a server that is not there', async t => {
  const { client } = undiciOf(t, 'inet')
  for (const page of ['half', 'reset']) {
    const { body } = await client.request({ method: 'GET', path: `/web/${page}` })
    await t.throwsAsync(body.text(), { message: /terminated|other side closed/ })
  }
  const none = undiciOf(t, 'inet', { connect: (_options, done) => void connectedTo('127.0.0.1', 1, done) })
  await t.throwsAsync(none.client.request({ method: 'GET', path: '/' }), { code: 'ECONNREFUSED' })
})

// The clients of Node, over our sockets

withClients('an agent of Node keeps its connections, and shares them out', async t => {
  const { agent, sockets } = nodeAgent(t)
  const texts = await Promise.all(Array.from({ length: 500 }, async () => String(await requested(agent, '/'))))
  t.deepEqual(new Set(texts), new Set(['hello\n']))
  t.is(sockets.length, 4)
  agent.destroy()
  await until(() => sockets.every(({ closed }) => closed))
})

withClients('an agent of Node sends 10 MB and gets them back', async t => {
  const { agent } = nodeAgent(t)
  t.true((await requested(agent, '/web/echo', { method: 'POST' }, partsOf(BIG))).equals(BIG))
})

withClients('a request of Node waits for a word that it may go on', async t => {
  const { agent } = nodeAgent(t)
  const asking = request({ port: nginx.port, path: '/web/echo', method: 'POST', agent, headers: { 'Expect': '100-continue', 'Content-Length': 3 } })
  asking.flushHeaders()
  await once(asking, 'continue')
  asking.end('yes')
  const [answer] = await once(asking, 'response') as [IncomingMessage]
  t.is(String(await whole(answer)), 'yes')
})

withClients('a request of Node that is destroyed closes its socket, and one that nobody answers in time is told so', async t => {
  const { agent, sockets } = nodeAgent(t)
  const asking = request({ port: nginx.port, path: '/big.txt', agent }).end()
  const [answer] = await once(asking, 'response') as [IncomingMessage]
  answer.destroy()
  await until(() => sockets[0]!.closed)
  const silent = await listener(t)
  const waiting = request({ port: addressOf(silent).port, agent, timeout: 20 }).end()
  await once(waiting, 'timeout')
  waiting.destroy(new Error('too late'))
  t.is(String((await once(waiting, 'error'))[0]), 'Error: too late')
  await until(() => sockets.every(({ closed }) => closed))
})

interface Undici {
  Client: new (origin: string, options: { connect: Connect; pipelining?: number }) => UndiciClient
  Agent: new (options: { connect: Connect; connections?: number }) => UndiciAgent
  fetch(url: string, options: { dispatcher: UndiciAgent; headers?: Record<string, string> }): Promise<Response>
}

type Connect = (options: { hostname: string; port: string }, done: Done) => void
type Done = (error: Error | null, stream: Duplex | null) => void

interface UndiciClient {
  request(options: { method: string; path: string; body?: Buffer | Readable; signal?: AbortSignal }): Promise<{ statusCode: number; body: Body }>
  close(): Promise<void>
  destroy(): Promise<void>
}

interface UndiciAgent {
  close(): Promise<void>
  destroy(): Promise<void>
}

interface Body {
  text(): Promise<string>
  arrayBuffer(): Promise<ArrayBuffer>
}

/** A client of undici that connects to nginx, and the sockets that it has used. */
function undiciOf(t: ExecutionContext, family: Family, options: { connect?: Connect; pipelining?: number } = {}): { client: UndiciClient; sockets: TcpSocket[] } {
  const sockets: TcpSocket[] = []
  const connect: Connect = (_options, done) => {
    if (family === 'unix') connectedTo(`unix:${nginx.home}/http.sock`, 0, done, sockets)
    else connectedTo('127.0.0.1', nginx.port, done, sockets)
  }
  const client = new Client(`http://127.0.0.1:${nginx.port}`, { connect, ...options })
  t.teardown(() => client.destroy())
  return { client, sockets }
}

/** An agent of undici that connects to where it is told to. */
function undiciAgent(t: ExecutionContext, options: { connections?: number } = {}): { agent: UndiciAgent; sockets: TcpSocket[] } {
  const sockets: TcpSocket[] = []
  const agent = new UndiciAgent({ connect: ({ hostname, port }, done) => connectedTo(hostname, Number(port), done, sockets), ...options })
  t.teardown(() => agent.destroy())
  return { agent, sockets }
}

/** Connects a stream, and hands it on once it is connected. */
function connectedTo(host: string, port: number, done: Done, sockets: TcpSocket[] = []): void {
  const socket = tcp(host.startsWith('unix:') ? 'unix' : 'inet')
  sockets.push(socket)
  const stream = socket.toDuplex()
  const failed = (error: Error): void => done(error, null)
  stream.once('error', failed).once('connect', () => done(null, stream.off('error', failed)))
  stream.connect(host.startsWith('unix:') ? { path: host.slice('unix:'.length) } : { host, port })
}

/** An agent of Node, and the sockets that it has used. It connects the streams itself. */
function nodeAgent(t: ExecutionContext): { agent: Agent; sockets: TcpSocket[] } {
  const sockets: TcpSocket[] = []
  class OurAgent extends Agent {
    override createConnection({ port }: { port?: number | string | null | undefined }): Duplex {
      const socket = tcp()
      sockets.push(socket)
      return socket.toDuplex().connect(Number(port), '127.0.0.1')
    }
  }
  const agent = new OurAgent({ keepAlive: true, maxSockets: 4 })
  t.teardown(() => agent.destroy())
  return { agent, sockets }
}

/** The body of what Node is answered by nginx. */
async function requested(agent: Agent, path: string, options: RequestOptions = {}, body: Iterable<Buffer> = []): Promise<Buffer> {
  const asking = request({ port: nginx.port, path, agent, ...options })
  const answering = once(asking, 'response') as Promise<[IncomingMessage]>
  await pipeline(body, asking)
  return await whole((await answering)[0])
}

async function whole(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** A body bit by bit. */
function *partsOf(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += 100_000) yield body.subarray(at, at + 100_000)
}
