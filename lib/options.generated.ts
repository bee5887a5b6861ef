// Generated from crates/core/src/options/ by `npm run docs`. Edits here are lost.

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
   * *Platforms*: Linux (since 3.9), macOS, FreeBSD; not supported on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`; `ENOPROTOOPT` on a system that is too old.
   */
  reusePort: boolean
  /**
   * Keeps others from binding the same address by force with `reuseAddress`. Other systems do not let them.
   *
   * `SO_EXCLUSIVEADDRUSE` of `SOL_SOCKET`. Boolean, by default on for listeners, else off.
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
   * Probes the peer of a connection on which nothing has come for long (`keepAliveIdle`); when it does not answer,
   * operations fail with `ETIMEDOUT`.
   *
   * `SO_KEEPALIVE` of `SOL_SOCKET`. Boolean, by default off.
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
   * `SO_LINGER` of `SOL_SOCKET`. Milliseconds, rounded up to whole seconds, or null, by default null.
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
   * How much has to be there before a `recv` that waits is woken, unless the stream ends first. One that finds
   * something at once takes what there is. The systems cap it silently by the size of the buffer.
   *
   * `SO_RCVLOWAT` of `SOL_SOCKET`. Bytes, by default 1.
   *
   * *Applies to*: all sockets.
   * *Platforms*: Linux, macOS, FreeBSD; not supported on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  recvLowWater: number
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
   * Whether the socket listens for connections.
   *
   * `SO_ACCEPTCONN` of `SOL_SOCKET`. Boolean, by default off.
   *
   * *Applies to*: `tcp`, `seqpacket` sockets.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_VALUE` when it is set, it can only be read.
   */
  readonly acceptConn: boolean
  /**
   * The network interface that the socket keeps to, by its name: it sends through no other, and on Linux also receives
   * from no other. An empty string lets it go where it wants again.
   *
   * `SO_BINDTODEVICE` of `SOL_SOCKET`. The name of an interface, by default an empty string.
   *
   * *Applies to*: all sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS (as `IP_BOUND_IF`, `IPV6_BOUND_IF`); not supported on FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; `ERR_UNSUPPORTED_PLATFORM`; `ENODEV` on Linux, `ENXIO`
   * on macOS without such an interface; `EPERM` on Linux for who takes a socket off its interface without CAP_NET_RAW,
   * before Linux 5.7 also for who puts it on one.
   */
  bindToDevice: string
  /**
   * A number on each packet that the socket sends, for rules of routing and of the firewall.
   *
   * `SO_MARK` of `SOL_SOCKET`. 32 bits, as a number from 0 to 4,294,967,295, by default 0.
   *
   * *Applies to*: all sockets.
   * *Platforms*: Linux; not supported on macOS, FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`; `EPERM` without CAP_NET_ADMIN
   * (since Linux 5.17, CAP_NET_RAW will do).
   */
  mark: number
  /**
   * Which queue of the network device packets go to: higher ones are sent first, where the device's queueing discipline
   * cares. Setting `tos` sets it as well.
   *
   * `SO_PRIORITY` of `SOL_SOCKET`. A number, by default 0.
   *
   * *Applies to*: all sockets.
   * *Platforms*: Linux; not supported on macOS, FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`; `EPERM` for more than 6 without
   * CAP_NET_ADMIN or CAP_NET_RAW.
   */
  priority: number
  /**
   * The processor on which the system last handled a packet for the socket. Set on sockets that share a port by
   * `reusePort`, it says which processor's packets each of them is to get (TCP since Linux 4.4, UDP since 6.2).
   *
   * `SO_INCOMING_CPU` of `SOL_SOCKET`. The number of a processor, or null, by default null.
   *
   * *Applies to*: all sockets of `inet`, `inet6`.
   * *Platforms*: Linux (since 3.19, to be set since 4.4); not supported on macOS, FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`; `ENOPROTOOPT` on a system that is
   * too old.
   */
  incomingCpu: number | null
  /**
   * How long a receive may ask the network device for packets, with the processor busy, before it says that there are
   * none. It takes a device that can be asked.
   *
   * `SO_BUSY_POLL` of `SOL_SOCKET`. Milliseconds, rounded up to whole microseconds: 0.05 is a usual value, by default
   * that of net.core.busy_read, which is 0.
   *
   * *Applies to*: all sockets of `inet`, `inet6`.
   * *Platforms*: Linux (since 3.11); not supported on macOS, FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`; `ENOPROTOOPT` on a system that is
   * too old; `EPERM` for more than it is without CAP_NET_ADMIN.
   */
  busyPoll: number
  /**
   * Leaves urgent data (RFC 6093) in the stream, where it was sent; otherwise the stream skips it.
   *
   * `SO_OOBINLINE` of `SOL_SOCKET`. Boolean, by default off.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  oobInline: boolean
  /**
   * Has the system note when each packet came.
   *
   * `SO_TIMESTAMP` of `SOL_SOCKET`. Boolean, by default off.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD; not supported on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  timestamp: boolean
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
   * How long nothing has to come on a connection with `keepAlive` before the first probe.
   *
   * `TCP_KEEPIDLE` of `IPPROTO_TCP`. Milliseconds, rounded up to whole seconds, by default as the system has it, on
   * most two hours.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS (as `TCP_KEEPALIVE`), FreeBSD, Windows (since 10 1709).
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ENOPROTOOPT` on a system that is too old.
   */
  keepAliveIdle: number
  /**
   * The time between two probes of a connection with `keepAlive`, when nothing is answered.
   *
   * `TCP_KEEPINTVL` of `IPPROTO_TCP`. Milliseconds, rounded up to whole seconds, by default as the system has it: 75 s,
   * on Windows 1 s.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD, Windows (since 10 1709).
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ENOPROTOOPT` on a system that is too old.
   */
  keepAliveInterval: number
  /**
   * How many probes in a row stay without an answer until a connection with `keepAlive` is given up.
   *
   * `TCP_KEEPCNT` of `IPPROTO_TCP`. A count, by default as the system has it: 9 on Linux, 8 on macOS and FreeBSD, 10 on
   * Windows.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD, Windows (since 10 1703).
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ENOPROTOOPT` on a system that is too old.
   */
  keepAliveCount: number
  /**
   * How long data that was sent may stay without acknowledgement until the connection is given up, with `ETIMEDOUT`
   * (RFC 5482). On Linux it decides for keep-alive probes as well, and overrules `keepAliveCount`. With null the system
   * counts repetitions, which takes it many minutes.
   *
   * `TCP_USER_TIMEOUT` of `IPPROTO_TCP`. Milliseconds, on macOS rounded up to whole seconds, or null, by default null.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS (as `TCP_RXT_CONNDROPTIME`); not supported on FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  userTimeout: number | null
  /**
   * The most data in one packet (MSS, RFC 6691). To be set before `connect` or `listen`; what is read of a connection
   * is what it has come to. macOS and FreeBSD take nothing above what they have.
   *
   * `TCP_MAXSEG` of `IPPROTO_TCP`. Bytes, by default 536 until there is a connection, then as the path allows.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD; not supported on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`; `EINVAL` for what the system does
   * not take.
   */
  maxSegment: number
  /**
   * The algorithm that decides how fast to send, such as 'cubic' or 'bbr'. Which there are,
   * net.ipv4.tcp_available_congestion_control tells on Linux, net.inet.tcp.cc.available on FreeBSD.
   *
   * `TCP_CONGESTION` of `IPPROTO_TCP`. The name of an algorithm, by default as the system has it, on most 'cubic'.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, FreeBSD; not supported on macOS, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; `ERR_UNSUPPORTED_PLATFORM`; `ENOENT` on Linux, `ESRCH`
   * on FreeBSD for an algorithm that is not there; `EPERM` on Linux without CAP_NET_ADMIN for one that is not in
   * net.ipv4.tcp_allowed_congestion_control.
   */
  congestion: string
  /**
   * Acknowledges at once what comes, instead of waiting for an answer that takes the acknowledgement along. It does not
   * stay as it was set: the system changes it as the connection goes on.
   *
   * `TCP_QUICKACK` of `IPPROTO_TCP`. Boolean, by default on for a new connection.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux; not supported on macOS, FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  quickAck: boolean
  /**
   * Sends full packets only, until it is switched off again, on Linux for 200 ms at most. macOS keeps the last piece
   * back even then, until more is sent or the connection ends.
   *
   * `TCP_CORK` of `IPPROTO_TCP`. Boolean, by default off.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS (as `TCP_NOPUSH`), FreeBSD (as `TCP_NOPUSH`); not supported on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  cork: boolean
  /**
   * Has a listener accept connections only when their first data has come, or after this time. The system counts
   * repetitions of its handshake: what is read is the time that those take, at 1, 3, 7, 15 … seconds.
   *
   * `TCP_DEFER_ACCEPT` of `IPPROTO_TCP`. Milliseconds, rounded up as said, or null, by default null.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux; not supported on macOS, FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  deferAccept: number | null
  /**
   * Lets a listener take data that comes with the first packet of a connection (RFC 7413): how many of these may wait
   * for the handshake to end; 0 is none. Other systems than Linux only know on and off, 1 and 0. Linux caps it silently
   * by net.core.somaxconn, and wants net.ipv4.tcp_fastopen to allow it. To be set before `listen`, on macOS after it.
   *
   * `TCP_FASTOPEN` of `IPPROTO_TCP`. A count, by default 0.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux (since 3.7), macOS, FreeBSD, Windows (since 10 1607).
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ENOPROTOOPT` on a system that is too old; `EINVAL` at the
   * wrong time; `EPERM` on FreeBSD while net.inet.tcp.fastopen.server_enable is 0.
   */
  fastOpen: number
  /**
   * Has `connect` wait for the first data and take it along (RFC 7413), when the peer has allowed it once before. It
   * then succeeds at once, and whether anybody is there, the first operation tells.
   *
   * `TCP_FASTOPEN_CONNECT` of `IPPROTO_TCP`. Boolean, by default off.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux (since 4.11); not supported on macOS, FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`; `ENOPROTOOPT` on a system that is too old; `EINVAL`
   * once connected; `ENOTSUP` while net.ipv4.tcp_fastopen forbids it.
   */
  fastOpenConnect: boolean
  /**
   * How much may wait in the system to be sent: with more a send has to wait, however large its buffer is. It keeps
   * data that could still change from growing old there; 16,384 is a usual value.
   *
   * `TCP_NOTSENT_LOWAT` of `IPPROTO_TCP`. Bytes, 0 for the system's own, by default 0.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux (since 3.12), macOS; not supported on FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`; `ENOPROTOOPT` on a system that is
   * too old.
   */
  notSentLowWater: number
  /**
   * What the system knows of a connection: its state, its round trips, its windows, and what went over it. These are
   * the fields that most systems have; what one does not tell is null.
   *
   * `TCP_INFO` of `IPPROTO_TCP`. An object, its times in milliseconds, its sizes in bytes.
   *
   * *Applies to*: `tcp` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS (as `TCP_CONNECTION_INFO`), FreeBSD, Windows (since 10 1703; as `SIO_TCP_INFO`).
   * *Errors*: `ERR_INVALID_ARG_VALUE` when it is set, it can only be read; `ENOPROTOOPT` on a system that is too old;
   * `EINVAL` on macOS and Windows for a socket that was not connected.
   */
  readonly info: TcpInfo
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
   * How routers are to treat packets: six bits of DSCP (RFC 2474), and two of ECN (RFC 3168), which TCP keeps to itself
   * on Linux. Windows leaves that to its policies.
   *
   * `IP_TOS` of `IPPROTO_IP`. A byte, by default 0.
   *
   * *Applies to*: all sockets of `inet`.
   * *Platforms*: Linux, macOS, FreeBSD; not supported on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  tos: number
  /**
   * How many routers a packet to a group may pass, and one more: with 1 it stays in the network, with 0 on this
   * machine; but Linux lets a 0 out as well unless a socket of this machine has joined the group.
   *
   * `IP_MULTICAST_TTL` of `IPPROTO_IP`. A count, by default 1.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  multicastTtl: number
  /**
   * Whether sockets of this machine hear what is sent to their groups from here. On Windows the one that receives
   * decides, elsewhere the one that sends.
   *
   * `IP_MULTICAST_LOOP` of `IPPROTO_IP`. Boolean, by default on.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  multicastLoop: boolean
  /**
   * The network interface through which packets to a group go, by an address of it, its name or its index; empty for
   * the system's choice. What is read is an address of it, on Windows its index if it was set by name or index.
   *
   * `IP_MULTICAST_IF` of `IPPROTO_IP`. An address, name or index, by default an empty string.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; `EADDRNOTAVAIL` without such an interface.
   */
  multicastInterface: string
  /**
   * Lets `bind` take any address at all, and the socket speak as that one: for proxies that nobody sees.
   *
   * `IP_TRANSPARENT` of `IPPROTO_IP`. Boolean, by default off.
   *
   * *Applies to*: all sockets of `inet`, `inet6`.
   * *Platforms*: Linux, FreeBSD (as `IP_BINDANY`, `IPV6_BINDANY`); not supported on macOS, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`; `EPERM` without CAP_NET_ADMIN or CAP_NET_RAW on
   * Linux, without root on FreeBSD.
   */
  transparent: boolean
  /**
   * Lets `bind` take an address that this machine does not have, or not yet.
   *
   * `IP_FREEBIND` of `IPPROTO_IP`. Boolean, by default off.
   *
   * *Applies to*: all sockets of `inet`, `inet6`.
   * *Platforms*: Linux (since 4.15 for `inet6`); not supported on macOS, FreeBSD, Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ERR_UNSUPPORTED_PLATFORM`; `ENOPROTOOPT` on a system that is too old.
   */
  freebind: boolean
  /**
   * Has the system tell of each packet the `tos` with which it came.
   *
   * `IP_RECVTOS` of `IPPROTO_IP`. Boolean, by default off.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`.
   * *Platforms*: Linux, macOS, FreeBSD, Windows (since 10).
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ENOPROTOOPT` on a system that is too old.
   */
  recvTos: boolean
  /**
   * Has the system tell of each packet the address to which it was sent, and the interface by which it came.
   *
   * `IP_PKTINFO` of `IPPROTO_IP`. Boolean, by default off.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`.
   * *Platforms*: Linux, macOS, FreeBSD (as `IP_RECVDSTADDR` and `IP_RECVIF`), Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  packetInfo: boolean
  /**
   * Has the system tell of each packet the `ttl` that was left of it.
   *
   * `IP_RECVTTL` of `IPPROTO_IP`. Boolean, by default off.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`.
   * *Platforms*: Linux, macOS, FreeBSD, Windows (since 10).
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ENOPROTOOPT` on a system that is too old.
   */
  recvTtl: boolean
  /**
   * Whether what is sent begins with the IP header, or the system makes one. Received packets have theirs anyway.
   *
   * `IP_HDRINCL` of `IPPROTO_IP`. Boolean, by default off, on for the protocol 'raw'.
   *
   * *Applies to*: `raw` sockets of `inet`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `EACCES` for an unprivileged socket on Linux.
   */
  headerIncluded: boolean
  /**
   * What becomes of packets that are too large for the way: 'do' never divides them, and tells `EMSGSIZE` of those that
   * it knows to be too large; 'probe' neither divides nor refuses them, for who finds the size out by himself; 'dont'
   * divides them; 'want' leaves it to the system. 'interface' and 'omit' are Linux's, and do not believe what routers
   * say of the size. macOS and FreeBSD know 'do' and 'dont' only.
   *
   * `IP_MTU_DISCOVER` of `IPPROTO_IP`. A word, by default 'want' on Linux and Windows, 'dont' on macOS and FreeBSD.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet`, `inet6`.
   * *Platforms*: Linux, macOS (as `IP_DONTFRAG`, `IPV6_DONTFRAG`), FreeBSD (as `IP_DONTFRAG`, `IPV6_DONTFRAG`), Windows
   * (since 10).
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; `ENOPROTOOPT` on a system that is too old; `EINVAL` for
   * a word that the system does not know.
   */
  mtuDiscover: 'dont' | 'want' | 'do' | 'probe' | 'interface' | 'omit'
  /**
   * Leaves IPv4 out: without it a socket bound to `::` takes IPv4 as well, with addresses like `::ffff:127.0.0.1`. To
   * be set before `bind`.
   *
   * `IPV6_V6ONLY` of `IPPROTO_IPV6`. Boolean, by default as the system has it: false on Linux and macOS, true on
   * FreeBSD and Windows.
   *
   * *Applies to*: `tcp`, `udp` sockets of `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `EINVAL` once the socket is bound.
   */
  ipv6Only: boolean
  /**
   * How many routers a packet may pass.
   *
   * `IPV6_UNICAST_HOPS` of `IPPROTO_IPV6`. A count, by default the system's: 64, on Windows 128.
   *
   * *Applies to*: all sockets of `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  hopLimit: number
  /**
   * How routers are to treat packets: six bits of DSCP (RFC 2474), and two of ECN (RFC 3168), which TCP keeps to itself
   * on Linux. Windows leaves that to its policies.
   *
   * `IPV6_TCLASS` of `IPPROTO_IPV6`. A byte, by default 0.
   *
   * *Applies to*: all sockets of `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD; not supported on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`.
   */
  trafficClass: number
  /**
   * How many routers a packet to a group may pass, and one more: with 1 it stays in the network, with 0 on this
   * machine; but Linux lets a 0 out as well unless a socket of this machine has joined the group.
   *
   * `IPV6_MULTICAST_HOPS` of `IPPROTO_IPV6`. A count, by default 1.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  multicastHops: number
  /**
   * Whether sockets of this machine hear what is sent to their groups from here. On Windows the one that receives
   * decides, elsewhere the one that sends.
   *
   * `IPV6_MULTICAST_LOOP` of `IPPROTO_IPV6`. Boolean, by default on.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  multicastLoop6: boolean
  /**
   * The network interface through which packets to a group go, by its name, its index, or an address with a zone; empty
   * for the system's choice. What is read is its index.
   *
   * `IPV6_MULTICAST_IF` of `IPPROTO_IPV6`. A name, index or address, by default an empty string.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet6`.
   * *Platforms*: all.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; `EADDRNOTAVAIL` without such an interface.
   */
  multicastInterface6: string
  /**
   * Has the system tell of each packet the `trafficClass` with which it came.
   *
   * `IPV6_RECVTCLASS` of `IPPROTO_IPV6`. Boolean, by default off.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD, Windows (since 10).
   * *Errors*: `ERR_INVALID_ARG_TYPE`; `ENOPROTOOPT` on a system that is too old.
   */
  recvTrafficClass: boolean
  /**
   * Has the system tell of each packet the address to which it was sent, and the interface by which it came.
   *
   * `IPV6_RECVPKTINFO` of `IPPROTO_IPV6`. Boolean, by default off.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD, Windows (as `IPV6_PKTINFO`).
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  recvPacketInfo: boolean
  /**
   * Has the system tell of each packet the `hopLimit` that was left of it.
   *
   * `IPV6_RECVHOPLIMIT` of `IPPROTO_IPV6`. Boolean, by default off.
   *
   * *Applies to*: `udp`, `raw` sockets of `inet6`.
   * *Platforms*: Linux, macOS, FreeBSD, Windows (as `IPV6_HOPLIMIT`).
   * *Errors*: `ERR_INVALID_ARG_TYPE`.
   */
  recvHopLimit: boolean
  /**
   * The types of messages that a raw socket for 'icmp' or 'icmpv6' gets, such as `[0]` for answers to echo requests (in
   * IPv6 `[129]`); null for all. In IPv4 only the types up to 31 can be kept out: later ones always come, and are not
   * told of.
   *
   * `ICMP6_FILTER` of `IPPROTO_ICMPV6`. A list of numbers from 0 to 255 (RFC 792, RFC 4443), or null, by default null.
   *
   * *Applies to*: `raw` sockets of `inet`, `inet6`.
   * *Platforms*: Linux (as `ICMP_FILTER`, `ICMP6_FILTER`), macOS (`inet6` only), FreeBSD (`inet6` only); not supported
   * on Windows.
   * *Errors*: `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_UNSUPPORTED_PLATFORM`; `ENOTSUP` or another code of the
   * system's for sockets of other protocols; `EACCES` for an unprivileged socket on Linux, which gets nothing but
   * answers anyway.
   */
  icmpFilter: readonly number[] | null
}

