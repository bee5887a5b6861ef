/** Pings: ICMP echo requests, and how long their answers take. */
import { clearTimeout, setTimeout } from 'node:timers'
import { Address, isWildcard, wellKnown } from './address.js'
import type { Datagram } from './datagram.js'
import { SocketError, rangeError, timeoutError, typeError, valueError } from './errors.js'
import { checkTimeout, LONGEST_TIMER } from './guard.js'
import { echoRequest, ICMP, understand, type IcmpFamily } from './icmp.js'
import { birthHere } from './leak.js'
import { immediate, resolve, type Host } from './lookup.js'
import type { SettableOptionName, SocketOptions } from './options.js'
import { RawSocket } from './udp.js'
import { checkInteger } from './validate.js'

/** How to ping. */
export interface PingOptions {
  /** How many requests to send at most: 1 when awaited, without end when iterated. */
  count?: number | undefined
  /** The time from one request to the next, in milliseconds: 1,000; at least 10, so that nobody is flooded. */
  interval?: number | undefined
  /** How long to wait for each answer, and for the name of the host before, in milliseconds: 4,000; `Infinity`: for ever. */
  timeout?: number | undefined
  /** How many bytes to send beside the headers: 56. Of less than 16 strangers' answers are told apart less surely. */
  size?: number | undefined
  /** Over how many routers requests go at most (IP_TTL, IPV6_UNICAST_HOPS), 1 to 255; the system's default, mostly 64. */
  ttl?: number | undefined
  /** `'inet'` or `'inet6'`; whatever the name leads to first. */
  family?: 'inet' | 'inet6' | undefined
  /** Ends it: rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** The fate of one request. */
export interface PingReply {
  /** Who answered; when nobody did, who was asked. It has no port. */
  address: Address
  /** The time from the request to its answer, in milliseconds; `null` when it is lost. */
  ms: number | null
  /** The time to live (the hop limit) that was left in the answer; `undefined` where the system does not tell, and when it is lost. */
  ttl: number | undefined
  /** Which request: 1, 2, 3 … */
  sequence: number
  /** Why it is lost, where a router or this system has said so: `EHOSTUNREACH`, `ENETUNREACH`, `EMSGSIZE` … */
  error?: SocketError
}

/** The fate of a request that was answered. */
export interface PingAnswer extends PingReply {
  ms: number
}

/** What `ping` returns: to be awaited, or iterated. */
export interface Ping extends Pick<Promise<PingAnswer>, 'then' | 'catch' | 'finally'>, AsyncIterable<PingReply> {}

/**
 * Pings a host: `const { ms } = await ping('example.org')`, or `for await (const { ms } of ping('example.org'))`. Nothing is sent
 * before it is awaited or iterated.
 *
 * Awaited, it resolves to the first answer; `count` requests at most are sent for it (1), each `interval` after the one before.
 * Iterated, it gives each request's fate in turn, those that are lost with `ms: null`, and goes on for ever unless there is a
 * `count`. A request goes only while someone waits for the next fate, and never sooner than `interval` after the one before.
 * Leaving the loop ends it: the socket is closed and no timer is left. While nobody waits it does not keep the process alive.
 *
 * *Platforms*: needs the right to `raw('inet', 'icmp')`, which on macOS everyone has; on Linux the groups named in the sysctl
 * net.ipv4.ping_group_range have as much of it as is needed, besides root and CAP_NET_RAW; FreeBSD: root; Windows: administrators. The
 * names that Linux gives ICMP errors are used on all.
 *
 * Errors: awaited, `ETIMEDOUT` (no answer, `error.timeout`), and what a router or this system has said instead: `EHOSTUNREACH`,
 * `ENETUNREACH`, `EMSGSIZE`, `ECONNREFUSED`, `EPROTO`, `EACCES` (a broadcast address). In either case `EPERM` or `EACCES` without the right, with a
 * message that says what is needed; `ENOTFOUND` and other errors of `addr`; the signal's reason; `ERR_OUT_OF_RANGE`,
 * `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`. See RFC 792, RFC 4443, ping(8).
 */
export function ping(host: Host | Address, options?: PingOptions): Ping {
  const birth = birthHere(ping)
  return new Pinging((count) => fates(host, options, count, birth), options?.timeout)
}

class Pinging implements Ping {
  readonly #fates: (count: number) => AsyncGenerator<PingReply, void, undefined>
  readonly #timeout: number
  #first: Promise<PingAnswer> | undefined

