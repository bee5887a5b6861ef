/** Stream sockets: TCP, and unix streams. */
import { types } from 'node:util'
import type { Address, Family, Protocol } from './address.js'
import { ConnectionSocket } from './connection.js'
import { Copy, SendRest, type Rest } from './copy.js'
import { SocketDuplex, type SocketDuplexOptions } from './duplex.js'
import { stateError, systemError, typeError, type SocketError } from './errors.js'
import { birthHere } from './leak.js'
import type { Link } from './link.js'
import { native, type Handle } from './native.js'
import { PATIENTLY, promised, type OperationOptions } from './operation.js'
import { parseHeader, type Proxied, type ProxyHeader } from './proxy-protocol.js'
import { headerError, ReceiveHeader } from './proxy-read.js'
import { optionTable } from './options.generated.js'
import type { SocketOptions } from './options.js'
import { Reader, type ReaderOptions } from './reader.js'
import { read, Receive, ReceiveAll, ReceiveExact, ReceiveExactNew, ReceiveNew, SCRATCH_LENGTH } from './receive.js'
import { bytesOf, listOf, Send, SendList, write, type Data } from './send.js'
import type { Making, SocketHandle } from './socket.js'
import { checkFamily, checkLength, checkStreamSpace } from './validate.js'
import { WebStreams } from './web.js'

const { WOULD_BLOCK } = native
const { isUint8Array } = types

/** How to read to the end of a stream. */
export interface ReceiveAllOptions extends OperationOptions {
  /** The most bytes to take; past it `ERR_OUT_OF_RANGE`, and what had come stays readable. No limit by default. */
  limit?: number | undefined
}

/**
 * Makes a TCP socket; with `'unix'` a unix stream socket. `noDelay` is on unless the options say otherwise.
 *
 * Errors, thrown: `EMFILE`, `EAFNOSUPPORT`, `EPROTONOSUPPORT`, `ERR_INVALID_ARG_VALUE`. See tcp(7), unix(7).
 */
export function tcp(family: Family = 'inet', protocol?: Protocol, options?: SocketOptions): TcpSocket {
  checkFamily(family)
  return new TcpSocket({ type: 'tcp', family, protocol, options, birth: birthHere(tcp) })
}

/** A TCP or unix stream socket: a listener, or one end of a connection. */
export class TcpSocket extends ConnectionSocket {
  declare readonly type: 'tcp'
  #duplex: SocketDuplex | undefined
  #web: WebStreams | undefined
  /** The header it came with, and what that says. */
  #came: { readonly header: Uint8Array; readonly proxied: Proxied } | null = null

  /** @internal */
  constructor(making: Making) {
    super(making)
    // An accepted socket has it from its listener.
    if (making.handle === undefined && making.family !== 'unix' && making.options?.noDelay === undefined) {
      native.setOption(this.link.handle, optionTable.noDelay.id, 1)
    }
  }

  /**
   * What the proxy has told of it that this connection came through, by the header of the PROXY protocol; `null` when it came without.
   * It stays known after `close`, and goes along with `detach`. See the option `proxyProtocol` of `serve`.
   */
  get proxied(): Proxied | null {
    return this.#came?.proxied ?? null
  }

