//! What Windows calls its errors, and what Node calls them.

use windows_sys::Win32::Foundation as foundation;
use windows_sys::Win32::Networking::WinSock as winsock;

/// Node's number for a Windows code.
pub(crate) fn error_code(system: i32) -> i32 {
    ERRORS.iter().find(|error| error.system == system as u32).map_or(crate::error::UNKNOWN, |error| error.code)
}

/// One row of `ERRORS`.
pub(crate) struct SystemError {
    /// What Windows says.
    system: u32,
    /// Node's number.
    pub(crate) code: i32,
    /// Node's name.
    pub(crate) name: &'static str,
}

macro_rules! errors {
    ($($($system:expr),* => $code:literal $name:ident;)*) => {
        &[$($(SystemError { system: $system as u32, code: $code, name: stringify!($name) },)*)*]
    };
}

/// The errors that Node names, as far as sockets give them: Windows' codes, then Node's number and name.
///
/// libuv leaves some of Winsock's codes UNKNOWN (WSAENETDOWN, WSAEHOSTDOWN, WSAENOPROTOOPT, WSAEOPNOTSUPP …). Here they have
/// the name that the same failure has on other systems.
pub(crate) const ERRORS: &[SystemError] = errors! {
    winsock::WSAEACCES, foundation::ERROR_ACCESS_DENIED, foundation::ERROR_NOACCESS => -4092 EACCES;
    winsock::WSAEADDRINUSE, foundation::ERROR_ADDRESS_ALREADY_ASSOCIATED => -4091 EADDRINUSE;
    winsock::WSAEADDRNOTAVAIL => -4090 EADDRNOTAVAIL;
    winsock::WSAEAFNOSUPPORT, winsock::WSAEPFNOSUPPORT => -4089 EAFNOSUPPORT;
    winsock::WSAEWOULDBLOCK => -4088 EAGAIN;
    winsock::WSAEALREADY, winsock::WSAEINPROGRESS => -4084 EALREADY;
    winsock::WSAEBADF, foundation::ERROR_INVALID_HANDLE => -4083 EBADF;
    foundation::ERROR_BUSY, foundation::ERROR_PIPE_BUSY => -4082 EBUSY;
    foundation::ERROR_OPERATION_ABORTED, winsock::WSAECANCELLED, winsock::WSA_E_CANCELLED => -4081 ECANCELED;
    winsock::WSAECONNABORTED, foundation::ERROR_CONNECTION_ABORTED => -4079 ECONNABORTED;
    winsock::WSAECONNREFUSED, foundation::ERROR_CONNECTION_REFUSED => -4078 ECONNREFUSED;
    winsock::WSAECONNRESET, winsock::WSAENETRESET, foundation::ERROR_NETNAME_DELETED => -4077 ECONNRESET;
    winsock::WSAEDESTADDRREQ => -4076 EDESTADDRREQ;
    foundation::ERROR_ALREADY_EXISTS, foundation::ERROR_FILE_EXISTS => -4075 EEXIST;
    winsock::WSAEFAULT => -4074 EFAULT;
    winsock::WSAEHOSTUNREACH, foundation::ERROR_HOST_UNREACHABLE => -4073 EHOSTUNREACH;
    winsock::WSAEINTR => -4072 EINTR;
    winsock::WSAEINVAL, foundation::ERROR_INVALID_PARAMETER => -4071 EINVAL;
    foundation::ERROR_GEN_FAILURE, foundation::ERROR_IO_DEVICE => -4070 EIO;
    winsock::WSAEISCONN => -4069 EISCONN;
    winsock::WSAELOOP => -4067 ELOOP;
    winsock::WSAEMFILE, foundation::ERROR_TOO_MANY_OPEN_FILES => -4066 EMFILE;
    winsock::WSAEMSGSIZE => -4065 EMSGSIZE;
    winsock::WSAENAMETOOLONG, foundation::ERROR_FILENAME_EXCED_RANGE => -4064 ENAMETOOLONG;
    winsock::WSAENETDOWN => -4063 ENETDOWN;
    winsock::WSAENETUNREACH, foundation::ERROR_NETWORK_UNREACHABLE => -4062 ENETUNREACH;
    winsock::WSAENOBUFS => -4060 ENOBUFS;
    foundation::ERROR_FILE_NOT_FOUND, foundation::ERROR_PATH_NOT_FOUND => -4058 ENOENT;
    foundation::ERROR_NOT_ENOUGH_MEMORY, foundation::ERROR_OUTOFMEMORY => -4057 ENOMEM;
    foundation::ERROR_DISK_FULL => -4055 ENOSPC;
    winsock::WSASYSCALLFAILURE, foundation::ERROR_CALL_NOT_IMPLEMENTED => -4054 ENOSYS;
    winsock::WSAENOTCONN, foundation::ERROR_NOT_CONNECTED => -4053 ENOTCONN;
    foundation::ERROR_DIRECTORY => -4052 ENOTDIR;
    winsock::WSAENOTEMPTY, foundation::ERROR_DIR_NOT_EMPTY => -4051 ENOTEMPTY;
    winsock::WSAENOTSOCK => -4050 ENOTSOCK;
    winsock::WSAEOPNOTSUPP, foundation::ERROR_NOT_SUPPORTED => -4049 ENOTSUP;
    foundation::ERROR_PRIVILEGE_NOT_HELD => -4048 EPERM;
    winsock::WSAESHUTDOWN, foundation::ERROR_BROKEN_PIPE, foundation::ERROR_NO_DATA => -4047 EPIPE;
    winsock::WSAEPROTONOSUPPORT => -4045 EPROTONOSUPPORT;
    winsock::WSAEPROTOTYPE => -4044 EPROTOTYPE;
    winsock::WSAETIMEDOUT, foundation::ERROR_SEM_TIMEOUT => -4039 ETIMEDOUT;
    winsock::WSAENOPROTOOPT => -4035 ENOPROTOOPT;
    winsock::WSAEHOSTDOWN => -4031 EHOSTDOWN;
    winsock::WSAESOCKTNOSUPPORT => -4025 ESOCKTNOSUPPORT;
};
