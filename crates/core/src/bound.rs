//! The file that binding a unix socket leaves behind, and its removal.
//!
//! The system never removes it: a listener that ends without doing so leaves a path that can be neither connected to nor
//! bound again. So who made it removes it, if it is still the same file: another server may have replaced it meanwhile.

use std::io;
use std::path::{Path, PathBuf};

use socket2::{SockAddr, Socket, Type};

use crate::sys;

/// A path that `bind` has made; dropping it removes the file.
pub(crate) struct BoundPath {
    path: PathBuf,
    identity: sys::FileIdentity,
}

impl BoundPath {
    /// The path that `address` has just been bound at; `None` when that left no file.
    pub(crate) fn of(address: &SockAddr) -> Option<BoundPath> {
        // A relative path has to be found again from another working directory.
        let path = std::path::absolute(sys::pathname(address)?).ok()?;
        let identity = sys::file_identity(&path)?;
        Some(BoundPath { path, identity })
    }

    /// Leaves the file to someone else.
    pub(crate) fn keep(mut self) {
        self.path.clear();
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        // A path that was left to someone else is empty, and names no file.
        if sys::file_identity(&self.path).as_ref() == Some(&self.identity) {
            // Whoever may not remove it leaves it, as every other server does.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the socket at this address when nobody is there any more, which a refused connection shows. `true` when
/// binding can be tried again.
pub(crate) fn remove_stale(address: &SockAddr) -> bool {
    let Some(path) = sys::pathname(address) else { return false };
    is_stale(address, &path).unwrap_or(false) && std::fs::remove_file(path).is_ok()
}

fn is_stale(address: &SockAddr, path: &Path) -> io::Result<bool> {
    if !sys::is_socket(path) {
        return Ok(false);
    }
    // A socket of another type than ours may live there (EPROTOTYPE): only a refusal proves that nobody does.
    let probe = Socket::new(address.domain(), Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) => Ok(error.kind() == io::ErrorKind::ConnectionRefused),
        Ok(()) => Ok(false),
    }
}
