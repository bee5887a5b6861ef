import { raw, type Family, type RawSocket } from 'socket2'
import { aloneWithoutRight, checksum, echo, ICMP, lacksRaw, lacksUnprivileged } from './_icmp.js'
import { child, closing, unless, type Reason } from './_util.js'

function lacksFilter(family: Family): Reason {
  const has = process.platform === 'linux' || (family === 'inet6' && process.platform !== 'win32')
  return !has && 'this system has no such option'
}

for (const family of ['inet', 'inet6'] as const) {
  const { protocol, host, request, reply, header } = ICMP[family]
  const permitted = unless(lacksRaw(family))

  permitted(`an echo request to loopback is answered (${family} ${protocol})`, async t => {
    const socket = closing(t, raw(family, protocol))
    t.deepEqual([socket.type, socket.family, socket.protocol, socket.unprivileged], ['raw', family, protocol, false])
    const [id, payload] = [process.pid & 0xffff, 'are you there?']
    const packet = echo(request, id, 7, payload)
    t.is(await socket.send(packet, host, 0), packet.length)
    const { message, from, start } = await answer(socket, family, reply, id)
    t.deepEqual([message.readUInt16BE(6), message.toString('latin1', 8)], [7, payload])
    t.is(from.address, host)
    t.is(from.port, 0)
    if (family === 'inet') {
      t.is(start[0]! >> 4, 4, 'the IP header is part of what comes')
      t.is(start[9], 1, 'its protocol is ICMP')
      t.is(start.subarray(12, 16).join('.'), '127.0.0.1')
      t.is(checksum(message), 0)
    } else {
      // The system has computed it, for the request, too, over the addresses as well (RFC 8200, 8.1).
      const pseudoHeader = Buffer.alloc(40)
      pseudoHeader[15] = pseudoHeader[31] = 1
      pseudoHeader.writeUInt32BE(message.length, 32)
      pseudoHeader[39] = 58
      t.is(checksum(Buffer.concat([pseudoHeader, message])), 0)
    }
  })

  permitted(`a connected raw socket sends without an address, and what does not fit is cut (${family})`, async t => {
    const socket = await closing(t, raw(family, protocol)).connect(host)
    t.is(socket.remoteAddress?.address, host)
    const [id, payload] = [(process.pid + 1) & 0xffff, 'x'.repeat(100)]
    await socket.send(echo(request, id, 1, payload))
    const space = Buffer.alloc(30)
    for (;;) {
      const { length, truncated } = await socket.recv(space, { timeout: 10_000 })
      if (space.readUInt16BE(header + 4) !== id) continue // somebody else's
      t.deepEqual([length, truncated], [30, true])
      break
    }
  })

  permitted(`a raw socket that is bound has an address without a port (${family})`, async t => {
    const socket = await closing(t, raw(family, protocol)).bind(host)
    t.is(socket.localAddress?.address, host)
    if (family === 'inet') t.is(socket.getOption('ttl') > 0, true)
  })

  unless(lacksRaw(family) || lacksFilter(family))(`with icmpFilter only the types named come (${family})`, async t => {
    const requests = closing(t, raw(family, protocol, { icmpFilter: [request] }))
    const replies = closing(t, raw(family, protocol, { icmpFilter: [reply] }))
    const id = (process.pid + 2) & 0xffff
    await replies.send(echo(request, id, 1, ''), host, 0)
    for (const [socket, type] of [[requests, request], [replies, reply]] as const) {
      let message: Buffer
      do message = (await socket.recv(100, { timeout: 10_000 })).data.subarray(header)
      while (message.readUInt16BE(4) !== id)
      t.is(message[0], type)
    }
  })
}

/** The answer to our request, among all that a raw socket hears: our request, and the packets of others. */
async function answer(socket: RawSocket, family: Family, type: number, id: number) {
  for (;;) {
    const { data, from } = await socket.recv(2048, { timeout: 10_000 })
    const length = family === 'inet' ? (data[0]! & 15) * 4 : 0
    const message = data.subarray(length)
    if (message[0] === type && message.readUInt16BE(4) === id) return { message, from, start: data.subarray(0, length) }
  }
}

