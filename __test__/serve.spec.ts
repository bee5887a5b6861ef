/** Servers of one thread, and what all servers keep to. Those of many threads are in serve-threads.spec.ts. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners, once } from 'node:events'
import { existsSync } from 'node:fs'
import { BlockList } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { attach, fromFd, serve, Server, tcp, type Handler, type HandlerContext, type TcpSocket } from 'socket2'
import { ask, gone, serving, until, visit } from './_serve.js'
import { child, closing, freshPath, lacks, listener, loopback, rounds, streams, unless, wine } from './_util.js'

const echo: Handler = async (socket) => {
  for await (const data of socket) await socket.send(data)
}

/** Stays until the other side or the server ends it. */
const wait = async (socket: TcpSocket): Promise<void> => {
  await socket.send('welcome')
  await socket.recv()
}

const never: Handler = async (socket) => {
  await socket.send('welcome')
  await new Promise(() => {})
}

// Handlers

test('each connection gets a call of the handler, and is closed when that returns', async t => {
  const sockets: TcpSocket[] = []
  const server = await serving(t, {}, async (socket) => {
    sockets.push(socket)
    await socket.send(`hello ${await socket.recv()}`)
  })
  const clients = await Promise.all([1, 2, 3].map(() => visit(t, server)))
  t.deepEqual(await Promise.all(clients.map((client, i) => ask(client, `${i}`))), ['hello 0', 'hello 1', 'hello 2'])
  t.deepEqual(await Promise.all(clients.map(gone)), ['', '', ''])
  t.deepEqual([sockets.length, sockets.every(socket => socket.closed), server.connections], [3, true, 0])
})

test('a handler need not be async', async t => {
  const server = await serving(t, {}, socket => socket.trySend('bye'))
  t.is(await gone(await visit(t, server)), 'bye')
})

test('a handler may close its connection, or give it away', async t => {
  const given: ReturnType<TcpSocket['detach']>[] = []
  const closed = await serving(t, {}, socket => socket.close())
  t.is(await gone(await visit(t, closed)), '')
  const server = await serving(t, {}, socket => given.push(socket.detach()))
  const client = await visit(t, server)
  await until(() => given.length === 1 && server.connections === 0)
  const moved = closing(t, await attach(given[0]!))
  await moved.send('still here')
  t.is(String(await client.recv()), 'still here')
})

test('a handler that throws closes its connection, is told with it, and stops nothing', async t => {
  const told: [error: unknown, closed: boolean | undefined][] = []
  const server = await serving(t, { onError: (error, socket) => told.push([error, socket?.closed]) }, (socket) => {
    if (told.length === 0) throw new RangeError('at once')
    return told.length === 1 ? Promise.reject(new Error('later')) : Promise.reject(socket.bytesRead)
  })
  for (let i = 0; i < 3; i++) t.is(await gone(await visit(t, server)), '')
  t.deepEqual(told.map(([error, closed]) => [String(error), closed]), [['RangeError: at once', true], ['Error: later', true], ['0', true]])
  t.is(server.connections, 0)
})

test('what handlers throw is one warning, where nobody asks for it', async t => {
  const { code, stdout, stderr } = await child(t, 'served', ['warnings'], ['--no-warnings'])
  t.is(stderr, '')
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout), [{ name: 'SocketServerWarning', code: 'SOCKET2_SERVER', says: true }])
})

// Where it listens

for (const family of ['inet', 'inet6', 'unix'] as const) {
  unless(family === 'unix' && lacks.unix)(`it listens at an ${family} address, which stays known once it is closed`, async t => {
    const [host, port] = loopback(t, family)
    const server = await serving(t, family === 'unix' ? { path: host.slice('unix:'.length) } : { host, port }, echo)
    const { address } = server
    t.is(address.family, family)
    t.true(address.equals(server.listener.localAddress!))
    const client = await visit(t, server)
    t.is(await ask(client, 'x'), 'x')
    await server.close({ grace: 0 })
    t.is(server.listener.localAddress, null)
    t.is(server.address, address)
    await t.throwsAsync(closing(t, tcp(family)).connect(address))
  })
}

