//! The errors of the system as Node numbers and names them.
//!
//! On Unix Node's number is the negative errno; on Windows it is a number of libuv's own. Each system brings one table
//! (`sys::ERRORS`) of numbers and names; everything here is read from it.

use std::io;

use crate::sys;

/// `EAGAIN`: the system would have to wait. The poller says when to try again.
pub const WOULD_BLOCK: i32 = number("EAGAIN");
/// `EBADF`: there is no such socket, or no longer.
pub const BAD_HANDLE: i32 = number("EBADF");
/// `EINVAL`: an argument that makes no sense here.
pub const INVALID: i32 = number("EINVAL");
/// `EPROTOTYPE`: a socket of another kind.
pub const WRONG_KIND: i32 = number("EPROTOTYPE");
/// `ENOPROTOOPT`: a socket without that option.
pub const NO_SUCH_OPTION: i32 = number("ENOPROTOOPT");
/// `ENOTSUP`: this system does not have it.
pub const UNSUPPORTED: i32 = number("ENOTSUP");
/// `ENOBUFS`: a queue or buffer of the system or of ours is full.
pub const NO_BUFFERS: i32 = number("ENOBUFS");
/// `EMFILE`: no more descriptors, or no more room in the table of sockets.
pub const TOO_MANY_OPEN: i32 = number("EMFILE");
/// `ETIMEDOUT`: what a deadline of the caller's is called, too.
pub const TIMED_OUT: i32 = number("ETIMEDOUT");
/// A panic of ours, caught at the boundary and reported on stderr; its name is `ERR_INTERNAL`.
pub const PANICKED: i32 = -4999;
/// No error of the system, either: of what was received on one socket the system took only a part to be sent on another, or nothing.
pub const PARTLY: i32 = -4998;
/// Node's number for what has no name.
pub const UNKNOWN: i32 = -4094;

/// Node's number of an error: always negative.
///
/// An error of ours, without a system's code, goes by its kind: `InvalidInput` is `EINVAL`, `WouldBlock` is `EAGAIN`.
pub fn code(error: &io::Error) -> i32 {
    match error.raw_os_error() {
        Some(system) => sys::error_code(system),
        None => of_kind(error.kind()),
    }
}

/// Node's name of a number that [`code`] gave: `"ECONNREFUSED"`; what is not in the table is `"UNKNOWN"`.
pub fn name(code: i32) -> &'static str {
    if code == PANICKED {
        return "ERR_INTERNAL";
    }
    sys::ERRORS.iter().find(|error| error.code == code).map_or("UNKNOWN", |error| error.name)
}

const fn of_kind(kind: io::ErrorKind) -> i32 {
    use io::ErrorKind::*;
    match kind {
        AddrInUse => const { number("EADDRINUSE") },
        AddrNotAvailable => const { number("EADDRNOTAVAIL") },
        AlreadyExists => const { number("EEXIST") },
        BrokenPipe => const { number("EPIPE") },
        ConnectionAborted => const { number("ECONNABORTED") },
        ConnectionRefused => const { number("ECONNREFUSED") },
        ConnectionReset => const { number("ECONNRESET") },
        HostUnreachable => const { number("EHOSTUNREACH") },
        Interrupted => const { number("EINTR") },
        InvalidFilename => const { number("ENAMETOOLONG") },
        InvalidInput => INVALID,
        NetworkDown => const { number("ENETDOWN") },
        NetworkUnreachable => const { number("ENETUNREACH") },
        NotConnected => const { number("ENOTCONN") },
        NotFound => const { number("ENOENT") },
        OutOfMemory => const { number("ENOMEM") },
        PermissionDenied => const { number("EACCES") },
        ResourceBusy => const { number("EBUSY") },
        TimedOut => const { number("ETIMEDOUT") },
        Unsupported => UNSUPPORTED,
        WouldBlock => WOULD_BLOCK,
        _ => UNKNOWN,
    }
}

/// Looks a name up while compiling; a name the table lacks does not compile.
const fn number(name: &str) -> i32 {
    let mut index = 0;
    while index < sys::ERRORS.len() {
        if same(sys::ERRORS[index].name, name) {
            return sys::ERRORS[index].code;
        }
        index += 1;
    }
    panic!("not in sys::ERRORS")
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}
