/** Servers behind a proxy, which tells whom it speaks for by the PROXY protocol. What `proxyHeader` makes is in proxy-header.spec.ts. */
import { spawn, spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { BlockList } from 'node:net'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import ava, { type ExecutionContext } from 'ava'
import {
  Address, attach, fromFd, proxyHeader, serve, tcp, type Handler, type ProxyHeaderOptions, type ProxyTlv, type Server, type ServeOptions, type SocketError, type SocketHandle,
  type TcpSocket
} from 'socket2'
import { likeNode } from './_duplex.js'
import { ask, gone, serving, until, visit } from './_serve.js'
import { child, closing, freshPath, lacks, rounds, unless, wine } from './_util.js'

// One after the other under Wine: its server asks every socket whose peer has gone again and again, and all at once are hundreds of them.
const test = wine > 0 ? ava.serial : ava

const four = { source: Address.parse('192.0.2.1:40000'), destination: Address.parse('198.51.100.2:443') }
const six = { source: Address.parse('[2001:db8::1]:40000'), destination: Address.parse('[2001:db8::2]:443') }
const paths = { source: Address.parse('unix:@from'), destination: Address.parse('unix:/run/to') }
const HEADER = proxyHeader(four)
/** Longer than any test, so that nothing is decided by it. */
const LATE = { proxyHeaderTimeout: 600_000 }

const echo: Handler = async (socket) => {
  for await (const data of socket) await socket.send(data)
}

/** What servers that are `keeping` have handed out. */
interface Kept {
  readonly server: Server
  readonly sockets: TcpSocket[]
}

/** A server that echoes, and keeps its sockets to be looked at. */
async function keeping(t: ExecutionContext, options: ServeOptions = {}): Promise<Kept> {
  const sockets: TcpSocket[] = []
  const server = await serving(t, { proxyProtocol: 'required', ...LATE, ...options }, async (socket, context) => {
    sockets.push(socket)
    await echo(socket, context)
  })
  return { server, sockets }
}

/** A connection that has sent this. */
async function saying(t: ExecutionContext, server: Server, data: string | Uint8Array): Promise<TcpSocket> {
  const client = await visit(t, server)
  client.trySend(data)
  return client
}

/** What comes back when it says this, and no more; nothing when it is closed for it. */
async function heard(t: ExecutionContext, server: Server, data: string | Uint8Array): Promise<string> {
  const client = await saying(t, server, data)
  client.shutdown('write')
  return await gone(client)
}

/** What is told on the channel for errors, of the connections of a server. */
function telling(t: ExecutionContext, { address }: Server): SocketError[] {
  const errors: SocketError[] = []
  const told = (message: unknown): void => {
    const { socket, error } = message as { socket: TcpSocket; error: SocketError }
    if (ours.has(socket)) errors.push(error)
  }
  const ours = new WeakSet<TcpSocket>()
  const accepted = (message: unknown): void => {
    const { socket } = message as { socket: TcpSocket }
    if (socket.localAddress?.port === address.port) ours.add(socket)
  }
  subscribe('socket2:accept', accepted)
  subscribe('socket2:error', told)
  t.teardown(() => {
    unsubscribe('socket2:accept', accepted)
    unsubscribe('socket2:error', told)
  })
  return errors
}

// What headers say

test('the client of a connection is the one that the header tells, and what follows it is there', async t => {
  for (const version of [1, 2] as const) {
    const { server, sockets } = await keeping(t)
    const client = await saying(t, server, Buffer.concat([proxyHeader({ ...four, version }), Buffer.from('hello')]))
    t.is(String(await client.recv()), 'hello')
    const [socket] = sockets
    const { remoteAddress, localAddress, proxied } = socket!
    t.deepEqual([String(remoteAddress), String(localAddress)], ['192.0.2.1:40000', '198.51.100.2:443'])
    t.like(proxied, { version, command: 'PROXY', transport: 'stream', tlvs: [] })
    t.true(proxied!.source!.equals(remoteAddress!) && proxied!.destination!.equals(localAddress!))
    t.true(proxied!.proxy!.equals(client.localAddress!) && proxied!.local!.equals(server.address))
    t.is(socket!.bytesRead, 5, 'the header does not count')
    client.close()
    await until(() => socket!.closed)
    t.deepEqual([String(socket!.remoteAddress), socket!.localAddress, socket!.proxied], ['192.0.2.1:40000', null, proxied])
  }
})

test('without the option nothing is read, and nobody proxied', async t => {
  const { server, sockets } = await keeping(t, { proxyProtocol: undefined })
  t.is(await heard(t, server, HEADER), HEADER.toString())
  t.is(sockets[0]!.proxied, null)
  t.is(closing(t, tcp()).proxied, null)
})

const raw = (rest: string): Buffer => Buffer.from(`0d0a0d0a000d0a515549540a${rest.replaceAll(' ', '')}`, 'hex')
const tlv = (type: number, value: string): string => Buffer.concat([Buffer.from([type, value.length >> 8, value.length]), Buffer.from(value)]).toString('hex')
const ADDRESSES = 'c0000201 c6336402 9c40 01bb'

/** Both ends, as text. */
const good: [what: string, header: string | Buffer, source: string | null, destination: string | null][] = [
  ['the one in the protocol\'s text', 'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n', '192.168.0.1:56324', '192.168.0.11:443'],
  ['the longest of IPv4', 'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', '255.255.255.255:65535', '255.255.255.255:65535'],
  ['the shortest of IPv4', 'PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n', '0.0.0.0:0', '0.0.0.0:0'],
  ['the shortest of IPv6', 'PROXY TCP6 :: ::1 0 1\r\n', '[::]:0', '[::1]:1'],
  ['the longest of IPv6', `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'FFFF:'.repeat(7)}FFFF 65535 65535\r\n`, `[${'ffff:'.repeat(7)}ffff]:65535`, `[${'ffff:'.repeat(7)}ffff]:65535`],
  ['IPv6 with zeros', 'PROXY TCP6 2001:0db8:0:0:0:0:0:1 2001:DB8::2 1 2\r\n', '[2001:db8::1]:1', '[2001:db8::2]:2'],
  ['IPv4 in IPv6, as systems write it', 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n', '[::ffff:192.0.2.1]:1', '[::ffff:192.0.2.2]:2'],
  ['nobody known, in short', 'PROXY UNKNOWN\r\n', null, null],
  ['nobody known, in long', `PROXY UNKNOWN ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`, null, null],
  ['nobody known, and anything said of it', 'PROXY UNKNOWN what \xff\0 ever\r\n', null, null],
  ['a block of IPv4', raw(`2111 000c ${ADDRESSES}`), '192.0.2.1:40000', '198.51.100.2:443'],
  ['a block of IPv6', raw('2121 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 9c40 01bb'), '[2001:db8::1]:40000', '[2001:db8::2]:443'],
  ['a block of datagrams', raw(`2112 000c ${ADDRESSES}`), '192.0.2.1:40000', '198.51.100.2:443'],
  ['a block of paths', proxyHeader(paths), 'unix:@from', 'unix:/run/to'],
  ['a block of paths that fill it', raw(`2131 00d8 ${'61'.repeat(108)} ${'00'}${'62'.repeat(107)}`), `unix:${'a'.repeat(108)}`, `unix:@${'b'.repeat(107)}`],
  ['a block of no paths', raw(`2131 00d8 ${'00'.repeat(216)}`), 'unix:', 'unix:'],
  ['LOCAL', raw('2000 0000'), null, null],
  ['LOCAL with addresses, which are not heeded', raw(`2011 000c ${ADDRESSES}`), null, null],
  ['LOCAL of a family that is none', raw('20ff 0001 ff'), null, null],
  ['LOCAL with fewer bytes than addresses', raw('2011 0002 ffff'), null, null],
  ['a block of nobody known', raw('2100 0000'), null, null],
  ['a block of nobody known, with what is no list', raw('2100 0005 ffffffffff'), null, null],
  ['a block of a family without a transport', raw(`2110 000c ${ADDRESSES}`), null, null],
  ['a block of a transport without a family', raw('2101 0001 ff'), null, null],
  ['a list', raw(`2111 0015 ${ADDRESSES} ${tlv(1, 'h2')} ${tlv(0xe0, '!')}`), '192.0.2.1:40000', '198.51.100.2:443'],
  ['one of 16,384 bytes', proxyHeader({ ...four, tlvs: [{ type: 0xe0, value: 'x'.repeat(16_384 - 16 - 12 - 3) }] }), '192.0.2.1:40000', '198.51.100.2:443'],
  ['a unique id of 128 bytes', proxyHeader({ ...four, tlvs: [{ type: 'uniqueId', value: 'x'.repeat(128) }] }), '192.0.2.1:40000', '198.51.100.2:443']
]
for (const [what, header, source, destination] of good) {
  test(`understood: ${what}`, async t => {
    const { server, sockets } = await keeping(t)
    const client = await saying(t, server, Buffer.concat([typeof header === 'string' ? Buffer.from(header, 'latin1') : header, Buffer.from('x')]))
    t.is(String(await client.recv()), 'x')
    const { remoteAddress, localAddress, proxied } = sockets[0]!
    const text = (address: Address | null): string | null => address && String(address)
    t.deepEqual([text(proxied!.source), text(proxied!.destination)], [source, destination])
    // Of whom nothing is told it has the addresses of the connection itself.
    t.deepEqual([String(remoteAddress), String(localAddress)], [source ?? String(client.localAddress), destination ?? String(server.address)])
  })
}

const bad: [what: string, header: string | Buffer][] = [
  ['none', 'GET / HTTP/1.1\r\n\r\n'],
  ['none, but nearly', 'POST / HTTP/1.1\r\n\r\n'],
  ['small letters', 'proxy tcp4 192.0.2.1 192.0.2.2 1 2\r\n'],
  ['no space', 'PROXY_TCP4 192.0.2.1 192.0.2.2 1 2\r\n'],
  ['two spaces', 'PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n'],
  ['two spaces between words', 'PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n'],
  ['a space at the end', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n'],
  ['a tab', 'PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n'],
  ['another protocol', 'PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n'],
  ['an unknown protocol', 'PROXY UNKNOWNS\r\n'],
  ['IPv6 as IPv4', 'PROXY TCP4 ::1 ::1 1 2\r\n'],
  ['IPv4 as IPv6', 'PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n'],
  ['one of each', 'PROXY TCP6 2001:db8::1 192.0.2.2 1 2\r\n'],
  ['leading zeros', 'PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n'],
  ['leading zeros of a port', 'PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n'],
  ['a byte above 255', 'PROXY TCP4 256.0.2.1 192.0.2.2 1 2\r\n'],
  ['three numbers', 'PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n'],
  ['a name', 'PROXY TCP4 localhost 192.0.2.2 1 2\r\n'],
  ['a zone', 'PROXY TCP6 fe80::1%1 fe80::2 1 2\r\n'],
  ['brackets', 'PROXY TCP6 [::1] ::2 1 2\r\n'],
  ['two gaps', 'PROXY TCP6 ::1::2 ::2 1 2\r\n'],
  ['five digits', 'PROXY TCP6 ::00001 ::2 1 2\r\n'],
  ['a port above all', 'PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n'],
  ['a negative port', 'PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n'],
  ['a port with a sign', 'PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n'],
  ['a port in letters', 'PROXY TCP4 192.0.2.1 192.0.2.2 ff 2\r\n'],
  ['three words', 'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n'],
  ['five words', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n'],
  ['no words', 'PROXY TCP4\r\n'],
  ['LF alone', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\nGET / HTTP/1.1\r\n\r\n'],
  ['CR alone', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rGET / HTTP/1.1\r\n\r\n'],
  ['LF within what nobody knows', 'PROXY UNKNOWN a\nb\r\n'],
  ['CR within what nobody knows', 'PROXY UNKNOWN a\rb\r\n'],
  ['a NUL', 'PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n'],
  ['108 bytes', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`],
  ['no end', `PROXY UNKNOWN ${'x'.repeat(1000)}`],
  ['half a signature', Buffer.from('0d0a0d0a000d0a515549540b', 'hex')],
  ['a line end', '\r\n'],
  ['version 1 as a block', raw(`1111 000c ${ADDRESSES}`)],
  ['version 3', raw(`3111 000c ${ADDRESSES}`)],
  ['another command', raw(`2211 000c ${ADDRESSES}`)],
  ['another family', raw(`2141 000c ${ADDRESSES}`)],
  ['another transport', raw(`2113 000c ${ADDRESSES}`)],
  ['shorter than its addresses', raw('2111 000b c0000201 c6336402 9c40 01')],
  ['IPv6 as short as IPv4', raw(`2121 000c ${ADDRESSES}`)],
  ['paths as short as IPv6', raw(`2131 0024 ${'00'.repeat(36)}`)],
  ['16,385 bytes', proxyHeader({ ...four, tlvs: [{ type: 0xe0, value: 'x'.repeat(16_385 - 16 - 12 - 3) }] })],
  ['the most that can be announced', raw('2111 ffff')],
  ['a list that ends in a head', raw(`2111 000e ${ADDRESSES} 0100`)],
  ['a list that is longer', raw(`2111 0010 ${ADDRESSES} 01000278`)],
  ['a list that is much longer', raw(`2111 000f ${ADDRESSES} 01ffff`)],
  ['TLS without its five bytes', raw(`2111 0013 ${ADDRESSES} ${tlv(0x20, 'abcd')}`)],
  ['TLS with a list that is longer', raw(`2111 0017 ${ADDRESSES} 20 0008 0100000000 210001`)],
  ['a unique id of 129 bytes', proxyHeader({ ...four, tlvs: [{ type: 'uniqueId', value: 'x'.repeat(129) }] })],
  ['a wrong checksum', raw(`2111 0013 ${ADDRESSES} 03 0004 00000000`)],
  ['a wrong checksum of nobody', raw('2100 0007 03 0004 00000000')],
  ['a checksum of three bytes', raw(`2111 0012 ${ADDRESSES} 03 0003 000000`)],
  ['two checksums', Buffer.concat([raw(`2111 001a ${ADDRESSES} 03 0004 00000000 03 0004 00000000`)])]
]
for (const [what, header] of bad) {
  test(`refused: ${what}`, async t => {
    const { server, sockets } = await keeping(t, { onError: error => t.fail(String(error)) })
    const errors = telling(t, server)
    // More follows, of which nothing may be taken for the rest of it.
    const client = await saying(t, server, Buffer.concat([typeof header === 'string' ? Buffer.from(header, 'latin1') : header, Buffer.from(' and more')]))
    t.is(await gone(client), '')
    await until(() => errors.length > 0)
    t.like(errors[0], { name: 'SocketError', code: 'ERR_SOCKET_PROXY_HEADER' })
    t.deepEqual([sockets, server.connections, errors.length], [[], 0, 1])
  })
}

/** The names and texts of a list. */
const told = (tlvs: readonly ProxyTlv[]): unknown[] => tlvs.map(({ type, name, value }) => [type, name, String(value)])

test('what else the header tells comes with its names, and what is told of TLS as what it means', async t => {
  const { server, sockets } = await keeping(t)
  const certified = { client: 7, verify: 0, tlvs: [{ type: 'sslVersion', value: 'TLSv1.3' }, { type: 'sslCn', value: 'née' }, { type: 0x28, value: 'cert' }, { type: 0x40, value: 'new' }] } as const
  for (const [ssl, verified] of [[certified, true], [{ client: 1, verify: 0 }, false], [{ client: 3, verify: 18 }, false], [{ client: 5, verify: 0 }, true]] as const) {
    const header = proxyHeader({
      ...four, checksum: true,
      tlvs: [{ type: 'alpn', value: 'h2' }, { type: 'authority', value: 'née.example' }, { type: 'noop' }, { type: 'uniqueId', value: 'u' }, { type: 'netns', value: 'n' }, { type: 0xea, value: 'a' }, { type: 'ssl', ssl }, { type: 0x21, value: 'outside' }]
    })
    t.is(await heard(t, server, header), '')
    const { tlvs } = sockets.pop()!.proxied!
    const [tls] = tlvs.filter(({ name }) => name === 'ssl')
    t.deepEqual(told(tlvs.filter(({ name }) => name !== 'ssl' && name !== 'crc32c')), [
      [1, 'alpn', 'h2'], [2, 'authority', 'née.example'], [4, 'noop', ''], [5, 'uniqueId', 'u'], [0x30, 'netns', 'n'], [0xea, undefined, 'a'], [0x21, undefined, 'outside']
    ])
    t.deepEqual([tls!.ssl!.client, tls!.ssl!.verify, tls!.ssl!.verified], [ssl.client, ssl.verify, verified])
    t.deepEqual(told(tls!.ssl!.tlvs), ssl === certified ? [[0x21, 'sslVersion', 'TLSv1.3'], [0x22, 'sslCn', 'née'], [0x28, 'sslClientCert', 'cert'], [0x40, undefined, 'new']] : [])
  }
})

test('LOCAL and nobody known can tell more, too', async t => {
  const { server, sockets } = await keeping(t)
  for (const command of ['20', '21']) {
    await heard(t, server, raw(`${command}00 0005 ${tlv(1, 'h2')}`))
    t.deepEqual(told(sockets.pop()!.proxied!.tlvs), [[1, 'alpn', 'h2']])
  }
})

/** Any header, by a generator of numbers from 0 up to but not including 1. */
function anyHeader(random: () => number): ProxyHeaderOptions {
  const number = (most: number): number => Math.floor(random() * (most + 1))
  const port = (): number => number(65_535)
  const end = (family: number): Address => {
    if (family === 0) return Address.parse(`${[1, 2, 3, 4].map(() => number(255)).join('.')}:${port()}`)
    if (family === 1) return Address.parse(`[2001:${[1, 2, 3, 4, 5, 6, 7].map(() => number(65_535).toString(16)).join(':')}]:${port()}`)
    return Address.parse(`unix:${random() < 0.5 ? '@' : '/'}${'p'.repeat(1 + number(90))}`)
  }
  const family = number(2)
  const tlvs = Array.from({ length: number(4) }, () => ({ type: 0xe0 + number(15), value: Buffer.alloc(number(300), number(255)) }))
  return { source: end(family), destination: end(family), transport: random() < 0.5 ? 'stream' : 'dgram', tlvs, checksum: random() < 0.5 }
}

/** Always the same numbers, from 0 up to but not including 1. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b_79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

test('what proxyHeader says is what is understood, and says the same when it is passed on', async t => {
  const { server, sockets } = await keeping(t)
  const random = numbers(1)
  for (let i = 0; i < rounds(200); i++) {
    const options = anyHeader(random)
    const header = proxyHeader(options)
    t.is(await heard(t, server, Buffer.concat([header, Buffer.from('x')])), 'x')
    const { remoteAddress, localAddress, proxied } = sockets.pop()!
    t.is(localAddress, null)
    t.true(remoteAddress!.equals(options.source as Address) && proxied!.destination!.equals(options.destination as Address))
    t.is(proxied!.transport, options.transport)
    const { source, destination, transport, tlvs } = proxied!
    t.deepEqual(proxyHeader({ source, destination, transport, tlvs }), header)
  }
})

// However it comes

const cut: [what: string, header: Buffer][] = [
  ['IPv4', Buffer.from('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n')],
  ['IPv6', Buffer.from('PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 65535\r\n')],
  ['nobody known', Buffer.from('PROXY UNKNOWN and so on\r\n')],
  ['a block', proxyHeader({ ...six, tlvs: [{ type: 'alpn', value: 'h2' }, { type: 'ssl', ssl: { client: 1, verify: 1 } }], checksum: true })],
  ['a block of paths', proxyHeader(paths)],
  ['LOCAL', proxyHeader({})]
]
// Each place is a connection, of which Wine does not like so many at once: it gets every seventh, from another one on for each header.
const stride = wine > 0 ? 7 : 1
for (const [index, [what, header]] of cut.entries()) {
  for (const proxyProtocol of ['required', 'optional'] as const) {
    test(`a header may be cut anywhere: ${what}, ${proxyProtocol}`, async t => {
      const { server } = await keeping(t, { proxyProtocol })
      const places = Array.from({ length: header.length - 1 }, (_, i) => i + 1).filter(place => (place - 1) % stride === index % stride)
      await Promise.all(places.map(async place => {
        const client = await saying(t, server, header.subarray(0, place))
        await turn()
        await client.send(Buffer.concat([header.subarray(place), Buffer.from('rest')]))
        t.is(String(await client.recv()), 'rest', `after ${place} bytes`)
        client.close()
      }))
    })
  }

  test(`a header may come byte by byte, and what follows it, too: ${what}`, async t => {
    const { server } = await keeping(t)
    const client = await visit(t, server)
    for (const byte of Buffer.concat([header, Buffer.from('rest')])) {
      await client.send(Buffer.of(byte))
      await turn()
    }
    t.is(String(await client.recvExact(4)), 'rest')
  })
}

test('what follows a header is not taken from the system, however much it is', async t => {
  const server = await serving(t, { proxyProtocol: 'required', ...LATE }, async (socket) => {
    // It would be refused if something were held here.
    const released = closing(t, fromFd(socket.release(), 'tcp'))
    await released.send(await released.recvAll())
    released.close()
  })
  const data = Buffer.alloc(1 << 20, 'data')
  for (const version of [1, 2] as const) {
    const client = await visit(t, server)
    await client.send([proxyHeader({ ...four, version }), data])
    client.shutdown('write')
    t.true((await client.recvAll()).equals(data))
  }
})

test('whatever comes instead of a header, it is served or closed, and the server goes on', async t => {
  const random = numbers(2)
  const number = (most: number): number => Math.floor(random() * (most + 1))
  for (const proxyProtocol of ['required', 'optional'] as const) {
    const { server } = await keeping(t, { proxyProtocol })
    let served = 0
    for (let i = 0; i < rounds(1500); i++) {
      const options = anyHeader(random)
      let header = proxyHeader(random() < 0.3 ? { ...four, version: 1 } : options)
      for (let changes = number(3); changes > 0; changes--) {
        const at = number(Math.min(header.length - 1, random() < 0.5 ? 20 : 10_000))
        if (random() < 0.6) header[at] = number(255)
        else if (random() < 0.5) header = Buffer.concat([header.subarray(0, at), header.subarray(at + 1 + number(3))])
        else header = Buffer.concat([header.subarray(0, at), Buffer.alloc(number(5), number(255)), header.subarray(at)])
        if (header.length === 0) header = Buffer.from('P')
      }
      const said = Buffer.concat([header, Buffer.from('end')])
      const client = await saying(t, server, said)
      client.shutdown('write')
      const data = await client.recvAll().catch((error: SocketError) => error.syscall === 'recv' ? Buffer.alloc(0) : Promise.reject(error))
      client.close()
      // A length may have become another one.
      t.true(said.subarray(said.length - data.length).equals(data), said.toString('hex'))
      if (data.length > 0) served++
    }
    t.true(served > 0 && served < rounds(1500))
    t.is(await heard(t, server, Buffer.concat([HEADER, Buffer.from('well')])), 'well')
    t.is(server.connections, 0)
  }
})

// Without a header

for (const first of ['G', 'GET / HTTP/1.1\r\n', 'PU', 'PROXIES', '\r\nx', '\r\n\r\n\0\r\nQUIX', '\0']) {
  test(`optional: who begins otherwise is served at once, as it is: ${JSON.stringify(first)}`, async t => {
    const { server, sockets } = await keeping(t, { proxyProtocol: 'optional' })
    const client = await saying(t, server, first)
    t.is(String(await client.recvExact(first.length)), first)
    const { remoteAddress, localAddress, proxied, bytesRead } = sockets[0]!
    t.true(remoteAddress!.equals(client.localAddress!) && localAddress!.equals(server.address))
    t.deepEqual([proxied, bytesRead], [null, first.length])
    t.is(await ask(client, 'more'), 'more')
  })
}

for (const first of ['', 'P', 'PROXY', '\r\n', '\r\n\r\n\0\r\nQUIT']) {
  const what = JSON.stringify(first)
  test(`optional: who ends with what could become a header is served, as it is: ${what}`, async t => {
    const { server, sockets } = await keeping(t, { proxyProtocol: 'optional' })
    t.is(await heard(t, server, first), first)
    t.is(sockets[0]!.proxied, null)
  })

  test(`optional: who waits with what could become a header is served when its time is over, as it is: ${what}`, async t => {
    const server = await serving(t, { proxyProtocol: 'optional', proxyHeaderTimeout: 60 }, async (socket, context) => {
      await socket.send('welcome')
      await echo(socket, context)
    })
    const since = performance.now()
    const client = await saying(t, server, first)
    t.is(String(await client.recvExact(7)), 'welcome')
    t.true(performance.now() - since > 50)
    await client.send('x')
    t.is(String(await client.recvExact(first.length + 1)), `${first}x`)
  })
}

test('optional: what has begun as a header must become a good one', async t => {
  const { server, sockets } = await keeping(t, { proxyProtocol: 'optional', proxyHeaderTimeout: 60 })
  for (const begun of ['PROXY ', 'PROXY TCP4 nowhere', String(HEADER.subarray(0, 12)), String(HEADER.subarray(0, 20))]) {
    t.is(await gone(await saying(t, server, begun)), '')
    t.is(await heard(t, server, begun), '')
  }
  t.deepEqual(sockets, [])
})

// Time

for (const begun of ['', 'P', 'PROXY TCP4 192.0.2.1 ', HEADER.subarray(0, 15)]) {
  test(`who has not sent its header when its time is over is closed, and told of: ${JSON.stringify(String(begun))}`, async t => {
    const { server, sockets } = await keeping(t, { proxyHeaderTimeout: 60 })
    const errors = telling(t, server)
    const since = performance.now()
    t.is(await gone(await saying(t, server, begun)), '')
    t.true(performance.now() - since > 50)
    await until(() => errors.length > 0)
    t.like(errors[0], { code: 'ETIMEDOUT', timeout: 60, bytesRead: begun.length })
    t.deepEqual([sockets, server.connections], [[], 0])
  })
}

test('a header has its time as a whole, not for each of its bytes', async t => {
  const { server, sockets } = await keeping(t, { proxyHeaderTimeout: 200 })
  const client = await visit(t, server)
  const end = gone(client)
  let over = false
  void end.then(() => (over = true))
  let sent = 0
  for (; !over && sent < HEADER.length; sent++) {
    // It may be gone by now.
    await client.send(HEADER.subarray(sent, sent + 1)).catch(() => {})
    await delay(25)
  }
  t.is(await end, '')
  t.true(sent < HEADER.length)
  t.deepEqual(sockets, [])
})

test('the time of a header is not that of its connection', async t => {
  const { server } = await keeping(t, { proxyHeaderTimeout: 60 })
  const client = await saying(t, server, HEADER)
  t.is(await ask(client, 'x'), 'x')
  await delay(100)
  t.is(await ask(client, 'y'), 'y')
})

test('a header that comes while the thread is busy for longer than its time has come in time', async t => {
  const { server } = await keeping(t, { proxyHeaderTimeout: 100 })
  const client = await visit(t, server)
  await until(() => server.connections === 1)
  client.trySend('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  t.is(String(await client.recv()), 'hello')
})

test('who only looks whether the port is open is told to nobody', async t => {
  const { server } = await keeping(t, { onError: error => t.fail(String(error)) })
  const errors = telling(t, server)
  for (const leave of [(socket: TcpSocket) => socket.close(), (socket: TcpSocket) => socket.reset()]) {
    const client = await visit(t, server)
    await until(() => server.connections === 1)
    leave(client)
    await until(() => server.connections === 0)
  }
  t.is(await heard(t, server, 'PROXY TCP4'), '')
  await until(() => errors.length > 0)
  t.deepEqual(errors.map(({ code, bytesRead }) => [code, bytesRead]), [['ERR_UNEXPECTED_EOF', 10]])
})

test('a thousand who say nothing hold up nobody, and are gone when their time is over', async t => {
  const { server, sockets } = await keeping(t, { proxyHeaderTimeout: 1500 })
  const silent = await Promise.all(Array.from({ length: rounds(1000) }, () => visit(t, server)))
  const client = await saying(t, server, HEADER)
  t.is(await ask(client, 'x'), 'x')
  await Promise.all(silent.map(gone))
  await until(() => server.connections === 1)
  t.is(await ask(client, 'y'), 'y')
  t.is(sockets.length, 1)
})

test('one that somebody closes or takes away before its header has come concerns no other, and loses nothing', async t => {
  const { server, sockets } = await keeping(t)
  const errors = telling(t, server)
  const acts: ((socket: TcpSocket) => void)[] = []
  const handles: SocketHandle<'tcp'>[] = []
  const accepted = (message: unknown): void => {
    const { socket } = message as { socket: TcpSocket }
    if (socket.localAddress?.port === server.address.port) acts.shift()?.(socket)
  }
  subscribe('socket2:accept', accepted)
  t.teardown(() => unsubscribe('socket2:accept', accepted))
  acts.push(socket => socket.close())
  t.is(await gone(await saying(t, server, HEADER)), '')
  acts.push(socket => setImmediate(() => socket.close()))
  t.is(await gone(await saying(t, server, 'PROXY TCP4')), '')
  // Once it has received the beginning.
  acts.push(socket => setTimeout(() => handles.push(socket.detach()), 50))
  const client = await saying(t, server, 'PROXY TCP4')
  await until(() => handles.length > 0)
  await client.send(' and more')
  const socket = closing(t, await attach(handles[0]!))
  t.is(String(await socket.recvExact('PROXY TCP4 and more'.length)), 'PROXY TCP4 and more')
  t.deepEqual([socket.proxied, sockets, errors], [null, [], []])
  await until(() => server.connections === 0)
  t.is(await ask(await saying(t, server, HEADER), 'x'), 'x')
})

// Limits

test('who has not sent its header yet counts for maxConnections', async t => {
  const { server } = await keeping(t, { maxConnections: 2 })
  const [silent, other] = [await visit(t, server), await saying(t, server, HEADER)]
  t.is(await ask(other, 'x'), 'x')
  t.is(server.connections, 2)
  t.is(await gone(await saying(t, server, HEADER)), '')
  silent.close()
  await until(() => server.connections === 1)
  t.is(await ask(await saying(t, server, HEADER), 'y'), 'y')
})

test('who had a place when it came keeps it, though none is left when its header comes', async t => {
  const { server } = await keeping(t, { maxConnections: 1 })
  const client = await saying(t, server, HEADER.subarray(0, 5))
  await until(() => server.connections === 1)
  t.is(await gone(await visit(t, server)), '')
  await client.send(HEADER.subarray(5))
  t.is(await ask(client, 'x'), 'x')
})

test('maxConnectionsPerAddress counts by clients, not by proxies', async t => {
  const { server } = await keeping(t, { maxConnectionsPerAddress: 1 })
  const from = (source: string): Uint8Array => proxyHeader({ ...four, source: Address.parse(source) })
  const [one, other] = [await saying(t, server, from('192.0.2.1:1')), await saying(t, server, from('192.0.2.2:1'))]
  t.deepEqual([await ask(one, '1'), await ask(other, '2')], ['1', '2'])
  t.is(await gone(await saying(t, server, from('192.0.2.1:2'))), '')
  t.is(await gone(await saying(t, server, proxyHeader({ source: Address.parse('[::ffff:192.0.2.2]:2'), destination: six.destination }))), '')
  // Of whom nothing is told comes from the proxy.
  const local = await saying(t, server, proxyHeader({}))
  t.is(await ask(local, '3'), '3')
  t.is(await gone(await saying(t, server, 'PROXY UNKNOWN\r\n')), '')
  one.close()
  await until(() => server.connections === 2)
  t.is(await ask(await saying(t, server, from('192.0.2.1:3')), '4'), '4')
})

test('the block list is asked for the client, and before that for the proxy', async t => {
  const blockList = new BlockList()
  blockList.addSubnet('192.0.2.0', 24, 'ipv4')
  const { server, sockets } = await keeping(t, { blockList })
  const free = proxyHeader({ source: Address.parse('203.0.113.1:1'), destination: four.destination })
  t.is(await ask(await saying(t, server, free), 'x'), 'x')
  t.is(await gone(await saying(t, server, HEADER)), '')
  blockList.addSubnet('127.0.0.0', 8, 'ipv4')
  t.is(await gone(await visit(t, server)), '', 'without waiting for its header')
  t.deepEqual([sockets.length, server.connections], [1, 1])
})

test('a block list that throws is told of, and concerns no other', async t => {
  const errors: unknown[] = []
  let broken = true
  const list = { check: (address: string) => { if (broken || address === '192.0.2.1') throw new Error('on purpose'); return true } } as unknown as BlockList
  const { server } = await keeping(t, { trustedProxies: list, onError: error => errors.push(error) })
  t.is(await gone(await visit(t, server)), '')
  broken = false
  t.is(await ask(await saying(t, server, HEADER), 'x'), 'x')
  const other = await keeping(t, { blockList: { check: (address: string) => { if (address === '192.0.2.1') throw new Error('on purpose'); return false } } as unknown as BlockList, onError: error => errors.push(error) })
  t.is(await gone(await saying(t, other.server, HEADER)), '')
  t.deepEqual([errors.map(String), other.server.connections], [['Error: on purpose', 'Error: on purpose'], 0])
})

test('trustedProxies: with required others are closed, with optional they are served as they are, without waiting', async t => {
  const trustedProxies = new BlockList()
  trustedProxies.addAddress('192.0.2.9', 'ipv4')
  const required = await keeping(t, { trustedProxies })
  const errors = telling(t, required.server)
  t.is(await gone(await visit(t, required.server)), '')
  await until(() => errors.length > 0)
  t.is(errors[0]!.code, 'ERR_SOCKET_PROXY_HEADER')
  t.regex(errors[0]!.message, /trusted/)
  const optional = await serving(t, { proxyProtocol: 'optional', trustedProxies, ...LATE }, async (socket, context) => {
    await socket.send(String(socket.proxied))
    await echo(socket, context)
  })
  const client = await saying(t, optional, HEADER)
  t.is(String(await client.recvExact(4 + HEADER.length)), `null${HEADER}`)
  trustedProxies.addAddress('127.0.0.1', 'ipv4')
  t.is(await ask(await saying(t, required.server, HEADER), 'x'), 'x')
  t.regex(String(await (await saying(t, optional, HEADER)).recv()), /^\[object Object\]/)
})

// The end

test('who is accepted when the server begins to close is waited for, and served when its header comes', async t => {
  const server = await serving(t, { proxyProtocol: 'required', ...LATE }, async (socket, { signal }) => {
    await socket.send(`${await socket.recv()}, ${signal.aborted ? 'the last' : 'one of many'}`)
  })
  const clients = [await saying(t, server, HEADER.subarray(0, 5)), await visit(t, server)]
  await until(() => server.connections === 2)
  let closed = false
  const close = server.close().then(() => (closed = true))
  for (const [i, client] of clients.entries()) {
    t.false(closed)
    await client.send(Buffer.concat([HEADER.subarray(i === 0 ? 5 : 0), Buffer.from('hello')]))
    t.is(await gone(client), 'hello, the last')
  }
  await close
  t.is(server.connections, 0)
})

test('close waits no longer for a header than its time, or the grace', async t => {
  const timed = await keeping(t, { proxyHeaderTimeout: 50 })
  const graced = await keeping(t)
  const cut = await keeping(t)
  for (const [{ server }, options, told] of [[timed, {}, ['ETIMEDOUT']], [graced, { grace: 50 }, []], [cut, { grace: 0 }, []]] as const) {
    const errors = telling(t, server)
    const client = await visit(t, server)
    await until(() => server.connections === 1)
    await server.close(options)
    t.is(await gone(client), '')
    t.deepEqual([server.connections, errors.map(({ code }) => code)], [0, [...told]])
  }
})

test('a connection that comes as the server is closed by force is closed, too', async t => {
  for (let i = 0; i < rounds(50); i++) {
    const { server } = await keeping(t, { proxyProtocol: 'optional' })
    const clients = Array.from({ length: 3 }, () => closing(t, tcp()))
    const connecting = clients.map(client => client.connect(server.address).then(() => client.trySend(HEADER)).catch(() => {}))
    for (let turns = i % 5; turns > 0; turns--) await turn()
    await server.close({ grace: 0 })
    t.is(server.connections, 0)
    await Promise.all(connecting)
    for (const client of clients) client.close()
  }
})

// Iteration

test('of an iterated server who says nothing holds up nobody', async t => {
  const server = await serving(t, { proxyProtocol: 'required', ...LATE })
  const silent = await visit(t, server)
  const clients = [await saying(t, server, HEADER), await saying(t, server, proxyHeader(six))]
  const sources: string[] = []
  for await (const socket of server) {
    sources.push(String(closing(t, socket).remoteAddress))
    await socket.send('hello')
    if (sources.length === 2) await silent.send('PROXY UNKNOWN\r\n')
    if (sources.length === 3) void server.close({ grace: 0 })
  }
  t.deepEqual(sources.toSorted(), ['192.0.2.1:40000', String(silent.localAddress), '[2001:db8::1]:40000'].toSorted())
  for (const client of [silent, ...clients]) t.is(await gone(client), 'hello')
})

test('leaving the loop loses nobody, and accepts nobody', async t => {
  const server = await serving(t, { proxyProtocol: 'required', ...LATE })
  const [slow, first] = [await visit(t, server), await saying(t, server, HEADER)]
  for await (const socket of server) {
    closing(t, socket)
    break
  }
  t.is(server.connections, 2)
  const late = await saying(t, server, HEADER)
  await slow.send(proxyHeader(six))
  await delay(20)
  t.is(server.connections, 2)
  const sources: string[] = []
  for await (const socket of server) {
    sources.push(String(closing(t, socket).remoteAddress))
    if (sources.length === 2) break
  }
  t.deepEqual(sources.toSorted(), ['192.0.2.1:40000', '[2001:db8::1]:40000'])
  for (const client of [first, late, slow]) client.close()
})

test('close does not wait for those whom nobody will take', async t => {
  const server = await serving(t, { proxyProtocol: 'required', ...LATE })
  const [silent, known, taken] = [await visit(t, server), await visit(t, server), await saying(t, server, HEADER)]
  for await (const socket of server) {
    await known.send(HEADER)
    socket.close()
    break
  }
  await server.close()
  t.deepEqual(await Promise.all([silent, known, taken].map(gone)), ['', '', ''])
  const other = await serving(t, { proxyProtocol: 'required', ...LATE })
  const [still, first] = [await visit(t, other), await saying(t, other, HEADER)]
  let closed: Promise<void> | undefined
  for await (const socket of other) {
    closed = other.close()
    socket.close()
    break
  }
  await closed
  t.deepEqual(await Promise.all([still, first].map(gone)), ['', ''])
})

// To other threads

test('in a thread the client is the same, and what follows the header is there', async t => {
  const server = await serving(t, { proxyProtocol: 'optional', threads: 2, handler: new URL('_child/handler.js', import.meta.url), ...LATE })
  const client = await saying(t, server, Buffer.concat([proxyHeader({ ...six, tlvs: [{ type: 'alpn', value: 'h2' }] }), Buffer.from('who')]))
  const [remote, local, proxied] = JSON.parse(String(await client.recv())) as [unknown, unknown, Record<string, unknown>]
  t.deepEqual([remote, local], [six.source.toJSON(), six.destination.toJSON()])
  t.deepEqual(proxied, {
    version: 2, command: 'PROXY', transport: 'stream', source: six.source.toJSON(), destination: six.destination.toJSON(),
    proxy: client.localAddress!.toJSON(), local: server.address.toJSON(), tlvs: [{ type: 1, name: 'alpn', value: { type: 'Buffer', data: [104, 50] } }]
  })
  t.is(await ask(client, 'more'), 'more')
  t.is(await ask(await saying(t, server, 'plain'), ' and more'), 'plain and more'.slice(0, 14))
})

test('a connection that is detached knows its client where it is attached, again and again', async t => {
  const { server, sockets } = await keeping(t, { onError: () => {} })
  const client = await saying(t, server, Buffer.concat([proxyHeader({ ...four, tlvs: [{ type: 'alpn', value: 'h2' }] }), Buffer.from('hello')]))
  t.is(String(await client.recv()), 'hello')
  let [socket] = sockets as [TcpSocket]
  const { proxied } = socket
  for (let i = 0; i < 2; i++) {
    const handle = structuredClone(socket.detach())
    t.is(handle.header!.buffer.byteLength, handle.header!.length)
    socket = closing(t, await attach(handle))
    t.deepEqual([String(socket.remoteAddress), String(socket.localAddress)], ['192.0.2.1:40000', '198.51.100.2:443'])
    t.deepEqual(socket.proxied, proxied)
  }
  await socket.send('still here')
  t.is(String(await client.recv()), 'still here')
})

// Over a path

unless(lacks.unix)('a header may come over a unix path, where everybody is trusted', async t => {
  const { server, sockets } = await keeping(t, { path: freshPath(t), host: undefined, trustedProxies: new BlockList() })
  const client = await saying(t, server, HEADER)
  t.is(await ask(client, 'x'), 'x')
  t.deepEqual([String(sockets[0]!.remoteAddress), sockets[0]!.proxied!.local!.family], ['192.0.2.1:40000', 'unix'])
  t.is(await gone(await saying(t, server, 'hello')), '')
})

unless(lacks.handles || lacks.unix)('descriptors that come right behind a header are there', async t => {
  const handles: number[] = []
  for (const proxyProtocol of ['required', 'optional'] as const) {
    for (const version of [1, 2] as const) {
      const server = await serving(t, { path: freshPath(t), host: undefined, proxyProtocol }, async (socket) => {
        const received = await socket.recvHandles()
        handles.push(...received.handles)
        await socket.send(received.data)
      })
      const client = await visit(t, server)
      // Both are there before any of it is read.
      await Promise.all([client.send(proxyHeader({ ...four, version })), client.sendHandles('here', [client])])
      t.is(await gone(client), 'here')
      t.is(handles.length, 1)
      fromFd(handles.pop()!).close()
    }
  }
})

// Who else speaks it

const curl = spawnSync('curl', ['--help', 'all'], { encoding: 'utf8' })
unless(curl.error !== undefined || !curl.stdout.includes('--haproxy-protocol') ? 'there is no curl that speaks it' : false)('curl is understood', async t => {
  const sockets: TcpSocket[] = []
  const server = await serving(t, { proxyProtocol: 'required' }, async (socket) => {
    sockets.push(socket)
    await socket.reader().until('\r\n\r\n')
    await socket.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
  })
  const process_ = spawn('curl', ['-s', '-m', '60', '--noproxy', '*', '--haproxy-protocol', `http://${server.address}/`], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => process_.kill())
  const [[text]] = await Promise.all([once(process_.stdout, 'data'), once(process_, 'exit')]) as [[Buffer], unknown]
  t.is(String(text), 'hello')
  const { remoteAddress, proxied } = sockets[0]!
  t.is(proxied!.version, 1)
  t.true(remoteAddress!.equals(proxied!.proxy!))
})

// The process

test('servers behind a proxy leave nothing behind', async t => {
  const { code, stdout, stderr } = await child(t, 'served', ['leaks of proxied'])
  t.deepEqual([stderr, code], ['', 0])
  const { threads, descriptors } = JSON.parse(stdout) as { threads: number; descriptors: number } | null ?? { threads: 0, descriptors: 0 }
  // In twenty rounds, each of which would leave something. Bun and Deno themselves begin to use threads, or a pair of sockets, at some time.
  const most = likeNode ? 2 : 5
  t.true(threads <= most && descriptors <= most, stdout)
})

test('a connection that says nothing keeps the process no longer than its time', async t => {
  t.like(await child(t, 'served', ['listener unref\'ed, with a silent connection']), { code: 0, stdout: 'left\n', stderr: '' })
})

// Wrong options

const wrong: [what: string, options: unknown, code: string][] = [
  ['true', { proxyProtocol: true }, 'ERR_INVALID_ARG_VALUE'],
  ['neither', { proxyProtocol: 'v2' }, 'ERR_INVALID_ARG_VALUE'],
  ['null', { proxyProtocol: null }, 'ERR_INVALID_ARG_VALUE'],
  ['no time', { proxyHeaderTimeout: 0 }, 'ERR_OUT_OF_RANGE'],
  ['a negative time', { proxyHeaderTimeout: -1 }, 'ERR_OUT_OF_RANGE'],
  ['a time that is none', { proxyHeaderTimeout: '3s' }, 'ERR_INVALID_ARG_TYPE'],
  ['a list that is none', { trustedProxies: ['127.0.0.1'] }, 'ERR_INVALID_ARG_TYPE'],
  ['no list', { trustedProxies: null }, 'ERR_INVALID_ARG_TYPE']
]
for (const [what, options, code] of wrong) {
  test(`refused as an option: ${what}`, async t => {
    await t.throwsAsync(serve(options as never), { code })
  })
}
