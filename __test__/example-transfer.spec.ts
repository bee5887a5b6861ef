/** examples/transfer.ts: files that arrive whole, whatever happens on the way. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { tcp, type Address, type TcpSocket } from 'socket2'
import { addressIn, ended, freshFolder, talk } from './_examples.js'
import { gone } from './_serve.js'
import { addressOf, closing, lacks, listener, unless, wine } from './_util.js'

const SIZE = 3_000_001

test('a file arrives under its name, also one of a folder below, and an empty one', async t => {
  const { at, folder, data } = await offering(t)
  mkdirSync(join(folder, 'below'))
  writeFileSync(join(folder, 'below', 'ünder 100%'), 'little')
  writeFileSync(join(folder, 'empty'), '')
  const here = freshFolder(t)
  const { status, stdout, stderr } = await ended(t, 'transfer', 'get', `${at}/file`, join(here, 'file'))
  t.deepEqual([status, stderr], [0, ''])
  t.regex(stdout, new RegExp(`file: 2\\.9 MiB in .*, .*/s, SHA-256 ${createHash('sha256').update(data).digest('hex')}\n$`))
  t.is((await ended(t, 'transfer', 'get', `${at}/below/ünder 100%`, join(here, 'x'))).status, 0)
  t.is((await ended(t, 'transfer', 'get', `${at}/empty`, join(here, 'y'))).status, 0)
  t.deepEqual(readdirSync(here).toSorted(), ['file', 'x', 'y'])
  t.true(readFileSync(join(here, 'file')).equals(data))
  t.deepEqual(['x', 'y'].map(name => readFileSync(join(here, name), 'utf8')), ['little', ''])
})

test('a connection that is cut is made anew, and what has come is not sent again', async t => {
  const { at, server, data } = await offering(t)
  const cutting = await cut(t, at, [1_000_000, 1_000_000, Infinity])
  const out = join(freshFolder(t), 'out')
  const { status, stdout } = await ended(t, 'transfer', 'get', `${cutting}/file`, out)
  t.is(status, 0, stdout)
  t.true(readFileSync(out).equals(data))
  t.is(stdout.match(/; trying again in /g)?.length, 2)
  // Not the whole of it, as before it was cut; the system may have taken that by then.
  await server.lineLike(new RegExp(` got file, (?!${SIZE} )\\d+ of ${SIZE} bytes$`))
})

test('what has come goes on when it is asked for again, and starts over when the file is another one now', async t => {
  const { at, server, folder, data } = await offering(t)
  const out = join(freshFolder(t), 'out')
  writeFileSync(`${out}.part`, data.subarray(0, 1_000_000))
  t.is((await ended(t, 'transfer', 'get', `${at}/file`, out)).status, 0)
  await server.lineLike(new RegExp(` got file, ${SIZE - 1_000_000} of ${SIZE} bytes$`))
  t.true(readFileSync(out).equals(data))

  const other = randomBytes(500_000)
  writeFileSync(join(folder, 'file'), other)
  for (const part of [data.subarray(0, 100_000), data]) {
    writeFileSync(`${out}.part`, part)
    t.is((await ended(t, 'transfer', 'get', `${at}/file`, out, '--force')).status, 0)
    await server.lineLike(/ got file, 500000 of 500000 bytes$/)
    t.true(readFileSync(out).equals(other))
  }
  t.false(existsSync(`${out}.part`))
})

test('a file that is there is written over only when that is wanted', async t => {
  const { at, data } = await offering(t)
  const out = join(freshFolder(t), 'out')
  writeFileSync(out, 'mine')
  const { status, stderr } = await ended(t, 'transfer', 'get', `${at}/file`, out)
  t.is(status, 1)
  t.regex(stderr, /^transfer: .*out is there already: name another file, or take --force to write over it\n$/)
  t.is(readFileSync(out, 'utf8'), 'mine')
  t.is((await ended(t, 'transfer', 'get', `${at}/file`, out, '--force')).status, 0)
  t.true(readFileSync(out).equals(data))
})

test('nothing outside of the folder is given, nor what is no file', async t => {
  const { at, folder } = await offering(t)
  mkdirSync(join(folder, 'below'))
  const neighbour = `${folder}-secret`
  writeFileSync(neighbour, 'secret')
  t.teardown(() => rmSync(neighbour))
  for (const name of ['..%2Ffile', `..%2F${basename(neighbour)}`, 'below', '.', '%00', '%', 'nothing', encodeURIComponent(join(folder, '..'))]) {
    const client = await closing(t, tcp()).connect(at)
    await client.send(`GET 0 ${'0'.repeat(64)} ${name}\n`)
    t.is(String(await client.recvAll()), 'NO there is no such file\n', name)
  }
  const here = freshFolder(t)
  const { status, stderr } = await ended(t, 'transfer', 'get', `${at}/../x`, join(here, 'x'))
  t.deepEqual([status, stderr], [1, 'transfer: the other side says: there is no such file\n'])
  t.deepEqual(readdirSync(here), [], 'of what never came nothing is left')
})

unless(lacks.posix)('a link does not lead out of the folder', async t => {
  const { at, folder } = await offering(t)
  const outside = freshFolder(t)
  writeFileSync(join(outside, 'secret'), 'secret')
  symlinkSync(outside, join(folder, 'way'))
  symlinkSync('file', join(folder, 'same'))
  const here = freshFolder(t)
  t.is((await ended(t, 'transfer', 'get', `${at}/way/secret`, join(here, 'x'))).status, 1)
  t.is((await ended(t, 'transfer', 'get', `${at}/same`, join(here, 'y'))).status, 0)
})

test('who asks for nothing that makes sense is told so, and others are served', async t => {
  const { at } = await offering(t)
  const hash = '0'.repeat(64)
  for (const request of ['\n', 'GET\n', `GET -1 ${hash} file\n`, `GET 1e9 ${hash} file\n`, 'GET 0 x file\n', '']) {
    const client = await closing(t, tcp()).connect(at)
    await client.send(request)
    client.shutdown('write')
    t.is(String(await client.recvAll()), 'NO there is no such file\n')
  }
  const endless = await closing(t, tcp()).connect(at)
  await endless.send(Buffer.alloc(100_000, 'x'))
  t.is(await gone(endless), '')
  t.is((await ended(t, 'transfer', 'get', `${at}/file`, join(freshFolder(t), 'out'))).status, 0)
})

const liars: Record<string, [answer: (socket: TcpSocket) => Promise<unknown>, complaint: RegExp]> = {
  'another sum than that of what it sends': [socket => socket.send(`OK 0 4\nabcd${'0'.repeat(64)}\n`), /what came is not what was sent, by its SHA-256/],
  'less than it says': [socket => socket.send('OK 0 4\nabc'), /the connection ended after 3 of 4 bytes/],
  'nothing': [async () => {}, /the connection ended without an answer/],
  'no sum': [socket => socket.send('OK 0 4\nabcd'), /the connection ended before the SHA-256 of the file/],
  'something else': [socket => socket.send('HTTP/1.1 400 Bad Request\r\n'), /the other side is no server of this transfer/],
  'a place nobody asked for': [socket => socket.send('OK 7 9\n'), /the other side is no server of this transfer/],
  'words for a terminal': [socket => socket.send('NO \x1b[2Jway\n'), /^transfer: the other side says: \[2Jway\n$/]
}
for (const [what, [answer, complaint]] of Object.entries(liars)) {
  unless(wine > 0 && 'what is sent is understood alike everywhere')(`no file comes of a server that sends ${what}`, async t => {
    const server = await listener(t)
    void (async () => {
      for await (const socket of server.connections()) {
        await socket.reader().line()
        await answer(socket)
        socket.close()
      }
    })()
    const out = join(freshFolder(t), 'out')
    const { status, stderr } = await ended(t, 'transfer', 'get', `${addressOf(server)}/x`, out, '--tries', '1')
    t.is(status, 1)
    t.regex(stderr, complaint)
    t.false(existsSync(out))
  })
}

test('a server that is not there is tried again, and in the end given up', async t => {
  const absent = await closing(t, tcp()).bind('127.0.0.1')
  const { status, stdout, stderr } = await ended(t, 'transfer', 'get', `${addressOf(absent)}/x`, join(freshFolder(t), 'out'), '--tries', '2')
  t.is(status, 1)
  t.regex(stdout, /^connect ECONNREFUSED .*; trying again in \d+ ms\n$/)
  t.regex(stderr, /^transfer: connect ECONNREFUSED [^\n]*\n$/)
})

unless(lacks.posix)('what has come stays when it is interrupted', async t => {
  const { at, data } = await offering(t)
  const cutting = await cut(t, at, [1_000_000], false)
  const out = join(freshFolder(t), 'out')
  const getting = talk(t, 'transfer', ['get', `${cutting.toString()}/file`, out])
  while (!existsSync(`${out}.part`) || readFileSync(`${out}.part`).length < 900_000) await new Promise(resolve => setTimeout(resolve, 20))
  getting.signal('SIGINT')
  t.is(await getting.rest(), `stopped; what has come is in ${out}.part, and goes on when it is asked for again`)
  t.is((await ended(t, 'transfer', 'get', `${at}/file`, out)).status, 0)
  t.true(readFileSync(out).equals(data))
})

/** A server with a file of its own folder. */
async function offering(t: ExecutionContext) {
  const folder = freshFolder(t)
  const data = randomBytes(SIZE)
  writeFileSync(join(folder, 'file'), data)
  const server = talk(t, 'transfer', ['serve', folder])
  return { at: addressIn(await server.lineLike(/^files of .* are at /)), server, folder, data }
}

/** A way to a server that breaks each connection after so many bytes of answer, or from then on only holds it up. */
async function cut(t: ExecutionContext, at: Address, limits: number[], breaks = true): Promise<Address> {
  const server = await listener(t)
  const copy = async (client: TcpSocket, limit: number): Promise<void> => {
    const socket = await closing(t, tcp()).connect(at)
    await socket.send(await client.recv())
    for (let left = limit; left > 0;) {
      const chunk = await socket.recv(Math.min(left, 65536))
      if (chunk.length === 0) break
      await client.send(chunk)
      left -= chunk.length
    }
    if (!breaks) return
    socket.close()
    client.close()
  }
  void (async () => {
    for await (const client of server.connections()) void copy(closing(t, client), limits.shift() ?? 0)
  })()
  return addressOf(server)
}
