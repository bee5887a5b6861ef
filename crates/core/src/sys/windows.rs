//! Windows. The poller watches sockets through AFD, by way of mio's own types.

mod adopt;
mod connect;
mod datagram;
mod echo_status;
mod echoes;
mod errors;
mod file;
mod options;

use std::ffi::CString;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::windows::io::{AsRawSocket, FromRawSocket, IntoRawSocket};
use std::path::PathBuf;

use mio::event::Source as _;
use mio::net::UdpSocket;
use mio::{Interest, Poll, Registry, Token};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    if_nametoindex, ConvertInterfaceAliasToLuid, ConvertInterfaceLuidToIndex,
};
use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;
use windows_sys::Win32::Networking::WinSock as winsock;

pub use adopt::MOST_HANDLES;
pub(crate) use adopt::*;
pub(crate) use connect::*;
pub(crate) use datagram::recv_message;
pub(crate) use echoes::*;
pub(crate) use errors::{error_code, ERRORS};
pub(crate) use file::{file_identity, is_socket, FileIdentity};
pub(crate) use options::*;

use crate::credentials::Credentials;
use crate::lookup::{flag, Found};

/// Winsock has no signals.
pub(crate) const SEND_FLAGS: i32 = 0;

/// mio arms a socket again only when an operation ends in `WouldBlock`, so a drain has to go on until there.
pub const SHORT_READ_DRAINS: bool = false;

/// A socket as the poller can watch it: any SOCKET at all, in the clothes of mio's `UdpSocket`.
///
/// mio has no type for raw sockets, and its `TcpListener` has no `try_io`; but what its types hold is only the SOCKET and
/// the state of the watch, which is the same for all.
pub(crate) struct Source(UdpSocket);

impl Source {
    pub(crate) fn new(socket: Socket) -> Source {
        // SAFETY: the SOCKET is open and ours, and `socket` has given it up.
        let socket = unsafe { std::net::UdpSocket::from_raw_socket(socket.into_raw_socket()) };
        Source(UdpSocket::from_std(socket))
    }

    /// The socket, for calls that never wait.
    pub(crate) fn get(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }

    /// An operation that may wait; `WouldBlock` arms the watch again.
    #[inline]
    pub(crate) fn try_io<T>(&self, operation: impl FnOnce(&Socket) -> io::Result<T>) -> io::Result<T> {
        self.0.try_io(|| operation(&self.get()))
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.0.register(registry, token, interest)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.0.deregister(registry)
    }

    pub(crate) fn number(&self) -> i64 {
        self.0.as_raw_socket() as i64
    }

    /// Gives the SOCKET to the caller.
    pub(crate) fn release(self) -> i64 {
        self.0.into_raw_socket() as i64
    }
}

/// mio does not show its completion port.
pub(crate) fn poll_handle(_: &Poll) -> Option<i64> {
    None
}

/// What the poller reports of every socket.
pub(crate) const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Makes a socket that is not inherited (WSA_FLAG_NO_HANDLE_INHERIT).
pub(crate) fn open(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, protocol)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Accepts.
pub(crate) fn accept(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    let (socket, peer) = listener.accept().map_err(accept_error)?;
    socket.set_nonblocking(true)?;
    Ok((socket, peer))
}

/// WSAECONNRESET (Wine 8: WSAENOTCONN) is about a connection that is gone again, not about the listener.
fn accept_error(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(winsock::WSAECONNRESET | winsock::WSAENOTCONN) => io::Error::from_raw_os_error(winsock::WSAECONNABORTED),
        _ => error,
    }
}

/// The most of a stream that one call sends. Windows takes a send of any size whole as soon as it has any room, and so would
/// hold all that a sender has for a peer who does not read; in pieces it says "not now" as other systems do. Chosen by feel:
/// few calls for much data, and little more than the send buffer held.
pub(crate) const MOST_PER_SEND: usize = 256 * 1024;

/// The error of sending to the peer: without one, a socket for datagrams says EDESTADDRREQ elsewhere (Wine 8: WSAEINVAL).
pub(crate) fn send_error(socket: &Socket, error: io::Error) -> io::Error {
    let nowhere = || is_datagram(socket) && socket.peer_addr().is_err();
    match error.raw_os_error() {
        Some(winsock::WSAENOTCONN | winsock::WSAEINVAL) if nowhere() => {
            io::Error::from_raw_os_error(winsock::WSAEDESTADDRREQ)
        }
        _ => error,
    }
}

