// Servers, as only a process can show them: what keeps it alive, what it warns of, what is left. With a number of threads as the second
// argument they have so many. Each case prints what came of it.
import { once } from 'node:events'
import { serve, tcp, type Handler, type Server, type ServeOptions, type TcpSocket } from 'socket2'
import { rounds } from '../_system.js'
import { census, left } from './census.js'

const threads = Number(process.argv[3] ?? 0)

const echo: Handler = async (socket) => {
  for await (const data of socket) {
    if (String(data) === 'fail') throw new Error('on purpose')
    await socket.send(data)
  }
}

const cases: Record<string, () => Promise<unknown>> = {
  async 'closed'() {
    const server = await begin()
    const client = await connect(server)
    const close = server.close({ grace: 1e6 })
    client.close()
    await close
    return 'left'
  },
  async 'closed by force'() {
    const server = await begin()
    await connect(server)
    await server.close({ grace: 0 })
    return 'left'
  },
  async 'listener unref\'ed'() {
    (await begin()).listener.unref()
    return 'left'
  },
  async 'listener unref\'ed, after a connection'() {
    const server = await begin()
    server.listener.unref()
    const client = await connect(server)
    client.close()
    return 'left'
  },
  async 'listener unref\'ed, with a connection'() {
    const server = await begin()
    server.listener.unref()
    await connect(server)
    staying()
    return 'left'
  },
  async 'listening'() {
    await begin()
    staying()
    return 'left'
  },
  /** Threads die as soon as they begin, and the server is closed meanwhile. */
  async 'closed in a crash loop'() {
    const alive = new Int32Array(new SharedArrayBuffer(4))
    let failures = 0
    let heard = (): void => {}
    const server = await begin({ onError: () => heard() }, alive)
    Atomics.store(alive, 0, 1)
    const client = await connect(server)
    client.trySend('exit')
    // The next one would be tried after more than 3 s, in which nothing may wait for it.
    await new Promise<void>(resolve => (heard = () => void (++failures === 6 && resolve())))
    await server.close({ grace: 0 })
    client.close()
    const since = performance.now()
    process.on('exit', () => console.log(performance.now() - since < 2000 ? 'at once' : 'later'))
    return 'left'
  },
  async 'warnings'() {
    const warnings: (Error & { code?: string })[] = []
    process.on('warning', warning => warnings.push(warning))
    const server = await begin()
    for (let i = 0; i < 5; i++) {
      const client = await connect(server)
      await client.send('fail')
      await ended(client)
      await ended(await connect(server, 'fail'))
    }
    // The first one of a thread may be on its way.
    if (warnings.length === 0) await once(process, 'warning')
    await server.close()
    await new Promise(resolve => setImmediate(resolve))
    return JSON.stringify(warnings.map(({ name, code, message }) => ({ name, code, says: /said once: (Range)?Error: on purpose\n +at /.test(message) })))
  },
  async 'flags'() {
    const server = await begin()
    await connect(server)
    await server.close({ grace: 0 })
    return 'served'
  },
  async 'odd'() {
    const server = await serve({ host: '127.0.0.1' }, () => {
      throw Object.create(null)
    })
    await ended(await tcp().connect(server.address))
    await server.close()
    return 'goes on'
  },
  /** With --expose-gc. The last one may still be held by what runs here. */
  async 'forgotten'() {
    const server = await serve({ host: '127.0.0.1' })
    const clients: TcpSocket[] = []
    for (let i = 0; i < 5; i++) {
      clients.push(await tcp().connect(server.address))
      for await (const socket of server) {
        await socket.send('and forgotten')
        break
      }
    }
    for (let i = 0; i < 500 && server.connections > 1; i++) {
      await new Promise(resolve => setImmediate(resolve))
      globalThis.gc?.()
    }
    const { connections } = server
    await server.close({ grace: 0 })
    for (const client of clients) client.close()
    return connections <= 1 ? 'collected' : connections
  },
  /** Servers come and go in all ways, each time with connections in the middle of something. */
  async 'leaks'() {
    await comeAndGo()
    const before = census()
    for (let i = 0; i < rounds(10); i++) await comeAndGo()
    return JSON.stringify(await left(before))
  },
  /** The same behind a proxy, with connections that say nothing, or nothing good. */
  async 'leaks of proxied'() {
    await comeAndGoProxied()
    const before = census()
    for (let i = 0; i < rounds(20); i++) await comeAndGoProxied()
    return JSON.stringify(await left(before))
  },
  async 'listener unref\'ed, with a silent connection'() {
    const server = await begin({ proxyProtocol: 'required', proxyHeaderTimeout: 50 })
    kept.push(await tcp().connect(server.address))
    while (server.connections === 0) await new Promise(resolve => setImmediate(resolve))
    server.listener.unref()
    return 'left'
  }
}

/** Nothing here is collected: that would close it. */
const kept: TcpSocket[] = []

async function begin(options: ServeOptions = {}, workerData?: unknown): Promise<Server> {
  if (threads === 0) return await serve({ host: '127.0.0.1', ...options }, echo)
  return await serve({ host: '127.0.0.1', ...options, threads, handler: new URL('handler.js', import.meta.url), workerData })
}

/** A connection that has been taken. */
async function connect(server: Server, text = 'hello'): Promise<TcpSocket> {
  const client = await tcp().connect(server.address)
  kept.push(client)
  await client.send(text)
  if (text === 'hello') await client.recv()
  return client
}

async function ended(client: TcpSocket): Promise<void> {
  await client.recvAll().catch(() => {})
  client.close()
}

/** Says so when the process is still there after a while, for which it does not stay. */
function staying(): void {
  setTimeout(() => {
    console.log('still here')
    process.exit()
  }, 300).unref()
}

async function comeAndGo(): Promise<void> {
  const server = await begin({ onError: () => {} })
  const clients = await Promise.all(Array.from({ length: 6 }, () => connect(server)))
  if (threads > 0) {
    await clients[0]!.send('exit')
    await ended(clients[0]!)
  }
  await server.close({ grace: Math.random() < 0.5 ? 0 : 10 })
  for (const client of clients) client.close()
}

async function comeAndGoProxied(): Promise<void> {
  const server = await begin({ proxyProtocol: 'optional', proxyHeaderTimeout: 20, maxConnectionsPerAddress: 3 })
  const begun = ['', 'P', 'PROXY', 'PROXY UNKNOWN\r\n', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', 'PROXY TCP4 192.0.2.1 192.0.2.2 1', 'hello']
  const clients = await Promise.all(begun.map(async (text) => {
    const client = await tcp().connect(server.address)
    client.trySend(text)
    return client
  }))
  while (server.connections === 0) await new Promise(resolve => setImmediate(resolve))
  if (Math.random() < 0.5) clients[0]!.reset()
  await server.close({ grace: Math.random() < 0.5 ? 0 : 30 })
  for (const client of clients) client.close()
}

console.log(await cases[process.argv[2] ?? '']!())
