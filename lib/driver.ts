/**
 * Drives the operations of this JavaScript thread.
 *
 * While there is nothing to do the poller's thread owns the poll and waits in it. When something is ready it hands the poll
 * over and calls `deliver`, once. From then on the poll is ours: a `setImmediate` polls, without waiting, once per turn of
 * the runtime's own loop, for as long as there is something; after a few polls in vain the poll goes back to the thread.
 * So work costs no thread switch per event, and idleness costs nothing.
 */
import { clearImmediate, setImmediate, setTimeout } from 'node:timers'
import { systemError } from './errors.js'
import type { Lane } from './lane.js'
import type { Link } from './link.js'
import { native, type Handle, type LookupCallback } from './native.js'

/** How many events one poll brings at most. */
const RING_EVENTS = 1024
const INDEX_MASK = 0xfffff

/** What a socket is ready for, as the poller says it. */
const READABLE = 1
const WRITABLE = 2
const ERROR = 4
const READ_CLOSED = 8
const WRITE_CLOSED = 16

/** The most polls in vain before the poll goes back, and how soon (ms) a delivery must follow to say that it went back too
 * early. Measured with one connection's ping-pong: 63 µs a round trip with one poll in vain, 28 µs with this. */
const MOST_PATIENCE = 16
const TOO_EARLY = 0.06

/** How long (ms) all lanes together take steps in one turn, and after how many steps the clock is looked at. Many busy sockets, or
 * new ones again and again, would else make a turn without an end. */
const TURN_TIME = 15
const STEPS_PER_LOOK = 64

/** The counters that others read. */
export const loop = {
  /** The number of the driver's current turn, the steps that all lanes have taken in it, and whether its time is used up. */
  turn: 1,
  steps: 0,
  over: false,
  /** How many operations wait, and how many of them keep the process alive. */
  waiting: 0,
  counted: 0,
  /** How many operations that waited have ended. */
  completed: 0,
  /** Nothing is dequeued, but for those who ask for it by `poll`. */
  stopped: false
}

/** Someone whose waiting operations are counted together. */
export interface Counted {
  waiting: number
  readonly referenced: boolean
}

const ring = new Int32Array(2 * RING_EVENTS)
const links: (Link | undefined)[] = []

let ours = true
/** Deliveries that are on their way although we took the poll ourselves. */
let stale = 0
let inVain = 0
let patience = 1
let gaveAt = -Infinity
let immediate: NodeJS.Immediate | undefined
let immediateCounts = false
let deliveryCounts = false
let deferred: Lane[] = []
let turnBegan = 0
/** Calls of `poll` in progress: they dequeue also while the loop is stopped. */
let steppers = 0
/** Told after each turn, and when nothing waits any more. */
let onTurn: () => void = () => {}
let onIdle: () => void = () => {}

/** Installs the callbacks into native code; once. */
export function install(resolved: LookupCallback): void {
  native.start(native.environment, deliver, resolved)
}

/** Installs those who watch the loop: called after each turn, and when nothing waits any more. */
export function observe(turned: () => void, idle: () => void): void {
  onTurn = turned
  onIdle = idle
}

/** A socket is open. */
export function holdLink(link: Link): void {
  links[link.handle & INDEX_MASK] = link
}

/** A socket is not open any more. */
export function forgetLink(handle: Handle): void {
  links[handle & INDEX_MASK] = undefined
}

/** The open sockets. */
export function* openLinks(): Generator<Link, void, undefined> {
  for (const link of links) if (link !== undefined) yield link
}

/** An operation begins to wait. */
export function began(who: Counted): void {
  who.waiting++
  loop.waiting++
  if (who.referenced && loop.counted++ === 0) balance()
  if (ours && immediate === undefined && dequeuing()) arm()
}

/** An operation that waited has ended. */
export function ended(who: Counted): void {
  who.waiting--
  loop.waiting--
  loop.completed++
  // While the poll is ours the next turn sees to it, and by then someone may count again.
  if (who.referenced && --loop.counted === 0 && !ours) balance()
  if (loop.waiting === 0) onIdle()
  // An operation can end outside of a turn, too: by its deadline, its signal, or because its socket is closed.
  if (steppers > 0) onTurn()
}

/** Whether its operations count has just changed. */
export function referencedChanged(who: Counted): void {
  loop.counted += who.referenced ? who.waiting : -who.waiting
  balance()
}

/** Counts a step of a lane. `false` when the time of this turn is used up. */
export function stepInTurn(): boolean {
  if (++loop.steps % STEPS_PER_LOOK === 0) {
    // Without a next turn in sight, this one has been going on for nobody knows how long: it is measured from here.
    if (immediate === undefined) arm()
    else if (performance.now() - turnBegan > TURN_TIME) loop.over = true
  }
  return !loop.over
}

/** Runs a lane in the next turn: it could go on, but others have a right to theirs. */
export function defer(lane: Lane): void {
  if (lane.deferred) return
  lane.deferred = true
  deferred.push(lane)
  if (immediate === undefined) arm()
  else if (!immediateCounts) balance()
}

