// The loop: stopped and started, polled by hand, looked at.
import assert from 'node:assert/strict'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { loop, newThread, poll, pollSync, start, stop, tcp, udp } from 'socket2'
import { afterwards, connection, keep, type Checks } from './host.js'

export const loopChecks: Checks = {
  async 'a stopped loop dequeues nothing until it is polled'() {
    const [client, peer] = await connection()
    const receiving = client.recv()
    stopped()
    await peer.send('x')
    assert.equal(loop.running, false)
    while (!(await poll(100)));
    assert.equal(String(await receiving), 'x')
    assert.equal(await poll(0), false)
    assert.equal(await start(), 'idle')
    assert.equal(loop.running, true)
  },
  async 'what waits in a stopped loop goes on when it is started'() {
    const [client, peer] = await connection()
    let received = ''
    void client.recv().then(data => (received = String(data)))
    stopped()
    await peer.send('x')
    for (let i = 0; i < 20; i++) await turn()
    assert.deepEqual([received, loop.pending], ['', 1])
    assert.equal(await start(), 'idle')
    assert.equal(received, 'x')
  },
  async 'deadlines and close end what waits also while the loop is stopped'() {
    const [client, peer] = await connection()
    stopped()
    await assert.rejects(client.recv(9, { timeout: 10 }), { code: 'ETIMEDOUT' })
    const receiving = peer.recv()
    peer.close()
    await assert.rejects(receiving, { code: 'ERR_SOCKET_CLOSED' })
  },
  async 'pollSync blocks until something was done'() {
    const [client, peer] = await connection()
    const receiving = client.recv()
    peer.trySend('x')
    while (!pollSync(100));
    assert.equal(String(await receiving), 'x')
    const since = performance.now()
    void client.recv().catch(() => {})
    assert.equal(pollSync(20), false)
    assert.ok(performance.now() - since >= 19)
  },
  async 'start waits for threads, which tell their result and their error'() {
    let done = 0
    void newThread(async (by: number) => {
      await delay(10)
      done += by
    }, 2)
    assert.equal(await newThread((a: number, b: number) => a + b, 1, 2), 3)
    await assert.rejects(newThread(async () => assert.fail('on purpose')), { message: 'on purpose' })
    assert.equal(await start(), 'idle')
    assert.equal(done, 2)
  },
  async 'start says how it ended: by its time, by stop, or idle'() {
    const socket = keep(await udp().bind('127.0.0.1'))
    socket.recv().catch(() => {})
    assert.equal(await start(10), 'timeout')
    const starting = start()
    stop()
    assert.equal(await starting, 'stopped')
    socket.close()
    assert.equal(await start(), 'idle')
  },
  async 'the loop tells who is open and waits for what'() {
    const before = Date.now()
    const [client, peer] = await connection()
    const server = keep(await tcp().listen(false))
    for (const wait of [client.recv(), client.recv(), peer.send(Buffer.alloc(32 << 20)), server.accept()]) wait.catch(() => {})
    client.shutdown('write')
    const stats = loop.stats()
    const waiting = (of: unknown): string[] | undefined => stats.find(({ socket }) => socket === of)?.waitingFor
    assert.deepEqual(waiting(server), ['accept'])
    assert.ok(waiting(peer)?.includes('send'))
    assert.ok(stats.every(({ since }) => since.getTime() >= before && since.getTime() <= Date.now()))
    assert.deepEqual(new Set(loop.sockets), new Set([client, peer, server]))
    server.close()
    assert.equal([...loop.sockets].length, 2)
  },
  async 'timers are not held up by traffic'() {
    const [client, peer] = await connection()
    let going = true
    const serving = (async () => {
      for await (const data of peer) await peer.send(data)
    })()
    const talking = (async () => {
      while (going) {
        await client.send('x')
        await client.recv()
      }
      client.shutdown('write')
    })()
    for (let i = 0; i < 10; i++) await delay(5)
    going = false
    await Promise.all([talking, serving])
  },
  'ref and unref give the socket, as often as they are called'() {
    const socket = udp()
    assert.equal(socket.unref().unref().ref().ref(), socket)
    socket.close()
    assert.equal(socket.unref().ref(), socket)
  }
}

/** Stops the loop; what waits then keeps nothing alive, so a timer does. */
function stopped(): void {
  const awake = setInterval(() => {}, 60_000)
  afterwards(() => clearInterval(awake))
  stop()
}
