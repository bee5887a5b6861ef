import { lacksNetworks, routed, twoHosts } from './_network.js'
import { addressOf, unless } from './_util.js'

const inNetwork = unless(lacksNetworks)

inNetwork('hosts have a network of their own, and reach each other', async t => {
  const [left, right] = await twoHosts(t)
  for (const family of ['inet', 'inet6', 'linkLocal'] as const) {
    const kind = family === 'inet' ? 'inet' : 'inet6'
    const server = await (await right.tcp(kind)).listen(right.eth0[family])
    const client = await (await left.tcp(kind)).connect(left.eth0[family].includes('%') ? `fe80::2%${left.eth0.index}` : right.eth0[family], addressOf(server).port)
    t.is((await server.accept({ timeout: 10_000 })).remoteAddress?.address, left.eth0[family].split('%')[0])
    client.close()
  }
})

inNetwork('hosts reach each other over routers', async t => {
  const hosts = await routed(t)
  const [left, right] = [hosts[0]!, hosts.at(-1)!]
  for (const family of ['inet', 'inet6'] as const) {
    const server = await (await right.tcp(family)).listen(right.eth0[family])
    const client = await (await left.tcp(family)).connect(right.eth0[family], addressOf(server).port, { timeout: 10_000 })
    t.is((await server.accept({ timeout: 10_000 })).remoteAddress?.address, left.eth0[family])
    client.close()
  }
})
