/** Names to addresses and back. A literal address never leaves this thread; a name goes to a thread of our own pool. */
import {
  Address,
  addressFrom,
  checkPortNumber,
  familyNumber,
  literal,
  unixAddress,
  wellKnown,
  type AddressOrigin,
  type Family,
  type Protocol,
  type SocketType
} from './address.js'
import { began, ended, install, type Counted } from './driver.js'
import { lookupError, portError, timeoutError, typeError, valueError } from './errors.js'
import { native } from './native.js'
import { Operation, type OperationOptions } from './operation.js'
import { PROTOCOLS, protocolNumber, typeNumber } from './kinds.js'

/** A host: an IP address, a name, `'unix:/path'`, `'*'` for all interfaces, `false` for loopback. */
export type Host = string | false
/** A port, 0 to 65535, or the name of a service. */
export type Port = number | string

/** How to look up; the `AI_…` flags of getaddrinfo(3), all off unless said. */
export interface LookupFlags {
  /** AI_PASSIVE: addresses to bind to. */
  passive?: boolean | undefined
  /** AI_CANONNAME: the canonical name too. */
  canonName?: boolean | undefined
  /** AI_NUMERICHOST: no name, only a literal address; anything else is `ENOTFOUND`. */
  numericHost?: boolean | undefined
  /** AI_NUMERICSERV: no service name, only a number. */
  numericService?: boolean | undefined
  /** AI_ALL: with `v4Mapped`, IPv4 addresses as well as IPv6 ones. */
  all?: boolean | undefined
  /** AI_V4MAPPED: where there is no IPv6 address, IPv4 ones in IPv6 form. */
  v4Mapped?: boolean | undefined
  /** AI_ADDRCONFIG: only families this machine has an address of. */
  addrConfig?: boolean | undefined
}

/** What `addr` looks up, by name. */
export interface LookupOptions extends OperationOptions {
  host?: Host | undefined
  port?: Port | undefined
  type?: SocketType | undefined
  family?: Family | undefined
  protocol?: Protocol | undefined
  flags?: LookupFlags | undefined
}

const FLAGS: readonly (keyof LookupFlags)[] = [
  'passive', 'canonName', 'numericHost', 'numericService', 'all', 'v4Mapped', 'addrConfig'
]
const FAMILIES: readonly unknown[] = ['inet', 'inet6', 'unix']
const TYPES: readonly unknown[] = ['tcp', 'udp', 'raw', 'seqpacket']
const RECORD_LENGTH = 32

/**
 * Looks up a host and a port. The addresses come in the system's order (getaddrinfo(3)), off the JavaScript thread; one slow name
 * never delays another. `host` defaults to `'*'`, all interfaces; `port` to 0; without `type` or `family` all are asked for.
 *
 * Errors: `ENOTFOUND` (no such name), `EAI_AGAIN` (no answer now), `EAI_SERVICE` (no such service),
 * `ERR_SOCKET_BAD_PORT`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ETIMEDOUT`.
 */
export function addr(
  host?: Host, port?: Port, type?: SocketType, family?: Family, protocol?: Protocol, flags?: LookupFlags
): Promise<Address[]>
export function addr(options: LookupOptions | Address): Promise<Address[]>
export async function addr(
  host?: Host | LookupOptions | Address, port?: Port, type?: SocketType, family?: Family, protocol?: Protocol, flags?: LookupFlags
): Promise<Address[]> {
  if (host instanceof Address) return [host]
  if (typeof host === 'object' && host !== null) return await resolve(host, host)
  return await resolve({ host, port, type, family, protocol, flags }, undefined)
}

/**
 * The name of an address and of its port's service (getnameinfo(3)). A port that has no name comes in digits.
 *
 * Errors: `ENOTFOUND` (the address has no name), `EAI_AGAIN` (no answer now), `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` (a
 * unix address), `ETIMEDOUT`.
 */
