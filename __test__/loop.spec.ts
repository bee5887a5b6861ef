// The loop is one per thread, so these tests take turns, and each leaves it running with nothing open.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { loop, newThread, pair, poll, pollSync, start, stop, tcp, udp, type Socket, type TcpSocket } from 'socket2'
import { closing, connectedPair, listener } from './_util.js'

test.afterEach('nothing is left open, and the loop runs', t => {
  t.deepEqual([...loop.sockets], [])
  t.is(loop.pending, 0)
  t.true(loop.running)
})

// stop

test.serial('the loop runs by itself as soon as something waits', async t => {
  const [one, other] = streams(t)
  t.true(loop.running)
  const receiving = one.recv()
  await other.send('hello')
  t.is(String(await receiving), 'hello')
})

test.serial('after stop nothing is dequeued, and what waits goes on when start is called', async t => {
  const [one, other] = streams(t)
  let received = ''
  const receiving = one.recv().then(data => (received = String(data)))
  stopping(t)
  t.false(loop.running)
  await other.send('hello')
  for (let i = 0; i < 100; i++) await turn()
  t.is(received, '')
  t.is(loop.pending, 1)
  t.is(await start(), 'idle')
  t.true(loop.running)
  t.is(await receiving, 'hello')
})

test.serial('after stop what can be done at once still is', async t => {
  stopping(t)
  const { client, peer } = await unixConnection(t)
  t.is(await client.send('to and'), 6)
  t.is(String(await peer.recv()), 'to and')
  t.is(await peer.send(' fro'), 4)
  t.is(String(await client.recvExact(4)), ' fro')
  t.is(loop.pending, 0)
})

test.serial('a recv after stop gets what has come meanwhile, though nobody has dequeued the news of it', async t => {
  const [one, other] = streams(t)
  const first = one.recv(Buffer.alloc(8))
  await other.send('a')
  await first
  stopping(t)
  await other.send('b')
  const space = Buffer.alloc(8)
  t.is(await one.recv(space), 1)
  t.is(space.toString('latin1', 0, 1), 'b')
})

test.serial('deadlines, aborts and close end what waits also while the loop is stopped', async t => {
  const [one, other] = streams(t)
  const abort = new AbortController()
  stopping(t)
  await t.throwsAsync(one.recv(10, { timeout: 10 }), { code: 'ETIMEDOUT' })
  const aborted = one.recv(10, { signal: abort.signal })
  abort.abort(new Error('enough'))
  await t.throwsAsync(aborted, { message: 'enough' })
  const closed = other.recv()
  other.close()
  await t.throwsAsync(closed, { code: 'ERR_SOCKET_CLOSED' })
})

// start

test.serial('start resolves to stopped after stop', async t => {
  const [one] = streams(t)
  one.recv().catch(() => {})
  const running = start()
  await turn()
  stopping(t)
  t.is(await running, 'stopped')
})

test.serial('start resolves to idle when nothing waits', async t => {
  t.is(await start(), 'idle')
  t.is(await start(0), 'idle')
})

test.serial('start resolves to idle when nothing waits any more, not between one wait and the next', async t => {
  const [one, other] = streams(t)
  let rounds = 0
  void newThread(async () => {
    while ((await one.recv()).length > 0) rounds++
  })
  void newThread(async () => {
    for (let i = 0; i < 50; i++) {
      await other.send('x')
      await turn()
    }
    other.shutdown('write')
  })
  t.is(await start(), 'idle')
  t.true(rounds > 0)
  t.is(loop.pending, 0)
})

test.serial('start resolves to timeout after that long without an event, and the loop goes on', async t => {
  const [one, other] = streams(t)
  const receiving = one.recv()
  const began = performance.now()
  t.is(await start(30), 'timeout')
  t.true(performance.now() - began >= 29)
  t.true(loop.running)
  await other.send('x')
  t.is(String(await receiving), 'x')
})

test.serial('every event gives start its time anew', async t => {
  const [one, other] = streams(t)
  let last = 0
  void newThread(async () => {
    for (let i = 0; i < 6; i++) {
      await delay(40)
      await other.send('x')
    }
  })
  const reading = newThread(async () => {
    for await (const data of one) last = data.length > 0 ? performance.now() : last
  })
  const outcome = await start(200)
  t.is(outcome, 'timeout')
  t.true(performance.now() - last >= 199)
  one.close()
  await t.throwsAsync(reading, { code: 'ERR_SOCKET_CLOSED' })
})

