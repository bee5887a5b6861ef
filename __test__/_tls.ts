/** What the tests of TLS share: connections that talk it. */
import type { ExecutionContext } from 'ava'
import { type ServeTlsOptions, type TcpSocket } from 'socket2'
import { secure, type TlsOptions, type TlsSocket } from 'socket2/tls'
import { ca, identity } from './_certificates.js'
import { closing, connectedPair } from './_util.js'

/** A server that is localhost. */
export const localhost: ServeTlsOptions = identity('server')

/** A client of it. */
export const trusting: TlsOptions = { ca, servername: 'localhost' }

/** Both ends of a connection that talk TLS, with the plain sockets below them. */
export async function securePair(
  t: ExecutionContext, client: TlsOptions = {}, server: TlsOptions = {}
): Promise<{ client: TlsSocket; peer: TlsSocket; below: { client: TcpSocket; peer: TcpSocket } }> {
  const below = await connectedPair(t)
  const [one, other] = await Promise.all([
    secure(below.client, { ...trusting, ...client }),
    secure(below.peer, { ...identity('server'), ...server, isServer: true })
  ])
  return { client: closing(t, one), peer: closing(t, other), below }
}
