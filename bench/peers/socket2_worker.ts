/** A thread of socket2_threads that listens by itself: with a poller of its own or another's, at a port of its own or another's, too. */
import { parentPort, threadId, workerData } from 'node:worker_threads'
import { pollerHandle, serve } from 'socket2'
import { handlerOf, type Service } from './service.js'

export interface Orders {
  service: Service
  port: number
  reusePort: boolean
  poller?: number | bigint
}

const { service, port, reusePort, poller } = workerData as Orders
if (poller !== undefined) pollerHandle(poller)
const server = await serve({ host: '127.0.0.1', port, reusePort }, handlerOf(service, threadId))
parentPort?.postMessage(server.address.port)
