/** Connecting in one call: to a name by all of its addresses, as RFC 8305 has it, to an address, to a unix path. */
import { Address, literal, unixAddress, type Family } from './address.js'
import { channels, publish } from './channels.js'
import { ofThisCall } from './connection.js'
import { rangeError, typeError, valueError } from './errors.js'
import { checkTimeout } from './guard.js'
import { birthHere } from './leak.js'
import { immediate, resolve, type Host, type Port } from './lookup.js'
import { optionsByFamily, type SocketOptions } from './options.js'
import { Race, type Limits } from './race.js'
import { TcpSocket } from './tcp.js'

/** How to connect; besides these, any option that the socket is to have. */
export interface ConnectOptions extends Omit<SocketOptions, 'timeout' | 'replaceStale'> {
  /** Only addresses of this family: `'inet'` or `'inet6'`. Both by default. */
  family?: 'inet' | 'inet6' | undefined
  /** Ends it, whatever it waits for: rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /**
   * How long all of it may take, the lookup and every attempt, in milliseconds; `Infinity` unless given, and then each attempt ends when
   * the system gives it up, after minutes. 0: only what can be done now. Past it: `ETIMEDOUT`. It is not the socket's own `timeout`.
   */
  timeout?: number | undefined
  /** Where to connect from: an IP address of this machine, or an `Address`, with its port. Only addresses of its family are tried. */
  localAddress?: string | Address | undefined
  /** How long an attempt has to itself before the next one joins it, in milliseconds: 250; at least 10; `Infinity`: until it fails. */
  attemptDelay?: number | undefined
}

/** RFC 8305, section 8. The least is what it allows at all, so that no name makes a flood. */
const USUAL_DELAY = 250
const LEAST_DELAY = 10

/**
 * Connects: `await connect(443, 'example.org')`. The host is `'localhost'` unless given, the port a number or the name of a service. Also
 * to what is known already: `connect('unix:/path')`, `connect(address)`, or a list of addresses such as `addr` gives.
 *
 * A host with several addresses is reached as RFC 8305 (Happy Eyeballs) says. They are tried in the system's order, with the two families
 * taking turns; the next attempt begins when one fails, or when it has not been decided for `attemptDelay`, and then beside it. The first to
 * connect is what this resolves to, and the others are closed at once. So an address where nobody answers costs 250 ms, not minutes.
 *
 * Options are set before a socket connects. One that only one family has, such as `ttl` and `hopLimit`, is set on that family's sockets;
 * one that none of the families has which may be tried is `ERR_INVALID_ARG_VALUE`.
 *
 * Errors, after which nothing is left open: where one address was tried, its own: `ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH`,
 * `EADDRNOTAVAIL`, `EMFILE`, `ENOENT` (unix) …; where several were, the code of the first, with an `AggregateError` of all of them, in the order
 * of the attempts, as `cause`. `ETIMEDOUT` with `error.timeout`, and what has failed until then as `cause`; the signal's reason; `ENOTFOUND`
 * and other errors of `addr`; `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_SOCKET_BAD_PORT`,
 * `ERR_UNSUPPORTED_PLATFORM`. See RFC 8305, RFC 6724, connect(2).
 */
export function connect(port: Port, host?: Host, options?: ConnectOptions): Promise<TcpSocket>
export function connect(where: Port | Address | readonly Address[], options?: ConnectOptions): Promise<TcpSocket>
export async function connect(
  where: Port | Address | readonly Address[], host?: Host | ConnectOptions, options?: ConnectOptions
): Promise<TcpSocket> {
  const begun = performance.now()
  const birth = birthHere(connect)
  const target = targetOf(where, host, options)
  const { family, signal, timeout, local, attemptDelay, settings } = checked(target.options)
  const query = { host: target.host, port: target.port, type: 'tcp', family } as const
  const known = knownAddresses(target.addresses ?? immediate(query), family)
  const optionsOf = optionsByFamily(settings, 'tcp', familiesOf(known, family))
  signal?.throwIfAborted()

  const addresses = inTurns(known ?? await resolve(query, { signal, timeout }))
  const open = (address: Address): TcpSocket => {
    const socket = new TcpSocket({ type: 'tcp', family: address.family, protocol: undefined, options: optionsOf.get(address.family), birth })
    return local === undefined ? socket : socket.bindToConnect(local)
  }
  const socket = await reach(addresses, open, { signal, timeout, deadline: begun + timeout, attemptDelay })
  // Nobody has the socket yet, so whoever aborts in the tick in which it connects need not close it.
  if (signal?.aborted) socket.close()
  signal?.throwIfAborted()
  publish(channels.connect, () => ({ socket }))
  return socket
}

