//! What sockets there are: by the family of their addresses, and by what they carry.

use socket2::{Domain, Protocol, Type};

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

    /// The number, as [`from_number`](Self::from_number) takes it.
    pub fn number(self) -> i32 {
        match self {
            Family::Inet => 4,
            Family::Inet6 => 6,
            Family::Unix => 1,
        }
    }

    /// The family of a socket with addresses of this domain.
    pub(crate) fn of(domain: Domain) -> Option<Family> {
        [Family::Inet, Family::Inet6, Family::Unix].into_iter().find(|family| family.domain() == domain)
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

    /// The number, as [`from_number`](Self::from_number) takes it.
    pub fn number(self) -> i32 {
        match self {
            Kind::Stream => 1,
            Kind::Datagram => 2,
            Kind::Raw => 3,
            Kind::Seqpacket => 4,
        }
    }

    /// The kind of a socket of this type.
    pub(crate) fn of(kind: Type) -> Option<Kind> {
        [Kind::Stream, Kind::Datagram, Kind::Raw, Kind::Seqpacket].into_iter().find(|ours| ours.socket_type() == kind)
    }

    /// The protocol that a socket of this kind has when none is asked for.
    pub(crate) fn usual_protocol(self) -> Option<Protocol> {
        match self {
            Kind::Stream => Some(Protocol::TCP),
            Kind::Datagram => Some(Protocol::UDP),
            Kind::Raw | Kind::Seqpacket => None,
        }
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
