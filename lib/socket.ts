/** What all sockets have. */
import { inspect } from 'node:util'
import { Address, addressFrom, addressSpace, familyNumber, isWildcard, type AddressFields, type Family, type Protocol, type SocketType } from './address.js'
import { channels, publish } from './channels.js'
import { peerCredentials, type PeerCredentials } from './credentials.js'
import type { Datagram } from './datagram.js'
import { closedError, rangeError, rightError, stateError, systemError, typeError, unsupported, valueError } from './errors.js'
import { checkTimeout } from './guard.js'
import { protocolNumber, typeNumber } from './kinds.js'
import { watchForLeak } from './leak.js'
import { checkHandles, checkTravel, ReceiveHandles, SendHandles, type ReceivedHandles } from './handles.js'
import { closeHandle, Link } from './link.js'
import { immediate, resolve, type Asker, type Host, type Port } from './lookup.js'
import { native, type Handle } from './native.js'
import { promised, type OperationOptions } from './operation.js'
import type { OptionName, OptionTypes } from './options.generated.js'
import { readOption, readRawOption, writeOption, writeRawOption, type SettableOptionName, type SocketOptions } from './options.js'
import { SCRATCH_LENGTH } from './receive.js'
import { bytesOf, type Data } from './send.js'
import { checkLength } from './validate.js'

/** What a socket is between two threads: plain data, which can be cloned. Made by `detach`, used once, by `attach`. */
export interface SocketHandle<Type extends SocketType = SocketType> {
  /** Names the socket, in this process only. */
  readonly key: string
  /** What the socket was. */
  readonly type: Type
  readonly family: Family
  readonly protocol: Protocol | undefined
  readonly standing: Standing
  /** Its peer, where the system does not know it any more. */
  readonly peer: AddressFields | undefined
  readonly timeout: number
  /** The header of the PROXY protocol that it came with. */
  readonly header: Uint8Array | null
  /** What was received but not given out, in memory of its own. */
  readonly unread: Uint8Array | null
  /** The same of datagrams. */
  readonly datagrams: readonly DetachedDatagram[] | null
  /** What has broken the connection, as an error number; 0: nothing. */
  readonly broken: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** What its options say of a `bind` to come. */
  readonly sharingChosen: boolean
  readonly replaceStale: boolean
}

/** A datagram as plain data. */
export type DetachedDatagram = Omit<Datagram, 'data' | 'from' | 'to'> & { data: Uint8Array; from: AddressFields; to?: AddressFields }

const keySpace = Buffer.alloc(16)

/** Whether `told` is to be called. A thread that is terminated in the middle of `postMessage(socket.detach())` has told nobody. */
let telling = false

function told(): void {
  telling = false
  native.told()
}

/** Bits of `bind` in native code. */
const CUSTOMARY = 1
const REPLACE_STALE = 2
const LATE_PORT = 4

/** How far a socket has come. */
export type Standing = 'idle' | 'connected' | 'listening'

/** What a socket is made of. */
export interface Making {
  readonly type: SocketType
  readonly family: Family
  readonly protocol: Protocol | undefined
  readonly options?: SocketOptions | undefined
  /** The handle of a socket that exists already. */
  readonly handle?: Handle
  /** How far that one has come: `'connected'`, as it is when it was accepted, unless this says otherwise. */
  readonly standing?: Standing
  /** The link of that handle, if it has one already. */
  readonly link?: Link
  /** Where it comes from, for whoever forgets it. */
  readonly birth: string
}

/**
 * A socket. It is open from the moment it is made; `close` closes it, once or ten times. Do not make one with `new`:
 * `tcp`, `udp`, `raw`, `seqpacket` and `accept` do.
 */
export abstract class Socket {
  /** `'tcp'`, `'udp'`, `'raw'` or `'seqpacket'`. */
  readonly type: SocketType
  /** `'inet'`, `'inet6'` or `'unix'`. */
  readonly family: Family
  /** The protocol it was made with; `undefined` for the usual one of its type. */
  readonly protocol: Protocol | undefined
  /** What waits on it, and its handle. For this library only. @internal */
  protected readonly link: Link
  /** Its peer, once known. @internal */
  protected peer: Address | null = null
  #replaceStale = false
  #sharingChosen = false
  #asker: Asker | undefined

