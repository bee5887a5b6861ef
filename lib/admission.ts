/** Who is let in to a server, and how many are there. */
import type { BlockList } from 'node:net'
import type { Address } from './address.js'
import { typeError } from './errors.js'
import type { TcpSocket } from './tcp.js'
import { checkInteger } from './validate.js'

/** What a server keeps to. A connection over a limit is accepted and closed. */
export interface Limits {
  /** The most connections at a time. */
  maxConnections?: number | undefined
  /** The most connections at a time from one IP address. */
  maxConnectionsPerAddress?: number | undefined
  /** Addresses that get no connection: a `net.BlockList`. */
  blockList?: BlockList | undefined
}

export class Admission {
  /** How many are there. */
  count = 0
  readonly #most: number
  readonly #mostPerAddress: number
  readonly #blockList: BlockList | undefined
  readonly #perAddress = new Map<string, number>()
  readonly #awaiting: (() => void)[] = []

  constructor({ maxConnections = Infinity, maxConnectionsPerAddress = Infinity, blockList }: Limits) {
    this.#most = maxConnections
    this.#mostPerAddress = maxConnectionsPerAddress
    this.#blockList = blockList
  }

  /** Lets a connection in: the function to call once it has ended. `undefined`: it must not come in, and is closed. */
  admit(socket: TcpSocket): (() => void) | undefined {
    if (this.count >= this.#most) return refuse(socket)
    if (this.#mostPerAddress === Infinity && this.#blockList === undefined) return this.#enter(undefined)
    const peer = socket.remoteAddress
    // The peer of a unix socket has no address to be told from others by; one who is gone already has none, either.
    const address = peer === null || peer.family === 'unix' ? undefined : plain(peer)
    if (address === undefined) return this.#enter(undefined)
    if (this.#blockList?.check(address, address.includes(':') ? 'ipv6' : 'ipv4')) return refuse(socket)
    if ((this.#perAddress.get(address) ?? 0) >= this.#mostPerAddress) return refuse(socket)
    return this.#enter(address)
  }

  /** Resolves when nobody is there. */
  async empty(): Promise<void> {
    if (this.count > 0) await new Promise<void>(resolve => this.#awaiting.push(resolve))
  }

  #enter(address: string | undefined): () => void {
    this.count++
    if (address !== undefined) this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    return () => this.#leave(address)
  }

  #leave(address: string | undefined): void {
    if (address !== undefined) {
      const rest = (this.#perAddress.get(address) ?? 0) - 1
      if (rest > 0) this.#perAddress.set(address, rest)
      else this.#perAddress.delete(address)
    }
    if (--this.count === 0) for (const resolve of this.#awaiting.splice(0)) resolve()
  }
}

/** Checks the limits; throws what is wrong with them. */
export function checkLimits({ maxConnections, maxConnectionsPerAddress, blockList }: Limits): void {
  checkLimit('options.maxConnections', maxConnections)
  checkLimit('options.maxConnectionsPerAddress', maxConnectionsPerAddress)
  if (blockList !== undefined && typeof (blockList as BlockList | null)?.check !== 'function') throw typeError('options.blockList', 'a net.BlockList', blockList)
}

function checkLimit(name: string, limit: number | undefined): void {
  if (limit !== undefined && limit !== Infinity) checkInteger(name, limit, 0, Number.MAX_SAFE_INTEGER)
}

function refuse(socket: TcpSocket): undefined {
  socket.close()
}

/** The IP address; an IPv4 one as such, also where it came to a socket of both families. */
function plain({ address }: Address): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
