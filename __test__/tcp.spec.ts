// What a stream promises, over TCP on both families and over unix sockets.
import { createHash, randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { tcp, type Family, type TcpSocket } from 'socket2'
import { connectedPair, lacks, listener, MUCH, unless, wine } from './_util.js'

const families: Family[] = ['inet', 'inet6', 'unix']
const MiB = 1 << 20

/** What a writer hears of a connection that is gone, once it knows. Windows goes on telling how it went. */
const GONE = lacks.posix ? ['ECONNRESET', 'ECONNABORTED'] : ['EPIPE']

for (const family of families) {
  const testIt = unless(family === 'unix' && lacks.unix)

  testIt(`${family}: what is sent arrives, as text, as bytes and as a list`, async t => {
    const { client, peer } = await connectedPair(t, family)
    t.is(await client.send('grüße '), 8)
    t.is(await client.send(Buffer.from('from ')), 5)
    t.is(await client.send([Buffer.from('all'), new Uint8Array(0), Buffer.from(' sides')]), 9)
    t.is(String(await peer.recvExact(22)), 'grüße from all sides')
    t.deepEqual([client.bytesWritten, client.bytesRead, peer.bytesWritten, peer.bytesRead], [22, 0, 0, 22])
  })

  testIt(`${family}: ${MUCH / MiB} MiB to a slow reader arrive whole`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const data = randomBytes(MiB)
    const hash = createHash('sha256')
    const sent = createHash('sha256')
    for (let i = 0; i < MUCH / MiB; i++) sent.update(data)
    const sending = client.send(Array.from({ length: MUCH / MiB }, () => data))
    const into = new Uint8Array(256 * 1024)
    let length = 0
    while (length < MUCH) {
      const count = await peer.recv(into)
      hash.update(into.subarray(0, count))
      length += count
      await turn()
    }
    t.is(await sending, MUCH)
    t.is(hash.digest('hex'), sent.digest('hex'))
    t.is(client.bytesWritten, MUCH)
    t.is(peer.bytesRead, MUCH)
  })

  testIt(`${family}: the end of the stream is 0, again and again, in every form of recv`, async t => {
    const { client, peer } = await connectedPair(t, family)
    await client.send('last words')
    client.shutdown('write')
    const into = new Uint8Array(100)
    t.is(await peer.recv(into), 10)
    for (let i = 0; i < 3; i++) {
      t.is(await peer.recv(into), 0)
      t.is((await peer.recv()).length, 0)
      t.is(peer.tryRecv(into), 0)
      t.is((await peer.recvAll()).length, 0)
    }
    t.is(peer.bytesRead, 10)
  })

  testIt(`${family}: a reader that waits learns of the end of the stream`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const receiving = peer.recv(new Uint8Array(1))
    await turn()
    client.close()
    t.is(await receiving, 0)
  })

  testIt(`${family}: a side that ended its own direction goes on receiving`, async t => {
    const { client, peer } = await connectedPair(t, family)
    client.shutdown('write')
    client.shutdown('write')
    t.is((await peer.recvAll()).length, 0)
    await peer.send('still here')
    t.is(String(await client.recv()), 'still here')
    await t.throwsAsync(client.send('x'), { code: 'EPIPE' })
    peer.shutdown('write')
    t.is((await client.recv()).length, 0)
    client.shutdown('both')
    peer.shutdown('both')
    peer.shutdown('both')
  })

  testIt(`${family}: shutdown of the reading side wakes its reader with the end, and sending goes on`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const receiving = client.recv(10)
    await turn()
    client.shutdown('read')
    t.is((await receiving).length, 0)
    await client.send('out')
    t.is(String(await peer.recv()), 'out')
  })

  testIt(`${family}: shutdown of the writing side ends a writer that waits with EPIPE`, async t => {
    const { client } = await connectedPair(t, family)
    const sending = client.send(Buffer.alloc(MUCH))
    await turn()
    client.shutdown('write')
    const error = await t.throwsAsync(sending, { code: 'EPIPE' })
    t.is((error as { bytesSent?: number }).bytesSent, client.bytesWritten)
  })

  testIt(`${family}: writing to a peer that is gone is an error, not a signal`, async t => {
    const { client, peer } = await connectedPair(t, family)
    peer.close()
    const failure = async (): Promise<unknown> => {
      for (;;) {
        try {
          await client.send('anyone?')
        } catch (error) {
          return (error as { code?: string }).code
        }
        await turn()
      }
    }
    t.true([...GONE, 'ECONNRESET'].includes(String(await failure())))
    const again = t.throws<NodeJS.ErrnoException>(() => client.trySend('x'))
    t.true(GONE.includes(String(again.code)), again.code)
    const later = await t.throwsAsync<NodeJS.ErrnoException>(client.send([Buffer.from('x'), Buffer.from('y')]))
    t.true(GONE.includes(String(later.code)), later.code)
  })

  testIt(`${family}: a writer that waits does not hold up the reader`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const sending = client.send(Buffer.alloc(MUCH))
    await turn()
    for (let i = 0; i < 100; i++) {
      await peer.send(`ping ${i}`)
      t.is(String(await client.recv()), `ping ${i}`)
    }
    t.true(client.bytesWritten < MUCH)
    t.is(await peer.recvExact(new Uint8Array(MUCH)), MUCH)
    t.is(await sending, MUCH)
  })

  testIt(`${family}: sends and receives of both sides in flight at once keep their order and do not interleave`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const lengths = Array.from({ length: 300 }, (_, i) => 1 + ((i * 7919) % 50_000))
    const message = (i: number, length: number): Buffer => Buffer.alloc(length, i)
    const order: string[] = []
    const all: Promise<unknown>[] = []
    const receive = async (to: TcpSocket, name: string, i: number, length: number): Promise<void> => {
      const got = await to.recvExact(length)
      order.push(`${name} recv ${i}`)
      if (!got.equals(message(i, length))) throw new Error(`message ${i} is not itself`)
    }
    for (const [name, from, to] of [['there', client, peer], ['back', peer, client]] as const) {
      lengths.forEach((length, i) => {
        const data = message(i, length)
        const third = Math.floor(length / 3)
        const payload = i % 2 === 0 ? data : [data.subarray(0, third), data.subarray(third)]
        all.push(from.send(payload).then(() => order.push(`${name} send ${i}`)))
        all.push(receive(to, name, i, length))
      })
    }
    await Promise.all(all)
    for (const kind of ['there send', 'there recv', 'back send', 'back recv']) {
      t.deepEqual(order.filter(entry => entry.startsWith(kind)), lengths.map((_, i) => `${kind} ${i}`))
    }
  })

  testIt(`${family}: a second reader waits its turn`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const order: string[] = []
    const first = peer.recvExact(6).then(data => order.push(`first ${data}`))
    const second = peer.recv(3).then(data => order.push(`second ${data}`))
    const third = peer.recvExact(new Uint8Array(3)).then(() => order.push('third'))
    await client.send('abc')
    await turn()
    t.deepEqual(order, [])
    await client.send('defghijkl')
    await Promise.all([first, second, third])
    t.deepEqual(order, ['first abcdef', 'second ghi', 'third'])
  })

  testIt(`${family}: thousands of buffers, many of them empty, go out as one`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const list = Array.from({ length: 20_000 }, (_, i) => (i % 3 === 0 ? new Uint8Array(0) : randomBytes(i % 101)))
    const data = Buffer.concat(list)
    const sending = client.send(list)
    t.true((await peer.recvExact(data.length)).equals(data))
    t.is(await sending, data.length)
    t.is(await client.send([]), 0)
    t.is(await client.send([new Uint8Array(0)]), 0)
    t.is(await client.send(''), 0)
  })

  testIt(`${family}: a list that was changed while it was being sent goes out as it was`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const list = [Buffer.alloc(MUCH, 1), Buffer.from('end')]
    const sending = client.send(list)
    list.length = 0
    const data = await peer.recvExact(MUCH + 3)
    t.is(await sending, MUCH + 3)
    t.is(String(data.subarray(-3)), 'end')
  })

  testIt(`${family}: tryRecv and trySend never wait`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const into = new Uint8Array(4)
    t.is(peer.tryRecv(into), null)
    await client.send('abcdef')
    t.is(await peer.recv(new Uint8Array(1)), 1)
    t.is(peer.tryRecv(into), 4)
    t.is(String(Buffer.from(into)), 'bcde')
    t.is(peer.tryRecv(into), 1)
    t.is(peer.tryRecv(into), null)
    t.is(client.trySend(''), 0)
    t.is(client.trySend('grüße'), 7)
    let sent = 0
    for (let count = 1; count > 0; sent += count) count = client.trySend(Buffer.alloc(65536))
    // What was taken is all there, and not more.
    client.shutdown('write')
    t.is((await peer.recvAll()).length, 7 + sent)
    t.is(client.bytesWritten, 6 + 7 + sent)
  })

  testIt(`${family}: tryRecv and trySend do not push in before those who wait`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const sending = client.send(Buffer.alloc(MUCH, 'a'))
    t.is(client.trySend('b'), 0)
    const receiving = client.recv(10)
    await peer.send('c')
    t.is(client.tryRecv(new Uint8Array(1)), null)
    t.is(String(await receiving), 'c')
    t.is((await peer.recvExact(MUCH)).indexOf('b'), -1)
    await sending
  })

  testIt(`${family}: iterating gives what comes until the end, and leaving the loop neither closes nor loses`, async t => {
    const { client, peer } = await connectedPair(t, family)
    await client.send('one')
    for await (const chunk of peer) {
      t.is(String(chunk), 'one')
      break
    }
    t.false(peer.closed)
    await client.send('two')
    client.shutdown('write')
    const chunks: Buffer[] = []
    for await (const chunk of peer) chunks.push(chunk)
    t.is(String(Buffer.concat(chunks)), 'two')
  })

  testIt(`${family}: recvAll takes everything to the end, and a small recv takes no more than it asks for`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const data = randomBytes(3 * MiB)
    void client.send(data).then(() => client.shutdown('write'))
    const head = await peer.recv(10)
    t.true(head.equals(data.subarray(0, head.length)) && head.length <= 10)
    const rest = await peer.recvAll()
    t.true(Buffer.concat([head, rest]).equals(data))
  })

  testIt(`${family}: recvAll past its limit fails, and what had come stays readable`, async t => {
    const { client, peer } = await connectedPair(t, family)
    await client.send('0123456789')
    client.shutdown('write')
    await t.throwsAsync(peer.recvAll({ limit: 9 }), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' })
    t.is(peer.bytesRead, 0)
    await t.throwsAsync(peer.recvAll({ limit: 0 }), { code: 'ERR_OUT_OF_RANGE' })
    t.is(String(await peer.recvAll({ limit: 10 })), '0123456789')
    t.is((await peer.recvAll({ limit: 0 })).length, 0)
  })

  testIt(`${family}: recvExact that meets the end early says how much came, and leaves it readable`, async t => {
    const { client, peer } = await connectedPair(t, family)
    await client.send('half')
    client.shutdown('write')
    const expected = { code: 'ERR_UNEXPECTED_EOF' }
    t.like(await t.throwsAsync(peer.recvExact(10), expected), { bytesRead: 4, syscall: 'recv' })
    t.like(await t.throwsAsync(peer.recvExact(new Uint8Array(5)), expected), { bytesRead: 4 })
    t.is(peer.bytesRead, 0)
    t.is(String(await peer.recv(3)), 'hal')
    t.is(peer.tryRecv(new Uint8Array(9)), 1)
    t.is(peer.bytesRead, 4)
    t.like(await t.throwsAsync(peer.recvExact(1), expected), { bytesRead: 0 })
    t.is((await peer.recv(1)).length, 0)
  })

  testIt(`${family}: what a failed recvExact leaves is there for the reader behind it`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const controller = new AbortController()
    const first = peer.recvExact(10, { signal: controller.signal })
    const second = peer.recv(10)
    await client.send('early')
    await turn()
    controller.abort()
    await t.throwsAsync(first, { any: true, name: 'AbortError' })
    t.is(String(await second), 'early')
  })

  testIt(`${family}: in the state before a connection everything is refused, and nothing changes`, async t => {
    const socket = tcp(family)
    t.teardown(() => socket.close())
    const refused = { code: 'ERR_SOCKET_BAD_STATE' }
    for (const operation of [
      () => socket.send('x'), () => socket.recv(1), () => socket.recv(new Uint8Array(1)), () => socket.recvExact(1),
      () => socket.recvAll(), () => socket.accept(), () => socket.send([Buffer.from('x')])
    ]) await t.throwsAsync<Error>(operation(), refused)
    t.throws(() => socket.trySend('x'), refused)
    t.throws(() => socket.tryRecv(new Uint8Array(1)), refused)
    t.throws(() => socket.shutdown('write'), refused)
    const server = await listener(t, family)
    await socket.connect(server.localAddress!)
    await t.throwsAsync(socket.connect(server.localAddress!), refused)
    await t.throwsAsync(socket.listen(), refused)
    await t.throwsAsync(server.connect(server.localAddress!), refused)
    t.throws(() => server.shutdown('read'), refused)
  })
}

