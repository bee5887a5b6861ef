/** What it is to receive from a stream: one operation per way of asking. */
import { rangeError, unexpectedEof, valueError, type SocketError } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'

const { WOULD_BLOCK } = native

/** What is read into before what came is copied out or sent on, so that waiting holds no memory; also the default of `recv(maxLength)`. */
export const SCRATCH_LENGTH = 65536
export const scratch = Buffer.allocUnsafeSlow(SCRATCH_LENGTH)

/**
 * Reads into `into` what there is: first what an earlier operation gave back, then what the system has. The count, 0 at the end
 * of the stream, or a negative error number, with the lane told what it means for the next try.
 */
export function read(link: Link, into: Uint8Array): number {
  if (link.unread !== null) return takeUnread(link, into)
  return got(link, link.receive(into), into.length)
}

/** Tells the lane what a read of `asked` bytes has come to, which it returns. */
export function got(link: Link, count: number, asked: number): number {
  if (count > 0) link.reading.moved(count, asked)
  else if (count === 0) return link.broken
  else if (count === WOULD_BLOCK) link.reading.blocked()
  else breakLink(link, count)
  return count
}

/** What breaks a connection, so that an end of the stream after it is none. */
const BREAKING: readonly string[] = ['ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN']

/** Remembers an error of the system that has broken the connection. */
export function breakLink(link: Link, code: number): void {
  if (BREAKING.includes(native.errorName(code))) link.broken = code
}

/** As `read`, into memory of our own: a new Buffer, or the error number. */
export function readNew(link: Link, maxLength: number): Buffer | number {
  const whole = link.unread === null ? link.chunk(maxLength) : null
  if (whole !== null) {
    link.reading.moved(whole.length, maxLength)
    return whole
  }
  const space = maxLength < SCRATCH_LENGTH ? scratch.subarray(0, maxLength) : scratch
  const count = read(link, space)
  return count < 0 ? count : Buffer.from(space.subarray(0, count))
}

function takeUnread(link: Link, into: Uint8Array): number {
  const unread = link.unread as Uint8Array
  const count = Math.min(unread.length, into.length)
  into.set(unread.subarray(0, count))
  link.unread = count < unread.length ? unread.subarray(count) : null
  return count
}

/** Puts back what was read but not given out, before anything else that is unread. */
export function giveBack(link: Link, data: Uint8Array): void {
  if (data.length === 0) return
  link.unread = link.unread === null ? Buffer.from(data) : Buffer.concat([data, link.unread])
  link.reading.refill()
}

abstract class Receiving<T> extends Operation<T> {
  get syscall(): string {
    return 'recv'
  }

  constructor(protected readonly link: Link) {
    super()
  }

  /** Ends badly unless the system would merely block. */
  protected refused(code: number): boolean {
    return code !== WOULD_BLOCK && this.fail(() => this.link.error(code, this.syscall))
  }

  /** Ends badly: the memory to receive into is gone. */
  protected unusable(into: Uint8Array): true {
    return this.fail(() => valueError('into', 'was detached or resized while the operation waited', into))
  }
}

/**
 * `recv(into)`: what is there, at least one byte. The operation that a message waits in, again and again, so a link keeps one
 * that has ended well for the next.
 */
export class Receive extends Receiving<number> {
  #into: Uint8Array | undefined

  private constructor(link: Link, into: Uint8Array) {
    super(link)
    this.#into = into
  }

  static of(link: Link, into: Uint8Array): Receive {
    const spare = link.spare
    if (spare === undefined) return new Receive(link, into)
    link.spare = undefined
    spare.#into = into
    spare.waiting = false
    spare.timeout = spare.deadline = Infinity
    return spare
  }

  attempt(): boolean {
    const { link } = this
    const into = this.#into as Uint8Array
    if (into.length === 0) return this.unusable(into)
    const count = read(link, into)
    if (count < 0) return this.refused(count)
    this.succeed(count)
    this.#into = undefined
    link.spare = this
    return true
  }
}

/** `recv(maxLength)`: the same, as a new Buffer. */
export class ReceiveNew extends Receiving<Buffer> {
  constructor(link: Link, private readonly maxLength: number) {
    super(link)
  }

  attempt(): boolean {
    const data = readNew(this.link, this.maxLength)
    return typeof data === 'number' ? this.refused(data) : this.succeed(data)
  }
}

/** `recvExact(into)`: as much as `into` holds. */
export class ReceiveExact extends Receiving<number> {
  #done = 0
  readonly #wanted: number

  constructor(link: Link, private readonly into: Uint8Array) {
    super(link)
    this.#wanted = into.length
  }

  attempt(): boolean {
    if (this.into.length !== this.#wanted) return this.unusable(this.into)
    const count = read(this.link, this.#done === 0 ? this.into : this.into.subarray(this.#done, this.#wanted))
    if (count < 0) return this.refused(count)
    if (count === 0) return this.fail(() => unexpectedEof(this.syscall, this.#done, this.#wanted))
    this.#done += count
    return this.#done === this.#wanted && this.succeed(this.#wanted)
  }

  override get held(): number {
    return this.#done
  }

  override release(): void {
    // What came into memory that is gone meanwhile went with it.
    if (this.#done > 0 && this.into.length >= this.#done) giveBack(this.link, this.into.subarray(0, this.#done))
  }

  override annotate(error: SocketError): void {
    error.bytesRead = this.#done
  }
}

/** `recvExact(length)`: the same, as a new Buffer. Memory is taken as data comes, not as it is announced. */
export class ReceiveExactNew extends Receiving<Buffer> {
  readonly #chunks: Buffer[] = []
  #done = 0

  constructor(link: Link, private readonly wanted: number) {
    super(link)
  }

  attempt(): boolean {
    const data = readNew(this.link, this.wanted - this.#done)
    if (typeof data === 'number') return this.refused(data)
    if (data.length === 0) return this.fail(() => unexpectedEof(this.syscall, this.#done, this.wanted))
    this.#chunks.push(data)
    this.#done += data.length
    return this.#done === this.wanted && this.succeed(joined(this.#chunks))
  }

  override get held(): number {
    return this.#done
  }

  override release(): void {
    giveBack(this.link, joined(this.#chunks))
  }

  override annotate(error: SocketError): void {
    error.bytesRead = this.#done
  }
}

/** `recvAll({ limit })`: to the end of the stream. */
export class ReceiveAll extends Receiving<Buffer> {
  readonly #chunks: Buffer[] = []
  #done = 0

  constructor(link: Link, private readonly limit: number) {
    super(link)
  }

  attempt(): boolean {
    const data = readNew(this.link, SCRATCH_LENGTH)
    if (typeof data === 'number') return this.refused(data)
    if (data.length === 0) return this.succeed(joined(this.#chunks))
    this.#chunks.push(data)
    this.#done += data.length
    if (this.#done <= this.limit) return false
    return this.fail(() => rangeError('stream length', `at most the limit of ${this.limit} bytes`, this.#done))
  }

  override get held(): number {
    return this.#done
  }

  override release(): void {
    giveBack(this.link, joined(this.#chunks))
  }

  override annotate(error: SocketError): void {
    error.bytesRead = this.#done
  }
}

function joined(chunks: Buffer[]): Buffer {
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}