/** A socket that is connected to one of the addresses. Where there is only one, nothing is spent on a race. */
async function reach(addresses: readonly Address[], open: (address: Address) => TcpSocket, limits: Limits): Promise<TcpSocket> {
  if (addresses.length > 1) return await new Race(addresses, open, limits).run()
  const [address] = addresses as [Address]
  const socket = open(address)
  try {
    await socket.reach(address, limits)
    return socket
  } catch (error) {
    socket.close()
    throw ofThisCall(error, limits.timeout)
  }
}

/**
 * In the order in which they are tried: the system's (RFC 6724), with the families taking turns, beginning with that of the first
 * (RFC 8305, section 4, with a First Address Family Count of 1). None comes twice.
 */
function inTurns(all: readonly Address[]): readonly Address[] {
  const addresses = [...new Map(all.map(address => [address.toString(), address])).values()]
  const first = addresses.filter(({ family }) => family === addresses[0]?.family)
  const other = addresses.filter(({ family }) => family !== addresses[0]?.family)
  return addresses.flatMap((_, place) => [...first.slice(place, place + 1), ...other.slice(place, place + 1)])
}

interface Target {
  /** What is known already; else who is to be looked up. */
  readonly addresses?: readonly Address[]
  readonly host?: Host
  readonly port?: Port
  readonly options: unknown
}

/** What the arguments say. The options come last, wherever that is. */
function targetOf(where: unknown, host: unknown, options: unknown): Target {
  const last = host ?? options
  if (where instanceof Address) return { addresses: [where], options: last }
  if (Array.isArray(where)) return { addresses: checkedList(where), options: last }
  if (typeof where === 'string' && where.startsWith('unix:')) return { addresses: [unixAddress(where.slice('unix:'.length))], options: last }
  if (where === undefined) throw typeError('port', 'a number, the name of a service, or an address', where)
  const port = where as Port
  if (typeof host === 'object' && host !== null && options === undefined) return { host: 'localhost', port, options: host }
  return { host: host === undefined ? 'localhost' : host as Host, port, options }
}

function checkedList(list: readonly unknown[]): readonly Address[] {
  if (list.length === 0) throw valueError('where', 'must not be an empty list', list)
  for (const [place, address] of list.entries()) {
    if (!(address instanceof Address)) throw typeError(`where[${place}]`, 'an Address', address)
    if (address.family === 'unix' && list.length > 1) throw valueError(`where[${place}]`, 'must be an IP address, as one of several', `${address}`)
  }
  return list as readonly Address[]
}

/** Of what is known those of the family that is asked for, if any is. */
function knownAddresses(known: Address | readonly Address[] | null, asked: Family | undefined): readonly Address[] | null {
  if (known === null) return null
  const all = known instanceof Address ? [known] : known
  const left = all.filter(({ family }) => asked === undefined || family === asked)
  if (left.length === 0) throw valueError('where', `must be of family '${asked}'`, all.join(', '))
  return left
}

/** The families that may be tried. */
function familiesOf(known: readonly Address[] | null, asked: Family | undefined): readonly Family[] {
  if (known !== null) return [...new Set(known.map(({ family }) => family))]
  return asked === undefined ? ['inet6', 'inet'] : [asked]
}

interface Wanted {
  readonly family: Family | undefined
  readonly signal: AbortSignal | undefined
  readonly timeout: number
  readonly local: Address | undefined
  readonly attemptDelay: number
  readonly settings: SocketOptions
}

function checked(options: unknown = {}): Wanted {
  if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options)
  const { family, signal, timeout = Infinity, localAddress, attemptDelay = USUAL_DELAY, ...settings } = options as ConnectOptions
  if (family !== undefined && family !== 'inet' && family !== 'inet6') throw valueError('options.family', "must be 'inet' or 'inet6'", family)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw typeError('options.signal', 'an AbortSignal', signal)
  checkTimeout('options.timeout', timeout)
  checkTimeout('options.attemptDelay', attemptDelay)
  if (attemptDelay < LEAST_DELAY) throw rangeError('options.attemptDelay', `at least ${LEAST_DELAY} milliseconds`, attemptDelay)
  const local = localAddress === undefined ? undefined : localOf(localAddress)
  if (local !== undefined && family !== undefined && local.family !== family) {
    throw valueError('options.localAddress', `must be of family '${family}'`, `${local}`)
  }
  return { family: family ?? local?.family, signal, timeout, local, attemptDelay, settings }
}

function localOf(place: unknown): Address {
  if (!(place instanceof Address) && typeof place !== 'string') throw typeError('options.localAddress', 'an IP address or an Address', place)
  const address = typeof place === 'string' ? literal(place) : place
  if (address === null || address.family === 'unix') throw valueError('options.localAddress', 'must be an IP address', `${place}`)
  return address
}
