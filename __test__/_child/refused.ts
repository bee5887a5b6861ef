// Waves of connections over the limit of a server, both ends in this process. Prints what is left of them, and of the one that was let in.
import { serve, tcp } from 'socket2'
import { leftBy } from './left.js'

const [waves, size] = process.argv.slice(2).map(Number) as [number, number]
const server = await serve({ host: '127.0.0.1', maxConnections: 1 }, async socket => {
  for await (const data of socket) await socket.send(data)
})
const inside = await tcp().connect(server.address)
let echoes = 0

const left = await leftBy(waves, wave)
console.log(JSON.stringify({ ...left, connections: server.connections, echoes }))
inside.close()
await server.close()

async function wave(): Promise<void> {
  await echo()
  await Promise.all(Array.from({ length: size }, refused))
  await echo()
}

async function refused(): Promise<void> {
  using socket = await tcp().connect(server.address)
  if ((await socket.recvAll()).length > 0) throw new Error('something came')
}

async function echo(): Promise<void> {
  await inside.send('still here')
  if (String(await inside.recvExact(10)) === 'still here') echoes++
}
