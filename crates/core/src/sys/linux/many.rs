//! Many datagrams in one call: recvmmsg(2), sendmmsg(2), and UDP's GRO and GSO of udp(7).

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::AsRawFd;

use socket2::{SockAddr, SockAddrStorage, Socket};

use crate::datagram::{Envelope, Message, MOST_AT_ONCE};
use crate::sys::datagram::{envelope, Control};
use crate::sys::{option, send_one_by_one, write_option, End, RECEIVE_FLAGS, SEND_FLAGS};

/// Where senders and what is told of datagrams go, and the heads that lead there.
pub(crate) struct Mailbox {
    heads: Vec<libc::mmsghdr>,
    parts: Vec<libc::iovec>,
    senders: Vec<SockAddrStorage>,
    controls: Vec<Control>,
}

impl Mailbox {
    pub(crate) fn new() -> Mailbox {
        // SAFETY: zeroes are a head of nothing, and a part of nothing.
        let (head, part) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Mailbox {
            heads: vec![head; MOST_AT_ONCE],
            parts: vec![part; MOST_AT_ONCE],
            senders: (0..MOST_AT_ONCE).map(|_| SockAddrStorage::zeroed()).collect(),
            controls: vec![[0; 64]; MOST_AT_ONCE],
        }
    }

    /// Receives what is there, as long as there are slots in `space`.
    pub(crate) fn receive(
        &mut self,
        socket: &Socket,
        space: &mut [MaybeUninit<u8>],
        slot: usize,
        _: bool,
        envelopes: &mut Vec<Envelope>,
    ) -> io::Result<End> {
        let Mailbox { heads, parts, senders, controls } = self;
        let mut most = 0;
        for (slot, ((head, part), (sender, control))) in
            space.chunks_mut(slot).zip(heads.iter_mut().zip(parts.iter_mut()).zip(senders.iter_mut().zip(controls)))
        {
            *part = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            let head = &mut head.msg_hdr;
            head.msg_name = (&raw mut *sender).cast();
            head.msg_namelen = sender.size_of();
            head.msg_iov = part;
            head.msg_iovlen = 1;
            head.msg_control = control.as_mut_ptr().cast();
            head.msg_controllen = size_of::<Control>() as _;
            most += 1;
        }
        // SAFETY: the descriptor is open while `socket` is borrowed; that many heads point to memory of ours that may be written.
        let count = unsafe {
            let flags = (RECEIVE_FLAGS | libc::MSG_DONTWAIT) as _;
            libc::recvmmsg(socket.as_raw_fd(), heads.as_mut_ptr(), most as _, flags, std::ptr::null_mut())
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (head, sender) in heads[..count].iter().zip(senders.iter_mut()) {
            let sender = mem::replace(sender, SockAddrStorage::zeroed());
            // SAFETY: the system has filled this head and the sender for it.
            envelopes.push(unsafe { envelope(&head.msg_hdr, head.msg_len as usize, sender) });
        }
        // An error behind them stays with the socket, which has told the poller of it.
        Ok(if count < most { End::Empty } else { End::Full })
    }
}

/// Sends datagrams until one does not go: how many went, and why the next one did not, if that is known.
pub(crate) fn send_many(socket: &Socket, messages: &[Message<'_>]) -> io::Result<(usize, Option<io::Error>)> {
    // What routers and receivers have said is told to who has a peer, once, and sendmmsg keeps it to itself behind those that went.
    if messages.iter().any(|message| message.to.is_none()) {
        return send_one_by_one(socket, messages);
    }
    // SAFETY: zeroes are a head of nothing, and a part of nothing.
    let (mut heads, mut parts): ([libc::mmsghdr; MOST_AT_ONCE], [libc::iovec; MOST_AT_ONCE]) = unsafe { mem::zeroed() };
    let mut count = 0;
    for (message, (head, part)) in messages.iter().zip(heads.iter_mut().zip(&mut parts)) {
        *part = libc::iovec { iov_base: message.data.as_ptr().cast_mut().cast(), iov_len: message.data.len() };
        let head = &mut head.msg_hdr;
        head.msg_iov = part;
        head.msg_iovlen = 1;
        if let Some(to) = &message.to {
            head.msg_name = to.as_ptr().cast_mut().cast();
            head.msg_namelen = to.len();
        }
        count += 1;
    }
    // SAFETY: the descriptor is open while `socket` is borrowed; that many heads point to data and addresses, which are only read.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), heads.as_mut_ptr(), count, SEND_FLAGS as _) };
    let sent = usize::try_from(sent).map_err(|_| io::Error::last_os_error())?;
    Ok((sent, None))
}

/// Has the system put datagrams together.
pub(crate) fn coalesce(socket: &Socket) -> io::Result<()> {
    write_option(socket, (libc::SOL_UDP, libc::UDP_GRO), &1i32.to_ne_bytes())
}

/// Whether the system puts datagrams together.
pub(crate) fn coalesces(socket: &Socket) -> io::Result<bool> {
    // SAFETY: UDP_GRO is a number.
    Ok(unsafe { option::<libc::c_int>(socket, libc::SOL_UDP, libc::UDP_GRO)? } != 0)
}

/// Whether the system splits what it sends over this socket. Only UDP knows the option; others would send the whole as one.
pub(crate) fn splits(socket: &Socket) -> io::Result<bool> {
    // SAFETY: UDP_SEGMENT is a number.
    unsafe { option::<libc::c_int>(socket, libc::SOL_UDP, libc::UDP_SEGMENT) }.map(|_| true)
}

/// Sends data that the system splits into datagrams of `size` bytes.
pub(crate) fn send_split(socket: &Socket, data: &[u8], size: usize, to: Option<&SockAddr>) -> io::Result<usize> {
    let size = u16::try_from(size).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut control = [0u64; 4];
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: zeroes are a message of nothing.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if let Some(to) = to {
        message.msg_name = to.as_ptr().cast_mut().cast();
        message.msg_namelen = to.len();
    }
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: the control buffer has room for a header and two bytes; the macros find their places in it.
    unsafe {
        message.msg_controllen = libc::CMSG_SPACE(2) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_UDP;
        (*header).cmsg_type = libc::UDP_SEGMENT;
        (*header).cmsg_len = libc::CMSG_LEN(2) as _;
        libc::CMSG_DATA(header).cast::<u16>().write_unaligned(size);
    }
    // SAFETY: the descriptor is open while `socket` is borrowed; the message points to live locals, and to `data` and `to`, which
    // are only read.
    let count = unsafe { libc::sendmsg(socket.as_raw_fd(), &message, SEND_FLAGS) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Whether an error is about splitting, and then whether it will be so every time: a card that cannot make checksums says EIO. EINVAL and
/// EMSGSIZE are about these datagrams on this way.
pub(crate) fn refusal_to_split(error: &io::Error) -> Option<bool> {
    match error.raw_os_error() {
        Some(libc::EIO | libc::EOPNOTSUPP) => Some(true),
        Some(libc::EINVAL | libc::EMSGSIZE) => Some(false),
        _ => None,
    }
}
