//! What all Unixes share.

mod adopt;
pub(crate) mod control;
pub(crate) mod datagram;
mod handles;

use std::borrow::Cow;
use std::ffi::{CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use mio::event::Source as _;
use mio::unix::SourceFd;
use mio::{Interest, Poll, Registry, Token};
use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

use super::ABSTRACT_NAMES;
pub(crate) use adopt::*;
pub(crate) use datagram::recv_message;
pub use handles::MOST_HANDLES;
pub(crate) use handles::*;

use crate::lookup::{flag, Found};
use crate::ping::{Fate, Request};

/// epoll and kqueue report again whatever comes after a short read, so reading on until `WouldBlock` is not needed.
pub const SHORT_READ_DRAINS: bool = true;

/// A socket as the poller can watch it: by its descriptor.
pub(crate) struct Source(Socket);

impl Source {
    pub(crate) fn new(socket: Socket) -> Source {
        Source(socket)
    }

    /// The socket, for calls that never wait.
    pub(crate) fn get(&self) -> &Socket {
        &self.0
    }

    /// An operation that may wait. Readiness needs no re-arming here.
    #[inline]
    pub(crate) fn try_io<T>(&self, operation: impl FnOnce(&Socket) -> io::Result<T>) -> io::Result<T> {
        operation(&self.0)
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interest)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }

    pub(crate) fn number(&self) -> i64 {
        self.0.as_raw_fd().into()
    }

    /// Gives the descriptor to the caller.
    pub(crate) fn release(self) -> i64 {
        self.0.into_raw_fd().into()
    }
}

/// The descriptor of the epoll or kqueue instance.
pub(crate) fn poll_handle(poll: &Poll) -> Option<i64> {
    Some(poll.as_raw_fd().into())
}

/// The most of a stream that one call sends: 2 GiB is EINVAL on macOS.
pub(crate) const MOST_PER_SEND: usize = i32::MAX as usize;

/// The error of sending to the peer.
#[inline]
pub(crate) fn send_error(_: &Socket, error: io::Error) -> io::Error {
    error
}

/// The error of a call that tells of an earlier one.
#[inline]
pub(crate) fn late_error(_: &Socket, error: io::Error) -> io::Error {
    error
}

/// Where a packet to this address goes: "all interfaces" is this machine itself.
#[inline]
pub(crate) fn destination(address: &SockAddr) -> Cow<'_, SockAddr> {
    Cow::Borrowed(address)
}

/// Whether a TCP socket can connect after an attempt that failed. Linux: yes. macOS says EINVAL and FreeBSD ECONNABORTED or
/// EINVAL for ever (POSIX leaves the state unspecified; Node, Go and curl take a new socket everywhere).
pub(crate) const CONNECTS_AGAIN: bool = cfg!(linux);

/// Starts to connect; `WouldBlock` when it is under way.
///
/// EINTR is under way as well (POSIX: the connection goes on, and asking again would be EALREADY).
///
/// EAGAIN is a failure, not a wait: no event would ever follow. From a unix socket on Linux it means that the listener's
/// backlog is full (macOS and FreeBSD say ECONNREFUSED, Go and Node pass EAGAIN on, which readers take for "try again
/// when ready"): ECONNREFUSED here too. From an inet socket it means that no local port is free: EADDRNOTAVAIL.
///
/// ECONNABORTED at once is no verdict on this address: Linux tells once more that the attempt before this one failed, whose
/// own error has been read, and does nothing else. Asked again it begins.
pub(crate) fn connect(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    let begun = match socket.connect(address) {
        Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => socket.connect(address),
        result => result,
    };
    begun.map_err(|error| match error.raw_os_error() {
        Some(libc::EINPROGRESS | libc::EINTR) => io::ErrorKind::WouldBlock.into(),
        Some(libc::EAGAIN) if address.is_unix() => io::Error::from_raw_os_error(libc::ECONNREFUSED),
        Some(libc::EAGAIN) => io::Error::from_raw_os_error(libc::EADDRNOTAVAIL),
        _ => error,
    })
}

/// Whether the attempt to connect has succeeded.
pub(crate) fn is_connected(socket: &Socket) -> io::Result<bool> {
    Ok(socket.peer_addr().is_ok())
}

/// Takes the peer away. macOS and the BSDs do it and report EAFNOSUPPORT or EINVAL all the same (libuv ignores both too).
pub(crate) fn disconnect(socket: &Socket) -> io::Result<()> {
    match socket.connect(&no_address()) {
        Err(error) if cfg!(not(linux)) && matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EINVAL)) => {
            Ok(())
        }
        result => result,
    }
}

