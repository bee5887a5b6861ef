/** A UDP socket of socket2. The arguments say what it does and how, and a number: the step that a receiver answers, the port where a sender sends. */
import { udp, type Address } from 'socket2'
import { announce } from './announce.js'
import { LOOK, RECEIVE_BUFFER, sendFor, steps } from './steps.js'

const [how, number] = [process.argv[2], Number(process.argv[3])]
const SIZE = 1_200
const answer = Buffer.from('!')

const socket = udp('inet', 'udp', { recvBufferSize: RECEIVE_BUFFER })

if (how?.startsWith('send')) {
  await socket.connect('127.0.0.1', number)
  const data = Buffer.alloc(SIZE)
  const messages = Array.from({ length: LOOK }, () => ({ data }))
  const segments = Buffer.alloc(Math.floor(65_507 / SIZE) * SIZE)
  if (how === 'sendSegments') await sendFor(async () => (await socket.sendSegments(segments, SIZE)) / SIZE)
  else if (how === 'sendMany') await sendFor(() => socket.sendMany(messages))
  else await sendFor(async () => {
    for (let i = 0; i < LOOK; i++) await socket.send(data)
    return LOOK
  })
}

await socket.bind('127.0.0.1')
announce(socket.localAddress?.port ?? 0)
const buffer = Buffer.allocUnsafe(2_048)
const complete = steps(number)
const heard = (count: number, from: Address): void => {
  if (complete(count)) void socket.send(answer, from)
}

if (how === 'recvMany' || how === 'recvMany into') {
  const options = how === 'recvMany' ? undefined : { into: Buffer.alloc(1 << 17) }
  for (;;) {
    const datagrams = await socket.recvMany(64, options)
    heard(datagrams.length, datagrams[0]!.from)
  }
} else if (how === 'recv') {
  for (;;) heard(1, (await socket.recv(buffer)).from)
} else if (how === 'iterate') {
  for await (const { from } of socket) heard(1, from)
} else {
  for (;;) {
    const { length, from } = await socket.recv(buffer)
    await socket.send(buffer.subarray(0, length), from)
  }
}
