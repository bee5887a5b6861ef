// Makes the sockets that are asked for over a unix path, and sends them there, or what went wrong.
import { raw, seqpacket, tcp, udp, type Family, type Protocol, type SocketOptions } from 'socket2'

const make = { tcp, udp, raw }
const control = await seqpacket().connect(`unix:${process.argv[2]}`)
console.log('"ready"')
for (;;) {
  const order = await control.recv()
  if (order.length === 0) break
  const [type, family, protocol, options] = JSON.parse(String(order)) as [keyof typeof make, Family?, Protocol?, SocketOptions?]
  try {
    const socket = make[type](family ?? undefined, protocol ?? undefined, options ?? undefined)
    await control.sendHandles('made', [socket])
    socket.close()
  } catch (error) {
    await control.send(String(error))
  }
}
control.close()
