//! The options of ICMP.

use std::io;

use socket2::{Domain, Socket};

use super::row::*;
use crate::sys;

pub(super) const ROWS: &[Row] = &[Row {
    name: "icmpFilter",
    constant: ("IPPROTO_ICMPV6", "ICMP6_FILTER"),
    value: Value::Numbers,
    families: IP,
    kinds: RAW,
    systems: &[LINUX.called("ICMP_FILTER, ICMP6_FILTER"), MACOS.only(INET6), FREEBSD.only(INET6)],
    meaning: "The types of messages that a raw socket for 'icmp' or 'icmpv6' gets, such as `[0]` for answers to echo \
              requests (in IPv6 `[129]`); null for all. In IPv4 only the types up to 31 can be kept out: later ones always \
              come, and are not told of.",
    unit: "A list of numbers from 0 to 255 (RFC 792, RFC 4443), or null",
    default: "null",
    errors: "`ENOTSUP` or another code of the system's for sockets of other protocols; `EACCES` for an unprivileged socket on \
             Linux, which gets nothing but answers anyway",
    access: Access::Bytes(types, Some(set_types)),
}];

/// The bits by which a system knows types, all of them in IPv6 and the first 32 in IPv4.
struct Filter {
    constant: sys::Constant,
    words: usize,
    /// Whether a bit that is set keeps the type out.
    blocks: bool,
}

fn filter(socket: &Socket) -> io::Result<Filter> {
    Ok(match sys::domain(socket)? == Domain::IPV6 {
        true => Filter { constant: sys::ICMP6_FILTER, words: 8, blocks: sys::ICMP6_FILTER_BLOCKS },
        false => Filter { constant: sys::ICMP_FILTER, words: 1, blocks: true },
    })
}

fn types(socket: &Socket) -> io::Result<Vec<u8>> {
    let Filter { constant, words, blocks } = filter(socket)?;
    let mut bytes = vec![0; words * 4];
    sys::read_option(socket, there(constant)?, &mut bytes)?;
    let words: Vec<u32> =
        bytes.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]])).collect();
    let passes = |kind: usize| (words[kind / 32] >> (kind % 32) & 1 != 0) != blocks;
    let all = words.len() * 32;
    let passing: Vec<u8> = (0..all).filter(|&kind| passes(kind)).map(|kind| kind as u8).collect();
    Ok(if passing.len() == all { vec![0] } else { [&[1], &passing[..]].concat() })
}

fn set_types(socket: &Socket, value: &[u8]) -> io::Result<()> {
    let Filter { constant, words, blocks } = filter(socket)?;
    let all = value[0] == 0;
    let mut bits = vec![if all { u32::MAX } else { 0 }; words];
    for kind in value[1..].iter().map(|&kind| usize::from(kind)).filter(|kind| kind / 32 < words) {
        bits[kind / 32] |= 1 << (kind % 32);
    }
    let bytes: Vec<u8> = bits.iter().flat_map(|word| if blocks { !word } else { *word }.to_ne_bytes()).collect();
    sys::write_option(socket, there(constant)?, &bytes)
}
