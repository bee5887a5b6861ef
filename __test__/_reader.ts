/** What the tests of the reader share. */
import { setImmediate as turn } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import type { Reader, TcpSocket } from 'socket2'
import { connectedPair } from './_util.js'

export interface Reading {
  sender: TcpSocket
  socket: TcpSocket
  reader: Reader
}

/** A sender, and a reader of what it sends. */
export async function reading(t: ExecutionContext, options?: { limit?: number }): Promise<Reading> {
  const { client, peer } = await connectedPair(t)
  return { sender: client, socket: peer, reader: peer.reader(options) }
}

/** A reader of a stream that is sent at once and has ended. */
export async function readerOf(t: ExecutionContext, stream: string | Uint8Array, options?: { limit?: number }): Promise<Reader> {
  const { sender, reader } = await reading(t, options)
  await sender.send(stream)
  sender.shutdown('write')
  return reader
}

export async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines) all.push(line)
  return all
}

/** Sends piece by piece; each is read before the next is sent, for a call of the reader waits. */
export async function sendApart({ sender, reader }: Reading, pieces: readonly (string | Uint8Array)[]): Promise<void> {
  for (const piece of pieces) {
    const before = reader.buffered
    await sender.send(piece)
    while (reader.buffered === before) await turn()
  }
}
