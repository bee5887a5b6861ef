// Options by a table: read, differ, set, read back, for IPv4 and IPv6.
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import {
  addr, raw, seqpacket, SocketError, tcp, udp,
  type Family, type OptionName, type OptionTypes, RawSocket, type SettableOptionName, type Socket, type SocketOptions
} from 'socket2'
import { closing, connectedPair, lacks, listener, loopback, unless, wine, type Reason } from './_util.js'

type Value = OptionTypes[OptionName]
type Type = 'tcp' | 'udp' | 'raw'

interface Row {
  name: SettableOptionName
  /** Which sockets have it. */
  types: Type[]
  families: Family[]
  /** The systems that have it; all, unless they are named. */
  on?: NodeJS.Platform[]
  /** What a new socket has, where that is the same on every system. */
  initially?: Value
  /** A value to set for the one that is there. */
  other: (value: Value) => Value
  /** What the system holds then, where it is not what was set. */
  held?: (set: Value) => Value
  /** The system is asked for what this row needs: a right, or a version that is not to be had everywhere. */
  asks?: 'right' | 'version'
  /** Why it cannot be tested here. */
  lacking?: string | false
}

const ip: Family[] = ['inet', 'inet6']
const every: Family[] = ['inet', 'inet6', 'unix']
const both: Type[] = ['tcp', 'udp']
const unix: NodeJS.Platform[] = ['linux', 'darwin', 'freebsd']
const { platform } = process
const onLinux = platform === 'linux'
const asSet = (value: Value): Value => value
const not = (value: Value): Value => !value
/** Linux holds twice the size of a buffer, for its own book-keeping. */
const doubled = (size: Value): Value => (onLinux ? 2 * (size as number) : size)

const LOOPBACK = Object.entries(networkInterfaces()).find(([, all = []]) => all.some(one => one.address === '127.0.0.1'))![0]
const INDEX = (await addr(`fe80::1%${LOOPBACK}`))[0]!.scopeId!
/** What Linux has of TCP Fast Open: 1 for those who connect, 2 for those who listen. */
const fastOpen = onLinux ? Number(readFileSync('/proc/sys/net/ipv4/tcp_fastopen', 'utf8')) : 0

