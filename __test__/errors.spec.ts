import { getSystemErrorName } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { pair, raw, seqpacket, SocketError, tcp, udp, type Address, type Family, type Socket, type TcpSocket, type UdpSocket } from 'socket2'
import { closing, connectedPair, freshPath, lacks, listener, loopback, unless, wine, type Reason } from './_util.js'

/** Fails at this line, at once or after waiting. */
async function rejection(promise: Promise<unknown>): Promise<SocketError> {
  try {
    await promise
  } catch (error) {
    return error as SocketError
  }
  throw new Error('nothing was rejected')
}

/** An address that nobody listens at, and that nobody else can come to be at while the test runs: it is only bound. */
async function nobodyAt(t: ExecutionContext, family: Family = 'inet'): Promise<Address> {
  return (await closing(t, tcp(family)).bind(...loopback(t, family))).localAddress!
}

for (const family of ['inet', 'inet6'] as const) {
  test(`a refused ${family} connection has code, errno, syscall, address, port and Node's message`, async t => {
    const nobody = await nobodyAt(t, family)
    const error = await rejection(closing(t, tcp(family)).connect(nobody))
    t.true(error instanceof SocketError && error instanceof Error)
    t.like(error, { name: 'SocketError', code: 'ECONNREFUSED', syscall: 'connect', address: nobody.address, port: nobody.port })
    t.is(getSystemErrorName(error.errno!), 'ECONNREFUSED')
    t.is(error.message, `connect ECONNREFUSED ${nobody}`)
    t.is(String(error), `SocketError: connect ECONNREFUSED ${nobody}`)
  })
}

test('a port that is taken is EADDRINUSE, from bind and from listen, and the socket can bind elsewhere', async t => {
  const server = await listener(t)
  const { localAddress } = server
  const socket = closing(t, tcp())
  for (const promise of [socket.bind(localAddress!), socket.listen(localAddress!), socket.listen('127.0.0.1', localAddress!.port)]) {
    const error = await rejection(promise)
    t.like(error, { code: 'EADDRINUSE', syscall: 'bind', address: '127.0.0.1', port: localAddress!.port })
    t.is(error.message, `bind EADDRINUSE ${localAddress}`)
  }
  await socket.listen('127.0.0.1')
  t.not(socket.localAddress!.port, localAddress!.port)
})

test('an address of another machine is EADDRNOTAVAIL', async t => {
  t.like(await rejection(closing(t, tcp()).bind('192.0.2.1', 0)), { code: 'EADDRNOTAVAIL', syscall: 'bind', address: '192.0.2.1', port: 0 })
})

test('binding a second time is EINVAL', async t => {
  const socket = await closing(t, udp()).bind('127.0.0.1')
  t.like(await rejection(socket.bind('127.0.0.1')), { code: 'EINVAL', syscall: 'bind' })
})

unless(lacks.unix)('an error about a unix path has the path as its address, and no port', async t => {
  const path = freshPath(t)
  const error = await rejection(closing(t, tcp('unix')).connect(`unix:${path}`))
  t.like(error, { code: 'ENOENT', syscall: 'connect', address: path, message: `connect ENOENT unix:${path}` })
  t.false('port' in error)
})

test('a protocol that does not fit is EPROTONOSUPPORT, thrown', t => {
  const error = t.throws<SocketError>(() => tcp('inet', 'udp'), { instanceOf: SocketError, code: 'EPROTONOSUPPORT' })
  t.like(error, { syscall: 'socket', message: 'socket EPROTONOSUPPORT' })
})

test('a timeout is ETIMEDOUT with the time, on every operation', async t => {
  const { client, server } = await connectedPair(t)
  const datagrams = await closing(t, udp()).bind('127.0.0.1')
  for (const [syscall, promise] of [
    ['recv', client.recv(new Uint8Array(1), { timeout: 5 })], ['recv', datagrams.recv(1, { timeout: 5 })], ['accept', server.accept({ timeout: 5 })]
  ] as const) {
    const error = await rejection(promise)
    t.like(error, { name: 'SocketError', code: 'ETIMEDOUT', syscall, timeout: 5 })
    t.is(getSystemErrorName(error.errno!), 'ETIMEDOUT')
  }
})

