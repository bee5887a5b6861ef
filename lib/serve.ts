/** A server: accepts, keeps to its limits, and hands each connection to a handler, here or in one of many threads. */
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import type { Address } from './address.js'
import { Admission, checkLimits, type Limits } from './admission.js'
import { Anteroom, checkProxies, type ProxyOptions } from './anteroom.js'
import { Attending, reportOf, warnOfHandler, type Attendance, type Handler, type Report } from './attending.js'
import { checkThreads, Crew, type ThreadOptions } from './crew.js'
import { rangeError, stateError, typeError, valueError } from './errors.js'
import { checkTimeout, LONGEST_TIMER } from './guard.js'
import { addr, type Host, type Port } from './lookup.js'
import { PATIENTLY } from './operation.js'
import { checkServeTls, securing, type ServeTlsOptions } from './securing.js'
import { tcp, TcpSocket } from './tcp.js'

/** Where a server listens, and what it keeps to. */
export interface ServeOptions extends Limits, ProxyOptions {
  /**
   * All IPv4 interfaces by default; `'::'` is all of IPv6, and where the system's default for `ipv6Only` is off of IPv4, too. Of a name the
   * first address.
   */
  host?: Host | undefined
  /** Any free port by default: `server.address` says which. */
  port?: Port | undefined
  /** A unix path, instead of host and port. One that a server has left behind is taken over, when nobody listens there. */
  path?: string | undefined
  /** A socket that listens already, instead of all these: one of `listenFds`, or of another process. It is the server's from then on. */
  listener?: TcpSocket | undefined
  /** How many connections wait to be accepted; the system's most by default. */
  backlog?: number | undefined
  /**
   * Lets other sockets with this option listen at the same port; `false` by default. SO_REUSEPORT. *Platforms*: Linux, which spreads the
   * connections, macOS, FreeBSD; not Windows (`ERR_UNSUPPORTED_PLATFORM`).
   */
  reusePort?: boolean | undefined
  /** Closes a connection on which nothing was sent or received for so many milliseconds, or up to a quarter more. Never by default. */
  idleTimeout?: number | undefined
  /**
   * Talks TLS: `{ key, cert }` at least. The handler gets a `TlsSocket` of `socket2/tls` once the handshake is done. A connection of which
   * nothing comes, because the client talks no TLS, breaks it off or takes longer than `handshakeTimeout`, is closed, and told on the
   * channel `socket2:error` alone.
   */
  tls?: ServeTlsOptions | undefined
  /** Closes the server at once, with its connections, when it aborts. */
  signal?: AbortSignal | undefined
  /**
   * Told what a handler has thrown, with its socket, which is closed by then (none from another thread); and, without one, what befalls
   * the server itself: a listener that fails, a thread that ends. By default these are process warnings, for handlers one. Not told is what
   * the server itself has brought about: that it has closed the connection, or the reason of `context.signal`.
   */
  onError?: Report | undefined
}

/** A server on many threads. */
export interface ServeThreadsOptions extends ServeOptions, ThreadOptions {}

/** How a server ends. */
export interface CloseOptions {
  /** How long connections have to come to their end, in milliseconds: for ever by default; 0: not at all. */
  grace?: number | undefined
}

/**
 * Serves: calls `handler` with each connection, and closes the connection when the handler returns. With `threads` the default export
 * of the module `handler` is called, in that many worker threads. They share one port, on every system: this thread accepts, and
 * gives each connection to the thread that has the fewest. Without a handler, iterate the server for its connections.
 *
 * Over a limit a connection is accepted and closed. A handler that throws closes its connection, is told to `onError`, and never stops
 * the server; a thread that ends is told, too, and replaced. Resolves when it listens and every thread has loaded the handler.
 *
 * Errors, after which nothing is left open but a listener that was given: those of `addr` and of `listen`; what importing the handler's module throws;
 * `ERR_SOCKET_THREAD_EXIT` (the import ended its thread); what `tls.createSecureContext` throws; `ERR_INVALID_ARG_TYPE`,
 * `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_UNSUPPORTED_PLATFORM`, `ERR_SOCKET_BAD_STATE` and `ERR_SOCKET_CLOSED` (the listener
 * does not listen); the reason of the signal. `docs/serving.md` has the rest.
 */
