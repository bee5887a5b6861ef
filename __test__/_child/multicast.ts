// What the multicast options do, in a network whose interface group0 (10.9.0.1, fd00::1) leads to group1 (fd00::2). Prints what was
// heard, as JSON.
import { Address, raw, udp, type Family, type UdpSocket } from 'socket2'

const limit = { timeout: 10_000 }

/** Two packets to a group from here: one that this machine hears, and one that it does not; then one that goes nowhere else. */
async function heard(family: Family, group: Address, sender: UdpSocket, receiver: UdpSocket): Promise<string[]> {
  const loop = family === 'inet' ? 'multicastLoop' : 'multicastLoop6'
  const texts: string[] = []
  await sender.setOption(loop, true).send('aloud', group)
  texts.push(String((await receiver.recv(100, limit)).data))
  await sender.setOption(loop, false).send('in a whisper', group)
  await sender.send('directly', family === 'inet' ? '127.0.0.1' : '::1', group.port)
  texts.push(String((await receiver.recv(100, limit)).data))
  return texts
}

async function inet(): Promise<unknown> {
  const receiver = (await udp().bind()).joinGroup('239.9.0.1', { interface: 'group0' })
  const sender = udp('inet', undefined, { multicastInterface: 'group0' })
  const group = Address.from({ family: 'inet', address: '239.9.0.1', port: receiver.localAddress!.port })
  // It gets whole packets, the ninth byte of which is what is left of the time to live.
  const watcher = raw('inet', 17)
  const ttl: number[] = []
  for (const left of [1, 7]) {
    await sender.setOption('multicastTtl', left).send('x', group)
    ttl.push((await watcher.recv(100, limit)).data[8]!)
    await receiver.recv(100, limit)
  }
  watcher.close()
  const texts = await heard('inet', group, sender, receiver)
  for (const socket of [receiver, sender]) socket.close()
  return { heard: texts, ttl }
}

async function inet6(): Promise<unknown> {
  const address = 'ff12::9'
  const receiver = (await udp('inet6').bind()).joinGroup(address, { interface: 'group0' })
  const { port } = receiver.localAddress!
  const far = (await udp('inet6', undefined, { bindToDevice: 'group1', reuseAddress: true }).bind()).joinGroup(address, { interface: 'group1' })
  const sender = udp('inet6', undefined, { multicastInterface6: 'group0' })
  const group = Address.from({ family: 'inet6', address, port })
  const beyond = Address.from({ family: 'inet6', address, port: far.localAddress!.port })
  const texts: string[] = []
  for (const [hops, text] of [[1, 'over there'], [0, 'never there'], [2, 'over there again']] as const) {
    await sender.setOption('multicastHops', hops).send(text, beyond)
    if (hops > 0) texts.push(String((await far.recv(100, limit)).data))
  }
  // As long as this machine has the group over there as well, what comes from there is for everyone who has joined it anywhere.
  far.close()
  const here = await heard('inet6', group, sender, receiver)
  for (const socket of [receiver, sender]) socket.close()
  return { heard: here, beyond: texts }
}

console.log(JSON.stringify({ inet: await inet(), inet6: await inet6() }))
