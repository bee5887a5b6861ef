//! What the C library learns of how memory is used here.

use std::hint::black_box;

/// glibc's limit becomes twice as much. Fifty connections with messages of 16 KiB were seen to need 10 MiB at an instant.
const BLOCK: usize = 16 << 20;

/// Has the C library keep some MiB of freed memory.
///
/// glibc gives what is free at the end of the heap back to the system as soon as that is 128 KiB, until it has seen a larger
/// block freed: from then on it keeps up to twice as much (`mallopt(3)`, `M_TRIM_THRESHOLD`). What talks TLS uses that much for
/// an instant, again and again, and pays with page faults. So a larger block is freed here, which nobody has touched. Other C
/// libraries learn nothing of it.
pub fn expect_bursts() {
    drop(black_box(Vec::<u8>::with_capacity(BLOCK)));
}
