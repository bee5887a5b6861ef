/** What the servers with threads do for a connection: they all take messages of one length, work on each, and send it back. */
import type { TcpSocket } from 'socket2'
import { work } from './work.js'

export interface Service {
  /** The length of a message. */
  size: number
  /** How much work each message makes; see work.ts. */
  rounds: number
  /** Whether a connection begins with a line that says who serves it. */
  greets: boolean
  /** Whether it closes a connection behind its first answer. */
  once?: boolean
}

/** An async function for each connection, for `serve`. */
export function handlerOf({ size, rounds, greets, once = false }: Service, name: number): (socket: TcpSocket) => Promise<void> {
  return async socket => {
    const buffer = Buffer.allocUnsafe(size)
    if (greets) await socket.send(`${name}\n`)
    for (;;) {
      const length = await socket.recv(buffer)
      if (length === 0) return
      if (rounds > 0) work(rounds)
      await socket.send(length === size ? buffer : buffer.subarray(0, length))
      if (once) return
    }
  }
}
