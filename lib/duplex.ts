/**
 * A socket as a stream, for what expects a `net.Socket`.
 *
 * Most of what libraries do with one is calls that have nothing to wait for, so chunks go straight to the system and from it, and only
 * what has to wait becomes an operation in the socket's lanes, among those of `recv` and `send`.
 */
import { AsyncResource } from 'node:async_hooks'
import { addAbortSignal, Duplex } from 'node:stream'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import type { Address } from './address.js'
import { closedError, SocketError, systemError, typeError } from './errors.js'
import { checked, checkTimeout, LONGEST_TIMER } from './guard.js'
import { Intake } from './intake.js'
import type { Link, Over } from './link.js'
import { netAddress, netTarget, setQuietly, type SocketDuplexAddress, type SocketDuplexTarget } from './netlike.js'
import { lengthOf, sendChunk, sendChunks, sendEnd, unsent, type Chunk, type Outcome } from './outgoing.js'
import type { TcpSocket } from './tcp.js'

/** How a stream over a socket behaves. */
export interface SocketDuplexOptions {
  /** Whether the writable side stays open when the peer has ended its own; `false` by default, as for a `net.Socket`. */
  allowHalfOpen?: boolean | undefined
  /** How many bytes each side holds before it says that it is full; Node's default for streams unless set. */
  highWaterMark?: number | undefined
  /** Destroys the stream with an `AbortError`, and with it the socket, when it aborts. None by default. */
  signal?: AbortSignal | undefined
}

/** What a Readable holds: chunks, and of a character that is not complete the first bytes. */
interface Held {
  readonly buffer?: Iterable<string | Uint8Array | null>
  readonly decoder?: { readonly lastChar: Uint8Array; readonly lastTotal: number; readonly lastNeed: number } | null
}

type Callback = (error?: Error | null) => void

/** What came too early to be done. */
interface Early {
  readonly chunks: readonly Chunk[]
  run(): void
  fail(error: Error): void
}

/**
 * A socket as a `stream.Duplex` that has what libraries use of a `net.Socket`. `socket.toDuplex()` makes one; what a member of the
 * same name does there it does here.
 *
 * It receives while it holds less than `highWaterMark` bytes that nobody has read. Destroying it closes the socket, and closing the
 * socket destroys it.
 *
 * Events: those of a `stream.Duplex`, and `'connect'`, `'ready'`, `'timeout'`; `'close'` tells whether an error was the reason.
 * Errors, by `'error'`: `ECONNRESET`, `EPIPE`, `ETIMEDOUT` and others of read(2) and write(2), those of `socket.connect`.
 */
export class SocketDuplex extends Duplex {
  /** What `setTimeout` has set, in milliseconds; `undefined` until then. */
  timeout: number | undefined = undefined
  readonly #socket: TcpSocket
  readonly #link: Link
  readonly #standing: () => string
  readonly #scope = new AsyncResource('SOCKET2DUPLEX', { requireManualDestroy: true })
  readonly #intake: Intake
  /** What the link knows of it, and does not hold. */
  readonly #over: Over
  #connected: boolean
  /** Somebody has it, who may listen. */
  #made = false
  /** 'connect' has been emitted. */
  #announced = false
  /** Somebody wanted to read before it was connected. */
  #wanted = false
  #early: Early | undefined
  #timer: NodeJS.Timeout | undefined
  /** What the timer was made for. */
  #period = 0
  /** How many bytes had gone when a write began to wait, or was looked at last; -1 when none waits. */
  #gone = -1
  #resetting = false
  #noDelay: boolean | undefined
  /** The delay; -1 when it is off. */
  #keepAlive: number | undefined
  #local: Address | null = null

