// What only a process can show of streams over sockets: when it ends, what it survives, and what is collected.
import test from 'ava'
import { child, lacks, staysAlive, unless } from './_util.js'

for (const name of ['stream that is read', 'stream that nobody reads', 'web stream that is read']) {
  test(`the process goes on with a ${name}, as it waits for more`, async t => {
    await staysAlive(t, 'duplexes', [name])
  })
}

for (const name of ['stream that was unref', 'stream that is full', 'web stream that nobody reads']) {
  test(`the process ends with a ${name}`, async t => {
    t.like(await child(t, 'duplexes', [name]), { code: 0, stdout: 'left\n', stderr: '' })
  })
}

test('a listener that throws keeps no other stream from its data, nor its own from more', async t => {
  const told = ['0 throws', '0 throws', '1 one', '1 two', '2 throws', '2 throws', '3 one', '3 two', '4 throws', '4 throws']
  t.like(await child(t, 'duplexes', ['throws']), { code: 0, stdout: `${told.join()}\nleft\n`, stderr: '' })
})

test('a listener of connect that throws keeps its stream from nothing', async t => {
  t.like(await child(t, 'duplexes', ['throws at connect']), { code: 0, stdout: 'throws\ndata\nleft\n', stderr: '' })
})

unless(lacks.linux)('streams that are forgotten are collected, and their sockets closed', async t => {
  const { code, stdout } = await child(t, 'duplexes', ['forgotten'], ['--expose-gc', '--no-warnings'])
  t.is(code, 0)
  t.is(stdout, 'SocketLeakWarning\n2\nleft\n')
})