export function serve(options: ServeThreadsOptions): Promise<Server>
export function serve(options: ServeOptions, handler?: Handler): Promise<Server>
export async function serve(options: ServeOptions & Partial<ThreadOptions>, handler?: Handler): Promise<Server> {
  checkOptions(options, handler)
  const { signal, listener: given } = options
  signal?.throwIfAborted()
  const report = reportOf(options.onError)
  const listener = given ?? await listen(options)
  try {
    signal?.throwIfAborted()
    const attendance = await attendanceOf(options, handler, report)
    try {
      signal?.throwIfAborted()
      // It is its owner's until here, and threads take their time.
      listener.assertListening('serve')
    } catch (error) {
      await attendance.dispose()
      throw error
    }
    const handled = handler !== undefined || options.threads !== undefined
    const admission = new Admission(options)
    const anteroom = options.proxyProtocol && new Anteroom(listener, options, admission, report)
    return new Server(listener, admission, attendance, handled, report, signal, anteroom)
  } catch (error) {
    if (given === undefined) listener.close()
    throw error
  }
}

/** A server that `serve` has made. */
export class Server {
  /**
   * The socket that listens. It stays the server's: look at it, `unref` it, send it to another process. When it is closed, detached or
   * released the server begins to close. A unix path goes with who closes it: `release` leaves it to a process that has it, too.
   */
  readonly listener: TcpSocket
  /** Where it listens; known also once it is closed. */
  readonly address: Address
  /** Told once when it has closed, in whatever way. @internal */
  onClosed: (() => void) | undefined = undefined
  readonly #admission: Admission
  readonly #attendance: Attendance
  readonly #report: Report
  readonly #signal: AbortSignal | undefined
  /** Where connections are before it is known whom they are from. */
  readonly #anteroom: Anteroom | undefined
  readonly #abort = (): void => void this.close({ grace: 0 })
  #taken: boolean
  #closed: Promise<void> | undefined
  #cut: (() => void) | undefined
  /** Those who are there have been closed; no other is let in. */
  #ended = false
  /** Under way from being accepted to being let in. */
  #entering: Promise<unknown> | undefined

  /** @internal */
  constructor(
    listener: TcpSocket, admission: Admission, attendance: Attendance, handled: boolean, report: Report, signal: AbortSignal | undefined, anteroom: Anteroom | undefined
  ) {
    this.listener = listener
    this.address = listener.localAddress as Address
    this.#admission = admission
    this.#attendance = attendance
    this.#report = report
    this.#signal = signal
    this.#anteroom = anteroom
    signal?.addEventListener('abort', this.#abort, { once: true })
    listener.onceEnded(() => void this.close())
    this.#taken = handled
    if (handled) void this.#serve()
  }

  /**
   * How many connections it has: those whose handler has not returned; without a handler those that are open. With `proxyProtocol` those,
   * too, whose header has not come yet.
   */
  get connections(): number {
    return this.#admission.count
  }

  /**
   * Stops accepting, lets the connections come to their end, and closes those that are left after `grace` milliseconds. Handlers hear
   * of it by `context.signal`. Resolves when none is left and the threads have ended. Called again it can only shorten the time.
   *
   * Errors: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
    const { grace = Infinity } = options
    checkTimeout('options.grace', grace)
    if (this.#closed === undefined) {
      // Known before anyone hears of it, who may call this again.
      let begin!: (closed: Promise<void>) => void
      this.#closed = new Promise(resolve => (begin = resolve))
      begin(this.#close())
    }
    this.listener.close()
    const timer = grace <= LONGEST_TIMER && grace > 0 ? setTimeout(() => this.#cut?.(), grace) : undefined
    if (grace === 0) this.#cut?.()
    try {
      await this.#closed
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * The connections of a server without a handler, until it is closed; whoever iterates has to close them.
   *
   * Errors: `ERR_SOCKET_BAD_STATE` when the server has a handler, or someone iterates it already.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<TcpSocket, void, undefined> {
    if (this.#taken) throw stateError('iterate', 'one whose connections someone else takes', 'without a handler and not iterated yet')
    this.#taken = true
    try {
      for (;;) {
        const socket = await this.#admitted()
        if (socket === null) return
        if (socket !== undefined) yield socket
      }
    } finally {
      this.#pause()
      this.#taken = false
    }
  }

  /** Closes it with its connections, at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ grace: 0 })
  }

  /** Takes connections for the handler, until there are no more. */
  async #serve(): Promise<void> {
    try {
      while (await this.#admitted() !== null);
    } catch (error) {
      this.listener.close()
      this.#report(error, undefined)
      this.#anteroom?.end()
    } finally {
      this.#pause()
    }
  }

  /** Nobody takes any more of them, or for a while. */
  #pause(): void {
    this.#anteroom?.pause()
    if (this.#closed !== undefined) this.#anteroom?.end()
  }

  /** The next of them, of which `close` knows that it is under way. */
  #admitted(): Promise<TcpSocket | undefined | null> {
    const entering = this.#next()
    this.#entering = entering
    return entering
  }