/// Copies the path of a unix address to `out`, an abstract name with its NUL byte in front; 0 when it is unnamed.
pub(crate) fn unix_path(address: &SockAddr, out: &mut [u8]) -> usize {
    if let Some(name) = address.as_abstract_namespace() {
        let length = name.len().min(out.len() - 1);
        out[0] = 0;
        out[1..=length].copy_from_slice(&name[..length]);
        return length + 1;
    }
    let path = address.as_pathname().map_or(&[][..], |path| path.as_os_str().as_bytes());
    // Some systems count the NUL bytes behind the path, too.
    let length = path.iter().position(|&byte| byte == 0).unwrap_or(path.len()).min(out.len());
    out[..length].copy_from_slice(&path[..length]);
    length
}

/// The path of a unix address that has one in the file system.
pub(crate) fn pathname(address: &SockAddr) -> Option<PathBuf> {
    address.as_pathname().map(Path::to_path_buf)
}

/// The unix address of a path, of an abstract name (a NUL byte in front), or of nothing (unnamed).
pub(crate) fn unix_address(path: &[u8]) -> io::Result<SockAddr> {
    if path.first() == Some(&0) && !ABSTRACT_NAMES {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Of all bytes, socket2 refuses only what is too long.
    SockAddr::unix(OsStr::from_bytes(path)).map_err(|_| io::Error::from_raw_os_error(libc::ENAMETOOLONG))
}

/// Two unix sockets, connected to each other.
pub(crate) fn pair(kind: Type) -> io::Result<(Socket, Socket)> {
    let (one, other) = Socket::pair(Domain::UNIX, kind, None)?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    Ok((one, other))
}

/// The longest path of a unix socket: one byte of the field is for the NUL at its end.
pub const UNIX_PATH_LENGTH: usize =
    size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path) - 1;

/// What tells a file from another that takes its name.
#[derive(PartialEq, Eq)]
pub(crate) struct FileIdentity(u64, u64);

/// The identity of what is at a path, links not followed.
pub(crate) fn file_identity(path: &Path) -> Option<FileIdentity> {
    let file = std::fs::symlink_metadata(path).ok()?;
    Some(FileIdentity(file.dev(), file.ino()))
}

/// Whether there is a socket at a path.
pub(crate) fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

/// SO_REUSEADDR lets a server take its port again at once after a restart; nobody can take it from a listener with that.
/// Unix paths know nothing of it.
pub(crate) fn set_customary_for_listeners(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// The number of the interface of that name.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: if_nametoindex only reads the string, which ends with a NUL byte and lives beyond the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
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
    let level = if group.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
    let name = if join { libc::MCAST_JOIN_SOURCE_GROUP } else { libc::MCAST_LEAVE_SOURCE_GROUP };
    // SAFETY: zeroes are a request without addresses, and so is what padding it has; it is plain numbers throughout.
    let mut request: libc::group_source_req = unsafe { std::mem::zeroed() };
    request.gsr_interface = interface;
    request.gsr_group = storage(group);
    request.gsr_source = storage(source);
    // SAFETY: the descriptor is open while `socket` is borrowed, and `request` has the length that is said.
    let result = unsafe {
        let length = size_of_val(&request) as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const request).cast(), length)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn storage(address: &SockAddr) -> libc::sockaddr_storage {
    // SAFETY: a SockAddr holds a whole sockaddr_storage, initialised throughout.
    unsafe { address.as_ptr().cast::<libc::sockaddr_storage>().read() }
}

