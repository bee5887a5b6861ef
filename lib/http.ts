/** HTTP over the sockets of `socket2`, by node:http and undici: the entry point `socket2/http`. */
import { Agent, createServer, type AgentOptions, type ClientRequestArgs, type RequestListener, type Server as NodeServer, type ServerOptions, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Address } from './address.js'
import { connect, type ConnectOptions } from './connect.js'
import { typeError } from './errors.js'
import { serve, type CloseOptions, type ServeOptions, type Server } from './serve.js'
import type { TcpSocket } from './tcp.js'
import { connectTls, secure, type TlsOptions } from './tls.js'

/** How to serve HTTP: where and within which limits, as `serve`; and in `http` what `http.createServer` takes. */
export interface ServeHttpOptions extends ServeOptions {
  /** Timeouts and limits of node:http: `keepAliveTimeout`, `headersTimeout`, `requestTimeout`, `maxHeaderSize` … */
  http?: ServerOptions | undefined
}

/**
 * Serves HTTP/1.1, and with `tls` HTTPS: `node:http` on a listener of ours. `listener` is called with each request and response, as
 * `http.createServer` calls it: an Express or Fastify application is one. Resolves when it listens.
 *
 * Errors: those of `serve`.
 */
export async function serveHttp(options: ServeHttpOptions = {}, listener?: RequestListener): Promise<HttpServer> {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  if (listener !== undefined && typeof listener !== 'function') throw typeError('listener', 'a function', listener)
  const { http: settings = {}, ...rest } = options
  const http = createServer(settings)
  const requests = new Requests(http)
  if (listener !== undefined) http.on('request', listener)
  const server = await serve(rest, (socket, { signal }) => {
    requests.endWith(signal)
    return attend(http, socket)
  })
  // From then on node:http looks after clients that take too long.
  http.emit('listening')
  rest.signal?.addEventListener('abort', () => http.close(), { once: true })
  return new HttpServer(server, http)
}

/** Lets node:http have a connection until it has ended. */
async function attend(http: NodeServer, socket: TcpSocket): Promise<void> {
  const stream = socket.toDuplex({ allowHalfOpen: true })
  const ended = new Promise(resolve => stream.once('close', resolve))
  http.emit('connection', stream)
  await ended
}

/** The requests in progress. When the server begins to close each is the last one of its connection. */
class Requests {
  readonly #http: NodeServer
  readonly #open = new Set<ServerResponse>()
  #closing: AbortSignal | undefined

  constructor(http: NodeServer) {
    this.#http = http
    http.on('request', (_, response: ServerResponse) => {
      if (this.#closing?.aborted) this.#last(response)
      this.#open.add(response)
      response.once('close', () => this.#open.delete(response))
    })
  }

  /** The same signal with each connection. */
  endWith(signal: AbortSignal): void {
    if (this.#closing !== undefined) return
    this.#closing = signal
    signal.addEventListener('abort', () => {
      for (const response of this.#open) this.#last(response)
      this.#http.closeIdleConnections()
    }, { once: true })
  }

  #last(response: ServerResponse): void {
    response.shouldKeepAlive = false
    // Its head may have promised another one already.
    response.once('close', () => setImmediate(() => this.#http.closeIdleConnections()))
  }
}

/** A server that `serveHttp` has made. */
export class HttpServer {
  /** Where it listens; known also once it is closed. */
  readonly address: Address
  /** The server of node:http: for `'upgrade'`, `'clientError'` and its settings. It does not listen itself. */
  readonly http: NodeServer
  readonly #server: Server

  /** @internal */
  constructor(server: Server, http: NodeServer) {
    this.address = server.address
    this.http = http
    this.#server = server
  }

  /** How many connections are open, those included that wait for another request. */
  get connections(): number {
    return this.#server.connections
  }

  /**
   * Stops accepting, closes the connections on which nothing is being answered, lets the others come to the end of their answer, and
   * closes those that are left after `grace` milliseconds, as they do that were upgraded. Resolves when none is left.
   *
   * Errors: as `Server.close`.
   */
  async close(options?: CloseOptions): Promise<void> {
    await this.#server.close(options)
    // It has nobody to look after any more.
    this.http.close()
  }

  /** Closes it with its connections, at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ grace: 0 })
  }
}

/** How the connections of an agent are made and kept: `tls`, even an empty one, makes it one for `https:`. */
export interface HttpAgentOptions extends AgentOptions {
  connect?: ConnectOptions | undefined
  tls?: Omit<TlsOptions, 'isServer'> | undefined
}

/**
 * An agent for `http.request` whose connections are ours; with `tls` one for `https.request`.
 *
 * Errors of the requests: those of `connect` and `secure`.
 */
export function agent(options: HttpAgentOptions = {}): Agent {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  return new SocketAgent(options)
}

type Connected = (error: Error | null, stream?: Duplex) => void

class SocketAgent extends Agent {
  readonly protocol: string
  readonly defaultPort: number
  readonly #options: HttpAgentOptions

  constructor(options: HttpAgentOptions) {
    const { connect: _, tls, ...kept } = options
    super(kept)
    this.#options = options
    this.protocol = tls === undefined ? 'http:' : 'https:'
    this.defaultPort = tls === undefined ? 80 : 443
  }

  /** Called by node:http, which takes the stream by the callback. */
  override createConnection(request: ClientRequestArgs & { servername?: string }, connected: Connected): undefined {
    const { connect: how, tls } = this.#options
    const { host, port, socketPath, family, localAddress, servername } = request
    const place = socketPath ? { path: socketPath } : { host: host ?? 'localhost', port: Number(port ?? this.defaultPort) }
    const options = { ...family === 4 ? { family: 'inet' as const } : family === 6 ? { family: 'inet6' as const } : {}, localAddress, ...how }
    begin(place, options, tls && { ...servername ? { servername } : {}, ...tls }, connected)
  }
}

/** What undici's `Agent`, `Pool` and `Client` take as `connect`. */
export type Connector = (options: { hostname: string; port: string; protocol: string; servername?: string | undefined }, connected: Connected) => void

/**
 * What makes the connections of an undici `Agent`, `Pool` or `Client`, ours: `new Agent({ connect: connector() })`. For `https:` they talk
 * TLS, as `tls` says.
 */
export function connector(options: { connect?: ConnectOptions | undefined; tls?: Omit<TlsOptions, 'isServer'> | undefined } = {}): Connector {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const { connect: how = {}, tls = {} } = options
  return ({ hostname, port, protocol, servername }, connected) => {
    const secured = protocol === 'https:'
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    const place = { host, port: Number(port || (secured ? 443 : 80)) }
    begin(place, how, secured ? { ALPNProtocols: ['http/1.1'], ...servername ? { servername } : {}, ...tls } : undefined, connected)
  }
}

type Place = { host: string; port: number } | { path: string }

/** Connects, and gives the stream to a callback: once, and never in the call itself. */
function begin(place: Place, options: ConnectOptions, tls: Omit<TlsOptions, 'isServer'> | undefined, connected: Connected): void {
  const opened = async (): Promise<Duplex> => {
    if (tls !== undefined && 'host' in place) return (await connectTls(place.port, place.host, { ...options, ...tls })).toDuplex()
    const socket = await ('path' in place ? connect(`unix:${place.path}`, options) : connect(place.port, place.host, options))
    return (tls === undefined ? socket : await secure(socket, tls)).toDuplex()
  }
  // What the callback throws is the program's, as with any callback.
  opened().then(stream => setImmediate(connected, null, stream), (error: Error) => setImmediate(connected, error))
}
