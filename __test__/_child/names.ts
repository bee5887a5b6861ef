// Lookups against a name service of our own, which a process can have whose network and files are its own (see lookup.spec.ts).
// Runs the scenario it is given, and prints what came out as JSON.
import { addr, Address, addrName, connect, tcp, udp, type TcpSocket, type UdpSocket } from 'socket2'

/** The records: IPv4 addresses, an alias, a name for an address. */
const RECORDS: Record<string, string[]> = {
  'fast.test': ['127.0.0.1'],
  'two.test': ['127.0.0.1', '127.0.0.2']
}
const ALIASES: Record<string, string> = { 'alias.test': 'fast.test' }
const POINTERS: Record<string, string> = { '1.2.0.192.in-addr.arpa': 'host.test' }

const A = 1
const CNAME = 5
const PTR = 12
const SERVER_FAILED = 2
const NO_SUCH_NAME = 3

/** Answers to names that begin with `slow` are held back until `release`. */
const held: (() => void)[] = []
let released = false
let asked: () => void = () => {}

const service = await udp().bind('127.0.0.1', 53)
void serve(service)
const result = await (await scenarios())[process.argv[2] as string]!()
console.log(JSON.stringify(result))
if (process.argv[2] !== 'unref') {
  release()
  service.close()
}

async function scenarios(): Promise<Record<string, () => Promise<unknown>>> {
  return {
    async slow() {
      const slow = settledNames(20)
      await holding(20)
      const before = await addr('fast.test', 80, 'tcp')
      const settled = slow.count
      release()
      return { fast: before.map(String), settled, slow: (await Promise.all(slow.all)).flat().map(String) }
    },
    async literal() {
      // One more than the pool has threads: every thread waits for an answer, and a name waits for a thread.
      const slow = settledNames(65)
      await holding(64)
      const found = [await addr('127.0.0.1', 80, 'tcp'), await addr('::1', 0), await addr('*', 1), await addr(false), await addr('unix:@x')]
      const settled = slow.count
      release()
      await Promise.all(slow.all)
      return { found: found.flat().map(String), settled }
    },
    async closed() {
      const calls: ((socket: Omit<TcpSocket, 'type'> & UdpSocket, name: string) => Promise<unknown>)[] = [
        (socket, name) => socket.connect(name, 80), (socket, name) => socket.bind(name), (socket, name) => socket.send('x', name, 80)
      ]
      const codes: string[] = []
      let count = 0
      for (const [make, call] of [[tcp, calls[0]], [tcp, calls[1]], [udp, calls[0]], [udp, calls[1]], [udp, calls[2]]] as const) {
        const socket = make()
        const outcome = codeOf(call!(socket as TcpSocket & UdpSocket, `slow${count}.test`))
        await holding(++count)
        socket.close()
        codes.push(await outcome)
      }
      return { codes, released }
    },
    async givenUp() {
      const abort = new AbortController()
      const socket = tcp()
      const waiting = [addr({ host: 'slow.test', signal: abort.signal }), socket.connect('slow.test', 80, { signal: abort.signal }), connect(80, 'slow.test', { signal: abort.signal })]
      await holding(2)
      const reason = new Error('enough')
      abort.abort(reason)
      const aborted = (await Promise.allSettled(waiting)).map((outcome) => outcome.status === 'rejected' && outcome.reason === reason)
      const timedOut = await Promise.all([
        failure(addr({ host: 'slow.test', timeout: 20 })), failure(tcp().connect('slow.test', 80, { timeout: 20 })),
        failure(addr({ host: 'fast.test', timeout: 0 })), failure(connect(80, 'slow.test', { timeout: 20 }))
      ])
      return { aborted, timedOut, closed: socket.closed }
    },
    async partly() {
      // The first address that is asked for answers nobody: it has no room, and no more than one attempt is made.
      const full = await tcp().listen('127.0.0.9', 0, 0)
      const { port } = full.localAddress!
      const inside: TcpSocket[] = []
      while (await tcp().connect(full.localAddress!, { timeout: 30 }).then(socket => inside.push(socket), () => 0) > 0);
      const begun = performance.now()
      const failing = failure(connect(port, 'slow.test', { timeout: 600 }))
      await holding(1)
      setTimeout(release, 400)
      const { code, syscall, timeout } = await failing
      for (const socket of [full, ...inside]) socket.close()
      return { code, syscall, timeout, ms: performance.now() - begun }
    },
    async failing() {
      const outcomes = [
        await failure(addr('missing.invalid', 80)), await failure(addr('broken.test', 80)),
        await failure(tcp().connect('missing.invalid', 80)), await failure(addr('fast.test', 'nosuchservice', 'tcp'))
      ]
      return outcomes
    },
    async turn() {
      const addresses = await addr('two.test', 0, 'tcp')
      const server = await tcp().listen(addresses[1]!)
      const { port } = server.localAddress!
      const socket = await tcp().connect('two.test', port)
      const raced = await connect(port, 'two.test')
      const connected = [socket, raced].every(({ remoteAddress }) => String(remoteAddress) === String(server.localAddress))
      for (const each of [server, socket, raced]) each.close()
      const other = tcp()
      const { code, address } = await failure(other.connect('two.test', port))
      other.close()
      return { addresses: addresses.length, connected, code, last: address === addresses[1]!.address }
    },
    async names() {
      const [alias] = await addr({ host: 'alias.test', type: 'tcp', flags: { canonName: true } })
      return {
        alias: String(alias), canonical: alias!.name,
        host: await addrName(Address.parse('192.0.2.1:80')), unnamed: await failure(addrName(Address.parse('192.0.2.2:80')))
      }
    },
    async unref() {
      // Nothing is released: the process ends because nothing that waits counts.
      void tcp().unref().connect('slow.test', 80)
      await holding(1)
      service.unref()
      return 'asked'
    }
  }
}

