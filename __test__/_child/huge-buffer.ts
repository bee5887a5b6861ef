// One buffer over 2 GiB: sent whole, and received into from both its ends.
import { tcp, udp } from 'socket2'

const length = 2 ** 31 + 100_000_000
const huge = new Uint8Array(length)
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString().replaceAll('\0', '')
huge.set(Buffer.from('begin'))
huge.set(Buffer.from('end'), length - 3)

const server = await tcp().listen('127.0.0.1')
const client = await tcp().connect(server.localAddress!)
const peer = await server.accept()

const sending = client.send(huge)
const space = new Uint8Array(1 << 20)
const first = new Uint8Array(5)
let received = await peer.recvExact(first)
let last = ''
while (received < length) {
  const count = await peer.recv(space)
  if (count === 0) break
  received += count
  last = text(space.subarray(Math.max(count - 3, 0), count))
}
const sent = await sending

const waiting = peer.recv(huge.subarray(length - 4))
await client.send('tail')
await waiting
const whole = peer.recv(huge)
await client.send('head')
const exact = await whole

const one = await udp().connect(server.localAddress!)
const datagram = await one.send(huge).catch((error: NodeJS.ErrnoException) => error.code)
const other = await udp().bind('127.0.0.1')
await udp().send('fits', other.localAddress!)
const { length: small } = await other.recv(huge.subarray(0, 2 ** 31 + 1))
console.log(JSON.stringify({
  length, sent, received, marks: [text(first), last], end: text(huge.subarray(length - 4)), exact: exact === 4 ? 'head' : text(huge.subarray(0, exact)), datagram,
  small: text(huge.subarray(0, small))
}))
process.exit()
