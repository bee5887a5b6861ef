// The helper `connect` where there is one address to connect to, its arguments, and what it makes of names.
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { addr, Address, connect, loop, tcp, TcpSocket, type ConnectOptions, type Port, type SocketError } from 'socket2'
import { deserted, fullListener } from './_nobody.js'
import { fullStacks } from './_system.js'
import { addressOf, closing, freshPath, lacks, listener, loopback, unless } from './_util.js'

// One after the other, since they look at all the sockets that are open.
const serially = test.serial

for (const family of ['inet', 'inet6', 'unix'] as const) {
  const here = unless(family === 'unix' && lacks.unix, serially)

  here(`${family}: an address is connected, and both ends know both addresses`, async t => {
    const server = await listener(t, family)
    const socket = closing(t, await connect(addressOf(server)))
    t.true(socket instanceof TcpSocket)
    t.is(socket.family, family)
    t.true(socket.remoteAddress!.equals(addressOf(server)))
    const peer = closing(t, await server.accept())
    if (family !== 'unix') t.true(peer.remoteAddress!.equals(socket.localAddress!))
    await socket.send('hello')
    t.is(String(await peer.recv()), 'hello')
  })

  here(`${family}: one address fails with its own error, whose stack leads to the call, and nothing is left open`, async t => {
    const address = await deserted(t, family)
    const before = open()
    const error = await failure(address)
    t.like(error, { name: 'SocketError', code: 'ECONNREFUSED', syscall: 'connect', address: address.address, message: `connect ECONNREFUSED ${address}`, cause: undefined })
    // Three of the ten lines Deno needs for itself, and a race is one line more.
    if ((fullStacks && process.versions['deno'] === undefined) || family === 'unix') t.regex(error.stack!, /at (async )?failure .*connect-to/)
    t.is(open(), before)
  })
}

for (const family of ['inet', 'inet6'] as const) {
  serially(`${family}: a literal host is connected without a lookup, with its options set, from where it is told to`, async t => {
    const server = await listener(t, family)
    const { address, port } = addressOf(server)
    const [localAddress] = loopback(t, family)
    const socket = closing(t, await connect(port, address, { localAddress, keepAlive: true, noDelay: false }))
    t.is(closing(t, await server.accept()).remoteAddress!.port, socket.localAddress!.port)
    t.is(socket.localAddress!.address, localAddress)
    t.deepEqual([socket.getOption('keepAlive'), socket.getOption('noDelay')], [true, false])
    const other = await listener(t, family)
    const from = addressOf(other)
    t.like(await failure(port, address, { localAddress: from }), { code: 'EADDRINUSE', syscall: 'bind' })
    other.close()
    t.true(closing(t, await connect(port, address, { localAddress: from })).localAddress!.equals(from))
  })

  serially(`${family}: one address that nobody answers at ends by the time or the signal, and nothing is left open`, async t => {
    const { address } = await fullListener(t, family)
    const before = open()
    for (const timeout of [0, 30]) {
      t.like(await failure(address, { timeout }), { code: 'ETIMEDOUT', syscall: 'connect', timeout, message: `connect ETIMEDOUT: not done within ${timeout} ms` })
    }
    const controller = new AbortController()
    const reason = { any: 'thing' }
    const connecting = connect(address, { signal: controller.signal })
    controller.abort(reason)
    t.is(await connecting.then(() => t.fail(), (error: unknown) => error), reason)
    t.is(await connect(address, { signal: controller.signal }).then(() => t.fail(), (error: unknown) => error), reason)
    t.is(open(), before)
  })
}

/** The error of a connect that fails; it is awaited on a line of this file. */
async function failure(where: Port | Address, options?: ConnectOptions): Promise<SocketError>
async function failure(port: Port, host: string, options?: ConnectOptions): Promise<SocketError>
async function failure(...args: unknown[]): Promise<SocketError> {
  try {
    await (connect as (...args: unknown[]) => Promise<TcpSocket>)(...args)
  } catch (error) {
    return error as SocketError
  }
  throw new Error('it has connected')
}