test.serial('start counts the threads that are still at work', async t => {
  let done = false
  void newThread(async () => {
    await delay(30)
    done = true
  })
  t.is(await start(), 'idle')
  t.true(done)
})

test.serial('starts at the same time share one run, and start may be called again and again', async t => {
  for (let i = 0; i < 3; i++) {
    const [one] = streams(t)
    one.recv().catch(() => {})
    const short = start(10)
    const long = start()
    t.is(await short, 'timeout')
    const longer = start()
    stop()
    t.deepEqual(await Promise.all([long, longer]), ['stopped', 'stopped'])
    one.close()
    t.is(await start(), 'idle')
  }
})

test.serial('start after stop in the same turn is a run of its own', async t => {
  const [one, other] = streams(t)
  const receiving = one.recv()
  const first = start()
  stop()
  const second = start()
  await other.send('x')
  t.deepEqual(await Promise.all([first, second]), ['stopped', 'idle'])
  t.is(String(await receiving), 'x')
})

test.serial('a wrong time is a RangeError or a TypeError, by rejection from what is async and thrown by what is not', async t => {
  for (const wrong of [-1, NaN, -Infinity]) {
    await t.throwsAsync(start(wrong), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
    await t.throwsAsync(poll(wrong), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => pollSync(wrong), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  }
  for (const wrong of ['1', null, {}, 1n] as unknown as number[]) {
    await t.throwsAsync(start(wrong), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
    await t.throwsAsync(poll(wrong), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
    t.throws(() => pollSync(wrong), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' })
  }
  stopping(t)
  await t.throwsAsync(start(-1), { code: 'ERR_OUT_OF_RANGE' })
  t.false(loop.running, 'a call that was refused changes nothing')
})

// poll

for (const [name, once] of [['poll', poll], ['pollSync', async (timeout?: number) => pollSync(timeout)]] as const) {
  test.serial(`${name} lets an operation go on that is ready, and says true`, async t => {
    const [one, other] = streams(t)
    stopping(t)
    const receiving = one.recv()
    await other.send('x')
    t.true(await once(1000))
    t.is(String(await receiving), 'x')
    t.false(loop.running)
  })

  test.serial(`${name} says false when its time is over, at once when it is 0`, async t => {
    const [one] = streams(t)
    stopping(t)
    one.recv().catch(() => {})
    t.false(await once(0))
    const began = performance.now()
    t.false(await once(25.5))
    t.true(performance.now() - began >= 24.5) // a timer of the runtime can be early by a part of a millisecond
  })

  test.serial(`${name} says false at once when nothing waits`, async t => {
    streams(t)
    stopping(t)
    t.false(await once())
  })

  test.serial(`${name}: what completes no operation is no event`, async t => {
    const [one, other] = streams(t)
    const [unwatched, peer] = streams(t)
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
    const [one] = streams(t)
    stopping(t)
    await t.throwsAsync(one.recv(10, { timeout: 5 }), { code: 'ETIMEDOUT' })
    one.recv().catch(() => {})
    t.false(await once(20))
  })

  test.serial(`${name} ends when the deadline of one who waits is over`, async t => {
    const [one] = streams(t)
    const [other] = streams(t)
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
    const { client, peer } = await unixConnection(t)
    let done = false
    const talking = newThread(async () => {
      for (let i = 0; i < 20; i++) {
        await client.send(Buffer.alloc(100_000, i))
        t.is((await client.recvExact(1))[0], i)
      }
      client.shutdown('write')
      done = true
    })
    const answering = newThread(async () => {
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
  const [one, other] = streams(t)
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
  const [one, other] = streams(t)
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
  const [one, other] = streams(t)
  stopping(t)
  const receiving = one.recv()
  setTimeout(() => void other.send('x'), 10)
  t.true(await poll())
  t.is(String(await receiving), 'x')
})

test.serial('pollSync blocks the thread: no timer fires meanwhile', t => {
  const [one] = streams(t)
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
  const [one, other] = streams(t)
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

// newThread

test.serial('newThread starts at once, runs to its first wait, and resolves to its result', async t => {
  const steps: string[] = []
  const thread = newThread(async (a: number, b: string) => {
    steps.push('begun')
    await null
    steps.push('ended')
    return `${a}${b}`
  }, 4, '2')
  steps.push('returned')
  t.is(await thread, '42')
  t.deepEqual(steps, ['begun', 'returned', 'ended'])
  t.is(await newThread(() => 7), 7)
})

test.serial('a thread that throws rejects its own promise and stops nothing else', async t => {
  const [one, other] = streams(t)
  const running = start()
  const receiving = newThread(async () => String(await one.recv()))
  const failing = newThread(async () => {
    await turn()
    throw new Error('late')
  })
  const failingAtOnce = newThread(() => {
    throw new Error('soon')
  })
  await t.throwsAsync(failing, { message: 'late' })
  await t.throwsAsync(failingAtOnce, { message: 'soon' })
  await other.send('unharmed')
  t.is(await receiving, 'unharmed')
  t.is(await running, 'idle')
})

// loop

test.serial('loop tells who is open, since when, and waiting for what', async t => {
  const before = Date.now()
  const { server, client, peer } = await connectedPair(t)
  const bound = closing(t, udp())
  const open = [server, client, peer, bound]
  t.deepEqual(open.map(socket => [...loop.sockets].includes(socket)), [true, true, true, true])
  t.is(loop.pending, 0)
  server.accept().catch(() => {})
  client.recv().catch(() => {})
  client.recv().catch(() => {})
  bound.recv().catch(() => {})
  while (peer.trySend(Buffer.alloc(1 << 20)) > 0);
  peer.send(Buffer.alloc(1 << 20)).catch(() => {})
  t.is(loop.pending, 5)
  const stats = loop.stats()
  const waits = (socket: Socket) => stats.find(entry => entry.socket === socket)?.waitingFor
  t.is(stats.length, 4)
  t.deepEqual(open.map(waits), [['accept'], ['recv', 'recv'], ['send'], ['recv']])
  t.true(stats.every(({ since }) => since.getTime() >= before && since.getTime() <= Date.now()))
  client.close()
  t.is(loop.pending, 3)
  t.false([...loop.sockets].includes(client))
})

// diagnostics_channel

test.serial('who subscribes to the diagnostics channels hears of connects, accepts and closes; nobody else pays', async t => {
  const heard: [string, unknown][] = []
  const names = ['connect', 'accept', 'close', 'error']
  const subscribers = names.map(name => {
    const subscriber = (message: unknown) => void heard.push([name, (message as { socket: Socket }).socket])
    subscribe(`socket2:${name}`, subscriber)
    return () => unsubscribe(`socket2:${name}`, subscriber)
  })
  const { server, client, peer } = await connectedPair(t)
  for (const socket of [client, peer, server, client]) socket.close()
  await turn()
  t.deepEqual(heard.slice(0, 2).map(([name]) => name).toSorted(), ['accept', 'connect'])
  t.deepEqual(heard.slice(2).map(([name]) => name), ['close', 'close', 'close'])
  for (const [name, socket] of heard.slice(0, 2)) t.is(socket, name === 'accept' ? peer : client)
  for (const [i, socket] of [client, peer, server].entries()) t.is(heard[i + 2]?.[1], socket)

  for (const end of subscribers) end()
  const { client: unheard } = await connectedPair(t)
  unheard.close()
  await turn()
  t.is(heard.length, 5)
})

test.serial('a subscriber that closes the socket it hears of does not trouble the loop', async t => {
  const subscriber = (message: unknown) => (message as { socket: Socket }).socket.close()
  subscribe('socket2:accept', subscriber)
  t.teardown(() => unsubscribe('socket2:accept', subscriber))
  const { peer, client } = await connectedPair(t)
  t.true(peer.closed)
  t.is(await client.recv(Buffer.alloc(1)), 0)
})

/** Two connected unix streams. */
function streams(t: ExecutionContext): [TcpSocket, TcpSocket] {
  const [one, other] = pair('tcp')
  return [closing(t, one), closing(t, other)]
}

/** A connection between unix sockets, which is made without waiting. */
async function unixConnection(t: ExecutionContext): Promise<{ client: TcpSocket; peer: TcpSocket }> {
  const server = await listener(t, 'unix')
  const { localAddress } = server
  if (localAddress === null) throw new Error('a listener has an address')
  const client = await closing(t, tcp('unix')).connect(localAddress)
  return { client, peer: closing(t, await server.accept()) }
}

/** Stops the loop until the test ends. What waits in a stopped loop keeps nothing alive, so an idle timer does. */
function stopping(t: ExecutionContext): void {
  const awake = setInterval(() => {}, 60_000)
  stop()
  t.teardown(async () => {
    clearInterval(awake)
    await start(0)
  })
}
