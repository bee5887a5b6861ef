//! How connections come about on Windows.

use std::borrow::Cow;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::windows::io::AsRawSocket;
use std::ptr::null_mut;

use socket2::{SockAddr, SockAddrStorage, Socket, Type};
use windows_sys::Win32::Foundation::ERROR_FILE_NOT_FOUND;
use windows_sys::Win32::Networking::WinSock as winsock;

use super::{option, pathname};

/// Where a packet to this address goes. Other systems take "all interfaces" for this machine itself, Windows says
/// WSAEADDRNOTAVAIL (libuv does the same as we).
pub(crate) fn destination(address: &SockAddr) -> Cow<'_, SockAddr> {
    match address.as_socket() {
        Some(mut place) if place.ip().is_unspecified() => {
            place.set_ip(if place.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
            Cow::Owned(place.into())
        }
        _ => Cow::Borrowed(address),
    }
}

/// Whether a TCP socket can connect after an attempt that failed. It can, but SO_ERROR goes on telling of the first one.
pub(crate) const CONNECTS_AGAIN: bool = false;

/// Starts to connect; `WouldBlock` when it is under way.
pub(crate) fn connect(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    if address.as_socket().is_some_and(|place| place.ip().is_loopback()) {
        let _ = refuse_at_once(socket); // systems before Windows 10, and Wine, do not have it
    }
    match socket.connect(address) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock && is_missing(address) => {
            Err(io::Error::from_raw_os_error(ERROR_FILE_NOT_FOUND as i32))
        }
        result => result,
    }
}

/// Windows takes a refusal for a lost packet and asks three times more, for two seconds. On the loopback nothing is lost, so
/// one question has to do (libuv: the same).
fn refuse_at_once(socket: &Socket) -> io::Result<()> {
    if socket.r#type()? != Type::STREAM {
        return Ok(());
    }
    const UNSPECIFIED_RTT: u16 = u16::MAX; // TCP_INITIAL_RTO_UNSPECIFIED_RTT, the system's own
    let parameters = winsock::TCP_INITIAL_RTO_PARAMETERS {
        Rtt: UNSPECIFIED_RTT,
        MaxSynRetransmissions: winsock::TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS as u8,
    };
    let (mut returned, length) = (0, size_of_val(&parameters) as u32);
    // SAFETY: the SOCKET is open while `socket` is borrowed, `parameters` has the length that is said, and without an
    // OVERLAPPED the call is over when it returns.
    let result = unsafe {
        winsock::WSAIoctl(
            socket.as_raw_socket() as winsock::SOCKET,
            winsock::SIO_TCP_INITIAL_RTO,
            (&raw const parameters).cast(),
            length,
            null_mut(),
            0,
            &mut returned,
            null_mut(),
            None,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether it is a unix path that nothing is at. Windows refuses that as it refuses a path nobody listens at.
fn is_missing(address: &SockAddr) -> bool {
    let gone = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    pathname(address).is_some_and(|path| std::fs::symlink_metadata(path).is_err_and(gone))
}

/// Whether the attempt to connect has succeeded (SO_CONNECT_TIME). The peer's address is known as soon as it has begun.
pub(crate) fn is_connected(socket: &Socket) -> io::Result<bool> {
    const NOT_YET: u32 = u32::MAX;
    // SAFETY: SO_CONNECT_TIME is a count of seconds.
    match unsafe { option::<u32>(socket, winsock::SOL_SOCKET, winsock::SO_CONNECT_TIME) } {
        Ok(seconds) => Ok(seconds != NOT_YET),
        // Unix sockets may not have it.
        Err(_) => Ok(socket.peer_addr().is_ok()),
    }
}

/// Takes the peer away.
pub(crate) fn disconnect(socket: &Socket) -> io::Result<()> {
    // SAFETY: zeroes are AF_UNSPEC, whose address has no content, and 16 bytes of the storage are initialised.
    socket.connect(&unsafe { SockAddr::new(SockAddrStorage::zeroed(), 16) })
}
