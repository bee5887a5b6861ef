/**
 * What sockets that make connections have: listen, accept, connect, shutdown.
 *
 * ```text
 *            listen                 connect               connected, or accepted
 *  listening <----- idle ----------------> connecting --------------------------> connected
 *                                              |
 *                                              v  failed, timed out or aborted
 *                                            closed       from anywhere: close
 * ```
 * A call in another state than it needs changes nothing and rejects with `ERR_SOCKET_BAD_STATE`.
 */
import { clearTimeout, setTimeout } from 'node:timers'
import { Address, addressFrom, addressSpace, isWildcard } from './address.js'
import { channels, publish } from './channels.js'
import { closedError, isArgumentError, SocketError, stateError, systemError, timeoutError, typeError } from './errors.js'
import { checked, remaining } from './guard.js'
import { immediate, resolve, type Host, type Port } from './lookup.js'
import { resetHandle, type Link } from './link.js'
import { native, type Handle } from './native.js'
import { Operation, type OperationOptions } from './operation.js'
import { Socket, type Making, type Standing } from './socket.js'
import { checkInteger } from './validate.js'

// Taken out of the binding's object, whose properties are slow to find.
const { WOULD_BLOCK, accept } = native

/** Where a listener listens. */
export interface ListenOptions {
  /** All interfaces by default. */
  host?: Host | undefined
  /** Any free port by default. */
  port?: Port | undefined
  /** How many connections wait to be accepted; the system's most by default. */
  backlog?: number | undefined
}

/** How long an attempt to connect may take, and whom to heed meanwhile. */
export interface Reach {
  readonly signal: AbortSignal | undefined
  /** In ms, and when that is over. */
  readonly timeout: number
  readonly deadline: number
}

/** More than any system grants: each caps it at its own most. */
const MOST_BACKLOG = 0x7fff_ffff

/** When a listener's iteration goes on after the descriptors ran out, in ms: nothing reports their return. As in Go. */
const FIRST_RETRY = 5
const LAST_RETRY = 1000

