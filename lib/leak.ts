/** A socket that is forgotten without being closed is closed when it is collected, and said, once per process. */
import { setTimeout } from 'node:timers'
import { closeHandle, type Link } from './link.js'
import type { Socket } from './socket.js'

/**
 * Where a socket came from, in words. Not the stack itself: until it is written out, V8 holds the objects whose methods are on it,
 * and with them the socket, for ever.
 */
export function birthHere(above: (...args: never[]) => unknown): string {
  const { stackTraceLimit } = Error
  const birth: { stack?: string } = {}
  Error.stackTraceLimit = 2
  Error.captureStackTrace(birth, above)
  Error.stackTraceLimit = stackTraceLimit
  return String(birth.stack).replace(/^.*\n/, '')
}

let warned = false

const registry = new FinalizationRegistry<Link>(link => {
  link.end(closeHandle)
  if (warned) return
  warned = true
  process.emitWarning('A socket was forgotten without close() and is closed now. It was made:\n' + link.birth, {
    type: 'SocketLeakWarning',
    code: 'SOCKET2_LEAK'
  })
})

let fresh: Link[] = []
let timer: NodeJS.Timeout | undefined

/** Watches until the socket is collected, or closed. From a millisecond later on: of connections that come and go many are closed by then. */
export function watchForLeak(socket: Socket, link: Link, birth: string): void {
  link.fresh = socket
  link.birth = birth
  if (fresh.push(link) > 1) return
  if (timer === undefined) timer = setTimeout(watchFresh, 1).unref()
  else timer.refresh()
}

/** Stops watching: the socket has been closed. Else the many that come and go would all be looked at once they are collected. */
export function stopWatching(link: Link): void {
  if (link.fresh === undefined) registry.unregister(link)
  link.fresh = undefined
}

function watchFresh(): void {
  const links = fresh
  fresh = []
  for (const link of links) {
    const socket = link.fresh
    if (socket === undefined) continue
    link.fresh = undefined
    link.watched = new WeakRef(socket)
    registry.register(socket, link, link)
  }
}
