/**
 * One poller for several threads. What each thread does with it shows in workers; here they serve, and the test is their client.
 * One test after the other, since the poller is the thread's.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { pollerHandle, tcp } from 'socket2'
import { child, closing, connectedPair, lacks, rounds, wine } from './_util.js'

/** What is left of descriptors and threads where that can be counted, which is Linux. */
const nothing = lacks.linux ? {} : { threads: 0, descriptors: 0 }

interface Sharer {
  worker: Worker
  port: number
}

/** A worker that shares this thread's poller. */
async function sharer(t: ExecutionContext): Promise<Sharer> {
  const worker = new Worker(new URL('_child/shared_echo.js', import.meta.url), { workerData: { poller: pollerHandle() } })
  t.teardown(() => worker.terminate())
  const [{ port, poller }] = (await once(worker, 'message')) as [{ port: number; poller: number | bigint }]
  t.is(poller, pollerHandle())
  return { worker, port }
}

/** Sends `count` messages there and back. */
async function converse(t: ExecutionContext, port: number, count: number): Promise<void> {
  const client = await closing(t, tcp()).connect('127.0.0.1', port)
  const message = Buffer.alloc(64)
  for (let i = 0; i < count; i++) {
    message.writeUInt32LE(i)
    await client.send(message)
    t.deepEqual(await client.recvExact(64), message)
  }
  client.close()
}

test.serial('threads that share a poller each get the events of their own sockets', async t => {
  const sharers = await Promise.all([sharer(t), sharer(t), sharer(t)])
  await Promise.all(sharers.flatMap(({ port }) => [1, 2, 3, 4].map(() => converse(t, port, 100))))
})

test.serial('a thread that blocks does not delay the others of its poller', async t => {
  const { port } = await sharer(t)
  const blocker = new Worker(
    'require("node:worker_threads").parentPort.postMessage(require("socket2").pollerHandle(require("node:worker_threads").workerData)); for (;;);',
    { eval: true, workerData: pollerHandle() }
  )
  t.teardown(() => blocker.terminate())
  await once(blocker, 'message')
  await converse(t, port, 100)
})

test.serial('a thread that ends, in whatever way, harms no other of its poller', async t => {
  const { client, peer } = await connectedPair(t)
  const steady = await sharer(t)
  for (let round = 0; round < rounds(12); round++) {
    const { worker, port } = await sharer(t)
    const traffic = converse(t, port, 1_000_000)
    await converse(t, steady.port, 5)
    const exit = once(worker, 'exit')
    if (round % 2 === 0) await worker.terminate()
    else worker.postMessage('end')
    await exit
    await t.throwsAsync(traffic)
    await client.send('still here')
    t.is(String(await peer.recv()), 'still here')
  }
  await converse(t, steady.port, 20)
})

test.serial('threads that share a poller are terminated at any moment, four of them 200 times, and nothing is left and nobody harmed', async t => {
  t.timeout(240_000)
  const { code, stdout, stderr } = await child(t, 'sharers', [`${wine > 0 ? 4 : 200}`])
  t.deepEqual([stderr, code], ['', 0])
  t.deepEqual(JSON.parse(stdout), { left: { ...nothing, connections: 0 }, talked: true, passed: true })
})

test.serial('a poller can be set only before there are sockets, and only to one that exists', async t => {
  t.throws(() => pollerHandle(1_000_000), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => pollerHandle(-1), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => pollerHandle(1.5), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => pollerHandle('4' as unknown as number), { code: 'ERR_INVALID_ARG_TYPE' })
  const own = pollerHandle()
  const socket = closing(t, tcp())
  t.throws(() => pollerHandle(1_000_000), { code: 'ERR_SOCKET_BAD_STATE' })
  t.is(pollerHandle(own), own, 'its own one is always allowed')
  socket.close()
})
