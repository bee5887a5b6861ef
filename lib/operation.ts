/** One operation, from its call to its end: the promise, the deadline, the signal, the error that leads to the caller. */
import { SocketError, timeoutError } from './errors.js'
import { forget, guard } from './guard.js'
import type { Lane } from './lane.js'

/** How long to wait, and whom to heed meanwhile. Nothing is lost by giving up: what was not received stays receivable. */
export interface OperationOptions {
  /** Rejects with the signal's reason when it aborts. */
  signal?: AbortSignal | undefined
  /** Milliseconds; `undefined`: the socket's own `timeout`; `Infinity`: for ever; 0: only what can be done now. Past it: `ETIMEDOUT`. */
  timeout?: number | undefined
}

/** As long as it takes, whatever the socket's own time: for who has other ways to give up. */
export const PATIENTLY: OperationOptions = { timeout: Infinity }

// What a promise is resolved with is checked where it is said, in `succeed`.
type Resolve = (value: unknown) => void

// A promise's function comes out through this, so that no closure is made per operation.
let resolveOfLast: Resolve
function executor(resolve: Resolve): void {
  resolveOfLast = resolve
}

export abstract class Operation<T = unknown> {
  /** The operation's name in errors. */
  abstract get syscall(): string
  /** Its neighbours in its lane, while it waits there. */
  previous: Operation | null = null
  next: Operation | null = null
  lane: Lane | null = null
  /** Kept by guard.ts. */
  timeout = Infinity
  deadline = Infinity
  timer: NodeJS.Timeout | undefined = undefined
  signal: AbortSignal | undefined = undefined
  /** The call has returned; whoever made it awaits. */
  waiting = false
  #resolve: Resolve | undefined = undefined

  /**
   * Takes one step, and says whether that settled it; when not, either the lane is not ready any more or another step can
   * follow. Runs no code of the user's.
   */
  abstract attempt(): boolean

  /** How many bytes it has taken, and would give back if it ended now. */
  get held(): number {
    return 0
  }

  /** Gives back what it has taken; called once, when it ends badly. */
  release(): void {}

  /** Adds what it knows to an error of ours that is about to be its end. */
  annotate(_error: SocketError): void {}

  /** Makes its promise. */
  promise(): Promise<T> {
    const promise = new Promise<T>(executor as (resolve: (value: T) => void) => void)
    this.#resolve = resolveOfLast
    return promise
  }

  /** Heeds a deadline and a signal from now on. `false` when one of them has ended it already. */
  heed(options: OperationOptions | undefined, timeout: number): boolean {
    return guard(this, options, timeout)
  }

  /** Ends well. Returns `true`, for `attempt` to return. */
  succeed(value: T): true {
    if (this.timer !== undefined || this.signal !== undefined) forget(this)
    this.#end(value)
    return true
  }

  /**
   * Ends badly. `make` is called where the error's stack leads to the caller's line: at once, while the caller is still
   * below us on the stack, and otherwise in a microtask, from which V8 finds the function that awaits. So success pays
   * nothing for it. Returns `true`, for `attempt` to return.
   */
  fail(make: () => unknown): true {
    if (this.timer !== undefined || this.signal !== undefined) forget(this)
    this.release()
    if (this.waiting) {
      this.#end(rejection(this, make))
      return true
    }
    // Made right here: a stack has ten lines, and the caller's must be among them.
    const error = make()
    if (error instanceof SocketError) this.annotate(error)
    this.#end(Promise.reject(error))
    return true
  }

  /** Ends badly in the middle of a step, when there is nothing that could be given back. */
  abandon(error: unknown): void {
    this.release = () => {}
    this.fail(() => error)
  }

  /** Ends badly from outside of its lane, which it leaves. */
  cancel(make: () => unknown): void {
    this.lane?.remove(this)
    this.fail(make)
  }

  /** Its time is up. */
  expire(): void {
    if (this.lane?.lastTry(this)) return
    this.cancel(() => timeoutError(this.syscall, this.timeout))
  }

  /** The error that `make` makes, with what the operation knows. */
  error(make: () => unknown): unknown {
    const error = make()
    if (error instanceof SocketError) this.annotate(error)
    return error
  }

  #end(outcome: unknown): void {
    const resolve = this.#resolve as Resolve
    this.#resolve = undefined
    resolve(outcome)
  }
}

/**
 * Runs what may throw, for a promise: nothing is thrown by a call that returns one. Not an async function, because those settle
 * some microtasks later, and operations of one direction complete in their order.
 */
export function promised<T>(act: () => Promise<T>): Promise<T> {
  try {
    return act()
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Rejects after the promise that resolves to this one has begun to listen: only then does V8 see who awaits it. */
async function rejection(operation: Operation, make: () => unknown): Promise<never> {
  await null
  await null
  throw operation.error(make)
}
