/**
 * The one door to native code: the generated binding, with its types.
 *
 * Every call that touches a socket returns a plain integer and never throws: a count or a handle when it is 0 or more,
 * otherwise Node's negative error number (`errorName` spells it). Callers compare with `PARTLY`, after `pass`, and `WOULD_BLOCK`:
 * the system would have to wait, and the socket is now registered with the poller, which will report its readiness.
 *
 * Addresses cross in a `Uint8Array` of `ADDRESS_LENGTH` bytes; address.ts has the layout.
 */
import { binding } from './load.js'

/** A socket as native code knows it: an index into the environment's table and a generation, in one 31-bit integer. */
export type Handle = number

export interface Native {
  /** The number of our environment: what one copy of this library owns on the native side. */
  readonly environment: number
  readonly WOULD_BLOCK: number
  readonly PARTLY: number
  /** Whether a stream's short read means that nothing is left (true where readiness comes from epoll or kqueue). */
  readonly SHORT_READ_DRAINS: boolean
  readonly ADDRESS_LENGTH: number
  /** How many datagrams one call receives or sends at most. */
  readonly MOST_AT_ONCE: number
  /** How many bytes tell of a datagram; datagram.ts has the layout. */
  readonly RECORD_LENGTH: number
  /** The longest path of a unix socket, in bytes. */
  readonly UNIX_PATH_LENGTH: number
  /** The most descriptors that one message over a unix socket carries; 0 where none are carried. */
  readonly MOST_HANDLES: number
  /** Whether the system sends echo requests by a call of its own, for everyone. */
  readonly SENDS_ECHOES: boolean
  /** Node's number for ETIMEDOUT. */
  readonly TIMED_OUT: number

  // The poller. `deliver` is called, on this thread, when the poller's thread has handed the poll over, or with a lookup's result.
  /** Installs the callbacks of this environment; once, before anything else. */
  start(environment: number, deliver: () => void, resolved: LookupCallback): void
  /** Fills `ring` with pairs (handle, flags) of what is ready, waiting at most `timeout` ms (-1: for ever). Takes the poll over if needed. */
  poll(ring: Int32Array, timeout: number): number
  /** Takes the poll away from its thread; 0 when this thread owns it now, 1 when a delivery is already on its way. */
  takePoll(): number
  /** Lets the poller's thread wait again. */
  givePoll(): number
  /** Whether the poller and the lookups keep the process alive. */
  keepAlive(on: number): number

