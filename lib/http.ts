/** HTTP over the sockets of `socket2`, by node:http and undici: the entry point `socket2/http`. */
import { createServer, type RequestListener, type Server as NodeServer, type ServerOptions } from 'node:http'
import type { Address } from './address.js'
import { typeError } from './errors.js'
import { Visits } from './http-visits.js'
import { serve, type CloseOptions, type ServeOptions, type Server } from './serve.js'
import type { TcpSocket } from './tcp.js'
import { checkInteger } from './validate.js'

export { agent, connector, type Connector, type ConnectorOptions, type HttpAgentOptions } from './http-client.js'

/**
 * How to serve HTTP: where and within which limits, as `serve`; and in `http` what `http.createServer` takes. `idleTimeout` is for what
 * goes over the wire: also a connection whose answer is being worked at is closed by it, so make it longer than that takes.
 */
export interface ServeHttpOptions extends ServeOptions {
  /**
   * Timeouts and limits of node:http: `keepAliveTimeout`, `headersTimeout`, `requestTimeout`, `maxHeaderSize` …, with the units and
   * defaults they have there. `noDelay`, `keepAlive` and `keepAliveInitialDelay` are set on each connection, `highWaterMark` on those
   * without TLS. None by default. See http.createServer.
   */
  http?: ServerOptions | undefined
}

/**
 * Serves HTTP/1.1, and with `tls` HTTPS: `node:http` on a listener of ours. `listener` is called with each request and response, as
 * `http.createServer` calls it: an Express or Fastify application is one. Resolves when it listens.
 *
 * What the listener throws, and what it rejects with, is the program's, as with node:http: `'uncaughtException'`,
 * `'unhandledRejection'`. A program that goes on after that finds the server as it was; that one request is never answered. `onError`
 * hears of what befalls the server itself, and of listeners of `server.http` for `'connection'` that throw.
 *
 * Errors: those of `serve`; of `http.createServer` for `http`: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
 * See RFC 9110, RFC 9112, http.createServer.
 */
export async function serveHttp(options: ServeHttpOptions = {}, listener?: RequestListener): Promise<HttpServer> {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  if (listener !== undefined && typeof listener !== 'function') throw typeError('listener', 'a function', listener)
  const { http: settings = {}, ...rest } = options
  if (typeof settings !== 'object' || settings === null) throw typeError('options.http', 'an object', settings)
  const { highWaterMark } = settings
  if (highWaterMark !== undefined) checkInteger('options.http.highWaterMark', highWaterMark, 0, Number.MAX_SAFE_INTEGER)
  const http = createServer(settings)
  const visits = new Visits(http, settings)
  if (listener !== undefined) http.on('request', listener)
  // From then on node:http looks after clients that take too long; only after those that come later, so before the first one.
  http.emit('listening')
  try {
    const server = await serve(rest, (socket: TcpSocket, { signal }) => visits.attend(socket, signal))
    // It has nobody to look after any more.
    server.onClosed = () => http.close()
    return new HttpServer(server, http)
  } catch (error) {
    http.close()
    throw error
  }
}

/** A server that `serveHttp` has made. */
export class HttpServer {
  /** Where it listens; known also once it is closed. */
  readonly address: Address
  /**
   * The server of node:http: for `'upgrade'`, `'connect'`, `'checkContinue'`, `'clientError'`, `'timeout'` and its settings. It does not
   * listen itself: it has no address, and closing it does not close this one.
   */
  readonly http: NodeServer
  readonly #server: Server

  /** @internal */
  constructor(server: Server, http: NodeServer) {
    this.address = server.address
    this.http = http
    this.#server = server
  }

  /** The socket that listens, as that of `serve`: look at it, `unref` it, send it to another process. */
  get listener(): TcpSocket {
    return this.#server.listener
  }

  /** How many connections are open, those included that wait for another request, and those that were upgraded. */
  get connections(): number {
    return this.#server.connections
  }

  /**
   * Stops accepting, and closes the connections that wait for another request. Where something is being answered the last answer that was
   * asked for goes out whole, with `Connection: close` if its head has not gone yet, and ends its connection. One of which nothing has
   * come yet has a second for that, from when it was accepted. Upgraded connections go on until somebody ends them. Those that are left
   * after `grace` milliseconds are closed; for ever by default. Resolves when none is left. Called again it can only shorten the time.
   *
   * Errors: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`. See RFC 9112, section 9.6; http.Server: close.
   */
  async close(options?: CloseOptions): Promise<void> {
    await this.#server.close(options)
  }

  /** Closes it with its connections, at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ grace: 0 })
  }
}
