/** Two sockets that are connected to each other, without an address. */
import { systemError, unsupported, valueError } from './errors.js'
import { typeNumber } from './kinds.js'
import { birthHere } from './leak.js'
import { native } from './native.js'
import { SeqpacketSocket } from './seqpacket.js'
import type { Making } from './socket.js'
import { TcpSocket } from './tcp.js'
import { UdpSocket } from './udp.js'

type PairSocket = TcpSocket | UdpSocket | SeqpacketSocket

const classes = new Map<unknown, new (making: Making) => PairSocket>([
  ['tcp', TcpSocket],
  ['udp', UdpSocket],
  ['seqpacket', SeqpacketSocket]
])

/**
 * Makes two unix sockets that are connected to each other (socketpair(2)): streams, datagrams or sequenced packets.
 *
 * *Platforms*: all but Windows; `'seqpacket'` on Linux. Errors, thrown: `EMFILE`, `ERR_UNSUPPORTED_PLATFORM`,
 * `ERR_INVALID_ARG_VALUE`.
 */
export function pair(type: 'tcp'): [TcpSocket, TcpSocket]
export function pair(type: 'udp'): [UdpSocket, UdpSocket]
export function pair(type: 'seqpacket'): [SeqpacketSocket, SeqpacketSocket]
export function pair(type: 'tcp' | 'udp' | 'seqpacket'): [PairSocket, PairSocket] {
  const Class = classes.get(type)
  if (Class === undefined) throw valueError('type', "must be 'tcp', 'udp' or 'seqpacket'", type)
  const handles = new Int32Array(2)
  const code = native.pair(typeNumber(type), handles)
  if (code < 0) {
    const error = systemError(code, 'socketpair')
    throw error.code === 'ENOTSUP' ? unsupported(`pair('${type}')`) : error
  }
  const birth = birthHere(pair)
  const made = (handle: number): PairSocket => new Class({ type, family: 'unix', protocol: undefined, handle, birth })
  return [made(handles[0] as number), made(handles[1] as number)]
}
