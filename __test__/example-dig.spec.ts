/** examples/dig.ts, which asks a small DNS server. */
import test, { type ExecutionContext } from 'ava'
import { tcp, udp, type TcpSocket, type UdpSocket } from 'socket2'
import { ended } from './_examples.js'
import { addressOf, closing, unless, wine } from './_util.js'

/** Each takes a process, and under Wine a while. */
const alike = wine > 0 && 'what is answered is understood alike everywhere'

const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33 }
type Type = keyof typeof TYPES

/** A name in bytes; one that begins with `@` is a pointer to that place in the message. */
function name(text: string): Buffer {
  if (text.startsWith('@')) return Buffer.from([0xc0 | Number(text.slice(1)) >> 8, Number(text.slice(1)) & 255])
  return Buffer.concat([...text.split('.').map(label => Buffer.from([label.length, ...Buffer.from(label, 'latin1')])), Buffer.of(0)])
}

function numbers(...values: number[]): Buffer {
  return Buffer.from(values.flatMap(value => [value >> 8 & 255, value & 255]))
}

/** A record of the name that was asked for. */
function record(type: Type, ...data: Uint8Array[]): Buffer {
  const bytes = Buffer.concat(data)
  return Buffer.concat([name('@12'), numbers(TYPES[type], 1, 0, 300, bytes.length), bytes])
}

/** An answer to a question. */
function answer(query: Buffer, records: Buffer[], { flags = 0x8180, id = query.readUInt16BE(0), count = records.length } = {}): Buffer {
  return Buffer.concat([numbers(id, flags, 1, count, 0, 0), query.subarray(12), ...records])
}

const soa = [name('ns.example.org'), name('mail.example.org'), Buffer.from('0000000100000002000000030000000400000005', 'hex')]
const answers: Record<string, [type: Type, records: () => Buffer[], shown: string[]]> = {
  'v4.example.org': ['A', () => [record('A', Buffer.of(192, 0, 2, 1)), record('A', Buffer.of(192, 0, 2, 255))], ['192.0.2.1', '192.0.2.255']],
  'v6.example.org': ['AAAA', () => [record('AAAA', Buffer.from('20010db8000000000000000000000001', 'hex'))], ['2001:db8::1']],
  'alias.example.org': ['CNAME', () => [record('CNAME', name('v4.example.org'))], ['v4.example.org.']],
  'post.example.org': ['MX', () => [record('MX', numbers(10), name('@17')), record('MX', numbers(65535), Buffer.from([1, 97, 0xc0, 17]))], ['10 example.org.', '65535 a.example.org.']],
  'served.example.org': ['NS', () => [record('NS', name('ns.example.net'))], ['ns.example.net.']],
  '1.2.0.192.in-addr.arpa': ['PTR', () => [record('PTR', name('host.example.org'))], ['host.example.org.']],
  '_sip._tcp.example.org': ['SRV', () => [record('SRV', numbers(1, 2, 5060), name('sip.example.org'))], ['1 2 5060 sip.example.org.']],
  'begins.example.org': ['SOA', () => [record('SOA', ...soa)], ['ns.example.org. mail.example.org. 1 2 3 4 5']],
  'text.example.org': ['TXT', () => [record('TXT', Buffer.from('\x05a"b\\c\x03\x1b[m\x00', 'latin1'))], ['"a\\"b\\\\c" "\\027[m" ""']],
  'odd.example.org': ['A', () => [record('A', Buffer.of(1, 2, 3))], ['\\# 3 010203']],
  'dots.example.org': ['CNAME', () => [record('CNAME', Buffer.from('\x05a.b\x1b(\x00', 'latin1'))], ['a\\.b\\027\\(.']]
}
for (const [host, [type, records, shown]] of Object.entries(answers)) {
  unless(alike)(`dig shows what is answered of ${host} for ${type}`, async t => {
    const server = await dns(t, query => [answer(query, records())])
    const { status, stdout, stderr } = await ended(t, 'dig', ...server.at, '+short', host, type.toLowerCase())
    t.deepEqual([status, stderr, stdout], [0, '', shown.map(line => `${line}\n`).join('')])
  })
}

