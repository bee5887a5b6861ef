/**
 * What node:tls speaks over: as much of a stream as it uses, and no more. A whole `stream.Duplex` keeps queues in both directions, of
 * which TLS has its own; without them a message costs a third less.
 */
import { AsyncResource } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers'
import type { TLSSocket } from 'node:tls'
import { systemError } from './errors.js'
import { Batch, Intake } from './intake.js'
import type { Link, Over } from './link.js'
import { native } from './native.js'
import { sendChunks, sendEnd, type Chunk } from './outgoing.js'
import { read, scratch, SCRATCH_LENGTH } from './receive.js'
import type { TcpSocket } from './tcp.js'
import { Beginning } from './view.js'

const { WOULD_BLOCK } = native

/** How often is received what nobody wants. What comes after that would not end. */
const MOST_DRAINED = 16

type Callback = (error?: Error | null) => void

/** What node:tls puts between itself and a stream that is no `net.Socket`. */
interface Wrap {
  readonly _handle: WrapHandle | null
  finishWrite(handle: WrapHandle, code: number): void
}

interface WrapHandle {
  readBuffer(chunk: Uint8Array): void
}

export class Transport extends EventEmitter {
  readonly allowHalfOpen = true
  readonly readable = true
  readonly writable = true
  destroyed = false
  /** How often the system has taken at once all there was to send. */
  taken = 0
  readonly #intake: BriefIntake
  /** What the link knows of it, and does not hold. */
  readonly #over: Over = { connected: () => {}, ended: () => this.destroy(), unread: () => null }
  #paused = true
  #ended = false
  #chunks: Chunk[] = []
  #callbacks: Callback[] = []
  #wrap: Wrap | undefined
  /** Whose write has been done, and it has not been told. */
  #finished: WrapHandle | null = null

  constructor(private readonly socket: TcpSocket, private readonly link: Link) {
    super()
    this.#intake = new BriefIntake(link, new AsyncResource('SOCKET2TLS', { requireManualDestroy: true }), () => this.#receive())
    link.lay(this.#over)
  }

  /**
   * Says what speaks over it, which is told from now on without its detours: by an event what has come, and by an immediate of its own for
   * each write that this is done. Where Node has other names for that, nothing changes.
   */
  carries(tls: TLSSocket): void {
    const { _handle: handle } = tls as TLSSocket & { readonly _handle?: { readonly _parentWrap?: Partial<Wrap> } | null }
    const wrap = handle?._parentWrap
    if (wrap?.finishWrite !== undefined && wrap._handle?.readBuffer !== undefined) this.#wrap = wrap as Wrap
  }

  pause(): void {
    this.#paused = true
  }

  /** Reads on, but not within the call. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    process.nextTick(() => this.#receive())
  }

  /** Writes when it is uncorked: node:tls always corks. */
  write(chunk: Uint8Array, callback: Callback): void {
    this.#chunks.push({ chunk, encoding: 'binary' })
    this.#callbacks.push(callback)
  }

  cork(): void {}

  uncork(): void {
    const [chunks, callbacks] = [this.#chunks, this.#callbacks]
    this.#chunks = []
    this.#callbacks = []
    const outcome = this.destroyed ? 0 : sendChunks(this.link, this.socket, chunks)
    if (outcome === 0) {
      this.taken++
      this.#finished = this.#wrap?._handle ?? null
      // Instead of each callback.
      if (this.#finished !== null) return batch.add(this)
    }
    const done = (error?: Error): void => {
      for (const callback of callbacks) callback(error)
    }
    if (outcome === 0) {
      done()
    } else if (typeof outcome === 'number') {
      const error = systemError(outcome, 'write')
      this.#fail(error)
      done(error)
    } else {
      const told = (): void => done()
      outcome.then(told, done)
    }
  }

  /** No more is written; the callback hears when the peer has been told. */
  end(callback: () => void): void {
    if (this.destroyed) return callback()
    const told = (): void => callback()
    sendEnd(this.link, this.socket).then(told, told)
  }

  /**
   * Receives what has come and nobody wants: to close with that unread is a reset, by which the peer can lose what was sent to it. Not into
   * the space: whoever closes this may do so while another one's lies there.
   */
  drain(): void {
    for (let rest = MOST_DRAINED; rest > 0 && read(this.link, scratch) > 0; rest--);
  }

  /** Closes the socket, too. */
  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.socket.close()
    process.nextTick(() => this.emit('close'))
  }

  /** Tells that a write is done. @internal */
  tell(): void {
    const finished = this.#finished as WrapHandle
    this.#finished = null
    this.#wrap?.finishWrite(finished, 0)
  }

  #receive(): void {
    while (!this.#paused && !this.#ended && !this.destroyed && this.#intake.idle) {
      if (!this.link.reading.enter(this.#intake, this.socket)) return
      this.#pass()
    }
  }

  /** Passes on what has come: node:tls copies it. */
  #pass(): void {
    const outcome = this.#intake.take()
    if (typeof outcome === 'number') {
      this.#fail(systemError(outcome, 'read'))
    } else if (outcome.length > 0) {
      if (this.#wrap === undefined) this.emit('data', outcome)
      else this.#wrap._handle?.readBuffer(outcome)
    } else {
      this.#ended = true
      this.emit('end')
    }
  }

  /** Told later: node:tls begins to speak before anybody can listen. */
  #fail(error: Error): void {
    process.nextTick(() => this.emit('error', error))
    this.destroy()
  }
}

/** What is received lies here until node:tls has copied it, before anybody else receives. */
const space = Buffer.allocUnsafeSlow(SCRATCH_LENGTH)
const received = new Beginning(space)

/**
 * They are told a turn later, as node:tls would have itself told by an immediate of the end of a write: it should hear of that before the
 * next message comes, whose answer it would otherwise keep until then.
 */
const batch = new Batch(tell => void setImmediate(tell))

/** Is told first and receives then, being the only one who does, so that what has come need not be kept. */
class BriefIntake extends Intake {
  override attempt(): boolean {
    if (this.waiting) {
      this.waiting = false
      batch.add(this)
      return true
    }
    const count = read(this.link, space)
    if (count === WOULD_BLOCK) return false
    this.outcome = count < 0 ? count : received.of(count)
    return true
  }

  override tell(): void {
    this.scope.runInAsyncScope(this.told)
  }
}
