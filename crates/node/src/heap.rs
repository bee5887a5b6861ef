//! What the C library is told of memory.

use napi_derive::napi;

/// Has it keep some MiB of what is freed, for those who need that much again and again; once is enough for a process.
#[napi(catch_unwind)]
pub fn expect_bursts() {
    socket2_core::heap::expect_bursts();
}
