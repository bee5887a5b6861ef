// A worker in the middle of everything: traffic with the main thread and within itself, and all kinds of waits, until it
// ends the way it is told to, after so many messages.
import { parentPort, workerData } from 'node:worker_threads'
import { addr, Address, poll, pollSync, stop, tcp, udp, type AddressFields, type TcpSocket } from 'socket2'
import { streams } from '../_system.js'

export interface Orders {
  how: 'return' | 'exit' | 'throw' | 'terminate' | 'idle' | 'block' | 'pollSync' | 'stop'
  address: AddressFields
  messages: number
}

const { how, address, messages } = workerData as Orders
let open: TcpSocket[] = []
let sent = 0

if (how === 'idle') {
  open = [await tcp().listen('127.0.0.1')]
  say('ready')
} else if (how === 'block') {
  open = await streams()
  open[0]!.recv().catch(() => {})
  say('ready')
  pollSync()
} else if (how === 'pollSync') {
  const [one, other] = await streams()
  const receiving = one.recv()
  other.trySend('x')
  pollSync(1000)
  say(String(await receiving))
  for (const socket of [one, other]) socket.close()
} else if (how === 'stop') {
  const [one, other] = await streams()
  stop()
  const receiving = one.recv()
  await other.send('x')
  const polled = await poll(1000)
  say({ polled, received: String(await receiving) })
  for (const socket of [one, other]) socket.close()
} else {
  await traffic()
}

function say(message: unknown): void {
  parentPort!.postMessage(message, [])
}

async function traffic(): Promise<void> {
  const server = await tcp().listen('127.0.0.1')
  const bound = udp()
  await bound.bind('127.0.0.1')
  const [flood, drain] = await streams()
  const client = tcp()
  open = [server, client, flood, drain]
  const waits = [
    server.accept().then(socket => open.push(socket)),
    bound.recv(),
    flood.send(Buffer.alloc(32 << 20)),
    addr('localhost'),
    addr('no-such-name.invalid'),
    swallow(drain),
    client.connect(server.localAddress!)
  ]
  for (const wait of waits) wait.catch(() => {})
  await Promise.all(Array.from({ length: 5 }, chatter))
  bound.close()
  for (const socket of open) socket.close()
}

async function swallow(socket: TcpSocket): Promise<void> {
  for await (const data of socket) if (data.length === 0) return
}

async function chatter(): Promise<void> {
  const socket = await tcp().connect(Address.from(address))
  open.push(socket)
  const [message, reply] = [Buffer.alloc(1000, 'x'), Buffer.alloc(1000)]
  while (how === 'terminate' || sent < messages) {
    const first = sent++ === 0
    await socket.send(message)
    await socket.recvExact(reply)
    if (first) say('ready') // only an answer shows that the other side has accepted
  }
  if (how === 'exit') process.exit(0)
  if (how === 'throw') throw new Error('on purpose')
}
