/** The packages as they are published, for the tests that install them. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { isMusl, type Reason } from './_system.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const { startOf } = await import(pathToFileURL(join(root, 'scripts/npm.mjs')).href) as {
  startOf(command: string, args: readonly string[]): [program: string, args: string[]]
}

/** A tarball, the package.json within, and all of its files. */
export interface Package {
  file: string
  manifest: Manifest
  files: string[]
}

export interface Manifest {
  name: string
  version: string
  os?: string[]
  cpu?: string[]
  libc?: string[]
  scripts?: Record<string, string>
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** Why nothing can be packed or installed here, if so. */
export const npmLacks: Reason = await npmReason()

/** Packs the library and each binding that is built into a folder. */
export async function pack(folder: string): Promise<Package[]> {
  return JSON.parse(lastLine(await output(process.execPath, [join(root, 'scripts/pack.mjs'), '--json', folder]))) as Package[]
}

/** Whether a package is the binding for this system, with any C library or with this one's. */
export function isFor({ os, cpu, libc }: Manifest, anyLibc = false): boolean {
  const ours = isMusl() ? 'musl' : 'glibc'
  return os?.includes(process.platform) === true && cpu?.includes(process.arch) === true && (anyLibc || libc === undefined || libc.includes(ours))
}

/** What a command writes to stdout; all it wrote, when it fails. */
export async function output(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  try {
    return (await promisify(execFile)(...startOf(command, args), { timeout: 110_000, ...options })).stdout
  } catch (error) {
    const { stdout, stderr, killed } = error as { stdout?: string; stderr?: string; killed?: boolean }
    throw new Error(`${[command, ...args].join(' ')} failed\n${stdout ?? ''}${stderr ?? ''}${killed ? 'ETIMEDOUT' : ''}`, { cause: error })
  }
}

/** Whether an error of `output` says that this step of a script has failed because the registry of npm is out of reach. */
export function outOfReach(error: unknown, step: string): boolean {
  return new RegExp(`${step} … failed[^]*\\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT)\\b`).test(String(error))
}

/** Scripts tell their steps first, and their result at the end. */
export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}

/** A module that says hello to itself, over the library imported and required. */
export const echo = `
  import { tcp } from 'socket2'
  import { createRequire } from 'node:module'
  const required = createRequire(import.meta.url)('socket2')
  const server = await tcp().listen('127.0.0.1')
  const client = await required.tcp().connect(server.localAddress)
  const accepted = await server.accept()
  await client.send('hello')
  await accepted.send(await accepted.recv(100))
  console.log(String(await client.recv(100)))
  for (const socket of [server, client, accepted]) socket.close()
`

async function npmReason(): Promise<Reason> {
  try {
    await output('npm', ['--version'])
    // npm runs under the Node of the path, and what it installs is for that one's processor: not ours when a foreign Node is emulated.
    const processor = (await output('node', ['-p', 'process.arch'])).trim()
    return processor !== process.arch && `npm is to be had here for ${processor} only`
  } catch {
    return 'npm is not to be had here'
  }
}
