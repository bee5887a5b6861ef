//! Two ends of a connection on loopback, and waiting for an event rather than for time.

#![allow(dead_code)] // each test file uses its part

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mio::{Events, Poll, Token};
use socket2_core::{Family, Kind, SockAddr, Socket};

/// Whether the system has unix sockets: Windows has streams, from Windows 10 on, and Wine has none.
pub fn has_unix(kind: Kind) -> bool {
    cfg!(unix) || Socket::open(Family::Unix, kind, 0).is_ok()
}

/// Wine instead of Windows, by what it does otherwise: its version.
pub fn wine() -> Option<u32> {
    std::env::var("SOCKET2_WINE").ok()?.parse().ok()
}

/// Any free port on the loopback.
pub fn loopback(family: Family) -> SockAddr {
    match family {
        Family::Inet => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
        Family::Inet6 => SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into(),
        Family::Unix => SockAddr::unix("").unwrap(),
    }
}

/// A bound socket; a unix one gets an abstract name from the system.
pub fn bound(family: Family, kind: Kind) -> Socket {
    let socket = Socket::open(family, kind, 0).unwrap();
    socket.bind(&loopback(family)).unwrap();
    socket
}

pub fn listener(family: Family, kind: Kind) -> Socket {
    let socket = bound(family, kind);
    socket.listen(128).unwrap();
    socket
}

/// Client and server end of a connection.
pub fn connected(family: Family, kind: Kind) -> (Socket, Socket) {
    let mut listener = listener(family, kind);
    let mut client = Socket::open(family, kind, 0).unwrap();
    connect(&mut client, &listener.local_addr().unwrap()).unwrap();
    let (server, _) = until(&mut listener, |listener| listener.accept()).unwrap();
    (client, server)
}

/// Connects as the driver does: once, then the verdict when writable.
pub fn connect(socket: &mut Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        result => return result,
    }
    wait_writable(socket);
    socket.verdict()
}

/// Tries until the answer is not `WouldBlock`, waiting for the poller in between.
pub fn until<T>(socket: &mut Socket, mut act: impl FnMut(&Socket) -> io::Result<T>) -> io::Result<T> {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    loop {
        match act(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => {
                socket.unwatch(poll.registry());
                return result;
            }
        }
        socket.watch(poll.registry(), Token(7)).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "nothing happened on the socket");
    }
}

fn wait_writable(socket: &mut Socket) {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    socket.watch(poll.registry(), Token(7)).unwrap();
    while !events.iter().any(|event| event.is_writable()) {
        poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "the connection was not decided");
    }
    socket.unwatch(poll.registry());
}

/// Receives at most `length` bytes, waiting for them.
pub fn recv(socket: &mut Socket, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![MaybeUninit::new(0xAA); length];
    let count = until(socket, |socket| socket.recv(&mut buffer))?;
    Ok(filled(&buffer, count))
}

/// Receives one datagram of at most `length` bytes, waiting for it.
pub fn recv_from(socket: &mut Socket, length: usize) -> io::Result<(Vec<u8>, bool, SockAddr)> {
    let mut buffer = vec![MaybeUninit::new(0xAA); length];
    let envelope = until(socket, |socket| socket.recv_message(&mut buffer))?;
    Ok((filled(&buffer, envelope.length), envelope.truncated, envelope.from))
}

#[allow(unsafe_code)]
fn filled(buffer: &[MaybeUninit<u8>], count: usize) -> Vec<u8> {
    // SAFETY: every byte of the buffer was initialised when it was made.
    buffer[..count].iter().map(|byte| unsafe { byte.assume_init() }).collect()
}
