/** Datagrams, as the system tells of them: what is known of one, and how one or many are received. */
import { Address, addressFrom, addressSpace, unixAddress } from './address.js'
import { systemError, valueError } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation, type OperationOptions } from './operation.js'
import { SCRATCH_LENGTH } from './receive.js'
import { viewOf } from './view.js'

const { WOULD_BLOCK, RECORD_LENGTH } = native

/** What the system tells of a datagram besides its sender. Each is there when its option is on, and the system knew it. */
export interface Control {
  /** To which address it was sent, in the socket's family and with its port; of a group it is the group's. Options: `packetInfo`, `recvPacketInfo`. */
  to?: Address
  /** The index of the interface by which it came. Options: `packetInfo`, `recvPacketInfo`. */
  interfaceIndex?: number
  /** What was left of its ttl or hop limit when it came. Options: `recvTtl`, `recvHopLimit`. */
  ttl?: number
  /** Its tos or traffic class, a byte. Options: `recvTos`, `recvTrafficClass`. */
  tos?: number
  /** The two bits of that byte by which routers tell of congestion (RFC 3168): 3 says that there is some. */
  ecn?: number
  /** When the system received it, in milliseconds since 1970 as `Date.now()`, with fractions. Option: `timestamp`. */
  timestamp?: number
}

/** What `recv(into)` tells of a datagram. */
export interface Received extends Control {
  /** How many bytes of it are in the memory given; 0 is an empty datagram. */
  length: number
  /** Who sent it. */
  from: Address
  /** Whether it was longer than the memory given; the rest of it is gone. */
  truncated: boolean
}

/** How to receive many. */
export interface ReceiveManyOptions extends OperationOptions {
  /**
   * Memory for the data, 65,536 bytes or more: datagrams that find room in it lie there until it is used again, by the next call for
   * instance. Then nothing is allocated, and what comes stays in the processor's cache. By default each call takes new memory.
   */
  into?: Uint8Array | undefined
}

/** A datagram with its data. */
export interface Datagram extends Control {
  /** From `recv` in memory of its own; from `recvMany` in one that datagrams share. */
  data: Buffer
  /** Who sent it. */
  from: Address
  /** Whether it was longer than the length asked for; the rest of it is gone. */
  truncated: boolean
}

// The layout of a record, as crates/core/src/datagram.rs has it, and of the numbers before the records of a batch.
const LENGTH = 4
const FLAGS = 8
const SEGMENT = 12
const TRUNCATED = 1
const TOLD = 2
const INTERFACE = 16
const HOPS = 20
const TRAFFIC_CLASS = 24
const TIME = 32
const TO = 40
const FROM = 72
const BATCH_HEAD = 8

/** How many datagrams of a batch are worth a step of the lane, which a turn has a budget of: chosen by feel, as they cost a third of one alone. */
const DATAGRAMS_PER_STEP = 32

/** From how many bytes on a bundle is received alone, where it stays, rather than with others, from where it is copied. Chosen by feel. */
const WORTH_A_CALL = 16_384
/** What bundles are received into, as many as it has room for. */
const BUNDLES_LENGTH = 4 * SCRATCH_LENGTH

const record = new Uint8Array(RECORD_LENGTH)
const recordView = new DataView(record.buffer)
const scratch = Buffer.allocUnsafeSlow(SCRATCH_LENGTH)
/** What `recvMany` of native code tells: how many bytes there are to take, 1 if nothing is left. */
const found = new Int32Array(2)

/** The sender in a record; often the same as before, and then the same object. */
function sender(bytes: Uint8Array, at: number): Address {
  if (!Address.is(lastSender, bytes, at)) lastSender = addressFrom(bytes.subarray(at)) ?? unixAddress('')
  return lastSender
}
let lastSender = unixAddress('')

/** Adds what else a record tells. */
function addControl(control: Control, link: Link, bytes: Uint8Array, view: DataView, at: number): void {
  const index = view.getInt32(at + INTERFACE, true)
  const hops = view.getInt32(at + HOPS, true)
  const trafficClass = view.getInt32(at + TRAFFIC_CLASS, true)
  const time = view.getFloat64(at + TIME, true)
  const to = addressFrom(bytes.subarray(at + TO, at + FROM))
  if (to !== null) control.to = to.withPort(link.port ??= localPort(link))
  if (index > 0) control.interfaceIndex = index
  if (hops >= 0) control.ttl = hops
  if (trafficClass >= 0) {
    control.tos = trafficClass
    control.ecn = trafficClass & 3
  }
  if (!Number.isNaN(time)) control.timestamp = time
}

