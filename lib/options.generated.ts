// Generated from crates/core/src/options.rs by `cargo run -p socket2-core --example options`. Edits here are lost.

/** The socket options, with the types of their values. */
export interface OptionTypes {
  /**
   * Lets `bind` take an address that connections of an earlier socket still hold in TIME_WAIT; for datagrams also one
   * that others have bound with it. On Windows it takes the address even from a socket that listens there, so leave it
   * off.
   *
   * `SO_REUSEADDR` of `SOL_SOCKET`. Boolean, by default on for listeners except on Windows, else off.
   *
   * *Applies to*: all sockets.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  reuseAddress: boolean
  /**
   * Lets several sockets of one user bind the same address and port, each with this option set before `bind`. Linux
   * spreads connections and datagrams over them; macOS and FreeBSD do not promise to.
   *
   * `SO_REUSEPORT` of `SOL_SOCKET`. Boolean, by default off.
   *
   * *Applies to*: all sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD; not supported on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  reusePort: boolean
  /**
   * Keeps others from binding the same address by force with `reuseAddress`. Other systems do not let them.
   *
   * `SO_EXCLUSIVEADDRUSE` of `SOL_SOCKET`. Boolean, by default on.
   *
   * *Applies to*: all sockets of `inet`, `inet6`.
   * *Platforms*: Windows; not supported on Linux, macOS, FreeBSD.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`; `EINVAL` together with `reuseAddress`.
   */
  exclusiveAddressUse: boolean
  /**
   * Allows sending to a broadcast address, which is `EACCES` without it.
   *
   * `SO_BROADCAST` of `SOL_SOCKET`. Boolean, by default off.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  broadcast: boolean
  /**
   * Probes the peer of a connection on which nothing has come for long; when it does not answer, operations fail with
   * `ETIMEDOUT`.
   *
   * `SO_KEEPALIVE` of `SOL_SOCKET`. Boolean, by default off; most systems wait two hours before the first probe.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  keepAlive: boolean
  /**
   * How `close` treats data that is not yet sent: null sends it in the background, 0 drops it and resets the connection
   * (`reset()` says that by name). With more, `close` blocks the thread until the data is sent or the time is over, on
   * most systems even for a non-blocking socket.
   *
   * `SO_LINGER` of `SOL_SOCKET`. Milliseconds, rounded up to whole seconds, or null; by default null.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  linger: number | null
  /**
   * How much the system keeps for the socket until it is received. Linux holds twice what is set, for its own
   * book-keeping, caps it silently by net.core.rmem_max, and stops sizing a TCP buffer by itself. For the TCP window to
   * grow with it, set it before `connect` or `listen`.
   *
   * `SO_RCVBUF` of `SOL_SOCKET`. Bytes, by default as the system has it.
   *
   * *Applies to*: all sockets.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ENOBUFS` past the most that macOS and FreeBSD allow.
   */
  recvBufferSize: number
  /**
   * How much the system takes before a send has to wait. Linux holds twice what is set, for its own book-keeping, caps
   * it silently by net.core.wmem_max, and stops sizing a TCP buffer by itself.
   *
   * `SO_SNDBUF` of `SOL_SOCKET`. Bytes, by default as the system has it.
   *
   * *Applies to*: all sockets.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ENOBUFS` past the most that macOS and FreeBSD allow.
   */
  sendBufferSize: number
  /**
   * The error that waits in the socket, such as 'ECONNREFUSED', or null. Reading takes it away, except on Windows.
   *
   * `SO_ERROR` of `SOL_SOCKET`. The code of an error, or null.
   *
   * *Applies to*: all sockets.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_VALUE` when it is set, it can only be read.
   */
  readonly error: string | null
  /**
   * Sends small pieces at once instead of waiting for the peer to acknowledge the last (Nagle's algorithm, RFC 896).
   *
   * `TCP_NODELAY` of `IPPROTO_TCP`. Boolean, by default on, unlike the system's own default.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  noDelay: boolean
  /**
   * How many routers a packet may pass (time to live).
   *
   * `IP_TTL` of `IPPROTO_IP`. A count, by default the system's: 64, on Windows 128.
   *
   * *Applies to*: all sockets of `inet`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  ttl: number
  /**
   * Leaves IPv4 out: without it a socket bound to `::` takes IPv4 as well, with addresses like `::ffff:127.0.0.1`. To
   * be set before `bind`.
   *
   * `IPV6_V6ONLY` of `IPPROTO_IPV6`. Boolean, by default as the system has it: false on Linux and macOS, true on
   * FreeBSD and Windows.
   *
   * *Applies to*: all sockets of `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `EINVAL` once the socket is bound.
   */
  ipv6Only: boolean
}

