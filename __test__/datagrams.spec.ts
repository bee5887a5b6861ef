// Many datagrams at a time, and what the system tells of each.
import test, { type ExecutionContext } from 'ava'
import { attach, loop, raw, SocketError, udp, type Control, type Datagram, type Family, type OptionName, type SocketOptions, type UdpSocket } from 'socket2'
import { addressOf, closing, datagrams, lacks, loopback, rounds, unless, wine } from './_util.js'

const families = ['inet', 'inet6', 'unix'] as const
const ip = ['inet', 'inet6'] as const

async function bound(t: ExecutionContext, family: Family = 'inet', options: SocketOptions = {}): Promise<UdpSocket> {
  return await closing(t, udp(family, undefined, options)).bind(...loopback(t, family))
}

/** A sender, and the receiver it is connected to. */
async function connected(t: ExecutionContext, family: Family = 'inet', options: SocketOptions = {}): Promise<[UdpSocket, UdpSocket]> {
  const receiver = await bound(t, family, { recvBufferSize: 2 ** 20, ...options })
  return [await closing(t, udp(family)).connect(addressOf(receiver)), receiver]
}

/** Receives so many, however few at a time. */
async function collect(socket: UdpSocket, count: number, max = count): Promise<Datagram[]> {
  const all: Datagram[] = []
  while (all.length < count) all.push(...await socket.recvMany(Math.min(max, count - all.length), { timeout: 20_000 }))
  return all
}

const texts = (all: readonly Datagram[]): string[] => all.map(({ data }) => data.toString())
const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `number ${from + i}`)

for (const family of families) {
  const testIt = unless(family === 'unix' && lacks.unixDatagrams)

  testIt(`many datagrams are sent and received in their order, each with its sender (${family})`, async t => {
    const receiver = await bound(t, family, { recvBufferSize: 2 ** 20 })
    const senders = [await bound(t, family), await bound(t, family)] as const
    // More than one call of the system takes.
    const receiving = collect(receiver, 300)
    for (const sender of senders) {
      const messages = numbered(150).map(data => ({ data, address: addressOf(receiver) }))
      t.is(await sender.sendMany(messages), 150)
      t.is(sender.bytesWritten, numbered(150).join('').length)
    }
    const all = await receiving
    for (const sender of senders) {
      const of = all.filter(({ from }) => from.equals(addressOf(sender)))
      t.deepEqual(texts(of), numbered(150))
    }
    t.is(receiver.bytesRead, 2 * numbered(150).join('').length)
  })

  testIt(`recvMany gives what is there, at least one and no more than asked for (${family})`, async t => {
    const receiver = await bound(t, family)
    const sender = await bound(t, family)
    const waiting = receiver.recvMany(10)
    await sender.send('first', addressOf(receiver))
    t.deepEqual(texts(await waiting), ['first'])
    await sender.sendMany(numbered(7).map(data => ({ data, address: addressOf(receiver) })))
    t.deepEqual(texts(await collect(receiver, 7, 3)), numbered(7))
    await t.throwsAsync(receiver.recvMany(10, { timeout: 0 }), { code: 'ETIMEDOUT' })
    t.deepEqual((await sender.send('later', addressOf(receiver)), texts(await receiver.recvMany(10))), ['later'])
  })

  testIt(`sendSegments sends one buffer as equal datagrams, the last of what is left (${family})`, async t => {
    const receiver = await bound(t, family, { recvBufferSize: 2 ** 20 })
    const sender = await bound(t, family)
    const data = Buffer.from(Array.from({ length: 25_050 }, (_, i) => i % 251))
    const receiving = collect(receiver, 251)
    t.is(await sender.sendSegments(data, 100, addressOf(receiver)), 25_050)
    const all = await receiving
    t.deepEqual(all.map(({ data: { length } }) => length), [...Array.from({ length: 250 }, () => 100), 50])
    t.deepEqual(Buffer.concat(all.map(({ data: part }) => part)), data)
    t.true(all.every(({ from, truncated }) => from.equals(addressOf(sender)) && !truncated))
    t.is(sender.bytesWritten, 25_050)
    // What fits into one is one.
    await sender.sendSegments('whole', 100, addressOf(receiver))
    t.deepEqual(texts(await receiver.recvMany(5)), ['whole'])
  })

  testIt(`empty datagrams and the longest come one by one among others (${family})`, async t => {
    const longest = Buffer.alloc(family === 'unix' ? 20_000 : wine > 0 ? 30_000 : 60_000, 'x')
    const [sender, receiver] = await connected(t, family)
    t.is(await sender.sendMany(['', longest, '', 'end'].map(data => ({ data }))), 4)
    t.deepEqual((await collect(receiver, 4)).map(({ data: { length } }) => length), [0, longest.length, 0, 3])
  })
}

