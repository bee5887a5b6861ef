/** Who is let in to a server, and how many are there. */
import type { BlockList } from 'node:net'
import type { Address } from './address.js'
import { typeError } from './errors.js'
import type { TcpSocket } from './tcp.js'
import { checkInteger } from './validate.js'

/** What a server keeps to. A connection over a limit is accepted and closed. */
export interface Limits {
  /** The most connections at a time, no limit by default; with `proxyProtocol` those included whose header has not come yet. */
  maxConnections?: number | undefined
  /**
   * The most connections at a time from one IP address, no limit by default; with `proxyProtocol` the client's, as soon as it is known, or
   * the proxy's, where that tells of no client. Who comes by a unix path has no address, and no such limit.
   */
  maxConnectionsPerAddress?: number | undefined
  /** Addresses that get no connection, none by default: a `net.BlockList`, to which addresses can be added at any time. With `proxyProtocol` neither clients that are on it nor proxies. */
  blockList?: BlockList | undefined
}

export class Admission {
  /** How many have been let in. */
  #inside = 0
  /** Those who have a place, but are not let in yet. */
  readonly #reserved = new Set<TcpSocket>()
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

  /** How many are there. */
  get count(): number {
    return this.#inside + this.#reserved.size
  }

  /** Keeps a place for a connection whose client is not known yet, until it is let in or gives it up. `false`: it must not come in. */
  reserve(socket: TcpSocket): boolean {
    if (this.count >= this.#most || listed(this.#blockList, socket)) return false
    this.#reserved.add(socket)
    return true
  }

  /** Gives up the place it has, if any: it is not let in. */
  giveUp(socket: TcpSocket): void {
    if (this.#reserved.delete(socket)) this.#left()
  }

  /** Lets a connection in: the function to call once it has ended. `undefined`: it must not come in, and is closed. */
  admit(socket: TcpSocket): (() => void) | undefined {
    if (this.count >= this.#most && !this.#reserved.has(socket)) return refuse(socket)
    if (this.#mostPerAddress === Infinity && this.#blockList === undefined) return this.#enter(socket, undefined)
    if (listed(this.#blockList, socket)) return refuse(socket)
    const address = addressOf(socket)
    if (address !== undefined && (this.#perAddress.get(address) ?? 0) >= this.#mostPerAddress) return refuse(socket)
    return this.#enter(socket, address)
  }

  /** Resolves when nobody is there. */
  async empty(): Promise<void> {
    if (this.count > 0) await new Promise<void>(resolve => this.#awaiting.push(resolve))
  }

  #enter(socket: TcpSocket, address: string | undefined): () => void {
    this.#reserved.delete(socket)
    this.#inside++
    if (address !== undefined) this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    return () => this.#leave(address)
  }

  #leave(address: string | undefined): void {
    if (address !== undefined) {
      const rest = (this.#perAddress.get(address) ?? 0) - 1
      if (rest > 0) this.#perAddress.set(address, rest)
      else this.#perAddress.delete(address)
    }
    this.#inside--
    this.#left()
  }

  #left(): void {
    if (this.count === 0) for (const resolve of this.#awaiting.splice(0)) resolve()
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

/** Whether the peer's address is on a list. */
export function listed(list: BlockList | undefined, socket: TcpSocket): boolean {
  const address = list && addressOf(socket)
  return address !== undefined && list?.check(address, address.includes(':') ? 'ipv6' : 'ipv4') === true
}

/** The peer's IP address. That of a unix socket has none to be told from others by; one who is gone already has none, either. */
export function addressOf({ remoteAddress }: TcpSocket): string | undefined {
  return remoteAddress === null || remoteAddress.family === 'unix' ? undefined : plain(remoteAddress)
}

/** The IP address; an IPv4 one as such, also where it came to a socket of both families. */
function plain({ address }: Address): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
