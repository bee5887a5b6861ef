// Agents of socket2/http: how many connections they make, when those fail or are not wanted any more, and who may share them.
import { once } from 'node:events'
import { get, type Agent, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { createServer as createSecureServer, get as secureGet } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { tcp } from 'socket2'
import { agent, connector, serveHttp, type HttpAgentOptions, type HttpServer } from 'socket2/http'
import { ca, identity } from './_certificates.js'
import { gone, until } from './_serve.js'
import { addressOf, child, closing, freshPath, lacks, listener, unless } from './_util.js'

interface Asked {
  request: ClientRequest
  heard: string[]
  text: Promise<string>
}

/** Asks, writes down what the request tells, and reads the answer to its end. */
function ask(options: RequestOptions, by: typeof get = get): Asked {
  const heard: string[] = []
  const request = by({ host: '127.0.0.1', ...options })
  request.on('error', (error: NodeJS.ErrnoException) => heard.push(`error ${error.code}`))
  for (const event of ['timeout', 'close']) request.on(event, () => heard.push(event))
  const text = new Promise<string>(resolve => {
    request.once('close', () => resolve(''))
    request.once('response', (response: IncomingMessage) => {
      let all = ''
      response.setEncoding('utf8').on('data', (data: string) => (all += data)).on('end', () => resolve(all)).on('error', () => resolve(''))
    })
  })
  return { request, heard, text }
}

function ours(t: ExecutionContext, options: HttpAgentOptions = {}): Agent {
  const made = agent(options)
  t.teardown(() => made.destroy())
  return made
}

/** A server that says how many connections there have been, and were at most at a time. */
async function counting(t: ExecutionContext): Promise<{ server: HttpServer; port: number; ports: Set<number>; most(): number }> {
  const ports = new Set<number>()
  let most = 0
  const server = await serveHttp({ host: '127.0.0.1' }, (request, response) => {
    ports.add(request.socket.remotePort ?? 0)
    most = Math.max(most, server.connections)
    response.end(request.url)
  })
  t.teardown(() => server.close({ grace: 0 }))
  return { server, port: server.address.port, ports, most: () => most }
}

/** Takes as long as a test wants to tell an address. */
function slowLookup(): { lookup: LookupFunction; answer(error?: Error): void; waiting(): number } {
  const waiting: ((error: NodeJS.ErrnoException | null, found: { address: string; family: number }[]) => void)[] = []
  return {
    lookup: (_name, _options, callback) => void waiting.push(callback),
    answer: (error) => waiting.shift()?.(error ?? null, [{ address: '127.0.0.1', family: 4 }]),
    waiting: () => waiting.length
  }
}

/** A port where nobody listens. */
async function deserted(): Promise<number> {
  const socket = await tcp().bind('127.0.0.1')
  const { port } = addressOf(socket)
  socket.close()
  return port
}

for (const keepAlive of [true, false]) {
  test(`no more connections are made at a time than maxSockets says: keepAlive ${keepAlive}`, async t => {
    const { port, ports, most } = await counting(t)
    const kept = ours(t, { keepAlive, maxSockets: 2 })
    const asked = Array.from({ length: 12 }, (_, i) => ask({ port, path: `/${i}`, agent: kept }))
    t.deepEqual(await Promise.all(asked.map(({ text }) => text)), Array.from({ length: 12 }, (_, i) => `/${i}`))
    t.true(most() <= 2, String(most()))
    if (keepAlive) t.is(ports.size, 2)
  })
}

test('no more connections are made to all servers together than maxTotalSockets says', async t => {
  const servers = [await counting(t), await counting(t)]
  const one = ours(t, { maxTotalSockets: 1 })
  const asked = servers.flatMap(({ port }) => [ask({ port, path: '/a', agent: one }), ask({ port, path: '/b', agent: one })])
  t.deepEqual(await Promise.all(asked.map(({ text }) => text)), ['/a', '/b', '/a', '/b'])
})

test('requests that wait behind one that cannot be connected fail by attempts of their own, each once', async t => {
  const one = ours(t, { maxSockets: 1 })
  const port = await deserted()
  const asked = Array.from({ length: 4 }, () => ask({ port, agent: one }))
  await Promise.all(asked.map(({ text }) => text))
  await until(() => Object.keys(one.sockets).length === 0)
  for (const { heard } of asked) t.deepEqual(heard, ['error ECONNREFUSED', 'close'])
  t.deepEqual(Object.keys(one.requests), [])
})

test('a request that waits is connected once another one has given up', async t => {
  const { port } = await counting(t)
  const one = ours(t, { maxSockets: 1 })
  const { lookup, answer, waiting } = slowLookup()
  const first = ask({ port, host: 'slow.test', lookup, agent: one })
  const second = ask({ port, host: 'slow.test', lookup, path: '/second', agent: one })
  await until(() => waiting() === 1)
  t.is(one.requests[Object.keys(one.requests)[0] ?? '']?.length, 1)
  first.request.destroy()
  await until(() => waiting() === 2)
  answer()
  answer()
  t.is(await second.text, '/second')
  t.deepEqual(first.heard, ['error ECONNRESET', 'close'])
})

test('a request that is destroyed ends the attempt to connect for it, at once, with the error it was given', async t => {
  const { lookup } = slowLookup()
  const kept = ours(t, { keepAlive: true })
  const given = ask({ port: 1, host: 'never.test', lookup, agent: kept })
  given.request.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' }))
  await given.text
  t.deepEqual(given.heard, ['error ENOUGH', 'close'])
  const controller = new AbortController()
  const aborted = ask({ port: 1, host: 'never.test', lookup, agent: kept, signal: controller.signal })
  setImmediate(() => controller.abort())
  await aborted.text
  t.deepEqual(aborted.heard, ['error ABORT_ERR', 'close'])
  const before = ask({ port: 1, host: 'never.test', lookup, agent: kept, signal: controller.signal })
  await before.text
  t.deepEqual(before.heard, ['error ABORT_ERR', 'close'])
  t.deepEqual(Object.keys(kept.sockets), [])
})

test('a request that is destroyed while TLS is being agreed upon closes the connection', async t => {
  const from = await listener(t)
  const accepting = from.accept()
  const { request, heard, text } = ask({ port: addressOf(from).port, servername: 'localhost', agent: ours(t, { tls: { ca } }) as never } as RequestOptions, secureGet as typeof get)
  const peer = closing(t, await accepting)
  await peer.recv()
  request.destroy()
  await text
  t.is(await gone(peer), '')
  t.deepEqual(heard, ['error ECONNRESET', 'close'])
})

test('the timeout of a request counts while it is being connected, and is the agent\'s where it says none', async t => {
  const { lookup } = slowLookup()
  for (const [own, general] of [[20, undefined], [undefined, 20]]) {
    const { request, heard, text } = ask({
      port: 1, host: 'never.test', lookup, ...own !== undefined && { timeout: own }, agent: ours(t, general === undefined ? {} : { timeout: general })
    })
    await once(request, 'timeout')
    request.destroy()
    await text
    t.deepEqual(heard, ['timeout', 'error ECONNRESET', 'close'])
  }
})

test('a server that says nothing is timed out, by the request or by the agent', async t => {
  const server = await serveHttp({ host: '127.0.0.1' }, () => {})
  t.teardown(() => server.close({ grace: 0 }))
  const { port } = server.address
  for (const [own, general] of [[30, undefined], [undefined, 30], [30, 30]]) {
    const { request } = ask({ port, ...own !== undefined && { timeout: own }, agent: ours(t, general === undefined ? {} : { timeout: general }) })
    await once(request, 'timeout')
    request.destroy()
  }
  t.pass()
})

test('an agent that is destroyed ends its attempts, and the requests hear of it', async t => {
  const { lookup, waiting } = slowLookup()
  const made = ours(t, { maxSockets: 1 })
  const asked = ask({ port: 1, host: 'never.test', lookup, agent: made })
  await until(() => waiting() === 1)
  made.destroy()
  await asked.text
  t.deepEqual(asked.heard, ['error ECONNRESET', 'close'])
})

test('a server that resets its connections at once is an error of the request', async t => {
  const from = await listener(t)
  void (async () => {
    for await (const peer of from.connections()) peer.reset()
  })()
  const { port } = addressOf(from)
  for (let i = 0; i < 50; i++) {
    const { heard, text } = ask({ port, agent: ours(t) })
    await text
    t.regex(heard.join(), /^error (ECONNRESET|EPIPE|ECONNABORTED),close$/)
  }
})

test('a connection that dies while it is idle is not used again', async t => {
  const { server, port, ports } = await counting(t)
  const kept = ours(t, { keepAlive: true })
  for (const way of ['end', 'reset'] as const) {
    t.is(await ask({ port, path: `/${way}`, agent: kept }).text, `/${way}`)
    await until(() => Object.keys(kept.freeSockets).length === 1)
    if (way === 'end') server.http.closeIdleConnections()
    else server.http.closeAllConnections()
    await until(() => Object.keys(kept.freeSockets).length === 0)
  }
  t.is(await ask({ port, path: '/', agent: kept }).text, '/')
  t.is(ports.size, 3)
})

test('connections are shared by requests for the same name only: it is what the certificate was for', async t => {
  const theirs = createSecureServer(identity('server'), (_, response) => void response.end('for localhost')).listen(0, '127.0.0.1')
  t.teardown(() => theirs.close())
  await once(theirs, 'listening')
  const { port } = theirs.address() as AddressInfo
  const kept = ours(t, { keepAlive: true, tls: { ca } })
  const asking = (options: RequestOptions & { servername?: string }): Asked => ask({ port, agent: kept as never, ...options }, secureGet as typeof get)
  t.is(await asking({ servername: 'localhost' }).text, 'for localhost')
  await until(() => Object.keys(kept.freeSockets).length === 1)
  for (const wrong of [{ servername: 'other.test' }, { headers: { host: 'other.test' } }]) {
    const { heard, text } = asking(wrong)
    t.is(await text, '')
    t.deepEqual(heard, ['error ERR_TLS_CERT_ALTNAME_INVALID', 'close'])
  }
  t.is(await asking({ headers: { host: 'localhost' } }).text, 'for localhost')
  theirs.closeAllConnections()
})

test('a lookup of one\'s own says where a name is, and that there is none', async t => {
  const { port } = await counting(t)
  const { lookup, answer, waiting } = slowLookup()
  const found = ask({ port, host: 'name.test', path: '/found', agent: ours(t, { lookup }) })
  await until(() => waiting() === 1)
  answer()
  t.is(await found.text, '/found')
  const missed = ask({ port, host: 'name.test', lookup, agent: ours(t) })
  await until(() => waiting() === 1)
  answer(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }))
  await missed.text
  t.deepEqual(missed.heard, ['error ENOTFOUND', 'close'])
  // An address needs none, as with node:net.
  t.is(await ask({ port, path: '/', lookup, agent: ours(t) }).text, '/')
  const silly = ask({ port, host: 'name.test', lookup: (_name, _options, callback) => callback(null, 'nowhere', 4), agent: ours(t) })
  await silly.text
  t.deepEqual(silly.heard, ['error ERR_INVALID_ARG_VALUE', 'close'])
})

