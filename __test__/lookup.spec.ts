import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { addr, Address, addrName, tcp, type Family, type Host, type LookupFlags, type Port, type Protocol, type SocketType } from 'socket2'
import { child, closing, lacks, lacksRawNames, unless } from './_util.js'

const noRawNames = await lacksRawNames()

type Query = [host?: Host, port?: Port, type?: SocketType, family?: Family]

async function found(...query: Query): Promise<string[]> {
  return (await addr(...query)).map(String)
}

test('a literal address is found as it is, with its port', async t => {
  t.deepEqual(await found('127.0.0.1', 80), ['127.0.0.1:80'])
  t.deepEqual(await found('127.0.0.1', '80'), ['127.0.0.1:80'])
  t.deepEqual(await found('::1', 65535, 'tcp', 'inet6'), ['[::1]:65535'])
  t.deepEqual(await found('fe80::1%3', 1), ['[fe80::1%3]:1'])
  t.deepEqual(await found('unix:/run/x'), ['unix:/run/x'])
  t.deepEqual(await found('unix:@x', 0, 'udp', 'unix'), ['unix:@x'])
})

test("'*' is all interfaces and false is loopback, of the family", async t => {
  t.deepEqual(await found(), ['0.0.0.0:0'])
  t.deepEqual(await found('*', 80, 'tcp', 'inet6'), ['[::]:80'])
  t.deepEqual(await found(false, 80, 'tcp'), ['127.0.0.1:80'])
  t.deepEqual(await found(false, 80, 'tcp', 'inet6'), ['[::1]:80'])
})

for (const [family, loopback] of [['inet', '127.0.0.1'], ['inet6', '::1']] as const) {
  test(`a connection to all interfaces or to loopback has the address that the system gives it (${family})`, async t => {
    const server = await closing(t, tcp(family)).listen('*')
    for (const host of ['*', false] as const) {
      const client = await closing(t, tcp(family)).connect(host, server.localAddress!.port)
      t.is(client.remoteAddress?.address, loopback)
      const { remoteAddress } = client
      client.close()
      t.true(client.remoteAddress?.equals(remoteAddress!), 'it stays known')
    }
  })
}

test('the arguments can be given by name, and an Address passes through', async t => {
  t.deepEqual((await addr({ host: '127.0.0.1', port: 80, type: 'udp', family: 'inet' })).map(String), ['127.0.0.1:80'])
  const address = Address.parse('[::1]:1')
  t.is((await addr(address))[0], address)
})

test('an address knows the type and the protocol it was looked up for', async t => {
  const [literal] = await addr('127.0.0.1', 80, 'udp', 'inet', 'udp')
  t.like(literal, { type: 'udp', protocol: 'udp' })
  const [named] = await addr('localhost', 80, 'tcp')
  t.like(named, { type: 'tcp', protocol: 'tcp', port: 80 })
})

for (const type of ['tcp', 'udp', 'raw'] as const) {
  unless(type === 'raw' && noRawNames)(`a name is found for ${type}, too, when no type is given`, async t => {
    t.true((await addr('localhost', 7)).some((address) => address.type === type))
  })
}

test('raw lookups work, by name too', async t => {
  for (const host of ['localhost', '127.0.0.1']) {
    const [address] = await addr(host, 0, 'raw', 'inet', 'icmp')
    t.is(String(address), '127.0.0.1:0')
    t.like(address, { type: 'raw', protocol: 'icmp' })
  }
})

test('a service is found by its name', async t => {
  t.is((await addr('127.0.0.1', 'http', 'tcp'))[0]?.port, 80)
  t.is((await addr('*', 'http', 'tcp', 'inet6')).map(String)[0], '[::]:80')
})

test('a service that is not known, or that a raw socket is asked for, is EAI_SERVICE', async t => {
  const unknown = { name: 'SocketError', code: 'EAI_SERVICE' }
  for (const port of ['nosuchservice', '9nosuchservice', '0x50', '1e3', 'x'.repeat(1000)]) {
    await t.throwsAsync(addr('127.0.0.1', port, 'tcp'), unknown, port)
  }
  await t.throwsAsync(addr('127.0.0.1', 'http', 'raw'), unknown)
})

for (const port of [65536, -1, 1.5, NaN, Infinity, '65536', '-1', '1.5', '+80', ' 80', '80 ', '', '999999999999', 'ht\0tp', '\ud800'] as Port[]) {
  test(`the port ${JSON.stringify(port)} (${typeof port}, ${port}) is ERR_SOCKET_BAD_PORT`, async t => {
    for (const host of ['127.0.0.1', '*', 'localhost', false] as const) {
      await t.throwsAsync(addr(host, port), { instanceOf: RangeError, code: 'ERR_SOCKET_BAD_PORT' })
    }
  })
}

