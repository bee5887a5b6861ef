// The helper `connect` where a host has several addresses: whose turn it is, who wins, and that nobody else stays. What takes a network is
// in connect-network.spec.ts, what takes one address in connect-to.spec.ts.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import { createRequire } from 'node:module'
import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { connect, loop, type Address, type ConnectOptions, type Socket, type SocketError, type TcpSocket } from 'socket2'
import { deserted, fullListener } from './_nobody.js'
import { gone, until } from './_serve.js'
import { fullStacks } from './_system.js'
import { addressOf, child, closing, lacks, listener, stopping, unless } from './_util.js'

// One after the other, since each looks at all the sockets that are open.
const serially = test.serial
/** What ends an attempt here must be something else than its time. */
const alone = { attemptDelay: Infinity }
/** Longer than what must not be waited for, but not what a slow machine takes. */
const LONG = 20_000

/** For making sure, later, that nothing is open which was not before but the sockets that are named. */
function watching(t: ExecutionContext): (...left: TcpSocket[]) => void {
  const before = new Set(loop.sockets)
  const ends = (socket: Socket): string => `${socket.localAddress} ${socket.remoteAddress}`
  return (...left) => {
    const opened = [...loop.sockets].filter(socket => !before.has(socket))
    t.deepEqual(opened.map(ends).toSorted(), left.map(socket => ends(closing(t, socket))).toSorted())
  }
}

/** The error of a connect that fails; it is awaited on a line of this file. */
async function failure(addresses: readonly Address[], options?: ConnectOptions): Promise<SocketError> {
  try {
    await connect(addresses, options)
  } catch (error) {
    return error as SocketError
  }
  throw new Error('it has connected')
}

function causes(error: SocketError): SocketError[] {
  return (error.cause as AggregateError).errors as SocketError[]
}

/** How many ms something took. */
async function timed<T>(call: () => Promise<T>): Promise<[T, number]> {
  const begun = performance.now()
  return [await call(), performance.now() - begun]
}

/** Whether nobody has come to a listener. */
async function unvisited(server: TcpSocket): Promise<boolean> {
  await turn()
  return await server.accept({ timeout: 0 }).then(() => false, () => true)
}

serially('the first address that answers is connected, and no other is visited', async t => {
  const [one, other] = [await listener(t, 'inet6'), await listener(t)]
  const onlyIt = watching(t)
  const socket = await connect([addressOf(one), addressOf(other)])
  onlyIt(socket)
  t.true(socket.remoteAddress!.equals(addressOf(one)))
  t.true(closing(t, await one.accept()).remoteAddress!.equals(socket.localAddress!))
  t.true(await unvisited(other))
})

serially('an address that refuses gives way to the next at once', async t => {
  const [nobody, server] = [await deserted(t, 'inet6'), await listener(t)]
  const onlyIt = watching(t)
  const socket = await connect([nobody, addressOf(server)], alone)
  onlyIt(socket)
  t.true(socket.remoteAddress!.equals(addressOf(server)))
})

for (const [title, options, delay] of [['250 ms', {}, 250], ['the delay', { attemptDelay: 400 }, 400]] as const) {
  serially(`an address that nobody answers at is left behind after ${title}, and its socket is closed`, async t => {
    const [{ address }, server] = [await fullListener(t, 'inet6'), await listener(t)]
    const onlyIt = watching(t)
    const [socket, time] = await timed(() => connect([address, addressOf(server)], options))
    onlyIt(socket)
    t.true(socket.remoteAddress!.equals(addressOf(server)))
    t.true(time > delay - 1 && time < LONG, `${time} ms`)
  })
}

serially('work before a connect is not counted as time of its first attempt', async t => {
  const [{ address }, server] = [await fullListener(t, 'inet'), await listener(t)]
  await turn()
  block(200)
  const [socket, time] = await timed(() => connect([address, addressOf(server)], { attemptDelay: 200 }))
  closing(t, socket)
  t.true(time > 195, `${time} ms`)
})

serially('a busy thread begins no attempt while one is connected of which it has not heard', async t => {
  const [one, other] = [await listener(t, 'inet6'), await listener(t)]
  const onlyIt = watching(t)
  await turn() // after it timers come first
  const connecting = connect([addressOf(one), addressOf(other)], { attemptDelay: 10 })
  block(100)
  const socket = await connecting
  onlyIt(socket)
  t.true(socket.remoteAddress!.equals(addressOf(one)))
  t.true(await unvisited(other))
})

