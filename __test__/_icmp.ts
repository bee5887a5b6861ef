/** What the tests of raw sockets and pings share: messages of ICMP, and processes without the right to raw sockets. */
import { spawnSync } from 'node:child_process'
import { raw, type Family, type RawSocket } from 'socket2'
import { lacks, wine, type Reason } from './_system.js'

/** The numbers of ICMP, by family. */
export const ICMP = {
  inet: { protocol: 'icmp', host: '127.0.0.1', request: 8, reply: 0, header: 20 },
  inet6: { protocol: 'icmpv6', host: '::1', request: 128, reply: 129, header: 0 }
} as const

/** Why this process may not have raw sockets, or false when it may. */
export function lacksRaw(family: Family): Reason {
  return lacking(family, ({ unprivileged }) => unprivileged && 'this user may only ping')
}

/** Why this process may not ping, or false when it may. */
export function lacksPing(family: Family): Reason {
  if (process.platform === 'win32') return wine > 0 && family === 'inet6' && 'Wine has no Icmp6SendEcho2'
  return lacking(family, () => false)
}

function lacking(family: Family, judge: (socket: RawSocket) => Reason): Reason {
  try {
    const socket = raw(family, family === 'inet' ? 'icmp' : 'icmpv6')
    socket.close()
    return judge(socket)
  } catch (error) {
    return `the system does not permit it: ${(error as Error).message}`
  }
}

/** An echo message, its checksum included (RFC 792). In IPv6 the system computes it. */
export function echo(type: number, id: number, sequence: number, payload: string | Uint8Array): Buffer {
  const packet = Buffer.concat([Buffer.alloc(8), typeof payload === 'string' ? Buffer.from(payload) : payload])
  packet[0] = type
  packet.writeUInt16BE(id, 4)
  packet.writeUInt16BE(sequence, 6)
  packet.writeUInt16BE(checksum(packet), 2)
  return packet
}

/** The internet checksum (RFC 1071). */
export function checksum(data: Buffer): number {
  let sum = 0
  for (let i = 0; i < data.length; i += 2) sum += (data[i]! << 8) | (data[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Goes before a command that is to run without the right to raw sockets, in a namespace whose root it is. */
export const withoutRight = ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw']

/** In a namespace lets everyone ping; in a new one nobody may. */
export const letPing = 'echo 0 0 > /proc/sys/net/ipv4/ping_group_range'

/** The same in a network of its own with nothing but loopback. */
export function aloneWithoutRight(mayPing: boolean): string[] {
  const setup = `ip link set lo up\n${mayPing ? letPing : ''}\nexec "$0" "$@"`
  return ['unshare', '-rn', 'sh', '-ec', setup, ...withoutRight]
}

/** Why there are no such processes here. */
export const lacksUnprivileged: Reason = lacks.linux || refusal()

function refusal(): Reason {
  const [command = '', ...args] = [...aloneWithoutRight(true), 'true']
  return spawnSync(command, args).status !== 0 && 'a network of one\'s own takes namespaces, iproute2 and setpriv'
}
