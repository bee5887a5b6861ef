/**
 * One direction of a socket: who waits for it, and whether the system would block.
 *
 * An operation is attempted at once when nobody waits before it; when the system would block it joins the queue, and the
 * driver runs the lane when the poller says that the socket is ready again. So the operations of a lane complete in the order
 * they were called, and the two lanes of a socket never wait for each other.
 */
import { began, defer, ended, loop, stepInTurn } from './driver.js'
import { closedError, timeoutError } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import type { Operation, OperationOptions } from './operation.js'
import type { Socket } from './socket.js'

/** How many steps a lane takes per turn of the loop. Measured: without a limit a flooding peer holds up timers for a second,
 * with 16 for 8 ms. */
const BUDGET = 16

const { SHORT_READ_DRAINS } = native

export class Lane {
  head: Operation | null = null
  #tail: Operation | null = null
  /** Trying makes sense: nothing says that the system would block. */
  ready = true
  /** The poller watches. */
  #watched = false
  /** It does, and this is a stream, so a short count means that nothing is left, and what comes next will be reported. */
  #shortMeansNone = false
  /** The peer has hung up, or there is an error to be read: more can be there than a short count tells. */
  #hangup = false
  #turn = 0
  #steps = 0
  /** How many bytes went this way. */
  bytes = 0
  /** It waits for the next turn in the driver's list. */
  deferred = false

  constructor(readonly link: Link) {}

  /** Nobody waits, and nothing is known against trying. */
  get free(): boolean {
    return this.head === null && this.ready
  }

  /** Whether an operation may be tried right now: it is free, and its turn not used up. */
  open(): boolean {
    return this.free && this.#step()
  }

  /**
   * Tries an operation, and queues it when it would block. `owner` is not collected while it waits; it is the link's unless the
   * caller, who has it at hand, saves the search.
   */
  submit<T>(operation: Operation<T>, options: OperationOptions | undefined, owner = this.link.owner): Promise<T> {
    const promise = operation.promise()
    const { timeout } = this.link
    if (options !== undefined || timeout !== Infinity) {
      if (!operation.heed(options, timeout)) return promise
    }
    if (this.link.handle < 0) {
      operation.fail(() => closedError(operation.syscall))
      return promise
    }
    if (operation.timeout !== 0) {
      this.enter(operation, owner)
      return promise
    }
    // What has become ready may not have been dequeued yet. Who cannot wait for that asks the system itself.
    this.ready = true
    while (this.head === null && this.ready) {
      this.#step()
      try {
        if (operation.attempt()) return promise
      } catch (error) {
        this.#broken(operation, error)
        return promise
      }
    }
    operation.fail(() => timeoutError(operation.syscall, 0))
    return promise
  }

  /** Tries an operation, whether or not it has a promise, and queues it when it would block. Whether it was settled. */
  enter(operation: Operation, owner: Socket | undefined): boolean {
    if (loop.stopped) this.ready = true
    while (this.head === null && this.ready && this.#step()) {
      // Here, and not in a function of its own: ten lines of stack have to reach the caller.
      try {
        if (operation.attempt()) return true
      } catch (error) {
        return this.#broken(operation, error)
      }
    }
    this.#append(operation, owner)
    return false
  }

  /** The poller, or the driver's next turn, says that trying makes sense. */
  wake(hangup: boolean): void {
    this.ready = true
    if (hangup) this.#hangup = true
    this.run()
  }

  /** Takes steps for those who wait, in their order, as long as the system and the budget allow. */
  run(): void {
    while (this.head !== null && this.ready) {
      if (!this.#step()) {
        defer(this)
        return
      }
      const operation = this.head
      try {
        if (operation.attempt()) this.#unlink(operation)
      } catch (error) {
        this.#broken(operation, error)
      }
    }
  }

  /** A step moved `done` of at most `asked` bytes. Fewer means that the system has no more, without asking it again. */
  moved(done: number, asked: number): void {
    this.bytes += done
    if (done < asked && this.#shortMeansNone && !this.#hangup) this.ready = false
  }

  /** A step was worth so many. */
  charge(steps: number): void {
    this.#steps += steps - 1
  }

  /** A step took all that the system had. Once the poller watches, what comes next will be reported. */
  drained(): void {
    if (this.#watched && SHORT_READ_DRAINS && !this.#hangup) this.ready = false
  }

  /** A step found that the system would block; from now on the poller watches. */
  blocked(): void {
    this.ready = false
    this.#watched = true
    this.#shortMeansNone = SHORT_READ_DRAINS && this.link.stream
  }

  /** An obstacle of ours is in the way, until `wake` or `refill`. */
  hold(): void {
    this.ready = false
  }

  /** Trying makes sense again, without the system having said so: something was given back, or an obstacle of ours is gone. */
  refill(): void {
    this.ready = true
    if (this.head !== null) defer(this)
  }

  /** Takes an operation out that ends before its turn. The next one may find the way free. */
  remove(operation: Operation): void {
    const first = this.head === operation
    this.#unlink(operation)
    if (first && this.head !== null && this.ready) defer(this)
  }

  /** The last try of an operation whose time is up: what it waits for may be there and not dequeued yet. Whether it is settled. */
  lastTry(operation: Operation): boolean {
    try {
      if (this.head !== operation || !operation.attempt()) return false
    } catch (error) {
      return this.#broken(operation, error)
    }
    this.remove(operation)
    return true
  }

  /** Those who wait, in their order. */
  *waiters(): Iterable<Operation> {
    for (let operation = this.head; operation !== null; ) {
      const { next } = operation
      yield operation
      operation = next
    }
  }

  /** Ends all who wait: the socket is closed. */
  close(): void {
    this.ready = false
    while (this.head !== null) {
      const operation = this.head
      operation.cancel(() => closedError(operation.syscall))
    }
  }

  /**
   * A step has thrown: it found no memory for what comes, or has a bug of ours. What it had taken may be lost then, and nobody shall take
   * the rest for all of it: the socket ends with it.
   */
  #broken(operation: Operation, error: unknown): true {
    if (operation.lane !== null) this.#unlink(operation)
    operation.abandon(error)
    this.link.collapse()
    return true
  }

  #append(operation: Operation, owner: Socket | undefined): void {
    operation.waiting = true
    operation.lane = this
    operation.previous = this.#tail
    if (this.#tail === null) this.head = operation
    else this.#tail.next = operation
    this.#tail = operation
    this.link.pinned = owner
    began(this.link)
    if (this.ready) defer(this)
  }

  #unlink(operation: Operation): void {
    const { previous, next } = operation
    if (previous === null) this.head = next
    else previous.next = next
    if (next === null) this.#tail = previous
    else next.previous = previous
    operation.previous = operation.next = operation.lane = null
    ended(this.link)
    if (this.link.waiting === 0) this.link.pinned = undefined
  }

  /** Counts a step against the budgets of this turn. */
  #step(): boolean {
    if (this.#turn !== loop.turn) {
      this.#turn = loop.turn
      this.#steps = 0
    }
    return ++this.#steps <= BUDGET && stepInTurn()
  }
}
