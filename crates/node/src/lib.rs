//! The Node-API face of `socket2-core`: it translates arguments, numbers and texts, and decides nothing.
//!
//! - `environment`: what one copy of the library owns: a poller, a table of sockets, the callbacks into JavaScript.
//! - `calls`: how the hot calls come in, as raw Node-API functions: integers and typed arrays in, one integer out. The
//!   unsafe room. What they do is in `poll`, `sockets`, `moves` and `echoes`.
//! - `heap`, `lookup`, `text`: the calls that are not hot, by `#[napi]`.

mod calls;
mod datagrams;
mod echoes;
mod environment;
mod heap;
mod lookup;
mod moves;
mod poll;
mod sockets;
mod text;

use napi::bindgen_prelude::*;
use napi_derive::napi;

/// Runs once for each thread that loads the binding: the main one and every worker.
#[napi(module_exports)]
pub fn init(_: Object, env: Env) -> Result<()> {
    env.set_instance_data(environment::Environments::default(), (), |_| {})
}

/// Makes an environment: the calls, and the constants they go with. Each copy of the library's JavaScript has one of its own, so
/// that those that are loaded side by side over one binding (as Jest does it for each test file) know nothing of each other.
#[napi(catch_unwind)]
pub fn open_environment<'env>(env: &'env Env) -> Result<Object<'env>> {
    calls::register(env, environment::Environment::new().map_err(text::system_error)?)
}
