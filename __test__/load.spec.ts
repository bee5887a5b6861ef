// Many at once, and as fast as it goes. One after the other, so that they do not measure each other.
import test from 'ava'
import { tcp, type TcpSocket } from 'socket2'
import { child, closing, listener, unless, wine } from './_util.js'

// Wine asks all sockets whose peer has gone again at every event, so that many of them take minutes.
const [waves, size, rounds] = wine > 0 ? [4, 100, 2] : [10, 1000, 20]
const english = new Intl.NumberFormat('en')

test.serial(`${english.format(waves * size)} connections in one process come and go with no descriptor or memory left behind`, async t => {
  const { code, stdout, stderr } = await child(t, 'waves', [waves, size].map(String), ['--expose-gc', '--max-semi-space-size=1'])
  t.is(code, 0, stderr)
  const { descriptors, sockets, pending, heap, rss } = JSON.parse(stdout) as Record<string, number>
  t.deepEqual({ descriptors, sockets, pending }, { descriptors: 0, sockets: 0, pending: 0 })
  // The memory for young objects, which V8 takes and keeps, is up to 47 MB by version, after 40 waves as after 160.
  t.true(heap! < 2, `${heap} MB of heap`)
  t.true(rss! < 60, `${rss} MB of memory`)
})

test.serial(`${english.format(waves * size)} connections over the limit of a server are closed, with nothing left of them, and the one that is let in goes on`, async t => {
  const { code, stdout, stderr } = await child(t, 'refused', [waves, size].map(String), ['--expose-gc', '--max-semi-space-size=1'])
  t.is(code, 0, stderr)
  const { descriptors, sockets, connections, echoes, heap, rss } = JSON.parse(stdout) as Record<string, number>
  t.deepEqual({ descriptors, sockets, connections, echoes }, { descriptors: 0, sockets: 0, connections: 1, echoes: 2 * (waves + 2) })
  t.true(heap! < 2, `${heap} MB of heap`)
  t.true(rss! < 60, `${rss} MB of memory`)
})

test.serial(`${english.format(size)} clients are served at the same time`, async t => {
  const server = await listener(t)
  const serving = (async () => {
    const connections: Promise<void>[] = []
    for await (const socket of server.connections()) connections.push(echo(socket))
    await Promise.all(connections)
    return connections.length
  })()
  const clients = await Promise.all(Array.from({ length: size }, () => closing(t, tcp()).connect(server.localAddress!)))
  const replies = await Promise.all(clients.map(async (client, i) => {
    const [message, reply] = [Buffer.alloc(64, `client ${i} `), Buffer.alloc(64)]
    for (let round = 0; round < rounds; round++) {
      await client.send(message)
      await client.recvExact(reply)
      if (!reply.equals(message)) return false
    }
    client.close()
    return true
  }))
  t.true(replies.every(Boolean))
  server.close()
  t.is(await serving, size)
})

for (const load of [
  'two tasks', 'many tasks', 'hundreds of tasks', 'bulk', 'a udp flood', 'a new socket for every datagram', 'connections that come and go'
]) {
  unless(wine > 0 && 'what is late under Wine says nothing of Windows', test.serial)(`a timer is not more than 50 ms late beside ${load} at full speed`, async t => {
    const { code, stdout, stderr } = await child(t, 'lateness', [load])
    t.is(code, 0, stderr)
    const { late, fired, done } = JSON.parse(stdout) as { late: number; fired: number; done: number }
    t.true(late <= 50, `${late} ms late`)
    t.true(fired > 20, `it fired ${fired} times`)
    t.true(done > 100, `${done} operations were done`)
  })
}

async function echo(socket: TcpSocket): Promise<void> {
  const space = Buffer.alloc(1024)
  for (let n = await socket.recv(space); n > 0; n = await socket.recv(space)) await socket.send(space.subarray(0, n))
  socket.close()
}