  /** @internal */
  constructor(making: Making) {
    const { type, family, protocol, options, handle, birth } = making
    this.type = type
    this.family = family
    this.protocol = protocol
    this.link = making.link ?? new Link(handle ?? open(type, family, protocol), type === 'tcp' && family !== 'unix')
    if (options !== undefined) this.#apply(options)
    watchForLeak(this, this.link, birth)
  }

  /** The system's descriptor (on Windows the SOCKET); -1 once closed. It stays this socket's: do not close it. */
  get fd(): number {
    return this.closed ? -1 : native.fd(this.link.handle)
  }

  /** For who must not hold it. @internal */
  get trace(): Link {
    return this.link
  }

  /** Whether it has been closed. */
  get closed(): boolean {
    return this.link.handle < 0
  }

  /** The default for operations that name no timeout, in milliseconds; `Infinity` unless set. Errors: `ERR_OUT_OF_RANGE`. */
  get timeout(): number {
    return this.link.timeout
  }

  set timeout(timeout: number) {
    checkTimeout('timeout', timeout)
    this.link.timeout = timeout
  }

  /** How many bytes have been received and given out. */
  get bytesRead(): number {
    return this.link.bytesRead
  }

  /** How many bytes the system has taken. */
  get bytesWritten(): number {
    return this.link.writing.bytes
  }

  /** The local address, asked of the system, so that port 0 shows its port; `null` while it has none, and once closed. */
  get localAddress(): Address | null {
    if (this.closed || native.localAddress(this.link.handle, addressSpace) < 0) return null
    const address = addressFrom(addressSpace)
    return address === null || isNowhere(address) ? null : address
  }

  /** The peer's address; `null` while there is none. It stays known after `close`. */
  get remoteAddress(): Address | null {
    if (this.peer === null && !this.closed && native.remoteAddress(this.link.handle, addressSpace) >= 0) {
      this.peer = addressFrom(addressSpace)
    }
    return this.peer
  }

  /**
   * The process at the other end of a unix connection or pair, as it was when it connected, listened, or made the pair. The system
   * vouches for it: nobody can claim to be another.
   *
   * *Platforms*: all but Windows; datagrams (pairs only) on Linux. Errors, thrown: `ERR_SOCKET_BAD_STATE` (not a unix socket, not
   * connected, or a peer of which the system tells nothing: a datagram socket's that `connect` has set), `ERR_UNSUPPORTED_PLATFORM`,
   * `ERR_SOCKET_CLOSED`. See unix(7): SO_PEERCRED.
   */
  get peerCredentials(): PeerCredentials {
    this.assertOpen('peerCredentials')
    return peerCredentials(this.link.handle, this.family)
  }

  /**
   * Gives the socket a local address: a host and a port (`'*'` and 0 by default: all interfaces, any free port), or an address.
   * A unix path that this makes is removed by `close`; `'unix:'`, or no argument, has Linux choose a free name in its abstract namespace,
   * as unix(7) calls autobind. For TCP what servers need on this system is set first: `reuseAddress`,
   * on Windows `exclusiveAddressUse`, unless the options say otherwise.
   *
   * Errors: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `EINVAL` (bound already), `ENOTFOUND`, `ERR_SOCKET_BAD_PORT`,
   * `ERR_SOCKET_CLOSED`. See bind(2).
   */
  bind(host?: Host, port?: Port): Promise<this>
  bind(address: Address): Promise<this>
  async bind(host?: Host | Address, port?: Port): Promise<this> {
    this.assertOpen('bind')
    const address = await this.local(host, port, 'bind')
    this.assertOpen('bind')
    this.bindNow(address)
    return this
  }

  /**
   * What the system holds for an option.
   *
   * Errors: `ERR_INVALID_ARG_VALUE` (not an option of this socket), `ERR_UNSUPPORTED_PLATFORM`, `ENOPROTOOPT` (this version of the
   * system has it not), `ERR_SOCKET_CLOSED`, and the system's. See getsockopt(2).
   */
  getOption<Name extends OptionName>(name: Name): OptionTypes[Name]
  /**
   * What the system holds for an option that has no name here: by the numbers of its level and its name, as the system's C headers
   * have them. Gives as many bytes as the system has, `length` at most; 4, the size of an int, unless it is given.
   *
   * Errors: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`, `ENOPROTOOPT` (no such option), `ERR_SOCKET_CLOSED`, and the system's.
   */
  getOption(level: number, name: number, length?: number): Buffer
  getOption(name: unknown, number?: unknown, length?: unknown): unknown {
    this.assertOpen('getsockopt')
    if (typeof name === 'number') return readRawOption(this.link.handle, name, number, length)
    return readOption(this.link, name, this.type, this.family)
  }

