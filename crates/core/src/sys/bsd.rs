//! macOS and the BSDs: what Linux does by flags.

mod options;
pub(crate) mod told;

use std::io;

use mio::Interest;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::unix::option;
pub(crate) use options::*;

use crate::credentials::Credentials;

/// On Apple's systems SO_NOSIGPIPE does it, which socket2 sets on each new socket and listeners hand on.
#[cfg(apple)]
pub(crate) const SEND_FLAGS: libc::c_int = 0;
/// EPIPE as an error, not as a signal.
#[cfg(not(apple))]
pub(crate) const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;

/// Apple's systems have no flag by which descriptors that come along are not inherited.
#[cfg(apple)]
pub(crate) const RECEIVE_FLAGS: libc::c_int = 0;
/// Descriptors that come along are not inherited, either.
#[cfg(not(apple))]
pub(crate) const RECEIVE_FLAGS: libc::c_int = libc::MSG_CMSG_CLOEXEC;

/// Whether unix names beginning with a NUL byte exist.
pub(crate) const ABSTRACT_NAMES: bool = false;

/// What the poller reports of every socket.
pub(crate) const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Makes a socket.
pub(crate) fn open(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, protocol)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Accepts. The listener's O_NONBLOCK is inherited here and there; we do not depend on it.
pub(crate) fn accept(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    let (socket, peer) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, peer))
}

/// The protocol of a socket, which not all of these systems tell.
#[cfg(not(apple))]
pub(crate) fn protocol(_: &Socket) -> io::Result<Option<Protocol>> {
    Ok(None)
}

/// The protocol of a socket. The system does not tell it; but of all datagram sockets only those of ICMP know these options.
#[cfg(apple)]
pub(crate) fn protocol(socket: &Socket) -> io::Result<Option<Protocol>> {
    if socket.r#type()? != Type::DGRAM {
        return Ok(None);
    }
    let knows = |option, length| super::unix::read_option(socket, option, &mut [0; 32][..length]).is_ok();
    Ok(match super::unix::domain(socket)? {
        Domain::IPV4 if knows((libc::IPPROTO_IP, libc::IP_HDRINCL), 4) => Some(Protocol::ICMPV4),
        Domain::IPV6 if ICMP6_FILTER.is_some_and(|option| knows(option, 32)) => Some(Protocol::ICMPV6),
        _ => None,
    })
}

/// Whether there are datagram sockets of ICMP.
pub(crate) const ECHO_DATAGRAMS: bool = cfg!(apple);

/// They get what routers say of their requests as messages.
pub(crate) fn hear_errors(_: &Socket, _: Domain) -> io::Result<()> {
    Ok(())
}

/// The system keeps no record of errors.
pub(crate) fn forget_error(_: &Socket) {}

/// The process at the other end (LOCAL_PEERCRED), where the system knows it: of streams. For others it says EINVAL.
pub(crate) fn peer_credentials(socket: &Socket) -> io::Result<Credentials> {
    // SAFETY: LOCAL_PEERCRED is an xucred, which is numbers.
    let peer: libc::xucred = match unsafe { option(socket, libc::SOL_LOCAL, libc::LOCAL_PEERCRED) } {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            return Err(io::Error::from_raw_os_error(libc::ENOTCONN));
        }
        result => result?,
    };
    // The first group is the effective one.
    Ok(Credentials { pid: peer_pid(socket, &peer)?, uid: peer.cr_uid, gid: peer.cr_groups[0] })
}

#[cfg(apple)]
fn peer_pid(socket: &Socket, _: &libc::xucred) -> io::Result<i32> {
    // SAFETY: LOCAL_PEERPID is a pid_t, a number.
    unsafe { option::<libc::pid_t>(socket, libc::SOL_LOCAL, libc::LOCAL_PEERPID) }
}

#[cfg(not(apple))]
fn peer_pid(_: &Socket, peer: &libc::xucred) -> io::Result<i32> {
    // SAFETY: the other half of the union is a pointer that only the kernel uses; any bytes are a number.
    Ok(unsafe { peer.cr_pid__c_anonymous_union.cr_pid })
}

/// Only Linux can: here `bind` chooses the port.
pub(crate) fn choose_port_late(_: &Socket) {}

/// A socket hears only the groups that it has joined.
pub(crate) fn hear_own_groups_only(_: &Socket) {}

/// Such a socket gets a copy of whatever comes.
pub(crate) fn hear_echoes_of(_: &Socket, _: socket2::Domain, _: u16) -> io::Result<()> {
    Ok(())
}

/// The error of joining or leaving a group.
pub(crate) fn membership_error(error: io::Error, _: bool) -> io::Error {
    error
}
