/** The connections of a server that one thread has, each with its handler. */
import { setMaxListeners } from 'node:events'
import { clearInterval, setInterval } from 'node:timers'
import { channels, publish } from './channels.js'
import { typeError } from './errors.js'
import { LONGEST_TIMER } from './guard.js'
import type { Link } from './link.js'
import type { Prepare } from './securing.js'
import type { TcpSocket } from './tcp.js'
import { told } from './told.js'

/** What a handler is told besides its connection. */
export interface HandlerContext {
  /**
   * Aborts when the server begins to close: no more is wanted of a connection than to come to its end. Give it to what waits for more, as in
   * `socket.recv(n, { signal })`: what that rejects with then, when the handler throws it on, is no failure. It is the same for all
   * connections, and lives as long as the server: a handler that listens to it by itself has to take its listener off.
   */
  readonly signal: AbortSignal
}

/** What a server does with a connection, which is closed when this has returned, or when the promise it returns is settled. */
export type Handler = (socket: TcpSocket, context: HandlerContext) => unknown

/** Who is told what went wrong; without a socket, when it concerns the server. */
export type Report = (error: unknown, socket: TcpSocket | undefined) => void

/** Who takes the connections of a server. */
export interface Attendance {
  /** Resolves when someone can take one; `undefined`: right now. */
  readonly vacancy: Promise<void> | undefined
  /** How long, in ms, those whose connections were closed by `end` may take to return. */
  readonly patience: number
  /** Takes a connection, and calls `leave` once it has ended. */
  take(socket: TcpSocket, leave: () => void): void
  /** Tells the handlers that no more is wanted than to come to an end. */
  closing(): void
  /** Closes all connections. */
  end(): void
  /** Lets go of everything; nobody is there any more, or nobody who can be waited for. */
  dispose(): Promise<void>
}

/** How much a connection had done when it was looked at, and how often that has not changed. */
interface Activity {
  /** Of its socket. Not that itself: one that its user forgets is closed, as any other. */
  readonly link: Link
  bytes: number
  looks: number
}

/** What is said to those who use a connection that has been closed: by the socket, and by the streams over it. */
const ENDED: readonly unknown[] = ['ERR_SOCKET_CLOSED', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED']

/** How often a connection is looked at within the time it may be idle. */
const LOOKS = 4

export class Attending implements Attendance {
  readonly vacancy = undefined
  readonly patience = 0
  readonly #open = new Set<Activity>()
  /** Closed by the server, whatever the handler makes of that. */
  readonly #cut = new WeakSet<Link>()
  readonly #closing = new AbortController()
  readonly #context: HandlerContext = { signal: this.#closing.signal }
  #sweeper: NodeJS.Timeout | undefined

  /** Without a handler the connections are someone else's to use and close. `prepare` makes of a connection the one that the handler gets. */
  constructor(
    private readonly handler: Handler | undefined, private readonly idleTimeout: number, private readonly report: Report,
    private readonly prepare: Prepare | undefined
  ) {
    // Each of many handlers may listen to it, which Node would take for a leak.
    setMaxListeners(0, this.#closing.signal)
  }

  take(socket: TcpSocket, leave: () => void): void {
    const activity = { link: socket.trace, bytes: -1, looks: 0 }
    this.#open.add(activity)
    if (this.idleTimeout <= LONGEST_TIMER) this.#sweeper ??= setInterval(() => this.#sweep(), Math.ceil(this.idleTimeout / LOOKS)).unref()
    const left = (): void => {
      this.#open.delete(activity)
      leave()
    }
    if (this.handler === undefined) socket.onceEnded(left)
    else void this.#attend(this.handler, socket, left)
  }

  closing(): void {
    this.#closing.abort()
  }

  end(): void {
    for (const { link } of this.#open) this.#close(link)
  }

  dispose(): Promise<void> {
    clearInterval(this.#sweeper)
    return Promise.resolve()
  }

  async #attend(handler: Handler, socket: TcpSocket, left: () => void): Promise<void> {
    const connection = this.prepare === undefined ? socket : await this.#prepared(socket, this.prepare)
    if (connection === null) return left()
    try {
      await handler(connection, this.#context)
    } catch (error) {
      connection.close()
      if (!this.#isOurs(error, socket)) this.report(error, connection)
    } finally {
      connection.close()
      left()
    }
  }

  /** Whether a handler has thrown what the server's own doing is thrown as: that it ends the connection, or wants it to come to its end. */
  #isOurs(error: unknown, socket: TcpSocket): boolean {
    const { aborted, reason } = this.#closing.signal
    try {
      if (aborted && error === reason) return true
      if (!(error instanceof Error)) return false
      const { code, cause } = error as { code?: unknown; cause?: unknown }
      // Node's own functions wrap the reason; in Deno some of them drop it.
      if (aborted && (cause === reason || (cause === undefined && code === 'ABORT_ERR'))) return true
      return this.#cut.has(socket.trace) && ENDED.includes(code)
    } catch {
      // Anything can be thrown, also what cannot be looked at.
      return false
    }
  }

  /** The connection that the handler gets; `null` when there will be none. That is the peer's affair, and told on the channel alone. */
  async #prepared(socket: TcpSocket, prepare: Prepare): Promise<TcpSocket | null> {
    try {
      return await prepare(socket)
    } catch (error) {
      if (!this.#cut.has(socket.trace)) publish(channels.error, () => ({ socket, error }))
      socket.close()
      return null
    }
  }

  #close(link: Link): void {
    this.#cut.add(link)
    link.owner?.close()
  }

  /** Closes those that have done nothing for too long. By looks, not by the clock: while the thread is busy they can do nothing. */
  #sweep(): void {
    for (const activity of this.#open) {
      const { link } = activity
      const bytes = link.bytesRead + link.writing.bytes
      if (bytes !== activity.bytes) Object.assign(activity, { bytes, looks: 0 })
      else if (++activity.looks >= LOOKS) this.#close(link)
    }
    if (this.#open.size > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}

let warned = false

/** Tells of an error where the server's owner has no wish of its own: what a handler throws once, what befalls the server each time. */
export function warn(error: unknown, socket: TcpSocket | undefined): void {
  if (socket !== undefined) warnOfHandler(error)
  else emit('A server has a problem', error)
}

/** Tells of what a handler has thrown, wherever it ran: once. */
export function warnOfHandler(error: unknown): void {
  if (warned) return
  warned = true
  emit('A handler of a server has failed, and its connection is closed. The option onError hears of all of them; this is said once', error)
}

function emit(what: string, error: unknown): void {
  const { message, stack = message } = told(error)
  process.emitWarning(`${what}: ${stack}`, { type: 'SocketServerWarning', code: 'SOCKET2_SERVER' })
}

/** The report to be used. */
export function reportOf(onError: unknown): Report {
  if (onError === undefined) return warn
  if (typeof onError !== 'function') throw typeError('options.onError', 'a function', onError)
  return (error, socket) => {
    try {
      ;(onError as Report)(error, socket)
    } catch (failure) {
      // It is told as any exception that nobody catches; but the server has to go on with what it was doing.
      queueMicrotask(() => {
        throw failure
      })
    }
  }
}
