// What goes to many, from one host to another: groups of one's own and the broadcast.
import { existsSync } from 'node:fs'
import test from 'ava'
import type { Family, GroupOptions, RawSocket, UdpSocket } from 'socket2'
import { lacksNetworks, routed, twoHosts, type Conversation, type Host, type Interface } from './_network.js'
import { addressOf, unless } from './_util.js'

const inNetwork = unless(lacksNetworks, test.serial)
const withRouting = unless(lacksNetworks || (!existsSync('/proc/net/ip_mr_vif') && 'this system routes no groups'), test.serial)
const soon = { timeout: 20_000 }

const FAMILIES = [
  { family: 'inet', any: '239.2.0.1', sourced: '232.2.0.1', leaving: 'multicastInterface', loop: 'multicastLoop', reach: 'multicastTtl' },
  { family: 'inet6', any: 'ff15::1', sourced: 'ff35::1', leaving: 'multicastInterface6', loop: 'multicastLoop6', reach: 'multicastHops' }
] as const

const WAYS: [way: string, where: (one: Interface, family: 'inet' | 'inet6') => string | number][] = [
  ['by name', ({ name }) => name],
  ['by index', ({ index }) => index],
  ['by address', (one, family) => one[family]]
]

for (const { family, any, sourced, leaving, loop, reach } of FAMILIES) {
  for (const [way, where] of WAYS) {
    inNetwork(`an ${family} group is heard on the interface that is named ${way}, and on no other`, async t => {
      const [left, right] = await twoHosts(t, 2)
      const [, eth1] = right.interfaces
      const { port, told } = await hearer(right, family, any, { interface: where(eth1!, family) })
      for (const { name, index, [family]: from } of left.interfaces) {
        const sender = await left.udp(family, undefined, { [leaving]: `${index}` })
        await sender.bind(from)
        await sender.send(`over ${name}`, any, port)
      }
      await (await left.udp(family)).send('directly', right.eth0[family], port)
      t.deepEqual(await told.hear(), ['over eth1', left.interfaces[1]![family]])
      t.deepEqual(await told.hear(), ['directly', left.eth0[family]])
    })

    inNetwork(`an ${family} group of one source is heard from no other, its interface named ${way}`, async t => {
      const [left, right] = await twoHosts(t)
      const { index, [family]: one } = left.eth0
      const other = one.replace(/1$/, '3')
      await left.shell(`ip addr add ${other}/24 dev eth0 ${family === 'inet6' ? 'nodad' : ''}`)
      const options = { interface: where(right.eth0, family) }
      const picky = await hearer(right, family, sourced, { ...options, source: one })
      const both = await hearer(right, family, sourced, { ...options, source: one }, { ...options, source: other })
      const anyone = await hearer(right, family, sourced, options)
      for (const { port } of [picky, both, anyone]) {
        for (const from of [other, one]) {
          const sender = await left.udp(family, undefined, { [leaving]: `${index}` })
          await sender.bind(from)
          await sender.send('to the group', sourced, port)
        }
      }
      t.deepEqual(await picky.told.hear(), ['to the group', one])
      for (const { told } of [both, anyone]) {
        t.deepEqual(await told.hear(), ['to the group', other])
        t.deepEqual(await told.hear(), ['to the group', one])
      }
    })
  }

  inNetwork(`what a host sends to an ${family} group it hears itself with ${loop} only, and with ${reach} 0 nobody else does`, async t => {
    const [left, right] = await twoHosts(t)
    const [near, far] = [await joined(left, family, any), await joined(right, family, any)]
    const sender = await left.udp(family, undefined, { [leaving]: `${left.eth0.index}` })
    const say = async (text: string): Promise<void> => {
      for (const each of [near, far]) await sender.send(text, any, addressOf(each).port)
    }
    await say('aloud')
    sender.setOption(reach, 0)
    await say('to oneself')
    sender.setOption(reach, 1).setOption(loop, false)
    await say('to the others')
    sender.setOption(loop, true)
    await say('aloud again')
    for (const text of ['aloud', 'to oneself', 'aloud again']) t.is(await heard(near), text)
    for (const text of ['aloud', 'to the others', 'aloud again']) t.is(await heard(far), text)
  })

  withRouting(`what goes to an ${family} group passes fewer routers than ${reach} says, by default none`, async t => {
    const [left, router, right] = await routed(t, [1500, 1500])
    const routing = await router!.raw(family, family === 'inet' ? 'igmp' : 'icmpv6')
    forward(routing, router!, left!.eth0[family], any)
    const [near, far] = [await joined(router!, family, any), await joined(right!, family, any)]
    const sender = await left!.udp(family)
    for (const passed of ['by default', 2, 1, 3]) {
      if (typeof passed === 'number') sender.setOption(reach, passed)
      for (const each of [near, far]) await sender.send(`${passed}`, any, addressOf(each).port)
    }
    for (const passed of ['by default', 2, 1, 3]) t.is(await heard(near), `${passed}`)
    for (const passed of [2, 3]) t.is(await heard(far), `${passed}`)
  })
}

