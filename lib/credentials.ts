/** Who is at the other end of a unix socket. */
import type { Family } from './address.js'
import { stateError, systemError, unsupported } from './errors.js'
import { native, type Handle } from './native.js'

/** A process, as the system vouches for it. */
export interface PeerCredentials {
  /** Its number; 0 when it has none here (Linux: a process of another PID namespace). */
  readonly pid: number
  /** Its effective user. */
  readonly uid: number
  /** Its effective group. */
  readonly gid: number
}

const ids = new Int32Array(3)
const NEED = 'a unix socket with a peer that the system knows'

/** Who the peer is; throws. */
export function peerCredentials(handle: Handle, family: Family): PeerCredentials {
  if (family !== 'unix') throw stateError('peerCredentials', `of family '${family}'`, NEED)
  const code = native.peerCredentials(handle, ids)
  if (code < 0) {
    const error = systemError(code, 'peerCredentials')
    if (error.code === 'ENOTSUP') throw unsupported('peerCredentials')
    throw error.code === 'ENOTCONN' ? stateError('peerCredentials', 'not connected', NEED) : error
  }
  const [pid = 0, uid = 0, gid = 0] = ids
  // Users and groups are unsigned: 4294967294 is the nobody of some systems.
  return { pid, uid: uid >>> 0, gid: gid >>> 0 }
}
