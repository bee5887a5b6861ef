/** What the loop of this thread waits with, as the system's number of it. */
import { movePoller, openLinks } from './driver.js'
import { rangeError, SocketError, systemError, typeError, unsupported } from './errors.js'
import { native } from './native.js'

/**
 * The poller of this JavaScript thread: the descriptor of its epoll or kqueue instance; on Windows a bigint. Every thread has its
 * own to begin with. With an argument: from now on this thread shares the poller of that handle with the threads that use it. An
 * event reaches the thread that owns the socket, whichever dequeues it; a thread that is busy or ends harms no other. A
 * message costs about a tenth more than with a poller of one's own: docs/threads.md.
 *
 * Errors, thrown: `ERR_OUT_OF_RANGE` (no poller of this process has that handle), `ERR_SOCKET_BAD_STATE` (this thread has open
 * sockets), `ERR_INVALID_ARG_TYPE`.
 */
export function pollerHandle(handle?: number | bigint): number | bigint {
  const mine = ownHandle()
  if (handle === undefined) return mine
  if (typeof handle !== 'number' && typeof handle !== 'bigint') throw typeError('handle', 'a number or a bigint', handle)
  const wanted = exact(handle)
  if (BigInt(mine) === wanted) return mine
  if (!openLinks().next().done) {
    throw new SocketError('this thread has open sockets; its poller can be set only before', { code: 'ERR_SOCKET_BAD_STATE' })
  }
  if (wanted === undefined || wanted < 0n || wanted > MOST_HANDLE || movePoller(Number(wanted)) < 0) {
    throw rangeError('handle', 'the handle of a poller of this process', handle)
  }
  return ownHandle()
}

/**
 * The epoll descriptor of this JavaScript thread. It stays this library's: look, do not close. With an argument as `pollerHandle`.
 *
 * *Platforms*: Linux; elsewhere `ERR_UNSUPPORTED_PLATFORM`. Errors, thrown: as `pollerHandle`. See epoll(7).
 */
export function epollFd(fd?: number): number {
  if (process.platform !== 'linux' && process.platform !== 'android') throw unsupported('epollFd()')
  if (fd !== undefined && typeof fd !== 'number') throw typeError('fd', 'a number', fd)
  return Number(pollerHandle(fd))
}

/**
 * The I/O completion port of this JavaScript thread. With an argument as `pollerHandle`.
 *
 * *Platforms*: Windows; elsewhere `ERR_UNSUPPORTED_PLATFORM`. Errors, thrown: as `pollerHandle`.
 */
export function iocp(handle?: bigint): bigint {
  if (process.platform !== 'win32') throw unsupported('iocp()')
  if (handle !== undefined && typeof handle !== 'bigint') throw typeError('handle', 'a bigint', handle)
  return BigInt(pollerHandle(handle))
}

function ownHandle(): number | bigint {
  const handle = native.pollerHandle()
  if (handle < 0) throw systemError(handle, 'pollerHandle')
  return process.platform === 'win32' ? BigInt(handle) : handle
}

/** Handles cross as 31-bit integers. */
const MOST_HANDLE = 0x7fff_ffffn

/** The handle as an integer; what is none is no handle. */
function exact(handle: number | bigint): bigint | undefined {
  return typeof handle === 'bigint' || Number.isInteger(handle) ? BigInt(handle) : undefined
}
