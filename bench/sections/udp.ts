/** UDP: the cost of receiving and sending a datagram, alone and by many, and the latency of one. */
import { Child } from '../child.js'
import { inTurn, type Sample } from '../compare.js'
import { program, type Report } from '../load.js'
import { afterOthers, pinned, watch } from '../machine.js'
import type { Bench, Section } from '../section.js'
import { installed, script, startServer, type Server } from '../servers.js'

/** How a sender floods: so many bytes, so many datagrams with one call; each `step` is answered, and at most `window` are not yet. */
interface Flood {
  size: number
  atOnce: number
  step: number
  window: number
  segments: boolean
}

// The windows fit three quarters of a receive buffer of Linux, which may count the last quarter as taken for a while after it was read.
/** 212,992 bytes are what a socket has by itself; such a datagram counts 832. */
const SMALL: Flood = { size: 100, atOnce: 64, step: 128, window: 192, segments: false }
/** Twice as many are what it may ask for; a datagram counts 2,032, when it is handed over by itself. */
const LARGE: Flood = { size: 1_200, atOnce: 51, step: 102, window: 153, segments: true }

/** Until the code is compiled; the sender has half of this time. */
const WARM_UP_SECONDS = 0.6

export const udp: Section = {
  about: 'UDP: CPU time per datagram received and sent, latency',
  async run(bench) {
    await receiving(bench)
    await receivingBundles(bench)
    await sending(bench)
    await pingPong(bench)
  },
}

async function receiving(bench: Bench): Promise<void> {
  const servers = [socket2('recvMany'), socket2('recvMany into'), socket2('recv'), socket2('iterate'), dgram('receive'), ...bun('receive')]
  bench.show({
    title: `UDP, a flood of ${SMALL.size} bytes: the receiver's CPU time per datagram`,
    samples: await compare(bench, servers, server => receive(server, SMALL, bench.seconds)),
    main: { figure: 'cpu', title: 'µs', digits: 2 },
    yardsticks: ['node:dgram'],
    targets: [{ server: 'recvMany', limit: 'at most', factor: 1 / 1.8, of: 'node:dgram' }],
  })
}

async function receivingBundles(bench: Bench): Promise<void> {
  bench.show({
    title: `UDP, a flood of ${LARGE.size.toLocaleString('en-US')} bytes, sent ${LARGE.atOnce} as one (GSO): the receiver's CPU time per datagram`,
    samples: await compare(bench, [socket2('recvMany'), socket2('recvMany into'), dgram('receive')], server => receive(server, LARGE, bench.seconds)),
    main: { figure: 'cpu', title: 'µs', digits: 2 },
    yardsticks: ['node:dgram'],
    targets: [{ server: 'recvMany', limit: 'at most', factor: 1 / 8, of: 'node:dgram' }],
  })
}

async function sending(bench: Bench): Promise<void> {
  const servers = [socket2('sendSegments'), socket2('sendMany'), socket2('send'), dgram('send'), ...bun('sendMany')]
  bench.show({
    title: `UDP, sending ${LARGE.size.toLocaleString('en-US')} bytes as fast as it goes: datagrams per second`,
    samples: await compare(bench, servers, server => send(server, bench.seconds)),
    main: { figure: 'rate', title: 'datagrams/s', digits: 0 },
    also: [{ figure: 'cpu', title: 'CPU µs/datagram', digits: 2 }],
    yardsticks: ['node:dgram'],
    targets: [{ server: 'sendSegments', limit: 'at least', factor: 5, of: 'node:dgram' }],
  })
}

