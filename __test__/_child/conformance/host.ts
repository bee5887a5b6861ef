/**
 * Runs checks one after the other, each within its time. What a check leaves open is closed for it, so that one that fails
 * harms no other.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { loop, start, tcp, udp, type Address, type Family, type Socket, type TcpSocket, type UdpSocket } from 'socket2'
import type { Reason } from '../../_system.js'

export { lacks, rounds, streams, wine, type Reason } from '../../_system.js'

export type Check = () => void | Promise<void>
/** Checks by their titles, which are sentences about behaviour. */
export type Checks = Record<string, Check>

/** How long a check may take, in ms. */
const LIMIT = 30_000

class Skip extends Error {}

let cleanups: (() => unknown)[] = []
let unhandled: unknown[] = []

/** The check, or where something is lacking one that says so. */
export function unless(reason: Reason, check: Check): Check {
  return reason ? () => skip(reason) : check
}

/** Leaves the check out from within it. */
export function skip(reason: string): never {
  throw new Skip(reason)
}

/** Does something when the check has ended, however it ended. */
export function afterwards(action: () => unknown): void {
  cleanups.push(action)
}

/** Keeps a socket until the check has ended: one that nobody refers to any more might be collected, and closed, in the middle of it. */
export function keep<T extends Socket>(socket: T): T {
  afterwards(() => socket.close())
  return socket
}

/** Where a socket is bound. */
export function addressOf(socket: Socket): Address {
  const { localAddress } = socket
  if (localAddress === null) throw new Error('a socket that is bound has an address')
  return localAddress
}

/** Both ends of a TCP connection. */
export async function connection(family: Family = 'inet'): Promise<[client: TcpSocket, peer: TcpSocket]> {
  const server = await tcp(family).listen(false)
  const accepting = server.accept()
  const client = keep(await tcp(family).connect(addressOf(server)))
  const peer = keep(await accepting)
  server.close()
  return [client, peer]
}

/** Two UDP sockets on loopback. */
export async function bound(family: Family = 'inet'): Promise<[UdpSocket, UdpSocket]> {
  return [keep(await udp(family).bind(false)), keep(await udp(family).bind(false))]
}

/** A path that nothing is at. */
export function freshPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 's2-'))
  afterwards(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'socket')
}

/** Runs all the checks, and says how it went. */
export async function runChecks(...subjects: Checks[]): Promise<void> {
  process.on('unhandledRejection', error => unhandled.push(error))
  process.on('uncaughtException', error => unhandled.push(error))
  const counts = { ok: 0, failed: 0, skip: 0 }
  let number = 0
  for (const [title, check] of subjects.flatMap(checks => Object.entries(checks))) {
    const { outcome, detail } = await result(check)
    counts[outcome]++
    console.log(`${outcome} ${++number} ${title}${detail}`)
  }
  console.log(`${counts.ok} passed, ${counts.failed} failed, ${counts.skip} skipped`)
  process.exitCode = counts.failed === 0 ? 0 : 1
  // With nothing pending the process has to end by itself.
  setTimeout(() => {
    console.log('failed: the process does not end')
    process.exit(1)
  }, 5000).unref()
}

async function result(check: Check): Promise<{ outcome: 'ok' | 'failed' | 'skip'; detail: string }> {
  try {
    await settled(check)
    return { outcome: 'ok', detail: '' }
  } catch (error) {
    if (error instanceof Skip) return { outcome: 'skip', detail: ` (${error.message})` }
    return { outcome: 'failed', detail: `: ${described(error)}` }
  }
}

/** Runs a check to its end and puts away what it left; rejects also for errors that it left to nobody. */
async function settled(check: Check): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${LIMIT / 1000} s`)), LIMIT)
  })
  try {
    await Promise.race([Promise.resolve().then(check), late])
    await turn() // runtimes tell of unhandled rejections only then
    if (unhandled.length > 0) throw new Error(`nobody handled ${unhandled.map(described).join(', ')}`)
  } finally {
    clearTimeout(timer)
    await putAway()
    unhandled = [] // what still waited has now been rejected
  }
}

async function putAway(): Promise<void> {
  const actions = cleanups.toReversed()
  cleanups = []
  for (const action of actions) await action()
  for (const socket of [...loop.sockets]) socket.close()
  if (!loop.running) await start(0)
  await turn()
  if (loop.pending > 0 || [...loop.sockets].length > 0) throw new Error('something is left open')
}

function described(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error)
}
