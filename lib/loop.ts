/**
 * The loop, for those who want to run it themselves. Ordinary code never mentions it: it runs by itself as soon as something
 * waits.
 */
import { setImmediate } from 'node:timers'
import { beginStep, endStep, halt, loop as state, observe, openLinks, resume, turn } from './driver.js'
import { checkTimeout, LONGEST_TIMER } from './guard.js'
import type { Link } from './link.js'
import { native } from './native.js'
import type { Socket } from './socket.js'

/** How `start` ended. */
export type StartOutcome = 'stopped' | 'idle' | 'timeout'

/** What `loop.stats()` tells of an open socket. */
export interface SocketStats {
  /** The socket, unless it has been forgotten and is about to be closed. */
  socket: Socket | undefined
  /** When it was opened. */
  since: Date
  /** The operations that wait, in their order: `'recv'`, `'accept'`, `'send'`, `'connect'`. */
  waitingFor: string[]
}

/** Someone who waits for an event of the loop, and when. */
interface Watcher {
  ends: (outcome: StartOutcome) => void
  timeout: number
  timer: NodeJS.Timeout | undefined
}

const starters = new Set<Watcher>()
const steppers = new Set<(completed: boolean) => void>()
/** The threads that `newThread` has started and that have not ended. */
let threads = 0
let completedBefore = 0
let idleCheck = false

observe(turned, () => {
  if (starters.size > 0) checkIdle()
})

/** Tells those who wait for an event of the loop when operations have been completed since the last time. */
function turned(): void {
  if (state.completed === completedBefore) return
  completedBefore = state.completed
  for (const step of [...steppers]) step(true)
  for (const starter of starters) restartTimer(starter)
}

/**
 * Stops the loop: nothing is dequeued any more, and what waits goes on waiting, without keeping the process alive. What can be done
 * without waiting still is; lookups and deadlines are not the loop's and go on.
 */
export function stop(): void {
  halt()
  for (const starter of [...starters]) starter.ends('stopped')
}

/**
 * Dequeues again. Resolves `'stopped'` after `stop()`, `'idle'` when nothing waits any more and no thread of `newThread` is left,
 * `'timeout'` after `timeout` milliseconds without an event (the loop goes on: only `stop` stops it). Calls at the same time share
 * one run.
 *
 * Errors: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
 */
export async function start(timeout: number = Infinity): Promise<StartOutcome> {
  checkTimeout('timeout', timeout)
  resume()
  return await new Promise((resolve) => {
    const starter: Watcher = {
      timeout,
      timer: undefined,
      ends(outcome) {
        clearTimeout(starter.timer)
        starters.delete(starter)
        resolve(outcome)
      }
    }
    starters.add(starter)
    restartTimer(starter)
    checkIdle()
  })
}

/**
 * One step of a loop of one's own, after `stop()`: waits up to `timeout` milliseconds for something to be ready, lets those that wait
 * for it go on, and resolves `true` when an operation was completed by it. `false` after the time, and at once when nothing waits.
 *
 * Errors: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
 */
export async function poll(timeout: number = Infinity): Promise<boolean> {
  checkTimeout('timeout', timeout)
  if (step(0)) return true
  if (timeout === 0 || state.waiting === 0) return false
  // What ended before this call is no event of it.
  turned()
  beginStep()
  try {
    return await new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined
      const done = (completed: boolean): void => {
        clearTimeout(timer)
        steppers.delete(done)
        resolve(completed)
      }
      steppers.add(done)
      if (timeout <= LONGEST_TIMER) timer = setTimeout(done, Math.ceil(timeout), false)
    })
  } finally {
    endStep()
  }
}

/** How long native code blocks at most, in ms, chosen by feel: a worker that is terminated ends only once it is back in JavaScript. */
const LONGEST_BLOCK = 100

/**
 * As `poll`, but blocks the JavaScript thread while it waits. The functions that wait for the completed operation go on as soon as
 * the caller lets them.
 *
 * Errors, thrown: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
 */
export function pollSync(timeout: number = Infinity): boolean {
  checkTimeout('timeout', timeout)
  const end = performance.now() + timeout
  if (step(0)) return true
  for (;;) {
    // No timer of the runtime fires while the thread is blocked, so the deadlines of those who wait are looked at here.
    const next = nextDeadline()
    if (next === undefined) return false
    const until = Math.min(end, next)
    const wait = until - performance.now()
    if (step(Math.min(Math.max(Math.ceil(wait), 0), LONGEST_BLOCK))) return true
    const now = performance.now()
    if (next <= now && expire(now)) return true
    if (end <= now) return false
  }
}

/**
 * Starts an async function as a thread: it runs at once to where it first waits. Resolves to its result. `start` counts it; when it
 * throws, its own promise rejects and nothing else stops.
 */
export function newThread<Arguments extends unknown[], Result>(
  fn: (...args: Arguments) => Result | PromiseLike<Result>, ...args: Arguments
): Promise<Awaited<Result>> {
  threads++
  const run = async (): Promise<Awaited<Result>> => {
    try {
      return await fn(...args)
    } finally {
      threads--
      if (starters.size > 0) checkIdle()
    }
  }
  return run()
}

/** The loop of this JavaScript thread, to look at. */
export const loop = {
  /** Whether events are dequeued: `false` between `stop()` and `start()`. */
  get running(): boolean {
    return !state.stopped
  },
  /** How many operations wait. */
  get pending(): number {
    return state.waiting
  },
  /** How many sockets of this process, whichever thread's they were, have been detached and not attached. */
  get detached(): number {
    return native.detached()
  },
  /** The open sockets. */
  get sockets(): Iterable<Socket> {
    return openSockets()
  },
  /** Who is open, since when, and what each waits for. */
  stats(): SocketStats[] {
    return [...openLinks()].map((link) => ({
      socket: link.owner,
      since: new Date(link.since),
      waitingFor: waiters(link).map((operation) => operation.syscall)
    }))
  }
}

function* openSockets(): Iterable<Socket> {
  for (const link of openLinks()) {
    const socket = link.owner
    if (socket !== undefined) yield socket
  }
}

/** One turn; whether it completed an operation. */
function step(timeout: number): boolean {
  const before = state.completed
  turn(timeout)
  return state.completed !== before
}

function waiters(link: Link): { syscall: string; deadline: number; expire(): void }[] {
  return [...link.reading.waiters(), ...link.writing.waiters()]
}

/** The earliest deadline of the operations that wait for sockets; `undefined` when none waits. */
function nextDeadline(): number | undefined {
  let next: number | undefined
  for (const link of openLinks()) {
    for (const { deadline } of waiters(link)) next = Math.min(next ?? Infinity, deadline)
  }
  return next
}

function expire(now: number): boolean {
  let expired = false
  for (const link of openLinks()) {
    for (const operation of waiters(link)) {
      if (operation.deadline > now) continue
      operation.expire()
      expired = true
    }
  }
  return expired
}

function restartTimer(starter: Watcher): void {
  clearTimeout(starter.timer)
  if (starter.timeout <= LONGEST_TIMER) starter.timer = setTimeout(expireStarter, Math.ceil(starter.timeout), starter)
}

function expireStarter(starter: Watcher): void {
  starter.ends(idle() ? 'idle' : 'timeout')
}

function idle(): boolean {
  return state.waiting === 0 && threads === 0
}

/** Ends the starters when nothing waits; a turn later, since whoever has just gone on may wait again. */
function checkIdle(): void {
  if (idleCheck) return
  idleCheck = true
  setImmediate(() => {
    idleCheck = false
    if (!idle()) return
    for (const starter of [...starters]) starter.ends('idle')
  })
}