for (const family of ip) {
  test(`recv and recvMany take turns, and no datagram is lost, doubled or out of order (${family})`, async t => {
    const [sender, receiver] = await connected(t, family)
    const data = Buffer.from(Array.from({ length: 64 * 40 }, (_, i) => Math.floor(i / 40)))
    const space = Buffer.alloc(40)
    const got: number[] = []
    const sends = Array.from({ length: 5 }, () => sender.sendSegments(data, 40))
    for (let turn = 0; got.length < 5 * 64; turn++) {
      if (turn % 3 === 0) got.push((await receiver.recv(space), space[0] as number))
      else if (turn % 3 === 1) got.push((await receiver.recv()).data[0] as number)
      else got.push(...(await receiver.recvMany(5)).map(({ data: [first] }) => first as number))
    }
    await Promise.all(sends)
    t.deepEqual(got, Array.from({ length: 5 * 64 }, (_, i) => i % 64))
    t.is(receiver.bytesRead, 5 * data.length)
  })

  test(`of datagrams that came together recv cuts the long ones, and each only itself (${family})`, async t => {
    const [sender, receiver] = await connected(t, family)
    const first = receiver.recvMany(1) // from now on they may come together
    await sender.send('first')
    t.deepEqual(texts(await first), ['first'])
    await sender.sendSegments(Buffer.from('0123456789abcdefghij0123456789'), 10)
    const cut = await receiver.recv(4)
    t.deepEqual([cut.data.toString(), cut.truncated], ['0123', true])
    const space = Buffer.alloc(4)
    t.like(await receiver.recv(space), { length: 4, truncated: true })
    t.is(space.toString(), 'abcd')
    t.like(await receiver.recv(Buffer.alloc(10)), { length: 10, truncated: false })
  })

  test(`what came together goes along when the socket is given to another (${family})`, async t => {
    const [sender, receiver] = await connected(t, family, { [family === 'inet' ? 'packetInfo' : 'recvPacketInfo']: true })
    const first = receiver.recvMany(1)
    await sender.send('first')
    await first
    await sender.sendSegments('aabbccddee', 2)
    const [one] = await receiver.recvMany(1)
    const handle = structuredClone(receiver.detach())
    const other = closing(t, await attach(handle))
    const rest = await collect(other, 4)
    t.deepEqual([...texts([one!]), ...texts(rest)], ['aa', 'bb', 'cc', 'dd', 'ee'])
    for (const datagram of rest) {
      t.true(datagram.from.equals(addressOf(sender)))
      if (wine === 0) t.is(datagram.to?.toString(), addressOf(other).toString())
    }
    t.is(other.bytesRead, 15)
    // The new one knows that they may come together.
    await sender.sendSegments('ffgg', 2)
    t.is((await other.recv()).data.toString(), 'ff')
    t.is((await other.recv()).data.toString(), 'gg')
  })

  test(`datagrams that the way is too narrow for arrive all the same (${family})`, async t => {
    const [sender, receiver] = await connected(t, family)
    const data = Buffer.alloc(120_000, 'x')
    const receiving = collect(receiver, 4)
    t.is(await sender.sendSegments(data, 30_000), 120_000)
    t.deepEqual((await receiving).map(({ data: { length } }) => length), [30_000, 30_000, 30_000, 30_000])
  })

  test(`a datagram that is too large is EMSGSIZE, those before it have gone and are counted (${family})`, async t => {
    const [sender, receiver] = await connected(t, family)
    const huge = Buffer.alloc(65_530)
    const error = await t.throwsAsync<SocketError>(sender.sendMany(['a', 'b', huge, 'c'].map(data => ({ data }))), { code: 'EMSGSIZE', instanceOf: SocketError })
    t.is(error.messagesSent, 2)
    t.deepEqual(texts(await collect(receiver, 2)), ['a', 'b'])
    const segments = await t.throwsAsync<SocketError>(sender.sendSegments(Buffer.alloc(131_000), 65_530), { code: 'EMSGSIZE' })
    t.is(segments.bytesSent, 0)
    await sender.send('still usable')
    t.deepEqual(texts(await receiver.recvMany(5)), ['still usable'])
  })
}

