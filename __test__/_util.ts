/** What the tests share: sockets that the end of the test closes, children that the end of the test ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { pair, seqpacket, start, stop, tcp, type Family, type SeqpacketSocket, type Socket, type TcpSocket } from 'socket2'

/** Closes a socket when the test ends, however it ends. */
export function closing<T extends Socket>(t: ExecutionContext, socket: T): T {
  t.teardown(() => socket.close())
  return socket
}

/** Where a socket of this family is bound in a test: loopback and any free port, or a fresh path. */
export function loopback(t: ExecutionContext, family: Family): [host: string, port: number] {
  if (family === 'inet') return ['127.0.0.1', 0]
  if (family === 'inet6') return ['::1', 0]
  return [`unix:${freshPath(t)}`, 0]
}

/** A path that nothing is at. */
export function freshPath(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 's2-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'socket')
}

/** A TCP (or unix stream) listener. */
export async function listener(t: ExecutionContext, family: Family = 'inet'): Promise<TcpSocket> {
  return await closing(t, tcp(family)).listen(...loopback(t, family))
}

/** A listener, and both ends of a connection to it. */
export async function connectedPair(t: ExecutionContext, family: Family = 'inet'): Promise<{ server: TcpSocket; client: TcpSocket; peer: TcpSocket }> {
  const server = await listener(t, family)
  const accepting = server.accept()
  const client = closing(t, tcp(family))
  const { localAddress } = server
  if (localAddress === null) throw new Error('a listener has an address')
  await client.connect(localAddress)
  return { server, client, peer: closing(t, await accepting) }
}

/** Both ends of a seqpacket connection. */
export async function seqpacketPair(t: ExecutionContext): Promise<{ client: SeqpacketSocket; peer: SeqpacketSocket }> {
  const server = await closing(t, seqpacket()).listen(...loopback(t, 'unix'))
  const accepting = server.accept()
  const { localAddress } = server
  if (localAddress === null) throw new Error('a listener has an address')
  const client = await closing(t, seqpacket()).connect(localAddress)
  return { client, peer: closing(t, await accepting) }
}

/** Two connected unix streams. */
export function streams(t: ExecutionContext): [TcpSocket, TcpSocket] {
  const [one, other] = pair('tcp')
  return [closing(t, one), closing(t, other)]
}

/** A connection between unix sockets, which is made without waiting. */
export async function unixConnection(t: ExecutionContext): Promise<{ client: TcpSocket; peer: TcpSocket }> {
  const server = await listener(t, 'unix')
  const { localAddress } = server
  if (localAddress === null) throw new Error('a listener has an address')
  const client = await closing(t, tcp('unix')).connect(localAddress)
  return { client, peer: closing(t, await server.accept()) }
}

/** Stops the loop until the test ends. What waits in a stopped loop keeps nothing alive, so an idle timer does. */
export function stopping(t: ExecutionContext): void {
  const awake = setInterval(() => {}, 60_000)
  stop()
  t.teardown(async () => {
    clearInterval(awake)
    await start(0)
  })
}

/** How a child process ended, and what it said. */
export interface ChildResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Runs a script of _child/ as a process of its own, to its end; one that does not end is ended by the test. */
export async function child(t: ExecutionContext, script: string, args: readonly string[] = [], flags: readonly string[] = []): Promise<ChildResult> {
  const file = fileURLToPath(new URL(`_child/${script}.js`, import.meta.url))
  const process_ = spawn(process.execPath, [...flags, file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => process_.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  process_.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  process_.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code, signal] = (await once(process_, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stdout, stderr }
}