const ROWS: Row[] = [
  { name: 'reuseAddress', types: both, families: ip, initially: false, other: not },
  { name: 'reusePort', types: both, families: ip, on: unix, initially: false, other: not },
  { name: 'exclusiveAddressUse', types: both, families: ip, on: ['win32'], initially: false, other: not },
  { name: 'broadcast', types: ['udp'], families: ['inet'], initially: false, other: not },
  { name: 'keepAlive', types: ['tcp'], families: ip, initially: false, other: not },
  { name: 'linger', types: ['tcp'], families: ip, initially: null, other: () => 3000 },
  { name: 'linger', types: ['tcp'], families: ip, initially: null, other: () => 0 },
  // Rounded up to whole seconds.
  { name: 'linger', types: ['tcp'], families: ip, other: () => 1001, held: () => 2000 },
  { name: 'linger', types: ['tcp'], families: ip, other: () => 0.5, held: () => 1000 },
  { name: 'recvBufferSize', types: both, families: every, other: (size) => (size === 32768 ? 16384 : 32768), held: doubled },
  { name: 'sendBufferSize', types: both, families: every, other: (size) => (size === 32768 ? 16384 : 32768), held: doubled },
  { name: 'recvLowWater', types: both, families: every, on: unix, initially: 1, other: () => 100 },
  { name: 'bindToDevice', types: both, families: ip, on: ['linux', 'darwin'], initially: '', other: () => LOOPBACK, asks: 'right' },
  { name: 'mark', types: both, families: ip, on: ['linux'], initially: 0, other: () => 7, asks: 'right' },
  { name: 'mark', types: both, families: ip, on: ['linux'], initially: 0, other: () => 2 ** 32 - 1, asks: 'right' },
  { name: 'priority', types: both, families: every, on: ['linux'], initially: 0, other: () => 6 },
  { name: 'priority', types: both, families: ip, on: ['linux'], initially: 0, other: () => 7, asks: 'right' },
  { name: 'incomingCpu', types: both, families: ip, on: ['linux'], initially: null, other: () => 0, asks: 'version' },
  { name: 'busyPoll', types: both, families: ip, on: ['linux'], other: () => 0.07, asks: 'right' },
  { name: 'busyPoll', types: both, families: ip, on: ['linux'], other: () => 0.0701, held: () => 0.071, asks: 'right' },
  { name: 'oobInline', types: ['tcp'], families: ip, initially: false, other: not },
  { name: 'timestamp', types: ['udp', 'raw'], families: ip, on: unix, initially: false, other: not },

  { name: 'noDelay', types: ['tcp'], families: ip, initially: true, other: not },
  { name: 'keepAliveIdle', types: ['tcp'], families: ip, other: () => 60_000 },
  { name: 'keepAliveIdle', types: ['tcp'], families: ip, other: () => 1500.5, held: () => 2000 },
  { name: 'keepAliveInterval', types: ['tcp'], families: ip, other: () => 5000 },
  { name: 'keepAliveInterval', types: ['tcp'], families: ip, other: () => 0.5, held: () => 1000 },
  { name: 'keepAliveCount', types: ['tcp'], families: ip, other: () => 5 },
  { name: 'userTimeout', types: ['tcp'], families: ip, on: ['linux', 'darwin'], initially: null, other: () => 5000 },
  { name: 'userTimeout', types: ['tcp'], families: ip, on: ['linux', 'darwin'], other: () => 1.5, held: () => (onLinux ? 2 : 1000) },
  { name: 'maxSegment', types: ['tcp'], families: ip, on: unix, other: () => 500 },
  { name: 'congestion', types: ['tcp'], families: ip, on: ['linux'], other: (now) => (now === 'reno' ? 'cubic' : 'reno') },
  { name: 'quickAck', types: ['tcp'], families: ip, on: ['linux'], initially: true, other: not },
  { name: 'cork', types: ['tcp'], families: ip, on: unix, initially: false, other: not },
  { name: 'deferAccept', types: ['tcp'], families: ip, on: ['linux'], initially: null, other: () => 1000 },
  // As long as the repetitions of a handshake take.
  { name: 'deferAccept', types: ['tcp'], families: ip, on: ['linux'], initially: null, other: () => 1001, held: () => 3000 },
  { name: 'fastOpen', types: ['tcp'], families: ip, on: ['linux', 'win32'], initially: 0, other: () => 16, held: (most) => (onLinux ? most : 1) },
  {
    name: 'fastOpenConnect', types: ['tcp'], families: ip, on: ['linux'], initially: false, other: not, asks: 'version',
    lacking: onLinux && (fastOpen & 1) === 0 && 'net.ipv4.tcp_fastopen forbids it'
  },
  { name: 'notSentLowWater', types: ['tcp'], families: ip, on: ['linux', 'darwin'], initially: 0, other: () => 16_384 },

  { name: 'ttl', types: both, families: ['inet'], other: (ttl) => (ttl as number) - 1 },
  { name: 'ttl', types: both, families: ['inet'], other: () => 1 },
  { name: 'ttl', types: both, families: ['inet'], other: () => 255 },
  { name: 'tos', types: ['tcp', 'udp', 'raw'], families: ['inet'], on: unix, initially: 0, other: () => 0xb8 },
  { name: 'tos', types: ['udp'], families: ['inet'], on: unix, initially: 0, other: () => 255 },
  // The bits of ECN are not the user's there.
  { name: 'tos', types: ['tcp'], families: ['inet'], on: ['linux'], initially: 0, other: () => 255, held: () => 252 },
  { name: 'multicastTtl', types: ['udp', 'raw'], families: ['inet'], initially: 1, other: () => 0 },
  { name: 'multicastTtl', types: ['udp'], families: ['inet'], initially: 1, other: () => 255 },
  { name: 'multicastLoop', types: ['udp', 'raw'], families: ['inet'], initially: true, other: not },
  { name: 'multicastInterface', types: ['udp', 'raw'], families: ['inet'], initially: '', other: () => '127.0.0.1' },
  { name: 'multicastInterface', types: ['udp'], families: ['inet'], on: unix, other: () => LOOPBACK, held: () => '127.0.0.1' },
  { name: 'multicastInterface', types: ['udp'], families: ['inet'], on: unix, other: () => String(INDEX), held: () => '127.0.0.1' },
  { name: 'transparent', types: both, families: ip, on: ['linux', 'freebsd'], initially: false, other: not, asks: 'right' },
  { name: 'freebind', types: both, families: ip, on: ['linux'], initially: false, other: not, asks: 'version' },
  { name: 'recvTos', types: ['udp', 'raw'], families: ['inet'], initially: false, other: not },
  { name: 'packetInfo', types: ['udp', 'raw'], families: ['inet'], initially: false, other: not },
  { name: 'recvTtl', types: ['udp', 'raw'], families: ['inet'], initially: false, other: not },
  { name: 'headerIncluded', types: ['raw'], families: ['inet'], initially: false, other: not },
  { name: 'mtuDiscover', types: ['udp', 'raw'], families: ip, other: () => 'do' },
  { name: 'mtuDiscover', types: ['udp'], families: ip, on: ['linux', 'win32'], initially: 'want', other: () => 'dont' },
  { name: 'mtuDiscover', types: ['udp'], families: ip, on: ['linux', 'win32'], other: () => 'probe' },
  { name: 'mtuDiscover', types: ['udp'], families: ip, on: ['linux'], other: () => 'interface' },
  { name: 'mtuDiscover', types: ['udp'], families: ip, on: ['linux'], other: () => 'omit' },

  { name: 'ipv6Only', types: both, families: ['inet6'], other: not },
  { name: 'hopLimit', types: ['tcp', 'udp', 'raw'], families: ['inet6'], other: () => 1 },
  { name: 'hopLimit', types: both, families: ['inet6'], other: () => 255 },
  { name: 'trafficClass', types: ['tcp', 'udp', 'raw'], families: ['inet6'], on: unix, initially: 0, other: () => 0xb8 },
  { name: 'multicastHops', types: ['udp', 'raw'], families: ['inet6'], initially: 1, other: () => 0 },
  { name: 'multicastHops', types: ['udp'], families: ['inet6'], initially: 1, other: () => 255 },
  { name: 'multicastLoop6', types: ['udp', 'raw'], families: ['inet6'], initially: true, other: not },
  { name: 'multicastInterface6', types: ['udp', 'raw'], families: ['inet6'], initially: '', other: () => LOOPBACK, held: () => String(INDEX) },
  { name: 'multicastInterface6', types: ['udp'], families: ['inet6'], initially: '', other: () => String(INDEX) },
  { name: 'multicastInterface6', types: ['udp'], families: ['inet6'], other: () => `fe80::1%${INDEX}`, held: () => String(INDEX) },
  { name: 'recvTrafficClass', types: ['udp', 'raw'], families: ['inet6'], initially: false, other: not },
  { name: 'recvPacketInfo', types: ['udp', 'raw'], families: ['inet6'], initially: false, other: not },
  { name: 'recvHopLimit', types: ['udp', 'raw'], families: ['inet6'], initially: false, other: not },

  { name: 'icmpFilter', types: ['raw'], families: ['inet'], on: ['linux'], initially: null, other: () => [0, 3, 31] },
  { name: 'icmpFilter', types: ['raw'], families: ['inet'], on: ['linux'], other: () => [8, 0, 8, 200], held: () => [0, 8] },
  { name: 'icmpFilter', types: ['raw'], families: ['inet6'], on: unix, initially: null, other: () => [1, 129, 255] },
  { name: 'icmpFilter', types: ['raw'], families: ip, on: ['linux'], initially: null, other: () => [] }
]

