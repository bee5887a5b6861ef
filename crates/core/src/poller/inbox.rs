//! What is ready for one user of a shared poll, until that user takes it.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::lock;
use super::selector::Flags;
use crate::table;

#[derive(Default)]
struct State {
    /// Handles and flags in the order of their first event. One entry per socket, so it never outgrows them.
    ready: Vec<(u32, Flags)>,
    /// Where in `ready` a socket is, by its place in the table. Nothing is ever taken out: whether it is there is seen there.
    places: Vec<u32>,
    /// The user waits for a delivery.
    waiting: bool,
    /// The user blocks until something arrives. To wake nobody is a system call, too.
    blocked: bool,
}

/// What is ready for one user, and whether that user waits to be told.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    arrival: Condvar,
}

impl Inbox {
    /// Adds events. `true` when the user waits and is to be told, once.
    pub(super) fn add(&self, events: impl Iterator<Item = (u32, Flags)>) -> bool {
        let mut state = lock(&self.state);
        for (handle, flags) in events {
            state.add(handle, flags);
        }
        if state.blocked {
            self.arrival.notify_one();
        }
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
            state.blocked = true;
            state = super::recover(self.arrival.wait_timeout(state, rest)).0;
            state.blocked = false;
        }
        let count = state.ready.len().min(most);
        for (handle, flags) in state.ready.drain(..count) {
            each(handle, flags);
        }
        let State { ready, places, .. } = &mut *state;
        for (place, &(handle, _)) in ready.iter().enumerate() {
            places[table::index(handle as i32)] = place as u32;
        }
        count
    }
}

impl State {
    fn add(&mut self, handle: u32, flags: Flags) {
        let index = table::index(handle as i32);
        if index >= self.places.len() {
            self.places.resize(index + 1, 0);
        }
        match self.ready.get_mut(self.places[index] as usize) {
            Some(known) if known.0 == handle => known.1 |= flags,
            _ => {
                self.places[index] = self.ready.len() as u32;
                self.ready.push((handle, flags));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(inbox: &Inbox, most: usize) -> Vec<(u32, Flags)> {
        let mut events = Vec::new();
        inbox.take(most, Some(Duration::ZERO), |handle, flags| events.push((handle, flags)));
        events
    }

    #[test]
    fn events_of_one_socket_are_one_until_they_are_taken() {
        let inbox = Inbox::default();
        inbox.add([(7, 1), (5, 1), (7, 2)].into_iter());
        inbox.add([(5, 4), (6, 1)].into_iter());
        assert_eq!(taken(&inbox, 1), [(7, 3)]);
        inbox.add([(6, 2), (7, 1), (5, 8)].into_iter());
        assert_eq!(taken(&inbox, 9), [(5, 13), (6, 3), (7, 1)]);
        inbox.add([(7, 2)].into_iter());
        assert_eq!(taken(&inbox, 9), [(7, 2)]);
    }

    #[test]
    fn a_socket_in_the_place_of_a_closed_one_has_events_of_its_own() {
        let inbox = Inbox::default();
        let successor = 7 | (table::MOST_SOCKETS as u32);
        inbox.add([(7, 1), (successor, 2)].into_iter());
        assert_eq!(taken(&inbox, 9), [(7, 1), (successor, 2)]);
    }

    #[test]
    fn who_waits_is_to_be_told_once() {
        let inbox = Inbox::default();
        assert!(!inbox.add([(1, 1)].into_iter()));
        assert!(inbox.begin_waiting(), "something is there");
        taken(&inbox, 9);
        assert!(!inbox.begin_waiting());
        assert!(inbox.add([(1, 1)].into_iter()));
        assert!(!inbox.add([(2, 1)].into_iter()));
    }
}