// What the system tells

const told: { family: 'inet' | 'inet6'; option: OptionName; fields: readonly (keyof Control)[]; why?: string | false }[] = [
  { family: 'inet', option: 'packetInfo', fields: ['to', 'interfaceIndex'] },
  { family: 'inet', option: 'recvTtl', fields: ['ttl'] },
  { family: 'inet', option: 'recvTos', fields: ['tos', 'ecn'] },
  { family: 'inet', option: 'timestamp', fields: ['timestamp'] },
  { family: 'inet6', option: 'recvPacketInfo', fields: ['to', 'interfaceIndex'] },
  { family: 'inet6', option: 'recvHopLimit', fields: ['ttl'] },
  { family: 'inet6', option: 'recvTrafficClass', fields: ['tos', 'ecn'] },
  { family: 'inet6', option: 'timestamp', fields: ['timestamp'] }
]

for (const { family, option, fields } of told) {
  unless(lacksOption(family, option))(`${option} of ${family} has every datagram tell ${fields.join(' and ')}, and without it none does`, async t => {
    const receiver = await bound(t, family)
    const sender = await bound(t, family)
    sender.setOption(family === 'inet' ? 'ttl' : 'hopLimit', 77)
    if (process.platform !== 'win32') sender.setOption(family === 'inet' ? 'tos' : 'trafficClass', 0x2a)
    const send = (): Promise<number> => sender.send('x', addressOf(receiver))

    await send()
    t.deepEqual(Object.keys(await receiver.recv()), ['data', 'from', 'truncated'])
    receiver.setOption(option as 'packetInfo', true)
    const before = Date.now()
    await send()
    await send()
    await send()
    const all = [await receiver.recv(), await receiver.recv(new Uint8Array(5)), ...await receiver.recvMany(1)]
    t.is(all.length, 3)
    for (const datagram of all) {
      const { to, interfaceIndex, ttl, tos, ecn, timestamp } = datagram
      const names = Object.keys(datagram).filter(name => !['data', 'length', 'from', 'truncated'].includes(name))
      t.deepEqual(names.toSorted(), [...fields].toSorted())
      if (fields.includes('to')) {
        t.is(String(to), String(addressOf(receiver)))
        t.true(Number.isInteger(interfaceIndex) && interfaceIndex! > 0)
      }
      if (fields.includes('ttl')) t.is(ttl, 77)
      if (fields.includes('tos') && process.platform !== 'win32') t.deepEqual([tos, ecn], [0x2a, 2])
      if (fields.includes('timestamp')) t.true(timestamp! > before - 1_000 && timestamp! < Date.now() + 1_000, String(timestamp))
    }
    receiver.setOption(option as 'packetInfo', false)
    await send()
    t.deepEqual(Object.keys(await receiver.recv()), ['data', 'from', 'truncated'])
  })
}

/** Why an option cannot be tried here. */
function lacksOption(family: 'inet' | 'inet6', option: OptionName): string | false {
  const socket = udp(family)
  try {
    socket.setOption(option as 'packetInfo', true)
    return false
  } catch (error) {
    return `this system does not have it: ${(error as SocketError).code}`
  } finally {
    socket.close()
  }
}

