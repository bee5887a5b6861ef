// What the system tells of datagrams from other hosts, and how many of them at once come through.
import test from 'ava'
import type { Datagram, SocketError, UdpSocket } from 'socket2'
import { lacksNetworks, routed, twoHosts, type Host } from './_network.js'
import { addressOf, unless } from './_util.js'

const inNetwork = unless(lacksNetworks, test.serial)
const soon = { timeout: 20_000 }

const FAMILIES = [
  {
    family: 'inet', group: '239.2.0.9', tos: 'tos', ttl: 'ttl', leaving: 'multicastInterface',
    telling: { packetInfo: true, recvTtl: true, recvTos: true, timestamp: true }
  },
  {
    family: 'inet6', group: 'ff15::9', tos: 'trafficClass', ttl: 'hopLimit', leaving: 'multicastInterface6',
    telling: { recvPacketInfo: true, recvHopLimit: true, recvTrafficClass: true, timestamp: true }
  }
] as const

for (const { family, group, tos, ttl, leaving, telling } of FAMILIES) {
  inNetwork(`an ${family} datagram tells to which address, by which interface, with which tos, and when it came`, async t => {
    const [left, right] = await twoHosts(t, 2)
    const receiver = await (await right.udp(family, undefined, telling)).bind()
    const { port } = addressOf(receiver)
    receiver.joinGroup(group, { interface: right.interfaces[1]!.index })
    const sender = await left.udp(family)
    for (const [place, { index, [family]: address }] of right.interfaces.entries()) {
      const before = Date.now()
      await sender.setOption(tos, 0xb9 + place).send('hello', address, port)
      const told = await receiver.recv(100, soon)
      t.is(told.to?.toString(), address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)
      t.like(told, { interfaceIndex: index, ttl: 64, tos: 0xb9 + place, ecn: 1 + place })
      t.true(told.timestamp! > before - 100 && told.timestamp! < Date.now() + 100, `${told.timestamp}`)
    }
    sender.setOption(leaving, `${left.interfaces[1]!.index}`)
    await sender.send('to many', group, port)
    const [told] = await receiver.recvMany(1, soon)
    t.is(told?.to?.address, group)
    t.like(told, { interfaceIndex: right.interfaces[1]!.index, ttl: 1 })
  })

  inNetwork(`an ${family} datagram tells how much of its time to live the routers have left`, async t => {
    const hosts = await routed(t)
    const [left, right] = [hosts[0]!, hosts.at(-1)!]
    const receiver = await (await right.udp(family, undefined, telling)).bind()
    const sender = await (await left.udp(family)).connect(right.eth0[family], addressOf(receiver).port)
    for (const each of [3, 64, 255]) await sender.setOption(ttl, each).send('hello')
    for (const each of [3, 64, 255]) t.is((await receiver.recv(Buffer.alloc(10), soon)).ttl, each - 2)
  })

  const most = 1500 - (family === 'inet' ? 20 : 40) - 8

  inNetwork(`many ${family} datagrams go and come at once, over routers, and past a narrow cable as well`, async t => {
    const hosts = await routed(t, [1500, 1400, 1500])
    const [left, right] = [hosts[0]!, hosts.at(-1)!]
    const sender = await left.udp(family, undefined, { mtuDiscover: 'do' })
    const receivers = [await right.udp(family), await right.udp(family)]
    for (const each of receivers) await each.bind(right.eth0[family])
    for (const size of [1000, most]) {
      if (size === most) await learnPath(left, right, family)
      sender.setOption('mtuDiscover', size === most ? 'dont' : 'do')
      const data = Buffer.from(Uint8Array.from({ length: size * 20 + 7 }, (_, place) => place * 31 >> 5))
      const parts = Array.from({ length: 21 }, (_, place) => data.subarray(place * size, (place + 1) * size))
      for (const [receiver, receive] of [[receivers[0]!, oneByOne], [receivers[1]!, together]] as const) {
        t.is(await sender.sendSegments(data, size, addressOf(receiver)), data.length)
        t.deepEqual(await receive(receiver, parts.length), parts)
        t.is(await sender.sendMany(parts.map(part => ({ data: part, address: addressOf(receiver) }))), parts.length)
        t.deepEqual(await receive(receiver, parts.length), parts)
      }
    }
  })

  inNetwork(`sendMany of ${family} datagrams tells how many went before one that is too large for the cable`, async t => {
    const [left, right] = await twoHosts(t)
    const receiver = await (await right.udp(family)).bind(right.eth0[family])
    const sender = await (await left.udp(family, undefined, { mtuDiscover: 'do' })).connect(addressOf(receiver))
    const messages = [most, most, most + 1, most].map(length => ({ data: Buffer.alloc(length) }))
    const error = await t.throwsAsync<SocketError>(sender.sendMany(messages), { code: 'EMSGSIZE' })
    t.is(error.messagesSent, 2)
    await sender.send('the end')
    for (const length of [most, most, 7]) t.is((await receiver.recv(undefined, soon)).data.length, length)
    const segments = await t.throwsAsync<SocketError>(sender.sendSegments(Buffer.alloc(2 * most + 2), most + 1), { code: 'EMSGSIZE' })
    t.is(segments.bytesSent, 0)
  })
}

