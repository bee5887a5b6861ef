import { once } from 'node:events'
import { createSocket } from 'node:dgram'
import test, { type ExecutionContext } from 'ava'
import { pair, tcp, udp, type Address, type Datagram, type Family, type UdpSocket } from 'socket2'
import { closing, freshPath, lacks, loopback, unless, wine } from './_util.js'

const families = ['inet', 'inet6', 'unix'] as const
const ip = ['inet', 'inet6'] as const

/** A bound socket. */
async function bound(t: ExecutionContext, family: Family = 'inet'): Promise<UdpSocket> {
  return await closing(t, udp(family)).bind(...loopback(t, family))
}

/** A socket that is bound to a place by its number, a port that was free a moment ago. */
async function boundByNumber(t: ExecutionContext, family: Family): Promise<UdpSocket> {
  const first = await bound(t, family)
  const place = at(first)
  first.close()
  return await closing(t, udp(family)).bind(place)
}

/** The address of a socket that is bound. */
function at(socket: UdpSocket): Address {
  const { localAddress } = socket
  if (localAddress === null) throw new Error('a bound socket has an address')
  return localAddress
}

/** An address that nobody is at, because who was there is gone. */
async function nobodyAt(family: Family = 'inet'): Promise<Address> {
  const socket = await udp(family).bind(family === 'inet' ? '127.0.0.1' : '::1')
  const address = at(socket)
  socket.close()
  return address
}