test('wrong arguments reject, each by its name', async t => {
  const wrong = async (query: object, code: string) => {
    const error = await t.throwsAsync(addr({ host: '127.0.0.1', ...query }), { code })
    t.true(error.message.includes(`"${Object.keys(query)[0]}`) || code === 'ERR_SOCKET_BAD_PORT', error.message)
  }
  for (const host of [null, 1, true, {}, [], Symbol('x'), 1n, () => {}]) await wrong({ host: host as Host }, 'ERR_INVALID_ARG_TYPE')
  for (const host of ['', 'a\0b', 'a\ud800', '127.0.0.1\0']) await wrong({ host }, 'ERR_INVALID_ARG_VALUE')
  for (const port of [null, true, {}, 80n]) await wrong({ port }, 'ERR_INVALID_ARG_TYPE')
  for (const family of ['ipv4', 'toString', '', 4, null]) await wrong({ family: family as Family }, 'ERR_INVALID_ARG_VALUE')
  for (const type of ['stream', '__proto__', '', 1, null]) await wrong({ type: type as SocketType }, 'ERR_INVALID_ARG_VALUE')
  for (const protocol of ['sctp', 'constructor', '']) await wrong({ protocol: protocol as Protocol }, 'ERR_INVALID_ARG_VALUE')
  for (const protocol of [-1, 256, 1.5]) await wrong({ protocol }, 'ERR_OUT_OF_RANGE')
  for (const flags of [{ nosuch: true }, { __proto__: null, constructor: true }]) await wrong({ flags: flags as LookupFlags }, 'ERR_INVALID_ARG_VALUE')
  for (const flags of ['passive', 1, null, { passive: 1 }]) await wrong({ flags: flags as LookupFlags }, 'ERR_INVALID_ARG_TYPE')
})

