// What shows only from one host to another, and over routers: addresses and interfaces, times to live, sizes.
import test from 'ava'
import type { Address, UdpSocket } from 'socket2'
import { lacksNetworks, routed, twoHosts } from './_network.js'
import { addressOf, closing, unless } from './_util.js'

const inNetwork = unless(lacksNetworks, test.serial)
const soon = { timeout: 20_000 }

for (const family of ['inet', 'inet6'] as const) {
  const bits = family === 'inet' ? 24 : '64 nodad'

  inNetwork(`an ${family} connection and a datagram come from the address that their socket is bound to`, async t => {
    const [left, right] = await twoHosts(t)
    const second = left.eth0[family].replace(/1$/, '3')
    await left.shell(`ip addr add ${second}/${bits} dev eth0`)
    const server = await (await right.tcp(family)).listen()
    const receiver = await (await right.udp(family)).bind()
    for (const source of [left.eth0[family], second]) {
      const client = await (await left.tcp(family)).bind(source)
      await client.connect(right.eth0[family], addressOf(server).port)
      t.is(closing(t, await server.accept(soon)).remoteAddress?.address, source)
      const sender = await (await left.udp(family)).bind(source)
      await sender.send('hello', right.eth0[family], addressOf(receiver).port)
      t.true((await receiver.recv(100, soon)).from.equals(addressOf(sender)))
    }
    await t.throwsAsync((await left.udp(family)).bind(right.eth0[family]), { code: 'EADDRNOTAVAIL' })
  })

  inNetwork(`with freebind an ${family} socket is bound before its address is there, with transparent for an address that never is`, async t => {
    const [left, right] = await twoHosts(t)
    const [later, never] = [left.eth0[family].replace(/1$/, '4'), left.eth0[family].replace(/1$/, '5')]
    const server = await (await left.tcp(family, undefined, { freebind: true })).listen(later)
    const sender = await (await left.udp(family, undefined, { transparent: true })).bind(never)
    await left.shell(`ip addr add ${later}/${bits} dev eth0`)
    await (await right.tcp(family)).connect(addressOf(server), soon)
    t.is(closing(t, await server.accept(soon)).localAddress?.address, later)
    const receiver = await (await right.udp(family)).bind()
    await sender.send('hello', right.eth0[family], addressOf(receiver).port)
    t.true((await receiver.recv(100, soon)).from.equals(addressOf(sender)))
  })

  inNetwork(`with bindToDevice ${family} sockets hear what comes by their interface, two of them at one port`, async t => {
    const [left, right] = await twoHosts(t, 2)
    const [first, second] = await Promise.all(['eth0', 'eth1'].map(bindToDevice => right.udp(family, undefined, { bindToDevice })))
    const { port } = addressOf(await first!.bind())
    await second!.bind('*', port)
    const sender = await left.udp(family)
    for (const { name, [family]: to } of right.interfaces) await sender.send(name, to, port)
    t.is(await heard(first!), 'eth0')
    t.is(await heard(second!), 'eth1')

    const server = await (await right.tcp(family, undefined, { bindToDevice: 'eth1' })).listen()
    const [, eth1] = right.interfaces
    await t.throwsAsync((await left.tcp(family)).connect(right.eth0[family], addressOf(server).port), { code: 'ECONNREFUSED' })
    await (await left.tcp(family)).connect(eth1![family], addressOf(server).port, soon)
    t.is(closing(t, await server.accept(soon)).localAddress?.address, eth1![family])
  })

  inNetwork(`with bindToDevice an ${family} socket sends by that interface, whatever the way would be`, async t => {
    const [left, right] = await twoHosts(t, 2)
    const [there, prefix, ip] = family === 'inet' ? ['10.9.9.9', '32', 'ip'] : ['fd09::9', '128 nodad', 'ip -6']
    await right.shell(`ip addr add ${there}/${prefix} dev lo`)
    await left.shell(right.interfaces.map(({ name, [family]: via }) => `${ip} route add ${there} via ${via} dev ${name} metric 1${name.at(-1)}`).join('\n'))
    const receiver = await (await right.udp(family)).bind()
    for (const { name, [family]: from } of left.interfaces) {
      const sender = await left.udp(family, undefined, { bindToDevice: name })
      await sender.send(name, there, addressOf(receiver).port)
      t.is((await receiver.recv(100, soon)).from.address, from)
    }
  })

  inNetwork(`an ${family} datagram whose time to live ends is told of by the router where it does, and its socket goes on`, async t => {
    const hosts = await routed(t)
    const [left, right] = [hosts[0]!, hosts.at(-1)!]
    const receiver = await (await right.udp(family)).bind(right.eth0[family])
    // Of what comes here, the message's own header and that of the packet it is about, up to the ports.
    const [ttl, icmp, exceeded, start, ports] = family === 'inet' ? ['ttl', 'icmp', 11, 20, 8 + 20] as const : ['hopLimit', 'icmpv6', 3, 0, 8 + 40] as const
    const told = await left.raw(family, icmp, { icmpFilter: [exceeded] })
    const [unconnected, connected] = [await (await left.udp(family)).bind(), await (await left.udp(family)).connect(addressOf(receiver))]
    for (const sender of [unconnected, connected]) {
      const to = sender === unconnected ? [addressOf(receiver)] as const : []
      for (const [passed, router] of hosts.slice(1, -1).entries()) {
        await sender.setOption(ttl, passed + 1).send('too far', ...to as [Address])
        const { data, from } = await told.recv(2000, soon)
        t.is(from.address, router.eth0[family])
        t.is(data[start], exceeded)
        t.is(data.readUInt16BE(start + ports), addressOf(sender).port)
      }
      await sender.setOption(ttl, hosts.length - 1).send('near enough', ...to as [Address])
      t.is(await heard(receiver), 'near enough')
    }
  })

  inNetwork(`an ${family} socket that asks for it is told EHOSTUNREACH when the time to live ends, once, and goes on`, async t => {
    const hosts = await routed(t, [1500, 1500])
    const [left, right] = [hosts[0]!, hosts.at(-1)!]
    const receiver = await (await right.udp(family)).bind(right.eth0[family])
    const [ttl, level, receiveErrors] = family === 'inet' ? ['ttl', 0, 11] as const : ['hopLimit', 41, 25] as const
    const sender = await (await left.udp(family)).connect(addressOf(receiver))
    sender.setOption(level, receiveErrors, 1)
    await sender.setOption(ttl, 1).send('too far')
    await t.throwsAsync(sender.recv(100, soon), { code: 'EHOSTUNREACH' })
    await sender.setOption(ttl, 2).send('near enough')
    const { data, from } = await receiver.recv(100, soon)
    t.is(String(data), 'near enough')
    await receiver.send('answer', from)
    t.is(await heard(sender), 'answer')
  })

  const headers = (family === 'inet' ? 20 : 40) + 8

  inNetwork(`an ${family} datagram larger than the cable is EMSGSIZE with mtuDiscover 'do', and comes whole otherwise`, async t => {
    const [left, right] = await twoHosts(t)
    const receiver = await (await right.udp(family)).bind(right.eth0[family])
    const sender = await (await left.udp(family, undefined, { mtuDiscover: 'do' })).connect(addressOf(receiver))
    const [most, more] = [Buffer.alloc(1500 - headers, 'most'), Buffer.alloc(1500 - headers + 1, 'more')]
    await sender.send(most)
    t.deepEqual((await receiver.recv(undefined, soon)).data, most)
    await t.throwsAsync(sender.send(more), { code: 'EMSGSIZE', message: /^send EMSGSIZE/ })
    for (const word of ['dont', 'want'] as const) {
      await sender.setOption('mtuDiscover', word).send(more)
      t.deepEqual((await receiver.recv(undefined, soon)).data, more)
    }
  })

  inNetwork(`an ${family} datagram larger than a cable behind a router is EMSGSIZE once the router has told, and comes whole without mtuDiscover 'do'`, async t => {
    const hosts = await routed(t, [1500, 1400, 1500])
    const [left, right] = [hosts[0]!, hosts.at(-1)!]
    const receiver = await (await right.udp(family)).bind(right.eth0[family])
    const sender = await (await left.udp(family, undefined, { mtuDiscover: 'do' })).connect(addressOf(receiver))
    const [most, more, much] = [1400 - headers, 1400 - headers + 1, 6000].map((length, i) => Buffer.alloc(length, `${i}`))
    await sender.send(more!)
    await t.throwsAsync(sender.recv(100, soon), { code: 'EMSGSIZE' })
    await t.throwsAsync(sender.send(more!), { code: 'EMSGSIZE' })
    const [level, mtu] = family === 'inet' ? [0, 14] as const : [41, 24] as const
    t.is(sender.getOption(level, mtu, 4).readInt32LE(), 1400)
    await sender.send(most!)
    t.deepEqual((await receiver.recv(undefined, soon)).data, most)
    for (const word of ['dont', 'want'] as const) {
      await sender.setOption('mtuDiscover', word).send(much!)
      t.deepEqual((await receiver.recv(undefined, soon)).data, much)
    }
  })

  inNetwork(`an ${family} connection whose peer vanishes ends by userTimeout when it sends, and by keepAlive when it does not`, async t => {
    const [left, router, right] = await routed(t, [1500, 1500])
    const server = await (await right!.tcp(family)).listen()
    const sending = await left!.tcp(family, undefined, { userTimeout: 300 })
    const idle = await left!.tcp(family, undefined, { keepAlive: true, keepAliveIdle: 1000, keepAliveInterval: 1000, keepAliveCount: 1 })
    for (const client of [sending, idle]) await client.connect(right!.eth0[family], addressOf(server).port)
    await router!.shell(`ip ${family === 'inet' ? '' : '-6'} route add blackhole ${right!.eth0[family]}`)
    await sending.send('is anybody there?')
    await Promise.all([sending, idle].map(client => t.throwsAsync(client.recv(1, soon), { code: 'ETIMEDOUT', message: /^recv ETIMEDOUT/ })))
  })

  inNetwork(`an ${family} connection is refused by a router that has no way, and times out where packets vanish`, async t => {
    const [left, router] = await routed(t, [1500, 1500])
    const [nowhere, vanishing, ip, code] = family === 'inet' ? ['10.9.9.9', '10.9.9.8', 'ip', 'EHOSTUNREACH'] : ['fd09::9', 'fd09::8', 'ip -6', 'ENETUNREACH']
    await router!.shell(`${ip} route add unreachable ${nowhere}\n${ip} route add blackhole ${vanishing}`)
    await t.throwsAsync((await left!.tcp(family)).connect(nowhere!, 80, soon), { code })
    const client = await left!.tcp(family)
    await t.throwsAsync(client.connect(vanishing!, 80, { timeout: 50 }), { code: 'ETIMEDOUT' })
  })
}

