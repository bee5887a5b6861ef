/** Headers of the PROXY protocol as `proxyHeader` makes them. What `serve` understands is in proxy-protocol.spec.ts. */
import test from 'ava'
import { Address, proxyHeader, type ProxyHeaderOptions } from 'socket2'

const four = { source: Address.parse('192.0.2.1:40000'), destination: Address.parse('198.51.100.2:443') }
const six = { source: Address.parse('[2001:db8::1]:40000'), destination: Address.parse('[2001:db8::2]:443') }
const SIGNATURE = '0d0a0d0a000d0a515549540a'

const lines: [what: string, options: ProxyHeaderOptions, line: string][] = [
  ['IPv4', four, 'PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n'],
  ['IPv6', six, 'PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n'],
  ['IPv4 that came to a socket of both families', { source: Address.parse('[::ffff:192.0.2.1]:1'), destination: Address.parse('[::ffff:192.0.2.2]:2') }, 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'],
  ['one of each family', { source: four.source, destination: six.destination }, 'PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 40000 443\r\n'],
  ['plain fields', { source: four.source.toJSON(), destination: four.destination.toJSON() }, 'PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n'],
  ['the longest addresses', { source: Address.parse(`[${'ffff:'.repeat(7)}ffff]:65535`), destination: Address.parse(`[${'ffff:'.repeat(7)}ffff]:65535`) },
    `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`],
  ['nobody known', {}, 'PROXY UNKNOWN\r\n'],
  ['a client that is gone', { source: null, destination: four.destination }, 'PROXY UNKNOWN\r\n'],
  ['a path', { source: Address.parse('unix:'), destination: Address.parse('unix:/run/x') }, 'PROXY UNKNOWN\r\n']
]
for (const [what, options, line] of lines) {
  test(`version 1 is a line of text: ${what}`, t => {
    t.is(String(proxyHeader({ ...options, version: 1 })), line)
  })
}

const path = (text: string): string => Buffer.concat([Buffer.from(text)], 108).toString('hex')

const blocks: [what: string, options: ProxyHeaderOptions, rest: string][] = [
  ['IPv4', four, '2111 000c c0000201 c6336402 9c40 01bb'],
  ['IPv6', six, '2121 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 9c40 01bb'],
  ['datagrams', { ...four, transport: 'dgram' }, '2112 000c c0000201 c6336402 9c40 01bb'],
  ['paths', { source: Address.parse('unix:'), destination: Address.parse('unix:/run/x') }, `2131 00d8 ${path('')} ${path('/run/x')}`],
  ['abstract names', { source: Address.parse('unix:@a'), destination: Address.parse('unix:@b') }, `2131 00d8 ${path('\0a')} ${path('\0b')}`],
  ['nobody known', {}, '2000 0000'],
  ['nobody known, but something else', { source: null, tlvs: [{ type: 'noop' }] }, '2000 0003 04 0000'],
  ['ALPN and a host name', { ...four, tlvs: [{ type: 'alpn', value: 'h2' }, { type: 'authority', value: Buffer.from('éa.example') }] },
    '2111 001f c0000201 c6336402 9c40 01bb 01 0002 6832 02 000b c3a9612e6578616d706c65'],
  ['types by their numbers, and without a value', { ...four, tlvs: [{ type: 0xe0, value: '' }, { type: 'noop' }, { type: 4, value: '\0' }] },
    '2111 0016 c0000201 c6336402 9c40 01bb e0 0000 04 0000 04 0001 00'],
  ['TLS', { ...four, tlvs: [{ type: 'ssl', ssl: { client: 7, verify: 0, tlvs: [{ type: 'sslVersion', value: 'TLSv1.3' }, { type: 'sslCn', value: 'me' }] } }] },
    '2111 0023 c0000201 c6336402 9c40 01bb 20 0014 07 00000000 21 0007 544c5376312e33 22 0002 6d65'],
  ['TLS of which nothing else is told', { ...four, tlvs: [{ type: 'ssl', ssl: { client: 1, verify: 0xffff_ffff } }] }, '2111 0014 c0000201 c6336402 9c40 01bb 20 0005 01 ffffffff'],
  // What a load balancer of AWS sends to the endpoint of a VPC.
  ['a checksum among other things', {
    source: Address.parse('172.31.7.113:51442'), destination: Address.parse('172.31.10.31:80'),
    tlvs: [{ type: 'crc32c' }, { type: 0xea, value: '\x01vpce-08d2bf15fac5001c9' }, { type: 'noop', value: new Uint8Array(36) }]
  }, `2111 0054 ac1f0771 ac1f0a1f c8f2 0050 03 0004 e8d6892d ea 0017 01 ${Buffer.from('vpce-08d2bf15fac5001c9').toString('hex')} 04 0024 ${'00'.repeat(36)}`]
]
for (const [what, options, rest] of blocks) {
  test(`version 2 is a block of bytes: ${what}`, t => {
    t.is(proxyHeader(options).toString('hex'), SIGNATURE + rest.replaceAll(' ', ''))
  })
}

test('a checksum is added once, and made anew where there was one', t => {
  const added = proxyHeader({ ...four, checksum: true })
  t.is(added.length, 16 + 12 + 7)
  t.not(added.readUInt32BE(31), 0)
  t.deepEqual(proxyHeader({ ...four, checksum: true, tlvs: [{ type: 'crc32c', value: 'old' }] }), added)
  t.deepEqual(proxyHeader({ ...four, tlvs: [{ type: 3 }] }), added)
})

test('a header can be as long as the protocol has it, and no longer', t => {
  t.is(proxyHeader({ ...four, tlvs: [{ type: 0xe0, value: 'x'.repeat(65_520) }] }).length, 65_551)
  t.throws(() => proxyHeader({ ...four, tlvs: [{ type: 0xe0, value: 'x'.repeat(65_521) }] }), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => proxyHeader({ ...four, tlvs: [{ type: 0xe0, value: 'x'.repeat(65_536) }] }), { code: 'ERR_OUT_OF_RANGE' })
})

const wrong: [what: string, options: unknown, code: string][] = [
  ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
  ['null', null, 'ERR_INVALID_ARG_TYPE'],
  ['version 3', { version: 3 }, 'ERR_INVALID_ARG_VALUE'],
  ['a transport that is none', { transport: 'tcp' }, 'ERR_INVALID_ARG_VALUE'],
  ['an address that is text', { source: '192.0.2.1', destination: '192.0.2.2' }, 'ERR_INVALID_ARG_TYPE'],
  ['an address and a path', { source: four.source, destination: Address.parse('unix:/run/x') }, 'ERR_INVALID_ARG_VALUE'],
  ['a checksum that is none', { ...four, checksum: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ['datagrams in version 1', { ...four, transport: 'dgram', version: 1 }, 'ERR_INVALID_ARG_VALUE'],
  ['a list in version 1', { ...four, tlvs: [{ type: 'noop' }], version: 1 }, 'ERR_INVALID_ARG_VALUE'],
  ['a checksum in version 1', { ...four, checksum: true, version: 1 }, 'ERR_INVALID_ARG_VALUE'],
  ['a list that is none', { ...four, tlvs: 'alpn' }, 'ERR_INVALID_ARG_TYPE'],
  ['a list of nothing', { ...four, tlvs: [null] }, 'ERR_INVALID_ARG_TYPE'],
  ['a type without a name', { ...four, tlvs: [{ type: 'constructor', value: '' }] }, 'ERR_INVALID_ARG_VALUE'],
  ['a type above all', { ...four, tlvs: [{ type: 256, value: '' }] }, 'ERR_OUT_OF_RANGE'],
  ['a type that is none', { ...four, tlvs: [{ value: '' }] }, 'ERR_INVALID_ARG_TYPE'],
  ['a value that is none', { ...four, tlvs: [{ type: 'alpn' }] }, 'ERR_INVALID_ARG_TYPE'],
  ['a value of half a character', { ...four, tlvs: [{ type: 'alpn', value: '\ud800' }] }, 'ERR_INVALID_ARG_VALUE'],
  ['two checksums', { ...four, tlvs: [{ type: 'crc32c' }, { type: 3 }] }, 'ERR_INVALID_ARG_VALUE'],
  ['TLS that is none', { ...four, tlvs: [{ type: 'ssl', ssl: 1 }] }, 'ERR_INVALID_ARG_TYPE'],
  ['TLS with too many bits', { ...four, tlvs: [{ type: 'ssl', ssl: { client: 256, verify: 0 } }] }, 'ERR_OUT_OF_RANGE'],
  ['TLS that does not say whether it was verified', { ...four, tlvs: [{ type: 'ssl', ssl: { client: 1 } }] }, 'ERR_INVALID_ARG_TYPE']
]
for (const [what, options, code] of wrong) {
  test(`refused: ${what}`, t => {
    t.throws(() => proxyHeader(options as never), { code })
  })
}
