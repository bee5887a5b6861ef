/** The stack on top: HTTP, TLS, proxies, and how many connections come in. */
import { createRequire } from 'node:module'
import { Child } from '../child.js'
import { inTurn, type Sample, type Samples } from '../compare.js'
import { Load, type LoadOptions, type Report } from '../load.js'
import { pinned, watch } from '../machine.js'
import type { Service } from '../peers/service.js'
import type { Bench, Section } from '../section.js'
import { script, startServer, type Server } from '../servers.js'

const { find } = createRequire(import.meta.url)('../../../scripts/servers.cjs') as { find(name: 'nginx'): object | null }

const SIZE = 64
/** Until the server's code is compiled. */
const WARM_UP_SECONDS = 0.6

export const stack: Section = {
  about: 'what stands on sockets: HTTP, TLS, a proxy, connections accepted',
  async run(bench) {
    await http(bench)
    await tls(bench)
    await proxies(bench)
    await accepting(bench)
  },
}

const peer = (name: string, file: string, ...args: readonly string[]): Server =>
  ({ name, command: [process.execPath, script(file), ...args], told: args.length === 0 })

async function http(bench: Bench): Promise<void> {
  const connections = bench.quick ? 5 : 50
  bench.show({
    title: `HTTP hello over ${connections} connections: requests per second of the server's CPU time`,
    samples: await measure(bench, [peer('socket2/http', 'socket2_http'), peer('node:http', 'net_http')], connections, SIZE, { http: true }),
    main: { figure: 'perCpuSecond', title: 'requests/CPU s', digits: 0 },
    also: [{ figure: 'cpu', title: 'CPU µs/request', digits: 1 }, { figure: 'p50', title: 'p50 µs', digits: 0 }, { figure: 'p99', title: 'p99 µs', digits: 0 }],
    yardsticks: ['node:http'],
    targets: [{ server: 'socket2/http', limit: 'at least', factor: 0.9, of: 'node:http' }],
  })
}

async function tls(bench: Bench): Promise<void> {
  const connections = bench.quick ? 5 : 50
  for (const size of [SIZE, 16_384]) {
    const servers = bench.wanted([peer('socket2/tls', 'socket2_tls'), peer('node:tls', 'net_tls')])
    bench.show({
      title: `TLS echo of ${size.toLocaleString('en-US')} bytes over ${connections} connections: messages per second of the server's CPU time`,
      samples: await inTurn(servers, bench.rounds, server => echoSecurely(server, connections, size, bench.seconds), text =>
        bench.progress(`stack, TLS: ${text}`)),
      main: { figure: 'perCpuSecond', title: 'messages/CPU s', digits: 0 },
      also: [{ figure: 'cpu', title: 'CPU µs/message', digits: 1 }],
      yardsticks: ['node:tls'],
      targets: [{ server: 'socket2/tls', limit: 'at least', factor: 0.75, of: 'node:tls' }],
    })
  }
}

async function proxies(bench: Bench): Promise<void> {
  // The load generator's core is nearly full with 50 connections, and less so with more.
  const loads = bench.quick ? [[5, SIZE]] as const : [[50, SIZE], [500, SIZE], [50, 16_384]] as const
  // On the load generator's core: what the server behind costs is nobody's here.
  const behind = await Child.start('the server behind', pinned('load', (bench.echoServers.find(({ name }) => name === 'C epoll') ?? peer('node:net', 'net_echo')).command))
  try {
    const { port } = await behind.line<{ port: number }>(20_000)
    const servers = [peer('socket2', 'socket2_proxy', String(port)), peer('net pipe', 'net_proxy', String(port)), ...nginx(String(port))]
    for (const [connections, size] of loads) {
      bench.show({
        title: `A proxy of TCP, ${connections} connections, ${size.toLocaleString('en-US')} bytes there and back: messages per second of the proxy's CPU time`,
        samples: await measure(bench, servers, connections, size, {}),
        main: { figure: 'perCpuSecond', title: 'messages/CPU s', digits: 0 },
        also: [{ figure: 'cpu', title: 'CPU µs/message', digits: 1 }, { figure: 'rate', title: 'messages/s', digits: 0 }],
        yardsticks: ['net pipe', 'nginx stream'],
        targets: [{ limit: 'at least', factor: 1.5, of: 'net pipe' }],
      })
    }
  } finally {
    await behind.end()
  }
}

/** nginx with its stream module, if the machine has it or the tests have fetched it. */
function nginx(port: string): Server[] {
  const found = find('nginx')
  return found === null ? [] : [peer('nginx stream', 'nginx_proxy', port, JSON.stringify(found))]
}

