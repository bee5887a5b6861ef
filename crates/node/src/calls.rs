//! The hot calls, as raw Node-API functions: integers and typed arrays in, one integer out.
//!
//! This is the crate's one room for unsafe code. What makes it sound is the same everywhere: Node-API calls these functions
//! on the JavaScript thread of the environment they were made for; the memory of a typed array is asked for inside the call
//! and let go of before it returns, and no JavaScript runs in between; the environment lives as long as the functions do.
//!
//! Results follow one rule: 0 or more is a count or a handle, less is Node's number of an error.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_void};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;
use std::rc::Rc;
use std::time::Duration;

use napi::bindgen_prelude::*;
use napi::sys;
use socket2_core::address::{self, IP_WIRE_LENGTH, WIRE_LENGTH};
use socket2_core::error::{self, BAD_HANDLE, INVALID, PANICKED, TOO_MANY_OPEN, WOULD_BLOCK};
use socket2_core::options;
use socket2_core::poller::Poller;
use socket2_core::{Family, Interface, Kind, Membership, Socket, SHORT_READ_DRAINS, UNIX_PATH_LENGTH};

use crate::environment::Environment;

/// The most that one call moves, so that every count fits a 31-bit integer. Linux stops a page short of 2 GiB by itself.
const MOST_BYTES: usize = 0x7fff_f000;

/// The most buffers that one call gathers: what Linux, macOS and FreeBSD take (IOV_MAX).
const MOST_BUFFERS: usize = 1024;

type Outcome = std::result::Result<i32, i32>;
type Call = fn(&Environment, &Arguments) -> Outcome;

/// Every call by its name in JavaScript.
macro_rules! calls {
    ($($name:literal => $function:ident),* $(,)?) => {
        const CALLS: &[(&str, sys::napi_callback)] = &[$(
            ($name, Some({
                unsafe extern "C" fn entry(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
                    // SAFETY: Node-API passes what it promises, and `register` gave the data pointer.
                    unsafe { enter(env, info, $function) }
                }
                entry
            })),
        )*];
    };
}

calls! {
    "poll" => poll, "takePoll" => take_poll, "givePoll" => give_poll, "keepAlive" => keep_alive,
    "pollerHandle" => poller_handle, "sharePoller" => share_poller,
    "open" => open, "pair" => pair, "close" => close, "fd" => fd, "bind" => bind, "listen" => listen, "connect" => connect,
    "disconnect" => disconnect, "takeError" => take_error, "accept" => accept, "recv" => recv, "send" => send,
    "sendList" => send_list, "recvFrom" => recv_from, "sendTo" => send_to, "shutdown" => shutdown,
    "localAddress" => local_address, "remoteAddress" => remote_address,
    "getOption" => get_option, "setOption" => set_option, "changeGroup" => change_group,
    "peerCredentials" => peer_credentials,
}

/// Makes the calls and the constants they go with properties of `exports`.
pub fn register(env: &Env, exports: &mut Object, environment: Rc<Environment>) -> Result<()> {
    let data = Rc::as_ptr(&environment).cast::<c_void>().cast_mut();
    // The instance data is let go of only after the last JavaScript of the environment has run.
    env.set_instance_data(environment, (), |_| {})?;
    for (name, callback) in CALLS {
        let mut function = null_mut();
        // SAFETY: the name is a live string of that length, and the data pointer outlives the function.
        let status = unsafe {
            let name_pointer = name.as_ptr().cast::<c_char>();
            sys::napi_create_function(env.raw(), name_pointer, name.len() as isize, *callback, data, &mut function)
        };
        if status != sys::Status::napi_ok {
            return Err(Error::new(Status::from(status), format!("cannot make {name}")));
        }
        // SAFETY: Node-API has just made this value in this environment.
        let function = unsafe { Unknown::from_raw_unchecked(env.raw(), function) };
        exports.set_named_property(name, function)?;
    }
    exports.set_named_property("WOULD_BLOCK", WOULD_BLOCK)?;
    exports.set_named_property("SHORT_READ_DRAINS", SHORT_READ_DRAINS)?;
    exports.set_named_property("TIMED_OUT", error::TIMED_OUT)?;
    exports.set_named_property("UNIX_PATH_LENGTH", UNIX_PATH_LENGTH as u32)?;
    exports.set_named_property("ADDRESS_LENGTH", WIRE_LENGTH as u32)
}

