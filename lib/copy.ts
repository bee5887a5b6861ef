/** `copyTo`: what comes on one connection, sent on another. */
import type { SocketError } from './errors.js'
import { postpone } from './guard.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { giveBack, read, scratch } from './receive.js'
import { Send } from './send.js'
import type { TcpSocket } from './tcp.js'
import { Beginning } from './view.js'

const { WOULD_BLOCK } = native

const received = new Beginning(scratch)

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

  constructor(private readonly link: Link, private readonly to: TcpSocket) {
    super()
  }

  attempt(): boolean {
    const { link, to } = this
    if (this.#rest !== undefined) {
      link.reading.hold()
      return false
    }
    const count = read(link, scratch)
    if (count < 0) return count !== WOULD_BLOCK && this.fail(() => link.error(count, 'recv'))
    if (count === 0) return this.succeed(this.#done)
    const chunk = received.of(count)
    let taken
    try {
      taken = to.trySend(chunk)
    } catch (error) {
      giveBack(link, chunk)
      return this.fail(() => error)
    }
    this.#moved(taken)
    if (taken < count) void this.#send(Buffer.from(chunk.subarray(taken)))
    return false
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
