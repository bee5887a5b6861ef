// Options by a table: read, differ, set, read back, for IPv4 and IPv6.
import test from 'ava'
import { raw, seqpacket, tcp, udp, type Family, type OptionName, type SettableOptionName, type Socket, type SocketOptions } from 'socket2'
import { closing, connectedPair, lacks, listener, loopback, unless } from './_util.js'

type Value = boolean | number | string | null

interface Row {
  name: SettableOptionName
  /** Which sockets have it. */
  types: ('tcp' | 'udp')[]
  families: Family[]
  /** What a new socket has, where that is the same on every system. */
  initially?: Value
  /** A value to set for the one that is there. */
  other: (value: Value) => Value
  /** What the system holds then, where it is not what was set. */
  held?: (set: Value) => Value
  /** Why it cannot be tested here. */
  lacking?: string | false
}

const ip: Family[] = ['inet', 'inet6']
const every: Family[] = ['inet', 'inet6', 'unix']
const both: Row['types'] = ['tcp', 'udp']
const asSet = (value: Value): Value => value
const not = (value: Value): Value => !value
/** Linux holds twice the size of a buffer, for its own book-keeping. */
const doubled = (size: Value): Value => (process.platform === 'linux' ? 2 * (size as number) : size)

const ROWS: Row[] = [
  { name: 'reuseAddress', types: both, families: ip, initially: false, other: not },
  { name: 'reusePort', types: both, families: ip, initially: false, other: not, lacking: lacks.reusePort },
  { name: 'exclusiveAddressUse', types: both, families: ip, initially: false, other: not, lacking: lacks.exclusiveAddressUse },
  { name: 'broadcast', types: ['udp'], families: ['inet'], initially: false, other: not },
  { name: 'keepAlive', types: ['tcp'], families: ip, initially: false, other: not },
  { name: 'linger', types: ['tcp'], families: ip, initially: null, other: () => 3000 },
  { name: 'linger', types: ['tcp'], families: ip, initially: null, other: () => 0 },
  // Rounded up to whole seconds.
  { name: 'linger', types: ['tcp'], families: ip, other: () => 1001, held: () => 2000 },
  { name: 'linger', types: ['tcp'], families: ip, other: () => 0.5, held: () => 1000 },
  { name: 'recvBufferSize', types: both, families: every, other: (size) => (size === 32768 ? 16384 : 32768), held: doubled },
  { name: 'sendBufferSize', types: both, families: every, other: (size) => (size === 32768 ? 16384 : 32768), held: doubled },
  { name: 'noDelay', types: ['tcp'], families: ip, initially: true, other: not },
  { name: 'ttl', types: both, families: ['inet'], other: (ttl) => (ttl as number) - 1 },
  { name: 'ttl', types: both, families: ['inet'], other: () => 1 },
  { name: 'ttl', types: both, families: ['inet'], other: () => 255 },
  { name: 'ipv6Only', types: both, families: ['inet6'], other: not }
]

/** What listeners need: on Windows `reuseAddress` would let anyone take their address, and TIME_WAIT is no obstacle. */
const CUSTOMARY = lacks.exclusiveAddressUse ? 'reuseAddress' : 'exclusiveAddressUse'

function make(type: 'tcp' | 'udp', family: Family, options?: SocketOptions): Socket {
  return type === 'tcp' ? tcp(family, undefined, options) : udp(family, undefined, options)
}

for (const { name, types, families, initially, other, held = asSet, lacking = false } of ROWS) {
  for (const type of types) {
    for (const family of families) {
      const lacksUnix = family === 'unix' && (type === 'tcp' ? lacks.unix : lacks.unixDatagrams)
      unless(lacking || lacksUnix)(`${name} of ${family} ${type} is read, set to ${String(other(1))}, and read back`, t => {
        const socket = closing(t, make(type, family))
        const before: Value = socket.getOption(name)
        if (initially !== undefined) t.is<Value, Value>(before, initially)
        const value = other(before)
        t.not<Value, Value>(before, held(value))
        t.is(socket.setOption(name, value as never), socket)
        t.is(socket.getOption(name), held(value) as never)
        const made = closing(t, make(type, family, { [name]: value } as SocketOptions))
        t.is(made.getOption(name), held(value) as never, 'as an option of the constructor')
      })
    }
  }
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
  await t.throwsAsync(closing(t, tcp()).connect('127.0.0.1', single.localAddress!.port), { code: 'ECONNREFUSED' })
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
