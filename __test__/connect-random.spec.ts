// The helper `connect` in many races at once whose attempts succeed, fail and hang, and which end by time or signal at any moment: each has
// the end that it must have, and at last nothing is left.
import { getEventListeners } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { connect, loop, SocketError, type Address, type TcpSocket } from 'socket2'
import { deserted, fullListener } from './_nobody.js'
import { numbers } from './_random.js'
import { until } from './_serve.js'
import { addressOf, closing, listener, rounds } from './_util.js'

/** What is at an address. */
type Kind = 'live' | 'refusing' | 'silent'

for (const seed of [1, 2, 3, 4]) {
  test.serial(`races in any mixture come to the end that they must have, and leave nothing (${seed})`, async t => {
    const random = numbers(seed)
    const places = await all(t)
    const guests: TcpSocket[] = []
    const heard: string[] = []
    for (const { server } of places) if (server !== undefined) void welcome(server, guests, heard)
    const [open, descriptors, pending] = [loop.stats().length, count(), loop.pending]
    const said: string[] = []

    for (let round = 0; round < rounds(15); round++) {
      await Promise.all(Array.from({ length: 10 }, async (_, place) => {
        const chosen = Array.from({ length: 1 + Math.floor(random() * 6) }, () => places[Math.floor(random() * places.length)]!)
        const name = `race ${round}.${place}`
        const winner = await race(t, name, chosen, random)
        if (winner === null) return
        await winner.send(name)
        said.push(name)
        winner.close()
      }))
    }

    // Whoever has come, as a winner or not, is gone again.
    await until(() => guests.every(({ closed }) => closed) && heard.length === said.length && loop.stats().length === open)
    t.deepEqual(heard.toSorted(), said.toSorted())
    t.true(said.length > rounds(15))
    t.is(loop.pending, pending)
    t.is(count(), descriptors)
  })
}

/** Connects to all of these, with limits by chance. Resolves to the winner, if there is one. */
async function race(t: ExecutionContext, name: string, chosen: readonly { kind: Kind; address: Address }[], random: () => number): Promise<TcpSocket | null> {
  const controller = new AbortController()
  const reason = { name }
  const attemptDelay = 10 + random() * 20
  const mayHang = chosen.every(({ kind }) => kind !== 'live') && chosen.some(({ kind }) => kind === 'silent')
  const hasTimeout = mayHang || random() < 0.3
  const timeout = hasTimeout ? (random() < 0.1 ? 0 : random() * 80) : Infinity
  const willAbort = random() < 0.4
  const connecting = connect(chosen.map(({ address }) => address), { attemptDelay, timeout, signal: controller.signal })
  const aborting = willAbort ? abortLater(controller, reason, random) : undefined
  try {
    const socket = closing(t, await connecting)
    t.true(chosen.some(({ kind, address }) => kind === 'live' && address.equals(socket.remoteAddress!)), `${name} has found ${socket.remoteAddress}`)
    t.true(socket.bytesWritten === 0 && !socket.closed)
    return socket
  } catch (error) {
    if (error === reason) {
      t.true(willAbort, name)
    } else if (error instanceof SocketError && error.code === 'ETIMEDOUT') {
      t.true(hasTimeout && error.timeout === timeout, name)
    } else {
      t.true(error instanceof SocketError && error.code === 'ECONNREFUSED' && chosen.every(({ kind }) => kind === 'refusing'), `${name}: ${String(error)}`)
    }
    return null
  } finally {
    t.is(getEventListeners(controller.signal, 'abort').length, 0, name)
    await aborting
  }
}

/** Aborts at any moment: at once, some microtasks or turns of the loop later, after some time. */
async function abortLater(controller: AbortController, reason: unknown, random: () => number): Promise<void> {
  const [how, much] = [random(), random()]
  if (how < 0.3) for (let i = much * 20; i > 0; i--) await null
  else if (how < 0.6) for (let i = much * 10; i > 0; i--) await turn()
  else await delay(much * 50)
  controller.abort(reason)
}

/** Addresses of every kind, of both families. */
async function all(t: ExecutionContext): Promise<{ kind: Kind; address: Address; server?: TcpSocket }[]> {
  const each = await Promise.all((['inet', 'inet6'] as const).map(async family => {
    const server = await listener(t, family)
    return [
      { kind: 'live', address: addressOf(server), server },
      { kind: 'refusing', address: await deserted(t, family) },
      { kind: 'refusing', address: await deserted(t, family) },
      { kind: 'silent', address: (await fullListener(t, family)).address }
    ] as const
  }))
  return each.flat()
}

/** Hears what all who come have to say, to their end. */
async function welcome(server: TcpSocket, guests: TcpSocket[], heard: string[]): Promise<void> {
  for await (const guest of server.connections()) {
    guests.push(guest)
    void (async () => {
      const text = String(await guest.recvAll())
      if (text !== '') heard.push(text)
      guest.close()
    })()
  }
}

/** How many sockets this process has by its own account, without unix ones, of which a runtime may make some for itself; 0 where that is not told. */
function count(): number {
  if (process.platform !== 'linux') return 0
  const unix = new Set(readFileSync('/proc/net/unix', 'utf8').split('\n').map(line => `socket:[${line.trim().split(/\s+/)[6]}]`))
  const links = readdirSync('/proc/self/fd').map(fd => link(`/proc/self/fd/${fd}`))
  return links.filter(to => to.startsWith('socket:') && !unix.has(to)).length
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '' // the one by which the folder was read
  }
}
