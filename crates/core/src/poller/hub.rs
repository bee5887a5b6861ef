//! One poll, its thread, and those who use it.
//!
//! With one user the poll goes back and forth between the thread and that user. As soon as there are two it stays with the
//! thread, which puts each event into the inbox of the user that owns the socket. So a user that is busy, blocked or gone
//! never delays another.
//!
//! ```text
//!             give                   events: deliver
//!     User ----------> Thread ----------------------------> User
//!      ^                 |  take (wakes the thread)
//!      +-----------------+
//!     either ---- a second user joins ----> Routing, for good; Stopped from anywhere
//! ```
//!
//! One atomic says which it is, so that each passage is one compare-and-swap, and whoever loses it looks again. The mutex
//! around the selector bridges the moment in which a thread that has lost the poll is still on its way out of it; who
//! needs both locks takes the selector's first, then the users'.

use std::collections::HashMap;
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use mio::{Registry, Waker};

use super::inbox::Inbox;
use super::lock;
use super::selector::{Flags, Selector, CAPACITY};

const USER: u8 = 0;
const THREAD: u8 = 1;
const ROUTING: u8 = 2;
const STOPPED: u8 = 3;

/// The handles of polls for which the system has no number.
static NEXT_HANDLE: AtomicI64 = AtomicI64::new(1);

/// Tells a user that there is something for it. Called on the poller's thread.
pub(super) type Deliver = Box<dyn Fn() + Send + Sync>;

/// One user of a poll.
pub(super) struct User {
    pub(super) inbox: Inbox,
    deliver: Deliver,
}

struct Shared {
    owner: AtomicU8,
    /// How many wait for the selector to begin routing. Nobody else may take its lock meanwhile: locks are not fair.
    joining: AtomicUsize,
    selector: Mutex<Selector>,
    waker: Waker,
    users: Mutex<HashMap<u32, Arc<User>>>,
}

