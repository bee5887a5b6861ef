import { raw, type Family, type RawSocket } from 'socket2'
import { child, closing, unless } from './_util.js'

/** Why this process may not have raw sockets, or false when it may. */
function refusal(family: Family): string | false {
  try {
    raw(family, family === 'inet' ? 'icmp' : 'icmpv6').close()
    return false
  } catch (error) {
    return `the system does not permit it: ${(error as Error).message}`
  }
}

/** An ICMP echo request, its checksum included (RFC 792). In IPv6 the system computes it. */
function echoRequest(type: number, id: number, sequence: number, payload: string): Buffer {
  const packet = Buffer.concat([Buffer.alloc(8), Buffer.from(payload)])
  packet[0] = type
  packet.writeUInt16BE(id, 4)
  packet.writeUInt16BE(sequence, 6)
  packet.writeUInt16BE(checksum(packet), 2)
  return packet
}

/** The internet checksum (RFC 1071). */
function checksum(data: Buffer): number {
  let sum = 0
  for (let i = 0; i < data.length; i += 2) sum += (data[i]! << 8) | (data[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

const PROTOCOLS = {
  inet: { protocol: 'icmp', host: '127.0.0.1', request: 8, reply: 0 },
  inet6: { protocol: 'icmpv6', host: '::1', request: 128, reply: 129 }
} as const

for (const family of ['inet', 'inet6'] as const) {
  const { protocol, host, request, reply } = PROTOCOLS[family]
  const permitted = unless(refusal(family))

  permitted(`an echo request to loopback is answered (${family} ${protocol})`, async t => {
    const socket = closing(t, raw(family, protocol))
    t.deepEqual([socket.type, socket.family, socket.protocol], ['raw', family, protocol])
    const [id, payload] = [process.pid & 0xffff, 'are you there?']
    const packet = echoRequest(request, id, 7, payload)
    t.is(await socket.send(packet, host, 0), packet.length)
    const { message, from, header } = await answer(socket, family, reply, id)
    t.deepEqual([message.readUInt16BE(6), message.toString('latin1', 8)], [7, payload])
    t.is(from.address, host)
    t.is(from.port, 0)
    if (family === 'inet') {
      t.is(header[0]! >> 4, 4, 'the IP header is part of what comes')
      t.is(header[9], 1, 'its protocol is ICMP')
      t.is(header.subarray(12, 16).join('.'), '127.0.0.1')
      t.is(checksum(message), 0)
    }
  })

  permitted(`a connected raw socket sends without an address, and what does not fit is cut (${family})`, async t => {
    const socket = await closing(t, raw(family, protocol)).connect(host)
    t.is(socket.remoteAddress?.address, host)
    const [id, payload] = [(process.pid + 1) & 0xffff, 'x'.repeat(100)]
    await socket.send(echoRequest(request, id, 1, payload))
    const space = new Uint8Array(30)
    const { length, truncated } = await socket.recv(space)
    t.deepEqual([length, truncated], [30, true])
  })

  permitted(`a raw socket that is bound has an address without a port (${family})`, async t => {
    const socket = await closing(t, raw(family, protocol)).bind(host)
    t.is(socket.localAddress?.address, host)
    if (family === 'inet') t.is(socket.getOption('ttl') > 0, true)
  })
}

/** The answer to our request, among all that a raw socket hears: our request, and the packets of others. */
async function answer(socket: RawSocket, family: Family, type: number, id: number) {
  for (;;) {
    const { data, from } = await socket.recv(2048, { timeout: 10_000 })
    const start = family === 'inet' ? (data[0]! & 15) * 4 : 0
    const message = data.subarray(start)
    if (message[0] === type && message.readUInt16BE(4) === id) return { message, from, header: data.subarray(0, start) }
  }
}

unless(refusal('inet'))('raw sockets need a protocol, and know no streams', async t => {
  t.throws(() => raw('inet', 'ip'), { name: 'SocketError', code: 'EPROTONOSUPPORT' })
  const socket = closing(t, raw('inet', 'icmp'))
  for (const name of ['listen', 'accept', 'shutdown', 'recvExact']) t.false(name in socket)
  await t.throwsAsync(socket.send('x', '127.0.0.1', 'http'), { code: 'EAI_SERVICE' })
  await t.throwsAsync(socket.send('x', '::1', 0), { code: 'ERR_INVALID_ARG_VALUE' })
})

unless(process.getuid?.() !== 0 && 'only root can give its right up')('without the right to raw sockets making one throws EPERM', async t => {
  const { code, stdout, stderr } = await child(t, 'raw-unprivileged')
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(stdout), { name: 'SocketError', code: 'EPERM', syscall: 'socket', message: 'socket EPERM' })
})
