//! Sockets that never block, their addresses, names and options, and the poller that waits for them.
//!
//! This crate has never heard of Node. It has no promise, no queue of waiting operations and no policy: a call does what
//! the system can do now and says so, with [`WOULD_BLOCK`](error::WOULD_BLOCK) among the answers.

#![deny(missing_docs)]

pub mod address;
mod bound;
mod credentials;
pub mod datagram;
pub mod detached;
mod echo;
pub mod error;
mod handles;
pub mod heap;
mod kind;
pub mod lookup;
mod multicast;
pub mod options;
mod owned;
pub mod ping;
pub mod poller;
pub mod socket;
mod sys;
pub mod table;

pub use address::SockAddr;
pub use credentials::Credentials;
pub use handles::{give_up, Handles, MOST_HANDLES};
pub use kind::{Family, Kind};
pub use multicast::{Interface, Membership};
pub use socket::{Socket, Standing};
pub use sys::{SHORT_READ_DRAINS, UNIX_PATH_LENGTH};