/** What accept fails with although the listener is well: a connection that is gone again, or a system short of something. */
const TRANSIENT: readonly unknown[] = ['ECONNABORTED', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EPROTO', 'EPERM']

type State = Standing | 'connecting' | 'closed'

export abstract class ConnectionSocket extends Socket {
  /** @internal */
  protected state: State = 'idle'
  /** Each ends the pause of one who iterates over `connections`; few sockets ever have any. */
  #endPauses: Set<() => void> | undefined

  /** @internal */
  constructor(making: Making) {
    super(making)
    if (making.handle !== undefined) this.state = making.standing ?? 'connected'
  }

  /** A socket of the same kind for a handle that was accepted. @internal */
  protected abstract adopt(handle: Handle, peer: Address | null): this

  /**
   * Makes it a listener, bound first unless it is bound: to all interfaces and any free port by default. `backlog` is how many
   * connections wait to be accepted; the system's most by default.
   *
   * Errors: those of `bind`; `ERR_SOCKET_BAD_STATE`, `ERR_OUT_OF_RANGE`. See listen(2).
   */
  listen(host?: Host, port?: Port, backlog?: number): Promise<this>
  listen(address: Address, backlog?: number): Promise<this>
  listen(options: ListenOptions): Promise<this>
  async listen(where?: Host | Address | ListenOptions, port?: Port | number, backlog?: number): Promise<this> {
    this.assertState('listen', 'idle')
    const options = listenOptions(where, port, backlog)
    const { host, port: at, backlog: room = MOST_BACKLOG } = options
    checkInteger('backlog', room, 0, MOST_BACKLOG)
    const bound = this.localAddress
    if (host !== undefined || at !== undefined || bound === null) {
      const address = await this.local(host as Host | Address | undefined, at, 'listen')
      this.assertState('listen', 'idle')
      // A bound socket that is told where it is, or to be anywhere, is right already; elsewhere is the system's error.
      if (bound === null || !covers(address, bound)) this.bindNow(address)
    }
    const code = native.listen(this.link.handle, room)
    if (code < 0) throw systemError(code, 'listen', this.localAddress)
    this.state = 'listening'
    return this
  }

  /**
   * The next connection. `localAddress` and `remoteAddress` are those of the connection.
   *
   * Errors: `EMFILE`, `ENFILE` (the connection stays in the backlog; accept again when descriptors have returned),
   * `ECONNABORTED` (the peer is gone again), `ETIMEDOUT`, `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_STATE`. See accept(2).
   */
  accept(op?: OperationOptions): Promise<this> {
    if (this.state !== 'listening') return Promise.reject(this.wrongState('accept', 'listening'))
    return this.link.reading.submit(new Accept(this.link, (handle, peer) => this.adopt(handle, peer)), op, this)
  }

  /**
   * Connects, to each address of the host in turn until one accepts. When that fails, times out or is aborted, the socket is
   * closed; arguments that are wrong change nothing.
   *
   * Errors: `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`, `ENETUNREACH`, `ENOENT` (unix), `ENOTFOUND`, `ERR_SOCKET_BAD_PORT`,
   * `ERR_SOCKET_BAD_STATE`, `ERR_SOCKET_CLOSED`. See connect(2).
   */
  connect(host: Host, port?: Port, op?: OperationOptions): Promise<this>
  connect(address: Address, op?: OperationOptions): Promise<this>
  async connect(where: Host | Address, port?: Port | OperationOptions, op?: OperationOptions): Promise<this> {
    this.assertState('connect', 'idle')
    const options = checked(where instanceof Address ? (port as OperationOptions | undefined) : op)
    const timeout = options.timeout ?? this.timeout
    const deadline = performance.now() + timeout
    if (where instanceof Address) this.ofMyFamily(where, 'address')
    const query = { host: where as Host, port: port as Port | undefined, type: this.type, family: this.family }
    const known = where instanceof Address ? where : immediate(query)
    this.state = 'connecting'
    try {
      options.signal?.throwIfAborted()
      const addresses = known ? [known] : await resolve(query, { ...options, timeout }, this.asker)
      await this.#connectToOneOf(addresses, { signal: options.signal, timeout, deadline })
    } catch (error) {
      const wrong = isArgumentError(error) && !options.signal?.aborted
      if (wrong && this.state === 'connecting') this.state = 'idle'
      // It is of no more use, and who writes `await tcp().connect(…)` has no name by which to close it.
      else this.#fail(error)
      throw error
    }
    this.link.tellConnected()
    publish(channels.connect, () => ({ socket: this }))
    return this
  }

  /** Connects to one address. Whoever calls this tells of it, or closes the socket when it fails. @internal */
  async reach(address: Address, { signal, timeout, deadline }: Reach): Promise<void> {
    this.state = 'connecting'
    const rest = timeout === 0 || timeout === Infinity ? { signal, timeout } : remaining({ signal }, deadline)
    await this.link.writing.submit(new Connect(this.link, address), rest)
    // Connected, and closed by someone who ran before us.
    if (this.closed) throw closedError('connect')
    this.learnPeer(address)
    this.state = 'connected'
  }

  /** Asks the system whether the attempt to connect is decided, of which the poller has not told yet. @internal */
  decided(): boolean {
    this.link.writing.wake(false)
    return this.link.writing.head === null
  }

  /** Binds, as far as one who connects needs it; when that fails the socket is closed. @internal */
  bindToConnect(address: Address): this {
    try {
      this.bindNow(address, address.port === 0)
      return this
    } catch (error) {
      this.close()
      throw error
    }
  }

  /**
   * Ends one direction, or both: `'write'` tells the peer that no more is coming. Doing it again does nothing.
   *
   * Errors, thrown: `ERR_SOCKET_BAD_STATE`, `ERR_SOCKET_CLOSED`, `ERR_INVALID_ARG_VALUE`. See shutdown(2).
   */
  shutdown(how: 'read' | 'write' | 'both'): void {
    const number = ['read', 'write', 'both'].indexOf(how)
    if (number < 0) throw typeError('how', "'read', 'write' or 'both'", how)
    this.assertState('shutdown', 'connected')
    const code = native.shutdown(this.link.handle, number)
    // A connection that is gone already has nothing left to be shut down.
    if (code < 0 && native.errorName(code) !== 'ENOTCONN') throw systemError(code, 'shutdown')
    // Those who wait learn of it from us: a unix socket on Linux whose peer does not read reports nothing to its writer.
    if (how !== 'write') this.link.reading.wake(true)
    if (how !== 'read') this.link.writing.wake(true)
  }

  /** Closes at once, with RST: what has not been sent is dropped, and the peer sees `ECONNRESET`. */
  reset(): void {
    this.end(resetHandle)
  }

  /**
   * The connections of a listener, until it is closed; leaving the loop does not close it. When descriptors run out it waits
   * for their return. That, and a connection that is gone again, it tells on the channel `socket2:error`.
   */
  async *connections(op?: OperationOptions): AsyncGenerator<this, void, undefined> {
    for (let connection; (connection = await this.nextConnection(op)) !== null;) yield connection
  }

  /** The next of them; `null` once the listener is closed. A server has it without the iterator, which costs more than this. @internal */
  async nextConnection(op?: OperationOptions): Promise<this | null> {
    for (let wait = FIRST_RETRY; ;) {
      try {
        return await this.accept(op)
      } catch (error) {
        const code = error instanceof SocketError ? error.code : undefined
        if (code === 'ERR_SOCKET_CLOSED') return null
        if (!TRANSIENT.includes(code)) throw error
        publish(channels.error, () => ({ socket: this, error }))
        // Whoever connects only to be gone again must not keep others waiting.
        if (code === 'ECONNABORTED') continue
        await this.#pause(wait, op?.signal)
        wait = Math.min(wait * 2, LAST_RETRY)
      }
    }
  }

  /** Waits, unless the socket is closed meanwhile; rejects with the signal's reason. */
  async #pause(wait: number, signal: AbortSignal | undefined): Promise<void> {
    const pauses = (this.#endPauses ??= new Set())
    await new Promise<void>((resolve) => {
      const timer = setTimeout(end, signal?.aborted ? 0 : wait)
      signal?.addEventListener('abort', end, { once: true })
      pauses.add(end)
      function end(): void {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        pauses.delete(end)
        resolve()
      }
    })
    signal?.throwIfAborted()
  }

  /** Closes because it could not be connected. */
  #fail(error: unknown): void {
    this.link.tellConnected(error)
    this.close()
  }

  /** @internal */
  protected override end(part: (handle: Handle) => number): number {
    this.state = 'closed'
    this.#endPauses?.forEach(end => end())
    return super.end(part)
  }

  /** @internal */
  protected override standing(syscall: string): Standing {
    if (this.state === 'connecting' || this.state === 'closed') throw this.wrongState(syscall, 'idle')
    return this.state
  }

  /** @internal */
  protected override assertUsable(syscall: string): void {
    super.assertUsable(syscall)
    this.assertState(syscall, 'connected')
  }

  /** @internal */
  assertListening(syscall: string): void {
    this.assertState(syscall, 'listening')
  }

  /** @internal */
  protected assertState(syscall: string, need: State): void {
    if (this.state !== need) throw this.wrongState(syscall, need)
  }

  /** @internal */
  protected wrongState(syscall: string, need: State): SocketError {
    return this.state === 'closed' ? closedError(syscall) : stateError(syscall, this.state, need)
  }

  async #connectToOneOf(addresses: readonly Address[], limits: Reach): Promise<void> {
    let failure: unknown
    for (const address of addresses) {
      if (this.closed) throw closedError('connect')
      try {
        return await this.reach(address, limits)
      } catch (error) {
        failure = error
        if (this.closed || !(error instanceof SocketError) || error.timeout !== undefined) break
      }
    }
    throw ofThisCall(failure, limits.timeout)
  }
}