for (const family of families) {
  const testIt = unless(family === 'unix' && lacks.unixDatagrams)

  testIt(`datagrams go to an address and say where they came from (${family})`, async t => {
    const [one, other] = [await bound(t, family), await bound(t, family)]
    t.is(await one.send('hello', at(other)), 5)
    const first = await other.recv()
    t.deepEqual([String(first.data), first.truncated, String(first.from)], ['hello', false, String(at(one))])
    const space = new Uint8Array(10)
    t.is(await other.send(Buffer.from('back'), first.from), 4)
    const { length, from, truncated } = await one.recv(space)
    t.deepEqual([Buffer.from(space).toString('latin1', 0, length), String(from), truncated], ['back', String(at(other)), false])
    t.deepEqual([one.bytesWritten, one.bytesRead, other.bytesWritten, other.bytesRead], [5, 4, 4, 5])
  })

  testIt(`a datagram longer than the memory is cut and says so, one that fits exactly is not (${family})`, async t => {
    const [one, other] = [await bound(t, family), await bound(t, family)]
    for (let i = 0; i < 4; i++) await one.send('0123456789', at(other))
    const space = new Uint8Array(4)
    t.like(await other.recv(space), { length: 4, truncated: true })
    t.is(Buffer.from(space).toString(), '0123')
    t.like(await other.recv(new Uint8Array(10)), { length: 10, truncated: false })
    t.like(await other.recv(9), { data: Buffer.from('012345678'), truncated: true })
    t.like(await other.recv(10), { data: Buffer.from('0123456789'), truncated: false })
  })

  testIt(`an empty datagram arrives as one (${family})`, async t => {
    const [one, other] = [await bound(t, family), await bound(t, family)]
    t.is(await one.send('', at(other)), 0)
    t.is(await one.send(new Uint8Array(0), at(other)), 0)
    t.like(await other.recv(new Uint8Array(4)), { length: 0, truncated: false })
    t.like(await other.recv(), { data: Buffer.alloc(0), truncated: false })
    await one.send('then another', at(other))
    t.is(String((await other.recv()).data), 'then another')
  })

  testIt(`a connected socket sends without an address, and hears only its peer (${family})`, async t => {
    const [one, other, stranger] = [await bound(t, family), await bound(t, family), await bound(t, family)]
    t.is(one.remoteAddress, null)
    t.is(await one.connect(at(other)), one)
    t.true(one.remoteAddress?.equals(at(other)))
    await one.send('to the peer')
    t.is(String((await other.recv()).data), 'to the peer')
    if (family === 'unix') {
      // A unix socket that has a peer refuses strangers.
      const refused = await t.throwsAsync<NodeJS.ErrnoException>(stranger.send('from a stranger', at(one)))
      t.true(refused.code === 'EPERM' || process.platform !== 'linux')
    } else {
      await stranger.send('from a stranger', at(one))
    }
    await other.send('from the peer', at(one))
    t.is(String((await one.recv()).data), 'from the peer')
  })

  testIt(`a socket can be connected anew, and disconnected (${family})`, async t => {
    const [one, other, third] = [await boundByNumber(t, family), await bound(t, family), await bound(t, family)]
    await one.connect(at(other))
    await one.connect(at(third))
    await one.send('x')
    t.is(String((await third.recv()).data), 'x')
    one.disconnect()
    one.disconnect()
    t.is(one.remoteAddress, null)
    await t.throwsAsync(one.send('x'), family === 'unix' ? { code: 'ENOTCONN' } : { code: 'EDESTADDRREQ' })
    await other.send('heard again', at(one))
    t.is(String((await one.recv()).data), 'heard again')
  })

  testIt(`receivers are served in the order of their calls (${family})`, async t => {
    const [one, other] = [await bound(t, family), await bound(t, family)]
    const receiving = Promise.all([other.recv(), other.recv(new Uint8Array(3)), other.recv()])
    for (const text of ['1', '22', '333']) await one.send(text, at(other))
    const [first, second, third] = await receiving
    t.deepEqual([first.data.length, second.length, third.data.length], [1, 2, 3])
  })

  testIt(`a recv that times out or is aborted takes no datagram (${family})`, async t => {
    const [one, other] = [await bound(t, family), await bound(t, family)]
    await t.throwsAsync(other.recv(10, { timeout: 1 }), { code: 'ETIMEDOUT' })
    const abort = new AbortController()
    const receiving = other.recv(new Uint8Array(10), { signal: abort.signal })
    const sent = one.send('kept', at(other))
    abort.abort()
    await t.throwsAsync(receiving.catch((error: DOMException) => { throw new Error(error.name) }), { message: 'AbortError' })
    await sent
    t.is(String((await other.recv()).data), 'kept')
  })

  testIt(`iteration gives the datagrams until the socket is closed, and leaving it leaves it open (${family})`, async t => {
    const [one, other] = [await bound(t, family), await bound(t, family)]
    for (const text of ['a', 'b', 'c']) await one.send(text, at(other))
    let text = ''
    for await (const { data } of other) {
      text += String(data)
      if (text === 'ab') break
    }
    t.false(other.closed)
    for await (const { data } of other) {
      text += String(data)
      other.close()
    }
    t.is(text, 'abc')
  })
}