/// Reads an option that socket2 does not know.
///
/// # Safety
/// Any bytes must make a `T`, and the system writes no other than a `T` for this option.
pub(super) unsafe fn option<T>(socket: &Socket, level: libc::c_int, name: libc::c_int) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is open while `socket` is borrowed, and `value` has room for `length` bytes.
    unsafe {
        if libc::getsockopt(socket.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &mut length) == 0 {
            Ok(value.assume_init())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// Reads any option: fills `into`, and tells how far.
pub(crate) fn read_option(socket: &Socket, (level, name): (i32, i32), into: &mut [u8]) -> io::Result<usize> {
    // Some options take a pointer from what is there and write where it leads.
    into.fill(0);
    let mut length = into.len() as libc::socklen_t;
    // SAFETY: the descriptor is open while `socket` is borrowed, and `into` has room for `length` bytes.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, into.as_mut_ptr().cast(), &mut length) };
    if result == 0 {
        Ok(into.len().min(length as usize))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets any option. Where the bytes have pointers in them, the system reads what they lead to, and says EFAULT if it cannot.
pub(crate) fn write_option(socket: &Socket, (level, name): (i32, i32), value: &[u8]) -> io::Result<()> {
    // SAFETY: the descriptor is open while `socket` is borrowed, and `value` has the length that is said.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), value.len() as libc::socklen_t)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The records that one of getaddrinfo's stands for: itself.
pub(crate) fn spelled_out(found: Found) -> [Found; 1] {
    [found]
}

/// getnameinfo's NI_NAMEREQD: no name is an error rather than digits.
pub(crate) const NAME_REQUIRED: i32 = libc::NI_NAMEREQD;

/// getaddrinfo's flags for ours.
pub(crate) fn lookup_flags(flags: u32) -> i32 {
    [
        (flag::PASSIVE, libc::AI_PASSIVE),
        (flag::CANON_NAME, libc::AI_CANONNAME),
        (flag::NUMERIC_HOST, libc::AI_NUMERICHOST),
        (flag::NUMERIC_SERVICE, libc::AI_NUMERICSERV),
        (flag::ALL, libc::AI_ALL),
        (flag::V4_MAPPED, libc::AI_V4MAPPED),
        (flag::ADDR_CONFIG, libc::AI_ADDRCONFIG),
    ]
    .into_iter()
    .filter(|(ours, _)| flags & ours != 0)
    .fold(0, |sum, (_, theirs)| sum | theirs)
}

/// The name of getaddrinfo's error; `None` when errno has it, or nobody.
pub(crate) fn lookup_code(error: i32) -> Option<&'static str> {
    // What the libc crate does not name everywhere: the numbers of glibc and musl, and those of the BSD family.
    const ADDRESS_FAMILY: i32 = if cfg!(linux) { -9 } else { 1 };
    #[cfg(not(target_os = "freebsd"))]
    if error == libc::EAI_NODATA {
        return Some("EAI_NODATA");
    }
    Some(match error {
        libc::EAI_NONAME => "EAI_NONAME",
        libc::EAI_AGAIN => "EAI_AGAIN",
        libc::EAI_BADFLAGS => "EAI_BADFLAGS",
        libc::EAI_FAIL => "EAI_FAIL",
        libc::EAI_FAMILY => "EAI_FAMILY",
        libc::EAI_MEMORY => "EAI_MEMORY",
        libc::EAI_OVERFLOW => "EAI_OVERFLOW",
        libc::EAI_SERVICE => "EAI_SERVICE",
        libc::EAI_SOCKTYPE => "EAI_SOCKTYPE",
        ADDRESS_FAMILY => "EAI_ADDRFAMILY",
        _ => return None,
    })
}

/// Node's number: the negative errno. EOPNOTSUPP is ENOTSUP's number on Linux and is its name for Node everywhere.
pub(crate) fn error_code(errno: i32) -> i32 {
    match errno {
        libc::EOPNOTSUPP => -libc::ENOTSUP,
        1.. => -errno,
        _ => crate::error::UNKNOWN,
    }
}

/// One row of `ERRORS`.
pub(crate) struct SystemError {
    /// Node's number.
    pub(crate) code: i32,
    /// Node's name.
    pub(crate) name: &'static str,
}

macro_rules! errors {
    ($($name:ident)*) => {
        &[$(SystemError { code: -libc::$name, name: stringify!($name) },)*]
    };
}

/// The errors that Node names, as far as sockets, files and processes give them.
pub(crate) const ERRORS: &[SystemError] = errors! {
    E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF EBUSY ECANCELED ECONNABORTED ECONNREFUSED
    ECONNRESET EDESTADDRREQ EEXIST EFAULT EFBIG EHOSTDOWN EHOSTUNREACH EILSEQ EINTR EINVAL EIO EISCONN EISDIR ELOOP EMFILE
    EMLINK EMSGSIZE ENAMETOOLONG ENETDOWN ENETUNREACH ENFILE ENOBUFS ENODEV ENOENT ENOMEM ENOPROTOOPT ENOSPC ENOSYS ENOTCONN
    ENOTDIR ENOTEMPTY ENOTSOCK ENOTSUP ENOTTY ENXIO EOVERFLOW EPERM EPIPE EPROTO EPROTONOSUPPORT EPROTOTYPE ERANGE EROFS
    ESHUTDOWN ESOCKTNOSUPPORT ESPIPE ESRCH ETIMEDOUT ETXTBSY EXDEV
    // Which Node does not name, but sockets give:
    EINPROGRESS ENETRESET EPFNOSUPPORT ETOOMANYREFS
};

/// An address of no family: connecting to it takes the peer away.
fn no_address() -> SockAddr {
    // SAFETY: zeroes are AF_UNSPEC, whose address has no content, and 16 bytes of the storage are initialised.
    unsafe { SockAddr::new(SockAddrStorage::zeroed(), 16) }
}

/// ENOBUFS, of our own making.
pub(crate) fn no_buffers() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOBUFS)
}

/// Whether the system sends echo requests by a call of its own: they go by sockets.
pub(crate) const SENDS_ECHOES: bool = false;

/// There is no such call.
pub(crate) fn ask(_: Request, _: Box<dyn FnOnce(Fate) + Send>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
