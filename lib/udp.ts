/** Datagram sockets: UDP, unix datagrams, and raw IP packets. */
import { Address, type Family, type Protocol } from './address.js'
import { ReceiveDatagram, ReceiveInto, ReceiveMany, type Datagram, type Received, type ReceiveManyOptions } from './datagram.js'
import { systemError, typeError, rangeError, valueError, type SocketError } from './errors.js'
import { changeGroup, type GroupOptions } from './group.js'
import { birthHere } from './leak.js'
import { immediate, resolveOne, type Host, type Port } from './lookup.js'
import { native } from './native.js'
import { promised, type OperationOptions } from './operation.js'
import type { SocketOptions } from './options.js'
import { SCRATCH_LENGTH } from './receive.js'
import { bytesOf, type Data } from './send.js'
import { SendDatagram, SendMany, SendSegments, type Destination } from './send-datagram.js'
import { Socket, type Making, type Standing } from './socket.js'
import { checkFamily, checkInteger, checkLength, checkStreamSpace, isBytes } from './validate.js'

/** One of the datagrams that `sendMany` sends: without `host`, `port` and `address` it goes to the peer. */
export interface OutgoingDatagram {
  data: Data
  host?: Host | undefined
  port?: Port | undefined
  /** In place of a host and a port. */
  address?: Address | undefined
}

