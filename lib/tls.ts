/** TLS over the sockets of `socket2`, by node:tls: the entry point `socket2/tls`. */
import type { ConnectionOptions, PeerCertificate, SecureContext, SecureContextOptions, TLSSocket, TLSSocketOptions } from 'node:tls'
import { types } from 'node:util'
import type { Address } from './address.js'
import { connect, type ConnectOptions } from './connect.js'
import type { Rest } from './copy.js'
import type { SocketDuplex, SocketDuplexOptions } from './duplex.js'
import { stateError, typeError } from './errors.js'
import { checked, remaining } from './guard.js'
import { birthHere } from './leak.js'
import type { Port } from './lookup.js'
import { PATIENTLY, promised, type OperationOptions } from './operation.js'
import { optionTable } from './options.generated.js'
import type { Proxied } from './proxy-protocol.js'
import { bytesOf, listOf, type Data } from './send.js'
import type { Making, Standing } from './socket.js'
import { TcpSocket } from './tcp.js'
import { clientEnd, contextOf, serverEnd } from './tls-ends.js'
import { Transport } from './tls-transport.js'
import { Handshake, SendSecurely, TlsLink } from './tls-link.js'

const { isUint8Array } = types

/** How to talk TLS: what node:tls takes for it, whose documentation says more of each. */
export interface TlsOptions extends SecureContextOptions {
  /** This end is the server; `false` by default. A server needs `key` and `cert` (or `pfx`). */
  isServer?: boolean | undefined
  /** The name that a client asks the server for (SNI), and that the certificate has to be for; or an IP address, which is not asked for. */
  servername?: string | undefined
  /** The protocols on top that this end speaks, the best first (ALPN): `['h2', 'http/1.1']`. */
  ALPNProtocols?: string[] | undefined
  /** Has a peer whose certificate is not in order refused; `true` by default. A server asks for one by `requestCert`. */
  rejectUnauthorized?: boolean | undefined
  /** Has a server ask for the client's certificate; `false` by default. */
  requestCert?: boolean | undefined
  /** Has a server choose by the name that the client asks for. */
  SNICallback?: TLSSocketOptions['SNICallback'] | undefined
  /** Has a client decide whether a certificate is for this name, in place of node:tls. */
  checkServerIdentity?: ConnectionOptions['checkServerIdentity'] | undefined
  /** A session to go on with: `session` of an earlier connection to the same server. */
  session?: Buffer | undefined
  /** What the above say of keys and certificates, made in advance; for a server that makes it once for all connections. */
  secureContext?: SecureContext | undefined
}

/**
 * Talks TLS over a connection from now on. Resolves once both ends have agreed; the socket given is the new one's then, for no other use.
 * What was received but not given out, by readers too, is the beginning of TLS. When it fails, times out or is aborted, the socket is closed.
 *
 * Errors: those of node:tls and OpenSSL by their codes: `ERR_TLS_CERT_ALTNAME_INVALID`, `CERT_HAS_EXPIRED`, `DEPTH_ZERO_SELF_SIGNED_CERT`,
 * `UNABLE_TO_VERIFY_LEAF_SIGNATURE`, `ERR_SSL_WRONG_VERSION_NUMBER` (the peer talks no TLS) …; `ECONNRESET` (the peer has gone), `ETIMEDOUT`,
 * `ERR_SOCKET_BAD_STATE` (not connected), `ERR_INVALID_ARG_TYPE`, what `tls.createSecureContext` throws; the reason of the signal.
 * See RFC 8446, tls.connect, tls.TLSSocket.
 */