test('what came to a wildcard tells which address it was sent to', async t => {
  const receiver = await closing(t, udp('inet', undefined, { packetInfo: true })).bind('*')
  const sender = closing(t, udp())
  const { port } = addressOf(receiver)
  // On Windows and macOS loopback has only the first of them.
  for (const host of process.platform === 'linux' ? ['127.0.0.1', '127.0.0.2'] : ['127.0.0.1']) {
    await sender.send('x', host, port)
    const { to } = await receiver.recv()
    t.is(String(to), `${host}:${port}`)
  }
})

// Bad input, and ends

test('a list of datagrams is checked as a whole before anything is sent', async t => {
  const receiver = await bound(t)
  const sender = closing(t, udp())
  const good = { data: 'good', address: addressOf(receiver) }
  const wrong: [unknown, string][] = [
    [undefined, 'ERR_INVALID_ARG_TYPE'], [{}, 'ERR_INVALID_ARG_TYPE'], ['text', 'ERR_INVALID_ARG_TYPE'],
    [[good, null], 'ERR_INVALID_ARG_TYPE'], [[good, 'text'], 'ERR_INVALID_ARG_TYPE'], [[good, {}], 'ERR_INVALID_ARG_TYPE'],
    [[good, { data: 5 }], 'ERR_INVALID_ARG_TYPE'], [[good, { data: '\ud800', address: good.address }], 'ERR_INVALID_ARG_VALUE'],
    [[good, { data: 'x', address: '127.0.0.1:5' }], 'ERR_INVALID_ARG_TYPE'], [[good, { data: 'x', port: 5 }], 'ERR_INVALID_ARG_TYPE'],
    [[good, { data: 'x', host: '127.0.0.1', port: 65_536 }], 'ERR_SOCKET_BAD_PORT'], [[good, { data: 'x', host: 5, port: 5 }], 'ERR_INVALID_ARG_TYPE'],
    [[good, { data: 'x', host: '::1', port: 5 }], 'ERR_INVALID_ARG_VALUE']
  ]
  for (const [messages, code] of wrong) await t.throwsAsync(sender.sendMany(messages as []), { code }, JSON.stringify(messages))
  t.is(await sender.sendMany([]), 0)
  await t.throwsAsync(receiver.recvMany(1, { timeout: 0 }), { code: 'ETIMEDOUT' }, 'nothing has been sent')
})

