/** Sockets that come from elsewhere: from another thread of this process, from other code, from the system. */
import { Address, familyNumber, familyOf, type SocketType } from './address.js'
import { SocketError, systemError, typeError, valueError } from './errors.js'
import { checkTimeout } from './guard.js'
import { protocolNumber, PROTOCOLS, typeNumber, typeOf } from './kinds.js'
import { birthHere } from './leak.js'
import { isSocketType, made, type SocketOf } from './made.js'
import { native } from './native.js'
import { parseHeader } from './proxy-protocol.js'
import { fromPlain, type DetachedDatagram, type SocketHandle } from './socket.js'
import { TcpSocket } from './tcp.js'
import { checkFamily, checkInteger, isBytes } from './validate.js'

/**
 * Makes a handle that `detach` has made a socket of this thread. It goes on where the other left off, with everything unread.
 *
 * Errors: `ERR_SOCKET_BAD_STATE` when no detached socket has this handle: it was attached before, its process has ended, or it is of
 * another one; `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` for what is no handle.
 */
export async function attach<Type extends SocketType>(handle: SocketHandle<Type>): Promise<SocketOf[Type]> {
  checkHandle(handle)
  const { key, type, family, protocol, standing } = handle
  const peer = handle.peer && Address.from(handle.peer)
  const datagrams = handle.datagrams && handle.datagrams.map(fromPlain)
  if (protocol !== undefined) protocolNumber(protocol)
  const header = handle.header && parseHeader(Buffer.from(handle.header))
  if (typeof header === 'string') throw valueError('handle.header', `must be a header of the PROXY protocol: ${header}`, handle.header)
  const place = native.attach(Buffer.from(key, 'hex'), familyNumber(family), typeNumber(type))
  if (place < 0) {
    if (native.errorName(place) !== 'EBADF') throw systemError(place, 'attach')
    throw new SocketError('attach: no socket of this process waits under this handle: it was attached before, or detached in another process or run', {
      code: 'ERR_SOCKET_BAD_STATE', syscall: 'attach'
    })
  }
  const socket = made({ type, family, protocol, standing, handle: place, birth: 'by attach()' })
  socket.resume(handle, peer, datagrams)
  if (handle.header && header && socket instanceof TcpSocket) socket.comeBy(handle.header, header)
  return socket
}

/** Closes the detached socket of this key, if nobody has attached it. */
export function discard(key: string): void {
  native.discard(Buffer.from(key, 'hex'))
}

const KEY = /^[0-9a-f]{32}$/
const STANDINGS: readonly unknown[] = ['idle', 'connected', 'listening']

/** Checks what came as a handle: it may have been through anything. */
function checkHandle(handle: unknown): asserts handle is SocketHandle {
  if (typeof handle !== 'object' || handle === null) throw typeError('handle', 'what detach() has made', handle)
  const { key, type, family, standing, timeout, header, unread, datagrams, broken, bytesRead, bytesWritten, sharingChosen, replaceStale } = handle as Partial<SocketHandle>
  if (typeof key !== 'string' || !KEY.test(key)) throw valueError('handle.key', 'must be of a handle that detach() has made', key)
  if (!isSocketType(type)) throw valueError('handle.type', 'must be a type of sockets', type)
  checkFamily(family)
  if (!STANDINGS.includes(standing)) throw valueError('handle.standing', `must be one of ${STANDINGS.join(', ')}`, standing)
  checkTimeout('handle.timeout', timeout)
  if (header !== null && !isBytes(header)) throw typeError('handle.header', 'null or a Uint8Array', header)
  if (unread !== null && !(isBytes(unread) && unread.length > 0)) throw typeError('handle.unread', 'null or a Uint8Array', unread)
  if (datagrams !== null && !(Array.isArray(datagrams) && datagrams.length > 0 && datagrams.every(isDatagram))) {
    throw typeError('handle.datagrams', 'null or a list of datagrams', datagrams)
  }
  if (typeof sharingChosen !== 'boolean' || typeof replaceStale !== 'boolean') throw typeError('handle', 'what detach() has made', handle)
  checkInteger('handle.broken', broken, -0x7fff_ffff, 0)
  checkInteger('handle.bytesRead', bytesRead, 0, Number.MAX_SAFE_INTEGER)
  checkInteger('handle.bytesWritten', bytesWritten, 0, Number.MAX_SAFE_INTEGER)
}

function isDatagram(datagram: unknown): boolean {
  if (typeof datagram !== 'object' || datagram === null) return false
  const { data, from, truncated } = datagram as Partial<DetachedDatagram>
  return isBytes(data) && typeof from === 'object' && from !== null && typeof truncated === 'boolean'
}

const standingSpace = new Int32Array(6)

/**
 * Takes over a descriptor (on Windows a SOCKET) that something else has opened: systemd, `recvHandles`, an addon. From now on it is
 * this socket's: it is closed with it, does not block, and is not inherited by child processes. What it is, whether it
 * listens and whether it has a peer is asked of the system; `type` says what it has to be.
 *
 * Errors, thrown: `EBADF`, `ENOTSOCK`, `EAFNOSUPPORT` and `ESOCKTNOSUPPORT` (a socket of a kind that is not among ours),
 * `ERR_INVALID_ARG_VALUE` (of another type; of a socket of this library, whichever thread has it), `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`. The
 * descriptor then is as before.
 */
export function fromFd(fd: number): SocketOf[SocketType]
export function fromFd<Type extends SocketType>(fd: number, type: Type): SocketOf[Type]
export function fromFd(fd: number, type?: SocketType): SocketOf[SocketType] {
  checkInteger('fd', fd, 0, Number.MAX_SAFE_INTEGER)
  if (type !== undefined && !isSocketType(type)) throw valueError('type', "must be 'tcp', 'udp', 'raw' or 'seqpacket'", type)
  const handle = native.adopt(fd, typeNumber(type), standingSpace)
  const [family = 0, kind = 0, protocol = 0, listening, connected, broken = 0] = standingSpace
  if (handle < 0) {
    const error = systemError(handle, 'fromFd')
    if (error.code === 'EEXIST') throw valueError('fd', 'is that of a socket of this library', fd)
    throw error.code === 'EPROTOTYPE' ? valueError('fd', `must be that of a socket of type '${type}', and this is one of type '${typeOf(kind)}'`, fd) : error
  }
  return made({
    type: typeOf(kind),
    family: familyOf(family),
    protocol: protocol === 0 ? undefined : (PROTOCOLS[protocol] ?? protocol),
    standing: listening === 1 ? 'listening' : connected === 1 ? 'connected' : 'idle',
    handle,
    birth: birthHere(fromFd)
  }).adopted(broken)
}
