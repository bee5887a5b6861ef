/** Two sockets that are connected to each other, without an address. */
import { systemError, unsupported, valueError } from './errors.js'
import { typeNumber } from './kinds.js'
import { birthHere } from './leak.js'
import { isSocketType, made, type SocketOf } from './made.js'
import { native } from './native.js'

/**
 * Makes two unix sockets that are connected to each other (socketpair(2)): streams, datagrams or sequenced packets.
 *
 * *Platforms*: all but Windows; `'seqpacket'` on Linux. Errors, thrown: `EMFILE`, `ERR_UNSUPPORTED_PLATFORM`,
 * `ERR_INVALID_ARG_VALUE`.
 */
export function pair<Type extends 'tcp' | 'udp' | 'seqpacket'>(type: Type): [SocketOf[Type], SocketOf[Type]] {
  if (!isSocketType(type) || (type as string) === 'raw') throw valueError('type', "must be 'tcp', 'udp' or 'seqpacket'", type)
  const handles = new Int32Array(2)
  const code = native.pair(typeNumber(type), handles)
  if (code < 0) {
    const error = systemError(code, 'socketpair')
    throw error.code === 'ENOTSUP' ? unsupported(`pair('${type}')`) : error
  }
  const birth = birthHere(pair)
  const end = (handle: number | undefined): SocketOf[Type] => made({ type, family: 'unix', protocol: undefined, handle: handle as number, birth })
  return [end(handles[0]), end(handles[1])]
}
