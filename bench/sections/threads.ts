/** Threads: what a shared poller costs, how fast connections move, what two threads gain, and how connections are spread over them. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Child } from '../child.js'
import { inTurn, type Sample, type Samples } from '../compare.js'
import { Load, type LoadOptions } from '../load.js'
import { watch } from '../machine.js'
import type { Service } from '../peers/service.js'
import { roundsIn } from '../peers/work.js'
import type { Bench, Section } from '../section.js'
import { script, startServer, type Server } from '../servers.js'

const SIZE = 64
/** Until the server's code is compiled, in each thread for itself. */
const WARM_UP_SECONDS = 0.5
/** What a handler has to do for each message, in microseconds. */
const WORK = 50

const ECHO: Service = { size: SIZE, rounds: 0, greets: false }

/** The ways to serve from several threads or processes, as the peers know them. */
const WAYS: Record<string, [peer: string, how: string]> = {
  'one thread': ['socket2_threads', 'one'],
  'two, handed over': ['socket2_threads', 'handed over'],
  'two, reusePort': ['socket2_threads', 'reusePort'],
  'node:cluster, two': ['net_threads', 'cluster'],
  'node:net': ['net_threads', 'one'],
  'own pollers': ['socket2_threads', 'own pollers'],
  'shared poller': ['socket2_threads', 'shared poller'],
}

export const threads: Section = {
  about: 'worker threads: shared pollers, moving connections, serving with two threads',
  async run(bench) {
    await pollers(bench)
    await moves(bench)
    await work(bench)
    await accepting(bench)
    await spreading(bench)
  },
}

async function pollers(bench: Bench): Promise<void> {
  const connections = bench.quick ? 5 : 50
  bench.show({
    title: `Two threads echo ${SIZE} bytes, ${connections} connections each: the CPU time per message`,
    samples: await measure(bench, ['own pollers', 'shared poller'], ECHO, connections),
    main: { figure: 'cpu', title: 'µs', digits: 2 },
    also: [{ figure: 'rate', title: 'messages/s', digits: 0 }],
    yardsticks: ['own pollers'],
    targets: [{ server: 'shared poller', limit: 'at most', factor: 1.5, of: 'own pollers' }],
  })
}

async function moves(bench: Bench): Promise<void> {
  const several = 64
  const mover = (name: string, how: string, count: number): Server =>
    ({ name, command: [process.execPath, script('moves'), how, String(count)], told: false })
  const movers = bench.wanted([
    mover(`socket2, ${several} at a time`, 'attach', several),
    mover('socket2, one at a time', 'attach', 1),
    mover(`postMessage alone, ${several}`, 'postMessage', several),
    mover('postMessage alone, one', 'postMessage', 1),
    mover(`child_process send, ${several}`, 'send', several),
    mover('child_process send, one', 'send', 1),
  ])
  bench.show({
    title: 'A connection goes to another thread (with child_process to another process) or back',
    samples: await inTurn(movers, bench.rounds, server => move(server, bench.seconds), text => bench.progress(`threads, moves: ${text}`)),
    main: { figure: 'rate', title: 'moves/s', digits: 0 },
    also: [{ figure: 'cpu', title: 'CPU µs/move', digits: 1 }],
    yardsticks: [`child_process send, ${several}`],
    targets: [{ server: `socket2, ${several} at a time`, limit: 'at least', factor: 50_000 }],
  })
}

async function work(bench: Bench): Promise<void> {
  const connections = bench.quick ? 8 : 64
  const service: Service = { ...ECHO, rounds: roundsIn(WORK) }
  bench.show({
    title: `Each message of ${SIZE} bytes makes ${WORK} µs of work, ${connections} connections: messages per second`,
    samples: await measure(bench, ['one thread', 'two, handed over', 'node:cluster, two', 'node:net'], service, connections),
    main: { figure: 'rate', title: 'messages/s', digits: 0 },
    also: [{ figure: 'cpu', title: 'CPU µs/message', digits: 1 }, { figure: 'p99', title: 'p99 µs', digits: 0 }],
    yardsticks: ['one thread', 'node:net'],
    targets: [{ server: 'two, handed over', limit: 'at least', factor: 1.6, of: 'one thread' }],
  })
}

async function accepting(bench: Bench): Promise<void> {
  const connections = bench.quick ? 4 : 32
  bench.show({
    title: `Connect, one echo of ${SIZE} bytes, close; ${connections} at a time: connections per second`,
    samples: await measure(bench, ['one thread', 'two, handed over', 'two, reusePort', 'node:cluster, two', 'node:net'], ECHO, connections, { renewed: true }),
    main: { figure: 'rate', title: 'connections/s', digits: 0 },
    also: [{ figure: 'cpu', title: 'CPU µs/connection', digits: 1 }, { figure: 'p99', title: 'p99 µs', digits: 0 }],
    yardsticks: ['one thread', 'node:net'],
    targets: [],
  })
}

