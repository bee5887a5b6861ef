/** Makes the connections of those who ask by HTTP: by `connect`, and then TLS where that is wanted. */
import { isIP, type LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { Address } from './address.js'
import { connect, type ConnectOptions } from './connect.js'
import { SocketError, typeError } from './errors.js'
import { checked, remaining } from './guard.js'
import type { OperationOptions } from './operation.js'
import type { TcpSocket } from './tcp.js'
import { secure, type TlsOptions } from './tls.js'
import { contextOf } from './tls-ends.js'

/** A function in the manner of `dns.lookup`. */
export type Lookup = LookupFunction

/** A connection that is wanted. */
export interface Call {
  readonly place: { readonly path: string } | { readonly host: string; readonly port: number; readonly lookup?: Lookup | undefined }
  readonly secured: boolean
  /** The name that the certificate has to be for; the host's unless it is given. */
  readonly servername?: string | undefined
  /** 4 or 6; anything else is both. */
  readonly family?: number | undefined
  readonly localAddress?: string | undefined
  /** Ends the attempt. */
  readonly signal?: AbortSignal | undefined
}

/** How connections are made. */
export interface DialerOptions {
  readonly connect?: ConnectOptions | undefined
  readonly tls?: Omit<TlsOptions, 'isServer'> | undefined
}

export class Dialer {
  readonly #how: ConnectOptions
  readonly #tls: Omit<TlsOptions, 'isServer'>
  #context: SecureContext | undefined

  constructor({ connect: how = {}, tls = {} }: DialerOptions) {
    if (typeof how !== 'object' || how === null) throw typeError('options.connect', 'an object', how)
    if (typeof tls !== 'object' || tls === null) throw typeError('options.tls', 'an object', tls)
    this.#how = how
    this.#tls = tls
  }

  /** Makes a connection. Nothing has happened to the stream when the promise is resolved. */
  async dial(call: Call): Promise<Duplex> {
    const how = this.#how
    const { timeout } = checked(how)
    const signals = [how.signal, call.signal].filter(signal => signal !== undefined)
    const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0]
    const deadline = performance.now() + (timeout ?? Infinity)
    const rest = (): OperationOptions => timeout === undefined || timeout === Infinity ? { signal } : remaining({ signal }, deadline)
    // What is wrong with keys and certificates is told before anybody is connected to.
    const secureContext = call.secured ? this.#tls.secureContext ?? (this.#context ??= contextOf(this.#tls, false)) : undefined
    const socket = await this.#connect(call, rest)
    if (secureContext === undefined) return socket.toDuplex()
    const servername = call.servername ?? ('host' in call.place ? call.place.host : undefined)
    const secured = await secure(socket, { ALPNProtocols: ['http/1.1'], ...servername !== undefined && { servername }, ...this.#tls, secureContext }, rest())
    return countedBelow(secured.toDuplex(), socket)
  }

  async #connect({ place, family, localAddress }: Call, rest: () => OperationOptions): Promise<TcpSocket> {
    const how = this.#how
    if ('path' in place) {
      // There they mean nothing, as with node:net.
      const { family: _, localAddress: __, ...options } = how
      return await connect(`unix:${place.path}`, { ...options, ...rest() })
    }
    const options = { ...family === 4 && { family: 'inet' as const }, ...family === 6 && { family: 'inet6' as const }, localAddress, ...how }
    const { host, port, lookup } = place
    if (lookup === undefined || isIP(host) !== 0) return await connect(port, host, { ...options, ...rest() })
    const addresses = await ask(lookup, host, port, family, rest().signal)
    return await connect(addresses, { ...options, ...rest() })
  }
}

/** The addresses of a host, by someone else's lookup, of which it is not known how long it takes. */
async function ask(lookup: Lookup, host: string, port: number, family: number | undefined, signal: AbortSignal | undefined): Promise<Address[]> {
  signal?.throwIfAborted()
  const found = await new Promise<{ address: string }[]>((resolve, reject) => {
    const abort = (): void => reject(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    lookup(host, { all: true, family: family ?? 0 }, (error, answer) => {
      signal?.removeEventListener('abort', abort)
      if (error) reject(error)
      else resolve(Array.isArray(answer) ? answer : [{ address: answer }])
    })
  })
  return found.map(({ address }) => Address.from({ family: isIP(address) === 6 ? 'inet6' : 'inet', address, port }))
}

/** A stream of TLS whose waiting keeps the process alive, or not, as it is told: it is the socket below that waits. */
function countedBelow(stream: Duplex, socket: TcpSocket): Duplex {
  if (stream.destroyed) throw stream.errored ?? new SocketError('the peer ended the connection as soon as TLS was established', { code: 'ECONNRESET' })
  return Object.assign(stream, {
    ref: () => {
      socket.ref()
      return stream
    },
    unref: () => {
      socket.unref()
      return stream
    }
  })
}
