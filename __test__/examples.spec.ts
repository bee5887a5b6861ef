import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Address, tcp } from 'socket2'
import { lacksPing } from './_icmp.js'
import { lacks, unless, wine } from './_util.js'

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
  const child = example(t, 'echo')
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const greeting = String((await lines.next()).value)
  const address = Address.parse(greeting.slice('listening on '.length))

  const client = await tcp().connect(address)
  t.teardown(() => client.close())
  await client.send('over and out')
  t.is(String(await client.recvExact(12)), 'over and out')
  client.close()
  t.regex(String((await lines.next()).value), /sent 12 bytes$/)

  const exit = once(child, 'exit')
  child.kill('SIGINT')
  // Where there are no signals, that one ends the process by force.
  t.deepEqual(await exit, lacks.posix ? [null, 'SIGINT'] : [0, null])
})

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
  const child = example(t, 'ping', ['-i', '0.02', '127.0.0.1'], false)
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
    if (/icmp_seq=3/.test(line)) child.kill('SIGINT')
    text.push(line)
  }
  t.regex(text.join('\n'), /^PING 127\.0\.0\.1 \(127\.0\.0\.1\) 56\(84\) bytes of data\.\n64 bytes from 127\.0\.0\.1: icmp_seq=1 ttl=\d+ time=\S+ ms\n/)
  if (lacks.posix) return // no signals: that one has ended the process by force
  t.regex(text.join('\n'), /\n\d+ packets answered or given up, \d+ received, 0% packet loss, time \d+ms\nrtt min\/avg\/max\/mdev = [\d.]+(\/[\d.]+){3} ms$/)
  t.deepEqual(await exit, [0, null])
})

function example(t: ExecutionContext, name: string, args: string[] = [], aloud = true) {
  const script = fileURLToPath(new URL(`../examples/${name}.js`, import.meta.url))
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  if (aloud) child.stderr.pipe(process.stderr)
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

/** Runs an example to its end. */
async function ended(t: ExecutionContext, name: string, ...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = example(t, name, args, false)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, stdout, stderr }
}