/** What Wine lacks, unlike Windows. */
const WINE_LACKS: readonly string[] =
  wine === 0 ? [] : ['fastOpen', 'mtuDiscover', ...(wine < 10 ? ['keepAliveIdle', 'keepAliveInterval', 'keepAliveCount'] : [])]

/** What listeners need: on Windows `reuseAddress` would let anyone take their address, and TIME_WAIT is no obstacle. */
const CUSTOMARY = lacks.exclusiveAddressUse ? 'reuseAddress' : 'exclusiveAddressUse'

function make(type: Type, family: Family, options?: SocketOptions): Socket {
  if (type === 'raw') return raw(family, family === 'inet' ? 'icmp' : 'icmpv6', options)
  return type === 'tcp' ? tcp(family, undefined, options) : udp(family, undefined, options)
}

/** Why sockets of this type are not to be had, or false where they are. */
function refusal(type: Type, family: Family): Reason {
  if (family === 'unix') return type === 'tcp' ? lacks.unix : lacks.unixDatagrams
  try {
    const socket = make(type, family)
    socket.close()
    return socket instanceof RawSocket && socket.unprivileged && 'this user may only ping'
  } catch (error) {
    return `raw sockets take a right: ${(error as Error).message}`
  }
}

/** Why a row cannot be tested on this type and family, or false where it can. */
function whyNot({ name, on, other, asks, lacking = false }: Row, type: Type, family: Family): Reason {
  if (lacking) return lacking
  if (on !== undefined && !on.includes(platform)) return `${platform} does not have it`
  if (WINE_LACKS.includes(name)) return `Wine ${wine} does not have it`
  const refused = refusal(type, family)
  if (refused || asks === undefined) return refused
  const socket = make(type, family)
  try {
    const before: Value = socket.getOption(name)
    socket.setOption(name, other(before) as never).setOption(name, before as never)
    return false
  } catch (error) {
    // Any other failure is the test's to show.
    const expected = asks === 'right' ? 'EPERM' : 'ENOPROTOOPT'
    if (!(error instanceof SocketError) || error.code !== expected) return false
    return `${asks === 'right' ? 'it takes a right' : 'this version of the system has it not'}: ${error.message}`
  } finally {
    socket.close()
  }
}

for (const row of ROWS) {
  const { name, types, families, initially, other, held = asSet } = row
  for (const type of types) {
    for (const family of families) {
      unless(whyNot(row, type, family))(`${name} of ${family} ${type} is read, set to ${JSON.stringify(other(1))}, and read back`, t => {
        const socket = closing(t, make(type, family))
        const before: Value = socket.getOption(name)
        if (initially !== undefined) t.deepEqual<Value, Value>(before, initially)
        const value = other(before)
        t.notDeepEqual<Value, Value>(before, held(value))
        t.is(socket.setOption(name, value as never), socket)
        t.deepEqual(socket.getOption(name), held(value) as never)
        const made = closing(t, make(type, family, { [name]: value } as SocketOptions))
        t.deepEqual(made.getOption(name), held(value) as never, 'as an option of the constructor')
        if (initially !== undefined) t.deepEqual<Value, Value>(socket.setOption(name, before as never).getOption(name), before, 'as it was at first')
      })
    }
  }
}

