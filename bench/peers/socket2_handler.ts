/** The handler of `serve` with threads, for socket2_threads. */
import { threadId, workerData } from 'node:worker_threads'
import { handlerOf, type Service } from './service.js'

export default handlerOf(workerData as Service, threadId)
