//! What Linux tells of a datagram in ways of its own.

use std::ffi::c_int;

use crate::datagram::Told;
use crate::sys::control::number;
use crate::sys::datagram::{byte, ipv4};

pub(crate) fn read(told: &mut Told, level: c_int, kind: c_int, data: &[u8]) {
    match (level, kind) {
        // An in_pktinfo: the index of the interface, the address by which to answer, the address of the header.
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            told.interface = number(data).and_then(|index| u32::try_from(index).ok());
            told.to = ipv4(data, 8);
        }
        (libc::IPPROTO_IP, libc::IP_TTL) => told.hops = byte(data),
        (libc::IPPROTO_IP, libc::IP_TOS) => told.traffic_class = byte(data),
        (libc::SOL_UDP, libc::UDP_GRO) => {
            told.segment = number(data).and_then(|length| usize::try_from(length).ok()).unwrap_or(0)
        }
        _ => {}
    }
}
