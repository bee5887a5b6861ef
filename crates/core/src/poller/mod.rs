//! The poller: one [`mio::Poll`] that a thread of ours and its caller hand to each other.
//!
//! While there is nothing to do the thread owns the poll and blocks in it without limit. With the first events it hands the
//! poll over, calls `deliver` once, and parks. The caller then polls by itself, without waiting, for as long as there is
//! work, and gives the poll back when there is none. So an idle process costs nothing and a busy one pays no thread switch
//! per event.
//!
//! Nothing is lost on the way: events that the thread has dequeued stay with the poller until the caller takes them,
//! and those that come later stay with the system.

mod selector;
mod state;

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Registry;

use selector::Selector;
pub use selector::{Flags, CAPACITY, ERROR, READABLE, READ_CLOSED, WRITABLE, WRITE_CLOSED};
use state::Shared;

/// One poll, its thread, and the right to poll.
///
/// Dropping it ends the thread, wherever that is, and waits for it: after the drop `deliver` is not called any more.
pub struct Poller {
    registry: Registry,
    handle: Option<i64>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Poller {
    /// A poller that belongs to the caller. `deliver` is called on the poller's thread each time it has handed the poll
    /// over; it must neither block nor wait for this poller. The thread is started by the first [`give`](Self::give).
    pub fn new(deliver: impl Fn() + Send + Sync + 'static) -> io::Result<Poller> {
        let selector = Selector::new()?;
        let (registry, handle) = (selector.registry()?, selector.handle());
        let shared = Arc::new(Shared::new(selector, Box::new(deliver))?);
        Ok(Poller { registry, handle, shared, thread: Mutex::new(None) })
    }

    /// Where sockets are registered; usable at any time, whoever owns the poll.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The system's number of the poll: the descriptor of the epoll or kqueue instance, where there is one.
    pub fn handle(&self) -> Option<i64> {
        self.handle
    }

    /// Lets the thread wait again. An error when the thread cannot be started: the caller keeps the poll.
    pub fn give(&self) -> io::Result<()> {
        let mut thread = state::lock(&self.thread);
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let body = move || state::run(&shared);
            *thread = Some(std::thread::Builder::new().name("socket2-poller".into()).spawn(body)?);
        }
        self.shared.give();
        if let Some(thread) = thread.as_ref() {
            thread.thread().unpark();
        }
        Ok(())
    }

    /// Takes the poll from the thread. `true`: it was the thread's and is the caller's now; `false`: it was handed over
    /// already, so one call of `deliver` is on its way or has been made.
    pub fn take(&self) -> io::Result<bool> {
        self.shared.take()
    }

    /// Calls `each` with the token and the flags of all that is ready, waiting at most `timeout` (`None`: for ever) when
    /// nothing is. Returns how many there were; none when the poll is the thread's.
    pub fn poll(&self, timeout: Option<Duration>, each: impl FnMut(usize, Flags)) -> io::Result<usize> {
        self.shared.poll(timeout, each)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = state::lock(&self.thread).take() {
            thread.thread().unpark();
            // A panic of the thread was caught and reported where it happened; there is nothing to add to it here.
            let _ = thread.join();
        }
    }
}
