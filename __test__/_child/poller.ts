// A worker: its poller's handle, before and after it has waited with it.
import { parentPort } from 'node:worker_threads'
import { pollerHandle, udp } from 'socket2'

const before = pollerHandle()
const socket = await udp().bind(false)
const receiving = socket.recv()
await socket.send('to itself', socket.localAddress!)
await receiving
socket.close()
parentPort!.postMessage([before, pollerHandle()])