serially('families take turns, beginning with that of the first address, each in its order, and none is tried twice', async t => {
  const inet = await Promise.all(Array.from({ length: 3 }, () => deserted(t, 'inet')))
  const inet6 = await Promise.all(Array.from({ length: 3 }, () => deserted(t, 'inet6')))
  const [a, b, c] = inet as [Address, Address, Address]
  const [A, B, C] = inet6 as [Address, Address, Address]
  const nothing = watching(t)
  for (const [listed, tried] of [
    [[a, b, c, A, B, C], [a, A, b, B, c, C]],
    [[A, B, a, b], [A, a, B, b]],
    [[a, A, B, C], [a, A, B, C]],
    [[A, a, b, c], [A, a, b, c]],
    [[a, a, b, A, a, A], [a, A, b]],
    [[C, B, A], [C, B, A]]
  ] as const) {
    const error = await failure(listed)
    t.deepEqual(causes(error).map(({ message }) => message), tried.map(address => `connect ECONNREFUSED ${address}`))
  }
  nothing()
  const [message] = (await failure([a, A, a], { family: 'inet' })).message.split(',')
  t.is(message, `connect ECONNREFUSED ${a}`, 'one that is left is no race')
  t.is((await failure([a, A], { localAddress: '::1' })).cause, undefined)
})

serially('when all fail the error has the code of the first, all of them as its cause, and a stack that leads to the call', async t => {
  const [one, other] = [await deserted(t, 'inet'), await deserted(t, 'inet6')]
  const nothing = watching(t)
  const error = await failure([one, other])
  nothing()
  t.like(error, { name: 'SocketError', code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: one.port })
  t.is(error.message, `connect ECONNREFUSED ${one}, and 1 other address failed, too`)
  t.true(error.cause instanceof AggregateError)
  for (const each of [error, ...fullStacks ? causes(error) : []]) if (fullStacks) t.regex(each.stack!, /at async failure .*connect-race/)
  t.is((await failure([one, other, await deserted(t, 'inet')])).message, `connect ECONNREFUSED ${one}, and 2 other addresses failed, too`)
})

serially('failures are told in the order of the attempts, not of their ends', async t => {
  const [{ full, address }, nobody] = [await fullListener(t, 'inet'), await deserted(t, 'inet6')]
  const failing = failure([address, nobody], { attemptDelay: 10 })
  const closed: Socket[] = []
  const subscriber = (message: unknown): void => void closed.push((message as { socket: Socket }).socket)
  subscribe('socket2:close', subscriber)
  t.teardown(() => unsubscribe('socket2:close', subscriber))
  await until(() => closed.some(({ family }) => family === 'inet6'))
  // The second has failed. The first, which asks again after a second, will find that nobody listens any more.
  full.close()
  t.deepEqual(causes(await failing).map(({ message }) => message), [`connect ECONNREFUSED ${address}`, `connect ECONNREFUSED ${nobody}`])
})

serially('attempts go on side by side: the first can still win after the second has begun', async t => {
  const { slow: [first], connecting, only } = await bothBegun(t)
  const accepted = closing(t, await first!.accept())
  const socket = await connecting
  only(socket, accepted)
  t.true(socket.remoteAddress!.equals(first!.address))
  t.true(accepted.remoteAddress!.equals(socket.localAddress!))
})

for (const ending of ['the first to be heard of wins, the other is closed', 'an abort closes both', 'time that is up meanwhile is no matter'] as const) {
  serially(`two attempts have connected before the thread hears of either: ${ending}`, async t => {
    const controller = new AbortController()
    const timeout = ending.startsWith('time') ? 2_000 : Infinity
    const { slow, connecting, only } = await bothBegun(t, { signal: controller.signal, timeout })
    const reason = { any: 'thing' }
    // No turn of the loop from here on, so nothing is heard of what happens, neither of sockets nor of timers.
    const peers = await Promise.all(slow.map(({ accept }) => accept()))
    if (ending.startsWith('time')) block(timeout + 100)
    if (ending.startsWith('an abort')) controller.abort(reason)
    const winner = await connecting.catch((error: unknown) => {
      if (error !== reason) throw error
      return undefined
    })
    t.is(winner === undefined, ending.startsWith('an abort'))
    only(...peers, ...winner === undefined ? [] : [winner])
    await winner?.send('it is me')
    winner?.shutdown('write')
    const heard = await Promise.all(peers.map(gone))
    t.deepEqual(heard.toSorted(), winner === undefined ? ['', ''] : ['', 'it is me'])
    t.is(getEventListeners(controller.signal, 'abort').length, 0)
  })
}

interface Slow {
  address: Address
  /** Makes room, and waits for the attempt without a turn of the loop. Of what it has asked for in vain, a system asks again after a second. */
  accept(): Promise<TcpSocket>
}

