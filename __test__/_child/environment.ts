// One environment among others: a worker that loads the library for itself, uses it, and ends the way it is told to.
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type * as library from 'socket2'
import { connection, echo } from './echo.js'

export interface Orders {
  /**
   * `reload`: loads it `times` times, every other time with the binding that is there, and leaves all of them in use.
   * `flood`: says so after `times` chunks.
   */
  how: 'return' | 'exit' | 'terminate' | 'reload' | 'flood'
  times: number
}

const require = createRequire(import.meta.url)
const { how, times } = workerData as Orders
/** Nothing in here is collected: that would close it. */
const held: unknown[] = []

if (how === 'reload') {
  for (let i = 0; i < times; i++) {
    const socket2 = loadAnew(i % 2 === 0)
    await echo(socket2)
    await leaveInUse(socket2)
  }
  say('echo')
  process.exit(0)
} else if (how === 'flood') {
  await drink(loadAnew())
} else {
  const socket2 = loadAnew()
  const text = await echo(socket2)
  if (how !== 'return') await leaveInUse(socket2)
  say(text)
  if (how === 'exit') process.exit(0)
}

function say(message: unknown): void {
  parentPort!.postMessage(message, [])
}

/** The library as if it had never been loaded here; with its binding, or over the one that is there, as Jest does it. */
function loadAnew(binding = true): typeof library {
  for (const path of Object.keys(require.cache)) if (binding || !path.endsWith('.node')) delete require.cache[path]
  return require('socket2') as typeof library
}

/** Everything waits: for a connection, for data, for a datagram, for space, and for names. */
async function leaveInUse({ addr, tcp, udp }: typeof library): Promise<void> {
  const [server, datagrams] = [await tcp().listen('127.0.0.1'), udp()]
  await datagrams.bind('127.0.0.1')
  const [client, peer] = await connection({ tcp })
  held.push(client, peer)
  const waits = [
    server.accept(), datagrams.recv(), peer.send(Buffer.alloc(32 << 20)), client.recvExact(64 << 20), addr('localhost'), addr('no-such-name.invalid')
  ]
  for (const wait of waits) wait.catch(() => {})
}

/** Takes whatever comes, and asks for a name with each chunk, so that the poller and the lookups deliver all the time. */
async function drink({ addr, tcp }: typeof library): Promise<void> {
  const server = await tcp().listen('127.0.0.1')
  say(server.localAddress!.port)
  let chunks = 0
  for await (const socket of server.connections()) {
    void (async () => {
      for await (const data of socket) {
        if (++chunks === times) say('drinking')
        addr('localhost', 0, 'tcp').catch(() => {})
        await socket.send(data.subarray(0, 1))
      }
    })()
  }
}
