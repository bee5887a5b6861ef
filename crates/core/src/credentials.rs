//! Who is at the other end of a unix socket, as the system vouches for it.

use std::io;

use crate::socket::Socket;
use crate::sys;

/// A process as it was when it connected, listened, or made the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Its number; 0 when it has none that we could see (Linux: a process of another PID namespace).
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl Socket {
    /// Who the peer is.
    ///
    /// # Errors
    /// `ENOTCONN` without a peer, and for one that the system says nothing of: that of a datagram socket which connected
    /// (a pair's is known on Linux) and those of inet sockets. `ENOTSUP` on Windows.
    pub fn peer_credentials(&self) -> io::Result<Credentials> {
        self.with(|socket| {
            // A listener would be given its own.
            if !socket.peer_addr()?.is_unix() {
                return Err(io::ErrorKind::NotConnected.into());
            }
            sys::peer_credentials(socket)
        })
    }
}
