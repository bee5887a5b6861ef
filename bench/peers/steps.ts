/** What the peers of the section `udp` have in common. */
import { createInterface } from 'node:readline'

/** What every receiver has the system keep for it, where it may. */
export const RECEIVE_BUFFER = 1 << 20

/** How often a sender looks at the clock: after so many datagrams. */
export const LOOK = 64

/** Counts what comes, and says when a step of the flooding sender's is complete and to be answered. */
export function steps(length: number): (count: number) => boolean {
  let missing = length
  return count => {
    missing -= count
    if (missing > 0) return false
    missing += length
    return true
  }
}

/** For each line on stdin, a number of seconds, sends for so long and prints how many datagrams that were. */
export async function sendFor(some: () => Promise<number>): Promise<void> {
  console.log('{}')
  for await (const line of createInterface(process.stdin)) {
    const since = performance.now()
    const until = since + Number(line) * 1_000
    let messages = 0
    while (performance.now() < until) messages += await some()
    console.log(JSON.stringify({ messages, seconds: (performance.now() - since) / 1_000 }))
  }
  process.exit()
}