test('dig asks for the name of an address, of either kind', async t => {
  const asked: string[] = []
  const server = await dns(t, query => {
    asked.push(query.toString('latin1', 12, query.length - 5).replaceAll(/\p{Cc}/gu, '.'))
    return [answer(query, [record('PTR', name('host.example.org'))])]
  })
  for (const address of ['192.0.2.1', '2001:db8::567:89ab']) {
    const { stdout } = await ended(t, 'dig', ...server.at, '--short', '-x', address)
    t.is(stdout, 'host.example.org.\n')
  }
  t.deepEqual(asked, ['.1.2.0.192.in-addr.arpa', '.b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa'])
})

test('dig shows all there is to an answer unless only that is wanted', async t => {
  const server = await dns(t, query => [answer(query, [record('A', Buffer.of(192, 0, 2, 1))])])
  const { status, stdout } = await ended(t, 'dig', ...server.at, 'example.org')
  t.is(status, 0)
  t.regex(stdout, new RegExp([
    String.raw`^;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: \d+`,
    ';; flags: qr rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0', '',
    ';; QUESTION SECTION:', ';example.org.\t\tIN\tA', '',
    ';; ANSWER SECTION:', 'example.org.\t300\tIN\tA\t192.0.2.1', '',
    String.raw`;; Query time: \d+ msec`, String.raw`;; SERVER: 127\.0\.0\.1#\d+\(udp\)`, ';; WHEN: .*', String.raw`;; MSG SIZE  rcvd: 45\n$`
  ].join('\n')))
})

test('dig tells by its status that there is no such name', async t => {
  const server = await dns(t, query => [answer(query, [], { flags: 0x8183 })])
  const { status, stdout } = await ended(t, 'dig', ...server.at, 'nowhere.example.org')
  t.is(status, 1)
  t.regex(stdout, /status: NXDOMAIN/)
})

