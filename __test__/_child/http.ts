// What only a process can show of HTTP over sockets: each case says what it has seen, and has no more to do.
import { get, type IncomingMessage } from 'node:http'
import { get as getSecurely } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, loop } from 'socket2'
import { agent, serveHttp, type HttpServer } from 'socket2/http'
import { ca, identity } from '../_certificates.js'

/** The body of an answer; the name of the error where there is none. */
async function asked(ask: (answered: (response: IncomingMessage) => void) => NodeJS.EventEmitter): Promise<string> {
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => ask(resolve).once('error', reject))
    let text = ''
    for await (const chunk of response) text += String(chunk)
    return text
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

const cases: Record<string, () => Promise<void>> = {
  async 'throws'() {
    const heard: string[] = []
    process.on('uncaughtException', (error: Error) => heard.push(error.message))
    process.on('unhandledRejection', error => heard.push((error as Error).message))
    const server = await serveHttp({ host: '127.0.0.1' }, (request, response) => {
      if (request.url === '/') return void response.end('hello')
      if (request.url === '/sync') throw new Error('at once')
      return Promise.reject(new Error('later')) as never
    })
    const { port } = server.address
    for (const path of ['/sync', '/async']) {
      const client = await connect(port, '127.0.0.1')
      await client.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      while (heard.length === 0) await delay(5)
      console.log(heard.shift())
      client.close()
    }
    console.log(await asked(answered => get({ port, host: '127.0.0.1', agent: agent() }, answered)))
    await server.close()
  },

  async 'forgotten'() {
    const answers: WeakRef<object>[] = []
    const server = await serveHttp({ host: '127.0.0.1' }, (request, response) => {
      request.on('error', () => {})
      // The first one is never answered, so that the others have to wait for their turn.
      answers.push(new WeakRef(response))
      if (request.url === '/1') response.end()
    })
    await visits(server, 50, () => answers.length)
    while (server.connections > 0) await delay(5)
    let left = answers.length
    // node:http keeps its parsers for the next connections, and with them what they have met last.
    for (let i = 0; i < 50 && left > 5; i++) {
      await delay(5)
      globalThis.gc?.()
      left = answers.filter(answer => answer.deref() !== undefined).length
    }
    console.log(left > 5 ? `${left} are left` : 'nearly all')
    await server.close()
  },

  /** A connection that its agent keeps, of a server that keeps it longer. */
  async 'idle'() {
    await idle(false)
  },
  async 'idle over TLS'() {
    await idle(true)
  }
}

/** Each visit asks for two things, and is gone before it has an answer. */
async function visits({ address }: HttpServer, count: number, answers: () => number): Promise<void> {
  for (let i = 1; i <= count; i++) {
    const client = await connect(address.port, '127.0.0.1')
    await client.send('GET /0 HTTP/1.1\r\nHost: x\r\n\r\nGET /1 HTTP/1.1\r\nHost: x\r\n\r\n')
    while (answers() < 2 * i) await delay(1)
    client.reset()
  }
}

async function idle(secured: boolean): Promise<void> {
  const server = await serveHttp({ host: '127.0.0.1', http: { keepAliveTimeout: 600_000 }, ...secured && { tls: identity('server') } }, (_, response) => void response.end('hello'))
  const options = { port: server.address.port, host: '127.0.0.1' }
  const ours = agent({ keepAlive: true, ...secured && { tls: { ca } } })
  const ask = async (): Promise<string> => await asked(answered => secured ? getSecurely({ ...options, agent: ours as never }, answered) : get({ ...options, agent: ours }, answered))
  // The second goes over what the first has left.
  console.log(await ask(), await ask())
  // The server and its side of the connection wait as well; a process of its own is not worth it.
  for (const socket of loop.sockets) if (socket.localAddress?.port === server.address.port) socket.unref()
}

const [name = ''] = process.argv.slice(2)
await cases[name]?.()
console.log('left')