for (const family of ip) {
  unless(wine > 0 && 'Wine does not tell who waits')(`a datagram to a port where nobody is comes back as ECONNREFUSED, and the socket goes on (${family})`, async t => {
    const socket = await bound(t, family)
    const nobody = await nobodyAt(family)
    await socket.connect(nobody)
    const receiving = socket.recv()
    await socket.send('is anybody there?')
    await t.throwsAsync(receiving, { code: 'ECONNREFUSED', message: 'recv ECONNREFUSED' })
    // The same through a send, which is told of what an earlier one did; Windows tells only who receives.
    await socket.send('really nobody?')
    if (!lacks.posix) await t.throwsAsync(socket.send('x'), { code: 'ECONNREFUSED' })
    else await t.throwsAsync(socket.recv(), { code: 'ECONNREFUSED' })
    const somebody = await closing(t, udp(family)).bind(nobody)
    await somebody.send('now there is', at(socket))
    t.is(String((await socket.recv()).data), 'now there is')
    await socket.send('good')
    t.is(String((await somebody.recv()).data), 'good')
  })

  test(`disconnect keeps the local port (${family})`, async t => {
    const socket = await boundByNumber(t, family)
    const before = String(at(socket))
    await socket.connect(at(await bound(t, family)))
    socket.disconnect()
    t.is(String(at(socket)), before)
  })

  unless(wine > 0 && 'Linux takes that port away, and Wine cannot bind a second time')(`disconnect keeps a local port that the system chose (${family})`, async t => {
    const other = await bound(t, family)
    const chosen = await closing(t, udp(family)).connect(at(other))
    const { port } = at(chosen)
    t.true(port > 0)
    chosen.disconnect()
    t.is(at(chosen).port, port)
    await other.send('x', family === 'inet' ? '127.0.0.1' : '::1', port)
    t.is(String((await chosen.recv()).data), 'x')
  })

  test(`a datagram too big for the protocol is EMSGSIZE, and the next one goes (${family})`, async t => {
    const [one, other] = [await bound(t, family), await bound(t, family)]
    await t.throwsAsync(one.send(Buffer.alloc(65_536), at(other)), { code: 'EMSGSIZE', message: `send EMSGSIZE ${at(other)}` })
    await one.connect(at(other))
    await t.throwsAsync(one.send(Buffer.alloc(65_536)), { code: 'EMSGSIZE' })
    await one.send('fits')
    t.is(String((await other.recv()).data), 'fits')
  })

  test(`the biggest datagram of the protocol arrives whole (${family})`, async t => {
    // 65,535 less the UDP header, and less the IPv4 header, which counts there and does not in IPv6. macOS allows less unless told.
    const length = family === 'inet' ? 65_507 : 65_527
    const [one, other] = [await bound(t, family), await bound(t, family)]
    if (process.platform === 'darwin') one.setOption('sendBufferSize', 65_536)
    const data = Buffer.alloc(length, 'datagram')
    t.is(await one.send(data, at(other)), length)
    t.deepEqual((await other.recv()).data, data)
  })

  test(`a host and a port, by number or name, do as well as an address (${family})`, async t => {
    const [one, other] = [await bound(t, family), await bound(t, family)]
    const { port } = at(other)
    const host = family === 'inet' ? '127.0.0.1' : '::1'
    for (const [where, which] of [[host, port], [host, `${port}`], [false, port], ['*', port]] as const) {
      await one.send(`${where}`, where, which)
      t.is(String((await other.recv()).data), `${where}`)
    }
    await one.connect(host, port)
    t.true(one.remoteAddress?.equals(at(other)))
    await one.connect('*', port)
    t.is(one.remoteAddress?.address, host, 'as the system has it')
  })

  test(`localAddress is null, then shows the port of the system, then is null again (${family})`, async t => {
    const socket = closing(t, udp(family))
    t.is(socket.localAddress, null)
    t.is(await socket.bind('*', 0), socket)
    t.is(socket.localAddress?.address, family === 'inet' ? '0.0.0.0' : '::')
    t.true((socket.localAddress?.port ?? 0) > 0)
    socket.close()
    t.is(socket.localAddress, null)
  })

  test(`a send without a bind gives the socket a port (${family})`, async t => {
    const other = await bound(t, family)
    const socket = closing(t, udp(family))
    await socket.send('x', at(other))
    const { from } = await other.recv()
    t.is(from.port, at(socket).port)
  })

  test(`node:dgram and this library understand each other (${family})`, async t => {
    const socket = await bound(t, family)
    const node = createSocket(family === 'inet' ? 'udp4' : 'udp6')
    t.teardown(() => node.close())
    node.send('from node', at(socket).port, at(socket).address)
    const { data, from } = await socket.recv()
    t.is(String(data), 'from node')
    const message = once(node, 'message')
    await socket.send('to node', from)
    t.is(String((await message)[0]), 'to node')
  })
}

test('a name is looked up for a datagram', async t => {
  const [one, other] = [await bound(t), await bound(t)]
  await one.send('x', 'localhost', at(other).port)
  t.is(String((await other.recv()).data), 'x')
  await one.connect('localhost', at(other).port)
  t.is(String(one.remoteAddress), String(at(other)))
  await t.throwsAsync(one.send('x', 'x'.repeat(300), 80), { code: 'ENOTFOUND' })
})

