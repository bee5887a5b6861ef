/** Datagram sockets: UDP, unix datagrams, and raw IP packets. */
import { clearTimeout, setTimeout } from 'node:timers'
import { Address, addressFrom, addressSpace, unixAddress, type Family, type Protocol } from './address.js'
import { systemError, valueError, type SocketError } from './errors.js'
import { changeGroup, type GroupOptions } from './group.js'
import { birthHere } from './leak.js'
import type { Link } from './link.js'
import { immediate, resolveOne, type Host, type Port } from './lookup.js'
import { native } from './native.js'
import { Operation, type OperationOptions } from './operation.js'
import type { SocketOptions } from './options.js'
import { SCRATCH_LENGTH } from './receive.js'
import { bytesOf, type Data } from './send.js'
import { Socket, type Making, type Standing } from './socket.js'
import { checkFamily, checkLength, checkStreamSpace } from './validate.js'

const { WOULD_BLOCK } = native

/** What `recv(into)` tells of a datagram. */
export interface Received {
  /** How many bytes of it are in the memory given; 0 is an empty datagram. */
  length: number
  /** Who sent it. */
  from: Address
  /** Whether it was longer than the memory given; the rest of it is gone. */
  truncated: boolean
}

/** A datagram in memory of its own. */
export interface Datagram {
  data: Buffer
  /** Who sent it. */
  from: Address
  /** Whether it was longer than the length asked for; the rest of it is gone. */
  truncated: boolean
}

/**
 * Makes a UDP socket; with `'unix'` a unix datagram socket. It sends and receives without being bound first.
 *
 * Errors, thrown: `EMFILE`, `EAFNOSUPPORT`, `ERR_INVALID_ARG_VALUE`. See udp(7), unix(7).
 */
export function udp(family: Family = 'inet', protocol?: Protocol, options?: SocketOptions): UdpSocket {
  checkFamily(family)
  return new UdpSocket({ type: 'udp', family, protocol, options, birth: birthHere(udp) })
}

/**
 * Makes a raw IP socket, which takes part in the protocol given: `raw('inet', 'icmp')`.
 *
 * Errors, thrown: `EPERM` or `EACCES` without the right (root, or CAP_NET_RAW on Linux), `EPROTONOSUPPORT`, `EMFILE`,
 * `ERR_INVALID_ARG_VALUE` for `'unix'`. See raw(7).
 */
export function raw(family: Family = 'inet', protocol?: Protocol, options?: SocketOptions): RawSocket {
  checkFamily(family)
  // Linux would take it for a datagram socket.
  if (family === 'unix') throw valueError('family', "must be 'inet' or 'inet6'; udp('unix') makes a unix datagram socket", family)
  return new RawSocket({ type: 'raw', family, protocol, options, birth: birthHere(raw) })
}

/** A UDP or unix datagram socket. */
export class UdpSocket extends Socket {
  declare readonly type: 'udp' | 'raw'
  /** Where the last send by host and port went, since programs send to the same place again and again. */
  #last: { host: Host; port: Port; address: Address } | undefined
  /** Whether it has a peer. */
  #connected: boolean

  /** @internal */
  constructor(making: Making) {
    super(making)
    this.#connected = making.handle !== undefined && (making.standing ?? 'connected') === 'connected'
  }

  /**
   * Sets the peer: `send` needs no address then, and only the peer's datagrams are received. It can be called again.
   *
   * Errors: `ENOTFOUND`, `ENETUNREACH`, `ENOENT`, `ECONNREFUSED` (unix), `ERR_SOCKET_CLOSED`. See connect(2).
   */
  connect(host: Host, port?: Port, op?: OperationOptions): Promise<this>
  connect(address: Address, op?: OperationOptions): Promise<this>
  async connect(where: Host | Address, port?: Port | OperationOptions, op?: OperationOptions): Promise<this> {
    this.assertOpen('connect')
    const address =
      where instanceof Address
        ? this.ofMyFamily(where, 'address')
        : await resolveOne({ host: where, port: port as Port | undefined, type: this.type, family: this.family }, op, this.asker)
    this.assertOpen('connect')
    const code = native.connect(this.link.handle, Address.wire(address))
    if (code < 0) throw systemError(code, 'connect', address)
    this.learnPeer(address)
    this.#connected = true
    return this
  }

