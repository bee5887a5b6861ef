/** ICMP messages, as far as pings need them: echo requests, the answers to them, and what routers say (RFC 792, RFC 4443). */

/** The two versions of ICMP. */
export const ICMP = {
  inet: { protocol: 'icmp', number: 1, request: 8, reply: 0, failures: [3, 11, 12] },
  inet6: { protocol: 'icmpv6', number: 58, request: 128, reply: 129, failures: [1, 2, 3, 4] }
} as const

export type IcmpFamily = keyof typeof ICMP

/** A message about an echo request: the answer to it, or why it does not get there. */
export interface Heard {
  id: number
  sequence: number
  /** What the request carried; of a failure only as much as the router tells. */
  payload: Buffer
  /** The time to live in the IP header, where that came along. */
  ttl: number | undefined
  failure?: Failure
}

/** What a router says of a packet. */
export interface Failure {
  /** The error's code. */
  code: string
  /** The same in words. */
  words: string
  /** Where the packet was to go: an IP address in bytes. */
  to: Buffer
}

/** An echo request. Its checksum is for IPv4; IPv6's, which covers addresses, is added by the system. */
export function echoRequest(family: IcmpFamily, id: number, sequence: number, payload: Uint8Array): Buffer {
  const packet = Buffer.alloc(8 + payload.length)
  packet[0] = ICMP[family].request
  packet.writeUInt16BE(id, 4)
  packet.writeUInt16BE(sequence, 6)
  packet.set(payload, 8)
  if (family === 'inet') packet.writeUInt16BE(checksum(packet), 2)
  return packet
}

/** What a packet says about an echo request; `null` when it is about something else, damaged, or cut. */
export function understand(family: IcmpFamily, packet: Buffer): Heard | null {
  // No message begins as an IP header does, so whether there is one need not be known.
  const header = family === 'inet' && startsPacket(family, packet) ? packet : null
  const message = header === null ? packet : contents(family, header)
  if (message === null || message.length < 8 || (family === 'inet' && checksum(message) !== 0)) return null
  const [type, code] = message as unknown as [number, number]
  const ttl = header?.[8]
  if (type === ICMP[family].reply && code === 0) return { ...echoFields(message), ttl }
  const failure = failureOf(family, type, code)
  const lost = message.subarray(8)
  if (failure === null || !startsPacket(family, lost)) return null
  const request = contents(family, lost)
  if (request === null || request.length < 8 || request[0] !== ICMP[family].request) return null
  if (family === 'inet' && (lost.readUInt16BE(6) & 0x1fff) !== 0) return null // not the first fragment
  const to = family === 'inet' ? lost.subarray(16, 20) : lost.subarray(24, 40)
  return { ...echoFields(request), ttl, failure: { ...failure, to } }
}

function echoFields(message: Buffer): Pick<Heard, 'id' | 'sequence' | 'payload'> {
  return { id: message.readUInt16BE(4), sequence: message.readUInt16BE(6), payload: message.subarray(8) }
}

/** Whether it begins with an IP header. */
function startsPacket(family: IcmpFamily, packet: Buffer): boolean {
  return (packet[0] ?? 0) >> 4 === (family === 'inet' ? 4 : 6)
}

/** What is behind the IP header, when it is ICMP. Requests of ours have no extension headers, but for that of the first fragment. */
function contents(family: IcmpFamily, packet: Buffer): Buffer | null {
  const first = family === 'inet6' && packet[6] === FRAGMENT && packet.length >= 48 && packet.readUInt16BE(42) >> 3 === 0
  const length = family === 'inet' ? ((packet[0] as number) & 15) * 4 : first ? 48 : 40
  const protocol = packet[family === 'inet' ? 9 : first ? 40 : 6]
  if (length < 20 || packet.length < length || protocol !== ICMP[family].number) return null
  return packet.subarray(length)
}

/** The number of IPv6's fragment header, of eight bytes (RFC 8200). */
const FRAGMENT = 44

/** The internet checksum (RFC 1071); 0 for data that has its own in it, unharmed. */
function checksum(data: Buffer): number {
  let sum = 0
  for (let i = 0; i + 1 < data.length; i += 2) sum += data.readUInt16BE(i)
  if (data.length % 2 === 1) sum += (data.at(-1) as number) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

// The codes are those that systems give connections for the same messages; where they disagree, those of Linux but for refusals by
// an administrator: IPv6's would be EACCES there, as if this process had no right.
const UNREACHABLE = ['EHOSTUNREACH', 'the host is unreachable'] as const
const NETWORK = ['ENETUNREACH', 'the network is unreachable'] as const
const PROHIBITED = ['EHOSTUNREACH', 'the way is prohibited'] as const
const CLOSED = ['ECONNREFUSED', 'the port is unreachable'] as const
const TOO_BIG = ['EMSGSIZE', 'the packet is too big'] as const
const EXCEEDED = ['EHOSTUNREACH', 'the time to live has ended on the way'] as const
const UNKNOWN = ['EPROTO', 'something in the header is wrong'] as const

const UNREACHABLE_4: Readonly<Record<number, readonly [string, string]>> = {
  0: NETWORK, 2: ['ENOPROTOOPT', 'the protocol is unreachable'], 3: CLOSED, 4: TOO_BIG, 6: NETWORK, 9: PROHIBITED, 10: PROHIBITED,
  11: NETWORK, 13: PROHIBITED
}
const UNREACHABLE_6: Readonly<Record<number, readonly [string, string]>> = { 0: NETWORK, 1: PROHIBITED, 4: CLOSED, 5: PROHIBITED, 6: PROHIBITED }

/** What a message of this type and code says; `null` when that is not why a packet does not arrive. */
export function failureOf(family: IcmpFamily, type: number, code: number): Omit<Failure, 'to'> | null {
  const [unreachable, tooBig, exceeded, wrong] = family === 'inet' ? [3, -1, 11, 12] : [1, 2, 3, 4]
  const row =
    type === unreachable ? ((family === 'inet' ? UNREACHABLE_4 : UNREACHABLE_6)[code] ?? UNREACHABLE)
    : type === tooBig ? TOO_BIG
    : type === exceeded ? EXCEEDED
    : type === wrong ? UNKNOWN
    : null
  return row && { code: row[0], words: row[1] }
}
