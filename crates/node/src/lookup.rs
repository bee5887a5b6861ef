//! Names to addresses and back, off the JavaScript thread.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use socket2_core::address::{self, WIRE_LENGTH};
use socket2_core::lookup::{self, Found, LookupFailure, Query};

use crate::environment::{environments, Environment};

/// What one found address takes in the answer: 28 bytes of wire address, the socket type, 0, and the protocol.
const RECORD_LENGTH: usize = 32;

/// The answer to the lookup with this id. `code` is empty when it succeeded.
#[derive(Default)]
pub struct Answer {
    id: u32,
    code: String,
    records: Vec<u8>,
    name: String,
    service: String,
}

impl Answer {
    /// The arguments of the callback that brings an answer.
    pub fn into_arguments(self) -> AnswerArguments {
        (self.id, self.code, self.records, self.name, self.service).into()
    }
}

/// The answer as the callback takes it: id, code, records, name, service.
pub type AnswerArguments = FnArgs<(u32, String, Vec<u8>, String, String)>;

/// Installs the callbacks of an environment; once, before anything else.
#[napi(
    catch_unwind,
    ts_args_type = "environment: number, deliver: () => void, resolved: (id: number, code: string, records: number[], name: string, service: string) => void"
)]
pub fn start(env: Env, number: u32, deliver: Function<(), ()>, resolved: Function<AnswerArguments, ()>) -> Result<()> {
    let deliver = deliver.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
    let resolved = resolved
        .build_threadsafe_function::<Answer>()
        .callee_handled::<false>()
        .weak::<true>()
        .build_callback(|context| Ok(context.value.into_arguments()))?;
    environment(&env, number)?.start(&env, deliver, resolved)
}

/// Starts to look up a name. The answer comes to the `resolved` callback, with the same id.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)] // the crossing is flat on purpose: an options object costs more than the call
pub fn lookup(
    env: Env,
    environment: u32,
    id: u32,
    host: Option<String>,
    service: Option<String>,
    family: i32,
    kind: i32,
    protocol: i32,
    flags: u32,
) -> Result<()> {
    let query = Query { host, service, family, kind, protocol, flags };
    answer_later(&env, environment, id, move || {
        let found = lookup::lookup(&query)?;
        let name = found.iter().find_map(|found| found.canonical_name.clone()).unwrap_or_default();
        Ok(Answer { records: found.iter().flat_map(record).collect(), name, ..Answer::default() })
    })
}

/// Starts to look up the name and the service of an address. The answer comes to the `resolved` callback.
#[napi(catch_unwind)]
pub fn name_info(env: Env, environment: u32, id: u32, address: &[u8]) -> Result<()> {
    let address: Option<SocketAddr> = address::decode(address).ok().and_then(|address| address.as_socket());
    let Some(address) = address else {
        return Err(Error::new(Status::InvalidArg, "an internet address is needed"));
    };
    answer_later(&env, environment, id, move || {
        let (name, service) = lookup::name_info(&address)?;
        Ok(Answer { name, service, ..Answer::default() })
    })
}

fn answer_later(
    env: &Env,
    number: u32,
    id: u32,
    find: impl FnOnce() -> std::result::Result<Answer, LookupFailure> + Send + 'static,
) -> Result<()> {
    let environment = environment(env, number)?;
    let resolved = Arc::clone(&environment.resolved);
    let job = move || {
        let answer = find().unwrap_or_else(|failure| Answer { code: failure.code.into(), ..Answer::default() });
        if let Some(resolved) = resolved.get() {
            // An environment that ended in the meantime refuses the call, which is as it should be.
            resolved.call(Answer { id, ..answer }, ThreadsafeFunctionCallMode::NonBlocking);
        }
    };
    environment.lookups.run(Box::new(job)).map_err(crate::text::system_error)
}

fn record(found: &Found) -> [u8; RECORD_LENGTH] {
    let mut wire = [0; WIRE_LENGTH];
    address::encode(&found.address.into(), &mut wire);
    let mut record = [0; RECORD_LENGTH];
    record[..28].copy_from_slice(&wire[..28]);
    record[28] = u8::try_from(found.kind).unwrap_or(0);
    record[30..].copy_from_slice(&u16::try_from(found.protocol).unwrap_or(0).to_be_bytes());
    record
}

pub(crate) fn environment(env: &Env, number: u32) -> Result<Rc<Environment>> {
    let environment = environments(env)?.borrow().get(number as usize).cloned();
    environment.ok_or_else(|| Error::from_reason("there is no such environment"))
}