/** It is this call that ran out of its time, not the last attempt. */
export function ofThisCall(failure: unknown, timeout: number): unknown {
  return failure instanceof SocketError && failure.timeout !== undefined ? timeoutError('connect', timeout) : failure
}

/** Whether being at `place` is what `wanted` asks for. */
function covers(wanted: Address, place: Address): boolean {
  return wanted.equals(place) || (isWildcard(wanted) && (wanted.port === 0 || wanted.port === place.port))
}

function listenOptions(where: unknown, port: unknown, backlog: number | undefined): { host?: unknown; port?: Port | undefined; backlog?: number | undefined } {
  if (where instanceof Address) return { host: where, backlog: port as number | undefined }
  if (typeof where === 'object' && where !== null) return where as ListenOptions
  return { host: where, port: port as Port | undefined, backlog }
}

/** Takes a connection off the backlog. */
class Accept<T extends Socket> extends Operation<T> {
  get syscall(): string {
    return 'accept'
  }

  constructor(private readonly link: Link, private readonly adopt: (handle: Handle, peer: Address | null) => T) {
    super()
  }

  attempt(): boolean {
    const handle = accept(this.link.handle, addressSpace)
    if (handle === WOULD_BLOCK) {
      this.link.reading.blocked()
      return false
    }
    if (handle < 0) return this.fail(() => systemError(handle, this.syscall))
    const socket = this.adopt(handle, addressFrom(addressSpace))
    // Later: subscribers may do anything, to the listener too, and until this returns the operation is in its lane.
    if (channels.accept.hasSubscribers) queueMicrotask(() => publish(channels.accept, () => ({ socket })))
    return this.succeed(socket)
  }
}

/** One attempt to connect: begun once, decided by SO_ERROR. Asking the system again would begin another one. */
class Connect extends Operation<void> {
  get syscall(): string {
    return 'connect'
  }

  #begun = false

  constructor(private readonly link: Link, private readonly address: Address) {
    super()
  }

  attempt(): boolean {
    const { handle, writing } = this.link
    let code: number
    if (this.#begun) {
      code = native.verdict(handle)
      // Someone may have read it by getOption('error').
      if (code === WOULD_BLOCK && this.link.broken !== 0) code = this.link.broken
    } else {
      this.#begun = true
      code = native.connect(handle, Address.wire(this.address))
    }
    if (code === 0) return this.succeed(undefined)
    if (code !== WOULD_BLOCK) return this.fail(() => systemError(code, this.syscall, this.address))
    writing.blocked()
    return false
  }
}
