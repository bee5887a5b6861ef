/** What the examples have in common, and the short ones; the others have files of their own. */
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import test from 'ava'
import { tcp } from 'socket2'
import { addressIn, ended, example, talk } from './_examples.js'
import { lacksPing } from './_icmp.js'
import { closing, lacks, unless, wine } from './_util.js'

test('each example stands in docs/examples.md, which has no other', t => {
  const root = new URL('../../', import.meta.url)
  const there = readdirSync(new URL('examples', root)).filter(name => name.endsWith('.ts') || name === 'electron')
  const told = readFileSync(new URL('docs/examples.md', root), 'utf8').matchAll(/^\| \[\w+\]\(\.\.\/examples\/([\w.]+)\)/gm)
  // How the tour tells what it tells is no example.
  t.deepEqual(Array.from(told, ([, name]) => name).toSorted(), there.filter(name => name !== 'story.ts').toSorted())
})

unless(wine > 0 && 'the tour’s 100,000 messages take Wine minutes')('the tour ends by itself with status 0, and no colours go to a pipe', async t => {
  const child = example(t, 'tour')
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk
  t.is(child.exitCode ?? (await once(child, 'exit'))[0], 0, text)
  for (const chapter of ['names', 'tcp', 'udp', 'unix', 'icmp', 'the end']) t.regex(text, new RegExp(`^  ${chapter} +\\S`, 'm'))
  t.notRegex(text, /failed|undefined|NaN/)
  t.false(text.includes('\x1b'))
})

test('the echo server sends back what it gets, and ends on an interrupt', async t => {
  const server = talk(t, 'echo')
  const client = await closing(t, tcp()).connect(addressIn(await server.lineLike(/^listening on /)))
  await client.send('over and out')
  t.is(String(await client.recvExact(12)), 'over and out')
  client.shutdown('write')
  t.is((await client.recvAll()).length, 0)
  t.is(await server.line(), `${client.localAddress} came`)
  t.regex(String(await server.line()), /^\S+ left after [\d.]+ m?s, sent 12 bytes$/)

  const exit = once(server.child, 'exit')
  server.signal('SIGINT')
  if (!lacks.posix) t.is(await server.rest(), 'served 1 connections, 12 bytes')
  // Where there are no signals, that one ends the process by force.
  const [status, signal] = await exit as [number | null, NodeJS.Signals | null]
  if (lacks.posix) t.true(signal === 'SIGINT' || status !== 0)
  else t.deepEqual([status, signal], [0, null])
})

test('the echo server closes who is silent for too long', async t => {
  const server = talk(t, 'echo', ['--idle', '0.1'])
  const client = await closing(t, tcp()).connect(addressIn(await server.lineLike(/^listening on /)))
  t.is((await client.recvAll()).length, 0)
  await server.lineLike(/ was closed, silent for too long after /)
})

unless(lacks.posix)('the echo server closes in the end who does not end within the time that is given', async t => {
  const server = talk(t, 'echo', ['--grace', '0.2'])
  const client = await closing(t, tcp()).connect(addressIn(await server.lineLike(/^listening on /)))
  await server.lineLike(/ came$/)
  server.signal('SIGTERM')
  t.is((await client.recvAll()).length, 0)
  t.regex(await server.rest(), /^closing; connections that are there have 200 ms to end: 1\n\S+ was closed, its time being over after .*\nserved 1 connections, 0 bytes$/)
})

unless(lacks.posix)('the echo server serves who is there while it closes, and ends with the last of them', async t => {
  const server = talk(t, 'echo', ['--grace', '60'])
  const client = await closing(t, tcp()).connect(addressIn(await server.lineLike(/^listening on /)))
  await server.lineLike(/ came$/)
  server.signal('SIGINT')
  await server.lineLike(/^closing; /)
  await client.send('still here')
  t.is(String(await client.recvExact(10)), 'still here')
  client.close()
  t.regex(await server.rest(), /sent 10 bytes\nserved 1 connections, 10 bytes$/)
})

test('a port that is taken is said in one line, with what helps', async t => {
  const server = talk(t, 'echo')
  const { port } = addressIn(await server.lineLike(/^listening on /))
  const { status, stdout, stderr } = await ended(t, 'echo', '--port', String(port))
  t.deepEqual([status, stdout], [1, ''])
  t.regex(stderr, /^echo: bind EADDRINUSE 127\.0\.0\.1:\d+ \(somebody listens there already: .*\)\n$/)
})

