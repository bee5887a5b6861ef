// How late a timer is, in ms, while sockets work as fast as they can. Time in which the machine gave this thread no
// processor is not counted: a turn of the loop is as long as the work in it.
import { existsSync, readFileSync } from 'node:fs'
import { pair, tcp, udp, type TcpSocket } from 'socket2'

const PERIOD = 5
const DURATION = 2000

let done = 0

const loads: Record<string, () => Promise<void>> = {
  async 'two tasks'() {
    exchange(...pair('tcp'), 64)
  },
  async 'many tasks'() {
    for (let i = 0; i < 25; i++) exchange(...pair('tcp'), 1000)
    for (let i = 0; i < 25; i++) exchange(...(await connection()), 1000)
  },
  async 'bulk'() {
    for (let i = 0; i < 4; i++) exchange(...(await connection()), 1 << 20)
  },
  async 'a udp flood'() {
    const [from, to] = [udp(), udp()]
    await to.bind('127.0.0.1')
    const address = to.localAddress!
    flood(() => from.send(Buffer.alloc(100), address))
    flood(() => from.send(Buffer.alloc(100), address))
    flood(() => to.recv(Buffer.alloc(200)))
  },
  async 'hundreds of tasks'() {
    for (let i = 0; i < 400; i++) exchange(...pair('tcp'), 16384)
  },
  async 'a new socket for every datagram'() {
    const to = udp()
    await to.bind('127.0.0.1')
    const address = to.localAddress!
    flood(() => to.recv(Buffer.alloc(8)))
    flood(async () => {
      const from = udp()
      await from.send('x', address)
      from.close()
    })
  },
  async 'connections that come and go'() {
    const server = await tcp().listen('127.0.0.1')
    flood(async () => (await server.accept()).close())
    for (let i = 0; i < 4; i++) flood(async () => (await tcp().connect(server.localAddress!)).close())
  }
}

/** Where Linux tells of a thread: its time on a processor in ns, first. */
const THREAD = '/proc/thread-self/schedstat'
const toldOfThreads = existsSync(THREAD)

await loads[process.argv[2] ?? '']!()
console.log(JSON.stringify({ ...await measure(), done }))
process.exit()

/** How long this thread has had a processor, in ms; elsewhere the process, in which the runtime's own threads work at the same time. */
function worked(): number {
  if (toldOfThreads) return Number(readFileSync(THREAD, 'latin1').split(' ', 1)[0]) / 1e6
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The most that a timer of `PERIOD` ms is late over `DURATION`, and how often it has fired. */
function measure(): Promise<{ late: number; fired: number }> {
  return new Promise(resolve => {
    const end = performance.now() + DURATION
    let [late, fired, last, before] = [0, 0, performance.now(), worked()]
    const timer = setInterval(() => {
      const [now, after] = [performance.now(), worked()]
      late = Math.max(late, Math.min(now - last, after - before) - PERIOD)
      ;[last, before] = [now, after]
      fired++
      if (now < end) return
      clearInterval(timer)
      resolve({ late, fired })
    }, PERIOD)
  })
}

function flood(work: () => Promise<unknown>): void {
  void (async () => {
    for (;;) {
      await work()
      done++
    }
  })()
}

/** Two tasks that send and receive at full speed, each at both ends. */
function exchange(one: TcpSocket, other: TcpSocket, length: number): void {
  for (const socket of [one, other]) {
    const [message, space] = [Buffer.alloc(length), Buffer.alloc(65536)]
    flood(() => socket.send(message))
    flood(() => socket.recv(space))
  }
}

async function connection(): Promise<[TcpSocket, TcpSocket]> {
  const server = await tcp().listen('127.0.0.1')
  const client = await tcp().connect(server.localAddress!)
  const peer = await server.accept()
  server.close()
  return [client, peer]
}
