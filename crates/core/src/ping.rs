//! Echo requests by a call of the system's own, which needs neither a socket nor a right, where there is one: on Windows.
//!
//! Elsewhere they go by sockets: see `echo` and [`crate::socket`].

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::sys;

/// Whether there is such a call.
pub const SENDS_ECHOES: bool = sys::SENDS_ECHOES;

/// The most requests under way in this process: each holds some handles of the system's, until its time is up. Chosen by feel.
pub const MOST_UNDER_WAY: usize = 10_000;

/// An echo request.
pub struct Request {
    /// Whom to ask; the port does not count.
    pub to: SocketAddr,
    /// What to send, and to get back.
    pub payload: Vec<u8>,
    /// Over how many routers it goes at most; 0 is the system's default.
    pub ttl: u8,
    /// How long the system waits for an answer, in milliseconds. There is no end before that: nobody can call a request back.
    pub timeout: u32,
}

/// What has come of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Whoever was asked has sent back the payload. `ttl` is what was left of the answer's, where the system tells.
    Answered {
        /// The time to live, or the hop limit.
        ttl: Option<u8>,
    },
    /// It does not get there: the type and the code of the ICMP message that says so. `by` is who does, if that is known.
    Refused {
        /// The type of the message: RFC 792, RFC 4443.
        kind: u8,
        /// Its code.
        code: u8,
        /// A router, or this machine.
        by: Option<SocketAddr>,
    },
    /// An error of the system's, as Node numbers it; `ETIMEDOUT` when there is no answer.
    Failed(i32),
}

/// What has come of a request, and how long after it was sent.
pub type Fate = (Outcome, Duration);

/// Sends a request. Its fate is told on a thread of the system's, once; that this process or thread ends waits for nothing.
///
/// # Errors
/// `ENOBUFS` when [`MOST_UNDER_WAY`] are already, `ENOTSUP` where there is no such call, `EACCES` for the broadcast address, or
/// what the system says when it has no handle to give. Nothing is told then.
pub fn ask(request: Request, tell: impl FnOnce(Fate) + Send + 'static) -> io::Result<()> {
    let place = Place::take().ok_or_else(sys::no_buffers)?;
    sys::ask(
        request,
        Box::new(move |fate| {
            drop(place);
            tell(fate);
        }),
    )
}

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// One of the places for requests under way.
struct Place;

impl Place {
    fn take() -> Option<Place> {
        let taken = Place; // gives it back, if it was one too many
        (UNDER_WAY.fetch_add(1, Ordering::Relaxed) < MOST_UNDER_WAY).then_some(taken)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}
