// How transfer.ts sends a file, so that it can go on where it was cut off:
//   asks     GET <bytes that are there> <their SHA-256> <name, percent-encoded>\n
//   answers  OK <from which byte on> <bytes of the whole file>\n <the bytes> <SHA-256 of the whole file>\n    or    NO <why>\n
// It starts over at 0 when what is there is not the beginning of the file: that is another one, or has changed. Before the answer come
// empty lines as long as it takes to find that out.
import { createHash } from 'node:crypto'
import { open, realpath, stat, type FileHandle } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import type { OperationOptions, TcpSocket } from 'socket2'
import { harmless } from './command.js'
import { read, type Part } from './part.js'

/** The longest lines of the two sides, in bytes. */
const [LONGEST_REQUEST, LONGEST_ANSWER] = [8192, 1024]
/** How often the other side hears that it is being worked for, in ms. */
const SIGN = 1000

/** The other side does not give the file, and will not if it is asked again. */
export class Refused extends Error {}
/** What came is not all, or not the file. Another time it may be. */
export class Broken extends Error {}

/** Gives what is asked for from a folder, whose path has no links in it; resolves to what was given, in words. */
export async function give(socket: TcpSocket, folder: string, op: OperationOptions): Promise<string> {
  const request = await socket.reader().line({ ...op, limit: LONGEST_REQUEST })
  const [, there = '', digest, name = ''] = /^GET (\d{1,15}) ([0-9a-f]{64}) (\S+)$/.exec(request ?? '') ?? []
  const file = await find(folder, name)
  if (file === undefined) {
    await socket.send('NO there is no such file\n', op)
    return `was refused ${harmless(name) || 'what it asked for'}`
  }
  try {
    const { size } = await file.stat()
    let [from, hash, said] = [0, createHash('sha256'), performance.now()]
    if (Number(there) <= size) {
      for await (const chunk of read(file, 0, Number(there))) {
        hash.update(chunk)
        if (performance.now() - said < SIGN) continue
        await socket.send('\n', op)
        said = performance.now()
      }
      if (hash.copy().digest('hex') === digest) from = Number(there)
      else hash = createHash('sha256')
    }
    await socket.send(`OK ${from} ${size}\n`, op)
    for await (const chunk of read(file, from, size)) {
      hash.update(chunk)
      await socket.send(chunk, op)
    }
    await socket.send(`${hash.digest('hex')}\n`, op)
    return `got ${harmless(name)}, ${size - from} of ${size} bytes`
  } finally {
    await file.close()
  }
}

/** The file of that name, if it is one and in the folder: neither `..` nor a link leads out of it. */
async function find(folder: string, name: string): Promise<FileHandle | undefined> {
  try {
    const path = await realpath(join(folder, decodeURIComponent(name)))
    const way = relative(folder, path)
    if (way.split(sep)[0] === '..' || isAbsolute(way) || !(await stat(path)).isFile()) return undefined
    return await open(path)
  } catch {
    return undefined // why not is nobody's business
  }
}

/** Receives what is still missing of a file; resolves to its SHA-256, which has been compared. */
export async function take(socket: TcpSocket, name: string, part: Part, op: OperationOptions, tell: (size: number) => void): Promise<string> {
  const there = part.length
  await socket.send(`GET ${there} ${part.digest()} ${encodeURIComponent(name)}\n`, op)
  const reader = socket.reader({ limit: LONGEST_ANSWER })
  let answer: string | null = ''
  while (answer === '') answer = await reader.line(op)
  if (answer === null) throw new Broken('the connection ended without an answer')
  if (answer.startsWith('NO ')) throw new Refused(`the other side says: ${harmless(answer.slice(3))}`)
  const [from = NaN, size = NaN] = /^OK (\d{1,15}) (\d{1,15})$/.exec(answer)?.slice(1).map(Number) ?? []
  if (!(from <= size && (from === 0 || from === there))) throw new Refused('the other side is no server of this transfer')
  if (from !== there) await part.clear()

  while (part.length < size) {
    tell(size)
    const chunk = await reader.some(size - part.length, op)
    if (chunk.length === 0) throw new Broken(`the connection ended after ${part.length} of ${size} bytes`)
    await part.append(chunk)
  }
  const [ours, theirs] = [part.digest(), await reader.line(op)]
  if (theirs === null) throw new Broken('the connection ended before the SHA-256 of the file')
  if (ours === theirs) return ours
  await part.clear()
  throw new Broken('what came is not what was sent, by its SHA-256')
}
