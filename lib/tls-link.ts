/**
 * The link of a socket that speaks TLS. What waits on it waits for node:tls, which speaks over a stream of the plain socket; so all
 * ways to receive, and readers, are those of any other socket.
 */
import { Readable, type Duplex } from 'node:stream'
import { clearTimeout, setTimeout } from 'node:timers'
import type { TLSSocket } from 'node:tls'
import { closedError, SocketError } from './errors.js'
import { Link, resetHandle } from './link.js'
import { native, type Handle } from './native.js'
import { netAddress } from './netlike.js'
import { Operation } from './operation.js'
import { SCRATCH_LENGTH } from './receive.js'
import type { TcpSocket } from './tcp.js'
import type { Established } from './tls-ends.js'
import { giveSpace, space } from './tls-space.js'
import type { Transport } from './tls-transport.js'
import { Beginning, viewOf } from './view.js'

const { WOULD_BLOCK } = native

/** What `receive` says when something other than the system ended the connection; `error` knows more. */
const FAILED = -0x7fff_ffff

/** What makes one record of TLS at most. */
const MOST_IN_ONE = 16_384

/** How many decrypted bytes wait at most to be received before no more are read. As many as a plain socket takes in one step. */
const MOST_AHEAD = SCRATCH_LENGTH

/** How long (ms) a peer that takes nothing may hold up the last word of a connection that is closed here. Chosen by feel. */
const LAST_WORD = 1_000

const decrypted = new Beginning(space)

export class TlsLink extends Link {
  /** Both ends have agreed upon how to talk, and know each other as far as they want to. */
  established = false
  readonly tls: TLSSocket
  /** What ended the connection badly. */
  #failure: Error | undefined
  /** Decrypted, and not given out. */
  readonly #chunks: Buffer[] = []
  #unreadLength = 0
  /** How many bytes lie in the space, just now, and how many of them are taken. */
  #fresh = 0
  #taken = 0
  /** The peer has ended what it sends, or this end does not want it. */
  #ended = false
  #unwritable = false
  #taking = false
  /** The stream is someone else's. */
  #yielded = false
  readonly #take = (chunk: Buffer): void => {
    if (!this.#arrived(chunk)) this.tls.pause()
  }
  /**
   * It takes what node:tls hands to the stream before that has queued it, told of it by an event, and asked for more, and has it put
   * where whoever waits takes it from: which costs a tenth of a short message. Other runtimes hand it over otherwise.
   */
  readonly #direct: boolean
  /** No more is read until some of it is given out. */
  #full = false
  /** The peer has ended what it sends, of which the stream hears once all before it is given out: it could not take that back any more. */
  #endsHere = false