  /**
   * The local address, asked of the system, so that port 0 shows its port; `null` while it has none, and once closed. Of a connection that
   * came through a proxy, which has told that, where the client connected to; `proxied.local` is the address here.
   */
  override get localAddress(): Address | null {
    const own = super.localAddress
    return own && (this.#came?.proxied.destination ?? own)
  }

  /**
   * The peer's address; `null` while there is none. It stays known after `close`. Of a connection that came through a proxy, which has
   * told that, the client's; `proxied.proxy` is the proxy's.
   */
  override get remoteAddress(): Address | null {
    return this.#came?.proxied.source ?? super.remoteAddress
  }

  /**
   * Sends all of it: text as UTF-8, bytes, or a list of bytes gathered into one (writev(2)). Resolves to the number of bytes.
   * Leave the data alone until then. On failure `error.bytesSent` says how much the system took.
   *
   * Errors: `EPIPE`, `ECONNRESET`, `ETIMEDOUT`, `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_STATE`, `ERR_INVALID_ARG_TYPE`,
   * `ERR_INVALID_ARG_VALUE` (lone surrogates; data detached meanwhile). See send(2).
   */
  send(data: Data | readonly Uint8Array[], op?: OperationOptions): Promise<number> {
    const { link } = this
    if (op === undefined && isUint8Array(data) && this.state === 'connected' && link.writing.open()) {
      const { length } = data
      const count = length === 0 ? 0 : write(link, data, 0)
      if (count === length) return Promise.resolve(count)
      if (count < 0 && count !== WOULD_BLOCK) return Promise.reject(refused(count))
      return link.writing.submit(new Send(link, data, Math.max(count, 0)), undefined, this)
    }
    return promised(() => {
      const payload = Array.isArray(data) ? listOf(data) : bytesOf(data)
      this.assertState('send', 'connected')
      return link.writing.submit(payload instanceof Array ? SendList.of(link, payload) : new Send(link, payload, 0), op, this)
    })
  }

  /**
   * Receives what is there, at least one byte, and waits for it: into memory of yours, resolving to the count (0 at the end of the
   * stream, again and again), or as a new Buffer of at most `maxLength` bytes (65,536 by default; empty at the end).
   *
   * Errors: `ECONNRESET`, `ETIMEDOUT`, `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_STATE`, `ERR_OUT_OF_RANGE` (no room),
   * `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` (memory detached meanwhile). See recv(2).
   */
  recv(into: Uint8Array, op?: OperationOptions): Promise<number>
  recv(maxLength?: number, op?: OperationOptions): Promise<Buffer>
  recv(into?: Uint8Array | number, op?: OperationOptions): Promise<number | Buffer> {
    const { link } = this
    if (isUint8Array(into) && into.length > 0 && this.state === 'connected') {
      if (op === undefined && link.reading.open()) {
        const count = read(link, into)
        if (count >= 0) return Promise.resolve(count)
        if (count !== WOULD_BLOCK) return Promise.reject(link.error(count, 'recv'))
      }
      return link.reading.submit(Receive.of(link, into), op, this)
    }
    return promised<number | Buffer>(() => {
      const wanted = into === undefined ? SCRATCH_LENGTH : into
      if (typeof wanted === 'number') checkLength('maxLength', wanted, 1)
      else checkStreamSpace(wanted)
      this.assertState('recv', 'connected')
      if (typeof wanted === 'number') return link.reading.submit(new ReceiveNew(link, wanted), op, this)
      return link.reading.submit(Receive.of(link, wanted), op, this)
    })
  }

  /**
   * Receives exactly as much as `into` holds, or exactly `length` bytes as a new Buffer.
   *
   * Errors: as `recv`, and `ERR_UNEXPECTED_EOF` when the stream ends before. `error.bytesRead` says how much had come; it stays
   * readable, also after `ETIMEDOUT` and an abort.
   */
  recvExact(into: Uint8Array, op?: OperationOptions): Promise<number>
  recvExact(length: number, op?: OperationOptions): Promise<Buffer>
  recvExact(into: Uint8Array | number, op?: OperationOptions): Promise<number | Buffer> {
    return promised<number | Buffer>(() => {
      const { link } = this
      if (typeof into === 'number') checkLength('length', into, 1)
      else checkStreamSpace(into)
      this.assertState('recv', 'connected')
      if (typeof into === 'number') return link.reading.submit(new ReceiveExactNew(link, into), op, this)
      return link.reading.submit(new ReceiveExact(link, into), op, this)
    })
  }

  /**
   * Receives all until the end of the stream.
   *
   * Errors: as `recv`, and `ERR_OUT_OF_RANGE` past `limit`; what had come stays readable.
   */
  recvAll(options: ReceiveAllOptions = {}): Promise<Buffer> {
    return promised(() => {
      if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
      const { limit = Infinity, ...op } = options
      if (limit !== Infinity) checkLength('limit', limit, 0)
      this.assertState('recv', 'connected')
      return this.link.reading.submit(new ReceiveAll(this.link, limit), op, this)
    })
  }

  /**
   * Sends all that comes to another connection, until the end of the stream; resolves to how many bytes that were. It passes on nothing but
   * bytes: `shutdown('write')` of the other one says that they have ended, and its `reset` that this one broke. Nothing is received that
   * could not be sent, but for one step, and what was not sent stays readable here when it fails. `to` may be this socket itself: an echo.
   *
   * `timeout` is how long nothing may go on, neither way. `error.syscall` says whose failure it is, `'recv'` or `'send'`, and
   * `error.bytesSent` how much the other connection has taken.
   *
   * Errors: those of `recv` and of `send`.
   */
  copyTo(to: TcpSocket, op?: OperationOptions): Promise<number> {
    return promised(() => {
      if (!(to instanceof TcpSocket)) throw typeError('to', 'a TcpSocket', to)
      this.assertState('recv', 'connected')
      to.assertState('send', 'connected')
      return this.link.reading.submit(new Copy(this.link, to, this.wire && to.wire), op, this)
    })
  }

  /**
   * A reader of its own buffer: lines, delimiters, lengths. `limit` is the most bytes that one of its calls gives, 1 MiB by default.
   * What it has read ahead is not to be had by `recv`. It can be made before the socket is connected.
   *
   * Errors, thrown: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`. See `Reader`.
   */
  reader(options?: ReaderOptions): Reader {
    return new Reader(this.link, () => this.assertState('recv', 'connected'), options)
  }

  /**
   * Sends what the system takes right now, and says how much; 0 when it takes nothing, or when others wait to send.
   *
   * Errors, thrown: as `send`.
   */
  trySend(data: Data): number {
    const bytes = bytesOf(data)
    this.assertState('send', 'connected')
    const { link } = this
    if (bytes.length === 0 || link.writing.head !== null) return 0
    const count = write(link, bytes, 0)
    if (count < 0 && count !== WOULD_BLOCK) throw refused(count)
    return Math.max(count, 0)
  }

  /**
   * Receives what is there right now, and says how much; 0 at the end of the stream, `null` when nothing is there, or when
   * others wait to receive.
   *
   * Errors, thrown: as `recv`.
   */
  tryRecv(into: Uint8Array): number | null {
    checkStreamSpace(into)
    this.assertState('recv', 'connected')
    const { link } = this
    if (link.reading.head !== null) return null
    const count = read(link, into)
    if (count < 0 && count !== WOULD_BLOCK) throw link.error(count, 'recv')
    return count < 0 ? null : count
  }

  /**
   * The socket as a `stream.Duplex` that goes where a `net.Socket` is expected: `tls.connect({ socket })`, `http`, `pg`, `ioredis`, `undici`,
   * `ws`. It can be made before the socket is connected, and connect it. Called again, it gives the same one. `docs/streams.md` has the rest.
   *
   * Whoever receives from the socket, the stream included, gets what comes in the order of their calls; what the stream has received and
   * nobody has read moves with the socket by `detach`. `socket.timeout` is not for streams: they have `setTimeout`.
   *
   * Errors, thrown: `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_STATE` (a listener; options for one that is made already),
   * `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`. See net.Socket.
   */
  toDuplex(options?: SocketDuplexOptions): SocketDuplex {
    if (this.#duplex !== undefined && options !== undefined) throw stateError('toDuplex', 'a stream already', 'without one to be given options')
    if (this.#duplex === undefined) {
      this.#assertStream('toDuplex')
      this.#duplex = new SocketDuplex(this, this.link, () => this.state, options)
    }
    return this.#duplex
  }

  /**
   * What comes, as a byte stream: the same one each time. It receives when it is read from, into the reader's own memory where that is
   * given (`mode: 'byob'`), and nothing ahead. Cancelling it is `shutdown('read')`; it never closes the socket. Errors end it, also `ETIMEDOUT` by
   * `socket.timeout`: what comes after that is still to be had by `recv`. Before the socket is connected it waits for that.
   *
   * Errors, thrown: `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_STATE` (a listener). See the Streams Standard.
   */
  get readable(): ReadableStream<Uint8Array> {
    return this.#streams('readable').readable
  }

  /**
   * Where to write text and bytes to: the same stream each time. A write resolves when the system has taken all; up to 64 KiB may wait
   * before `writer.ready` does. Closing it is `shutdown('write')`, after all that waits to be sent; aborting it is `reset()`, so that the
   * peer does not take for whole what is not.
   *
   * Errors, thrown: `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_STATE` (a listener). See the Streams Standard.
   */
  get writable(): WritableStream<Data> {
    return this.#streams('writable').writable
  }

  /** What comes, chunk by chunk, until the end of the stream. Leaving the loop does not close the socket. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const chunk = await this.recv()
      if (chunk.length === 0) return
      yield chunk
    }
  }

  /** The link of a connection that something is laid over, which receives first what was received and not given out. @internal */
  beginOver(syscall: string): Link {
    this.assertState(syscall, 'connected')
    this.link.takeAhead()
    return this.link
  }

  #streams(what: string): WebStreams {
    if (this.#web === undefined) {
      this.#assertStream(what)
      this.#web = new WebStreams(this, this.link, this.state === 'connected')
    }
    return this.#web
  }

  /** Throws unless it is connected or can come to be. */
  #assertStream(what: string): void {
    if (this.state === 'closed' || this.state === 'listening') throw this.wrongState(what, 'connected')
  }

