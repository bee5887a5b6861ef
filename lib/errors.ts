/**
 * Every error this library makes, shaped like Node's.
 *
 * Three families: what the system refused (`systemError`), what this library refuses (`SocketError` with one of our own
 * codes), and what the caller got wrong (Node's `TypeError` and `RangeError` with Node's codes).
 */
import { inspect } from 'node:util'
import { native } from './native.js'

/** What an error knows besides its message. */
export interface ErrorDetails {
  /** The name of the failure: `'ECONNREFUSED'`, `'ENOTFOUND'`, `'ERR_SOCKET_CLOSED'` … */
  code: string
  /** Node's negative error number, where the system gave one. */
  errno?: number
  /** The operation that failed: `'connect'`, `'recv'` … */
  syscall?: string
  /** The address in question: an IP address or a unix path. */
  address?: string
  /** The port in question. */
  port?: number
  /** The name that was looked up. */
  hostname?: string
  /** After a failed send: how many bytes the system has taken. */
  bytesSent?: number
  /** After a failed sendMany: how many datagrams the system has taken. */
  messagesSent?: number
  /** After a failed recvExact: how many bytes had come; they stay readable. */
  bytesRead?: number
  /** After `ETIMEDOUT` by our own clock: the limit, in milliseconds. */
  timeout?: number
  cause?: unknown
}

/**
 * A failed operation. Shaped like Node's system errors: `code`, `errno`, `syscall`, `address`, `port`; the message reads
 * `connect ECONNREFUSED 127.0.0.1:9`. The same failure has the same code on every platform.
 */
export class SocketError extends Error implements ErrorDetails {
  declare code: string
  declare errno?: number
  declare syscall?: string
  declare address?: string
  declare port?: number
  declare hostname?: string
  declare bytesSent?: number
  declare messagesSent?: number
  declare bytesRead?: number
  declare timeout?: number

  constructor(message: string, details: ErrorDetails) {
    const { cause, ...rest } = details
    super(message, cause === undefined ? undefined : { cause })
    Object.assign(this, rest)
  }
}
Object.defineProperty(SocketError.prototype, 'name', { value: 'SocketError', configurable: true, writable: true })

/** What an error says of an address. */
interface Endpoint {
  readonly address: string
  readonly port: number
  readonly family: string
  toString(): string
}

/** What the system refused, by its negative number. */
export function systemError(errno: number, syscall: string, endpoint?: Endpoint | null): SocketError {
  const code = native.errorName(errno)
  const where = endpoint ? ` ${endpoint}` : ''
  return new SocketError(`${syscall} ${code}${where}`, { code, errno, syscall, ...place(endpoint) })
}

function place(endpoint?: Endpoint | null): Partial<ErrorDetails> {
  if (!endpoint) return {}
  return endpoint.family === 'unix' ? { address: endpoint.address } : { address: endpoint.address, port: endpoint.port }
}

/** A name that does not resolve; `code` is `'ENOTFOUND'` or an `'EAI_…'`, as in `node:dns`. */
export function lookupError(code: string, syscall: string, hostname: string): SocketError {
  return new SocketError(`${syscall} ${code} ${hostname}`, { code, syscall, hostname })
}

/** The operation was not done within its time. Nothing is lost by it. */
export function timeoutError(syscall: string, timeout: number): SocketError {
  return new SocketError(`${syscall} ETIMEDOUT: not done within ${timeout} ms`, {
    code: 'ETIMEDOUT',
    errno: native.TIMED_OUT,
    syscall,
    timeout
  })
}

/** The socket was closed before or during the operation. */
export function closedError(syscall: string): SocketError {
  return new SocketError(`${syscall}: the socket is closed`, { code: 'ERR_SOCKET_CLOSED', syscall })
}

/** The operation does not fit the state the socket is in; it changed nothing. */
export function stateError(syscall: string, state: string, need: string): SocketError {
  return new SocketError(`${syscall}: the socket is ${state}; it must be ${need}`, { code: 'ERR_SOCKET_BAD_STATE', syscall })
}

/** The peer ended the stream before all that was asked for had come. */
export function unexpectedEof(syscall: string, bytesRead: number, wanted: number): SocketError {
  return new SocketError(`${syscall}: the peer ended the stream after ${bytesRead} of ${wanted} bytes`, {
    code: 'ERR_UNEXPECTED_EOF',
    syscall,
    bytesRead
  })
}

/** The system lets only some have a raw socket, and this process is not among them. */
export function rightError(errno: number, icmp: boolean): SocketError {
  const code = native.errorName(errno)
  return new SocketError(`socket ${code}: ${rights(icmp)}`, { code, errno, syscall: 'socket' })
}

function rights(icmp: boolean): string {
  if (process.platform === 'win32') return 'raw sockets are for administrators'
  if (process.platform !== 'linux') return 'raw sockets are for root'
  const raw = 'raw sockets are for root, or a process with the capability CAP_NET_RAW'
  return icmp ? `${raw}; to send pings, a group of this process in the sysctl net.ipv4.ping_group_range is enough` : raw
}

/** This platform has no such thing. */
export function unsupported(what: string): SocketError {
  return new SocketError(`${what} is not supported on ${process.platform}`, { code: 'ERR_UNSUPPORTED_PLATFORM' })
}

/** A TypeError or RangeError with Node's code. */
export type ArgumentError = (TypeError | RangeError) & { code: string }

/** Whether an error is the caller's, by a wrong argument. */
export function isArgumentError(error: unknown): error is ArgumentError {
  return (error instanceof TypeError || error instanceof RangeError) && String((error as Partial<ArgumentError>).code).startsWith('ERR_')
}

/** The argument has the wrong type. */
export function typeError(name: string, expected: string, value: unknown): ArgumentError {
  const message = `The "${name}" argument must be ${expected}. Received ${describe(value)}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' })
}

/** The argument has the right type and an impossible value. */
export function valueError(name: string, reason: string, value: unknown): ArgumentError {
  const message = `The argument "${name}" ${reason}. Received ${describe(value)}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}

/** The number is outside its range. */
export function rangeError(name: string, range: string, value: unknown): ArgumentError {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${describe(value)}`
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
}

/** What comes is longer than the caller allows. */
export function limitError(name: string, limit: number): ArgumentError {
  const message = `The value of "${name}" is out of range. It must be at most the limit of ${limit} bytes`
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
}

/** The port is not one. */
export function portError(value: unknown): ArgumentError {
  const message = `A port must be an integer from 0 to 65535, or the name of a service. Received ${describe(value)}`
  return Object.assign(new RangeError(message), { code: 'ERR_SOCKET_BAD_PORT' })
}

function describe(value: unknown): string {
  if (typeof value === 'function') return `function ${value.name}`
  const text = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 64, maxArrayLength: 4 })
  return value === null || value === undefined ? text : `type ${typeof value} (${text.slice(0, 128)})`
}