export async function addrName(address: Address, op?: OperationOptions): Promise<{ host: string; service: string }> {
  if (!(address instanceof Address)) throw typeError('address', 'an Address', address)
  if (address.family === 'unix') throw valueError('address', 'must be an internet address', address.toString())
  const answer = await ask(new Lookup('getnameinfo', address.address, anyone), op, (id) => {
    native.nameInfo(native.environment, id, Address.wire(address))
  })
  return { host: answer.name, service: answer.service }
}

/** Looks up, after checking every argument. */
export async function resolve(query: LookupOptions, op: OperationOptions | undefined, asker: Asker = anyone): Promise<Address[]> {
  const { host = '*', port = 0, type, family, protocol, flags } = query
  checkKind('family', family, FAMILIES)
  checkKind('type', type, TYPES)
  const number = protocol === undefined ? 0 : protocolNumber(protocol)
  const bits = flagBits(flags)
  const known = knownAddress(mapped(host, family, flags), family)
  const portNumber = checkPort(port)
  // A literal is its own canonical name, as getaddrinfo(3) has it.
  const origin: AddressOrigin = { type, protocol, name: flags?.canonName ? known?.address : undefined }
  if (known !== null && portNumber !== null) {
    return [withOrigin(portNumber === 0 ? known : known.withPort(portNumber), origin)]
  }
  const name = known === null ? checkName(host as string) : known.toString().replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const service = portNumber === null ? (port as string) : null
  if (service !== null && type === 'raw') throw lookupError('EAI_SERVICE', 'getaddrinfo', service)
  const operation = new Lookup('getaddrinfo', service === null ? name : `${name}:${service}`, asker)
  const answer = await ask(operation, op, (id) => {
    native.lookup(native.environment, id, name, service, family === undefined ? 0 : familyNumber(family), typeNumber(type), number, bits)
  })
  return addressesOf(answer.records, portNumber, answer.name)
}

/** The first address of a lookup. */
export async function resolveOne(query: LookupOptions, op: OperationOptions | undefined, asker: Asker): Promise<Address> {
  const known = immediate(query)
  return known ?? ((await resolve(query, op, asker))[0] as Address)
}

/** The address when no thread is needed to find it; `null` when one is. Throws what is wrong with the arguments. */
export function immediate(query: LookupOptions): Address | null {
  const { host = '*', port = 0, family } = query
  const known = knownAddress(host, family)
  const number = checkPort(port)
  if (known === null || number === null) return null
  return number === 0 ? known : known.withPort(number)
}

/** The address of a host that needs no lookup; throws what is wrong with it. */
function knownAddress(host: unknown, family: Family | undefined): Address | null {
  if (host === false) return wellKnown(family ?? 'inet', true)
  if (typeof host !== 'string') throw typeError('host', "a string, '*' or false", host)
  if (host === '*') return family === 'unix' ? unixAddress('') : wellKnown(family ?? 'inet', false)
  if (host.startsWith('unix:')) {
    if (family !== undefined && family !== 'unix') throw valueError('host', `must not be a unix path for family '${family}'`, host)
    return unixAddress(host.slice(5))
  }
  if (family === 'unix') throw valueError('host', "must be 'unix:/path' or 'unix:@name' for a unix socket", host)
  const address = literal(host)
  if (address !== null && family !== undefined && address.family !== family) {
    throw valueError('host', `must be an address of family '${family}'`, host)
  }
  return address
}

/** An IPv4 literal in IPv6 form, where that is asked for. */
function mapped(host: Host, family: Family | undefined, flags: LookupFlags | undefined): Host {
  if (!flags?.v4Mapped || family !== 'inet6' || typeof host !== 'string') return host
  return literal(host)?.family === 'inet' ? `::ffff:${host}` : host
}

function checkName(host: string): string {
  if (host === '' || host.includes('\0') || !host.isWellFormed()) {
    throw valueError('host', 'must be a name or an address, without NUL and lone surrogates', host)
  }
  return host
}

