// The helper `connect` over a network, by names: addresses that answer, refuse, vanish or come late, and how long each of them costs.
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { ConnectOptions, TcpSocket } from 'socket2'
import type { Order, Outcome } from './_child/connector.js'
import { Conversation, lacksNetworks, routed, type Host } from './_network.js'
import { gone } from './_serve.js'
import { fullStacks } from './_system.js'
import { closing, freshPath, scriptPath, unless } from './_util.js'

const inNetwork = unless(lacksNetworks, test.serial)
const PORT = 7000
const soon = { timeout: 20_000 }

/** The last parts of addresses, and what is there. All are of one network, so that no rule but the order of the names sorts those of a family. */
const PLACES = {
  /** Listens. */
  live: 2,
  /** A host that does not listen. */
  refusing: 33,
  /** What goes there vanishes. */
  dead: 101, lost: 102,
  /** A router says that there is no way. */
  cut: 103,
  /** This host has no way there. */
  nowhere: 104,
  /** Nobody is there, until `Network.open`. */
  late: 105
} as const
type Place = keyof typeof PLACES
type Way = `${Place}${4 | 6}`

function addressOf(way: Way): string {
  const part = PLACES[way.slice(0, -1) as Place]
  return way.endsWith('4') ? `10.0.2.${part}` : `2001:db8:2::${part}`
}

/** A host that connects, a router, and a host that listens at `live4` and `live6`. */
class Network {
  private constructor(readonly t: ExecutionContext, readonly left: Host, readonly router: Host, readonly right: Host, readonly servers: { 4: TcpSocket; 6: TcpSocket }) {}

  static async of(t: ExecutionContext): Promise<Network> {
    const [left, router, right] = await routed(t, [1500, 1500]) as [Host, Host, Host]
    // Addresses that a name's IPv6 ones are sorted before IPv4 for: those of _network.ts are private, and not everywhere.
    await Promise.all([
      left.shell(`ip addr add 2001:db8:1::1/64 dev eth0 nodad\n${routes('throw', 'nowhere')}`),
      router.shell(`
        ip addr add 2001:db8:1::2/64 dev eth0 nodad
        ip addr add 2001:db8:2::1/64 dev eth1 nodad
        ${routes('blackhole', 'dead')}\n${routes('blackhole', 'lost')}\n${routes('unreachable', 'cut')}
        for table in arp ndisc; do ip ntable change name "$table"_cache dev eth1 retrans 20 mcast_probes 5000; done`),
      right.shell(appearing('live6', 'refusing4', 'refusing6'))
    ])
    const servers = { 4: await right.tcp(), 6: await right.tcp('inet6', undefined, { ipv6Only: true }) }
    for (const [family, server] of Object.entries(servers)) await server.listen(addressOf(`live${family}` as Way), PORT)
    return new Network(t, left, router, right, servers)
  }

  /** Has somebody in the host on the left connect to a name that has these addresses, and tell of it. */
  connect(ways: readonly Way[], order: Partial<Order> = {}): Conversation {
    const conversation = this.begin(ways)
    conversation.say({ port: PORT, host: 'several.test', ...order })
    return conversation
  }

  /** A listener at an address that is not there yet. */
  async later(way: Way): Promise<TcpSocket> {
    return await (await this.right.tcp(way.endsWith('4') ? 'inet' : 'inet6', undefined, { freebind: true })).listen(addressOf(way), PORT)
  }

  /** Lets the hosts of these addresses be there. */
  async open(...ways: Way[]): Promise<void> {
    await this.right.shell(appearing(...ways))
  }

  /** Somebody in the host on the left, who knows the name `several.test`. */
  begin(ways: readonly Way[]): Conversation {
    const file = join(dirname(freshPath(this.t)), 'hosts')
    writeFileSync(file, ways.map(way => `${addressOf(way)} several.test\n`).join(''))
    // A view of the file system of its own.
    const own = ['unshare', '--mount', 'sh', '-ec', 'mount --bind "$0" /etc/hosts; exec "$@"', file]
    return new Conversation(this.t, [...this.left.entering, ...own, process.execPath, scriptPath('connector')])
  }
}

function routes(kind: string, place: Place): string {
  return `ip route add ${kind} ${addressOf(`${place}4`)}\nip -6 route add ${kind} ${addressOf(`${place}6`)}`
}

