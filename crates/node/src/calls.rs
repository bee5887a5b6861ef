//! The hot calls, as raw Node-API functions: integers and typed arrays in, one integer out.
//!
//! This is the crate's one room for unsafe code. What makes it sound is the same everywhere: Node-API calls these functions
//! on the JavaScript thread of the environment they were made for; the memory of a typed array is asked for inside the call
//! and let go of before it returns, and no JavaScript runs in between; the environment lives as long as the functions do.
//!
//! Results follow one rule: 0 or more is a count or a handle, less is Node's number of an error.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;
use std::rc::Rc;

use napi::bindgen_prelude::*;
use napi::sys;
use socket2_core::address::{self, WIRE_LENGTH};
use socket2_core::datagram::{MOST_AT_ONCE, RECORD_LENGTH};
use socket2_core::error::{self, INVALID, PANICKED, PARTLY, WOULD_BLOCK};
use socket2_core::ping::SENDS_ECHOES;
use socket2_core::{MOST_HANDLES, SHORT_READ_DRAINS, UNIX_PATH_LENGTH};

use crate::environment::{environments, Environment};
use crate::{datagrams, echoes, moves, poll, sockets};

/// The most that one call moves, so that every count fits a 31-bit integer. Linux stops a page short of 2 GiB by itself.
pub const MOST_BYTES: usize = 0x7fff_f000;

/// 0 or more, or Node's number of an error.
pub type Outcome = std::result::Result<i32, i32>;
type Call = fn(&Environment, &Arguments) -> Outcome;