/// The error of a call that tells of an earlier one; `Interrupted` when it is nobody's, and the call has to be made again.
///
/// Windows reports a datagram that went to a dead port (WSAECONNRESET) or ran out of hops (WSAENETRESET) on the next
/// receive or send. On an unconnected socket nobody can tell which datagram that was, and one dead peer would disturb all
/// the others: other systems say nothing, and so do we (libuv and tokio's users switch it off by SIO_UDP_CONNRESET). On a
/// connected one it is ECONNREFUSED, as everywhere.
pub(crate) fn late_error(socket: &Socket, error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(winsock::WSAECONNRESET | winsock::WSAENETRESET) if is_datagram(socket) => {
            if socket.peer_addr().is_ok() {
                io::Error::from_raw_os_error(winsock::WSAECONNREFUSED)
            } else {
                io::ErrorKind::Interrupted.into()
            }
        }
        _ => error,
    }
}

/// Other systems let a socket without an address wait for datagrams, which come once it has sent one and so got an address.
fn bind_anywhere(socket: &Socket) -> io::Result<()> {
    // An IPv4 socket refuses the address of the other family.
    let any: [SocketAddr; 2] = [(Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::UNSPECIFIED, 0).into()];
    socket.bind(&any[0].into()).or_else(|_| socket.bind(&any[1].into()))
}

fn is_stream(socket: &Socket) -> bool {
    socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
}

fn is_datagram(socket: &Socket) -> bool {
    socket.r#type().is_ok_and(|kind| kind == Type::DGRAM)
}

/// Copies the path of a unix address to `out`; 0 when it is unnamed.
pub(crate) fn unix_path(address: &SockAddr, out: &mut [u8]) -> usize {
    // SAFETY: the caller has asked `is_unix`, and the storage is longer than any address and initialised throughout.
    let address = unsafe { &*address.as_ptr().cast::<winsock::SOCKADDR_UN>() };
    let path = address.sun_path.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0);
    out.iter_mut().zip(path).map(|(to, from)| *to = from).count()
}

/// The path of a unix address that has one. Windows keeps it in UTF-8.
pub(crate) fn pathname(address: &SockAddr) -> Option<PathBuf> {
    let mut bytes = [0; UNIX_PATH_LENGTH + 1];
    let length = if address.is_unix() { unix_path(address, &mut bytes) } else { 0 };
    let path = std::str::from_utf8(&bytes[..length]).ok()?;
    (length > 0).then(|| PathBuf::from(path))
}

/// The unix address of a path or of nothing (unnamed). Windows has no abstract names.
pub(crate) fn unix_address(path: &[u8]) -> io::Result<SockAddr> {
    let path = std::str::from_utf8(path).map_err(|_| io::ErrorKind::InvalidInput)?;
    if path.starts_with('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Of all strings, socket2 refuses only what is too long.
    SockAddr::unix(path).map_err(|_| io::Error::from_raw_os_error(winsock::WSAENAMETOOLONG))
}

/// Windows makes no pairs.
pub(crate) fn pair(_: Type) -> io::Result<(Socket, Socket)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The longest path of a unix socket: one byte of the field is for the NUL at its end.
pub const UNIX_PATH_LENGTH: usize = 107;

/// SO_EXCLUSIVEADDRUSE: without it anyone may take the address from a listener. TIME_WAIT is no obstacle on Windows.
pub(crate) fn set_customary_for_listeners(socket: &Socket) -> io::Result<()> {
    // SAFETY: it is a BOOL, a number.
    unsafe { set_option(socket, winsock::SOL_SOCKET, winsock::SO_EXCLUSIVEADDRUSE, &1i32) }
}

/// The number of the interface of that name: the one people know it by (`Ethernet`), or the system's own (`ethernet_32769`).
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let mut luid = NET_LUID_LH { Value: 0 };
    let mut index = 0;
    // SAFETY: the string ends with a NUL and lives beyond the call; the others are to live locals.
    unsafe {
        if ConvertInterfaceAliasToLuid(wide.as_ptr(), &mut luid) == 0
            && ConvertInterfaceLuidToIndex(&luid, &mut index) == 0
        {
            return Some(index);
        }
    }
    let name = CString::new(name).ok()?;
    // SAFETY: if_nametoindex only reads the string, which ends with a NUL byte and lives beyond the call.
    let index = unsafe { if_nametoindex(name.as_ptr().cast()) };
    (index != 0).then_some(index)
}

