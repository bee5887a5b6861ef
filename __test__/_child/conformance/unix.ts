// Unix sockets, as far as the system has them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { pair, seqpacket, tcp, udp, type TcpSocket } from 'socket2'
import { createSocket } from 'socket2/dgram'
import { addressOf, afterwards, freshPath, keep, lacks, unless, type Checks } from './host.js'

export const unixChecks: Checks = {
  'a unix stream goes by its path, and leaves none behind': unless(lacks.unix, async () => {
    const path = freshPath()
    const [client, peer, server] = await connection(`unix:${path}`)
    assert.equal(server.localAddress?.path, path)
    await client.send('by path')
    client.shutdown('write')
    assert.equal(String(await peer.recvAll()), 'by path')
    server.close()
    assert.equal(existsSync(path), false)
  }),
  'a path where nobody listens is an error that names it': unless(lacks.unix, async () => {
    const path = freshPath()
    await assert.rejects(tcp('unix').connect(`unix:${path}`), { syscall: 'connect', address: path })
  }),
  'megabytes go through a unix stream': unless(lacks.unix, async () => {
    const [client, peer] = await connection(`unix:${freshPath()}`)
    const data = Buffer.alloc(4 << 20, 'unix ')
    const sending = client.send(data)
    assert.ok((await peer.recvExact(data.length)).equals(data))
    await sending
  }),
  'unix datagrams keep their boundaries and name their sender': unless(lacks.unixDatagrams, async () => {
    const [one, other] = [keep(await udp('unix').bind(`unix:${freshPath()}`)), keep(await udp('unix').bind(`unix:${freshPath()}`))]
    for (const data of ['first', '', 'third']) await one.send(data, addressOf(other))
    for (const data of ['first', '', 'third']) {
      const datagram = await other.recv()
      assert.equal(String(datagram.data), data)
      assert.ok(datagram.from.equals(addressOf(one)))
    }
  }),
  'socket2/dgram sends at once, tells of what comes, and of congestion and its end': unless(lacks.unixDatagrams, async () => {
    const path = freshPath()
    const [server, client] = [createSocket('unix_dgram'), createSocket('unix_dgram')]
    afterwards(() => [server, client].map(socket => socket.close()))
    let [sent, received, full] = [0, 0, false]
    server.bind(path).on('message', data => assert.equal(String(data), `message ${received++}`))
    client.connect(path)
    while (!full) client.send(`message ${sent}`, error => error === undefined ? sent++ : (full = true))
    await once(client, 'writable')
    while (received < sent) await once(server, 'message')
  }),
  'abstract names are no paths': unless(lacks.abstractNames, async () => {
    const [client] = await connection(`unix:@socket2-conformance-${process.pid}`)
    assert.equal(String(client.remoteAddress), `unix:@socket2-conformance-${process.pid}`)
  }),
  'pairs are connected, streams and datagrams': unless(lacks.pairs, async () => {
    const [[one, other], [from, to]] = [pair('tcp'), pair('udp')]
    await Promise.all([one.send('stream'), from.send('datagram')])
    assert.deepEqual([await other.recv(), (await to.recv()).data].map(String), ['stream', 'datagram'])
    one.close()
    assert.equal((await other.recv()).length, 0)
  }),
  'a peer has credentials': unless(lacks.credentials, () => {
    const [one] = pair('tcp')
    assert.equal(one.peerCredentials.uid, process.getuid!())
  }),
  'seqpacket keeps the boundaries of messages': unless(lacks.seqpacket, async () => {
    const server = keep(await seqpacket().listen(`unix:${freshPath()}`))
    const [client, peer] = await Promise.all([seqpacket().connect(addressOf(server)), server.accept()])
    for (const message of ['one', 'two']) await client.send(message)
    client.shutdown('write')
    const messages: string[] = []
    for await (const message of peer) messages.push(String(message))
    assert.deepEqual(messages, ['one', 'two'])
  })
}

/** Both ends of a connection by a unix name, and its listener. */
async function connection(name: string): Promise<[client: TcpSocket, peer: TcpSocket, server: TcpSocket]> {
  const server = keep(await tcp('unix').listen(name))
  const accepting = server.accept()
  const client = keep(await tcp('unix').connect(addressOf(server)))
  return [client, keep(await accepting), server]
}
