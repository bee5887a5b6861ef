/** examples/scan.ts: which ports are open. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { tcp } from 'socket2'
import { ended } from './_examples.js'
import { addressOf, closing, lacks, listener, unless } from './_util.js'

test('scan tells which ports are open, and how many are closed', async t => {
  // One that is bound, and does not listen, has its port for itself, and refuses.
  const [one, other, absent] = [await listener(t), await listener(t), await closing(t, tcp()).bind('127.0.0.1')]
  const ports = [one, other, absent].map(socket => addressOf(socket).port)
  const { status, stdout, stderr } = await ended(t, 'scan', '127.0.0.1', `${ports[0]},${ports.join(',')},${ports[1]}-${ports[1]}`)
  t.deepEqual([status, stderr], [0, ''])
  const [first, ...lines] = stdout.split('\n')
  t.is(first, 'scanning 127.0.0.1 (127.0.0.1), 3 ports')
  t.deepEqual(lines.slice(0, 2).map(line => Number(/^ *(\d+)\/tcp {2}open/.exec(line)?.[1])).toSorted(), [ports[0]!, ports[1]!].toSorted())
  t.regex(lines.slice(2).join('\n'), /^2 open, 1 closed, 0 filtered; 3 ports in [\d.]+ m?s\n$/)
})

test('scan has another status when no port is open', async t => {
  const { port } = addressOf(await closing(t, tcp()).bind('127.0.0.1'))
  const { status, stdout } = await ended(t, 'scan', '127.0.0.1', String(port))
  t.is(status, 1)
  t.regex(stdout, /\n0 open, 1 closed, 0 filtered; 1 ports in /)
})

unless(lacks.linux)('a port that does not answer is filtered on Linux, where a backlog that is full is silent', async t => {
  const server = await closing(t, tcp()).listen('127.0.0.1', 0, 0)
  const address = addressOf(server)
  for (let full = false; !full;) {
    const waiting = closing(t, tcp())
    full = await waiting.connect(address, { timeout: 200 }).then(() => false, () => true)
  }
  const { status, stdout } = await ended(t, 'scan', '127.0.0.1', String(address.port), '--timeout', '0.2')
  t.is(status, 1)
  t.regex(stdout, /\n0 open, 0 closed, 1 filtered; /)
})

unless(lacks.linux)('scan asks fewer ports at a time on Linux when it may open no more files, and still all of them', async t => {
  // An address of its own, for at the usual one other tests listen, who do not expect visitors.
  const server = await closing(t, tcp()).listen('127.9.8.7')
  const { address, port } = addressOf(server)
  const script = fileURLToPath(new URL('../examples/scan.js', import.meta.url))
  const command = `ulimit -n 48 && exec "${process.execPath}" "${script}" ${address} ${port - 200}-${port},1-200`
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  t.deepEqual([status, stderr], [0, ''])
  t.true(stdout.includes(`${port}/tcp  open`), stdout)
  t.regex(stdout, /; 401 ports in [\d.]+ m?s \(\d+ at a time: this process may open no more; ulimit -n tells how many\)\n$/)
})
