//! Many datagrams where the system has no call for that: one after the other, with equal results.

use std::io;
use std::mem::MaybeUninit;

use socket2::{SockAddr, Socket};

use super::{recv_message, send_error, End, SEND_FLAGS};
use crate::datagram::{Envelope, Message};

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

/// Sends datagrams until one does not go; how many went.
pub(crate) fn send_many(socket: &Socket, messages: &[Message<'_>]) -> io::Result<usize> {
    for (count, message) in messages.iter().enumerate() {
        let sent = match &message.to {
            Some(to) => socket.send_to_with_flags(message.data, &super::destination(to), SEND_FLAGS),
            None => socket.send_with_flags(message.data, SEND_FLAGS).map_err(|error| send_error(socket, error)),
        };
        match sent {
            Ok(_) => {}
            Err(error) if count == 0 => return Err(error),
            // Whoever goes on with the next one hears it then.
            Err(_) => return Ok(count),
        }
    }
    Ok(messages.len())
}

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
