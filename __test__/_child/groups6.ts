// IPv6 groups, in a network whose interface group0 has the addresses fd00::1 and fd00::2. Prints what was heard, as JSON.
import { addr, Address, udp, type GroupOptions } from 'socket2'

const index = (await addr('fe80::1%group0', 0))[0]!.scopeId!
const heard: string[] = []

const ways: [name: string, zone: string, options: GroupOptions][] = [
  ['by name', '', { interface: 'group0' }],
  ['by address', '', { interface: 'fd00::1' }],
  ['by index', '', { interface: index }],
  ['by zone', '%group0', {}],
  ['by address with zone', '', { interface: `fe80::1%${index}` }],
  ['from one source', '', { interface: 'group0', source: 'fd00::1' }]
]
const socket = await udp('inet6').bind()
const sender = await udp('inet6').bind('fd00::1')
const other = await udp('inet6').bind('fd00::2')
const { port } = socket.localAddress!
const group = Address.from({ family: 'inet6', address: 'ff32::6', scopeId: index, port })
for (const [name, zone, options] of ways) {
  socket.joinGroup(`ff32::6${zone}`, options)
  if (options.source !== undefined) await other.send('from another', group)
  await sender.send(name, group)
  heard.push(String((await socket.recv(100, { timeout: 10_000 })).data))
  socket.leaveGroup(`ff32::6${zone}`, options)
}
await sender.send('too late', group)
await sender.send('directly', '::1', port)
heard.push(String((await socket.recv(100, { timeout: 10_000 })).data))
for (const each of [socket, sender, other]) each.close()
console.log(JSON.stringify(heard))
