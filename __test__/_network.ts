/**
 * Networks of several hosts on this machine, for tests of what goes from one host to another. A host is a network namespace, a cable
 * a pair of virtual interfaces. The namespaces belong to a user namespace that has no rights over the machine's own network, and have
 * no names: they last as long as their holder, a process that ends with the test, and at the latest with its end of a pipe.
 */
import { execFile, spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { fromFd, seqpacket, type Family, type Protocol, type RawSocket, type SeqpacketSocket, type SocketOf, type SocketOptions, type TcpSocket, type UdpSocket } from 'socket2'
import { child, closing, freshPath, lacks, scriptPath, type ChildResult, type Reason } from './_util.js'

/** Why there are no such networks here. */
export const lacksNetworks: Reason = lacks.linux || refusal()

/** An interface of a host: its first is eth0. */
export interface Interface {
  name: string
  index: number
  inet: string
  inet6: string
  /** With the interface's index as its zone. */
  linkLocal: string
}

/** Two hosts with a cable between them, or several: eth0 of both are joined, so are eth1 of both, and so on. */
export async function twoHosts(t: ExecutionContext, cables = 1): Promise<[Host, Host]> {
  const [one, other] = await connect(t, 2, Array.from({ length: cables }, () => ({ ends: [0, 1], mtu: 1500 })))
  return [one!, other!]
}

/**
 * A host, routers in a row, and another host. The first one's eth0 leads to the first router's eth0, whose eth1 leads to the next one's
 * eth0, and so on. Each cable has an MTU; there is one cable more than routers.
 */
export async function routed(t: ExecutionContext, mtus: readonly number[] = [1500, 1500, 1500]): Promise<Host[]> {
  const all = await connect(t, mtus.length + 1, mtus.map((mtu, i) => ({ ends: [i, i + 1], mtu })))
  await Promise.all(all.map((host, i) => {
    const before = all[i - 1]?.interfaces.at(-1)
    const after = all[i + 1]?.interfaces[0]
    const routes = [route('default', 'default', (after ?? before)!)]
    for (let cable = 1; cable < i; cable++) routes.push(route(`10.0.${cable}.0/24`, `fd00:0:0:${cable}::/64`, before!))
    return host.shell([...routes, before && after ? forwarding(1) : ''].join('\n'))
  }))
  return all
}

function route(inet: string, inet6: string, via: Interface): string {
  return `ip route add ${inet} via ${via.inet}\nip -6 route add ${inet6} via ${via.inet6}`
}

/** Whether a host is a router. As a new namespace may have the settings of the machine, all that matter are set. */
function forwarding(on: 0 | 1): string {
  return `
    echo ${on} > /proc/sys/net/ipv4/ip_forward
    echo ${on} > /proc/sys/net/ipv6/conf/all/forwarding
    for one in all default; do echo 0 > /proc/sys/net/ipv4/conf/$one/rp_filter; done
    echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
    echo 0 > /proc/sys/net/ipv6/icmp/ratelimit`
}

/** A host of a network. Its interfaces, routes and settings are its own. */
export class Host {
  readonly interfaces: Interface[] = []
  #maker: Promise<SeqpacketSocket> | undefined

  constructor(private readonly t: ExecutionContext, readonly pid: number) {}

  /** The interface eth0. */
  get eth0(): Interface {
    return this.interfaces[0]!
  }

  /** What a command is preceded by to run in this host. */
  get entering(): string[] {
    return ['nsenter', '--preserve-credentials', '--user', '--net', '--target', `${this.pid}`]
  }

  /** Runs a shell script in this host, for `ip` and the like. It fails with the first command of it that does; resolves to what was printed. */
  async shell(script: string): Promise<string> {
    return await run([...this.entering, 'sh', '-ec', script])
  }

  /** Runs a script of _child/ in this host to its end. */
  async child(script: string, args: readonly string[] = [], flags: readonly string[] = []): Promise<ChildResult> {
    return await child(this.t, script, args, flags, this.entering)
  }

  /** Starts a script of _child/ in this host, to talk with it by lines of JSON: its standard input and output. */
  start(script: string, args: readonly string[] = []): Conversation {
    return new Conversation(this.t, [...this.entering, process.execPath, scriptPath(script), ...args])
  }

  /** A socket of this host in this process, which the end of the test closes. Interfaces by name are not known here: a socket asks the process. */
  tcp(family?: Family, protocol?: Protocol, options?: SocketOptions): Promise<TcpSocket> {
    return this.#make('tcp', family, protocol, options)
  }

  /** As `tcp`. */
  udp(family?: Family, protocol?: Protocol, options?: SocketOptions): Promise<UdpSocket> {
    return this.#make('udp', family, protocol, options)
  }

  /** As `tcp`. */
  raw(family?: Family, protocol?: Protocol, options?: SocketOptions): Promise<RawSocket> {
    return this.#make('raw', family, protocol, options)
  }

  async #make<Type extends 'tcp' | 'udp' | 'raw'>(type: Type, ...args: unknown[]): Promise<SocketOf[Type]> {
    this.#maker ??= this.#startMaker()
    const maker = await this.#maker
    const receiving = maker.recvHandles(4096, { timeout: PATIENCE })
    await maker.send(JSON.stringify([type, ...args]))
    const { data, handles: [fd] } = await receiving
    if (fd === undefined) throw new Error(`no ${type} socket in another host: ${data}`)
    return closing(this.t, fromFd(fd)) as SocketOf[Type]
  }

  /** A process in this host that makes sockets and sends them here. */
  async #startMaker(): Promise<SeqpacketSocket> {
    const server = await closing(this.t, seqpacket()).listen(`unix:${freshPath(this.t)}`)
    await this.start('maker', [server.localAddress!.path!]).hear()
    return closing(this.t, await server.accept({ timeout: 0 }))
  }
}