/** The name of an option. */
export type OptionName = keyof OptionTypes

/** The names of options that can only be read. */
export type ReadOnlyOptionName = 'error' | 'acceptConn' | 'info'

/** How far a TCP connection is (RFC 9293). */
export type TcpState =
  | 'closed'
  | 'listen'
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'

/** What `getOption('info')` tells of a TCP connection. What a system does not tell is null. */
export interface TcpInfo {
  /**
   * How far the connection is (RFC 9293).
   */
  readonly state: TcpState
  /**
   * The time of a round trip to the peer, smoothed (RFC 6298), in milliseconds and their fractions.
   */
  readonly rtt: number
  /**
   * How much that time varies, in milliseconds and their fractions.
   * Not told by Windows.
   */
  readonly rttVariance: number | null
  /**
   * The most data in one packet to the peer, in bytes.
   */
  readonly maxSegment: number
  /**
   * How much may be on its way to the peer without acknowledgement, in bytes.
   */
  readonly congestionWindow: number
  /**
   * How much the peer has room for, in bytes.
   * Not told by Linux before 5.4.
   */
  readonly sendWindow: number | null
  /**
   * How much the peer has been told that there is room for here, in bytes.
   * Not told by Linux before 6.2.
   */
  readonly recvWindow: number | null
  /**
   * How many packets were sent once more since the connection began.
   * Not told by Windows.
   */
  readonly retransmits: number | null
  /**
   * How many bytes were sent once more since the connection began.
   * Not told by FreeBSD, Linux before 4.19.
   */
  readonly bytesRetransmitted: number | null
  /**
   * How many bytes were sent, with those that were sent once more.
   * Not told by FreeBSD, Linux before 4.19.
   */
  readonly bytesSent: number | null
  /**
   * How many bytes came from the peer.
   * Not told by FreeBSD, Linux before 4.1.
   */
  readonly bytesReceived: number | null
}