export async function secure(socket: TcpSocket, options: TlsOptions = {}, op?: OperationOptions): Promise<TlsSocket> {
  if (!(socket instanceof TcpSocket)) throw typeError('socket', 'a TcpSocket', socket)
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  // What is wrong with keys and certificates is told before anything has happened.
  const { isServer = false, ...given } = options
  const settings = { ...given, secureContext: given.secureContext ?? contextOf(given, isServer) }
  const under = socket.beginOver('secure')
  const { type, family, protocol } = socket
  const { handle } = under
  const transport = socket instanceof TlsSocket || !isNode ? socket.toDuplex({ allowHalfOpen: true }) : new Transport(socket, under)
  // Without a name it is the address that the certificate has to be for.
  const name = given.servername ?? socket.remoteAddress?.address ?? ''
  const link = new TlsLink(socket, under, transport, established =>
    isServer ? serverEnd(transport, settings, established) : clientEnd(transport, settings, name, established))
  const secured = new TlsSocket({ type, family, protocol, handle, link, birth: birthHere(secure) }, link)
  try {
    await secured.shakeHands(op)
  } catch (error) {
    secured.close()
    throw error
  }
  return secured
}

/** Others look closer at what they are to speak over. */
const isNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined

/** How to connect, and how to talk TLS then: the options of `connect` and those of `secure`, side by side. */
export interface ConnectTlsOptions extends ConnectOptions, Omit<TlsOptions, 'isServer'> {}

/**
 * Connects, and talks TLS as a client to a server whose certificate is for `host`. `timeout` is for both together.
 *
 * Errors: those of `connect` and of `secure`.
 */
export async function connectTls(port: Port, host: string = 'localhost', options: ConnectTlsOptions = {}): Promise<TlsSocket> {
  if (typeof host !== 'string') throw typeError('host', 'a string', host)
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const { signal, timeout = Infinity } = checked(options)
  const deadline = performance.now() + timeout
  const [ours, theirs] = parted(options)
  // What is wrong with keys and certificates is told before anybody is connected to.
  const secureContext = theirs.secureContext ?? contextOf(theirs, false)
  const socket = await connect(port, host, ours)
  return await secure(socket, { servername: host, ...theirs, secureContext }, remaining({ signal }, deadline))
}

const OF_CONNECT: readonly string[] = ['family', 'signal', 'timeout', 'localAddress', 'attemptDelay']

/** The options of `connect`, and the others. */
function parted(options: ConnectTlsOptions): [ConnectOptions, TlsOptions] {
  const all = Object.entries(options)
  const ours = ([name]: [string, unknown]): boolean => OF_CONNECT.includes(name) || Object.hasOwn(optionTable, name)
  return [Object.fromEntries(all.filter(ours)), Object.fromEntries(all.filter(entry => !ours(entry)))]
}

/**
 * A connection that talks TLS. It sends and receives like any `TcpSocket`, and has what is known of the peer besides. The end of the stream
 * is the peer's word that nothing follows (close_notify), or the end of the connection without it: what must be whole says by itself where it ends.
 *
 * What it does differently: `send` is done when the system has taken what it has become; after one that failed, was aborted or ran out of
 * time nobody knows how much will arrive. `trySend` sends nothing. `shutdown('write')` and `close` say close_notify first. `detach`, `release`
 * and descriptors are `ERR_SOCKET_BAD_STATE`: the keys stay here.
 */
export class TlsSocket extends TcpSocket {
  /**
   * The socket of node:tls below: for all that has no name here, as `getCipher()` or `exportKeyingMaterial()`. What it receives and sends
   * is this socket's: leave that alone.
   */
  readonly tls: TLSSocket
  readonly #link: TlsLink
  #session: Buffer | undefined

