// Both directions of a connection that goes on in another one: what forward.ts and proxy.ts have in common.
import type { TcpSocket } from 'socket2'

/** The memory of one direction, in bytes: little at first, so that idle connections cost little, and more when it is filled. */
const [LEAST, MOST] = [4 << 10, 64 << 10]

/**
 * Copies between two connections until both directions have ended, and leaves the closing to the caller. The end of one direction is passed
 * on as such; the other one goes on. A connection that breaks is passed on as a reset: nobody shall take half of something for all of it.
 * Nothing is read ahead of what could be sent, so whoever reads slowly holds up the sender, as without us.
 */
export async function join(one: TcpSocket, other: TcpSocket): Promise<void> {
  const outcomes = await Promise.allSettled([copy(one, other), copy(other, one)])
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

async function copy(from: TcpSocket, to: TcpSocket): Promise<void> {
  let buffer = Buffer.allocUnsafeSlow(LEAST)
  // Messages often are as long as the one before: then not even a view is made.
  let chunk = buffer
  for (;;) {
    let count
    try {
      count = await from.recv(buffer)
    } catch (error) {
      to.reset()
      throw error
    }
    if (count === 0) return to.shutdown('write')
    if (chunk.length !== count) chunk = buffer.subarray(0, count)
    // That the other side takes no more is its matter alone: what it had sent before is still to come the other way.
    const taken = to.trySend(chunk) // as a rule all of it, and then nothing has to be awaited
    if (taken < count) await to.send(taken === 0 ? chunk : chunk.subarray(taken))
    if (count === buffer.length && count < MOST) chunk = buffer = Buffer.allocUnsafeSlow(count * 4)
  }
}