/** How many sockets are open. */
function open(): number {
  return loop.stats().length
}

serially('the host is localhost unless given, and the options can follow the port', async t => {
  const server = await listener(t)
  const { port } = addressOf(server)
  t.is(closing(t, await connect(port)).remoteAddress!.port, port)
  t.is(closing(t, await connect(`${port}`, undefined, { family: 'inet' })).remoteAddress!.address, '127.0.0.1')
  t.true(closing(t, await connect(port, { keepAlive: true })).getOption('keepAlive'))
  t.is(closing(t, await connect(port, false)).remoteAddress!.address, '127.0.0.1')
  t.is(closing(t, await connect(await addr('localhost', port))).remoteAddress!.port, port)
})

serially('a port can be the name of a service', async t => {
  // Whether there is somebody or not.
  const { port } = await connect('http', '127.0.0.1').then(socket => closing(t, socket).remoteAddress!, (error: SocketError) => error)
  t.is(port, 80)
  t.like(await failure('nosuchservice', '127.0.0.1'), { code: 'EAI_SERVICE' })
})

serially('a name that is not there is ENOTFOUND, or no answer EAI_AGAIN, and a stack leads to the call', async t => {
  const error = await failure(80, 'nobody.invalid')
  t.true(['ENOTFOUND', 'EAI_AGAIN'].includes(error.code), error.code)
  t.like(error, { syscall: 'getaddrinfo', hostname: 'nobody.invalid' })
  if (fullStacks) t.regex(error.stack!, /at async failure .*connect-to/)
})

unless(lacks.unix, serially)('a unix path is connected by its name, with options, and has its own errors', async t => {
  const server = await listener(t, 'unix')
  const path = addressOf(server).toString() as `unix:${string}`
  const socket = closing(t, await connect(path, { sendBufferSize: 50_000 }))
  t.is(socket.remoteAddress!.toString(), path)
  t.true(socket.getOption('sendBufferSize') >= 50_000)
  t.is(closing(t, await connect(0, path)).family, 'unix', 'as the host, too')
  const gone = freshPath(t)
  t.like(await failure(`unix:${gone}`), { code: 'ENOENT', address: gone, message: `connect ENOENT unix:${gone}`, cause: undefined })
  t.like(await failure(`unix:${gone}`, { family: 'inet' }), { code: 'ERR_INVALID_ARG_VALUE' })
  t.like(await failure(`unix:${gone}`, { localAddress: '127.0.0.1' }), { code: 'ERR_INVALID_ARG_VALUE' })
  t.like(await failure(`unix:${gone}`, { noDelay: true }), { code: 'ERR_INVALID_ARG_VALUE' })
})

unless(lacks.abstractNames, serially)('an abstract name is connected', async t => {
  const server = await closing(t, tcp('unix')).listen(`unix:@socket2-connect-${process.pid}`)
  t.is(closing(t, await connect(`unix:@socket2-connect-${process.pid}`)).remoteAddress!.toString(), addressOf(server).toString())
})

const TYPE = 'ERR_INVALID_ARG_TYPE'
const VALUE = 'ERR_INVALID_ARG_VALUE'
const RANGE = 'ERR_OUT_OF_RANGE'
const PORT = 'ERR_SOCKET_BAD_PORT'
const here = Address.parse('127.0.0.1:9')
const path = Address.parse('unix:/nowhere')

