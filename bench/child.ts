/**
 * The bench's child processes. Each speaks in lines of JSON on stdout and ends when its stdin does, so even a bench that
 * was killed leaves nobody behind; one that goes down in the ordinary ways ends its children itself, by their ids.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

interface Killable {
  kill(signal: NodeJS.Signals): boolean
}

const running = new Set<Killable>()
/** They hear of no signal before they go on. */
const paused = new Set<Killable>()

process.on('exit', () => {
  // One that has started others can end them then.
  for (const child of running) {
    child.kill('SIGTERM')
    if (paused.has(child)) child.kill('SIGCONT')
  }
})
for (const [signal, number] of [['SIGHUP', 1], ['SIGINT', 2], ['SIGTERM', 15]] as const) {
  process.once(signal, () => process.exit(128 + number))
}

export class Child {
  readonly name: string
  readonly pid: number
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  readonly #ended: Promise<unknown>

  static async start(name: string, command: readonly string[]): Promise<Child> {
    const [file = '', ...args] = command
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    running.add(child)
    child.once('exit', () => running.delete(child))
    child.stdin.on('error', () => {}) // a child that is gone shows in its output, with its status
    try {
      await once(child, 'spawn')
    } catch (error) {
      running.delete(child)
      throw error
    }
    return new Child(name, child)
  }

  private constructor(name: string, child: ChildProcessByStdio<Writable, Readable, null>) {
    this.name = name
    this.pid = child.pid ?? -1
    this.#process = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.#ended = once(child, 'exit')
  }

  /** The next line, which the caller knows to be a T; rejects when the child ended or stays silent for so many ms. */
  async line<T>(patience: number): Promise<T> {
    const { done, value } = await within(this.#lines.next(), patience, `${this.name} said nothing`)
    if (!done) return JSON.parse(value) as T
    await within(this.#ended, patience, `${this.name} closed its output and went on`)
    throw new Error(`${this.name} ended with ${this.#process.signalCode ?? `status ${this.#process.exitCode}`}`)
  }

  say(line: string): void {
    this.#process.stdin.write(`${line}\n`)
  }

  /** Stops it in what it does, until `resume`. Not on Windows. */
  pause(): void {
    paused.add(this.#process)
    this.#process.kill('SIGSTOP')
  }

  resume(): void {
    this.#process.kill('SIGCONT')
    paused.delete(this.#process)
  }

  /** Asks the child to end and waits for it; one that does not is ended, and that is an error. */
  async end(): Promise<void> {
    this.#process.stdin.end()
    try {
      await within(this.#ended, 5_000, `${this.name}, asked to end, went on`)
    } finally {
      this.#process.kill('SIGKILL')
    }
  }
}

/** Runs a command to its end and resolves to its output; what it says on stderr is passed on. */
export async function output(command: readonly string[], cwd: string): Promise<string> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  try {
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    const [status] = await once(child, 'close')
    if (status !== 0) throw new Error(`${command.join(' ')} ended with status ${status}`)
    return Buffer.concat(chunks).toString()
  } finally {
    running.delete(child)
  }
}

async function within<T>(promise: Promise<T>, milliseconds: number, complaint: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${complaint} for ${milliseconds / 1_000} s`)), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