async function pingPong(bench: Bench): Promise<void> {
  const servers = [socket2('echo', 'recv'), dgram('echo'), ...bun('echo')]
  bench.show({
    title: `UDP ping-pong of ${SMALL.size} bytes: latency there and back`,
    samples: await compare(bench, servers, server => echo(server, bench.seconds)),
    main: { figure: 'p50', title: 'p50 µs', digits: 1 },
    also: [{ figure: 'p99', title: 'p99 µs', digits: 1 }, { figure: 'cpu', title: 'CPU µs/message', digits: 2 }],
    yardsticks: ['node:dgram'],
    targets: [{ server: 'recv', limit: 'at most', factor: 1, of: 'node:dgram' }],
  })
}

function socket2(how: string, name = how): Server {
  return { name, command: [process.execPath, script('socket2_datagrams'), how], told: true }
}

function dgram(how: string): Server {
  return { name: 'node:dgram', command: [process.execPath, script('dgram_datagrams'), how], told: true }
}

function bun(how: string): readonly Server[] {
  const command = installed('@oven', 'bin/bun', [script('bun_datagrams'), how])
  return typeof command === 'string' ? [] : [{ name: 'Bun', command, told: true }]
}

function compare(bench: Bench, servers: readonly Server[], measure: (server: Server) => Promise<Sample>) {
  return inTurn(bench.wanted(servers), bench.rounds, measure, text => bench.progress(`udp: ${text}`))
}

/**
 * The sender shares the receiver's core, and goes first: on a core of its own it is no faster than the fastest receivers, which find
 * the datagrams one by one then, and the figure is how they wait. So the window is full whenever the receiver has its turn.
 */
async function receive(server: Server, { size, atOnce, step, window, segments }: Flood, seconds: number): Promise<Sample> {
  const { child, port } = await startServer({ ...server, command: afterOthers(server.command) }, step)
  const numbers = [size, atOnce, step, window].map(String)
  const start = () => other('server', 'flood', `127.0.0.1:${port}`, ...numbers, ...(segments ? ['segments'] : []))
  return await measured(child, start, seconds)
}

async function echo(server: Server, seconds: number): Promise<Sample> {
  const { child, port } = await startServer(server, 0)
  return await measured(child, () => other('load', 'ping', `127.0.0.1:${port}`, String(SMALL.size)), seconds)
}

/** What `child` does for what the other end, which is in charge, reports. */
async function measured(child: Child, start: () => Promise<Child>, seconds: number): Promise<Sample> {
  try {
    const load = await start()
    try {
      await load.line(20_000)
      return await sample(child, load, load, seconds)
    } finally {
      await load.end()
    }
  } finally {
    await child.end()
  }
}

/** The sender is in charge. What it sends is received and thrown away, for all alike: nothing is dropped as long as that keeps up. */
async function send(server: Server, seconds: number): Promise<Sample> {
  const sink = await other('load', 'sink')
  try {
    const { port } = await sink.line<{ port: number }>(20_000)
    const child = await Child.start(server.name, pinned('server', [...server.command, String(port)]))
    try {
      await child.line(20_000)
      return await sample(child, sink, child, seconds)
    } finally {
      await child.end()
    }
  } finally {
    await sink.end()
  }
}

/** A process of the load generator's, crates/core/examples/datagrams.rs: its header has what it does. */
async function other(core: 'server' | 'load', ...role: readonly string[]): Promise<Child> {
  return await Child.start('the other end', pinned(core, [await program('datagrams'), ...role]))
}

/** Lets who is in charge make traffic, twice; the second time counts. */
async function sample(measured: Child, load: Child, inCharge: Child, seconds: number): Promise<Sample> {
  const traffic = async (duration: number) => {
    inCharge.say(String(duration))
    return await inCharge.line<Omit<Report, 'bytes'>>(duration * 1_000 + 10_000)
  }
  await traffic(Math.min(2 * seconds, WARM_UP_SECONDS))
  const look = watch(measured.pid, [load.pid])
  const { messages, seconds: taken, p50, p99 } = await traffic(seconds)
  const { cpu, disturbed } = look()
  return { cpu: cpu / messages / 1_000, disturbed, rate: messages / taken, p50: p50 / 1_000, p99: p99 / 1_000 }
}
