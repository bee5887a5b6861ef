/** ws: a server of it over `serve`, and a client over our sockets. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ExecutionContext } from 'ava'
import { tcp, type Server, type TcpSocket } from 'socket2'
import { serving, until } from './_serve.js'
import { users } from './_users.js'
import { freshPath, lacks, unless } from './_util.js'

const { reason, load } = users('clients')
const withWs = unless(reason)
const { WebSocket, WebSocketServer } = load<Ws>('ws')

for (const family of ['inet', 'unix'] as const) {
  unless(reason || (family === 'unix' && lacks.unix))(`1,000 messages go there and back over ${family}, text and bytes, in their order`, async t => {
    const server = await talking(t, family === 'unix' ? freshPath(t) : undefined)
    const { client } = await clientOf(t, server)
    const heard: string[] = []
    client.on('message', (data: Buffer, binary: boolean) => heard.push(`${binary ? 'bytes' : 'text'} ${data}`))
    for (let i = 0; i < 1000; i++) client.send(i % 2 === 0 ? `Grüße ${i}` : Buffer.from(`number ${i}`))
    await until(() => heard.length === 1000)
    t.deepEqual(heard, Array.from({ length: 1000 }, (_, i) => i % 2 === 0 ? `text Grüße ${i}` : `bytes number ${i}`))
  })
}

withWs('a message of 20 MB comes back whole, and one after it', async t => {
  const { client } = await clientOf(t, await talking(t))
  const big = Buffer.alloc(20_000_000, '0123456789')
  const heard: Buffer[] = []
  client.on('message', (data: Buffer) => heard.push(data))
  client.send(big)
  client.send('and one more')
  await until(() => heard.length === 2)
  t.true(heard[0]!.equals(big))
  t.is(String(heard[1]), 'and one more')
})

withWs('messages are packed and unpacked where both ends wish it', async t => {
  const server = await talking(t)
  const { client, sockets } = await clientOf(t, server, { perMessageDeflate: true })
  const big = 'so much of the same '.repeat(100_000)
  client.send(big)
  t.is(String((await once(client, 'message'))[0]), big)
  t.true(sockets[0]!.bytesWritten < 100_000)
})

withWs('each side hears the code and the reason with which the other one closes, and then the sockets are closed', async t => {
  const server = await talking(t)
  const { client, sockets } = await clientOf(t, server)
  client.send('close 4001 enough')
  const [code, why] = await once(client, 'close') as [number, Buffer]
  t.deepEqual([code, String(why)], [4001, 'enough'])
  const { client: other, sockets: others } = await clientOf(t, server)
  other.close(4002, 'bye')
  t.deepEqual((await once(other, 'close') as [number, Buffer])[0], 4002)
  await until(() => server.heard.includes('4002 bye') && [...sockets, ...others].every(({ closed }) => closed) && server.connections === 0)
  t.deepEqual(server.heard, ['4001 enough', '4002 bye'])
})

withWs('a side that vanishes is code 1006 for the other', async t => {
  const server = await talking(t)
  const { client, sockets } = await clientOf(t, server)
  client.send('terminate')
  t.is((await once(client, 'close') as [number])[0], 1006)
  await clientOf(t, server).then(({ client: other }) => other.terminate())
  const { sockets: third } = await clientOf(t, server)
  third[0]!.reset()
  await until(() => server.heard.length === 3 && server.connections === 0)
  t.deepEqual([server.heard, sockets[0]!.closed], [['1006 ', '1006 ', '1006 '], true])
})

withWs('a ping is answered while messages are under way, also to a side that sends without end', async t => {
  const { client } = await clientOf(t, await talking(t))
  let pongs = 0
  client.on('pong', () => pongs++)
  for (let i = 0; i < 100; i++) {
    client.send(Buffer.alloc(100_000))
    client.ping()
  }
  await until(() => pongs === 100)
  t.is(pongs, 100)
})

withWs('50 clients talk at once, and what is said to all all hear', async t => {
  const server = await talking(t)
  const clients = await Promise.all(Array.from({ length: 50 }, async () => (await clientOf(t, server)).client))
  const hearing = clients.map(client => once(client, 'message') as Promise<[Buffer]>)
  clients[0]!.send('all hello')
  t.deepEqual((await Promise.all(hearing)).map(([data]) => String(data)), Array.from({ length: 50 }, () => 'hello'))
})

withWs('who does not speak as a web socket is refused, and one that is not let in is told so', async t => {
  const server = await talking(t)
  const { client } = clientTo(t, server, { path: '/nowhere' })
  t.regex(String((await once(client, 'error'))[0]), /Unexpected server response: 400/)
  await until(() => server.connections === 0)
})

interface Ws {
  WebSocket: new (url: string, options: { createConnection: () => Duplex; perMessageDeflate?: boolean }) => Socket
  WebSocketServer: new (options: object) => NodeJS.EventEmitter & { clients: Set<Socket>; close(): void }
}

interface Socket extends NodeJS.EventEmitter {
  send(data: string | Buffer): void
  ping(): void
  close(code?: number, reason?: string): void
  terminate(): void
}

interface Talk extends Server {
  /** With what code and reason each connection was closed. */
  heard: string[]
}

/** A server of ws, at '/', that sends back what it gets, or does what it is told to. */
async function talking(t: ExecutionContext, path?: string): Promise<Talk> {
  const http = createServer()
  const ws = new WebSocketServer({ server: http, path: '/', perMessageDeflate: true, maxPayload: 50_000_000 })
  const heard: string[] = []
  ws.on('connection', (socket: Socket) => {
    socket.on('message', (data: Buffer, binary: boolean) => {
      const text = binary || data.length > 100 ? '' : String(data)
      const [word, code, why] = text.split(' ')
      if (word === 'close') socket.close(Number(code), why)
      else if (word === 'terminate') socket.terminate()
      else if (word === 'all') for (const each of ws.clients) each.send(code!)
      else socket.send(binary ? data : String(data))
    })
    socket.on('close', (code: number, why: Buffer) => heard.push(`${code} ${why}`))
    socket.on('error', () => {})
  })
  const server = await serving(t, path === undefined ? {} : { path }, async socket => {
    const stream = socket.toDuplex({ allowHalfOpen: true })
    http.emit('connection', stream)
    await new Promise(resolve => stream.once('close', resolve))
  })
  t.teardown(() => ws.close())
  return Object.assign(server, { heard })
}

/** A client that is not connected yet, and its socket. */
function clientTo(t: ExecutionContext, { address }: Server, { path = '/', ...options }: { path?: string; perMessageDeflate?: boolean } = {}): { client: Socket; sockets: TcpSocket[] } {
  const sockets: TcpSocket[] = []
  const client = new WebSocket(`ws://here${path}`, {
    perMessageDeflate: false,
    createConnection() {
      const socket = tcp(address.family)
      sockets.push(socket)
      return socket.toDuplex().connect(address.family === 'unix' ? { path: address.path! } : { host: address.address, port: address.port })
    },
    ...options
  })
  t.teardown(() => client.terminate())
  return { client, sockets }
}

async function clientOf(...args: Parameters<typeof clientTo>): Promise<{ client: Socket; sockets: TcpSocket[] }> {
  const both = clientTo(...args)
  await once(both.client, 'open')
  return both
}