  /** `standing`: how far the socket has come. @internal */
  constructor(socket: TcpSocket, link: Link, standing: () => string, options: SocketDuplexOptions = {}) {
    if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
    const { allowHalfOpen = false, highWaterMark } = options
    const { signal } = checked({ signal: options.signal })
    if (typeof allowHalfOpen !== 'boolean') throw typeError('options.allowHalfOpen', 'a boolean', allowHalfOpen)
    // 'close' is emitted here, with its argument.
    super({ allowHalfOpen, decodeStrings: false, emitClose: false, ...highWaterMark !== undefined && { highWaterMark } })
    this.#socket = socket
    this.#link = link
    this.#standing = standing
    this.#connected = standing() === 'connected'
    this.#intake = new Intake(link, this.#scope, () => this.#arrived())
    this.#over = { connected: error => this.#decided(error), ended: () => this.destroy(), unread: () => this.#unread() }
    link.lay(this.#over)
    this.once('end', refuseWrites)
    if (signal !== undefined) addAbortSignal(signal, this)
    // As `net` does, so that the end of a connection is heard of also by who only writes.
    if (this.#connected) this.read(0)
    this.#made = true
  }

  /** Whether a `connect` is under way. */
  get connecting(): boolean {
    return this.#standing() === 'connecting'
  }

  /** Whether it is not connected: not yet, or not any more. */
  get pending(): boolean {
    return !this.#connected || this.destroyed
  }

  /** Which of its directions are open. */
  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening'
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** How many bytes the socket has received. */
  get bytesRead(): number {
    return this.#socket.bytesRead
  }

  /** How many bytes have been written, those included that the system has not taken yet. */
  get bytesWritten(): number {
    const { writableBuffer = [] } = this as { writableBuffer?: readonly Chunk[] }
    return this.#socket.bytesWritten + unsent(this.#link) + lengthOf(this.#early?.chunks ?? []) + lengthOf(writableBuffer)
  }

  /** The peer's address; it stays known. */
  get remoteAddress(): string | undefined {
    return netAddress(this.#socket.remoteAddress).address
  }

  /** The peer's port. */
  get remotePort(): number | undefined {
    return netAddress(this.#socket.remoteAddress).port
  }

  /** The family of the peer's address. */
  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return netAddress(this.#socket.remoteAddress).family
  }

  /** The local address. */
  get localAddress(): string | undefined {
    return this.address().address
  }

  /** The local port. */
  get localPort(): number | undefined {
    return this.address().port
  }

  /** The family of the local address. */
  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.address().family
  }

  /** The local address, port and family. */
  address(): SocketDuplexAddress {
    return netAddress(this.#connected ? (this.#local ??= this.#socket.localAddress) : this.#socket.localAddress)
  }

  /**
   * Connects the socket by `socket.connect`: to a port and a host (`'localhost'` by default), to a unix path, or to what an object
   * names. `'connect'` follows, or `'error'`. On a socket that is connected already the first call finds nothing to do but to emit
   * `'connect'`: some libraries connect whatever they are given.
   *
   * Errors, thrown: `ERR_INVALID_ARG_TYPE`, `ERR_SOCKET_CLOSED`: a socket is connected once.
   */
  connect(port: number | string, host?: string, listener?: () => void): this
  connect(target: SocketDuplexTarget | number | string, listener?: () => void): this
  connect(...args: unknown[]): this {
    const { host, port, listener } = netTarget(args)
    if (this.destroyed) throw closedError('connect')
    if (listener !== undefined) this.once('connect', listener)
    if (this.#connected && !this.#announced) {
      this.#announced = true
      process.nextTick(() => this.#announce())
    } else if (!this.connecting) {
      this.#socket.connect(host, port).catch((error: unknown) => this.destroy(error as Error))
    }
    return this
  }

  /** Sets the socket's option `noDelay`, which is on from the start. */
  setNoDelay(noDelay: boolean = true): this {
    if (this.#noDelay !== noDelay) {
      this.#noDelay = noDelay
      setQuietly(this.#socket, () => this.#socket.setOption('noDelay', Boolean(noDelay)))
    }
    return this
  }

  /** Sets the socket's option `keepAlive`, and from a delay of 1000 ms on `keepAliveIdle`. */
  setKeepAlive(enable: boolean = false, initialDelay: number = 0): this {
    const delay = enable ? Number(initialDelay) : -1
    if (this.#keepAlive !== delay) {
      this.#keepAlive = delay
      setQuietly(this.#socket, () => this.#socket.setOption('keepAlive', Boolean(enable)))
      if (delay >= 1000) setQuietly(this.#socket, () => this.#socket.setOption('keepAliveIdle', delay))
    }
    return this
  }

  /**
   * Emits `'timeout'` when for so many milliseconds nothing was received and nothing sent; more is up to the listener. 0, as it is
   * from the start: never. The listener is called once.
   *
   * Errors, thrown: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  setTimeout(timeout: number, listener?: () => void): this {
    if (this.destroyed) return this
    checkTimeout('timeout', timeout)
    if (listener !== undefined && typeof listener !== 'function') throw typeError('listener', 'a function', listener)
    this.timeout = timeout
    if (listener !== undefined) {
      if (timeout === 0) this.removeListener('timeout', listener)
      else this.once('timeout', listener)
    }
    // A timer that is not wanted any more runs out in vain: servers set the same time again after each request.
    if (timeout === this.#period) {
      this.#timer?.refresh()
    } else if (timeout > 0) {
      clearTimeout(this.#timer)
      this.#period = timeout
      this.#timer = timeout > LONGEST_TIMER ? undefined : setTimeout(() => this.#timeIsUp(), timeout).unref()
    }
    return this
  }

  /** What waits keeps the process alive again, which is so from the start. */
  ref(): this {
    this.#socket.ref()
    return this
  }

  /** What waits does not keep the process alive. */
  unref(): this {
    this.#socket.unref()
    return this
  }

  /** Ends, and is destroyed once all is written. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Is destroyed, and the connection closed with RST, as by `socket.reset`. */
  resetAndDestroy(): this {
    this.#resetting = true
    return this.destroy()
  }

  /** @internal */
  override _read(): void {
    if (this.#connected) this.#receive()
    else this.#wanted = true
  }

  /** @internal */
  override _write(chunk: string | Uint8Array, encoding: BufferEncoding, callback: Callback): void {
    if (this.#connected) this.#sent(sendChunk(this.#link, this.#socket, chunk, encoding), callback)
    else this.#postpone([{ chunk, encoding }], callback, late => this._write(chunk, encoding, late))
  }

  /** @internal */
  override _writev(chunks: Chunk[], callback: Callback): void {
    if (this.#connected) this.#sent(sendChunks(this.#link, this.#socket, chunks), callback)
    else this.#postpone(chunks, callback, late => this._writev(chunks, late))
  }

  /** @internal */
  override _final(callback: Callback): void {
    if (this.#connected) settle(sendEnd(this.#link, this.#socket), callback)
    else this.#postpone([], callback, late => this._final(late))
  }

  /** @internal */
  override _destroy(error: Error | null, callback: Callback): void {
    clearTimeout(this.#timer)
    if (this.#resetting) this.#socket.reset()
    else this.#socket.close()
    callback(error)
    this.#early?.fail(closedError('write'))
    this.#early = undefined
    // After 'error' and the callbacks of writes, as `net` has it.
    setImmediate(() => this.emit('close', Boolean(error)))
  }

  /** The socket is connected, or is not going to be. */
  #decided(error: unknown): void {
    if (error !== undefined) {
      this.destroy(error as Error)
      return
    }
    this.#connected = this.#announced = true
    this.#early?.run()
    this.#early = undefined
    process.nextTick(() => this.#announce())
  }

  #announce(): void {
    if (this.destroyed) return
    try {
      this.emit('connect')
      this.emit('ready')
    } finally {
      // Also behind a listener that throws, which is between it and its own.
      if (this.#wanted || !this.isPaused()) this.#receive()
    }
  }

  /** Has something done once it is connected. The stream asks for one thing at a time. */
  #postpone(chunks: readonly Chunk[], callback: Callback, run: (late: Callback) => void): void {
    // Who connects must not find itself in the middle of what the callback does.
    const late: Callback = error => process.nextTick(callback, error)
    this.#early = { chunks, run: () => run(late), fail: late }
  }

  /** Receives as long as something is there and more is wanted, and then waits for it. */
  #receive(): void {
    while (this.#intake.idle && !this.destroyed) {
      if (!this.#link.reading.enter(this.#intake, this.#socket) || !this.#pass()) return
    }
  }

  /** What was waited for is there. */
  #arrived(): void {
    if (!this.destroyed && this.#pass()) this.#receive()
  }

  /** Passes on what has come. Whether more is wanted. */
  #pass(): boolean {
    const outcome = this.#intake.take()
    this.#active()
    if (typeof outcome === 'number') {
      const error = systemError(outcome, 'read')
      if (this.#made) this.destroy(error)
      // What was wrong before: who gets the stream listens first, also by a nextTick, as node:http does.
      else process.nextTick(() => this.destroy(error))
      return false
    }
    if (outcome.length > 0) return this.#push(outcome)
    this.push(null)
    // Nobody may ever read from a stream that nothing has come from, and still wait for its end.
    process.nextTick(() => this.read(0))
    return false
  }

  #push(data: Buffer): boolean {
    let more: boolean | undefined
    try {
      more = this.push(data)
    } finally {
      // A listener has thrown, which is between it and its own; the stream goes on.
      if (more === undefined) process.nextTick(() => this.#receive())
    }
    return more
  }

  #sent(outcome: Outcome, callback: Callback): void {
    this.#active()
    if (outcome === 0) {
      callback()
    } else if (typeof outcome === 'number') {
      callback(systemError(outcome, 'write'))
    } else {
      this.#gone = this.#link.writing.bytes
      settle(outcome, error => {
        this.#gone = -1
        this.#active()
        callback(error)
      })
    }
  }

  /** Something was received or sent. */
  #active(): void {
    if (this.timeout) this.#timer?.refresh()
  }

  #timeIsUp(): void {
    if (!this.timeout) return
    const { bytes } = this.#link.writing
    if (this.#gone >= 0 && this.#gone !== bytes) {
      // A long write is getting on.
      this.#gone = bytes
      this.#timer?.refresh()
    } else {
      this.emit('timeout')
    }
  }

  /** What was received and not read. It goes on to whom the socket is passed by `detach`. */
  #unread(): Uint8Array | null {
    const { buffer = [], decoder } = (this as { _readableState?: Held })._readableState ?? {}
    const chunks: Uint8Array[] = []
    for (const chunk of buffer) {
      // A place whose chunk was read is empty until the array is cut.
      if (chunk !== null) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk, this.readableEncoding ?? 'utf8') : chunk)
    }
    if (decoder) chunks.push(decoder.lastChar.subarray(0, decoder.lastTotal - decoder.lastNeed))
    const { outcome } = this.#intake
    if (typeof outcome === 'object') chunks.push(outcome)
    const all = Buffer.concat(chunks)
    return all.length > 0 ? all : null
  }
}

/** Calls back after the promise, whose business it is not what the callback throws. */
function settle(promise: Promise<unknown>, callback: Callback): void {
  promise.then(() => process.nextTick(callback), (error: Error) => process.nextTick(callback, error))
}

/** The peer has ended: as `net` has it, who goes on writing is told so. */
function refuseWrites(this: SocketDuplex): void {
  if (this.allowHalfOpen) return
  const { write } = this
  this.write = function refusing(this: SocketDuplex, chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (!this.writableEnded) return Reflect.apply(write, this, [chunk, encoding, callback]) as boolean
    const error = new SocketError('This socket has been ended by the other party', { code: 'EPIPE', syscall: 'write' })
    const told = typeof encoding === 'function' ? encoding : callback
    if (typeof told === 'function') process.nextTick(told as Callback, error)
    this.destroy(error)
    return false
  }
}