const MOST_ARGUMENTS: usize = 4;

/// # Safety
/// `env` and `info` are those of the callback in progress, made by [`register`].
#[inline(always)]
unsafe fn enter(env: sys::napi_env, info: sys::napi_callback_info, call: Call) -> sys::napi_value {
    let mut count = MOST_ARGUMENTS;
    let mut values = [null_mut(); MOST_ARGUMENTS];
    let mut data = null_mut();
    let mut result = null_mut();
    // SAFETY: the pointers are to live locals of the sizes named; the data pointer is the environment, see `register`.
    unsafe {
        if sys::napi_get_cb_info(env, info, &mut count, values.as_mut_ptr(), null_mut(), &mut data)
            != sys::Status::napi_ok
        {
            return null_mut();
        }
        let environment = &*data.cast::<Environment>();
        let arguments = Arguments { env, values };
        // The standard hook has reported a panic on stderr; here it becomes an error like any other.
        let outcome = catch_unwind(AssertUnwindSafe(|| call(environment, &arguments))).unwrap_or(Err(PANICKED));
        sys::napi_create_int32(env, outcome.unwrap_or_else(|code| code), &mut result);
    }
    result
}

/// The arguments of the call in progress. What has the wrong type is `INVALID`, never undefined: the facade checks first
/// and says more.
struct Arguments {
    env: sys::napi_env,
    values: [sys::napi_value; MOST_ARGUMENTS],
}

impl Arguments {
    #[inline]
    fn int(&self, index: usize) -> std::result::Result<i32, i32> {
        let mut value = 0;
        // SAFETY: a value of this call; Node-API checks its type.
        let status = unsafe { sys::napi_get_value_int32(self.env, self.values[index], &mut value) };
        if status == sys::Status::napi_ok {
            Ok(value)
        } else {
            Err(INVALID)
        }
    }

    #[inline]
    fn offset(&self, index: usize) -> std::result::Result<usize, i32> {
        let mut value = 0;
        // SAFETY: a value of this call; Node-API checks its type.
        let status = unsafe { sys::napi_get_value_int64(self.env, self.values[index], &mut value) };
        if status == sys::Status::napi_ok {
            usize::try_from(value).map_err(|_| INVALID)
        } else {
            Err(INVALID)
        }
    }

    /// The bytes of a Uint8Array, for this call only. A detached one, or one out of the bounds of its buffer, is empty.
    #[inline]
    fn bytes(&self, index: usize) -> std::result::Result<&[u8], i32> {
        self.bytes_from(index, 0)
    }

    /// The same bytes but for the first `offset`.
    #[inline]
    fn bytes_from(&self, index: usize, offset: usize) -> std::result::Result<&[u8], i32> {
        let (data, length) = memory(self.env, self.values[index], sys::TypedarrayType::uint8_array)?;
        // SAFETY: see `memory`; nothing writes through another reference meanwhile.
        let bytes = unsafe { std::slice::from_raw_parts(data, length) }.get(offset..).unwrap_or_default();
        Ok(&bytes[..bytes.len().min(MOST_BYTES)])
    }

