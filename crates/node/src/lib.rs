//! The Node-API face of `socket2-core`: it translates arguments, numbers and texts, and decides nothing.
//!
//! - `environment`: what one JavaScript thread owns: a poller, a table of sockets, the two callbacks into JavaScript.
//! - `calls`: how the hot calls come in, as raw Node-API functions: integers and typed arrays in, one integer out. The
//!   unsafe room. What they do is in `poll` and `sockets`.
//! - `lookup`, `text`: the calls that are not hot, by `#[napi]`.

mod calls;
mod environment;
mod lookup;
mod poll;
mod sockets;
mod text;

use napi::bindgen_prelude::*;
use napi_derive::napi;

/// Runs once for each environment that loads the binding: the main thread and every worker.
#[napi(module_exports)]
pub fn init(mut exports: Object, env: Env) -> Result<()> {
    let environment = environment::Environment::new().map_err(text::system_error)?;
    calls::register(&env, &mut exports, environment)?;
    Ok(())
}
