/** Sockets that systemd, or whoever speaks its protocol, has opened for this process: sd_listen_fds(3). */
import { systemError, valueError } from './errors.js'
import { native } from './native.js'

/** The number of the first one. */
const FIRST = 3

/** More than any process may have open. */
const MOST = 0x10_0000

/**
 * The descriptors that were opened for this process by socket activation (`LISTEN_FDS`), in the order of its configuration; none
 * when it was started otherwise, and on Windows. Make sockets of them by `fromFd`, once. Child processes do not inherit them.
 *
 * Errors, thrown: `EBADF` (one of them is not open), `ERR_INVALID_ARG_VALUE` (`LISTEN_FDS` is no number).
 */
export function listenFds(): number[] {
  const { LISTEN_FDS: text, LISTEN_PID: pid } = process.env
  if (process.platform === 'win32' || text === undefined || Number(pid) !== process.pid) return []
  const count = /^\d+$/.test(text) ? Number(text) : MOST
  if (count >= MOST) throw valueError('LISTEN_FDS', 'must be a number of descriptors', text)
  const fds = Array.from({ length: count }, (_, place) => FIRST + place)
  for (const fd of fds) {
    const code = native.keepFromChildren(fd)
    if (code < 0) throw systemError(code, `listenFds ${fd}`)
  }
  return fds
}

/**
 * The names of those descriptors, in the same order (`LISTEN_FDNAMES`); `'unknown'` for those without one.
 *
 * Errors, thrown: as `listenFds`.
 */
export function listenFdNames(): string[] {
  const names = process.env['LISTEN_FDNAMES']?.split(':') ?? []
  return listenFds().map((_, place) => names[place] || 'unknown')
}
