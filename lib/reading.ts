/** What it is to read through a reader: one operation per way of asking. */
import type { Ahead } from './ahead.js'
import { limitError, unexpectedEof, type SocketError } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation, type OperationOptions } from './operation.js'
import { SCRATCH_LENGTH } from './receive.js'

const { WOULD_BLOCK } = native

/** What `measure` says when more must come, and when what is there goes past the limit. */
const MORE = -1
const OVER = -2

const LF = Buffer.from('\n')
const CR = 13

/**
 * Gives out what was read ahead once it is enough, and until then reads, in its turn among all who receive from the socket.
 * What is not given out stays with the reader, so there is nothing to put back when it ends badly.
 */
export abstract class Reading<T> extends Operation<T> {
  get syscall(): string {
    return 'recv'
  }

  constructor(protected readonly link: Link, protected readonly ahead: Ahead, protected readonly limit: number = Infinity) {
    super()
  }

  /** What to give: the argument of `give`, or `MORE`, or `OVER`. */
  protected abstract measure(): number
  protected abstract give(length: number): T
  /** Settles it at the end of the stream, which came before there was enough. */
  protected abstract end(): true

  /** The error for `OVER`. */
  protected excess(): Error {
    return limitError(this.measured, this.limit)
  }

  /** The name in that error. */
  protected get measured(): string {
    return 'length'
  }

  /** Asks for all there may be. */
  protected fill(): number {
    return this.ahead.fill(this.link, SCRATCH_LENGTH, Infinity)
  }

  /** The result, if what was read ahead is enough for it; throws when that goes past the limit. */
  ready(): T | undefined {
    const length = this.measure()
    if (length === OVER) throw this.excess()
    return length === MORE ? undefined : this.give(length)
  }

  attempt(): boolean {
    let length = this.measure()
    if (length === MORE) {
      // Steps in vain use up the turn of the lane, which goes on in the next one.
      if (this.ahead.exhausted && this.timeout > 0) return false
      const count = this.fill()
      if (count < 0) return count !== WOULD_BLOCK && this.fail(() => this.link.error(count, this.syscall))
      if (count === 0) return this.end()
      length = this.measure()
    }
    if (length === OVER) return this.fail(() => this.excess())
    return length !== MORE && this.finish(() => this.give(length))
  }

  /** Ends well, unless what is taken is too much for a string. */
  protected finish(take: () => T): true {
    let result: T
    try {
      result = take()
    } catch (error) {
      return this.fail(() => error)
    }
    return this.succeed(result)
  }

  /** Submits it to the lane. Until it has ended nobody but the lane takes from what was read ahead. */
  wait(options: OperationOptions | undefined): Promise<T> {
    this.ahead.waiting++
    return this.link.reading.submit(this, options)
  }

  override succeed(value: T): true {
    this.#leave()
    return super.succeed(value)
  }

  override annotate(error: SocketError): void {
    error.bytesRead = this.ahead.length
  }

  override release(): void {
    this.#leave()
  }

  /** What was read for this one may be enough for the next, although the system has no more and the lane would wait for it. */
  #leave(): void {
    if (--this.ahead.waiting > 0 && this.link.handle >= 0) this.link.reading.refill()
  }
}

/** `line()`: up to a LF or CRLF, which is left out. */
export class ReadLine extends Reading<string | null> {
  constructor(link: Link, ahead: Ahead, limit: number, private readonly encoding: BufferEncoding) {
    super(link, ahead, limit)
  }

  protected measure(): number {
    return measureLine(this.ahead, this.limit)
  }

  protected give(length: number): string {
    return takeLine(this.ahead, length, this.encoding)
  }

  protected end(): true {
    const { ahead } = this
    const { length } = ahead
    if (length === 0) return this.succeed(null)
    if (length > this.limit) return this.fail(() => this.excess())
    return this.finish(() => {
      const text = ahead.text(length, this.encoding)
      ahead.skip(length)
      return text
    })
  }

  protected override get measured(): string {
    return 'line length'
  }
}

/** `until()`: up to a delimiter, and past it. */
export class ReadUntil extends Reading<Buffer | null> {
  constructor(link: Link, ahead: Ahead, limit: number, private readonly delimiter: Buffer, private readonly inclusive: boolean) {
    super(link, ahead, limit)
  }

  protected measure(): number {
    const { ahead, delimiter, limit } = this
    const found = ahead.find(delimiter)
    if (found >= 0) return found > limit ? OVER : found
    return ahead.length >= limit + delimiter.length ? OVER : MORE
  }

  protected give(length: number): Buffer {
    const { ahead, delimiter } = this
    if (this.inclusive) return ahead.take(length + delimiter.length)
    const data = ahead.take(length)
    ahead.skip(delimiter.length)
    return data
  }

  protected end(): true {
    return this.succeed(null)
  }

  protected override get measured(): string {
    return 'length before the delimiter'
  }
}

/** `exact()`: so many bytes. */
export class ReadExact extends Reading<Buffer> {
  constructor(link: Link, ahead: Ahead, private readonly wanted: number) {
    super(link, ahead)
  }

  protected measure(): number {
    return this.ahead.length >= this.wanted ? this.wanted : MORE
  }

  /** Of something long it reads no more than itself, so that it can be handed over in the memory it was gathered in. */
  protected override fill(): number {
    const { ahead, wanted } = this
    return ahead.fill(this.link, wanted < SCRATCH_LENGTH ? SCRATCH_LENGTH : wanted - ahead.length, wanted)
  }

  protected give(length: number): Buffer {
    return this.ahead.take(length)
  }

  protected end(): true {
    const { length } = this.ahead
    return this.fail(() => unexpectedEof(this.syscall, length, this.wanted))
  }
}

/** `some()`: what there is, or what comes first. */
export class ReadSome extends Reading<Buffer> {
  constructor(link: Link, ahead: Ahead, private readonly max: number) {
    super(link, ahead)
  }

  protected measure(): number {
    const { length } = this.ahead
    return length === 0 ? MORE : Math.min(length, this.max)
  }

  protected give(length: number): Buffer {
    return this.ahead.take(length)
  }

  protected end(): true {
    return this.succeed(Buffer.alloc(0))
  }
}

/** `all()`: to the end of the stream. */
export class ReadAll extends Reading<Buffer> {
  protected measure(): number {
    return this.ahead.length > this.limit ? OVER : MORE
  }

  protected give(length: number): Buffer {
    return this.ahead.take(length)
  }

  protected end(): true {
    return this.finish(() => this.give(this.ahead.length))
  }

  protected override get measured(): string {
    return 'stream length'
  }
}

/** The length of the first line with a CR but without its LF, or `MORE`, or `OVER`. */
export function measureLine(ahead: Ahead, limit: number): number {
  const found = ahead.find(LF)
  if (found >= 0) return found - endsInCr(ahead, found) > limit ? OVER : found
  const { length } = ahead
  // A CR at the limit is not over it as long as a LF can follow.
  return length - endsInCr(ahead, length) > limit ? OVER : MORE
}

/** Takes the line of that length, and its end. */
export function takeLine(ahead: Ahead, length: number, encoding: BufferEncoding): string {
  const text = ahead.text(length - endsInCr(ahead, length), encoding)
  ahead.skip(length + 1)
  return text
}

/** 1 when the last of the first `length` bytes is a CR, otherwise 0. */
function endsInCr(ahead: Ahead, length: number): 0 | 1 {
  return length > 0 && ahead.at(length - 1) === CR ? 1 : 0
}
