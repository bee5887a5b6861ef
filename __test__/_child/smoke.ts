// What must hold under every runtime, without a test framework: Node, Bun and Deno run this file as it is. Each check
// prints a line; the status is 0 when all were ok, and the process ends by itself.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import socket, {
  addr, addrName, Address, loop, newThread, pair, poll, pollSync, raw, seqpacket, Socket, SocketError, start, stop, tcp, udp, type TcpSocket
} from 'socket2'

const unix = process.platform === 'win32' ? null : mkdtempSync(join(tmpdir(), 's2-'))
const checks: Record<string, () => Promise<void>> = {
  // The package
  async 'import and require give one instance'() {
    const required = createRequire(import.meta.url)('socket2') as typeof socket
    assert.equal(required, socket)
    assert.equal(required.tcp, tcp)
  },

  // Addresses
  async 'a literal address is looked up without waiting for a thread'() {
    const [address] = await addr('127.0.0.1', 80, 'tcp')
    assert.equal(String(address), '127.0.0.1:80')
  },
  async 'localhost is looked up'() {
    const addresses = await addr({ host: 'localhost', port: 80, type: 'tcp' })
    assert.ok(addresses.length > 0 && addresses.every(({ port }) => port === 80))
  },
  async 'names that do not resolve say so'() {
    await assert.rejects(addr('no-such-name.invalid'), ({ code }: SocketError) => ['ENOTFOUND', 'EAI_AGAIN'].includes(code))
  },
  async 'an address has a name'() {
    const [address] = await addr('127.0.0.1', 0)
    assert.ok((await addrName(address!)).host.length > 0)
  },
  async 'addresses are parsed, printed, compared and cloned'() {
    const address = Address.parse('[fe80::1%2]:80')
    assert.equal(String(address), '[fe80::1%2]:80')
    assert.ok(Address.from(structuredClone(address.toJSON())).equals(address))
  },
  async 'a port that is none is refused'() {
    await assert.rejects(addr('127.0.0.1', 65536), { code: 'ERR_SOCKET_BAD_PORT' })
  },

  // TCP
  async 'a connection carries data both ways'() {
    await withConnection(async (client, peer) => {
      assert.equal(await client.send('hello'), 5)
      assert.equal(String(await peer.recv()), 'hello')
      await peer.send(Buffer.from('there'))
      const space = new Uint8Array(8)
      assert.equal(await client.recv(space), 5)
      assert.equal(Buffer.from(space.subarray(0, 5)).toString(), 'there')
      assert.deepEqual([client.bytesWritten, client.bytesRead], [5, 5])
      assert.equal(String(client.localAddress), String(peer.remoteAddress))
    })
  },
  async 'a recv waits for what is sent later'() {
    await withConnection(async (client, peer) => {
      const receiving = client.recv()
      setTimeout(() => void peer.send('later'), 10)
      assert.equal(String(await receiving), 'later')
    })
  },
  async 'the end of the stream is 0, again and again'() {
    await withConnection(async (client, peer) => {
      peer.shutdown('write')
      for (let i = 0; i < 3; i++) assert.equal(await client.recv(new Uint8Array(1)), 0)
      assert.equal((await client.recv()).length, 0)
    })
  },
  async 'megabytes arrive whole'() {
    await withConnection(async (client, peer) => {
      const data = Buffer.alloc(8 << 20, 'all of it ')
      const sending = client.send(data).then(count => (client.shutdown('write'), count))
      assert.ok((await peer.recvAll()).equals(data))
      assert.equal(await sending, data.length)
    })
  },
  async 'a list is gathered'() {
    await withConnection(async (client, peer) => {
      assert.equal(await client.send([Buffer.from('one'), Buffer.from('two')]), 6)
      assert.equal(String(await peer.recvExact(6)), 'onetwo')
    })
  },
  async 'an early end is told by recvExact'() {
    await withConnection(async (client, peer) => {
      await peer.send('abc')
      peer.shutdown('write')
      await assert.rejects(client.recvExact(5), { code: 'ERR_UNEXPECTED_EOF', bytesRead: 3 })
      assert.equal(String(await client.recv()), 'abc')
    })
  },
  async 'receivers take their turns'() {
    await withConnection(async (client, peer) => {
      const receiving = [client.recvExact(2), client.recvExact(1), client.recvExact(3)]
      await peer.send('aabccc')
      assert.deepEqual((await Promise.all(receiving)).map(String), ['aa', 'b', 'ccc'])
    })
  },
  async 'what can be done now is done now'() {
    await withConnection(async (client, peer) => {
      assert.equal(client.tryRecv(new Uint8Array(1)), null)
      assert.equal(peer.trySend('x'), 1)
      await client.recvExact(1)
      await assert.rejects(client.recv(1, { timeout: 0 }), { code: 'ETIMEDOUT' })
    })
  },
  async 'a timeout loses nothing'() {
    await withConnection(async (client, peer) => {
      await assert.rejects(client.recv(9, { timeout: 10 }), { code: 'ETIMEDOUT', timeout: 10 })
      await peer.send('kept')
      assert.equal(String(await client.recv()), 'kept')
    })
  },
  async 'an abort rejects with its reason'() {
    await withConnection(async client => {
      const abort = new AbortController()
      const receiving = client.recv(9, { signal: abort.signal })
      abort.abort(new Error('enough'))
      await assert.rejects(receiving, { message: 'enough' })
    })
  },
  async 'close ends what waits'() {
    await withConnection(async client => {
      const receiving = client.recv()
      client.close()
      client.close()
      await assert.rejects(receiving, { code: 'ERR_SOCKET_CLOSED' })
      await assert.rejects(client.send('x'), { code: 'ERR_SOCKET_CLOSED' })
      assert.deepEqual([client.closed, client.fd], [true, -1])
    })
  },
  async 'a reset is an error for the peer'() {
    await withConnection(async (client, peer) => {
      client.reset()
      await assert.rejects(peer.recv(), { code: 'ECONNRESET' })
    })
  },
  async 'writing to a closed peer is an error'() {
    await withConnection(async (client, peer) => {
      peer.close()
      await assert.rejects(async () => {
        for (;;) await client.send(Buffer.alloc(1000))
      }, ({ code }: SocketError) => ['EPIPE', 'ECONNRESET', 'ECONNABORTED'].includes(code))
    })
  },
  async 'a closed port refuses'() {
    const server = await tcp().listen('127.0.0.1')
    const [address, client] = [server.localAddress!, tcp()]
    server.close()
    await assert.rejects(client.connect(address), (error: SocketError) => {
      assert.ok(error instanceof SocketError && error instanceof Error)
      assert.deepEqual([error.code, error.syscall, error.port], ['ECONNREFUSED', 'connect', address.port])
      return true
    })
    client.close()
  },
  async 'an address in use makes listen reject'() {
    const server = await tcp().listen('127.0.0.1')
    const second = tcp()
    await assert.rejects(second.listen(server.localAddress!), { code: 'EADDRINUSE' })
    for (const open of [server, second]) open.close()
  },
  async 'a hundred clients are served at the same time'() {
    const server = await tcp().listen('127.0.0.1')
    const serving = (async () => {
      for await (const peer of server.connections()) void echo(peer)
    })()
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      const client = await tcp().connect(server.localAddress!)
      for (let round = 0; round < 20; round++) {
        await client.send(`client ${i}\n`)
        assert.equal(String(await client.recvExact(`client ${i}\n`.length)), `client ${i}\n`)
      }
      client.close()
    }))
    server.close()
    await serving
  },
  async 'chunks are iterated until the end'() {
    await withConnection(async (client, peer) => {
      await client.send('a stream')
      client.shutdown('write')
      let text = ''
      for await (const chunk of peer) text += String(chunk)
      assert.equal(text, 'a stream')
    })
  },
  async 'wrong arguments are refused with the codes of Node'() {
    assert.throws(() => tcp('inet7' as 'inet'), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
    await withConnection(async client => {
      await assert.rejects(client.recv(0), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
      await assert.rejects(client.send(7 as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
      await assert.rejects(client.recv(1, { timeout: -1 }), { name: 'RangeError' })
    })
  },
  async 'options are set and read back'() {
    const open = tcp('inet', undefined, { keepAlive: true })
    assert.equal(open.getOption('keepAlive'), true)
    assert.equal(open.getOption('noDelay'), true)
    assert.equal(open.setOption('noDelay', false).getOption('noDelay'), false)
    open.close()
  },

  // UDP
  async 'datagrams keep their boundaries and name their sender'() {
    const [one, other] = [udp(), udp()]
    for (const open of [one, other]) await open.bind('127.0.0.1')
    for (const data of ['first', '', 'third']) await one.send(data, other.localAddress!)
    for (const data of ['first', '', 'third']) {
      const datagram = await other.recv()
      assert.equal(String(datagram.data), data)
      assert.ok(datagram.from.equals(one.localAddress!))
    }
    for (const open of [one, other]) open.close()
  },
  async 'a datagram that is too long is cut, and says so'() {
    const open = udp()
    await open.bind('127.0.0.1')
    await open.send('too long', open.localAddress!)
    const { length, truncated } = await open.recv(new Uint8Array(3))
    assert.deepEqual([length, truncated], [3, true])
    open.close()
  },

  // The loop
  async 'a stopped loop dequeues nothing until it is polled'() {
    await withConnection(async (client, peer) => {
      const receiving = client.recv()
      stop()
      try {
        await peer.send('x')
        assert.equal(loop.running, false)
        while (!(await poll(100)));
        assert.equal(String(await receiving), 'x')
        assert.equal(await poll(0), false)
      } finally {
        assert.equal(await start(), 'idle')
      }
    })
  },
  async 'pollSync blocks until something was done'() {
    await withConnection(async (client, peer) => {
      const receiving = client.recv()
      peer.trySend('x')
      while (!pollSync(100));
      assert.equal(String(await receiving), 'x')
    })
  },
  async 'start waits for threads'() {
    let done = 0
    void newThread(async () => {
      await new Promise(resolve => setTimeout(resolve, 10))
      done++
    })
    await assert.rejects(newThread(async () => assert.fail('on purpose')), { message: 'on purpose' })
    assert.equal(await start(), 'idle')
    assert.equal(done, 1)
  },
  async 'start says when its time is over'() {
    const open = udp()
    await open.bind('127.0.0.1')
    open.recv().catch(() => {})
    assert.equal(await start(10), 'timeout')
    const starting = start()
    stop()
    assert.equal(await starting, 'stopped')
    open.close()
    assert.equal(await start(), 'idle')
  },
  async 'timers are not held up by traffic'() {
    await withConnection(async (client, peer) => {
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
      for (let i = 0; i < 10; i++) await new Promise(resolve => setTimeout(resolve, 5))
      going = false
      await Promise.all([talking, serving])
    })
  },
  async 'a worker has a loop of its own, and its end harms nobody'() {
    await withConnection(async (client, peer) => {
      const receiving = client.recv()
      const worker = new Worker(new URL('worker.js', import.meta.url), { workerData: { how: 'stop' } })
      const message = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
      assert.deepEqual(message, { polled: true, received: 'x' })
      await worker.terminate()
      await peer.send('still here')
      assert.equal(String(await receiving), 'still here')
    })
  },

  // Raw
  async 'a raw socket is made, or permission is what lacks'() {
    try {
      const open = raw('inet', 'icmp')
      assert.equal(open.type, 'raw')
      open.close()
    } catch (error) {
      assert.ok(['EPERM', 'EACCES'].includes((error as SocketError).code), String(error))
    }
  }
}

if (unix !== null) {
  Object.assign(checks, {
    async 'unix streams and datagrams work, and leave no path behind'() {
      const server = await tcp('unix').listen(`unix:${unix}/s`)
      const client = await tcp('unix').connect(server.localAddress!)
      const peer = await server.accept()
      await client.send('by path')
      assert.equal(String(await peer.recv()), 'by path')
      for (const open of [client, peer, server]) open.close()
      const bound = udp('unix')
      await bound.bind(`unix:${unix}/s`)
      await bound.send('to itself', bound.localAddress!)
      assert.equal(String((await bound.recv()).data), 'to itself')
      bound.close()
    },
    async 'pairs are connected'() {
      const [[one, other], [from, to]] = [pair('tcp'), pair('udp')]
      await Promise.all([one.send('stream'), from.send('datagram')])
      assert.deepEqual([await other.recv(), (await to.recv()).data].map(String), ['stream', 'datagram'])
      for (const open of [one, other, from, to]) open.close()
    }
  })
}

if (process.platform === 'linux') {
  checks['seqpacket keeps the boundaries of messages'] = async () => {
    const server = await seqpacket().listen(`unix:@s2-${process.pid}`)
    const client = await seqpacket().connect(server.localAddress!)
    const peer = await server.accept()
    for (const message of ['one', 'two']) await client.send(message)
    client.shutdown('write')
    const messages: string[] = []
    for await (const message of peer) messages.push(String(message))
    assert.deepEqual(messages, ['one', 'two'])
    for (const open of [client, peer, server]) open.close()
  }
}

checks['nothing is left open'] = async () => {
  assert.deepEqual([...loop.sockets].filter(open => open instanceof Socket), [])
  assert.equal(loop.pending, 0)
}

let [number, failed] = [0, 0]
for (const [title, check] of Object.entries(checks)) {
  number++
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('not done within 10 s')), 10_000)
  })
  try {
    await Promise.race([check(), late])
    console.log(`ok ${number} ${title}`)
  } catch (error) {
    failed++
    console.log(`failed ${number} ${title}: ${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    clearTimeout(timer)
  }
}
if (unix !== null) rmSync(unix, { recursive: true, force: true })
console.log(failed === 0 ? `all ${number} ok` : `${failed} of ${number} failed`)
process.exitCode = failed === 0 ? 0 : 1
// With nothing pending the process has to end by itself.
setTimeout(() => {
  console.log('failed: the process does not end')
  process.exit(1)
}, 5000).unref()

async function withConnection(use: (client: TcpSocket, peer: TcpSocket) => Promise<void>): Promise<void> {
  const server = await tcp().listen('127.0.0.1')
  const accepting = server.accept()
  const client = await tcp().connect(server.localAddress!)
  const peer = await accepting
  try {
    await use(client, peer)
  } finally {
    for (const open of [server, client, peer]) open.close()
  }
}

async function echo(peer: TcpSocket): Promise<void> {
  for await (const data of peer) await peer.send(data)
  peer.close()
}
