// The part of a file that has come already.
import { createHash } from 'node:crypto'
import { constants, open, type FileHandle } from 'node:fs/promises'

/** How much of a file is in memory, in bytes. */
const SPACE = 256 << 10

export class Part {
  #hash = createHash('sha256')
  /** How many bytes there are. */
  length = 0

  private constructor(readonly file: FileHandle) {}

  /** Opens what is there, or makes it. */
  static async open(path: string): Promise<Part> {
    const part = new Part(await open(path, constants.O_RDWR | constants.O_CREAT))
    part.length = (await part.file.stat()).size
    for await (const chunk of read(part.file, 0, part.length)) part.#hash.update(chunk)
    return part
  }

  /** The SHA-256 of what there is. */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }

  async append(chunk: Buffer): Promise<void> {
    for (let done = 0; done < chunk.length;) done += (await this.file.write(chunk, done, chunk.length - done, this.length + done)).bytesWritten
    this.#hash.update(chunk)
    this.length += chunk.length
  }

  /** Starts over. */
  async clear(): Promise<void> {
    await this.file.truncate(0)
    this.#hash = createHash('sha256')
    this.length = 0
  }
}

/** A stretch of a file, piece by piece, each to be used before the next is asked for. */
export async function* read(file: FileHandle, from: number, to: number): AsyncGenerator<Buffer, void> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(Math.min(SPACE, to - from), 1))
  for (let at = from; at < to;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, to - at), at)
    if (bytesRead === 0) throw new Error('the file has become shorter')
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}
