/** The two ends of TLS, by node:tls over a stream of ours. */
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, createSecureContext, TLSSocket, type ConnectionOptions, type SecureContext, type SecureContextOptions, type TLSSocketOptions } from 'node:tls'
import type { Transport } from './tls-transport.js'

/** What both know of options: those of node:tls, with the keys and certificates in a context. */
export type Settings = Omit<ConnectionOptions & TLSSocketOptions, 'isServer' | 'socket'> & { secureContext: SecureContext }

/** Tells that TLS is established, or why not; once. */
export type Established = (error?: Error) => void

/** Says to OpenSSL whose sessions they are that a client who is known by its certificate comes back with. */
const SESSION_ID_CONTEXT = 'socket2'

/** Keys and certificates, checked; throws what is wrong with them. */
export function contextOf(options: SecureContextOptions, isServer: boolean): SecureContext {
  return createSecureContext(isServer ? { honorCipherOrder: true, sessionIdContext: SESSION_ID_CONTEXT, ...options } : options)
}

/** The end that began, over `transport`. node:tls checks that the server's certificate is for `name`, which it does not ask for when it is an IP address. */
export function clientEnd(transport: Transport | Duplex, settings: Settings, name: string, established: Established): TLSSocket {
  const { servername: _, ...rest } = settings
  const to = isIP(name) === 0 ? { servername: name } : { host: name }
  return connect({ ...rest, ...to, socket: transport as unknown as Duplex }, () => established())
}

/** The other end. Of a client's certificate node:tls leaves the verdict to who made the stream, unless that was its own server. */
export function serverEnd(transport: Transport | Duplex, settings: Settings, established: Established): TLSSocket {
  const { requestCert = false, rejectUnauthorized = true } = settings
  const stream = new TLSSocket(transport as unknown as Duplex, { ...settings, isServer: true, requestCert, rejectUnauthorized })
  stream.once('secure', () => established(requestCert ? judge(stream, rejectUnauthorized) : undefined))
  return stream
}

/** Writes down what OpenSSL thinks of the client's certificate; why the client is refused, if it is. */
function judge(stream: TLSSocket, strict: boolean): Error | undefined {
  const { ssl } = stream as TLSSocket & { ssl?: { verifyError?(): (Error & { code?: string }) | null } }
  // A runtime that does not tell has not checked it.
  const untold: Error & { code?: string } = new Error('this runtime does not tell whether the certificate is in order')
  const error = ssl?.verifyError === undefined ? untold : ssl.verifyError()
  const [authorized, authorizationError] = [error === null || error === undefined, error?.code ?? error?.message ?? null]
  Object.assign(stream, { authorized, authorizationError })
  return authorized || !strict ? undefined : error as Error
}