/// Every call by its name in JavaScript.
macro_rules! calls {
    ($($name:literal => $function:path),* $(,)?) => {
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
    "poll" => poll::poll, "takePoll" => poll::take_poll, "givePoll" => poll::give_poll,
    "pollerHandle" => poll::poller_handle, "sharePoller" => poll::share_poller, "keepAlive" => keep_alive,
    "open" => sockets::open, "pair" => sockets::pair, "close" => sockets::close, "fd" => sockets::fd,
    "bind" => sockets::bind, "listen" => sockets::listen, "accept" => sockets::accept,
    "connect" => sockets::connect, "disconnect" => sockets::disconnect, "verdict" => sockets::verdict,
    "recv" => sockets::recv, "send" => sockets::send, "sendList" => sockets::send_list, "pass" => sockets::pass,
    "recvFrom" => datagrams::recv_from, "recvMany" => datagrams::recv_many, "takeMany" => datagrams::take_many,
    "sendTo" => datagrams::send_to, "sendMany" => datagrams::send_many, "sendSegments" => datagrams::send_segments,
    "coalesce" => datagrams::coalesce, "coalesces" => datagrams::coalesces,
    "shutdown" => sockets::shutdown,
    "detach" => moves::detach, "attach" => moves::attach, "discard" => moves::discard, "detached" => moves::detached, "told" => moves::told,
    "adopt" => moves::adopt, "release" => moves::release, "keepFromChildren" => moves::keep_from_children,
    "sendHandles" => moves::send_handles, "recvHandles" => moves::recv_handles,
    "localAddress" => sockets::local_address, "remoteAddress" => sockets::remote_address,
    "getOption" => sockets::get_option, "setOption" => sockets::set_option,
    "getOptionBytes" => sockets::get_option_bytes, "setOptionBytes" => sockets::set_option_bytes,
    "getRawOption" => sockets::get_raw_option, "setRawOption" => sockets::set_raw_option,
    "changeGroup" => sockets::change_group, "peerCredentials" => sockets::peer_credentials,
    "isUnprivileged" => sockets::is_unprivileged, "hearEchoesOf" => sockets::hear_echoes_of,
    "echo" => echoes::echo,
}

/// The calls of this environment, and the constants they go with.
pub fn register(env: &Env, environment: Rc<Environment>) -> Result<Object<'_>> {
    let mut exports = Object::new(env)?;
    let data = Rc::as_ptr(&environment).cast::<c_void>().cast_mut();
    // The instance data is let go of only after the last JavaScript of the thread has run.
    let mut environments = environments(env)?.borrow_mut();
    exports.set_named_property("environment", environments.len() as u32)?;
    environments.push(environment);
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
    exports.set_named_property("PARTLY", PARTLY)?;
    exports.set_named_property("SHORT_READ_DRAINS", SHORT_READ_DRAINS)?;
    exports.set_named_property("TIMED_OUT", error::TIMED_OUT)?;
    exports.set_named_property("SENDS_ECHOES", SENDS_ECHOES)?;
    exports.set_named_property("MOST_HANDLES", MOST_HANDLES as u32)?;
    exports.set_named_property("UNIX_PATH_LENGTH", UNIX_PATH_LENGTH as u32)?;
    exports.set_named_property("ADDRESS_LENGTH", WIRE_LENGTH as u32)?;
    exports.set_named_property("RECORD_LENGTH", RECORD_LENGTH as u32)?;
    exports.set_named_property("MOST_AT_ONCE", MOST_AT_ONCE as u32)?;
    Ok(exports)
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
pub struct Arguments {
    env: sys::napi_env,
    values: [sys::napi_value; MOST_ARGUMENTS],
}

impl Arguments {
    #[inline]
    pub fn int(&self, index: usize) -> std::result::Result<i32, i32> {
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
    pub fn offset(&self, index: usize) -> std::result::Result<usize, i32> {
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
    pub fn bytes(&self, index: usize) -> std::result::Result<&[u8], i32> {
        self.bytes_from(index, 0)
    }

    /// The same bytes but for the first `offset`.
    #[inline]
    pub fn bytes_from(&self, index: usize, offset: usize) -> std::result::Result<&[u8], i32> {
        let (data, length) = memory(self.env, self.values[index], sys::TypedarrayType::uint8_array)?;
        // SAFETY: see `memory`; nothing writes through another reference meanwhile.
        let bytes = unsafe { std::slice::from_raw_parts(data, length) }.get(offset..).unwrap_or_default();
        Ok(&bytes[..bytes.len().min(MOST_BYTES)])
    }

    /// The same memory, to be written. Uninitialised, since what it holds is not ours to read.
    #[inline]
    #[allow(clippy::mut_from_ref)] // each call asks for each of its arguments once
    pub fn space(&self, index: usize) -> std::result::Result<&mut [MaybeUninit<u8>], i32> {
        let (data, length) = memory(self.env, self.values[index], sys::TypedarrayType::uint8_array)?;
        // SAFETY: see `memory`; it is the only reference to this memory in the call.
        Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), length.min(MOST_BYTES)) })
    }

    #[allow(clippy::mut_from_ref)] // as in `space`
    pub fn numbers(&self, index: usize) -> std::result::Result<&mut [i32], i32> {
        let (data, length) = memory(self.env, self.values[index], sys::TypedarrayType::int32_array)?;
        // SAFETY: see `memory`; an Int32Array is aligned for its elements, and the only reference in the call.
        Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), length) })
    }

    /// The bytes of the Uint8Array at `place` in the array that is argument `index`.
    pub fn element(&self, index: usize, place: u32) -> std::result::Result<&[u8], i32> {
        let mut value = null_mut();
        // SAFETY: a value of this call; Node-API checks its type.
        if unsafe { sys::napi_get_element(self.env, self.values[index], place, &mut value) } != sys::Status::napi_ok {
            return Err(INVALID);
        }
        let (data, length) = memory(self.env, value, sys::TypedarrayType::uint8_array)?;
        // SAFETY: see `memory`; nothing writes through another reference meanwhile.
        Ok(unsafe { std::slice::from_raw_parts(data, length) })
    }

    pub fn array_length(&self, index: usize) -> std::result::Result<u32, i32> {
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
    pub fn put_address(&self, index: usize, address: &socket2_core::SockAddr) -> std::result::Result<(), i32> {
        let mut wire = [0; WIRE_LENGTH];
        address::encode(address, &mut wire);
        self.put(index, &wire).map(|_| ())
    }

    /// Puts bytes into the Uint8Array that is argument `index`, whole; returns how many.
    pub fn put(&self, index: usize, bytes: &[u8]) -> Outcome {
        let space = self.space(index)?;
        if space.len() < bytes.len() {
            return Err(INVALID);
        }
        for (place, &byte) in space.iter_mut().zip(bytes) {
            place.write(byte);
        }
        Ok(sockets::count(bytes.len()))
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
