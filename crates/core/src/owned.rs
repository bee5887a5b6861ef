//! Which descriptors of this process are sockets of ours, whichever thread has them: nobody may take one over a second time, since
//! whoever closed it first would leave the other with a stranger's.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers up to 2^20: more than any system gives by default. Those beyond are not known here.
static OWNED: [AtomicU64; 1 << 14] = [const { AtomicU64::new(0) }; 1 << 14];

/// On Windows the numbers are multiples of four.
const SHIFT: u32 = if cfg!(windows) { 2 } else { 0 };

fn place(number: i64) -> Option<(&'static AtomicU64, u64)> {
    let index = usize::try_from(number >> SHIFT).ok()?;
    Some((OWNED.get(index / 64)?, 1 << (index % 64)))
}

/// The mark of one descriptor, as long as it is ours. To be dropped before that is closed, after which anybody may get the number.
pub(crate) struct Owned(i64);

impl Owned {
    pub(crate) fn new(number: i64) -> Owned {
        if let Some((word, bit)) = place(number) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Owned(number)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some((word, bit)) = place(self.0) {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }
}

/// Whether it is ours.
pub(crate) fn has(number: i64) -> bool {
    place(number).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
}
