//! Sockets on their way from one thread of this process to another.
//!
//! Who has the key of one may take it, once. A key cannot be guessed, and means nothing in another process or another run. A
//! socket that nobody takes stays open: its connection is not lost because a message is late.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

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
    lock().sockets.remove(&key)
}

/// How many sockets wait to be taken.
pub fn count() -> usize {
    lock().sockets.len()
}

/// What a panic of a thread leaves behind is valid between any two of our statements.
fn lock() -> MutexGuard<'static, Detached> {
    DETACHED.lock().unwrap_or_else(PoisonError::into_inner)
}
