//! Datagram sockets of ICMP: what some systems let everyone have where raw sockets are for a few.
//!
//! Such a socket sends echo requests and receives the answers to them, nothing else. Linux gives it to the groups that the sysctl
//! net.ipv4.ping_group_range names (none by default; systemd's distributions set it to all), and puts its own id into each
//! request; macOS gives it to everyone. FreeBSD and Windows have none; for Windows see `ping`.

use std::io;

use socket2::{Protocol, Type};

use crate::kind::{Family, Kind};
use crate::sys;

/// Makes a raw socket, or where the right to it is missing a datagram socket of ICMP; `true` is the latter.
///
/// # Errors
/// When neither is permitted what the system said of the raw one: that is what was asked for.
pub(crate) fn open_raw(family: Family, protocol: Option<Protocol>) -> io::Result<(socket2::Socket, bool)> {
    let refusal = match sys::open(family.domain(), Type::RAW, protocol) {
        Ok(socket) => return Ok((socket, false)),
        Err(refusal) => refusal,
    };
    if !sys::ECHO_DATAGRAMS || refusal.kind() != io::ErrorKind::PermissionDenied || protocol != protocol_of(family) {
        return Err(refusal);
    }
    let Ok(socket) = sys::open(family.domain(), Type::DGRAM, protocol) else { return Err(refusal) };
    sys::hear_errors(&socket, family.domain())?;
    Ok((socket, true))
}

/// Whether a socket that something else has opened is one of these.
pub(crate) fn is_echo(family: Family, kind: Kind, protocol: Option<Protocol>) -> bool {
    kind == Kind::Datagram && protocol.is_some() && protocol == protocol_of(family)
}

fn protocol_of(family: Family) -> Option<Protocol> {
    match family {
        Family::Inet => Some(Protocol::ICMPV4),
        Family::Inet6 => Some(Protocol::ICMPV6),
        Family::Unix => None,
    }
}
