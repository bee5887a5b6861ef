// Both directions of a connection that goes on in another one: what forward.ts and proxy.ts have in common.
import type { SocketError, TcpSocket } from 'socket2'

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
  try {
    await from.copyTo(to)
  } catch (error) {
    // That the other side takes no more is its matter alone: what it had sent before is still to come the other way.
    if ((error as SocketError).syscall === 'recv') to.reset()
    throw error
  }
  to.shutdown('write')
}
