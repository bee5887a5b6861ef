// A utility process, or a worker thread: Electron gives the one what Node gives the other under a different name.
import { parentPort } from 'node:worker_threads'
import * as socket2 from 'socket2'
import { echo } from './echo.cjs'

const port = process.parentPort ?? parentPort
try {
  port.postMessage({ did: await echo(socket2) })
} catch (error) {
  port.postMessage({ error: String(error) })
}
