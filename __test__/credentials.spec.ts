import test from 'ava'
import { pair, seqpacket, tcp, udp } from 'socket2'
import { child, closing, connectedPair, freshPath, listener, seqpacketPair } from './_util.js'

const onUnix = process.platform === 'win32' ? test.skip : test
const onLinux = process.platform === 'linux' ? test : test.skip
const me = { pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() }

for (const type of ['tcp', 'udp', 'seqpacket'] as const) {
  // Of datagrams and sequenced packets only Linux tells.
  const here = type === 'tcp' ? onUnix : onLinux
  here(`the ends of a ${type} pair know each other’s process`, t => {
    for (const socket of pair(type as 'tcp')) t.deepEqual(closing(t, socket).peerCredentials, me)
  })
}

onUnix('the ends of a unix connection know each other’s process', async t => {
  const { client, peer } = await connectedPair(t, 'unix')
  t.deepEqual(client.peerCredentials, me)
  t.deepEqual(peer.peerCredentials, me)
})

onLinux('the ends of a seqpacket connection know each other’s process', async t => {
  const { client, peer } = await seqpacketPair(t)
  t.deepEqual(client.peerCredentials, me)
  t.deepEqual(peer.peerCredentials, me)
})

onUnix('a connection from another process names that one, also after it has ended', async t => {
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
  if (process.platform === 'win32') {
    t.throws(() => closing(t, tcp('unix')).peerCredentials, { code: 'ERR_UNSUPPORTED_PLATFORM' })
    return
  }
  t.throws(() => closing(t, tcp('unix')).peerCredentials, { ...bad, message: /not connected/ })
  const server = await listener(t, 'unix')
  t.throws(() => server.peerCredentials, { ...bad, message: /not connected/ })
  if (process.platform === 'linux') t.throws(() => closing(t, seqpacket()).peerCredentials, bad)
})

onUnix('of a datagram socket’s peer that connect has set the system tells nothing', async t => {
  const receiver = await closing(t, udp('unix')).bind(`unix:${freshPath(t)}`)
  const sender = await closing(t, udp('unix')).connect(receiver.localAddress!)
  t.throws(() => sender.peerCredentials, { code: 'ERR_SOCKET_BAD_STATE' })
})

onUnix('a closed socket tells nothing of its peer', async t => {
  const { client } = await connectedPair(t, 'unix')
  client.close()
  t.throws(() => client.peerCredentials, { code: 'ERR_SOCKET_CLOSED' })
})
