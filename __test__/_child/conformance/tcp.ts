// Connecting and listening, and how what waits is ended: by time, by abort, by close.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { connect, SocketError, tcp, type TcpSocket } from 'socket2'
import { addressOf, connection, keep, rounds, unless, type Checks } from './host.js'
import { noIPv6 } from './udp.js'

export const tcpChecks: Checks = {
  async 'a closed port refuses, with an error like those of Node'() {
    const server = await tcp().listen(false)
    const address = addressOf(server)
    server.close()
    await assert.rejects(tcp().connect(address), (error: SocketError) => {
      assert.ok(error instanceof SocketError && error instanceof Error)
      assert.deepEqual([error.code, error.syscall, error.address, error.port], ['ECONNREFUSED', 'connect', '127.0.0.1', address.port])
      assert.equal(error.message, `connect ECONNREFUSED ${address}`)
      assert.ok(error.errno! < 0)
      return true
    })
  },
  async 'an address in use makes listen reject'() {
    const server = keep(await tcp().listen('127.0.0.1'))
    await assert.rejects(tcp().listen(addressOf(server)), { code: 'EADDRINUSE' })
  },
  async 'an address of another machine cannot be bound'() {
    await assert.rejects(tcp().bind('192.0.2.1'), { code: 'EADDRNOTAVAIL' })
  },
  async 'a name is connected to, whichever of its addresses answers'() {
    const server = keep(await tcp().listen('127.0.0.1'))
    const client = keep(await tcp().connect('localhost', addressOf(server).port))
    assert.equal(String(client.remoteAddress), String(server.localAddress))
  },
  async 'of several addresses the one that answers is connected, and where none does each is told'() {
    const [server, other] = [keep(await tcp().listen('127.0.0.1')), await tcp().listen('127.0.0.1')]
    const [somebody, nobody] = [addressOf(server), addressOf(other)]
    other.close()
    const client = keep(await connect([nobody, somebody], { attemptDelay: Infinity }))
    assert.equal(String(client.remoteAddress), String(somebody))
    keep(await connect(somebody.port))
    server.close()
    await assert.rejects(connect([nobody, somebody]), ({ code, cause }: SocketError) => {
      assert.deepEqual([code, (cause as AggregateError).errors.length], ['ECONNREFUSED', 2])
      return true
    })
  },
  'IPv6 is spoken as well': unless(noIPv6, async () => {
    const [client, peer] = await connection('inet6')
    await client.send('six')
    assert.equal(String(await peer.recv()), 'six')
    assert.equal(client.remoteAddress?.address, '::1')
  }),
  async 'an accepted socket knows both its addresses'() {
    const [client, peer] = await connection()
    assert.equal(String(peer.localAddress), String(client.remoteAddress))
    assert.deepEqual([peer.type, peer.family], ['tcp', 'inet'])
    client.close()
    assert.equal(client.localAddress, null)
  },
  async 'a hundred clients are served at the same time'() {
    const server = keep(await tcp().listen('127.0.0.1'))
    const serving = (async () => {
      for await (const peer of server.connections()) void echo(peer)
    })()
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      const client = await tcp().connect(addressOf(server))
      const message = `client ${i}\n`
      for (let round = 0; round < rounds(20); round++) {
        await client.send(message)
        assert.equal(String(await client.recvExact(message.length)), message)
      }
      client.close()
    }))
    server.close()
    await serving
  },
  async 'leaving the loop over the connections loses no connection'() {
    const server = keep(await tcp().listen('127.0.0.1'))
    for (const name of ['a', 'b']) await keep(await tcp().connect(addressOf(server))).send(name)
    let names = ''
    for (let i = 0; i < 2; i++) {
      for await (const peer of server.connections()) {
        names += String(await keep(peer).recv())
        break
      }
    }
    assert.equal(names, 'ab')
    assert.equal(server.closed, false)
  },

  async 'a timeout tells its time, and loses nothing'() {
    const [client, peer] = await connection()
    await assert.rejects(client.recv(9, { timeout: 10 }), { code: 'ETIMEDOUT', timeout: 10 })
    await assert.rejects(client.recv(9, { timeout: 0 }), { code: 'ETIMEDOUT' })
    await peer.send('kept')
    assert.equal(String(await client.recv()), 'kept')
  },
  async 'a socket has a time for all its operations'() {
    const [client] = await connection()
    client.timeout = 10
    await assert.rejects(client.recv(), { code: 'ETIMEDOUT', timeout: 10 })
    await assert.rejects(client.recv(9, { timeout: 20 }), { timeout: 20 })
  },
  async 'an accept can time out, and the next one accepts'() {
    const server = keep(await tcp().listen(false))
    await assert.rejects(server.accept({ timeout: 10 }), { code: 'ETIMEDOUT', syscall: 'accept' })
    const [client, peer] = await Promise.all([tcp().connect(addressOf(server)), server.accept()])
    assert.equal(String(peer.remoteAddress), String(client.localAddress))
  },
  async 'a send that times out tells how much went'() {
    const [client] = await connection()
    await assert.rejects(client.send(Buffer.alloc(32 << 20), { timeout: 20 }), (error: SocketError) => {
      assert.deepEqual([error.code, error.bytesSent], ['ETIMEDOUT', client.bytesWritten])
      return true
    })
  },
  async 'an abort rejects with its reason, and loses nothing'() {
    const [client, peer] = await connection()
    const abort = new AbortController()
    const receiving = client.recv(9, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await assert.rejects(receiving, { message: 'enough' })
    await assert.rejects(client.recv(9, { signal: abort.signal }), { message: 'enough' })
    await peer.send('kept')
    assert.equal(String(await client.recv()), 'kept')
  },
  async 'the one that gives up in the middle leaves the others their order'() {
    const [client, peer] = await connection()
    const abort = new AbortController()
    const [first, second, third] = [client.recvExact(2), client.recvExact(2, { signal: abort.signal }), client.recvExact(2)]
    abort.abort()
    await assert.rejects(second, { name: 'AbortError' })
    await peer.send('aabb')
    assert.deepEqual([await first, await third].map(String), ['aa', 'bb'])
  },
  async 'close ends all that waits, and all that comes later'() {
    const [client] = await connection()
    const waits = [client.recv(), client.recvExact(3), client.send(Buffer.alloc(32 << 20))]
    await turn()
    client.close()
    client.close()
    for (const wait of waits) wait.catch(() => {})
    for (const wait of [...waits, client.send('x'), client.recv()]) await assert.rejects(wait, { code: 'ERR_SOCKET_CLOSED' })
    assert.throws(() => client.trySend('x'), { code: 'ERR_SOCKET_CLOSED' })
    assert.deepEqual([client.closed, client.fd], [true, -1])
  },
  async 'close ends an accept and a loop over connections'() {
    const [one, other] = [await tcp().listen(false), await tcp().listen(false)]
    const accepting = one.accept()
    const iterating = (async () => {
      for await (const peer of other.connections()) peer.close()
    })()
    await turn()
    for (const server of [one, other]) server.close()
    await assert.rejects(accepting, { code: 'ERR_SOCKET_CLOSED' })
    await iterating
  },
  async 'a call in the wrong state is refused'() {
    const state = { code: 'ERR_SOCKET_BAD_STATE' }
    const fresh = tcp()
    await assert.rejects(fresh.send('x'), state)
    await assert.rejects(fresh.recv(), state)
    await assert.rejects(fresh.accept(), state)
    assert.throws(() => fresh.shutdown('write'), state)
    const [client] = await connection()
    await assert.rejects(client.listen(), state)
    await assert.rejects(client.connect('127.0.0.1', 1), state)
  },
  async 'using closes at the end of the block, await using as well'() {
    let kept: TcpSocket[]
    {
      using one = tcp()
      await using other = await tcp().listen(false)
      kept = [one, other]
      assert.deepEqual(kept.map(({ closed }) => closed), [false, false])
    }
    assert.deepEqual(kept.map(({ closed }) => closed), [true, true])
  },
  async 'hundreds of sockets are opened and closed'() {
    for (let i = 0; i < rounds(300); i++) {
      const [client, peer] = await connection()
      client.close()
      assert.equal((await peer.recv()).length, 0)
      peer.close()
    }
  }
}

async function echo(peer: TcpSocket): Promise<void> {
  for await (const data of peer) await peer.send(data)
  peer.close()
}