function appearing(...ways: Way[]): string {
  return ways.map(way => `ip addr add ${addressOf(way)}/${way.endsWith('4') ? '24' : '64 nodad'} dev eth0`).join('\n')
}

/** What a row of the table is about; `least` and `most`: how long it takes, in ms. */
interface Row {
  title: string
  ways: readonly Way[]
  options?: ConnectOptions
  remote?: Way
  code?: string
  causes?: readonly string[]
  least?: number
  most?: number
}

/** A delay that nothing can have waited for that took less, however slow the machine. */
const AGES = { attemptDelay: 15_000 }
const AT_ONCE = { options: AGES, most: 14_000 }

const TABLE: readonly Row[] = [
  { title: 'only IPv4 answers', ways: ['live4'], remote: 'live4' },
  { title: 'only IPv6 answers', ways: ['live6'], remote: 'live6' },
  { title: 'both answer: IPv6 is taken', ways: ['live4', 'live6'], remote: 'live6', ...AT_ONCE },
  { title: 'both answer, and IPv4 is asked for', ways: ['live4', 'live6'], options: { family: 'inet' }, remote: 'live4' },
  { title: 'IPv6 vanishes: IPv4 is connected after 250 ms', ways: ['live4', 'dead6'], remote: 'live4', least: 250 },
  { title: 'IPv4 vanishes: nothing is lost by it', ways: ['dead4', 'live6'], remote: 'live6', ...AT_ONCE },
  { title: 'IPv6 vanishes, and the delay is another', ways: ['live4', 'dead6'], options: { attemptDelay: 100 }, remote: 'live4', least: 100 },
  { title: 'all but the last vanish: 250 ms each', ways: ['dead4', 'live4', 'dead6', 'lost6'], remote: 'live4', least: 750 },
  { title: 'the first refuses: the next is connected at once', ways: ['live4', 'refusing6'], remote: 'live4', ...AT_ONCE },
  { title: 'a router says of the first that there is no way: the next is connected at once', ways: ['live4', 'cut6'], remote: 'live4', ...AT_ONCE },
  { title: 'a first that vanishes and a second that refuses cost one delay', ways: ['dead6', 'refusing4', 'live6'], options: { attemptDelay: 2_000 }, remote: 'live6', least: 2_000, most: 3_900 },
  { title: 'this host has no way by IPv6', ways: ['live4', 'nowhere6'], remote: 'live4', ...AT_ONCE },
  { title: 'this host has no way by IPv4', ways: ['nowhere4', 'live6'], remote: 'live6', ...AT_ONCE },
  { title: 'all refuse', ways: ['refusing4', 'refusing6'], code: 'ECONNREFUSED', causes: ['ECONNREFUSED 2001:db8:2::33', 'ECONNREFUSED 10.0.2.33'], ...AT_ONCE },
  { title: 'one refuses, and there is no other', ways: ['refusing4'], code: 'ECONNREFUSED' },
  { title: 'to none there is a way', ways: ['nowhere4', 'nowhere6'], code: 'ENETUNREACH', causes: ['ENETUNREACH 2001:db8:2::104', 'ENETUNREACH 10.0.2.104'], ...AT_ONCE },
  { title: 'no way, a router says, or refused: the code is that of the first', ways: ['refusing4', 'cut6'], code: 'ENETUNREACH', causes: ['ENETUNREACH 2001:db8:2::103', 'ECONNREFUSED 10.0.2.33'], ...AT_ONCE },
  { title: 'all vanish: the timeout is for all', ways: ['dead4', 'lost4', 'dead6'], options: { timeout: 600 }, code: 'ETIMEDOUT', least: 600 },
  { title: 'one vanishes, and there is no other: the timeout', ways: ['dead6'], options: { timeout: 300 }, code: 'ETIMEDOUT', least: 300 },
  { title: 'some refuse before the time is up', ways: ['dead6', 'refusing4'], options: { timeout: 600 }, code: 'ETIMEDOUT', causes: ['ECONNREFUSED 10.0.2.33'], least: 600 },
  { title: 'a local address is connected from, and the other family left out', ways: ['live4', 'live6'], options: { localAddress: '10.0.1.1', ...AGES }, remote: 'live4', most: 14_000 }
]

