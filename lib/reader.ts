/** Buffered reading: lines, delimiters, lengths. */
import { constants } from 'node:buffer'
import { Ahead } from './ahead.js'
import { typeError, valueError } from './errors.js'
import { checked } from './guard.js'
import type { Link } from './link.js'
import type { OperationOptions } from './operation.js'
import { measureLine, ReadAll, ReadExact, ReadLine, ReadSome, ReadUntil, takeLine, type Reading } from './reading.js'
import { checkInteger, checkLength, isBytes } from './validate.js'

/** How a reader is made. */
export interface ReaderOptions {
  /** The default `limit` of what is read, in bytes; 1,048,576 (1 MiB) unless given; `Infinity`: none. */
  limit?: number | undefined
}

/** How to read up to something that may not come. */
export interface ReadOptions extends OperationOptions {
  /** The most bytes to give, the end or delimiter not counted; the reader's own `limit` by default. Past it: `ERR_OUT_OF_RANGE`. */
  limit?: number | undefined
}

/** How to read a line. */
export interface LineOptions extends ReadOptions {
  /** `'utf8'` by default. Not UTF-16, where the end of a line is no single byte. */
  encoding?: BufferEncoding | undefined
}

/** How to read up to a delimiter. */
export interface UntilOptions extends ReadOptions {
  /** Whether the delimiter is given, too; `false` by default. */
  inclusive?: boolean | undefined
}

const DEFAULT_LIMIT = 1_048_576

/**
 * Reads a stream through a buffer: by lines, up to delimiters, by lengths. `socket.reader()` makes one.
 *
 * It reads as much at once as there is, up to 64 KiB, and gives out what is asked for. What it has not given out it keeps: a
 * timeout, an abort, a limit or an early end of the stream loses nothing, and the next call, whichever it is, goes on with it.
 * It holds no more than the limit, and one read, and what that takes to grow; nothing while it is empty. Calls complete in the
 * order they were made. What has been read ahead is given without waiting.
 *
 * What is in its buffer is this reader's alone: `socket.recv`, and another reader of the same socket, receive what the system
 * has, which comes after it, in the order of their calls among all who receive. So use one reader for a connection, and before
 * the socket goes to someone else take what `buffered` counts with `some()`. After `socket.close()` it is not to be had.
 *
 * Errors of all its methods: `ETIMEDOUT` (`op.timeout`, by default `socket.timeout`, is for the whole call), `ECONNRESET`,
 * `ERR_SOCKET_CLOSED`, `ERR_SOCKET_BAD_STATE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`; and the
 * reason of the signal. See recv(2).
 */
export class Reader {
  readonly #link: Link
  readonly #ahead = new Ahead()
  readonly #limit: number
  readonly #assertUsable: () => void
  /** The last delimiter that was text, and its bytes: most often the next one, too. */
  #last: { text: string; bytes: Buffer } | undefined

  /** `assertUsable` throws unless the socket can receive; it also holds the socket. @internal */
  constructor(link: Link, assertUsable: () => void, options: ReaderOptions | undefined) {
    this.#link = link
    this.#assertUsable = assertUsable
    this.#limit = limitOf(options, DEFAULT_LIMIT)
  }

  /** How many bytes have been read ahead and not given out. */
  get buffered(): number {
    return this.#ahead.length
  }