  /**
   * Sets an option.
   *
   * Errors: as `getOption`, and `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE` for the value. See
   * setsockopt(2).
   */
  setOption<Name extends SettableOptionName>(name: Name, value: OptionTypes[Name]): this
  /**
   * Sets an option that has no name here, by the numbers of its level and its name: to a number, which goes as an int, or to bytes.
   * What has a name is better set by it.
   *
   * Errors: as `getOption` by numbers, and `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE` for the value.
   */
  setOption(level: number, name: number, value: number | Uint8Array): this
  setOption(name: unknown, value: unknown, rawValue?: unknown): this {
    this.assertOpen('setsockopt')
    if (typeof name === 'number') {
      writeRawOption(this.link.handle, name, value, rawValue)
      // It may have been UDP_GRO.
      if (this.type === 'udp') this.link.coalesces = native.coalesces(this.link.handle) === 1
      return this
    }
    writeOption(this.link.handle, name, value, this.type, this.family)
    if (name === 'reuseAddress' || name === 'exclusiveAddressUse') this.#sharingChosen = true
    return this
  }

  /**
   * Closes the socket; a connection sends what the system has taken, then FIN. Every operation that waits rejects with
   * `ERR_SOCKET_CLOSED` in the same tick, and so does every later one. Closing again does nothing.
   */
  close(): void {
    this.end(closeHandle)
  }

  /**
   * Makes a handle of the socket, which any thread of this process makes a socket of again by `attach`: with its connection or
   * its backlog, its options, and all that was received but not given out, by readers too. Send it by `postMessage`, `workerData` or
   * a `BroadcastChannel`. Here the socket is closed by this, without touching the connection: what waits rejects with
   * `ERR_SOCKET_CLOSED`. One that is never attached stays open until the process ends; `loop.detached` counts them.
   *
   * Errors, thrown: `ERR_SOCKET_BAD_STATE` (it is connecting), `ERR_SOCKET_CLOSED`.
   */
  detach(): SocketHandle<this['type']> {
    this.assertOpen('detach')
    const { type, family, protocol, link, timeout } = this
    const standing = this.standing('detach')
    // The new socket asks the system, unless it does not know any more: the connection is broken.
    const peer = this.peer !== null && native.remoteAddress(link.handle, addressSpace) < 0 ? this.peer.toJSON() : undefined
    this.end(handle => native.detach(handle, keySpace))
    if (!telling) {
      telling = true
      queueMicrotask(told)
    }
    const unread = link.allUnread()
    return {
      key: keySpace.toString('hex'), type, family, protocol, standing, peer, timeout, header: null,
      // Of a view the whole memory would be cloned, with whatever else is in it.
      unread: unread && new Uint8Array(unread),
      datagrams: link.datagrams && link.datagrams.map(toPlain),
      broken: link.broken, bytesRead: link.reading.bytes, bytesWritten: link.writing.bytes,
      sharingChosen: this.#sharingChosen, replaceStale: this.#replaceStale
    }
  }

  /**
   * Gives the descriptor away (on Windows the SOCKET), open and with its connection: it is the caller's to close. Here the socket
   * is closed by this: what waits rejects with `ERR_SOCKET_CLOSED`. The descriptor neither blocks nor is inherited; a unix path that
   * `bind` has made stays.
   *
   * Errors, thrown: `ERR_SOCKET_BAD_STATE` (it is connecting; or something was received but not given out, which would be lost:
   * receive that first, as `bytesRead` and a reader's `buffered` tell), `ERR_SOCKET_CLOSED`.
   */
  release(): number {
    this.assertOpen('release')
    this.standing('release')
    const unread = this.link.countUnread()
    if (unread > 0) throw stateError('release', `holding ${unread} bytes that were received and not given out`, 'read first')
    return this.end(native.release)
  }