for (const { title, ways, options, remote, code, causes, least = 0, most = 15_000 } of TABLE) {
  inNetwork(`of a name with ${ways.length === 1 ? 'one address' : `${ways.length} addresses`}, ${title}`, async t => {
    const network = await Network.of(t)
    const { ms, left, ...outcome } = await network.connect(ways, { ...options && { options } }).hear() as Outcome
    t.is(outcome.remote ?? outcome.error?.code, remote === undefined ? code : addressOf(remote), JSON.stringify(outcome))
    t.true(ms > least - 1 && ms < most, `${ms} ms`)
    t.is(left, 0)
    const { error } = outcome
    if (error !== undefined) {
      t.deepEqual(error.causes, causes && [...causes])
      t.is(error.timeout, options?.timeout)
      t.true(error.here || !fullStacks)
    }
    // Who has come to those that listen: the one that was connected, and no other.
    for (const [family, server] of Object.entries(network.servers)) {
      if (remote === `live${family}`) t.is(await gone(closing(t, await server.accept(soon))), '')
      await t.throwsAsync(server.accept({ timeout: 0 }), { code: 'ETIMEDOUT' })
    }
  })
}

inNetwork('attempts overlap: the first is connected although it answers only after the second has begun', async t => {
  const network = await Network.of(t)
  const server = await network.later('late6')
  const connecting = network.connect(['late6', 'dead4'], { begun: 2 })
  t.is(await connecting.hear(), 'begun')
  await network.open('late6')
  const outcome = await connecting.hear() as Outcome
  t.like(outcome, { remote: addressOf('late6'), left: 0 })
  t.true(outcome.ms > 249, `${outcome.ms} ms`)
  t.is(await gone(closing(t, await server.accept(soon))), '')
})

inNetwork('where two have connected before the thread hears of either, the other host sees one of them closed at once', async t => {
  const network = await Network.of(t)
  const servers = [await network.later('late6'), await network.later('late4')]
  const until = freshPath(t)
  const connecting = network.connect(['late6', 'late4'], { begun: 2, until, keep: true })
  t.is(await connecting.hear(), 'begun')
  await network.open('late6', 'late4')
  const peers = await Promise.all(servers.map(async server => closing(t, await server.accept(soon))))
  writeFileSync(until, '')
  const outcome = await connecting.hear() as Outcome
  t.is(outcome.left, 1)
  const [winner, loser] = outcome.remote === addressOf('late6') ? peers : peers.toReversed()
  t.is(outcome.remote, winner!.localAddress!.address)
  t.is((await loser!.recv(1, soon)).length, 0)
  await t.throwsAsync(winner!.recv(1, { timeout: 50 }), { code: 'ETIMEDOUT' }, 'it stays')
})

inNetwork('without a timeout each attempt lasts until the system gives it up', async t => {
  const network = await Network.of(t)
  await network.left.shell('echo 1 > /proc/sys/net/ipv4/tcp_syn_retries')
  const { ms, left, error } = await network.connect(['dead6', 'lost4']).hear() as Outcome
  t.like(error, { code: 'ETIMEDOUT', timeout: undefined, causes: [`ETIMEDOUT ${addressOf('dead6')}`, `ETIMEDOUT ${addressOf('lost4')}`] })
  t.is(left, 0)
  t.true(ms > 2_900, `${ms} ms`) // asked twice, after a second and two more
})

for (const family of [4, 6] as const) {
  inNetwork(`from one IPv${family} address there are as many connections to each peer as there are ports, not to all of them together`, async t => {
    const network = await Network.of(t)
    await network.left.shell('echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range')
    const host = addressOf(`live${family}`)
    for (const port of [PORT + 1, PORT + 2]) await (await network.right.tcp(family === 4 ? 'inet' : 'inet6')).listen(host, port)
    const localAddress = family === 4 ? '10.0.1.1' : '2001:db8:1::1'
    const connecting = network.begin([])
    for (const port of [PORT, PORT + 1, PORT + 2, PORT, PORT + 1, PORT + 2]) {
      connecting.say({ port, host, options: { localAddress }, keep: true })
      t.like(await connecting.hear(), { remote: host, local: localAddress })
    }
    connecting.say({ port: PORT, host, options: { localAddress }, keep: true })
    t.like(await connecting.hear(), { error: { code: 'EADDRNOTAVAIL' }, left: 6 })
  })
}
