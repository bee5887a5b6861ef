//! Multicast groups: which, from whom, and through which interface.
//!
//! A group belongs to a socket and an interface. Any-source groups take what anyone sends there; source-specific ones
//! (RFC 4607) only what is named, one membership per source.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{InterfaceIndexOrAddress, SockAddr};

use crate::address::parse_ip;
use crate::socket::Socket;
use crate::sys;

/// A network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// By its number; 0 is the system's choice.
    Index(u32),
    /// By an address that it has.
    Address(Ipv4Addr),
}

impl Interface {
    /// The interface of a text: a number, an IPv4 address of it, an IPv6 address with a zone, or a name. Nothing is the
    /// system's choice.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when no interface has that name, and for an IPv6 address without a zone.
    pub fn parse(text: &str) -> io::Result<Interface> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text {
                "" => Ok(Interface::Index(0)),
                _ => text.parse().map(Interface::Index).map_err(|_| unknown()),
            };
        }
        match parse_ip(text) {
            Some(SocketAddr::V4(address)) => Ok(Interface::Address(*address.ip())),
            Some(SocketAddr::V6(address)) if address.scope_id() != 0 => Ok(Interface::Index(address.scope_id())),
            Some(_) => Err(unknown()),
            None => sys::interface_index(text).map(Interface::Index).ok_or_else(unknown),
        }
    }
}

/// What a socket joins and leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The group's address.
    pub group: IpAddr,
    /// The only sender to hear; `None` hears all.
    pub source: Option<IpAddr>,
    /// Where to hear it.
    pub interface: Interface,
}

impl Socket {
    /// Joins a group. From then on the socket gets what is sent to the group and to the port that it is bound to.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` without such an interface, or without one the system could choose; `EADDRINUSE` when it is joined
    /// already; `EINVAL` for what is no group, or of another family than the rest; `ENOBUFS` for too many.
    pub fn join_group(&self, membership: &Membership) -> io::Result<()> {
        self.with(|socket| {
            sys::hear_own_groups_only(socket);
            change(socket, membership, true)
        })
    }

    /// Leaves a group, which was joined with the same source and the same interface.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` for what was not joined, otherwise as [`join_group`](Self::join_group).
    pub fn leave_group(&self, membership: &Membership) -> io::Result<()> {
        self.with(|socket| change(socket, membership, false))
    }
}

/// socket2 has calls for all but source-specific groups of an interface's number, which `sys` makes with RFC 3678's.
/// Those in turn do not let the BSDs choose the interface, so they are not for everything.
fn change(socket: &socket2::Socket, membership: &Membership, join: bool) -> io::Result<()> {
    let Membership { group, source, interface } = *membership;
    // Windows takes a greater number for an address; no system counts that far.
    if matches!(interface, Interface::Index(index) if index > 0xff_ffff) {
        return Err(unknown());
    }
    let result = match (group, source, interface) {
        (IpAddr::V4(group), None, interface) => {
            let interface = match interface {
                Interface::Index(0) => InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED),
                Interface::Index(index) => InterfaceIndexOrAddress::Index(index),
                Interface::Address(address) => InterfaceIndexOrAddress::Address(address),
            };
            match join {
                true => socket.join_multicast_v4_n(&group, &interface),
                false => socket.leave_multicast_v4_n(&group, &interface),
            }
        }
        (IpAddr::V6(group), None, Interface::Index(index)) => match join {
            true => socket.join_multicast_v6(&group, index),
            false => socket.leave_multicast_v6(&group, index),
        },
        (IpAddr::V4(group), Some(IpAddr::V4(source)), Interface::Address(_) | Interface::Index(0)) => {
            let address = match interface {
                Interface::Address(address) => address,
                Interface::Index(_) => Ipv4Addr::UNSPECIFIED,
            };
            match join {
                true => socket.join_ssm_v4(&source, &group, &address),
                false => socket.leave_ssm_v4(&source, &group, &address),
            }
        }
        (group, Some(source), Interface::Index(index)) if group.is_ipv4() == source.is_ipv4() => {
            sys::change_source_group(socket, join, index, &whole(group), &whole(source))
        }
        _ => Err(io::ErrorKind::InvalidInput.into()),
    };
    result.map_err(|error| sys::membership_error(error, join))
}

fn whole(ip: IpAddr) -> SockAddr {
    SocketAddr::new(ip, 0).into()
}

fn unknown() -> io::Error {
    io::ErrorKind::AddrNotAvailable.into()
}
