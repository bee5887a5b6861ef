/**
 * The load generator for TLS, by node:tls: a closed loop as that of the core, over connections to the port given, with messages of the
 * length given. Its own cost does not matter, as it has a core of its own and the server's time is what is measured.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { connect, type TLSSocket } from 'node:tls'
import { clientKeys } from './keys.js'

const [port = 0, connections = 0, size = 0] = process.argv.slice(2).map(Number)
const message = Buffer.alloc(size, 'x')
const clients: TLSSocket[] = []
for (let i = 0; i < connections; i++) {
  const client = connect({ ...clientKeys, port, host: '127.0.0.1', servername: 'localhost' })
  await once(client, 'secureConnect')
  client.setNoDelay()
  clients.push(client)
}
for (const client of clients) await exchange(client, 0)
console.log('{}')

for await (const line of createInterface(process.stdin)) {
  const since = performance.now()
  const counts = await Promise.all(clients.map(client => exchange(client, since + Number(line) * 1_000)))
  const seconds = (performance.now() - since) / 1_000
  console.log(JSON.stringify({ messages: counts.reduce((sum, count) => sum + count, 0), seconds }))
}
process.exit()

/** Sends one message after the other, at least one, until then; how many came back whole. */
function exchange(client: TLSSocket, until: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let [count, missing] = [0, size]
    const hear = (data: Buffer): void => {
      missing -= data.length
      if (missing > 0) return
      count++
      missing = size
      if (performance.now() < until) {
        client.write(message)
        return
      }
      client.off('data', hear).off('error', reject)
      resolve(count)
    }
    client.on('data', hear).on('error', reject)
    client.write(message)
  })
}