unless(lacks.unix)('a path that a server has left behind is taken over, one where somebody listens is not', async t => {
  const path = freshPath(t)
  const left = await closing(t, tcp('unix')).listen(`unix:${path}`)
  closing(t, fromFd(left.release())).close()
  t.true(existsSync(path))
  const server = await serving(t, { path }, echo)
  t.is(await ask(await visit(t, server), 'x'), 'x')
  await t.throwsAsync(serve({ path }, echo), { code: 'EADDRINUSE' })
  t.is(await ask(await visit(t, server), 'y'), 'y')
  await server.close({ grace: 0 })
  t.false(existsSync(path))
})

test('a listener that is given is the server\'s from then on, with all who wait there', async t => {
  const given = await listener(t)
  const early = await closing(t, tcp()).connect(given.localAddress!)
  const server = await serving(t, { listener: given }, echo)
  t.is(server.listener, given)
  t.is(await ask(early, 'early'), 'early')
  await server.close({ grace: 0 })
  t.true(given.closed)
})

test('a listener that is given stays its owner\'s when the server cannot start', async t => {
  const given = await listener(t)
  await t.throwsAsync(serve({ listener: given, threads: 1, handler: 'data:text/javascript,throw new Error("on purpose")' }))
  await t.throwsAsync(serve({ listener: given, signal: AbortSignal.abort(new Error('on purpose')) }), { message: 'on purpose' })
  const server = await serving(t, { listener: given }, echo)
  t.is(await ask(await visit(t, server), 'x'), 'x')
})

for (const [how, options] of [['', {}], [', behind a proxy', { proxyProtocol: 'optional' }]] as const) {
  test(`a listener that is given may have a timeout, and the server goes on when nobody has come for longer${how}`, async t => {
    const given = await listener(t)
    given.timeout = 20
    const errors: unknown[] = []
    const server = await serving(t, { listener: given, onError: error => errors.push(error), ...options }, echo)
    await delay(100)
    t.is(await ask(await visit(t, server), 'x'), 'x')
    t.deepEqual(errors, [])
  })
}

unless(lacks.reusePort)('with reusePort servers listen at the same port', async t => {
  const one = await serving(t, { reusePort: true }, echo)
  const other = await serving(t, { reusePort: true, port: one.address.port }, echo)
  t.true(other.address.equals(one.address))
  await t.throwsAsync(serve({ host: '127.0.0.1', port: one.address.port }), { code: 'EADDRINUSE' }, 'all have to want it')
})

/** Calls `act` when this listener accepts, before whoever awaits that goes on. */
function onAccept(t: ExecutionContext, listening: TcpSocket, act: () => void): void {
  const { port } = listening.localAddress!
  const told = (message: unknown): void => {
    if ((message as { socket: TcpSocket }).socket.localAddress?.port === port) act()
  }
  subscribe('socket2:accept', told)
  t.teardown(() => unsubscribe('socket2:accept', told))
}

test('a connection that was accepted as the server begins to close is served, and close waits for it', async t => {
  const server = await serving(t, {}, async (socket, { signal }) => {
    await socket.send(`${await socket.recv()}, ${signal.aborted ? 'the last' : 'one of many'}`)
  })
  let closed: Promise<void> | undefined
  onAccept(t, server.listener, () => (closed ??= server.close()))
  t.is(await ask(await visit(t, server), 'hello'), 'hello, the last')
  await closed
  t.is(server.connections, 0)
})

test('many handlers listen for the end at a time, and Node takes that for no leak', async t => {
  const warnings: Error[] = []
  const heard = (warning: Error): unknown => warning.name === 'MaxListenersExceededWarning' && warnings.push(warning)
  process.on('warning', heard)
  t.teardown(() => process.off('warning', heard))
  const server = await serving(t, {}, async (socket, { signal }) => {
    const end = once(signal, 'abort')
    await socket.send('listens')
    await end
  })
  const clients = await Promise.all(Array.from({ length: 12 }, async () => await visit(t, server)))
  for (const client of clients) t.is(String(await client.recv()), 'listens')
  await server.close()
  await delay(0)
  t.deepEqual(warnings, [])
})

