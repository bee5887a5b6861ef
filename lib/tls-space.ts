/** Where node:tls decrypts to. */
import type { TLSSocket } from 'node:tls'
import { native } from './native.js'

/** As much as it decrypts at once: a record. */
const SPACE_LENGTH = 16_384

/** All connections of a thread share it: what lies here is taken within the call that tells of it. */
export const space = Buffer.allocUnsafeSlow(SPACE_LENGTH)

// OpenSSL has memory of its own for each record, and glibc would give that back to the system each time.
native.expectBursts()

/** What the option `onread` sets in a `net.Socket`, and cannot where TLS is laid over another stream. */
interface Internals {
  readonly _handle: { useUserBuffer?(memory: Buffer): void } | null
  [name: symbol]: unknown
}

/**
 * Has what is decrypted put into `space` from now on, instead of into new memory each time, and told: `told` says whether more is wanted.
 * Where Node has other names for that, nothing changes.
 */
export function giveSpace(tls: TLSSocket, told: (count: number) => boolean): void {
  const socket = tls as unknown as Internals
  const symbols = Object.getOwnPropertySymbols(socket)
  const [memory, callback] = ['kBuffer', 'kBufferCb'].map(name => symbols.find(({ description }) => description === name))
  if (memory === undefined || callback === undefined || socket[memory] !== null || socket._handle?.useUserBuffer === undefined) return
  socket[memory] = space
  socket[callback] = told
  socket._handle.useUserBuffer(space)
}
