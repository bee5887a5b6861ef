// Workers that share this thread's poller are started by fours and terminated at random moments, round after round, while this thread
// serves them, passes connections from one to the other, and talks to itself. Prints what is left of them.
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { attach, pollerHandle, tcp, type SocketHandle, type TcpSocket } from 'socket2'
import { census, left } from './census.js'
import { conversation } from './conversation.js'

const rounds = Number(process.argv[2])
const WORKERS = 4
const server = await tcp().listen('127.0.0.1')
const open = new Set<TcpSocket>()
void serve()
let passed = 0
const talk = await conversation()

await round(0)
await round(1)
await alone()
const before = census()
const exchangedBefore = talk.exchanged
for (let i = 0; i < rounds; i++) await round(i)
await alone()
const more = await left(before)
const talked = talk.exchanged > exchangedBefore
await talk.end()
server.close()
console.log(JSON.stringify({
  left: { ...more, connections: open.size },
  talked,
  passed: passed > rounds
}))

async function round(number: number): Promise<void> {
  const workers = Array.from({ length: WORKERS }, (_, place) => new Worker(new URL('sharer.js', import.meta.url), {
    workerData: { poller: pollerHandle(), address: server.localAddress!.toJSON(), busy: (number + place) % 4 === 0 }
  }))
  await Promise.all(workers.map(async (worker, place) => {
    const next = workers[(place + 1) % WORKERS]!
    worker.on('message', (message: 'ready' | SocketHandle<'tcp'>) => {
      if (message === 'ready') void connectTo(worker)
      else void hand(message, next)
    })
    // Half of them while they start, half of them in the middle of it.
    if (Math.random() < 0.5) await delay(Math.random() * 80)
    else await new Promise(resolve => worker.once('message', () => setTimeout(resolve, Math.random() * 20)))
    await worker.terminate()
  }))
}

/** Gives a worker a connection, at whose other end this thread talks. */
async function connectTo(worker: Worker): Promise<void> {
  const listener = await tcp().listen('127.0.0.1')
  const accepting = listener.accept()
  const client = await tcp().connect(listener.localAddress!)
  void hand((await accepting).detach(), worker)
  listener.close()
  try {
    for (let i = 0; ; i++) {
      await client.send(`message ${i}`)
      if ((await client.recv()).length === 0) break
    }
  } catch {
    // Reset by the end of the worker.
  }
  client.close()
}

/** Gives a connection to a worker. One that ends before it has taken it leaves it to us. */
async function hand(handle: SocketHandle<'tcp'>, next: Worker): Promise<void> {
  passed++
  next.postMessage(handle)
  if (next.threadId !== -1) await ended(next)
  await attach(handle).then(socket => socket.close(), () => {})
}

async function ended(worker: Worker): Promise<void> {
  await new Promise(resolve => worker.once('exit', resolve))
}

async function serve(): Promise<void> {
  for await (const socket of server.connections()) {
    open.add(socket)
    void echo(socket).catch(() => {}).finally(() => {
      open.delete(socket)
      socket.close()
    })
  }
}

async function echo(socket: TcpSocket): Promise<void> {
  for await (const data of socket) await socket.send(data)
}

/** The connections of workers that have ended are gone. */
async function alone(): Promise<void> {
  for (let i = 0; i < 300 && open.size > 0; i++) await delay(10)
}