  // Sockets
  open(family: number, type: number, protocol: number): Handle
  /** Puts the handles of two connected unix sockets into `handles`. */
  pair(type: number, handles: Int32Array): number
  /** Closes; `reset` (1) sends RST instead of FIN. 0, also when it was closed already. */
  close(handle: Handle, reset: number): number
  fd(handle: Handle): number
  /**
   * Binds; `flags`: 1 sets what is customary for listeners on this system first, 2 replaces a unix path nobody listens at, 4 leaves the
   * choice of a port to `connect` where the system can.
   */
  bind(handle: Handle, address: Uint8Array, flags: number): number
  listen(handle: Handle, backlog: number): number
  /** 0: connected at once; WOULD_BLOCK: under way, writable when it is decided, then `verdict` has the outcome. */
  connect(handle: Handle, address: Uint8Array): number
  disconnect(handle: Handle): number
  /** How the connect under way has ended: 0 when it is connected, WOULD_BLOCK while it is not decided. */
  verdict(handle: Handle): number
  /** A new handle, with the peer's address written to `address`. */
  accept(handle: Handle, address: Uint8Array): Handle
  recv(handle: Handle, into: Uint8Array): number
  send(handle: Handle, data: Uint8Array, offset: number): number
  /**
   * Receives into `space` and sends that on: as `recv`, when all of it was sent; PARTLY when not: then `outcome` has the count, and what
   * sending it has come to.
   */
  pass(from: Handle, to: Handle, space: Uint8Array, outcome: Int32Array): number
  /** Gathers `list` from buffer `index` on, whose first `offset` bytes are left out. */
  sendList(handle: Handle, list: readonly Uint8Array[], index: number, offset: number): number
  /** As recv, with a record of the datagram. */
  recvFrom(handle: Handle, into: Uint8Array, record: Uint8Array): number
  /**
   * Receives at most so many datagrams; their number, those counted as one that the system has put into one. `found`: how many bytes
   * `takeMany` has to give, 1 if nothing is left.
   */
  recvMany(handle: Handle, most: number, found: Int32Array): number
  /** Puts the datagrams that `recvMany` has received into `into`, after their records. */
  takeMany(into: Uint8Array): number
  sendTo(handle: Handle, data: Uint8Array, address: Uint8Array): number
  /** Sends the datagrams of `list` from `index` on, each to its one of the addresses, which are of equal length; their number. */
  sendMany(handle: Handle, list: readonly Uint8Array[], index: number, addresses: Uint8Array): number
  /** Sends datagrams of `size` bytes; to the peer when `address` is empty. */
  sendSegments(handle: Handle, data: Uint8Array, size: number, address: Uint8Array): number
  /** Has the system put datagrams together; 1 if it does. */
  coalesce(handle: Handle): number
  /** Whether it does: 1 or 0. */
  coalesces(handle: Handle): number
  /** how: 0 read, 1 write, 2 both. */
  shutdown(handle: Handle, how: number): number
  localAddress(handle: Handle, address: Uint8Array): number
  remoteAddress(handle: Handle, address: Uint8Array): number
  /** Reads option `id` (of options.generated.ts) into `value[0]`. */
  getOption(handle: Handle, id: number, value: Int32Array): number
  setOption(handle: Handle, id: number, value: number): number
  /** Reads an option whose value is more than an integer into `into`, and returns how many bytes it is. */
  getOptionBytes(handle: Handle, id: number, into: Uint8Array): number
  setOptionBytes(handle: Handle, id: number, value: Uint8Array): number
  /** The same for any option of the system's, by its own numbers. */
  getRawOption(handle: Handle, level: number, name: number, into: Uint8Array): number
  setRawOption(handle: Handle, level: number, name: number, value: Uint8Array): number
  /**
   * Joins (1) or leaves (0) a multicast group. `addresses`: the group, and behind it the one source to hear, if any; `place`: the
   * interface as text in UTF-8: a name, an index, an address; empty for the system's choice.
   */
  changeGroup(handle: Handle, join: number, addresses: Uint8Array, place: Uint8Array): number
  /** Puts the peer's pid, uid and gid into `ids`. */
  peerCredentials(handle: Handle, ids: Int32Array): number
  /** 1 for a datagram socket of ICMP, made for want of the right to a raw one; 0 for any other. */
  isUnprivileged(handle: Handle): number
  /** Has a raw socket of ICMP hear only the answers to echo requests of this id, and what is said of them, where the system can do that. */
  hearEchoesOf(handle: Handle, id: number): number
  /**
   * Sends an echo request by the system's own call; its fate comes to the `echoed` callback with the same id. `limits`: the time to
   * live or 0 for the system's, and how long the system waits, in ms.
   */
  echo(id: number, address: Uint8Array, payload: Uint8Array, limits: Int32Array): number
  /** Takes the socket from this thread and puts its key, by which any thread can attach it, into 16 bytes. */
  detach(handle: Handle, key: Uint8Array): number
  /** Whom the keys of the sockets detached so far are for has been told. Until then they are closed soon after the end of this thread. */
  told(): number
  /** The socket of that key, from now on this thread's, if it is of this family and type. */
  attach(key: Uint8Array, family: number, type: number): Handle
  /** Closes the detached socket of that key, if nobody has attached it. */
  discard(key: Uint8Array): number
  /** How many detached sockets of this process nobody has attached. */
  detached(): number
  /**
   * Takes a descriptor over that is of this type (0: of any); `standing`: its family and type, its protocol, 1 if it listens, 1 if it
   * has or had a peer, the number of the error that has ended that.
   */
  adopt(fd: number, type: number, standing: Int32Array): Handle
  /** Closes the handle but not the descriptor, which it returns. */
  release(handle: Handle): number
  /** No child process gets this descriptor. */
  keepFromChildren(fd: number): number
  /** Sends data from its start, and descriptors with its first byte. */
  sendHandles(handle: Handle, data: Uint8Array, descriptors: Int32Array): number
  /** As recv; `found`: the number of descriptors that came along, 1 if something did not fit, the descriptors. */
  recvHandles(handle: Handle, into: Uint8Array, found: Int32Array): number
  /** The system's number of the poller: the epoll descriptor on Linux. */
  pollerHandle(): number
  /** Moves this environment to the poller of that handle; negative when this process has none. Its sockets are closed by it. */
  sharePoller(handle: number): number

  // Text
  errorName(code: number): string
  /** The wire form of an IPv4 or IPv6 literal, with an optional zone; empty when the text is none. */
  parseIp(text: string): number[]
  formatIp(address: Uint8Array): string
  /** Looks up on a thread of its own pool; the answer comes to the `resolved` callback with the same id. */
  lookup(environment: number, id: number, host: string | null, service: string | null, family: number, type: number, protocol: number, flags: number): void
  nameInfo(environment: number, id: number, address: Uint8Array): void
  /** Installs the callback for the fates of echo requests; once, before the first. */
  hearEchoes(environment: number, echoed: EchoCallback): void

  /** Has the C library keep some MiB of what is freed, for those who need that much again and again; once is enough for a process. */
  expectBursts(): void
}

/** `records`: 32 bytes each: 28 of an address, its socket type, 0, its protocol (big-endian). `code`: '' or the EAI code. */
export type LookupCallback = (id: number, code: string, records: number[], name: string, service: string) => void

/**
 * `outcome`: 0 for an answer; else the type, times 256, and the code of the ICMP message that says why there is none, or the negative
 * number of an error. `by`: the 28 bytes of an address, of whoever has sent that message, if it is known. `ttl`: 0 when it is not told.
 */
export type EchoCallback = (id: number, outcome: number, by: number[], ms: number, ttl: number) => void

const { openEnvironment, start, hearEchoes, lookup, nameInfo, errorName, parseIp, formatIp, expectBursts } = binding

export const native = Object.assign(openEnvironment(), { start, hearEchoes, lookup, nameInfo, errorName, parseIp, formatIp, expectBursts }) as unknown as Native
