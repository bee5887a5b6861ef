//! What is ready for one user of a shared poll, until that user takes it.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::lock;
use super::selector::Flags;

#[derive(Default)]
struct State {
    /// Handles and flags in the order of their first event. One entry per socket, so it never outgrows them.
    ready: Vec<(u32, Flags)>,
    places: HashMap<u32, usize>,
    /// The user waits for a delivery.
    waiting: bool,
}

/// What is ready for one user, and whether that user waits to be told.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    arrival: Condvar,
}

impl Inbox {
    /// Adds an event. `true` when the user waits and is to be told, once.
    pub(super) fn add(&self, handle: u32, flags: Flags) -> bool {
        let mut state = lock(&self.state);
        match state.places.get(&handle) {
            Some(&place) => state.ready[place].1 |= flags,
            None => {
                let place = state.ready.len();
                state.places.insert(handle, place);
                state.ready.push((handle, flags));
            }
        }
        self.arrival.notify_one();
        std::mem::take(&mut state.waiting)
    }

    /// The user begins to wait. `true` when something is there already, so that it is to be told at once.
    pub(super) fn begin_waiting(&self) -> bool {
        let mut state = lock(&self.state);
        state.waiting = state.ready.is_empty();
        !state.waiting
    }

    /// The user does not wait any more. `false` when it has been told already.
    pub(super) fn stop_waiting(&self) -> bool {
        std::mem::take(&mut lock(&self.state).waiting)
    }

    /// Hands out at most `most` of what is ready, waiting for it up to `timeout` (`None`: for ever). A wait may end early.
    pub(super) fn take(&self, most: usize, timeout: Option<Duration>, mut each: impl FnMut(u32, Flags)) -> usize {
        let mut state = lock(&self.state);
        let end = timeout.map(|timeout| Instant::now() + timeout);
        while state.ready.is_empty() {
            let rest = end.map(|end| end.saturating_duration_since(Instant::now()));
            if rest == Some(Duration::ZERO) {
                return 0;
            }
            let rest = rest.unwrap_or(Duration::from_secs(3600));
            state = super::recover(self.arrival.wait_timeout(state, rest)).0;
        }
        let count = state.ready.len().min(most);
        for (handle, flags) in state.ready.drain(..count) {
            each(handle, flags);
        }
        let State { ready, places, .. } = &mut *state;
        places.clear();
        places.extend(ready.iter().enumerate().map(|(place, &(handle, _))| (handle, place)));
        count
    }
}
