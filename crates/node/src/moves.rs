//! The calls by which sockets come from elsewhere and go there: other threads, other processes, other code of this one.

use socket2_core::detached::{self, Key};
use socket2_core::error::{self, BAD_HANDLE, INVALID, WRONG_KIND};
use socket2_core::{Family, Handles, Kind, Socket};

use crate::calls::{Arguments, Outcome};
use crate::environment::Environment;
use crate::sockets::{attempt, count, insert};

// detach(handle, key): puts the key into 16 bytes
pub fn detach(environment: &Environment, arguments: &Arguments) -> Outcome {
    let space = arguments.space(1)?;
    if space.len() != size_of::<Key>() {
        return Err(INVALID);
    }
    let socket = environment.sockets.borrow_mut().remove(arguments.int(0)?).ok_or(BAD_HANDLE)?;
    let key = environment.fresh.borrow_mut().put(socket);
    for (place, byte) in space.iter_mut().zip(key.to_ne_bytes()) {
        place.write(byte);
    }
    Ok(0)
}

// told(): the keys that `detach` has given are on their way
pub fn told(environment: &Environment, _: &Arguments) -> Outcome {
    environment.fresh.borrow_mut().told();
    Ok(0)
}

// attach(key, family, kind): a socket that is something else stays where it is
pub fn attach(environment: &Environment, arguments: &Arguments) -> Outcome {
    let key = arguments.bytes(0)?.try_into().map_err(|_| INVALID)?;
    let (family, kind) = (Family::from_number(arguments.int(1)?), Kind::from_number(arguments.int(2)?));
    let fits = |socket: &Socket| socket.family() == family && Some(socket.kind()) == kind;
    let socket = detached::take_if(Key::from_ne_bytes(key), fits).ok_or(BAD_HANDLE)?;
    insert(environment, socket)
}

// discard(key): closes it, if nobody has attached it
pub fn discard(_: &Environment, arguments: &Arguments) -> Outcome {
    let key = arguments.bytes(0)?.try_into().map_err(|_| INVALID)?;
    drop(detached::take(Key::from_ne_bytes(key)));
    Ok(0)
}

// detached()
pub fn detached(_: &Environment, _: &Arguments) -> Outcome {
    Ok(count(detached::count()))
}

// adopt(fd, kind, standing): the family, the kind, the protocol, whether it listens, whether it has a peer, what ended that.
// `kind` is what it must be, 0 anything.
pub fn adopt(environment: &Environment, arguments: &Arguments) -> Outcome {
    let number = arguments.offset(0)? as i64;
    let wanted = arguments.int(1)?;
    let [family, kind, protocol, listening, connected, broken] = arguments.numbers(2)? else { return Err(INVALID) };
    let standing = Socket::look(number).map_err(|error| error::code(&error))?;
    *family = standing.family.number();
    *kind = standing.kind.number();
    *protocol = standing.protocol;
    *listening = standing.listening.into();
    *connected = standing.connected.into();
    *broken = standing.broken;
    if wanted != 0 && wanted != *kind {
        return Err(WRONG_KIND);
    }
    insert(environment, Socket::adopt(number, &standing).map_err(|error| error::code(&error))?)
}

// release(handle): the descriptor
pub fn release(environment: &Environment, arguments: &Arguments) -> Outcome {
    let socket = environment.sockets.borrow_mut().remove(arguments.int(0)?).ok_or(BAD_HANDLE)?;
    Ok(socket.release() as i32)
}

// keepFromChildren(fd)
pub fn keep_from_children(_: &Environment, arguments: &Arguments) -> Outcome {
    Socket::keep_from_children(arguments.offset(0)? as i64).map(|()| 0).map_err(|error| error::code(&error))
}

// sendHandles(handle, data, descriptors)
pub fn send_handles(environment: &Environment, arguments: &Arguments) -> Outcome {
    let data = arguments.bytes(1)?;
    // Copied: an Int32Array of the caller's may be shared with other threads.
    let descriptors = arguments.numbers(2)?.to_vec();
    attempt(environment, arguments, |socket| socket.send_handles(data, &descriptors)).map(count)
}

// recvHandles(handle, into, found): the count of descriptors, 1 if something did not fit, the descriptors
pub fn recv_handles(environment: &Environment, arguments: &Arguments) -> Outcome {
    let space = arguments.space(1)?;
    let [number, truncated, places @ ..] = arguments.numbers(2)? else { return Err(INVALID) };
    let mut handles = Handles::new();
    let (bytes, cut) = attempt(environment, arguments, |socket| socket.recv_handles(space, &mut handles))?;
    // What does not fit is closed with the rest of the list.
    *truncated = i32::from(cut || handles.len() > places.len());
    *number = handles.len().min(places.len()) as i32;
    for (place, handle) in places.iter_mut().zip(handles) {
        *place = socket2_core::give_up(handle) as i32;
    }
    Ok(count(bytes))
}