test('a handler that closes its server when it hears of the end shortens the time it has', async t => {
  const server = await serving(t, {}, async (socket, { signal }) => {
    signal.addEventListener('abort', () => void server.close({ grace: 20 }))
    await never(socket, { signal })
  })
  const client = await visit(t, server)
  t.is(String(await client.recv()), 'welcome')
  await server.close({ grace: 60_000 })
  t.is(await gone(client), '')
})

test('a listener can be closed by who is told that it has accepted', async t => {
  const server = await listener(t)
  onAccept(t, server, () => server.close())
  const accepting = server.accept()
  closing(t, await tcp().connect(server.localAddress!))
  closing(t, await accepting)
  t.true(server.closed)
})

test('whoever closes the listener has closed the server\'s door, and no more', async t => {
  const server = await serving(t, {}, echo)
  const client = await visit(t, server)
  t.is(await ask(client, 'x'), 'x')
  server.listener.close()
  t.is(await ask(client, 'y'), 'y')
  await t.throwsAsync(visit(t, server))
  const closed = server.close()
  client.close()
  await closed
})

// Limits

test('a connection over maxConnections is closed, until another has ended', async t => {
  const server = await serving(t, { maxConnections: 2 }, echo)
  const [one, other] = [await visit(t, server), await visit(t, server)]
  t.deepEqual([await ask(one, '1'), await ask(other, '2'), server.connections], ['1', '2', 2])
  t.is(await gone(await visit(t, server)), '')
  t.is(await ask(one, 'still here'), 'still here')
  one.close()
  await until(() => server.connections === 1)
  t.is(await ask(await visit(t, server), '3'), '3')
  const none = await serving(t, { maxConnections: 0 }, echo)
  t.is(await gone(await visit(t, none)), '')
})

test('a connection over maxConnectionsPerAddress is closed, until another from there has ended', async t => {
  const server = await serving(t, { maxConnectionsPerAddress: 1 }, echo)
  const one = await visit(t, server)
  t.is(await ask(one, '1'), '1')
  t.is(await gone(await visit(t, server)), '')
  one.close()
  await until(() => server.connections === 0)
  t.is(await ask(await visit(t, server), '2'), '2')
})

unless(lacks.linux)('each address has a count of its own', async t => {
  const server = await serving(t, { maxConnectionsPerAddress: 1 }, echo)
  const from = async (host: string): Promise<TcpSocket> => await (await closing(t, tcp()).bind(host)).connect(server.address)
  const [one, other] = [await from('127.0.0.1'), await from('127.0.0.2')]
  t.deepEqual([await ask(one, '1'), await ask(other, '2')], ['1', '2'])
  for (const host of ['127.0.0.1', '127.0.0.2']) t.is(await gone(await from(host)), '')
})

unless(lacks.unix)('who comes by a path has no address to be counted by', async t => {
  const blockList = new BlockList()
  blockList.addSubnet('0.0.0.0', 0, 'ipv4')
  const server = await serving(t, { path: freshPath(t), maxConnectionsPerAddress: 1, blockList }, echo)
  for (const client of [await visit(t, server), await visit(t, server)]) t.is(await ask(client, 'x'), 'x')
})

test('addresses of the block list get no connection, also those that are added later', async t => {
  const blockList = new BlockList()
  const [four, six] = [await serving(t, { blockList }, echo), await serving(t, { blockList, host: '::1' }, echo)]
  for (const server of [four, six]) t.is(await ask(await visit(t, server), 'x'), 'x')
  blockList.addSubnet('127.0.0.0', 8, 'ipv4')
  t.is(await gone(await visit(t, four)), '')
  t.is(await ask(await visit(t, six), 'x'), 'x')
  blockList.addAddress('::1', 'ipv6')
  t.is(await gone(await visit(t, six)), '')
})

