//! One datagram, with what the system tells of it: WSARecvMsg, which has to be asked for by a number.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::windows::io::AsRawSocket;
use std::ptr::null_mut;
use std::sync::OnceLock;

use socket2::{MaybeUninitSlice, SockAddr, SockAddrStorage, Socket};
use windows_sys::Win32::Networking::WinSock as winsock;

use super::{bind_anywhere, is_stream};
use crate::datagram::{Envelope, Told};

/// Receives a datagram; `tells`: with what the options of the socket have the system tell of it.
pub(crate) fn recv_message(socket: &Socket, buffer: &mut [MaybeUninit<u8>], tells: bool) -> io::Result<Envelope> {
    loop {
        let received = match receiver(socket).filter(|_| tells) {
            Some(receive) => recv_with_control(socket, buffer, receive),
            None => recv_plain(socket, buffer),
        };
        match received {
            Err(error) if error.raw_os_error() == Some(winsock::WSAEINVAL) && unbound(socket) => bind_anywhere(socket)?,
            result => return result,
        }
    }
}

fn unbound(socket: &Socket) -> bool {
    !is_stream(socket) && socket.local_addr().is_err()
}

fn recv_plain(socket: &Socket, buffer: &mut [MaybeUninit<u8>]) -> io::Result<Envelope> {
    let (length, flags, from) = socket.recv_from_vectored(&mut [MaybeUninitSlice::new(buffer)])?;
    let truncated = flags.is_truncated();
    // The count of a cut datagram is 0 in Wine; by definition it fills the buffer.
    let length = if truncated { buffer.len() } else { length };
    Ok(Envelope { length, truncated, from, told: Told::default() })
}

type Receive = unsafe extern "system" fn(
    winsock::SOCKET,
    *mut winsock::WSAMSG,
    *mut u32,
    *mut windows_sys::Win32::System::IO::OVERLAPPED,
    winsock::LPWSAOVERLAPPED_COMPLETION_ROUTINE,
) -> i32;

/// WSARecvMsg. It is the same for all sockets of the system's own protocols.
fn receiver(socket: &Socket) -> Option<Receive> {
    static FOUND: OnceLock<Option<Receive>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let asked = winsock::WSAID_WSARECVMSG;
        let mut found: Option<Receive> = None;
        let mut length = 0;
        // SAFETY: the SOCKET is open while `socket` is borrowed; the system reads a GUID and writes a pointer to a function of this
        // type, both of the lengths that are said.
        let result = unsafe {
            winsock::WSAIoctl(
                socket.as_raw_socket() as winsock::SOCKET,
                winsock::SIO_GET_EXTENSION_FUNCTION_POINTER,
                (&raw const asked).cast(),
                size_of_val(&asked) as u32,
                (&raw mut found).cast(),
                size_of_val(&found) as u32,
                &mut length,
                null_mut(),
                None,
            )
        };
        if result == 0 {
            found
        } else {
            None
        }
    })
}

fn recv_with_control(socket: &Socket, buffer: &mut [MaybeUninit<u8>], receive: Receive) -> io::Result<Envelope> {
    let mut from = SockAddrStorage::zeroed();
    let mut control = [0u64; 64];
    let mut part = winsock::WSABUF { len: buffer.len() as u32, buf: buffer.as_mut_ptr().cast() };
    let mut message = winsock::WSAMSG {
        name: (&raw mut from).cast(),
        namelen: from.size_of(),
        lpBuffers: &mut part,
        dwBufferCount: 1,
        Control: winsock::WSABUF { len: size_of_val(&control) as u32, buf: control.as_mut_ptr().cast() },
        dwFlags: 0,
    };
    let mut count = 0;
    // SAFETY: the SOCKET is open while `socket` is borrowed; the message points to live locals and to `buffer`, which may be written.
    let result =
        unsafe { receive(socket.as_raw_socket() as winsock::SOCKET, &mut message, &mut count, null_mut(), None) };
    let mut truncated = message.dwFlags & winsock::MSG_TRUNC != 0;
    if result != 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(winsock::WSAEMSGSIZE) {
            return Err(error);
        }
        truncated = true;
    }
    let filled = (message.Control.len as usize).min(size_of_val(&control));
    // SAFETY: numbers, all of them initialised, as bytes.
    let bytes = unsafe { std::slice::from_raw_parts(control.as_ptr().cast::<u8>(), filled) };
    Ok(Envelope {
        length: if truncated { buffer.len() } else { count as usize },
        truncated,
        // SAFETY: the system has written an address of that length.
        from: unsafe { SockAddr::new(from, message.namelen) },
        told: read_all(bytes),
    })
}

/// What control messages tell: each a head, its data, and what it takes to the next multiple of a word.
fn read_all(mut rest: &[u8]) -> Told {
    const HEAD: usize = size_of::<winsock::CMSGHDR>();
    let mut told = Told::default();
    while rest.len() >= HEAD {
        // SAFETY: a head is numbers, and there are enough bytes; they need not be aligned.
        let head = unsafe { rest.as_ptr().cast::<winsock::CMSGHDR>().read_unaligned() };
        let Some(data) = rest.get(HEAD..head.cmsg_len) else { break };
        read(&mut told, head.cmsg_level, head.cmsg_type, data);
        rest = rest.get(head.cmsg_len.next_multiple_of(mem::align_of::<usize>())..).unwrap_or_default();
    }
    told
}

fn read(told: &mut Told, level: i32, kind: i32, data: &[u8]) {
    let number = |at: usize| Some(u32::from_ne_bytes(*data.get(at..)?.first_chunk()?));
    match (level, kind) {
        (winsock::IPPROTO_IP, winsock::IP_PKTINFO) => {
            told.to = data.first_chunk::<4>().map(|ip| IpAddr::V4(Ipv4Addr::from(*ip)));
            told.interface = number(4);
        }
        (winsock::IPPROTO_IPV6, winsock::IPV6_PKTINFO) => {
            told.to = data.first_chunk::<16>().map(|ip| IpAddr::V6(Ipv6Addr::from(*ip)));
            told.interface = number(16);
        }
        // Named by the option that asks for it, or by the one that sets it: versions differ.
        (winsock::IPPROTO_IP, winsock::IP_RECVTTL | winsock::IP_TTL)
        | (winsock::IPPROTO_IPV6, winsock::IPV6_HOPLIMIT) => {
            told.hops = number(0).map(|hops| hops as u8);
        }
        (winsock::IPPROTO_IP, winsock::IP_RECVTOS | winsock::IP_TOS)
        | (winsock::IPPROTO_IPV6, winsock::IPV6_RECVTCLASS | winsock::IPV6_TCLASS) => {
            told.traffic_class = number(0).map(|class| class as u8);
        }
        _ => {}
    }
}
