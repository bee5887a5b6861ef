/** The servers that are compared, those of them that this machine has, and how one is run. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, output } from './child.js'
import { inPath, isExecutable, pinned } from './machine.js'

export interface Server {
  name: string
  command: readonly string[]
  /** It is told the length of the messages. */
  told: boolean
  /** It runs on all cores, not on the one of servers: what it does with several is what is measured. */
  everywhere?: boolean
}

export interface Servers {
  present: Server[]
  /** Name and reason of each that is not there. */
  leftOut: string[]
}

/** A server's command, or the reason why there is none. */
type Finding = readonly string[] | string

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The TCP echo servers: peers/ has their sources, each the straightforward one of its kind. */
export async function echoServers(): Promise<Servers> {
  return sorted([
    ['C epoll', await compiled('epoll_echo')],
    ['socket2', [process.execPath, script('socket2_echo')], true],
    ['socket2, 64 KiB', [process.execPath, script('socket2_echo')]],
    ['node:net', [process.execPath, script('net_echo')]],
    ['net for await', [process.execPath, script('net_iterate_echo')]],
    ['Bun', installed('@oven', 'bin/bun', [script('bun_echo')])],
    ['Deno', installed('@deno', 'deno', ['run', '--allow-all', script('deno_echo')])],
  ])
}

export interface RunningServer {
  child: Child
  port: number
  /** Where else it listens. */
  others: readonly number[]
}

/** Starts a server on its core, for messages of `size` bytes; it has printed its port. */
export async function startServer(server: Server, size: number): Promise<RunningServer> {
  const command = server.told ? [...server.command, String(size)] : server.command
  const child = await Child.start(server.name, server.everywhere ? command : pinned('server', command))
  const { port, others = [] } = await child.line<{ port: number; others?: number[] }>(20_000)
  return { child, port, others }
}

function sorted(findings: [name: string, finding: Finding, told?: boolean][]): Servers {
  const servers: Servers = { present: [], leftOut: [] }
  for (const [name, finding, told = false] of findings) {
    if (typeof finding === 'string') servers.leftOut.push(`${name} (${finding})`)
    else servers.present.push({ name, command: finding, told })
  }
  return servers
}

/** The path of a peer. */
export function script(name: string): string {
  return fileURLToPath(new URL(`peers/${name}.js`, import.meta.url))
}

async function compiled(name: string): Promise<Finding> {
  if (process.platform !== 'linux') return 'epoll is Linux only'
  const compiler = process.env['CC'] ?? 'cc'
  if (!inPath(compiler)) return `no C compiler: ${compiler} is not in the PATH`
  const file = fileURLToPath(new URL(`peers/${name}`, import.meta.url))
  await output([compiler, '-O2', '-o', file, join(root, `bench/peers/${name}.c`)], root)
  return [file]
}

/** A runtime that the tests have fetched from npm. The program itself, not the package's launcher: the process measured is the server. */
export function installed(scope: string, path: string, args: readonly string[]): Finding {
  const folder = join(root, '.cache/runtimes/node_modules', scope)
  const file = entries(folder).map(name => join(folder, name, path)).find(isExecutable)
  return file ? [file, ...args] : 'fetched by npm test -- --runtimes binary'
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
