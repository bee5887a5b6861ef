/** Sockets and descriptors that travel over unix sockets. */
import { systemError, typeError, unsupported, valueError, rangeError } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { breakLink, readNew, SCRATCH_LENGTH } from './receive.js'
import { Send, wrote } from './send.js'
import { Socket } from './socket.js'

const { MOST_HANDLES, WOULD_BLOCK } = native

/** What `recvHandles` resolves to. */
export interface ReceivedHandles {
  data: Buffer
  /** The descriptors that came with it, which are the caller's. */
  handles: number[]
  /** Whether something did not fit, data or descriptors; it is gone. */
  truncated: boolean
}

/** Throws where descriptors do not travel. */
export function checkTravel(syscall: string): void {
  if (MOST_HANDLES === 0) throw unsupported(`${syscall}()`)
}

/** Checks what is to be sent along. */
export function checkHandles(handles: unknown): asserts handles is readonly (Socket | number)[] {
  if (!Array.isArray(handles)) throw typeError('handles', 'an array of sockets and descriptors', handles)
  if (handles.length > MOST_HANDLES) throw rangeError('handles.length', `at most ${MOST_HANDLES}`, handles.length)
  for (const handle of handles as unknown[]) {
    const fd = handle instanceof Socket ? handle.fd : handle
    if (typeof fd !== 'number') throw typeError('handles', 'an array of sockets and descriptors', handle)
    if (!Number.isInteger(fd) || fd < 0 || fd > MOST_FD) throw valueError('handles', 'must be open sockets and descriptors', handle)
  }
}

const MOST_FD = 0x7fff_ffff

/** `sendHandles(data, handles)`: they go with the first byte. */
export class SendHandles extends Send {
  override get syscall(): string {
    return 'sendHandles'
  }

  #sent = false

  constructor(link: Link, data: Uint8Array, private readonly handles: readonly (Socket | number)[]) {
    super(link, data, 0)
  }

  override attempt(): boolean {
    const closed = this.#sent ? undefined : this.handles.find(handle => handle instanceof Socket && handle.closed)
    if (closed !== undefined) return this.fail(() => valueError('handles', 'has a socket that was closed while the operation waited', closed))
    // An empty datagram carries them, too.
    return this.total === 0 ? this.step(this.write()) : super.attempt()
  }

  protected override write(): number {
    if (this.#sent) return super.write()
    const { link, data } = this
    const descriptors = Int32Array.from(this.handles, handle => handle instanceof Socket ? handle.fd : handle)
    const count = native.sendHandles(link.handle, data, descriptors)
    if (count >= 0) this.#sent = true
    return wrote(link, count, data.length)
  }
}

const found = new Int32Array(2 + MOST_HANDLES)
const scratch = Buffer.allocUnsafeSlow(SCRATCH_LENGTH)

/** `recvHandles()`: what is there, with what came along. */
export class ReceiveHandles extends Operation<ReceivedHandles> {
  get syscall(): string {
    return 'recvHandles'
  }

  constructor(private readonly link: Link, private readonly maxLength: number) {
    super()
  }

  attempt(): boolean {
    const { link, maxLength } = this
    if (link.unread !== null) return this.succeed({ data: readNew(link, maxLength) as Buffer, handles: [], truncated: false })
    const space = maxLength < SCRATCH_LENGTH ? scratch.subarray(0, maxLength) : scratch
    const count = native.recvHandles(link.handle, space, found)
    if (count === WOULD_BLOCK) {
      link.reading.blocked()
      return false
    }
    if (count < 0) breakLink(link, count)
    const code = count === 0 ? link.broken : count
    if (code < 0) return this.fail(() => systemError(code, this.syscall))
    link.reading.moved(count, space.length)
    const [number = 0, truncated] = found
    return this.succeed({ data: Buffer.from(space.subarray(0, count)), handles: [...found.subarray(2, 2 + number)], truncated: truncated === 1 })
  }
}