  constructor(each: (count: number) => AsyncGenerator<PingReply, void, undefined>, timeout = USUAL.timeout) {
    this.#fates = each
    this.#timeout = timeout
  }

  // oxlint-disable-next-line unicorn/no-thenable -- to be awaited is what it is for
  then<Answered = PingAnswer, Failed = never>(
    answered?: ((answer: PingAnswer) => Answered | PromiseLike<Answered>) | null,
    failed?: ((error: unknown) => Failed | PromiseLike<Failed>) | null
  ): Promise<Answered | Failed> {
    return this.#promise.then(answered, failed)
  }

  catch<Failed = never>(failed?: ((error: unknown) => Failed | PromiseLike<Failed>) | null): Promise<PingAnswer | Failed> {
    return this.#promise.catch(failed)
  }

  finally(ended?: (() => void) | null): Promise<PingAnswer> {
    return this.#promise.finally(ended)
  }

  [Symbol.asyncIterator](): AsyncGenerator<PingReply, void, undefined> {
    return this.#fates(Infinity)
  }

  /** Of the first answer. Awaited again it does not ask again. */
  get #promise(): Promise<PingAnswer> {
    return (this.#first ??= this.#await())
  }

  async #await(): Promise<PingAnswer> {
    await null // then the stack of what is wrong with the arguments leads to whoever awaits, too
    let failure: SocketError | undefined
    let asked = ''
    for await (const fate of this.#fates(1)) {
      if (isAnswer(fate)) return fate
      failure = fate.error ?? failure
      asked = fate.address.address
    }
    throw failure ?? Object.assign(timeoutError('ping', this.#timeout), { address: asked })
  }
}

function isAnswer(fate: PingReply): fate is PingAnswer {
  return fate.ms !== null
}

type Wanted = Required<{ [name in 'count' | 'interval' | 'timeout' | 'size']: number }> & Pick<PingOptions, 'ttl' | 'family' | 'signal'>

/** Pings, and gives the fate of each request. */
async function* fates(
  host: Host | Address, options: PingOptions | undefined, usualCount: number, birth: string
): AsyncGenerator<PingReply, void, undefined> {
  const wanted = checked(options, usualCount)
  const run = new Run(await find(host, wanted), wanted, birth)
  try {
    for (let fate = await run.next(); fate !== null; fate = await run.next()) yield fate
  } finally {
    run.close()
  }
}

function checked(options: PingOptions = {}, usualCount: number): Wanted {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const { count = usualCount, interval = USUAL.interval, timeout = USUAL.timeout, size = USUAL.size, ttl, family, signal } = options
  if (count !== Infinity) checkInteger('options.count', count, 1, Number.MAX_SAFE_INTEGER)
  checkTimeout('options.interval', interval)
  if (interval < LEAST_INTERVAL) throw rangeError('options.interval', `at least ${LEAST_INTERVAL} milliseconds`, interval)
  checkTimeout('options.timeout', timeout)
  checkInteger('options.size', size, 0, MOST_BYTES)
  if (ttl !== undefined) checkInteger('options.ttl', ttl, 1, 255)
  if (family !== undefined && family !== 'inet' && family !== 'inet6') throw valueError('options.family', "must be 'inet' or 'inet6'", family)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw typeError('options.signal', 'an AbortSignal', signal)
  return { count, interval, timeout, size, ttl, family, signal }
}

/** As ping(8) has them, but for the time: Linux and macOS wait 10 s, Windows 4. */
const USUAL = { interval: 1_000, timeout: 4_000, size: 56 }

/** ping(8) allows users 2 ms; this much is enough to measure with, and cannot be felt on the way. Chosen by feel. */
const LEAST_INTERVAL = 10
/** What fits into an IPv4 packet beside the headers. */
const MOST_BYTES = 65507
/** How many bytes, unknown to others, tell our answers from theirs. */
const TOKEN_LENGTH = 16
/** The most requests whose fate is not told: when the first of them takes for ever, the rest is not kept for ever. Chosen by feel. */
const MOST_WAITING = 1_000

/** The address to ask. */
async function find(host: Host | Address, { family, signal, timeout }: Wanted): Promise<Address> {
  signal?.throwIfAborted()
  if (host instanceof Address && family !== undefined && host.family !== family) {
    throw valueError('host', `must be of family '${family}'`, host.toString())
  }
  const query = { host, type: 'raw', family } as const
  const address = host instanceof Address ? host : (immediate({ ...query, host }) ?? (await resolve({ ...query, host }, { signal, timeout }))[0] as Address)
  if (address.family === 'unix') throw valueError('host', 'must be an internet address or a name', host)
  return isWildcard(address) ? wellKnown(address.family, true) : address.withPort(0)
}

/** A request, until its fate is told. */
interface Request {
  readonly sequence: number
  readonly sent: number
  fate: Fate | undefined
}

/** What came of it: its answer, or why there is none, if anyone has said so. */
type Fate = PingAnswer | (() => SocketError | undefined)

/** One run of requests: its socket, and those whose fate is not told yet. */
class Run {
  readonly #wanted: Wanted
  readonly #target: Address
  readonly #ip: Uint8Array
  readonly #family: IcmpFamily
  readonly #socket: RawSocket
  readonly #id: number
  readonly #payload: Buffer
  /** In the order of their sending. */
  readonly #requests: Request[] = []
  #sent = 0
  /** When the next one may go. */
  #due = 0
  #wake: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #failure: unknown

