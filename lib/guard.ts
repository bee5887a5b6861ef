/** Deadlines and abort signals of operations. */
import { clearTimeout, setTimeout } from 'node:timers'
import { rangeError, typeError } from './errors.js'
import type { Operation, OperationOptions } from './operation.js'

/** The longest a timer of the runtime waits; a longer deadline is waited for in pieces. */
export const LONGEST_TIMER = 0x7fff_ffff

/**
 * Puts an operation under the deadline and the signal its options ask for, `timeout` where they name none. `false` when
 * that has ended it: a wrong option, or a signal that is aborted already.
 */
export function guard(operation: Operation, options: OperationOptions | undefined, timeout: number): boolean {
  try {
    const { signal, timeout: limit } = checked(options)
    if (signal?.aborted) {
      operation.fail(() => signal.reason as unknown)
      return false
    }
    operation.timeout = limit ?? timeout
    if (operation.timeout !== Infinity && operation.timeout > 0) setDeadline(operation)
    if (signal !== undefined) heed(signal, operation)
    return true
  } catch (error) {
    operation.fail(() => error)
    return false
  }
}

/** Checks the options of an operation, and throws what is wrong with them. */
export function checked(options: OperationOptions | undefined): OperationOptions {
  if (options === undefined) return {}
  if (typeof options !== 'object' || options === null) throw typeError('op', 'an object with signal or timeout', options)
  const { signal, timeout } = options
  if (timeout !== undefined) checkTimeout('op.timeout', timeout)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw typeError('op.signal', 'an AbortSignal', signal)
  return { signal, timeout }
}

/** Checks a time in milliseconds: 0 or more, `Infinity` included. */
export function checkTimeout(name: string, timeout: unknown): asserts timeout is number {
  if (typeof timeout !== 'number') throw typeError(name, 'a number of milliseconds', timeout)
  if (!(timeout >= 0)) throw rangeError(name, '0 or more milliseconds', timeout)
}

/** The options for a step of an operation whose deadline was set when it began. */
export function remaining(options: OperationOptions, deadline: number): OperationOptions {
  return { signal: options.signal, timeout: Math.max(deadline - performance.now(), 0) }
}

/** Takes the deadline and the signal off. */
export function forget(operation: Operation): void {
  clearTimeout(operation.timer)
  operation.timer = undefined
  if (operation.signal !== undefined) leave(operation.signal, operation)
  operation.signal = undefined
}

function setDeadline(operation: Operation): void {
  operation.deadline = performance.now() + operation.timeout
  startTimer(operation, operation.timeout)
}

/** Has an operation whose deadline was put off go on waiting. */
export function postpone(operation: Operation): void {
  clearTimeout(operation.timer)
  startTimer(operation, operation.deadline - performance.now())
}

/** A timer never keeps the process alive: the operation does, while it counts. */
function startTimer(operation: Operation, wait: number): void {
  operation.timer = setTimeout(expire, Math.min(Math.ceil(wait), LONGEST_TIMER), operation).unref()
}

function expire(operation: Operation): void {
  const rest = operation.deadline - performance.now()
  if (rest > 1) startTimer(operation, rest)
  else operation.expire()
}

// One listener per signal, however many operations heed it: one signal for a whole server is normal.
const heeding = new WeakMap<AbortSignal, Set<Operation>>()

function heed(signal: AbortSignal, operation: Operation): void {
  operation.signal = signal
  let operations = heeding.get(signal)
  if (operations === undefined) {
    operations = new Set()
    heeding.set(signal, operations)
    signal.addEventListener('abort', aborted, { once: true })
  }
  operations.add(operation)
}

function leave(signal: AbortSignal, operation: Operation): void {
  const operations = heeding.get(signal)
  if (operations === undefined) return
  operations.delete(operation)
  if (operations.size === 0) {
    heeding.delete(signal)
    signal.removeEventListener('abort', aborted)
  }
}

function aborted(this: AbortSignal): void {
  const operations = heeding.get(this)
  if (operations === undefined) return
  for (const operation of [...operations]) operation.cancel(() => this.reason as unknown)
}
