// As loop.spec.ts: these tests take turns, and each leaves the loop running with nothing open.
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { loop, newThread, poll, pollSync } from 'socket2'
import { closing, connectedPair, listener, stopping, streams } from './_util.js'

test.afterEach('nothing is left open, and the loop runs', t => {
  t.deepEqual([...loop.sockets], [])
  t.is(loop.pending, 0)
  t.true(loop.running)
})

for (const [name, once] of [['poll', poll], ['pollSync', async (timeout?: number) => pollSync(timeout)]] as const) {
  test.serial(`${name} lets an operation go on that is ready, and says true`, async t => {
    const [one, other] = await streams(t)
    stopping(t)
    const receiving = one.recv()
    await other.send('x')
    t.true(await once(1000))
    t.is(String(await receiving), 'x')
    t.false(loop.running)
  })

  test.serial(`${name} says false when its time is over, at once when it is 0`, async t => {
    const [one] = await streams(t)
    stopping(t)
    one.recv().catch(() => {})
    t.false(await once(0))
    const began = performance.now()
    t.false(await once(25.5))
    t.true(performance.now() - began >= 24.5) // a timer of the runtime can be early by a part of a millisecond
  })

  test.serial(`${name} says false at once when nothing waits`, async t => {
    await streams(t)
    stopping(t)
    t.false(await once())
  })

  test.serial(`${name}: what completes no operation is no event`, async t => {
    const [one, other] = await streams(t)
    const [unwatched, peer] = await streams(t)
    const watched = unwatched.recv(10)
    await peer.send('so that it is watched')
    await watched
    stopping(t)
    const receiving = one.recvExact(4)
    await other.send('ha')
    await peer.send('nobody waits for this')
    t.false(await once(20))
    await other.send('lf')
    t.true(await once(1000))
    t.is(String(await receiving), 'half')
  })

  test.serial(`${name}: what ended before is no event of it`, async t => {
    const [one] = await streams(t)
    stopping(t)
    await t.throwsAsync(one.recv(10, { timeout: 5 }), { code: 'ETIMEDOUT' })
    one.recv().catch(() => {})
    t.false(await once(20))
  })

  test.serial(`${name} ends when the deadline of one who waits is over`, async t => {
    const [one] = await streams(t)
    const [other] = await streams(t)
    other.recv().catch(() => {})
    stopping(t)
    const receiving = one.recv(10, { timeout: 20 })
    receiving.catch(() => {})
    const began = performance.now()
    t.true(await once(20_000))
    t.true(performance.now() - began < 10_000)
    await t.throwsAsync(receiving, { code: 'ETIMEDOUT', instanceOf: Error })
  })

  test.serial(`${name} can drive a whole conversation`, async t => {
    stopping(t)
    let done = false
    const connecting = newThread(() => connectedPair(t))
    const talking = newThread(async () => {
      const { client } = await connecting
      for (let i = 0; i < 20; i++) {
        await client.send(Buffer.alloc(100_000, i))
        t.is((await client.recvExact(1))[0], i)
      }
      client.shutdown('write')
      done = true
    })
    const answering = newThread(async () => {
      const { peer } = await connecting
      for (let i = 0; i < 20; i++) {
        const data = await peer.recvExact(100_000)
        await peer.send(data.subarray(99_999))
      }
    })
    while (!done) {
      await once(1000)
      await turn()
    }
    await Promise.all([talking, answering])
  })
}

test.serial('poll hears of a socket that is closed, and of an operation that is aborted, while it waits', async t => {
  const [one, other] = await streams(t)
  const abort = new AbortController()
  stopping(t)
  one.recv().catch(() => {})
  other.recv(10, { signal: abort.signal }).catch(() => {})
  const first = poll()
  setTimeout(() => abort.abort(), 10)
  t.true(await first)
  const second = poll()
  setTimeout(() => one.close(), 10)
  t.true(await second)
})

test.serial('polls at the same time all hear of an event', async t => {
  const [one, other] = await streams(t)
  stopping(t)
  const receiving = one.recv()
  const polls = [poll(), poll(5000), poll(Infinity)]
  const short = poll(1)
  t.false(await short)
  await other.send('x')
  t.deepEqual(await Promise.all(polls), [true, true, true])
  t.is(String(await receiving), 'x')
})

test.serial('poll leaves the thread to others while it waits', async t => {
  const [one, other] = await streams(t)
  stopping(t)
  const receiving = one.recv()
  setTimeout(() => void other.send('x'), 10)
  t.true(await poll())
  t.is(String(await receiving), 'x')
})

test.serial('pollSync blocks the thread: no timer fires meanwhile', async t => {
  const [one] = await streams(t)
  one.recv().catch(() => {})
  let fired = false
  const timer = setTimeout(() => (fired = true), 1)
  const began = performance.now()
  t.false(pollSync(30))
  t.true(performance.now() - began >= 29)
  t.false(fired)
  clearTimeout(timer)
})

test.serial('pollSync works while the loop runs as well', async t => {
  const [one, other] = await streams(t)
  for (let i = 0; i < 50; i++) {
    const receiving = one.recv(10)
    // Sometimes with the poll in the hands of the poller's thread, sometimes not.
    if (i % 3 === 1) await turn()
    if (i % 3 === 2) await delay(2)
    other.trySend('x')
    t.true(pollSync(1000))
    t.is(String(await receiving), 'x')
  }
})

test.serial('what comes from another thread ends a pollSync that blocks', async t => {
  const server = await listener(t)
  const signal = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('_child/late.js', import.meta.url), {
    workerData: { signal, address: server.localAddress?.toJSON() }
  })
  t.teardown(() => worker.terminate())
  const peer = closing(t, await server.accept())
  const receiving = peer.recv()
  Atomics.store(signal, 0, 1)
  Atomics.notify(signal, 0)
  t.true(pollSync(20_000))
  t.is(String(await receiving), 'late')
})
