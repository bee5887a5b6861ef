//! Sockets on their way from one thread of this process to another.
//!
//! Who has the key of one may take it, once. A key cannot be guessed, and means nothing in another process or another run. A
//! socket that nobody takes stays open: its connection is not lost because a message is late. Only when its thread was ended right
//! after it had put it here ([`Fresh`]), perhaps before it could tell anyone the key, is it closed after a while.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::socket::Socket;

/// What names a socket that has been put here.
pub type Key = u128;

#[derive(Default)]
struct Detached {
    sockets: HashMap<Key, Socket>,
    /// How many were put here before.
    count: u64,
    /// What makes the keys: hashes of the count, by two secrets of this process.
    secrets: [RandomState; 2],
}

static DETACHED: LazyLock<Mutex<Detached>> = LazyLock::new(Mutex::default);

/// Keeps a socket, which nobody watches any more, for whoever comes with the key.
pub fn put(socket: Socket) -> Key {
    let mut detached = lock();
    detached.count += 1;
    let [high, low] = detached.secrets.each_ref().map(|secret| secret.hash_one(detached.count));
    let key = Key::from(high) << 64 | Key::from(low);
    detached.sockets.insert(key, socket);
    key
}

/// Gives the socket of this key out, unless it was taken before, or never was.
pub fn take(key: Key) -> Option<Socket> {
    take_if(key, |_| true)
}

/// As [`take`], if it is as the caller expects it.
pub fn take_if(key: Key, fits: impl FnOnce(&Socket) -> bool) -> Option<Socket> {
    let mut detached = lock();
    detached.sockets.get(&key).filter(|socket| fits(socket))?;
    detached.sockets.remove(&key)
}

/// How many sockets wait to be taken.
pub fn count() -> usize {
    lock().sockets.len()
}

/// How long a socket waits whose thread has ended before it may have told anyone the key. Chosen by feel: someone who was told, and
/// is busy for a while, still gets it; and whoever is at the other end of the connection learns in the end that nobody is here.
const GRACE: Duration = Duration::from_secs(10);

/// The keys that a thread has just made and may not have told anyone yet.
#[derive(Default)]
pub struct Fresh(Vec<Key>);

impl Fresh {
    /// As [`put`], until [`told`](Self::told) under the care of this thread.
    pub fn put(&mut self, socket: Socket) -> Key {
        let key = put(socket);
        self.0.push(key);
        key
    }

    /// The keys are on their way: the sockets wait for whoever comes with them.
    pub fn told(&mut self) {
        self.0.clear();
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let keys = std::mem::take(&mut self.0);
        if keys.is_empty() {
            return;
        }
        let close = move || {
            std::thread::sleep(GRACE);
            keys.into_iter().for_each(|key| drop(take(key)));
        };
        // Without a thread to be had they stay: closing what someone was promised would be worse.
        let _ = std::thread::Builder::new().name("socket2-detached".into()).spawn(close);
    }
}

/// What a panic of a thread leaves behind is valid between any two of our statements.
fn lock() -> MutexGuard<'static, Detached> {
    DETACHED.lock().unwrap_or_else(PoisonError::into_inner)
}
