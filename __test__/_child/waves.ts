// Waves of connections, both ends in this process. Prints what is left of them: descriptors, heap and memory.
import { loop, tcp, type TcpSocket } from 'socket2'
import { leftBy } from './left.js'

const [waves, size] = process.argv.slice(2).map(Number) as [number, number]
const server = await tcp().listen('127.0.0.1')

const left = await leftBy(waves, wave)
console.log(JSON.stringify({ ...left, sockets: [...loop.sockets].length - 1, pending: loop.pending }))
server.close()

async function wave(): Promise<void> {
  const accepting = Promise.all(Array.from({ length: size }, () => server.accept()))
  const clients = await Promise.all(Array.from({ length: size }, () => tcp().connect(server.localAddress!)))
  const peers = await accepting
  await Promise.all([...clients.map(client), ...peers.map(peer)])
}

async function client(socket: TcpSocket): Promise<void> {
  await socket.send('come')
  if (String(await socket.recvAll()) !== 'and go') throw new Error('something else came')
  socket.close()
}

async function peer(socket: TcpSocket): Promise<void> {
  await socket.recvExact(4)
  await socket.send('and go')
  socket.close()
}
