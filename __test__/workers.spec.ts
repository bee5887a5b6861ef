import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { loop, stop, start } from 'socket2'
import type { Orders } from './_child/worker.js'
import { child, lacks, rounds, streams } from './_util.js'

test('each worker has a loop of its own: one that is stopped stops no other', async t => {
  const worker = begin(t, 'stop')
  const [message] = await once(worker, 'message')
  t.deepEqual(message, { polled: true, received: 'x' })
  t.true(loop.running)
})

test.serial('a worker goes on while the loop of the main thread is stopped', async t => {
  stop()
  t.teardown(() => start(0))
  const worker = begin(t, 'pollSync')
  // When it ends, what it has said is told within the same call.
  const ended = once(worker, 'exit')
  t.deepEqual(await once(worker, 'message'), ['x'])
  t.deepEqual(await ended, [0])
})

test('a worker with an idle socket ends by itself', async t => {
  t.deepEqual(await once(begin(t, 'idle'), 'exit'), [0])
})

test('a worker that blocks in pollSync can be terminated', async t => {
  const worker = begin(t, 'block')
  await once(worker, 'message')
  t.is(await worker.terminate(), 1)
})

test('workers that end by return, exit, throw or terminate in the middle of everything leave nothing and harm nobody', async t => {
  const { code, stdout, stderr } = await child(t, 'crowd', [`${rounds(13)}`])
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(stdout), { left: { ...nothing, connections: 0 }, talked: true, sockets: 1 })
  t.is(stderr, '')
})

test('sockets of the main thread go on when a worker is terminated', async t => {
  const [one, other] = await streams(t)
  const receiving = one.recv()
  const worker = begin(t, 'block')
  await once(worker, 'message')
  await worker.terminate()
  await other.send('still here')
  t.is(String(await receiving), 'still here')
})

/** What is left of descriptors and threads where that can be counted, which is Linux. */
const nothing = lacks.linux ? {} : { threads: 0, descriptors: 0 }

function begin(t: ExecutionContext, how: Orders['how']): Worker {
  const worker = new Worker(new URL('_child/worker.js', import.meta.url), { workerData: { how } })
  t.teardown(() => worker.terminate())
  return worker
}
