// What only a process can show of streams over sockets: each case leaves something behind, says so, and has no more to do.
import { setImmediate as turn } from 'node:timers/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { loop, tcp, type SocketDuplex, type TcpSocket } from 'socket2'
import { streams } from '../_system.js'

// Nothing here is collected: that would close it.
const kept: unknown[] = []
function keep<T>(made: T): T {
  kept.push(made)
  return made
}

const cases: Record<string, () => Promise<void>> = {
  async 'stream that is read'() {
    const [one] = keep(await streams())
    one.toDuplex().on('data', () => {})
  },
  async 'stream that nobody reads'() {
    keep(await streams())[0].toDuplex()
  },
  async 'stream that was unref'() {
    const [one] = keep(await streams())
    one.toDuplex().on('data', () => {}).unref()
  },
  async 'stream that is full'() {
    const [one, other] = keep(await streams())
    await full(one, other)
  },
  async 'web stream that is read'() {
    const [one] = keep(await streams())
    one.readable.getReader().read().catch(() => {})
  },
  async 'web stream that nobody reads'() {
    const [one] = keep(await streams())
    keep([one.readable, one.writable])
  },

  /** A listener that throws. */
  async 'throws'() {
    const pairs = await Promise.all(Array.from({ length: 5 }, streams))
    const heard: string[] = []
    process.on('uncaughtException', (error: Error) => heard.push(error.message))
    for (const [i, [one]] of pairs.entries()) {
      one.toDuplex().on('data', data => {
        if (i % 2 === 0) throw new Error(`${i} throws`)
        heard.push(`${i} ${data}`)
      }).unref()
    }
    for (const word of ['one', 'two']) {
      for (const [, other] of pairs) other.trySend(word)
      const before = heard.length
      while (heard.length < before + 5) await turn()
    }
    console.log(heard.toSorted().join())
    for (const socket of pairs.flat()) socket.close()
  },

  async 'throws at connect'() {
    process.on('uncaughtException', (error: Error) => console.log(error.message))
    const server = await tcp().listen('127.0.0.1')
    const stream = tcp().toDuplex()
    stream.on('connect', () => {
      throw new Error('throws')
    })
    const data = new Promise(resolve => stream.once('data', resolve))
    stream.connect(server.localAddress?.port ?? 0, '127.0.0.1')
    const peer = await server.accept()
    await peer.send('data')
    console.log(String(await data))
    stream.destroy()
    peer.close()
    server.close()
  },

  async 'forgotten'() {
    process.on('warning', warning => console.log(warning.name))
    const before = [...loop.sockets].length
    const others: TcpSocket[] = []
    await (async () => {
      const [one, other] = await streams()
      await full(one, other)
      const [web, end] = await streams()
      keepNothing(web.readable, web.writable)
      others.push(other, end)
    })()
    for (let i = 0; i < 100 && [...loop.sockets].length > before + 2; i++) {
      // What was looked at stays until the end of the turn.
      await delay(2)
      globalThis.gc?.()
      await delay(2)
    }
    console.log([...loop.sockets].length - before)
    for (const other of others) other.close()
  }
}

function keepNothing(..._made: unknown[]): void {}

/** A stream that has so much that it reads no more. */
async function full(one: TcpSocket, other: TcpSocket): Promise<SocketDuplex> {
  const stream = one.toDuplex()
  await other.send(Buffer.alloc(100_000))
  while (stream.readableLength < stream.readableHighWaterMark) await turn()
  return stream
}

const [name = ''] = process.argv.slice(2)
await cases[name]?.()
console.log('left')
