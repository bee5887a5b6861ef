/** What streams write: chunks of text or bytes, one or several at once. */
import { systemError } from './errors.js'
import type { Link } from './link.js'
import { native } from './native.js'
import { Operation, PATIENTLY } from './operation.js'
import { Send, Sending, SendList, write } from './send.js'
import type { Socket } from './socket.js'

const { WOULD_BLOCK } = native

/** A chunk as Writable keeps it. */
export interface Chunk {
  readonly chunk: string | Uint8Array
  readonly encoding: BufferEncoding
}

/** Where what is sent at once is put together, at the end of it: native code takes all that follows an offset. */
const SPACE_LENGTH = 65536
const space = Buffer.allocUnsafeSlow(SPACE_LENGTH)

/** 0 when the system has taken all, the number of its error, or a promise when it takes longer. */
export type Outcome = number | Promise<unknown>

/** Sends one chunk. */
export function sendChunk(link: Link, owner: Socket, chunk: string | Uint8Array, encoding: BufferEncoding): Outcome {
  if (typeof chunk !== 'string') return sendFrom(link, owner, chunk, 0)
  if (most(chunk, encoding) > SPACE_LENGTH) return sendFrom(link, owner, Buffer.from(chunk, encoding), 0)
  return sendFrom(link, owner, space, putBefore(SPACE_LENGTH, chunk, encoding))
}

/** Sends several: together when they are small, which costs less than to name each of them to the system. */
export function sendChunks(link: Link, owner: Socket, chunks: readonly Chunk[]): Outcome {
  if (chunks.length === 1) {
    const { chunk, encoding } = chunks[0] as Chunk
    return sendChunk(link, owner, chunk, encoding)
  }
  let length = 0
  for (const { chunk, encoding } of chunks) length += most(chunk, encoding)
  if (length > SPACE_LENGTH) {
    const list = chunks.map(({ chunk, encoding }) => typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk)
    return link.writing.submit(OutgoingList.of(link, list.filter(bytes => bytes.length > 0)), PATIENTLY, owner)
  }
  let start = SPACE_LENGTH
  for (let i = chunks.length - 1; i >= 0; i--) {
    const { chunk, encoding } = chunks[i] as Chunk
    start = putBefore(start, chunk, encoding)
  }
  return sendFrom(link, owner, space, start)
}

/** Tells the peer that no more comes, behind all that waits to be sent. */
export function sendEnd(link: Link, owner: Socket): Promise<unknown> {
  return link.writing.submit(new End(link), PATIENTLY, owner)
}

/** How many bytes chunks have. */
export function lengthOf(chunks: readonly Chunk[]): number {
  let length = 0
  for (const { chunk, encoding } of chunks) length += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length
  return length
}

/** How many bytes of what waits to be sent the system has not taken. */
export function unsent(link: Link): number {
  let length = 0
  for (const operation of link.writing.waiters()) if (operation instanceof Sending) length += operation.left
  return length
}

function sendFrom(link: Link, owner: Socket, bytes: Uint8Array, start: number): Outcome {
  const { length } = bytes
  if (start === length) return 0
  let done = start
  // Whatever its turn has come to: who destroys a stream behind a last word means that to go out, as it does over `net`.
  if (link.writing.free) {
    const count = write(link, bytes, start)
    if (count < 0 && count !== WOULD_BLOCK) return count
    done += Math.max(count, 0)
    if (done === length) return 0
  }
  const rest = bytes === space ? new Outgoing(link, Buffer.from(space.subarray(done)), 0) : new Outgoing(link, bytes, done)
  return link.writing.submit(rest, PATIENTLY, owner)
}

/** As many bytes as a chunk can have, in any encoding. */
function most(chunk: string | Uint8Array, encoding: BufferEncoding): number {
  return typeof chunk === 'string' && encoding !== 'latin1' ? chunk.length * 3 : chunk.length
}

/** Puts a chunk into the space so that it ends at `end`. Where it starts. */
function putBefore(end: number, chunk: string | Uint8Array, encoding: BufferEncoding): number {
  if (typeof chunk !== 'string') {
    space.set(chunk, end - chunk.length)
    return end - chunk.length
  }
  if (encoding === 'latin1') {
    space.write(chunk, end - chunk.length, encoding)
    return end - chunk.length
  }
  if (encoding !== 'utf8') return putBefore(end, Buffer.from(chunk, encoding), encoding)
  const start = end - Buffer.byteLength(chunk)
  space.write(chunk, start, encoding)
  return start
}

/** What takes longer than the call. */
class Outgoing extends Send {
  override get syscall(): string {
    return 'write'
  }
}

class OutgoingList extends SendList {
  override get syscall(): string {
    return 'write'
  }
}

class End extends Operation<void> {
  get syscall(): string {
    return 'shutdown'
  }

  constructor(private readonly link: Link) {
    super()
  }

  attempt(): boolean {
    const code = native.shutdown(this.link.handle, 1)
    // A connection that is gone already has nothing left to be shut down.
    if (code < 0 && native.errorName(code) !== 'ENOTCONN') return this.fail(() => systemError(code, this.syscall))
    return this.succeed(undefined)
  }
}
