// Connecting: what it reports, what it leaves behind, and the states around it.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Address, pair, tcp, type Family, type TcpSocket } from 'socket2'
import { deserted, fullListener } from './_nobody.js'
import { closing, connectedPair, freshPath, lacks, listener, loopback, unless, wine } from './_util.js'

const families: Family[] = ['inet', 'inet6', 'unix']
const onWindows = process.platform === 'win32' && wine === 0
const badState = { code: 'ERR_SOCKET_BAD_STATE' }

for (const family of families) {
  const here = unless(family === 'unix' && lacks.unix)

  here(`${family}: both ends know both addresses`, async t => {
    const { server, client, peer } = await connectedPair(t, family)
    t.true(client.remoteAddress!.equals(server.localAddress!))
    t.true(peer.localAddress!.equals(server.localAddress!))
    if (family !== 'unix') {
      t.true(client.localAddress!.equals(peer.remoteAddress!))
      t.not(client.localAddress!.port, 0)
    }
    const { remoteAddress } = client
    client.close()
    t.is(client.localAddress, null)
    t.true(client.remoteAddress!.equals(remoteAddress!))
  })

  here(`${family}: a connect to where nobody listens any more is refused, and that socket is closed by it`, async t => {
    const address = await deserted(t, family)
    const client = closing(t, tcp(family))
    const error = await t.throwsAsync(client.connect(address), { code: 'ECONNREFUSED', message: `connect ECONNREFUSED ${address}` })
    t.like(error, { syscall: 'connect', address: address.address, name: 'SocketError' })
    t.is((error as { port?: number }).port, family === 'unix' ? undefined : address.port)
    t.true(client.closed)
    t.is(client.remoteAddress, null)
    await t.throwsAsync(client.connect(address), { code: 'ERR_SOCKET_CLOSED' })
  })

  here(`${family}: while one connect is under way another one, a listen and I/O are refused, and it goes on`, async t => {
    const server = await listener(t, family)
    const client = closing(t, tcp(family))
    const connecting = client.connect(server.localAddress!)
    await t.throwsAsync(client.connect(server.localAddress!), badState)
    if (family !== 'unix') {
      // A unix connection is made by now.
      await t.throwsAsync(client.listen(), badState)
      await t.throwsAsync(client.recv(), badState)
    }
    t.is(await connecting, client)
    await client.send('x')
    t.is(String(await closing(t, await server.accept()).recv()), 'x')
  })

  here(`${family}: arguments that are wrong leave the socket as it was`, async t => {
    const server = await listener(t, family)
    const client = closing(t, tcp(family))
    await t.throwsAsync(client.connect(server.localAddress!, { timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' })
    const foreign = Address.parse(family === 'inet' ? '[::1]:9' : '127.0.0.1:9')
    await t.throwsAsync(client.connect(foreign), { code: 'ERR_INVALID_ARG_VALUE' })
    if (family !== 'unix') await t.throwsAsync(client.connect(loopback(t, family)[0], 65536), { code: 'ERR_SOCKET_BAD_PORT' })
    await t.throwsAsync(client.connect('a\0b', 1), { instanceOf: TypeError })
    await t.notThrowsAsync(client.connect(server.localAddress!))
  })

  here(`${family}: a bound socket connects from where it is bound`, async t => {
    const server = await listener(t, family)
    const client = await closing(t, tcp(family)).bind(...loopback(t, family))
    const { localAddress } = client
    await client.connect(server.localAddress!)
    t.true((closing(t, await server.accept())).remoteAddress!.equals(localAddress!))
  })
}

for (const family of ['inet', 'inet6'] as const) {
  test(`${family}: a refused connect never starts a second attempt`, async t => {
    const server = await closing(t, tcp(family)).bind(...loopback(t, family))
    const { localAddress } = server
    const refused = closing(t, tcp(family))
    const connecting = refused.connect(localAddress!)
    // The system has answered by now, since it is on this machine. From here on a second attempt would succeed.
    await server.listen()
    await t.throwsAsync(connecting, { code: 'ECONNREFUSED' })
    const second = await closing(t, tcp(family)).connect(localAddress!)
    const first = closing(t, await server.accept())
    t.true(first.remoteAddress!.equals(second.localAddress!))
    await t.throwsAsync(server.accept({ timeout: 0 }), { code: 'ETIMEDOUT' })
  })

  test(`${family}: a connect that nobody answers ends by its deadline, by its signal or by close`, async t => {
    const { full, address } = await fullListener(t, family)
    const late = closing(t, tcp(family))
    const error = await t.throwsAsync(late.connect(address, { timeout: 20 }), { code: 'ETIMEDOUT' })
    t.like(error, { syscall: 'connect', timeout: 20 })
    t.true(late.closed, 'it is of no more use')
    await t.throwsAsync(late.connect(address), { code: 'ERR_SOCKET_CLOSED' })

    const none = closing(t, tcp(family))
    t.like(await t.throwsAsync(none.connect(address, { timeout: 0 }), { code: 'ETIMEDOUT' }), { timeout: 0 })

    const byDefault = closing(t, tcp(family))
    byDefault.timeout = 15
    t.like(await t.throwsAsync(byDefault.connect(address), { code: 'ETIMEDOUT' }), { timeout: 15 })

    const controller = new AbortController()
    const reason = new Error('enough')
    const connecting = closing(t, tcp(family)).connect(address, { signal: controller.signal })
    await turn()
    controller.abort(reason)
    t.is(await t.throwsAsync(connecting), reason)

    const never = tcp(family)
    t.is(await t.throwsAsync(never.connect(address, { signal: AbortSignal.abort(reason) })), reason)
    t.true(never.closed)

    const closed = tcp(family)
    const failure = t.throwsAsync(closed.connect(address), { code: 'ERR_SOCKET_CLOSED', message: /^connect/ })
    closed.close()
    let settled = false
    void failure.then(() => (settled = true))
    await turn()
    t.true(settled)
    t.false(full.closed)
  })
}

unless(lacks.unix)('a path that is not there is ENOENT, and one that is no socket is refused', async t => {
  const path = freshPath(t)
  const error = await t.throwsAsync(closing(t, tcp('unix')).connect(`unix:${path}`), { code: 'ENOENT' })
  t.like(error, { address: path, message: `connect ENOENT unix:${path}` })
  writeFileSync(path, 'a file')
  await t.throwsAsync(closing(t, tcp('unix')).connect(`unix:${path}`), { code: 'ECONNREFUSED' })
})

unless(lacks.unix || lacks.posix && 'Windows may let it wait')('a unix listener whose backlog is full refuses, rather than leaving the client to wait for nothing', async t => {
  const server = await closing(t, tcp('unix')).listen(`unix:${freshPath(t)}`, 0, 0)
  const clients: TcpSocket[] = []
  const filling = async (): Promise<void> => {
    for (;;) clients.push(await closing(t, tcp('unix')).connect(server.localAddress!))
  }
  await t.throwsAsync(filling(), { code: 'ECONNREFUSED' })
  t.true(clients.length > 0)
  for (const _ of clients) closing(t, await server.accept())
})

unless(lacks.pairs)('a socket of a pair is connected already', async t => {
  const [one, other] = pair('tcp')
  closing(t, one)
  closing(t, other)
  await t.throwsAsync(one.connect('unix:/nowhere'), badState)
})

test('a name is looked up, and one of its addresses connected', async t => {
  const server = await listener(t)
  const client = await closing(t, tcp()).connect('localhost', server.localAddress!.port)
  t.is(client.remoteAddress!.toString(), server.localAddress!.toString())
})

// Other systems have no view of the file system for one process alone, and some do not permit it.
const mayMount = spawnSync('unshare', ['-rm', 'mount', '--bind', '/etc/hosts', '/etc/hosts']).status === 0

unless(!mayMount && 'this system permits no mount namespace')('each address of a name is tried in turn, until one accepts; when none does the last error is told', async t => {
  const file = join(dirname(freshPath(t)), 'hosts')
  writeFileSync(file, ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map(address => `${address} several.test\n`).join(''))
  const script = fileURLToPath(new URL('_child/several-addresses.js', import.meta.url))
  // A name with several addresses, for one process alone: its own view of the file system.
  const command = 'mount --bind "$1" /etc/hosts && exec "$0" "$2"'
  const { error, stdout, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', command, process.execPath, file, script], { encoding: 'utf8' })
  t.is(error, undefined)
  t.is(stderr, '')
  t.deepEqual(JSON.parse(stdout), { count: 3, found: true, heard: 'hello', extra: 'ETIMEDOUT', failure: 'connect ECONNREFUSED the last' })
})

unless(onWindows && 'Windows has no connection of a socket to itself')('a socket that connects to itself talks to itself', async t => {
  const socket = await closing(t, tcp()).bind('127.0.0.1')
  await socket.connect(socket.localAddress!)
  await socket.send('hello me')
  t.is(String(await socket.recv()), 'hello me')
})

test('reading the error of a connect that was refused does not hide it from the connect', async t => {
  const address = await deserted(t, 'inet')
  const client = tcp()
  const connecting = client.connect(address)
  // The system has answered when connect returns, or soon after.
  const end = performance.now() + 5000
  let error = client.getOption('error')
  while (error === null && performance.now() < end) error = client.getOption('error')
  t.is(error, 'ECONNREFUSED')
  await t.throwsAsync(connecting, { code: 'ECONNREFUSED' })
  t.true(client.closed)
})

test('an abort is an abort, whatever its reason looks like', async t => {
  const { address } = await fullListener(t, 'inet')
  const reason = Object.assign(new RangeError('no'), { code: 'ERR_OUT_OF_RANGE' })
  const abort = new AbortController()
  const client = tcp()
  const connecting = client.connect(address, { signal: abort.signal })
  await turn()
  abort.abort(reason)
  t.is(await t.throwsAsync(connecting), reason)
  t.true(client.closed)
})
