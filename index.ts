/**
 * Portable async sockets for JavaScript: TCP, UDP, raw and unix sockets with promises, on epoll, kqueue and IOCP.
 *
 * A table of contents: each name is documented where it is made.
 */
// First: what says that the runtime is too old must not be preceded by what such a runtime cannot even read.
// oxlint-disable-next-line import/no-unassigned-import
import './lib/load.js'
export { Address, type AddressFields, type Family, type Protocol, type SocketType } from './lib/address.js'
export { addr, addrName, type Host, type LookupFlags, type LookupOptions, type Port } from './lib/lookup.js'
export { connect, type ConnectOptions } from './lib/connect.js'
export { tcp, TcpSocket, type ReceiveAllOptions } from './lib/tcp.js'
export { SocketDuplex, type SocketDuplexOptions } from './lib/duplex.js'
export type { SocketDuplexAddress, SocketDuplexTarget } from './lib/netlike.js'
export { Reader, type LineOptions, type ReaderOptions, type ReadOptions, type UntilOptions } from './lib/reader.js'
export { raw, RawSocket, udp, UdpSocket, type OutgoingDatagram } from './lib/udp.js'
export type { Control, Datagram, Received, ReceiveManyOptions } from './lib/datagram.js'
export { ping, type Ping, type PingAnswer, type PingOptions, type PingReply } from './lib/ping.js'
export { seqpacket, SeqpacketSocket } from './lib/seqpacket.js'
export { pair } from './lib/pair.js'
export { serve, Server, type CloseOptions, type ServeOptions, type ServeThreadsOptions } from './lib/serve.js'
export type { Limits } from './lib/admission.js'
export type { ProxyOptions } from './lib/anteroom.js'
export { proxyHeader, type Proxied, type ProxyHeaderOptions } from './lib/proxy-protocol.js'
export type { OutgoingProxyTlv, ProxySsl, ProxyTlv, ProxyTlvName } from './lib/proxy-tlv.js'
export type { Handler, HandlerContext, Report } from './lib/attending.js'
export type { ThreadOptions } from './lib/crew.js'
export type { ServeTlsOptions } from './lib/securing.js'
export { attach, fromFd } from './lib/move.js'
export { listenFdNames, listenFds } from './lib/activation.js'
export type { SocketOf } from './lib/made.js'
export { ConnectionSocket, type ListenOptions } from './lib/connection.js'
export { Socket, type SocketHandle, type Standing } from './lib/socket.js'
export type { ReceivedHandles } from './lib/handles.js'
export type { PeerCredentials } from './lib/credentials.js'
export type { GroupOptions } from './lib/group.js'
export { SocketError, type ArgumentError, type ErrorDetails } from './lib/errors.js'
export type { OperationOptions } from './lib/operation.js'
export type { OptionName, OptionTypes, ReadOnlyOptionName, TcpInfo, TcpState } from './lib/options.generated.js'
export type { SettableOptionName, SocketOptions } from './lib/options.js'
export type { Data } from './lib/send.js'
export { loop, newThread, poll, pollSync, start, stop, type SocketStats, type StartOutcome } from './lib/loop.js'
export { epollFd, iocp, pollerHandle } from './lib/poller.js'

/** The namespace itself, the same object that `require` gives. */
const socket: typeof import('./index.js') = module.exports
export default socket
