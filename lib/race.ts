/** Several attempts to connect, each begun before the one before it has failed, of which the first to connect wins (RFC 8305, section 5). */
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import type { Address } from './address.js'
import type { Reach } from './connection.js'
import { SocketError, timeoutError } from './errors.js'
import { LONGEST_TIMER, remaining } from './guard.js'
import { Operation } from './operation.js'
import type { TcpSocket } from './tcp.js'

/** What a race keeps to. */
export interface Limits extends Reach {
  /** How long an attempt has to itself. */
  readonly attemptDelay: number
}

/** An attempt has no time of its own. */
const FOR_EVER: Reach = { signal: undefined, timeout: Infinity, deadline: Infinity }

/** A race, as one operation: it resolves to the winner, and whatever ends it closes all others. */
export class Race extends Operation<TcpSocket> {
  readonly syscall = 'connect'
  readonly #addresses: readonly Address[]
  readonly #open: (address: Address) => TcpSocket
  readonly #limits: Limits
  /** Those that are under way. */
  readonly #racing = new Set<TcpSocket>()
  /** By the place of their address. */
  readonly #failures: SocketError[] = []
  #begun = 0
  #delay: NodeJS.Timeout | undefined
  #over = false

  /** `open` makes the socket for an address. */
  constructor(addresses: readonly Address[], open: (address: Address) => TcpSocket, limits: Limits) {
    super()
    this.#addresses = addresses
    this.#open = open
    this.#limits = limits
  }

  /** Once. */
  run(): Promise<TcpSocket> {
    const { signal, timeout, deadline } = this.#limits
    const promise = this.promise()
    if (!this.heed(timeout === Infinity ? { signal } : remaining({ signal }, deadline), Infinity)) return promise
    this.waiting = true
    void this.#attempts()
    if (this.timeout === 0) this.expire()
    return promise
  }

  attempt(): boolean {
    return false
  }

  /** Ended badly. */
  override release(): void {
    this.#end(undefined)
  }

  /** What the time has just been enough for may be there and not dequeued yet. */
  override expire(): void {
    this.#anyDecided()
    setImmediate(() => {
      if (!this.#over) this.cancel(() => this.#late())
    })
  }

  /** An attempt, and when it fails the next one at once, as long as there is one. */
  async #attempts(): Promise<void> {
    while (this.#begun < this.#addresses.length) {
      const place = this.#begun++
      const address = this.#addresses[place] as Address
      this.#joinLater()
      let socket: TcpSocket | undefined
      try {
        socket = this.#open(address)
        this.#racing.add(socket)
        await socket.reach(address, FOR_EVER)
        this.#end(socket)
        this.succeed(socket)
      } catch (error) {
        if (socket !== undefined) this.#racing.delete(socket)
        socket?.close()
        if (!this.#over) this.#failures[place] = error as SocketError
      }
      if (this.#over) return
    }
    if (this.#racing.size === 0) this.fail(() => this.#allFailed())
  }

  /** Has the next attempt join this one after its time. */
  #joinLater(): void {
    clearTimeout(this.#delay)
    const { attemptDelay } = this.#limits
    // The longest delays are longer than any system tries.
    if (this.#begun < this.#addresses.length && attemptDelay <= LONGEST_TIMER) this.#join(attemptDelay, performance.now() + attemptDelay)
  }

  #join(wait: number, time: number): void {
    const join = (): void => {
      // Bun counts from when its turn began, and so too early after work.
      const rest = time - performance.now()
      if (rest > 1) this.#join(rest, time)
      // A thread that was busy hears of its timers before it hears of its sockets. Who is decided goes on by itself.
      else if (!this.#anyDecided()) void this.#attempts()
    }
    this.#delay = setTimeout(join, Math.ceil(wait)).unref()
  }

  #anyDecided(): boolean {
    // Each is asked.
    return [...this.#racing].filter(socket => socket.decided()).length > 0
  }

  /** Nobody races any more, and only the winner stays open. */
  #end(winner: TcpSocket | undefined): void {
    this.#over = true
    clearTimeout(this.#delay)
    this.#racing.delete(winner as TcpSocket)
    for (const socket of this.#racing) socket.close()
  }

  #allFailed(): SocketError {
    const [first] = this.#failures as [SocketError]
    const others = this.#failures.length - 1
    const message = `${first.message}, and ${others} other ${others === 1 ? 'address' : 'addresses'} failed, too`
    return new SocketError(message, { ...first, cause: this.#told() })
  }

  #late(): SocketError {
    const error = timeoutError(this.syscall, this.#limits.timeout)
    if (this.#failures.length > 0) error.cause = this.#told()
    return error
  }

  /** All failures, in the order of the attempts. They happened where nobody called; their stacks lead to the caller, too. */
  #told(): AggregateError {
    const failures = this.#failures.filter(failure => failure !== undefined)
    for (const failure of failures) Error.captureStackTrace(failure)
    return new AggregateError(failures, failures.map(({ message }) => message).join('; '))
  }
}