for (const family of ['inet', 'inet6'] as const) {
  unless(wine === 8 && 'Wine 8 shows a reset as the end of the stream')(`${family}: a reset reaches the peer as ECONNRESET, also one that waits`, async t => {
    const one = await connectedPair(t, family)
    one.peer.reset()
    t.true(one.peer.closed)
    await t.throwsAsync(one.client.recv(10), { code: 'ECONNRESET' })

    const other = await connectedPair(t, family)
    const receiving = other.client.recv(new Uint8Array(1))
    await turn()
    other.peer.reset()
    await t.throwsAsync(receiving, { code: 'ECONNRESET', message: /^recv ECONNRESET/ })
  })

  test(`${family}: a reset ends a writer that waits, and what it sent is known`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const sending = client.send(Buffer.alloc(MUCH))
    await turn()
    peer.reset()
    const error = await t.throwsAsync(sending, { code: 'ECONNRESET' })
    t.is((error as { bytesSent?: number }).bytesSent, client.bytesWritten)
  })

  unless(wine === 8 && 'Wine 8 shows a reset as the end of the stream to whoever asks first')(`${family}: a reset is never taken for the end of the stream, whoever learns of it first`, async t => {
    const { client, peer } = await connectedPair(t, family)
    const sending = client.send(Buffer.alloc(MUCH))
    const receiving = client.recv(1)
    await turn()
    peer.reset()
    await t.throwsAsync(receiving, { code: 'ECONNRESET' })
    await t.throwsAsync(sending)
    for (let i = 0; i < 2; i++) await t.throwsAsync(client.recv(), { code: 'ECONNRESET' })
    await t.throwsAsync(client.recvAll(), { code: 'ECONNRESET' })

    const other = await connectedPair(t, family)
    other.peer.reset()
    t.throws(() => other.client.trySend('x'), { code: 'ECONNRESET' })
    await t.throwsAsync(other.client.recvAll(), { code: 'ECONNRESET' })
    t.throws(() => other.client.tryRecv(new Uint8Array(1)), { code: 'ECONNRESET' })
  })
}
