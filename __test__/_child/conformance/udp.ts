// Datagrams.
import assert from 'node:assert/strict'
import { udp } from 'socket2'
import { addressOf, bound, skip, unless, type Checks, type Reason } from './host.js'

/** Why what needs IPv6 is left out. */
export const noIPv6: Reason = await udp('inet6').bind('::1').then(
  socket => (socket.close(), false as const),
  () => 'this system has no IPv6'
)

export const udpChecks: Checks = {
  async 'datagrams keep their boundaries and name their sender'() {
    const [one, other] = await bound()
    for (const data of ['first', '', 'third']) assert.equal(await one.send(data, addressOf(other)), data.length)
    for (const data of ['first', '', 'third']) {
      const datagram = await other.recv()
      assert.equal(String(datagram.data), data)
      assert.ok(datagram.from.equals(addressOf(one)))
      assert.equal(datagram.truncated, false)
    }
  },
  'datagrams go over IPv6': unless(noIPv6, async () => {
    const [one, other] = await bound('inet6')
    await one.send('six', '::1', addressOf(other).port)
    assert.equal(String((await other.recv()).data), 'six')
  }),
  async 'a datagram that is too long is cut, says so, and the next one is whole'() {
    const [one, other] = await bound()
    for (const data of ['too long', 'too long', 'ok']) await one.send(data, addressOf(other))
    const { length, truncated, from } = await other.recv(new Uint8Array(3))
    assert.deepEqual([length, truncated, String(from)], [3, true, String(one.localAddress)])
    const cut = await other.recv(3)
    assert.deepEqual([String(cut.data), cut.truncated], ['too', true])
    assert.equal(String((await other.recv()).data), 'ok')
  },
  async 'an empty datagram is a datagram of length 0'() {
    const [one, other] = await bound()
    const receiving = other.recv(new Uint8Array(3))
    await one.send('', addressOf(other))
    assert.equal((await receiving).length, 0)
  },
  async 'a connected socket sends without an address, and hears its peer only'() {
    const [one, other] = await bound()
    const stranger = await udp().bind(false)
    await one.connect(addressOf(other))
    assert.ok(one.remoteAddress?.equals(addressOf(other)))
    await one.send('to the peer')
    assert.equal(String((await other.recv()).data), 'to the peer')
    await stranger.send('from a stranger', addressOf(one))
    await other.send('from the peer', addressOf(one))
    assert.equal(String((await one.recv()).data), 'from the peer')
  },
  async 'a disconnected socket keeps its port, and has no peer'() {
    const other = await udp().bind(false)
    // A port given by number: one that the system chose Linux would take away.
    const free = await udp().bind(false)
    const { port } = addressOf(free)
    free.close()
    const one = await udp().bind('127.0.0.1', port)
    await one.connect(addressOf(other))
    one.disconnect()
    one.disconnect()
    assert.deepEqual([addressOf(one).port, one.remoteAddress], [port, null])
    await assert.rejects(one.send('x'), { code: 'EDESTADDRREQ' })
    await other.send('heard', '127.0.0.1', port)
    assert.equal(String((await one.recv()).data), 'heard')
  },
  async 'datagrams are iterated until the socket is closed'() {
    const [one, other] = await bound()
    for (const data of ['a', 'b', 'c']) await one.send(data, addressOf(other))
    let text = ''
    for await (const { data } of other) {
      text += String(data)
      if (text.length === 3) other.close()
    }
    assert.equal(text, 'abc')
  },
  async 'receivers of datagrams take their turns'() {
    const [one, other] = await bound()
    const receiving = Promise.all([other.recv(), other.recv(), other.recv()])
    for (const data of ['1', '22', '333']) await one.send(data, addressOf(other))
    assert.deepEqual((await receiving).map(({ data }) => String(data)), ['1', '22', '333'])
  },
  async 'a recv that timed out or was aborted has taken no datagram'() {
    const [one, other] = await bound()
    await assert.rejects(other.recv(9, { timeout: 5 }), { code: 'ETIMEDOUT' })
    const abort = new AbortController()
    const receiving = other.recv(9, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await assert.rejects(receiving, { message: 'enough' })
    await one.send('kept', addressOf(other))
    assert.equal(String((await other.recv()).data), 'kept')
  },
  async 'a datagram too big for the protocol is EMSGSIZE, and the next one goes'() {
    const [one, other] = await bound()
    await assert.rejects(one.send(Buffer.alloc(65_536), addressOf(other)), { code: 'EMSGSIZE', syscall: 'send' })
    await one.send('fits', addressOf(other))
    assert.equal(String((await other.recv()).data), 'fits')
  },
  async 'a socket that has no address gets one when it sends'() {
    const [sender, other] = [udp(), await udp().bind(false)]
    assert.equal(sender.localAddress, null)
    await sender.send('x', 'localhost', addressOf(other).port)
    assert.equal((await other.recv()).from.port, addressOf(sender).port)
  },
  async 'a group is joined and left'() {
    const socket = await udp().bind('127.0.0.1')
    try {
      socket.joinGroup('239.1.2.3', { interface: '127.0.0.1' })
    } catch (error) {
      skip(`no multicast on loopback: ${String(error)}`)
    }
    socket.leaveGroup('239.1.2.3', { interface: '127.0.0.1' })
  },
  async 'close ends what waits for a datagram'() {
    const [one] = await bound()
    const receiving = one.recv()
    one.close()
    await assert.rejects(receiving, { code: 'ERR_SOCKET_CLOSED' })
  }
}