test('broadcasting is EACCES without the option', async t => {
  const socket = closing(t, udp())
  await t.throwsAsync(socket.send('x', '255.255.255.255', 9), { code: 'EACCES', message: 'send EACCES 255.255.255.255:9' })
})

unless(wine === 10 && 'Wine 10 lets anyone connect there')('connecting for broadcasts is EACCES without the option', async t => {
  const socket = closing(t, udp())
  await t.throwsAsync(socket.connect('255.255.255.255', 9), { code: 'EACCES', message: 'connect EACCES 255.255.255.255:9' })
})

unless(lacks.linux)('broadcasting on loopback arrives with the option (Linux: elsewhere loopback does not broadcast)', async t => {
  const other = await closing(t, udp()).bind('127.255.255.255', 0)
  const socket = closing(t, udp('inet', undefined, { broadcast: true }))
  await socket.send('all', at(other))
  t.is(String((await other.recv()).data), 'all')
})

unless(lacks.unixDatagrams)('a send of what a closed peer can no longer take fails, and the address is in the error', async t => {
  const path = freshPath(t)
  const socket = await bound(t, 'unix')
  await t.throwsAsync(socket.send('x', `unix:${path}`, 0), { code: 'ENOENT', message: `send ENOENT unix:${path}` })
  const stream = closing(t, udp('unix'))
  await stream.bind(`unix:${path}`)
  stream.close()
  await t.throwsAsync(socket.send('x', `unix:${path}`, 0), { code: 'ENOENT' }, 'the path went with its socket')
})

unless(lacks.abstractNames)('an abstract name is bound, sent to, and free again after close', async t => {
  const name = `unix:@socket2-${process.pid}-${Math.random()}`
  const one = await closing(t, udp('unix')).bind(name)
  const other = closing(t, udp('unix'))
  t.is(String(at(one)), name)
  await other.bind(`${name}-other`)
  await other.send('hello', name, 0)
  const { data, from } = await one.recv()
  t.deepEqual([String(data), String(from)], ['hello', `${name}-other`])
  await t.throwsAsync(closing(t, udp('unix')).bind(name), { code: 'EADDRINUSE', message: `bind EADDRINUSE ${name}` })
  one.close()
  await t.throwsAsync(other.send('x', name, 0), { code: 'ECONNREFUSED' })
  await closing(t, udp('unix')).bind(name)
})

unless(lacks.abstractNames)('the system chooses an abstract name for whom binds to none', async t => {
  const socket = await closing(t, udp('unix')).bind()
  t.regex(String(at(socket)), /^unix:@[0-9a-f]{5}$/)
})

unless(lacks.unixDatagrams)('a datagram of a unix socket without a name comes from nowhere', async t => {
  const receiver = await bound(t, 'unix')
  await closing(t, udp('unix')).send('x', at(receiver))
  t.is(String((await receiver.recv()).from), 'unix:')
})

/** Sends many datagrams before anything is received, so that the receiver is full, and receives them all. */
async function flood(t: ExecutionContext, receiver: UdpSocket, send: (text: string) => Promise<number>): Promise<void> {
  const count = 2000
  const sending = Promise.all(Array.from({ length: count }, (_, i) => send(`${i}`)))
  const received: Datagram[] = []
  while (received.length < count) received.push(await receiver.recv())
  t.deepEqual(received.map(({ data }) => String(data)), Array.from({ length: count }, (_, i) => `${i}`))
  t.is((await sending).length, count)
}

unless(lacks.unixDatagrams)('many unix datagrams to a full receiver all arrive, in their order', async t => {
  const receiver = await bound(t, 'unix')
  const sender = closing(t, udp('unix'))
  await flood(t, receiver, (text) => sender.send(text, at(receiver)))
})