  /**
   * The next line, without its end, which is LF or CRLF. The last one may lack its end; after it, and again and again, `null`.
   * Bytes that are not of the encoding become U+FFFD.
   *
   * Errors: `ERR_OUT_OF_RANGE` when the line is longer than `limit` bytes (it stays, to be read with another limit or otherwise).
   */
  line(options?: LineOptions): Promise<string | null> {
    // The line that is there already, which most are: without the cost of an operation.
    if (options === undefined && this.#ahead.waiting === 0 && this.#link.handle >= 0) {
      const length = measureLine(this.#ahead, this.#limit)
      if (length >= 0 && length <= constants.MAX_STRING_LENGTH) return Promise.resolve(takeLine(this.#ahead, length, 'utf8'))
    }
    return this.#line(options)
  }

  async #line(options: LineOptions | undefined): Promise<string | null> {
    const encoding = encodingOf(options)
    return await this.#read(new ReadLine(this.#link, this.#ahead, limitOf(options, this.#limit), encoding), options)
  }

  /**
   * What comes before the next delimiter, which is taken, too. `null` when the stream ends before it: what had come stays.
   * A string stands for its UTF-8 bytes.
   *
   * Errors: `ERR_INVALID_ARG_VALUE` (an empty delimiter), `ERR_OUT_OF_RANGE` when more than `limit` bytes come before it (they stay).
   */
  async until(delimiter: string | Uint8Array, options?: UntilOptions): Promise<Buffer | null> {
    const sought = this.#last !== undefined && delimiter === this.#last.text ? this.#last.bytes : this.#delimiter(delimiter)
    const limit = limitOf(options, this.#limit)
    return await this.#read(new ReadUntil(this.#link, this.#ahead, limit, sought, inclusiveOf(options)), options)
  }

  /**
   * Exactly `n` bytes; 0 of them are there at once. No limit applies, and memory is taken as data comes.
   *
   * Errors: `ERR_UNEXPECTED_EOF` when the stream ends before; `error.bytesRead` says how much had come. It stays.
   */
  async exact(n: number, op?: OperationOptions): Promise<Buffer> {
    checkInteger('n', n, 0, constants.MAX_LENGTH)
    return await this.#read(new ReadExact(this.#link, this.#ahead, n), op)
  }

  /** What there is, at least one byte and at most `max` (no limit by default), and waits for it. Empty at the end of the stream. */
  async some(max: number = Infinity, op?: OperationOptions): Promise<Buffer> {
    if (max !== Infinity) checkLength('max', max, 1)
    return await this.#read(new ReadSome(this.#link, this.#ahead, max), op)
  }

  /**
   * All until the end of the stream.
   *
   * Errors: `ERR_OUT_OF_RANGE` when that is more than `limit` bytes; what had come stays.
   */
  async all(options?: ReadOptions): Promise<Buffer> {
    return await this.#read(new ReadAll(this.#link, this.#ahead, limitOf(options, this.#limit)), options)
  }

  /** The lines until the end of the stream, each as `line(options)` gives it. Leaving the loop loses nothing. */
  async *lines(options?: LineOptions): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const line = await this.line(options)
      if (line === null) return
      yield line
    }
  }

  /** The bytes of a delimiter: a copy, for the caller's may change while the operation waits. */
  #delimiter(delimiter: unknown): Buffer {
    if (typeof delimiter !== 'string' && !isBytes(delimiter)) throw typeError('delimiter', 'a string or a Uint8Array', delimiter)
    if (delimiter.length === 0) throw valueError('delimiter', 'must not be empty', delimiter)
    if (typeof delimiter !== 'string') return Buffer.from(delimiter)
    if (!delimiter.isWellFormed()) throw valueError('delimiter', 'must not contain lone surrogates', delimiter)
    const bytes = Buffer.from(delimiter)
    this.#last = { text: delimiter, bytes }
    return bytes
  }

  /** Gives what is there already, and otherwise waits for it. */
  #read<T>(reading: Reading<T>, op: OperationOptions | undefined): T | Promise<T> {
    this.#assertUsable()
    // What others of this reader wait for is not to be taken before their turn.
    if (this.#ahead.waiting === 0) {
      checked(op).signal?.throwIfAborted()
      const result = reading.ready()
      if (result !== undefined) return result
    }
    return reading.wait(op)
  }
}

function limitOf(options: ReaderOptions | undefined, fallback: number): number {
  if (options === undefined) return fallback
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const { limit = fallback } = options
  if (limit !== Infinity) checkLength('limit', limit, 0)
  return limit
}

function encodingOf(options: LineOptions | undefined): BufferEncoding {
  const encoding = options?.encoding
  if (encoding === undefined) return 'utf8'
  if (typeof encoding !== 'string') throw typeError('encoding', 'a string', encoding)
  if (!Buffer.isEncoding(encoding)) throw valueError('encoding', 'must be an encoding', encoding)
  if (/^(ucs-?2|utf-?16le)$/i.test(encoding)) throw valueError('encoding', 'must not be UTF-16', encoding)
  return encoding
}

function inclusiveOf(options: UntilOptions | undefined): boolean {
  const inclusive = options?.inclusive ?? false
  if (typeof inclusive !== 'boolean') throw typeError('inclusive', 'a boolean', inclusive)
  return inclusive
}
