//! Many datagrams where the system has no call for that: one after the other, with equal results.

use std::io;
use std::mem::MaybeUninit;

use socket2::{SockAddr, Socket};

use super::{recv_message, End};
use crate::datagram::Envelope;

/// What receiving many at once takes: nothing here.
pub(crate) struct Mailbox;

impl Mailbox {
    pub(crate) fn new() -> Mailbox {
        Mailbox
    }

    /// Receives what is there, as long as there are slots in `space`.
    pub(crate) fn receive(
        &mut self,
        socket: &Socket,
        space: &mut [MaybeUninit<u8>],
        slot: usize,
        tells: bool,
        envelopes: &mut Vec<Envelope>,
    ) -> io::Result<End> {
        for slot in space.chunks_mut(slot) {
            match recv_message(socket, slot, tells) {
                Ok(envelope) => envelopes.push(envelope),
                Err(error) if envelopes.is_empty() => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(End::Empty),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(End::Full),
                Err(error) => return Ok(End::Failed(error)),
            }
        }
        Ok(End::Full)
    }
}

/// Sends datagrams until one does not go: how many went, and why the next one did not.
pub(crate) use super::send_one_by_one as send_many;

/// The system puts no datagrams together.
pub(crate) fn coalesce(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The system puts no datagrams together.
pub(crate) fn coalesces(_: &Socket) -> io::Result<bool> {
    Ok(false)
}

/// The system splits nothing.
pub(crate) fn splits(_: &Socket) -> io::Result<bool> {
    Ok(false)
}

/// The system splits nothing.
pub(crate) fn send_split(_: &Socket, _: &[u8], _: usize, _: Option<&SockAddr>) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether an error is about splitting, and then whether it will be so every time.
pub(crate) fn refusal_to_split(_: &io::Error) -> Option<bool> {
    Some(true)
}
