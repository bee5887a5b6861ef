// Unix stream sockets: paths and their files, and names without files.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, readdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { basename, dirname } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Address, seqpacket, tcp, udp, type Socket, type TcpSocket } from 'socket2'
import { closing, connectedPair, freshPath, lacks, listener, unless } from './_util.js'

const unix = unless(lacks.unix)
const abstract = unless(lacks.abstractNames)

/** Makers of all kinds of unix sockets that the system has. */
const kinds: (() => Socket)[] = [() => tcp('unix')]
if (!lacks.unixDatagrams) kinds.push(() => udp('unix'))
if (!lacks.seqpacket) kinds.push(() => seqpacket())

/** Whether something has that name. Windows cannot follow the path of a socket, so `existsSync` says no there. */
const exists = (path: string): boolean => readdirSync(dirname(path)).includes(basename(path))

unix('a path that bind made is a socket, and is removed on close', async t => {
  for (const make of kinds) {
    const path = freshPath(t)
    const socket = closing(t, make())
    await socket.bind(`unix:${path}`)
    t.true(lacks.posix ? exists(path) : lstatSync(path).isSocket())
    t.is(socket.localAddress!.path, path)
    t.is(socket.localAddress!.toString(), `unix:${path}`)
    socket.close()
    t.false(exists(path))
    socket.close()
  }
})

unix('reset and disposal remove the path, too, and a bind that failed removes nothing', async t => {
  const path = freshPath(t)
  const server = await closing(t, tcp('unix')).listen(`unix:${path}`)
  const other = tcp('unix')
  await t.throwsAsync(other.listen(`unix:${path}`), { code: 'EADDRINUSE' })
  other.close()
  t.true(exists(path))
  server.reset()
  t.false(exists(path))
  const again = await tcp('unix').bind(`unix:${path}`)
  again[Symbol.dispose]()
  t.false(exists(path))
})

unix('closing a client or an accepted socket leaves the path of the listener', async t => {
  const { server, client, peer } = await connectedPair(t, 'unix')
  client.close()
  peer.close()
  t.true(exists(server.localAddress!.path!))
  await t.notThrowsAsync(closing(t, tcp('unix')).connect(server.localAddress!))
})

unix('a path that someone else has replaced meanwhile is not removed', async t => {
  const path = freshPath(t)
  const server = await closing(t, tcp('unix')).listen(`unix:${path}`)
  unlinkSync(path)
  const heir = await closing(t, tcp('unix')).listen(`unix:${path}`)
  server.close()
  t.true(exists(path))
  await t.notThrowsAsync(closing(t, tcp('unix')).connect(`unix:${path}`))
  renameSync(path, `${path}.moved`)
  writeFileSync(path, 'a file')
  heir.close()
  t.true(exists(path))
  t.true(exists(`${path}.moved`))
})

unix('a stale path is EADDRINUSE, and with replaceStale it is taken over', async t => {
  const path = freshPath(t)
  await leaveStale(path)
  t.true(exists(path))
  await t.throwsAsync(closing(t, tcp('unix')).listen(`unix:${path}`), { code: 'EADDRINUSE' })
  const server = await closing(t, tcp('unix', undefined, { replaceStale: true })).listen(`unix:${path}`)
  await t.notThrowsAsync(closing(t, tcp('unix')).connect(`unix:${path}`))
  server.close()
  t.false(exists(path))
})

unix('replaceStale takes nothing from one who lives: a listener, also a full one, another type, a file, a link', async t => {
  const take = async (path: string): Promise<void> => {
    await t.throwsAsync(closing(t, tcp('unix', undefined, { replaceStale: true })).bind(`unix:${path}`), { code: 'EADDRINUSE' })
    t.true(exists(path))
  }
  const server = await listener(t, 'unix')
  const { path } = server.localAddress!
  await take(path!)
  const full = await closing(t, tcp('unix')).listen(`unix:${freshPath(t)}`, 0, 0)
  const fill = async (): Promise<void> => {
    for (;;) await closing(t, tcp('unix')).connect(full.localAddress!)
  }
  await t.throwsAsync(fill(), { code: 'ECONNREFUSED' })
  await take(full.localAddress!.path!)
  for (const make of kinds.slice(1)) {
    const at = freshPath(t)
    await closing(t, make()).bind(`unix:${at}`)
    await take(at)
  }
  const file = freshPath(t)
  writeFileSync(file, 'a file')
  await take(file)
  const link = freshPath(t)
  // Windows lets only administrators make links to files.
  symlinkSync(lacks.posix ? dirname(path!) : path!, link, 'junction')
  await take(link)
})

