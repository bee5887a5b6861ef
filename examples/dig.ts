// Asks the DNS, like the system's dig: node build/examples/dig.js example.org MX
import { getServers } from 'node:dns'
import { isIP } from 'node:net'
import { addr, tcp, udp, type Address } from 'socket2'
import { bold, command, dim, Misuse, number, seconds, why } from './parts/command.js'
import { concerns, Malformed, parse, question, reversed, truncated, type Answer } from './parts/dns.js'
import { TYPES } from './parts/records.js'

const USAGE = `Usage: dig [@server] [options] name [type]
  @server          a host name or an address (those of /etc/resolv.conf, or whatever this system has for it)
  type             A, AAAA, CNAME, MX, NS, PTR, SOA, SRV or TXT (A)
  -x address       which name an address has
  -p port          of the server (53)
  --short, +short  only what is answered
  --tcp, +tcp      by TCP from the start, not only when the answer is too long for a datagram
  --time seconds   to wait for each answer (2)
  --tries count    of each server (3)
  --help           this text
Status: 0 with an answer, 1 without, 2 when something is wrong with the arguments.`

const OPTIONS = {
  reverse: { type: 'string', short: 'x' }, port: { type: 'string', short: 'p', default: '53' }, short: { type: 'boolean' }, tcp: { type: 'boolean' },
  time: { type: 'string', default: '2' }, tries: { type: 'string', default: '3' }
} as const

/** An answer that a server has sent, and how. */
interface Reply {
  message: Buffer
  answer: Answer
  by: 'udp' | 'tcp'
}

/** How to try: how long each time, in ms, how often, and whether by TCP only. */
interface Trying {
  wait: number
  tries: number
  byTcp: boolean
}

await command(USAGE, OPTIONS, async ({ values, positionals }) => {
  const [wait, tries, port] = [seconds('--time', values.time), number('--tries', values.tries, 1, 100), number('-p', values.port, 1, 65535)]
  const plus = positionals.filter(word => word.startsWith('+'))
  for (const word of plus) if (word !== '+short' && word !== '+tcp') throw new Misuse(`'${word}' is not known`)
  const servers = positionals.filter(word => word.startsWith('@')).map(word => word.slice(1))
  const words = positionals.filter(word => !/^[@+]/.test(word))
  if (values.reverse !== undefined) words.unshift(reversed(values.reverse), 'PTR')
  const [name, given = 'A', ...surplus] = words
  const type = given.toUpperCase()
  if (name === undefined || surplus.length > 0) throw new Misuse(name === undefined ? 'a name is needed' : `'${surplus[0]}' is too much`)
  if (!(type in TYPES)) throw new Misuse(`'${given}' is none of the types ${Object.keys(TYPES).join(', ')}`)
  const query = question(name, type)
  if (servers.length === 0) servers.push(...getServers().filter(server => isIP(server)))
  const began = performance.now()
  const [server, { message, answer, by }] = await ask(servers, port, query, { wait, tries, byTcp: values.tcp || plus.includes('+tcp') })
  const { id, status, flags, sections } = answer
  if (values.short || plus.includes('+short')) {
    for (const [, , , , data] of sections.ANSWER) console.log(data)
  } else {
    console.log(dim(`;; ->>HEADER<<- opcode: QUERY, status: ${bold(status)}, id: ${id}`))
    const counts = Object.entries(sections).map(([title, { length }]) => `${title}: ${length}`)
    console.log(dim(`;; flags: ${flags.join(' ')}; QUERY: 1, ${counts.join(', ')}`))
    console.log(`\n;; QUESTION SECTION:\n;${name.replace(/\.?$/, '.')}\t\tIN\t${type}`)
    for (const [title, records] of Object.entries(sections)) {
      if (records.length > 0) console.log(`\n;; ${title} SECTION:\n${records.map(fields => fields.join('\t')).join('\n')}`)
    }
    console.log(dim(`\n;; Query time: ${Math.round(performance.now() - began)} msec\n;; SERVER: ${server.address}#${server.port}(${by})`))
    console.log(dim(`;; WHEN: ${new Date().toString()}\n;; MSG SIZE  rcvd: ${message.length}`))
  }
  return sections.ANSWER.length > 0 ? 0 : 1
})

/** Asks each server in turn, and all of them again, until one answers. */
async function ask(servers: string[], port: number, query: Buffer, { wait, tries, byTcp }: Trying): Promise<[Address, Reply]> {
  const failures = new Set<string>()
  for (let i = 0; i < tries; i++) {
    for (const host of servers) {
      try {
        const [server] = await addr({ host, port, type: 'udp', timeout: wait })
        return [server!, await exchange(server!, query, performance.now() + wait, byTcp)]
      } catch (error) {
        failures.add(`${host}: ${why(error)}`)
      }
    }
  }
  if (servers.length === 0) throw new Misuse('this system names no server: say which, as in @192.0.2.53')
  throw new Error(`no answer: ${[...failures].join('; ')}`)
}

async function exchange(server: Address, query: Buffer, deadline: number, byTcp: boolean): Promise<Reply> {
  if (!byTcp) {
    const message = await overUdp(server, query, deadline)
    if (!truncated(message)) return { message, answer: parse(message), by: 'udp' }
    console.log(dim(';; Truncated, retrying in TCP mode.'))
  }
  const message = await overTcp(server, query, deadline)
  return { message, answer: parse(message), by: 'tcp' }
}

/** Each time from a port of its own, which makes it harder to answer in the server's place; what is not about the question is not heard. */
async function overUdp(server: Address, query: Buffer, deadline: number): Promise<Buffer> {
  using socket = await udp(server.family).connect(server)
  await socket.send(query)
  for (;;) {
    const { data } = await socket.recv(65535, { timeout: left(deadline) })
    if (concerns(query, data)) return data
  }
}

async function overTcp(server: Address, query: Buffer, deadline: number): Promise<Buffer> {
  using socket = await tcp(server.family).connect(server, { timeout: left(deadline) })
  await socket.send([Buffer.from([query.length >> 8, query.length & 255]), query], { timeout: left(deadline) })
  const length = (await socket.recvExact(2, { timeout: left(deadline) })).readUInt16BE()
  const message = await socket.recvExact(Math.max(length, 1), { timeout: left(deadline) })
  if (!concerns(query, message)) throw new Malformed('what came is no answer to the question')
  return message
}

function left(deadline: number): number {
  return Math.max(deadline - performance.now(), 0)
}