test('every option is in the table of this test, or is read by a test of its own', t => {
  const file = fileURLToPath(new URL('../../dist/lib/options.generated.js', import.meta.url))
  const { optionTable } = createRequire(import.meta.url)(file) as { optionTable: Record<string, { systems: Record<string, Family[]> }> }
  const rows = new Set<string>([...ROWS.map(({ name }) => name), 'error', 'acceptConn', 'info'])
  t.deepEqual(Object.keys(optionTable).filter((name) => !rows.has(name)), [])
  for (const { name, on = ['linux', 'darwin', 'freebsd', 'win32'], families } of ROWS) {
    const { systems } = optionTable[name]!
    for (const system of on) for (const family of families) t.true(systems[system]?.includes(family), `${name} of ${family} on ${system}`)
  }
})

test('acceptConn tells who listens, and cannot be set', async t => {
  const { server, client, peer } = await connectedPair(t)
  t.deepEqual([server, client, peer].map((socket) => socket.getOption('acceptConn')), [true, false, false])
  t.throws(() => client.setOption('acceptConn' as SettableOptionName, true as never), { code: 'ERR_INVALID_ARG_VALUE' })
})

const lacksInfo: Reason = wine > 0 && 'Wine does not have it'
for (const family of ip) {
  unless(lacksInfo)(`info tells the state of an ${family} connection, its round trips, and what went over it`, async t => {
    const { client, peer } = await connectedPair(t, family)
    await client.send('x'.repeat(1000))
    await peer.recvExact(1000)
    const [sent, received] = [client.getOption('info'), peer.getOption('info')]
    for (const info of [sent, received]) {
      t.is(info.state, 'established')
      t.true(info.rtt > 0 && info.rtt < 10_000, `rtt: ${info.rtt}`)
      t.true(info.maxSegment >= 500)
      t.true(info.congestionWindow >= info.maxSegment)
      for (const [name, value] of Object.entries(info)) t.true(name === 'state' || value === null || value >= 0, name)
    }
    if (sent.bytesSent !== null) t.true(sent.bytesSent >= 1000)
    if (received.bytesReceived !== null) t.true(received.bytesReceived >= 1000)
    if (onLinux) t.true(sent.rttVariance! > 0)
    client.shutdown('write')
    t.is(await peer.recv(new Uint8Array(1)), 0)
    t.is(peer.getOption('info').state, 'close-wait')
    t.throws(() => client.setOption('info' as SettableOptionName, sent as never), { code: 'ERR_INVALID_ARG_VALUE' })
  })
}

unless(lacksInfo || (platform !== 'linux' && platform !== 'freebsd' && 'this system tells of connections only'))('info tells of a socket that is not connected, too', async t => {
  t.is(closing(t, tcp()).getOption('info').state, 'closed')
  t.is((await listener(t)).getOption('info').state, 'listen')
})

