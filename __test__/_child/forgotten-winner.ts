// Forgets the socket that it has connected, and tells of the warning.
import { setImmediate as turn } from 'node:timers/promises'
import { connect, tcp, type Address } from 'socket2'

let warned = false
process.on('warning', ({ name, message }) => {
  warned = true
  console.log(`${name}\n${message}`)
})
const [server, other] = [await tcp().listen('127.0.0.1'), await tcp().listen('127.0.0.1')]
await forget([server.localAddress!, other.localAddress!])
const end = performance.now() + 20_000
while (!warned && performance.now() < end) {
  global.gc?.()
  await turn()
}
// Until here they are used, and not forgotten themselves.
for (const listener of [server, other]) listener.close()
process.exit()

async function forget(addresses: readonly Address[]): Promise<void> {
  await connect(addresses)
}
