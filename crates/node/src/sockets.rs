//! The calls on sockets. Each names its arguments in the order in which JavaScript gives them; the first is the handle.

use std::io::{self, IoSlice};
use std::net::Shutdown;

use socket2_core::address::{self, IP_WIRE_LENGTH};
use socket2_core::error::{self, INVALID, PARTLY, TOO_MANY_OPEN};
use socket2_core::options;
use socket2_core::{Family, Interface, Kind, Membership, Socket};

use crate::calls::{Arguments, Outcome, MOST_BYTES};
use crate::environment::Environment;

/// The most buffers that one call gathers: what Linux, macOS and FreeBSD take (IOV_MAX).
const MOST_BUFFERS: usize = 1024;

// open(family, type, protocol)
pub fn open(environment: &Environment, arguments: &Arguments) -> Outcome {
    let family = Family::from_number(arguments.int(0)?).ok_or(INVALID)?;
    let kind = Kind::from_number(arguments.int(1)?).ok_or(INVALID)?;
    let socket = Socket::open(family, kind, arguments.int(2)?).map_err(|error| error::code(&error))?;
    insert(environment, socket)
}

// pair(type, handles)
pub fn pair(environment: &Environment, arguments: &Arguments) -> Outcome {
    let kind = Kind::from_number(arguments.int(0)?).ok_or(INVALID)?;
    let [one, other, ..] = arguments.numbers(1)? else { return Err(INVALID) };
    let (first, second) = Socket::pair(kind).map_err(|error| error::code(&error))?;
    *one = insert(environment, first)?;
    *other = insert(environment, second)?;
    Ok(0)
}

pub(crate) fn insert(environment: &Environment, socket: Socket) -> Outcome {
    environment.sockets.borrow_mut().insert(socket).map_err(|_| TOO_MANY_OPEN)
}

// close(handle, reset)
pub fn close(environment: &Environment, arguments: &Arguments) -> Outcome {
    if let Some(socket) = environment.sockets.borrow_mut().remove(arguments.int(0)?) {
        if arguments.int(1)? != 0 {
            socket.reset();
        }
    }
    Ok(0)
}

/// Does something to the socket that argument 0 names.
#[inline]
pub(crate) fn attempt<T>(
    environment: &Environment,
    arguments: &Arguments,
    act: impl FnOnce(&mut Socket) -> io::Result<T>,
) -> std::result::Result<T, i32> {
    environment.sockets.borrow_mut().attempt(arguments.int(0)?, act)
}

// fd(handle)
pub fn fd(environment: &Environment, arguments: &Arguments) -> Outcome {
    attempt(environment, arguments, |socket| Ok(socket.fd() as i32))
}

// bind(handle, address, flags): 1 what is customary for listeners first, 2 replaces a stale unix path, 4 leaves the port to connect
pub fn bind(environment: &Environment, arguments: &Arguments) -> Outcome {
    let address = address::decode(arguments.bytes(1)?).map_err(|error| error::code(&error))?;
    let flags = arguments.int(2)?;
    let bind = |socket: &mut Socket| {
        if flags & 1 != 0 {
            socket.set_customary_for_listeners()?;
        }
        if flags & 4 != 0 {
            socket.choose_port_late();
        }
        if flags & 2 != 0 {
            return socket.bind_replacing_stale(&address);
        }
        socket.bind(&address)
    };
    attempt(environment, arguments, bind).map(done)
}

// listen(handle, backlog)
pub fn listen(environment: &Environment, arguments: &Arguments) -> Outcome {
    let backlog = arguments.int(1)?;
    attempt(environment, arguments, |socket| socket.listen(backlog)).map(done)
}

// connect(handle, address)
pub fn connect(environment: &Environment, arguments: &Arguments) -> Outcome {
    let address = address::decode(arguments.bytes(1)?).map_err(|error| error::code(&error))?;
    attempt(environment, arguments, |socket| socket.connect(&address)).map(done)
}

