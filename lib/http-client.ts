/** Connections for those who ask by HTTP: an agent of node:http, and what makes them for undici. */
import { EventEmitter } from 'node:events'
import { Agent, type AgentOptions, type ClientRequest, type ClientRequestArgs } from 'node:http'
import type { Duplex } from 'node:stream'
import { clearTimeout, setTimeout } from 'node:timers'
import type { ConnectOptions } from './connect.js'
import { SocketError, typeError } from './errors.js'
import { Dialer, type Call, type Lookup } from './http-dialer.js'
import type { TlsOptions } from './tls.js'

/**
 * How the connections of an agent are made and kept: what `http.Agent` takes (`keepAlive`, `maxSockets`, `timeout`, `scheduling` …), and two
 * options besides. Of those that it hands on to `net.connect`, `family`, `localAddress` and `lookup` are heeded, of requests too; the others
 * have their names in `connect`.
 */
export interface HttpAgentOptions extends AgentOptions {
  /** The options of `connect`. `timeout` is for the connection with its TLS, in milliseconds; `signal` ends all attempts. None by default. */
  connect?: ConnectOptions | undefined
  /**
   * Makes it an agent for `https:`, even when it is empty: the options of `secure`, without those of a server. None by default. TLS options
   * of a request are not looked at, but for `servername`, which is the name in its `Host` field unless it is given.
   */
  tls?: Omit<TlsOptions, 'isServer'> | undefined
}

/**
 * An agent for `http.request` whose connections are ours; with `tls` one for `https.request`. A request that is destroyed, or whose
 * `signal` aborts, ends the attempt to connect for it; `timeout` counts while it is being made, too. It gets its `'socket'` when that is
 * connected. With `keepAlive` idle connections do not keep the process alive; `agent.destroy()` closes them.
 *
 * Errors, thrown: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`. Errors of the requests, by `'error'`: those of `connect` and `secure`, and
 * `ECONNRESET` (the connection ended before the answer did, or the agent was destroyed). See http.Agent.
 */
export function agent(options: HttpAgentOptions = {}): Agent {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  return new SocketAgent(options)
}

/** How the connections of undici are made. */
export interface ConnectorOptions {
  /** The options of `connect`. undici's own `connectTimeout` is not for connections that are made by others: give a `timeout` here. None by default. */
  connect?: ConnectOptions | undefined
  /** How they talk TLS, where the URL is `https:`: the options of `secure`, without those of a server. By default as `secure` does, with ALPN `http/1.1`. */
  tls?: Omit<TlsOptions, 'isServer'> | undefined
  /** A unix path to connect to, whatever the URL says; `@name` in Linux's abstract namespace. The host and port of the URL by default. */
  path?: string | undefined
}

/** What undici's `Agent`, `Pool` and `Client` take as `connect`: it makes one connection, and calls back once. */
export type Connector = (
  options: { hostname: string; port: string; protocol: string; servername?: string | null | undefined; localAddress?: string | null | undefined },
  connected: (error: Error | null, stream?: Duplex) => void
) => void

/**
 * What makes the connections of an undici `Agent`, `Pool` or `Client`, ours: `new Agent({ connect: connector() })`.
 *
 * Errors, thrown: `ERR_INVALID_ARG_TYPE`. Errors of the requests: those of `connect` and `secure`. See undici: Client, `connect`.
 */
export function connector(options: ConnectorOptions = {}): Connector {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const { path } = options
  if (path !== undefined && typeof path !== 'string') throw typeError('options.path', 'a string', path)
  const dialer = new Dialer(options)
  return ({ hostname, port, protocol, servername, localAddress }, connected) => {
    const secured = protocol === 'https:'
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    const place = path === undefined ? { host, port: Number(port || (secured ? 443 : 80)) } : { path }
    hand(dialer.dial({ place, secured, servername: servername || undefined, localAddress: localAddress ?? undefined }), connected)
  }
}

/** What node:http tells an agent of a request, with what the agent was told itself. */
interface Wanted extends ClientRequestArgs {
  servername?: string | undefined
  /** The connection, once it is there. */
  [OPENED]?: Duplex
}

const OPENED = Symbol('opened')

/** What node:http calls, and what it keeps, although its types do not say so. Others who make agents stand on it as well. */
interface Inside {
  sockets: Record<string, unknown[]>
  requests: Record<string, ClientRequest[]>
  totalSocketCount: number
  createSocket(request: ClientRequest, options: Wanted, created: Created): void
  removeSocket(socket: unknown, options: Wanted): void
}

type Created = (error: Error | null, stream?: Duplex) => void
type Waiting = ClientRequest & { timeout?: number | undefined; onSocket(socket: null, error: Error | undefined): void }

/**
 * node:http counts a connection when `createConnection` gives it, and expects that at once. Ours takes its time, and would be missed by
 * `maxSockets`, by requests that end meanwhile, and by the end of the agent. So it is made before, and something stands in its place.
 */
class SocketAgent extends Agent {
  readonly protocol: string
  readonly defaultPort: number
  readonly #dialer: Dialer
  readonly #secured: boolean
  readonly #timeout: number | undefined
  /** For which requests one is being made. */
  readonly #attempts = new Map<ClientRequest, Attempt>()

  constructor(options: HttpAgentOptions) {
    const { connect, tls, ...kept } = options
    super(kept)
    this.#dialer = new Dialer({ connect, tls })
    this.#timeout = options.timeout
    this.#secured = tls !== undefined
    this.protocol = this.#secured ? 'https:' : 'http:'
    this.defaultPort = this.#secured ? 443 : 80
  }

