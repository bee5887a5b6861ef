/** Descriptors that travel over unix sockets, within the process and to another, and those that systemd gives. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { fromFd, listenFdNames, listenFds, pair, tcp, udp, type SeqpacketSocket, type Socket, type TcpSocket } from 'socket2'
import { addressOf, child, closing, connectedPair, freshPath, lacks, listener, unless } from './_util.js'

const travelling = unless(lacks.handles)

for (const type of ['tcp', 'udp', 'seqpacket'] as const) {
  unless(lacks.handles || (type === 'seqpacket' && lacks.seqpacket))(`sockets travel over a ${type} pair, with their message`, async t => {
    const [one, other] = pair(type as 'tcp').map(socket => closing(t, socket)) as [TcpSocket, TcpSocket]
    const { client, peer } = await connectedPair(t)
    const receiving = other.recvHandles()
    t.is(await one.sendHandles('take these', [peer, client.fd]), 10)
    const { data, handles, truncated } = await receiving
    t.deepEqual([String(data), handles.length, truncated], ['take these', 2, false])
    const [twin, raw] = [closing(t, fromFd(handles[0]!, 'tcp')), handles[1]!]
    peer.close()
    await client.send('x')
    t.is(String(await twin.recv()), 'x', 'it is the same connection, which goes on although this end of it was closed')
    fromFd(raw).close()
    await one.send('no handles')
    t.deepEqual((await other.recvHandles()).handles, [])
  })
}

travelling('a long message is sent whole, and its handles go with its first byte', async t => {
  const [one, other] = streamPair(t)
  const data = Buffer.alloc(4 << 20, 'abc')
  const sending = one.sendHandles(data, [one])
  const first = await other.recvHandles()
  closing(t, fromFd(first.handles[0]!))
  const rest = await other.recvExact(data.length - first.data.length)
  t.is(await sending, data.length)
  t.true(Buffer.concat([first.data, rest]).equals(data))
})

travelling('as many handles as the system takes arrive, and one more is refused', async t => {
  const [one, other] = streamPair(t)
  const most = process.platform === 'linux' ? 253 : 100
  await one.sendHandles('many', Array.from({ length: most }, () => one))
  const { handles } = await other.recvHandles()
  t.is(handles.length, most)
  for (const fd of handles) fromFd(fd).close()
  await t.throwsAsync(one.sendHandles('more', Array.from({ length: 254 }, () => one)), { code: 'ERR_OUT_OF_RANGE' })
})

travelling('handles that meet a plain recv are closed, and one that does not fit in a process is said', async t => {
  const { code, stdout, stderr } = await child(t, 'handles')
  t.deepEqual([stderr, code], ['', 0])
  t.deepEqual(JSON.parse(stdout), { afterRecv: 0, truncated: true, few: true, left: 0, inherited: '' })
})

travelling('a datagram that is cut says so, and keeps its handles', async t => {
  const [one, other] = pair('udp')
  for (const socket of [one, other]) closing(t, socket)
  await one.sendHandles('a long message', [one])
  const { data, handles, truncated } = await other.recvHandles(6)
  t.deepEqual([String(data), handles.length, truncated], ['a long', 1, true])
  fromFd(handles[0]!).close()
})

travelling('the end of the stream has neither data nor handles, and what was given back comes first', async t => {
  const [one, other] = streamPair(t)
  await one.send('before')
  await t.throwsAsync(other.recvExact(10, { timeout: 1 }), { code: 'ETIMEDOUT' })
  await one.sendHandles('x', [one])
  one.shutdown('write')
  t.like(await other.recvHandles(), { data: Buffer.from('before'), handles: [] })
  fromFd((await other.recvHandles()).handles[0]!).close()
  t.like(await other.recvHandles(), { data: Buffer.alloc(0), handles: [], truncated: false })
})

travelling('an empty datagram carries handles, too', async t => {
  const [one, other] = pair('udp')
  for (const socket of [one, other]) closing(t, socket)
  t.is(await one.sendHandles('', [one]), 0)
  const { data, handles } = await other.recvHandles()
  t.deepEqual([data.length, handles.length], [0, 1])
  fromFd(handles[0]!).close()
})

travelling('a wait for handles times out and is aborted like any other, and loses nothing', async t => {
  const [one, other] = streamPair(t)
  await t.throwsAsync(other.recvHandles(10, { timeout: 1 }), { code: 'ETIMEDOUT', message: /^recvHandles/ })
  await t.throwsAsync(other.recvHandles(10, { signal: AbortSignal.abort() }), { any: true, name: 'AbortError' })
  const receiving = other.recvHandles()
  await one.sendHandles('x', [one])
  fromFd((await receiving).handles[0]!).close()
  const waiting = other.recvHandles()
  other.close()
  await t.throwsAsync(waiting, { code: 'ERR_SOCKET_CLOSED' })
})

travelling('what cannot be sent along is refused by name', async t => {
  const [one, other] = streamPair(t)
  const closed = tcp()
  closed.close()
  for (const wrong of [undefined, 5, 'x', [undefined], ['3'], [{}]]) await t.throwsAsync(one.sendHandles('x', wrong as never), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const wrong of [[-1], [1.5], [2 ** 31], [closed]]) await t.throwsAsync(one.sendHandles('x', wrong), { code: 'ERR_INVALID_ARG_VALUE' })
  await t.throwsAsync(one.sendHandles('', [one]), { code: 'ERR_OUT_OF_RANGE' })
  await t.throwsAsync(one.sendHandles(5 as never, [one]), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(one.sendHandles('x', [2 ** 30]), { code: 'EBADF' })
  await t.throwsAsync(other.recvHandles(0), { code: 'ERR_OUT_OF_RANGE' })
  await one.send('still well')
  t.is(String(await other.recv()), 'still well')
  const blocked = closing(t, tcp())
  const filling = one.send(Buffer.alloc(1 << 20))
  const sending = one.sendHandles('x', [blocked])
  blocked.close()
  const draining = other.recvExact(1 << 20)
  await filling
  await t.throwsAsync(sending, { code: 'ERR_INVALID_ARG_VALUE', message: /closed while/ })
  await draining
})

test('only unix sockets with a peer take handles', async t => {
  const { client } = await connectedPair(t)
  for (const socket of [client, closing(t, tcp()), closing(t, udp())] as (Socket | SeqpacketSocket)[]) {
    const code = lacks.handles ? 'ERR_UNSUPPORTED_PLATFORM' : 'ERR_SOCKET_BAD_STATE'
    await t.throwsAsync(socket.sendHandles('x', []), { code })
    await t.throwsAsync(socket.recvHandles(), { code })
  }
})

travelling('a listener goes to another process, which serves on it', async t => {
  const control = await closing(t, tcp('unix')).listen(`unix:${freshPath(t)}`)
  const process_ = spawn(process.execPath, [script('receiver'), String(control.localAddress)], { stdio: ['ignore', 'ignore', 'inherit'] })
  t.teardown(() => process_.kill('SIGKILL'))
  const other = closing(t, await control.accept())
  const server = await listener(t)
  const address = addressOf(server)
  await other.sendHandles('a listener', [server])
  t.is(String(await other.recv()), 'got a listener')
  server.close()
  const client = await closing(t, tcp()).connect(address)
  t.is(String(await client.recvAll()), `process ${process_.pid}`)
  t.deepEqual(await ended(process_), [0, null])
})

unless(lacks.posix)('sockets that systemd opened are there, by number and by name, and no child process has them', async t => {
  const [stream, datagram] = [await listener(t), await closing(t, udp()).bind('127.0.0.1')]
  const address = addressOf(stream)
  const process_ = spawn('sh', ['-c', 'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web: exec "$0" "$1"', process.execPath, script('activated')], {
    stdio: ['ignore', 'pipe', 'inherit', stream.fd, datagram.fd]
  })
  t.teardown(() => process_.kill('SIGKILL'))
  let stdout = ''
  process_.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  const end = ended(process_)
  stream.close()
  const client = await closing(t, tcp()).connect(address)
  t.is(String(await client.recvAll()), 'activated')
  t.deepEqual(await end, [0, null])
  t.deepEqual(JSON.parse(stdout), { fds: [3, 4], names: ['web', 'unknown'], types: ['tcp', 'udp'], inherited: '' })
})

test.serial('a process that was started otherwise has none of systemd', t => {
  t.deepEqual([listenFds(), listenFdNames()], [[], []])
  t.teardown(() => {
    for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete process.env[name]
  })
  process.env['LISTEN_FDS'] = '1'
  process.env['LISTEN_PID'] = `${process.ppid}`
  t.deepEqual(listenFds(), [], 'they were another process’s')
  process.env['LISTEN_PID'] = `${process.pid}`
  process.env['LISTEN_FDS'] = '0'
  t.deepEqual([listenFds(), listenFdNames()], [[], []])
  if (process.platform === 'win32') return
  for (const wrong of ['', 'x', '-1', '1.5', '99999999999']) {
    process.env['LISTEN_FDS'] = wrong
    t.throws(listenFds, { code: 'ERR_INVALID_ARG_VALUE' }, wrong)
  }
  process.env['LISTEN_FDS'] = '1000'
  t.throws(listenFds, { code: 'EBADF' })
})

/** Two connected unix streams. */
function streamPair(t: ExecutionContext): [TcpSocket, TcpSocket] {
  const [one, other] = pair('tcp')
  return [closing(t, one), closing(t, other)]
}

function script(name: string): string {
  return fileURLToPath(new URL(`_child/${name}.js`, import.meta.url))
}

async function ended(process_: ChildProcess): Promise<unknown[]> {
  return await once(process_, 'close')
}
