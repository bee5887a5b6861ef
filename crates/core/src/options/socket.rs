//! The options of every socket: SOL_SOCKET.

use std::time::Duration;

use super::row::*;
use crate::{error, sys};

/// The longest linger: Windows holds it in 16 bits of seconds.
const LONGEST_LINGER: i64 = u16::MAX as i64 * 1000;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "reuseAddress",
        constant: ("SOL_SOCKET", "SO_REUSEADDR"),
        value: Value::Bool,
        families: ALL,
        kinds: ANY,
        systems: EVERYWHERE,
        meaning: "Lets `bind` take an address that connections of an earlier socket still hold in TIME_WAIT; for datagrams \
                  also one that others have bound with it. On Windows it takes the address even from a socket that \
                  listens there, so leave it off.",
        unit: "Boolean",
        default: "on for listeners except on Windows, else off",
        errors: "",
        access: Access::Number(
            |socket| socket.reuse_address().map(i64::from),
            Some(|socket, value| socket.set_reuse_address(value != 0)),
        ),
    },
    Row {
        name: "reusePort",
        constant: ("SOL_SOCKET", "SO_REUSEPORT"),
        value: Value::Bool,
        families: IP,
        kinds: ANY,
        systems: &[LINUX.since("3.9"), MACOS, FREEBSD],
        meaning: "Lets several sockets of one user bind the same address and port, each with this option set before `bind`. \
                  Linux spreads connections and datagrams over them; macOS and FreeBSD do not promise to.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Int(sys::REUSE_PORT),
    },
    Row {
        name: "exclusiveAddressUse",
        constant: ("SOL_SOCKET", "SO_EXCLUSIVEADDRUSE"),
        value: Value::Bool,
        families: IP,
        kinds: ANY,
        systems: &[WINDOWS],
        meaning: "Keeps others from binding the same address by force with `reuseAddress`. Other systems do not let them.",
        unit: "Boolean",
        default: "on for listeners, else off",
        errors: "`EINVAL` together with `reuseAddress`",
        access: Access::Int(sys::EXCLUSIVE_ADDRESS_USE),
    },
    Row {
        name: "broadcast",
        constant: ("SOL_SOCKET", "SO_BROADCAST"),
        value: Value::Bool,
        families: INET,
        kinds: PACKET,
        systems: EVERYWHERE,
        meaning: "Allows sending to a broadcast address, which is `EACCES` without it.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Number(
            |socket| socket.broadcast().map(i64::from),
            Some(|socket, value| socket.set_broadcast(value != 0)),
        ),
    },
    Row {
        name: "keepAlive",
        constant: ("SOL_SOCKET", "SO_KEEPALIVE"),
        value: Value::Bool,
        families: IP,
        kinds: STREAM,
        systems: EVERYWHERE,
        meaning: "Probes the peer of a connection on which nothing has come for long (`keepAliveIdle`); when it does not \
                  answer, operations fail with `ETIMEDOUT`.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Number(
            |socket| socket.keepalive().map(i64::from),
            Some(|socket, value| socket.set_keepalive(value != 0)),
        ),
    },
    Row {
        name: "linger",
        constant: ("SOL_SOCKET", "SO_LINGER"),
        value: Value::MillisOrNull { min: 0, max: LONGEST_LINGER },
        families: IP,
        kinds: STREAM,
        systems: EVERYWHERE,
        meaning: "How `close` treats data that is not yet sent: null sends it in the background, 0 drops it and resets the \
                  connection (`reset()` says that by name). With more, `close` blocks the thread until the data is sent \
                  or the time is over, on most systems even for a non-blocking socket.",
        unit: "Milliseconds, rounded up to whole seconds, or null",
        default: "null",
        errors: "",
        access: Access::Number(
            |socket| socket.linger().map(|linger| linger.map_or(OFF, |time| time.as_millis() as i64)),
            Some(|socket, value| socket.set_linger((value != OFF).then(|| whole_seconds(value)))),
        ),
    },
    Row {
        name: "recvBufferSize",
        constant: ("SOL_SOCKET", "SO_RCVBUF"),
        value: Value::Int { min: 1, max: i32::MAX as i64 },
        families: ALL,
        kinds: ANY,
        systems: EVERYWHERE,
        meaning: "How much the system keeps for the socket until it is received. Linux holds twice what is set, for its own \
                  book-keeping, caps it silently by net.core.rmem_max, and stops sizing a TCP buffer by itself. For the \
                  TCP window to grow with it, set it before `connect` or `listen`.",
        unit: "Bytes",
        default: "as the system has it",
        errors: "`ENOBUFS` past the most that macOS and FreeBSD allow",
        access: Access::Number(
            |socket| socket.recv_buffer_size().map(|size| size as i64),
            Some(|socket, value| socket.set_recv_buffer_size(value as usize)),
        ),
    },
    Row {
        name: "sendBufferSize",
        constant: ("SOL_SOCKET", "SO_SNDBUF"),
        value: Value::Int { min: 1, max: i32::MAX as i64 },
        families: ALL,
        kinds: ANY,
        systems: EVERYWHERE,
        meaning: "How much the system takes before a send has to wait. Linux holds twice what is set, for its own \
                  book-keeping, caps it silently by net.core.wmem_max, and stops sizing a TCP buffer by itself.",
        unit: "Bytes",
        default: "as the system has it",
        errors: "`ENOBUFS` past the most that macOS and FreeBSD allow",
        access: Access::Number(
            |socket| socket.send_buffer_size().map(|size| size as i64),
            Some(|socket, value| socket.set_send_buffer_size(value as usize)),
        ),
    },
    Row {
        name: "recvLowWater",
        constant: ("SOL_SOCKET", "SO_RCVLOWAT"),
        value: Value::Int { min: 1, max: i32::MAX as i64 },
        families: ALL,
        kinds: ANY,
        systems: UNIX,
        meaning: "How much has to be there before a `recv` that waits is woken, unless the stream ends first. One that finds \
                  something at once takes what there is. The systems cap it silently by the size of the buffer.",
        unit: "Bytes",
        default: "1",
        errors: "",
        access: Access::Int(sys::RECV_LOW_WATER),
    },
    Row {
        name: "error",
        constant: ("SOL_SOCKET", "SO_ERROR"),
        value: Value::Error,
        families: ALL,
        kinds: ANY,
        systems: EVERYWHERE,
        meaning: "The error that waits in the socket, such as 'ECONNREFUSED', or null. Reading takes it away, except on \
                  Windows.",
        unit: "The code of an error, or null",
        default: "",
        errors: "",
        access: Access::Number(|socket| Ok(socket.take_error()?.map_or(0, |error| error::code(&error).into())), None),
    },
    Row {
        name: "acceptConn",
        constant: ("SOL_SOCKET", "SO_ACCEPTCONN"),
        value: Value::Bool,
        families: ALL,
        kinds: &[crate::Kind::Stream, crate::Kind::Seqpacket],
        systems: EVERYWHERE,
        meaning: "Whether the socket listens for connections.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Number(|socket| sys::is_listening(socket).map(i64::from), None),
    },
    Row {
        name: "bindToDevice",
        constant: ("SOL_SOCKET", "SO_BINDTODEVICE"),
        value: Value::Text { longest: 15 },
        families: IP,
        kinds: ANY,
        systems: &[LINUX, MACOS.called("IP_BOUND_IF, IPV6_BOUND_IF")],
        meaning: "The network interface that the socket keeps to, by its name: it sends through no other, and on Linux also \
                  receives from no other. An empty string lets it go where it wants again.",
        unit: "The name of an interface",
        default: "an empty string",
        errors: "`ENODEV` on Linux, `ENXIO` on macOS without such an interface; `EPERM` on Linux for who takes a socket \
                 off its interface without CAP_NET_RAW, before Linux 5.7 also for who puts it on one",
        access: Access::Bytes(sys::device, Some(sys::set_device)),
    },
    Row {
        name: "mark",
        constant: ("SOL_SOCKET", "SO_MARK"),
        value: Value::Bits,
        families: ALL,
        kinds: ANY,
        systems: &[LINUX],
        meaning: "A number on each packet that the socket sends, for rules of routing and of the firewall.",
        unit: "32 bits, as a number from 0 to 4,294,967,295",
        default: "0",
        errors: "`EPERM` without CAP_NET_ADMIN (since Linux 5.17, CAP_NET_RAW will do)",
        access: Access::Int(sys::MARK),
    },
    Row {
        name: "priority",
        constant: ("SOL_SOCKET", "SO_PRIORITY"),
        value: Value::Int { min: 0, max: i32::MAX as i64 },
        families: ALL,
        kinds: ANY,
        systems: &[LINUX],
        meaning: "Which queue of the network device packets go to: higher ones are sent first, where the device's queueing \
                  discipline cares. Setting `tos` sets it as well.",
        unit: "A number",
        default: "0",
        errors: "`EPERM` for more than 6 without CAP_NET_ADMIN or CAP_NET_RAW",
        access: Access::Int(sys::PRIORITY),
    },
    Row {
        name: "incomingCpu",
        constant: ("SOL_SOCKET", "SO_INCOMING_CPU"),
        value: Value::IntOrNull { max: i32::MAX as i64 },
        families: IP,
        kinds: ANY,
        systems: &[LINUX.since("3.19, to be set since 4.4")],
        meaning: "The processor on which the system last handled a packet for the socket. Set on sockets that share a port \
                  by `reusePort`, it says which processor's packets each of them is to get (TCP since Linux 4.4, UDP since \
                  6.2).",
        unit: "The number of a processor, or null",
        default: "null",
        errors: "",
        access: Access::Int(sys::INCOMING_CPU),
    },
    Row {
        name: "busyPoll",
        constant: ("SOL_SOCKET", "SO_BUSY_POLL"),
        value: Value::Micros { max: i32::MAX as i64 },
        families: IP,
        kinds: ANY,
        systems: &[LINUX.since("3.11")],
        meaning: "How long a receive may ask the network device for packets, with the processor busy, before it says that \
                  there are none. It takes a device that can be asked.",
        unit: "Milliseconds, rounded up to whole microseconds: 0.05 is a usual value",
        default: "that of net.core.busy_read, which is 0",
        errors: "`EPERM` for more than it is without CAP_NET_ADMIN",
        access: Access::Int(sys::BUSY_POLL),
    },
    Row {
        name: "oobInline",
        constant: ("SOL_SOCKET", "SO_OOBINLINE"),
        value: Value::Bool,
        families: IP,
        kinds: STREAM,
        systems: EVERYWHERE,
        meaning: "Leaves urgent data (RFC 6093) in the stream, where it was sent; otherwise the stream skips it.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Number(
            |socket| socket.out_of_band_inline().map(i64::from),
            Some(|socket, value| socket.set_out_of_band_inline(value != 0)),
        ),
    },
    Row {
        name: "timestamp",
        constant: ("SOL_SOCKET", "SO_TIMESTAMP"),
        value: Value::Bool,
        families: IP,
        kinds: PACKET,
        systems: UNIX,
        meaning: "Has the system note when each packet came.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Int(sys::TIMESTAMP),
    },
];

/// The system counts whole seconds and cuts the rest off; half a second would come to mean "reset".
fn whole_seconds(millis: i64) -> Duration {
    Duration::from_secs((millis as u64).div_ceil(1000))
}