  get #inside(): Inside {
    return this as unknown as Inside
  }

  /** Which requests may share connections: with TLS those to the same name, by which a connection was checked. */
  override getName(options: Wanted = {}): string {
    const name = super.getName(options)
    return this.#secured ? `${name}:${options.servername ?? ''}` : name
  }

  /** Gives the connection that is there already. Who calls this without one gets it by the callback. */
  override createConnection(options: Wanted, connected?: (error: Error | null, stream: Duplex) => void): Duplex | undefined {
    const { [OPENED]: stream } = options
    if (stream !== undefined) return stream
    if (typeof connected !== 'function') throw typeError('callback', 'a function', connected)
    hand(this.#dialer.dial(this.#call(options)), connected as Created)
    return undefined
  }

  /** Called by node:http when it wants another connection, for this request or the first of the queue. @internal */
  createSocket(request: ClientRequest, options: Wanted, created: Created): void {
    const name = this.getName(options)
    const queue = this.#inside.requests[name]
    const queued = queue?.includes(request) === true
    // The first may have one under way, for which it waits.
    const needy = queued ? queue?.find(other => !this.#attempts.has(other)) : request
    if (needy === undefined) return
    const attempt = new Attempt(needy, this.#timeout)
    this.#attempts.set(needy, attempt)
    ;(this.#inside.sockets[name] ??= []).push(attempt)
    this.#inside.totalSocketCount++
    hand(this.#dialer.dial(this.#call(options, attempt.signal)), (error, stream) => {
      this.#attempts.delete(needy)
      attempt.end()
      if (stream === undefined || attempt.signal.aborted) this.#miss(needy, options, attempt, queued, error ?? attempt.signal.reason as Error)
      else this.#take(needy, options, attempt, stream, created)
      if (attempt.signal.aborted) stream?.destroy()
    })
  }

  #take(request: ClientRequest, options: Wanted, attempt: Attempt, stream: Duplex, created: Created): void {
    const sockets = this.#inside.sockets[this.getName(options)] ?? []
    sockets.splice(sockets.indexOf(attempt), 1)
    this.#inside.totalSocketCount--
    if (this.#timeout) (stream as Duplex & { setTimeout(timeout: number): void }).setTimeout(this.#timeout)
    inside.createSocket.call(this.#inside, request, { ...options, [OPENED]: stream }, created)
  }

  /** The request that had need of it hears of the failure, wherever it stands, and the next one that waits gets an attempt of its own. */
  #miss(request: ClientRequest, options: Wanted, attempt: Attempt, queued: boolean, error: Error): void {
    const { requests } = this.#inside
    const name = this.getName(options)
    const queue = requests[name] ?? []
    const place = queue.indexOf(request)
    if (place >= 0) queue.splice(place, 1)
    if (queue.length === 0) delete requests[name]
    // Unless another connection has become free for it. One that was destroyed knows itself why.
    if (!queued || place >= 0) (request as Waiting).onSocket(null, request.destroyed ? undefined : error)
    this.#inside.removeSocket(attempt, options)
  }

  #call({ host, port, socketPath, family, localAddress, lookup, servername }: Wanted, signal?: AbortSignal): Call {
    const place = socketPath ? { path: socketPath } : { host: host ?? 'localhost', port: Number(port ?? this.defaultPort), lookup: lookup as Lookup | undefined }
    return { place, secured: this.#secured, servername: servername || undefined, family, localAddress, signal }
  }
}

const inside = Agent.prototype as unknown as Inside

/** A connection that is being made for a request. It stands among the sockets of its agent, which counts them and destroys them. */
class Attempt extends EventEmitter {
  readonly writable = false
  readonly #request: ClientRequest
  readonly #destroy: ClientRequest['destroy']
  readonly #timer: NodeJS.Timeout | undefined
  readonly #aborting = new AbortController()

  constructor(request: ClientRequest, timeout: number | undefined) {
    super()
    this.#request = request
    // A request that has no connection keeps to itself that it was destroyed.
    const { destroy } = request
    const told = (error?: Error): void => this.#abort(error)
    this.#destroy = destroy
    request.destroy = function destroying(this: ClientRequest, error?: Error) {
      told(error)
      return destroy.call(this, error)
    }
    const wait = (request as Waiting).timeout ?? timeout
    if (wait) this.#timer = setTimeout(() => request.emit('timeout'), wait).unref()
    if (request.destroyed) this.#abort()
  }

  /** Aborts when nobody wants the connection any more. */
  get signal(): AbortSignal {
    return this.#aborting.signal
  }

  /** Called by the agent when it is destroyed. */
  destroy(error?: Error): this {
    this.#abort(error)
    return this
  }

  /** It is decided. */
  end(): void {
    clearTimeout(this.#timer)
    this.#request.destroy = this.#destroy
  }

  #abort(error: Error = new SocketError('socket hang up', { code: 'ECONNRESET' })): void {
    this.#aborting.abort(error)
  }
}

/**
 * Gives a connection to a callback, once, in a microtask of its own: what the callback throws is the program's, and nothing happens to a
 * stream before those have had their turn, so that whoever gets it can listen first.
 */
function hand(opening: Promise<Duplex>, connected: Created): void {
  opening.then(stream => queueMicrotask(() => connected(null, stream)), (error: Error) => queueMicrotask(() => connected(error)))
}