test('dig asks by TCP what does not fit into a datagram', async t => {
  const records = Array.from({ length: 200 }, (_, i) => record('A', Buffer.of(10, 0, 0, i)))
  const server = await dns(t, query => [answer(query, [], { flags: 0x8380 })], query => answer(query, records))
  const { status, stdout } = await ended(t, 'dig', ...server.at, 'many.example.org')
  t.is(status, 0)
  t.is(stdout.match(/\tIN\tA\t10\.0\.0\.\d+$/gm)?.length, 200)
  t.regex(stdout, /^;; Truncated, retrying in TCP mode\.\n[^]*#\d+\(tcp\)\n/)
  const { stdout: short } = await ended(t, 'dig', ...server.at, 'many.example.org', '+short', '+tcp')
  t.is(short.split('\n').length, 201)
  t.deepEqual(server.asked, ['udp', 'tcp', 'tcp'])
})

test('dig asks again, each time with another id and from another port, and gives up in the end', async t => {
  const asked: string[] = []
  const server = await dns(t, (query, from) => {
    asked.push(`${from}`)
    return asked.length < 3 ? [] : [answer(query, [record('A', Buffer.of(192, 0, 2, 3))])]
  })
  const { status, stdout } = await ended(t, 'dig', ...server.at, '--time', '1', '+short', 'slow.example.org')
  t.deepEqual([status, stdout], [0, '192.0.2.3\n'])
  t.is(new Set(asked).size, 3)

  const silent = await dns(t, () => [])
  const { status: none, stderr } = await ended(t, 'dig', ...silent.at, '--time', '0.05', '--tries', '2', 'slow.example.org')
  t.is(none, 1)
  t.regex(stderr, /^dig: no answer: 127\.0\.0\.1: recv ETIMEDOUT: not done within /)
  t.is(silent.asked.length, 2)
})

test('dig does not hear what is no answer to its question', async t => {
  const server = await dns(t, query => {
    const wrong = [record('A', Buffer.of(6, 6, 6, 6))]
    const other = Buffer.from(query)
    other[14]! ^= 1
    return [
      answer(query, wrong, { id: query.readUInt16BE(0) ^ 1 }), answer(query, wrong, { flags: 0x0100 }), answer(other, wrong),
      Buffer.alloc(0), query.subarray(0, 7), answer(query, [record('A', Buffer.of(192, 0, 2, 4))])
    ]
  })
  const { status, stdout } = await ended(t, 'dig', ...server.at, '+short', 'spoofed.example.org')
  t.deepEqual([status, stdout], [0, '192.0.2.4\n'])
})

const nonsense: Record<string, (query: Buffer) => Buffer> = {
  'a name that goes round in circles': query => answer(query, [Buffer.concat([name(`@${query.length}`), numbers(1, 1, 0, 1, 0)])]),
  'names that lead to each other': query => answer(query, [Buffer.concat([Buffer.from([1, 97, 0xc0, query.length]), numbers(1, 1, 0, 1, 0)])]),
  'fewer records than it says': query => answer(query, [record('A', Buffer.of(1, 2, 3, 4))], { count: 65535 }),
  'a record that goes on behind the end': query => answer(query, [record('A', Buffer.of(1, 2, 3, 4)).subarray(0, -1)]),
  'a text that goes on behind its end': query => answer(query, [record('TXT', Buffer.of(9, 97))]),
  'a name that goes on behind its record': query => answer(query, [record('CNAME', name('a.b').subarray(0, -1)), record('A', Buffer.of(1, 2, 3, 4))])
}
for (const [what, make] of Object.entries(nonsense)) {
  unless(alike)(`dig takes for no answer one with ${what}`, async t => {
    const server = await dns(t, query => [make(query)])
    const { status, stdout, stderr } = await ended(t, 'dig', ...server.at, '--tries', '1', 'x.example.org')
    t.deepEqual([status, stdout], [1, ''])
    t.regex(stderr, /^dig: no answer: 127\.0\.0\.1: the answer makes no sense: [^\n]+\n$/)
  })
}

test('dig goes on to the next server when one is not there', async t => {
  const absent = await closing(t, tcp()).bind('127.0.0.1')
  const { status, stderr } = await ended(t, 'dig', '@127.0.0.1', '@127.0.0.2', '-p', String(addressOf(absent).port), '+tcp', '--tries', '1', 'x.example.org')
  t.is(status, 1)
  t.regex(stderr, /^dig: no answer: 127\.0\.0\.1: connect ECONNREFUSED .*; 127\.0\.0\.2: /)
})

/** A server of DNS at one port for udp and tcp, which sends what it is told to. */
async function dns(t: ExecutionContext, byUdp: (query: Buffer, from: string) => Buffer[], byTcp?: (query: Buffer) => Buffer) {
  const asked: string[] = []
  const [streams, datagrams] = await samePort(t)
  void (async () => {
    for await (const { data, from } of datagrams) {
      asked.push('udp')
      for (const message of byUdp(data, `${data.readUInt16BE(0)} ${from.port}`)) await datagrams.send(message, from)
    }
  })()
  void (async () => {
    for await (const connection of streams.connections()) {
      using socket = connection
      asked.push('tcp')
      const query = await socket.recvExact((await socket.recvExact(2)).readUInt16BE())
      const message = byTcp?.(query) ?? Buffer.alloc(0)
      // The length comes alone, as it may.
      await socket.send(numbers(message.length))
      await socket.send(message)
    }
  })()
  return { at: ['@127.0.0.1', '-p', String(addressOf(streams).port)], asked }
}

/** A listener and a datagram socket with one number: what is free for the one need not be so for the other. */
async function samePort(t: ExecutionContext): Promise<[TcpSocket, UdpSocket]> {
  for (let tries = 1; ; tries++) {
    const streams = await closing(t, tcp()).listen('127.0.0.1')
    try {
      return [streams, await closing(t, udp()).bind('127.0.0.1', addressOf(streams).port)]
    } catch (error) {
      if (tries > 20) throw error
      streams.close()
    }
  }
}