test('a list with a hole in it, or a host that is no text, is refused, and the socket is still usable', async t => {
  const [sender, receiver] = await connected(t)
  const holed = [{ data: 'a' }, { data: 'b' }, { data: 'c' }]
  delete holed[1]
  await t.throwsAsync(sender.sendMany(holed), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const host of [{}, null, new URL('udp://localhost')]) {
    await t.throwsAsync(sender.sendMany([{ data: 'a', host: host as never, port: 5 }]), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  await sender.send('usable')
  t.deepEqual(texts(await receiver.recvMany(5)), ['usable'])
})

test('a list may be very long', async t => {
  const sender = closing(t, udp())
  const address = addressOf(await bound(t))
  const length = rounds(200_000)
  t.is(await sender.sendMany(Array.from({ length }, () => ({ data: '', address }))), length)
})

unless(process.platform === 'win32' && 'Wine tells nobody of a dead port')('what is known of a dead peer ends a list and a cut buffer, with how much went before', async t => {
  const [sender, receiver] = await connected(t)
  const address = addressOf(receiver)
  receiver.close()
  const list = await t.throwsAsync<SocketError>(sender.sendMany(numbered(100).map(data => ({ data }))), { code: 'ECONNREFUSED' })
  t.true(list.messagesSent! >= 1 && list.messagesSent! < 100, String(list.messagesSent))
  await t.throwsAsync(sender.sendSegments(Buffer.alloc(100_000), 100), { code: 'ECONNREFUSED' })
  // Whoever comes there hears the next ones.
  const next = await closing(t, udp('inet', undefined, { recvBufferSize: 2 ** 20 })).bind(address)
  await sender.send('x').catch(() => {})
  await sender.sendSegments('aabbcc', 2)
  const all = texts(await collect(next, 3))
  t.deepEqual(all.slice(-2).map(text => text.length), [2, 2])
})

unless(lacks.unixDatagrams)('when a send to a full receiver ends, the next one to another goes', async t => {
  const [full, free] = [await bound(t, 'unix'), await bound(t, 'unix')]
  const sender = closing(t, udp('unix'))
  await t.throwsAsync((async () => {
    for (;;) await sender.send('x', addressOf(full), { timeout: 0 })
  })(), { code: 'ETIMEDOUT' })
  const controller = new AbortController()
  for (const end of [{ timeout: 20 }, { signal: controller.signal }]) {
    const first = sender.sendMany([{ data: '1', address: addressOf(full) }], end)
    const second = sender.send('2', addressOf(free), { timeout: 20_000 })
    if ('signal' in end) setImmediate(() => controller.abort(new Error('enough')))
    await t.throwsAsync(first)
    t.is(await second, 1)
    t.is(String((await free.recv()).data), '2')
  }
})

unless(lacks.pairs)('memory that is detached while many wait ends them, and says how many had gone', async t => {
  const [one, other] = await datagrams(t)
  const messages = Array.from({ length: 2_000 }, () => ({ data: new Uint8Array(100) }))
  const sending = one.sendMany(messages)
  structuredClone(messages[1_500]!.data, { transfer: [messages[1_500]!.data.buffer] })
  const failed = t.throwsAsync<SocketError>(sending, { code: 'ERR_INVALID_ARG_VALUE', message: /messages\[1500\]/ })
  let count = 0
  const receiving = (async () => {
    for await (const _ of other) count++
  })()
  const { messagesSent } = await failed
  one.close()
  while (count < messagesSent!) await new Promise(setImmediate)
  other.close()
  await receiving
  t.is(count, messagesSent!)
  t.true(count > 0 && count <= 1_500)
})

test('a name among many is looked up first, once, and one that is not found sends nothing', async t => {
  const receiver = await bound(t)
  const { port } = addressOf(receiver)
  const sender = closing(t, udp())
  const many = sender.sendMany([{ data: 'a', host: 'localhost', port }, { data: 'b', address: addressOf(receiver) }, { data: 'c', host: 'localhost', port }])
  const later = sender.send('later', addressOf(receiver))
  t.is(await many, 3)
  await later
  const { pending } = loop
  const crowd = sender.sendMany(Array.from({ length: 1_000 }, () => ({ data: '', host: 'localhost', port: 9 })))
  t.true(loop.pending <= pending + 2, 'the sending, and one lookup')
  await crowd
  t.deepEqual(texts(await collect(receiver, 4)), ['a', 'b', 'c', 'later'])
  const error = await t.throwsAsync<SocketError>(sender.sendMany([{ data: 'a', address: addressOf(receiver) }, { data: 'b', host: 'nobody.invalid', port }]))
  t.regex(error.code, /^(ENOTFOUND|EAI_AGAIN)$/)
  await t.throwsAsync(receiver.recv({} as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(receiver.recvMany(1, { timeout: 0 }), { code: 'ETIMEDOUT' })
})

test('sizes and numbers that make no sense are refused, and the socket is still usable', async t => {
  const [sender, receiver] = await connected(t)
  for (const size of [0, -1, 1.5, NaN, 65_536]) await t.throwsAsync(sender.sendSegments('data', size), { code: 'ERR_OUT_OF_RANGE' }, String(size))
  await t.throwsAsync(sender.sendSegments('data', '5' as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(sender.sendSegments('', 5), { code: 'ERR_OUT_OF_RANGE' })
  for (const max of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) await t.throwsAsync(receiver.recvMany(max), { code: 'ERR_OUT_OF_RANGE' }, String(max))
  await t.throwsAsync(receiver.recvMany('5' as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await sender.sendMany([{ data: 'usable' }])
  t.deepEqual(texts(await receiver.recvMany(2 ** 31 - 1)), ['usable'])
})

test('without a peer or an address many are refused like one', async t => {
  const sender = closing(t, udp())
  for (const sending of [sender.sendMany([{ data: 'x' }]), sender.sendSegments('xyz', 1)]) {
    const error = await t.throwsAsync<SocketError>(sending)
    t.regex(error.code, /^(EDESTADDRREQ|ENOTCONN)$/)
  }
})

/** Moves memory elsewhere, unless it is what Node itself shares among buffers, which cannot be moved. */
function takeAway(memory: ArrayBuffer): void {
  try {
    structuredClone(memory, { transfer: [memory] })
  } catch (error) {
    if ((error as Error).name !== 'DataCloneError') throw error
  }
}

test('what comes in large bundles is whole, however it is received, on several sockets, and though its memory is taken away', async t => {
  const pairs = [await connected(t), await connected(t)] as const
  const number = (place: number): string => String(place).padStart(6, '0').repeat(200)
  for (let bundle = 0; bundle < 12; bundle++) {
    for (const [sender] of pairs) {
      await sender.sendSegments(Array.from({ length: 50 }, (_, i) => number(50 * bundle + i)).join(''), 1_200)
      await sender.send(`small ${bundle}`)
    }
    for (const [, receiver] of pairs) {
      const got: string[] = []
      const into = Buffer.alloc(2_000)
      while (got.length < 51) {
        const most = [64, 7, 1_000][bundle % 3] as number
        const many = await receiver.recvMany(Math.min(most, 51 - got.length))
        got.push(...texts(many))
        // Whoever moves one datagram to another thread moves all that share its memory, but nothing that comes later.
        if (bundle % 4 === 3) takeAway(many[0]!.data.buffer as ArrayBuffer)
        if (got.length < 51) got.push(...texts([await receiver.recv()]))
        if (got.length < 51) got.push(into.toString('utf8', 0, (await receiver.recv(into)).length))
      }
      t.deepEqual(got, [...Array.from({ length: 50 }, (_, i) => number(50 * bundle + i)), `small ${bundle}`])
    }
  }
})

for (const shared of [false, true]) {
  test(`many are received into memory of the caller's${shared ? ', which may be shared between threads' : ''}, and what has no room there into other`, async t => {
    const [sender, receiver] = await connected(t)
    const memory = shared ? new SharedArrayBuffer(70_000) : new ArrayBuffer(70_000)
    const into = new Uint8Array(memory, 100, 65_536)
    const lies = ({ data }: Datagram): boolean => data.buffer === memory && data.byteOffset >= 100 && data.byteOffset + data.length <= 100 + 65_536
    for (let round = 0; round < 5; round++) {
      await sender.sendMany(numbered(20, round).map(data => ({ data })))
      const small = await receiver.recvMany(64, { into })
      while (small.length < 20) small.push(...(await receiver.recvMany(64)))
      t.deepEqual(texts(small), numbered(20, round))
      t.true(lies(small[0]!))
      const data = Array.from({ length: 50 }, (_, i) => String(i % 10).repeat(1_000)).join('')
      await sender.sendSegments(data, 1_000)
      const large: string[] = []
      while (large.length < 50) large.push(...texts(await receiver.recvMany(30, { into })))
      t.is(large.join(''), data)
    }
    // Twice as much as there is room for.
    const longest = Array.from({ length: 4 }, (_, i) => String(i).repeat(wine > 0 ? 20_000 : 30_000))
    await sender.sendMany(longest.map(data => ({ data })))
    const got: string[] = []
    while (got.length < 4) got.push(...texts(await receiver.recvMany(64, { into })))
    t.deepEqual(got, longest)
  })
}

test('memory for many that is none, too small, or shrinks meanwhile is refused, and nothing is lost', async t => {
  const [sender, receiver] = await connected(t)
  for (const into of ['text', 5, null, new ArrayBuffer(65_536)]) {
    await t.throwsAsync(receiver.recvMany(1, { into: into as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  await t.throwsAsync(receiver.recvMany(1, { into: Buffer.alloc(65_535) }), { code: 'ERR_OUT_OF_RANGE' })
  const memory = new ArrayBuffer(65_536)
  const waiting = receiver.recvMany(1, { into: new Uint8Array(memory) })
  structuredClone(memory, { transfer: [memory] })
  await sender.send('here')
  await t.throwsAsync(waiting, { code: 'ERR_INVALID_ARG_VALUE', message: /detached or shrunk/ })
  t.deepEqual(texts(await receiver.recvMany(1)), ['here'])
})

unless(lacks.linux)('who switches bundles on by their number gets single datagrams all the same', async t => {
  const [sender, receiver] = await connected(t)
  const [SOL_UDP, UDP_GRO] = [17, 104] as const
  receiver.setOption(SOL_UDP, UDP_GRO, 1)
  await sender.sendSegments('aabbcc', 2)
  for (const text of ['aa', 'bb', 'cc']) t.is(String((await receiver.recv()).data), text)
})

test('a handle with damaged datagrams is refused, and the socket is still there for the right one', async t => {
  const [sender, receiver] = await connected(t)
  const handle = receiver.detach()
  for (const datagram of [{}, { data: new Uint8Array(1), from: {}, truncated: false }, { data: 5, from: addressOf(sender).toJSON(), truncated: false }]) {
    await t.throwsAsync(attach({ ...handle, datagrams: [datagram as never] }), { instanceOf: Error })
  }
  const other = closing(t, await attach(handle))
  await sender.send('here')
  t.is(String((await other.recv()).data), 'here')
})

test('closing ends what waits, and what came together goes with it', async t => {
  const [sender, receiver] = await connected(t)
  const waiting = receiver.recvMany(5)
  receiver.close()
  await t.throwsAsync(waiting, { code: 'ERR_SOCKET_CLOSED', message: /^recvMany/ })
  await t.throwsAsync(receiver.recvMany(5), { code: 'ERR_SOCKET_CLOSED' })
  sender.close()
  await t.throwsAsync(sender.sendMany([{ data: 'x' }]), { code: 'ERR_SOCKET_CLOSED' })
  await t.throwsAsync(sender.sendSegments('x', 1), { code: 'ERR_SOCKET_CLOSED' })
})

test('a wait for many that is aborted or runs out of time has taken nothing', async t => {
  const [sender, receiver] = await connected(t)
  const reason = new Error('enough')
  const controller = new AbortController()
  const aborted = receiver.recvMany(5, { signal: controller.signal })
  controller.abort(reason)
  t.is(await t.throwsAsync(aborted), reason)
  await t.throwsAsync(receiver.recvMany(5, { timeout: 5 }), { code: 'ETIMEDOUT' })
  await sender.send('kept')
  t.deepEqual(texts(await receiver.recvMany(5)), ['kept'])
})

unless(lacks.handles, test.serial)('descriptors that meet recv or recvMany are closed', async t => {
  const [one, other] = await datagrams(t)
  const before = udp()
  const free = before.fd
  before.close()
  await one.sendHandles('a', [one])
  await one.sendHandles('b', [one, one])
  t.is((await other.recv()).data.toString(), 'a')
  t.deepEqual(texts(await other.recvMany(1)), ['b'])
  const after = closing(t, udp())
  t.is(after.fd, free, 'the same number is free again')
})

unless(process.platform === 'win32' && 'Windows takes no part in the waiting of a full receiver')('many to a receiver that is full wait, and all arrive in their order', async t => {
  const [one, other] = await datagrams(t)
  const sending = one.sendMany(numbered(2_000).map(data => ({ data })))
  t.deepEqual(texts(await collect(other, 2_000, 50)), numbered(2_000))
  t.is(await sending, 2_000)
})

unless(rawRefused())('raw sockets receive many packets, each with its header', async t => {
  const receiver = closing(t, raw('inet', 253))
  const sender = closing(t, raw('inet', 253))
  await receiver.bind('127.0.0.1')
  t.is(await sender.sendMany([{ data: 'one', host: '127.0.0.1', port: 0 }, { data: 'other', host: '127.0.0.1', port: 0 }]), 2)
  t.deepEqual((await collect(receiver, 2)).map(({ data }) => data.subarray(20).toString()), ['one', 'other'])
})

function rawRefused(): string | false {
  try {
    raw('inet', 253).close()
    return wine > 0 && 'Wine passes no packets of such protocols on'
  } catch (error) {
    return `raw sockets are refused here: ${(error as SocketError).code}`
  }
}
