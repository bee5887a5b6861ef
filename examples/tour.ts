// npm start: a tour of the library, live on this machine's loopback. Each chapter does something, checks that it came out
// right, and says how fast it went. The process ends by itself, with status 0 when all was as it should be.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addr, addrName, loop, pair, ping, start, tcp, udp, type TcpSocket } from 'socket2'
import { bold, chapter, dim, ms, number, openFilesLimit, perSecond, red, timed, type Story } from './story.js'

const { bun, deno, node } = process.versions
const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`
console.log(`\n  ${bold('socket2')}, a tour on loopback ${dim(`· ${runtime} · ${process.platform} ${process.arch}`)}\n`)
await chapter('names', names)
await chapter('tcp', clients)
await chapter('udp', datagrams)
await chapter('unix', unixSockets)
await chapter('icmp', pings)
await chapter('the end', end)
console.log()

async function* names(): Story {
  const addresses = await addr({ host: 'localhost', type: 'tcp' })
  yield `localhost is ${addresses.map(({ address }) => address).join(' and ')}`
  const [loopback] = await addr('127.0.0.1', 0, 'tcp')
  yield `127.0.0.1 is called ${(await addrName(loopback!)).host}`
}

async function* clients(): Story {
  const [wanted, rounds, files] = [1_000, 100, openFilesLimit()]
  const count = Math.min(wanted, Math.floor((files - 60) / 2)) // a connection has both its ends in this process
  if (count < wanted) yield `this process may open only ${number(files)} files, so there are fewer than ${number(wanted)} clients`

  const server = await tcp().listen('127.0.0.1')
  const serving = echoServer(server)
  const [sockets, connecting] = await timed(() => Promise.all(
    Array.from({ length: count }, () => tcp().connect(server.localAddress!))
  ))
  yield `a server on ${server.localAddress}; ${number(count)} clients connected to it in ${ms(connecting)}`

  const waits: number[] = []
  const [, talking] = await timed(() => Promise.all(sockets.map(async (socket, i) => {
    const [message, reply] = [Buffer.alloc(64, `client ${i} `), Buffer.alloc(64)]
    for (let round = 0; round < rounds; round++) {
      const sent = performance.now()
      await socket.send(message)
      await socket.recvExact(reply)
      waits.push(performance.now() - sent)
      assert(reply.equals(message), `client ${i} got back something else`)
    }
    socket.close()
  })))
  server.close()
  assert.equal(await serving, count)

  waits.sort((a, b) => a - b)
  yield `${rounds} messages each, every echo awaited: ${number(waits.length)} in ${ms(talking)}, ${perSecond(waits.length, talking)}`
  yield dim(`half of them came back within ${ms(waits[waits.length >> 1]!)}, 99 in 100 within ${ms(waits[Math.floor(waits.length * 0.99)]!)}`)
}

/** Serves until the server is closed and its clients are gone; resolves to how many there were. */
async function echoServer(server: TcpSocket): Promise<number> {
  const connections: Promise<void>[] = []
  for await (const connection of server.connections()) connections.push(echo(connection))
  await Promise.all(connections)
  return connections.length
}

async function echo(connection: TcpSocket): Promise<void> {
  using socket = connection
  const buffer = Buffer.allocUnsafe(4096)
  for (let length; (length = await socket.recv(buffer)) > 0;) await socket.send(buffer.subarray(0, length))
}

async function* datagrams(): Story {
  const count = 10_000
  using server = await udp().bind('127.0.0.1')
  using client = udp()
  await client.connect(server.localAddress!)
  const buffer = Buffer.alloc(1500)
  const [, took] = await timed(async () => {
    for (let i = 0; i < count; i++) {
      await client.send(`datagram ${i}`)
      const { length, from } = await server.recv(buffer, { timeout: 2_000 })
      await server.send(buffer.subarray(0, length), from)
      assert.equal(String((await client.recv(1500, { timeout: 2_000 })).data), `datagram ${i}`)
    }
  })
  yield `${number(count)} datagrams to ${server.localAddress} and back in ${ms(took)}, ${ms(took / count)} each`
}

async function* unixSockets(): Story {
  const folder = mkdtempSync(join(tmpdir(), 'socket2-'))
  try {
    const [size, chunk] = [512 << 20, Buffer.alloc(1 << 20)]
    using server = await tcp('unix').listen(`unix:${join(folder, 'tour.sock')}`)
    using sender = await tcp('unix').connect(server.localAddress!)
    using receiver = await server.accept()
    const [[received], took] = await timed(() => Promise.all([drain(receiver), pour(sender, chunk, size / chunk.length)]))
    assert.equal(received, size)
    yield `${size >> 20} MiB through ${server.localAddress} in ${ms(took)}, ${(size / took / 1e6).toFixed(1)} GB/s`
  } finally {
    rmSync(folder, { recursive: true })
  }

  const [left, right] = pair('seqpacket')
  await left.send('messages keep')
  await left.send('their boundaries')
  yield `two messages through a seqpacket pair: "${await right.recv(64)}", "${await right.recv(64)}"`
  left.close()
  right.close()
}

async function pour(socket: TcpSocket, chunk: Buffer, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await socket.send(chunk)
  socket.shutdown('write')
}

async function drain(socket: TcpSocket): Promise<number> {
  const buffer = Buffer.alloc(1 << 18)
  while (await socket.recv(buffer) > 0);
  return socket.bytesRead
}

async function* pings(): Story {
  try {
    const { ms: first } = await ping('127.0.0.1')
    const times: number[] = []
    for await (const { ms: time } of ping('127.0.0.1', { count: 10, interval: 10 })) times.push(time ?? Infinity)
    assert(Math.max(...times) < Infinity, 'a ping was lost')
    yield `127.0.0.1 answered a ping after ${ms(first)}, and ten more after ${ms(Math.min(...times))} at best`
  } catch (error) {
    if (!['EPERM', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    yield `left out: ${(error as Error).message}`
  }
}

async function* end(): Story {
  assert.equal(await start(5_000), 'idle')
  assert.equal([...loop.sockets].length, 0, 'a socket was left open')
  yield process.exitCode ? red('not all was as it should be') : `no socket is open, nothing waits any more; ${ms(performance.now())} in all`
}
