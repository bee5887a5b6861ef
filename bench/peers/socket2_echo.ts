/**
 * An async function for each connection, with a buffer of its own: the first thing one would write. The argument is the length of
 * the buffer, which a program that knows its messages makes as long as these.
 */
import { tcp, type TcpSocket } from 'socket2'
import { announce } from './announce.js'

const size = Number(process.argv[2] ?? 65_536)
const listener = tcp()
await listener.listen(false, 0)
announce(listener.localAddress?.port ?? 0)
for (;;) void echo(await listener.accept())

async function echo(socket: TcpSocket): Promise<void> {
  const buffer = Buffer.allocUnsafe(size)
  try {
    for (;;) {
      const length = await socket.recv(buffer)
      if (length === 0) break
      await socket.send(length === size ? buffer : buffer.subarray(0, length))
    }
  } finally {
    socket.close()
  }
}