test('what needs another family or type of socket is refused by name', t => {
  const wrong: [Socket, OptionName[]][] = [
    [closing(t, tcp()), ['hopLimit', 'multicastTtl', 'headerIncluded', 'packetInfo', 'multicastLoop6']],
    [closing(t, udp()), ['keepAliveIdle', 'info', 'acceptConn', 'fastOpen', 'headerIncluded', 'recvHopLimit', 'oobInline']],
    [closing(t, udp('inet6')), ['multicastTtl', 'multicastLoop', 'multicastInterface', 'ttl', 'recvTtl']]
  ]
  for (const [socket, names] of wrong) {
    for (const name of names) t.throws(() => socket.getOption(name), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' }, name)
  }
})

for (const family of ip) {
  test(`${family} datagrams come whole when the system is to tell more of them`, async t => {
    const options: SocketOptions = family === 'inet'
      ? { recvTos: true, packetInfo: true, recvTtl: true }
      : { recvTrafficClass: true, recvPacketInfo: true, recvHopLimit: true }
    if (!lacks.posix) options.timestamp = true
    const receiver = await closing(t, udp(family, undefined, options)).bind(...loopback(t, family))
    const sender = closing(t, udp(family))
    await sender.send('hello', receiver.localAddress!)
    const { data, truncated } = await receiver.recv(100, { timeout: 10_000 })
    t.deepEqual([String(data), truncated], ['hello', false])
  })
}

test('interfaces that do not exist are EADDRNOTAVAIL, and change nothing', t => {
  for (const [family, name] of [['inet', 'multicastInterface'], ['inet6', 'multicastInterface6']] as const) {
    const socket = closing(t, udp(family))
    for (const unknown of ['no such', '203.0.113.77', '2001:db8::77', '16777216', '99999999999', '\ud800']) {
      t.throws(() => socket.setOption(name, unknown), { name: 'SocketError', code: 'EADDRNOTAVAIL' }, `${name} ${unknown}`)
    }
    t.is(socket.getOption(name), '')
  }
})

unless(!onLinux && 'other systems have neither, or other words for it')('devices and algorithms that do not exist are errors of the system', t => {
  const socket = closing(t, tcp())
  t.throws(() => socket.setOption('bindToDevice', 'nosuch0'), { name: 'SocketError', code: 'ENODEV', message: /^setsockopt ENODEV/ })
  t.throws(() => socket.setOption('congestion', 'no such'), { code: 'ENOENT' })
  t.throws(() => socket.setOption('maxSegment', 32767).setOption('deferAccept', 2 ** 31), { code: 'ERR_OUT_OF_RANGE' })
})

unless(refusal('raw', 'inet') || lacks.linux)('a filter lets only its types of ICMP through', async t => {
  const echo = (id: number): Buffer => Buffer.from([8, 0, ...checksum(8, id), id, 0, 0, 0])
  // Of this process alone: others may be pinging, too.
  const place = `127.${1 + (process.pid % 250)}.${1 + ((process.pid >> 8) % 250)}.77`
  const socket = await closing(t, raw('inet', 'icmp', { icmpFilter: [8] })).bind(place)
  const sender = await closing(t, raw('inet', 'icmp', { icmpFilter: [0] })).bind(place)
  await sender.send(echo(0x17), place, 0)
  // What came before it was bound may be anybody's.
  const types = async (of: RawSocket, timeout = 10_000): Promise<number> => {
    const { data, from } = await of.recv(100, { timeout })
    return from.address === place ? data[20]! : types(of, timeout)
  }
  t.is(await types(sender), 0, 'the answer')
  t.is(await types(socket), 8, 'the request')
  // On loopback a message has been handed to everyone before `send` returns.
  t.is(socket.setOption('icmpFilter', []).getOption('icmpFilter')?.length, 0)
  await sender.send(echo(0x18), place, 0)
  t.is(await types(sender), 0)
  await t.throwsAsync(types(socket, 0), { code: 'ETIMEDOUT' })
})

/** The checksum of an echo request whose other fields are 0 (RFC 1071). */
function checksum(type: number, id: number): [number, number] {
  const sum = ~((type << 8) + (id << 8)) & 0xffff
  return [sum >> 8, sum & 0xff]
}

const refusesFilter = refusal('raw', 'inet') || (platform === 'win32' && 'Windows does not have it')
unless(refusesFilter)('a filter is for sockets of ICMP', t => {
  t.throws(() => closing(t, raw('inet', 200)).getOption('icmpFilter'), { name: 'SocketError' })
})

// What goes to a group is heard by others on its own way: in a network of one's own an interface leads to another one.
const SETUP = `ip link set lo up && ip link add group0 type veth peer name group1 && ip link set group0 up && ip link set group1 up &&
  ip addr add 10.9.0.1/24 dev group0 && ip -6 addr add fd00::1/64 dev group0 nodad && ip -6 addr add fd00::2/64 dev group1 nodad && exec "$0" "$@"`
const ALONE = ['-rn', 'sh', '-c', SETUP]
const permitted = onLinux && spawnSync('unshare', [...ALONE, 'true']).status === 0
const inNamespace = unless(!permitted && 'no network namespace to be had here')
inNamespace('packets to groups go by the interface, as far and as loud as the options say', async t => {
  t.deepEqual(await alone(t, 'multicast'), {
    inet: { heard: ['aloud', 'directly'], ttl: [1, 7] },
    inet6: { heard: ['aloud', 'directly'], beyond: ['over there', 'over there again'] }
  })
})

inNamespace('fastOpen and fastOpenConnect let data go with the first packet, and a peer that is not there show later', async t => {
  t.deepEqual(await alone(t, 'fast-open'), {
    got: ['with a handshake', 'received', 'with the first packet', 'received'], failure: 'ECONNREFUSED', active: 1, passive: 1
  })
})

/** What a script of _child/ prints in a network of its own. */
async function alone(t: ExecutionContext, name: string): Promise<unknown> {
  const script = fileURLToPath(new URL(`_child/${name}.js`, import.meta.url))
  const { stdout, stderr } = await promisify(execFile)('unshare', [...ALONE, process.execPath, script])
  t.is(stderr, '')
  return JSON.parse(stdout)
}

test('a linger that was set is taken off by null', t => {
  const socket = closing(t, tcp('inet', undefined, { linger: 0 }))
  t.is(socket.getOption('linger'), 0)
  t.is(socket.setOption('linger', null).getOption('linger'), null)
})

test('an undefined option of a constructor is none', t => {
  const socket = closing(t, tcp('inet', undefined, { noDelay: undefined, keepAlive: undefined, timeout: undefined }))
  t.true(socket.getOption('noDelay'))
  t.is(socket.timeout, Infinity)
})

for (const family of ip) {
  test(`${CUSTOMARY} is on for ${family} listeners, unless the options or setOption say otherwise, and off for datagrams`, async t => {
    t.true((await listener(t, family)).getOption(CUSTOMARY))
    t.true((await closing(t, tcp(family)).bind(...loopback(t, family))).getOption(CUSTOMARY))
    t.false((await closing(t, tcp(family, undefined, { [CUSTOMARY]: false })).listen(...loopback(t, family))).getOption(CUSTOMARY))
    t.false((await closing(t, tcp(family)).setOption(CUSTOMARY, false).listen(...loopback(t, family))).getOption(CUSTOMARY))
    t.false((await closing(t, udp(family)).bind(...loopback(t, family))).getOption(CUSTOMARY))
  })

  test(`noDelay is on for both ends of an ${family} connection`, async t => {
    const { client, peer } = await connectedPair(t, family)
    t.true(client.getOption('noDelay'))
    t.true(peer.getOption('noDelay'))
  })
}

test('an accepted socket has noDelay off when its listener was made so', async t => {
  const server = await closing(t, tcp('inet', undefined, { noDelay: false })).listen('127.0.0.1')
  const client = await closing(t, tcp('inet', undefined, { noDelay: false })).connect(server.localAddress!)
  t.false(client.getOption('noDelay'))
  t.false(closing(t, await server.accept()).getOption('noDelay'))
})

unless(lacks.reusePort)('two sockets share a port with reusePort', async t => {
  const first = await closing(t, udp('inet', undefined, { reusePort: true })).bind('127.0.0.1')
  const second = await closing(t, udp('inet', undefined, { reusePort: true })).bind(first.localAddress!)
  t.true(second.localAddress?.equals(first.localAddress!))
})

test('without ipv6Only a socket bound to all interfaces hears IPv4, with it only IPv6', async t => {
  const client = closing(t, tcp())
  const dual = await closing(t, tcp('inet6', undefined, { ipv6Only: false })).listen('*', 0)
  await client.connect('127.0.0.1', dual.localAddress!.port)
  t.is(closing(t, await dual.accept()).remoteAddress?.address, '::ffff:127.0.0.1')
  const single = await closing(t, tcp('inet6', undefined, { ipv6Only: true })).listen('*', 0)
  const refused = await closing(t, tcp()).connect('127.0.0.1', single.localAddress!.port).then(() => null, (error: SocketError) => error.code)
  // With IPv4 somebody else may listen there.
  if (refused === null) await t.throwsAsync(single.accept({ timeout: 0 }), { code: 'ETIMEDOUT' })
  else t.is(refused, 'ECONNREFUSED')
})

test('ipv6Only of a socket that is bound is EINVAL', async t => {
  const socket = await closing(t, udp('inet6')).bind('::1')
  t.throws(() => socket.setOption('ipv6Only', true), { name: 'SocketError', code: 'EINVAL', message: /^setsockopt EINVAL/ })
})

test('error is null as long as all is well, and cannot be set', t => {
  const socket = closing(t, tcp())
  t.is(socket.getOption('error'), null)
  t.throws(() => socket.setOption('error' as SettableOptionName, null as never), { code: 'ERR_INVALID_ARG_VALUE' })
})

unless(lacks.posix)('error is the error that waited, and then null again (Windows keeps it for the next recv)', async t => {
  const gone = await closing(t, udp()).bind('127.0.0.1')
  const { localAddress } = gone
  gone.close()
  const socket = await closing(t, udp()).connect(localAddress!)
  await socket.send('x')
  t.is(socket.getOption('error'), 'ECONNREFUSED')
  t.is(socket.getOption('error'), null)
})

test('what the platform lacks is ERR_UNSUPPORTED_PLATFORM', t => {
  const name = lacks.exclusiveAddressUse ? 'exclusiveAddressUse' : 'reusePort'
  const socket = closing(t, tcp())
  t.throws(() => socket.getOption(name), { name: 'SocketError', code: 'ERR_UNSUPPORTED_PLATFORM' })
  t.throws(() => socket.setOption(name, true), { code: 'ERR_UNSUPPORTED_PLATFORM' })
})

test('names that are no option of the socket throw', t => {
  const socket = closing(t, tcp())
  for (const name of ['nosuch', '', 'toString', '__proto__', 'constructor', 'SO_REUSEADDR', 'noDelay\0']) {
    t.throws(() => socket.getOption(name as OptionName), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
    t.throws(() => socket.setOption(name as SettableOptionName, 1 as never), { code: 'ERR_INVALID_ARG_VALUE' })
  }
  for (const name of [undefined, null, {}, Symbol('x'), ['ttl']]) {
    t.throws(() => socket.getOption(name as unknown as OptionName), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const [other, name] of [
    [closing(t, udp()), 'noDelay'], [closing(t, tcp('inet6')), 'ttl'], [socket, 'ipv6Only'], [socket, 'broadcast']
  ] as const) {
    t.throws(() => other.getOption(name), { code: 'ERR_INVALID_ARG_VALUE' })
  }
})

unless(lacks.unix)('a unix stream has no options of TCP', t => {
  t.throws(() => closing(t, tcp('unix')).getOption('noDelay'), { code: 'ERR_INVALID_ARG_VALUE' })
})

test('values that do not fit throw, and nothing is changed', t => {
  const socket = closing(t, tcp())
  const refused = (name: SettableOptionName, value: unknown, code: string): void => {
    const before: Value = socket.getOption(name)
    t.throws(() => socket.setOption(name, value as never), { code }, `${name} ${String(value)}`)
    t.is(socket.getOption(name), before)
    t.throws(() => tcp('inet', undefined, { [name]: value } as SocketOptions), { code })
  }
  for (const value of [1, 0, 'true', null, {}]) refused('noDelay', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of [0, 256, -1, 1.5, NaN, Infinity]) refused('ttl', value, 'ERR_OUT_OF_RANGE')
  for (const value of ['64', true, null, 64n]) refused('ttl', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of [0, -1, 2 ** 31, 0.5, NaN]) refused('recvBufferSize', value, 'ERR_OUT_OF_RANGE')
  for (const value of [-1, NaN, Infinity, 65_535_001]) refused('linger', value, 'ERR_OUT_OF_RANGE')
  for (const value of ['0', true]) refused('linger', value, 'ERR_INVALID_ARG_TYPE')
  t.throws(() => socket.setOption('noDelay', undefined as never), { code: 'ERR_INVALID_ARG_TYPE' })
})

unless(!onLinux && 'other systems lack the options')('values of other kinds that do not fit throw, and nothing is changed', t => {
  const refused = (name: SettableOptionName, type: Type, value: unknown, code: string): void => {
    if (refusal(type, 'inet')) return
    const socket = closing(t, make(type, 'inet'))
    const before: Value = socket.getOption(name)
    t.throws(() => socket.setOption(name, value as never), { code }, `${name} ${String(value)}`)
    t.deepEqual<Value, Value>(socket.getOption(name), before)
    t.throws(() => make(type, 'inet', { [name]: value } as SocketOptions), { code })
  }
  for (const value of [0, -1, -0.5, NaN, Infinity, 32_767_001]) refused('keepAliveIdle', 'tcp', value, 'ERR_OUT_OF_RANGE')
  for (const value of [null, '1', true]) refused('keepAliveIdle', 'tcp', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of [0, 128, 1.5]) refused('keepAliveCount', 'tcp', value, 'ERR_OUT_OF_RANGE')
  for (const value of [true, null]) refused('fastOpen', 'tcp', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of [-1, 2 ** 32, 1.5, NaN]) refused('mark', 'tcp', value, 'ERR_OUT_OF_RANGE')
  for (const value of ['1', null, 1n]) refused('mark', 'tcp', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of [-1, 2 ** 31, 0.5]) refused('incomingCpu', 'tcp', value, 'ERR_OUT_OF_RANGE')
  for (const value of ['1', true]) refused('incomingCpu', 'tcp', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of [-0.01, 2 ** 31 / 1000, NaN]) refused('busyPoll', 'tcp', value, 'ERR_OUT_OF_RANGE')
  for (const value of ['1', null]) refused('busyPoll', 'tcp', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of [0, -1, 2 ** 31, NaN]) refused('userTimeout', 'tcp', value, 'ERR_OUT_OF_RANGE')
  for (const value of ['x'.repeat(16), 'é'.repeat(8), 'cubic\0', '\0']) refused('congestion', 'tcp', value, 'ERR_INVALID_ARG_VALUE')
  for (const value of [null, 1, Buffer.from('cubic')]) refused('congestion', 'tcp', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of ['', 'DO', 'toString']) refused('mtuDiscover', 'udp', value, 'ERR_INVALID_ARG_VALUE')
  for (const value of [2, null, true]) refused('mtuDiscover', 'udp', value, 'ERR_INVALID_ARG_TYPE')
  for (const value of [-1, 256, 1.5]) refused('multicastTtl', 'udp', value, 'ERR_OUT_OF_RANGE')
  for (const value of [[-1], [256], [0, 1.5], [NaN]]) refused('icmpFilter', 'raw', value, 'ERR_OUT_OF_RANGE')
  for (const value of ['8', 8, {}, [null], ['8'], new Set([8])]) refused('icmpFilter', 'raw', value, 'ERR_INVALID_ARG_TYPE')
})

// SOL_SOCKET, SO_TYPE and SO_KEEPALIVE; SO_RCVBUF.
const [SOL_SOCKET, SO_TYPE, SO_KEEPALIVE, SO_RCVBUF] = onLinux ? [1, 3, 9, 8] as const : [0xffff, 0x1008, 8, 0x1002] as const

test('an option without a name is read and set by its numbers', t => {
  const socket = closing(t, tcp())
  const int = (buffer: Buffer): number => new Int32Array(Uint8Array.from(buffer).buffer)[0]!
  t.is(int(socket.getOption(SOL_SOCKET, SO_TYPE, 4)), 1, 'SOCK_STREAM')
  if (!lacks.posix) t.is(socket.getOption(SOL_SOCKET, SO_TYPE, 100).length, 4, 'as long as the system has it')
  t.true(Buffer.isBuffer(socket.getOption(SOL_SOCKET, SO_TYPE)))
  t.is(socket.setOption(SOL_SOCKET, SO_KEEPALIVE, 1), socket)
  t.true(socket.getOption('keepAlive'))
  socket.setOption(SOL_SOCKET, SO_KEEPALIVE, new Uint8Array(4))
  t.false(socket.getOption('keepAlive'))
  socket.setOption(SOL_SOCKET, SO_RCVBUF, Buffer.from(Int32Array.of(20_000).buffer))
  t.is(socket.getOption('recvBufferSize'), doubled(20_000) as number)
})

test('numbers that are none of an option are an error of the system', t => {
  const socket = closing(t, tcp())
  const unknown = { name: 'SocketError', message: /^getsockopt E/ }
  t.throws(() => socket.getOption(SOL_SOCKET, 0x7fff_0000, 4), unknown)
  if (!lacks.posix) {
    t.throws(() => socket.getOption(SOL_SOCKET, -1, 4), { ...unknown, code: 'ENOPROTOOPT' })
    t.throws(() => socket.setOption(SOL_SOCKET, 0x7fff_0000, 1), { name: 'SocketError', code: 'ENOPROTOOPT', message: /^setsockopt ENOPROTOOPT/ })
    t.throws(() => socket.setOption(SOL_SOCKET, SO_KEEPALIVE, new Uint8Array(1)), { name: 'SocketError', code: 'EINVAL' }, 'too short')
  }
})

test('wrong numbers, lengths and values of an option without a name are refused', t => {
  const socket = closing(t, tcp())
  const refused = (code: string, call: () => unknown): void => {
    t.throws(call, { code }, String(call))
  }
  for (const level of [-1, 1.5, NaN, Infinity, 2 ** 31]) {
    refused('ERR_OUT_OF_RANGE', () => socket.getOption(level, SO_TYPE, 4))
    refused('ERR_OUT_OF_RANGE', () => socket.setOption(level, SO_KEEPALIVE, 1))
  }
  for (const name of [2 ** 31, 0.5, NaN]) {
    refused('ERR_OUT_OF_RANGE', () => socket.getOption(SOL_SOCKET, name, 4))
    refused('ERR_OUT_OF_RANGE', () => socket.setOption(SOL_SOCKET, name, 1))
  }
  for (const name of ['3', null, undefined, 3n, {}]) {
    refused('ERR_INVALID_ARG_TYPE', () => socket.getOption(SOL_SOCKET, name as number, 4))
    refused('ERR_INVALID_ARG_TYPE', () => socket.setOption(SOL_SOCKET, name as number, 1))
  }
  for (const length of [0, -1, 1.5, NaN, 2 ** 20 + 1]) refused('ERR_OUT_OF_RANGE', () => socket.getOption(SOL_SOCKET, SO_TYPE, length))
  for (const length of ['4', null, new Uint8Array(4)]) refused('ERR_INVALID_ARG_TYPE', () => socket.getOption(SOL_SOCKET, SO_TYPE, length as unknown as number))
  for (const value of [1.5, NaN, 2 ** 32, -(2 ** 31) - 1]) refused('ERR_OUT_OF_RANGE', () => socket.setOption(SOL_SOCKET, SO_KEEPALIVE, value))
  for (const value of [true, '1', null, undefined, [1], new Uint16Array(2), new ArrayBuffer(4), new DataView(new ArrayBuffer(4))]) {
    refused('ERR_INVALID_ARG_TYPE', () => socket.setOption(SOL_SOCKET, SO_KEEPALIVE, value as unknown as number))
  }
  t.false(socket.getOption('keepAlive'))
  socket.close()
  refused('ERR_SOCKET_CLOSED', () => socket.getOption(SOL_SOCKET, SO_TYPE, 4))
  refused('ERR_SOCKET_CLOSED', () => socket.setOption(SOL_SOCKET, SO_KEEPALIVE, 1))
})

test('a constructor whose options are refused leaves no descriptor behind', t => {
  const probe = tcp()
  const { fd } = probe
  probe.close()
  for (const options of [null, 1, 'x', { nosuch: 1 }, { timeout: -1 }, { timeout: '1' }, { replaceStale: 1 }, { ttl: 0 }, { ipv6Only: true }]) {
    for (const construct of [() => tcp('inet', undefined, options as SocketOptions), () => udp('inet', undefined, options as SocketOptions)]) {
      t.regex(t.throws<Error & { code: string }>(construct).code, /^ERR_(INVALID_ARG|OUT_OF_RANGE)/)
    }
    if (!lacks.seqpacket) t.throws(() => seqpacket(options as SocketOptions))
  }
  const again = closing(t, tcp())
  if (!lacks.posix) t.is(again.fd, fd, 'the lowest free number')
})

test('raw sockets check families and protocols before they need a right', t => {
  t.throws(() => raw('inet', 'nosuch' as 'icmp'), { code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => raw('ipx' as Family, 'icmp'), { code: 'ERR_INVALID_ARG_VALUE' })
})
