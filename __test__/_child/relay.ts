// Connections that are moved between three threads again and again while they carry traffic, both ways, of which every byte is
// checked. Prints what came of it.
import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { attach, loop, tcp, type SocketHandle, type TcpSocket } from 'socket2'

/** A connection on its way, and how often it has to go on. */
interface Parcel {
  handle: SocketHandle<'tcp'>
  hops: number
}

const post = isMainThread ? forward : (parcel: Parcel | 'ready') => parentPort!.postMessage(parcel, [])
const workers: Worker[] = []
let moves = 0

if (isMainThread) await main(Number(process.argv[2]), Number(process.argv[3]))
else {
  parentPort!.on('message', carry)
  post('ready' as never)
}

async function main(connections: number, hops: number): Promise<void> {
  for (const _ of [1, 2]) {
    const worker = new Worker(new URL(import.meta.url))
    await once(worker, 'message')
    worker.on('message', forward)
    workers.push(worker)
  }
  const server = await tcp().listen('127.0.0.1')
  const talks: Promise<number>[] = []
  for (let i = 0; i < connections; i++) {
    const accepting = server.accept()
    talks.push(talk(await tcp().connect(server.localAddress!), i))
    forward({ handle: (await accepting).detach(), hops })
  }
  const bytes = (await Promise.all(talks)).reduce((sum, each) => sum + each)
  server.close()
  for (const worker of workers) await worker.terminate()
  console.log(JSON.stringify({ moves, wrong: 0, enough: bytes > moves, detached: loop.detached, open: [...loop.sockets].length }))
}

/** Takes it to the next thread, this one among them. */
function forward(parcel: Parcel): void {
  moves++
  const worker = workers[moves % 3]
  if (worker === undefined) void carry(parcel)
  else worker.postMessage(parcel)
}

/** Sends back what comes; after some messages, while it receives more, it passes the socket on. The last thread in the row ends it. */
async function carry({ handle, hops }: Parcel): Promise<void> {
  const socket = await attach(handle)
  for (let messages = 0; ; messages++) {
    if (hops > 0 && messages > hops % 3) {
      // This is more than comes at once: what it has taken by then is given back, and goes along.
      const receiving = socket.recvExact(1 << 20)
      setImmediate(() => post({ handle: socket.detach(), hops: hops - 1 }))
      await receiving.catch(() => {})
      return
    }
    const data = await socket.recv(500)
    if (data.length === 0) return socket.close()
    await socket.send(data)
  }
}

/** Sends until so much has come back, checks each byte of that, and says how many there were. */
async function talk(socket: TcpSocket, seed: number): Promise<number> {
  const wanted = 200_000
  let received = 0
  void (async () => {
    for (let sent = 0; sent < wanted;) {
      const size = Math.min(1 + (sent * 7 + seed) % 4000, wanted - sent)
      await socket.send(Uint8Array.from({ length: size }, (_, place) => byteAt(sent + place, seed)))
      sent += size
    }
    socket.shutdown('write')
  })()
  for await (const data of socket) {
    for (const byte of data) {
      if (byte !== byteAt(received, seed)) throw new Error(`byte ${received} of connection ${seed} is ${byte}`)
      received++
    }
  }
  if (received !== wanted) throw new Error(`${received} bytes of ${wanted} came back on connection ${seed}`)
  socket.close()
  return received
}

/** Bytes without a short period, each connection's its own. */
function byteAt(place: number, seed: number): number {
  return (Math.imul(place, 0x9e3779b1) >>> 24) + seed & 0xff
}