    /// The same memory, to be written. Uninitialised, since what it holds is not ours to read.
    #[inline]
    #[allow(clippy::mut_from_ref)] // each call asks for each of its arguments once
    fn space(&self, index: usize) -> std::result::Result<&mut [MaybeUninit<u8>], i32> {
        let (data, length) = memory(self.env, self.values[index], sys::TypedarrayType::uint8_array)?;
        // SAFETY: see `memory`; it is the only reference to this memory in the call.
        Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), length.min(MOST_BYTES)) })
    }

    #[allow(clippy::mut_from_ref)] // as in `space`
    fn numbers(&self, index: usize) -> std::result::Result<&mut [i32], i32> {
        let (data, length) = memory(self.env, self.values[index], sys::TypedarrayType::int32_array)?;
        // SAFETY: see `memory`; an Int32Array is aligned for its elements, and the only reference in the call.
        Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), length) })
    }

    /// The bytes of the Uint8Array at `place` in the array that is argument `index`.
    fn element(&self, index: usize, place: u32) -> std::result::Result<&[u8], i32> {
        let mut value = null_mut();
        // SAFETY: a value of this call; Node-API checks its type.
        if unsafe { sys::napi_get_element(self.env, self.values[index], place, &mut value) } != sys::Status::napi_ok {
            return Err(INVALID);
        }
        let (data, length) = memory(self.env, value, sys::TypedarrayType::uint8_array)?;
        // SAFETY: see `memory`; nothing writes through another reference meanwhile.
        Ok(unsafe { std::slice::from_raw_parts(data, length) })
    }

    fn array_length(&self, index: usize) -> std::result::Result<u32, i32> {
        let mut length = 0;
        // SAFETY: a value of this call; Node-API checks its type.
        let status = unsafe { sys::napi_get_array_length(self.env, self.values[index], &mut length) };
        if status == sys::Status::napi_ok {
            Ok(length)
        } else {
            Err(INVALID)
        }
    }

    /// Puts an address into the Uint8Array that is argument `index`.
    fn put_address(&self, index: usize, address: &socket2_core::SockAddr) -> std::result::Result<(), i32> {
        let mut wire = [0; WIRE_LENGTH];
        address::encode(address, &mut wire);
        let space = self.space(index)?;
        if space.len() < WIRE_LENGTH {
            return Err(INVALID);
        }
        for (place, byte) in space.iter_mut().zip(wire) {
            place.write(byte);
        }
        Ok(())
    }
}

/// Where a typed array of this type has its elements, and how many there are. The memory is valid until JavaScript runs
/// again: nobody can detach, resize or collect it before. Memory that is shared between threads may change under us, as it
/// may under any system call; no reference of ours is read twice.
#[inline]
fn memory(env: sys::napi_env, value: sys::napi_value, wanted: i32) -> std::result::Result<(*mut u8, usize), i32> {
    let (mut kind, mut length, mut data) = (0, 0, null_mut());
    // SAFETY: a value of the call in progress; Node-API checks its type, and null pointers ask for nothing.
    let status =
        unsafe { sys::napi_get_typedarray_info(env, value, &mut kind, &mut length, &mut data, null_mut(), null_mut()) };
    if status != sys::Status::napi_ok || kind != wanted {
        return Err(INVALID);
    }
    if data.is_null() || length == 0 {
        return Ok((std::ptr::NonNull::<u64>::dangling().as_ptr().cast(), 0));
    }
    Ok((data.cast(), length))
}

fn count(bytes: usize) -> i32 {
    bytes as i32 // at most MOST_BYTES
}

fn done<T>(_: T) -> i32 {
    0
}

fn with_poller(environment: &Environment, act: impl FnOnce(&Poller) -> io::Result<i32>) -> Outcome {
    let poller = environment.poller.borrow();
    act(poller.as_ref().ok_or(BAD_HANDLE)?).map_err(|error| error::code(&error))
}

