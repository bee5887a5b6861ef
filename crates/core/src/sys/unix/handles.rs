//! Descriptors beside data (SCM_RIGHTS), built and read by the macros of cmsg(3).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;

use socket2::Socket;

use super::super::{RECEIVE_FLAGS, SEND_FLAGS};
use super::control;

/// A descriptor that is closed when nobody takes it.
pub(crate) type OwnedHandle = OwnedFd;

/// Gives the descriptor to the caller.
pub(crate) fn number_of(handle: OwnedHandle) -> i64 {
    handle.into_raw_fd().into()
}

/// How many go at once: what Linux takes (SCM_MAX_FD).
pub const MOST_HANDLES: usize = 253;

/// Room for that many and for whatever else the socket's options let come along, aligned as headers are.
type Control = control::Space<256>;

/// Sends descriptors along with data.
pub(crate) fn send_handles(socket: &Socket, data: &[u8], handles: &[RawFd]) -> io::Result<usize> {
    if handles.len() > MOST_HANDLES {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let bytes = size_of_val(handles) as libc::c_uint;
    let mut control: Control = [0; 256];
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: zeroes are a message of nothing.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if !handles.is_empty() {
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: the control buffer has room for the most handles, which were counted, behind one header; the macros find their
        // places in it.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(bytes) as _;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(bytes) as _;
            ptr::copy_nonoverlapping(handles.as_ptr().cast::<u8>(), libc::CMSG_DATA(header), bytes as usize);
        }
    }
    // SAFETY: the descriptor is open while `socket` is borrowed; the message points to live locals and to `data`, which is only read.
    let count = unsafe { libc::sendmsg(socket.as_raw_fd(), &message, SEND_FLAGS) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Receives data, and the descriptors that came with it: the count of bytes, and whether something did not fit.
pub(crate) fn recv_handles(
    socket: &Socket,
    buffer: &mut [MaybeUninit<u8>],
    handles: &mut Vec<OwnedHandle>,
) -> io::Result<(usize, bool)> {
    let mut control: Control = [0; 256];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: zeroes are a message of nothing.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the descriptor is open while `socket` is borrowed; the message points to live locals and to `buffer`, which may be written.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, RECEIVE_FLAGS) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the system has just filled the control part, which lives.
    unsafe {
        control::each(&message, |level, kind, data| {
            if (level, kind) != (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                return;
            }
            for fd in data.chunks_exact(size_of::<RawFd>()).filter_map(control::number) {
                // SAFETY: SCM_RIGHTS are open descriptors, new to this process and nobody's yet.
                handles.push(OwnedFd::from_raw_fd(fd));
                if RECEIVE_FLAGS == 0 {
                    // Without the flag a child that is made right now may inherit it; nothing better is to be had.
                    libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                }
            }
        });
    }
    Ok((count, message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0))
}