/** How many connections a server takes: when they wait for it, and when each makes way for the next. */
async function accepting(bench: Bench): Promise<void> {
  // A system has some 28,000 ports to connect from to one server, and who closes first waits for a minute: let that be the server.
  const service: Service = { size: SIZE, rounds: 0, greets: false, once: true }
  const server = (name: string, file: string): Server => peer(name, file, 'one', JSON.stringify(service))
  const servers = [server('socket2', 'socket2_threads'), server('node:net', 'net_threads')]
  // No more than the backlog of a server of Node's holds, 511. On Windows no process can be stopped.
  const burst = bench.quick ? 4 : 400
  if (process.platform !== 'win32') bench.show({
    title: `Accept, one echo of ${SIZE} bytes, close, of ${burst} connections that wait: connections accepted per second`,
    samples: await measure(bench, servers, burst, SIZE, { bursts: true }),
    main: { figure: 'rate', title: 'connections/s', digits: 0 },
    also: [{ figure: 'cpu', title: 'CPU µs/connection', digits: 1 }],
    yardsticks: ['node:net'],
    targets: [{ limit: 'at least', factor: 1.3, of: 'node:net' }],
  })
  // To connect costs as much as to accept. So here it is the load generator whose core is full, and socket2 waits for it.
  const connections = bench.quick ? 4 : 128
  bench.show({
    title: `Connect, one echo of ${SIZE} bytes, close; ${connections} at a time: connections per second`,
    samples: await measure(bench, servers, connections, SIZE, { renewed: true }),
    main: { figure: 'rate', title: 'connections/s', digits: 0 },
    also: [{ figure: 'cpu', title: 'CPU µs/connection', digits: 1 }, { figure: 'p99', title: 'p99 µs', digits: 0 }],
    yardsticks: ['node:net'],
    targets: [],
  })
}

function measure(bench: Bench, servers: readonly Server[], connections: number, size: number, options: LoadOptions): Promise<Samples> {
  return inTurn(bench.wanted(servers), bench.rounds, async server => {
    const { child, port } = await startServer(server, size)
    const start = async (): Promise<Traffic> => {
      const load = await Load.start(port, connections, size, options)
      return options.bursts ? new Bursts(load, child) : load
    }
    return await sample(child, start, bench.seconds)
  }, text => bench.progress(`stack: ${text}`))
}

async function echoSecurely(server: Server, connections: number, size: number, seconds: number): Promise<Sample> {
  const { child, port } = await startServer(server, size)
  return await sample(child, () => TlsLoad.start(port, connections, size), seconds)
}

/** Who makes traffic for a while. */
interface Traffic {
  readonly pid: number
  run(seconds: number): Promise<Pick<Report, 'messages' | 'seconds'> & Partial<Report>>
  end(): Promise<void>
}

/** Connections that all wait before the server sees the first, again and again; the time is what it takes the server. */
class Bursts implements Traffic {
  readonly pid: number

  constructor(private readonly load: Load, private readonly server: Child) {
    this.pid = load.pid
  }

  async run(seconds: number): Promise<Pick<Report, 'messages' | 'seconds'>> {
    const all = { messages: 0, seconds: 0 }
    while (all.seconds < seconds) {
      const burst = await this.load.burst(this.server)
      all.messages += burst.messages
      all.seconds += burst.seconds
    }
    return all
  }

  end(): Promise<void> {
    return this.load.end()
  }
}

class TlsLoad implements Traffic {
  static async start(port: number, connections: number, size: number): Promise<TlsLoad> {
    const command = [process.execPath, script('tls_load'), ...[port, connections, size].map(String)]
    const child = await Child.start('the load generator', pinned('load', command))
    await child.line(30_000)
    return new TlsLoad(child)
  }

  readonly pid: number

  private constructor(private readonly child: Child) {
    this.pid = child.pid
  }

  async run(seconds: number): Promise<Pick<Report, 'messages' | 'seconds'>> {
    this.child.say(String(seconds))
    return await this.child.line(seconds * 1_000 + 10_000)
  }

  end(): Promise<void> {
    return this.child.end()
  }
}

/** What a server does for the traffic it gets; it ends afterwards. */
async function sample(server: Child, start: () => Promise<Traffic>, seconds: number): Promise<Sample> {
  try {
    const load = await start()
    try {
      await load.run(Math.min(2 * seconds, WARM_UP_SECONDS))
      const look = watch(server.pid, [load.pid])
      const { messages, seconds: taken, p50 = NaN, p99 = NaN } = await load.run(seconds)
      const { cpu, disturbed } = look()
      return { cpu: cpu / messages / 1_000, perCpuSecond: messages / cpu * 1e9, rate: messages / taken, p50: p50 / 1_000, p99: p99 / 1_000, disturbed }
    } finally {
      await load.end()
    }
  } finally {
    await server.end()
  }
}
