/** `npm run bench [-- section … --seconds n --rounds n --quick]`: socket2 beside its peers; docs/benchmarks.md says how. */
import { parseArgs } from 'node:util'
import { description, noCpuTime } from './machine.js'
import type { Bench, Section } from './section.js'
import { idle } from './sections/idle.js'
import { stack } from './sections/stack.js'
import { tcp } from './sections/tcp.js'
import { threads } from './sections/threads.js'
import { udp } from './sections/udp.js'
import { echoServers, type Server } from './servers.js'
import { table } from './table.js'

const sections: Record<string, Section> = { tcp, udp, idle, threads, stack }

const usage = `npm run bench [-- section … options]

sections (all, unless named):
${Object.entries(sections).map(([name, section]) => `  ${name.padEnd(9)} ${section.about}`).join('\n')}

options:
  --seconds n   length of one measurement (0.5)
  --rounds n    how often each is taken (7); the median counts
  --only name   only servers whose names contain this; may be repeated
  --quick       see that everything runs; the figures mean nothing`

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  const chosen = positionals.length > 0 ? positionals : Object.keys(sections)
  const unknown = chosen.find(name => !(name in sections))
  const seconds = Number(values.seconds ?? (values.quick ? 0.1 : 0.5))
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 7))
  if (unknown !== undefined || !(seconds > 0 && seconds <= 60) || !(Number.isInteger(rounds) && rounds > 0)) {
    console.error(unknown === undefined ? usage : `bench: there is no section ${unknown}\n\n${usage}`)
    return 2
  }

  const { present, leftOut } = await echoServers()
  const wanted = (servers: readonly Server[]): readonly Server[] =>
    servers.filter(({ name }) => values.only.length === 0 || values.only.some(part => name.includes(part)))
  let shown = 0
  const bench: Bench = {
    seconds,
    rounds,
    quick: values.quick,
    echoServers: wanted(present),
    wanted,
    progress,
    show: comparison => {
      progress('')
      if (comparison.samples.size === 0) return
      shown++
      console.log(table(comparison, !values.quick))
    },
  }
  console.log(description())
  console.log(`Medians of ${rounds} × ${seconds} s; ratios are medians of the rounds' ratios.`)
  if (noCpuTime) console.log(noCpuTime)
  if (leftOut.length > 0) console.log(`Left out: ${leftOut.join(', ')}`)
  for (const name of chosen) await sections[name]?.run(bench)
  if (shown === 0) throw new Error(`no server is left; there are ${present.map(({ name }) => name).join(', ')}, and those of udp and threads`)
  if (values.quick) console.log('\nA quick run: everything works; the figures mean nothing.')
  return 0
}

/** Says on a terminal what is being done; the next line printed replaces it. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
