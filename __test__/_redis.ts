/** The protocol of Redis, as far as the tests speak it by hand (RESP 2), and what they use of its clients. */
import type { Reader } from 'socket2'

/** What a server answers: a status, an error, a number, bytes, or several of them. */
export type Reply = string | number | Buffer | Error | null | Reply[]

/** A command with its words. */
export function command(...words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap(word => [Buffer.from(`$${Buffer.byteLength(word)}\r\n`), Buffer.from(word), Buffer.from('\r\n')])
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts])
}

/** The next reply. */
export async function receive(reader: Reader): Promise<Reply> {
  const kind = String(await reader.exact(1))
  const line = await reader.line()
  if (line === null) throw new Error('the reply lacks its end')
  if (kind === '+') return line
  if (kind === '-') return new Error(line)
  const number = Number(line)
  if (kind === ':') return number
  if (number < 0) return null
  if (kind === '$') {
    const bytes = await reader.exact(number)
    if (String(await reader.exact(2)) !== '\r\n') throw new Error('the bytes lack their end')
    return bytes
  }
  const all: Reply[] = []
  while (all.length < number) all.push(await receive(reader))
  return all
}

/** `ioredis`. */
export interface IoRedisModule {
  Redis: new (options: IoRedisOptions) => IoRedis
  AbstractConnector: new (disconnectTimeout: number) => { connecting: boolean; stream: object; disconnect(): void }
}

export interface IoRedisOptions {
  Connector: new (options: { disconnectTimeout: number }) => object
  retryStrategy?: (times: number) => number | null
  lazyConnect?: boolean
}

type Answers = Promise<[Error | null, unknown][]>

export interface IoRedis extends NodeJS.EventEmitter {
  status: string
  connect(): Promise<void>
  call(command: string, ...words: (string | number | Buffer)[]): Promise<unknown>
  callBuffer(command: string, ...words: (string | number | Buffer)[]): Promise<Buffer>
  set(key: string, value: string | Buffer): Promise<string>
  get(key: string): Promise<string | null>
  getBuffer(key: string): Promise<Buffer | null>
  incr(key: string): Promise<number>
  blpop(key: string, seconds: number): Promise<[string, string] | null>
  rpush(key: string, ...values: string[]): Promise<number>
  publish(channel: string, message: string): Promise<number>
  subscribe(...channels: string[]): Promise<number>
  psubscribe(...patterns: string[]): Promise<number>
  unsubscribe(...channels: string[]): Promise<number>
  pipeline(commands: string[][]): { exec(): Answers }
  multi(commands: string[][]): { exec(): Answers }
  quit(): Promise<string>
  disconnect(): void
}

/** `redis`. */
export interface NodeRedisModule {
  createClient(options: { socket: { host: string; port: number; reconnectStrategy?: (retries: number) => number } }): NodeRedis
}

export interface NodeRedis extends NodeJS.EventEmitter {
  connect(): Promise<unknown>
  duplicate(): NodeRedis
  sendCommand(words: string[]): Promise<unknown>
  set(key: string, value: string): Promise<string>
  get(key: string): Promise<string | null>
  incr(key: string): Promise<number>
  publish(channel: string, message: string): Promise<number>
  subscribe(channel: string, told: (message: string) => void): Promise<void>
  close(): Promise<void>
  destroy(): void
}
