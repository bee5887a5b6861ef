// Options, wrong arguments, where errors come from, raw sockets.
import assert from 'node:assert/strict'
import { raw, tcp, udp, type SocketError } from 'socket2'
import { connection, lacks, skip, unless, type Checks, type Reason } from './host.js'

export const optionChecks: Checks = {
  'options are given to the constructor, set, and read back'() {
    const socket = tcp('inet', undefined, { keepAlive: true })
    assert.equal(socket.getOption('keepAlive'), true)
    assert.equal(socket.getOption('noDelay'), true)
    assert.equal(socket.setOption('noDelay', false).getOption('noDelay'), false)
    assert.equal(socket.setOption('ttl', 7).getOption('ttl'), 7)
    socket.setOption('recvBufferSize', 100_000)
    assert.ok(socket.getOption('recvBufferSize') >= 100_000)
  },
  'datagram sockets have options of their own'() {
    const socket = udp('inet', undefined, { broadcast: true, ttl: 9 })
    assert.deepEqual([socket.getOption('broadcast'), socket.getOption('ttl')], [true, 9])
    assert.equal(udp('inet6').setOption('ipv6Only', true).getOption('ipv6Only'), true)
  },
  async 'options that are more than a number are read and set'() {
    assert.equal(udp('inet').setOption('multicastInterface', '127.0.0.1').setOption('multicastInterface', '').family, 'inet')
    if (process.platform === 'linux') assert.equal(tcp('inet', undefined, { congestion: 'reno' }).getOption('congestion'), 'reno')
    if (process.platform === 'win32') return
    const [client] = await connection()
    assert.equal(client.getOption('info').state, 'established')
  },
  'an option without a name goes by its numbers'() {
    const [level, name] = process.platform === 'linux' ? [1, 9] as const : [0xffff, 8] as const // SOL_SOCKET, SO_KEEPALIVE
    const socket = tcp().setOption(level, name, 1)
    assert.equal(socket.getOption('keepAlive'), true)
    assert.equal(socket.setOption(level, name, new Uint8Array(4)).getOption(level, name)[0], 0)
  },
  async 'the error of a socket is null as long as all is well'() {
    const [client] = await connection()
    assert.equal(client.getOption('error'), null)
    assert.throws(() => client.setOption('error' as 'noDelay', true))
  },
  'two sockets share a port with reusePort': unless(lacks.reusePort, async () => {
    const first = await udp('inet', undefined, { reusePort: true }).bind(false)
    await udp('inet', undefined, { reusePort: true }).bind(first.localAddress!)
  }),
  'an option that this system has not says so'() {
    const lacking = process.platform === 'win32' ? 'reusePort' : 'exclusiveAddressUse'
    if (process.platform === 'win32' && !lacks.reusePort) skip('this system has them all')
    assert.throws(() => tcp().setOption(lacking, true), { code: 'ERR_UNSUPPORTED_PLATFORM' })
  },
  async 'wrong arguments are refused with the codes of Node'() {
    assert.throws(() => tcp('inet7' as 'inet'), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
    assert.throws(() => tcp().getOption('none' as 'noDelay'), { name: 'TypeError' })
    assert.throws(() => tcp().setOption('ttl', 'x' as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    const [client] = await connection()
    await assert.rejects(client.recv(0), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    await assert.rejects(client.recv(new Uint8Array(0)), { name: 'RangeError' })
    await assert.rejects(client.send(7 as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    await assert.rejects(client.recv(1, { timeout: -1 }), { name: 'RangeError' })
    await assert.rejects(client.recv(1, { timeout: NaN }), { name: 'RangeError' })
    await assert.rejects(tcp().connect('127.0.0.1', 65536), { code: 'ERR_SOCKET_BAD_PORT' })
  },
  async 'memory that was taken away while an operation waited is an error'() {
    const [client, peer] = await connection()
    const space = new Uint8Array(8)
    const receiving = client.recv(space)
    structuredClone(space.buffer, { transfer: [space.buffer] })
    await peer.send('x')
    await assert.rejects(receiving, { name: 'TypeError' })
    assert.equal(String(await client.recv()), 'x')
  },
  'the stack of an error that is thrown leads to the line of the call'() {
    assert.throws(() => tcp().shutdown('both'), ({ stack }: SocketError) => stack!.includes('options.js'))
  },
  'the stack of an error that was waited for leads to the line of the call': unless(await noAsyncStacks(), async () => {
    const [client] = await connection()
    await assert.rejects(client.recv(1, { timeout: 5 }), ({ stack }: SocketError) => stack!.includes('options.js'))
  }),
  'a raw socket is made, or permission is what lacks'() {
    try {
      assert.equal(raw('inet', 'icmp').type, 'raw')
    } catch (error) {
      assert.ok(['EPERM', 'EACCES'].includes((error as SocketError).code), String(error))
      skip(`no right to raw sockets: ${(error as SocketError).code}, as it should be`)
    }
  }
}

/** Whether the stack of an error shows who awaits the promise that it rejects: not everyone's does when a callback has made it. */
async function noAsyncStacks(): Promise<Reason> {
  async function whoAwaits(): Promise<void> {
    await Promise.resolve().then(() => { throw new Error('asked for its stack') })
  }
  const shown = await whoAwaits().catch((error: Error) => error.stack!.includes('whoAwaits'))
  return !shown && 'this runtime does not show who awaits a promise that a callback rejects'
}
