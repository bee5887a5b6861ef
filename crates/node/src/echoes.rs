//! Echo requests that the system sends by a call of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use socket2_core::address::{self, IP_WIRE_LENGTH, WIRE_LENGTH};
use socket2_core::error::{self, BAD_HANDLE, INVALID};
use socket2_core::ping::{self, Fate, Outcome, Request};

use crate::calls::{self, Arguments};
use crate::environment::Environment;
use crate::lookup::environment;

/// The fate of the request with this id.
pub struct Echo {
    id: u32,
    fate: Fate,
}

/// The same as the callback takes it: id, outcome, address, ms, ttl.
pub type EchoArguments = FnArgs<(u32, i32, Vec<u8>, f64, u32)>;

/// Installs the callback that brings the fates of requests; once, before the first of them.
#[napi(
    catch_unwind,
    ts_args_type = "environment: number, echoed: (id: number, outcome: number, by: number[], ms: number, ttl: number) => void"
)]
pub fn hear_echoes(env: Env, number: u32, echoed: Function<EchoArguments, ()>) -> Result<()> {
    let echoed = echoed
        .build_threadsafe_function::<Echo>()
        .callee_handled::<false>()
        .weak::<true>()
        .build_callback(|context| Ok(context.value.into_arguments()))?;
    environment(&env, number)?
        .echoed
        .set(echoed)
        .map_err(|_| Error::from_reason("the callback of this environment is installed already"))
}

// echo(id, address, payload, [ttl, timeout])
pub fn echo(environment: &Environment, arguments: &Arguments) -> calls::Outcome {
    let id = arguments.int(0)? as u32;
    let to = address::decode(arguments.bytes(1)?).ok().and_then(|to| to.as_socket()).ok_or(INVALID)?;
    let payload = arguments.bytes(2)?;
    let &mut [ttl, timeout, ..] = arguments.numbers(3)? else { return Err(INVALID) };
    let (Ok(ttl), Ok(timeout), Ok(_)) = (ttl.try_into(), timeout.try_into(), u16::try_from(payload.len())) else {
        return Err(INVALID);
    };
    if environment.echoed.get().is_none() {
        return Err(BAD_HANDLE);
    }
    let echoed = Arc::clone(&environment.echoed);
    let tell = move |fate| {
        if let Some(echoed) = echoed.get() {
            // An environment that ended in the meantime refuses the call, which is as it should be.
            echoed.call(Echo { id, fate }, ThreadsafeFunctionCallMode::NonBlocking);
        }
    };
    let request = Request { to, payload: payload.to_vec(), ttl, timeout };
    ping::ask(request, tell).map(|()| 0).map_err(|error| error::code(&error))
}

impl Echo {
    fn into_arguments(self) -> EchoArguments {
        let (outcome, time) = self.fate;
        let (number, by, ttl) = match outcome {
            Outcome::Answered { ttl } => (0, None, ttl),
            Outcome::Refused { kind, code, by } => (i32::from(kind) << 8 | i32::from(code), by, None),
            Outcome::Failed(code) => (code, None, None),
        };
        let ms = time.as_secs_f64() * 1000.0;
        (self.id, number, by.map(wire).unwrap_or_default(), ms, ttl.map_or(0, u32::from)).into()
    }
}

fn wire(address: SocketAddr) -> Vec<u8> {
    let mut wire = [0; WIRE_LENGTH];
    address::encode(&address.into(), &mut wire);
    wire[..IP_WIRE_LENGTH].to_vec()
}
