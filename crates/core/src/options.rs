//! The socket options: one table, from which everything else is made.
//!
//! A row has the name, the constant, what values it takes, where it applies, its documentation, and the two functions that
//! read and write it. The TypeScript types and their doc comments are generated from the rows (`examples/options.rs`), so
//! adding an option is adding a row; its place in the table is its id, so rows are only ever added at the end.

use std::io;
use std::time::Duration;

use crate::kind::{Family, Kind};
use crate::socket::Socket;
use crate::{error, sys};

/// One socket option.
pub struct Row {
    /// The name in TypeScript.
    pub name: &'static str,
    /// The level and the constant, as C has them.
    pub constant: (&'static str, &'static str),
    /// The values it takes.
    pub value: Value,
    /// The families it applies to.
    pub families: &'static [Family],
    /// The kinds of socket it applies to.
    pub kinds: &'static [Kind],
    /// The systems that have it, as Node calls them.
    pub platforms: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
    /// Unit and default.
    pub default: &'static str,
    /// The codes it fails with beyond those that every option has; may be empty.
    pub errors: &'static str,
    get: fn(&socket2::Socket) -> io::Result<i64>,
    set: Option<fn(&socket2::Socket, i64) -> io::Result<()>>,
}

impl Row {
    /// Whether it can only be read.
    pub fn read_only(&self) -> bool {
        self.set.is_none()
    }
}

/// The values of an option, which all cross as one integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// 0 or 1.
    Bool,
    /// A number in a range, both ends included.
    Int {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A time in milliseconds, or [`OFF`].
    Millis {
        /// The longest.
        max: i64,
    },
    /// A pending error: 0 for none, else Node's negative number. Reading takes it away.
    Error,
}

/// The value of a time that is switched off.
pub const OFF: i64 = -1;

impl Value {
    fn admits(self, value: i64) -> bool {
        match self {
            Value::Bool => value == 0 || value == 1,
            Value::Int { min, max } => (min..=max).contains(&value),
            Value::Millis { max } => (OFF..=max).contains(&value),
            Value::Error => false,
        }
    }
}

/// What the system holds for option `id`.
///
/// # Errors
/// `EINVAL` for an unknown id, `ENOTSUP` where the system lacks it, `ENOPROTOOPT` where this socket has it not.
pub fn get(socket: &Socket, id: usize) -> io::Result<i64> {
    socket.with(row(id)?.get)
}