  /** `open` lays TLS over the transport, and is told by the other end when it is established, or why not. */
  constructor(readonly plain: TcpSocket, under: Link, readonly transport: Transport | Duplex, open: (established: Established) => TLSSocket) {
    super(under.handle, false, false)
    this.#direct = (transport as Partial<Transport>).taken !== undefined
    this.tls = open(error => this.#established(error))
      .on('end', () => this.#peerEnded())
      .on('error', error => this.#fail(error))
      .on('close', () => this.#gone())
    if (this.#direct) (transport as Transport).carries(this.tls)
    // What befalls a server after the handshake node:tls tells its own server only, and what befalls the connection nobody.
    this.tls.on('_tlsError', (error: Error) => this.tls.destroy(error))
    transport.on('error', (error: Error) => this.#fail(error))
    // It asks the handle of node:net for them, which there is not.
    Object.defineProperties(this.tls, { ...ADDRESSES, [BELOW]: { value: plain } })
    // What waits below is waited for here.
    plain.unref()
  }

  /** Leaves the stream to someone else, with what was received and not given out. */
  yield(): TLSSocket {
    const { tls, plain } = this
    // Not listening to 'readable' any more leaves it as a stream that nobody has listened to.
    const nobody = (): void => {}
    if (this.#direct) delete (tls as Partial<TLSSocket>).push
    else if (this.#taking) tls.off('data', this.#take).on('readable', nobody).off('readable', nobody)
    for (const chunk of this.#chunks.splice(0).toReversed()) tls.unshift(chunk)
    if (this.#direct) this.#given(this.#unreadLength)
    this.#yielded = true
    plain.ref()
    return tls
  }

  /** Takes what comes from now on. */
  #listen(): void {
    if (this.#taking) return
    this.#taking = true
    const { tls } = this
    if (!this.#direct) return void tls.on('data', this.#take)
    for (let chunk; (chunk = tls.read() as Buffer | null) !== null;) this.#keep(chunk)
    tls.push = (chunk: Buffer | null) => chunk === null ? this.#endReached() : this.#arrived(chunk)
    giveSpace(tls, count => this.#decrypted(count))
  }

  #keep(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#unreadLength += chunk.length
  }

  /** As many bytes lie in the space. Who waits takes them from there, and the rest is kept. Whether more is wanted. */
  #decrypted(count: number): boolean {
    if (this.#yielded) return this.tls.push(Buffer.from(space.subarray(0, count)))
    this.#taken = 0
    this.#fresh = count
    this.reading.wake(false)
    this.#fresh = 0
    if (this.#taken < count) this.#keep(Buffer.from(space.subarray(this.#taken, count)))
    return this.#wanted()
  }

  /** Whether more is wanted. */
  #arrived(chunk: Buffer): boolean {
    this.#keep(chunk)
    this.reading.wake(false)
    return this.#wanted()
  }

  /** Whether more is, until some of it is given out. */
  #wanted(): boolean {
    this.#full = this.#unreadLength >= MOST_AHEAD
    return !this.#full
  }

  #endReached(): false {
    this.#endsHere = true
    if (this.#unreadLength === 0) this.#tellEnd()
    return false
  }

  #tellEnd(): void {
    const { tls } = this
    this.#endsHere = false
    Readable.prototype.push.call(tls, null)
    tls.read(0)
  }

  #established(error: Error | undefined): void {
    if (error === undefined) {
      this.established = true
      if (this.#direct) this.#listen()
      this.#wake()
    } else {
      this.tls.destroy(error)
    }
  }

  #peerEnded(): void {
    this.#ended = this.established
    if (this.established) this.#wake()
    else this.tls.destroy(new SocketError('the peer ended the connection before TLS was established', { code: 'ECONNRESET' }))
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  override receive(into: Uint8Array): number {
    const chunk = this.#chunks[0]
    if (chunk === undefined) {
      if (this.#taken < this.#fresh) return this.#takeFresh(into)
      this.#listen()
      if (this.#ended) return 0
      return this.#failure === undefined ? WOULD_BLOCK : FAILED
    }
    const count = Math.min(chunk.length, into.length)
    into.set(count < chunk.length ? chunk.subarray(0, count) : chunk)
    if (count < chunk.length) this.#chunks[0] = chunk.subarray(count)
    else this.#chunks.shift()
    this.#given(count)
    return count
  }

  #takeFresh(into: Uint8Array): number {
    const from = this.#taken
    this.#taken = Math.min(from + into.length, this.#fresh)
    const count = this.#taken - from
    into.set(from === 0 ? decrypted.of(count) : viewOf(space.buffer, from, count))
    return count
  }

  override chunk(maxLength: number): Buffer | null {
    const chunk = this.#chunks[0]
    // Who has a part may not have the rest.
    if (chunk === undefined || chunk.length > maxLength || chunk.length < chunk.buffer.byteLength) return null
    this.#chunks.shift()
    this.#given(chunk.length)
    return chunk
  }

  /** So much was given out. */
  #given(count: number): void {
    this.#unreadLength -= count
    if (this.#endsHere && this.#unreadLength === 0) this.#tellEnd()
    if (this.#full && this.#unreadLength < MOST_AHEAD && !this.tls.destroyed) {
      this.#full = false
      if (this.#direct) this.tls._read(SCRATCH_LENGTH)
      else this.tls.resume()
    }
  }

  override error(code: number, syscall: string): Error {
    return this.#failure === undefined ? super.error(code, syscall) : tlsError(this.#failure, syscall)
  }

  /** Something other than its end has ended it. */
  get failed(): boolean {
    return this.#failure !== undefined
  }

  /** Why nothing can be sent any more; `undefined` while it can. */
  refusal(syscall: string): Error | undefined {
    if (this.#failure !== undefined) return tlsError(this.#failure, syscall)
    if (this.plain.closed) return closedError(syscall)
    if (!this.#unwritable && this.tls.writable) return undefined
    return new SocketError(`${syscall} EPIPE: this end has ended what it sends`, { code: 'EPIPE', syscall })
  }

  /** Sends. Whether that was done at once; `written` hears in any case, and later, when it is done. */
  write(parts: readonly Uint8Array[], written: (error?: Error | null) => void): boolean {
    const { tls } = this
    const transport = this.#direct ? this.transport as Transport : undefined
    const taken = tls.writableLength === 0 && lengthOf(parts) <= MOST_IN_ONE ? transport?.taken : undefined
    const last = parts.length - 1
    if (last > 0) tls.cork()
    for (let i = 0; i < last; i++) tls.write(parts[i] as Uint8Array)
    tls.write(parts[last] as Uint8Array, written)
    if (last > 0) tls.uncork()
    // Encrypted and taken by the system within the call, of which the stream tells a turn later.
    return taken !== undefined && taken !== transport?.taken
  }

  /** Ends one direction or both: the peer hears of the end of what is sent, and the end of what it sends is now. */
  shut(read: boolean, write: boolean): void {
    if (read) {
      this.#ended = true
      this.#chunks.length = 0
      this.#given(this.#unreadLength)
    }
    if (write) {
      this.#unwritable = true
      this.tls.end()
    }
    this.#wake()
  }

  override end(part: (handle: Handle) => number): number {
    const before = this.handle
    super.end(() => 0)
    if (before >= 0) this.#part(part === resetHandle)
    return 0
  }

  /** Ends TLS and then the connection; with RST at once. */
  #part(reset: boolean): void {
    const { tls, plain } = this
    const leave = (): void => {
      clearTimeout(timer)
      // Sessions, as a rule, which servers send once more behind the handshake.
      if (!reset) (this.transport as Partial<Transport>).drain?.()
      tls.destroy()
      plain.close()
    }
    const timer = setTimeout(leave, LAST_WORD).unref()
    if (reset) plain.reset()
    if (reset || tls.destroyed || !this.established) return leave()
    // What it has taken goes first, and then the word that nothing follows.
    tls.once('finish', leave).once('close', leave).end()
    if (tls.writableFinished) leave()
  }

  #wake(): void {
    this.reading.wake(true)
    this.writing.wake(true)
  }

  /** The stream is gone. When it did not say why, the socket below was closed. */
  #gone(): void {
    if (this.#failure === undefined && !this.#ended) this.end(() => 0)
    this.#wake()
  }
}

/** Waits until TLS is established. */
export class Handshake extends Operation<void> {
  get syscall(): string {
    return 'secure'
  }

  constructor(private readonly link: TlsLink) {
    super()
  }

  attempt(): boolean {
    const { link } = this
    if (link.established) return this.succeed(undefined)
    if (link.failed) return this.fail(() => link.error(FAILED, this.syscall))
    link.reading.blocked()
    return false
  }
}

/** `send` over TLS: done when the system has taken all of it, encrypted. */
export class SendSecurely extends Operation<number> {
  #begun = false
  #done = false
  readonly #total: number

  get syscall(): string {
    return 'send'
  }

  constructor(private readonly link: TlsLink, private readonly parts: readonly Uint8Array[]) {
    super()
    this.#total = lengthOf(parts)
  }

  /** As an operation, but for the operation where it can be done at once. The rest is still to be waited for. */
  static atOnce(link: TlsLink, bytes: Uint8Array): SendSecurely | null {
    const parts = [bytes]
    const waiting: { rest?: SendSecurely } = {}
    if (link.write(parts, error => waiting.rest?.written(error))) {
      link.writing.bytes += bytes.length
      return null
    }
    const rest = new SendSecurely(link, parts)
    rest.#begun = true
    return (waiting.rest = rest)
  }

  attempt(): boolean {
    const { link } = this
    if (this.#done) return this.#sent()
    const refusal = link.refusal('send')
    if (refusal !== undefined) return this.fail(() => refusal)
    if (this.#total === 0) return this.succeed(0)
    if (!this.#begun) {
      this.#begun = true
      if (link.write(this.parts, error => this.written(error))) return this.#sent()
    }
    link.writing.blocked()
    return false
  }

  written(error: Error | null | undefined): void {
    if (!error) this.#done = true
    this.link.writing.wake(false)
  }

  /** TLS gives nothing back of what it has taken. */
  get left(): number {
    return 0
  }

  #sent(): true {
    this.link.writing.bytes += this.#total
    return this.succeed(this.#total)
  }

  override annotate(error: SocketError): void {
    error.bytesSent = 0
  }
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}

/** Of a stream of node:tls that speaks over our sockets: the socket below. */
const BELOW = Symbol('socket2.below')

/** The addresses, as a `net.Socket` has them. Not functions of each stream's own: to V8 it would be one of a kind, and slow. */
const ADDRESSES: PropertyDescriptorMap = {}
for (const end of ['local', 'remote'] as const) {
  for (const part of ['address', 'port', 'family'] as const) {
    ADDRESSES[end + part.replace(/^./, first => first.toUpperCase())] = {
      configurable: true,
      get(this: { readonly [BELOW]: TcpSocket }) {
        return netAddress(this[BELOW][`${end}Address`])[part]
      }
    }
  }
}

/** An error of node:tls, as one of ours. */
function tlsError(cause: Error & { code?: string }, syscall: string): SocketError {
  return new SocketError(`${syscall} ${cause.code ?? 'ERR_TLS'}: ${cause.message}`, { code: cause.code ?? 'ERR_TLS', syscall, cause })
}