/** Calls with something wrong, and the code of their error. */
const WRONG: readonly [code: string, ...args: unknown[]][] = [
  [TYPE], [TYPE, null], [TYPE, {}], [TYPE, true], [TYPE, Symbol('port')], [TYPE, 9n],
  [PORT, -1], [PORT, 65536], [PORT, 1.5], [PORT, NaN], [PORT, '65536'], [PORT, ''], [PORT, '-1'],
  [TYPE, 9, null], [TYPE, 9, 9], [TYPE, 9, true], [TYPE, 9, {}, {}], [TYPE, 9, here, {}], [VALUE, 9, ''], [VALUE, 9, 'a\0b'], [VALUE, 9, '\ud800'],
  [VALUE, []], [TYPE, [null]], [TYPE, ['127.0.0.1:9']], [TYPE, [here, undefined]], [VALUE, [here, path]], [VALUE, [path, path]],
  [TYPE, 9, 'localhost', null], [TYPE, 9, 'localhost', 9], [TYPE, here, 'options'], [TYPE, 'unix:/nowhere', 9],
  [VALUE, 9, 'localhost', { family: 'unix' }], [VALUE, 9, 'localhost', { family: 4 }], [VALUE, 9, 'localhost', { family: null }],
  [VALUE, 9, '127.0.0.1', { family: 'inet6' }], [VALUE, here, { family: 'inet6' }], [VALUE, [here, here], { family: 'inet6' }],
  [TYPE, here, { timeout: '1' }], [TYPE, here, { timeout: null }], [RANGE, here, { timeout: -1 }], [RANGE, here, { timeout: NaN }],
  [TYPE, here, { signal: {} }], [TYPE, here, { signal: null }],
  [TYPE, here, { attemptDelay: '250' }], [RANGE, here, { attemptDelay: 0 }], [RANGE, here, { attemptDelay: 9.9 }], [RANGE, here, { attemptDelay: NaN }],
  [TYPE, here, { localAddress: 9 }], [TYPE, here, { localAddress: null }], [VALUE, here, { localAddress: '' }], [VALUE, here, { localAddress: 'localhost' }],
  [VALUE, here, { localAddress: path }], [VALUE, here, { localAddress: '::1' }], [VALUE, 9, '::1', { localAddress: '127.0.0.1' }],
  [VALUE, 9, 'localhost', { localAddress: '::1', family: 'inet' }],
  [VALUE, here, { nodelay: true }], [VALUE, here, { replaceStale: true }], [TYPE, here, { noDelay: 1 }], [RANGE, here, { recvBufferSize: 0 }], [VALUE, here, { error: 'x' }],
  [VALUE, here, { hopLimit: 3 }], [VALUE, 9, 'localhost', { hopLimit: 3, family: 'inet' }], [RANGE, 9, 'localhost', { hopLimit: 300 }], [VALUE, here, { broadcast: true }]
]

serially('what is wrong with the arguments is rejected with, never thrown, before anything is looked up or opened', async t => {
  const before = open()
  for (const [code, ...args] of WRONG) {
    const connecting = (connect as (...args: unknown[]) => Promise<TcpSocket>)(...args)
    t.is(open(), before, inspect(args))
    const error = await connecting.then(() => t.fail(), (error: SocketError) => error)
    t.is((error as SocketError).code, code, inspect(args))
  }
})

serially('an option that this system lacks is ERR_UNSUPPORTED_PLATFORM', async t => {
  const option = process.platform === 'win32' ? { quickAck: true } : { exclusiveAddressUse: true }
  t.like(await failure(9, 'localhost', option), { code: 'ERR_UNSUPPORTED_PLATFORM' })
})

serially('a local address that this machine has not is EADDRNOTAVAIL, and the socket is closed', async t => {
  const before = open()
  const error = await failure(here, { localAddress: '192.0.2.1' })
  t.like(error, { code: 'EADDRNOTAVAIL', syscall: 'bind', address: '192.0.2.1' })
  t.is(open(), before)
})

serially('`using` closes a connection', async t => {
  const server = await listener(t)
  const socket = await connected(t)
  t.true(socket.closed)

  async function connected(t: ExecutionContext): Promise<TcpSocket> {
    using socket = await connect(addressOf(server))
    t.false(socket.closed)
    return socket
  }
})