// poll(ring, timeout)
fn poll(environment: &Environment, arguments: &Arguments) -> Outcome {
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
fn take_poll(environment: &Environment, _: &Arguments) -> Outcome {
    with_poller(environment, |poller| Ok(i32::from(!poller.take()?)))
}

// givePoll()
fn give_poll(environment: &Environment, _: &Arguments) -> Outcome {
    with_poller(environment, |poller| poller.give().map(done))
}

// pollerHandle()
fn poller_handle(environment: &Environment, _: &Arguments) -> Outcome {
    with_poller(environment, |poller| Ok(i32::try_from(poller.handle()).unwrap_or(INVALID)))
}

// sharePoller(handle)
fn share_poller(environment: &Environment, arguments: &Arguments) -> Outcome {
    match environment.share(arguments.int(0)?.into()) {
        Some(shared) => shared.map(done).map_err(|error| error::code(&error)),
        None => Err(INVALID),
    }
}

// keepAlive(0 | 1)
fn keep_alive(environment: &Environment, arguments: &Arguments) -> Outcome {
    let on = arguments.int(0)? != 0;
    if let (Some(deliver), true) = (environment.deliver.get(), environment.alive.replace(on) != on) {
        let function = deliver.raw();
        // SAFETY: the threadsafe function exists until the environment ends, and this is its thread.
        unsafe {
            if on {
                sys::napi_ref_threadsafe_function(arguments.env, function);
            } else {
                sys::napi_unref_threadsafe_function(arguments.env, function);
            }
        }
    }
    Ok(0)
}

// open(family, type, protocol)
fn open(environment: &Environment, arguments: &Arguments) -> Outcome {
    let family = Family::from_number(arguments.int(0)?).ok_or(INVALID)?;
    let kind = Kind::from_number(arguments.int(1)?).ok_or(INVALID)?;
    let socket = Socket::open(family, kind, arguments.int(2)?).map_err(|error| error::code(&error))?;
    insert(environment, socket)
}

// pair(type, handles)
fn pair(environment: &Environment, arguments: &Arguments) -> Outcome {
    let kind = Kind::from_number(arguments.int(0)?).ok_or(INVALID)?;
    let [one, other, ..] = arguments.numbers(1)? else { return Err(INVALID) };
    let (first, second) = Socket::pair(kind).map_err(|error| error::code(&error))?;
    *one = insert(environment, first)?;
    *other = insert(environment, second)?;
    Ok(0)
}

fn insert(environment: &Environment, socket: Socket) -> Outcome {
    environment.sockets.borrow_mut().insert(socket).map_err(|_| TOO_MANY_OPEN)
}

// close(handle, reset)
fn close(environment: &Environment, arguments: &Arguments) -> Outcome {
    if let Some(socket) = environment.sockets.borrow_mut().remove(arguments.int(0)?) {
        if arguments.int(1)? != 0 {
            socket.reset();
        }
    }
    Ok(0)
}

/// Does something to the socket that argument 0 names.
#[inline]
fn attempt<T>(
    environment: &Environment,
    arguments: &Arguments,
    act: impl FnOnce(&Socket) -> io::Result<T>,
) -> std::result::Result<T, i32> {
    environment.sockets.borrow_mut().attempt(arguments.int(0)?, act)
}

// fd(handle)
fn fd(environment: &Environment, arguments: &Arguments) -> Outcome {
    attempt(environment, arguments, |socket| Ok(socket.fd() as i32))
}

// bind(handle, address, flags): 1 what is customary for listeners first, 2 replaces a stale unix path
fn bind(environment: &Environment, arguments: &Arguments) -> Outcome {
    let address = address::decode(arguments.bytes(1)?).map_err(|error| error::code(&error))?;
    let flags = arguments.int(2)?;
    let bind = |socket: &Socket| {
        if flags & 1 != 0 {
            socket.set_customary_for_listeners()?;
        }
        if flags & 2 != 0 {
            return socket.bind_replacing_stale(&address);
        }
        socket.bind(&address)
    };
    attempt(environment, arguments, bind).map(done)
}

// listen(handle, backlog)
fn listen(environment: &Environment, arguments: &Arguments) -> Outcome {
    let backlog = arguments.int(1)?;
    attempt(environment, arguments, |socket| socket.listen(backlog)).map(done)
}

// connect(handle, address)
fn connect(environment: &Environment, arguments: &Arguments) -> Outcome {
    let address = address::decode(arguments.bytes(1)?).map_err(|error| error::code(&error))?;
    attempt(environment, arguments, |socket| socket.connect(&address)).map(done)
}

// disconnect(handle)
fn disconnect(environment: &Environment, arguments: &Arguments) -> Outcome {
    attempt(environment, arguments, |socket| socket.disconnect()).map(done)
}

// takeError(handle)
fn take_error(environment: &Environment, arguments: &Arguments) -> Outcome {
    let pending = attempt(environment, arguments, |socket| socket.take_error())?;
    pending.map_or(Ok(0), |error| Err(error::code(&error)))
}

// accept(handle, address)
fn accept(environment: &Environment, arguments: &Arguments) -> Outcome {
    let (socket, address) = attempt(environment, arguments, |socket| socket.accept())?;
    arguments.put_address(1, &address)?;
    insert(environment, socket)
}

// recv(handle, into)
fn recv(environment: &Environment, arguments: &Arguments) -> Outcome {
    let space = arguments.space(1)?;
    attempt(environment, arguments, |socket| socket.recv(space)).map(count)
}

// send(handle, data, offset)
fn send(environment: &Environment, arguments: &Arguments) -> Outcome {
    let data = arguments.bytes_from(1, arguments.offset(2)?)?;
    attempt(environment, arguments, |socket| socket.send(data)).map(count)
}

// sendList(handle, list, index, offset)
fn send_list(environment: &Environment, arguments: &Arguments) -> Outcome {
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

// recvFrom(handle, into, address)
fn recv_from(environment: &Environment, arguments: &Arguments) -> Outcome {
    let space = arguments.space(1)?;
    let (bytes, truncated, from) = attempt(environment, arguments, |socket| socket.recv_from(space))?;
    arguments.put_address(2, &from)?;
    if truncated {
        arguments.space(2)?[1].write(1);
    }
    Ok(count(bytes))
}

// sendTo(handle, data, address)
fn send_to(environment: &Environment, arguments: &Arguments) -> Outcome {
    let data = arguments.bytes(1)?;
    let address = address::decode(arguments.bytes(2)?).map_err(|error| error::code(&error))?;
    attempt(environment, arguments, |socket| socket.send_to(data, &address)).map(count)
}

// shutdown(handle, how)
fn shutdown(environment: &Environment, arguments: &Arguments) -> Outcome {
    let how = match arguments.int(1)? {
        0 => Shutdown::Read,
        1 => Shutdown::Write,
        _ => Shutdown::Both,
    };
    attempt(environment, arguments, |socket| socket.shutdown(how)).map(done)
}

// localAddress(handle, address)
fn local_address(environment: &Environment, arguments: &Arguments) -> Outcome {
    let address = attempt(environment, arguments, |socket| socket.local_addr())?;
    arguments.put_address(1, &address).map(done)
}

// remoteAddress(handle, address)
fn remote_address(environment: &Environment, arguments: &Arguments) -> Outcome {
    let address = attempt(environment, arguments, |socket| socket.peer_addr())?;
    arguments.put_address(1, &address).map(done)
}

// getOption(handle, id, value)
fn get_option(environment: &Environment, arguments: &Arguments) -> Outcome {
    let id = arguments.offset(1)?;
    let value = attempt(environment, arguments, |socket| options::get(socket, id))?;
    *arguments.numbers(2)?.first_mut().ok_or(INVALID)? = i32::try_from(value).map_err(|_| INVALID)?;
    Ok(0)
}

// setOption(handle, id, value)
fn set_option(environment: &Environment, arguments: &Arguments) -> Outcome {
    let (id, value) = (arguments.offset(1)?, i64::from(arguments.int(2)?));
    attempt(environment, arguments, |socket| options::set(socket, id, value)).map(done)
}

// changeGroup(handle, join, addresses, interface): the group, then the one source if any; the interface as text
fn change_group(environment: &Environment, arguments: &Arguments) -> Outcome {
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
    let change = |socket: &Socket| match join {
        true => socket.join_group(&membership),
        false => socket.leave_group(&membership),
    };
    attempt(environment, arguments, change).map(done)
}

// peerCredentials(handle, [pid, uid, gid])
fn peer_credentials(environment: &Environment, arguments: &Arguments) -> Outcome {
    let [pid, uid, gid, ..] = arguments.numbers(1)? else { return Err(INVALID) };
    let peer = attempt(environment, arguments, |socket| socket.peer_credentials())?;
    (*pid, *uid, *gid) = (peer.pid, peer.uid as i32, peer.gid as i32);
    Ok(0)
}