test('an IPv4 address is the same where it comes to a socket of both families', async t => {
  const blockList = new BlockList()
  const both = await closing(t, tcp('inet6', undefined, { ipv6Only: false })).listen('::')
  const server = await serving(t, { listener: both, blockList, maxConnectionsPerAddress: 1 }, echo)
  const from = async (host: string): Promise<TcpSocket> => await closing(t, tcp(host === '::1' ? 'inet6' : 'inet')).connect(host, server.address.port)
  const [four, six] = [await from('127.0.0.1'), await from('::1')]
  t.deepEqual([await ask(four, '4'), await ask(six, '6')], ['4', '6'])
  t.is(await gone(await from('127.0.0.1')), '')
  four.close()
  await until(() => server.connections === 1)
  blockList.addAddress('127.0.0.1', 'ipv4')
  t.is(await gone(await from('127.0.0.1')), '')
})

// Both ends are on this thread: whatever else keeps it busy keeps the visitor from speaking, so nothing else runs meanwhile.

/** In ms. Wine, with all these tests at the same time, takes seconds for what is here done at once. */
const IDLE = wine > 0 ? 2_500 : 200

test.serial('a connection on which nothing happens for idleTimeout is closed, which is no failure of its handler', async t => {
  const errors: unknown[] = []
  const server = await serving(t, { idleTimeout: IDLE, onError: error => errors.push(error) }, echo)
  const [busy, idle] = [await visit(t, server), await visit(t, server)]
  let waiting = true
  const end = gone(idle).then(text => {
    waiting = false
    return text
  })
  const since = performance.now()
  for (let i = 0; waiting; i++) t.is(await ask(busy, `${i}`), `${i}`)
  t.is(await end, '')
  t.true(performance.now() - since > IDLE - 10)
  await until(() => server.connections === 1)
  t.is(await ask(busy, 'still here'), 'still here')
  t.deepEqual(errors, [])
})

test.serial('what comes while the thread is busy for longer than idleTimeout has come in time', async t => {
  const server = await serving(t, { idleTimeout: IDLE }, echo)
  const client = await visit(t, server)
  t.is(await ask(client, 'x'), 'x')
  // Long enough for the server to have seen that.
  await delay(IDLE * 0.4)
  client.trySend('y')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * IDLE)
  t.is(String(await client.recv()), 'y')
})

test.serial('who works through what has come before is not idle', async t => {
  const server = await serving(t, { idleTimeout: IDLE }, async socket => {
    await t.throwsAsync(socket.recvExact(6, { timeout: IDLE / 4 }), { code: 'ETIMEDOUT' })
    for (let i = 0; i < 5; i++) {
      await socket.recvExact(1)
      await delay(IDLE / 2)
    }
    await socket.send('done')
  })
  const client = await visit(t, server)
  await client.send('12345')
  t.is(await gone(client), 'done')
})

test.serial('idleTimeout holds for connections of an iterated server, too', async t => {
  const server = await serving(t, { idleTimeout: 20 })
  const client = await visit(t, server)
  for await (const socket of server) {
    t.is(await gone(client), '')
    t.true(socket.closed)
    break
  }
  t.is(server.connections, 0)
})

// Iteration

test('a server without a handler is iterated, until it is closed', async t => {
  const server = await serving(t)
  const clients = await Promise.all([1, 2, 3].map(() => visit(t, server)))
  const sockets: TcpSocket[] = []
  for await (const socket of server) {
    sockets.push(closing(t, socket))
    if (sockets.length === 3) void server.close({ grace: 0 })
  }
  t.deepEqual(await Promise.all(clients.map(gone)), ['', '', ''])
  t.true(sockets.every(socket => socket.closed))
  for await (const socket of server) t.fail(`one of a closed server: ${socket}`)
})

test('leaving the loop closes nothing, and the next one goes on', async t => {
  const server = await serving(t)
  for (let i = 0; i < 2; i++) {
    const client = await visit(t, server)
    for await (const socket of server) {
      await socket.send(`${i}`)
      socket.close()
      break
    }
    t.is(await gone(client), `${i}`)
  }
  t.false(server.listener.closed)
})

