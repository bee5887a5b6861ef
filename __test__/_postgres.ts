/** The protocol of PostgreSQL, as far as the tests speak it by hand. See "Message Formats" in its documentation. */
import type { TcpSocket } from 'socket2'

/** What a server says: a letter for its kind, and what follows. */
export interface Message {
  kind: string
  body: Buffer
}

/** A number that stands where the version does, for what is no start. */
export const SSL_REQUEST = 80_877_103
export const CANCEL_REQUEST = 80_877_102
const VERSION_3 = 196_608

/** The first packet of a connection: its length, a number, and what belongs to that. */
export function packet(number: number, ...rest: (Buffer | number)[]): Buffer {
  const parts = [number, ...rest].map(part => typeof part === 'number' ? int32(part) : part)
  const body = Buffer.concat(parts)
  return Buffer.concat([int32(body.length + 4), body])
}

/** The packet that begins a session. */
export function startup(user: string): Buffer {
  return packet(VERSION_3, Buffer.from(`user\0${user}\0database\0postgres\0\0`))
}

/** A message of a client. */
export function message(kind: string, body: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(kind), int32(Buffer.byteLength(body) + 4), Buffer.from(body)])
}

/** The server's next message: five bytes say how many follow. */
export async function receive(socket: TcpSocket): Promise<Message> {
  const head = await socket.recvExact(5)
  const length = head.readInt32BE(1) - 4
  return { kind: String(head.subarray(0, 1)), body: length === 0 ? Buffer.alloc(0) : await socket.recvExact(length) }
}

/** The server's messages up to the first of this kind. */
export async function receiveTo(socket: TcpSocket, kind: string): Promise<Message[]> {
  const all: Message[] = []
  do all.push(await receive(socket)); while (all.at(-1)!.kind !== kind)
  return all
}

/** What an error or a notice is about: its fields by their letters, 'C' being the code. */
export function fieldsOf({ body }: Message): Record<string, string> {
  return Object.fromEntries(String(body).split('\0').filter(Boolean).map(field => [field[0]!, field.slice(1)]))
}

/** The columns of a row, as text. */
export function columnsOf({ body }: Message): (string | null)[] {
  const columns: (string | null)[] = []
  for (let at = 2; at < body.length;) {
    const length = body.readInt32BE(at)
    at += 4
    columns.push(length < 0 ? null : String(body.subarray(at, at + length)))
    at += Math.max(length, 0)
  }
  return columns
}

function int32(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(number)
  return bytes
}

// What the tests use of the clients

/** `pg`. */
export interface Pg {
  Client: new (config: PgConfig) => PgClient
  Pool: new (config: PgConfig & { max?: number }) => PgPool
  Query: new (text: string, callback: (error: Error | null) => void) => object
}

export interface PgConfig {
  host?: string
  port?: number
  user: string
  password?: string
  database: string
  stream: () => NodeJS.EventEmitter
  connectionTimeoutMillis?: number
}

export interface PgResult {
  rows: Record<string, unknown>[]
  rowCount: number | null
}

export interface PgClient extends NodeJS.EventEmitter {
  connect(): Promise<unknown>
  query(text: string, values?: unknown[]): Promise<PgResult>
  query(query: object): object
  cancel(client: PgClient, query: object): void
  end(): Promise<void>
}

export interface PgPool extends NodeJS.EventEmitter {
  query(text: string, values?: unknown[]): Promise<PgResult>
  end(): Promise<void>
}

/** `postgres`. */
export type PostgresJs = (options: {
  host?: string
  port?: number
  user: string
  password?: string
  database: string
  socket: () => NodeJS.EventEmitter
  max?: number
  backoff?: number
  onnotice?: (notice: { message: string }) => void
}) => Sql

export type Rows<T> = Promise<T[]> & { cancel(): void; cursor(rows: number): AsyncIterable<T[]>; writable(): Promise<NodeJS.WritableStream>; readable(): Promise<NodeJS.ReadableStream>; execute(): Rows<T> }

export interface Sql {
  <T = Record<string, unknown>>(text: TemplateStringsArray, ...values: unknown[]): Rows<T>
  unsafe<T = Record<string, unknown>>(text: string): Rows<T>
  listen(channel: string, told: (payload: string) => void): Promise<{ unlisten(): Promise<void> }>
  notify(channel: string, payload: string): Promise<unknown>
  end(options?: { timeout: number }): Promise<void>
}
