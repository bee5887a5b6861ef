//! SOCKETs that something else has opened, and descriptors beside data, which Windows has not.

use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::windows::io::{FromRawSocket, IntoRawSocket, OwnedSocket, RawSocket};

use socket2::{Domain, Protocol, Socket};
use windows_sys::Win32::Networking::WinSock as winsock;

use super::option;

/// The socket of this number, for a look at it.
pub(crate) fn borrow(number: i64) -> io::Result<ManuallyDrop<Socket>> {
    let socket = RawSocket::try_from(number).map_err(|_| io::Error::from_raw_os_error(winsock::WSAENOTSOCK))?;
    // SAFETY: it is not INVALID_SOCKET, and every call on what is no socket is refused; its owner is whoever gave the number, so
    // this one never closes it.
    Ok(ManuallyDrop::new(unsafe { Socket::from_raw_socket(socket) }))
}

/// Makes a borrowed socket our own: it neither blocks nor is inherited.
pub(crate) fn take_over(found: ManuallyDrop<Socket>) -> io::Result<Socket> {
    found.set_no_inherit(true)?;
    found.set_nonblocking(true)?;
    Ok(ManuallyDrop::into_inner(found))
}

/// What the system knows of a socket from its beginning; its address it tells only once it has one.
fn info(socket: &Socket) -> io::Result<winsock::WSAPROTOCOL_INFOW> {
    // SAFETY: SO_PROTOCOL_INFOW is numbers.
    unsafe { option(socket, winsock::SOL_SOCKET, winsock::SO_PROTOCOL_INFOW) }
}

/// To look at what came without taking it.
pub(crate) const PEEK: i32 = winsock::MSG_PEEK;

/// The family of its addresses.
pub(crate) fn domain(socket: &Socket) -> io::Result<Domain> {
    Ok(Domain::from(info(socket)?.iAddressFamily))
}

/// The protocol of a socket; none where there is no choice of them.
pub(crate) fn protocol(socket: &Socket) -> io::Result<Option<Protocol>> {
    let protocol = info(socket)?.iProtocol;
    Ok((protocol != 0).then(|| Protocol::from(protocol)))
}

/// Whether it listens for connections.
pub(crate) fn is_listening(socket: &Socket) -> io::Result<bool> {
    // SAFETY: SO_ACCEPTCONN is a BOOL, a number.
    let value: i32 = unsafe { option(socket, winsock::SOL_SOCKET, winsock::SO_ACCEPTCONN)? };
    Ok(value != 0)
}

/// WSAEAFNOSUPPORT, of our own making.
pub(crate) fn no_such_family() -> io::Error {
    io::Error::from_raw_os_error(winsock::WSAEAFNOSUPPORT)
}

/// WSAESOCKTNOSUPPORT, of our own making.
pub(crate) fn no_such_kind() -> io::Error {
    io::Error::from_raw_os_error(winsock::WSAESOCKTNOSUPPORT)
}

/// Keeps a SOCKET from the child processes of this one.
pub(crate) fn keep_from_children(number: i64) -> io::Result<()> {
    borrow(number)?.set_no_inherit(true)
}

/// A handle that is closed when nobody takes it.
pub(crate) type OwnedHandle = OwnedSocket;

/// Gives the SOCKET to the caller.
pub(crate) fn number_of(handle: OwnedHandle) -> i64 {
    handle.into_raw_socket() as i64
}

/// None go here.
pub const MOST_HANDLES: usize = 0;

/// Windows has no such thing.
pub(crate) fn send_handles(_: &Socket, _: &[u8], _: &[i32]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Windows has no such thing.
pub(crate) fn recv_handles(
    _: &Socket,
    _: &mut [MaybeUninit<u8>],
    _: &mut Vec<OwnedHandle>,
) -> io::Result<(usize, bool)> {
    Err(io::ErrorKind::Unsupported.into())
}
