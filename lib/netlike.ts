/** How `node:net` says where a socket is, is told where to connect to, and sets options. */
import type { Address } from './address.js'
import { isArgumentError, SocketError, typeError } from './errors.js'
import type { Socket } from './socket.js'

/** Where `connect` of a stream leads to. */
export interface SocketDuplexTarget {
  /** 0 to 65535, also in digits, or the name of a service; there is no default, it is needed unless there is a path. */
  port?: number | string | undefined
  /** A name or an IP address, of the socket's family; `'localhost'` by default. */
  host?: string | undefined
  /** A unix path, `@name` in Linux's abstract namespace; instead of host and port, for a socket of family `'unix'`. None by default. */
  path?: string | undefined
}

/** What `address` of a stream tells; nothing of a unix socket. */
export interface SocketDuplexAddress {
  /** The IP address, with its scope where it has one: `'fe80::1%2'`. */
  address?: string
  port?: number
  family?: 'IPv4' | 'IPv6'
}

/** An address as `node:net` has it. */
export function netAddress(address: Address | null): SocketDuplexAddress {
  if (address === null || address.family === 'unix') return {}
  const { scopeId, port, family } = address
  const text = scopeId === undefined ? address.address : `${address.address}%${scopeId}`
  return { address: text, family: family === 'inet' ? 'IPv4' : 'IPv6', port }
}

/** What the arguments of a `connect` in the manner of `node:net` mean: host and port of one of ours, and the listener. */
export function netTarget(args: readonly unknown[]): { host: string; port: number | string; listener: (() => void) | undefined } {
  const last = args.at(-1)
  const { host, port, path } = fieldsOf(args)
  const listener = typeof last === 'function' ? (last as () => void) : undefined
  if (path !== undefined && path !== null && path !== '') {
    if (typeof path !== 'string') throw typeError('path', 'a string', path)
    return { host: `unix:${path}`, port: 0, listener }
  }
  if (typeof port !== 'number' && typeof port !== 'string') throw typeError('port', 'a number or a string', port)
  if (host !== undefined && host !== null && typeof host !== 'string') throw typeError('host', 'a string', host)
  return { host: host || 'localhost', port, listener }
}

/** By object, by path, or by port and host. */
function fieldsOf([first, second]: readonly unknown[]): { host?: unknown; port?: unknown; path?: unknown } {
  if (typeof first === 'object' && first !== null) return first
  if (typeof first === 'string' && !(Number(first) >= 0)) return { path: first }
  return { port: first, host: typeof second === 'function' ? undefined : second }
}

/** Sets options, if the socket has them, to what it takes: of node:net nobody expects that it throws. */
export function setQuietly(socket: Socket, set: () => void): void {
  if (socket.closed || socket.family === 'unix') return
  try {
    set()
  } catch (error) {
    if (!(error instanceof SocketError) && !isArgumentError(error)) throw error
  }
}
