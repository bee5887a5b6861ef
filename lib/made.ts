/** Sockets of handles that exist already, each of its class. */
import type { SocketType } from './address.js'
import { SeqpacketSocket } from './seqpacket.js'
import type { Making } from './socket.js'
import { TcpSocket } from './tcp.js'
import { RawSocket, UdpSocket } from './udp.js'

/** The class of a socket of this type. */
export interface SocketOf {
  tcp: TcpSocket
  udp: UdpSocket
  raw: RawSocket
  seqpacket: SeqpacketSocket
}

const classes: { readonly [Type in SocketType]: new (making: Making) => SocketOf[Type] } = {
  tcp: TcpSocket,
  udp: UdpSocket,
  raw: RawSocket,
  seqpacket: SeqpacketSocket
}

/** Makes the socket of a type that has been checked. */
export function made<Type extends SocketType>(making: Making & { type: Type }): SocketOf[Type] {
  return new classes[making.type](making)
}

/** Whether there are sockets of this type. */
export function isSocketType(type: unknown): type is SocketType {
  return typeof type === 'string' && Object.hasOwn(classes, type)
}
