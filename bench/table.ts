/** The table of one comparison: servers down, median, spread and ratios across, and below it what was asked of socket2. */
import { figures, holds, median, ratio, type Samples, type Target } from './compare.js'

export interface Column {
  /** Which figure of the samples. */
  figure: string
  title: string
  digits: number
}

export interface Comparison {
  title: string
  samples: Samples
  /** The figure compared; its median, spread and ratios are shown, and the targets are about it. */
  main: Column
  /** Figures of which only the median is shown. */
  also?: readonly Column[]
  /** The servers that the others are set against, where they are not those of all. */
  yardsticks?: readonly string[]
  targets: readonly Target[]
}

/** The servers that the others are set against. */
const YARDSTICKS = ['C epoll', 'node:net']

/** The threads of one runtime wait for each other too: Node's, collecting garbage, for up to 0.16 of the time. */
const CALM = 0.25

export function table(comparison: Comparison, judged: boolean): string {
  const { samples, main, also = [] } = comparison
  const yardsticks = (comparison.yardsticks ?? YARDSTICKS).filter(name => samples.has(name))
  const head = ['', main.title, 'min–max', ...yardsticks.map(name => `× ${name}`), ...also.map(column => column.title)]
  const rows = [...samples.keys()].map(server => {
    const values = figures(samples, server, main.figure)
    return [
      server,
      number(median(values), main.digits),
      `${number(Math.min(...values), main.digits)}–${number(Math.max(...values), main.digits)}`,
      ...yardsticks.map(name => number(ratio(samples, main.figure, server, name), 2)),
      ...also.map(column => number(median(figures(samples, server, column.figure)), column.digits)),
    ]
  })
  const verdicts = judged ? comparison.targets.map(target => verdict(comparison, target)) : []
  return ['', comparison.title, ...aligned([head, ...rows]), ...verdicts, ...warning(samples)].join('\n')
}

/**
 * Says when other work had the cores: a server that is interrupted finds its caches cold, and one that touches more memory
 * loses more. Samples may say as `disturbed` which part of the time that was.
 */
function warning(samples: Samples): string[] {
  const parts = [...samples.keys()].flatMap(server => figures(samples, server, 'disturbed'))
  const disturbed = parts.filter(part => part > CALM)
  if (disturbed.length === 0) return []
  const worst = Math.round(Math.max(...disturbed) * 100)
  return [`  busy machine: ${disturbed.length} of ${parts.length} measurements were disturbed, up to ${worst} % of the time; judge on a calm one`]
}

function verdict({ samples, main }: Comparison, target: Target): string {
  const word = { true: 'ok', false: 'short', undefined: 'not measured' }[String(holds(samples, main.figure, target))]
  const asked = target.of === undefined ? `${target.factor.toLocaleString('en-US')} ${main.title}` : `${target.factor.toFixed(2)} × ${target.of}`
  return `  ${target.server ?? 'socket2'} ${target.limit} ${asked}: ${word}`
}

function number(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '–'
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function aligned(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map(row => row[index]?.length ?? 0)))
  return rows.map(row => {
    const cells = row.map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
    return `  ${cells.join('  ')}`.trimEnd()
  })
}
