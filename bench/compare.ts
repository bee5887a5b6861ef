/** Measuring servers against each other: in turn, round after round, so that a slow moment of the machine meets them all. */
import type { Server } from './servers.js'

/** The figures of one measurement, by name. */
export type Sample = Record<string, number>
/** What was measured of each server, one sample a round. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

/** What socket2's figure must not pass: so many times that of another server, or a number where there is no other. */
export interface Target {
  /** Whose figure, where there are several of socket2. */
  server?: string
  limit: 'at most' | 'at least'
  factor: number
  of?: string
}

export async function inTurn(
  servers: readonly Server[],
  rounds: number,
  measure: (server: Server) => Promise<Sample>,
  progress: (text: string) => void,
): Promise<Samples> {
  const samples = new Map<string, Sample[]>(servers.map(server => [server.name, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const server of servers) {
      progress(`round ${round} of ${rounds}, ${server.name}`)
      try {
        samples.get(server.name)?.push(await measure(server))
      } catch (cause) {
        throw new Error(`${server.name} in round ${round}: ${cause instanceof Error ? cause.message : cause}`, { cause })
      }
    }
  }
  return samples
}

/** One figure of one server over all rounds. */
export function figures(samples: Samples, server: string, figure: string): number[] {
  return (samples.get(server) ?? []).map(sample => sample[figure] ?? NaN)
}

/** The median of the rounds' ratios, each of two figures taken within seconds; NaN where one of the two is missing. */
export function ratio(samples: Samples, figure: string, server: string, to: string): number {
  const others = figures(samples, to, figure)
  return median(figures(samples, server, figure).map((value, round) => value / (others[round] ?? NaN)))
}

/** Whether socket2 keeps to the target; undefined where that was not measured. */
export function holds(samples: Samples, figure: string, target: Target): boolean | undefined {
  const { server = 'socket2' } = target
  const value = target.of === undefined ? median(figures(samples, server, figure)) : ratio(samples, figure, server, target.of)
  if (Number.isNaN(value)) return undefined
  return target.limit === 'at most' ? value <= target.factor : value >= target.factor
}

export function median(values: readonly number[]): number {
  const ordered = values.toSorted((a, b) => a - b)
  const middle = ordered.length >> 1
  if (ordered.length % 2 === 1) return ordered[middle] ?? NaN
  return ((ordered[middle - 1] ?? NaN) + (ordered[middle] ?? NaN)) / 2
}
