/**
 * What the driver holds of an open socket: its handle and its lanes. The `Socket` that the user holds is not reachable from
 * here except through the operations that wait, and in its first moment, so a forgotten socket can be collected, and is
 * closed then.
 */
import type { Ahead } from './ahead.js'
import type { Datagram } from './datagram.js'
import { forgetLink, holdLink, referencedChanged } from './driver.js'
import { systemError } from './errors.js'
import { Lane } from './lane.js'
import { stopWatching } from './leak.js'
import { native, type Handle } from './native.js'
import type { Receive } from './receive.js'
import type { Socket } from './socket.js'

// Taken out of the binding's object, whose properties are slow to find.
const { recv, close } = native

/** Closes a handle; the second way with RST. */
export const closeHandle = (handle: Handle): number => close(handle, 0)
export const resetHandle = (handle: Handle): number => close(handle, 1)

/** A stream over a socket, which is told what happens to the socket besides. */
export interface Over {
  /** The socket is connected, or has failed to connect with this error and is about to be closed. */
  connected(error?: unknown): void
  /** The socket's time has ended. */
  ended(): void
  /** What the stream has received and nobody was given. */
  unread(): Uint8Array | null
}

export class Link {
  readonly reading: Lane
  readonly writing: Lane
  /** The default for operations that name no timeout, in milliseconds. */
  timeout = Infinity
  /** Whether its waiting operations keep the process alive. */
  referenced = true
  /** How many of its operations wait. */
  waiting = 0
  /** When it was opened, as `Date.now()`. */
  readonly since = Date.now()
  /** Whose it is; kept by leak.ts. Held only for its first moment, so that it can be collected. */
  fresh: Socket | undefined = undefined
  watched: WeakRef<Socket> | undefined = undefined
  /** The same, held while an operation waits: who waits for a socket need not hold it. */
  pinned: Socket | undefined = undefined
  /** Where that was made. */
  birth = ''
  /** What has broken the connection. The system tells it once, to whoever asks first; here it stays known. */
  broken = 0
  /** An operation that has ended well, for the next one to be. */
  spare: Receive | undefined = undefined
  /** Received but not consumed: what an operation that ended badly gave back. */
  unread: Uint8Array | null = null
  /** The same of datagrams: the system had put them into one with others. */
  datagrams: Datagram[] | null = null
  /** The system may put several datagrams into one. */
  coalesces = false
  /** It has just done so with many. */
  bundled = false
  /** The local port, once somebody had to know it. */
  port: number | undefined = undefined
  /** Told when its time has ended. */
  onEnd: (() => void) | undefined = undefined
  /** Who has read ahead. */
  ahead: Set<Ahead> | undefined = undefined
  /** The streams over the socket. Not held: they hold the socket, which would never be collected. */
  over: WeakRef<Over>[] | undefined = undefined

  /**
   * `stream`: bytes without boundaries, so that a short count means that nothing is left. Not so with unix streams: a receive
   * stops behind bytes that came with a descriptor. `own`: the events of the handle are for this link.
   */
  constructor(public handle: Handle, readonly stream: boolean, private readonly own = true) {
    this.reading = new Lane(this)
    this.writing = new Lane(this)
    if (own) holdLink(this)
  }

  /** Whose it is, unless that has been collected. */
  get owner(): Socket | undefined {
    return this.fresh ?? this.watched?.deref()
  }

  /** Receives bytes of a stream: the count, 0 at its end, or a negative error number. */
  receive(into: Uint8Array): number {
    return recv(this.handle, into)
  }

  /** What there is of a stream, if it lies in a Buffer of its own already, of no more than so many bytes. */
  chunk(_maxLength: number): Buffer | null {
    return null
  }

  /** The error for a number that this link has given. */
  error(code: number, syscall: string): Error {
    return systemError(code, syscall)
  }

  /** Ends its time on this thread: `part` parts with the handle, then all who wait end. Returns what `part` does; once, then 0. */
  end(part: (handle: Handle) => number): number {
    const { handle } = this
    if (handle < 0) return 0
    this.handle = -1
    if (this.own) forgetLink(handle)
    stopWatching(this)
    const code = part(handle)
    this.reading.close()
    this.writing.close()
    this.onEnd?.()
    for (const over of this.over ?? []) over.deref()?.ended()
    return code
  }

  /** Ends it because it is not known any more what has been received or sent. */
  collapse(): void {
    this.end(closeHandle)
  }

  /** Remembers who has read ahead, and forgets who has nothing of it any more. */
  holdAhead(ahead: Ahead): void {
    const all = (this.ahead ??= new Set())
    for (const other of all) if (other.length === 0) all.delete(other)
    all.add(ahead)
  }

  /** Remembers a stream over the socket. */
  lay(over: Over): void {
    ;(this.over ??= []).push(new WeakRef(over))
  }

  /** Tells the streams that the socket is connected, or why it is not. */
  tellConnected(error?: unknown): void {
    for (const over of this.over ?? []) over.deref()?.connected(error)
  }

  /** Takes from readers what they have read ahead, for whoever receives next. */
  takeAhead(): void {
    for (const ahead of [...this.ahead ?? []].toReversed()) {
      if (ahead.length === 0) continue
      this.unread = Buffer.concat([ahead.rest(), this.unread ?? Buffer.alloc(0)])
      ahead.skip(ahead.length)
      this.reading.refill()
    }
  }

  /** How many bytes have been received and given out. */
  get bytesRead(): number {
    return this.reading.bytes - (this.unread?.length ?? 0)
  }

  /** How many bytes were received but not given out, those included that operations have which wait for more. */
  countUnread(): number {
    let count = this.allUnread()?.length ?? 0
    for (const { data } of this.datagrams ?? []) count += data.length
    for (const operation of this.reading.waiters()) count += operation.held
    return count
  }

  /** All that was received but not given out, in its order. What readers and streams have read ahead came before what was given back since. */
  allUnread(): Uint8Array | null {
    const parts: Uint8Array[] = [...this.ahead ?? []].filter(ahead => ahead.length > 0).map(ahead => ahead.rest())
    for (const over of this.over ?? []) {
      const unread = over.deref()?.unread() ?? null
      if (unread !== null) parts.push(unread)
    }
    if (this.unread !== null) parts.push(this.unread)
    return parts.length > 1 ? Buffer.concat(parts) : (parts[0] ?? null)
  }

  setReferenced(on: boolean): void {
    if (this.referenced === on) return
    this.referenced = on
    referencedChanged(this)
  }
}
