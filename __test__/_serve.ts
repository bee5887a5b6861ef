/** What the tests of servers share. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { serve, tcp, type Handler, type Server, type ServeOptions, type ServeThreadsOptions, type TcpSocket } from 'socket2'
import { closing } from './_util.js'

/** A server on loopback, which is closed when the test ends. */
export async function serving(t: ExecutionContext, options: ServeOptions | ServeThreadsOptions = {}, handler?: Handler): Promise<Server> {
  const where = options.path === undefined && options.listener === undefined ? { host: '127.0.0.1' } : {}
  const server = await serve({ ...where, ...options }, handler)
  t.teardown(() => server.close({ grace: 0 }))
  return server
}

/** A connection to a server. */
export async function visit(t: ExecutionContext, { address }: Server): Promise<TcpSocket> {
  return await closing(t, tcp(address.family)).connect(address)
}

/** Says something, and hears what comes back. */
export async function ask(socket: TcpSocket, text: string): Promise<string> {
  await socket.send(text)
  return String(await socket.recv())
}

/**
 * Resolves when the other side has closed the connection, in whatever way, to what had still come, and closes this side: Wine's server
 * asks sockets whose peer has gone again and again, all of them, until they are closed, too.
 */
export async function gone(socket: TcpSocket): Promise<string> {
  try {
    return String(await socket.recvAll())
  } catch (error) {
    // A side that closes with something unread resets.
    const { code } = error as { code?: string }
    if (code !== 'ECONNRESET' && code !== 'ECONNABORTED') throw error
    return ''
  } finally {
    socket.close()
  }
}

/** Resolves when something is so of which nobody tells. The time that a test has is ava's affair: how fast threads start is the machine's. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5)
}