// disconnect(handle)
pub fn disconnect(environment: &Environment, arguments: &Arguments) -> Outcome {
    attempt(environment, arguments, |socket| socket.disconnect()).map(done)
}

// verdict(handle)
pub fn verdict(environment: &Environment, arguments: &Arguments) -> Outcome {
    attempt(environment, arguments, |socket| socket.verdict()).map(done)
}

// accept(handle, address)
pub fn accept(environment: &Environment, arguments: &Arguments) -> Outcome {
    let (socket, address) = attempt(environment, arguments, |socket| socket.accept())?;
    arguments.put_address(1, &address)?;
    insert(environment, socket)
}

// recv(handle, into)
pub fn recv(environment: &Environment, arguments: &Arguments) -> Outcome {
    let space = arguments.space(1)?;
    attempt(environment, arguments, |socket| socket.recv(space)).map(count)
}

// send(handle, data, offset)
pub fn send(environment: &Environment, arguments: &Arguments) -> Outcome {
    let data = arguments.bytes_from(1, arguments.offset(2)?)?;
    attempt(environment, arguments, |socket| socket.send(data)).map(count)
}

// pass(from, to, space, outcome): sends what is received
pub fn pass(environment: &Environment, arguments: &Arguments) -> Outcome {
    let to = arguments.int(1)?;
    let mut sockets = environment.sockets.borrow_mut();
    let space = arguments.space(2)?;
    let received = sockets.attempt(arguments.int(0)?, |socket| socket.recv(space))?;
    if received == 0 {
        return Ok(0);
    }
    let data = &arguments.bytes(2)?[..received];
    let sent = sockets.attempt(to, |socket| socket.send(data));
    if sent == Ok(received) {
        return Ok(count(received));
    }
    let [all, part, ..] = arguments.numbers(3)? else { return Err(INVALID) };
    (*all, *part) = (count(received), sent.map_or_else(|code| code, count));
    Err(PARTLY)
}

// sendList(handle, list, index, offset)
pub fn send_list(environment: &Environment, arguments: &Arguments) -> Outcome {
    let length = arguments.array_length(1)?;
    let mut skip = arguments.offset(3)?;
    let mut room = MOST_BYTES;
    let mut slices = Vec::with_capacity(MOST_BUFFERS.min(length as usize));
    for place in u32::try_from(arguments.offset(2)?).map_err(|_| INVALID)?..length {
        let bytes = arguments.element(1, place)?.get(skip..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(room)];
        (skip, room) = (0, room - bytes.len());
        slices.push(IoSlice::new(bytes));
        if slices.len() == MOST_BUFFERS || room == 0 {
            break;
        }
    }
    attempt(environment, arguments, |socket| socket.send_vectored(&slices)).map(count)
}

// shutdown(handle, how)
pub fn shutdown(environment: &Environment, arguments: &Arguments) -> Outcome {
    let how = match arguments.int(1)? {
        0 => Shutdown::Read,
        1 => Shutdown::Write,
        _ => Shutdown::Both,
    };
    attempt(environment, arguments, |socket| socket.shutdown(how)).map(done)
}

// localAddress(handle, address)
pub fn local_address(environment: &Environment, arguments: &Arguments) -> Outcome {
    let address = attempt(environment, arguments, |socket| socket.local_addr())?;
    arguments.put_address(1, &address).map(done)
}

// remoteAddress(handle, address)
pub fn remote_address(environment: &Environment, arguments: &Arguments) -> Outcome {
    let address = attempt(environment, arguments, |socket| socket.peer_addr())?;
    arguments.put_address(1, &address).map(done)
}

// getOption(handle, id, value)
pub fn get_option(environment: &Environment, arguments: &Arguments) -> Outcome {
    let id = arguments.offset(1)?;
    let value = attempt(environment, arguments, |socket| options::get(socket, id))?;
    *arguments.numbers(2)?.first_mut().ok_or(INVALID)? = i32::try_from(value).map_err(|_| INVALID)?;
    Ok(0)
}