const knowsOthers = unless(lacksRaw('inet') || (process.platform === 'win32' && 'Wine knows no such protocol, and a real Windows was never tried'))
knowsOthers('with headerIncluded the IP header is what the sender has made of it', async t => {
  const PROTOCOL = 254 // for experiments (RFC 3692)
  const receiver = closing(t, raw('inet', PROTOCOL))
  const sender = closing(t, raw('inet', PROTOCOL, { headerIncluded: true }))
  t.true(sender.getOption('headerIncluded'))
  const payload = Buffer.from(`made by ${process.pid}`)
  const header = Buffer.from([0x45, 0x08, 0, 20 + payload.length, 0x12, 0x34, 0, 0, 33, PROTOCOL, 0, 0, 127, 0, 0, 9, 127, 0, 0, 1])
  header.writeUInt16BE(checksum(header), 10)
  t.is(await sender.send(Buffer.concat([header, payload]), '127.0.0.1', 0), header.length + payload.length)
  for (;;) {
    const { data, from } = await receiver.recv(100, { timeout: 10_000 })
    if (!data.subarray(20).equals(payload)) continue
    t.deepEqual(data.subarray(0, 20), header)
    t.is(from.address, '127.0.0.9')
    break
  }
  sender.setOption('headerIncluded', false)
  await sender.send(payload, '127.0.0.1', 0)
  const { data } = await receiver.recv(100, { timeout: 10_000 })
  t.deepEqual([data[8], data[9], String(data.subarray(20))], [sender.getOption('ttl'), PROTOCOL, String(payload)])
})

unless(lacksRaw('inet'))('raw sockets need a protocol, and know no streams', async t => {
  t.throws(() => raw('inet', 'ip'), { name: 'SocketError', code: 'EPROTONOSUPPORT' })
  const socket = closing(t, raw('inet', 'icmp'))
  for (const name of ['listen', 'accept', 'shutdown', 'recvExact']) t.false(name in socket)
  await t.throwsAsync(socket.send('x', '127.0.0.1', 'http'), { code: 'EAI_SERVICE' })
  await t.throwsAsync(socket.send('x', '::1', 0), { code: 'ERR_INVALID_ARG_VALUE' })
})

const unprivileged = unless(lacksUnprivileged)

unprivileged('without the right to raw sockets, those of ICMP are unprivileged ones where the system lets the group ping', async t => {
  const { stdout, stderr } = await child(t, 'unprivileged', [], [], aloneWithoutRight(true))
  t.is(stderr, '')
  const told = JSON.parse(stdout) as Record<string, unknown>
  for (const [family, { reply }] of Object.entries(ICMP)) {
    const answer = [reply, 7, 'hello', true]
    t.deepEqual(told[family], {
      unprivileged: true, answer, bytesRead: 13, bytesWritten: 13,
      refused: ['EACCES', 'EINVAL', ...family === 'inet' ? ['EACCES'] : []], hops: 9,
      adopted: ['raw', ICMP[family as 'inet'].protocol, true, true, answer], asUdp: 'ERR_INVALID_ARG_VALUE', attached: [true, answer],
      cut: [10, true], ping: [64, 1]
    })
  }
})

unprivileged('without the right to raw sockets and without that making one throws EPERM, and says what is needed', async t => {
  const { stdout, stderr } = await child(t, 'unprivileged', [], [], aloneWithoutRight(false))
  t.is(stderr, '')
  for (const told of Object.values(JSON.parse(stdout) as Record<string, Error>)) {
    const { message, ...error } = told
    t.deepEqual(error, { name: 'SocketError', code: 'EPERM', syscall: 'socket' } as never)
    t.regex(message, /^socket EPERM: .* CAP_NET_RAW; .* net\.ipv4\.ping_group_range/)
  }
})

unprivileged('of other protocols there are no unprivileged sockets', async t => {
  const { stdout, stderr } = await child(t, 'unprivileged', ['253'], [], aloneWithoutRight(true))
  t.is(stderr, '')
  t.regex((JSON.parse(stdout) as Error).message, /^socket EPERM: .* CAP_NET_RAW$/)
})
