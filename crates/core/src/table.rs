//! The sockets of one poller, by handle.
//!
//! A handle is an index and a generation in 31 bits. A socket that takes the place of a closed one has another generation,
//! so neither a late event nor a late call ever reaches a stranger.

use std::io;

use mio::Registry;

use crate::error::{self, BAD_HANDLE, WOULD_BLOCK};
use crate::poller::Tokens;
use crate::socket::Socket;

const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: u32 = (1 << (31 - INDEX_BITS)) - 1;

/// How many sockets a table holds at most: more than any system gives descriptors for.
pub const MOST_SOCKETS: usize = 1 << INDEX_BITS;

/// The part of a handle that is its place in the table.
pub const fn index(handle: i32) -> usize {
    (handle as u32 & INDEX_MASK) as usize
}

struct Entry {
    generation: u32,
    socket: Option<Socket>,
}

/// The sockets of one poller.
pub struct Table {
    registry: Registry,
    tokens: Tokens,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Table {
    /// An empty table, whose sockets are registered with `registry` under `tokens`.
    pub fn new(registry: Registry, tokens: Tokens) -> Table {
        Table { registry, tokens, entries: Vec::new(), free: Vec::new() }
    }

    /// The handle of a socket that is the table's from now on; the socket itself when the table is full.
    pub fn insert(&mut self, socket: Socket) -> Result<i32, Socket> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.entries.len() < MOST_SOCKETS => {
                self.entries.push(Entry { generation: 0, socket: None });
                self.entries.len() as u32 - 1
            }
            None => return Err(socket),
        };
        let entry = &mut self.entries[index as usize];
        entry.socket = Some(socket);
        Ok((entry.generation << INDEX_BITS | index) as i32)
    }

    /// The socket behind a handle, while it is open.
    pub fn get(&self, handle: i32) -> Option<&Socket> {
        self.entry(handle).and_then(|entry| entry.socket.as_ref())
    }

    /// Closes every socket. Each is unwatched first: what was sent to another process is still open there, and epoll would go on to
    /// report it, to a poller that others may share.
    pub fn clear(&mut self) {
        for socket in self.entries.iter_mut().filter_map(|entry| entry.socket.as_mut()) {
            socket.unwatch(&self.registry);
        }
        self.entries.clear();
        self.free.clear();
    }

    /// Takes a socket out, no longer watched.
    pub fn remove(&mut self, handle: i32) -> Option<Socket> {
        self.entry(handle)?;
        let entry = &mut self.entries[index(handle)];
        let mut socket = entry.socket.take()?;
        entry.generation = (entry.generation + 1) & GENERATION_MASK;
        self.free.push(index(handle) as u32);
        socket.unwatch(&self.registry);
        Some(socket)
    }

    /// Does something to a socket; the error is Node's number for it. A socket that would block is watched from then on,
    /// so that the poller reports when to try again; watching reports what is ready at that moment too, so nothing that
    /// comes in between is missed.
    #[inline]
    pub fn attempt<T>(&mut self, handle: i32, act: impl FnOnce(&mut Socket) -> io::Result<T>) -> Result<T, i32> {
        let entry = match self.entries.get_mut(index(handle)) {
            Some(entry) if entry.generation == handle as u32 >> INDEX_BITS => entry,
            _ => return Err(BAD_HANDLE),
        };
        let socket = entry.socket.as_mut().ok_or(BAD_HANDLE)?;
        match act(socket) {
            Ok(value) => Ok(value),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match socket.watch(&self.registry, self.tokens.token(handle as u32)) {
                    Ok(()) => Err(WOULD_BLOCK),
                    Err(error) => Err(error::code(&error)),
                }
            }
            Err(error) => Err(error::code(&error)),
        }
    }

    fn entry(&self, handle: i32) -> Option<&Entry> {
        self.entries.get(index(handle)).filter(|entry| entry.generation == handle as u32 >> INDEX_BITS)
    }
}
