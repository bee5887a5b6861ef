/**
 * What the driver holds of an open socket: its handle and its lanes. The `Socket` that the user holds is not reachable from
 * here except through the operations that wait, so a forgotten socket can be collected, and is closed then.
 */
import { forgetLink, holdLink, referencedChanged } from './driver.js'
import { Lane } from './lane.js'
import { stopWatching } from './leak.js'
import { native, type Handle } from './native.js'
import type { Receive } from './receive.js'
import type { Socket } from './socket.js'

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
  /** Whose it is. */
  owner: WeakRef<Socket> | undefined = undefined
  /** The same, held while an operation waits: who waits for a socket need not hold it. */
  pinned: Socket | undefined = undefined
  /** What has broken the connection. The system tells it once, to whoever asks first; here it stays known. */
  broken = 0
  /** An operation that has ended well, for the next one to be. */
  spare: Receive | undefined = undefined
  /** Received but not consumed: what an operation that ended badly gave back. */
  unread: Uint8Array | null = null

  /**
   * `stream`: bytes without boundaries, so that a short count means that nothing is left. Not so with unix streams: a receive
   * stops behind bytes that came with a descriptor.
   */
  constructor(public handle: Handle, readonly stream: boolean) {
    this.reading = new Lane(this)
    this.writing = new Lane(this)
    holdLink(this)
  }

  /** Closes the descriptor, then ends all who wait. Once; `reset`: with RST. */
  close(reset: boolean): number {
    const { handle } = this
    if (handle < 0) return 0
    this.handle = -1
    this.unread = null
    forgetLink(handle)
    stopWatching(this)
    const code = native.close(handle, reset ? 1 : 0)
    this.reading.close()
    this.writing.close()
    return code
  }

  setReferenced(on: boolean): void {
    if (this.referenced === on) return
    this.referenced = on
    referencedChanged(this)
  }
}
