//! Sockets that go from one table to another, from and to other code, and over unix sockets.

mod peers;

use std::mem::MaybeUninit;
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use peers::*;
use socket2_core::detached::{self, Fresh};
use socket2_core::error::WOULD_BLOCK;
use socket2_core::poller::{Poller, READABLE};
use socket2_core::table::Table;
use socket2_core::{error, Family, Kind, Socket, Standing};

/// A poller and its sockets, as one thread has them.
struct Side {
    poller: Poller,
    sockets: Table,
    _told: Receiver<()>,
}

impl Side {
    fn new() -> Side {
        let (tell, told) = channel();
        let poller = Poller::new(move || tell.send(()).unwrap_or(())).unwrap();
        let sockets = Table::new(poller.registry().try_clone().unwrap(), poller.tokens());
        Side { poller, sockets, _told: told }
    }

    fn receive(&mut self, handle: i32) -> Result<usize, i32> {
        self.sockets.attempt(handle, |socket| socket.recv(&mut [MaybeUninit::uninit(); 16]))
    }

    /// Which sockets have something to be received, once there are any.
    fn readable(&self) -> Vec<i32> {
        let mut ready = Vec::new();
        while ready.is_empty() {
            let each = |handle, flags| {
                if flags & READABLE != 0 {
                    ready.push(handle as i32);
                }
            };
            self.poller.poll(Some(Duration::from_secs(20)), each).unwrap();
        }
        ready
    }
}

/// The socket of a descriptor, and what it was found to be.
fn adopted(number: i64) -> (Socket, Standing) {
    let standing = Socket::look(number).unwrap();
    (Socket::adopt(number, &standing).unwrap(), standing)
}

#[test]
fn a_detached_socket_is_taken_once_by_its_key() {
    let (one, other) = connected(Family::Inet, Kind::Stream);
    let (first, second) = (detached::put(one), detached::put(other));
    assert_ne!(first, second);
    assert!(detached::count() >= 2);
    assert!(detached::take(first ^ 1).is_none());
    let one = detached::take(first).unwrap();
    assert!(detached::take(first).is_none());
    one.send(b"x").unwrap();
    assert_eq!(recv(&mut detached::take(second).unwrap(), 10).unwrap(), b"x");
}

#[test]
fn what_a_thread_has_detached_outlives_it() {
    let (one, mut other) = connected(Family::Inet, Kind::Stream);
    let mut fresh = Fresh::default();
    let told = fresh.put(one);
    fresh.told();
    let (two, _two) = connected(Family::Inet, Kind::Stream);
    let untold = fresh.put(two);
    drop(fresh);
    // The second one for a while only, which nobody waits for here.
    drop(detached::take(untold).unwrap());
    detached::take(told).unwrap().send(b"x").unwrap();
    assert_eq!(recv(&mut other, 10).unwrap(), b"x");
}

#[test]
fn a_watched_socket_goes_from_one_poller_to_another_and_back_and_only_its_own_reports_it() {
    let mut sides = [Side::new(), Side::new()];
    let (socket, other) = connected(Family::Inet, Kind::Stream);
    let mut handle = sides[0].sockets.insert(socket).ok().unwrap();
    for round in 0..10 {
        let (here, there) = (round % 2, 1 - round % 2);
        assert_eq!(sides[here].receive(handle), Err(WOULD_BLOCK));
        other.send(b"x").unwrap();
        assert_eq!(sides[here].readable(), [handle]);
        assert_eq!(sides[here].receive(handle), Ok(1));
        assert_eq!(sides[here].receive(handle), Err(WOULD_BLOCK));
        let socket = sides[here].sockets.remove(handle).unwrap();
        handle = sides[there].sockets.insert(socket).ok().unwrap();
        // It comes while nobody watches.
        other.send(b"y").unwrap();
        while sides[there].receive(handle) == Err(WOULD_BLOCK) {
            sides[there].readable();
        }
    }
}

