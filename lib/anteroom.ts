/**
 * Where connections wait until a proxy has told whom it speaks for. All at the same time: one who takes its time holds up nobody, and is
 * closed when that is over.
 */
import type { BlockList } from 'node:net'
import { addressOf, listed, type Admission } from './admission.js'
import type { Report } from './attending.js'
import { channels, publish } from './channels.js'
import { rangeError, SocketError, typeError, valueError } from './errors.js'
import { checkTimeout } from './guard.js'
import { headerError } from './proxy-read.js'
import type { TcpSocket } from './tcp.js'

/** Whether proxies tell of whom they speak for, and which. */
export interface ProxyOptions {
  /**
   * Every connection begins with a header of the PROXY protocol, version 1 or 2, as HAProxy, nginx, Envoy and load balancers send it: its
   * client is `socket.remoteAddress`, where that connected to `socket.localAddress`, and all that the header tells `socket.proxied`. The
   * handler hears of a connection when its header has come; what follows the header is there to be received.
   *
   * One whose header is wrong (`ERR_SOCKET_PROXY_HEADER`), longer than 16,384 bytes, or not there within `proxyHeaderTimeout` is closed,
   * and told on the channel `socket2:error` alone; who leaves without a word is not even told there.
   *
   * `'optional'` also serves those that begin otherwise, as they are, with `socket.proxied` being `null`. The protocol warns of that:
   * whoever can connect can claim any address, so name `trustedProxies`. And who waits for the server to speak first is served only after
   * `proxyHeaderTimeout`: until then a header may come. Over a unix path descriptors that come with the first bytes are lost.
   *
   * See proxy-protocol.txt of HAProxy.
   */
  proxyProtocol?: 'required' | 'optional' | undefined
  /** How long a header may take to come, in milliseconds, from when the connection is accepted; 3,000 by default. `Infinity`: for ever. */
  proxyHeaderTimeout?: number | undefined
  /**
   * The addresses of the proxies: a `net.BlockList`, whose name is not what it is for here. Of others no header is taken: with
   * `'required'` they are closed at once, with `'optional'` served at once, as they are. Who comes by a unix path is always trusted.
   */
  trustedProxies?: BlockList | undefined
}

/** As the protocol has it: at least 3 s, for segments that are lost and sent again. */
const HEADER_TIMEOUT = 3000

export class Anteroom {
  readonly #required: boolean
  readonly #timeout: number
  readonly #trusted: BlockList | undefined
  readonly #waiting = new Set<TcpSocket>()
  /** Those of whom it is known whom they speak for, in the order in which it was. */
  readonly #known: TcpSocket[] = []
  #accepting: Promise<void> | undefined
  #pausing = new AbortController()
  /** Nobody comes any more. */
  #over = false
  /** Nobody is let in any more. */
  #ended = false
  #failure: { readonly error: unknown } | undefined
  #wake = (): void => {}

  constructor(private readonly listener: TcpSocket, options: ProxyOptions, private readonly admission: Admission, private readonly report: Report) {
    const { proxyProtocol, proxyHeaderTimeout = HEADER_TIMEOUT, trustedProxies } = options
    this.#required = proxyProtocol === 'required'
    this.#timeout = proxyHeaderTimeout
    this.#trusted = trustedProxies
  }

  /** The next one that is known; it has a place. `null` when the listener is closed and nobody waits. Accepts as long as it is awaited. */
  async next(): Promise<TcpSocket | null> {
    for (;;) {
      const socket = this.#known.shift()
      if (socket !== undefined) return socket
      if (this.#failure !== undefined) throw this.#failed(this.#failure)
      if (this.#over && this.#waiting.size === 0) return null
      if (!this.#over) this.#accepting ??= this.#accept()
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  /** Accepts nobody until the next one is asked for again. */
  pause(): void {
    this.#pausing.abort()
    this.#pausing = new AbortController()
  }

  /** Closes all who are here, and whoever still comes. */
  end(): void {
    this.#ended = true
    for (const socket of this.#waiting) socket.close()
    for (const socket of this.#known.splice(0)) this.#refuse(socket)
  }

  /** Resolves when whoever is being accepted has been. */
  get accepting(): Promise<void> | undefined {
    return this.#accepting
  }

  async #accept(): Promise<void> {
    const { signal } = this.#pausing
    try {
      const socket = await this.listener.nextConnection({ signal, timeout: Infinity })
      if (socket === null) this.#over = true
      else this.#welcome(socket)
    } catch (error) {
      if (!signal.aborted) this.#failure = { error }
    } finally {
      this.#accepting = undefined
      this.#wake()
    }
  }

  #welcome(socket: TcpSocket): void {
    try {
      // Someone may have closed it since it was accepted.
      if (this.#ended || socket.closed || !this.admission.reserve(socket)) return socket.close()
      if (this.#trusts(socket)) return void this.#hear(socket)
      if (this.#required) return this.#refuse(socket, headerError('it is not from a trusted proxy'))
      this.#known.push(socket)
    } catch (error) {
      this.#refuse(socket)
      this.report(error, socket)
    }
  }

  async #hear(socket: TcpSocket): Promise<void> {
    this.#waiting.add(socket)
    try {
      await socket.receiveHeader(this.#required, this.#timeout)
      if (socket.closed) this.#refuse(socket)
      else this.#known.push(socket)
    } catch (error) {
      this.#refuse(socket, error)
    } finally {
      this.#waiting.delete(socket)
      this.#wake()
    }
  }

  #trusts(socket: TcpSocket): boolean {
    return this.#trusted === undefined || addressOf(socket) === undefined || listed(this.#trusted, socket)
  }

  #refuse(socket: TcpSocket, error?: unknown): void {
    if (isNews(error)) publish(channels.error, () => ({ socket, error }))
    socket.close()
    this.admission.giveUp(socket)
  }

  #failed({ error }: { readonly error: unknown }): unknown {
    this.#failure = undefined
    return error
  }
}

/** Whether somebody may want to hear of it: not that it was closed here, nor of those who only look whether the port is open. */
function isNews(error: unknown): boolean {
  if (!(error instanceof SocketError)) return error !== undefined
  const { code, bytesRead, timeout } = error
  return code !== 'ERR_SOCKET_CLOSED' && !(bytesRead === 0 && timeout === undefined)
}

/** Checks the options; throws what is wrong with them. */
export function checkProxies({ proxyProtocol, proxyHeaderTimeout, trustedProxies }: ProxyOptions): void {
  if (proxyProtocol !== undefined && proxyProtocol !== 'required' && proxyProtocol !== 'optional') {
    throw valueError('options.proxyProtocol', "must be 'required' or 'optional'", proxyProtocol)
  }
  if (proxyHeaderTimeout !== undefined) checkTimeout('options.proxyHeaderTimeout', proxyHeaderTimeout)
  if (proxyHeaderTimeout === 0) throw rangeError('options.proxyHeaderTimeout', 'more than 0 milliseconds', proxyHeaderTimeout)
  if (trustedProxies !== undefined && typeof (trustedProxies as BlockList | null)?.check !== 'function') {
    throw typeError('options.trustedProxies', 'a net.BlockList', trustedProxies)
  }
}
