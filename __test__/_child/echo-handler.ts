/** A handler for threads: sends back what comes. */
import type { TcpSocket } from 'socket2'

export default async function echo(socket: TcpSocket): Promise<void> {
  for await (const data of socket) await socket.send(data)
}
