// What a connection promises: sending, receiving, its ends.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { SocketError } from 'socket2'
import { connection, unless, wine, type Checks } from './host.js'

const MiB = 1 << 20

export const streamChecks: Checks = {
  async 'a connection carries data both ways'() {
    const [client, peer] = await connection()
    assert.equal(await client.send('grüße'), 7)
    assert.equal(String(await peer.recv()), 'grüße')
    await peer.send(Buffer.from('there'))
    const space = new Uint8Array(8)
    assert.equal(await client.recv(space), 5)
    assert.equal(Buffer.from(space.subarray(0, 5)).toString(), 'there')
    assert.deepEqual([client.bytesWritten, client.bytesRead], [7, 5])
    assert.equal(String(client.localAddress), String(peer.remoteAddress))
  },
  async 'a recv waits for what is sent later'() {
    const [client, peer] = await connection()
    const receiving = client.recv()
    await turn()
    await peer.send('later')
    assert.equal(String(await receiving), 'later')
  },
  async 'the end of the stream is 0, again and again'() {
    const [client, peer] = await connection()
    peer.shutdown('write')
    for (let i = 0; i < 3; i++) assert.equal(await client.recv(new Uint8Array(1)), 0)
    assert.equal((await client.recv()).length, 0)
    assert.equal((await client.recvAll()).length, 0)
  },
  async 'a side that ended its own direction goes on receiving, and sends no more'() {
    const [client, peer] = await connection()
    client.shutdown('write')
    client.shutdown('write')
    assert.equal((await peer.recvAll()).length, 0)
    await peer.send('still here')
    assert.equal(String(await client.recv()), 'still here')
    await assert.rejects(client.send('x'), { code: 'EPIPE' })
  },
  async 'a list is gathered, empty parts and all'() {
    const [client, peer] = await connection()
    assert.equal(await client.send([Buffer.from('one'), new Uint8Array(0), Buffer.from('two')]), 6)
    assert.equal(String(await peer.recvExact(6)), 'onetwo')
    assert.equal(await client.send([]), 0)
  },
  async 'thousands of buffers go out in their order'() {
    const [client, peer] = await connection()
    const list = Array.from({ length: 5000 }, (_, i) => Buffer.alloc(i % 101, i))
    const all = Buffer.concat(list)
    const [sent, received] = await Promise.all([client.send(list), peer.recvExact(all.length)])
    assert.equal(sent, all.length)
    assert.ok(received.equals(all))
  },
  async 'memory that is shared or resizable is sent from and received into'() {
    const [client, peer] = await connection()
    const shared = new Uint8Array(new SharedArrayBuffer(4))
    shared.set(Buffer.from('data'))
    assert.equal(await client.send(shared), 4)
    assert.equal(await peer.recvExact(new Uint8Array(new SharedArrayBuffer(4))), 4)
  },
  async 'recvExact gives exactly so much, as a buffer and into one'() {
    const [client, peer] = await connection()
    const receiving = peer.recvExact(6)
    for (const part of ['ab', 'cd', 'efgh']) await client.send(part)
    assert.equal(String(await receiving), 'abcdef')
    const space = Buffer.alloc(2)
    assert.equal(await peer.recvExact(space), 2)
    assert.equal(String(space), 'gh')
  },
  async 'recvExact tells of an early end, and what had come stays readable'() {
    const [client, peer] = await connection()
    await peer.send('abc')
    peer.shutdown('write')
    await assert.rejects(client.recvExact(5), { code: 'ERR_UNEXPECTED_EOF', bytesRead: 3 })
    assert.equal(String(await client.recv()), 'abc')
  },
  async 'recvAll takes all up to its limit'() {
    const [client, peer] = await connection()
    await client.send('0123456789')
    client.shutdown('write')
    await assert.rejects(peer.recvAll({ limit: 9 }), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    assert.equal(String(await peer.recvAll({ limit: 10 })), '0123456789')
  },
  async 'megabytes arrive whole'() {
    const [client, peer] = await connection()
    const data = Buffer.alloc(8 * MiB, 'all of it ')
    const sending = client.send(data).then(count => (client.shutdown('write'), count))
    assert.ok((await peer.recvAll()).equals(data))
    assert.equal(await sending, data.length)
  },
  async 'a sender waits for a reader that takes nothing, and does not hold up its own reading'() {
    const [client, peer] = await connection()
    let done = false
    const sending = client.send(Buffer.alloc(32 * MiB)).then(count => (done = true, count))
    for (let i = 0; i < 10; i++) {
      await peer.send(`${i}`)
      assert.equal(String(await client.recv()), `${i}`)
    }
    assert.ok(!done && client.bytesWritten < 32 * MiB)
    assert.equal(await peer.recvExact(new Uint8Array(32 * MiB)), 32 * MiB)
    assert.equal(await sending, 32 * MiB)
  },
  async 'receivers take their turns'() {
    const [client, peer] = await connection()
    const receiving = [client.recvExact(2), client.recvExact(1), client.recvExact(3)]
    await peer.send('aabccc')
    assert.deepEqual((await Promise.all(receiving)).map(String), ['aa', 'b', 'ccc'])
  },
  async 'senders take their turns'() {
    const [client, peer] = await connection()
    const parts = Array.from({ length: 20 }, (_, i) => Buffer.alloc(100_000, i))
    const sending = Promise.all(parts.map(part => client.send(part)))
    assert.ok((await peer.recvExact(2_000_000)).equals(Buffer.concat(parts)))
    await sending
  },
  async 'tryRecv and trySend do what can be done now'() {
    const [client, peer] = await connection()
    assert.equal(client.tryRecv(new Uint8Array(1)), null)
    assert.equal(peer.trySend('xyz'), 3)
    await client.recvExact(1)
    assert.equal(client.tryRecv(new Uint8Array(9)), 2)
    assert.equal(client.tryRecv(new Uint8Array(9)), null)
    peer.shutdown('write')
    await client.recv()
    assert.equal(client.tryRecv(new Uint8Array(9)), 0)
  },
  async 'trySend takes no more than the system does, and all that arrives'() {
    const [client, peer] = await connection()
    let sent = 0
    for (let count = 1; count > 0; sent += count) count = client.trySend(Buffer.alloc(65_536))
    client.shutdown('write')
    assert.equal((await peer.recvAll()).length, sent)
  },
  async 'chunks are iterated until the end, and leaving the loop loses nothing'() {
    const [client, peer] = await connection()
    await client.send('one ')
    for await (const chunk of peer) {
      assert.equal(String(chunk), 'one ')
      break
    }
    assert.equal(peer.closed, false)
    await client.send('two')
    client.shutdown('write')
    let text = ''
    for await (const chunk of peer) text += String(chunk)
    assert.equal(text, 'two')
  },
  async 'a reader gives lines, what is before a delimiter, and lengths'() {
    const [client, peer] = await connection()
    const reader = peer.reader()
    await client.send('GET /\r\nhost: a\n\nkey=value;12345rest')
    client.shutdown('write')
    assert.equal(await reader.line(), 'GET /')
    assert.equal(await reader.line(), 'host: a')
    assert.equal(await reader.line(), '')
    assert.equal(String(await reader.until('=')), 'key')
    assert.equal(String(await reader.until(';', { inclusive: true })), 'value;')
    assert.equal(String(await reader.exact(5)), '12345')
    assert.equal(await reader.line(), 'rest')
    assert.equal(await reader.line(), null)
  },
  async 'a reader heeds its limit, and what it has read stays in it'() {
    const [client, peer] = await connection()
    const reader = peer.reader({ limit: 4 })
    await client.send('too long\n')
    await assert.rejects(reader.line(), { code: 'ERR_OUT_OF_RANGE' })
    assert.equal(await reader.line({ limit: 100 }), 'too long')
  },
  'a reset is an error for the peer': unless(wine === 8 && 'Wine 8 shows a reset as the end of the stream', async () => {
    const [client, peer] = await connection()
    client.reset()
    assert.equal(client.closed, true)
    await assert.rejects(peer.recv(), { code: 'ECONNRESET' })
  }),
  async 'writing to a closed peer is an error'() {
    const [client, peer] = await connection()
    peer.close()
    await assert.rejects(async () => {
      for (;;) await client.send(Buffer.alloc(1000))
    }, ({ code }: SocketError) => ['EPIPE', 'ECONNRESET', 'ECONNABORTED'].includes(code))
  }
}
