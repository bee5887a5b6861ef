//! Linux and Android: flags that other Unixes need a second call for.

use std::io;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// EPIPE as an error, not as a signal.
pub(crate) const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;

/// Whether unix names beginning with a NUL byte exist.
pub(crate) const ABSTRACT_NAMES: bool = true;

/// Makes a socket in one call, so that no fork in between can inherit it.
pub(crate) fn open(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
    Socket::new(domain, kind.nonblocking(), protocol)
}

/// Accepts in one call.
pub(crate) fn accept(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    listener.accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
}
