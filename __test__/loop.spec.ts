// The loop is one per thread, so these tests take turns, and each leaves it running with nothing open.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { loop, newThread, poll, pollSync, start, stop, tcp, udp, type Socket, type TcpSocket } from 'socket2'
import { until } from './_serve.js'
import { addressOf, closing, connectedPair, lacks, listener, stopping, streams, unless } from './_util.js'

test.afterEach('nothing is left open, and the loop runs', t => {
  t.deepEqual([...loop.sockets], [])
  t.is(loop.pending, 0)
  t.true(loop.running)
})

/** What can be received at once, tried until it has come: on its way to here it may need a moment, but no event. */
async function arrived(socket: TcpSocket): Promise<string> {
  for (;;) {
    const data = await socket.recv(100, { timeout: 0 }).catch(() => null)
    if (data !== null) return String(data)
    await turn()
  }
}

// stop

test.serial('the loop runs by itself as soon as something waits', async t => {
  const [one, other] = await streams(t)
  t.true(loop.running)
  const receiving = one.recv()
  await other.send('hello')
  t.is(String(await receiving), 'hello')
})

test.serial('after stop nothing is dequeued, and what waits goes on when start is called', async t => {
  const [one, other] = await streams(t)
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
  const [one, other] = await streams(t)
  stopping(t)
  t.is(await one.send('to and'), 6)
  t.is(await arrived(other), 'to and')
  t.is(await other.send(' fro'), 4)
  t.is(await arrived(one), ' fro')
  t.is(loop.pending, 0)
})

unless(lacks.unix || lacks.posix && 'Windows may need to wait for it', test.serial)('after stop a unix connection is made at once', async t => {
  stopping(t)
  const server = await listener(t, 'unix')
  const client = await closing(t, tcp('unix')).connect(addressOf(server))
  const peer = closing(t, await server.accept())
  t.is(await client.send('to and'), 6)
  t.is(String(await peer.recv()), 'to and')
})

test.serial('a recv after stop gets what has come meanwhile, though nobody has dequeued the news of it', async t => {
  const [one, other] = await streams(t)
  const first = one.recv(Buffer.alloc(8))
  await other.send('a')
  await first
  stopping(t)
  await other.send('b')
  if (lacks.pairs) return void t.is(await arrived(one), 'b')
  // What is sent through a pair is there at once.
  const space = Buffer.alloc(8)
  t.is(await one.recv(space), 1)
  t.is(space.toString('latin1', 0, 1), 'b')
})

test.serial('deadlines, aborts and close end what waits also while the loop is stopped', async t => {
  const [one, other] = await streams(t)
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
  const [one] = await streams(t)
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
  const [one, other] = await streams(t)
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
  const [one, other] = await streams(t)
  const receiving = one.recv()
  const began = performance.now()
  t.is(await start(30), 'timeout')
  t.true(performance.now() - began >= 29)
  t.true(loop.running)
  await other.send('x')
  t.is(String(await receiving), 'x')
})

test.serial('every event gives start its time anew', async t => {
  const [one, other] = await streams(t)
  let [last, received] = [0, 0]
  const reading = newThread(async () => {
    for await (const data of one) {
      last = performance.now()
      received += data.length
    }
  })
  // On a busy machine the thread may be held up for so long that the time is over between two of them.
  for (let attempt = 1, whole = false; !whole; attempt++) {
    t.true(attempt <= 10)
    const sending = newThread(async () => {
      for (let i = 0; i < 6; i++) {
        await delay(40)
        await other.send('x')
      }
    })
    t.is(await start(200), 'timeout')
    t.true(performance.now() - last >= 199)
    whole = received === 6 * attempt
    await sending
    await until(() => received === 6 * attempt)
  }
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
    const [one] = await streams(t)
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
  const [one, other] = await streams(t)
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
  const [one, other] = await streams(t)
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
