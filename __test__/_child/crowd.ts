// Workers come and go, each in its own way, while this thread serves them and talks to itself. Prints what is left of them.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { loop, tcp, type TcpSocket } from 'socket2'
import { census, left } from './census.js'
import { conversation } from './conversation.js'
import type { Orders } from './worker.js'

const rounds = Number(process.argv[2] ?? 13)
const ways = ['return', 'exit', 'throw', 'terminate'] as const
const server = await tcp().listen('127.0.0.1')
let connections = 0
void serve()
const talk = await conversation()

await round() // what is started once, like the runtime's own threads, is there from now on
await alone()
const before = census()
const exchangedBefore = talk.exchanged
for (let i = 0; i < rounds; i++) await round()
await alone()
const more = await left(before)
const talked = talk.exchanged > exchangedBefore
await talk.end()
console.log(JSON.stringify({
  left: { ...more, connections },
  talked,
  sockets: [...loop.sockets].length
}))
server.close()

async function round(): Promise<void> {
  await Promise.all(ways.map(work))
}

async function work(how: (typeof ways)[number]): Promise<void> {
  const orders: Orders = { how, address: server.localAddress!.toJSON(), messages: Math.ceil(Math.random() * 500) }
  const worker = new Worker(new URL('worker.js', import.meta.url), { workerData: orders })
  const errors: string[] = []
  worker.on('error', error => errors.push(error.message))
  const exit = new Promise<number>(resolve => worker.once('exit', resolve)) // once() would reject by the error before it
  if (how === 'terminate') {
    // Half of them while they start, half of them in the middle of the traffic.
    if (Math.random() < 0.5) await delay(Math.random() * 80)
    else await new Promise(resolve => worker.once('message', () => setTimeout(resolve, Math.random() * 20)))
    await worker.terminate()
  }
  const code = await exit
  assert.deepEqual(errors, how === 'throw' ? ['on purpose'] : [])
  if (how !== 'terminate') assert.equal(code, how === 'throw' ? 1 : 0)
}

async function serve(): Promise<void> {
  for await (const socket of server.connections()) {
    connections++
    void echo(socket).finally(() => {
      connections--
      socket.close()
    })
  }
}

async function echo(socket: TcpSocket): Promise<void> {
  const space = Buffer.alloc(4096)
  try {
    for (let n = await socket.recv(space); n > 0; n = await socket.recv(space)) await socket.send(space.subarray(0, n))
  } catch (error) {
    // A worker that ends does not wait for its replies.
    assert.ok(['ECONNRESET', 'ECONNABORTED', 'EPIPE'].includes((error as { code: string }).code), String(error))
  }
}

/** The connections of workers that have ended are gone. */
async function alone(): Promise<void> {
  for (let i = 0; i < 300 && connections > 0; i++) await delay(10)
}
