/** Waits for what comes, for someone who is called again and again: no promise is made per chunk. */
import type { AsyncResource } from 'node:async_hooks'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation } from './operation.js'
import { readNew, SCRATCH_LENGTH } from './receive.js'

const { WOULD_BLOCK } = native

interface Teller {
  tell(): void
}

/** Those that have something to tell. They tell together, once no lane is running any more: that runs code of the user's. */
export class Batch {
  #tellers: Teller[] = []

  /** `schedule` has a function called soon. */
  constructor(private readonly schedule: (tell: () => void) => void) {}

  add(teller: Teller): void {
    if (this.#tellers.push(teller) === 1) this.schedule(this.#tell)
  }

  readonly #tell = (): void => {
    const tellers = this.#tellers
    this.#tellers = []
    let next = 0
    try {
      while (next < tellers.length) (tellers[next++] as Teller).tell()
    } finally {
      // What a listener throws is its own affair; the others are told all the same.
      if (next < tellers.length) {
        if (this.#tellers.length === 0) this.schedule(this.#tell)
        this.#tellers.unshift(...tellers.slice(next))
      }
    }
  }
}

const batch = new Batch(queueMicrotask)

/** One per stream: it joins the lane, receives, tells, and can join again. */
export class Intake extends Operation<never> {
  get syscall(): string {
    return 'read'
  }

  /** What has come and was not taken: a new Buffer, empty at the end of the stream, or the number of an error. */
  outcome: Buffer | number | undefined = undefined

  /** `told` is called within `scope`: in the asynchronous context of its stream, not of whoever made the loop turn. */
  constructor(protected readonly link: Link, protected readonly scope: AsyncResource, protected readonly told: () => void) {
    super()
  }

  /** Neither in the lane nor with an outcome. */
  get idle(): boolean {
    return this.lane === null && this.outcome === undefined
  }

  /** Gives the outcome out, which is there. */
  take(): Buffer | number {
    const outcome = this.outcome as Buffer | number
    this.outcome = undefined
    return outcome
  }

  attempt(): boolean {
    const outcome = readNew(this.link, SCRATCH_LENGTH)
    if (outcome === WOULD_BLOCK) return false
    this.outcome = outcome
    if (this.waiting) {
      this.waiting = false
      batch.add(this)
    }
    return true
  }

  /** Says that something has come. */
  tell(): void {
    if (this.outcome !== undefined) this.scope.runInAsyncScope(this.told)
  }

  /** The socket is closed, of which its stream hears otherwise. */
  override fail(): true {
    this.waiting = false
    return true
  }
}