  /** The next connection; `undefined` when it was not let in, `null` when there is none any more. */
  async #next(): Promise<TcpSocket | undefined | null> {
    // Also where the listener was given, and has a `timeout` of its own.
    const socket = await (this.#anteroom?.next() ?? this.listener.nextConnection(PATIENTLY))
    if (socket === null) return null
    if (this.#attendance.vacancy !== undefined) await this.#attendance.vacancy
    return this.#enter(socket) ? socket : undefined
  }

  /** Whether a connection has been let in and taken. What is wrong with one concerns no other. */
  #enter(socket: TcpSocket): boolean {
    let leave: (() => void) | undefined
    try {
      // Someone may have closed it since it was accepted. One that came before the server began to close comes to its end, as the others.
      if (!this.#ended && !socket.closed) leave = this.#admission.admit(socket)
      if (leave !== undefined) this.#attendance.take(socket, leave)
    } catch (error) {
      leave?.()
      leave = undefined
      this.#report(error, socket)
    }
    if (leave === undefined) {
      socket.close()
      this.#admission.giveUp(socket)
    }
    return leave !== undefined
  }

  async #close(): Promise<void> {
    const cut = new Promise<boolean>(resolve => {
      this.#cut = () => {
        this.#ended = true
        resolve(true)
      }
    })
    const [admission, attendance] = [this.#admission, this.#attendance]
    attendance.closing()
    // Nobody takes them.
    if (!this.#taken) this.#anteroom?.end()
    const empty = (): Promise<void> => admission.empty()
    if (await Promise.race([cut, Promise.all([this.#entering, this.#anteroom?.accepting]).then(empty, empty)])) {
      attendance.end()
      this.#anteroom?.end()
      await Promise.race([admission.empty(), turnsLater(attendance.patience)])
    }
    await attendance.dispose()
    this.#signal?.removeEventListener('abort', this.#abort)
    this.onClosed?.()
  }
}

/** After so many milliseconds, and a turn of the loop, so that what is to end at once has ended. */
async function turnsLater(time: number): Promise<void> {
  if (time > 0) await new Promise(resolve => setTimeout(resolve, time).unref())
  await new Promise(resolve => setImmediate(resolve))
}

async function attendanceOf(options: ServeOptions & Partial<ThreadOptions>, handler: Handler | undefined, report: Report): Promise<Attendance> {
  const { idleTimeout = Infinity, threads, onError, signal, tls } = options
  if (threads === undefined) return new Attending(handler, idleTimeout, report, tls && await securing(tls))
  const reportHandler = onError === undefined ? warnOfHandler : (error: unknown): void => report(error, undefined)
  return await Crew.start({ ...options as ServeThreadsOptions, idleTimeout, tls, report, reportHandler, signal })
}

/** The socket that listens where the options say. */
async function listen({ path, host, port, backlog, reusePort, signal }: ServeOptions): Promise<TcpSocket> {
  const [place] = await addr({ host: path === undefined ? host : `unix:${path}`, port, type: 'tcp', flags: { passive: true }, signal })
  const address = place as Address
  const socket = tcp(address.family, undefined, address.family === 'unix' ? { replaceStale: true } : { reusePort })
  try {
    return await socket.listen(address, backlog)
  } catch (error) {
    socket.close()
    throw error
  }
}

function checkOptions(options: ServeOptions & Partial<ThreadOptions>, handler: unknown): void {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const { listener, path, idleTimeout, signal, reusePort, threads, tls } = options
  checkLimits(options)
  checkProxies(options)
  if (listener !== undefined) {
    if (!(listener instanceof TcpSocket)) throw typeError('options.listener', 'a TcpSocket', listener)
    listener.assertListening('serve')
  }
  if (path !== undefined && typeof path !== 'string') throw typeError('options.path', 'a string', path)
  // An empty one would be a name of the system's choice, where it has such names.
  if (path === '') throw valueError('options.path', 'must not be empty', path)
  if (reusePort !== undefined && typeof reusePort !== 'boolean') throw typeError('options.reusePort', 'a boolean', reusePort)
  if (idleTimeout !== undefined) checkTimeout('options.idleTimeout', idleTimeout)
  if (idleTimeout === 0) throw rangeError('options.idleTimeout', 'more than 0 milliseconds; Infinity, or leaving it out, switches it off', idleTimeout)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw typeError('options.signal', 'an AbortSignal', signal)
  if (tls !== undefined) checkServeTls(tls)
  if (threads !== undefined) checkThreads(options)
  else if (options.handler !== undefined) throw typeError('options.threads', 'a number, where the handler is a module', threads)
  if (handler === undefined && threads === undefined && tls !== undefined) throw typeError('handler', 'a function, where there is options.tls', handler)
  if (handler === undefined) return
  if (typeof handler !== 'function') throw typeError('handler', 'a function', handler)
  if (threads !== undefined) throw typeError('handler', 'left out, where threads have one of their own', handler)
}