unless(lacks.unixDatagrams)('many unix datagrams to a full peer all arrive, in their order', async t => {
  const receiver = await bound(t, 'unix')
  const sender = await closing(t, udp('unix')).connect(at(receiver))
  await flood(t, receiver, (text) => sender.send(text))
})

unless(lacks.pairs)('a pair of datagram sockets exchanges any number of datagrams', async t => {
  const [one, other] = pair('udp')
  t.teardown(() => { one.close(); other.close() })
  t.deepEqual([one.type, one.family, one.localAddress], ['udp', 'unix', null])
  await flood(t, other, (text) => one.send(text))
})

unless(lacks.unixDatagrams)('a send to a full receiver times out, is aborted, and ends by close; what was sent before arrives', async t => {
  const receiver = await bound(t, 'unix')
  const sender = closing(t, udp('unix'))
  let taken = 0
  for (;;) {
    try {
      await sender.send('x', at(receiver), { timeout: 0 })
      taken++
    } catch (error) {
      t.like(error, { code: 'ETIMEDOUT', timeout: 0, bytesSent: 0 })
      break
    }
  }
  t.true(taken > 0)
  await t.throwsAsync(sender.send('late', at(receiver), { timeout: 5 }), { code: 'ETIMEDOUT' })
  const waiting = sender.send('closed', at(receiver))
  sender.close()
  await t.throwsAsync(waiting, { code: 'ERR_SOCKET_CLOSED' })
  for (let i = 0; i < taken; i++) t.is(String((await receiver.recv()).data), 'x')
  await t.throwsAsync(receiver.recv(1, { timeout: 0 }), { code: 'ETIMEDOUT' })
})

unless(lacks.unixDatagrams)('a unix socket of another type or with nobody behind it refuses datagrams', async t => {
  const path = freshPath(t)
  await closing(t, tcp('unix')).listen(`unix:${path}`)
  await t.throwsAsync(closing(t, udp('unix')).send('x', `unix:${path}`, 0), { code: 'EPROTOTYPE' })
})

test('a send to a name keeps its place before a later one to an address', async t => {
  const receiver = await closing(t, udp()).bind('127.0.0.1')
  const { port } = receiver.localAddress!
  const sender = closing(t, udp())
  const order: string[] = []
  await Promise.all([
    sender.send('by name', 'localhost', port).then(() => order.push('by name')),
    sender.send('by address', '127.0.0.1', port).then(() => order.push('by address'))
  ])
  t.deepEqual(order, ['by name', 'by address'])
  t.is(String((await receiver.recv()).data), 'by name')
  t.is(String((await receiver.recv()).data), 'by address')
  await t.throwsAsync(sender.send('x', 'localhost', port, { timeout: 0 }), { code: 'ETIMEDOUT' })
  await t.throwsAsync(sender.send('x', 'localhost', 'nosuchservice'), { code: 'EAI_SERVICE' })
  t.is(await sender.send('still', '127.0.0.1', port), 5)
})

unless(lacks.unixDatagrams, test.serial)('a send that waits for a full unix receiver leaves the processor alone', async t => {
  const receiver = await closing(t, udp('unix')).bind(`unix:${freshPath(t)}`)
  const sender = closing(t, udp('unix'))
  const message = Buffer.alloc(1000)
  for (;;) if (await sender.send(message, receiver.localAddress!, { timeout: 0 }).then(() => false, () => true)) break
  const waiting = sender.send('the last one', receiver.localAddress!)
  const before = process.cpuUsage()
  const began = performance.now()
  await t.throwsAsync(closing(t, udp()).recv(1, { timeout: 300 }), { code: 'ETIMEDOUT' })
  const { user, system } = process.cpuUsage(before)
  t.true((user + system) / 1000 < (performance.now() - began) / 2, 'half of the time is far more than it takes')
  for await (const { data } of receiver) if (String(data) === 'the last one') break
  t.is(await waiting, 12)
})
