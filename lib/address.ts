/**
 * Addresses: what a socket is bound to, connected to, or has received from.
 *
 * On the way to and from native code an address is a few bytes, and `Address` keeps just these; text is made when it is
 * looked at. Layout: [0] family (0 none, 4, 6, 1 unix), [1] flags of a call, [2..4] port, or the length of a path; [4..20] IP;
 * [20..24] scope id; [24..28] flow info; a unix path from [4] on, beginning with NUL in the abstract namespace. Big-endian.
 */
import { inspect } from 'node:util'
import { portError, typeError, valueError } from './errors.js'
import { native } from './native.js'
import { checkInteger } from './validate.js'

/** The family of an address: IPv4, IPv6 or a unix path. */
export type Family = 'inet' | 'inet6' | 'unix'
/** The type of a socket. */
export type SocketType = 'tcp' | 'udp' | 'raw' | 'seqpacket'
/** A protocol by name, or by its IANA number. */
export type Protocol = 'ip' | 'ipv6' | 'tcp' | 'udp' | 'raw' | 'icmp' | 'igmp' | 'icmpv6' | number

/** What an `Address` is made of; what its `toJSON` gives. */
export interface AddressFields {
  family: Family
  /** An IP address, or a unix path as in `path`. */
  address: string
  port: number
  scopeId?: number | undefined
  flowInfo?: number | undefined
  /** Of a unix address: the path, `@name` in the abstract namespace. */
  path?: string | undefined
  type?: SocketType | undefined
  protocol?: Protocol | undefined
  name?: string | undefined
}

/** What a lookup knows of an address besides the address. */
export interface AddressOrigin {
  type?: SocketType | undefined
  protocol?: Protocol | undefined
  name?: string | undefined
}

const INET = 4
const INET6 = 6
const UNIX = 1
const IP_LENGTH = 28
const FAMILIES: Record<number, Family> = { [INET]: 'inet', [INET6]: 'inet6', [UNIX]: 'unix' }
const FAMILY_NUMBERS: Record<Family, number> = { inet: INET, inet6: INET6, unix: UNIX }

/** The number of a family in native code. */
export function familyNumber(family: Family): number {
  return FAMILY_NUMBERS[family]
}

/** The family of a number of native code's. */
export function familyOf(number: number): Family {
  return FAMILIES[number] as Family
}

/** The memory that every native call writes an address to. */
export const addressSpace = new Uint8Array(native.ADDRESS_LENGTH)

let constructing: Uint8Array | undefined

/**
 * An address: family, IP and port, or a unix path. It never changes. It survives `structuredClone` and JSON through
 * `toJSON()` and `Address.from()`.
 */
export class Address {
  readonly #wire: Uint8Array
  #text: string | undefined
  /** The type of socket it was looked up for. */
  declare readonly type?: SocketType
  /** The protocol it was looked up for. */
  declare readonly protocol?: Protocol
  /** The canonical name, where the lookup asked for it. */
  declare readonly name?: string

  /** Not for users: `Address.parse`, `Address.from` and `addr` make addresses. */
  constructor() {
    if (constructing === undefined) throw new TypeError('Use Address.parse, Address.from or addr to make an Address')
    this.#wire = constructing
    constructing = undefined
  }

