//! The poller: one [`mio::Poll`] that a thread of ours and its user hand to each other.
//!
//! While there is nothing to do the thread owns the poll and blocks in it without limit. With the first events it hands the
//! poll over, calls `deliver` once, and parks. The user then polls by itself, without waiting, for as long as there is
//! work, and gives the poll back when there is none. So an idle process costs nothing and a busy one pays no thread switch
//! per event.
//!
//! Nothing is lost on the way: events that the thread has dequeued stay with the poller until the user takes them, and
//! those that come later stay with the system.
//!
//! Several users can share one poll ([`Poller::share`]); `hub` says how.

mod hub;
mod inbox;
mod selector;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, LockResult, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mio::{Registry, Token};

use hub::{Hub, User};
pub use selector::{Flags, CAPACITY, ERROR, READABLE, READ_CLOSED, WRITABLE, WRITE_CLOSED};

/// One user's seat at a poll.
///
/// Dropping it gives the seat up: after that `deliver` is not called any more. The last one to leave ends the thread, and
/// waits for it.
pub struct Poller {
    id: u32,
    user: Arc<User>,
    hub: Arc<Hub>,
}

/// The polls of this process, by handle.
static HUBS: LazyLock<Mutex<HashMap<i64, Weak<Hub>>>> = LazyLock::new(Mutex::default);

/// Ids are never used twice, so that late events of one who left find nobody. They stop short of the waker's token.
static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl Poller {
    /// A poll of one's own, which is the user's to begin with. `deliver` is called on the poller's thread each time it has
    /// something for this user; it must neither block nor wait for this poller.
    pub fn new(deliver: impl Fn() + Send + Sync + 'static) -> io::Result<Poller> {
        let hub = Arc::new(Hub::new()?);
        lock(&HUBS).insert(hub.handle, Arc::downgrade(&hub));
        Poller::at(hub, Box::new(deliver))
    }

    /// A seat at the poll of this handle; `None` when no one in this process uses such a poll.
    pub fn share(handle: i64, deliver: impl Fn() + Send + Sync + 'static) -> Option<io::Result<Poller>> {
        let hub = lock(&HUBS).get(&handle).and_then(Weak::upgrade)?;
        Some(Poller::at(hub, Box::new(deliver)))
    }

    fn at(hub: Arc<Hub>, deliver: hub::Deliver) -> io::Result<Poller> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed) & (u32::MAX >> 1);
        let user = hub.join(id, deliver)?;
        Ok(Poller { id, user, hub })
    }

    /// Where sockets are registered; usable at any time, whoever owns the poll.
    pub fn registry(&self) -> &Registry {
        &self.hub.registry
    }

    /// What the sockets of this user are registered as.
    pub fn tokens(&self) -> Tokens {
        Tokens(self.id)
    }

    /// The number that names the poll in this process: the descriptor of the epoll or kqueue instance, where there is one.
    pub fn handle(&self) -> i64 {
        self.hub.handle
    }

    /// Lets the thread wait for this user. An error when the thread cannot be started: the user keeps the poll.
    pub fn give(&self) -> io::Result<()> {
        self.hub.give(&self.user)
    }

    /// Takes the poll from the thread. `true`: the user waited and does not any more; `false`: it has been told already, so
    /// one call of `deliver` is on its way or has been made.
    pub fn take(&self) -> io::Result<bool> {
        self.hub.take(&self.user)
    }

    /// Calls `each` with the handle and the flags of all that is ready, waiting at most `timeout` (`None`: for ever) when
    /// nothing is. Returns how many there were, [`CAPACITY`] at most; none when the user has given the poll away.
    pub fn poll(&self, timeout: Option<Duration>, each: impl FnMut(u32, Flags)) -> io::Result<usize> {
        self.hub.poll(&self.user, timeout, each)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.hub.leave(self.id);
        let mut hubs = lock(&HUBS);
        hubs.retain(|_, hub| hub.strong_count() > 0);
        if Arc::strong_count(&self.hub) == 1 {
            hubs.remove(&self.hub.handle);
        }
    }
}

/// Makes the tokens of one user's sockets: whose it is, and which.
#[derive(Clone, Copy, Debug)]
pub struct Tokens(u32);

impl Tokens {
    /// The token of the socket with this handle.
    pub fn token(self, handle: u32) -> Token {
        Token((u64::from(self.0) << 32 | u64::from(handle)) as usize)
    }
}

/// A poisoned lock is as good as any here: what it guards is valid between any two of our statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    recover(mutex.lock())
}

fn recover<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
