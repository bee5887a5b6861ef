/** What the tests share: sockets that the end of the test closes, children that the end of the test ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { pair, seqpacket, start, stop, tcp, udp, type Address, type Family, type SeqpacketSocket, type Socket, type TcpSocket, type UdpSocket } from 'socket2'
import { lacks, streams as connectedStreams, type Reason } from './_system.js'

export { lacks, lacksMemory, lacksRawNames, lacksResets, losesEchoes, MUCH, rounds, wine, type Reason } from './_system.js'

/** Declares tests, or where something is lacking tests that are skipped, with the reason in the title. `declare` may be `test.serial`. */
export function unless(reason: Reason, declare: Declare = test): (title: string, run: Run) => void {
  return (title, run) => reason ? declare.skip(`${title} (skipped: ${reason})`, run) : declare(title, run)
}

type Run = (t: ExecutionContext) => void | Promise<void>
type Declare = ((title: string, run: Run) => void) & { skip: (title: string, run: Run) => void }

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

/** Where a socket is bound. */
export function addressOf(socket: Socket): Address {
  const { localAddress } = socket
  if (localAddress === null) throw new Error('a socket that is bound has an address')
  return localAddress
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
  await client.connect(addressOf(server))
  return { server, client, peer: closing(t, await accepting) }
}

/** Both ends of a seqpacket connection. */
export async function seqpacketPair(t: ExecutionContext): Promise<{ client: SeqpacketSocket; peer: SeqpacketSocket }> {
  const server = await closing(t, seqpacket()).listen(...loopback(t, 'unix'))
  const accepting = server.accept()
  const client = await closing(t, seqpacket()).connect(addressOf(server))
  return { client, peer: closing(t, await accepting) }
}

/** Two connected streams: a unix pair, or a TCP connection where the system makes no pairs. */
export async function streams(t: ExecutionContext): Promise<[TcpSocket, TcpSocket]> {
  const [one, other] = await connectedStreams()
  return [closing(t, one), closing(t, other)]
}

/** Two datagram sockets that are connected to each other: a unix pair, or over loopback where the system makes no pairs. */
export async function datagrams(t: ExecutionContext): Promise<[UdpSocket, UdpSocket]> {
  if (!lacks.pairs) {
    const [one, other] = pair('udp')
    return [closing(t, one), closing(t, other)]
  }
  const [one, other] = [await closing(t, udp()).bind('127.0.0.1'), await closing(t, udp()).bind('127.0.0.1')]
  await one.connect(addressOf(other))
  await other.connect(addressOf(one))
  return [one, other]
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

/**
 * Runs a script of _child/ as a process of its own, to its end; one that does not end is ended by the test. `before` is a command that
 * goes before it, as `nsenter` does.
 */
export async function child(
  t: ExecutionContext, script: string, args: readonly string[] = [], flags: readonly string[] = [], before: readonly string[] = []
): Promise<ChildResult> {
  const [command = '', ...rest] = [...before, process.execPath, ...flags, scriptPath(script), ...args]
  const process_ = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => process_.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  process_.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  process_.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code, signal] = (await once(process_, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stdout, stderr }
}

/** A script of _child/ says that it has left the sockets alone, and is still there a while after. */
export async function staysAlive(t: ExecutionContext, script: string, args: readonly string[]): Promise<void> {
  const file = fileURLToPath(new URL(`_child/${script}.js`, import.meta.url))
  const process_ = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => process_.kill('SIGKILL'))
  await once(process_.stdout, 'data')
  const exit = once(process_, 'exit')
  const timer = setTimeout(() => process_.kill('SIGTERM'), 300)
  t.deepEqual(await exit, [null, 'SIGTERM'], 'it is there until it is ended')
  clearTimeout(timer)
}

/** Where a script of _child/ is. */
export function scriptPath(script: string): string {
  return fileURLToPath(new URL(`_child/${script}.js`, import.meta.url))
}
