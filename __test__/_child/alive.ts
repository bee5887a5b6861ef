// What keeps a process alive: each case leaves something behind, says so, and has no more to do.
import { stop, tcp, udp } from 'socket2'
import { streams } from '../_system.js'

// Nothing here is collected: that would close it.
const kept: unknown[] = []
function keep<T>(made: T): T {
  kept.push(made)
  return made
}

const cases: Record<string, () => Promise<void>> = {
  async 'idle listener'() {
    await keep(tcp()).listen('127.0.0.1')
  },
  async 'idle connection'() {
    const server = await keep(tcp()).listen('127.0.0.1')
    const client = await keep(tcp()).connect(server.localAddress!)
    const peer = keep(await server.accept())
    await client.send('hello')
    await peer.recv()
  },
  async 'idle udp'() {
    const socket = keep(udp())
    await socket.bind('127.0.0.1')
    await socket.send('to itself', socket.localAddress!)
    await socket.recv()
  },
  async 'pending accept'() {
    const server = await keep(tcp()).listen('127.0.0.1')
    waits(server.accept())
  },
  async 'pending recv'() {
    waits(keep(await streams())[0].recv())
  },
  async 'pending send'() {
    waits(keep(await streams())[0].send(Buffer.alloc(16 << 20)))
  },
  async 'pending udp recv'() {
    const socket = keep(udp())
    await socket.bind('127.0.0.1')
    waits(socket.recv())
  },
  async 'pending with a deadline'() {
    keep(await streams())[0].recv(10, { timeout: 50 }).catch((error: { code: string }) => console.log(error.code))
  },
  async 'unref'() {
    const [one] = keep(await streams())
    one.unref()
    waits(one.recv())
  },
  async 'unref while it waits'() {
    const [one] = keep(await streams())
    waits(one.recv())
    setImmediate(() => one.unref())
  },
  async 'ref after unref'() {
    const [one] = keep(await streams())
    waits(one.unref().ref().unref().ref().recv())
  },
  async 'ref while it waits'() {
    const [one] = keep(await streams())
    waits(one.unref().recv())
    one.ref()
  },
  async 'unref of one among two'() {
    const [one, other] = keep(await streams())
    one.unref()
    waits(one.recv())
    waits(other.recv())
  },
  async 'close of what waits'() {
    const [one, other] = keep(await streams())
    one.recv().catch((error: { code: string }) => console.log(error.code))
    other.unref()
    other.recv().catch(() => {})
    setTimeout(() => one.close(), 20)
  },
  async 'abort of what waits'() {
    const signal = AbortSignal.timeout(20)
    const awake = setTimeout(() => {}, 5000) // such a signal keeps nothing alive
    keep(await streams())[0].recv(10, { signal }).catch((error: { name: string }) => {
      clearTimeout(awake)
      console.log(error.name)
    })
  },
  async 'stop'() {
    waits(keep(await streams())[0].recv())
    stop()
  },
  async 'traffic, then nothing'() {
    const [one, other] = keep(await streams())
    const echo = (async () => {
      for await (const data of other) await other.send(data)
    })()
    for (let i = 0; i < 1000; i++) {
      await one.send('x')
      await one.recv()
    }
    one.shutdown('write')
    await echo
  }
}

function waits(operation: Promise<unknown>): void {
  operation.then(() => console.log('completed'), (error: { code: string }) => console.log(error.code))
}

const name = process.argv[2] ?? ''
await cases[name]!()
console.log('left')
