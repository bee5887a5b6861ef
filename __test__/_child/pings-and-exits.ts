// Pings in workers that are terminated in the middle of it, and exits while a ping is under way.
import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { ping } from 'socket2'

if (isMainThread) {
  for (let count = 0; count < 4; count++) {
    const worker = new Worker(new URL(import.meta.url))
    for (let answers = 0; answers <= 10 * count; answers++) await once(worker, 'message')
    await worker.terminate()
  }
  console.log('terminated')
  void ping('127.0.0.1')[Symbol.asyncIterator]().next()
  setImmediate(() => {
    console.log('exits')
    process.exit()
  })
} else {
  void Promise.all(Array.from({ length: 5 }, async () => {
    for (;;) parentPort!.postMessage((await ping('127.0.0.1')).ms)
  }))
}
