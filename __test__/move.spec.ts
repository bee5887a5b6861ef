/** Sockets that move: to other threads, to and from other code of the process. What moves under traffic is in a child. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BroadcastChannel, Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { attach, fromFd, loop, pair, tcp, udp, type Socket, type SocketHandle, type TcpSocket } from 'socket2'
import { addressOf, child, closing, connectedPair, datagrams, lacks, listener, loopback, rounds, seqpacketPair, unless, wine } from './_util.js'

test('a connection goes to another thread by postMessage, and back, with everything unread', async t => {
  const { client, peer } = await connectedPair(t)
  const worker = await mover(t)
  await client.send('one, two!!')
  worker.postMessage(peer.detach())
  const back = closing(t, await heard(t, worker, 'one, '))
  t.is(String(await back.recv()), 'two!!')
  t.is(String(await client.recv()), 'heard one, ')
  t.deepEqual([back.bytesRead, back.bytesWritten], [10, 11], 'its counts went along')
  t.is(String(back.remoteAddress), String(client.localAddress))
})

test('a connection goes to a new thread in its workerData', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('hello')
  const worker = new Worker(new URL('_child/mover.js', import.meta.url), { workerData: { handle: peer.detach() } })
  t.teardown(() => worker.terminate())
  closing(t, await heard(t, worker, 'hello'))
})

test('of all who hear of a connection on a BroadcastChannel one gets it, and the others are told', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('hello')
  const name = `socket2 ${Math.random()}`
  const workers = await Promise.all([1, 2, 3].map(() => mover(t, { channel: name })))
  const answers = workers.map(async worker => (await once(worker, 'message'))[0] as { error?: string; handle?: SocketHandle<'tcp'> })
  const channel = new BroadcastChannel(name)
  channel.postMessage(peer.detach())
  const all = await Promise.all(answers)
  channel.close()
  t.deepEqual(all.flatMap(({ error }) => error ?? []), ['ERR_SOCKET_BAD_STATE', 'ERR_SOCKET_BAD_STATE'])
  for (const { handle } of all) if (handle !== undefined) closing(t, await attach(handle))
})

test('a listener moves with its backlog, and goes on listening', async t => {
  const server = await listener(t)
  const address = addressOf(server)
  const early = await closing(t, tcp()).connect(address)
  const moved = closing(t, await attach(server.detach()))
  t.is(String(moved.localAddress), String(address))
  closing(t, await moved.accept())
  const accepting = moved.accept()
  const late = await closing(t, tcp()).connect(address)
  const peer = closing(t, await accepting)
  await late.send('x')
  t.is(String(await peer.recv()), 'x')
  early.close()
})

for (const [kind, make, lacking] of [
  ['udp', (t: ExecutionContext) => datagrams(t), false],
  ['unix stream', () => pair('tcp'), lacks.pairs],
  ['unix datagram', () => pair('udp'), lacks.pairs],
  ['seqpacket', async (t: ExecutionContext) => Object.values(await seqpacketPair(t)), lacks.seqpacket]
] as const) {
  unless(lacking)(`a connected ${kind} socket moves`, async t => {
    const [one, other] = (await make(t)).map(socket => closing(t, socket as TcpSocket)) as [TcpSocket, TcpSocket]
    await one.send('before')
    const moved = closing(t, await attach(other.detach()))
    t.is(moved.constructor, other.constructor)
    await one.send('after')
    const received = async (): Promise<string> => {
      const given = await moved.recv(6) as unknown as Buffer | { data: Buffer }
      return String(Buffer.isBuffer(given) ? given : given.data)
    }
    t.is(await received(), 'before')
    t.is(await received(), 'after')
    await moved.send('back')
    const back = await one.recv() as unknown as Buffer | { data: Buffer }
    t.is(String(Buffer.isBuffer(back) ? back : back.data), 'back')
  })
}

test('sockets that have not begun anything move with their options', async t => {
  const stream = closing(t, await attach(tcp('inet', undefined, { keepAlive: true, timeout: 5 }).detach()))
  t.deepEqual([stream.getOption('keepAlive'), stream.getOption('noDelay'), stream.timeout], [true, true, 5])
  await t.throwsAsync(stream.recv(), { code: 'ERR_SOCKET_BAD_STATE' })
  await stream.listen('127.0.0.1')
  const bound = await closing(t, udp()).bind('127.0.0.1')
  const address = addressOf(bound)
  const datagram = closing(t, await attach(bound.detach()))
  await closing(t, udp()).send('x', address)
  t.is(String((await datagram.recv()).data), 'x')
})

unless(lacks.unix)('a unix listener takes its path along, which is removed where it is closed', async t => {
  const [path] = loopback(t, 'unix')
  const server = await closing(t, tcp('unix')).listen(path)
  const moved = closing(t, await attach(server.detach()))
  const client = await closing(t, tcp('unix')).connect(path)
  client.close()
  moved.close()
  await t.throwsAsync(closing(t, tcp('unix')).connect(path), { code: 'ENOENT' })
})

test('what waits when a socket is detached rejects as on close, and nothing of it is lost', async t => {
  const { client, peer } = await connectedPair(t)
  const reading = peer.recvExact(10)
  const writing = peer.send(Buffer.alloc(32 << 20, 1))
  await client.send('12345')
  while (peer.bytesWritten === 0) await client.send('')
  const handle = peer.detach()
  await t.throwsAsync(reading, { code: 'ERR_SOCKET_CLOSED' })
  const { bytesSent } = await t.throwsAsync(writing, { code: 'ERR_SOCKET_CLOSED' }) as { bytesSent?: number }
  t.deepEqual([peer.closed, peer.fd, handle.bytesWritten], [true, -1, bytesSent])
  await t.throwsAsync(peer.recv(), { code: 'ERR_SOCKET_CLOSED' })
  t.throws(() => peer.detach(), { code: 'ERR_SOCKET_CLOSED' })
  const moved = closing(t, await attach(handle))
  await client.send('67890')
  t.is(String(await moved.recvExact(10)), '1234567890')
  moved.shutdown('write')
  t.is((await client.recvAll()).length, bytesSent as number)
})

test('what a reader has read ahead goes along, before what was given back after it', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('line\nahead')
  const reader = peer.reader()
  t.is(await reader.line(), 'line')
  const reading = peer.recvExact(10)
  await client.send(' back')
  while (peer.bytesRead < 15) await client.send('')
  const moved = closing(t, await attach(peer.detach()))
  await t.throwsAsync(reading, { code: 'ERR_SOCKET_CLOSED' })
  await client.send(' more')
  t.is(String(await moved.recvExact(15)), 'ahead back more')
})

unless(wine === 8 && 'Wine 8 takes a reset for an end')('a connection that was reset still has its peer and its error after it has moved', async t => {
  const { client, peer } = await connectedPair(t)
  const { remoteAddress } = peer
  const reading = peer.recv()
  client.reset()
  await t.throwsAsync(reading)
  const moved = closing(t, await attach(structuredClone(peer.detach())))
  t.is(String(moved.remoteAddress), String(remoteAddress))
  t.regex((await t.throwsAsync(moved.recv()) as { code?: string }).code ?? '', /^ECONN/)
})

test.serial('a detached socket stays open until it is attached, and is counted', async t => {
  const { client, peer } = await connectedPair(t)
  const before = loop.detached
  const handle = peer.detach()
  t.is(loop.detached, before + 1)
  await client.send('patience')
  const moved = closing(t, await attach(handle))
  t.is(loop.detached, before)
  t.is(String(await moved.recv()), 'patience')
})

test('what is no handle, or not any more, is refused by name, and nothing happens to any socket', async t => {
  const { client, peer } = await connectedPair(t)
  const handle = peer.detach()
  const moved = closing(t, await attach(handle))
  await t.throwsAsync(attach(handle), { name: 'SocketError', code: 'ERR_SOCKET_BAD_STATE', message: /attached before/ })
  await t.throwsAsync(attach({ ...handle, key: '0'.repeat(32) }), { code: 'ERR_SOCKET_BAD_STATE' })
  const stranger = spawnSync(process.execPath, ['-e', "console.log(JSON.stringify(require('socket2').tcp().detach()))"], { encoding: 'utf8', cwd: import.meta.dirname })
  t.is(stranger.stderr, '')
  await t.throwsAsync(attach({ ...JSON.parse(stranger.stdout) as SocketHandle<'tcp'>, timeout: Infinity }), { code: 'ERR_SOCKET_BAD_STATE' })
  for (const wrong of [undefined, null, 5, 'key', {}, [], { ...handle, key: 'x' }, { ...handle, key: 5 }, { ...handle, type: 'pipe' }, { ...handle, type: 'constructor' },
    { ...handle, family: 7 }, { ...handle, standing: 'closed' }, { ...handle, header: 'PROXY' }, { ...handle, header: Buffer.from('PROXY') }, { ...handle, header: Buffer.from('PROXY TCP6 fe80::1%1 fe80::2 1 2\r\n') }, { ...handle, unread: 'text' }, { ...handle, timeout: -1 }, { ...handle, broken: 5 }, { ...handle, bytesRead: 0.5 }]) {
    const { code } = await t.throwsAsync(attach(wrong as never)) as { code?: string }
    t.regex(code ?? '', /^ERR_(INVALID_ARG|OUT_OF_RANGE)/, JSON.stringify(wrong))
  }
  await client.send('well')
  t.is(String(await moved.recv()), 'well')
})

test('a socket that is connecting cannot be given away', async t => {
  const server = await listener(t)
  const client = closing(t, tcp())
  const connecting = client.connect(addressOf(server))
  t.throws(() => client.detach(), { code: 'ERR_SOCKET_BAD_STATE', message: /connecting/ })
  t.throws(() => client.release(), { code: 'ERR_SOCKET_BAD_STATE' })
  await connecting
  closing(t, await attach(client.detach()))
})

test('connections are moved thousands of times under traffic, and not a byte is lost or doubled', async t => {
  const [connections, hops] = [rounds(100), rounds(100)]
  const { code, stdout, stderr } = await child(t, 'relay', [`${connections}`, `${hops}`])
  t.is(stderr, '')
  t.is(code, 0)
  t.like(JSON.parse(stdout), { wrong: 0, enough: true, detached: 0, open: 0 })
  t.true((JSON.parse(stdout) as { moves: number }).moves >= connections * hops, stdout)
})

test('a descriptor is released open, and taken over as what it is', async t => {
  const { server, client, peer } = await connectedPair(t)
  const fd = peer.release()
  t.true(peer.closed)
  const taken = closing(t, fromFd(fd))
  t.deepEqual([taken.fd, taken.type, taken.family, taken.protocol, String(taken.remoteAddress)], [fd, 'tcp', 'inet', undefined, String(client.localAddress)])
  await client.send('x')
  t.is(String(await (taken as TcpSocket).recv()), 'x')
  const listening = closing(t, fromFd(server.release(), 'tcp'))
  const accepting = listening.accept()
  await closing(t, tcp()).connect(addressOf(listening))
  closing(t, await accepting)
  const bound = closing(t, fromFd((await closing(t, udp('inet6')).bind('::1')).release(), 'udp'))
  t.deepEqual([bound.family, bound.remoteAddress], ['inet6', null])
  const idle = closing(t, fromFd(tcp().release(), 'tcp'))
  await idle.connect(addressOf(listening))
})

test('release ends what waits, and is refused while something that was received would be lost', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('12345')
  await t.throwsAsync(peer.recvExact(10, { timeout: 5 }), { code: 'ETIMEDOUT' })
  t.throws(() => peer.release(), { code: 'ERR_SOCKET_BAD_STATE', message: /5 bytes/ })
  t.is(String(await peer.recv()), '12345')
  const reading = peer.recv()
  closing(t, fromFd(peer.release()))
  await t.throwsAsync(reading, { code: 'ERR_SOCKET_CLOSED' })
})

test('release is refused, too, while an operation waits for the rest of what it has', async t => {
  const { client, peer } = await connectedPair(t)
  const reading = peer.recvExact(6)
  await client.send('abc')
  while (peer.bytesRead < 3) await client.send('')
  t.throws(() => peer.release(), { code: 'ERR_SOCKET_BAD_STATE', message: /3 bytes/ })
  await client.send('def')
  t.is(String(await reading), 'abcdef')
  closing(t, fromFd(peer.release()))
})

test('a connection that is over when it is taken over still gives what came, and how it ended', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('left')
  client.shutdown('write')
  peer.shutdown('write')
  t.is(await client.recvAll().then(String), '')
  const taken = closing(t, fromFd(peer.release(), 'tcp'))
  t.is(String(await taken.recvAll()), 'left')
  if (wine === 8) return // which takes a reset for an end
  const other = await connectedPair(t)
  const reading = other.peer.recv()
  other.client.reset()
  await t.throwsAsync(reading)
  const broken = closing(t, fromFd(other.peer.release(), 'tcp'))
  t.regex((await t.throwsAsync(broken.recvExact(1)) as { code?: string }).code ?? '', /^(ECONN|ERR_UNEXPECTED_EOF)/)
})

test('a choice of options for a bind to come goes along', async t => {
  const name = lacks.exclusiveAddressUse ? 'reuseAddress' : 'exclusiveAddressUse'
  const moved = closing(t, await attach(tcp('inet', undefined, { [name]: false }).detach()))
  t.false((await moved.bind('127.0.0.1')).getOption(name))
  const taken = closing(t, fromFd(tcp().release(), 'tcp'))
  t.false((await taken.bind('127.0.0.1')).getOption(name), 'what something else has opened is left as it is')
})

test('a handle carries what is unread and nothing else of the memory that was in', async t => {
  const { client, peer } = await connectedPair(t)
  await client.send('abc')
  await t.throwsAsync(peer.recvExact(10, { timeout: 5 }), { code: 'ETIMEDOUT' })
  const handle = peer.detach()
  t.deepEqual([handle.unread?.length, handle.unread?.buffer.byteLength], [3, 3])
  closing(t, await attach(handle))
})

test('a handle that was changed on its way is refused, and the socket still there for the right one', async t => {
  const { peer } = await connectedPair(t)
  const handle = peer.detach()
  for (const wrong of [{ type: 'udp' }, { type: 'seqpacket', family: 'unix' }, { family: 'inet6' }]) {
    await t.throwsAsync(attach({ ...handle, ...wrong } as never), { code: 'ERR_SOCKET_BAD_STATE' })
  }
  for (const wrong of [{ peer: { family: 'inet', address: 'bogus', port: 1 } }, { protocol: 'nosuch' }, { sharingChosen: 1 }]) {
    const { code } = await t.throwsAsync(attach({ ...handle, ...wrong } as never)) as { code?: string }
    t.regex(code ?? '', /^ERR_INVALID_ARG/)
  }
  closing(t, await attach(handle))
})

test('the descriptor of a detached socket cannot be taken over', async t => {
  const { peer } = await connectedPair(t)
  const { fd } = peer
  const handle = peer.detach()
  t.throws(() => fromFd(fd), { code: 'ERR_INVALID_ARG_VALUE', message: /of this library/ })
  closing(t, await attach(handle))
})

test('what is no socket, or not of the type, is refused and stays as it was', async t => {
  const socket = closing(t, tcp())
  t.throws(() => fromFd(socket.fd), { code: 'ERR_INVALID_ARG_VALUE', message: /of this library/ })
  for (const wrong of [-1, 1.5, NaN, 2 ** 53]) t.throws(() => fromFd(wrong), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => fromFd('3' as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => fromFd(2 ** 30), { code: process.platform === 'win32' ? 'ENOTSOCK' : 'EBADF' })
  t.throws(() => fromFd(socket.fd, 'pipe' as never), { code: 'ERR_INVALID_ARG_VALUE' })
  const fd = udp().release()
  t.throws(() => fromFd(fd, 'tcp'), { code: 'ERR_INVALID_ARG_VALUE', message: /'tcp'.*'udp'/ })
  t.throws(() => fromFd(fd, 'raw'), { code: 'ERR_INVALID_ARG_VALUE' })
  closing(t, fromFd(fd, 'udp'))
})

unless(lacks.posix)('a file is no socket, and stays open', t => {
  const file = openSync(fileURLToPath(import.meta.url), 'r')
  t.throws(() => fromFd(file), { code: 'ENOTSOCK' })
  t.true(readSync(file, Buffer.alloc(10)) > 0)
  closeSync(file)
  const fd = tcp().release()
  closeSync(fd)
  t.throws(() => fromFd(fd), { code: 'EBADF' })
})

/** A worker that waits for sockets. */
async function mover(t: ExecutionContext, workerData?: object): Promise<Worker> {
  const worker = new Worker(new URL('_child/mover.js', import.meta.url), { workerData })
  t.teardown(() => worker.terminate())
  await once(worker, 'message')
  return worker
}

/** The socket that a worker gives back, with what it has heard. */
async function heard(t: ExecutionContext, worker: Worker, text: string): Promise<Socket & TcpSocket> {
  const [answer] = (await once(worker, 'message')) as [{ heard: string; handle: SocketHandle<'tcp'> }]
  t.is(answer.heard, text)
  return await attach(answer.handle)
}
