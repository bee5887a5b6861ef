/** Work for the processor, as much in one server as in another: by rounds, since a clock would also count what others had of the core. */
import { runInNewContext } from 'node:vm'

/**
 * In a context of its own, whose functions are not compiled into those that call them: within an async function V8 makes this loop half
 * as slow again, and the bench would measure that. The result is kept, so that no compiler finds that nobody wants it.
 */
export const work = runInNewContext(`
  let result = 1;
  (rounds) => {
    let x = result
    for (let round = 0; round < rounds; round++) {
      x ^= x << 13
      x ^= x >>> 17
      x ^= x << 5
    }
    result = x
  }
`) as (rounds: number) => void

/** How many rounds take so many microseconds when nothing disturbs: by the fastest of many tries. */
export function roundsIn(microseconds: number): number {
  const rounds = 100_000
  let fastest = Infinity
  for (let attempt = 0; attempt < 100; attempt++) {
    const since = performance.now()
    work(rounds)
    fastest = Math.min(fastest, performance.now() - since)
  }
  return Math.round(rounds * microseconds / 1_000 / fastest)
}
