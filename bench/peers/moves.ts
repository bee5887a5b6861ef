/**
 * Connections that move back and forth between two threads, or between two processes: so many at a time, as fast as it goes. Speaks as
 * the load generator does: for each line on stdin, a number of seconds, it moves them for so long, and prints how often.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { attach, tcp, type SocketHandle, type TcpSocket } from 'socket2'

/** One that is elsewhere and comes back. */
interface Mover {
  /** Sends all of them away and back again, and again, until the time is over; resolves to how often one has moved. */
  move(until: number): Promise<number>
  /** Whether each still connects its two ends. */
  whole(): Promise<boolean>
}

/** What a handle looks like. */
const SAMPLE: SocketHandle<'tcp'> = {
  key: '0123456789abcdef0123456789abcdef', type: 'tcp', family: 'inet', protocol: 'tcp', standing: 'connected', peer: undefined, timeout: Infinity, header: null, unread: null, datagrams: null, broken: 0,
  bytesRead: 0, bytesWritten: 0, sharingChosen: false, replaceStale: false,
}

const [how, count] = [process.argv[2], Number(process.argv[3])]
const script = fileURLToPath(import.meta.url)

if (!isMainThread) {
  parentPort?.on('message', async (handle: SocketHandle<'tcp'>) => {
    parentPort?.postMessage(how === 'attach' ? (await attach(handle)).detach() : handle)
  })
} else if (process.send) {
  process.on('message', (_, socket: Socket) => process.send?.('back', socket))
} else {
  const mover = how === 'send' ? await betweenProcesses() : await betweenThreads()
  console.log(JSON.stringify({ ready: count }))
  for await (const line of createInterface(process.stdin)) {
    const since = performance.now()
    const moves = await mover.move(since + Number(line) * 1_000)
    const seconds = (performance.now() - since) / 1_000
    console.log(JSON.stringify({ moves, seconds, whole: await mover.whole() }))
  }
  process.exit()
}

/** By `detach`, `postMessage` and `attach`; or, to tell what of it that is, by `postMessage` of the same handles alone. */
async function betweenThreads(): Promise<Mover> {
  const worker = new Worker(script, { argv: process.argv.slice(2) })
  const server = await tcp().listen('127.0.0.1')
  const ends: [TcpSocket, TcpSocket][] = []
  for (let i = 0; i < count; i++) ends.push([await tcp().connect(server.localAddress!), await server.accept()])
  server.close()
  let here = ends.map(([, socket]) => socket)
  const moving = how === 'attach'
  return {
    move: until => new Promise(resolve => {
      let moves = 0
      let away = count
      const back: TcpSocket[] = []
      const again = async (handle: SocketHandle<'tcp'>): Promise<void> => {
        moves += 2
        const socket = moving ? await attach(handle) : undefined
        if (performance.now() < until) return worker.postMessage(socket?.detach() ?? handle)
        if (socket) back.push(socket)
        if (--away > 0) return
        worker.off('message', again)
        if (moving) here = back
        resolve(moves)
      }
      worker.on('message', again)
      for (const socket of here) worker.postMessage(moving ? socket.detach() : SAMPLE)
    }),
    async whole() {
      const heard = here.map(socket => socket.recv())
      for (const [end] of ends) await end.send('x')
      return (await Promise.all(heard)).every(data => String(data) === 'x')
    },
  }
}

/** By `send` of node:child_process, which is how node:cluster hands its connections over. */
async function betweenProcesses(): Promise<Mover> {
  const child = fork(script)
  process.once('exit', () => child.kill())
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const clients: Socket[] = []
  let here: Socket[] = []
  for (let i = 0; i < count; i++) {
    clients.push(connect((server.address() as AddressInfo).port, '127.0.0.1'))
    here.push(((await once(server, 'connection')) as [Socket])[0])
  }
  return {
    move: until => new Promise(resolve => {
      let moves = 0
      const back: Socket[] = []
      const again = (_: unknown, socket: Socket): void => {
        moves += 2
        if (performance.now() < until) return void child.send('there', socket)
        if (back.push(socket) < count) return
        child.off('message', again)
        here = back
        resolve(moves)
      }
      child.on('message', again as (message: unknown) => void)
      for (const socket of here) child.send('there', socket)
    }),
    async whole() {
      const heard = here.map(async socket => (await once(socket, 'data')) as [Buffer])
      for (const client of clients) client.write('x')
      const all = (await Promise.all(heard)).every(([data]) => String(data) === 'x')
      for (const socket of here) socket.pause()
      return all
    },
  }
}