function settledNames(count: number): { all: Promise<Address[]>[]; count: number } {
  const state = { all: [] as Promise<Address[]>[], count: 0 }
  for (let i = 0; i < count; i++) {
    state.all.push(addr(`slow${i}.test`, 80, 'tcp', 'inet').finally(() => state.count++))
  }
  return state
}

/** Waits until so many answers are held back. */
async function holding(count: number): Promise<void> {
  while (held.length < count) await new Promise<void>((resolve) => (asked = resolve))
}

function release(): void {
  released = true
  for (const answer of held) answer()
}

async function failure(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await promise
    return { code: 'none' }
  } catch (error) {
    const { code, syscall, hostname, address, timeout, message } = error as Record<string, unknown>
    return { code, syscall, hostname, address, timeout, message }
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await failure(promise))['code'] as string
}

async function serve(socket: UdpSocket): Promise<void> {
  for await (const { data, from } of socket) {
    const { name, type, end } = question(data)
    const answer = (): void => void socket.send(reply(data, name, type, end), from).catch(() => {})
    if (!name.startsWith('slow') || released) {
      answer()
    } else {
      held.push(answer)
      asked()
    }
  }
}

/** The question of a DNS message (RFC 1035). */
function question(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 }
}

function reply(query: Buffer, name: string, type: number, end: number): Buffer {
  const answers = answersTo(name, type)
  const head = Buffer.from(query.subarray(0, end))
  const code = name === 'broken.test' ? SERVER_FAILED : known(name) ? 0 : NO_SUCH_NAME
  head.writeUInt16BE(0x8180 | code, 2)
  head.writeUInt16BE(answers.length, 6)
  head.fill(0, 8, 12)
  return Buffer.concat([head, ...answers])
}

function known(name: string): boolean {
  return name.startsWith('slow') || name in RECORDS || name in ALIASES || name in POINTERS
}

function answersTo(name: string, type: number): Buffer[] {
  const alias = ALIASES[name]
  if (alias !== undefined) return [record(name, CNAME, encoded(alias)), ...answersTo(alias, type)]
  const pointer = POINTERS[name]
  if (pointer !== undefined) return type === PTR ? [record(name, PTR, encoded(pointer))] : []
  const addresses = name.startsWith('slow') ? ['127.0.0.9'] : (RECORDS[name] ?? [])
  return type === A ? addresses.map((address) => record(name, A, Buffer.from(address.split('.').map(Number)))) : []
}

function record(name: string, type: number, data: Buffer): Buffer {
  const fields = Buffer.alloc(10)
  fields.writeUInt16BE(type, 0)
  fields.writeUInt16BE(1, 2)
  fields.writeUInt16BE(data.length, 8)
  return Buffer.concat([encoded(name), fields, data])
}

function encoded(name: string): Buffer {
  return Buffer.from([...name.split('.').map((label) => String.fromCharCode(label.length) + label), '\0'].join(''), 'latin1')
}
