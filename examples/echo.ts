// A server that sends back what it gets, until Ctrl-C. Its port may be given; otherwise any free one is taken.
import { tcp, type TcpSocket } from 'socket2'

const server = await tcp().listen('127.0.0.1', Number(process.argv[2] ?? 0))
console.log(`listening on ${server.localAddress}`)
process.once('SIGINT', () => server.close())

for await (const connection of server.connections()) {
  echo(connection).catch((error: Error) => console.error(error.message))
}

async function echo(socket: TcpSocket): Promise<void> {
  const { remoteAddress } = socket
  try {
    for await (const chunk of socket) await socket.send(chunk)
    console.log(`${remoteAddress} sent ${socket.bytesRead} bytes`)
  } finally {
    socket.close()
  }
}
