// Memory that runs out while something is received, for which stands a Buffer.concat that fails. Prints what each waiting call ended with.
import { streams } from '../_system.js'

const [sender, receiver] = await streams()
const outcomes = [receiver.recvAll(), receiver.recv()].map(receiving => receiving.then(() => 'received', (error: NodeJS.ErrnoException) => error.code ?? error.message))
await sender.send('half')
while (receiver.bytesRead < 4) await new Promise(resolve => setImmediate(resolve))
await sender.send('and half')
Buffer.concat = () => {
  throw new RangeError('no memory')
}
sender.shutdown('write')
const ended = await Promise.all(outcomes)
console.log(JSON.stringify({ ended, closed: receiver.closed, peer: await sender.recv(new Uint8Array(1)).catch(() => 0) }))
