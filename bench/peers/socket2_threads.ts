/**
 * A server of socket2, in one thread or on two. The arguments say how, and what it does; the ways are those of the table in
 * sections/threads.ts.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { pollerHandle, serve } from 'socket2'
import { announce } from './announce.js'
import { handlerOf, type Service } from './service.js'
import type { Orders } from './socket2_worker.js'

const [how, text = ''] = process.argv.slice(2)
const service = JSON.parse(text) as Service
const host = '127.0.0.1'

if (how === 'one') {
  announce((await serve({ host }, handlerOf(service, 0))).address.port)
} else if (how === 'handed over') {
  const handler = new URL('./socket2_handler.js', import.meta.url)
  announce((await serve({ host, threads: 2, handler, workerData: service })).address.port)
} else if (how === 'reusePort') {
  const port = await start({ service, port: 0, reusePort: true })
  announce(await start({ service, port, reusePort: true }))
} else {
  const poller = how === 'shared poller' ? pollerHandle() : undefined
  const orders = { service, port: 0, reusePort: false, ...(poller === undefined ? {} : { poller }) }
  announce(await start(orders), await start(orders))
}

/** Starts a thread with a listener of its own; resolves to its port. */
async function start(orders: Orders): Promise<number> {
  const worker = new Worker(new URL('./socket2_worker.js', import.meta.url), { workerData: orders })
  const [port] = (await once(worker, 'message')) as [number]
  return port
}
