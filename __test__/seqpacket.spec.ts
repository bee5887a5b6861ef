// Seqpacket sockets: connections whose messages keep their boundaries.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { seqpacket } from 'socket2'
import { closing, freshPath, lacks, seqpacketPair, unless } from './_util.js'

const testIt = unless(lacks.seqpacket)

testIt('messages keep their boundaries and their order', async t => {
  const { client, peer } = await seqpacketPair(t)
  t.deepEqual([client.type, client.family], ['seqpacket', 'unix'])
  const lengths = Array.from({ length: 500 }, (_, i) => 1 + ((i * 977) % 5000))
  const sending = Promise.all(lengths.map((length, i) => client.send(Buffer.alloc(length, i))))
  for (const [i, length] of lengths.entries()) {
    const message = await peer.recv()
    if (!message.equals(Buffer.alloc(length, i))) return t.fail(`message ${i} is not itself`)
  }
  t.deepEqual(await sending, lengths)
  t.is(client.bytesWritten, peer.bytesRead)
})

testIt('each of several readers gets one message, in their order', async t => {
  const { client, peer } = await seqpacketPair(t)
  const into = new Uint8Array(10)
  const receiving = [peer.recv(10).then(String), peer.recv(into).then(count => String(Buffer.from(into.subarray(0, count)))), peer.recv().then(String)]
  for (const text of ['one', 'two', 'three']) await client.send(text)
  t.deepEqual(await Promise.all(receiving), ['one', 'two', 'three'])
})

testIt('what does not fit is lost, and the next message is whole', async t => {
  const { client, peer } = await seqpacketPair(t)
  await client.send('too long for it')
  await client.send('next')
  t.is(String(await peer.recv(8)), 'too long')
  t.is(String(await peer.recv(8)), 'next')
})

testIt('a length of 0 is the end, again and again; sending nothing is a RangeError', async t => {
  const { client, peer } = await seqpacketPair(t)
  for (const nothing of ['', new Uint8Array(0)]) {
    await t.throwsAsync(client.send(nothing), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  }
  for (const none of [0, new Uint8Array(0)]) {
    await t.throwsAsync(peer.recv(none as number), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
  }
  await client.send('last')
  client.shutdown('write')
  client.shutdown('write')
  t.is(String(await peer.recv()), 'last')
  for (let i = 0; i < 3; i++) {
    t.is((await peer.recv()).length, 0)
    t.is(await peer.recv(new Uint8Array(5)), 0)
  }
  await peer.send('still there')
  t.is(String(await client.recv()), 'still there')
})

testIt('a message that is too long for the system is EMSGSIZE, and harms no other', async t => {
  const { client, peer } = await seqpacketPair(t)
  const error = await t.throwsAsync(client.send(Buffer.alloc(64 << 20)), { code: 'EMSGSIZE' })
  t.like(error, { syscall: 'send', bytesSent: 0 })
  await client.send('short')
  t.is(String(await peer.recv()), 'short')
})

testIt('a sender whose messages are not taken waits, and its deadline loses none of the others', async t => {
  const { client, peer } = await seqpacketPair(t)
  let sent = 0
  const fill = async (): Promise<void> => {
    for (;; sent++) await client.send(Buffer.alloc(4, sent), { timeout: 20 })
  }
  t.like(await t.throwsAsync(fill(), { code: 'ETIMEDOUT' }), { bytesSent: 0 })
  t.true(sent > 0)
  const waiting = client.send('the last one')
  for (let i = 0; i < sent; i++) t.is((await peer.recv())[0], i & 255)
  await waiting
  t.is(String(await peer.recv()), 'the last one')
})

// Not beside others: whether a step is taken at once depends on how much they do in the same turn.
unless(lacks.seqpacket, test.serial)('a recv that timed out or was aborted has taken no message', async t => {
  const { client, peer } = await seqpacketPair(t)
  await t.throwsAsync(peer.recv(10, { timeout: 5 }), { code: 'ETIMEDOUT' })
  const controller = new AbortController()
  const reason = new Error('no')
  const receiving = peer.recv(10, { signal: controller.signal })
  await client.send('message')
  controller.abort(reason)
  t.is(await t.throwsAsync(receiving), reason)
  t.is(String(await peer.recv(10, { timeout: 0 })), 'message')
})

testIt('close ends those who wait at once, and the peer sees the end', async t => {
  const { client, peer } = await seqpacketPair(t)
  const receiving = t.throwsAsync(client.recv(), { code: 'ERR_SOCKET_CLOSED' })
  const ending = peer.recv()
  await turn()
  client.close()
  await receiving
  t.is((await ending).length, 0)
  await t.throwsAsync(peer.send('x'), { code: 'EPIPE' })
})

testIt('iterating gives the messages until the end', async t => {
  const { client, peer } = await seqpacketPair(t)
  for (const text of ['a', 'b', 'c']) await client.send(text)
  for await (const message of peer) {
    t.is(String(message), 'a')
    break
  }
  client.close()
  const rest: string[] = []
  for await (const message of peer) rest.push(String(message))
  t.deepEqual(rest, ['b', 'c'])
})

testIt('a listener gives its connections one by one, until it is closed', async t => {
  const server = await closing(t, seqpacket()).listen(`unix:${freshPath(t)}`)
  const clients = [await closing(t, seqpacket()).connect(server.localAddress!), await closing(t, seqpacket()).connect(server.localAddress!)]
  for (const [i, client] of clients.entries()) await client.send(`${i}`)
  const got: string[] = []
  for await (const peer of server.connections()) {
    got.push(String(await closing(t, peer).recv()))
    t.is(peer.type, 'seqpacket')
    if (got.length === 2) server.close()
  }
  t.deepEqual(got, ['0', '1'])
  await t.throwsAsync(closing(t, seqpacket()).send('x'), { code: 'ERR_SOCKET_BAD_STATE' })
})