/** What the facade has to know of an option. */
export interface OptionRow {
  /** The number by which native code knows it. */
  readonly id: number
  /**
   * How its value crosses, as an integer: 0 or 1; a number; a number or -1 for null; the signed number of the same 32 bits;
   * milliseconds, or -1 for null; microseconds; the place of a word; 0 for null or a negative error number. As bytes: UTF-8; 1 and
   * the numbers, or 0 for null; doubles, NaN for null.
   */
  readonly kind:
    | 'bool' | 'int' | 'intOrNull' | 'bits' | 'millis' | 'millisOrNull' | 'micros' | 'choice' | 'error'
    | 'text' | 'numbers' | 'info'
  readonly readOnly: boolean
  /** The least and the most of a number as it crosses; for text the most bytes. */
  readonly min?: number
  readonly max?: number
  /** The words to choose from. */
  readonly words?: readonly string[]
  readonly families: readonly Family[]
  readonly types: readonly ('tcp' | 'udp' | 'raw' | 'seqpacket')[]
  /** Where it exists, in the words of process.platform, and for which families. */
  readonly systems: { readonly [platform: string]: readonly Family[] }
  readonly level: string
  readonly constant: string
}

type Family = 'inet' | 'inet6' | 'unix'

/** All options. */
export const optionTable: { readonly [name in OptionName]: OptionRow } = {
  reuseAddress: {
    id: 0,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6', 'unix'], darwin: ['inet', 'inet6', 'unix'], freebsd: ['inet', 'inet6', 'unix'], win32: ['inet', 'inet6', 'unix'] },
    level: 'SOL_SOCKET',
    constant: 'SO_REUSEADDR',
  },
  reusePort: {
    id: 1,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'] },
    level: 'SOL_SOCKET',
    constant: 'SO_REUSEPORT',
  },
  exclusiveAddressUse: {
    id: 2,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { win32: ['inet', 'inet6'] },
    level: 'SOL_SOCKET',
    constant: 'SO_EXCLUSIVEADDRUSE',
  },
  broadcast: {
    id: 3,
    kind: 'bool',
    readOnly: false,
    families: ['inet'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'SOL_SOCKET',
    constant: 'SO_BROADCAST',
  },
  keepAlive: {
    id: 4,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'SOL_SOCKET',
    constant: 'SO_KEEPALIVE',
  },
  linger: {
    id: 5,
    kind: 'millisOrNull',
    readOnly: false,
    min: 0,
    max: 65535000,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
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
    systems: { linux: ['inet', 'inet6', 'unix'], darwin: ['inet', 'inet6', 'unix'], freebsd: ['inet', 'inet6', 'unix'], win32: ['inet', 'inet6', 'unix'] },
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
    systems: { linux: ['inet', 'inet6', 'unix'], darwin: ['inet', 'inet6', 'unix'], freebsd: ['inet', 'inet6', 'unix'], win32: ['inet', 'inet6', 'unix'] },
    level: 'SOL_SOCKET',
    constant: 'SO_SNDBUF',
  },
  recvLowWater: {
    id: 8,
    kind: 'int',
    readOnly: false,
    min: 1,
    max: 2147483647,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6', 'unix'], darwin: ['inet', 'inet6', 'unix'], freebsd: ['inet', 'inet6', 'unix'] },
    level: 'SOL_SOCKET',
    constant: 'SO_RCVLOWAT',
  },
  error: {
    id: 9,
    kind: 'error',
    readOnly: true,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6', 'unix'], darwin: ['inet', 'inet6', 'unix'], freebsd: ['inet', 'inet6', 'unix'], win32: ['inet', 'inet6', 'unix'] },
    level: 'SOL_SOCKET',
    constant: 'SO_ERROR',
  },
  acceptConn: {
    id: 10,
    kind: 'bool',
    readOnly: true,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'seqpacket'],
    systems: { linux: ['inet', 'inet6', 'unix'], darwin: ['inet', 'inet6', 'unix'], freebsd: ['inet', 'inet6', 'unix'], win32: ['inet', 'inet6', 'unix'] },
    level: 'SOL_SOCKET',
    constant: 'SO_ACCEPTCONN',
  },
  bindToDevice: {
    id: 11,
    kind: 'text',
    readOnly: false,
    min: 0,
    max: 15,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'] },
    level: 'SOL_SOCKET',
    constant: 'SO_BINDTODEVICE',
  },
  mark: {
    id: 12,
    kind: 'bits',
    readOnly: false,
    min: 0,
    max: 4294967295,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6', 'unix'] },
    level: 'SOL_SOCKET',
    constant: 'SO_MARK',
  },
  priority: {
    id: 13,
    kind: 'int',
    readOnly: false,
    min: 0,
    max: 2147483647,
    families: ['inet', 'inet6', 'unix'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6', 'unix'] },
    level: 'SOL_SOCKET',
    constant: 'SO_PRIORITY',
  },
  incomingCpu: {
    id: 14,
    kind: 'intOrNull',
    readOnly: false,
    min: 0,
    max: 2147483647,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6'] },
    level: 'SOL_SOCKET',
    constant: 'SO_INCOMING_CPU',
  },
  busyPoll: {
    id: 15,
    kind: 'micros',
    readOnly: false,
    min: 0,
    max: 2147483647,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6'] },
    level: 'SOL_SOCKET',
    constant: 'SO_BUSY_POLL',
  },
  oobInline: {
    id: 16,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'SOL_SOCKET',
    constant: 'SO_OOBINLINE',
  },
  timestamp: {
    id: 17,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'] },
    level: 'SOL_SOCKET',
    constant: 'SO_TIMESTAMP',
  },
  noDelay: {
    id: 18,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_NODELAY',
  },
  keepAliveIdle: {
    id: 19,
    kind: 'millis',
    readOnly: false,
    min: 1,
    max: 32767000,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_KEEPIDLE',
  },
  keepAliveInterval: {
    id: 20,
    kind: 'millis',
    readOnly: false,
    min: 1,
    max: 32767000,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_KEEPINTVL',
  },
  keepAliveCount: {
    id: 21,
    kind: 'int',
    readOnly: false,
    min: 1,
    max: 127,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_KEEPCNT',
  },
  userTimeout: {
    id: 22,
    kind: 'millisOrNull',
    readOnly: false,
    min: 1,
    max: 2147483647,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_USER_TIMEOUT',
  },
  maxSegment: {
    id: 23,
    kind: 'int',
    readOnly: false,
    min: 88,
    max: 32767,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_MAXSEG',
  },
  congestion: {
    id: 24,
    kind: 'text',
    readOnly: false,
    min: 0,
    max: 15,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], freebsd: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_CONGESTION',
  },
  quickAck: {
    id: 25,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_QUICKACK',
  },
  cork: {
    id: 26,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_CORK',
  },
  deferAccept: {
    id: 27,
    kind: 'millisOrNull',
    readOnly: false,
    min: 1,
    max: 2147483647,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_DEFER_ACCEPT',
  },
  fastOpen: {
    id: 28,
    kind: 'int',
    readOnly: false,
    min: 0,
    max: 2147483647,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_FASTOPEN',
  },
  fastOpenConnect: {
    id: 29,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_FASTOPEN_CONNECT',
  },
  notSentLowWater: {
    id: 30,
    kind: 'int',
    readOnly: false,
    min: 0,
    max: 2147483647,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_NOTSENT_LOWAT',
  },
  info: {
    id: 31,
    kind: 'info',
    readOnly: true,
    families: ['inet', 'inet6'],
    types: ['tcp'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'IPPROTO_TCP',
    constant: 'TCP_INFO',
  },
  ttl: {
    id: 32,
    kind: 'int',
    readOnly: false,
    min: 1,
    max: 255,
    families: ['inet'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_TTL',
  },
  tos: {
    id: 33,
    kind: 'int',
    readOnly: false,
    min: 0,
    max: 255,
    families: ['inet'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_TOS',
  },
  multicastTtl: {
    id: 34,
    kind: 'int',
    readOnly: false,
    min: 0,
    max: 255,
    families: ['inet'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_MULTICAST_TTL',
  },
  multicastLoop: {
    id: 35,
    kind: 'bool',
    readOnly: false,
    families: ['inet'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_MULTICAST_LOOP',
  },
  multicastInterface: {
    id: 36,
    kind: 'text',
    readOnly: false,
    min: 0,
    max: 255,
    families: ['inet'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_MULTICAST_IF',
  },
  transparent: {
    id: 37,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6'], freebsd: ['inet', 'inet6'] },
    level: 'IPPROTO_IP',
    constant: 'IP_TRANSPARENT',
  },
  freebind: {
    id: 38,
    kind: 'bool',
    readOnly: false,
    families: ['inet', 'inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet', 'inet6'] },
    level: 'IPPROTO_IP',
    constant: 'IP_FREEBIND',
  },
  recvTos: {
    id: 39,
    kind: 'bool',
    readOnly: false,
    families: ['inet'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_RECVTOS',
  },
  packetInfo: {
    id: 40,
    kind: 'bool',
    readOnly: false,
    families: ['inet'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_PKTINFO',
  },
  recvTtl: {
    id: 41,
    kind: 'bool',
    readOnly: false,
    families: ['inet'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_RECVTTL',
  },
  headerIncluded: {
    id: 42,
    kind: 'bool',
    readOnly: false,
    families: ['inet'],
    types: ['raw'],
    systems: { linux: ['inet'], darwin: ['inet'], freebsd: ['inet'], win32: ['inet'] },
    level: 'IPPROTO_IP',
    constant: 'IP_HDRINCL',
  },
  mtuDiscover: {
    id: 43,
    kind: 'choice',
    readOnly: false,
    words: ['dont', 'want', 'do', 'probe', 'interface', 'omit'],
    families: ['inet', 'inet6'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet', 'inet6'], freebsd: ['inet', 'inet6'], win32: ['inet', 'inet6'] },
    level: 'IPPROTO_IP',
    constant: 'IP_MTU_DISCOVER',
  },
  ipv6Only: {
    id: 44,
    kind: 'bool',
    readOnly: false,
    families: ['inet6'],
    types: ['tcp', 'udp'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'], win32: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_V6ONLY',
  },
  hopLimit: {
    id: 45,
    kind: 'int',
    readOnly: false,
    min: 1,
    max: 255,
    families: ['inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'], win32: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_UNICAST_HOPS',
  },
  trafficClass: {
    id: 46,
    kind: 'int',
    readOnly: false,
    min: 0,
    max: 255,
    families: ['inet6'],
    types: ['tcp', 'udp', 'raw', 'seqpacket'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_TCLASS',
  },
  multicastHops: {
    id: 47,
    kind: 'int',
    readOnly: false,
    min: 0,
    max: 255,
    families: ['inet6'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'], win32: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_MULTICAST_HOPS',
  },
  multicastLoop6: {
    id: 48,
    kind: 'bool',
    readOnly: false,
    families: ['inet6'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'], win32: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_MULTICAST_LOOP',
  },
  multicastInterface6: {
    id: 49,
    kind: 'text',
    readOnly: false,
    min: 0,
    max: 255,
    families: ['inet6'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'], win32: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_MULTICAST_IF',
  },
  recvTrafficClass: {
    id: 50,
    kind: 'bool',
    readOnly: false,
    families: ['inet6'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'], win32: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_RECVTCLASS',
  },
  recvPacketInfo: {
    id: 51,
    kind: 'bool',
    readOnly: false,
    families: ['inet6'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'], win32: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_RECVPKTINFO',
  },
  recvHopLimit: {
    id: 52,
    kind: 'bool',
    readOnly: false,
    families: ['inet6'],
    types: ['udp', 'raw'],
    systems: { linux: ['inet6'], darwin: ['inet6'], freebsd: ['inet6'], win32: ['inet6'] },
    level: 'IPPROTO_IPV6',
    constant: 'IPV6_RECVHOPLIMIT',
  },
  icmpFilter: {
    id: 53,
    kind: 'numbers',
    readOnly: false,
    min: 0,
    max: 255,
    families: ['inet', 'inet6'],
    types: ['raw'],
    systems: { linux: ['inet', 'inet6'], darwin: ['inet6'], freebsd: ['inet6'] },
    level: 'IPPROTO_ICMPV6',
    constant: 'ICMP6_FILTER',
  },
}

/** The fields of `TcpInfo`, in the order in which they cross, the state as its place among the states. */
export const infoFields = [
  'state',
  'rtt',
  'rttVariance',
  'maxSegment',
  'congestionWindow',
  'sendWindow',
  'recvWindow',
  'retransmits',
  'bytesRetransmitted',
  'bytesSent',
  'bytesReceived',
] as const satisfies readonly (keyof TcpInfo)[]

/** The states of a TCP connection. */
export const tcpStates: readonly TcpState[] = [
  'closed',
  'listen',
  'syn-sent',
  'syn-received',
  'established',
  'fin-wait-1',
  'fin-wait-2',
  'close-wait',
  'closing',
  'last-ack',
  'time-wait',
]