test('the default time of a socket is in its errors, and an operation can name its own', async t => {
  const { client } = await connectedPair(t)
  client.timeout = 7
  t.is((await rejection(client.recv())).timeout, 7)
  t.is((await rejection(client.recv(1, { timeout: 3 }))).timeout, 3)
  for (const timeout of [-1, NaN]) t.throws(() => { client.timeout = timeout }, { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  for (const timeout of ['1', null, 1n]) t.throws(() => { client.timeout = timeout as unknown as number }, { code: 'ERR_INVALID_ARG_TYPE' })
  t.is(client.timeout, 7)
})

test("an abort rejects with the signal's reason itself, whatever it is", async t => {
  const { client } = await connectedPair(t)
  for (const reason of [new Error('enough'), 'a string', 0, null, { some: 'object' }]) {
    const abort = new AbortController()
    const receiving = client.recv(1, { signal: abort.signal })
    abort.abort(reason)
    t.is(await receiving.then(() => t.fail(), (thrown: unknown) => thrown), reason)
    t.is(await client.recv(1, { signal: AbortSignal.abort(reason) }).then(() => t.fail(), (thrown: unknown) => thrown), reason)
  }
})

test('a send that fails says how much the system took', async t => {
  const { client } = await connectedPair(t)
  const error = await rejection(client.send(Buffer.alloc(1 << 26), { timeout: 20 }))
  t.is(error.code, 'ETIMEDOUT')
  t.true(error.bytesSent! > 0 && error.bytesSent! < 1 << 26)
  t.is(error.bytesSent, client.bytesWritten)
  if (lacks.pairs) return
  const [one, other] = pair('udp')
  t.teardown(() => { one.close() })
  other.close()
  t.like(await rejection(one.send('x')), { code: 'ECONNREFUSED', bytesSent: 0 })
})

/** Calls of every way to fail, each on a line of this file. */
const FAILURES: Record<string, (t: ExecutionContext) => Promise<unknown>> = {
  async 'at once, by the system'(t) {
    await (await closing(t, udp()).bind('127.0.0.1')).bind('127.0.0.1')
  },
  async 'at once, on a closed socket'() {
    const socket = udp()
    socket.close()
    await socket.recv()
  },
  async 'at once, in the wrong state'(t) {
    await closing(t, tcp()).accept()
  },
  async 'at once, for a wrong argument'(t) {
    await closing(t, udp()).recv(0)
  },
  async 'at once, receiving into memory in the wrong state'(t) {
    await closing(t, tcp()).recv(new Uint8Array(1))
  },
  async 'after waiting, by a timeout'(t) {
    await (await connectedPair(t)).client.recv(new Uint8Array(1), { timeout: 1 })
  },
  async 'after waiting for a datagram'(t) {
    await (await closing(t, udp()).bind('127.0.0.1')).recv(1, { timeout: 1 })
  },
  async 'after waiting for a connection'(t) {
    await (await listener(t)).accept({ timeout: 1 })
  },
  async 'after waiting, by close'(t) {
    const { client } = await connectedPair(t)
    setImmediate(() => client.close())
    await client.recv()
  },
  async 'after waiting, by the peer'(t) {
    const { client, peer } = await connectedPair(t)
    setImmediate(() => peer.reset())
    await client.recv()
  },
  async 'after connecting'(t) {
    await closing(t, tcp()).connect(await nobodyAt(t))
  },
  async 'after looking up a name'(t) {
    await closing(t, tcp()).connect('x'.repeat(300), 80)
  },
  async 'after exactly so many bytes'(t) {
    await (await connectedPair(t)).client.recvExact(2, { timeout: 1 })
  },
  async 'after sending'(t) {
    await (await connectedPair(t)).client.send(Buffer.alloc(1 << 26), { timeout: 1 })
  }
}

for (const [how, fail] of Object.entries(FAILURES)) {
  const unseen = how.includes('by the peer') && wine === 8 && 'Wine 8 shows a reset as the end of the stream'
  unless(unseen)(`the stack of an error leads to the line of the call: ${how}`, async t => {
    const error = await rejection(fail(t))
    const frames = error.stack!.split('\n').filter((line) => line.includes('errors.spec'))
    t.regex(frames[0] ?? error.stack!, new RegExp(`(${how.replaceAll(/[^\w ]/g, '.')}|fail).*errors\\.spec\\.js:\\d+:\\d+`))
  })
}

test('a sync error leads to the line of the call', t => {
  const error = t.throws<SocketError>(() => closing(t, tcp()).shutdown('both'), { code: 'ERR_SOCKET_BAD_STATE' })
  t.regex(error.stack!, /errors\.spec\.js:\d+:\d+/)
})

/** Every method, called on a socket that is closed: the sync ones throw, the others reject. */
const CLOSED = {
  rejects: {
    bind: (socket) => socket.bind('127.0.0.1'), listen: (socket) => socket.listen('127.0.0.1'), accept: (socket) => socket.accept(),
    connect: (socket) => socket.connect('127.0.0.1', 9), send: (socket) => socket.send('x'), 'send of bytes': (socket) => socket.send(new Uint8Array(1)),
    'send of a list': (socket) => socket.send([new Uint8Array(1)]), 'send of nothing': (socket) => socket.send(''),
    recv: (socket) => socket.recv(), 'recv into memory': (socket) => socket.recv(new Uint8Array(1)), recvExact: (socket) => socket.recvExact(1),
    'recvExact into memory': (socket) => socket.recvExact(new Uint8Array(1)), recvAll: (socket) => socket.recvAll()
  },
  throws: {
    shutdown: (socket) => socket.shutdown('both'), trySend: (socket) => socket.trySend('x'), tryRecv: (socket) => socket.tryRecv(new Uint8Array(1)),
    disconnect: (socket) => socket.disconnect(), getOption: (socket) => socket.getOption('reuseAddress'),
    setOption: (socket) => socket.setOption('reuseAddress', true)
  }
} satisfies Record<string, Record<string, (socket: Everything) => unknown>>

/** All methods of all sockets; those a socket does not have are left out below. */
type Everything = Omit<TcpSocket, 'type'> & Omit<UdpSocket, 'type'> & Pick<Socket, 'type'>

const MAKERS: Record<string, (t: ExecutionContext) => Socket | Promise<Socket>> = {
  'tcp, new': () => tcp(), 'tcp, listening': (t) => listener(t), 'tcp, connected': async (t) => (await connectedPair(t)).client,
  'udp, new': () => udp(), 'udp, connected': async (t) => udp().connect(await nobodyAt(t)), 'unix stream': (t) => oneOf(t, pair('tcp')),
  'unix datagram': () => udp('unix'), 'seqpacket, new': () => seqpacket(), 'seqpacket, connected': (t) => oneOf(t, pair('seqpacket'))
}

function oneOf(t: ExecutionContext, [one, other]: [Socket, Socket]): Socket {
  closing(t, other)
  return one
}

for (const [kind, make] of Object.entries(MAKERS)) {
  const lacking = kind.startsWith('seqpacket') ? lacks.seqpacket : kind === 'unix stream' ? lacks.pairs : kind === 'unix datagram' && lacks.unixDatagrams
  unless(lacking)(`every method of a closed socket (${kind}) says ERR_SOCKET_CLOSED`, async t => {
    const socket = closing(t, await make(t)) as Socket as unknown as Everything
    socket.close()
    const has = (name: string): boolean => (name.split(' ')[0] as string) in socket
    for (const [name, call] of Object.entries(CLOSED.rejects).filter(([name]) => has(name))) {
      // A list is no datagram, which is the first thing that is wrong.
      if (name === 'send of a list' && !('recvAll' in socket)) continue
      if (name === 'send of nothing' && socket.type === 'seqpacket') continue
      const promise = call(socket) as Promise<unknown>
      t.like(await rejection(promise), { name: 'SocketError', code: 'ERR_SOCKET_CLOSED' }, name)
    }
    for (const [name, call] of Object.entries(CLOSED.throws).filter(([name]) => has(name))) {
      t.throws(() => call(socket), { name: 'SocketError', code: 'ERR_SOCKET_CLOSED' }, name)
    }
    t.deepEqual([socket.fd, socket.closed, socket.localAddress], [-1, true, null])
    for (const method of ['close', 'close', 'ref', 'unref', 'reset', Symbol.dispose] as const) if (method in socket) t.notThrows(() => socket[method]())
    await socket[Symbol.asyncDispose]()
    if ('connections' in socket) for await (const connection of socket.connections()) t.fail(String(connection))
    t.is(typeof String(socket), 'string')
  })
}

const privileged = lacks.posix ? 'whether a Windows account has the right cannot be told from here'
  : process.getuid?.() === 0 && 'root has the right, and raw.spec.ts gives it up in a process of its own'

unless(privileged)('a raw socket without the right to one is refused by name', t => {
  t.like(t.throws<SocketError>(() => raw('inet', 200)), { syscall: 'socket' }) // that of ICMP may be permitted
})

unless(!lacks.unix && !lacks.seqpacket && 'this system has every kind')('a socket of a kind that the system has not is refused by name', t => {
  const kinds: [lacking: Reason, make: () => Socket][] = [
    [lacks.unix, () => tcp('unix')], [lacks.unixDatagrams, () => udp('unix')], [lacks.seqpacket, () => seqpacket()]
  ]
  for (const [, make] of kinds.filter(([lacking]) => lacking)) {
    const error = t.throws(make, { name: 'SocketError', code: 'ERR_UNSUPPORTED_PLATFORM' })
    t.true(error.message.includes(process.platform), error.message)
  }
})

for (const family of ['inet', 'inet6', 'unix'] as const) {
  unless(family === 'unix' && lacks.unix)(`a call in the wrong state is ERR_SOCKET_BAD_STATE and changes nothing (${family})`, async t => {
    const bad = { name: 'SocketError', code: 'ERR_SOCKET_BAD_STATE' }
    const { server, client, peer } = await connectedPair(t, family)
    const idle = closing(t, tcp(family))
    const bytes = new Uint8Array(1)
    for (const socket of [idle, server]) {
      for (const promise of [
        socket.send('x'), socket.send(bytes), socket.send([bytes]), socket.send(''), socket.recv(), socket.recv(bytes), socket.recvExact(1),
        socket.recvExact(bytes), socket.recvAll()
      ]) await t.throwsAsync(promise, bad)
      for (const call of [() => socket.trySend('x'), () => socket.tryRecv(bytes), () => socket.shutdown('read')]) t.throws(call, bad)
    }
    for (const socket of [idle, client]) await t.throwsAsync(socket.accept(), bad)
    for (const socket of [server, client]) {
      await t.throwsAsync(socket.listen(...loopback(t, family)), bad)
      await t.throwsAsync(socket.connect(server.localAddress!), bad)
    }
    // All of them go on as if nothing had been asked.
    await client.send('still here')
    t.is(String(await peer.recvExact(10)), 'still here')
    await idle.connect(server.localAddress!)
    closing(t, await server.accept())
    t.deepEqual([client.bytesRead, client.bytesWritten], [0, 10])
  })
}

test('a connect that fails closes its socket, which nobody may have a name for', async t => {
  const socket = tcp()
  await t.throwsAsync(socket.connect(await nobodyAt(t)), { code: 'ECONNREFUSED' })
  t.true(socket.closed)
  for (const promise of [socket.connect(await nobodyAt(t)), socket.listen('127.0.0.1'), socket.recv(), socket.send('x')]) {
    await t.throwsAsync(promise, { code: 'ERR_SOCKET_CLOSED' })
  }
  const unnamed = tcp()
  await t.throwsAsync(unnamed.connect('x'.repeat(300), 80), { code: 'ENOTFOUND' })
  t.true(unnamed.closed)
})

test('a connect with wrong arguments leaves the socket as it was', async t => {
  const server = await listener(t)
  const socket = closing(t, tcp())
  for (const promise of [socket.connect('127.0.0.1', 65536), socket.connect('a\0b', 80), socket.connect('::1', 80), socket.connect(server.localAddress!, { timeout: -1 })]) {
    await t.throwsAsync(promise)
  }
  await socket.connect(server.localAddress!)
  t.true(socket.remoteAddress?.equals(server.localAddress!))
})
