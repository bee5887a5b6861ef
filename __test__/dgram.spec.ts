// socket2/dgram: what the documentation of unix-dgram promises, what node:dgram has besides, and the libraries that are built on the former.
import { once } from 'node:events'
import { readdirSync, renameSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { constants } from 'node:os'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { udp, type UdpSocket } from 'socket2'
import { createSocket, type DatagramError, type RemoteInfo, type Socket } from 'socket2/dgram'
import { users } from './_users.js'
import { child, closing, freshPath, lacks, staysAlive, unless } from './_util.js'

const unix = unless(lacks.unixDatagrams)
const abstract = unless(lacks.unixDatagrams || lacks.abstractNames)

/** Libraries that use unix-dgram, with ours under that name. */
const { reason, load, resolve } = users('unix-dgram', lacks.unixDatagrams)
const withUsers = unless(reason)
const { StatsD } = load<HotShots>('hot-shots')
const { Syslog } = load<WinstonSyslog>('winston-syslog')
const winston = load<Winston>('winston')

// Messages

unix('a message comes with its size and the path of who sent it, which can be answered', async t => {
  const [server, client] = [bound(t), bound(t)]
  client.send(Buffer.from('hello'), server.address().address)
  const [data, { size, path }] = await message(server)
  t.deepEqual([data, size, path], [Buffer.from('hello'), 5, client.address().address])
  server.send('and back', path!)
  const [reply, from] = await message(client)
  t.deepEqual([String(reply), from], ['and back', { size: 8, path: server.address().address, address: { path: server.address().address }, truncated: false }])
})

unix('who is not bound has no path', async t => {
  const server = bound(t)
  fresh(t).send('x', server.address().address)
  t.is((await message(server))[1].path, null)
})

unix('an empty message is one, and messages come in their order', async t => {
  const server = bound(t)
  const client = fresh(t).connect(server.address().address)
  const sent = ['one', '', 'three', '', '']
  for (const text of sent) client.send(text)
  t.deepEqual(await messages(server, sent.length), sent)
})

unix('a part of a message is sent by its offset and length, to a path or to the peer, and a list of parts as one', async t => {
  const server = bound(t)
  const { address } = server.address()
  const client = fresh(t)
  const data = Buffer.from('foobarbaz')
  client.send(data, 3, 4, address)
  client.sendto(data, 0, 3, address)
  client.send(data, 9, 0, address)
  client.connect(address)
  client.send(data, 6, 3)
  client.send(data)
  client.send(['a', data, Buffer.from('z')])
  client.send(data, address, undefined)
  client.send(data, 0, 1, undefined)
  t.deepEqual(await messages(server, 8), ['barb', 'foo', '', 'baz', 'foobarbaz', 'afoobarbazz', 'foobarbaz', 'f'])
})

unix('a message that is too big is EMSGSIZE; one of more than 65,536 bytes comes cut', async t => {
  const server = bound(t)
  const client = fresh(t).connect(server.address().address)
  client.setSendBufferSize(200_000)
  t.like(failing(client, () => client.send(Buffer.alloc(4 << 20))), { code: -constants.errno.EMSGSIZE, syscall: 'send' })
  for (const [length, cut] of [[65_536, false], [65_537, true]] as const) {
    client.send(Buffer.alloc(length))
    const [data, { size, truncated }] = await message(server)
    t.deepEqual([data.length, size, truncated], [65_536, 65_536, cut])
  }
})

unix('what a listener throws is an uncaught exception, and the next message is told all the same', async t => {
  const said = ['left', "uncaughtException: cannot take 'one'", "uncaughtException: cannot take 'two'", "uncaughtException: cannot take ''", '']
  t.like(await child(t, 'dgram', ['a listener that throws', freshPath(t)]), { code: 0, stdout: said.join('\n'), stderr: '' })
})

// Within the call

unix('bind and connect have told that they are done when they return, and callbacks of send have been called', t => {
  const path = freshPath(t)
  const told: unknown[] = []
  const server = fresh(t).on('listening', () => told.push('listening')).bind(path, () => told.push('bound'))
  const client = fresh(t).on('connect', () => told.push('connect')).connect(path, error => told.push(error ?? 'connected'))
  client.send('one', (error, bytes) => told.push(error, bytes))
  server.send('three', path, (error, bytes) => told.push(error, bytes))
  t.deepEqual(told, ['listening', 'bound', 'connect', 'connected', undefined, 3, undefined, 5])
  t.true(client.connected)
  t.false(server.connected)
})

unix('code and errno of an error are the negative number, as with unix-dgram; the name is in its message and in its cause', t => {
  const path = freshPath(t)
  const error = failing(fresh(t), socket => socket.connect(path))
  const number = -constants.errno.ENOENT
  t.like(error, { code: number, errno: number, syscall: 'connect', address: path, message: `connect ENOENT unix:${path}` })
  t.like(error.cause, { name: 'SocketError', code: 'ENOENT' })
})

unix('what fails without a listener for errors is thrown by the call that failed', t => {
  const path = freshPath(t)
  const socket = fresh(t)
  const ENOENT = { code: -constants.errno.ENOENT } as object
  t.throws(() => socket.connect(path), ENOENT)
  t.throws(() => socket.bind(`${path}/deeper`), ENOENT)
  t.throws(() => socket.send('x', path), ENOENT)
  t.false(socket.connected)
  t.is(fresh(t).bind(path).address().address, path)
})

unix('a callback is told what fails, and then there is no error event', t => {
  const path = freshPath(t)
  const socket = fresh(t).on('error', () => t.fail())
  const told: (number | undefined)[] = []
  socket.connect(path, error => told.push(error?.code))
  socket.send('x', path, error => told.push(error?.code))
  socket.send('x', error => told.push(error?.code))
  t.deepEqual(told, [-constants.errno.ENOENT, -constants.errno.ENOENT, -constants.errno.ENOTCONN])
})

// Peers

unix('a path where something is cannot be bound, nor a socket twice', t => {
  const path = freshPath(t)
  const server = fresh(t).bind(path)
  t.like(failing(fresh(t), socket => socket.bind(path)), { code: -constants.errno.EADDRINUSE, syscall: 'bind', address: path })
  t.like(failing(server, () => server.bind(`${path}2`)), { code: -constants.errno.EINVAL })
})

unix('a path that was left over refuses the connection', t => {
  const path = freshPath(t)
  const server = fresh(t).bind(path)
  renameSync(path, `${path}.left`)
  server.close()
  t.like(failing(fresh(t), socket => socket.connect(`${path}.left`)), { code: -constants.errno.ECONNREFUSED, syscall: 'connect' })
})

unix('when the receiver has gone a send fails, and after another connect to its successor it goes on', async t => {
  const path = freshPath(t)
  const first = fresh(t).bind(path)
  const client = fresh(t).connect(path)
  client.send('one')
  t.is(String((await message(first))[0]), 'one')
  first.close()
  t.like(failing(client, () => client.send('lost')), { code: -constants.errno.ECONNREFUSED, syscall: 'send', address: path })
  t.true([constants.errno.ENOTCONN, constants.errno.ECONNREFUSED].includes(-failing(client, () => client.send('lost')).code))
  const second = fresh(t).bind(path)
  client.connect(path).send('two')
  t.is(String((await message(second))[0]), 'two')
})

unix('a socket tells where it is and who its peer is, hears nobody else, and can let go of the peer', async t => {
  const [one, other, stranger] = [bound(t), bound(t), fresh(t)]
  const nowhere = { address: '', family: 'unix', port: 0 }
  t.deepEqual([stranger.address(), stranger.remoteAddress()], [nowhere, nowhere])
  one.connect(other.address().address)
  t.deepEqual(one.remoteAddress(), other.address())
  stranger.send('x', one.address().address, error => t.is(error?.code, -constants.errno.EPERM))
  one.disconnect()
  t.false(one.connected)
  t.deepEqual(one.remoteAddress(), nowhere)
  stranger.send('y', one.address().address)
  t.is(String((await message(one))[0]), 'y')
})

// Congestion

unix('a peer that is full is congestion: the datagram comes back, and once there is room the socket is writable', async t => {
  const { receiver, client } = await peers(t)
  const sent: string[] = []
  let back: Uint8Array | undefined
  client.on('congestion', data => (back = data))
  while (back === undefined) client.send(Buffer.from(`message ${sent.push('')}`))
  t.is(String(back), `message ${sent.length}`)
  const writable = once(client, 'writable')
  t.is(String((await receiver.recv()).data), 'message 1')
  await writable
  client.send(back)
  for (let i = 2; i <= sent.length; i++) t.is(String((await receiver.recv()).data), `message ${i}`)
})

unix('the callback is told of congestion, which is no error event then', async t => {
  const { receiver, client } = await peers(t)
  client.on('congestion', () => t.fail()).on('error', () => t.fail())
  const total = 1000
  const sending = (async () => {
    for (let sent = 0; sent < total; ) {
      const error = await new Promise<DatagramError | undefined>(resolve => client.send(`${sent}`, resolve))
      if (error === undefined) sent++
      else {
        t.is(`${error.code} ${error.message}`, '1 congestion')
        await once(client, 'writable')
      }
    }
  })()
  for (let i = 0; i < total; i++) if (String((await receiver.recv()).data) !== `${i}`) return t.fail(`message ${i} is not itself`)
  await sending
  t.pass()
})

unix('hundreds that are sent without waiting, and again when writable, all arrive in their order', async t => {
  const server = bound(t)
  const client = fresh(t).setMaxListeners(300)
  client.on('congestion', data => client.once('writable', () => client.send(data))).connect(server.address().address)
  const sent = Array.from({ length: 300 }, (_, i) => `PING${i}`)
  const receiving = messages(server, sent.length)
  for (const text of sent) client.send(Buffer.from(text))
  t.deepEqual(await receiving, sent)
})

unix('a full receiver that is not the peer is EAGAIN', async t => {
  const { receiver, client } = await peers(t)
  client.disconnect()
  let error: DatagramError | undefined
  while (error === undefined) client.send('more', receiver.localAddress!.path!, told => (error = told))
  t.like(error, { code: -constants.errno.EAGAIN, syscall: 'send' })
})

unix('a socket that is closed while its peer is full is never writable', async t => {
  const { receiver, client } = await peers(t)
  client.on('writable', () => t.fail())
  let full = false
  client.on('congestion', () => (full = true))
  while (!full) client.send('more')
  client.close()
  await once(client, 'close')
  await receiver.recv()
  t.pass()
})

// Names

abstract('abstract names begin with @, or NUL as with node:net', async t => {
  const name = `socket2-dgram-${process.pid}-${Math.random()}`
  const server = fresh(t).bind(`@${name}`)
  t.is(server.address().address, `@${name}`)
  const client = fresh(t).bind(`\0${name}-client`).connect(`\0${name}`)
  client.send('x')
  t.is((await message(server))[1].path, `@${name}-client`)
  t.like(failing(fresh(t), socket => socket.bind(`\0${name}`)), { code: -constants.errno.EADDRINUSE })
  server.close()
  t.like(failing(fresh(t), socket => socket.connect(`@${name}`)), { code: -constants.errno.ECONNREFUSED })
})

abstract('a bind without a path gets a free name from the system, which can be answered', async t => {
  const [one, other] = [fresh(t).bind(), fresh(t).bind('')]
  t.regex(one.address().address, /^@\w+$/)
  t.not(one.address().address, other.address().address)
  one.send('x', other.address().address)
  t.is((await message(other))[1].path, one.address().address)
})

// The end

unix('close is done at once: no descriptor, no path, and nothing comes any more, but for the event', async t => {
  const path = freshPath(t)
  const server = fresh(t).bind(path)
  server.on('message', () => t.fail())
  fresh(t).send('x', path)
  let closed = 0
  server.on('close', () => closed++)
  server.close(() => closed++)
  t.deepEqual([server.fd, closed, readdirSync(dirname(path)).includes(basename(path))], [-1, 0, false])
  await once(server, 'close')
  t.is(closed, 2)
  await new Promise<void>(resolve => server.close(resolve))
  t.is(closed, 2)
})

unix('who emits the close of a socket himself, since unix-dgram does not, is not told twice', async t => {
  const socket = fresh(t)
  let closed = 0
  socket.on('close', () => closed++)
  socket.close()
  socket.emit('close')
  await new Promise(resolve => setImmediate(resolve))
  t.is(closed, 1)
})

unix('a closed socket sends nothing: EBADF', t => {
  const socket = fresh(t)
  socket.close()
  const EBADF = { code: -constants.errno.EBADF }
  for (const act of [() => socket.send('x'), () => socket.send('x', '/x'), () => socket.connect('/x'), () => socket.bind('/x')]) {
    t.like(failing(socket, act), EBADF)
  }
})

unix('a signal closes, before or after', async t => {
  const controller = new AbortController()
  const socket = createSocket({ type: 'unix_dgram', signal: controller.signal })
  t.not(socket.fd, -1)
  controller.abort()
  t.is(socket.fd, -1)
  t.is(createSocket({ type: 'unix_dgram', signal: controller.signal }).fd, -1)
})

for (const name of ['bound', 'ref after unref']) {
  unix(`the process goes on with a socket that is ${name}`, async t => {
    await staysAlive(t, 'dgram', [name, freshPath(t)])
  })
}

for (const [name, said] of Object.entries({
  'neither bound nor connected': '', 'connected': '', 'unref': '', 'unref while bound': '', 'bound and closed': 'closed\n', 'congested': 'writable\n'
})) {
  unix(`the process ends with a socket that is ${name}${said && ', once it has happened'}`, async t => {
    t.like(await child(t, 'dgram', [name, freshPath(t)]), { code: 0, stdout: `left\n${said}`, stderr: '' })
  })
}

// Arguments

unix('the sizes of the buffers are set when it is made, or later', t => {
  const socket = closingIt(t, createSocket({ type: 'unix_dgram', recvBufferSize: 20_000, sendBufferSize: 30_000 }))
  // Linux doubles them.
  t.true([1, 2].includes(socket.getRecvBufferSize() / 20_000) && [1, 2].includes(socket.getSendBufferSize() / 30_000))
  socket.setRecvBufferSize(40_000)
  socket.setSendBufferSize(50_000)
  t.true([1, 2].includes(socket.getRecvBufferSize() / 40_000) && [1, 2].includes(socket.getSendBufferSize() / 50_000))
})

test('a UDP socket is one of node:dgram', async t => {
  const server = createSocket('udp4', (data, { port, address }) => server.send(data, port, address))
  const client = createSocket({ type: 'udp4' })
  t.teardown(() => void [server.close(), client.close()])
  await new Promise<void>(resolve => server.bind(0, '127.0.0.1', resolve))
  client.send('echo', server.address().port, '127.0.0.1')
  t.is(String((await once(client, 'message'))[0]), 'echo')
})

test('a signal that is none is refused before a socket is made', t => {
  for (const signal of [{}, null, 'abort']) {
    t.throws(() => createSocket({ type: 'unix_dgram', signal: signal as AbortSignal }), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
  }
})

test('a type of socket that is none is refused', t => {
  for (const type of ['unix', 'tcp', '', undefined, null, 1, {}, { type: 'unix_stream' }]) {
    t.throws(() => createSocket(type as 'unix_dgram'), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
  }
})

unless(!lacks.unixDatagrams && 'this system has unix datagrams')('where there are no unix datagrams making a socket says so', t => {
  t.throws(() => createSocket('unix_dgram'), { code: 'ERR_UNSUPPORTED_PLATFORM' })
})

unix('wrong arguments are thrown at once, and nothing is sent', async t => {
  const server = bound(t)
  const { address } = server.address()
  const client = fresh(t).on('error', () => t.fail())
  const type = { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' }
  const value = { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' }
  const range = { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' }
  for (const path of [1, null, {}, Buffer.from('/x')]) {
    for (const act of ['bind', 'connect'] as const) t.throws(() => client[act](path as string), type)
    t.throws(() => client.send('x', 0, 1, path as string), type)
  }
  for (const path of ['/a\0b', `/${'x'.repeat(200)}`, '/\ud800']) {
    t.throws(() => client.bind(path), value)
    t.throws(() => client.connect(path), value)
    t.throws(() => client.send('x', path), value)
  }
  for (const data of [undefined, null, 1, {}, [1], new ArrayBuffer(1)]) t.throws(() => client.send(data as string, address), type)
  for (const [offset, length] of [[-1, 1], [0, 4], [4, 0], [1, 3], [0.5, 1], [0, -1], [0, Number.NaN]] as const) {
    t.throws(() => client.send('abc', offset, length, address), range)
  }
  t.throws(() => client.send('abc', 1, undefined as unknown as number, address), type)
  const none = undefined as never
  t.throws(() => client.send('abc', none, 1, address), type)
  t.throws(() => client.send('abc', none, none, address, () => t.fail()), type)
  t.throws(() => client.sendto('abc', none, none, address), type)
  const connected = fresh(t).connect(address)
  t.throws(() => connected.send('abc', none, 1), type)
  t.throws(() => connected.sendto('abc', 0, 3, none), type)
  t.throws(() => connected.sendto('abc', 0, 3, (() => t.fail()) as never), type)
  client.send('the only one', address)
  t.deepEqual(await messages(server, 1), ['the only one'])
})

// The libraries that use unix-dgram

withUsers('in a project where unix-dgram leads to socket2/dgram both are one, imported or required', async t => {
  const imported = await import(pathToFileURL(resolve('unix-dgram')).href) as { createSocket: unknown }
  const required = load<{ createSocket: unknown }>('unix-dgram')
  t.deepEqual([imported.createSocket, required.createSocket], [createSocket, createSocket])
})

withUsers('metrics of hot-shots arrive, and its close is told once', async t => {
  const receiver = await closing(t, udp('unix')).bind(`unix:${freshPath(t)}`)
  const errors: Error[] = []
  const client = new StatsD({ protocol: 'uds', path: receiver.localAddress!.path!, prefix: 'app.', errorHandler: error => errors.push(error) })
  client.increment('requests')
  client.gauge('load', 0.5, ['core:1'])
  await new Promise(resolve => client.timing('took', 12, resolve))
  let closed = 0
  await new Promise<void>(resolve => client.close(() => resolve(void closed++)))
  const metrics: string[] = []
  while (metrics.length < 3) metrics.push(...String((await receiver.recv()).data).trim().split('\n'))
  t.deepEqual(metrics, ['app.requests:1|c', 'app.load:0.5|g|#core:1', 'app.took:12|ms'])
  await new Promise(resolve => setImmediate(resolve))
  t.deepEqual([closed, errors], [1, []])
})

withUsers('hot-shots tells when nobody is at the path', t => {
  const errors: DatagramError[] = []
  t.truthy(new StatsD({ protocol: 'uds', path: freshPath(t), errorHandler: error => errors.push(error) }))
  t.deepEqual(errors.map(({ code, syscall }) => [code, syscall]), [[-constants.errno.ENOENT, 'connect']])
})

withUsers('hot-shots connects again when its receiver has been started anew', async t => {
  const path = freshPath(t)
  const first = await closing(t, udp('unix')).bind(`unix:${path}`)
  const client = new StatsD({ protocol: 'uds', path, bufferFlushInterval: 5, udsGracefulRestartRateLimit: 1, errorHandler: () => {} })
  const count = (): Promise<unknown> => new Promise(resolve => client.increment('count', resolve))
  await count()
  t.is(String((await first.recv()).data).trim(), 'count:1|c')
  first.close()
  const second = await closing(t, udp('unix')).bind(`unix:${path}`)
  // Those that fail until then are lost, as with any statsd.
  const receiving = second.recv()
  const again = setInterval(() => void count(), 5)
  t.regex(String((await receiving).data), /^(count:1\|c\n?)+$/)
  clearInterval(again)
  await new Promise<void>(resolve => client.close(resolve))
})

for (const protocol of ['unix', 'unix-connect']) {
  withUsers(`log lines of winston-syslog arrive by its protocol ${protocol}`, async t => {
    const receiver = await closing(t, udp('unix')).bind(`unix:${freshPath(t)}`)
    const logger = logTo(t, receiver.localAddress!.path!, protocol)
    for (const text of ['one', 'two']) logger.error(text)
    logger.info('three')
    const lines: string[] = []
    for (let i = 0; i < 3; i++) lines.push(String((await receiver.recv()).data))
    t.deepEqual(lines.map(line => /^<(\d+)>.* app\[7\]: ?.*"(?:message)":"(\w+)"/.exec(line)?.slice(1)), [['131', 'one'], ['131', 'two'], ['134', 'three']], lines.join('\n'))
  })
}

withUsers('winston-syslog by unix-connect goes on once a receiver is there again', async t => {
  const path = freshPath(t)
  const logger = logTo(t, path, 'unix-connect')
  const failed = once(logger, 'error') as Promise<[DatagramError]>
  logger.error('too early')
  t.like((await failed)[0], { code: -constants.errno.ENOENT, syscall: 'connect' })
  const receiver = await closing(t, udp('unix')).bind(`unix:${path}`)
  logger.error('in time')
  t.regex(String((await receiver.recv()).data), /too early/)
  t.regex(String((await receiver.recv()).data), /in time/)
})

interface Statistics {
  increment(name: string, told?: (error?: Error) => void): void
  gauge(name: string, value: number, tags: string[]): void
  timing(name: string, value: number, told: (error?: Error) => void): void
  close(told: () => void): void
}

interface Logger extends NodeJS.EventEmitter {
  error(text: string): void
  info(text: string): void
}

interface HotShots {
  StatsD: new (options: { protocol: string; path: string; errorHandler: (error: DatagramError) => void; [option: string]: unknown }) => Statistics
}

interface WinstonSyslog {
  Syslog: new (options: { protocol: string; path: string; [option: string]: unknown }) => { close(): void }
}

interface Winston {
  createLogger(options: { transports: object[]; [option: string]: unknown }): Logger
}

function logTo(t: ExecutionContext, path: string, protocol: string): Logger {
  const transport = new Syslog({ protocol, path, appName: 'app', pid: 7, localhost: 'here' })
  // After an error of the transport the logger no longer closes it.
  t.teardown(() => transport.close())
  return winston.createLogger({ transports: [transport] })
}

/** A socket, closed when the test ends. */
function fresh(t: ExecutionContext): Socket {
  return closingIt(t, createSocket('unix_dgram'))
}

function closingIt(t: ExecutionContext, socket: Socket): Socket {
  t.teardown(() => socket.close())
  return socket
}

function bound(t: ExecutionContext): Socket {
  return fresh(t).bind(freshPath(t))
}

/** A receiver that takes nothing unless asked, and a client that is connected to it. */
async function peers(t: ExecutionContext): Promise<{ receiver: UdpSocket; client: Socket }> {
  const receiver = await closing(t, udp('unix')).bind(`unix:${freshPath(t)}`)
  return { receiver, client: fresh(t).connect(receiver.localAddress!.path!) }
}

function message(socket: Socket): Promise<[Buffer, RemoteInfo]> {
  return once(socket, 'message') as Promise<[Buffer, RemoteInfo]>
}

/** The next messages, as text. */
async function messages(socket: Socket, count: number): Promise<string[]> {
  const got: string[] = []
  const all = new Promise<void>(resolve => {
    socket.on('message', function listener(data: Buffer) {
      if (got.push(String(data)) < count) return
      socket.off('message', listener)
      resolve()
    })
  })
  await all
  return got
}

/** The error that an act tells the socket, before it returns. */
function failing(socket: Socket, act: (socket: Socket) => unknown): DatagramError {
  const told: DatagramError[] = []
  const listener = (error: DatagramError): unknown => told.push(error)
  socket.on('error', listener)
  act(socket)
  socket.off('error', listener)
  if (told.length !== 1) throw new Error(`${told.length} errors were told`)
  return told[0]!
}