async function spreading(bench: Bench): Promise<void> {
  const connections = bench.quick ? 10 : 100
  const servers = waysOf(bench, ['two, handed over', 'two, reusePort', 'node:cluster, two'], { ...ECHO, greets: true })
  for (const amid of [false, true]) {
    bench.show({
      title: `${connections} connections that stay, over two threads${amid ? ', where half of all leave at once' : ''}: fewest to most`,
      samples: await inTurn(servers, bench.rounds, server => spread(server, connections, amid), text => bench.progress(`threads, spread: ${text}`)),
      main: { figure: 'evenness', title: 'fewest/most', digits: 2 },
      also: [{ figure: 'fewest', title: 'fewest', digits: 0 }, { figure: 'most', title: 'most', digits: 0 }],
      yardsticks: [],
      targets: [],
    })
  }
}

function measure(bench: Bench, ways: readonly string[], service: Service, connections: number, options: LoadOptions = {}): Promise<Samples> {
  return inTurn(waysOf(bench, ways, service), bench.rounds, server => serve(server, connections, bench.seconds, options), text =>
    bench.progress(`threads: ${text}`))
}

function waysOf(bench: Bench, names: readonly string[], service: Service): readonly Server[] {
  // Elsewhere all connections go to the one that listened last, or there is no such option.
  const there = names.filter(name => name !== 'two, reusePort' || process.platform === 'linux')
  return bench.wanted(there.map(name => {
    const [peer, how] = WAYS[name] as [string, string]
    return { name, command: [process.execPath, script(peer), how, JSON.stringify(service)], told: false, everywhere: true }
  }))
}

/** One measurement of a server, with a load generator for each of its ports. */
async function serve(server: Server, connections: number, seconds: number, options: LoadOptions): Promise<Sample> {
  const { child, port, others } = await startServer(server, SIZE)
  const loads: Load[] = []
  const traffic = (duration: number) => Promise.all(loads.map(load => load.run(duration)))
  try {
    for (const each of [port, ...others]) loads.push(await Load.start(each, connections, SIZE, { ...options, everywhere: true }))
    await traffic(Math.min(seconds, WARM_UP_SECONDS))
    const look = watch(child.pid, loads.map(({ pid }) => pid))
    const reports = await traffic(seconds)
    const messages = reports.reduce((sum, report) => sum + report.messages, 0)
    const { cpu, disturbed } = look()
    return {
      cpu: cpu / messages / 1_000,
      rate: reports.reduce((sum, report) => sum + report.messages / report.seconds, 0),
      p99: Math.max(...reports.map(({ p99 }) => p99)) / 1_000,
      disturbed,
    }
  } finally {
    for (const load of loads) await load.end()
    await child.end()
  }
}

async function move(server: Server, seconds: number): Promise<Sample> {
  const child = await Child.start(server.name, server.command)
  const run = async (duration: number) => {
    child.say(String(duration))
    const report = await child.line<{ moves: number; seconds: number; whole: boolean }>(duration * 1_000 + 10_000)
    if (!report.whole) throw new Error('a connection does not connect its ends any more')
    return report
  }
  try {
    await child.line(20_000)
    await run(Math.min(seconds, WARM_UP_SECONDS))
    const look = watch(child.pid, [])
    const report = await run(seconds)
    const { cpu, disturbed } = look()
    return { rate: report.moves / report.seconds, cpu: cpu / report.moves / 1_000, disturbed }
  } finally {
    await child.end()
  }
}

/** Opens connections one after the other and counts who serves them; `amid` others that leave as soon as they are greeted. */
async function spread(server: Server, connections: number, amid: boolean): Promise<Sample> {
  const { child, port } = await startServer(server, SIZE)
  const open: Socket[] = []
  try {
    const served = new Map<string, number>()
    while (open.length < connections) {
      const [socket, who] = await greeted(port)
      if (amid && Math.random() < 0.5) {
        socket.end()
        await once(socket, 'close')
      } else {
        open.push(socket)
        served.set(who, (served.get(who) ?? 0) + 1)
      }
    }
    const most = Math.max(...served.values())
    const fewest = connections - most
    return { evenness: fewest / most, fewest, most }
  } finally {
    for (const socket of open) socket.destroy()
    await child.end()
  }
}

async function greeted(port: number): Promise<[Socket, string]> {
  const socket = connect(port, '127.0.0.1')
  const [greeting] = (await once(socket, 'data')) as [Buffer]
  return [socket, String(greeting)]
}