  /** `'inet'`, `'inet6'` or `'unix'`. */
  get family(): Family {
    return familyOf(this.#wire[0] as number)
  }

  /** The IP address as text, without port and zone; of a unix address the path, `@name` in the abstract namespace. */
  get address(): string {
    return (this.#text ??= textOf(this.#wire))
  }

  /** The port, 0 for unix addresses. */
  get port(): number {
    return this.#wire[0] === UNIX ? 0 : number16(this.#wire, 2)
  }

  /** The interface an IPv6 link-local address belongs to; `undefined` when none is named. */
  get scopeId(): number | undefined {
    return this.#wire[0] === INET6 ? number32(this.#wire, 20) || undefined : undefined
  }

  /** The flow label of an IPv6 address; `undefined` when it is 0. */
  get flowInfo(): number | undefined {
    return this.#wire[0] === INET6 ? number32(this.#wire, 24) || undefined : undefined
  }

  /** The path of a unix address, `@name` in the abstract namespace, `''` when it has none; `undefined` for the others. */
  get path(): string | undefined {
    return this.#wire[0] === UNIX ? this.address : undefined
  }

  /** `'127.0.0.1:80'`, `'[fe80::1%2]:80'`, `'unix:/run/x.sock'`, `'unix:@abstract'`. */
  toString(): string {
    const { scopeId } = this
    switch (this.#wire[0]) {
      case INET:
        return `${this.address}:${this.port}`
      case INET6:
        return `[${this.address}${scopeId === undefined ? '' : `%${scopeId}`}]:${this.port}`
      default:
        return `unix:${this.address}`
    }
  }

  /** A plain object of its fields, from which `Address.from` makes an equal address. */
  toJSON(): AddressFields {
    const { family, address, port, scopeId, flowInfo, path, type, protocol, name } = this
    const fields: AddressFields = { family, address, port }
    for (const [key, value] of Object.entries({ scopeId, flowInfo, path, type, protocol, name })) {
      if (value !== undefined) Object.assign(fields, { [key]: value })
    }
    return fields
  }

  /** Whether it is the same place: family, address, port, and scope or path. */
  equals(other: Address): boolean {
    if (!(other instanceof Address)) throw typeError('other', 'an Address', other)
    return sameWire(this.#wire, other.#wire)
  }

  /** An address like this one with another port. Throws `ERR_SOCKET_BAD_PORT`. */
  withPort(port: number): Address {
    checkPortNumber(port)
    const wire = this.#wire.slice()
    if (wire[0] !== UNIX) put16(wire, 2, port)
    return fromWire(wire, this)
  }

  [inspect.custom](): string {
    return `Address(${this})`
  }

  /**
   * The address that `toString` wrote: `'127.0.0.1:80'`, `'[::1]:80'`, `'unix:/path'`. Only literal addresses; names are
   * for `addr`. Throws `ERR_INVALID_ARG_VALUE`.
   */
  static parse(text: string): Address {
    if (typeof text !== 'string') throw typeError('text', 'a string', text)
    if (text.startsWith('unix:')) return unixAddress(text.slice(5))
    const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
    const address = match && literal((match[1] ?? match[2]) as string)
    if (!match || !address || Number(match[3]) > 65535 || (match[1] === undefined) !== (address.family === 'inet')) {
      throw valueError('text', "must be an address such as '127.0.0.1:80', '[::1]:80' or 'unix:/path'", text)
    }
    return address.withPort(Number(match[3]))
  }

  /** An address from its fields: what `toJSON` or a structured clone gives, or written by hand. */
  static from(fields: AddressFields | Address): Address {
    if (fields instanceof Address) return fields
    if (typeof fields !== 'object' || fields === null) throw typeError('fields', 'an object', fields)
    const { family, address, port = 0, scopeId = 0, flowInfo = 0, path } = fields
    if (family === 'unix') return unixAddress(path ?? address)
    if (typeof address !== 'string') throw typeError('address', 'a string', address)
    checkPortNumber(port)
    checkInteger('scopeId', scopeId, 0, 0xffff_ffff)
    checkInteger('flowInfo', flowInfo, 0, 0xffff_ffff)
    const ip = literal(address)
    if (!ip || (family !== undefined && ip.family !== family)) {
      throw valueError('address', `must be an IP address of family '${family}'`, address)
    }
    const wire = ip.#wire.slice()
    put16(wire, 2, port)
    if (wire[0] === INET6) {
      if (scopeId !== 0) put32(wire, 20, scopeId)
      put32(wire, 24, flowInfo)
    }
    return fromWire(wire, fields)
  }

  /** The bytes native code takes. For this library only. */
  static wire(address: Address): Uint8Array {
    return address.#wire
  }

  /** Whether the bytes from `at` on say the same. For this library only. */
  static is(address: Address, wire: Uint8Array, at: number): boolean {
    return sameWire(address.#wire, wire, at)
  }
}

/** The address in these bytes, which are its own from now on. */
function fromWire(wire: Uint8Array, origin?: AddressOrigin): Address {
  constructing = wire
  const address = new Address()
  if (origin !== undefined) {
    for (const key of ['type', 'protocol', 'name'] as const) {
      const value = origin[key]
      if (value !== undefined) Object.defineProperty(address, key, { value, enumerable: true })
    }
  }
  return address
}

/** The address that a native call has written; `null` when it wrote none. */
export function addressFrom(space: Uint8Array, origin?: AddressOrigin): Address | null {
  if (space[0] === 0) return null
  const wire = space.slice(0, wireLength(space))
  wire[1] = 0
  return fromWire(wire, origin)
}

/** The address of an IP literal, with port 0; `null` when the text is none. Brackets are no part of it, a zone is. */
export function literal(text: string): Address | null {
  const wire = native.parseIp(text)
  return wire.length === 0 ? null : fromWire(Uint8Array.from(wire))
}

/** The wildcard or loopback address of a family, with port 0. */
export function wellKnown(family: Family, loopback: boolean): Address {
  const wire = new Uint8Array(IP_LENGTH)
  wire[0] = familyNumber(family)
  if (family === 'inet6' && loopback) wire[19] = 1
  else if (loopback) wire.set([127, 0, 0, 1], 4)
  return fromWire(wire)
}

/** Whether it stands for all interfaces, or is a unix address without a path. */
export function isWildcard(address: Address): boolean {
  return Address.wire(address).subarray(4, 20).every((byte) => byte === 0)
}

/** A unix address; `@name` is Linux's abstract namespace, `''` lets the system choose. */
export function unixAddress(path: string): Address {
  if (typeof path !== 'string') throw typeError('path', 'a string', path)
  if (path.includes('\0') || !path.isWellFormed()) throw valueError('path', 'must not contain NUL or lone surrogates', path)
  const bytes = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path)
  if (bytes.length > native.UNIX_PATH_LENGTH) {
    throw valueError('path', `must be at most ${native.UNIX_PATH_LENGTH} bytes long for a unix socket`, path)
  }
  const wire = new Uint8Array(4 + bytes.length)
  wire[0] = UNIX
  put16(wire, 2, bytes.length)
  wire.set(bytes, 4)
  return fromWire(wire)
}

/** Checks the number of a port. */
export function checkPortNumber(port: unknown): asserts port is number {
  if (typeof port !== 'number') throw typeError('port', 'a number', port)
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw portError(port)
}

function wireLength(wire: Uint8Array): number {
  return wire[0] === UNIX ? 4 + number16(wire, 2) : IP_LENGTH
}

function sameWire(a: Uint8Array, b: Uint8Array, at = 0): boolean {
  const length = wireLength(a)
  if (a[0] !== b[at]) return false
  for (let i = 2; i < length; i++) if (a[i] !== b[at + i]) return false
  return true
}

function textOf(wire: Uint8Array): string {
  switch (wire[0]) {
    case INET:
      return `${wire[4]}.${wire[5]}.${wire[6]}.${wire[7]}`
    case INET6:
      return native.formatIp(wire).replace(/%.*$/, '')
    default: {
      const path = Buffer.from(wire.subarray(4, 4 + number16(wire, 2))).toString()
      return path.startsWith('\0') ? `@${path.slice(1)}` : path
    }
  }
}

function number16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

function number32(bytes: Uint8Array, at: number): number {
  return number16(bytes, at) * 65536 + number16(bytes, at + 2)
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8
  bytes[at + 1] = value & 0xff
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, Math.floor(value / 65536))
  put16(bytes, at + 2, value % 65536)
}
