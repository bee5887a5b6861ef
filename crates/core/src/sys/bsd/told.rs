//! What macOS and the BSDs tell of a datagram in ways of their own.

use std::ffi::c_int;

use crate::datagram::Told;
use crate::sys::datagram::{byte, ipv4};

pub(crate) fn read(told: &mut Told, level: c_int, kind: c_int, data: &[u8]) {
    if level != libc::IPPROTO_IP {
        return;
    }
    match kind {
        // An in_pktinfo: the index of the interface, the address by which to answer, the address of the header.
        #[cfg(apple)]
        libc::IP_PKTINFO => {
            told.interface = crate::sys::control::number(data).and_then(|index| u32::try_from(index).ok());
            told.to = ipv4(data, 8);
        }
        #[cfg(not(apple))]
        libc::IP_RECVDSTADDR => told.to = ipv4(data, 0),
        // A sockaddr_dl: its length, its family, and the index of the interface.
        #[cfg(not(apple))]
        libc::IP_RECVIF => told.interface = data.get(2..4).map(|index| u16::from_ne_bytes([index[0], index[1]]).into()),
        libc::IP_RECVTTL => told.hops = byte(data),
        libc::IP_RECVTOS => told.traffic_class = byte(data),
        _ => {}
    }
}
