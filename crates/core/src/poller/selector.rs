//! The poll, its events, and what was dequeued but not yet taken.

use std::io;
use std::time::Duration;

use mio::{Events, Poll, Registry, Token, Waker};

/// How many events one poll dequeues at most.
pub const CAPACITY: usize = 1024;

/// The waker's own token, which no socket has.
const WAKER: Token = Token(usize::MAX);

/// What a socket is ready for, as bits.
pub type Flags = i32;

/// Reading will not block.
pub const READABLE: Flags = 1;
/// Writing will not block.
pub const WRITABLE: Flags = 2;
/// There is, or was, an error to be read from the socket, or urgent data in its stream, at which a read stops short.
pub const ERROR: Flags = 4;
/// The peer has stopped sending: reads come to an end.
pub const READ_CLOSED: Flags = 8;
/// Nothing can be written any more.
pub const WRITE_CLOSED: Flags = 16;

pub(super) struct Selector {
    poll: Poll,
    events: Events,
    /// The events were dequeued and nobody has taken them yet.
    untaken: bool,
    /// Why the thread's last wait failed; told to whoever takes the events.
    failure: Option<io::Error>,
}

impl Selector {
    pub(super) fn new() -> io::Result<Selector> {
        let events = Events::with_capacity(CAPACITY);
        Ok(Selector { poll: Poll::new()?, events, untaken: false, failure: None })
    }

    pub(super) fn registry(&self) -> io::Result<Registry> {
        self.poll.registry().try_clone()
    }

    pub(super) fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKER)
    }

    pub(super) fn handle(&self) -> Option<i64> {
        crate::sys::poll_handle(&self.poll)
    }

    /// Waits for events unless there are untaken ones. `true` when there is something to take; an interrupted wait, and
    /// one that only the waker ended, have nothing.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> bool {
        if self.untaken {
            return true;
        }
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => self.untaken = self.events.iter().any(|event| event.token() != WAKER),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.failure = Some(error);
                self.untaken = true;
            }
        }
        self.untaken
    }

    /// Hands out what was dequeued.
    pub(super) fn take(&mut self, mut each: impl FnMut(usize, Flags)) -> io::Result<usize> {
        self.untaken = false;
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut count = 0;
        for event in self.events.iter().filter(|event| event.token() != WAKER) {
            each(event.token().0, flags(event));
            count += 1;
        }
        Ok(count)
    }
}

fn flags(event: &mio::event::Event) -> Flags {
    let mut flags = 0;
    for (on, flag) in [
        (event.is_readable(), READABLE),
        (event.is_writable(), WRITABLE),
        (event.is_error() || event.is_priority(), ERROR),
        (event.is_read_closed(), READ_CLOSED),
        (event.is_write_closed(), WRITE_CLOSED),
    ] {
        if on {
            flags |= flag;
        }
    }
    flags
}
