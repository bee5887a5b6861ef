//! Numbers and names of errors.

use std::io;

use socket2_core::error::{self, code, name};

#[test]
fn every_kind_without_a_system_code_has_a_negative_number() {
    use io::ErrorKind::*;
    for (kind, expected) in [
        (WouldBlock, "EAGAIN"),
        (InvalidInput, "EINVAL"),
        (InvalidFilename, "ENAMETOOLONG"),
        (Unsupported, "ENOTSUP"),
        (ConnectionRefused, "ECONNREFUSED"),
        (PermissionDenied, "EACCES"),
        (TimedOut, "ETIMEDOUT"),
        (NotConnected, "ENOTCONN"),
        (BrokenPipe, "EPIPE"),
        (Other, "UNKNOWN"),
    ] {
        let number = code(&kind.into());
        assert!(number < 0);
        assert_eq!(name(number), expected);
    }
}

#[test]
fn constants_have_the_names_they_say() {
    assert_eq!(name(error::WOULD_BLOCK), "EAGAIN");
    assert_eq!(name(error::BAD_HANDLE), "EBADF");
    assert_eq!(name(error::INVALID), "EINVAL");
    assert_eq!(name(error::UNSUPPORTED), "ENOTSUP");
    assert_eq!(name(error::NO_BUFFERS), "ENOBUFS");
    assert_eq!(name(error::UNKNOWN), "UNKNOWN");
}

#[test]
fn numbers_that_mean_nothing_are_unknown() {
    for number in [0, 1, 98, i32::MIN, i32::MAX, -99_999] {
        assert_eq!(name(number), "UNKNOWN");
    }
    for system in [0, -5, i32::MIN] {
        assert_eq!(code(&io::Error::from_raw_os_error(system)), error::UNKNOWN);
    }
}

#[cfg(unix)]
#[test]
fn a_system_code_is_the_negative_errno() {
    for (errno, expected) in [
        (libc::EAGAIN, "EAGAIN"),
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::EADDRINUSE, "EADDRINUSE"),
        (libc::EMFILE, "EMFILE"),
        (libc::EPIPE, "EPIPE"),
        (libc::ENOPROTOOPT, "ENOPROTOOPT"),
        (libc::EOPNOTSUPP, "ENOTSUP"),
    ] {
        let number = code(&io::Error::from_raw_os_error(errno));
        assert!(number < 0);
        assert_eq!(name(number), expected);
    }
    assert_eq!(code(&io::Error::from_raw_os_error(libc::ECONNRESET)), -libc::ECONNRESET);
}

#[cfg(target_os = "linux")]
#[test]
fn the_numbers_are_those_of_node_on_linux() {
    for (number, expected) in [(-111, "ECONNREFUSED"), (-98, "EADDRINUSE"), (-104, "ECONNRESET"), (-11, "EAGAIN")] {
        assert_eq!(name(number), expected);
    }
}