/// Joins or leaves a source-specific group by RFC 3678's options, which both families share.
pub(crate) fn change_source_group(
    socket: &Socket,
    join: bool,
    interface: u32,
    group: &SockAddr,
    source: &SockAddr,
) -> io::Result<()> {
    let level = if group.is_ipv4() { winsock::IPPROTO_IP } else { winsock::IPPROTO_IPV6 };
    let name = if join { winsock::MCAST_JOIN_SOURCE_GROUP } else { winsock::MCAST_LEAVE_SOURCE_GROUP };
    let request =
        winsock::GROUP_SOURCE_REQ { gsr_interface: interface, gsr_group: storage(group), gsr_source: storage(source) };
    // SAFETY: the two options take a GROUP_SOURCE_REQ.
    unsafe { set_option(socket, level, name as i32, &request) }
}

fn storage(address: &SockAddr) -> winsock::SOCKADDR_STORAGE {
    // SAFETY: a SockAddr holds a whole SOCKADDR_STORAGE, initialised throughout.
    unsafe { address.as_ptr().cast::<winsock::SOCKADDR_STORAGE>().read() }
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

/// Whether there are datagram sockets of ICMP.
pub(crate) const ECHO_DATAGRAMS: bool = false;

/// There are none.
pub(crate) fn hear_errors(_: &Socket, _: Domain) -> io::Result<()> {
    Ok(())
}

/// The system keeps no record of errors.
pub(crate) fn forget_error(_: &Socket) {}

/// Windows does not tell.
pub(crate) fn peer_credentials(_: &Socket) -> io::Result<Credentials> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The records that one of getaddrinfo's stands for. Windows leaves out what was left open: it gives one of no kind where
/// others give one for each, and no protocol.
pub(crate) fn spelled_out(found: Found) -> Vec<Found> {
    const USUAL: [(i32, i32); 3] = [(1, winsock::IPPROTO_TCP), (2, winsock::IPPROTO_UDP), (3, 0)];
    let meant = |&(kind, protocol): &(i32, i32)| {
        (found.kind == 0 || found.kind == kind) && (found.protocol == 0 || found.protocol == protocol || kind == 3)
    };
    let spelled = |(kind, protocol)| Found {
        kind,
        protocol: if found.protocol == 0 { protocol } else { found.protocol },
        ..found.clone()
    };
    USUAL.into_iter().filter(meant).map(spelled).collect()
}

/// getnameinfo's NI_NAMEREQD: no name is an error rather than digits.
pub(crate) const NAME_REQUIRED: i32 = winsock::NI_NAMEREQD as i32;

/// getaddrinfo's flags for ours.
pub(crate) fn lookup_flags(flags: u32) -> i32 {
    [
        (flag::PASSIVE, winsock::AI_PASSIVE),
        (flag::CANON_NAME, winsock::AI_CANONNAME),
        (flag::NUMERIC_HOST, winsock::AI_NUMERICHOST),
        (flag::NUMERIC_SERVICE, winsock::AI_NUMERICSERV),
        (flag::ALL, winsock::AI_ALL),
        (flag::V4_MAPPED, winsock::AI_V4MAPPED),
        (flag::ADDR_CONFIG, winsock::AI_ADDRCONFIG),
    ]
    .into_iter()
    .filter(|(ours, _)| flags & ours != 0)
    .fold(0, |sum, (_, theirs)| sum | theirs as i32)
}

/// The name of getaddrinfo's error.
pub(crate) fn lookup_code(error: i32) -> Option<&'static str> {
    Some(match error {
        winsock::WSAHOST_NOT_FOUND => "EAI_NONAME",
        winsock::WSANO_DATA => "EAI_NODATA",
        winsock::WSATRY_AGAIN => "EAI_AGAIN",
        winsock::WSAEINVAL => "EAI_BADFLAGS",
        winsock::WSANO_RECOVERY => "EAI_FAIL",
        winsock::WSAEAFNOSUPPORT => "EAI_FAMILY",
        winsock::WSA_NOT_ENOUGH_MEMORY => "EAI_MEMORY",
        winsock::WSATYPE_NOT_FOUND => "EAI_SERVICE",
        winsock::WSAESOCKTNOSUPPORT => "EAI_SOCKTYPE",
        _ => return None,
    })
}

