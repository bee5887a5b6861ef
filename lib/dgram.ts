/**
 * The entry point `socket2/dgram`: unix datagrams by the API of the npm package `unix-dgram`, and what `node:dgram` has besides, for
 * programs and libraries that are written for these. As there, what can be done at once is done by the call itself, and events and
 * callbacks come from within it: when `connect` returns, it has connected or told why not. Only what arrives comes later.
 */
// First, as in index.ts.
// oxlint-disable-next-line import/no-unassigned-import
import './load.js'
import { createSocket as createInetSocket, type RemoteInfo as InetInfo, type Socket as InetSocket, type SocketOptions as InetOptions, type SocketType as InetType } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { unixAddress, type Address } from './address.js'
import { systemError, typeError, valueError, type SocketError } from './errors.js'
import { birthHere } from './leak.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { bytesOf, type Data } from './send.js'
import { sendNow } from './send-datagram.js'
import { UdpSocket } from './udp.js'
import { checkInteger } from './validate.js'

const { WOULD_BLOCK } = native

/** Who sent a message, and how it came. */
export interface RemoteInfo {
  /** How many bytes the message has. */
  size: number
  /** Where the sender is bound: a path, or `@name` in the abstract namespace; `null` when it is not. */
  path: string | null
  /** The same. */
  address: { path: string | null }
  /** Whether it had more than 65,536 bytes; the rest is gone. */
  truncated: boolean
}

/** Where a socket is, or its peer. */
export interface UnixAddress {
  /** A path, or `@name` in the abstract namespace; empty when there is none. */
  address: string
  family: 'unix'
  port: 0
}

/**
 * What the system refused, as `unix-dgram` tells it: `code` and `errno` are both Node's negative number. The message has its name
 * and the path; `cause` is the error that the rest of this library gives, whose `code` is the name. Congestion has the code 1.
 */
export interface DatagramError extends Error {
  code: number
  errno?: number
  syscall?: string
  address?: string
  cause?: SocketError
}

/** What a socket tells. */
export interface SocketEvents {
  /** A datagram has come; an empty one, too. */
  message: [data: Buffer, from: RemoteInfo]
  /** `bind` has given the socket its path. */
  listening: []
  /** `connect` has set the peer. */
  connect: []
  /** What failed had no callback to be told to. Without a listener it is thrown, by the call that failed. */
  error: [error: DatagramError]
  /** The peer takes no more now: this datagram was not sent. `'writable'` follows. */
  congestion: [data: Uint8Array]
  /** After congestion: there is room again. */
  writable: []
  /** The socket has been closed. */
  close: []
}

export interface SocketOptions {
  type: 'unix_dgram'
  /** The size of the buffer for what has come, in bytes: SO_RCVBUF. */
  recvBufferSize?: number | undefined
  /** The size of the buffer for what is sent, which also limits one datagram, in bytes: SO_SNDBUF. */
  sendBufferSize?: number | undefined
  /** Closes the socket when it aborts. */
  signal?: AbortSignal | undefined
}

/** Told how a send has ended: with an error, or with how many bytes were sent. */
export type SendCallback = (error: DatagramError | undefined, bytes?: number) => void
/** A datagram, or the parts of one. */
export type Message = Data | readonly Data[]

/**
 * Makes a unix datagram socket. `listener` is told of what comes. A UDP socket (`'udp4'`, `'udp6'`) is one of `node:dgram`.
 *
 * *Platforms*: all but Windows. Errors, thrown: `EMFILE`, `ERR_UNSUPPORTED_PLATFORM`, `ERR_INVALID_ARG_VALUE`,
 * `ERR_INVALID_ARG_TYPE`. See unix(7).
 */
