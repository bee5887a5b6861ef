// Sockets that move: between threads, to and from descriptors.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { attach, fromFd, loop, tcp, udp, type SocketHandle } from 'socket2'
import { addressOf, afterwards, connection, keep, type Checks } from './host.js'

export const moveChecks: Checks = {
  async 'a connection goes to a worker and back, with everything unread'() {
    const [client, peer] = await connection()
    const worker = new Worker(new URL('../mover.js', import.meta.url))
    afterwards(() => worker.terminate())
    assert.deepEqual(await once(worker, 'message'), ['ready'])
    await client.send('one, two!!')
    worker.postMessage(peer.detach())
    const [{ heard, handle }] = (await once(worker, 'message')) as [{ heard: string; handle: SocketHandle<'tcp'> }]
    const back = keep(await attach(handle))
    assert.deepEqual([heard, String(await back.recv())], ['one, ', 'two!!'])
    assert.equal(String(await client.recv()), 'heard one, ')
  },
  async 'what waits when a socket is detached rejects, and loses nothing'() {
    const [client, peer] = await connection()
    const receiving = peer.recvExact(10)
    await client.send('12345')
    const handle = peer.detach()
    await assert.rejects(receiving, { code: 'ERR_SOCKET_CLOSED' })
    assert.deepEqual([peer.closed, loop.detached], [true, 1])
    const moved = keep(await attach(handle))
    await client.send('67890')
    assert.equal(String(await moved.recvExact(10)), '1234567890')
    assert.equal(loop.detached, 0)
  },
  async 'a listener moves with those who wait there'() {
    const server = keep(await tcp().listen(false))
    const client = keep(await tcp().connect(addressOf(server)))
    const moved = keep(await attach(server.detach()))
    const peer = keep(await moved.accept())
    await peer.send('hello')
    assert.equal(String(await client.recv()), 'hello')
  },
  async 'a handle is attached once'() {
    const handle = tcp().detach()
    keep(await attach(handle))
    await assert.rejects(attach(handle), { code: 'ERR_SOCKET_BAD_STATE' })
    await assert.rejects(attach({} as never), { code: 'ERR_INVALID_ARG_VALUE' })
  },
  async 'a descriptor is released open, and taken over as what it is'() {
    const [client, peer] = await connection()
    const fd = peer.release()
    assert.equal(peer.closed, true)
    const taken = keep(fromFd(fd, 'tcp'))
    assert.deepEqual([taken.fd, taken.family, String(taken.remoteAddress)], [fd, 'inet', String(client.localAddress)])
    await client.send('x')
    assert.equal(String(await taken.recv()), 'x')
  },
  'what is of another type, or open already, is refused and stays as it was'() {
    const fd = udp().release()
    assert.throws(() => fromFd(fd, 'tcp'), { code: 'ERR_INVALID_ARG_VALUE' })
    const socket = keep(fromFd(fd, 'udp'))
    assert.throws(() => fromFd(fd), { code: 'ERR_INVALID_ARG_VALUE' })
    assert.equal(socket.fd, fd)
  }
}