  /**
   * Sends data over a unix connection, and with it sockets or descriptors of any kind, which stay open here, too; 253 at most (Linux).
   * On a stream there has to be a byte for them to go with. Resolves to the number of bytes.
   *
   * *Platforms*: all but Windows. Errors: as `send`, and `EBADF` (no descriptor), `ETOOMANYREFS` (too many on their way),
   * `ERR_OUT_OF_RANGE`, `ERR_SOCKET_BAD_STATE` (not a unix socket), `ERR_UNSUPPORTED_PLATFORM`. See unix(7): SCM_RIGHTS.
   */
  sendHandles(data: Data, handles: readonly (Socket | number)[], op?: OperationOptions): Promise<number> {
    return promised(() => {
      checkTravel('sendHandles')
      const bytes = bytesOf(data)
      checkHandles(handles)
      this.assertUsable('sendHandles')
      if (bytes.length === 0 && this.type !== 'udp') throw rangeError('data.length', 'at least 1: handles go with a byte', 0)
      return this.link.writing.submit(new SendHandles(this.link, bytes, handles), op, this)
    })
  }

  /**
   * Receives data over a unix connection, at most `maxLength` bytes (65,536 by default), and the descriptors that came with it. They
   * are yours: make sockets of them by `fromFd`, and close those; what is no socket by `fs.closeSync`. No child process inherits them. `truncated` says that
   * a message was longer, or that there were more descriptors than this process may open; what did not fit is closed. At the end
   * of the stream `data` is empty. Descriptors that meet a plain `recv` are closed.
   *
   * *Platforms*: all but Windows. Errors: as `recv`, and `ERR_SOCKET_BAD_STATE` (not a unix socket), `ERR_UNSUPPORTED_PLATFORM`.
   * See unix(7): SCM_RIGHTS.
   */
  recvHandles(maxLength: number = SCRATCH_LENGTH, op?: OperationOptions): Promise<ReceivedHandles> {
    return promised(() => {
      checkTravel('recvHandles')
      checkLength('maxLength', maxLength, 1)
      this.assertUsable('recvHandles')
      return this.link.reading.submit(new ReceiveHandles(this.link, maxLength), op, this)
    })
  }

  /** Waiting operations keep the process alive again, which is so from the start. */
  ref(): this {
    this.link.setReferenced(true)
    return this
  }

  /** Waiting operations do not keep the process alive. */
  unref(): this {
    this.link.setReferenced(false)
    return this
  }

  [Symbol.dispose](): void {
    this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close()
    return Promise.resolve()
  }

  [inspect.custom](): string {
    const state = this.closed ? 'closed' : `fd ${this.fd}`
    const ends = [this.localAddress, this.remoteAddress].map((address) => address ?? '-').join(' → ')
    return `${this.constructor.name}(${this.family} ${this.type}, ${state}, ${ends})`
  }