test('a connection of an iterated server counts until it is closed, and close waits for it', async t => {
  const server = await serving(t)
  const client = await visit(t, server)
  const { value: socket } = await server[Symbol.asyncIterator]().next() as { value: TcpSocket }
  t.is(server.connections, 1)
  let closed = false
  const close = server.close().then(() => (closed = true))
  await socket.send('still here')
  t.is(String(await client.recv()), 'still here')
  t.false(closed)
  socket.close()
  await close
  t.is(server.connections, 0)
})

test('one at a time iterates, and none where there is a handler', async t => {
  const server = await serving(t)
  const first = server[Symbol.asyncIterator]().next()
  await t.throwsAsync(server[Symbol.asyncIterator]().next(), { code: 'ERR_SOCKET_BAD_STATE' })
  await server.close()
  t.deepEqual(await first, { value: undefined, done: true })
  const handled = await serving(t, {}, echo)
  await t.throwsAsync(handled[Symbol.asyncIterator]().next(), { code: 'ERR_SOCKET_BAD_STATE', message: /without a handler/ })
})

// The end

test('close stops accepting, tells the handlers, and waits for them', async t => {
  const server = await serving(t, {}, async (socket, { signal }) => {
    await socket.send(`${signal.aborted}`)
    if (!signal.aborted) await once(signal, 'abort')
    await socket.send(`${await socket.recv()} and bye`)
  })
  const client = await visit(t, server)
  t.is(String(await client.recv()), 'false')
  let closed = false
  const close = server.close().then(() => (closed = true))
  await t.throwsAsync(visit(t, server))
  t.deepEqual([closed, server.connections], [false, 1])
  await client.send('one more')
  t.is(await gone(client), 'one more and bye')
  await close
  t.is(server.connections, 0)
})

test('close of a server where nobody is resolves at once, and any number of times', async t => {
  const server = await serving(t, {}, echo)
  await Promise.all([server.close(), server.close({ grace: 0 }), server.close({ grace: 1e9 })])
  await server.close()
  t.true(server.listener.closed)
})

test('after its grace close closes those that are left, which is no failure of their handlers', async t => {
  const errors: unknown[] = []
  const contexts: HandlerContext[] = []
  const server = await serving(t, { onError: error => errors.push(error) }, async (socket, given) => {
    contexts.push(given)
    await wait(socket)
  })
  const client = await visit(t, server)
  t.is(String(await client.recv()), 'welcome')
  const since = performance.now()
  await server.close({ grace: 50 })
  t.true(performance.now() - since > 45)
  t.is(await gone(client), '')
  t.deepEqual([contexts.map(({ signal }) => signal.aborted), server.connections, errors], [[true], 0, []])
})

test('what a handler throws because the server closes is told, when it is not that its socket is closed', async t => {
  const errors: unknown[] = []
  const server = await serving(t, { onError: error => errors.push(error) }, async (socket) => {
    await wait(socket).catch(() => { throw new Error('not yet') })
  })
  await (await visit(t, server)).recv()
  await server.close({ grace: 0 })
  t.deepEqual(errors.map(String), ['Error: not yet'])
})

test('a handler that passes on what the signal of the server has ended has not failed', async t => {
  const errors: unknown[] = []
  const waits: ((socket: TcpSocket, signal: AbortSignal) => Promise<unknown>)[] = [
    (socket, signal) => socket.recv(1, { signal }),
    (socket, signal) => socket.reader().line({ signal }),
    (_, signal) => delay(60_000, undefined, { signal }),
    (_, signal) => once(new EventTarget(), 'never', { signal }),
    async (_, signal) => {
      await once(signal, 'abort')
      signal.throwIfAborted()
    }
  ]
  const server = await serving(t, { onError: error => errors.push(error) }, async (socket, { signal }) => {
    const wait = waits.shift()!
    await socket.send('welcome')
    await wait(socket, signal)
  })
  const clients = await Promise.all(waits.map(() => visit(t, server)))
  for (const client of clients) await client.recv(7)
  await server.close()
  t.deepEqual(await Promise.all(clients.map(gone)), ['', '', '', '', ''])
  t.deepEqual(errors, [])
})