/** A process that reads and writes lines of JSON. The end of the test ends it. */
export class Conversation {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string, undefined>
  #complaints = ''

  constructor(t: ExecutionContext, [command = '', ...args]: readonly string[]) {
    this.#process = spawn(command, args)
    t.teardown(() => this.#process.kill('SIGKILL'))
    this.#process.stderr.setEncoding('utf8').on('data', (complaint: string) => (this.#complaints += complaint))
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]()
  }

  /** The next value that it prints. */
  async hear(): Promise<unknown> {
    const { value } = await within(PATIENCE, this.#lines.next())
    if (value === undefined) throw new Error(`the process has ended: ${this.#complaints}`)
    return JSON.parse(value)
  }

  /** Gives it a value. */
  say(value: unknown): void {
    this.#process.stdin.write(`${JSON.stringify(value)}\n`)
  }
}

interface Cable {
  /** The hosts that it joins, by their places. */
  ends: readonly number[]
  mtu: number
}

/** So many hosts, and cables between them. The first end of the third cable has the addresses 10.0.3.1 and fd00:0:0:3::1, the other one those with a 2. */
async function connect(t: ExecutionContext, count: number, cables: readonly Cable[]): Promise<Host[]> {
  const owner = await hold(t, ['unshare', '-r'])
  const own = ['nsenter', '--preserve-credentials', '--user', '--target', `${owner}`, 'unshare', '--net']
  const hosts = await Promise.all(Array.from({ length: count }, async () => new Host(t, await hold(t, own, forwarding(0)))))
  let number = 0
  for (const { ends, mtu } of cables) {
    number++
    const [from, to] = ends.map(end => ({ host: hosts[end]!, name: `eth${hosts[end]!.interfaces.length}` }))
    await from!.host.shell(`ip link add ${from!.name} mtu ${mtu} type veth peer name ${to!.name} mtu ${mtu} netns ${to!.host.pid}`)
    for (const [place, { host, name }] of [from!, to!].entries()) {
      const last = place + 1
      host.interfaces.push({ name, index: 0, inet: `10.0.${number}.${last}`, inet6: `fd00:0:0:${number}::${last}`, linkLocal: `fe80::${last}` })
    }
  }
  await Promise.all(hosts.map(bringUp))
  return hosts
}

/** Gives a host its addresses, and waits until all its cables are plugged in at both ends and the addresses may be used. */
async function bringUp(host: Host): Promise<void> {
  const ups = host.interfaces.map(({ name, inet, inet6, linkLocal }) => `
    ip link set ${name} addrgenmode none up
    ip addr add ${inet}/24 broadcast + dev ${name}
    ip addr add ${inet6}/64 dev ${name} nodad
    ip addr add ${linkLocal}/64 dev ${name} nodad`)
  const waits = host.interfaces.map(({ name }) => `until ip link show ${name} | grep -q 'state UP'; do :; done`)
  await host.shell(['ip link set lo up', ...ups, ...waits].join('\n'))
  for (const each of host.interfaces) {
    each.index = await settledIndex(host, each.name)
    each.linkLocal += `%${each.index}`
  }
}

/** The index of an interface, once none of its IPv6 addresses is tentative any more. */
async function settledIndex(host: Host, name: string): Promise<number> {
  for (;;) {
    // Address, index, length of the prefix, scope, flags, name.
    const lines = readFileSync(`/proc/${host.pid}/net/if_inet6`, 'utf8').trim().split('\n').map(line => line.split(/ +/))
    const mine = lines.filter(line => line[5] === name)
    if (mine.length > 0 && mine.every(line => (parseInt(line[4]!, 16) & TENTATIVE) === 0)) return parseInt(mine[0]![1]!, 16)
    await turn()
  }
}

const TENTATIVE = 0x40 // IFA_F_TENTATIVE

/** Runs `command` with a program that does nothing until the test ends, once `first` is done; resolves to its process id. */
async function hold(t: ExecutionContext, [command = '', ...args]: readonly string[], first = ''): Promise<number> {
  const holder = spawn(command, [...args, 'sh', '-ec', `${first}\necho here; exec cat`], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => holder.kill('SIGKILL'))
  await within(PATIENCE, once(holder.stdout, 'data'))
  return holder.pid!
}

/** Runs a program to its end; resolves to what it printed. */
async function run([command = '', ...args]: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { timeout: PATIENCE })
  return stdout
}

/** How long, in ms, anything here may take that takes some milliseconds. */
const PATIENCE = 20_000

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const controller = new AbortController()
  const late = delay(ms, undefined, { signal: controller.signal }).then(() => {
    throw new Error(`nothing came within ${ms} ms`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    controller.abort()
    late.catch(() => {})
  }
}

function refusal(): Reason {
  const tried = spawnSync('unshare', ['-rn', 'sh', '-ec', `ip link add eth0 type veth peer name eth1\n${forwarding(1)}\ncommand -v nsenter`])
  return tried.status !== 0 && 'networks of one\'s own take namespaces and iproute2'
}