/** The name of an option. */
export type OptionName = keyof OptionTypes

/** What the facade has to know of an option. */
export interface OptionRow {
  /** The number by which native code knows it. */
  readonly id: number
  /** How its value crosses: 0 or 1; a number; milliseconds or -1 for null; 0 for null or a negative error number. */
  readonly kind: 'bool' | 'int' | 'millis' | 'error'
  readonly readOnly: boolean
  /** The least and the most, for 'int' and 'millis'. */
  readonly min?: number
  readonly max?: number
  readonly families: readonly ('inet' | 'inet6' | 'unix')[]
  readonly types: readonly ('tcp' | 'udp' | 'raw' | 'seqpacket')[]
  /** Where it exists, in the words of process.platform. */
  readonly platforms: readonly string[]
  readonly level: string
  readonly constant: string
}

/** All options. */
export const optionTable: { readonly [name in OptionName]: OptionRow } = {
  reuseAddress: {
    id: 0,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'SOL_SOCKET',
    constant: 'SO_REUSEADDR',
  },
  reusePort: {
    id: 1,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    platforms: ['linux', 'darwin', 'freebsd'],
    level: 'SOL_SOCKET',
    constant: 'SO_REUSEPORT',
  },
  exclusiveAddressUse: {
    id: 2,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    platforms: ['win32'],
    level: 'SOL_SOCKET',
    constant: 'SO_EXCLUSIVEADDRUSE',
  },
  broadcast: {
    id: 3,
    kind: 'bool',
    readOnly: false,
    families: ['inet'],
    types: ['udp', 'raw'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'SOL_SOCKET',
    constant: 'SO_BROADCAST',
  },
  keepAlive: {
    id: 4,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'SOL_SOCKET',
    constant: 'SO_KEEPALIVE',
  },
  linger: {
    id: 5,
    kind: 'millis',
    readOnly: false,
    min: 0,
    max: 65535000,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'SOL_SOCKET',
    constant: 'SO_LINGER',
  },
  recvBufferSize: {
    id: 6,
    kind: 'int',
    readOnly: false,
    min: 1,
    max: 2147483647,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'SOL_SOCKET',
    constant: 'SO_RCVBUF',
  },
  sendBufferSize: {
    id: 7,
    kind: 'int',
    readOnly: false,
    min: 1,
    max: 2147483647,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'SOL_SOCKET',
    constant: 'SO_SNDBUF',
  },
  error: {
    id: 8,
    kind: 'error',
    readOnly: true,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'SOL_SOCKET',
    constant: 'SO_ERROR',
  },
  noDelay: {
    id: 9,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'IPPROTO_TCP',
    constant: 'TCP_NODELAY',
  },
  ttl: {
    id: 10,
    kind: 'int',
    readOnly: false,
    min: 1,
    max: 255,
    families: ['inet'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'IPPROTO_IP',
    constant: 'IP_TTL',
  },
  ipv6Only: {
    id: 11,
    kind: 'bool',
    readOnly: false,
    families: ['inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    platforms: ['linux', 'darwin', 'freebsd', 'win32'],
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_V6ONLY',
  },
}
