/** What connections cost on which nothing happens. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sample, Samples } from '../compare.js'
import { Load } from '../load.js'
import { resident, timeOf } from '../machine.js'
import type { Bench, Section } from '../section.js'
import { startServer, type Server } from '../servers.js'

/** Less than this in two seconds is what a timer of the runtime takes, not a loop that runs. */
const NO_CPU_MS = 1

export const idle: Section = {
  about: 'idle connections: CPU time and memory',
  async run(bench) {
    const connections = bench.quick ? 100 : 1_000
    const watch = bench.quick ? 0.2 : 2
    const samples = await measure(bench, connections, watch)
    const many = connections.toLocaleString('en-US')
    bench.show({
      title: `${many} idle TCP connections: CPU time over ${watch} s`,
      samples,
      main: { figure: 'cpu', title: 'ms', digits: 3 },
      targets: [{ limit: 'at most', factor: NO_CPU_MS }],
    })
    bench.show({
      title: `${many} idle TCP connections: memory of one more (resident)`,
      samples,
      main: { figure: 'memory', title: 'KB', digits: 1 },
      targets: [],
    })
  },
}

/** Side by side, all at once: they do nothing that the others could feel. */
async function measure(bench: Bench, connections: number, watch: number): Promise<Samples> {
  const samples = new Map<string, Sample[]>(bench.echoServers.map(server => [server.name, []]))
  const rounds = Math.min(bench.rounds, 3)
  for (let round = 1; round <= rounds; round++) {
    bench.progress(`idle: round ${round} of ${rounds}`)
    await Promise.all(bench.echoServers.map(async server => {
      samples.get(server.name)?.push(await watchIdle(server, connections, watch))
    }))
  }
  return samples
}

async function watchIdle(server: Server, connections: number, seconds: number): Promise<Sample> {
  const { child, port } = await startServer(server, 64)
  const loads: Load[] = []
  try {
    // The first connections warm the server up; what the second ones add is theirs alone.
    loads.push(await Load.start(port, connections, 64))
    const few = resident(child.pid)
    loads.push(await Load.start(port, connections, 64))
    const memory = (resident(child.pid) - few) / connections / 1_000
    await sleep(1_000) // a runtime tidies up for a while after work
    const before = timeOf(child.pid)
    await sleep(seconds * 1_000)
    const after = timeOf(child.pid)
    return { memory, cpu: before && after ? (after.cpu - before.cpu) / 1e6 : NaN }
  } finally {
    for (const load of loads) await load.end()
    await child.end()
  }
}
