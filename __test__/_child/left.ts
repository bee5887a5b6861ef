/** What waves of connections leave behind in their process, once nobody holds anything any more. It takes `--expose-gc`. */
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { loop } from 'socket2'

/** How many, and heap and memory in MB. */
interface Belongings {
  descriptors: number
  sockets: number
  heap: number
  rss: number
}

/** What a process has more after so many waves than before. */
export async function leftBy(waves: number, wave: () => Promise<void>): Promise<Belongings> {
  await wave() // what is made once, and grows to its size, is there from now on
  await wave()
  const before = await belongings()
  for (let i = 0; i < waves; i++) await wave()
  const after = await belongings()
  return {
    descriptors: after.descriptors - before.descriptors,
    sockets: after.sockets - before.sockets,
    heap: after.heap - before.heap,
    rss: after.rss - before.rss
  }
}

async function belongings(): Promise<Belongings> {
  for (let i = 0; i < 5; i++) {
    ;(globalThis as unknown as { gc(): void }).gc()
    await delay(5)
  }
  const { heapUsed, rss } = process.memoryUsage()
  const descriptors = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
  return { descriptors, sockets: [...loop.sockets].length, heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 }
}