  /** @internal */
  constructor(making: Making, link: TlsLink) {
    super(making)
    this.#link = link
    this.tls = link.tls
    this.tls.on('session', session => (this.#session = session))
  }

  /** Whether the peer has shown a certificate that is in order. A server that asks for none (`requestCert`) knows of none: false. */
  get authorized(): boolean {
    return this.tls.authorized
  }

  /** What is wrong with the peer's certificate, as a code: for who goes on in spite of it (`rejectUnauthorized: false`). */
  get authorizationError(): string | null {
    const error = this.tls.authorizationError as Error & { code?: string } | string | null | undefined
    return typeof error === 'object' && error !== null ? error.code ?? error.message : error ?? null
  }

  /** The protocol on top that both ends have agreed upon (ALPN), or null. */
  get alpnProtocol(): string | null {
    return this.tls.alpnProtocol || null
  }

  /** The name that the client asked for (SNI), or null. */
  get servername(): string | null {
    return (this.tls as TLSSocket & { servername?: string | false }).servername || null
  }

  /** The version they talk: `'TLSv1.3'`, `'TLSv1.2'` …; null once closed. */
  get tlsVersion(): string | null {
    return this.tls.getProtocol()
  }

  /** The peer's certificate, or null if it has shown none. */
  get peerCertificate(): PeerCertificate | null {
    const certificate = this.tls.getPeerCertificate() as PeerCertificate | null
    return certificate && Object.keys(certificate).length > 0 ? certificate : null
  }

  /**
   * What a client hands to its next connection to the same server as `session`, so that both spare themselves most of the handshake.
   * Undefined until the server has sent it: with TLS 1.3 soon after the handshake.
   */
  get session(): Buffer | undefined {
    return this.#session
  }

  /** Whether this connection has gone on with an earlier session. */
  get sessionReused(): boolean {
    return this.tls.isSessionReused()
  }

  /** As of the plain socket: what a proxy has told is told here, too. */
  override get localAddress(): Address | null {
    return this.#link.plain.localAddress
  }

  override get remoteAddress(): Address | null {
    return this.#link.plain.remoteAddress
  }

  override get proxied(): Proxied | null {
    return this.#link.plain.proxied
  }

  override send(data: Data | readonly Uint8Array[], op?: OperationOptions): Promise<number> {
    const link = this.#link
    if (op === undefined && isUint8Array(data) && data.length > 0 && this.state === 'connected' && link.writing.open() && link.refusal('send') === undefined) {
      try {
        const rest = SendSecurely.atOnce(link, data)
        return rest === null ? Promise.resolve(data.length) : link.writing.submit(rest, undefined, this)
      } catch (error) {
        // As in a lane: nobody knows what of it went out.
        link.collapse()
        return Promise.reject(error)
      }
    }
    return promised(() => {
      const parts = Array.isArray(data) ? listOf(data) : [bytesOf(data)]
      this.assertState('send', 'connected')
      return this.link.writing.submit(new SendSecurely(this.#link, parts), op, this)
    })
  }

  /** Sends nothing: what TLS has taken is not sent yet. */
  override trySend(data: Data): number {
    bytesOf(data)
    this.assertState('send', 'connected')
    return 0
  }

  /** @internal */
  protected override get wire(): null {
    return null
  }

  /** @internal */
  override passOn(bytes: Buffer, _moved: () => void): Rest {
    const rest = new SendSecurely(this.#link, [bytes])
    return { rest, sent: this.link.writing.submit(rest, PATIENTLY, this) }
  }

  override shutdown(how: 'read' | 'write' | 'both'): void {
    if (!['read', 'write', 'both'].includes(how)) throw typeError('how', "'read', 'write' or 'both'", how)
    this.assertState('shutdown', 'connected')
    this.#link.shut(how !== 'write', how !== 'read')
  }

  /** The stream of node:tls itself, as what takes a `net.Socket` or `tls.TLSSocket` wants it. From then on it is what receives and sends. */
  override toDuplex(_?: SocketDuplexOptions): TLSSocket & SocketDuplex {
    this.assertState('toDuplex', 'connected')
    return this.#link.yield() as TLSSocket & SocketDuplex
  }

  /** @internal */
  protected override standing(syscall: string): Standing {
    throw stateError(syscall, 'talking TLS', 'a plain one: the keys stay here')
  }

  /** @internal */
  protected override assertUsable(syscall: string): void {
    this.standing(syscall)
  }

  /** @internal */
  shakeHands(op: OperationOptions | undefined): Promise<void> {
    return this.link.reading.submit(new Handshake(this.#link), op, this)
  }
}
