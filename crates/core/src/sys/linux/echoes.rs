//! Which packets of ICMP a raw socket gets. By itself it gets a copy of each one that comes to the machine: of every answer to everybody's
//! pings. A filter of socket(7), SO_ATTACH_FILTER, in the instructions of bpf(4), leaves it its own.

use std::io;

use libc::{
    BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IND, BPF_JA, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LDX,
    BPF_LSH, BPF_MISC, BPF_MSH, BPF_RET, BPF_TAX, BPF_X,
};
use socket2::{Domain, SockFilter, Socket};

const ECHO: u32 = 8;
const ECHO_REPLY: u32 = 0;
const ECHO_6: u32 = 128;
const ECHO_REPLY_6: u32 = 129;
const ICMPV6: u32 = 58;

/// Has a raw socket of ICMP hear only the answers to echo requests of this id, and what is said of them.
pub(crate) fn hear_echoes_of(socket: &Socket, domain: Domain, id: u16) -> io::Result<()> {
    match domain {
        Domain::IPV4 => socket.attach_filter(&inet(id.into())),
        _ => socket.attach_filter(&inet6(id.into())),
    }
}

/// What it sees begins with the header of IPv4.
const fn inet(id: u32) -> [SockFilter; 15] {
    [
        step(BPF_LDX | BPF_B | BPF_MSH, 0), // X is the length of the header
        step(BPF_LD | BPF_B | BPF_IND, 0),  // the type
        jump(ECHO_REPLY, 8, 0),
        jump(ECHO, 10, 0),
        step(BPF_LD | BPF_B | BPF_IND, 8), // an error quotes the packet: its header's length is added to X
        step(BPF_ALU | BPF_AND | BPF_K, 0xf),
        step(BPF_ALU | BPF_LSH | BPF_K, 2),
        step(BPF_ALU | BPF_ADD | BPF_X, 0),
        step(BPF_MISC | BPF_TAX, 0),
        step(BPF_LD | BPF_H | BPF_IND, 12), // the id in the quotation
        step(BPF_JMP | BPF_JA, 1),
        step(BPF_LD | BPF_H | BPF_IND, 4), // the id
        jump(id, 0, 1),
        step(BPF_RET | BPF_K, u32::MAX),
        step(BPF_RET | BPF_K, 0),
    ]
}

/// What it sees begins with the header of ICMPv6. A quotation that goes on with something else than that is for others to look at.
const fn inet6(id: u32) -> [SockFilter; 11] {
    [
        step(BPF_LD | BPF_B | BPF_ABS, 0),
        jump(ECHO_REPLY_6, 5, 0),
        jump(ECHO_6, 7, 0),
        step(BPF_LD | BPF_B | BPF_ABS, 14),
        jump(ICMPV6, 0, 4),
        step(BPF_LD | BPF_H | BPF_ABS, 52),
        step(BPF_JMP | BPF_JA, 1),
        step(BPF_LD | BPF_H | BPF_ABS, 4),
        jump(id, 0, 1),
        step(BPF_RET | BPF_K, u32::MAX),
        step(BPF_RET | BPF_K, 0),
    ]
}

const fn step(code: u32, value: u32) -> SockFilter {
    SockFilter::new(code as u16, 0, 0, value)
}

/// Leaves out so many of the following instructions if it is equal to this, and so many if it is not.
const fn jump(equal: u32, then: u8, otherwise: u8) -> SockFilter {
    SockFilter::new((BPF_JMP | BPF_JEQ | BPF_K) as u16, then, otherwise, equal)
}
