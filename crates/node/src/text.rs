//! Texts: names of errors, addresses in words.

use std::io;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use socket2_core::address::{self, WIRE_LENGTH};
use socket2_core::error;

/// The name of an error number, such as 'ECONNREFUSED' for -111 on Linux.
#[napi(catch_unwind)]
pub fn error_name(code: i32) -> String {
    error::name(code).to_string()
}

/// The wire form of an IPv4 or IPv6 literal, with an optional zone; empty when the text is none.
#[napi(catch_unwind)]
pub fn parse_ip(text: String) -> Vec<u8> {
    let Some(ip) = address::parse_ip(&text) else { return Vec::new() };
    let mut wire = [0; WIRE_LENGTH];
    address::encode(&ip.into(), &mut wire);
    wire[..28].to_vec()
}

/// The text of an internet address in its wire form, without the port.
#[napi(catch_unwind)]
pub fn format_ip(wire: &[u8]) -> String {
    let ip = address::decode(wire).ok().and_then(|address| address.as_socket());
    ip.map(|ip| address::format_ip(&ip)).unwrap_or_default()
}

/// A failure of the system as an error of Node-API, for the few calls that throw.
pub fn system_error(error: io::Error) -> Error {
    Error::from_reason(format!("{} ({error})", error::name(error::code(&error))))
}
