/** What it is to send datagrams: one, many, or one buffer cut into many. Each goes whole or not at all. */
import { clearTimeout, setTimeout } from 'node:timers'
import { Address } from './address.js'
import { systemError, valueError, type SocketError } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'

const { MOST_AT_ONCE, WOULD_BLOCK } = native

/** How soon, in ms, a full unix receiver is tried again: the system reports nothing when it has room for a stranger. */
const UNIX_RETRY = 2

/** Where datagrams go: an address, to the peer (`null`), or where a lookup finds. */
export type Destination = Address | null | ((signal: AbortSignal) => Promise<Address>)

abstract class Sending extends Operation<number> {
  get syscall(): string {
    return 'send'
  }

  /** What it waits for before it sends. It keeps its place meanwhile: who sends later goes later. */
  #lookup: AbortController | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(protected readonly link: Link) {
    super()
  }

  /** Sends what is left, or some of it: how much went, or an error number. */
  protected abstract write(): number
  /** Counts what went, and says whether that was all. */
  protected abstract wrote(count: number): boolean
  /** What the operation resolves to. */
  protected abstract get result(): number
  /** Where the next one goes. */
  protected abstract get destination(): Address | null
  /** What is wrong with the memory by now, if anything. */
  protected abstract gone(): Error | undefined

  attempt(): boolean {
    if (this.#lookup !== undefined || this.#retry !== undefined) {
      this.link.writing.ready = false
      return false
    }
    const gone = this.gone()
    if (gone !== undefined) {
      this.annotate(gone as SocketError)
      return this.fail(() => gone)
    }
    const count = this.write()
    if (count >= 0) return this.wrote(count) && this.succeed(this.result)
    const { destination } = this
    if (count !== WOULD_BLOCK) return this.fail(() => systemError(count, this.syscall, destination))
    this.link.writing.blocked()
    if (destination?.family === 'unix') this.#retryLater()
    return false
  }

  /** Begins only when this has found what it looks for. */
  protected async lookUp(find: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const lookup = (this.#lookup = new AbortController())
    try {
      await find(lookup.signal)
    } catch (error) {
      if (!lookup.signal.aborted) this.cancel(() => error)
      return
    }
    if (lookup.signal.aborted) return
    this.#lookup = undefined
    this.link.writing.wake(false)
  }

  /** Until then it is not tried: each vain try makes the system report that the socket is writable. */
  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.link.writing.wake(false)
    }, UNIX_RETRY).unref()
  }

  override release(): void {
    if (this.#lookup === undefined && this.#retry === undefined) return
    // What it waited for is of no interest any more, and the way is free for the next.
    clearTimeout(this.#retry)
    this.#lookup?.abort()
    this.link.writing.refill()
  }
}

abstract class SendingTo extends Sending {
  protected to: Address | null = null
  protected readonly length: number

  constructor(link: Link, protected readonly data: Uint8Array, to: Destination) {
    super(link)
    this.length = data.length
    if (typeof to === 'function') void this.lookUp(async (signal) => void (this.to = await to(signal)))
    else this.to = to
  }

  protected get destination(): Address | null {
    return this.to
  }

  protected gone(): Error | undefined {
    return this.data.length === this.length ? undefined : valueError('data', 'was detached or resized while the operation waited', this.data)
  }
}

/** Sends one datagram, to the peer or to an address: its length, or an error number. */
export function sendNow({ handle }: Link, data: Uint8Array, to: Address | null): number {
  return to === null ? native.send(handle, data, 0) : native.sendTo(handle, data, Address.wire(to))
}

/** `send`. */
export class SendDatagram extends SendingTo {
  protected write(): number {
    return sendNow(this.link, this.data, this.to)
  }

  protected wrote(count: number): true {
    this.link.writing.bytes += count
    return true
  }

  protected get result(): number {
    return this.length
  }

  override annotate(error: SocketError): void {
    error.bytesSent = 0
  }
}

/** `sendSegments`. */
export class SendSegments extends SendingTo {
  #done = 0

  override get syscall(): string {
    return 'sendSegments'
  }

  constructor(link: Link, data: Uint8Array, private readonly size: number, to: Destination) {
    super(link, data, to)
  }

  protected write(): number {
    const { link, data, size, to } = this
    const rest = this.#done === 0 ? data : data.subarray(this.#done)
    return native.sendSegments(link.handle, rest, size, to === null ? nowhere : Address.wire(to))
  }

  protected wrote(count: number): boolean {
    this.link.writing.bytes += count
    this.#done += count
    return this.#done === this.length
  }

  protected get result(): number {
    return this.length
  }

  override annotate(error: SocketError): void {
    error.bytesSent = this.#done
  }
}

const nowhere = new Uint8Array(0)

/** One datagram of many: its bytes, and where they go. */
export interface Outgoing {
  readonly data: Uint8Array
  readonly to: Destination
}

/** `sendMany`. */
export class SendMany extends Sending {
  #done = 0
  readonly #list: readonly Uint8Array[]
  readonly #lengths: readonly number[]
  #to: readonly (Address | null)[] = []
  /** The addresses as they cross, one after the other. */
  #wires = nowhere

  override get syscall(): string {
    return 'sendMany'
  }

  constructor(link: Link, messages: readonly Outgoing[]) {
    super(link)
    this.#list = messages.map(({ data }) => data)
    this.#lengths = this.#list.map(({ length }) => length)
    const known = messages.map(({ to }) => to)
    if (known.every(to => typeof to !== 'function')) this.#aim(known)
    else void this.lookUp(async (signal) => this.#aim(await Promise.all(known.map(to => (typeof to === 'function' ? to(signal) : to)))))
  }

  #aim(to: readonly (Address | null)[]): void {
    this.#to = to
    const wires = to.map(address => (address === null ? nowhere : Address.wire(address)))
    let width = 0
    for (const { length } of wires) width = Math.max(width, length)
    this.#wires = new Uint8Array(width * wires.length)
    wires.forEach((wire, place) => this.#wires.set(wire, place * width))
  }

  protected write(): number {
    return native.sendMany(this.link.handle, this.#list, this.#done, this.#wires)
  }

  protected wrote(count: number): boolean {
    for (const end = this.#done + count; this.#done < end; this.#done++) {
      this.link.writing.bytes += this.#lengths[this.#done] as number
    }
    return this.#done === this.#list.length
  }

  protected get result(): number {
    return this.#done
  }

  protected get destination(): Address | null {
    return this.#to[this.#done] ?? null
  }

  protected gone(): Error | undefined {
    // Only of those that the next call may take, since there can be very many.
    const end = Math.min(this.#done + MOST_AT_ONCE, this.#list.length)
    for (let place = this.#done; place < end; place++) {
      const data = this.#list[place] as Uint8Array
      if (data.length !== this.#lengths[place]) return valueError(`messages[${place}].data`, 'was detached or resized while the operation waited', data)
    }
    return undefined
  }

  override annotate(error: SocketError): void {
    error.messagesSent = this.#done
  }
}