  /** Takes the peer away; the local port stays. Without a peer it does nothing. Errors, thrown: `ERR_SOCKET_CLOSED`. */
  disconnect(): void {
    this.assertOpen('disconnect')
    if (!this.#connected) return
    const code = native.disconnect(this.link.handle)
    if (code < 0) throw systemError(code, 'disconnect')
    this.#connected = false
    this.peer = null
  }

  /**
   * Sends one datagram, whole: to the peer of a connected socket, to a host and port, or to an address. Resolves to its length; an
   * empty one is sent as well.
   *
   * Errors: `EMSGSIZE` (too big), `EACCES` (broadcast without the option), `ENETUNREACH`, `ECONNREFUSED` (connected: nobody
   * is there, as an earlier datagram found out), `EDESTADDRREQ` or `ENOTCONN` (no peer), `ENOTFOUND`, `ETIMEDOUT`,
   * `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_PORT`. See send(2).
   */
  send(data: Data, op?: OperationOptions): Promise<number>
  send(data: Data, host: Host, port: Port, op?: OperationOptions): Promise<number>
  send(data: Data, address: Address, op?: OperationOptions): Promise<number>
  send(data: Data, to?: Host | Address | OperationOptions, port?: Port | OperationOptions, op?: OperationOptions): Promise<number> {
    try {
      this.assertOpen('send')
      const bytes = bytesOf(data)
      if (to instanceof Address) return this.#submit(bytes, this.ofMyFamily(to, 'address'), port as OperationOptions | undefined)
      if (to === undefined || (typeof to === 'object' && to !== null)) return this.#submit(bytes, null, to)
      const address = this.#known(to, port as Port)
      if (address !== null) return this.#submit(bytes, address, op)
      const query = { host: to, port: port as Port, type: this.type, family: this.family }
      const find = (signal: AbortSignal): Promise<Address> => resolveOne(query, { signal }, this.asker)
      return this.link.writing.submit(new SendByName(this.link, bytes, find), op, this)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Receives one datagram, into memory of yours or as a new Buffer of at most `maxLength` bytes (65,536 by default, more than
   * any). What does not fit is gone; `truncated` says so.
   *
   * Errors: `ECONNREFUSED` (connected: nobody is there, as an earlier datagram found out; receiving can go on), `ETIMEDOUT`,
   * `ERR_SOCKET_CLOSED`, `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`. See recv(2).
   */
  recv(into: Uint8Array, op?: OperationOptions): Promise<Received>
  recv(maxLength?: number, op?: OperationOptions): Promise<Datagram>
  recv(into: Uint8Array | number = SCRATCH_LENGTH, op?: OperationOptions): Promise<Received | Datagram> {
    try {
      this.assertOpen('recv')
      if (typeof into === 'number') {
        checkLength('maxLength', into, 1)
        return this.link.reading.submit(new ReceiveDatagram(this.link, into), op)
      }
      checkStreamSpace(into)
      return this.link.reading.submit(new ReceiveInto(this.link, into), op)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Joins a multicast group: from then on the socket, bound to the group's port (by `bind('*', port)`), receives what is sent there.
   *
   * Errors, thrown: `EADDRNOTAVAIL` (no such interface, or none the system could choose), `EADDRINUSE` (joined already),
   * `ENOBUFS` (too many groups), `ERR_INVALID_ARG_VALUE` (not multicast, or of another family), `ERR_INVALID_ARG_TYPE`,
   * `ERR_OUT_OF_RANGE`, `ERR_SOCKET_CLOSED`. See ip(7), ipv6(7): IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP.
   */
  joinGroup(group: string | Address, options?: GroupOptions): this {
    this.assertOpen('joinGroup')
    changeGroup(this.link.handle, this.family, true, group, options)
    return this
  }

  /**
   * Leaves a group, joined with the same options. Closing leaves all.
   *
   * Errors, thrown: `EADDRNOTAVAIL` (not joined), otherwise as `joinGroup`. See IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP,
   * MCAST_LEAVE_SOURCE_GROUP.
   */
  leaveGroup(group: string | Address, options?: GroupOptions): this {
    this.assertOpen('leaveGroup')
    changeGroup(this.link.handle, this.family, false, group, options)
    return this
  }

  /** The datagrams that come, until the socket is closed. Leaving the loop does not close it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, void, undefined> {
    while (!this.closed) {
      let datagram: Datagram
      try {
        datagram = await this.recv()
      } catch (error) {
        if ((error as SocketError).code === 'ERR_SOCKET_CLOSED') return
        throw error
      }
      yield datagram
    }
  }

  /** @internal */
  protected override standing(): Standing {
    return this.#connected ? 'connected' : 'idle'
  }

  #submit(bytes: Uint8Array, to: Address | null, op: OperationOptions | undefined): Promise<number> {
    return this.link.writing.submit(new SendDatagram(this.link, bytes, to), op)
  }

  /** The address of a host that needs no lookup. */
  #known(host: Host, port: Port): Address | null {
    if (this.#last?.host === host && this.#last.port === port) return this.#last.address
    const address = immediate({ host, port, type: this.type, family: this.family })
    if (address !== null) this.#last = { host, port, address }
    return address
  }
}

/** A raw IP socket. What an `inet` one receives begins with the IP header, as the system gives it; it has no ports. */
export class RawSocket extends UdpSocket {
  declare readonly type: 'raw'
}

/** The sender of the datagram just received; often the same as before, and then the same object. */
function sender(): Address {
  if (!Address.is(lastSender, addressSpace)) lastSender = addressFrom(addressSpace) ?? unixAddress('')
  return lastSender
}
let lastSender = unixAddress('')

const scratch = Buffer.allocUnsafeSlow(SCRATCH_LENGTH)

abstract class Receiving<T> extends Operation<T> {
  get syscall(): string {
    return 'recv'
  }

  constructor(protected readonly link: Link) {
    super()
  }

  /** Receives one datagram into `space`: its length; or -1, with the operation settled or the lane told to wait. */
  protected receive(space: Uint8Array): number {
    const { handle, reading } = this.link
    const count = native.recvFrom(handle, space, addressSpace)
    if (count >= 0) reading.bytes += count
    else if (count === WOULD_BLOCK) reading.blocked()
    return count
  }

  protected refused(code: number): boolean {
    return code !== WOULD_BLOCK && this.fail(() => systemError(code, this.syscall))
  }
}

class ReceiveInto extends Receiving<Received> {
  readonly #room: number

  constructor(link: Link, private readonly into: Uint8Array) {
    super(link)
    this.#room = into.length
  }

  attempt(): boolean {
    // With less room the datagram would be cut although the caller gave enough.
    if (this.into.length < this.#room) {
      return this.fail(() => valueError('into', 'was detached or shrunk while the operation waited', this.into))
    }
    const length = this.receive(this.into)
    if (length < 0) return this.refused(length)
    return this.succeed({ length, from: sender(), truncated: addressSpace[1] === 1 })
  }
}

class ReceiveDatagram extends Receiving<Datagram> {
  constructor(link: Link, private readonly maxLength: number) {
    super(link)
  }

  attempt(): boolean {
    const space = this.maxLength < SCRATCH_LENGTH ? scratch.subarray(0, this.maxLength) : scratch
    const length = this.receive(space)
    if (length < 0) return this.refused(length)
    return this.succeed({ data: Buffer.from(space.subarray(0, length)), from: sender(), truncated: addressSpace[1] === 1 })
  }
}

/** How soon, in ms, a full unix receiver is tried again: the system reports nothing when it has room for a stranger. */
const UNIX_RETRY = 2

class SendDatagram extends Operation<number> {
  get syscall(): string {
    return 'send'
  }

  readonly #length: number
  #retry: NodeJS.Timeout | undefined

  constructor(protected readonly link: Link, private readonly data: Uint8Array, protected to: Address | null) {
    super()
    this.#length = data.length
  }

  attempt(): boolean {
    const { link, data, to } = this
    if (this.#retry !== undefined) {
      link.writing.ready = false
      return false
    }
    if (data.length !== this.#length) {
      return this.fail(() => valueError('data', 'was detached or resized while the operation waited', data))
    }
    const count = to === null ? native.send(link.handle, data, 0) : native.sendTo(link.handle, data, Address.wire(to))
    if (count >= 0) {
      link.writing.bytes += count
      return this.succeed(count)
    }
    if (count !== WOULD_BLOCK) return this.fail(() => systemError(count, this.syscall, to))
    link.writing.blocked()
    if (to?.family === 'unix') this.#retryLater()
    return false
  }

  /** Until then it is not tried: each vain try makes the system report that the socket is writable. */
  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.link.writing.wake(false)
    }, UNIX_RETRY).unref()
  }

  override release(): void {
    clearTimeout(this.#retry)
  }

  override annotate(error: SocketError): void {
    error.bytesSent = 0
  }
}

/** A datagram whose receiver's name is looked up first. It keeps its place meanwhile: who sends later goes later. */
class SendByName extends SendDatagram {
  readonly #lookup = new AbortController()

  constructor(link: Link, data: Uint8Array, find: (signal: AbortSignal) => Promise<Address>) {
    super(link, data, null)
    void this.#lookUp(find)
  }

  async #lookUp(find: (signal: AbortSignal) => Promise<Address>): Promise<void> {
    try {
      this.to = await find(this.#lookup.signal)
      this.link.writing.wake(false)
    } catch (error) {
      if (!this.#lookup.signal.aborted) this.cancel(() => error)
    }
  }

  override attempt(): boolean {
    if (this.to !== null) return super.attempt()
    this.link.writing.ready = false
    return false
  }

  /** The answer is of no interest any more, and the way is free for the next. */
  override release(): void {
    super.release()
    this.#lookup.abort()
    this.link.writing.refill()
  }
}
