// What only a process can show: when it ends, what it survives, and what it hands on.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { child, freshPath, lacks, rounds, staysAlive, unless } from './_util.js'

const linux = unless(lacks.linux)

// Staying alive

for (const name of ['idle listener', 'idle connection', 'idle udp']) {
  test(`the process ends with an ${name}`, async t => {
    t.like(await child(t, 'alive', [name]), { code: 0, stdout: 'left\n', stderr: '' })
  })
}

for (const name of ['pending accept', 'pending recv', 'pending send', 'pending udp recv', 'ref after unref', 'ref while it waits', 'unref of one among two']) {
  test(`the process goes on with a ${name}`, async t => {
    await staysAlive(t, 'alive', [name])
  })
}

for (const name of ['unref', 'unref while it waits', 'stop']) {
  test(`what waits does not keep the process alive after ${name}`, async t => {
    t.like(await child(t, 'alive', [name]), { code: 0, stdout: 'left\n', stderr: '' })
  })
}

test('a pending operation keeps the process alive until its deadline', async t => {
  t.like(await child(t, 'alive', ['pending with a deadline']), { code: 0, stdout: 'left\nETIMEDOUT\n' })
})

test('the process ends at once when what kept it alive is closed or aborted', async t => {
  t.like(await child(t, 'alive', ['close of what waits']), { code: 0, stdout: 'left\nERR_SOCKET_CLOSED\n' })
  t.like(await child(t, 'alive', ['abort of what waits']), { code: 0, stdout: 'left\nTimeoutError\n' })
})

test('the process ends by itself after traffic', async t => {
  t.like(await child(t, 'alive', ['traffic, then nothing']), { code: 0, stdout: 'left\n', stderr: '' })
})

test('a socket that is made and closed at the last moment does not keep the process', async t => {
  t.like(await child(t, 'trouble', ['at the last moment']), { code: 0, stdout: '1\n', stderr: '' })
})

// Trouble

test('an exception nobody catches does not strand the loop', async t => {
  const thrown = [0, 1, 2, 3, 4].map(i => `continuation ${i}`).concat([0, 1, 2, 3, 4].map(i => `microtask ${i}`))
  t.like(await child(t, 'trouble', ['uncaught']), { code: 0, stdout: `${thrown.join()}\n`, stderr: '' })
})

test('what there is no memory for is an error of who receives, and the connection ends, because bytes of it are lost', async t => {
  const { code, stdout, stderr } = await child(t, 'no-memory')
  t.deepEqual([code, stderr], [0, ''])
  t.deepEqual(JSON.parse(stdout), { ended: ['no memory', 'ERR_SOCKET_CLOSED'], closed: true, peer: 0 })
})

test('process.exit in the middle of traffic ends the process with its status', async t => {
  for (let i = 0; i < rounds(5); i++) t.like(await child(t, 'trouble', ['exit in the middle']), { code: 7, signal: null, stdout: '', stderr: '' })
})

test('deleting the modules and loading them again, binding and all, gives libraries that all work', async t => {
  t.like(await child(t, 'trouble', ['loading twice']), { code: 0, stdout: 'true\n4\nok,ok,ok,ok\n', stderr: '' })
})

linux('a child process gets none of our descriptors', async t => {
  t.like(await child(t, 'trouble', ['descriptors of a child']), { code: 0, stdout: 'true 0\n', stderr: '' })
})

test('writing to a closed peer is an error, not a signal', async t => {
  const { code, stdout } = await child(t, 'trouble', ['no SIGPIPE'])
  t.is(code, 0)
  t.regex(stdout, /^(true\n)+$/)
})

test('an idle process uses no CPU, connections and pending operations or not', async t => {
  const { code, stdout } = await child(t, 'trouble', ['idle costs nothing'])
  t.is(code, 0)
  t.true(Number(stdout) < 50, `${stdout} ms of CPU in a second`)
})

test('a poll(0) in a loop of one\'s own hears of what comes', async t => {
  t.like(await child(t, 'trouble', ['an endless flood of polls']), { code: 0, stdout: 'true\n', stderr: '' })
})

linux('out of descriptors is an error, and a listener goes on when they return', async t => {
  t.deepEqual(await withFewDescriptors(t, 'out of descriptors'), { code: 0, stdout: 'EMFILE\n0\nok,ok,ok,ok,ok\nETIMEDOUT\n' })
})

linux('a listener that is closed ends all loops over its connections that wait for descriptors, and leaves nothing at their signals', async t => {
  t.deepEqual(await withFewDescriptors(t, 'two loops out of descriptors'), { code: 0, stdout: '2 0\n' })
})

async function withFewDescriptors(t: ExecutionContext, name: string): Promise<{ code: number, stdout: string }> {
  const file = fileURLToPath(new URL('_child/trouble.js', import.meta.url))
  const script = 'ulimit -n 64; exec "$0" "$@"'
  const sh = spawn('sh', ['-c', script, process.execPath, file, name, freshPath(t)], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => sh.kill('SIGKILL'))
  const stdout = await text(sh.stdout)
  return { code: sh.exitCode ?? (await once(sh, 'exit'))[0], stdout }
}

// Garbage

linux('forgotten sockets are closed when they are collected, with one warning that says where', async t => {
  const { code, stdout } = await child(t, 'trouble', ['forgotten'], ['--expose-gc', '--no-warnings'])
  t.is(code, 0)
  const [name, ...rest] = stdout.split('\n')
  t.is(name, 'SocketLeakWarning')
  t.regex(stdout, /at forget .*trouble\.js:\d+:\d+/)
  t.is(stdout.split('SocketLeakWarning').length, 2)
  t.deepEqual(rest.slice(-3), ['3 true', 'not forgotten', ''])
})

linux('an object that holds a socket it has made is collected with it, closed or not', async t => {
  const { code, stdout } = await child(t, 'trouble', ['held by an object'], ['--expose-gc', '--no-warnings'])
  t.is(code, 0)
  t.is(stdout, 'SocketLeakWarning\n0 200\n')
})

test('a socket that is waited for is not forgotten, whoever else refers to it', async t => {
  t.like(await child(t, 'trouble', ['forgotten, but waited for'], ['--expose-gc']), { code: 0, stdout: 'fulfilled,fulfilled,fulfilled\n', stderr: '' })
})