/// One poll. Dropped by its last user.
pub(super) struct Hub {
    pub(super) registry: Registry,
    /// The system's number of the poll, or where it has none a number of ours.
    pub(super) handle: i64,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Hub {
    pub(super) fn new() -> io::Result<Hub> {
        let selector = Selector::new()?;
        let (registry, waker) = (selector.registry()?, selector.waker()?);
        let handle = selector.handle().unwrap_or_else(|| NEXT_HANDLE.fetch_add(1, Ordering::Relaxed));
        let shared = Shared {
            owner: AtomicU8::new(USER),
            joining: AtomicUsize::new(0),
            selector: Mutex::new(selector),
            waker,
            users: Mutex::default(),
        };
        Ok(Hub { registry, handle, shared: Arc::new(shared), thread: Mutex::default() })
    }

    /// Adds a user. The second one makes the thread keep the poll.
    pub(super) fn join(&self, id: u32, deliver: Deliver) -> io::Result<Arc<User>> {
        let user = Arc::new(User { inbox: Inbox::default(), deliver });
        let others = {
            let mut users = lock(&self.shared.users);
            users.insert(id, Arc::clone(&user));
            users.len() > 1
        };
        if others {
            self.begin_routing(id)?;
        }
        Ok(user)
    }

    /// Takes a user away: it is not told anything any more once this returns.
    pub(super) fn leave(&self, id: u32) {
        lock(&self.shared.users).remove(&id);
    }

    /// Lets the thread wait for this user. An error when the thread cannot be started: the user keeps the poll.
    pub(super) fn give(&self, user: &User) -> io::Result<()> {
        let thread = self.thread()?;
        if self.shared.pass(USER, THREAD) {
            thread.unpark();
        } else if self.shared.is(ROUTING) && user.inbox.begin_waiting() {
            (user.deliver)();
        }
        Ok(())
    }

    /// Takes the poll back. `false`: it was handed over already, so a delivery is on its way or has been made.
    pub(super) fn take(&self, user: &User) -> io::Result<bool> {
        if self.shared.pass(THREAD, USER) {
            self.shared.waker.wake()?;
            return Ok(true);
        }
        Ok(self.shared.is(ROUTING) && user.inbox.stop_waiting())
    }

    /// Hands out what is ready for this user.
    pub(super) fn poll(
        &self,
        user: &User,
        timeout: Option<Duration>,
        mut each: impl FnMut(u32, Flags),
    ) -> io::Result<usize> {
        if self.shared.is(USER) {
            if self.shared.is_joined() {
                return Ok(0);
            }
            let mut selector = lock(&self.shared.selector);
            // Someone may have joined while we waited for the lock; who joins later wakes us by the waker.
            if self.shared.is(USER) {
                let ready = selector.wait(timeout);
                return if ready { selector.take(|token, flags| each(token as u32, flags)) } else { Ok(0) };
            }
        }
        if self.shared.is(ROUTING) {
            return Ok(user.inbox.take(CAPACITY, timeout, each));
        }
        Ok(0)
    }

    fn begin_routing(&self, newcomer: u32) -> io::Result<()> {
        let shared = &self.shared;
        let thread = self.thread()?;
        if shared.is(ROUTING) {
            return Ok(());
        }
        shared.joining.fetch_add(1, Ordering::AcqRel);
        // Ends the wait of whoever polls, who holds the lock meanwhile. Waking can fail only where the poll itself is broken.
        let _ = shared.waker.wake();
        let selector = lock(&shared.selector);
        let users = lock(&shared.users);
        loop {
            let owner = shared.owner.load(Ordering::Acquire);
            if owner != USER && owner != THREAD {
                break;
            }
            // Nobody looks at an inbox before the passage, so whether its user waits is settled before it.
            for (_, user) in users.iter().filter(|(id, _)| **id != newcomer) {
                if owner == THREAD {
                    user.inbox.begin_waiting();
                } else {
                    user.inbox.stop_waiting();
                }
            }
            if shared.pass(owner, ROUTING) {
                break;
            }
        }
        drop(users);
        shared.joining.fetch_sub(1, Ordering::AcqRel);
        drop(selector);
        thread.unpark();
        Ok(())
    }

    fn thread(&self) -> io::Result<Thread> {
        let mut running = lock(&self.thread);
        if let Some(thread) = running.as_ref() {
            return Ok(thread.thread().clone());
        }
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("socket2-poller".into()).spawn(move || run(&shared))?;
        Ok(running.insert(thread).thread().clone())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.owner.store(STOPPED, Ordering::Release);
        // Waking can fail only where the poll itself is broken, and then the thread is not waiting in it.
        let _ = self.shared.waker.wake();
        if let Some(thread) = lock(&self.thread).take() {
            thread.thread().unpark();
            // A panic of the thread was caught and reported where it happened; there is nothing to add to it here.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn pass(&self, from: u8, to: u8) -> bool {
        self.owner.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn is(&self, owner: u8) -> bool {
        self.owner.load(Ordering::Acquire) == owner
    }

    fn is_joined(&self) -> bool {
        self.joining.load(Ordering::Acquire) > 0
    }

    /// Waits, and does with what is ready what the number of users asks for.
    fn turn(&self) {
        let mut selector = lock(&self.selector);
        let ready = selector.wait(None);
        if self.is(ROUTING) {
            if ready {
                self.route(&mut selector);
            }
        } else if ready {
            self.hand_over(Some(selector));
        }
    }

    /// Passes the poll to its user, and tells it. A user that sees the passage finds the delivery made before it can leave.
    fn hand_over(&self, selector: Option<MutexGuard<'_, Selector>>) {
        let users = lock(&self.users);
        let passed = self.pass(THREAD, USER);
        drop(selector);
        if passed {
            for user in users.values() {
                (user.deliver)();
            }
        }
    }

    /// Puts the events into the inboxes of their users, and tells those who wait. The events of a user that is gone are nobody's.
    fn route(&self, selector: &mut Selector) {
        let mut events: Vec<(u64, Flags)> = Vec::new();
        if selector.take(|token, flags| events.push((token as u64, flags))).is_err() {
            // The poll is broken, and trying again at once would only burn the processor.
            self.pass(ROUTING, STOPPED);
        }
        let owner = |&(token, _): &(u64, Flags)| (token >> 32) as u32;
        // In order, so that each inbox is opened once; a sort that is stable keeps the order of each user's events.
        events.sort_by_key(owner);
        let users = lock(&self.users);
        for theirs in events.chunk_by(|one, next| owner(one) == owner(next)) {
            let Some(user) = users.get(&owner(&theirs[0])) else { continue };
            if user.inbox.add(theirs.iter().map(|&(token, flags)| (token as u32, flags))) {
                (user.deliver)();
            }
        }
    }
}

/// The body of the poller's thread.
fn run(shared: &Shared) {
    loop {
        match shared.owner.load(Ordering::Acquire) {
            STOPPED => return,
            // A give that comes between the load and the park has left its token, so the park returns at once.
            USER => std::thread::park(),
            // Who joins unparks when it is done.
            _ if shared.is_joined() => std::thread::park(),
            _ => {
                // A panic in here is a bug of ours or of the selector. The standard hook has reported it; the user gets
                // the poll, and meets whatever state it is in as an error of its own.
                if catch_unwind(AssertUnwindSafe(|| shared.turn())).is_err() {
                    shared.hand_over(None);
                }
            }
        }
    }
}