// setOption(handle, id, value)
pub fn set_option(environment: &Environment, arguments: &Arguments) -> Outcome {
    let (id, value) = (arguments.offset(1)?, i64::from(arguments.int(2)?));
    attempt(environment, arguments, |socket| options::set(socket, id, value)).map(done)
}

// getOptionBytes(handle, id, into)
pub fn get_option_bytes(environment: &Environment, arguments: &Arguments) -> Outcome {
    let id = arguments.offset(1)?;
    let value = attempt(environment, arguments, |socket| options::get_bytes(socket, id))?;
    arguments.put(2, &value)
}

// setOptionBytes(handle, id, value)
pub fn set_option_bytes(environment: &Environment, arguments: &Arguments) -> Outcome {
    let (id, value) = (arguments.offset(1)?, arguments.bytes(2)?.to_vec()); // checked bytes must not change under us
    attempt(environment, arguments, |socket| options::set_bytes(socket, id, &value)).map(done)
}

// getRawOption(handle, level, name, into)
pub fn get_raw_option(environment: &Environment, arguments: &Arguments) -> Outcome {
    let (level, name) = (arguments.int(1)?, arguments.int(2)?);
    let mut value = vec![0; arguments.bytes(3)?.len()];
    let length = attempt(environment, arguments, |socket| options::get_raw(socket, level, name, &mut value))?;
    arguments.put(3, &value[..length])
}

// setRawOption(handle, level, name, value)
pub fn set_raw_option(environment: &Environment, arguments: &Arguments) -> Outcome {
    let (level, name, value) = (arguments.int(1)?, arguments.int(2)?, arguments.bytes(3)?);
    attempt(environment, arguments, |socket| options::set_raw(socket, level, name, value)).map(done)
}

// changeGroup(handle, join, addresses, interface): the group, then the one source if any; the interface as text
pub fn change_group(environment: &Environment, arguments: &Arguments) -> Outcome {
    let join = arguments.int(1)? != 0;
    let addresses = arguments.bytes(2)?;
    let ip = |wire| -> std::result::Result<_, i32> {
        let address = address::decode(wire).map_err(|error| error::code(&error))?;
        Ok(address.as_socket().ok_or(INVALID)?.ip())
    };
    let group = ip(addresses)?;
    let source = addresses.get(IP_WIRE_LENGTH..).filter(|rest| !rest.is_empty()).map(ip).transpose()?;
    // Copied: checked text must not change under us.
    let interface = String::from_utf8(arguments.bytes(3)?.to_vec()).map_err(|_| INVALID)?;
    let interface = Interface::parse(&interface).map_err(|error| error::code(&error))?;
    let membership = Membership { group, source, interface };
    let change = |socket: &mut Socket| match join {
        true => socket.join_group(&membership),
        false => socket.leave_group(&membership),
    };
    attempt(environment, arguments, change).map(done)
}

// peerCredentials(handle, [pid, uid, gid])
pub fn peer_credentials(environment: &Environment, arguments: &Arguments) -> Outcome {
    let [pid, uid, gid, ..] = arguments.numbers(1)? else { return Err(INVALID) };
    let peer = attempt(environment, arguments, |socket| socket.peer_credentials())?;
    (*pid, *uid, *gid) = (peer.pid, peer.uid as i32, peer.gid as i32);
    Ok(0)
}

// isUnprivileged(handle)
pub fn is_unprivileged(environment: &Environment, arguments: &Arguments) -> Outcome {
    attempt(environment, arguments, |socket| Ok(socket.is_unprivileged().into()))
}

// hearEchoesOf(handle, id)
pub fn hear_echoes_of(environment: &Environment, arguments: &Arguments) -> Outcome {
    let id = u16::try_from(arguments.int(1)?).map_err(|_| INVALID)?;
    attempt(environment, arguments, |socket| socket.hear_echoes_of(id)).map(done)
}

pub(crate) fn count(bytes: usize) -> i32 {
    bytes as i32 // at most MOST_BYTES
}

fn done<T>(_: T) -> i32 {
    0
}
