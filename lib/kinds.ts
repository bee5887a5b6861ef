/** Socket types and protocols by their numbers: ours for types, IANA's for protocols. */
import type { Protocol, SocketType } from './address.js'
import { typeError, valueError } from './errors.js'
import { checkInteger } from './validate.js'

const TYPE_NUMBERS: Record<SocketType, number> = { tcp: 1, udp: 2, raw: 3, seqpacket: 4 }

const PROTOCOL_NUMBERS: Record<Exclude<Protocol, number>, number> = {
  ip: 0, icmp: 1, igmp: 2, tcp: 6, udp: 17, ipv6: 41, icmpv6: 58, raw: 255
}

/** The names of the protocols that have one, by number. */
export const PROTOCOLS: Readonly<Record<number, Protocol>> = Object.fromEntries(
  Object.entries(PROTOCOL_NUMBERS).map(([name, number]) => [number, name as Protocol])
)

/** The number of a socket type in native code; 0 for any. */
export function typeNumber(type: SocketType | undefined): number {
  return type === undefined ? 0 : TYPE_NUMBERS[type]
}

/** The socket type of a number in native code. */
export function typeOf(number: number): SocketType {
  return Object.keys(TYPE_NUMBERS)[number - 1] as SocketType
}

/** The number of a protocol; throws what is wrong with it. */
export function protocolNumber(protocol: unknown): number {
  if (typeof protocol === 'number') {
    checkInteger('protocol', protocol, 0, 255)
    return protocol
  }
  if (typeof protocol !== 'string') throw typeError('protocol', 'a name or a number', protocol)
  const number = PROTOCOL_NUMBERS[protocol as Exclude<Protocol, number>]
  if (number === undefined || !Object.hasOwn(PROTOCOL_NUMBERS, protocol)) {
    throw valueError('protocol', `must be one of ${Object.keys(PROTOCOL_NUMBERS).join(', ')}, or a number`, protocol)
  }
  return number
}
