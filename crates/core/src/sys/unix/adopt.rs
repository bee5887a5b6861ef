//! Descriptors that something else has opened.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};

use socket2::{Domain, Socket};

use super::option;

/// The socket of this number, for a look at it; EBADF when nothing is open there.
pub(crate) fn borrow(number: i64) -> io::Result<ManuallyDrop<Socket>> {
    let bad = || io::Error::from_raw_os_error(libc::EBADF);
    let fd = RawFd::try_from(number).ok().filter(|fd| *fd >= 0).ok_or_else(bad)?;
    // SAFETY: F_GETFD only looks at the number.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(bad());
    }
    // SAFETY: the descriptor is open; its owner is whoever gave the number, so this one never closes it.
    Ok(ManuallyDrop::new(unsafe { Socket::from_raw_fd(fd) }))
}

/// Makes a borrowed socket our own: it neither blocks nor is inherited.
pub(crate) fn take_over(found: ManuallyDrop<Socket>) -> io::Result<Socket> {
    found.set_nonblocking(true)?;
    found.set_cloexec(true)?;
    Ok(ManuallyDrop::into_inner(found))
}

/// To look at what came without taking it, and without waiting for it.
pub(crate) const PEEK: libc::c_int = libc::MSG_PEEK | libc::MSG_DONTWAIT;

/// The family of its addresses.
pub(crate) fn domain(socket: &Socket) -> io::Result<Domain> {
    Ok(socket.local_addr()?.domain())
}

/// Whether it listens for connections.
pub(crate) fn is_listening(socket: &Socket) -> io::Result<bool> {
    // SAFETY: SO_ACCEPTCONN is a number.
    let value: libc::c_int = unsafe { option(socket, libc::SOL_SOCKET, libc::SO_ACCEPTCONN)? };
    Ok(value != 0)
}

/// EAFNOSUPPORT, of our own making.
pub(crate) fn no_such_family() -> io::Error {
    io::Error::from_raw_os_error(libc::EAFNOSUPPORT)
}

/// ESOCKTNOSUPPORT, of our own making.
pub(crate) fn no_such_kind() -> io::Error {
    io::Error::from_raw_os_error(libc::ESOCKTNOSUPPORT)
}

/// Keeps a descriptor from the child processes of this one.
pub(crate) fn keep_from_children(number: i64) -> io::Result<()> {
    borrow(number)?.set_cloexec(true)
}
