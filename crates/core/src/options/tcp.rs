//! The options of TCP: IPPROTO_TCP.

use std::io;

use socket2::Socket;

use super::info;
use super::row::*;
use crate::sys;

/// The most seconds and the most probes that Linux takes for keep-alive; others take more.
const LONGEST_KEEP_ALIVE: i64 = 32_767_000;
const MOST_PROBES: i64 = 127;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "noDelay",
        constant: ("IPPROTO_TCP", "TCP_NODELAY"),
        value: Value::Bool,
        families: IP,
        kinds: STREAM,
        systems: EVERYWHERE,
        meaning: "Sends small pieces at once instead of waiting for the peer to acknowledge the last (Nagle's algorithm, \
                  RFC 896).",
        unit: "Boolean",
        default: "on, unlike the system's own default",
        errors: "",
        access: Access::Number(
            |socket| socket.tcp_nodelay().map(i64::from),
            Some(|socket, value| socket.set_tcp_nodelay(value != 0)),
        ),
    },
    Row {
        name: "keepAliveIdle",
        constant: ("IPPROTO_TCP", "TCP_KEEPIDLE"),
        value: Value::Millis { min: 1, max: LONGEST_KEEP_ALIVE },
        families: IP,
        kinds: STREAM,
        systems: &[LINUX, MACOS.called("TCP_KEEPALIVE"), FREEBSD, WINDOWS.since("10 1709")],
        meaning: "How long nothing has to come on a connection with `keepAlive` before the first probe.",
        unit: "Milliseconds, rounded up to whole seconds",
        default: "as the system has it, on most two hours",
        errors: "",
        access: Access::Time(sys::KEEP_ALIVE_IDLE, 1000),
    },
    Row {
        name: "keepAliveInterval",
        constant: ("IPPROTO_TCP", "TCP_KEEPINTVL"),
        value: Value::Millis { min: 1, max: LONGEST_KEEP_ALIVE },
        families: IP,
        kinds: STREAM,
        systems: &[LINUX, MACOS, FREEBSD, WINDOWS.since("10 1709")],
        meaning: "The time between two probes of a connection with `keepAlive`, when nothing is answered.",
        unit: "Milliseconds, rounded up to whole seconds",
        default: "as the system has it: 75 s, on Windows 1 s",
        errors: "",
        access: Access::Time(sys::KEEP_ALIVE_INTERVAL, 1000),
    },
    Row {
        name: "keepAliveCount",
        constant: ("IPPROTO_TCP", "TCP_KEEPCNT"),
        value: Value::Int { min: 1, max: MOST_PROBES },
        families: IP,
        kinds: STREAM,
        systems: &[LINUX, MACOS, FREEBSD, WINDOWS.since("10 1703")],
        meaning: "How many probes in a row stay without an answer until a connection with `keepAlive` is given up.",
        unit: "A count",
        default: "as the system has it: 9 on Linux, 8 on macOS and FreeBSD, 10 on Windows",
        errors: "",
        access: Access::Int(sys::KEEP_ALIVE_COUNT),
    },
    Row {
        name: "userTimeout",
        constant: ("IPPROTO_TCP", "TCP_USER_TIMEOUT"),
        value: Value::MillisOrNull { min: 1, max: i32::MAX as i64 },
        families: IP,
        kinds: STREAM,
        systems: &[LINUX, MACOS.called("TCP_RXT_CONNDROPTIME")],
        meaning: "How long data that was sent may stay without acknowledgement until the connection is given up, with \
                  `ETIMEDOUT` (RFC 5482). On Linux it decides for keep-alive probes as well, and overrules \
                  `keepAliveCount`. With null the system counts repetitions, which takes it many minutes.",
        unit: "Milliseconds, on macOS rounded up to whole seconds, or null",
        default: "null",
        errors: "",
        access: Access::Time(sys::USER_TIMEOUT, sys::USER_TIMEOUT_UNIT),
    },
    Row {
        name: "maxSegment",
        constant: ("IPPROTO_TCP", "TCP_MAXSEG"),
        value: Value::Int { min: 88, max: 32767 },
        families: IP,
        kinds: STREAM,
        systems: UNIX,
        meaning: "The most data in one packet (MSS, RFC 6691). To be set before `connect` or `listen`; what is read of a \
                  connection is what it has come to. macOS and FreeBSD take nothing above what they have.",
        unit: "Bytes",
        default: "536 until there is a connection, then as the path allows",
        errors: "`EINVAL` for what the system does not take",
        access: Access::Int(sys::MAX_SEGMENT),
    },
    Row {
        name: "congestion",
        constant: ("IPPROTO_TCP", "TCP_CONGESTION"),
        value: Value::Text { longest: 15 },
        families: IP,
        kinds: STREAM,
        systems: &[LINUX, FREEBSD],
        meaning: "The algorithm that decides how fast to send, such as 'cubic' or 'bbr'. Which there are, \
                  net.ipv4.tcp_available_congestion_control tells on Linux, net.inet.tcp.cc.available on FreeBSD.",
        unit: "The name of an algorithm",
        default: "as the system has it, on most 'cubic'",
        errors: "`ENOENT` on Linux, `ESRCH` on FreeBSD for an algorithm that is not there; `EPERM` on Linux without \
                 CAP_NET_ADMIN for one that is not in net.ipv4.tcp_allowed_congestion_control",
        access: Access::Text(sys::CONGESTION),
    },
    Row {
        name: "quickAck",
        constant: ("IPPROTO_TCP", "TCP_QUICKACK"),
        value: Value::Bool,
        families: IP,
        kinds: STREAM,
        systems: &[LINUX],
        meaning: "Acknowledges at once what comes, instead of waiting for an answer that takes the acknowledgement along. It \
                  does not stay as it was set: the system changes it as the connection goes on.",
        unit: "Boolean",
        default: "on for a new connection",
        errors: "",
        access: Access::Int(sys::QUICK_ACK),
    },
    Row {
        name: "cork",
        constant: ("IPPROTO_TCP", "TCP_CORK"),
        value: Value::Bool,
        families: IP,
        kinds: STREAM,
        systems: &[LINUX, MACOS.called("TCP_NOPUSH"), FREEBSD.called("TCP_NOPUSH")],
        meaning: "Sends full packets only, until it is switched off again, on Linux for 200 ms at most. macOS keeps the last \
                  piece back even then, until more is sent or the connection ends.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Int(sys::CORK),
    },
    Row {
        name: "deferAccept",
        constant: ("IPPROTO_TCP", "TCP_DEFER_ACCEPT"),
        value: Value::MillisOrNull { min: 1, max: i32::MAX as i64 },
        families: IP,
        kinds: STREAM,
        systems: &[LINUX],
        meaning: "Has a listener accept connections only when their first data has come, or after this time. The system \
                  counts repetitions of its handshake: what is read is the time that those take, at 1, 3, 7, 15 … seconds.",
        unit: "Milliseconds, rounded up as said, or null",
        default: "null",
        errors: "",
        access: Access::Time(sys::DEFER_ACCEPT, 1000),
    },
    Row {
        name: "fastOpen",
        constant: ("IPPROTO_TCP", "TCP_FASTOPEN"),
        value: Value::Int { min: 0, max: i32::MAX as i64 },
        families: IP,
        kinds: STREAM,
        systems: &[LINUX.since("3.7"), MACOS, FREEBSD, WINDOWS.since("10 1607")],
        meaning: "Lets a listener take data that comes with the first packet of a connection (RFC 7413): how many of these \
                  may wait for the handshake to end; 0 is none. Other systems than Linux only know on and off, 1 and 0. \
                  Linux caps it silently by net.core.somaxconn, and wants net.ipv4.tcp_fastopen to allow it. To be set \
                  before `listen`, on macOS after it.",
        unit: "A count",
        default: "0",
        errors: "`EINVAL` at the wrong time; `EPERM` on FreeBSD while net.inet.tcp.fastopen.server_enable is 0",
        access: Access::Number(fast_open, Some(set_fast_open)),
    },
    Row {
        name: "fastOpenConnect",
        constant: ("IPPROTO_TCP", "TCP_FASTOPEN_CONNECT"),
        value: Value::Bool,
        families: IP,
        kinds: STREAM,
        systems: &[LINUX.since("4.11")],
        meaning: "Has `connect` wait for the first data and take it along (RFC 7413), when the peer has allowed it once \
                  before. It then succeeds at once, and whether anybody is there, the first operation tells.",
        unit: "Boolean",
        default: "off",
        errors: "`EINVAL` once connected; `ENOTSUP` while net.ipv4.tcp_fastopen forbids it",
        access: Access::Int(sys::FAST_OPEN_CONNECT),
    },
    Row {
        name: "notSentLowWater",
        constant: ("IPPROTO_TCP", "TCP_NOTSENT_LOWAT"),
        value: Value::Int { min: 0, max: i32::MAX as i64 },
        families: IP,
        kinds: STREAM,
        systems: &[LINUX.since("3.12"), MACOS],
        meaning: "How much may wait in the system to be sent: with more a send has to wait, however large its buffer is. It \
                  keeps data that could still change from growing old there; 16,384 is a usual value.",
        unit: "Bytes, 0 for the system's own",
        default: "0",
        errors: "",
        access: Access::Int(sys::NOT_SENT_LOW_WATER),
    },
    Row {
        name: "info",
        constant: ("IPPROTO_TCP", "TCP_INFO"),
        value: Value::Info,
        families: IP,
        kinds: STREAM,
        systems: &[
            LINUX,
            MACOS.called("TCP_CONNECTION_INFO"),
            FREEBSD,
            WINDOWS.called("SIO_TCP_INFO").since("10 1703"),
        ],
        meaning: "What the system knows of a connection: its state, its round trips, its windows, and what went over it. \
                  These are the fields that most systems have; what one does not tell is null.",
        unit: "An object, its times in milliseconds, its sizes in bytes",
        default: "",
        errors: "`EINVAL` on macOS and Windows for a socket that was not connected",
        access: Access::Bytes(|socket| Ok(info::encode(&sys::tcp_info(socket)?)), None),
    },
];

fn fast_open(socket: &Socket) -> io::Result<i64> {
    let held = get_int(socket, sys::FAST_OPEN)?;
    Ok(if sys::FAST_OPEN_COUNTS { held } else { (held != 0).into() })
}

fn set_fast_open(socket: &Socket, value: i64) -> io::Result<()> {
    set_int(socket, sys::FAST_OPEN, if sys::FAST_OPEN_COUNTS { value } else { value.min(1) })
}
