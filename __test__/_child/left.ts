/** What a process has, once nobody holds anything any more; heap and memory in MB. It takes `--expose-gc`. */
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { loop } from 'socket2'

export async function left(): Promise<{ descriptors: number; sockets: number; heap: number; rss: number }> {
  for (let i = 0; i < 5; i++) {
    ;(globalThis as unknown as { gc(): void }).gc()
    await delay(5)
  }
  const { heapUsed, rss } = process.memoryUsage()
  const descriptors = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
  return { descriptors, sockets: [...loop.sockets].length, heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 }
}
