// The handler of servers with threads: it does what it is told, and echoes the rest.
import { once } from 'node:events'
import { resourceLimits, threadId, workerData } from 'node:worker_threads'
import type { HandlerContext, TcpSocket } from 'socket2'

// An Int32Array says whether threads may begin.
if (workerData instanceof Int32Array && Atomics.load(workerData, 0) === 1) throw new Error('not now')

export default async function (socket: TcpSocket, { signal }: HandlerContext): Promise<void> {
  for await (const data of socket) {
    const text = String(data)
    if (text === 'thread') await socket.send(`${threadId}`)
    else if (text === 'who') await socket.send(JSON.stringify([socket.remoteAddress, socket.localAddress, socket.proxied]))
    else if (text === 'data') await socket.send(JSON.stringify(workerData))
    else if (text === 'environment') await socket.send(JSON.stringify([process.env['OURS'], process.argv.slice(2)]))
    else if (text === 'memory') await socket.send(`${resourceLimits.maxOldGenerationSizeMb}`)
    else if (text === 'nothing') throw Object.create(null)
    else if (text === 'odd') throw Object.assign(new Error('x'), { message: () => 1 })
    else if (text === 'fail') throw Object.assign(new RangeError('on purpose'), { code: 'ERR_ON_PURPOSE' })
    else if (text === 'exit') process.exit(3)
    else if (text === 'uncaught') setImmediate(() => { throw new Error('caught by nobody') })
    else if (text === 'spin') for (;;);
    else if (text === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    else if (text === 'stay') {
      await socket.send('staying')
      if (!signal.aborted) await once(signal, 'abort')
      await socket.send('bye')
      return
    } else if (text === 'never') {
      await socket.send('staying')
      await new Promise(() => {})
    } else {
      await socket.send(data)
    }
  }
}