/** The largest datagram there is: its length is a number of 16 bits. */
const LONGEST = 65535

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
 * Makes a raw IP socket, which takes part in the protocol given: `raw('inet', 'icmp')`, `raw('inet6', 'icmpv6')`.
 *
 * It needs a right: root, on Linux also CAP_NET_RAW, on Windows an administrator's. For `icmp` and `icmpv6` alone, Linux (where the
 * sysctl net.ipv4.ping_group_range has a group of the process) and macOS have a lesser socket for everyone, which is made
 * where the right is missing: `unprivileged` tells.
 *
 * Errors, thrown: `EPERM` or `EACCES` without the right, with a message that says what is needed; `EPROTONOSUPPORT`, `EMFILE`,
 * `ERR_INVALID_ARG_VALUE` for `'unix'`. See raw(7), icmp(7).
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
  /** The system has been asked to put datagrams together. */
  #bundled = false

  /** @internal */
  constructor(making: Making) {
    super(making)
    this.#connected = making.handle !== undefined && (making.standing ?? 'connected') === 'connected'
    if (making.handle !== undefined) this.link.coalesces = native.coalesces(making.handle) === 1
    if (making.type === 'raw') this.link.port = 0 // the system tells the protocol there
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
    this.connectNow(address)
    return this
  }

  /** Sets the peer without waiting; throws. @internal */
  connectNow(address: Address): void {
    const code = native.connect(this.link.handle, Address.wire(address))
    if (code < 0) throw systemError(code, 'connect', address)
    this.learnPeer(address)
    this.#connected = true
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
    return promised(() => {
      this.assertOpen('send')
      const bytes = bytesOf(data)
      const [destination, options] = this.#destination(to, port, op)
      return this.link.writing.submit(new SendDatagram(this.link, bytes, destination), options, this)
    })
  }

  /**
   * Sends datagrams in their order, many with one call of the system where it has one for that. Resolves to how many: all of them.
   * Hosts are looked up first; when one is not found nothing is sent. On failure `error.messagesSent` says how many went, and
   * the others have not.
   *
   * Errors: as `send`, of the first datagram that fails; `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`. See sendmmsg(2).
   */
  sendMany(messages: readonly OutgoingDatagram[], op?: OperationOptions): Promise<number> {
    return promised(() => {
      this.assertOpen('sendMany')
      if (!Array.isArray(messages)) throw typeError('messages', 'an array', messages)
      const hosts = new Map<string, Destination>()
      // Array.from finds what is missing in a list, too.
      const outgoing = Array.from(messages as readonly unknown[], (message, place) => {
        if (typeof message !== 'object' || message === null) throw typeError(`messages[${place}]`, 'an object with data', message)
        const { data, host, port, address } = message as OutgoingDatagram
        if (address !== undefined && !(address instanceof Address)) throw typeError(`messages[${place}].address`, 'an Address', address)
        if (host === undefined ? port !== undefined : typeof host === 'object') throw typeError(`messages[${place}].host`, "a string, '*' or false", host)
        const where = `${String(host)} ${String(port)}`
        let to = address === undefined ? hosts.get(where) : this.ofMyFamily(address, `messages[${place}].address`)
        if (to === undefined) {
          to = once(this.#destination(host, port, undefined)[0])
          hosts.set(where, to)
        }
        return { data: bytesOf(data), to }
      })
      if (outgoing.length === 0) return Promise.resolve(0)
      return this.link.writing.submit(new SendMany(this.link, outgoing), op, this)
    })
  }

  /**
   * Sends one buffer as many datagrams of `segmentSize` bytes each, the last of which may be shorter: to the peer, to a host and port,
   * or to an address. Resolves to the number of bytes. Where the system cuts the buffer itself (UDP GSO, Linux 4.18) this takes a
   * fraction of the time of as many sends; elsewhere, and where a network card or a path does not allow it, the datagrams are sent one by one, with
   * equal results. On failure `error.bytesSent` says how many bytes went, in whole datagrams.
   *
   * Errors: as `send`; `EMSGSIZE` is about `segmentSize`; `ERR_OUT_OF_RANGE` (no data, no size). See udp(7): UDP_SEGMENT.
   */
  sendSegments(data: Data, segmentSize: number, op?: OperationOptions): Promise<number>
  sendSegments(data: Data, segmentSize: number, host: Host, port: Port, op?: OperationOptions): Promise<number>
  sendSegments(data: Data, segmentSize: number, address: Address, op?: OperationOptions): Promise<number>
  sendSegments(data: Data, segmentSize: number, to?: Host | Address | OperationOptions, port?: Port | OperationOptions, op?: OperationOptions): Promise<number> {
    return promised(() => {
      this.assertOpen('sendSegments')
      const bytes = bytesOf(data)
      checkInteger('segmentSize', segmentSize, 1, LONGEST)
      if (bytes.length === 0) throw rangeError('data.length', 'at least 1: nothing makes no datagram', 0)
      const [destination, options] = this.#destination(to, port, op)
      return this.link.writing.submit(new SendSegments(this.link, bytes, segmentSize, destination), options, this)
    })
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
    return promised<Received | Datagram>(() => {
      this.assertOpen('recv')
      if (typeof into === 'number') {
        checkLength('maxLength', into, 1)
        return this.link.reading.submit(new ReceiveDatagram(this.link, into), op)
      }
      checkStreamSpace(into)
      return this.link.reading.submit(new ReceiveInto(this.link, into), op)
    })
  }

  /**
   * Receives the datagrams that are there, at least one and at most `max`, in as few calls of the system as it has for that. Their data
   * share memory: who keeps one of them for long copies it. `options.into` is memory of yours to use again and again. From the first `recvMany` on, the system hands datagrams of a
   * flood over in bundles where it can (UDP GRO, Linux 5.0); here they come out one by one, and none of them is lost when
   * `recv` takes over.
   *
   * Errors: as `recv`. See recvmmsg(2), udp(7): UDP_GRO.
   */
  recvMany(max: number, options?: ReceiveManyOptions): Promise<Datagram[]> {
    return promised(() => {
      this.assertOpen('recvMany')
      checkInteger('max', max, 1, 2 ** 31 - 1)
      const into = options?.into === undefined ? null : spaceOf(options.into)
      const { link } = this
      if (!this.#bundled) {
        this.#bundled = true
        link.coalesces = native.coalesce(link.handle) === 1
      }
      return link.reading.submit(new ReceiveMany(link, max, into), options, this)
    })
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

  /** What the arguments behind the data say: where it goes, and the options of the operation. */
  #destination(to: Host | Address | OperationOptions | undefined, port: unknown, op: OperationOptions | undefined): [Destination, OperationOptions | undefined] {
    if (to instanceof Address) return [this.ofMyFamily(to, 'address'), port as OperationOptions | undefined]
    if (to === undefined || (typeof to === 'object' && to !== null)) return [null, to]
    const address = this.#known(to, port as Port)
    if (address !== null) return [address, op]
    const query = { host: to, port: port as Port, type: this.type, family: this.family }
    return [(signal) => resolveOne(query, { signal }, this.asker), op]
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
  /**
   * Whether it is a datagram socket of ICMP (`SOCK_DGRAM`), made for want of the right to a raw one. It sends echo requests, and
   * receives the answers to them only; anything else is refused with `EINVAL`.
   *
   * *Platforms*: Linux: what it receives has no IP header (the option `recvTtl` tells the one field that pings want); the system puts
   * an id of its own into requests, which is the port of `localAddress`, and the checksum; what a router says of a request rejects the next
   * `recv` or `send`, as `EHOSTUNREACH` for instance; `icmpFilter` and `headerIncluded` are `EACCES`. macOS: the header is there,
   * id and checksum are the sender's. FreeBSD, Windows: always false. See icmp(7).
   */
  readonly unprivileged: boolean

  /** @internal */
  constructor(making: Making) {
    super(making)
    this.unprivileged = native.isUnprivileged(this.link.handle) === 1
  }

  /** Is to hear only of echo requests with this id; other systems than Linux do not spare it the rest. @internal */
  hearEchoesOf(id: number): void {
    if (!this.unprivileged) native.hearEchoesOf(this.link.handle, id)
  }
}

/** Memory to receive many into; throws what is wrong with it. */
function spaceOf(into: unknown): Buffer {
  if (!isBytes(into)) throw typeError('options.into', 'a Uint8Array', into)
  if (into.length < SCRATCH_LENGTH) throw rangeError('options.into.length', `at least ${SCRATCH_LENGTH}: room for any datagram`, into.length)
  return Buffer.isBuffer(into) ? into : Buffer.from(into.buffer, into.byteOffset, into.length)
}

/** The same, but that it is looked up only once. */
function once(to: Destination): Destination {
  if (typeof to !== 'function') return to
  let found: Promise<Address> | undefined
  return (signal) => (found ??= to(signal))
}
