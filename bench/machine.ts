/** What the system says about processes and cores. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'
import { delimiter, join } from 'node:path'

/** Why there is no CPU time on this system; undefined where there is. */
export const noCpuTime = process.platform === 'linux' ? undefined : `CPU time is read from /proc, which ${process.platform} lacks`

/** Nanoseconds of all threads of a process. */
export interface Time {
  cpu: number
  /** Spent ready to run while something else had the core. */
  waiting: number
}

/** The time a process has had so far; exact while it sleeps, because it is charged when it leaves the CPU. */
export function timeOf(pid: number): Time | undefined {
  if (noCpuTime) return undefined
  const time: Time = { cpu: 0, waiting: 0 }
  try {
    for (const id of readdirSync(`/proc/${pid}/task`)) {
      const [cpu, waiting] = read(`/proc/${pid}/task/${id}/schedstat`).split(' ').map(Number)
      time.cpu += cpu ?? NaN
      time.waiting += waiting ?? NaN
    }
  } catch {
    // A kernel built without scheduler statistics counts in hundredths of a second, and knows nothing of waiting.
    const fields = read(`/proc/${pid}/stat`).replace(/^.*\) /s, '').split(' ')
    time.cpu = (Number(fields[11]) + Number(fields[12])) * 10_000_000
  }
  return time
}

/** The same of a process and of all that it has started. */
export function timeOfAll(pid: number): Time | undefined {
  const time = timeOf(pid)
  if (time === undefined) return undefined
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    for (const child of read(`/proc/${pid}/task/${id}/children`).match(/\d+/g) ?? []) {
      const { cpu, waiting } = timeOfAll(Number(child)) as Time
      time.cpu += cpu
      time.waiting += waiting
    }
  }
  return time
}

/** Nanoseconds that all processes together have had so far, and that all cores have been there; in hundredths of a second. */
export function timeOfMachine(): { used: number; there: number } | undefined {
  if (noCpuTime) return undefined
  const [user = NaN, nice = NaN, system = NaN, idle = NaN, wait = NaN, irq = NaN, softIrq = NaN, stolen = NaN] =
    /^cpu +(.*)$/m.exec(read('/proc/stat'))?.[1]?.split(' ').map(time => Number(time) * 1e7) ?? []
  // Interrupts are the work of who had the core, or of the network that everybody here uses.
  const used = user + nice + system + stolen
  return { used, there: used + idle + wait + irq + softIrq }
}

/**
 * Looks at the clocks; when called again, says how much CPU time the server has had since, and which part of the machine's time
 * neither it nor the load generators have used.
 */
export function watch(server: number, loads: readonly number[]): () => { cpu: number; disturbed: number } {
  const look = () => {
    const [cpu = NaN, ...others] = [server, ...loads].map(pid => timeOfAll(pid)?.cpu ?? NaN)
    const { used, there } = timeOfMachine() ?? { used: NaN, there: NaN }
    return { cpu, foreign: used - cpu - others.reduce((sum, time) => sum + time, 0), there }
  }
  const before = look()
  return () => {
    const after = look()
    return { cpu: after.cpu - before.cpu, disturbed: Math.max(0, (after.foreign - before.foreign) / (after.there - before.there)) }
  }
}

/** Bytes of memory a process has resident. */
export function resident(pid: number): number {
  if (process.platform === 'linux') {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]) * 1024
  }
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024
}

/**
 * The command that runs `command` on the server's or on the load generator's core, where there are two and `taskset`:
 * the first and the last of those allowed, which are not two threads of one core unless there are no others.
 */
export function pinned(role: 'server' | 'load', command: readonly string[]): readonly string[] {
  if (!cores) return command
  return ['taskset', '-c', String(role === 'server' ? cores.server : cores.load), ...command]
}

/** The command that runs `command` as one that lets everybody else go first, where there is `chrt`. */
export function afterOthers(command: readonly string[]): readonly string[] {
  return process.platform === 'linux' && inPath('chrt') ? ['chrt', '--idle', '0', ...command] : command
}

const cores = findCores()

function findCores(): { server: number; load: number } | undefined {
  if (process.platform !== 'linux' || !inPath('taskset')) return undefined
  const allowed = /^Cpus_allowed_list:\s+(.*)$/m.exec(read('/proc/self/status'))?.[1]?.match(/\d+/g)?.map(Number) ?? []
  const [server, load] = [allowed[0], allowed.at(-1)]
  return server === undefined || load === undefined || server === load ? undefined : { server, load }
}

export function inPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some(folder => isExecutable(join(folder, name)))
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** One line for the head of the table: figures without their machine say little. */
export function description(): string {
  const where = cores ? `servers on core ${cores.server}, load on core ${cores.load}` : 'not pinned to cores'
  return `${process.platform} ${release()}, ${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, Node ${process.version}; ${where}`
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}
