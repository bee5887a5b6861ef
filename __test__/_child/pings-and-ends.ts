// Pings, leaves the next answer to others, and ends at once.
import { ping } from 'socket2'

await ping('127.0.0.1')
console.log('answered')
const iterator = ping('127.0.0.1', { interval: 60_000 })[Symbol.asyncIterator]()
await iterator.next()
process.once('exit', () => iterator) // until then it is held
console.log('answered')
