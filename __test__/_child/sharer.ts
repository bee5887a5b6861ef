// A worker that shares a poller and is in the middle of everything: echoes, a talk with itself, joins and leaves of sockets, and
// connections that come from another thread and go on to the next one. It goes on until it is terminated.
import { parentPort, workerData } from 'node:worker_threads'
import { Address, attach, pollSync, pollerHandle, tcp, type AddressFields, type SocketHandle, type TcpSocket } from 'socket2'

const { poller, address, busy } = workerData as { poller: number | bigint; address: AddressFields; busy: boolean }
pollerHandle(poller)
parentPort!.on('message', (handle: SocketHandle<'tcp'>) => void pass(handle))
parentPort!.postMessage('ready', [])
await Promise.all([1, 2, 3].map(chat))

/** Talks to the server of the main thread, again and again. */
async function chat(): Promise<void> {
  const [message, reply] = [Buffer.alloc(500, 'x'), Buffer.alloc(500)]
  for (;;) {
    const socket = await tcp().connect(Address.from(address))
    for (let i = 0; i < 20; i++) {
      await socket.send(message)
      // Some are terminated while they hold the thread in native code.
      if (busy) pollSync(1)
      await socket.recvExact(reply)
    }
    socket.close()
  }
}

/** Answers once, and passes the connection on. */
async function pass(handle: SocketHandle<'tcp'>): Promise<void> {
  const socket: TcpSocket = await attach(handle)
  try {
    await socket.send(await socket.recv())
    parentPort!.postMessage(socket.detach(), [])
  } catch {
    socket.close() // the other end was closed first
  }
}