#[test]
fn a_descriptor_is_taken_over_as_what_it_is_and_given_away_open() {
    let listener = listener(Family::Inet, Kind::Stream);
    let address = listener.local_addr().unwrap();
    let (mut listening, standing) = adopted(listener.release());
    assert_eq!((standing.family, standing.kind, standing.protocol), (Family::Inet, Kind::Stream, 0));
    assert!(standing.listening && !standing.connected);
    let mut client = Socket::open(Family::Inet, Kind::Stream, 0).unwrap();
    connect(&mut client, &address).unwrap();
    let (server, _) = until(&mut listening, |listening| listening.accept()).unwrap();
    let (server, standing) = adopted(server.release());
    assert!(standing.connected && !standing.listening);
    server.send(b"x").unwrap();
    assert_eq!(recv(&mut client, 10).unwrap(), b"x");
    let (_, standing) = adopted(bound(Family::Inet6, Kind::Datagram).release());
    assert_eq!((standing.family, standing.kind, standing.connected), (Family::Inet6, Kind::Datagram, false));
    let (_, standing) = adopted(Socket::open(Family::Inet, Kind::Stream, 0).unwrap().release());
    assert_eq!((standing.listening, standing.connected), (false, false));
}

#[test]
fn a_connection_that_is_over_is_none_that_has_not_begun() {
    let (client, server) = connected(Family::Inet, Kind::Stream);
    client.send(b"left").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    server.shutdown(std::net::Shutdown::Write).unwrap();
    let mut server = server;
    assert_eq!(recv(&mut server, 2).unwrap(), b"le");
    let (mut server, standing) = adopted(server.release());
    assert!(standing.connected);
    assert_eq!(recv(&mut server, 10).unwrap(), b"ft");
}

#[test]
fn what_is_no_socket_is_refused() {
    let name = |number| error::name(error::code(&Socket::look(number).err().unwrap()));
    let none = if cfg!(unix) { "EBADF" } else { "ENOTSOCK" };
    assert_eq!((name(-1), name(i64::from(i32::MAX)), name(i64::MAX)), (none, none, none));
    let gone = Socket::open(Family::Inet, Kind::Stream, 0).unwrap().release();
    let (again, _) = adopted(gone);
    assert_eq!(name(again.fd()), "EEXIST");
    drop(again);
    #[cfg(unix)]
    {
        use std::os::fd::AsRawFd;
        let file = std::fs::File::open(".").unwrap();
        assert_eq!(name(file.as_raw_fd().into()), "ENOTSOCK");
        assert!(file.metadata().is_ok(), "it stays open");
    }
}

#[cfg(unix)]
mod over_unix_sockets {
    use super::*;
    use socket2_core::{give_up, Handles, MOST_HANDLES};

    fn receive(socket: &Socket, room: usize) -> (usize, bool, Handles) {
        let mut handles = Handles::new();
        let (count, cut) = socket.recv_handles(&mut vec![MaybeUninit::uninit(); room], &mut handles).unwrap();
        (count, cut, handles)
    }

    #[test]
    fn descriptors_arrive_with_their_data_and_are_the_receivers() {
        let (one, other) = Socket::pair(Kind::Stream).unwrap();
        let (mut client, server) = connected(Family::Inet, Kind::Stream);
        assert_eq!(one.send_handles(b"with", &[server.fd() as i32]).unwrap(), 4);
        let (count, cut, mut handles) = receive(&other, 10);
        assert_eq!((count, cut, handles.len()), (4, false, 1));
        drop(server);
        let (server, standing) = adopted(give_up(handles.remove(0)));
        assert!(standing.connected);
        server.send(b"x").unwrap();
        assert_eq!(recv(&mut client, 10).unwrap(), b"x");
    }

    #[test]
    fn as_many_as_there_can_be_arrive_and_more_are_refused() {
        let (one, other) = Socket::pair(Kind::Datagram).unwrap();
        let descriptors = vec![one.fd() as i32; MOST_HANDLES];
        one.send_handles(b"many", &descriptors).unwrap();
        assert_eq!(receive(&other, 10).2.len(), MOST_HANDLES);
        let more = vec![one.fd() as i32; MOST_HANDLES + 1];
        assert_eq!(error::code(&one.send_handles(b"more", &more).unwrap_err()), error::INVALID);
        one.send_handles(b"none", &[]).unwrap();
        let (count, cut, handles) = receive(&other, 2);
        assert_eq!((count, cut, handles.len()), (2, true, 0), "a datagram that was cut");
    }

    #[test]
    fn a_path_is_left_to_whoever_gets_the_descriptor() {
        let path = std::env::temp_dir().join(format!("moves-{}", std::process::id()));
        let socket = Socket::open(Family::Unix, Kind::Stream, 0).unwrap();
        socket.bind(&socket2_core::SockAddr::unix(&path).unwrap()).unwrap();
        let (again, _) = adopted(socket.release());
        drop(again);
        assert!(path.exists());
        std::fs::remove_file(&path).unwrap();
    }
}
