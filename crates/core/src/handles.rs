//! Descriptors that travel over unix sockets (SCM_RIGHTS).

use std::io;
use std::mem::MaybeUninit;

use crate::socket::Socket;
use crate::sys;

pub use sys::MOST_HANDLES;

/// Descriptors that have arrived: whoever takes their numbers has to close them. Those that nobody takes are closed.
pub type Handles = Vec<sys::OwnedHandle>;

/// Gives the number of a descriptor to the caller, who has to close it.
pub fn give_up(handle: sys::OwnedHandle) -> i64 {
    sys::number_of(handle)
}

impl Socket {
    /// Sends data, and with its first byte these descriptors, which stay the sender's as well. The count may be less than the
    /// length on a stream; the rest goes by `send`.
    ///
    /// # Errors
    /// `EBADF` for what is no descriptor, `EINVAL` for more than [`MOST_HANDLES`], `ETOOMANYREFS` when too many are on their
    /// way, `ENOTSUP` where there are none of these.
    pub fn send_handles(&self, data: &[u8], handles: &[i32]) -> io::Result<usize> {
        self.try_io(|socket| sys::send_handles(socket, data, handles))
    }

    /// Receives data, and the descriptors that came with it, which no child process inherits: the count of bytes, and whether
    /// there was more than room for, or than this process may have open. What did not fit is closed.
    pub fn recv_handles(&self, buffer: &mut [MaybeUninit<u8>], handles: &mut Handles) -> io::Result<(usize, bool)> {
        self.try_io(|socket| sys::recv_handles(socket, buffer, handles))
    }
}
