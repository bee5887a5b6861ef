// Pings, with a signal that lives on, and forgets it after an answer; prints the warning that comes and how many sockets are left.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { loop, ping } from 'socket2'

const { signal } = new AbortController()
const warned = once(process, 'warning') as Promise<[{ code: string }]>
let said = false
void warned.then(() => (said = true))
await pingOnce()
for (const end = performance.now() + 10_000; !said && performance.now() < end; await turn()) globalThis.gc!()
if (said) console.log((await warned)[0].code)
console.log([...loop.sockets].length, ...signal.aborted ? ['aborted'] : [])

async function pingOnce(): Promise<void> {
  await ping('127.0.0.1', { signal })[Symbol.asyncIterator]().next()
}
