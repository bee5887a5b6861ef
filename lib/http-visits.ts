/** The connections of an HTTP server: what is being answered on each, and how they come to their end when the server closes. */
import type { IncomingMessage, Server as NodeServer, ServerOptions, ServerResponse } from 'node:http'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import type { Duplex } from 'node:stream'
import { setQuietly } from './netlike.js'
import type { TcpSocket } from './tcp.js'

/** How long (ms) a connection that has said nothing yet has for its first word when the server closes, from when it came. Chosen by feel. */
const FIRST_WORD = 1_000

/** What is answered without `'request'`, by who listens to these; that somebody does has node:http not answer by itself. */
const OTHER_REQUESTS: readonly unknown[] = ['checkContinue', 'checkExpectation']

/** What of node:http's options is for connections. */
export type ConnectionSettings = Pick<ServerOptions, 'highWaterMark' | 'noDelay' | 'keepAlive' | 'keepAliveInitialDelay'>

interface Visit {
  readonly stream: Duplex & { readonly bytesRead?: number; destroySoon?(): void }
  readonly since: number
  /** In the order of the requests. With pipelining there are several, of which the first has its turn. */
  readonly answering: Set<ServerResponse>
}

type Note = (request: IncomingMessage, response: ServerResponse) => void

export class Visits {
  readonly #http: NodeServer
  readonly #settings: ConnectionSettings
  readonly #visits = new Map<unknown, Visit>()
  readonly #note: Note = (request, response) => this.#begin(request, response)
  #closing: AbortSignal | undefined
  /** Those that have said nothing yet while the server closes, and may. */
  readonly #awaited = new Set<Visit>()

  constructor(http: NodeServer, settings: ConnectionSettings) {
    this.#http = http
    this.#settings = settings
    const note = this.#note
    http.on('request', note)
    http.on('newListener', (event, listener) => {
      if (OTHER_REQUESTS.includes(event) && listener !== note && http.listenerCount(event) === 0) http.on(event, note)
    })
    http.on('removeListener', (event, listener) => {
      if (OTHER_REQUESTS.includes(event) && listener !== note && http.listenerCount(event) === 1) http.off(event as 'checkContinue', note)
    })
  }

  /** Lets node:http have a connection until it has ended. `closing` is the same signal each time. */
  async attend(socket: TcpSocket, closing: AbortSignal): Promise<void> {
    this.#endWith(closing)
    this.#prefer(socket)
    const stream = socket.toDuplex({ allowHalfOpen: true, highWaterMark: this.#settings.highWaterMark })
    const ended = new Promise(resolve => stream.once('close', resolve))
    const visit = this.#visit(stream)
    this.#visits.set(stream, visit)
    try {
      this.#http.emit('connection', stream)
      if (closing.aborted) this.#hasten(visit)
      // TLS may have ended before anybody could listen.
      if (!stream.closed) await ended
    } finally {
      // With all that was still to be answered: of an answer behind another one, whose turn never came, nobody tells.
      this.#visits.delete(stream)
    }
  }

  #visit(stream: Duplex): Visit {
    return { stream, since: performance.now(), answering: new Set() }
  }

  #endWith(closing: AbortSignal): void {
    if (this.#closing !== undefined) return
    this.#closing = closing
    closing.addEventListener('abort', () => {
      for (const visit of this.#visits.values()) this.#hasten(visit)
      this.#closeIdle()
    }, { once: true })
  }

  /** A request has come. */
  #begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    const known = this.#visits.get(socket)
    // Not every runtime shows here the stream that it was given.
    const visit = known ?? this.#visit(socket)
    if (visit.answering.has(response)) return
    if (known === undefined) this.#visits.set(socket, visit)
    visit.answering.add(response)
    this.#awaited.delete(visit)
    if (this.#closing?.aborted) response.shouldKeepAlive = false
    response.once('close', () => {
      visit.answering.delete(response)
      if (known === undefined && visit.answering.size === 0) this.#visits.delete(socket)
      if (this.#closing?.aborted) setImmediate(() => this.#leave(visit, request))
    })
  }

  /** Has a connection end with the last answer that was asked for. */
  #hasten(visit: Visit): void {
    const last = [...visit.answering].at(-1)
    if (last !== undefined) last.shouldKeepAlive = false
    else if (silent(visit)) this.#awaitWord(visit)
  }

  /** Closes a connection that has not said a word after its time. */
  #awaitWord(visit: Visit): void {
    const { stream, since } = visit
    const timer = setTimeout(() => {
      if (silent(visit)) stream.destroy()
      this.#awaited.delete(visit)
      this.#closeIdle()
    }, Math.max(since + FIRST_WORD - performance.now(), 0)).unref()
    this.#awaited.add(visit)
    stream.once('close', () => {
      clearTimeout(timer)
      this.#awaited.delete(visit)
      this.#closeIdle()
    })
  }

  /**
   * Closes those that wait for another request. Whether one that waits for its first is among them depends on the version of node:http,
   * so it is left until none does.
   */
  #closeIdle(): void {
    if (this.#awaited.size === 0) this.#http.closeIdleConnections()
  }

  /** An answer has ended while the server closes. Its head may have promised to take another request. */
  #leave(visit: Visit, request: IncomingMessage): void {
    if (visit.answering.size > 0) return
    if (request.complete) this.#closeIdle()
    // To node:http it is in the middle of a request, of which nobody wants the rest.
    else visit.stream.destroySoon?.()
  }

  /** Sets what `http.createServer` was told of connections. */
  #prefer(socket: TcpSocket): void {
    const { noDelay, keepAlive, keepAliveInitialDelay = 0 } = this.#settings
    if (noDelay === false) setQuietly(socket, () => socket.setOption('noDelay', false))
    if (!keepAlive) return
    setQuietly(socket, () => socket.setOption('keepAlive', true))
    if (keepAliveInitialDelay >= 1000) setQuietly(socket, () => socket.setOption('keepAliveIdle', keepAliveInitialDelay))
  }
}

/** Whether nothing has ever come. */
function silent({ stream, answering }: Visit): boolean {
  return answering.size === 0 && !stream.destroyed && !((stream.bytesRead ?? 0) > 0)
}
