//! The poller: who owns it, who is told, and that nothing is lost or doubled on the way.

mod peers;

use std::mem::MaybeUninit;
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use peers::*;
use socket2_core::error::WOULD_BLOCK;
use socket2_core::poller::{Poller, READABLE};
use socket2_core::table::Table;
use socket2_core::{Family, Kind, Socket};

/// No event that a test waits for takes this long on the slowest machine.
const LONG: Option<Duration> = Some(Duration::from_secs(20));
const NOW: Option<Duration> = Some(Duration::ZERO);

/// A user of a poll: what delivers to it, its sockets.
struct User {
    poller: Poller,
    told: Receiver<()>,
    sockets: Table,
}

impl User {
    fn alone() -> User {
        let (tell, told) = channel();
        let poller = Poller::new(move || tell.send(()).unwrap_or(())).unwrap();
        User::at(poller, told)
    }

    fn beside(other: &User) -> User {
        let (tell, told) = channel();
        let poller = Poller::share(other.poller.handle(), move || tell.send(()).unwrap_or(())).unwrap().unwrap();
        User::at(poller, told)
    }

    fn at(poller: Poller, told: Receiver<()>) -> User {
        let sockets = Table::new(poller.registry().try_clone().unwrap(), poller.tokens());
        User { poller, told, sockets }
    }

    /// A socket of this user that waits to be readable, and its other end.
    fn waiting_socket(&mut self) -> (i32, Socket) {
        let (mine, other) = connected(Family::Inet, Kind::Stream);
        let handle = self.sockets.insert(mine).ok().unwrap();
        assert_eq!(self.receive(handle), Err(WOULD_BLOCK));
        // Registering reports that it is writable.
        assert_eq!(self.ready(LONG).len(), 1);
        (handle, other)
    }

    fn receive(&mut self, handle: i32) -> Result<usize, i32> {
        self.sockets.attempt(handle, |socket| socket.recv(&mut [MaybeUninit::uninit(); 16]))
    }

    fn ready(&self, timeout: Option<Duration>) -> Vec<u32> {
        let mut ready = Vec::new();
        self.poller
            .poll(timeout, |handle, flags| {
                if flags & READABLE != 0 || timeout == LONG {
                    ready.push(handle);
                }
            })
            .unwrap();
        ready
    }

    fn wait_to_be_told(&self) {
        self.told.recv_timeout(LONG.unwrap()).expect("a delivery");
    }
}

#[test]
fn the_caller_polls_by_itself_until_it_gives_the_poll_away() {
    let mut user = User::alone();
    let (handle, other) = user.waiting_socket();
    other.send(b"x").unwrap();
    assert_eq!(user.ready(LONG), [handle as u32]);
    assert_eq!(user.receive(handle), Ok(1));
    assert!(user.told.try_recv().is_err(), "nobody delivers what the caller polls for");
}

#[test]
fn the_thread_delivers_once_and_then_the_poll_is_the_callers() {
    let mut user = User::alone();
    let (handle, other) = user.waiting_socket();
    user.poller.give().unwrap();
    assert_eq!(user.ready(NOW), [], "a poll that was given away brings nothing");
    other.send(b"x").unwrap();
    user.wait_to_be_told();
    assert_eq!(user.ready(NOW), [handle as u32]);
    assert!(!user.poller.take().unwrap(), "it was handed over already");
    assert!(user.told.try_recv().is_err());
}

#[test]
fn taking_the_poll_back_ends_the_wait_and_loses_nothing() {
    let mut user = User::alone();
    let (handle, other) = user.waiting_socket();
    for _ in 0..200 {
        user.poller.give().unwrap();
        other.send(b"x").unwrap();
        // Either the thread was faster, and has told or is about to, or the poll comes back with the event still in it.
        if !user.poller.take().unwrap() {
            user.wait_to_be_told();
        }
        assert_eq!(user.ready(LONG), [handle as u32]);
        assert_eq!(user.receive(handle), Ok(1));
        assert_eq!(user.receive(handle), Err(WOULD_BLOCK));
    }
    assert!(user.told.try_recv().is_err());
}

#[test]
fn a_shared_poll_brings_each_event_to_the_user_that_owns_the_socket() {
    let mut one = User::alone();
    let (first, other_first) = one.waiting_socket();
    one.poller.give().unwrap();
    let mut two = User::beside(&one);
    assert_eq!(one.poller.handle(), two.poller.handle());
    let (second, other_second) = two.waiting_socket();
    two.poller.give().unwrap();

    other_second.send(b"x").unwrap();
    two.wait_to_be_told();
    assert_eq!(two.ready(NOW), [second as u32]);
    assert!(one.told.try_recv().is_err());

    other_first.send(b"x").unwrap();
    one.wait_to_be_told();
    assert_eq!(one.ready(NOW), [first as u32]);
}

#[test]
fn a_user_that_never_polls_does_not_delay_the_others() {
    let mut idle = User::alone();
    // It holds the poll, and sleeps on it.
    let (_, other) = idle.waiting_socket();
    let mut busy = User::beside(&idle);
    let (handle, peer) = busy.waiting_socket();
    for _ in 0..50 {
        other.send(b"x").unwrap();
        peer.send(b"x").unwrap();
        assert_eq!(busy.ready(LONG), [handle as u32]);
        while busy.receive(handle).is_ok() {}
    }
    assert_eq!(idle.ready(NOW).len(), 1, "many events of one socket are one entry");
}

#[test]
fn many_can_join_at_once_whoever_has_the_poll() {
    for round in 0..50 {
        let mut first = User::alone();
        let (handle, other) = first.waiting_socket();
        if round % 2 == 0 {
            first.poller.give().unwrap();
        }
        let shared = first.poller.handle();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| Poller::share(shared, || ()).unwrap().unwrap());
            }
        });
        other.send(b"x").unwrap();
        assert_eq!(first.ready(LONG), [handle as u32]);
    }
}

#[test]
fn the_poll_lives_until_its_last_user_leaves() {
    let one = User::alone();
    one.poller.give().unwrap();
    let handle = one.poller.handle();
    let mut two = User::beside(&one);
    drop(one);
    let (socket, other) = two.waiting_socket();
    two.poller.give().unwrap();
    other.send(b"x").unwrap();
    two.wait_to_be_told();
    assert_eq!(two.ready(NOW), [socket as u32]);
    drop(two);
    // The number may be that of another test's poll already, which goes as well.
    let end = Instant::now() + Duration::from_secs(10);
    while Poller::share(handle, || ()).is_some() {
        assert!(Instant::now() < end, "a handle of a poll that is gone names nothing");
        std::thread::yield_now();
    }
}

#[test]
fn dropping_it_in_any_state_ends_the_thread() {
    for round in 0..100 {
        let mut user = User::alone();
        let (_, other) = user.waiting_socket();
        if round % 2 == 0 {
            user.poller.give().unwrap();
        }
        if round % 3 == 0 {
            other.send(b"x").unwrap();
        }
        if round % 5 == 0 {
            drop(User::beside(&user));
        }
        let User { poller, told, .. } = user;
        // Ends the thread and waits for it, which drops what it would tell with.
        drop(poller);
        while told.try_recv().is_ok() {}
        assert!(told.recv_timeout(LONG.unwrap()).is_err());
    }
}
