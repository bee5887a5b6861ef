//! macOS and the BSDs: what Linux does by flags.

use std::io;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// On Apple's systems SO_NOSIGPIPE does it, which socket2 sets on each new socket and listeners hand on.
#[cfg(apple)]
pub(crate) const SEND_FLAGS: libc::c_int = 0;
/// EPIPE as an error, not as a signal.
#[cfg(not(apple))]
pub(crate) const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;

/// Whether unix names beginning with a NUL byte exist.
pub(crate) const ABSTRACT_NAMES: bool = false;

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
