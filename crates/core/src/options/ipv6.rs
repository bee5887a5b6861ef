//! The options of IPv6: IPPROTO_IPV6.

use std::io;

use socket2::Socket;

use super::ip::interface;
use super::row::*;
use crate::multicast::Interface;
use crate::sys;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "ipv6Only",
        constant: ("IPPROTO_IPV6", "IPV6_V6ONLY"),
        value: Value::Bool,
        families: INET6,
        kinds: PORTED,
        systems: EVERYWHERE,
        meaning: "Leaves IPv4 out: without it a socket bound to `::` takes IPv4 as well, with addresses like \
                  `::ffff:127.0.0.1`. To be set before `bind`.",
        unit: "Boolean",
        default: "as the system has it: false on Linux and macOS, true on FreeBSD and Windows",
        errors: "`EINVAL` once the socket is bound",
        access: Access::Number(
            |socket| socket.only_v6().map(i64::from),
            Some(|socket, value| socket.set_only_v6(value != 0)),
        ),
    },
    Row {
        name: "hopLimit",
        constant: ("IPPROTO_IPV6", "IPV6_UNICAST_HOPS"),
        value: Value::Int { min: 1, max: 255 },
        families: INET6,
        kinds: ANY,
        systems: EVERYWHERE,
        meaning: "How many routers a packet may pass.",
        unit: "A count",
        default: "the system's: 64, on Windows 128",
        errors: "",
        access: Access::Number(
            |socket| socket.unicast_hops_v6().map(i64::from),
            Some(|socket, value| socket.set_unicast_hops_v6(value as u32)),
        ),
    },
    Row {
        name: "trafficClass",
        constant: ("IPPROTO_IPV6", "IPV6_TCLASS"),
        value: Value::Int { min: 0, max: 255 },
        families: INET6,
        kinds: ANY,
        systems: UNIX,
        meaning:
            "How routers are to treat packets: six bits of DSCP (RFC 2474), and two of ECN (RFC 3168), which TCP keeps \
                  to itself on Linux. Windows leaves that to its policies.",
        unit: "A byte",
        default: "0",
        errors: "",
        access: Access::Int(sys::TRAFFIC_CLASS),
    },
    Row {
        name: "multicastHops",
        constant: ("IPPROTO_IPV6", "IPV6_MULTICAST_HOPS"),
        value: Value::Int { min: 0, max: 255 },
        families: INET6,
        kinds: PACKET,
        systems: EVERYWHERE,
        meaning:
            "How many routers a packet to a group may pass, and one more: with 1 it stays in the network, with 0 on \
                  this machine; but Linux lets a 0 out as well unless a socket of this machine has joined the group.",
        unit: "A count",
        default: "1",
        errors: "",
        access: Access::Number(
            |socket| socket.multicast_hops_v6().map(i64::from),
            Some(|socket, value| socket.set_multicast_hops_v6(value as u32)),
        ),
    },
    Row {
        name: "multicastLoop6",
        constant: ("IPPROTO_IPV6", "IPV6_MULTICAST_LOOP"),
        value: Value::Bool,
        families: INET6,
        kinds: PACKET,
        systems: EVERYWHERE,
        meaning:
            "Whether sockets of this machine hear what is sent to their groups from here. On Windows the one that \
                  receives decides, elsewhere the one that sends.",
        unit: "Boolean",
        default: "on",
        errors: "",
        access: Access::Number(
            |socket| socket.multicast_loop_v6().map(i64::from),
            Some(|socket, value| socket.set_multicast_loop_v6(value != 0)),
        ),
    },
    Row {
        name: "multicastInterface6",
        constant: ("IPPROTO_IPV6", "IPV6_MULTICAST_IF"),
        value: Value::Text { longest: 255 },
        families: INET6,
        kinds: PACKET,
        systems: EVERYWHERE,
        meaning:
            "The network interface through which packets to a group go, by its name, its index, or an address with a \
                  zone; empty for the system's choice. What is read is its index.",
        unit: "A name, index or address",
        default: "an empty string",
        errors: "`EADDRNOTAVAIL` without such an interface",
        access: Access::Bytes(multicast_interface, Some(set_multicast_interface)),
    },
    Row {
        name: "recvTrafficClass",
        constant: ("IPPROTO_IPV6", "IPV6_RECVTCLASS"),
        value: Value::Bool,
        families: INET6,
        kinds: PACKET,
        systems: &[LINUX, MACOS, FREEBSD, WINDOWS.since("10")],
        meaning: "Has the system tell of each packet the `trafficClass` with which it came.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Int(sys::RECV_TRAFFIC_CLASS),
    },
    Row {
        name: "recvPacketInfo",
        constant: ("IPPROTO_IPV6", "IPV6_RECVPKTINFO"),
        value: Value::Bool,
        families: INET6,
        kinds: PACKET,
        systems: &[LINUX, MACOS, FREEBSD, WINDOWS.called("IPV6_PKTINFO")],
        meaning:
            "Has the system tell of each packet the address to which it was sent, and the interface by which it came.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Int(sys::RECV_PACKET_INFO),
    },
    Row {
        name: "recvHopLimit",
        constant: ("IPPROTO_IPV6", "IPV6_RECVHOPLIMIT"),
        value: Value::Bool,
        families: INET6,
        kinds: PACKET,
        systems: &[LINUX, MACOS, FREEBSD, WINDOWS.called("IPV6_HOPLIMIT")],
        meaning: "Has the system tell of each packet the `hopLimit` that was left of it.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Int(sys::RECV_HOP_LIMIT),
    },
];

fn multicast_interface(socket: &Socket) -> io::Result<Vec<u8>> {
    Ok(match socket.multicast_if_v6()? {
        0 => String::new(),
        index => index.to_string(),
    }
    .into())
}

fn set_multicast_interface(socket: &Socket, text: &[u8]) -> io::Result<()> {
    match interface(text)? {
        Interface::Index(index) => socket.set_multicast_if_v6(index).map_err(sys::interface_error),
        Interface::Address(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}