export function createSocket(type: 'unix_dgram' | SocketOptions, listener?: (data: Buffer, from: RemoteInfo) => void): Socket
export function createSocket(type: InetType | InetOptions, listener?: (data: Buffer, from: InetInfo) => void): InetSocket
export function createSocket(kind: unknown, listener?: unknown): Socket | InetSocket {
  const options = typeof kind === 'object' && kind !== null ? kind as SocketOptions : { type: kind as SocketOptions['type'] }
  const type: unknown = options.type
  if (type === 'udp4' || type === 'udp6') return createInetSocket(kind as InetType, listener as undefined)
  if (type !== 'unix_dgram') throw valueError('type', "must be 'unix_dgram', 'udp4' or 'udp6'", type)
  const { recvBufferSize, sendBufferSize, signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw typeError('options.signal', 'an AbortSignal', signal)
  const making = { type: 'udp', family: 'unix', protocol: undefined, options: { recvBufferSize, sendBufferSize } } as const
  const socket = new Socket(new Underneath({ ...making, birth: birthHere(createSocket) }))
  if (typeof listener === 'function') socket.on('message', listener as () => void)
  if (signal !== undefined) closeOn(signal, socket)
  return socket
}

/** A unix datagram socket with events. Once bound it keeps the process alive, until it is closed or by `unref`. */
export class Socket extends EventEmitter<SocketEvents> {
  readonly type = 'unix_dgram'
  /** Whether `connect` has set a peer. */
  connected = false
  readonly #socket: Underneath
  #congested = false

  /** @internal */
  constructor(socket: Underneath) {
    super()
    this.#socket = socket
  }

  /** The system's descriptor; -1 once closed. */
  get fd(): number {
    return this.#socket.fd
  }

  /**
   * Gives the socket a path, where it receives from then on; `close` removes it. `'@name'` (also `'\0name'`) is in Linux's abstract
   * namespace; without a path the system chooses such a name, which `address` tells. `'listening'`, or `'error'`.
   *
   * Errors: `EADDRINUSE` (something is at the path, be it left over from a process that has ended), `EACCES`, `ENOENT` (no such
   * folder), `EINVAL` (bound already). Thrown: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` (no path for a socket). See bind(2).
   */
  bind(path: string = '', listening?: () => void): this {
    const address = addressOf(path)
    const error = failure(() => this.#socket.bindNow(address))
    if (error !== undefined) return this.#fail(error)
    if (listening !== undefined) this.once('listening', listening)
    void this.#receive()
    this.emit('listening')
    return this
  }

  /**
   * Sets the peer: where `send` without a path goes, and the only one who is heard. It can be called again, as it has to be when
   * the peer has made its socket anew. `'connect'`, or `'error'`; a callback is told either.
   *
   * Errors: `ENOENT` (nothing is there), `ECONNREFUSED` (a path that was left over), `EACCES`, `EPROTOTYPE` (no datagram socket).
   * Thrown: as `bind`. See connect(2).
   */
  connect(path: string, callback?: (error?: DatagramError) => void): this {
    const address = addressOf(path)
    const error = failure(() => this.#socket.connectNow(address))
    if (error !== undefined) return this.#fail(error, callback)
    this.connected = true
    if (callback !== undefined) this.once('connect', callback as () => void)
    this.emit('connect')
    return this
  }

  /** Takes the peer away. Errors, thrown: `ERR_SOCKET_CLOSED`. */
  disconnect(): void {
    this.#socket.disconnect()
    this.connected = false
  }

  /**
   * Sends one datagram, or the part of it from `offset` on: to the peer, or to a path. It is done, or has failed, when the call
   * returns; the callback has been told then, or an error `'error'`. When the peer is full, the callback gets an error with the
   * message `'congestion'`, without one there is `'congestion'`; either way `'writable'` follows. A receiver that is not the
   * peer and full is `EAGAIN`: the system tells nobody when it has room.
   *
   * Errors: `ENOENT`, `ECONNREFUSED` (nobody is there any more), `ENOTCONN` (no peer, or not since that), `EMSGSIZE` (more than the
   * system takes, by `sendBufferSize`), `EBADF` (closed). Thrown: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   * See send(2).
   */
  send(message: Message, callback?: SendCallback): void
  send(message: Message, path: string, callback?: SendCallback): void
  send(message: Message, offset: number, length: number, callback?: SendCallback): void
  send(message: Message, offset: number, length: number, path: string, callback?: SendCallback): void
  send(message: Message, ...rest: unknown[]): void {
    const callback = rest.find(isCallback)
    const where = callback === undefined ? rest : rest.slice(0, rest.indexOf(callback))
    // Two and a path, or a number among them: then they are an offset and a length, and checked as such.
    const parted = where.length > 2 || typeof where[0] === 'number' || typeof where[1] === 'number'
    const bytes = partOf(message, parted ? where.splice(0, 2) : null)
    const to = where[0] === undefined ? null : addressOf(where[0])
    const count = this.#socket.sendNow(bytes, to)
    if (count >= 0) {
      callback?.(undefined, count)
    } else if (to === null && isFull(count)) {
      void this.#awaitRoom(count)
      if (callback === undefined) this.emit('congestion', bytes)
      else callback(Object.assign<Error, { code: number }>(new Error('congestion'), { code: 1 }) as DatagramError)
    } else {
      this.#fail(numbered(systemError(count, 'send', to ?? this.#socket.remoteAddress)), callback)
    }
  }

  /** As `send` with a path. */
  sendto(message: Message, offset: number, length: number, path: string, callback?: SendCallback): void {
    if (typeof path !== 'string') throw typeError('path', 'a string', path)
    this.send(message, offset, length, path, callback)
  }

  /** Closes the socket, at once, and removes the path that `bind` has made. `'close'` follows. Closing again does nothing. */
  close(closed?: () => void): this {
    if (this.#socket.closed) {
      if (closed !== undefined) process.nextTick(closed)
      return this
    }
    if (closed !== undefined) this.once('close', closed)
    // hot-shots emits it by itself, since unix-dgram does not.
    let told = false
    this.once('close', () => (told = true))
    this.#socket.close()
    process.nextTick(() => told || this.emit('close'))
    return this
  }

  /** Where the socket is bound. */
  address(): UnixAddress {
    return described(this.#socket.localAddress)
  }

  /** Its peer. */
  remoteAddress(): UnixAddress {
    return described(this.#socket.remoteAddress)
  }

  /** What the system holds for it, in bytes; Linux doubles what was set. Errors of these four, thrown: those of the options. See SO_RCVBUF. */
  getRecvBufferSize(): number {
    return this.#socket.getOption('recvBufferSize')
  }

  setRecvBufferSize(size: number): void {
    this.#socket.setOption('recvBufferSize', size)
  }

  /** The same of what is sent. See SO_SNDBUF. */
  getSendBufferSize(): number {
    return this.#socket.getOption('sendBufferSize')
  }

  setSendBufferSize(size: number): void {
    this.#socket.setOption('sendBufferSize', size)
  }

  /** Once bound, it keeps the process alive again, which is so from the start. */
  ref(): this {
    this.#socket.ref()
    return this
  }

  /** It does not keep the process alive. */
  unref(): this {
    this.#socket.unref()
    return this
  }

  #fail(error: DatagramError, callback?: (error: DatagramError) => void): this {
    if (callback === undefined) this.emit('error', error)
    else callback(error)
    return this
  }

  async #receive(): Promise<void> {
    while (!this.#socket.closed) {
      try {
        const { data, from, truncated } = await this.#socket.recv()
        const path = from.path || null
        this.#emitLater('message', data, { size: data.length, path, address: { path }, truncated })
      } catch (error) {
        this.#emitLater('error', numbered(error as SocketError))
      }
    }
  }

  async #awaitRoom(why: number): Promise<void> {
    if (this.#congested) return
    this.#congested = true
    // What says ENOBUFS (macOS, FreeBSD) takes the socket for writable all the same: it is tried again a little later.
    await (why === WOULD_BLOCK ? this.#socket.room() : setTimeout(RETRY)).catch(() => {})
    this.#congested = false
    this.#emitLater('writable')
  }

  /** Emits, unless the socket is closed by then. Not in a promise, so that what a listener throws is an uncaught exception. */
  #emitLater<Name extends keyof SocketEvents>(...event: [name: Name, ...SocketEvents[Name]]): void {
    process.nextTick(() => {
      if (!this.#socket.closed) (this as EventEmitter).emit(...event)
    })
  }
}

/** How soon, in ms, a peer that is full is tried again where the system does not tell of its room. */
const RETRY = 2

/** The socket underneath, with what has to be done within a call. */
class Underneath extends UdpSocket {
  /** Sends to the peer or to an address: the count, or the number of an error. */
  sendNow(bytes: Uint8Array, to: Address | null): number {
    const count = sendNow(this.link, bytes, to)
    if (count >= 0) this.link.writing.bytes += count
    return count
  }

  /** Waits for the system to say that there is room, after a send that would have blocked. */
  room(): Promise<void> {
    return this.link.writing.submit(new Room(this.link), undefined, this)
  }
}

class Room extends Operation<void> {
  readonly syscall = 'send'
  #asked = false

  constructor(private readonly link: Link) {
    super()
  }

  attempt(): boolean {
    if (this.#asked) return this.succeed()
    this.#asked = true
    this.link.writing.blocked()
    return false
  }
}

function isFull(code: number): boolean {
  return code === WOULD_BLOCK || native.errorName(code) === 'ENOBUFS'
}

/** What `act` throws, as this API tells it. */
function failure(act: () => void): DatagramError | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    return numbered(error as SocketError)
  }
}

function numbered(cause: SocketError): DatagramError {
  const { message, errno, syscall, address } = cause
  return Object.assign(new Error(message, { cause }), { code: errno, errno, syscall, ...address === undefined ? {} : { address } }) as DatagramError
}

function addressOf(path: unknown): Address {
  if (typeof path !== 'string') throw typeError('path', 'a string', path)
  return unixAddress(path.replace(/^\0/, '@'))
}

function described(address: Address | null): UnixAddress {
  return { address: address?.path ?? '', family: 'unix', port: 0 }
}

function isCallback(value: unknown): value is SendCallback {
  return typeof value === 'function'
}

/** The bytes to send: all of a message, or what is between an offset and a length. */
function partOf(message: Message, part: unknown[] | null): Uint8Array {
  const bytes = Array.isArray(message) ? Buffer.concat(message.map(bytesOf)) : bytesOf(message)
  if (part === null) return bytes
  const [offset, length] = part
  checkInteger('offset', offset, 0, bytes.length)
  checkInteger('length', length, 0, bytes.length - offset)
  return bytes.subarray(offset, offset + length)
}

function closeOn(signal: AbortSignal, socket: Socket): void {
  const close = (): void => void socket.close()
  if (signal.aborted) return close()
  signal.addEventListener('abort', close, { once: true })
  socket.once('close', () => signal.removeEventListener('abort', close))
}

/** The namespace itself, the same object that `require` gives. */
const dgram: typeof import('./dgram.js') = module.exports
export default dgram
