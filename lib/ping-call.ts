/** Requests by a call of the system's own, which takes no socket and no right. */
import { setImmediate } from 'node:timers'
import { Address, addressFrom } from './address.js'
import { began, ended, type Counted } from './driver.js'
import { systemError } from './errors.js'
import { failureOf, type IcmpFamily } from './icmp.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { refused, said, type Course, type Fate, type Request, type Way } from './ping-fate.js'
import { payloadOf } from './ping-payload.js'

/** How much longer than we the system waits, in ms: what it takes for the end of a short time may be early. Chosen by feel. */
const LEEWAY = 1_000
/**
 * The longest the system waits for an answer, in ms: no packet lives for more than two minutes (RFC 9293), and there are two. A request
 * cannot be called back, so one that is given up lasts until then.
 */
const LONGEST = 240_000

/** The way by the system's call. The system tells each fate once; nothing of a request is ours to close. */
export class CallWay implements Way {
  readonly #course: Course
  readonly #payload: Buffer
  readonly #counted: Counted = { waiting: 0, referenced: true }
  /** The requests whose fate the system has not told. */
  readonly #ids = new Set<number>()
  #hearing: Hearing | undefined

  constructor(course: Course) {
    this.#course = course
    this.#payload = payloadOf(course.wanted.size)
    course.signal.addEventListener('abort', () => {
      for (const id of this.#ids) underWay.delete(id)
    })
  }

  async send(sequence: number): Promise<void> {
    const { target, wanted: { timeout, ttl = 0 }, requests } = this.#course
    const id = (lastId = (lastId + 1) >>> 0)
    listen()
    const request: Request = { sequence, sent: performance.now(), fate: undefined }
    requests.push(request)
    const code = native.echo(id, Address.wire(target), this.#payload, Int32Array.of(ttl, Math.min(Math.ceil(timeout) + LEEWAY, LONGEST)))
    if (code < 0) {
      request.fate = () => refused(systemError(code, 'ping'), target)
      return
    }
    this.#ids.add(id)
    underWay.set(id, (told) => {
      this.#ids.delete(id)
      request.fate ??= this.#fate(sequence, told)
      this.#hearing?.end(true)
    })
  }

  hear(time: number): Promise<boolean> {
    this.#hearing = new Hearing(this.#counted)
    return this.#hearing.until(time, this.#course.signal)
  }

  /** `undefined` while there may be none: our own clock says when the time is up. */
  #fate(sequence: number, { outcome, by, ms, ttl }: Told): Fate | undefined {
    const { target, wanted } = this.#course
    if (outcome === 0) return ms > wanted.timeout ? undefined : { address: target, ms, ttl: ttl || undefined, sequence }
    if (outcome === native.TIMED_OUT) return undefined
    if (outcome < 0) return () => refused(systemError(outcome, 'ping'), target)
    const failure = failureOf(target.family as IcmpFamily, outcome >> 8, outcome & 0xff)
    const router = by.length === 0 ? null : addressFrom(Uint8Array.from(by))
    return failure === null ? undefined : () => said(failure.code, failure.words, target, router)
  }
}

/** Waits until something is told. It keeps the process alive meanwhile. */
class Hearing extends Operation<boolean> {
  readonly syscall = 'ping'
  readonly #counted: Counted
  #over = false

  constructor(counted: Counted) {
    super()
    this.#counted = counted
  }

  until(time: number, signal: AbortSignal): Promise<boolean> {
    const promise = this.promise()
    if (!this.heed({ signal, timeout: Math.max(time - performance.now(), 0) }, Infinity)) return promise
    this.waiting = true
    began(this.#counted)
    if (this.timeout === 0) this.expire()
    return promise
  }

  attempt(): boolean {
    return false
  }

  /** Whatever has been told by now comes before the end of this turn: the thread may have been busy. */
  override expire(): void {
    setImmediate(() => this.end(false))
  }

  override cancel(make: () => unknown): void {
    if (this.#leave()) this.fail(make)
  }

  end(heard: boolean): void {
    if (this.#leave()) this.succeed(heard)
  }

  #leave(): boolean {
    if (this.#over) return false
    this.#over = true
    ended(this.#counted)
    return true
  }
}

/** What the system tells of a request, as native.ts has it. */
interface Told {
  outcome: number
  by: number[]
  ms: number
  ttl: number
}

/** Who wants to know what the system tells, by the requests' numbers. */
const underWay = new Map<number, (told: Told) => void>()
let lastId = 0
let listening = false

/** Has native code call us. Only who pings needs that. */
function listen(): void {
  if (listening) return
  listening = true
  native.hearEchoes(native.environment, (id, outcome, by, ms, ttl) => {
    const tell = underWay.get(id)
    underWay.delete(id)
    tell?.({ outcome, by, ms, ttl })
  })
}
