//! The calls of the driver: who has the poll, and what is ready.

use std::io;
use std::time::Duration;

use socket2_core::error::{self, BAD_HANDLE, INVALID};
use socket2_core::poller::Poller;

use crate::calls::{Arguments, Outcome};
use crate::environment::Environment;

fn with_poller(environment: &Environment, act: impl FnOnce(&Poller) -> io::Result<i32>) -> Outcome {
    let poller = environment.poller.borrow();
    act(poller.as_ref().ok_or(BAD_HANDLE)?).map_err(|error| error::code(&error))
}

// poll(ring, timeout)
pub fn poll(environment: &Environment, arguments: &Arguments) -> Outcome {
    let ring = arguments.numbers(0)?;
    let timeout = u64::try_from(arguments.int(1)?).ok().map(Duration::from_millis);
    let mut pairs = ring.chunks_exact_mut(2);
    with_poller(environment, |poller| {
        let events = poller.poll(timeout, |handle, flags| {
            if let Some([place, state]) = pairs.next() {
                (*place, *state) = (handle as i32, flags);
            }
        })?;
        Ok(events as i32)
    })
}

// takePoll(): 0 when it was the thread's, 1 when a delivery is on its way
pub fn take_poll(environment: &Environment, _: &Arguments) -> Outcome {
    with_poller(environment, |poller| Ok(i32::from(!poller.take()?)))
}

// givePoll()
pub fn give_poll(environment: &Environment, _: &Arguments) -> Outcome {
    with_poller(environment, |poller| poller.give().map(|()| 0))
}

// pollerHandle()
pub fn poller_handle(environment: &Environment, _: &Arguments) -> Outcome {
    with_poller(environment, |poller| Ok(i32::try_from(poller.handle()).unwrap_or(INVALID)))
}

// sharePoller(handle)
pub fn share_poller(environment: &Environment, arguments: &Arguments) -> Outcome {
    match environment.share(arguments.int(0)?.into()) {
        Some(shared) => shared.map(|()| 0).map_err(|error| error::code(&error)),
        None => Err(INVALID),
    }
}
