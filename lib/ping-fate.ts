/** What comes of the requests of a ping, and what a way for them is. */
import type { Address } from './address.js'
import { SocketError } from './errors.js'
import type { PingAnswer, Wanted } from './ping.js'

/** A request, until its fate is told. */
export interface Request {
  readonly sequence: number
  readonly sent: number
  fate: Fate | undefined
}

/** What came of it: its answer, or why there is none, if anyone has said so. */
export type Fate = PingAnswer | (() => SocketError | undefined)

/** What a way knows of the run whose requests go by it. */
export interface Course {
  readonly target: Address
  readonly wanted: Wanted
  /** Aborts when the run ends. */
  readonly signal: AbortSignal
  /** Those whose fate is not told yet, in the order of their sending. */
  readonly requests: Request[]
}

/** How requests go, and how it is heard what comes of them: that becomes their fate. */
export interface Way {
  /** Sends one, and puts it behind the others. */
  send(sequence: number): Promise<void>
  /** Waits for what comes next; `false` when that is nothing until the time. */
  hear(time: number): Promise<boolean>
}

/** What the system says, as an error of the ping. */
export function refused(cause: SocketError, { address }: Address): SocketError {
  const { code, errno } = cause
  if (errno === undefined || code === 'ETIMEDOUT') return cause
  return new SocketError(`ping ${code} ${address}`, { code, errno, syscall: 'ping', address })
}

/** What a router says, as an error; of whom is not always known. */
export function said(code: string, words: string, { address }: Address, router: Address | null): SocketError {
  const by = router === null ? '' : `, says ${router.address}`
  return new SocketError(`ping ${code} ${address}: ${words}${by}`, { code, syscall: 'ping', address })
}
