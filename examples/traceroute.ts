// The way to a host, router by router: sudo node build/examples/traceroute.js example.org. An ICMP echo request may go over one router only,
// the next ones over two, and so on; the router at which it ends says so.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { addr, addrName, raw, type Address, type RawSocket } from 'socket2'

const USAGE = `Usage: traceroute [options] host
  -m hops     how far at most (30)
  -q probes   for each hop (3)
  -w seconds  to wait for each answer (3)
  -n          no names of routers
  -4, -6      IPv4 or IPv6 only
  --help      this text
It needs raw sockets: root, CAP_NET_RAW on Linux, an administrator on Windows.`

const ICMP = {
  inet: { protocol: 'icmp', ttl: 'ttl', request: 8, reply: 0, exceeded: 11, unreachable: 3 },
  inet6: { protocol: 'icmpv6', ttl: 'hopLimit', request: 128, reply: 129, exceeded: 3, unreachable: 1 }
} as const
/** What a router says of a way that ends, as traceroute(8) writes it. */
const ENDS = { inet: { 0: '!N', 1: '!H', 2: '!P', 9: '!X', 10: '!X', 13: '!X' }, inet6: { 0: '!N', 1: '!X', 3: '!H', 5: '!X', 6: '!X' } } as const

type Family = keyof typeof ICMP
const id = randomInt(0x10000)

// Whoever reads has gone, as in: … | head -1
process.stdout.once('error', () => process.exit())

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`traceroute: ${(error as Error).message}`)
  process.exitCode = 2
}

async function main(): Promise<number> {
  const { values, positionals: [host, ...more] } = parseArgs({
    allowPositionals: true,
    options: {
      hops: { type: 'string', short: 'm', default: '30' }, probes: { type: 'string', short: 'q', default: '3' }, wait: { type: 'string', short: 'w', default: '3' },
      numeric: { type: 'boolean', short: 'n' }, ipv4: { type: 'boolean', short: '4' }, ipv6: { type: 'boolean', short: '6' }, help: { type: 'boolean' }
    }
  })
  if (values.help || host === undefined || more.length > 0) {
    console[values.help ? 'log' : 'error'](USAGE)
    return values.help ? 0 : 2
  }
  const [hops, probes, wait] = [number('-m', values.hops, 1, 255), number('-q', values.probes, 1, 255), number('-w', values.wait, 0.001, 3600)]
  const target = (await addr({ host, family: values.ipv4 ? 'inet' : values.ipv6 ? 'inet6' : undefined }))[0]!
  if (target.family === 'unix') throw new Error(`${host} is no host of a network`)
  const { family } = target

  using socket = raw(family, ICMP[family].protocol)
  if (socket.unprivileged) throw new Error('this user may ping, but to hear what routers say takes root, or on Linux CAP_NET_RAW')
  console.log(`traceroute to ${host} (${target.address}), ${hops} hops max`)
  for (let hop = 1; hop <= hops; hop++) {
    socket.setOption(ICMP[family].ttl, hop)
    let [line, last, over] = [String(hop).padStart(2), '', false]
    for (let probe = 0; probe < probes; probe++) {
      const answer = await ask(socket, target, hop * probes + probe, wait * 1000)
      if (typeof answer === 'string') {
        line += `  !${answer}`
        continue
      }
      if (answer !== null && answer.from.address !== last) {
        last = answer.from.address
        line += `  ${values.numeric ? last : `${await nameOf(answer.from)} (${last})`}`
      }
      line += answer === null ? ' *' : `  ${answer.ms.toFixed(3)} ms${answer.end && ` ${answer.end}`}`
      over ||= answer?.over === true
    }
    console.log(line)
    if (over) return 0
  }
  return 1
}

/** What an option says: a number in its range, and a whole one unless it may be less than 1. */
function number(flag: string, text: string, least: number, most: number): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (value >= least && value <= most && (least < 1 || Number.isInteger(value))) return value
  throw new Error(`${flag} takes a ${least < 1 ? '' : 'whole '}number from ${least} to ${most}, not '${text}'`)
}

/** Sends a request, and waits for what is said of it; or why this system does not send it. */
async function ask(socket: RawSocket, target: Address, sequence: number, wait: number) {
  const family = target.family as Family
  const sent = performance.now()
  const refusal = await socket.send(echoRequest(family, sequence), target).then(() => null, (error: NodeJS.ErrnoException) => String(error.code))
  if (refusal !== null) return refusal
  try {
    for (;;) {
      const { data, from } = await socket.recv(1500, { timeout: Math.max(sent + wait - performance.now(), 0) })
      const ms = performance.now() - sent
      const message = family === 'inet' ? behind(family, data) : data // which begins with the IP header only in IPv4
      const [type, code] = [message[0], message[1]!]
      const { reply, exceeded, unreachable } = ICMP[family]
      if (type === reply && isOurs(message, sequence)) return { from, ms, over: true, end: '' }
      if ((type !== exceeded && type !== unreachable) || !isOurs(behind(family, message.subarray(8)), sequence)) continue
      const ends: Readonly<Record<number, string>> = ENDS[family]
      return { from, ms, over: type === unreachable, end: type === unreachable ? (ends[code] ?? `!${code}`) : '' }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ETIMEDOUT') throw error
    return null
  }
}

/** What is behind the IP header. */
function behind(family: Family, packet: Buffer): Buffer {
  return packet.subarray(family === 'inet' ? ((packet[0] ?? 0) & 15) * 4 : 40)
}

function isOurs(message: Buffer, sequence: number): boolean {
  return message.length >= 8 && message.readUInt16BE(4) === id && message.readUInt16BE(6) === sequence
}

/** An echo request; in IPv6 the system adds the checksum. */
function echoRequest(family: Family, sequence: number): Buffer {
  const packet = Buffer.from([ICMP[family].request, 0, 0, 0, id >> 8, id & 255, sequence >> 8, sequence & 255, ...Buffer.alloc(32)])
  const sum = 0x0800 + id + sequence
  if (family === 'inet') packet.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 2)
  return packet
}

async function nameOf(address: Address): Promise<string> {
  return await addrName(address, { timeout: 2_000 }).then(({ host }) => host, () => address.address)
}
