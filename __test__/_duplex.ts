/** What the tests of streams over sockets share: the same scene with a `net.Socket`, and with a stream over one of ours. */
import { once } from 'node:events'
import net from 'node:net'
import type { ExecutionContext } from 'ava'
import { tcp, type SocketDuplex, type SocketDuplexOptions, type TcpSocket } from 'socket2'
import { addressOf, closing, listener } from './_util.js'

/** A stream, the socket at the other end, and what the stream has told. */
export interface Scene {
  stream: SocketDuplex
  peer: TcpSocket
  heard: string[]
  /** What the scene has seen besides, at its own times. */
  seen: string[]
  /** Resolves when it has closed. */
  closed: Promise<unknown>
}

/** Whether this is Node: other runtimes have their own ways in node:net and node:tls. */
export const likeNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined

export const kinds = ['net', 'ours'] as const
export type Kind = (typeof kinds)[number]

/** A stream that is connected, of either kind. What it tells is written down, data by its text. */
export async function scene(t: ExecutionContext, kind: Kind, options: SocketDuplexOptions = {}): Promise<Scene> {
  const server = await listener(t)
  const accepting = server.accept()
  const stream = kind === 'net' ? await connectNet(addressOf(server).port, options) : await connectOurs(addressOf(server).port, options)
  t.teardown(() => stream.destroy())
  const heard: string[] = []
  record(stream, heard)
  return { stream, peer: closing(t, await accepting), heard, seen: [], closed: new Promise(resolve => stream.once('close', resolve)) }
}

async function connectNet(port: number, options: SocketDuplexOptions): Promise<SocketDuplex> {
  const stream = net.connect({ ...options, port, host: '127.0.0.1' } as net.NetConnectOpts)
  await once(stream, 'connect')
  // It has all that the other has.
  return stream as unknown as SocketDuplex
}

async function connectOurs(port: number, options: SocketDuplexOptions): Promise<SocketDuplex> {
  return (await tcp().connect('127.0.0.1', port)).toDuplex(options)
}

/** Writes down what it tells. Data is left to who wants it. */
function record(stream: SocketDuplex, heard: string[]): void {
  for (const event of ['connect', 'ready', 'end', 'finish', 'timeout'] as const) stream.on(event, () => heard.push(event))
  stream.on('error', (error: NodeJS.ErrnoException) => heard.push(`error ${error.code}`))
  stream.on('close', (hadError: boolean) => heard.push(`close ${hadError}`))
}

/** Writes down what it reads, joined to what it read just before. */
export function reads({ stream, heard }: Scene): void {
  stream.on('data', (data: Buffer | string) => {
    const last = heard.at(-1)
    if (last?.startsWith('data ')) heard[heard.length - 1] = last + String(data)
    else heard.push(`data ${String(data)}`)
  })
}

/** Writes down what the callback of something is told. */
export function says(heard: string[], what: string): (error?: Error | null) => void {
  return error => heard.push(error ? `${what} failed ${(error as NodeJS.ErrnoException).code}` : what)
}