unless(lacks.unix)('what is said of addresses means nothing to a unix path', async t => {
  const path = freshPath(t)
  const server = await serveHttp({ path }, (_, response) => void response.end('hello'))
  t.teardown(() => server.close({ grace: 0 }))
  const made = ours(t, { connect: { family: 'inet', localAddress: '127.0.0.1' } })
  t.is(await ask({ socketPath: path, family: 4, localAddress: '127.0.0.1', agent: made }).text, 'hello')
})

unless(lacks.unix)('a connector leads to a unix path, whatever the URL says', async t => {
  const path = freshPath(t)
  const server = await serveHttp({ path }, (_, response) => void response.end('hello'))
  t.teardown(() => server.close({ grace: 0 }))
  const stream = await opened(connector({ path }), { hostname: 'docker', port: '', protocol: 'http:' })
  stream.write('GET / HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  t.regex(text, /hello$/)
})

test('a connector connects from the address that it is told', async t => {
  const { port } = await counting(t)
  const where = { hostname: '127.0.0.1', port: String(port), protocol: 'http:' }
  const stream = await opened(connector(), { ...where, localAddress: '127.0.0.1' })
  t.is((stream as Duplex & { localAddress?: string }).localAddress, '127.0.0.1')
  stream.destroy()
  await t.throwsAsync(opened(connector(), { ...where, localAddress: '::1' }), { code: 'ERR_INVALID_ARG_VALUE' })
  ;(await opened(connector(), { ...where, localAddress: null, servername: null })).destroy()
})

test('an agent gives a connection to who asks it directly, by the callback', async t => {
  const { port } = await counting(t)
  const made = ours(t)
  const stream = await new Promise<Duplex>((resolve, reject) => {
    t.is(made.createConnection({ host: '127.0.0.1', port }, (error, connected) => error ? reject(error) : resolve(connected)), undefined)
  })
  stream.destroy()
  t.throws(() => made.createConnection({ host: '127.0.0.1', port }), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('what is wrong with the options throws', t => {
  for (const wrong of [null, 5, { connect: 5 }, { connect: null }, { tls: true }, { tls: null }]) {
    t.throws(() => agent(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' }, JSON.stringify(wrong))
    t.throws(() => connector(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' }, JSON.stringify(wrong))
  }
  t.throws(() => connector({ path: 5 as never }), { code: 'ERR_INVALID_ARG_TYPE' })
})

for (const name of ['idle', 'idle over TLS']) {
  test(`a connection that an agent keeps does not keep the process: ${name}`, async t => {
    const { code, stdout, stderr } = await child(t, 'http', [name])
    t.is(stderr, '')
    t.deepEqual([code, stdout], [0, 'hello hello\nleft\n'])
  })
}

async function opened(connect: ReturnType<typeof connector>, options: Parameters<ReturnType<typeof connector>>[0]): Promise<Duplex> {
  return await new Promise<Duplex>((resolve, reject) => connect(options, (error, stream) => error ? reject(error) : resolve(stream as Duplex)))
}
