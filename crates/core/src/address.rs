//! Addresses: text, the system's form, and the fixed form in which they cross to other languages.
//!
//! The wire form, [`WIRE_LENGTH`] bytes, all numbers big-endian:
//!
//! | bytes    | inet and inet6                    | unix                                  |
//! | -------- | --------------------------------- | ------------------------------------- |
//! | 0        | family: 4 or 6                    | family: 1                             |
//! | 1        | flags, not part of the address    | the same                              |
//! | 2..4     | port                              | length of the path                    |
//! | 4..20    | address; inet has the first 4     | path; a leading NUL byte is Linux's   |
//! | 20..24   | scope id (inet6)                  | abstract namespace; length 0: unnamed |
//! | 24..28   | flow info (inet6)                 |                                       |
//!
//! Family 0 is no address, as with the sender of a datagram that has no name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

pub use socket2::SockAddr;

use crate::sys;

/// The length of an address on the wire: the longest unix path, 108 bytes, after four bytes of head.
pub const WIRE_LENGTH: usize = 112;

const PATH_LENGTH: usize = WIRE_LENGTH - 4;
/// The length of an inet or inet6 address on the wire: only a unix path needs more.
pub const IP_WIRE_LENGTH: usize = 28;

/// The address of an IPv4 or IPv6 literal, with port 0; `None` for anything else, names included.
///
/// IPv4 is four decimal numbers without leading zeros. IPv6 may have a zone, `fe80::1%2` or `fe80::1%eth0`; an interface
/// that does not exist makes it no address.
pub fn parse_ip(text: &str) -> Option<SocketAddr> {
    if let Some((ip, zone)) = text.split_once('%') {
        let ip: Ipv6Addr = ip.parse().ok()?;
        return Some(SocketAddrV6::new(ip, 0, 0, zone_index(zone)?).into());
    }
    text.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 0))
}

/// The text of an address without its port: IPv4 dotted, IPv6 after RFC 5952, a zone as `%` and its number.
pub fn format_ip(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        _ => address.ip().to_string(),
    }
}

/// Writes an address to the wire. What is neither inet, inet6 nor unix has family 0.
pub fn encode(address: &SockAddr, out: &mut [u8; WIRE_LENGTH]) {
    out.fill(0);
    if let Some(address) = address.as_socket() {
        encode_ip(&address, out);
    } else if address.is_unix() {
        out[0] = 1;
        let length = sys::unix_path(address, &mut out[4..]);
        out[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    }
}

/// Reads an address from the wire, of which only the bytes that the address needs have to be there.
///
/// # Errors
/// `EINVAL` for an unknown family, too few bytes, a NUL byte inside a path, or an abstract name where the system has none;
/// `ENAMETOOLONG` for a path longer than the system takes. Any bytes at all are safe.
pub fn decode(wire: &[u8]) -> io::Result<SockAddr> {
    match wire.first() {
        Some(4) => {
            let wire: &[u8; IP_WIRE_LENGTH] = wire.first_chunk().ok_or_else(invalid)?;
            let ip = Ipv4Addr::from(field(wire, 4));
            Ok(SocketAddrV4::new(ip, u16::from_be_bytes(field(wire, 2))).into())
        }
        Some(6) => {
            let wire: &[u8; IP_WIRE_LENGTH] = wire.first_chunk().ok_or_else(invalid)?;
            let ip: [u8; 16] = field(wire, 4);
            let port = u16::from_be_bytes(field(wire, 2));
            let scope = u32::from_be_bytes(field(wire, 20));
            // Both the system's field and the wire are in network order: the bytes pass as they are.
            let flow = u32::from_ne_bytes(field(wire, 24));
            Ok(SocketAddrV6::new(ip.into(), port, flow, scope).into())
        }
        Some(1) => decode_unix(wire),
        _ => Err(invalid()),
    }
}

/// Writes an inet or inet6 address; `out` is zeroed.
fn encode_ip(address: &SocketAddr, out: &mut [u8; WIRE_LENGTH]) {
    out[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            out[0] = 4;
            out[4..8].copy_from_slice(&v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            out[0] = 6;
            out[4..20].copy_from_slice(&v6.ip().octets());
            out[20..24].copy_from_slice(&v6.scope_id().to_be_bytes());
            out[24..28].copy_from_slice(&v6.flowinfo().to_ne_bytes());
        }
    }
}

fn decode_unix(wire: &[u8]) -> io::Result<SockAddr> {
    let length: [u8; 2] = *wire.get(2..).and_then(|rest| rest.first_chunk()).ok_or_else(invalid)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > PATH_LENGTH {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    let path = wire.get(4..4 + length).ok_or_else(invalid)?;
    // The system would cut a path at its first NUL byte and bind another one than the caller named.
    if path.first() != Some(&0) && path.contains(&0) {
        return Err(invalid());
    }
    sys::unix_address(path)
}

/// The number of a zone: digits are the number itself, anything else the name of an interface.
fn zone_index(zone: &str) -> Option<u32> {
    if zone.is_empty() {
        None
    } else if zone.bytes().all(|byte| byte.is_ascii_digit()) {
        zone.parse().ok()
    } else {
        sys::interface_index(zone)
    }
}

fn field<const N: usize>(wire: &[u8; IP_WIRE_LENGTH], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&wire[at..at + N]);
    bytes
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidInput.into()
}
