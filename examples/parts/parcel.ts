// How transfer.ts sends a file, so that it can go on where it was cut off:
//   asks     GET <bytes that are there> <their SHA-256> <name, percent-encoded>\n
//   answers  OK <from which byte on> <bytes of the whole file>\n <the bytes> <SHA-256 of the whole file>\n    or    NO <why>\n
// It starts over at 0 when what is there is not the beginning of the file: that is another one, or has changed.
import { createHash } from 'node:crypto'
import { open, realpath, stat, type FileHandle } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import type { OperationOptions, TcpSocket } from 'socket2'
import { harmless } from './command.js'

/** How much of a file is in memory. */
const SPACE = 256 << 10
/** The longest lines of the two sides, in bytes. */
const [LONGEST_REQUEST, LONGEST_ANSWER] = [8192, 1024]

/** The other side does not give the file, and will not if it is asked again. */
export class Refused extends Error {}
/** What came is not all, or not the file. Another time it may be. */
export class Broken extends Error {}

/** Gives what is asked for from a folder, whose path has no links in it; resolves to what was given, in words. */
export async function give(socket: TcpSocket, folder: string, op: OperationOptions): Promise<string> {
  const request = await socket.reader().line({ ...op, limit: LONGEST_REQUEST })
  const [, bytes = '', digest, encoded = ''] = /^GET (\d{1,15}) ([0-9a-f]{64}) (\S+)$/.exec(request ?? '') ?? []
  const file = await find(folder, encoded)
  if (file === undefined) {
    await socket.send('NO there is no such file\n', op)
    return `was refused ${harmless(encoded) || 'what it asked for'}`
  }
  try {
    const [there, { size }] = [Number(bytes), await file.stat()]
    let [from, hash] = [0, createHash('sha256')]
    if (there <= size) {
      for await (const chunk of read(file, 0, there)) hash.update(chunk)
      if (hash.copy().digest('hex') === digest) from = there
      else hash = createHash('sha256')
    }
    await socket.send(`OK ${from} ${size}\n`, op)
    for await (const chunk of read(file, from, size)) {
      hash.update(chunk)
      await socket.send(chunk, op)
    }
    await socket.send(`${hash.digest('hex')}\n`, op)
    return `got ${harmless(encoded)}, ${size - from} of ${size} bytes`
  } finally {
    await file.close()
  }
}

/** The file of that name, if it is one and in the folder: neither `..` nor a link leads out of it. */
async function find(folder: string, encoded: string): Promise<FileHandle | undefined> {
  try {
    const path = await realpath(join(folder, decodeURIComponent(encoded)))
    const way = relative(folder, path)
    if (way.split(sep)[0] === '..' || isAbsolute(way) || !(await stat(path)).isFile()) return undefined
    return await open(path)
  } catch {
    return undefined // why not is nobody's business
  }
}

/** Receives a file into one that may have the beginning of it already; resolves to its SHA-256, which has been compared. */
export async function take(socket: TcpSocket, name: string, file: FileHandle, op: OperationOptions, tell: (at: number, size: number) => void): Promise<string> {
  const there = (await file.stat()).size
  let hash = createHash('sha256')
  for await (const chunk of read(file, 0, there)) hash.update(chunk)
  await socket.send(`GET ${there} ${hash.copy().digest('hex')} ${encodeURIComponent(name)}\n`, op)

  const reader = socket.reader({ limit: LONGEST_ANSWER })
  const answer = await reader.line(op) ?? ''
  if (answer.startsWith('NO ')) throw new Refused(`the other side says: ${harmless(answer.slice(3))}`)
  const [at = NaN, size = NaN] = /^OK (\d{1,15}) (\d{1,15})$/.exec(answer)?.slice(1).map(Number) ?? []
  if (answer === '') throw new Broken('the connection ended without an answer')
  if (!(at <= size && (at === 0 || at === there))) throw new Refused('the other side is no server of this transfer')
  if (at !== there) {
    hash = createHash('sha256')
    await file.truncate(0)
  }
  for (let done = at; done < size;) {
    tell(done, size)
    const chunk = await reader.some(Math.min(size - done, SPACE), op)
    if (chunk.length === 0) throw new Broken(`the connection ended after ${done} of ${size} bytes`)
    hash.update(chunk)
    for (let written = 0; written < chunk.length;) written += (await file.write(chunk, written, chunk.length - written, done + written)).bytesWritten
    done += chunk.length
  }
  const [ours, theirs] = [hash.digest('hex'), await reader.line(op)]
  if (theirs === null) throw new Broken('the connection ended before the SHA-256 of the file')
  if (ours === theirs) return ours
  await file.truncate(0)
  throw new Broken('what came is not what was sent, by its SHA-256')
}

/** A part of a file, piece by piece, each to be used before the next is asked for. */
async function* read(file: FileHandle, from: number, to: number): AsyncGenerator<Buffer, void> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(Math.min(SPACE, to - from), 1))
  for (let at = from; at < to;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, to - at), at)
    if (bytesRead === 0) throw new Error('the file has become shorter')
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}
