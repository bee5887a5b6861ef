// What programs do to themselves: throws, exits, and what surrounds a process. Each case prints what came of it.
import { spawnSync } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { subscribe } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import type * as library from 'socket2'
import { pair, poll, stop, tcp, udp, type OperationOptions, type TcpSocket } from 'socket2'
import { streams } from '../_system.js'

const cases: Record<string, () => Promise<void>> = {
  /** A continuation throws, and so does a subscriber and a listener of a signal; traffic goes on. */
  async 'uncaught'() {
    const caught: string[] = []
    process.on('uncaughtException', (error: Error) => caught.push(error.message))
    const [one, other] = await streams()
    for (let i = 0; i < 5; i++) {
      const received = one.recv()
      void received.then(() => {
        throw new Error(`continuation ${i}`)
      })
      void other.send('x').then(() => queueMicrotask(() => {
        throw new Error(`microtask ${i}`)
      }))
      await received
      await turn() // Node tells of a rejection at the end of the turn
      await echo(one, other)
    }
    console.log(caught.toSorted().join())
  },

  async 'exit in the middle'() {
    const server = await tcp().listen('127.0.0.1')
    let served = 0
    void (async () => {
      for await (const socket of server.connections()) {
        void (async () => {
          for await (const data of socket) {
            if (++served === 500) process.exit(7)
            await socket.send(data)
          }
        })()
      }
    })()
    for (let i = 0; i < 20; i++) {
      const client = await tcp().connect(server.localAddress!)
      void (async () => {
        for (;;) {
          await client.send('x')
          await client.recv()
        }
      })()
    }
  },

  async 'at the last moment'() {
    let moments = 0
    process.on('beforeExit', () => {
      if (++moments === 10) process.exit(1)
      tcp().close()
    })
    process.on('exit', () => console.log(moments))
  },

  async 'descriptors of a child'() {
    const [client, peer] = await connection()
    const sockets = [client, peer, await tcp().listen('127.0.0.1'), ...pair('tcp'), ...pair('udp'), udp()]
    waitsFor(client.recv())
    await delay(20) // time for the poller's thread to be started
    const { stdout } = spawnSync('sh', ['-c', 'for fd in /proc/$$/fd/*; do echo "$fd $(readlink "$fd")"; done'], { encoding: 'utf8' })
    const kinds = [...stdout.matchAll(/fd\/(\d+) (socket|anon_inode:\[event)/g)]
    console.log(stdout.includes('/proc/'), kinds.filter(([, fd]) => Number(fd) > 2).length) // below are its stdio
    for (const socket of sockets) socket.close()
  },

  async 'no SIGPIPE'() {
    process.on('SIGPIPE', () => console.log('SIGPIPE'))
    for (const [one, other] of [await streams(), await connection()]) {
      other.reset()
      for (let i = 0; i < 3; i++) {
        await one.send('x').catch((error: { code: string }) => console.log(['EPIPE', 'ECONNRESET'].includes(error.code)))
        await one.send([Buffer.from('x'), Buffer.from('y')]).catch(() => {})
      }
      one.close()
    }
    await delay(10)
  },

  async 'loading twice'() {
    const require = createRequire(import.meta.url)
    const load = () => require('socket2') as typeof library
    const libraries = [load()]
    console.log(libraries[0]!.tcp === tcp)
    for (let i = 0; i < 3; i++) {
      for (const path of Object.keys(require.cache)) delete require.cache[path]
      libraries.push(load())
    }
    console.log(new Set(libraries.map(({ tcp }) => tcp)).size)
    const echoed = await Promise.all(libraries.map(async ({ tcp }) => {
      const server = await tcp().listen('127.0.0.1')
      const accepting = server.accept()
      const client = await tcp().connect(server.localAddress!.address, server.localAddress!.port)
      const peer = await accepting
      await echo(client as unknown as TcpSocket, peer as unknown as TcpSocket)
      for (const socket of [server, client, peer]) socket.close()
      return 'ok'
    }))
    console.log(echoed.join())
  },

  async 'idle costs nothing'() {
    const server = await tcp().listen('127.0.0.1')
    waitsFor(server.accept())
    const ends: TcpSocket[] = []
    for (let i = 0; i < 50; i++) {
      const [one, other] = await streams()
      await echo(one, other)
      ends.push(one, other)
      waitsFor(one.recv())
    }
    await delay(50)
    const before = process.cpuUsage()
    await delay(1000)
    const { user, system } = process.cpuUsage(before)
    console.log((user + system) / 1000)
    for (const end of [server, ...ends]) end.close()
  },

  /** Run with few descriptors. */
  async 'out of descriptors'() {
    const server = await tcp('unix').listen(`unix:${process.argv[3]}`)
    const accepted: TcpSocket[] = []
    void (async () => {
      for await (const socket of server.connections()) accepted.push(socket)
    })()
    const { clients, code } = allThatAreToBeHad()
    console.log(code)
    // All that are to be had are taken; the clients connect, and nobody can accept them.
    const some = clients.slice(0, 5)
    for (const client of some) await client.connect(server.localAddress!)
    const received = Promise.all(some.map(client => client.recv(2)))
    await turn()
    await delay(20)
    console.log(accepted.length)
    for (const client of clients.slice(5)) client.close()
    while (accepted.length < 5) await turn()
    for (const socket of accepted) await socket.send('ok')
    console.log((await received).join())
    const direct = await server.accept({ timeout: 0 }).catch((error: { code: string }) => error.code)
    console.log(direct)
    for (const socket of [server, ...some, ...accepted]) socket.close()
  },

  /** Run with few descriptors. */
  async 'two loops out of descriptors'() {
    const server = await tcp('unix').listen(`unix:${process.argv[3]}`)
    const { signal } = new AbortController()
    const iterate = async (op?: OperationOptions): Promise<void> => {
      for await (const _ of server.connections(op)) console.log('accepted without a descriptor')
    }
    const loops = [iterate({ signal }), iterate()]
    const { clients } = allThatAreToBeHad()
    let pauses = 0
    subscribe('socket2:error', () => pauses++)
    // From here on no pause ends by itself, nor keeps the process.
    const timers = createRequire(import.meta.url)('node:timers') as typeof import('node:timers')
    const { setTimeout } = timers
    timers.setTimeout = ((run: () => void) => setTimeout(run, 2 ** 30).unref()) as typeof setTimeout
    for (const client of clients.slice(0, 2)) await client.connect(server.localAddress!)
    while (pauses < 2) await turn()
    await turn()
    server.close()
    await Promise.all(loops)
    console.log(pauses, getEventListeners(signal, 'abort').length)
    for (const client of clients) client.close()
  },

  async 'forgotten'() {
    process.on('warning', warning => console.log(`${warning.name}\n${warning.message}`))
    const [one, other] = await streams()
    let waiting = true
    for (let i = 0; i < 3; i++) forget()
    const receiving = other.recv().finally(() => (waiting = false))
    const before = openSockets()
    while (openSockets() > before - 3) await collect()
    for (let i = 0; i < 3; i++) await collect()
    console.log(before - openSockets(), waiting)
    await one.send('not forgotten')
    console.log(String(await receiving))
    one.close()
    other.close()
  },

  /** Sockets made by methods of objects that hold them. */
  async 'held by an object'() {
    process.on('warning', warning => console.log(warning.name))
    const [closed, open] = [Array.from({ length: 100 }, holder), Array.from({ length: 100 }, holder)]
    const before = openSockets()
    for (const holder of closed) holder.deref()?.socket.close()
    await collect()
    const left = () => [...closed, ...open].filter(holder => holder.deref() !== undefined).length
    for (let i = 0; i < 100 && left() > 0; i++) await collect()
    console.log(left(), before - openSockets())
  },

  /** Nothing but the waiting operation refers to the sockets. */
  async 'forgotten, but waited for'() {
    process.on('warning', warning => console.log(warning.name))
    const waiting = await (async () => {
      const [stream, datagram, server] = [await connection(), udp(), await tcp().listen('127.0.0.1')]
      await datagram.bind('127.0.0.1')
      const results = [stream[0].recv(Buffer.alloc(9)), datagram.recv(Buffer.alloc(9)), server.accept()]
      return { results, peer: stream[1], datagram: datagram.localAddress!, server: server.localAddress! }
    })()
    for (let i = 0; i < 10; i++) await collect()
    await waiting.peer.send('x')
    const sender = udp()
    await sender.send('y', waiting.datagram)
    const client = await tcp().connect(waiting.server)
    const results = await Promise.allSettled(waiting.results)
    console.log(results.map(({ status }) => status).join())
    for (const socket of [sender, client, waiting.peer]) socket.close()
    process.exit()
  },

  async 'an endless flood of polls'() {
    const [one, other] = await streams()
    stop()
    waitsFor(one.recv())
    setTimeout(() => void other.send('x'), 20)
    let polls = 0
    while (!(await poll(0))) polls = polls + 1 + Number(await turn() ?? 0)
    console.log(polls > 0)
  }
}

class Holder {
  readonly socket = udp()
}

function holder(): WeakRef<Holder> {
  return new WeakRef(new Holder())
}

function forget(): void {
  udp()
}

/** Unix sockets until there is no descriptor left, and the code of the error that says so. */
function allThatAreToBeHad(): { clients: TcpSocket[]; code: string } {
  const clients: TcpSocket[] = []
  for (;;) {
    try {
      clients.push(tcp('unix'))
    } catch (error) {
      return { clients, code: (error as { code: string }).code }
    }
  }
}

function openSockets(): number {
  return readdirSync('/proc/self/fd').filter(fd => link(fd).startsWith('socket')).length
}

function link(fd: string): string {
  try {
    return readlinkSync(join('/proc/self/fd', fd))
  } catch {
    return '' // the descriptor of the folder itself
  }
}

/** Collects garbage, in a turn of its own: a WeakRef holds what it gave out until the turn ends. */
async function collect(): Promise<void> {
  await delay(2)
  ;(globalThis as unknown as { gc(): void }).gc()
  await delay(2)
}

async function connection(): Promise<[TcpSocket, TcpSocket]> {
  const server = await tcp().listen('127.0.0.1')
  const client = await tcp().connect(server.localAddress!)
  const peer = await server.accept()
  server.close()
  return [client, peer]
}

async function echo(one: TcpSocket, other: TcpSocket): Promise<void> {
  const receiving = other.recv()
  await one.send('there')
  await other.send(await receiving)
  if (String(await one.recvExact(5)) !== 'there') throw new Error('something else came back')
}

function waitsFor(operation: Promise<unknown>): void {
  operation.catch(() => {})
}

await cases[process.argv[2] ?? '']!()