  /** Closes, parting with the handle in this way; once. Returns what `part` does. @internal */
  protected end(part: (handle: Handle) => number): number {
    if (this.closed) return 0
    const code = this.link.end(part)
    for (const lookup of this.#asker?.lookups ?? []) lookup.cancel(() => closedError(lookup.syscall))
    publish(channels.close, () => ({ socket: this }))
    return code
  }

  /** How far it has come; throws when that is nothing to give away. @internal */
  protected abstract standing(syscall: string): Standing

  /** Throws unless data can be sent and received. @internal */
  protected assertUsable(syscall: string): void {
    this.assertOpen(syscall)
    if (this.family !== 'unix') throw stateError(syscall, `of family '${this.family}'`, 'a unix socket')
  }

  /** Calls `ended` when it is closed, in whatever way; for one at a time. @internal */
  onceEnded(ended: () => void): void {
    this.link.onEnd = ended
  }

  /** Goes on where the socket was that has been detached. @internal */
  resume({ timeout, unread, broken, bytesRead, bytesWritten, sharingChosen, replaceStale }: SocketHandle, peer: Address | undefined, datagrams: Datagram[] | null): void {
    if (peer !== undefined) this.peer = peer
    this.timeout = timeout
    Object.assign(this.link, { unread, broken })
    this.link.datagrams = datagrams
    this.link.reading.bytes = bytesRead
    this.link.writing.bytes = bytesWritten
    this.#sharingChosen = sharingChosen
    this.#replaceStale = replaceStale
  }

  /** Has been opened, and perhaps broken, by something else, whose choice of options it keeps. @internal */
  adopted(broken: number): this {
    this.link.broken = broken
    this.#sharingChosen = true
    return this
  }

  /** Throws when the socket is closed. @internal */
  protected assertOpen(syscall: string): void {
    if (this.closed) throw closedError(syscall)
  }

  /** Keeps the peer's address, as the system has it: it knows where "all interfaces" leads to. @internal */
  protected learnPeer(asked: Address): void {
    this.peer = native.remoteAddress(this.link.handle, addressSpace) < 0 ? asked : addressFrom(addressSpace)
  }

  /** For whom it looks up names: they count as its operations, and end when it is closed. @internal */
  protected get asker(): Asker {
    return (this.#asker ??= { counted: this.link, lookups: new Set() })
  }

  /** The local address that `bind` or `listen` was given. @internal */
  protected async local(host: Host | Address | undefined, port: Port | undefined, syscall: string): Promise<Address> {
    if (host instanceof Address) return this.ofMyFamily(host, 'address')
    const query = { host, port, type: this.type, family: this.family, flags: { passive: true } }
    const address = immediate(query) ?? ((await resolve(query, undefined, this.asker))[0] as Address)
    this.assertOpen(syscall)
    return address
  }

  /** Binds without waiting; throws. With `late` the system need not choose a port before it connects. @internal */
  bindNow(address: Address, late = false): void {
    let flags = this.#replaceStale ? REPLACE_STALE : 0
    if (late) flags |= LATE_PORT
    else if (this.type === 'tcp' && this.family !== 'unix' && !this.#sharingChosen) flags |= CUSTOMARY
    const code = native.bind(this.link.handle, Address.wire(address), flags)
    if (code < 0) throw systemError(code, 'bind', address)
  }

  /** The address, which must be of this socket's family. @internal */
  protected ofMyFamily(address: Address, name: string): Address {
    if (address.family !== this.family) throw valueError(name, `must be of family '${this.family}'`, address.toString())
    return address
  }

  #apply(options: SocketOptions): void {
    try {
      if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
      for (const [name, value] of Object.entries(options)) {
        if (value === undefined) continue
        if (name === 'timeout') this.timeout = value as number
        else if (name === 'replaceStale') this.#replaceStale = checkedBoolean(name, value)
        else this.setOption(name as SettableOptionName, value as never)
      }
    } catch (error) {
      this.link.end(closeHandle)
      throw error
    }
  }
}

function open(type: SocketType, family: Family, protocol: Protocol | undefined): Handle {
  const number = protocol === undefined ? 0 : protocolNumber(protocol)
  const handle = native.open(familyNumber(family), typeNumber(type), number)
  if (handle >= 0) return handle
  const error = systemError(handle, 'socket')
  if (type === 'raw' && REFUSED.has(error.code)) throw rightError(handle, number === protocolNumber(family === 'inet' ? 'icmp' : 'icmpv6'))
  if (family === 'unix' && protocol === undefined && LACKS.has(error.code)) throw unsupported(`a unix socket of type '${type}'`)
  throw error
}

/** What systems say when the right is missing. */
const REFUSED = new Set(['EPERM', 'EACCES'])

/** What systems say of unix sockets that they do not have. */
const LACKS = new Set(['EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ESOCKTNOSUPPORT', 'EPROTOTYPE', 'ENOTSUP'])

function checkedBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw typeError(name, 'a boolean', value)
  return value
}

function toPlain({ data, from, to, ...rest }: Datagram): DetachedDatagram {
  return { ...rest, data: new Uint8Array(data), from: from.toJSON(), ...to && { to: to.toJSON() } }
}

/** The datagram of plain data, which may have been through anything; throws what is wrong with it. */
export function fromPlain({ data, from, to, ...rest }: DetachedDatagram): Datagram {
  return { ...rest, data: Buffer.from(data), from: Address.from(from), ...to && { to: Address.from(to) } }
}

/** The system gives an unbound socket the wildcard address with port 0, a unix one an empty path. */
function isNowhere(address: Address): boolean {
  return address.port === 0 && isWildcard(address)
}
