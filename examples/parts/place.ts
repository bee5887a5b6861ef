// Where things listen, as the examples take it from their arguments.
import { connect as connectTo, type OperationOptions, type TcpSocket } from 'socket2'
import { Misuse } from './command.js'

/** Where something listens, or is to. */
export interface Place {
  readonly host: string
  readonly port: number
  /** As it was written. */
  readonly text: string
}

/** What `host:port`, `[::1]:80`, `unix:/path`, or `:80` and `80` at loopback say. */
export function place(text: string): Place {
  if (/^unix:./.test(text)) return { host: text, port: 0, text }
  const [, v6, name, port = ''] = /^(?:(?:\[(.+)\]|([^:[\]]*)):)?(\d+)$/.exec(text) ?? []
  if (port !== '' && Number(port) <= 65535) return { host: v6 ?? (name || '127.0.0.1'), port: Number(port), text }
  throw new Misuse(`'${text}' is no place: a host and a port are written example.org:80 or [::1]:80, a path unix:/tmp/socket`)
}

/** Connects to a place, by whichever of its addresses answers first. */
export async function connect({ host, port }: Place, op: OperationOptions): Promise<TcpSocket> {
  return host.startsWith('unix:') ? await connectTo(host, op) : await connectTo(port, host, op)
}
