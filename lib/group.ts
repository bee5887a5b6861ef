/** Multicast groups: joining and leaving them. */
import { networkInterfaces } from 'node:os'
import { Address, literal, type Family } from './address.js'
import { systemError, typeError, valueError } from './errors.js'
import { native, type Handle } from './native.js'
import { checkInteger } from './validate.js'

/** Where to hear a group, and whom. */
export interface GroupOptions {
  /**
   * The interface: its name (`'eth0'`), an address that it has (`'192.0.2.1'`), or its index; by default the zone of an IPv6
   * group, else the system's choice.
   */
  interface?: string | number | undefined
  /** The only sender to hear (source-specific multicast, RFC 4607); by default all. Several sources are joined one by one. */
  source?: string | Address | undefined
}

/** Joins or leaves a group; throws. */
export function changeGroup(handle: Handle, family: Family, join: boolean, group: string | Address, options: GroupOptions = {}): void {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const address = addressOf('group', group, family)
  if (!isMulticast(address)) throw valueError('group', 'must be a multicast address', address.address)
  const wires = [Address.wire(address)]
  if (options.source !== undefined) {
    const source = addressOf('source', options.source, family)
    if (isMulticast(source)) throw valueError('source', 'must be the address of one sender', source.address)
    wires.push(Address.wire(source))
  }
  const where = Buffer.from(interfaceText(options.interface, family, address.scopeId))
  const code = native.changeGroup(handle, join ? 1 : 0, Buffer.concat(wires), where)
  if (code < 0) throw systemError(code, join ? 'joinGroup' : 'leaveGroup', address)
}

function addressOf(name: string, value: unknown, family: Family): Address {
  if (typeof value !== 'string' && !(value instanceof Address)) throw typeError(name, 'an IP address or an Address', value)
  const address = typeof value === 'string' ? literal(value) : value
  if (family === 'unix' || address?.family !== family) {
    const reason = family === 'unix' ? 'is not for unix sockets' : `must be an IP address of family '${family}'`
    throw valueError(name, reason, String(value))
  }
  return address
}

function isMulticast(address: Address): boolean {
  const first = Address.wire(address)[4] as number
  return address.family === 'inet' ? first >= 224 && first <= 239 : first === 0xff
}

/** The interface as native code takes it: a name, an index, an IPv4 address, an IPv6 address with a zone; or nothing. */
function interfaceText(value: unknown, family: Family, scopeId: number | undefined): string {
  if (value === undefined) return scopeId === undefined ? '' : `${scopeId}`
  if (typeof value === 'number') {
    checkInteger('interface', value, 1, 0xffff_ffff)
    return `${value}`
  }
  if (typeof value !== 'string') throw typeError('interface', 'a name, an address or an index', value)
  if (value === '' || value.includes('\0') || !value.isWellFormed()) {
    throw valueError('interface', 'must be a name, an address or an index, without NUL and lone surrogates', value)
  }
  const address = literal(value)
  if (address === null) return value
  if (address.family !== family) throw valueError('interface', `must be an address of family '${family}'`, value)
  return family === 'inet' || address.scopeId !== undefined ? value : (interfaceWith(address) ?? value)
}

/** The name of the interface that has an IPv6 address: the system takes an index there, not an address. */
function interfaceWith(address: Address): string | undefined {
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    if (addresses.some((one) => literal(one.address)?.address === address.address)) return name
  }
  return undefined
}
