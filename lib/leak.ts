/** A socket that is forgotten without being closed is closed when it is collected, and said, once per process. */
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

const registry = new FinalizationRegistry<{ link: Link; birth: string }>(({ link, birth }) => {
  link.end(closeHandle)
  if (warned) return
  warned = true
  process.emitWarning('A socket was forgotten without close() and is closed now. It was made:\n' + birth, {
    type: 'SocketLeakWarning',
    code: 'SOCKET2_LEAK'
  })
})

/** Watches until the socket is collected, or closed. */
export function watchForLeak(socket: Socket, link: Link, birth: string): void {
  registry.register(socket, { link, birth }, link)
}

/** Stops watching: the socket has been closed. Else the many that come and go would all be looked at once they are collected. */
export function stopWatching(link: Link): void {
  registry.unregister(link)
}
