/** What it is to send: all of it, or an error that says how much the system took. */
import { systemError, typeError, valueError, type SocketError } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { breakLink } from './receive.js'
import { isBytes } from './validate.js'

const { WOULD_BLOCK, send } = native

/** How many buffers one step gathers at most, as in calls.rs. */
const MOST_GATHERED = 1024

/** What can be sent: text goes out as UTF-8. */
export type Data = string | Uint8Array

/** The bytes of what the caller gave; throws what is wrong with it. */
export function bytesOf(data: unknown): Uint8Array {
  if (isBytes(data)) return data
  if (typeof data !== 'string') throw typeError('data', 'a string or a Uint8Array', data)
  if (!data.isWellFormed()) throw valueError('data', 'must not contain lone surrogates', data)
  return Buffer.from(data)
}

/** The buffers of a list the caller gave, in an array of our own, without the empty ones. */
export function listOf(data: readonly unknown[]): Uint8Array[] {
  const list: Uint8Array[] = []
  for (const item of data) {
    if (!isBytes(item)) throw typeError('data', 'a string, a Uint8Array or an array of Uint8Array', item)
    if (item.length > 0) list.push(item)
  }
  return list
}

/** Writes from `offset` on: the count or a negative error number, with the lane told what it means for the next try. */
export function write(link: Link, data: Uint8Array, offset: number): number {
  return wrote(link, send(link.handle, data, offset), data.length - offset)
}

/** Tells the lane what a write of `asked` bytes has come to, which it returns. */
export function wrote(link: Link, count: number, asked: number): number {
  if (count >= 0) link.writing.moved(count, asked)
  else if (count === WOULD_BLOCK) link.writing.blocked()
  else breakLink(link, count)
  return count
}

export abstract class Sending extends Operation<number> {
  get syscall(): string {
    return 'send'
  }

  protected done = 0

  constructor(protected readonly link: Link, protected readonly total: number) {
    super()
  }

  /** How many bytes the system has not taken. */
  get left(): number {
    return this.total - this.done
  }

  /** One step moved `count` bytes, or was refused. */
  protected step(count: number): boolean {
    if (count < 0) return count !== WOULD_BLOCK && this.fail(() => systemError(count, this.syscall))
    this.done += count
    return this.done >= this.total && this.succeed(this.total)
  }

  override annotate(error: SocketError): void {
    error.bytesSent = this.done
  }
}

/** `send(data)`: one buffer. */
export class Send extends Sending {
  constructor(link: Link, protected readonly data: Uint8Array, done: number) {
    super(link, data.length)
    this.done = done
  }

  attempt(): boolean {
    if (this.data.length !== this.total) {
      return this.fail(() => valueError('data', 'was detached or resized while the operation waited', this.data))
    }
    if (this.total === 0) return this.succeed(0)
    return this.step(this.write())
  }

  /** Writes what is left of it, as much as the system takes. */
  protected write(): number {
    return write(this.link, this.data, this.done)
  }
}

/** `send([...])`: many buffers, gathered. */
export class SendList extends Sending {
  #index = 0
  #offset = 0

  constructor(link: Link, private readonly list: readonly Uint8Array[], total: number, private readonly lengths: readonly number[]) {
    super(link, total)
  }

  static of(link: Link, list: readonly Uint8Array[]): SendList {
    const lengths = list.map((bytes) => bytes.length)
    return new this(link, list, lengths.reduce((sum, length) => sum + length, 0), lengths)
  }

  attempt(): boolean {
    const end = Math.min(this.list.length, this.#index + MOST_GATHERED)
    for (let i = this.#index; i < end; i++) {
      const bytes = this.list[i] as Uint8Array
      if (bytes.length !== this.lengths[i]) {
        return this.fail(() => valueError('data', 'was detached or resized while the operation waited', bytes))
      }
    }
    const { link } = this
    if (this.total === 0) return this.succeed(0)
    const count = native.sendList(link.handle, this.list, this.#index, this.#offset)
    if (count >= 0) {
      link.writing.bytes += count
      this.#advance(count)
    } else if (count === WOULD_BLOCK) {
      link.writing.blocked()
    } else {
      breakLink(link, count)
    }
    return this.step(count)
  }

  #advance(count: number): void {
    this.#offset += count
    while (this.#index < this.list.length && this.#offset >= (this.lengths[this.#index] as number)) {
      this.#offset -= this.lengths[this.#index] as number
      this.#index++
    }
  }
}
