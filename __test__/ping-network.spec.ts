import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { echo, ICMP, letPing, withoutRight } from './_icmp.js'
import { lacksNetworks, routed, twoHosts, type Host } from './_network.js'
import { fullStacks } from './_system.js'
import { child, unless } from './_util.js'

const inNetwork = unless(lacksNetworks)

/** What pinger.js tells of a request or of its error. */
interface Fate {
  address?: string
  answered?: boolean
  ttl?: number
  sequence?: number
  error?: { code: string; message: string; syscall: string; timeout?: number; here?: boolean }
}

/** Pings from a host, iterated or awaited; with or without the right to raw sockets. */
async function pings(t: ExecutionContext, from: Host, how: 'await' | 'iterate', to: string, options: object, right = true): Promise<Fate[]> {
  if (!right) await from.shell(letPing)
  const { stdout, stderr } = await child(t, 'pinger', [how, to, JSON.stringify(options)], [], [...from.entering, ...right ? [] : withoutRight])
  t.is(stderr, '')
  return stdout.trim().split('\n').map(line => JSON.parse(line) as Fate)
}

for (const family of ['inet', 'inet6'] as const) {
  const { protocol, request, reply, header } = ICMP[family]
  const ip = family === 'inet' ? 'ip' : 'ip -6'
  const [unreachable, silent] = family === 'inet' ? ['10.9.9.9', '10.9.9.8'] as const : ['fd09::9', 'fd09::8'] as const

  for (const right of [true, false]) {
    const who = right ? 'with raw sockets' : 'without the right to raw sockets'

    inNetwork(`over two routers a ping is answered, with a ttl that two have been taken from (${family}, ${who})`, async t => {
      const [left, , , far] = await routed(t)
      const to = far!.eth0[family]
      const answer = { address: to, answered: true, ttl: 62 }
      t.deepEqual(await pings(t, left!, 'iterate', to, { count: 3, interval: 10, size: 3000 }, right), [1, 2, 3].map(sequence => ({ ...answer, sequence })))
      t.deepEqual(await pings(t, left!, 'await', to, { ttl: 3 }, right), [{ ...answer, sequence: 1 }])
    })

    inNetwork(`a ping whose time to live ends on the way is EHOSTUNREACH (${family}, ${who})`, async t => {
      const [left, , router, far] = await routed(t)
      const [fate] = await pings(t, left!, 'await', far!.eth0[family], { ttl: 2 }, right)
      t.like(fate, { error: { code: 'EHOSTUNREACH', syscall: 'ping', address: far!.eth0[family], here: fullStacks } })
      if (right) t.regex(fate!.error!.message, new RegExp(`time to live .* ${router!.eth0[family]}$`))
      const [divided] = await pings(t, left!, 'await', far!.eth0[family], { ttl: 2, size: 3000 }, right)
      t.is(divided!.error?.code, 'EHOSTUNREACH')
      const fates = await pings(t, left!, 'iterate', far!.eth0[family], { ttl: 1, count: 3, interval: 20 }, right)
      t.deepEqual(fates.map(({ answered, sequence, error }) => [answered, sequence, error?.code]), [1, 2, 3].map(n => [false, n, 'EHOSTUNREACH']))
    })

    inNetwork(`a ping is told what a router says: no way, a packet too big; and what vanishes is ETIMEDOUT (${family}, ${who})`, async t => {
      const [left, router, far] = await routed(t, [1500, 1400])
      await router!.shell(`${ip} route add unreachable ${unreachable}\n${ip} route add blackhole ${silent}`)
      const [fate] = await pings(t, left!, 'await', unreachable, {}, right)
      t.is(fate!.error?.code, family === 'inet' ? 'EHOSTUNREACH' : 'ENETUNREACH')
      const [lost] = await pings(t, left!, 'await', silent, { timeout: 50 }, right)
      t.like(lost, { error: { code: 'ETIMEDOUT', syscall: 'ping', address: silent, timeout: 50, here: fullStacks, message: `ping ETIMEDOUT ${silent}: no answer within 50 ms` } })
      t.deepEqual(
        await pings(t, left!, 'iterate', silent, { timeout: 30, count: 2, interval: 10 }, right),
        [1, 2].map(sequence => ({ address: silent, answered: false, sequence }))
      )
      if (family === 'inet') return // routers divide what is too big
      const [big, ...rest] = await pings(t, left!, 'iterate', far!.eth0[family], { size: 1400, count: 3, interval: 50 }, right)
      t.deepEqual([big!.answered, big!.error?.code, rest.map(({ answered }) => answered)], [false, 'EMSGSIZE', [true, true]])
    })
  }

  inNetwork(`strangers, what is damaged or cut, and what comes twice do not count (${family})`, async t => {
    const [left, router, right] = await routed(t, [1500, 1500])
    const to = right!.eth0[family]
    await right!.shell('echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all\necho 1 > /proc/sys/net/ipv6/icmp/echo_ignore_all')
    const answerer = await right!.raw(family, protocol, { icmpFilter: [request] })
    const stranger = await router!.raw(family, protocol)
    const pinging = pings(t, left!, 'iterate', to, { count: 4, interval: 100, timeout: 3_000, size: 40 })
    for (let sequence = 1; sequence <= 4; sequence++) {
      const { data, from } = await answerer.recv(undefined, { timeout: 20_000 })
      const message = data.subarray(header)
      const [id, payload] = [message.readUInt16BE(4), message.subarray(8)]
      t.deepEqual([message.readUInt16BE(6), payload.length], [sequence, 40])
      const right = echo(reply, id, sequence, payload)
      const say = async (message: Buffer, socket = answerer): Promise<void> => void (await socket.send(message, from))
      if (sequence === 1) {
        // Wrong: the id, the sequence, a byte of the payload, its length, the type, the sender; and in IPv4 the checksum, which the system makes otherwise.
        await say(echo(reply, id ^ 1, sequence, payload))
        await say(echo(reply, id, sequence + 100, payload))
        await say(echo(reply, id, sequence, Buffer.from(payload).fill('?', 39)))
        await say(echo(reply, id, sequence, payload.subarray(1)))
        await say(echo(request, id, sequence, payload))
        await say(right, stranger)
        await say(right.subarray(0, 7))
        if (family === 'inet') await say(Buffer.from(right).fill(right[2]! ^ 1, 2, 3))
      } else if (sequence < 4) {
        await say(right)
        await say(right)
      }
    }
    const fates = await pinging
    t.deepEqual(fates.map(({ sequence, answered }) => [sequence, answered]), [[1, false], [2, true], [3, true], [4, false]])
  })

  inNetwork(`the example of a traceroute finds the way over two routers, and shows what is lost (${family})`, async t => {
    const [left, one, two, far] = await routed(t)
    const [first, second, third] = [one!.eth0[family], two!.eth0[family], far!.eth0[family]]
    await two!.shell(`${ip} route add blackhole ${silent}\n${ip} route add unreachable ${unreachable}`)
    // First: Linux counts an answer to a request whose time has ended against the one answer a second that there is no way.
    const refused = await example(t, left!, 'traceroute', ['-n', '-w', '10', '-q', '1', unreachable])
    t.regex(refused.stdout, new RegExp(String.raw`\n 1  ${first}.*\n 2  ${second}  \S+ ms !${family === 'inet' ? 'H' : 'N'}\n$`))
    const hop = (number: number, address: string): string => String.raw` ${number}  ${address}(  \d+\.\d{3} ms){3}\n`
    const { code, stdout } = await example(t, left!, 'traceroute', ['-n', '-w', '10', third])
    t.regex(stdout, new RegExp(String.raw`^traceroute to ${third} \(${third}\), 30 hops max\n${hop(1, first)}${hop(2, second)}${hop(3, third)}$`))
    t.is(code, 0)
    const lost = await example(t, left!, 'traceroute', ['-n', '-m', '3', '-q', '2', '-w', '0.05', silent])
    t.regex(lost.stdout, new RegExp(String.raw`\n 1  ${first}(  \d+\.\d{3} ms){2}\n 2 \* \*\n 3 \* \*\n$`))
    t.is(lost.code, 1)
    await left!.shell(`${ip} route add unreachable ${unreachable}`)
    const unsent = await example(t, left!, 'traceroute', ['-n', '-m', '2', '-q', '1', unreachable])
    t.regex(unsent.stdout, /\n 1  !E\w+\n 2  !E\w+\n$/)
    t.is(unsent.code, 1)
  })

  inNetwork(`the example of a ping tells of answers and losses from host to host, and by its status whether there was an answer (${family})`, async t => {
    const [left, right] = await twoHosts(t)
    const to = right.eth0[family]
    const { code, stdout } = await example(t, left, 'ping', ['-c', '2', '-i', '0.01', '-s', '100', to])
    t.regex(stdout, new RegExp(String.raw`^PING ${to} \(${to}\) 100\(\d+\) bytes of data\.\n(108 bytes from ${to}: icmp_seq=\d ttl=64 time=\S+ ms\n){2}\n`))
    t.regex(stdout, /\n--- \S+ ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss, time \d+ms\nrtt min\/avg\/max\/mdev = [\d.]+(\/[\d.]+){3} ms\n$/)
    t.is(code, 0)
    await right.shell(`${ip} route add blackhole ${left.eth0[family]}`)
    const lost = await example(t, left, 'ping', ['-c', '2', '-i', '0.01', '-W', '0.05', to])
    t.regex(lost.stdout, /\nno answer for icmp_seq=1\nno answer for icmp_seq=2\n\n.*\n2 packets transmitted, 0 received, 100% packet loss/)
    t.is(lost.code, 1)
    const interrupted = await example(t, left, 'ping', [to], child => child.stdout!.once('data', () => child.kill('SIGINT')))
    t.regex(interrupted.stdout, /\n0 packets answered or given up, 0 received, time \d+ms\n$/)
    t.is(interrupted.code, 1)
  })
}

/** Runs an example in a host to its end. */
async function example(t: ExecutionContext, host: Host, name: string, args: readonly string[], begun?: (child: ChildProcess) => void): Promise<{ code: number | null; stdout: string }> {
  const script = fileURLToPath(new URL(`../examples/${name}.js`, import.meta.url))
  const [command = '', ...rest] = [...host.entering, process.execPath, script, ...args]
  const process_ = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => process_.kill('SIGKILL'))
  begun?.(process_)
  let stdout = ''
  process_.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  const [code] = (await once(process_, 'close')) as [number | null]
  return { code, stdout }
}
