//! What sockets there are: by the family of their addresses, and by what they carry.

use socket2::{Domain, Type};

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
    /// Local sockets, named by a path.
    Unix,
}

impl Family {
    /// The family of a number: 4, 6 or 1, as in the first byte of an address on the wire.
    pub fn from_number(number: i32) -> Option<Family> {
        Some(match number {
            4 => Family::Inet,
            6 => Family::Inet6,
            1 => Family::Unix,
            _ => return None,
        })
    }

    pub(crate) fn domain(self) -> Domain {
        match self {
            Family::Inet => Domain::IPV4,
            Family::Inet6 => Domain::IPV6,
            Family::Unix => Domain::UNIX,
        }
    }
}

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stream of bytes: TCP, or a unix stream.
    Stream,
    /// Single messages: UDP, or unix datagrams.
    Datagram,
    /// Packets of a protocol of the caller's choice, ICMP for instance.
    Raw,
    /// Messages over a connection; unix sockets on Linux.
    Seqpacket,
}

impl Kind {
    /// The kind of a number, 1 to 4 in the order above.
    pub fn from_number(number: i32) -> Option<Kind> {
        Some(match number {
            1 => Kind::Stream,
            2 => Kind::Datagram,
            3 => Kind::Raw,
            4 => Kind::Seqpacket,
            _ => return None,
        })
    }

    pub(crate) fn socket_type(self) -> Type {
        match self {
            Kind::Stream => Type::STREAM,
            Kind::Datagram => Type::DGRAM,
            Kind::Raw => Type::RAW,
            Kind::Seqpacket => Type::SEQPACKET,
        }
    }
}
