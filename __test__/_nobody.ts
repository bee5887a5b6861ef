/** Addresses at which nobody is, or nobody answers. */
import type { ExecutionContext } from 'ava'
import { tcp, type Address, type Family, type TcpSocket } from 'socket2'
import { addressOf, closing, loopback } from './_util.js'

/** An address at which somebody was, and nobody else can be as long as the test runs: it refuses. */
export async function deserted(t: ExecutionContext, family: Family): Promise<Address> {
  return addressOf(await closing(t, tcp(family)).bind(...loopback(t, family)))
}

/** A listener with no room left: the system drops what asks for a connection. */
export async function fullListener(t: ExecutionContext, family: Family): Promise<{ full: TcpSocket; address: Address }> {
  const full = await closing(t, tcp(family)).listen(...loopback(t, family), 0)
  const address = addressOf(full)
  // Some systems have room for more than was asked for.
  for (let i = 0; i < 300; i++) {
    const connected = await closing(t, tcp(family)).connect(address, { timeout: 30 }).then(() => true, () => false)
    if (!connected) return { full, address }
  }
  throw new Error('a backlog of 0 has room for hundreds')
}
