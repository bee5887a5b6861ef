// TCP Fast Open in a network that allows both sides of it. Prints what the server got, and how often data went with the first packet.
import { readFileSync, writeFileSync } from 'node:fs'
import { tcp } from 'socket2'

writeFileSync('/proc/sys/net/ipv4/tcp_fastopen', '3')
const limit = { timeout: 10_000 }
const server = await tcp('inet', undefined, { fastOpen: 16 }).listen('127.0.0.1')
const got: string[] = []
// The first connection is an ordinary one, which gets the cookie that the second one takes along.
for (const text of ['with a handshake', 'with the first packet']) {
  const client = await tcp('inet', undefined, { fastOpenConnect: true }).connect(server.localAddress!)
  await client.send(text)
  client.shutdown('write')
  const peer = await server.accept(limit)
  got.push(String(await peer.recvAll(limit)))
  await peer.send('received')
  peer.shutdown('write')
  got.push(String(await client.recvAll(limit)))
  for (const socket of [client, peer]) socket.close()
}
// Nobody is there any more, which the first operation tells.
const { localAddress } = server
server.close()
const late = await tcp('inet', undefined, { fastOpenConnect: true }).connect(localAddress!)
const failure = await late.send('x').then(() => late.recv(1, limit)).then(() => 'answered', (error: NodeJS.ErrnoException) => error.code)
late.close()

const [names, values] = readFileSync('/proc/net/netstat', 'latin1').split('\n').map((line) => line.split(' '))
const count = (name: string): number => Number(values![names!.indexOf(name)])
console.log(JSON.stringify({ got, failure, active: count('TCPFastOpenActive'), passive: count('TCPFastOpenPassive') }))
