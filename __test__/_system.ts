/**
 * What the tests know of the system they run on: what it lacks, which is asked of the system itself, and where Wine is not
 * like Windows. Scripts of _child/ use it as well, so it knows nothing of tests.
 */
import { freemem } from 'node:os'
import { addr, pair, seqpacket, SocketError, tcp, udp, type Socket, type TcpSocket } from 'socket2'

/** Why a test is left out, or false where nothing is missing. */
export type Reason = string | false

const unix = await refusal(() => tcp('unix'), 'this system has no unix sockets')
const pairs = await refusal(() => pair('tcp'), 'this system makes no unix pairs')

/** The reasons for leaving tests out. Each ends the sentence "skipped: …". */
export const lacks = {
  /** Unix streams. */
  unix,
  /** Unix datagrams. */
  unixDatagrams: await refusal(() => udp('unix'), 'this system has no unix datagrams'),
  /** Pairs of unix streams and datagrams. */
  pairs,
  /** Descriptors beside data. */
  handles: process.platform === 'win32' && 'on Windows no descriptors travel',
  seqpacket: await refusal(() => seqpacket(), 'this system has no seqpacket sockets'),
  /** Unix names that are no paths. */
  abstractNames: await refusal(() => tcp('unix').bind(`unix:@socket2-${process.pid}-${Math.random()}`), 'this system has no abstract names', 'EINVAL'),
  /** Who the peer of a unix stream is. */
  credentials: pairs || (await refusal(() => pair('tcp').map(tellPeer), 'this system does not tell who a peer is')),
  reusePort: await refusal(() => tcp('inet', undefined, { reusePort: true }), 'this system has no SO_REUSEPORT'),
  exclusiveAddressUse: await refusal(() => tcp('inet', undefined, { exclusiveAddressUse: true }), 'only Windows has SO_EXCLUSIVEADDRUSE'),
  /** What only /proc shows, and options and namespaces of one system: the test's title says of what. */
  linux: process.platform !== 'linux' && 'this is not Linux',
  /** Signals, umask, numbers of descriptors that are used again, files that are no files. */
  posix: process.platform === 'win32' && 'Windows is not a POSIX system'
}

/** Why names looked up without a type are not found for raw sockets. It is asked only where it matters: a lookup starts a thread. */
export async function lacksRawNames(): Promise<Reason> {
  const found = await addr('localhost', 7)
  return found.every(({ type }) => type !== 'raw') && 'this system finds names for tcp and udp only'
}

/** The version of the Wine that runs the tests, as who started it says; 0 on a real system. Where Wine is not like Windows, tests ask it. */
export const wine = Number(process.env['SOCKET2_WINE'] ?? 0)

/** Why much that is sent back behind the end of what has come does not arrive whole. */
export const losesEchoes: Reason = wine >= 10 && 'Wine 10 loses what it says it has sent, once the other end has ended what that sends'

/** Why nobody can count on being told of a reset: Wine's server asks for the error of a socket, which is gone with that, and then finds the end. */
export const lacksResets: Reason = wine > 0 && 'Wine shows a reset as the end of the stream, Wine 10 now and then'

/** Whether the C library is musl: a Node that is built for glibc tells its version. */
export function isMusl(): boolean {
  if (process.platform !== 'linux') return false
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime === undefined
}

/** Whether the stack of an error that came after a wait leads to who awaits: not in Bun, which does not show that. */
export const fullStacks = process.versions['bun'] === undefined

/** How often to do what is the same again and again: each time takes Wine about ten times as long. */
export function rounds(count: number): number {
  return wine > 0 ? Math.ceil(count / 10) : count
}

/** How many bytes are more than any system takes before the peer reads. Wine passes on no more than some 30 MiB in a second. */
export const MUCH = (wine > 0 ? 16 : 64) << 20

/** Why there is no memory for a test that takes so many GiB. */
export function lacksMemory(gibibytes: number): Reason {
  if (process.arch === 'ia32' || process.arch === 'arm') return 'a process of 32 bits has no such memory'
  if (freemem() < gibibytes * 2 ** 30) return `less than ${gibibytes} GiB of memory is free`
  return wine > 0 && 'Wine takes half a minute to pass so much on'
}

/** Two connected streams: a unix pair, or a TCP connection where the system makes no pairs. */
export async function streams(): Promise<[TcpSocket, TcpSocket]> {
  if (!pairs) return pair('tcp')
  const server = await tcp().listen('127.0.0.1')
  try {
    const accepting = server.accept()
    const { localAddress } = server
    if (localAddress === null) throw new Error('a listener has an address')
    return [await tcp().connect(localAddress), await accepting]
  } finally {
    server.close()
  }
}

function tellPeer(socket: Socket): Socket {
  void socket.peerCredentials
  return socket
}

/**
 * The reason given, when such sockets are what the system does not have; otherwise they are closed again. Any other failure is a fault,
 * which the tests are to show: they are not left out for it. `code` is what is told besides that the platform is not supported.
 */
async function refusal(make: () => Socket | readonly Socket[] | Promise<Socket>, reason: string, code?: string): Promise<Reason> {
  try {
    for (const socket of [await make()].flat()) socket.close()
    return false
  } catch (error) {
    return error instanceof SocketError && ['ERR_UNSUPPORTED_PLATFORM', code].includes(error.code) && reason
  }
}
