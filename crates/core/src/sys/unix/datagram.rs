//! One datagram, with what the system tells of it.

use std::ffi::c_int;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use socket2::{SockAddr, SockAddrStorage, Socket};

use super::super::{told, RECEIVE_FLAGS};
use super::control::{self, number};
use crate::datagram::{Envelope, Told};

/// Room for all that the options of a socket have the system tell of one datagram, more than twice over.
pub(crate) type Control = control::Space<64>;

/// Receives a datagram.
pub(crate) fn recv_message(socket: &Socket, buffer: &mut [MaybeUninit<u8>], _: bool) -> io::Result<Envelope> {
    let mut from = SockAddrStorage::zeroed();
    let mut control: MaybeUninit<Control> = MaybeUninit::uninit();
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: zeroes are a message of nothing.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_name = (&raw mut from).cast();
    message.msg_namelen = from.size_of();
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the descriptor is open while `socket` is borrowed; the message points to live locals and to `buffer`, which may be written.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, RECEIVE_FLAGS) };
    let length = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the system has just filled the message, whose parts live.
    Ok(unsafe { envelope(&message, length, from) })
}

/// What a message tells that has come.
///
/// # Safety
/// The system has filled the message, and `from` for it; its control part is still there.
pub(crate) unsafe fn envelope(message: &libc::msghdr, length: usize, from: SockAddrStorage) -> Envelope {
    let mut told = Told::default();
    // SAFETY: as above.
    unsafe { control::each(message, |level, kind, data| read(&mut told, level, kind, data)) }
    Envelope {
        length,
        truncated: message.msg_flags & libc::MSG_TRUNC != 0,
        // SAFETY: the system has written an address of that length, or none: then it is zero, and of no family.
        from: unsafe { SockAddr::new(from, message.msg_namelen) },
        told,
    }
}

fn read(told: &mut Told, level: c_int, kind: c_int, data: &[u8]) {
    match (level, kind) {
        (libc::SOL_SOCKET, libc::SCM_RIGHTS) => close_all(data),
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMP) => told.time = time(data),
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            if let (Some(ip), Some(index)) = (data.first_chunk::<16>(), data.get(16..).and_then(number)) {
                told.to = Some(Ipv6Addr::from(*ip).into());
                told.interface = u32::try_from(index).ok();
            }
        }
        (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => told.hops = number(data).and_then(|hops| u8::try_from(hops).ok()),
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => told.traffic_class = number(data).map(|class| class as u8),
        _ => told::read(told, level, kind, data),
    }
}

/// The address at this place of a control message.
pub(crate) fn ipv4(data: &[u8], place: usize) -> Option<IpAddr> {
    Some(Ipv4Addr::from(*data.get(place..)?.first_chunk::<4>()?).into())
}

/// A number of one byte, or of four, as systems have it.
pub(crate) fn byte(data: &[u8]) -> Option<u8> {
    number(data).map(|number| number as u8).or_else(|| data.first().copied())
}

/// The milliseconds of a timeval.
fn time(data: &[u8]) -> Option<f64> {
    if data.len() < size_of::<libc::timeval>() {
        return None;
    }
    // SAFETY: it is numbers, and there are enough bytes; they need not be aligned.
    let time = unsafe { data.as_ptr().cast::<libc::timeval>().read_unaligned() };
    Some(time.tv_sec as f64 * 1000.0 + time.tv_usec as f64 / 1000.0)
}

/// Closes descriptors that nobody asked for.
fn close_all(data: &[u8]) {
    for fd in data.chunks_exact(size_of::<c_int>()).filter_map(number) {
        // SAFETY: SCM_RIGHTS are open descriptors, new to this process and nobody's yet.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}
