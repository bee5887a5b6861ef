/** `copyTo`: what comes on one connection, sent on another. */
import { systemError, type SocketError } from './errors.js'
import { postpone } from './guard.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { giveBack, got, read, scratch, SCRATCH_LENGTH } from './receive.js'
import { Send, wrote } from './send.js'
import type { TcpSocket } from './tcp.js'
import { Beginning } from './view.js'

const { WOULD_BLOCK, PARTLY, pass } = native

const received = new Beginning(scratch)
const outcome = new Int32Array(2)

/** The sending of what the system did not take at once. */
export interface Rest {
  readonly rest: Operation<number> & {
    /** How many bytes of it could still be had back. */
    readonly left: number
  }
  readonly sent: Promise<number>
}

/**
 * It stands in the lane of what it receives, and each step takes what is there and sends it, within the call: so a message costs its two
 * system calls, and neither memory nor a promise. While the other system takes no more, nothing is received.
 */
export class Copy extends Operation<number> {
  #done = 0
  /** What was received and not taken, and its sending. */
  #kept: Buffer | undefined
  #rest: Rest['rest'] | undefined

  get syscall(): string {
    return this.#rest === undefined ? 'recv' : 'send'
  }

  /** `outlet`: the link of `to`, where both connections give and take what goes over the wire. */
  constructor(private readonly link: Link, private readonly to: TcpSocket, private readonly outlet: Link | null) {
    super()
  }

  attempt(): boolean {
    const { link, to } = this
    if (this.#rest !== undefined) {
      link.reading.hold()
      return false
    }
    if (this.outlet?.writing.free === true && link.unread === null) return this.#pass(this.outlet)
    const count = read(link, scratch)
    if (count <= 0) return this.#nothing(count)
    const chunk = received.of(count)
    let sent
    try {
      sent = to.trySend(chunk)
    } catch (error) {
      return this.#refused(chunk, () => error)
    }
    return this.#took(chunk, sent)
  }

  /** As `attempt`, with the two system calls in one call of native code: most of what a short message costs besides them. */
  #pass(outlet: Link): boolean {
    const { link } = this
    const code = pass(link.handle, outlet.handle, scratch, outcome)
    const count = got(link, code === PARTLY ? outcome[0] as number : code, SCRATCH_LENGTH)
    if (count <= 0) return this.#nothing(count)
    const sent = code === PARTLY ? outcome[1] as number : count
    wrote(outlet, sent, count)
    if (sent === count) {
      this.#moved(count)
      return false
    }
    const chunk = received.of(count)
    if (sent < 0 && sent !== WOULD_BLOCK) return this.#refused(chunk, () => systemError(sent, 'send'))
    return this.#took(chunk, Math.max(sent, 0))
  }

  /** Nothing was received: there is nothing now, there will be nothing any more, or an error. */
  #nothing(code: number): boolean {
    if (code === 0) return this.succeed(this.#done)
    return code !== WOULD_BLOCK && this.fail(() => this.link.error(code, 'recv'))
  }

  /** The other system took so much of it. */
  #took(chunk: Buffer, count: number): false {
    this.#moved(count)
    if (count < chunk.length) void this.#send(Buffer.from(chunk.subarray(count)))
    return false
  }

  #refused(chunk: Buffer, make: () => unknown): true {
    giveBack(this.link, chunk)
    return this.fail(make)
  }

  override get held(): number {
    return this.#rest?.left ?? 0
  }

  override release(): void {
    const [rest, kept] = [this.#rest, this.#kept]
    if (rest === undefined || kept === undefined) return
    // The rest stays, for `syscall` to tell what failed.
    this.#kept = undefined
    this.#done += kept.length - rest.left
    // It may have ended by itself, and not been heard of yet.
    if (rest.lane !== null) rest.cancel(() => undefined)
    giveBack(this.link, kept.subarray(kept.length - rest.left))
  }

  override annotate(error: SocketError): void {
    error.bytesSent = this.#done
  }

  override expire(): void {
    const { deadline } = this
    const rest = this.#rest
    // What it waits for may be there and not dequeued yet: then it has not been idle.
    if (rest !== undefined) rest.lane?.lastTry(rest)
    else if (this.lane?.lastTry(this)) return
    if (this.deadline > deadline) postpone(this)
    else super.expire()
  }

  /** Bytes went on: it is not idle. */
  #moved(count: number): void {
    this.#done += count
    if (this.timeout !== Infinity) this.deadline = performance.now() + this.timeout
  }

  async #send(kept: Buffer): Promise<void> {
    const { rest, sent } = this.to.passOn(kept, () => this.#moved(0))
    this.#kept = kept
    this.#rest = rest
    try {
      await sent
    } catch (error) {
      if (this.#kept === kept) this.cancel(() => error)
      return
    }
    // Whoever has ended it meanwhile has seen to the rest.
    if (this.#kept !== kept) return
    this.#rest = this.#kept = undefined
    this.#moved(kept.length)
    this.link.reading.wake(false)
  }
}

/** The rest, over a plain connection; `moved` is told when some of it has gone. */
export class SendRest extends Send {
  constructor(link: Link, kept: Buffer, private readonly moved: () => void) {
    super(link, kept, 0)
  }

  protected override step(count: number): boolean {
    if (count > 0) this.moved()
    return super.step(count)
  }
}