function localPort(link: Link): number {
  return native.localAddress(link.handle, addressSpace) < 0 ? 0 : (addressFrom(addressSpace)?.port ?? 0)
}

/** Adds the datagrams that a record tells of, whose data begin in `slab` at `begin`; how many bytes they are. */
function addDatagrams(datagrams: Datagram[], link: Link, slab: Buffer, begin: number, bytes: Uint8Array, view: DataView, at: number): number {
  const length = view.getInt32(at + LENGTH, true)
  const { buffer, byteOffset } = slab
  const end = begin + length
  const flags = view.getInt32(at + FLAGS, true)
  const from = sender(bytes, at + FROM)
  const truncated = (flags & TRUNCATED) !== 0
  // Of several in one all but the last are of this length. An empty datagram is one, too.
  const segment = view.getInt32(at + SEGMENT, true)
  const step = segment || length
  link.bundled = segment > 0 && length >= WORTH_A_CALL
  do {
    const datagram: Datagram = { data: viewOf(buffer, byteOffset + begin, Math.min(step, end - begin)), from, truncated }
    if ((flags & TOLD) !== 0) addControl(datagram, link, bytes, view, at)
    datagrams.push(datagram)
    begin += step
  } while (begin < end)
  return length
}

/**
 * Receives what is there at once, at most `most` datagrams, those counted as one that the system has put into one: into `into`, if they
 * find room there.
 */
function receiveBatch(link: Link, most: number, into: Buffer | null): Datagram[] | number {
  const count = native.recvMany(link.handle, most, found)
  if (count < 0) return count
  const [total = 0, drained] = found
  const slab = into !== null && into.length >= total ? into : Buffer.allocUnsafeSlow(total)
  native.takeMany(slab)
  const view = new DataView(slab.buffer, slab.byteOffset)
  const length = view.getInt32(4, true)
  const datagrams: Datagram[] = []
  for (let i = 0; i < count; i++) {
    const at = BATCH_HEAD + i * length
    addDatagrams(datagrams, link, slab, view.getInt32(at, true), slab, view, at)
  }
  if (drained === 1) link.reading.drained()
  return datagrams
}

/** Receives one bundle where it stays: nothing is copied. Without `into` several bundles share a slab. */
function receiveBundle(link: Link, into: Buffer | null): Datagram[] | number {
  const datagrams: Datagram[] = []
  if (into !== null) {
    const code = native.recvFrom(link.handle, into, record)
    if (code >= 0) addDatagrams(datagrams, link, into, 0, record, recordView, 0)
    return code < 0 ? code : datagrams
  }
  // Whoever has transferred the memory of a datagram has taken the slab along.
  if (bundles.length - bundlesEnd < SCRATCH_LENGTH) {
    bundles = Buffer.allocUnsafeSlow(BUNDLES_LENGTH)
    bundlesEnd = 0
  }
  const code = native.recvFrom(link.handle, bundles.subarray(bundlesEnd), record)
  if (code < 0) return code
  bundlesEnd += addDatagrams(datagrams, link, bundles, bundlesEnd, record, recordView, 0)
  return datagrams
}
let bundles = Buffer.alloc(0)
let bundlesEnd = 0

/** Receives datagrams, at most `most`; or the error number, with the lane told to wait when there are none. */
function receiveMany(link: Link, most: number, into: Buffer | null): Datagram[] | number {
  const { reading } = link
  const datagrams = link.bundled ? receiveBundle(link, into) : receiveBatch(link, most, into)
  if (typeof datagrams === 'number') {
    if (datagrams === WOULD_BLOCK) reading.blocked()
    return datagrams
  }
  reading.charge(Math.ceil(datagrams.length / DATAGRAMS_PER_STEP))
  // The system may have put more of them into one than were asked for.
  if (datagrams.length > most) {
    link.datagrams = datagrams.splice(most)
    // Whoever has those that share memory with them may transfer it, or use it again.
    for (const left of link.datagrams) left.data = Buffer.from(left.data)
    reading.refill()
  }
  return datagrams
}

