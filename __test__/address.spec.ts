import { inspect } from 'node:util'
import test from 'ava'
import { Address, type AddressFields } from 'socket2'

/** The longest path of a unix socket, in bytes: 108, on the BSD family 104, less one for the NUL at the end. */
const LONGEST = process.platform === 'linux' || process.platform === 'win32' ? 107 : 103

/** IPv6 as it may be written, and as RFC 5952 writes it. */
const IPV6: readonly [written: string, canonical: string][] = [
  ['::', '::'],
  ['::1', '::1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['2001:DB8::A', '2001:db8::a'],
  ['2001:0db8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['::ffff:c000:201', '::ffff:192.0.2.1'],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']
]

for (const [written, canonical] of IPV6) {
  test(`the IPv6 address ${written} reads ${canonical}`, t => {
    const address = Address.from({ family: 'inet6', address: written, port: 80 })
    t.is(address.address, canonical)
    t.is(address.toString(), `[${canonical}]:80`)
  })
}

const TEXTS = [
  '127.0.0.1:80', '0.0.0.0:0', '255.255.255.255:65535', '[::]:0', '[::1]:443', '[fe80::1%2]:80', '[fe80::1%4294967295]:1',
  '[::ffff:127.0.0.1]:8080', 'unix:/run/x.sock', 'unix:relative.sock', 'unix:@abstract', 'unix:@', 'unix:', 'unix:/tmp/with space:80',
  `unix:/${'é'.repeat((LONGEST - 1) / 2)}`
]

for (const text of TEXTS) {
  test(`parse is the inverse of toString for ${text}`, t => {
    const address = Address.parse(text)
    t.is(address.toString(), text)
    t.is(String(Address.parse(String(address))), text)
    t.true(Address.parse(text).equals(address))
  })

  test(`${text} survives JSON and structuredClone through toJSON and from`, t => {
    const address = Address.parse(text)
    for (const copy of [JSON.parse(JSON.stringify(address)) as AddressFields, structuredClone(address.toJSON())]) {
      const again = Address.from(copy)
      t.true(again.equals(address))
      t.is(String(again), text)
      t.deepEqual(again.toJSON(), address.toJSON())
    }
  })
}

test('an address tells family, address, port, scope and path', t => {
  const of = (text: string) => {
    const { family, address, port, scopeId, flowInfo, path } = Address.parse(text)
    return { family, address, port, scopeId, flowInfo, path }
  }
  const none = { scopeId: undefined, flowInfo: undefined, path: undefined }
  t.deepEqual(of('127.0.0.1:80'), { ...none, family: 'inet', address: '127.0.0.1', port: 80 })
  t.deepEqual(of('[fe80::1%2]:80'), { ...none, family: 'inet6', address: 'fe80::1', port: 80, scopeId: 2 })
  t.deepEqual(of('unix:/run/x'), { ...none, family: 'unix', address: '/run/x', port: 0, path: '/run/x' })
  t.deepEqual(of('unix:@x'), { ...none, family: 'unix', address: '@x', port: 0, path: '@x' })
})

test('all fields survive from and toJSON, the flow label and what the lookup knew included', t => {
  const fields: AddressFields = {
    family: 'inet6', address: 'fe80::1', port: 65535, scopeId: 0xffff_ffff, flowInfo: 0xfffff, type: 'tcp', protocol: 'tcp', name: 'host.example'
  }
  t.deepEqual(Address.from(fields).toJSON(), fields)
  t.is(Address.from(fields).name, 'host.example')
})

test('from takes a zone in the text, and a scope of its own before it', t => {
  t.is(Address.from({ family: 'inet6', address: 'fe80::1%7', port: 0 }).scopeId, 7)
  t.is(Address.from({ family: 'inet6', address: 'fe80::1%7', port: 0, scopeId: 8 }).scopeId, 8)
})

test('from passes an Address through, and parse of what inspect shows is no address', t => {
  const address = Address.parse('127.0.0.1:80')
  t.is(Address.from(address), address)
  t.is(inspect(address), 'Address(127.0.0.1:80)')
  t.throws(() => Address.parse(inspect(address)), { code: 'ERR_INVALID_ARG_VALUE' })
})

test('an address never changes', t => {
  const address = Address.from({ family: 'inet', address: '127.0.0.1', port: 80, type: 'tcp', name: 'x' })
  const writable = address as { -readonly [key in keyof AddressFields]: unknown }
  for (const key of ['family', 'address', 'port', 'scopeId', 'path', 'type', 'name'] as const) {
    t.throws(() => { writable[key] = 1 }, { instanceOf: TypeError }, key)
  }
  t.is(address.withPort(90).toString(), '127.0.0.1:90')
  t.is(address.toString(), '127.0.0.1:80')
  t.throws(() => new Address(), { instanceOf: TypeError })
})

test('equal addresses are those of the same place, whatever they were looked up for', t => {
  const equal = (one: string, other: string) => Address.parse(one).equals(Address.parse(other))
  t.true(equal('[2001:DB8::1]:80', '[2001:db8:0::1]:80'))
  t.true(Address.parse('127.0.0.1:80').equals(Address.from({ family: 'inet', address: '127.0.0.1', port: 80, type: 'udp' })))
  for (const [one, other] of [
    ['127.0.0.1:80', '127.0.0.1:81'], ['127.0.0.1:80', '127.0.0.2:80'], ['127.0.0.1:80', '[::ffff:127.0.0.1]:80'], ['[::1]:80', '[::1%1]:80'],
    ['unix:/a', 'unix:/b'], ['unix:/a', 'unix:/ab'], ['unix:/ab', 'unix:/a'], ['unix:@a', 'unix:a'], ['unix:', 'unix:@']
  ] as const) {
    t.false(equal(one, other), `${one} ${other}`)
  }
  t.throws(() => Address.parse('[::1]:80').equals('[::1]:80' as unknown as Address), { code: 'ERR_INVALID_ARG_TYPE' })
})

for (const text of [
  '', '127.0.0.1', '127.0.0.1:', ':80', '127.0.0.1:65536', '127.0.0.1:-1', '127.0.0.1:1.5', '127.0.0.1:80 ', ' 127.0.0.1:80', '127.0.0.1:80\n',
  '127.1:80', '127.0.0.01:80', '0x7f000001:80', '256.0.0.1:80', '[127.0.0.1]:80', '::1:80', '[::1]', '[::1:80', '[:::1]:80', '[1:2:3:4:5:6:7:8:9]:80',
  '[::1%]:80', '[::1%2%3]:80', '[::1%nosuchinterface]:80', '[127.0.0.1%2]:80', '[::1%4294967296]:80', 'localhost:80', '127.0.0.1\0:80', '*:80'
]) {
  test(`parse refuses ${JSON.stringify(text)}`, t => {
    t.throws(() => Address.parse(text), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
  })
}

for (const path of ['a\0b', '\0abstract', '/tmp/\ud800', `/${'x'.repeat(LONGEST)}`, `@${'x'.repeat(LONGEST)}`, `/${'é'.repeat((LONGEST + 1) / 2)}`]) {
  test(`a unix path such as ${JSON.stringify(path.slice(0, 12))} (${Buffer.byteLength(path)} bytes) is refused`, t => {
    const failure = { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' }
    t.throws(() => Address.parse(`unix:${path}`), failure)
    t.throws(() => Address.from({ family: 'unix', address: path, port: 0 }), failure)
  })
}

test('the longest unix paths are addresses', t => {
  for (const path of [`/${'x'.repeat(LONGEST - 1)}`, `@${'x'.repeat(LONGEST - 1)}`]) t.is(Address.parse(`unix:${path}`).path, path)
})

const anything: unknown[] = [undefined, null, 1, true, 1n, Symbol('x'), {}, [], () => {}, new Uint8Array(4)]

test('parse and from refuse what has the wrong type', t => {
  for (const value of anything) t.throws(() => Address.parse(value as string), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const value of [undefined, null, 1, 'x', 1n, Symbol('x')]) t.throws(() => Address.from(value as unknown as AddressFields), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const value of [undefined, null, 1, {}]) {
    for (const family of ['inet', 'inet6', 'unix'] as const) {
      t.throws(() => Address.from({ family, address: value as string, port: 0 }), { code: 'ERR_INVALID_ARG_TYPE' })
    }
  }
})

test('from refuses ports, scopes and families that are none', t => {
  const from = (fields: object) => () => Address.from({ family: 'inet6', address: '::1', port: 0, ...fields })
  for (const port of [65536, -1, 1.5, NaN, Infinity]) {
    t.throws(from({ port }), { instanceOf: RangeError, code: 'ERR_SOCKET_BAD_PORT' })
    t.throws(() => Address.parse('127.0.0.1:80').withPort(port), { instanceOf: RangeError, code: 'ERR_SOCKET_BAD_PORT' })
  }
  for (const port of ['80', null, 80n]) t.throws(from({ port }), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const scopeId of [-1, 2 ** 32, 0.5]) t.throws(from({ scopeId }), { code: 'ERR_OUT_OF_RANGE' })
  for (const flowInfo of [-1, 2 ** 32, 0.5]) t.throws(from({ flowInfo }), { code: 'ERR_OUT_OF_RANGE' })
  for (const family of ['inet', 'ipv6', 'toString', 6, null]) t.throws(from({ family }), { code: 'ERR_INVALID_ARG_VALUE' })
})
