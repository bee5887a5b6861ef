// A worker that attaches the sockets it is given, by workerData, by a message or on a channel, and answers with what they say.
import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads'
import { attach, type SocketHandle } from 'socket2'

const { handle, channel } = (workerData ?? {}) as { handle?: SocketHandle<'tcp'>; channel?: string }
parentPort!.on('message', take)
if (handle !== undefined) await take(handle)
if (channel !== undefined) {
  const heard = new BroadcastChannel(channel)
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- which its type does not have
  heard.onmessage = ({ data }: { data: SocketHandle<'tcp'> }) => {
    heard.close()
    void take(data)
  }
}
parentPort!.postMessage('ready')

/** Receives once, and gives the socket back with what it heard; or says why not. */
async function take(given: SocketHandle<'tcp'> | 'end'): Promise<void> {
  if (given === 'end') return parentPort!.close()
  try {
    const socket = await attach(given)
    const heard = String(await socket.recv(5))
    await socket.send(`heard ${heard}`)
    parentPort!.postMessage({ heard, handle: socket.detach() })
  } catch (error) {
    parentPort!.postMessage({ error: (error as { code: string }).code })
  }
}
