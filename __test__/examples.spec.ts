import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Address, tcp } from 'socket2'
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

function example(t: ExecutionContext, name: string) {
  const script = fileURLToPath(new URL(`../examples/${name}.js`, import.meta.url))
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}