/** Two attempts are under way, at listeners that have no room yet. */
async function bothBegun(t: ExecutionContext, options?: ConnectOptions): Promise<{ slow: Slow[]; connecting: Promise<TcpSocket>; only: (...left: TcpSocket[]) => void }> {
  const full = [(await fullListener(t, 'inet6')).full, (await fullListener(t, 'inet')).full]
  const only = watching(t)
  const before = new Set(loop.sockets)
  const connecting = connect(full.map(addressOf), { attemptDelay: 10, ...options })
  connecting.catch(() => {})
  const attempts = (): Socket[] => [...loop.sockets].filter(socket => !before.has(socket))
  await until(() => attempts().length === 2)
  const slow = full.map(listener => {
    const { localAddress } = attempts().find(({ family }) => family === listener.family)!
    return { address: addressOf(listener), accept: () => acceptFrom(t, listener, localAddress!) }
  })
  return { slow, connecting, only }
}

async function acceptFrom(t: ExecutionContext, listener: TcpSocket, address: Address): Promise<TcpSocket> {
  const end = performance.now() + LONG
  while (performance.now() < end) {
    try {
      const peer = closing(t, await listener.accept({ timeout: 0 }))
      if (peer.remoteAddress!.equals(address)) return peer
      peer.close()
    } catch {
      block(5)
    }
  }
  throw new Error('nobody came')
}

function block(time: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, time)
}

// Time, and signals

serially('a timeout is for all attempts together, tells what has failed until then, and leaves nothing open', async t => {
  const [{ address: one }, nobody, { address: other }] = [await fullListener(t, 'inet6'), await deserted(t, 'inet'), await fullListener(t, 'inet6')]
  const nothing = watching(t)
  const [error, time] = await timed(() => failure([one, nobody, other], { attemptDelay: 50, timeout: 300 }))
  nothing()
  t.true(time > 299 && time < LONG, `${time} ms`)
  t.like(error, { code: 'ETIMEDOUT', syscall: 'connect', timeout: 300, message: 'connect ETIMEDOUT: not done within 300 ms' })
  t.deepEqual(causes(error).map(({ message }) => message), [`connect ECONNREFUSED ${nobody}`])
  if (fullStacks) t.regex(error.stack!, /at async failure .*connect-race/)
  t.is((await failure([one, other], { attemptDelay: 50, timeout: 20 })).cause, undefined, 'nothing has failed')
})

serially('with a timeout of 0 only what can be done now is done', async t => {
  const [{ address: one }, { address: other }] = [await fullListener(t, 'inet6'), await fullListener(t, 'inet')]
  const nothing = watching(t)
  t.like(await failure([one, other], { timeout: 0 }), { code: 'ETIMEDOUT', timeout: 0 })
  nothing()
})

unless(lacks.linux, serially)('with a timeout of 0 an address of this machine is connected, also while the loop is stopped: on Linux that is done now', async t => {
  const [one, other] = [await listener(t, 'inet6'), await listener(t)]
  const onlyIt = watching(t)
  onlyIt(await connect([addressOf(one), addressOf(other)], { timeout: 0 }))
  stopping(t)
  closing(t, await connect([addressOf(other), addressOf(one)], { timeout: 0 }))
})

serially('an abort ends a race in every state with its reason itself, and leaves nothing', async t => {
  const [{ address: one }, nobody, { address: other }] = [await fullListener(t, 'inet6'), await deserted(t, 'inet6'), await fullListener(t, 'inet')]
  const nothing = watching(t)
  const before = [...loop.sockets].length
  for (const reason of [new Error('enough'), 'a string', null]) {
    for (const wait of [() => {}, () => Promise.resolve(), turn, () => until(() => [...loop.sockets].length === before + 2)]) {
      const controller = new AbortController()
      const connecting = connect([nobody, one, other], { attemptDelay: 10, signal: controller.signal })
      const ended = connecting.then(() => t.fail(), (error: unknown) => error)
      await wait()
      controller.abort(reason)
      nothing()
      t.is(await ended, reason)
      t.is(getEventListeners(controller.signal, 'abort').length, 0)
      nothing()
    }
    t.is(await connect([one, other], { signal: AbortSignal.abort(reason) }).then(() => t.fail(), (error: unknown) => error), reason)
  }
})

