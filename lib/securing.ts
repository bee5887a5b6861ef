/** What a server does with each connection before its handler has it, when it talks TLS. */
import { checkTimeout } from './guard.js'
import { rangeError, typeError } from './errors.js'
import type { TcpSocket } from './tcp.js'
import type { TlsOptions } from './tls.js'

/** How a server talks TLS. In threads it has to be data, which can be cloned: no functions, no `secureContext`. */
export interface ServeTlsOptions extends Omit<TlsOptions, 'isServer' | 'servername' | 'session' | 'checkServerIdentity'> {
  /** How long a client has for the handshake, in milliseconds: 10,000 by default; `Infinity`: no limit. Past it the connection is closed. */
  handshakeTimeout?: number | undefined
}

/** Makes the connection of a handler of one that was accepted. */
export type Prepare = (socket: TcpSocket) => Promise<TcpSocket>

const HANDSHAKE_TIMEOUT = 10_000

/** Keys and certificates are looked at once, here; throws what is wrong with them. node:tls is loaded only where somebody wants it. */
export async function securing(tls: ServeTlsOptions): Promise<Prepare> {
  checkServeTls(tls)
  const { contextOf } = await import('./tls-ends.js')
  const { secure } = await import('./tls.js')
  const { handshakeTimeout: timeout = HANDSHAKE_TIMEOUT, ...given } = tls
  const options: TlsOptions = { ...given, isServer: true, secureContext: given.secureContext ?? contextOf(given, true) }
  return socket => secure(socket, options, { timeout })
}

/** Checks what is ours of the options; throws what is wrong with it. */
export function checkServeTls(tls: unknown): asserts tls is ServeTlsOptions {
  if (typeof tls !== 'object' || tls === null) throw typeError('options.tls', 'an object', tls)
  const { handshakeTimeout } = tls as ServeTlsOptions
  if (handshakeTimeout !== undefined) checkTimeout('options.tls.handshakeTimeout', handshakeTimeout)
  // In node:tls it means no limit; here it would mean that nobody can be in time.
  if (handshakeTimeout === 0) throw rangeError('options.tls.handshakeTimeout', 'more than 0 milliseconds; Infinity is no limit', handshakeTimeout)
}