inNetwork('a group of one cable is told from the same on another by its zone', async t => {
  const [left, right] = await twoHosts(t, 2)
  const [receiver, sender] = [await (await right.udp('inet6')).bind(), await left.udp('inet6')]
  receiver.joinGroup(`ff12::1%${right.interfaces[1]!.index}`)
  for (const { name, index } of left.interfaces) await sender.send(name, `ff12::1%${index}`, addressOf(receiver).port)
  t.is(await heard(receiver), 'eth1')
})

inNetwork('a broadcast is heard by all on the cable, and sent with the option only', async t => {
  const [left, right] = await twoHosts(t)
  const receiver = await (await right.udp()).bind()
  const { port } = addressOf(receiver)
  const sender = await left.udp()
  await left.shell('ip route add default dev eth0')
  for (const everybody of ['10.0.1.255', '255.255.255.255']) {
    await t.throwsAsync(sender.setOption('broadcast', false).send('too quiet', everybody, port), { code: 'EACCES', message: /^send/ })
    await sender.setOption('broadcast', true).send(everybody, everybody, port)
    t.is(await heard(receiver), everybody)
  }
  const connecting = await left.udp()
  await t.throwsAsync(connecting.connect('10.0.1.255', port), { code: 'EACCES', message: /^connect/ })
  await (await connecting.setOption('broadcast', true).connect('10.0.1.255', port)).send('connected')
  t.is(await heard(receiver), 'connected')
})

/** A process that joins a group in all these ways and says what it hears there; and the port at which it does. */
async function hearer(host: Host, family: Family, group: string, ...options: GroupOptions[]): Promise<{ port: number; told: Conversation }> {
  const told = host.start('hearer', [JSON.stringify([family, group, ...options])])
  return { port: await told.hear() as number, told }
}

/** A socket that has joined a group on the host's eth0. */
async function joined(host: Host, family: Family, group: string): Promise<UdpSocket> {
  return (await (await host.udp(family)).bind()).joinGroup(group, { interface: host.eth0.index })
}

async function heard(socket: UdpSocket): Promise<string> {
  return String((await socket.recv(2000, soon)).data)
}

/**
 * Has a router's system pass on what a sender sends to a group, from the router's first interface to the second, as long as `routing`
 * is open: by MRT_INIT, MRT_ADD_VIF for each interface, and MRT_ADD_MFC (MRT6_… of the same numbers).
 */
function forward(routing: RawSocket, router: Host, sender: string, group: string): void {
  const inet = routing.family === 'inet'
  const level = inet ? 0 : 41
  routing.setOption(level, 200, 1)
  for (const [place, { index }] of router.interfaces.entries()) {
    const vifctl = [place, 0, 8, 1, 0, 0, 0, 0, index, 0, 0, 0, 0, 0, 0, 0]
    const mif6ctl = [place, 0, 0, 1, index, 0, 0, 0, 0, 0, 0, 0]
    routing.setOption(level, 202, Uint8Array.from(inet ? vifctl : mif6ctl))
  }
  const mfcctl = { length: 60, origin: 0, group: 4, out: 10 + 1, value: 1 } // the second interface takes what has so much time to live left
  const mf6cctl = { length: 92, origin: 8, group: 28 + 8, out: 60, value: 1 << 1 } // the second interface's bit
  const layout = inet ? mfcctl : mf6cctl
  const route = new Uint8Array(layout.length)
  route.set(bytesOf(sender), layout.origin)
  route.set(bytesOf(group), layout.group)
  route[layout.out] = layout.value
  routing.setOption(level, 204, route)
}

/** The bytes of an IP address; of IPv6 one with two colons. */
function bytesOf(address: string): Uint8Array {
  if (!address.includes(':')) return Uint8Array.from(address.split('.').map(Number))
  const [head, tail] = address.split('::').map(part => part.split(':').map(word => parseInt(word, 16)))
  const words = [...head!, ...Array.from({ length: 8 - head!.length - tail!.length }, () => 0), ...tail!]
  return Uint8Array.from(words.flatMap(word => [word >> 8, word & 0xff]))
}