/// Reads any option: fills `into`, and tells how far.
pub(crate) fn read_option(socket: &Socket, (level, name): (i32, i32), into: &mut [u8]) -> io::Result<usize> {
    into.fill(0);
    let mut length = into.len() as i32;
    // SAFETY: the SOCKET is open while `socket` is borrowed, and `into` has room for `length` bytes.
    let result = unsafe {
        let socket = socket.as_raw_socket() as winsock::SOCKET;
        winsock::getsockopt(socket, level, name, into.as_mut_ptr(), &mut length)
    };
    if result == 0 {
        Ok(into.len().min(length as usize))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets any option.
pub(crate) fn write_option(socket: &Socket, (level, name): (i32, i32), value: &[u8]) -> io::Result<()> {
    // SAFETY: the SOCKET is open while `socket` is borrowed, and `value` has the length that is said.
    let result = unsafe {
        let socket = socket.as_raw_socket() as winsock::SOCKET;
        winsock::setsockopt(socket, level, name, value.as_ptr(), value.len() as i32)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Reads an option.
///
/// # Safety
/// Any bytes must be a `T`.
unsafe fn option<T: Default>(socket: &Socket, level: i32, name: i32) -> io::Result<T> {
    let mut value = T::default();
    let mut length = size_of::<T>() as i32;
    // SAFETY: the SOCKET is open while `socket` is borrowed, and `value` has room for `length` bytes.
    let result = unsafe {
        let socket = socket.as_raw_socket() as winsock::SOCKET;
        winsock::getsockopt(socket, level, name, (&raw mut value).cast(), &mut length)
    };
    if result == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets an option.
///
/// # Safety
/// The system must take a `T` for this option.
unsafe fn set_option<T>(socket: &Socket, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: the SOCKET is open while `socket` is borrowed, and `value` has the length that is said.
    let result = unsafe {
        let socket = socket.as_raw_socket() as winsock::SOCKET;
        winsock::setsockopt(socket, level, name, (&raw const *value).cast(), size_of::<T>() as i32)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// WSAENOBUFS, of our own making.
pub(crate) fn no_buffers() -> io::Error {
    io::Error::from_raw_os_error(winsock::WSAENOBUFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: io::Error) -> Option<i32> {
        error.raw_os_error()
    }

    #[test]
    fn a_connection_that_is_gone_before_it_is_accepted_is_no_fault_of_the_listener() {
        let accept_code = |error| code(accept_error(io::Error::from_raw_os_error(error)));
        for error in [winsock::WSAECONNRESET, winsock::WSAENOTCONN] {
            assert_eq!(accept_code(error), Some(winsock::WSAECONNABORTED));
        }
        assert_eq!(accept_code(winsock::WSAEMFILE), Some(winsock::WSAEMFILE));
    }

    #[test]
    fn a_dead_port_is_told_to_a_connected_sender_only() {
        let datagrams = open(Domain::IPV4, Type::DGRAM, None).unwrap();
        let stream = open(Domain::IPV4, Type::STREAM, None).unwrap();
        let late = |socket, error| late_error(socket, io::Error::from_raw_os_error(error));
        for error in [winsock::WSAECONNRESET, winsock::WSAENETRESET] {
            assert_eq!(late(&datagrams, error).kind(), io::ErrorKind::Interrupted);
            assert_eq!(code(late(&stream, error)), Some(error));
        }
        assert_eq!(code(late(&datagrams, winsock::WSAEMSGSIZE)), Some(winsock::WSAEMSGSIZE));
        datagrams.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, 9)).into()).unwrap();
        for error in [winsock::WSAECONNRESET, winsock::WSAENETRESET] {
            assert_eq!(code(late(&datagrams, error)), Some(winsock::WSAECONNREFUSED));
        }
    }
}
