/** Bun's own UDP socket; runs under Bun. The arguments are those of socket2_datagrams. */
import { announce } from './announce.js'
import { LOOK, sendFor, steps } from './steps.js'

interface BunSocket {
  port: number
  send(data: Uint8Array, port: number, address: string): boolean
  /** How many of them the system took; of the others it tells by `drain` when they can be sent. */
  sendMany(packets: readonly Uint8Array[]): number
}

declare const Bun: {
  udpSocket(options: {
    hostname: string
    connect?: { hostname: string; port: number }
    socket: {
      data?(socket: BunSocket, data: Uint8Array, port: number, address: string): void
      drain?(socket: BunSocket): void
    }
  }): Promise<BunSocket>
}

const [how, number] = [process.argv[2], Number(process.argv[3])]
const hostname = '127.0.0.1'
const answer = Buffer.from('!')

if (how === 'sendMany') {
  let drained = (): void => {}
  const socket = await Bun.udpSocket({ hostname, connect: { hostname, port: number }, socket: { drain: () => drained() } })
  const packets = Array.from({ length: LOOK }, () => Buffer.alloc(1_200))
  await sendFor(async () => {
    const sent = socket.sendMany(packets)
    if (sent < LOOK) await new Promise<void>(resolve => (drained = resolve))
    return sent
  })
}

const complete = steps(number)
const { port } = await Bun.udpSocket({
  hostname,
  socket: {
    data: (socket, data, port, address) => {
      if (how === 'echo') socket.send(data, port, address)
      else if (complete(1)) socket.send(answer, port, address)
    },
  },
})
announce(port)