abstract('abstract names need no file, and are free again after close', async t => {
  const name = `@socket2-${process.pid}-${Math.random()}`
  for (let i = 0; i < 2; i++) {
    const server = await closing(t, tcp('unix')).listen(`unix:${name}`)
    t.is(server.localAddress!.toString(), `unix:${name}`)
    t.deepEqual(readdirSync('.').filter(file => file.startsWith('@')), [])
    const client = await closing(t, tcp('unix')).connect(server.localAddress!)
    t.true(client.remoteAddress!.equals(server.localAddress!))
    const peer = closing(t, await server.accept())
    await client.send('abstract')
    t.is(String(await peer.recv()), 'abstract')
    await t.throwsAsync(closing(t, tcp('unix')).listen(`unix:${name}`), { code: 'EADDRINUSE' })
    server.close()
    await t.throwsAsync(closing(t, tcp('unix')).connect(`unix:${name}`), { code: 'ECONNREFUSED' })
  }
})

unix('a path that no socket can have is refused, and the socket is as it was', async t => {
  const socket = closing(t, tcp('unix'))
  for (const path of ['/a\0b', '/\ud800', `/${'x'.repeat(200)}`, `@${'x'.repeat(200)}`]) {
    await t.throwsAsync(socket.bind(`unix:${path}`), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' })
  }
  await t.throwsAsync(socket.bind('/no/scheme'), { code: 'ERR_INVALID_ARG_VALUE' })
  const path = freshPath(t)
  t.like(await t.throwsAsync(socket.bind(`unix:${path}/deeper`), { code: 'ENOENT' }), { syscall: 'bind', address: `${path}/deeper` })
  await t.notThrowsAsync(socket.bind(`unix:${path}`))
  await t.throwsAsync(socket.bind(`unix:${path}2`), { code: 'EINVAL' })
  t.false(exists(`${path}2`))
})

abstract('an empty path, as none, asks the system for any abstract name that is free', async t => {
  for (const make of kinds) {
    const [one, other] = [await closing(t, make()).bind('unix:'), await closing(t, make()).bind()]
    for (const socket of [one, other]) t.regex(socket.localAddress!.toString(), /^unix:@\w+$/)
    t.not(one.localAddress!.path, other.localAddress!.path)
    t.deepEqual(readdirSync('.').filter(file => file.startsWith('@')), [])
  }
  const server = await closing(t, tcp('unix')).listen('unix:')
  await t.notThrowsAsync(closing(t, tcp('unix')).connect(server.localAddress!))
})

const python = spawnSync('python3', ['--version']).status === 0

unless(lacks.linux || (!python && 'no python3 to send them with'))('a message that carries descriptors does not hide what follows it', async t => {
  const server = await listener(t, 'unix')
  const sender = spawn('python3', ['-c', DESCRIPTORS, server.localAddress!.path!], { stdio: ['pipe', 'ignore', 'inherit'] })
  t.teardown(() => sender.kill('SIGKILL'))
  const [failure] = await Promise.race([once(sender, 'error'), server.accept().then(peer => [peer])])
  if (failure instanceof Error) throw failure
  const peer = closing(t, failure as TcpSocket)
  const receiving = peer.recvExact(8)
  await turn()
  sender.stdin.end()
  t.is(String(await receiving), 'aabbccdd')
})

unix('a path is bytes of UTF-8, and comes back as it went in', async t => {
  const path = `${freshPath(t)}-größe-漢字 😀`
  const server = await closing(t, tcp('unix')).listen(Address.parse(`unix:${path}`))
  t.is(server.localAddress!.path, path)
  await t.notThrowsAsync(closing(t, tcp('unix')).connect(`unix:${path}`))
})

unix('an unbound client has no address, and its peer sees none', async t => {
  const { client, peer } = await connectedPair(t, 'unix')
  t.is(client.localAddress, null)
  t.is(peer.remoteAddress!.path, '')
})

unix("node's own sockets and ours talk to each other", async t => {
  const path = freshPath(t)
  const server = createServer(socket => socket.pipe(socket)).listen(path)
  t.teardown(() => server.close())
  await once(server, 'listening')
  const client = await closing(t, tcp('unix')).connect(`unix:${path}`)
  await client.send('echo')
  t.is(String(await client.recv()), 'echo')
  client.close()

  const ours = await listener(t, 'unix')
  const theirs = createConnection(ours.localAddress!.path!)
  t.teardown(() => theirs.destroy())
  const peer = closing(t, await ours.accept())
  theirs.end('goodbye')
  t.is(String(await peer.recvAll()), 'goodbye')
})

const DESCRIPTORS = `
import array, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
sys.stdin.read()
for pair in (b'aa', b'bb'), (b'cc', b'dd'):
  s.sendmsg([pair[0]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))])
  s.send(pair[1])
s.recv(1)
`

/** Leaves a socket file of a process that is gone. */
async function leaveStale(path: string): Promise<void> {
  const script = "const s = require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))"
  await promisify(execFile)(process.execPath, ['-e', script, path]).catch(() => undefined)
}
