//! Who owns the poll, and the thread that waits while nobody else does.
//!
//! ```text
//!            give                     events: deliver
//!  Caller ----------> Thread ---------------------------> Caller
//!     ^                 |  take (wakes the thread)           |
//!     +-----------------+                          Stopped <-+- from anywhere, for good
//! ```
//!
//! The atomic decides who may poll; the mutex only bridges the moment in which a thread that has lost the poll is still on
//! its way out of it, so it is never contended in normal running.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::Waker;

use super::selector::{Flags, Selector};

const CALLER: u8 = 0;
const THREAD: u8 = 1;
const STOPPED: u8 = 2;

pub(super) struct Shared {
    owner: AtomicU8,
    selector: Mutex<Selector>,
    waker: Waker,
    deliver: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    pub(super) fn new(selector: Selector, deliver: Box<dyn Fn() + Send + Sync>) -> io::Result<Shared> {
        let waker = selector.waker()?;
        Ok(Shared { owner: AtomicU8::new(CALLER), selector: Mutex::new(selector), waker, deliver })
    }

    pub(super) fn give(&self) {
        self.pass(CALLER, THREAD);
    }

    pub(super) fn take(&self) -> io::Result<bool> {
        let took = self.pass(THREAD, CALLER);
        if took {
            self.waker.wake()?;
        }
        Ok(took)
    }

    pub(super) fn poll(&self, timeout: Option<Duration>, each: impl FnMut(usize, Flags)) -> io::Result<usize> {
        if self.owner.load(Ordering::Acquire) != CALLER {
            return Ok(0);
        }
        let mut selector = lock(&self.selector);
        if selector.wait(timeout) {
            selector.take(each)
        } else {
            Ok(0)
        }
    }

    pub(super) fn stop(&self) {
        self.owner.store(STOPPED, Ordering::Release);
        // Waking can fail only where the poll itself is broken, and then the thread is not waiting in it.
        let _ = self.waker.wake();
    }

    fn pass(&self, from: u8, to: u8) -> bool {
        self.owner.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// The body of the poller's thread.
pub(super) fn run(shared: &Shared) {
    loop {
        match shared.owner.load(Ordering::Acquire) {
            STOPPED => return,
            // A give that comes between the load and the park has left its token, so the park returns at once.
            CALLER => std::thread::park(),
            _ => {
                // A panic in here is a bug of ours or of the selector. The standard hook has reported it; the caller
                // gets the poll and meets whatever state it is in as an error of its own.
                let ready = catch_unwind(AssertUnwindSafe(|| lock(&shared.selector).wait(None))).unwrap_or(true);
                if ready && shared.pass(THREAD, CALLER) {
                    (shared.deliver)();
                }
            }
        }
    }
}

/// A poisoned lock is as good as any here: the data behind it is replaced as a whole by the next wait.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