test('a handler that uses a stream has not failed, either, when the server closes its connection', async t => {
  const errors: unknown[] = []
  const handlers: Handler[] = [
    async (socket) => {
      const stream = socket.toDuplex({ allowHalfOpen: true })
      await pipeline(stream, stream)
    },
    async (socket) => {
      const stream = socket.toDuplex()
      for await (const data of stream) stream.write(data)
    },
    async (socket) => {
      const stream = socket.toDuplex()
      stream.on('data', data => stream.write(data))
      await once(stream, 'close')
      await new Promise((resolve, reject) => stream.write('too late', error => error ? reject(error) : resolve(undefined)))
    },
    socket => socket.readable.pipeTo(socket.writable)
  ]
  await Promise.all(handlers.map(async handler => {
    const closed = await serving(t, { onError: error => errors.push(error) }, handler)
    const other = await visit(t, closed)
    t.is(await ask(other, 'y'), 'y')
    const idle = await serving(t, { idleTimeout: IDLE, onError: error => errors.push(error) }, handler)
    const one = await visit(t, idle)
    t.is(await ask(one, 'x'), 'x')
    await closed.close({ grace: 0 })
    t.deepEqual([await gone(one), await gone(other)], ['', ''])
    await until(() => idle.connections === 0 && closed.connections === 0)
  }))
  t.deepEqual(errors, [])
})

test('a handler that has closed its connection, and goes on with it while the server ends, has not failed', async t => {
  const errors: unknown[] = []
  let end!: () => void
  const ended = new Promise<void>(resolve => (end = resolve))
  const server = await serving(t, { onError: error => errors.push(error) }, async socket => {
    socket.close()
    await ended
    await socket.recv()
  })
  t.is(await gone(await visit(t, server)), '')
  const closed = server.close({ grace: 0 })
  end()
  await closed
  await turn()
  t.deepEqual(errors, [])
})

test('a handler that never returns does not hold up the end beyond its grace', async t => {
  const server = await serving(t, {}, never)
  const client = await visit(t, server)
  t.is(String(await client.recv()), 'welcome')
  await server.close({ grace: 10 })
  t.is(await gone(client), '')
})

test('close again can shorten the time, and not lengthen it', async t => {
  const server = await serving(t, {}, never)
  const client = await visit(t, server)
  t.is(String(await client.recv()), 'welcome')
  const closes = [server.close(), server.close({ grace: 1e6 })]
  await server.close({ grace: 0 })
  await Promise.all(closes)
  const other = await serving(t, {}, never)
  await (await visit(t, other)).recv()
  await Promise.all([other.close({ grace: 10 }), other.close({ grace: 1e6 }), other.close({ grace: Infinity })])
})

test('a server that goes out of scope is closed with its connections, at once', async t => {
  let client: TcpSocket
  {
    await using server = await serve({ host: '127.0.0.1' }, never)
    client = await visit(t, server)
    t.is(String(await client.recv()), 'welcome')
  }
  t.is(await gone(client), '')
})