inNetwork('tos is what is in the packets that arrive, over routers as well', async t => {
  const hosts = await routed(t, [1500, 1500])
  const [left, right] = [hosts[0]!, hosts.at(-1)!]
  const watcher = await right.raw('inet', 'udp')
  const sender = await left.udp()
  for (const tos of [0, 0x10, 0xb8, 0x01, 0xff]) {
    await sender.setOption('tos', tos).send('x', right.eth0.inet, 9)
    t.is((await watcher.recv(100, soon)).data[1], tos)
  }
})

inNetwork('what comes from a link-local address has its zone, and is answered there', async t => {
  const [left, right] = await twoHosts(t, 2)
  const [, near] = left.interfaces
  const [, far] = right.interfaces
  const receiver = await (await right.udp('inet6')).bind()
  const sender = await left.udp('inet6')
  await sender.send('hello', `fe80::2%${near!.index}`, addressOf(receiver).port)
  const { from } = await receiver.recv(100, soon)
  t.deepEqual([from.address, from.scopeId], ['fe80::1', far!.index])
  await receiver.send('answer', from)
  t.is((await sender.recv(100, soon)).from.scopeId, near!.index)

  const server = await (await right.tcp('inet6')).listen(far!.linkLocal)
  const client = await (await left.tcp('inet6')).connect(`fe80::2%${near!.index}`, addressOf(server).port)
  const peer = closing(t, await server.accept(soon))
  t.is(peer.remoteAddress?.toString(), `[fe80::1%${far!.index}]:${addressOf(client).port}`)
})

async function heard(socket: UdpSocket): Promise<string> {
  return String((await socket.recv(2000, soon)).data)
}