test('a host that does not fit the family is refused', async t => {
  for (const [host, family] of [['::1', 'inet'], ['127.0.0.1', 'inet6'], ['unix:/x', 'inet'], ['127.0.0.1', 'unix'], ['name', 'unix']] as const) {
    await t.throwsAsync(addr(host, 0, undefined, family), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
  }
})

test('no wrong argument makes addr or addrName throw instead of reject', async t => {
  const evil = new Proxy({}, { get: () => { throw new Error('a getter that throws') } })
  for (const value of [evil, null, Symbol('x'), 1n]) {
    const promises = [addr(value as Host), addr('x', value as Port), addrName(value as Address), addr({ host: '::1', flags: value as LookupFlags })]
    for (const outcome of await Promise.allSettled(promises)) t.is(outcome.status, 'rejected')
  }
})

test('the flags do what getaddrinfo(3) says', async t => {
  const [canonical] = await addr({ host: '127.0.0.1', port: 80, flags: { canonName: true } })
  t.like(canonical, { name: '127.0.0.1', port: 80 })
  t.is((await addr({ host: '127.0.0.1', port: 80, family: 'inet6', flags: { v4Mapped: true } })).map(String)[0], '[::ffff:127.0.0.1]:80')
  await t.throwsAsync(addr({ host: 'localhost', flags: { numericHost: true } }), { code: 'ENOTFOUND' })
  t.true((await addr({ host: 'localhost', type: 'tcp', flags: { passive: true, addrConfig: false } })).length > 0)
})

test('a name too long to exist is ENOTFOUND', async t => {
  for (const host of ['x'.repeat(300), 'x.'.repeat(500)]) await t.throwsAsync(addr(host), { code: 'ENOTFOUND', message: /^getaddrinfo ENOTFOUND x/ })
})

test('many lookups at once are all answered', async t => {
  const all = await Promise.all(Array.from({ length: 500 }, (_, i) => addr('localhost', i, 'tcp', 'inet')))
  t.deepEqual(all.map(([address]) => String(address)), Array.from({ length: 500 }, (_, i) => `127.0.0.1:${i}`))
})

test('addrName finds the name of an address and of its port', async t => {
  const { host, service } = await addrName(Address.parse('127.0.0.1:80'))
  // Windows calls the loopback by the name of the machine.
  t.true(process.platform === 'win32' ? host.length > 0 : host === 'localhost', host)
  t.is(service, 'http')
  t.like(await addrName(Address.parse('127.0.0.1:64999')), { service: '64999' })
  await t.throwsAsync(addrName(Address.parse('unix:/x')), { code: 'ERR_INVALID_ARG_VALUE' })
  await t.throwsAsync(addrName('127.0.0.1:80' as unknown as Address), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('a signal that is aborted already and wrong options end a lookup before it begins', async t => {
  const reason = { because: 'enough' }
  t.is(await addr({ host: 'localhost', signal: AbortSignal.abort(reason) }).catch((error: unknown) => error), reason)
  await t.throwsAsync(addr({ host: 'localhost', timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' })
  await t.throwsAsync(addr({ host: 'localhost', timeout: NaN }), { code: 'ERR_OUT_OF_RANGE' })
  await t.throwsAsync(addr({ host: 'localhost', timeout: '5' as unknown as number }), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(addr({ host: 'localhost', signal: {} as AbortSignal }), { code: 'ERR_INVALID_ARG_TYPE' })
})

unless(lacks.linux && 'threads are listed on Linux only')('a literal address starts no thread, a name does', async t => {
  const { stdout, code, stderr } = await child(t, 'lookup-threads')
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(stdout), { afterLiterals: 0, afterName: 1 })
})

// What follows asks a name service of our own. It needs the port 53 and /etc/resolv.conf, so it runs where the system lets a
// process have a network and files of its own.
const alone = mkdtempSync(join(tmpdir(), 's2-'))
test.after.always(() => rmSync(alone, { recursive: true, force: true }))
writeFileSync(join(alone, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:30 attempts:1\n')
writeFileSync(join(alone, 'nsswitch.conf'), 'hosts: files dns\nservices: files\n')
const ALONE = [
  '-mn', 'sh', '-c',
  'ip link set lo up && mount --bind "$0/resolv.conf" /etc/resolv.conf && mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@"', alone
]
const permitted = process.platform === 'linux' && spawnSync('unshare', [...ALONE, 'true']).status === 0
const withNames = unless(!permitted && 'no network namespace to be had here')

function names(scenario: string): unknown {
  const script = fileURLToPath(new URL('_child/names.js', import.meta.url))
  const { stdout, stderr, status } = spawnSync('unshare', [...ALONE, process.execPath, script, scenario], { encoding: 'utf8', timeout: 60_000 })
  if (status !== 0 || stderr !== '') throw new Error(`${scenario} ended with ${status}: ${stdout}${stderr}`)
  return JSON.parse(stdout)
}

withNames('slow names delay no other', t => {
  t.deepEqual(names('slow'), { fast: ['127.0.0.1:80'], settled: 0, slow: Array(20).fill('127.0.0.9:80') })
})

withNames('a literal address is found although every thread waits for a name', t => {
  t.deepEqual(names('literal'), { found: ['127.0.0.1:80', '[::1]:0', '0.0.0.0:1', '127.0.0.1:0', 'unix:@x'], settled: 0 })
})

withNames('closing a socket ends its lookups at once', t => {
  t.deepEqual(names('closed'), { codes: Array(5).fill('ERR_SOCKET_CLOSED'), released: false })
})

withNames('a lookup can be aborted and times out, and ends a connect of either kind, whose socket is closed then', t => {
  const { aborted, timedOut, closed } = names('givenUp') as { aborted: boolean[]; timedOut: object[]; closed: boolean }
  t.deepEqual(aborted, [true, true, true])
  t.deepEqual(timedOut.map((error) => (error as { code: string }).code), Array(4).fill('ETIMEDOUT'))
  t.deepEqual(timedOut.map((error) => (error as { timeout: number }).timeout), [20, 20, 0, 20])
  t.true(closed)
})

withNames('the timeout of a connect is for its lookup and what follows together', t => {
  const { ms, ...error } = names('partly') as { ms: number }
  t.deepEqual(error, { code: 'ETIMEDOUT', syscall: 'connect', timeout: 600 } as object)
  t.true(ms > 599 && ms < 990, `${ms} ms`)
})

withNames('a name that does not exist is ENOTFOUND, a service without an answer EAI_AGAIN', t => {
  const failed = (code: string, hostname: string) => ({ code, syscall: 'getaddrinfo', hostname, message: `getaddrinfo ${code} ${hostname}` })
  t.deepEqual(names('failing'), [
    failed('ENOTFOUND', 'missing.invalid'), failed('EAI_AGAIN', 'broken.test'), failed('ENOTFOUND', 'missing.invalid'),
    failed('EAI_SERVICE', 'fast.test:nosuchservice')
  ])
})

withNames('connect tries every address of a name in turn, and fails as the last did', t => {
  t.deepEqual(names('turn'), { addresses: 2, connected: true, code: 'ECONNREFUSED', last: true })
})

withNames('canonical names and the names of addresses come from the name service', t => {
  t.deepEqual(names('names'), {
    alias: '127.0.0.1:0', canonical: 'fast.test', host: { host: 'host.test', service: 'http' },
    unnamed: { code: 'ENOTFOUND', syscall: 'getnameinfo', hostname: '192.0.2.2', message: 'getnameinfo ENOTFOUND 192.0.2.2' }
  })
})

withNames('a lookup for a socket that does not count lets the process end', t => {
  t.is(names('unref'), 'asked')
})
