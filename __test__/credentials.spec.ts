import test from 'ava'
import { pair, seqpacket, tcp, udp } from 'socket2'
import { child, closing, connectedPair, freshPath, lacks, listener, seqpacketPair, unless } from './_util.js'

const telling = unless(lacks.credentials)
const me = { pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() }

for (const type of ['tcp', 'udp', 'seqpacket'] as const) {
  const untold = type === 'tcp' ? lacks.credentials : lacks.linux && 'only Linux tells of datagrams and sequenced packets'
  unless(untold)(`the ends of a ${type} pair know each other’s process`, t => {
    for (const socket of pair(type as 'tcp')) t.deepEqual(closing(t, socket).peerCredentials, me)
  })
}

telling('the ends of a unix connection know each other’s process', async t => {
  const { client, peer } = await connectedPair(t, 'unix')
  t.deepEqual(client.peerCredentials, me)
  t.deepEqual(peer.peerCredentials, me)
})

unless(lacks.seqpacket)('the ends of a seqpacket connection know each other’s process', async t => {
  const { client, peer } = await seqpacketPair(t)
  t.deepEqual(client.peerCredentials, me)
  t.deepEqual(peer.peerCredentials, me)
})

telling('a connection from another process names that one, also after it has ended', async t => {
  const path = `unix:${freshPath(t)}`
  const server = await closing(t, tcp('unix')).listen(path)
  const ending = child(t, 'connects', [path])
  const peer = closing(t, await server.accept())
  const said = JSON.parse(String(await peer.recvAll())) as { pid: number }
  t.not(said.pid, process.pid)
  t.deepEqual(peer.peerCredentials, said)
  peer.shutdown('write')
  t.is((await ending).stderr, '')
  if (process.platform === 'linux') t.deepEqual(peer.peerCredentials, said)
})

test('a socket without a unix peer has no credentials to tell', async t => {
  const bad = { name: 'SocketError', code: 'ERR_SOCKET_BAD_STATE' }
  const { client } = await connectedPair(t)
  t.throws(() => client.peerCredentials, { ...bad, message: /of family 'inet'/ })
  if (lacks.unix) return
  if (lacks.credentials) return void t.throws(() => closing(t, tcp('unix')).peerCredentials, { code: 'ERR_UNSUPPORTED_PLATFORM' })
  t.throws(() => closing(t, tcp('unix')).peerCredentials, { ...bad, message: /not connected/ })
  const server = await listener(t, 'unix')
  t.throws(() => server.peerCredentials, { ...bad, message: /not connected/ })
  if (!lacks.seqpacket) t.throws(() => closing(t, seqpacket()).peerCredentials, bad)
})

telling('of a datagram socket’s peer that connect has set the system tells nothing', async t => {
  const receiver = await closing(t, udp('unix')).bind(`unix:${freshPath(t)}`)
  const sender = await closing(t, udp('unix')).connect(receiver.localAddress!)
  t.throws(() => sender.peerCredentials, { code: 'ERR_SOCKET_BAD_STATE' })
})

telling('a closed socket tells nothing of its peer', async t => {
  const { client } = await connectedPair(t, 'unix')
  client.close()
  t.throws(() => client.peerCredentials, { code: 'ERR_SOCKET_CLOSED' })
})
