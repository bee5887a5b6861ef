/** How pings go: the requests of one run, and what comes of each. */
import { Address } from './address.js'
import type { Datagram } from './datagram.js'
import { SocketError } from './errors.js'
import { echoRequest, ICMP, understand, type IcmpFamily } from './icmp.js'
import type { SettableOptionName, SocketOptions } from './options.js'
import type { PingAnswer, PingReply, Wanted } from './ping.js'
import { RawSocket } from './udp.js'

/** How many bytes, unknown to others, tell our answers from theirs. */
const TOKEN_LENGTH = 16
/** The most requests whose fate is not told: when the first of them takes for ever, the rest is not kept for ever. Chosen by feel. */
const MOST_WAITING = 1_000
/** The most that is heard after the time for it: more than a socket holds by default, but a flood does not go on for ever. */
const MOST_LATE = 1_000

/** A request, until its fate is told. */
interface Request {
  readonly sequence: number
  readonly sent: number
  fate: Fate | undefined
}

/** What came of it: its answer, or why there is none, if anyone has said so. */
type Fate = PingAnswer | (() => SocketError | undefined)

/** One run of requests: its socket, and those whose fate is not told yet. */
export class Run {
  readonly #wanted: Wanted
  readonly #signal: AbortSignal
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

  /** It ends, and leaves nothing behind, when the signal aborts. */
  constructor(target: Address, wanted: Wanted, signal: AbortSignal, birth: string) {
    signal.throwIfAborted()
    const family = target.family as IcmpFamily
    this.#wanted = wanted
    this.#signal = signal
    this.#target = target
    this.#family = family
    this.#ip = Address.wire(target).subarray(4, family === 'inet' ? 8 : 20)
    this.#payload = Buffer.from(Array.from({ length: wanted.size }, (_, place) => place & 0xff))
    const random = crypto.getRandomValues(Buffer.alloc(2 + TOKEN_LENGTH))
    this.#id = random.readUInt16BE(0)
    this.#payload.set(random.subarray(2, 2 + Math.min(TOKEN_LENGTH, wanted.size)))
    this.#socket = open(family, wanted.ttl, birth)
    this.#socket.hearEchoesOf(this.#id)
    signal.addEventListener('abort', () => this.#socket.close())
  }

  /**
   * The fate of the next request; `null` after the last. Only while this waits is anything waited for: so the process can end in
   * between, and a run that is forgotten be collected. What comes meanwhile the system keeps, with the time when it came.
   */
  async next(): Promise<PingReply | null> {
    const { count, interval, timeout } = this.#wanted
    for (let late = 0; ; ) {
      this.#signal.throwIfAborted()
      const [first] = this.#requests
      if (first?.fate !== undefined) {
        this.#requests.shift()
        // Errors are made here, where their stack leads to whoever waits.
        return typeof first.fate === 'function' ? this.#lost(first.sequence, first.fate()) : first.fate
      }
      const more = this.#sent < count && this.#requests.length < MOST_WAITING
      if (first === undefined && !more) return null
      const end = first === undefined ? Infinity : first.sent + timeout
      const time = Math.min(end, more ? this.#due : Infinity)
      // When the thread was busy, what has come in time is still to be heard.
      const heard = await this.#hear(time)
      const now = performance.now()
      if (heard && (now < time || ++late < MOST_LATE)) continue
      if (first !== undefined && now >= end) {
        first.fate ??= (): undefined => undefined
      } else if (more && now >= this.#due) {
        this.#due = now + interval
        await this.#send()
      }
    }
  }

  async #send(): Promise<void> {
    const { timeout } = this.#wanted
    this.#sent++
    const packet = echoRequest(this.#family, this.#id, this.#sent & 0xffff, this.#payload)
    for (;;) {
      const request: Request = { sequence: this.#sent, sent: performance.now(), fate: undefined }
      this.#requests.push(request)
      try {
        await this.#socket.send(packet, this.#target, { timeout, signal: this.#signal })
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

  /** Takes what comes next; `false` when that is nothing until the time. */
  async #hear(time: number): Promise<boolean> {
    try {
      const datagram = await this.#socket.recv(undefined, { timeout: Math.max(time - performance.now(), 0), signal: this.#signal })
      this.#take(datagram, performance.now(), Date.now())
    } catch (error) {
      this.#signal.throwIfAborted()
      if ((error as SocketError).timeout !== undefined) return false
      if (this.#socket.closed || (!this.#blame(error) && !this.#socket.unprivileged)) throw error
    }
    return true
  }

  /** A packet, which may be anybody's, and when it is looked at, by both clocks. */
  #take(datagram: Datagram, now: number, date: number): void {
    const heard = understand(this.#family, datagram.data)
    // The system has put an id of its own into what an unprivileged socket sent.
    if (heard === null || (heard.id !== this.#id && !this.#socket.unprivileged)) return
    const request = this.#requests.find(({ sequence, fate }) => fate === undefined && (sequence & 0xffff) === heard.sequence)
    if (request === undefined || datagram.truncated) return
    const { sequence, sent } = request
    const { failure, payload } = heard
    if (failure === undefined) {
      if (!this.#isTarget(Address.wire(datagram.from).subarray(4)) || !payload.equals(this.#payload)) return
      const ms = between(sent, now, datagram.timestamp === undefined ? 0 : date - datagram.timestamp)
      if (datagram.timestamp !== undefined && ms > this.#wanted.timeout) return
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
}

/**
 * The time from a request to its answer, which has lain here for so long: the system tells by the clock on the wall when it came. What
 * cannot be, since that clock has been set, does not count; but a busy thread may read the two clocks some time apart.
 */
function between(sent: number, now: number, lain: number): number {
  const waited = now - sent
  return lain > 0 && lain < waited + MOMENT ? Math.max(waited - lain, 0) : waited
}

/** How far, in ms, the clocks are read apart at most, when nobody has set one. Chosen by feel. */
const MOMENT = 100

/** A socket for echo requests, which hears as little of others as the system can spare it. */
function open(family: IcmpFamily, ttl: number | undefined, birth: string): RawSocket {
  const { protocol, reply, failures } = ICMP[family]
  const options = ttl === undefined ? {} : { [family === 'inet' ? 'ttl' : 'hopLimit']: ttl }
  const socket = new RawSocket({ type: 'raw', family, protocol, options, birth })
  setIfThere(socket, 'icmpFilter', [reply, ...failures])
  setIfThere(socket, 'timestamp', true)
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
