//! Linux and Android: flags that other Unixes need a second call for.

mod echoes;
mod many;
mod options;
pub(crate) mod told;

use std::io;
use std::os::fd::AsRawFd;

use mio::Interest;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::unix::option;
pub(crate) use echoes::hear_echoes_of;
pub(crate) use many::*;
pub(crate) use options::*;

use crate::credentials::Credentials;

/// EPIPE as an error, not as a signal.
pub(crate) const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;

/// Descriptors that come along are not inherited, either.
pub(crate) const RECEIVE_FLAGS: libc::c_int = libc::MSG_CMSG_CLOEXEC;

/// Whether unix names beginning with a NUL byte exist.
pub(crate) const ABSTRACT_NAMES: bool = true;

/// What the poller reports of every socket. Urgent data is told, too, since a read of the stream stops at it.
pub(crate) const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);

/// Makes a socket in one call, so that no fork in between can inherit it.
pub(crate) fn open(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
    Socket::new(domain, kind.nonblocking(), protocol)
}

/// Accepts in one call.
pub(crate) fn accept(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    listener.accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
}

/// The protocol of a socket; none where there is no choice of them.
pub(crate) fn protocol(socket: &Socket) -> io::Result<Option<Protocol>> {
    socket.protocol()
}

/// Whether there are datagram sockets of ICMP.
pub(crate) const ECHO_DATAGRAMS: bool = true;

/// Lets a datagram socket of ICMP know what routers say of its requests (IP_RECVERR, IPV6_RECVERR): they become the error of the
/// next call. Otherwise it would wait in vain, since it gets nothing but answers.
pub(crate) fn hear_errors(socket: &Socket, domain: Domain) -> io::Result<()> {
    let constant = match domain == Domain::IPV6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
        false => (libc::IPPROTO_IP, libc::IP_RECVERR),
    };
    super::unix::write_option(socket, constant, &1i32.to_ne_bytes())
}

/// Takes away the record of the error that was just told. They are kept where what is received is kept, and many would fill that;
/// and taking one away lets the next error be told.
pub(crate) fn forget_error(socket: &Socket) {
    // SAFETY: zeroes are a message without room for anything, so nothing is written but the message itself.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT);
    }
}

/// The process at the other end (SO_PEERCRED). Where the system knows of none it answers with user -1: datagram sockets
/// that connected rather than being made as a pair.
pub(crate) fn peer_credentials(socket: &Socket) -> io::Result<Credentials> {
    // SAFETY: SO_PEERCRED is a ucred, which is three numbers.
    let libc::ucred { pid, uid, gid } = unsafe { option(socket, libc::SOL_SOCKET, libc::SO_PEERCRED)? };
    match (pid, uid) {
        (0, u32::MAX) => Err(io::Error::from_raw_os_error(libc::ENOTCONN)),
        _ => Ok(Credentials { pid, uid, gid }),
    }
}

/// Has `bind` leave the choice of a port to `connect` (IP_BIND_ADDRESS_NO_PORT, for both families). By then the peer is known, and
/// a port that is in use towards others will do: else one address would have no more connections than there are such ports.
pub(crate) fn choose_port_late(socket: &Socket) {
    // Linux 4.2; before, a port is chosen at once.
    let _ = super::unix::write_option(socket, (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT), &1i32.to_ne_bytes());
}

/// Switches IP_MULTICAST_ALL off, by which a socket bound to the wildcard gets what any socket of the machine has joined.
/// Other systems have no such thing, and whoever names groups does not mean all of them.
pub(crate) fn hear_own_groups_only(socket: &Socket) {
    // One of the two is not the socket's family; IPv6's came with Linux 4.20.
    let _ = socket.set_multicast_all_v4(false);
    let _ = socket.set_multicast_all_v6(false);
}

/// The error of joining or leaving a group, in the words of the other systems: no such interface is EADDRNOTAVAIL
/// (measured here: ENODEV), a source joined twice EADDRINUSE (EADDRNOTAVAIL), a source of no group EADDRNOTAVAIL (EINVAL).
pub(crate) fn membership_error(error: io::Error, join: bool) -> io::Error {
    io::Error::from_raw_os_error(match error.raw_os_error() {
        Some(libc::ENODEV) => libc::EADDRNOTAVAIL,
        Some(libc::EADDRNOTAVAIL) if join => libc::EADDRINUSE,
        Some(libc::EINVAL) if !join => libc::EADDRNOTAVAIL,
        _ => return error,
    })
}
