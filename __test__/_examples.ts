/** The examples, run as their users run them: as processes, with what they say line by line. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { Address } from 'socket2'

/** How an example ended, and what it said. */
export interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

/** Starts an example; the end of the test ends it. `aloud`: what it complains of is shown. `talking`: it gets what is written to its `stdin`. */
export function example(t: ExecutionContext, name: string, args: readonly string[] = [], { aloud = true, talking = false } = {}) {
  const script = fileURLToPath(new URL(`../examples/${name}.js`, import.meta.url))
  const child = spawn(process.execPath, [script, ...args], { stdio: [talking ? 'pipe' : 'ignore', 'pipe', 'pipe'] })
  if (aloud) child.stderr!.pipe(process.stderr)
  t.teardown(() => child.kill('SIGKILL'))
  return child as typeof child & { stdout: NonNullable<typeof child.stdout>; stderr: NonNullable<typeof child.stderr> }
}

/** Starts an example, and hears it line by line. */
export function talk(t: ExecutionContext, name: string, args: readonly string[] = [], options: { aloud?: boolean; talking?: boolean } = {}) {
  const child = example(t, name, args, options)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const closed = once(child, 'close')
  const line = async (): Promise<string | undefined> => (await lines.next()).value as string | undefined
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  return {
    child,
    line,
    complaints: () => complaints,
    /** Asks it for something by a signal. Not by `child.kill`, after which Deno takes a child for gone. */
    signal: (name: NodeJS.Signals) => process.kill(child.pid!, name),
    /** The next line that is like this; those before it are passed over. */
    async lineLike(pattern: RegExp): Promise<string> {
      const passed: string[] = []
      for (let said; (said = await line()) !== undefined; passed.push(said)) if (pattern.test(said)) return said
      throw new Error(`${name} ended without a line like ${pattern}; it said:\n${passed.join('\n')}\n${complaints}`)
    },
    /** What it says until it has ended. */
    async rest(): Promise<string> {
      const said: string[] = []
      for (let next; (next = await line()) !== undefined;) said.push(next)
      await closed
      return said.join('\n')
    }
  }
}

/** The address that a line ends with, or has before its comma. */
export function addressIn(line: string): Address {
  return Address.parse(/(?:\d+\.\d+\.\d+\.\d+|\[[^\]]+\]):\d+|unix:\S+/.exec(line)?.[0] ?? line)
}

/** Runs an example to its end. */
export async function ended(t: ExecutionContext, name: string, ...args: string[]): Promise<Ended> {
  const child = example(t, name, args, { aloud: false })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, stdout, stderr }
}

/** A folder of the test's own. */
export function freshFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(`${tmpdir()}/s2-`)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
