/** An async function for each connection, with a buffer of its own: the first thing one would write. */
import { tcp, type TcpSocket } from 'socket2'
import { announce } from './announce.js'

const listener = tcp()
await listener.listen(false, 0)
announce(listener.localAddress?.port ?? 0)
for (;;) void echo(await listener.accept())

async function echo(socket: TcpSocket): Promise<void> {
  const buffer = Buffer.allocUnsafe(65_536)
  try {
    for (;;) {
      const length = await socket.recv(buffer)
      if (length === 0) break
      await socket.send(buffer.subarray(0, length))
    }
  } finally {
    socket.close()
  }
}