  /** Its link, where what it receives and sends is what goes over the wire. @internal */
  protected get wire(): Link | null {
    return this.link
  }

  /** Sends what `copyTo` could not send at once; `moved` is told when some of it has gone. @internal */
  passOn(bytes: Buffer, moved: () => void): Rest {
    const rest = new SendRest(this.link, bytes, moved)
    return { rest, sent: this.link.writing.submit(rest, PATIENTLY, this) }
  }

  /** Receives the header of the PROXY protocol; unless it is required there may be none. @internal */
  async receiveHeader(required: boolean, timeout: number): Promise<void> {
    const { link } = this
    const bytes = await link.reading.submit(new ReceiveHeader(link, required), { timeout }, this)
    if (bytes === null) return
    const header = parseHeader(bytes)
    if (typeof header === 'string') throw headerError(header)
    // It is not given out, and so does not count.
    link.reading.bytes -= bytes.length
    this.comeBy(bytes, header)
  }

  /** Has come with this header. @internal */
  comeBy(bytes: Uint8Array, header: ProxyHeader): void {
    // Of a view the whole memory would be kept, and cloned.
    this.#came = { header: new Uint8Array(bytes), proxied: { ...header, proxy: super.remoteAddress, local: super.localAddress } }
  }

  /** @internal */
  override detach(): SocketHandle<'tcp'> {
    return { ...super.detach(), header: this.#came?.header ?? null }
  }

  /** @internal */
  protected adopt(handle: Handle, peer: Address | null): this {
    const { type, family, protocol } = this
    const socket = new TcpSocket({ type, family, protocol, handle, birth: 'by accept()' })
    socket.peer = peer
    return socket as this
  }
}

function refused(code: number): SocketError {
  const error = systemError(code, 'send')
  error.bytesSent = 0
  return error
}