/// Sets option `id`.
///
/// # Errors
/// As [`get`]; `EINVAL` also for a value out of range and for an option that can only be read.
pub fn set(socket: &Socket, id: usize, value: i64) -> io::Result<()> {
    let row = row(id)?;
    match row.set {
        Some(set) if row.value.admits(value) => socket.with(|socket| set(socket, value)),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Gives a fresh socket the options of another one, as far as it has them.
pub(crate) fn copy(from: &socket2::Socket, to: &socket2::Socket) -> io::Result<()> {
    for Row { get, set, .. } in TABLE {
        if let (Some(set), Ok(value)) = (set, get(from)) {
            if get(to).is_ok_and(|held| held != value) {
                // What cannot be set now has become as it is by what the socket went through, not by its owner.
                let _ = set(to, value);
            }
        }
    }
    Ok(())
}

fn row(id: usize) -> io::Result<&'static Row> {
    TABLE.get(id).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

const ALL: &[Family] = &[Family::Inet, Family::Inet6, Family::Unix];
const IP: &[Family] = &[Family::Inet, Family::Inet6];
const INET: &[Family] = &[Family::Inet];
const INET6: &[Family] = &[Family::Inet6];

const ANY: &[Kind] = &[Kind::Stream, Kind::Datagram, Kind::Raw, Kind::Seqpacket];
const STREAM: &[Kind] = &[Kind::Stream];
const PACKET: &[Kind] = &[Kind::Datagram, Kind::Raw];

const EVERYWHERE: &[&str] = &["linux", "darwin", "freebsd", "win32"];
const UNIX: &[&str] = &["linux", "darwin", "freebsd"];
const WINDOWS: &[&str] = &["win32"];

/// The longest linger: Windows holds it in 16 bits of seconds.
const LONGEST_LINGER: i64 = u16::MAX as i64 * 1000;

/// All options, by id.
pub const TABLE: &[Row] = &[
    Row {
        name: "reuseAddress",
        constant: ("SOL_SOCKET", "SO_REUSEADDR"),
        value: Value::Bool,
        families: ALL,
        kinds: ANY,
        platforms: EVERYWHERE,
        meaning: "Lets `bind` take an address that connections of an earlier socket still hold in TIME_WAIT; for datagrams \
                  also one that others have bound with it. On Windows it takes the address even from a socket that \
                  listens there, so leave it off.",
        default: "Boolean, by default on for listeners except on Windows, else off.",
        errors: "",
        get: |socket| socket.reuse_address().map(i64::from),
        set: Some(|socket, value| socket.set_reuse_address(value != 0)),
    },
    Row {
        name: "reusePort",
        constant: ("SOL_SOCKET", "SO_REUSEPORT"),
        value: Value::Bool,
        families: IP,
        kinds: ANY,
        platforms: UNIX,
        meaning: "Lets several sockets of one user bind the same address and port, each with this option set before `bind`. \
                  Linux spreads connections and datagrams over them; macOS and FreeBSD do not promise to.",
        default: "Boolean, by default off.",
        errors: "",
        get: |socket| sys::reuse_port(socket).map(i64::from),
        set: Some(|socket, value| sys::set_reuse_port(socket, value != 0)),
    },
    Row {
        name: "exclusiveAddressUse",
        constant: ("SOL_SOCKET", "SO_EXCLUSIVEADDRUSE"),
        value: Value::Bool,
        families: IP,
        kinds: ANY,
        platforms: WINDOWS,
        meaning: "Keeps others from binding the same address by force with `reuseAddress`. Other systems do not let them.",
        default: "Boolean, by default on.",
        errors: "`EINVAL` together with `reuseAddress`",
        get: |socket| sys::exclusive_address_use(socket).map(i64::from),
        set: Some(|socket, value| sys::set_exclusive_address_use(socket, value != 0)),
    },
    Row {
        name: "broadcast",
        constant: ("SOL_SOCKET", "SO_BROADCAST"),
        value: Value::Bool,
        families: INET,
        kinds: PACKET,
        platforms: EVERYWHERE,
        meaning: "Allows sending to a broadcast address, which is `EACCES` without it.",
        default: "Boolean, by default off.",
        errors: "",
        get: |socket| socket.broadcast().map(i64::from),
        set: Some(|socket, value| socket.set_broadcast(value != 0)),
    },
    Row {
        name: "keepAlive",
        constant: ("SOL_SOCKET", "SO_KEEPALIVE"),
        value: Value::Bool,
        families: IP,
        kinds: STREAM,
        platforms: EVERYWHERE,
        meaning: "Probes the peer of a connection on which nothing has come for long; when it does not answer, operations \
                  fail with `ETIMEDOUT`.",
        default: "Boolean, by default off; most systems wait two hours before the first probe.",
        errors: "",
        get: |socket| socket.keepalive().map(i64::from),
        set: Some(|socket, value| socket.set_keepalive(value != 0)),
    },
    Row {
        name: "linger",
        constant: ("SOL_SOCKET", "SO_LINGER"),
        value: Value::Millis { max: LONGEST_LINGER },
        families: IP,
        kinds: STREAM,
        platforms: EVERYWHERE,
        meaning: "How `close` treats data that is not yet sent: null sends it in the background, 0 drops it and resets the \
                  connection (`reset()` says that by name). With more, `close` blocks the thread until the data is sent \
                  or the time is over, on most systems even for a non-blocking socket.",
        default: "Milliseconds, rounded up to whole seconds, or null; by default null.",
        errors: "",
        get: |socket| socket.linger().map(|linger| linger.map_or(OFF, |time| time.as_millis() as i64)),
        set: Some(|socket, value| socket.set_linger((value != OFF).then(|| whole_seconds(value)))),
    },
    Row {
        name: "recvBufferSize",
        constant: ("SOL_SOCKET", "SO_RCVBUF"),
        value: Value::Int { min: 1, max: i32::MAX as i64 },
        families: ALL,
        kinds: ANY,
        platforms: EVERYWHERE,
        meaning: "How much the system keeps for the socket until it is received. Linux holds twice what is set, for its own \
                  book-keeping, caps it silently by net.core.rmem_max, and stops sizing a TCP buffer by itself. For the \
                  TCP window to grow with it, set it before `connect` or `listen`.",
        default: "Bytes, by default as the system has it.",
        errors: "`ENOBUFS` past the most that macOS and FreeBSD allow",
        get: |socket| socket.recv_buffer_size().map(|size| size as i64),
        set: Some(|socket, value| socket.set_recv_buffer_size(value as usize)),
    },
    Row {
        name: "sendBufferSize",
        constant: ("SOL_SOCKET", "SO_SNDBUF"),
        value: Value::Int { min: 1, max: i32::MAX as i64 },
        families: ALL,
        kinds: ANY,
        platforms: EVERYWHERE,
        meaning: "How much the system takes before a send has to wait. Linux holds twice what is set, for its own \
                  book-keeping, caps it silently by net.core.wmem_max, and stops sizing a TCP buffer by itself.",
        default: "Bytes, by default as the system has it.",
        errors: "`ENOBUFS` past the most that macOS and FreeBSD allow",
        get: |socket| socket.send_buffer_size().map(|size| size as i64),
        set: Some(|socket, value| socket.set_send_buffer_size(value as usize)),
    },
    Row {
        name: "error",
        constant: ("SOL_SOCKET", "SO_ERROR"),
        value: Value::Error,
        families: ALL,
        kinds: ANY,
        platforms: EVERYWHERE,
        meaning: "The error that waits in the socket, such as 'ECONNREFUSED', or null. Reading takes it away, except on \
                  Windows.",
        default: "The code of an error, or null.",
        errors: "",
        get: |socket| Ok(socket.take_error()?.map_or(0, |error| error::code(&error).into())),
        set: None,
    },
    Row {
        name: "noDelay",
        constant: ("IPPROTO_TCP", "TCP_NODELAY"),
        value: Value::Bool,
        families: IP,
        kinds: STREAM,
        platforms: EVERYWHERE,
        meaning: "Sends small pieces at once instead of waiting for the peer to acknowledge the last (Nagle's algorithm, \
                  RFC 896).",
        default: "Boolean, by default on, unlike the system's own default.",
        errors: "",
        get: |socket| socket.tcp_nodelay().map(i64::from),
        set: Some(|socket, value| socket.set_tcp_nodelay(value != 0)),
    },
    Row {
        name: "ttl",
        constant: ("IPPROTO_IP", "IP_TTL"),
        value: Value::Int { min: 1, max: 255 },
        families: INET,
        kinds: ANY,
        platforms: EVERYWHERE,
        meaning: "How many routers a packet may pass (time to live).",
        default: "A count, by default the system's: 64, on Windows 128.",
        errors: "",
        get: |socket| socket.ttl_v4().map(i64::from),
        set: Some(|socket, value| socket.set_ttl_v4(value as u32)),
    },
    Row {
        name: "ipv6Only",
        constant: ("IPPROTO_IPV6", "IPV6_V6ONLY"),
        value: Value::Bool,
        families: INET6,
        kinds: ANY,
        platforms: EVERYWHERE,
        meaning: "Leaves IPv4 out: without it a socket bound to `::` takes IPv4 as well, with addresses like \
                  `::ffff:127.0.0.1`. To be set before `bind`.",
        default: "Boolean, by default as the system has it: false on Linux and macOS, true on FreeBSD and Windows.",
        errors: "`EINVAL` once the socket is bound",
        get: |socket| socket.only_v6().map(i64::from),
        set: Some(|socket, value| socket.set_only_v6(value != 0)),
    },
];

/// The system counts whole seconds and cuts the rest off; half a second would come to mean "reset".
fn whole_seconds(millis: i64) -> Duration {
    Duration::from_secs((millis as u64).div_ceil(1000))
}
