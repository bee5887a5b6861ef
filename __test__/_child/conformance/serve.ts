// Servers, of this thread and of many.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Address, proxyHeader, serve, tcp, type Handler, type Server, type ServeOptions, type ServeThreadsOptions, type TcpSocket } from 'socket2'
import { afterwards, keep, type Checks } from './host.js'

export const serveChecks: Checks = {
  async 'a handler is called with each connection, which is closed when it returns'() {
    const server = await serving({}, async socket => await socket.send(`hello ${await socket.recv()}`))
    const clients = [await visit(server), await visit(server)]
    assert.deepEqual(await Promise.all(clients.map((client, i) => ask(client, `${i}`))), ['hello 0', 'hello 1'])
    assert.deepEqual(await Promise.all(clients.map(gone)), ['', ''])
    assert.equal(server.connections, 0)
  },
  async 'a handler that throws is told, and stops nothing'() {
    const errors: unknown[] = []
    const server = await serving({ onError: error => errors.push(error) }, () => Promise.reject(new Error('on purpose')))
    for (let i = 0; i < 2; i++) assert.equal(await gone(await visit(server)), '')
    assert.deepEqual(errors.map(String), ['Error: on purpose', 'Error: on purpose'])
  },
  async 'a connection over a limit is closed'() {
    const server = await serving({ maxConnections: 1 }, echo)
    assert.equal(await ask(await visit(server), 'x'), 'x')
    assert.equal(await gone(await visit(server)), '')
  },
  async 'behind a proxy the client is the one that the proxy tells, and who does not tell is closed'() {
    const server = await serving({ proxyProtocol: 'required' }, async socket => await socket.send(`${socket.remoteAddress} says ${await socket.recv()}`))
    for (const version of [1, 2] as const) {
      const header = proxyHeader({ version, source: Address.parse('192.0.2.1:5'), destination: Address.parse('192.0.2.2:7') })
      const client = await visit(server)
      await client.send(header.subarray(0, 9))
      await client.send([header.subarray(9), Buffer.from('hello')])
      assert.equal(await gone(client), '192.0.2.1:5 says hello')
    }
    const client = await visit(server)
    await client.send('hello')
    assert.equal(await gone(client), '')
  },
  async 'a server without a handler is iterated until it is closed'() {
    const server = await serving({})
    const client = await visit(server)
    for await (const socket of server) {
      await socket.send('hello')
      void server.close({ grace: 0 })
    }
    assert.equal(await gone(client), 'hello')
  },
  async 'close tells the handlers, and after its grace closes those that are left'() {
    const server = await serving({}, async (socket, { signal }) => {
      await socket.send('staying')
      await once(signal, 'abort')
      await socket.send(', told')
      await socket.recv()
    })
    const client = await visit(server)
    assert.equal(String(await client.recv()), 'staying')
    await server.close({ grace: 20 })
    assert.equal(await gone(client), ', told')
  },
  async 'the connections of a server are spread over its threads'() {
    const server = await serving({ threads: 2, handler })
    const threads: string[] = []
    for (let i = 0; i < 4; i++) threads.push(await ask(await visit(server), 'thread'))
    assert.deepEqual([new Set(threads.slice(0, 2)).size, new Set(threads.slice(2)).size, new Set(threads).size], [2, 2, 2])
    await server.close({ grace: 0 })
    assert.equal(server.connections, 0)
  },
  async 'a thread that ends is told and replaced'() {
    let told: ((error: unknown) => void) | undefined
    const hearing = new Promise(resolve => (told = resolve))
    const server = await serving({ threads: 1, handler, onError: error => told?.(error) })
    const client = await visit(server)
    await client.send('exit')
    assert.equal(await gone(client), '')
    assert.equal((await hearing as { code: string }).code, 'ERR_SOCKET_THREAD_EXIT')
    assert.equal(await ask(await visit(server), 'x'), 'x')
  },
  async 'what a handler throws in its thread comes with its code'() {
    let told: ((error: unknown) => void) | undefined
    const hearing = new Promise(resolve => (told = resolve))
    const server = await serving({ threads: 1, handler, onError: error => told?.(error) })
    await (await visit(server)).send('fail')
    const { name, message, code } = await hearing as Error & { code: string }
    assert.deepEqual([name, message, code], ['RangeError', 'on purpose', 'ERR_ON_PURPOSE'])
  }
}

const handler = new URL('../handler.js', import.meta.url)

const echo: Handler = async (socket) => {
  for await (const data of socket) await socket.send(data)
}

async function serving(options: ServeOptions | ServeThreadsOptions, handler?: Handler): Promise<Server> {
  const server = await serve({ host: '127.0.0.1', ...options }, handler)
  afterwards(() => server.close({ grace: 0 }))
  return server
}

async function visit({ address }: Server): Promise<TcpSocket> {
  return keep(await tcp().connect(address))
}

async function ask(socket: TcpSocket, text: string): Promise<string> {
  await socket.send(text)
  return String(await socket.recv())
}

/** What still comes until the other side has closed, or reset. */
async function gone(socket: TcpSocket): Promise<string> {
  return await socket.recvAll().then(String, () => '')
}