inNetwork('an inet6 socket tells of IPv4 datagrams as well, in its own family', async t => {
  const [left, right] = await twoHosts(t)
  const receiver = await (await right.udp('inet6', undefined, { ipv6Only: false, recvPacketInfo: true })).bind()
  await (await left.udp()).send('hello', right.eth0.inet, addressOf(receiver).port)
  const { from, to, interfaceIndex } = await receiver.recv(100, soon)
  t.deepEqual([from.address, to?.address, interfaceIndex], [`::ffff:${left.eth0.inet}`, `::ffff:${right.eth0.inet}`, right.eth0.index])
})

inNetwork('an address of one cable to which a datagram was sent has its zone', async t => {
  const [left, right] = await twoHosts(t, 2)
  const receiver = await (await right.udp('inet6', undefined, { recvPacketInfo: true })).bind()
  const [, near] = left.interfaces
  const [, far] = right.interfaces
  receiver.joinGroup('ff12::9', { interface: far!.index })
  for (const to of ['fe80::2', 'ff12::9']) {
    await (await left.udp('inet6')).send('hello', `${to}%${near!.index}`, addressOf(receiver).port)
    const told = await receiver.recv(100, soon)
    t.is(told.to?.toString(), `[${to}%${far!.index}]:${addressOf(receiver).port}`)
  }
})

inNetwork('a broadcast tells that it was one', async t => {
  const [left, right] = await twoHosts(t)
  const receiver = await (await right.udp('inet', undefined, { packetInfo: true })).bind()
  await (await left.udp('inet', undefined, { broadcast: true })).send('to all', '10.0.1.255', addressOf(receiver).port)
  t.is((await receiver.recv(100, soon)).to?.address, '10.0.1.255')
})

/** Has a host know how narrow the way to another is: a datagram that may not be divided does not get there, and a router tells why. */
async function learnPath(from: Host, to: Host, family: 'inet' | 'inet6'): Promise<void> {
  const scout = await (await from.udp(family, undefined, { mtuDiscover: 'do' })).connect(to.eth0[family], 9)
  await scout.send(Buffer.alloc(1440 - 28))
  await scout.recv(1, soon).catch((error: SocketError) => {
    if (error.code !== 'EMSGSIZE') throw error
  })
}

async function oneByOne(socket: UdpSocket, count: number): Promise<Buffer[]> {
  const all: Buffer[] = []
  while (all.length < count) all.push((await socket.recv(undefined, soon)).data)
  return all
}

async function together(socket: UdpSocket, count: number): Promise<Buffer[]> {
  const all: Datagram[] = []
  while (all.length < count) all.push(...await socket.recvMany(count - all.length, soon))
  return all.map(({ data }) => data)
}
