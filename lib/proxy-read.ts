/** Receives the header of the PROXY protocol, and not one byte more: what follows it stays with the system, for whoever receives next. */
import { SocketError, systemError, unexpectedEof } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { beginsHeader, isSure, missing } from './proxy-protocol.js'
import { giveBack, readNew } from './receive.js'

const { WOULD_BLOCK } = native

/**
 * Resolves to the bytes of a header. Unless it is `required`, to `null` when what comes is none: the first byte that differs decides. A
 * stream that ends before that, or the end of the time, decides, too. What came then stays readable.
 */
export class ReceiveHeader extends Operation<Buffer | null> {
  get syscall(): string {
    return 'recv'
  }

  /** Memory is taken as bytes come, not as they are announced. */
  #bytes: Buffer = Buffer.alloc(0)

  constructor(private readonly link: Link, private readonly required: boolean) {
    super()
  }

  /** All that is there, in as many steps as it takes, which are few: whoever is late has only one attempt. */
  attempt(): boolean {
    for (;;) {
      const more = missing(this.#bytes)
      if (more === 0) return this.succeed(this.#bytes)
      if (typeof more === 'string') {
        return this.required || beginsHeader(this.#bytes) ? this.fail(() => headerError(more)) : this.#none()
      }
      const data = readNew(this.link, more)
      if (data === WOULD_BLOCK) return false
      if (typeof data === 'number') return this.fail(() => systemError(data, this.syscall))
      if (data.length === 0) return this.#undecided ? this.#none() : this.fail(() => unexpectedEof(this.syscall, this.held, this.held + more))
      this.#bytes = this.held === 0 ? data : Buffer.concat([this.#bytes, data])
    }
  }

  override get held(): number {
    return this.#bytes.length
  }

  override release(): void {
    giveBack(this.link, this.#bytes)
  }

  override annotate(error: SocketError): void {
    error.bytesRead = this.held
  }

  override expire(): void {
    // What is there and not dequeued yet may decide it.
    if (this.lane?.lastTry(this)) return
    if (!this.#undecided) return super.expire()
    this.lane?.remove(this)
    this.#none()
  }

  /** What has come may yet be no header, and that may be. */
  get #undecided(): boolean {
    return !this.required && !isSure(this.#bytes)
  }

  #none(): true {
    this.release()
    return this.succeed(null)
  }
}

/** What came is no header, or not a good one. */
export function headerError(flaw: string): SocketError {
  return new SocketError(`no good header of the PROXY protocol: ${flaw}`, { code: 'ERR_SOCKET_PROXY_HEADER', syscall: 'recv' })
}