/** Takes what was received before and not given out, at most `most` datagrams, or else receives. */
function takeMany(link: Link, most: number, into: Buffer | null = null): Datagram[] | number {
  const left = link.datagrams
  let datagrams: Datagram[] | number
  if (left === null) {
    datagrams = receiveMany(link, most, into)
    if (typeof datagrams === 'number') return datagrams
  } else {
    datagrams = left.splice(0, most)
    if (left.length === 0) link.datagrams = null
  }
  for (const { data } of datagrams) link.reading.bytes += data.length
  return datagrams
}

/** Whether what is received may be several datagrams in one, or is there already. */
function comesMany(link: Link): boolean {
  return link.coalesces || link.datagrams !== null
}

abstract class Receiving<T> extends Operation<T> {
  get syscall(): string {
    return 'recv'
  }

  constructor(protected readonly link: Link) {
    super()
  }

  /** Receives one datagram into `space`, and its record: its length, or an error number with the lane told to wait. */
  protected receive(space: Uint8Array): number {
    const { handle, reading } = this.link
    const count = native.recvFrom(handle, space, record)
    if (count >= 0) reading.bytes += count
    else if (count === WOULD_BLOCK) reading.blocked()
    return count
  }

  protected refused(code: number): boolean {
    return code !== WOULD_BLOCK && this.fail(() => systemError(code, this.syscall))
  }
}

/** `recv(into)`. */
export class ReceiveInto extends Receiving<Received> {
  readonly #room: number

  constructor(link: Link, private readonly into: Uint8Array) {
    super(link)
    this.#room = into.length
  }

  attempt(): boolean {
    const { link, into } = this
    // With less room the datagram would be cut although the caller gave enough.
    if (into.length < this.#room) {
      return this.fail(() => valueError('into', 'was detached or shrunk while the operation waited', into))
    }
    if (comesMany(link)) {
      const datagrams = takeMany(link, 1)
      if (typeof datagrams === 'number') return this.refused(datagrams)
      const { data, ...rest } = datagrams[0] as Datagram
      into.set(data.length > into.length ? data.subarray(0, into.length) : data)
      return this.succeed({ ...rest, length: Math.min(data.length, into.length), truncated: rest.truncated || data.length > into.length })
    }
    const length = this.receive(into)
    if (length < 0) return this.refused(length)
    const flags = record[FLAGS] as number
    const received: Received = { length, from: sender(record, FROM), truncated: (flags & TRUNCATED) !== 0 }
    if ((flags & TOLD) !== 0) addControl(received, link, record, recordView, 0)
    return this.succeed(received)
  }
}

/** `recv(maxLength)`: the same, as a new Buffer. */
export class ReceiveDatagram extends Receiving<Datagram> {
  constructor(link: Link, private readonly maxLength: number) {
    super(link)
  }

  attempt(): boolean {
    const { link, maxLength } = this
    if (comesMany(link)) {
      const datagrams = takeMany(link, 1)
      if (typeof datagrams === 'number') return this.refused(datagrams)
      const [datagram] = datagrams as [Datagram]
      const truncated = datagram.truncated || datagram.data.length > maxLength
      return this.succeed({ ...datagram, data: Buffer.from(datagram.data.subarray(0, maxLength)), truncated })
    }
    const space = maxLength < SCRATCH_LENGTH ? scratch.subarray(0, maxLength) : scratch
    const length = this.receive(space)
    if (length < 0) return this.refused(length)
    const flags = record[FLAGS] as number
    const datagram: Datagram = { data: Buffer.from(space.subarray(0, length)), from: sender(record, FROM), truncated: (flags & TRUNCATED) !== 0 }
    if ((flags & TOLD) !== 0) addControl(datagram, link, record, recordView, 0)
    return this.succeed(datagram)
  }
}

/** `recvMany(max)`: what is there, at least one. */
export class ReceiveMany extends Receiving<Datagram[]> {
  override get syscall(): string {
    return 'recvMany'
  }

  constructor(link: Link, private readonly max: number, private readonly into: Buffer | null) {
    super(link)
  }

  attempt(): boolean {
    const { link, max, into } = this
    if (into !== null && into.length < SCRATCH_LENGTH) {
      return this.fail(() => valueError('options.into', 'was detached or shrunk while the operation waited', into))
    }
    const datagrams = takeMany(link, max, into)
    return typeof datagrams === 'number' ? this.refused(datagrams) : this.succeed(datagrams)
  }
}