  constructor(target: Address, wanted: Wanted, birth: string) {
    wanted.signal?.throwIfAborted()
    const family = target.family as IcmpFamily
    this.#wanted = wanted
    this.#target = target
    this.#family = family
    this.#ip = Address.wire(target).subarray(4, family === 'inet' ? 8 : 20)
    this.#payload = Buffer.from(Array.from({ length: wanted.size }, (_, place) => place & 0xff))
    const random = crypto.getRandomValues(Buffer.alloc(2 + TOKEN_LENGTH))
    this.#id = random.readUInt16BE(0)
    this.#payload.set(random.subarray(2, 2 + Math.min(TOKEN_LENGTH, wanted.size)))
    this.#socket = open(family, wanted.ttl, birth)
    void this.#receive()
  }

  /** The fate of the next request; `null` after the last. The process lives as long as this waits. */
  async next(): Promise<PingReply | null> {
    const { count, interval, timeout, signal } = this.#wanted
    this.#socket.ref()
    for (;;) {
      signal?.throwIfAborted()
      if (this.#failure !== undefined) throw this.#failure
      const [first] = this.#requests
      if (first !== undefined && performance.now() >= first.sent + timeout) first.fate ??= (): undefined => undefined
      if (first?.fate !== undefined) {
        this.#requests.shift()
        this.#socket.unref()
        // Errors are made here, where their stack leads to whoever waits.
        return typeof first.fate === 'function' ? this.#lost(first.sequence, first.fate()) : first.fate
      }
      const more = this.#sent < count && this.#requests.length < MOST_WAITING
      if (first === undefined && !more) return null
      if (more && performance.now() >= this.#due) {
        this.#due = performance.now() + interval
        await this.#send()
      } else {
        await this.#event(Math.min(first === undefined ? Infinity : first.sent + timeout, more ? this.#due : Infinity))
      }
    }
  }

  /** Leaves nothing behind. */
  close(): void {
    clearTimeout(this.#timer)
    this.#socket.close()
  }

  async #send(): Promise<void> {
    const { timeout, signal } = this.#wanted
    this.#sent++
    const packet = echoRequest(this.#family, this.#id, this.#sent & 0xffff, this.#payload)
    for (;;) {
      const request: Request = { sequence: this.#sent, sent: performance.now(), fate: undefined }
      this.#requests.push(request)
      try {
        await this.#socket.send(packet, this.#target, { timeout, signal })
        return
      } catch (error) {
        // What a router has said of an earlier one may be told to this one, which then has not been sent.
        const again = this.#socket.unprivileged && this.#oldest() !== request
        if (again) this.#requests.splice(this.#requests.indexOf(request), 1)
        this.#blame(error)
        if (!again) return
      }
    }
  }

  /** Takes what comes, until the socket is closed. */
  async #receive(): Promise<void> {
    const { signal } = this.#wanted
    while (!this.#socket.closed) {
      try {
        const datagram = await this.#socket.recv(undefined, { signal })
        this.#take(datagram, performance.now())
      } catch (error) {
        if (signal?.aborted) this.close()
        else if (!this.#blame(error) && !this.#socket.unprivileged && !this.#socket.closed) {
          this.#failure = error
          this.close()
        }
      }
      this.#wake?.()
    }
  }

  /** A packet, which may be anybody's. */
  #take(datagram: Datagram, now: number): void {
    const heard = understand(this.#family, datagram.data)
    // The system has put an id of its own into what an unprivileged socket sent.
    if (heard === null || (heard.id !== this.#id && !this.#socket.unprivileged)) return
    const request = this.#requests.find(({ sequence, fate }) => fate === undefined && (sequence & 0xffff) === heard.sequence)
    if (request === undefined || datagram.truncated) return
    const { sequence, sent } = request
    const { failure, payload } = heard
    if (failure === undefined) {
      if (!this.#isTarget(Address.wire(datagram.from).subarray(4)) || !payload.equals(this.#payload)) return
      const ms = now - sent
      if (ms > this.#wanted.timeout) return
      request.fate = { address: datagram.from, ms, ttl: heard.ttl ?? datagram.ttl, sequence }
    } else {
      const told = Math.min(TOKEN_LENGTH, payload.length, this.#payload.length)
      if (!this.#isTarget(failure.to) || payload.compare(this.#payload, 0, told, 0, told) !== 0) return
      request.fate = () => said(failure.code, failure.words, this.#target, datagram.from)
    }
  }

  #isTarget(ip: Uint8Array): boolean {
    return this.#ip.every((byte, place) => byte === ip[place])
  }

  #oldest(): Request | undefined {
    return this.#requests.find(({ fate }) => fate === undefined)
  }

  /** The system tells of an error, but not of which request: of the oldest, most likely. `false` when there is none. */
  #blame(error: unknown): boolean {
    const request = this.#oldest()
    if (request === undefined) return false
    request.fate = () => refused(error as SocketError, this.#target)
    return true
  }

  #lost(sequence: number, error?: SocketError): PingReply {
    return { address: this.#target, ms: null, ttl: undefined, sequence, ...error === undefined ? {} : { error } }
  }

  /** Until something has come, or that time. */
  #event(time: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      clearTimeout(this.#timer)
      const wait = Math.min(Math.ceil(time - performance.now()), LONGEST_TIMER)
      this.#timer = setTimeout(resolve, wait).unref()
    })
  }
}

/** A socket for echo requests, which hears as little of others as the system can spare it. */
function open(family: IcmpFamily, ttl: number | undefined, birth: string): RawSocket {
  const { protocol, reply, failures } = ICMP[family]
  const options = ttl === undefined ? {} : { [family === 'inet' ? 'ttl' : 'hopLimit']: ttl }
  const socket = new RawSocket({ type: 'raw', family, protocol, options, birth })
  setIfThere(socket, 'icmpFilter', [reply, ...failures])
  setIfThere(socket, family === 'inet' ? 'recvTtl' : 'recvHopLimit', true)
  return socket
}

const NOT_THERE = new Set(['ERR_UNSUPPORTED_PLATFORM', 'EACCES', 'EPERM', 'ENOPROTOOPT', 'EINVAL'])

function setIfThere<Name extends SettableOptionName>(socket: RawSocket, name: Name, value: NonNullable<SocketOptions[Name]>): void {
  try {
    socket.setOption(name, value as never)
  } catch (error) {
    if (NOT_THERE.has((error as SocketError).code)) return
    socket.close()
    throw error
  }
}

/** What the system says, as an error of the ping. */
function refused(cause: SocketError, { address }: Address): SocketError {
  const { code, errno } = cause
  if (errno === undefined || code === 'ETIMEDOUT') return cause
  return new SocketError(`ping ${code} ${address}`, { code, errno, syscall: 'ping', address })
}

/** What a router says, as an error. */
function said(code: string, words: string, { address }: Address, router: Address): SocketError {
  return new SocketError(`ping ${code} ${address}: ${words}, says ${router.address}`, { code, syscall: 'ping', address })
}