/** Dequeues nothing from now on; what waits goes on waiting, and keeps nothing alive meanwhile. */
export function halt(): void {
  loop.stopped = true
  settle()
}

/** Dequeues again. */
export function resume(): void {
  loop.stopped = false
  settle()
}

/** Begins to dequeue for a caller of `poll`. */
export function beginStep(): void {
  steppers++
  settle()
}

/** Ends to dequeue for a caller of `poll`. */
export function endStep(): void {
  steppers--
  settle()
}

/** Moves to the poller of that handle; negative when this process has none. Only while no socket is open. */
export function movePoller(handle: number): number {
  if (!ours) take()
  const code = native.sharePoller(handle)
  settle()
  return code
}

/** One turn at once, on the caller's stack; waits for events up to `timeout` ms (-1: for ever), blocking this thread. */
export function turn(timeout: number): void {
  if (!ours) take()
  step(deferred.length > 0 ? 0 : timeout)
  settle()
}

/** Whether events are dequeued. */
function dequeuing(): boolean {
  return !loop.stopped || steppers > 0
}

/** Brings who owns the poll in line with whether events are wanted. */
function settle(): void {
  if (!dequeuing()) {
    if (!ours) take()
  } else if (ours && immediate === undefined) {
    arm()
  }
  balance()
}

/** Called when the poller's thread has handed the poll over. */
function deliver(): void {
  if (stale > 0) {
    stale--
    return
  }
  ours = true
  inVain = 0
  patience = performance.now() - gaveAt < TOO_EARLY ? Math.min(patience * 2, MOST_PATIENCE) : Math.max(patience >> 1, 1)
  tick()
}

function tick(): void {
  clearImmediate(immediate)
  immediate = undefined
  const busy = deferred.length > 0
  if (!ours || !dequeuing()) {
    nextTurn()
    if (busy) runDeferred()
  } else {
    // The next turn is arranged before anything runs, so that no exception can strand the poll.
    arm()
    const events = step(0)
    if (events > 0 || busy) inVain = 0
    else if (++inVain >= patience) give()
  }
  onTurn()
}

/** Polls and dispatches: one turn. */
function step(timeout: number): number {
  nextTurn()
  if (deferred.length > 0) runDeferred()
  const events = native.poll(ring, timeout)
  if (events < 0) throw systemError(events, 'poll')
  dispatch(events)
  return events
}

function dispatch(events: number): void {
  for (let i = 0; i < 2 * events; i += 2) {
    const handle = ring[i] as number
    const flags = ring[i + 1] as number
    const link = links[handle & INDEX_MASK]
    // An event for a socket that was closed, in this turn or before, finds nobody or a stranger.
    if (link === undefined || link.handle !== handle) continue
    try {
      if ((flags & (READABLE | READ_CLOSED | ERROR)) !== 0) link.reading.wake((flags & (READ_CLOSED | ERROR)) !== 0)
      // A socket that is readable is reported as writable, too, nearly always: not news to a lane that never was blocked.
      if ((flags & (WRITE_CLOSED | ERROR)) !== 0) link.writing.wake(true)
      else if ((flags & WRITABLE) !== 0 && !link.writing.ready) link.writing.wake(false)
    } catch (error) {
      // A bug of ours. It is told, but the events of the other sockets are not lost for it.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

function nextTurn(): void {
  loop.turn++
  loop.steps = 0
  loop.over = false
}

function runDeferred(): void {
  const lanes = deferred
  deferred = []
  for (const lane of lanes) {
    lane.deferred = false
    lane.run()
  }
}

function arm(): void {
  if (immediate !== undefined) return
  immediate = setImmediate(tick)
  turnBegan = performance.now()
  immediateCounts = true
  balance()
}

/** Takes the poll from the thread. */
function take(): void {
  if (native.takePoll() === 1) stale++
  ours = true
}

/** Gives the poll to the thread. */
function give(): void {
  if (native.givePoll() < 0) {
    // No thread is to be had: poll by a timer until there is one.
    clearImmediate(immediate)
    immediate = undefined
    setTimeout(arm, 10)
    return
  }
  clearImmediate(immediate)
  immediate = undefined
  ours = false
  inVain = 0
  gaveAt = performance.now()
  balance()
}

/** Keeps the process alive for those who count, and for nobody else: by the immediate, or by the delivery we wait for. */
function balance(): void {
  const wanted = loop.counted > 0 && dequeuing()
  if (immediate !== undefined && immediateCounts !== (wanted || deferred.length > 0)) {
    immediateCounts = !immediateCounts
    if (immediateCounts) immediate.ref()
    else immediate.unref()
  }
  if (deliveryCounts !== (wanted && (!ours || deliveryCounts))) {
    deliveryCounts = !deliveryCounts
    native.keepAlive(deliveryCounts ? 1 : 0)
  }
}
