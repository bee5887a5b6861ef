// Connects to a name that has three addresses, where only the last that is tried has a listener. Prints what came of it.
import { addr, tcp } from 'socket2'

const addresses = await addr('several.test', 1, 'tcp', 'inet')
const last = addresses.at(-1)!
const server = await tcp().listen(last.address)
const { port } = server.localAddress!

const client = await tcp().connect('several.test', port)
const peer = await server.accept()
await peer.send('hello')
const heard = String(await client.recv())
const extra = await server.accept({ timeout: 0 }).catch((error: { code: string }) => error.code)
for (const socket of [server, client, peer]) socket.close()

const failure = await tcp().connect('several.test', port).catch((error: { message: string }) => error.message)
console.log(JSON.stringify({
  count: addresses.length,
  found: client.remoteAddress!.toString() === `${last.address}:${port}`,
  heard,
  extra,
  failure: String(failure).replace(`${last.address}:${port}`, 'the last')
}))
