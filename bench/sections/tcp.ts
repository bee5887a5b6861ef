/** TCP echo: the cost of a small message, the throughput of large ones, and the latency of one connection. */
import { inTurn, type Sample, type Samples } from '../compare.js'
import { Load } from '../load.js'
import { timeOf } from '../machine.js'
import type { Bench, Section } from '../section.js'
import { startServer, type Server } from '../servers.js'

const SMALL = 64
const LARGE = 65_536
/** Enough for both ends to be busy all the time; the number itself is chosen by feel. */
const LARGE_CONNECTIONS = 16
/** Until the server's code is compiled and its buffers have grown. */
const WARM_UP_SECONDS = 0.3

/** Those the targets are about; the others are measured only for the cost of a message, to keep the run short. */
const MAIN = ['C epoll', 'socket2', 'node:net']

export const tcp: Section = {
  about: 'TCP echo: CPU time per message, throughput, latency',
  async run(bench) {
    for (const connections of [50, bench.quick ? 100 : 1_000]) {
      bench.show({
        title: `TCP echo of ${SMALL} bytes over ${connections.toLocaleString('en-US')} connections: the server's CPU time per message`,
        samples: await measure(bench, bench.echoServers, connections, SMALL),
        main: { figure: 'cpu', title: 'µs', digits: 2 },
        also: [{ figure: 'rate', title: 'messages/s', digits: 0 }],
        targets: [
          { limit: 'at most', factor: connections === 50 ? 1.2 : 1.6, of: 'C epoll' },
          { limit: 'at most', factor: 0.75, of: 'node:net' },
        ],
      })
    }
    const main = bench.echoServers.filter(server => MAIN.includes(server.name))
    bench.show({
      title: `TCP echo of 64 KiB over ${LARGE_CONNECTIONS} connections: throughput each way (${often(bench).rounds} × ${often(bench).seconds} s)`,
      samples: await measure(often(bench), main, LARGE_CONNECTIONS, LARGE),
      main: { figure: 'throughput', title: 'MB/s', digits: 0 },
      also: [{ figure: 'cpu', title: 'CPU µs/message', digits: 1 }],
      targets: [{ limit: 'at least', factor: 2.5, of: 'node:net' }],
    })
    bench.show({
      title: `TCP ping-pong of ${SMALL} bytes over one connection: latency there and back`,
      samples: await measure(bench, main, 1, SMALL),
      main: { figure: 'p50', title: 'p50 µs', digits: 1 },
      also: [{ figure: 'p99', title: 'p99 µs', digits: 1 }, { figure: 'cpu', title: 'CPU µs/message', digits: 2 }],
      targets: [{ limit: 'at most', factor: 1, of: 'node:net' }],
    })
  },
}

/** Memory's speed changes with what the neighbours of a virtual machine do, within seconds: shorter rounds, and more of them. */
function often(bench: Bench): Bench {
  return bench.quick ? bench : { ...bench, seconds: bench.seconds / 2, rounds: bench.rounds * 2 }
}

function measure(bench: Bench, servers: readonly Server[], connections: number, size: number): Promise<Samples> {
  const what = `${size} bytes, ${connections} connections`
  return inTurn(servers, bench.rounds, server => echo(server, connections, size, bench.seconds), text =>
    bench.progress(`tcp, ${what}: ${text}`))
}

/** One server, started for this one measurement: what earlier ones left in its heap and its caches cannot matter. */
async function echo(server: Server, connections: number, size: number, seconds: number): Promise<Sample> {
  const { child, port } = await startServer(server, size)
  try {
    const load = await Load.start(port, connections, size)
    try {
      await load.run(Math.min(seconds, WARM_UP_SECONDS))
      const before = timesOf(child.pid, load.pid)
      const report = await load.run(seconds)
      const after = timesOf(child.pid, load.pid)
      return {
        cpu: (after.server - before.server) / report.messages / 1_000,
        disturbed: (after.waiting - before.waiting) / 1e9 / report.seconds,
        rate: report.messages / report.seconds,
        throughput: report.bytes / report.seconds / 1e6,
        p50: report.p50 / 1_000,
        p99: report.p99 / 1_000,
      }
    } finally {
      await load.end()
    }
  } finally {
    await child.end()
  }
}

/** The server's CPU time, and how long it and the load generator have waited for a core. */
function timesOf(serverId: number, loadId: number): { server: number; waiting: number } {
  const [server, load] = [timeOf(serverId), timeOf(loadId)]
  return server && load ? { server: server.cpu, waiting: server.waiting + load.waiting } : { server: NaN, waiting: NaN }
}
