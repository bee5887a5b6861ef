//! The calls on datagrams.

use socket2_core::address;
use socket2_core::datagram::{Message, MOST_AT_ONCE, RECORD_LENGTH};
use socket2_core::error::{self, INVALID};
use socket2_core::SockAddr;

use crate::calls::{Arguments, Outcome};
use crate::environment::Environment;
use crate::sockets::{attempt, count};

// recvFrom(handle, into, record)
pub fn recv_from(environment: &Environment, arguments: &Arguments) -> Outcome {
    let space = arguments.space(1)?;
    let envelope = attempt(environment, arguments, |socket| socket.recv_message(space))?;
    let mut record = [0; RECORD_LENGTH];
    envelope.write(0, &mut record);
    arguments.put(2, &record)?;
    Ok(count(envelope.length))
}

// recvMany(handle, most, found): how many records; how many bytes `takeMany` writes, 1 if there are no more
pub fn recv_many(environment: &Environment, arguments: &Arguments) -> Outcome {
    let most = arguments.offset(1)?;
    let [length, drained, ..] = arguments.numbers(2)? else { return Err(INVALID) };
    let mut batch = environment.batch.borrow_mut();
    let batch = batch.get_or_insert_default();
    *drained = attempt(environment, arguments, |socket| socket.recv_many(batch, most))?.into();
    *length = count(batch.wire_length());
    Ok(count(batch.count()))
}

// takeMany(into): what recvMany has received
pub fn take_many(environment: &Environment, arguments: &Arguments) -> Outcome {
    let space = arguments.space(0)?;
    let batch = environment.batch.borrow();
    let batch = batch.as_ref().filter(|batch| batch.wire_length() <= space.len()).ok_or(INVALID)?;
    batch.write(space);
    Ok(0)
}

// sendTo(handle, data, address)
pub fn send_to(environment: &Environment, arguments: &Arguments) -> Outcome {
    let data = arguments.bytes(1)?;
    let to = address_in(arguments.bytes(2)?)?;
    attempt(environment, arguments, |socket| socket.send_to(data, &to)).map(count)
}

// sendMany(handle, list, index, addresses): from that index on; the addresses are of equal length, none for the peer
pub fn send_many(environment: &Environment, arguments: &Arguments) -> Outcome {
    let length = arguments.array_length(1)?;
    let first = u32::try_from(arguments.offset(2)?).map_err(|_| INVALID)?;
    let addresses = arguments.bytes(3)?;
    let width = addresses.len() / length.max(1) as usize;
    let mut messages = Vec::with_capacity(MOST_AT_ONCE);
    for place in (first..length).take(MOST_AT_ONCE) {
        let to = match &addresses[place as usize * width..] {
            [] | [0, ..] => None,
            wire => Some(address_in(wire)?),
        };
        messages.push(Message { data: arguments.element(1, place)?, to });
    }
    attempt(environment, arguments, |socket| socket.send_many(&messages)).map(count)
}

// sendSegments(handle, data, size, address): the address is empty for the peer
pub fn send_segments(environment: &Environment, arguments: &Arguments) -> Outcome {
    let (data, size) = (arguments.bytes(1)?, arguments.offset(2)?);
    let to = match arguments.bytes(3)? {
        [] => None,
        wire => Some(address_in(wire)?),
    };
    attempt(environment, arguments, |socket| socket.send_segments(data, size, to.as_ref())).map(count)
}

// coalesce(handle): 1 if the system puts datagrams together from now on
pub fn coalesce(environment: &Environment, arguments: &Arguments) -> Outcome {
    attempt(environment, arguments, |socket| Ok(socket.coalesce().into()))
}

// coalesces(handle): 1 if it does
pub fn coalesces(environment: &Environment, arguments: &Arguments) -> Outcome {
    attempt(environment, arguments, |socket| Ok(socket.coalesces().into()))
}

fn address_in(wire: &[u8]) -> Result<SockAddr, i32> {
    address::decode(wire).map_err(|error| error::code(&error))
}
