/** Pings: ICMP echo requests, and how long their answers take. */
import { Address, isWildcard, wellKnown } from './address.js'
import { SocketError, rangeError, typeError, valueError } from './errors.js'
import { checkTimeout, forget } from './guard.js'
import { birthHere } from './leak.js'
import { immediate, resolve, type Host } from './lookup.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { CallWay } from './ping-call.js'
import { Run } from './ping-run.js'
import { SocketWay } from './ping-socket.js'
import { checkInteger } from './validate.js'

/** How to ping. */
export interface PingOptions {
  /** How many requests to send at most: 1 when awaited, without end when iterated. */
  count?: number | undefined
  /** The time from one request to the next, in milliseconds: 1,000; at least 10, so that nobody is flooded. */
  interval?: number | undefined
  /**
   * How long to wait for each answer, and for the name of the host before, in milliseconds: 4,000; `Infinity`: for ever. Windows itself
   * waits four minutes at most, which is longer than packets live.
   */
  timeout?: number | undefined
  /** How many bytes to send beside the headers, at most 65,507: 56. Of less than 16 strangers' answers are told apart less surely. */
  size?: number | undefined
  /** Over how many routers requests go at most (IP_TTL, IPV6_UNICAST_HOPS), 1 to 255; the system's default, mostly 64, on Windows 128. */
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
  /**
   * The time from the request to its answer, in milliseconds, with fractions; `null` when it is lost. However busy this thread is, it
   * counts until the system received the answer; on Windows until the system has told a thread of ours.
   */
  ms: number | null
  /** The time to live (the hop limit) that was left in the answer; `undefined` where the system does not tell (Windows: of IPv6), and when it is lost. */
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
 * `count`. A request goes only while someone waits for the next fate, never sooner than `interval` after the one before, and none
 * while the fates of 1,000 are open. Leaving the loop ends it, also while a fate is awaited: the socket is closed and no timer is
 * left. While nobody waits it does not keep the process alive.
 *
 * Each run has a socket, which hears only its own answers where the system can see to that: on Linux, and of unprivileged ones everywhere.
 * Elsewhere raw sockets get every answer that comes to this machine: n at once cost n², and answers to hundreds may get lost in full buffers.
 * On Windows there is no socket: the system has a call for it (IcmpSendEcho2, Icmp6SendEcho2), which tells each run of its own.
 *
 * *Platforms*: Windows: everyone may; a request that is given up stays with the system until its time is up, and no more than 10,000
 * in a process are (`ENOBUFS`). Elsewhere it needs the right to `raw('inet', 'icmp')`, which on macOS everyone has; on Linux the groups
 * named in the sysctl net.ipv4.ping_group_range have as much of it as is needed, besides root and CAP_NET_RAW; FreeBSD: root. The names
 * that Linux gives ICMP errors are used on all.
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
    let asked: Address | undefined
    for await (const fate of this.#fates(1)) {
      if (isAnswer(fate)) return fate
      failure = fate.error ?? failure
      asked = fate.address
    }
    throw failure ?? unanswered(asked as Address, this.#timeout)
  }
}

function isAnswer(fate: PingReply): fate is PingAnswer {
  return fate.ms !== null
}

/** Nobody has said anything. */
function unanswered({ address }: Address, timeout: number): SocketError {
  const message = `ping ETIMEDOUT ${address}: no answer within ${timeout} ms`
  return new SocketError(message, { code: 'ETIMEDOUT', errno: native.TIMED_OUT, syscall: 'ping', address, timeout })
}

/** What is wanted, with all that is usual. */
export type Wanted = Required<{ [name in 'count' | 'interval' | 'timeout' | 'size']: number }> & Pick<PingOptions, 'ttl' | 'family' | 'signal'>

/** The fates of requests. As a generator would, but who leaves while a fate is awaited does not wait for it. */
function fates(host: Host | Address, options: PingOptions | undefined, usualCount: number, birth: string): AsyncGenerator<PingReply, void, undefined> {
  const ending = new AbortController()
  const each = generate(host, options, usualCount, birth, ending)
  const leave = each.return.bind(each)
  each.return = (value) => {
    ending.abort(LEFT)
    return leave(value)
  }
  return each
}

/** Why a run ends whose loop is left. */
const LEFT = Symbol('left')

async function* generate(
  host: Host | Address, options: PingOptions | undefined, usualCount: number, birth: string, ending: AbortController
): AsyncGenerator<PingReply, void, undefined> {
  const wanted = checked(options, usualCount)
  const { signal } = wanted
  signal?.throwIfAborted()
  const heeding = new Heeding(ending, signal)
  try {
    const course = { target: await find(host, wanted, ending.signal), wanted, signal: ending.signal, requests: [] }
    course.signal.throwIfAborted()
    const run = new Run(course, native.SENDS_ECHOES ? new CallWay(course) : new SocketWay(course, birth))
    for (let fate = await run.next(); fate !== null; fate = await run.next()) yield fate
  } catch (error) {
    if (error !== LEFT) throw error
  } finally {
    forget(heeding)
    ending.abort(LEFT)
  }
}

/** Ends a run by a signal, which may live on and does not hold the run: one that is forgotten can be collected. */
class Heeding extends Operation<never> {
  readonly syscall = 'ping'
  readonly #ending: WeakRef<AbortController>

  constructor(ending: AbortController, signal: AbortSignal | undefined) {
    super()
    this.#ending = new WeakRef(ending)
    this.heed({ signal }, Infinity)
  }

  attempt(): boolean {
    return false
  }

  override cancel(make: () => unknown): void {
    forget(this)
    this.#ending.deref()?.abort(make())
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

/** The address to ask. */
async function find(host: Host | Address, { family, timeout }: Wanted, signal: AbortSignal): Promise<Address> {
  if (host === undefined) throw typeError('host', "a string, '*', false or an Address", host)
  if (host instanceof Address && family !== undefined && host.family !== family) {
    throw valueError('host', `must be of family '${family}'`, host.toString())
  }
  const query = { host, type: 'raw', family } as const
  const address = host instanceof Address ? host : (immediate({ ...query, host }) ?? (await resolve({ ...query, host }, { signal, timeout }))[0] as Address)
  if (address.family === 'unix') throw valueError('host', 'must be an internet address or a name', host)
  return isWildcard(address) ? wellKnown(address.family, true) : address.withPort(0)
}