/** The port as a number; `null` when it is the name of a service. */
function checkPort(port: unknown): number | null {
  if (typeof port === 'string') {
    // The name of a service has a letter in it (RFC 6335), and may begin with a digit.
    if (/[a-z]/i.test(port) && !port.includes('\0') && port.isWellFormed()) return null
    if (!/^\d{1,5}$/.test(port)) throw portError(port)
    return checkPort(Number(port))
  }
  if (typeof port !== 'number') throw typeError('port', 'a number or the name of a service', port)
  checkPortNumber(port)
  return port
}

function checkKind(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (value !== undefined && !allowed.includes(value)) {
    throw valueError(name, `must be one of ${allowed.map((kind) => `'${kind}'`).join(', ')}`, value)
  }
}

function flagBits(flags: LookupFlags | undefined): number {
  if (flags === undefined) return 0
  if (typeof flags !== 'object' || flags === null) throw typeError('flags', 'an object', flags)
  let bits = 0
  for (const [name, on] of Object.entries(flags)) {
    const bit = FLAGS.indexOf(name as keyof LookupFlags)
    if (bit < 0) throw valueError('flags', `must have only ${FLAGS.join(', ')}`, name)
    if (on !== undefined && typeof on !== 'boolean') throw typeError(`flags.${name}`, 'a boolean', on)
    if (on) bits |= 1 << bit
  }
  return bits
}

function withOrigin(address: Address, origin: AddressOrigin): Address {
  return origin.type === undefined && origin.protocol === undefined && origin.name === undefined
    ? address
    : (addressFrom(Address.wire(address), origin) as Address)
}

function addressesOf(records: number[], port: number | null, name: string): Address[] {
  const addresses: Address[] = []
  for (let i = 0; i < records.length; i += RECORD_LENGTH) {
    const record = Uint8Array.from(records.slice(i, i + RECORD_LENGTH))
    const number = ((record[30] as number) << 8) | (record[31] as number)
    const origin: AddressOrigin = { type: TYPES[(record[28] as number) - 1] as SocketType, protocol: PROTOCOLS[number] ?? number }
    if (name !== '') origin.name = name
    const address = addressFrom(record, origin)
    if (address !== null) addresses.push(port === null || port === 0 ? address : address.withPort(port))
  }
  return addresses
}

/** On whose behalf a name is looked up: whose waiting operation it is, and who can end it before its answer comes. */
export interface Asker {
  readonly counted: Counted
  readonly lookups: Set<Operation>
}

/** Lookups for no socket keep the process alive. */
const anyone: Asker = { counted: { waiting: 0, referenced: true }, lookups: new Set() }

interface Answer {
  records: number[]
  name: string
  service: string
}

/** A lookup under way. It cannot be called back; when it is given up its answer is ignored. */
class Lookup extends Operation<Answer> {
  id = 0

  constructor(readonly syscall: string, readonly hostname: string, readonly asker: Asker) {
    super()
  }

  attempt(): boolean {
    return false
  }

  begin(): void {
    this.waiting = true
    lookups.set(this.id, this)
    this.asker.lookups.add(this)
    began(this.asker.counted)
  }

  end(): void {
    lookups.delete(this.id)
    this.asker.lookups.delete(this)
    ended(this.asker.counted)
  }

  override cancel(make: () => unknown): void {
    this.end()
    this.fail(make)
  }
}

const lookups = new Map<number, Lookup>()
let lastId = 0

function ask(lookup: Lookup, op: OperationOptions | undefined, start: (id: number) => void): Promise<Answer> {
  const promise = lookup.promise()
  if (!lookup.heed(op, Infinity)) return promise
  if (lookup.timeout === 0) {
    lookup.fail(() => timeoutError(lookup.syscall, 0))
    return promise
  }
  lastId = (lastId + 1) >>> 0
  lookup.id = lastId
  try {
    start(lookup.id)
  } catch (error) {
    lookup.fail(() => error)
    return promise
  }
  lookup.begin()
  return promise
}

install((id, code, records, name, service) => {
  const lookup = lookups.get(id)
  if (lookup === undefined) return
  lookup.end()
  if (code === '') lookup.succeed({ records, name, service })
  else lookup.fail(() => lookupError(code, lookup.syscall, lookup.hostname))
})
