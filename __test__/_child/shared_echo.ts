/** A worker that shares the poller of another thread: it serves echoes, tells its port, and ends when it is told to. */
import { parentPort, workerData } from 'node:worker_threads'
import { pollerHandle, tcp, type TcpSocket } from 'socket2'

const { poller } = workerData as { poller: number | bigint }
pollerHandle(poller)
const server = await tcp().listen('127.0.0.1')
parentPort?.postMessage({ port: server.localAddress?.port, poller: pollerHandle() })
parentPort?.on('message', () => process.exit())
for await (const socket of server.connections()) void echo(socket)

async function echo(socket: TcpSocket): Promise<void> {
  for await (const chunk of socket) await socket.send(chunk)
  socket.close()
}
