// What a process without the right to raw sockets can do with those of ICMP, as JSON.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { once } from 'node:events'
import { attach, fromFd, ping, raw, type RawSocket, type SocketHandle } from 'socket2'
import { echo, ICMP } from '../_icmp.js'

type Family = keyof typeof ICMP

if (process.argv[2]) console.log(JSON.stringify(await tried(async () => raw('inet', Number(process.argv[2])))))
else if (isMainThread) {
  const told: Record<string, unknown> = {}
  for (const family of ['inet', 'inet6'] as const) told[family] = await tried(() => tell(family))
  console.log(JSON.stringify(told))
} else {
  const socket = await attach(workerData as SocketHandle<'raw'>)
  parentPort!.postMessage([socket.unprivileged, await exchange(socket)])
  socket.close()
}

async function tell(family: Family): Promise<unknown> {
  const { protocol, host, request, reply } = ICMP[family]
  const socket = raw(family, protocol)
  const { unprivileged } = socket
  const answer = await exchange(socket)
  const { bytesRead, bytesWritten } = socket
  const refused = [await codeOf(() => socket.setOption('icmpFilter', [reply])), await codeOf(() => socket.send(echo(reply, 1, 1, ''), host, 0))]
  if (family === 'inet') refused.push(await codeOf(() => socket.setOption('headerIncluded', true)))
  const ttl = family === 'inet' ? 'ttl' : 'hopLimit'
  const hops = socket.setOption(ttl, 9).getOption(ttl)

  const port = socket.localAddress!.port
  const moved = fromFd(socket.release()) as RawSocket
  const adopted = [moved.type, moved.protocol, moved.unprivileged, moved.localAddress!.port === port, await exchange(moved)]
  const fd = moved.release()
  const asUdp = await codeOf(() => fromFd(fd, 'udp'))
  const worker = new Worker(new URL(import.meta.url), { workerData: fromFd(fd, 'raw').detach() })
  const [attached] = await once(worker, 'message')

  const connected = await raw(family, protocol).connect(host)
  await connected.send(echo(request, 1, 2, 'connected'))
  const { length, truncated } = await connected.recv(new Uint8Array(10))
  connected.close()
  const { ttl: left, sequence } = await ping(host, { size: 100 })
  return { unprivileged, answer, bytesRead, bytesWritten, refused, hops, adopted, asUdp, attached, cut: [length, truncated], ping: [left, sequence] }
}

/** The type, the sequence and the payload of the answer to a request, and whether its id is not ours but the one that the system has given. */
async function exchange(socket: RawSocket): Promise<unknown[]> {
  const { request, host } = ICMP[socket.family as Family]
  await socket.send(echo(request, 0, 7, 'hello'), host, 0)
  const { data } = await socket.recv(100, { timeout: 10_000 })
  return [data[0], data.readUInt16BE(6), data.toString('latin1', 8), data.readUInt16BE(4) === socket.localAddress!.port]
}

async function codeOf(act: () => unknown): Promise<string> {
  try {
    return `none: ${String(await act())}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!
  }
}

async function tried(act: () => Promise<unknown>): Promise<unknown> {
  try {
    return await act()
  } catch (error) {
    const { name, code, syscall, message } = error as NodeJS.ErrnoException
    return { name, code, syscall, message }
  }
}