serially('who aborts after a race has been won, but before that is told, gets the reason and no socket', async t => {
  const [{ address }, server] = [await fullListener(t, 'inet6'), await listener(t)]
  const nothing = watching(t)
  const controller = new AbortController()
  // The first to hear of the end: the loser is closed.
  const abort = (): void => controller.abort('enough')
  subscribe('socket2:close', abort)
  t.teardown(() => unsubscribe('socket2:close', abort))
  const connecting = connect([address, addressOf(server)], { attemptDelay: 10, signal: controller.signal })
  t.is(await connecting.then(() => t.fail(), (error: unknown) => error), 'enough')
  nothing()
  const peer = closing(t, await server.accept())
  t.is(await gone(peer), '')
})

// Options, and what is told

serially('options are set before an attempt; one that only one family has goes to its sockets', async t => {
  const [one, other] = [await listener(t, 'inet6'), await listener(t)]
  const options: ConnectOptions = { ttl: 9, hopLimit: 12, keepAlive: true, noDelay: false }
  const six = closing(t, await connect([addressOf(one), addressOf(other)], options))
  t.deepEqual([six.getOption('hopLimit'), six.getOption('keepAlive'), six.getOption('noDelay')], [12, true, false])
  const four = closing(t, await connect([addressOf(other), addressOf(one)], options))
  t.deepEqual([four.getOption('ttl'), four.getOption('keepAlive'), four.getOption('noDelay')], [9, true, false])
  t.true(closing(t, await connect([addressOf(other), addressOf(one)], { hopLimit: 3 })).getOption('noDelay'))
})

serially('the channel socket2:connect tells of the winner, once, and socket2:close of whoever is closed for it', async t => {
  const [nobody, { address }, server] = [await deserted(t, 'inet'), await fullListener(t, 'inet6'), await listener(t)]
  const heard: [string, Socket][] = []
  for (const name of ['connect', 'close']) {
    const subscriber = (message: unknown): void => void heard.push([name, (message as { socket: Socket }).socket])
    subscribe(`socket2:${name}`, subscriber)
    t.teardown(() => unsubscribe(`socket2:${name}`, subscriber))
  }
  const socket = closing(t, await connect([nobody, address, addressOf(server)], { attemptDelay: 10 }))
  await turn()
  t.deepEqual(heard.map(([name, { family }]) => [name, family]).toSorted(), [['close', 'inet'], ['close', 'inet6'], ['connect', 'inet']])
  t.is(heard.find(([name]) => name === 'connect')![1], socket)
  await failure([nobody, nobody])
  await turn()
  t.is(heard.filter(([name]) => name === 'connect').length, 1)
})

serially('a race has one timer, for the next attempt, and a single address has none', async t => {
  const [{ address }, server] = [await fullListener(t, 'inet6'), await listener(t)]
  // The library's, and those that it has not cleared.
  const timers = createRequire(import.meta.url)('node:timers') as typeof import('node:timers')
  const { setTimeout, clearTimeout } = timers
  t.teardown(() => Object.assign(timers, { setTimeout, clearTimeout }))
  const made: unknown[] = []
  const cleared = new Set<unknown>()
  timers.setTimeout = ((...args: Parameters<typeof setTimeout>) => made[made.push(setTimeout(...args)) - 1]) as typeof setTimeout
  timers.clearTimeout = (timer) => {
    cleared.add(timer)
    clearTimeout(timer)
  }
  closing(t, await connect(addressOf(server)))
  closing(t, await connect(addressOf(server).port, '127.0.0.1'))
  closing(t, await connect(addressOf(server).port, 'localhost', { family: 'inet' }))
  t.is(made.length, 0)
  closing(t, await connect([addressOf(server), address]))
  t.is(made.length, 1)
  closing(t, await connect([address, addressOf(server)], { attemptDelay: 10 }))
  t.is(made.length, 2, 'behind the last nobody waits')
  t.true(made.every(timer => cleared.has(timer)))
})

unless(lacks.linux, test.serial)('an attempt for which there is no descriptor has failed, and the race goes on', async t => {
  t.deepEqual(JSON.parse((await child(t, 'descriptors-of-a-race', [], [], ['sh', '-c', 'ulimit -n 64; exec "$0" "$@"'])).stdout), {
    none: ['EMFILE', ['EMFILE', 'EMFILE', 'EMFILE']],
    one: ['ETIMEDOUT', ['EMFILE', 'EMFILE']],
    enough: 'connected',
    left: 0
  })
})

unless(lacks.linux, test.serial)('a socket that a race has won and everybody has forgotten is closed, with a warning of where it was connected', async t => {
  const { code, stdout } = await child(t, 'forgotten-winner', [], ['--expose-gc', '--no-warnings'])
  t.is(code, 0)
  t.regex(stdout, /^SocketLeakWarning\n[^]*at (?:async )?forget .*forgotten-winner\.js:\d+:\d+/)
})