/** For each example what it takes for wrong, besides options that nobody knows. */
const misuses: Record<string, string[][]> = {
  chat: [[], ['serve', 'here'], ['join', 'nowhere'], ['serve', '--most', '0']],
  dig: [[], ['a..b'], ['x', 'AX'], ['-x', '1.2.3'], ['x', '+long']],
  echo: [['7000'], ['--port', '65536'], ['--idle', '0']],
  forward: [['1'], ['1', 'nowhere'], ['1', '127.0.0.1:65536']],
  https: [[], ['--cert', 'x'], ['--cert', 'x', '--key', 'x', '--port', 'x']],
  proxy: [[], ['nowhere'], ['1', '--key', 'x'], ['1', '--most', '0'], ['127.0.0.1:1', '--idle', '0']],
  restart: [[], ['/tmp/x', 'y']],
  scan: [[], ['127.0.0.1', '9-8'], ['127.0.0.1', '1-65536']],
  transfer: [['serve'], ['get', '127.0.0.1:1'], ['get', '127.0.0.1:1/x', '--tries', '0']]
}
for (const [name, uses] of Object.entries(misuses)) {
  unless(wine > 0 && 'arguments are understood alike everywhere')(`${name} explains itself, and says in one line what is wrong with its arguments`, async t => {
    const help = await ended(t, name, '--help')
    t.deepEqual([help.status, help.stderr], [0, ''])
    t.regex(help.stdout, new RegExp(`^Usage: ${name} `))
    for (const args of [['--nonsense'], ...uses]) {
      const { status, stdout, stderr } = await ended(t, name, ...args)
      t.deepEqual([status, stdout], [2, ''], args.join(' '))
      t.regex(stderr, new RegExp(`^${name}: .+ \\(--help tells more\\)\n$`))
    }
  })
}

for (const name of ['ping', 'traceroute']) {
  test(`${name} explains itself, and is told apart by its status when it is used wrongly`, async t => {
    const help = await ended(t, name, '--help')
    t.is(help.status, 0)
    t.regex(help.stdout, new RegExp(`^Usage: ${name} `))
    for (const args of [[], ['--nonsense'], ['::1', '::2'], ['unix:/tmp/x']]) t.is((await ended(t, name, ...args)).status, 2, args.join(' '))
  })
}

const wrong = {
  ping: [['-s', 'x'], ['-s', '65508'], ['-c', '0'], ['-c', '1.5'], ['-i', '0'], ['-i', ''], ['-W', 'x'], ['-t', '256']],
  traceroute: [['-m', 'x'], ['-m', '256'], ['-q', '0'], ['-w', '0']]
}
for (const [name, options] of Object.entries(wrong)) {
  test(`${name} names the option that makes no sense, before it does anything`, async t => {
    for (const [flag = '', value = ''] of options) {
      const { status, stdout, stderr } = await ended(t, name, flag, value, '::1')
      t.deepEqual([status, stdout], [2, ''])
      t.regex(stderr, new RegExp(`^${name}: ${flag} takes a .*(from|at least) [\\d.]+.*, not '${value}'\n$`))
    }
  })
}

unless(lacks.posix || lacksPing('inet'))('ping ends quietly when nobody reads what it says', async t => {
  const child = example(t, 'ping', ['-i', '0.02', '127.0.0.1'], { aloud: false })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  child.stdout.once('data', () => child.stdout.destroy())
  await once(child, 'close')
  t.deepEqual([child.signalCode, complaints], [null, ''])
})

unless(lacksPing('inet'))('ping tells its statistics when it is interrupted', async t => {
  const child = example(t, 'ping', ['-i', '0.02', '127.0.0.1'])
  const exit = once(child, 'exit')
  const text: string[] = []
  for await (const line of createInterface(child.stdout)) {
    if (/icmp_seq=3\b/.test(line)) process.kill(child.pid!, 'SIGINT')
    text.push(line)
  }
  t.regex(text.join('\n'), /^PING 127\.0\.0\.1 \(127\.0\.0\.1\) 56\(84\) bytes of data\.\n64 bytes from 127\.0\.0\.1: icmp_seq=1 ttl=\d+ time=\S+ ms\n/)
  if (lacks.posix) return // no signals: that one has ended the process by force
  t.regex(text.join('\n'), /\n\d+ packets answered or given up, \d+ received, 0% packet loss, time \d+ms\nrtt min\/avg\/max\/mdev = [\d.]+(\/[\d.]+){3} ms$/)
  t.deepEqual(await exit, [0, null])
})
