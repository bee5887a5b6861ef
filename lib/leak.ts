/** A socket that is forgotten without being closed is closed when it is collected, and said, once per process. */
import type { Link } from './link.js'
import type { Socket } from './socket.js'

/** Where a socket came from: the call that made it, or the words for it. */
export type Birth = Error | string

/** The call that makes a socket, for the warning. Only the caller's line counts, so a few frames are enough. */
export function birthHere(above: (...args: never[]) => unknown): Birth {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 4
  const birth = new Error('made here')
  Error.captureStackTrace(birth, above)
  Error.stackTraceLimit = stackTraceLimit
  return birth
}

let warned = false

const registry = new FinalizationRegistry<{ link: Link; birth: Birth }>(({ link, birth }) => {
  if (link.handle < 0) return
  link.close(false)
  if (warned) return
  warned = true
  const origin = typeof birth === 'string' ? birth : (birth.stack ?? '').split('\n').slice(1).join('\n')
  process.emitWarning('A socket was forgotten without close() and is closed now. It was made:\n' + origin, {
    type: 'SocketLeakWarning',
    code: 'SOCKET2_LEAK'
  })
})

/** Watches until the socket is collected. One that was closed by then is no leak. */
export function watchForLeak(socket: Socket, link: Link, birth: Birth): void {
  registry.register(socket, { link, birth })
}