test('a signal ends the server with its connections, and is let go of when the server has ended otherwise', async t => {
  const controller = new AbortController()
  const { signal } = controller
  const server = await serving(t, { signal }, never)
  const client = await visit(t, server)
  t.is(String(await client.recv()), 'welcome')
  const other = await serving(t, { signal }, never)
  t.is(getEventListeners(signal, 'abort').length, 2)
  await other.close()
  t.is(getEventListeners(signal, 'abort').length, 1)
  controller.abort()
  t.is(await gone(client), '')
  await server.close()
  t.true(server.listener.closed)
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('a signal that is aborted already rejects with its reason', async t => {
  const reason = new Error('on purpose')
  t.is(await t.throwsAsync(serve({ signal: AbortSignal.abort(reason) }, echo)), reason)
})

test('a signal that aborts while a name is looked up rejects with its reason', async t => {
  const controller = new AbortController()
  const starting = serve({ host: 'localhost', signal: controller.signal }, echo)
  const reason = new Error('on purpose')
  controller.abort(reason)
  t.is(await t.throwsAsync(starting), reason)
})

// The process

for (const how of ['closed', 'listener unref\'ed', 'listener unref\'ed, after a connection']) {
  test(`the process ends by itself: ${how}`, async t => {
    t.like(await child(t, 'served', [how]), { code: 0, stdout: 'left\n', stderr: '' })
  })
}

test('a server keeps the process alive', async t => {
  t.like(await child(t, 'served', ['listening']), { code: 0, stdout: 'left\nstill here\n', stderr: '' })
})

// Wrong options

const handler = new URL('_child/handler.js', import.meta.url)

const wrong: [what: string, options: unknown, code: string][] = [
  ['null', null, 'ERR_INVALID_ARG_TYPE'],
  ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
  ['a port', 80, 'ERR_INVALID_ARG_TYPE'],
  ['a host that is none', { host: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ['a port that is none', { port: 65_536 }, 'ERR_SOCKET_BAD_PORT'],
  ['a negative port', { port: -1 }, 'ERR_SOCKET_BAD_PORT'],
  ['a service that nobody knows', { host: '127.0.0.1', port: 'no-such-service' }, 'EAI_SERVICE'],
  ['an address of someone else', { host: '192.0.2.1' }, 'EADDRNOTAVAIL'],
  ['a path that is none', { path: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ['an empty path', { path: '' }, 'ERR_INVALID_ARG_VALUE'],
  ['a path with a NUL', { path: 'a\0b' }, 'ERR_INVALID_ARG_VALUE'],
  ['a listener that is none', { listener: {} }, 'ERR_INVALID_ARG_TYPE'],
  ['a negative backlog', { host: '127.0.0.1', backlog: -1 }, 'ERR_OUT_OF_RANGE'],
  ['a backlog that is none', { host: '127.0.0.1', backlog: '5' }, 'ERR_INVALID_ARG_TYPE'],
  ['reusePort that is no boolean', { reusePort: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ['a negative limit', { maxConnections: -1 }, 'ERR_OUT_OF_RANGE'],
  ['half a connection', { maxConnections: 0.5 }, 'ERR_OUT_OF_RANGE'],
  ['NaN connections', { maxConnections: NaN }, 'ERR_OUT_OF_RANGE'],
  ['a limit that is none', { maxConnectionsPerAddress: '1' }, 'ERR_INVALID_ARG_TYPE'],
  ['a block list that is none', { blockList: ['127.0.0.1'] }, 'ERR_INVALID_ARG_TYPE'],
  ['no block list', { blockList: null }, 'ERR_INVALID_ARG_TYPE'],
  ['a negative time', { idleTimeout: -1 }, 'ERR_OUT_OF_RANGE'],
  ['a time that is none', { idleTimeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
  ['no time for the handshake of TLS', { tls: { handshakeTimeout: 0 } }, 'ERR_OUT_OF_RANGE'],
  ['a key that no thread can be given', { threads: 1, handler, tls: { key: [{ pem: Symbol('key') }] } }, 'ERR_INVALID_ARG_VALUE'],
  ['a signal that is none', { signal: new EventTarget() }, 'ERR_INVALID_ARG_TYPE'],
  ['onError that is no function', { onError: 'throw' }, 'ERR_INVALID_ARG_TYPE'],
  ['threads without a handler', { threads: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ['a module as the handler of no threads', { handler }, 'ERR_INVALID_ARG_TYPE'],
  ['no threads', { threads: 0, handler }, 'ERR_OUT_OF_RANGE'],
  ['too many threads', { threads: 1025, handler }, 'ERR_OUT_OF_RANGE'],
  ['half a thread', { threads: 1.5, handler }, 'ERR_OUT_OF_RANGE'],
  ['threads that are none', { threads: '4', handler }, 'ERR_INVALID_ARG_TYPE'],
  ['a function as the handler of threads', { threads: 1, handler: () => {} }, 'ERR_INVALID_ARG_TYPE'],
  ['a relative path as the handler of threads', { threads: 1, handler: './handler.js' }, 'ERR_INVALID_ARG_VALUE']
]
for (const [what, options, code] of wrong) {
  test(`refused: ${what}`, async t => {
    await t.throwsAsync(serve(options as never), { code })
  })
}

test('refused: a handler that is no function, or one too many', async t => {
  await t.throwsAsync(serve({}, 'handler' as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(serve({}, null as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(serve({ threads: 1, handler } as never, echo), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('refused: a listener that does not listen', async t => {
  await t.throwsAsync(serve({ listener: closing(t, tcp()) }, echo), { code: 'ERR_SOCKET_BAD_STATE' })
  const closed = tcp()
  closed.close()
  await t.throwsAsync(serve({ listener: closed }, echo), { code: 'ERR_SOCKET_CLOSED' })
})

test('close refuses what is no time, and does nothing', async t => {
  const server = await serving(t, {}, echo)
  t.true(server instanceof Server)
  for (const wrong of [null, 5, { grace: '5' }]) await t.throwsAsync(server.close(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const grace of [-1, NaN]) await t.throwsAsync(server.close({ grace }), { code: 'ERR_OUT_OF_RANGE' })
  t.is(await ask(await visit(t, server), 'x'), 'x')
})

test('a connection that was being accepted while the server closed is closed, too', async t => {
  for (let i = 0; i < rounds(100); i++) {
    // Its handler ends with it: where the connection comes a turn earlier it is let in, and one that never ends would keep its place.
    const server = await serving(t, {}, wait)
    const [one, other] = await streams(t)
    // Both become ready in one turn, as a rule, and this one is told of first, or last.
    const closed = other.recv().then(() => server.close({ grace: 0 }))
    const client = closing(t, tcp())
    const connecting = client.connect(server.address)
    await one.send('now')
    await closed
    t.is(server.connections, 0)
    if (await connecting.then(() => true, () => false)) await gone(client)
    for (const socket of [one, other, client]) socket.close()
  }
})

test('a signal ends a server that is being closed with grace', async t => {
  const controller = new AbortController()
  const server = await serving(t, { signal: controller.signal }, never)
  const client = await visit(t, server)
  await client.recv()
  const closed = server.close()
  controller.abort()
  await closed
  t.is(await gone(client), '')
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
})

test('closing or detaching the listener is the beginning of the end', async t => {
  for (const end of [(server: Server) => server.listener.close(), (server: Server) => closing(t, server.listener).detach()]) {
    const server = await serving(t, {}, async (socket, { signal }) => {
      await socket.send('welcome')
      await once(signal, 'abort')
    })
    const client = await visit(t, server)
    await client.recv()
    const handle = end(server)
    t.is(await gone(client), '')
    await server.close()
    if (handle !== undefined) closing(t, await attach(handle))
  }
})

test('what is thrown may be anything', async t => {
  const errors: unknown[] = []
  const server = await serving(t, { onError: error => errors.push(error) }, () => {
    throw Object.create(null)
  })
  t.is(await gone(await visit(t, server)), '')
  t.is(errors.length, 1)
  // What cannot even be looked at, as the server ends.
  const unspeakable = new Proxy({}, { getPrototypeOf: () => { throw new Error('no') } })
  const ending = await serving(t, { onError: error => errors.push(error) }, async (socket) => {
    await wait(socket).catch(() => { throw unspeakable })
  })
  await (await visit(t, ending)).recv()
  await ending.close({ grace: 0 })
  t.is(errors[1], unspeakable)
  const { code, stderr } = await child(t, 'served', ['odd'])
  t.is(code, 0)
  t.regex(stderr, /SOCKET2_SERVER/)
})

test('a block list that fails, and a subscriber that closes a connection, stop nothing and leave no count behind', async t => {
  const errors: unknown[] = []
  const faulty = { check: (): boolean => { throw new Error('no list') } } as unknown as BlockList
  const server = await serving(t, { blockList: faulty, onError: error => errors.push(error) }, echo)
  t.is(await gone(await visit(t, server)), '')
  t.is(await gone(await visit(t, server)), '')
  t.deepEqual([errors.length, server.connections], [2, 0])
})

test('connections of an iterated server that are forgotten are not held by it', async t => {
  const { code, stdout } = await child(t, 'served', ['forgotten'], ['--expose-gc'])
  t.deepEqual([code, stdout], [0, 'collected\n'])
})
