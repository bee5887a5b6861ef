//! The options of IPv4: IPPROTO_IP. Some have a twin of the same name in IPv6.

use std::io;
use std::net::Ipv4Addr;

use socket2::Socket;

use super::row::*;
use crate::multicast::Interface;
use crate::sys;

/// What can be done about packets that are too large, in the order of Linux's numbers.
const MTU_DISCOVER: &[&str] = &["dont", "want", "do", "probe", "interface", "omit"];

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "ttl",
        constant: ("IPPROTO_IP", "IP_TTL"),
        value: Value::Int { min: 1, max: 255 },
        families: INET,
        kinds: ANY,
        systems: EVERYWHERE,
        meaning: "How many routers a packet may pass (time to live).",
        unit: "A count",
        default: "the system's: 64, on Windows 128",
        errors: "",
        access: Access::Number(
            |socket| socket.ttl_v4().map(i64::from),
            Some(|socket, value| socket.set_ttl_v4(value as u32)),
        ),
    },
    Row {
        name: "tos",
        constant: ("IPPROTO_IP", "IP_TOS"),
        value: Value::Int { min: 0, max: 255 },
        families: INET,
        kinds: ANY,
        systems: UNIX,
        meaning: "How routers are to treat packets: six bits of DSCP (RFC 2474), and two of ECN (RFC 3168), which TCP keeps \
                  to itself on Linux. Windows leaves that to its policies.",
        unit: "A byte",
        default: "0",
        errors: "",
        access: Access::Int(sys::TOS),
    },
    Row {
        name: "multicastTtl",
        constant: ("IPPROTO_IP", "IP_MULTICAST_TTL"),
        value: Value::Int { min: 0, max: 255 },
        families: INET,
        kinds: PACKET,
        systems: EVERYWHERE,
        meaning: "How many routers a packet to a group may pass, and one more: with 1 it stays in the network, with 0 on \
                  this machine; but Linux lets a 0 out as well unless a socket of this machine has joined the group.",
        unit: "A count",
        default: "1",
        errors: "",
        access: Access::Number(
            |socket| socket.multicast_ttl_v4().map(i64::from),
            Some(|socket, value| socket.set_multicast_ttl_v4(value as u32)),
        ),
    },
    Row {
        name: "multicastLoop",
        constant: ("IPPROTO_IP", "IP_MULTICAST_LOOP"),
        value: Value::Bool,
        families: INET,
        kinds: PACKET,
        systems: EVERYWHERE,
        meaning: "Whether sockets of this machine hear what is sent to their groups from here. On Windows the one that \
                  receives decides, elsewhere the one that sends.",
        unit: "Boolean",
        default: "on",
        errors: "",
        access: Access::Number(
            |socket| socket.multicast_loop_v4().map(i64::from),
            Some(|socket, value| socket.set_multicast_loop_v4(value != 0)),
        ),
    },
    Row {
        name: "multicastInterface",
        constant: ("IPPROTO_IP", "IP_MULTICAST_IF"),
        value: Value::Text { longest: 255 },
        families: INET,
        kinds: PACKET,
        systems: EVERYWHERE,
        meaning: "The network interface through which packets to a group go, by an address of it, its name or its index; \
                  empty for the system's choice. What is read is an address of it, on Windows its index if it was set by \
                  name or index.",
        unit: "An address, name or index",
        default: "an empty string",
        errors: "`EADDRNOTAVAIL` without such an interface",
        access: Access::Bytes(multicast_interface, Some(set_multicast_interface)),
    },
    Row {
        name: "transparent",
        constant: ("IPPROTO_IP", "IP_TRANSPARENT"),
        value: Value::Bool,
        families: IP,
        kinds: ANY,
        systems: &[LINUX, FREEBSD.called("IP_BINDANY, IPV6_BINDANY")],
        meaning: "Lets `bind` take any address at all, and the socket speak as that one: for proxies that nobody sees.",
        unit: "Boolean",
        default: "off",
        errors: "`EPERM` without CAP_NET_ADMIN or CAP_NET_RAW on Linux, without root on FreeBSD",
        access: Access::ByFamily(sys::TRANSPARENT, sys::TRANSPARENT6),
    },
    Row {
        name: "freebind",
        constant: ("IPPROTO_IP", "IP_FREEBIND"),
        value: Value::Bool,
        families: IP,
        kinds: ANY,
        systems: &[LINUX.since("4.15 for `inet6`")],
        meaning: "Lets `bind` take an address that this machine does not have, or not yet.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::ByFamily(sys::FREEBIND, sys::FREEBIND6),
    },
    Row {
        name: "recvTos",
        constant: ("IPPROTO_IP", "IP_RECVTOS"),
        value: Value::Bool,
        families: INET,
        kinds: PACKET,
        systems: &[LINUX, MACOS, FREEBSD, WINDOWS.since("10")],
        meaning: "Has the system tell of each packet the `tos` with which it came.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Int(sys::RECV_TOS),
    },
    Row {
        name: "packetInfo",
        constant: ("IPPROTO_IP", "IP_PKTINFO"),
        value: Value::Bool,
        families: INET,
        kinds: PACKET,
        systems: &[LINUX, MACOS, FREEBSD.called("IP_RECVDSTADDR and IP_RECVIF"), WINDOWS],
        meaning: "Has the system tell of each packet the address to which it was sent, and the interface by which it came.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Number(packet_info, Some(set_packet_info)),
    },
    Row {
        name: "recvTtl",
        constant: ("IPPROTO_IP", "IP_RECVTTL"),
        value: Value::Bool,
        families: INET,
        kinds: PACKET,
        systems: &[LINUX, MACOS, FREEBSD, WINDOWS.since("10")],
        meaning: "Has the system tell of each packet the `ttl` that was left of it.",
        unit: "Boolean",
        default: "off",
        errors: "",
        access: Access::Int(sys::RECV_TTL),
    },
    Row {
        name: "headerIncluded",
        constant: ("IPPROTO_IP", "IP_HDRINCL"),
        value: Value::Bool,
        families: INET,
        kinds: RAW,
        systems: EVERYWHERE,
        meaning: "Whether what is sent begins with the IP header, or the system makes one. Received packets have theirs \
                  anyway.",
        unit: "Boolean",
        default: "off, on for the protocol 'raw'",
        errors: "`EACCES` for an unprivileged socket on Linux",
        access: Access::Number(
            |socket| socket.header_included_v4().map(i64::from),
            Some(|socket, value| socket.set_header_included_v4(value != 0)),
        ),
    },
    Row {
        name: "mtuDiscover",
        constant: ("IPPROTO_IP", "IP_MTU_DISCOVER"),
        value: Value::Choice(MTU_DISCOVER),
        families: IP,
        kinds: PACKET,
        systems: &[
            LINUX,
            MACOS.called("IP_DONTFRAG, IPV6_DONTFRAG"),
            FREEBSD.called("IP_DONTFRAG, IPV6_DONTFRAG"),
            WINDOWS.since("10"),
        ],
        meaning: "What becomes of packets that are too large for the way: 'do' never divides them, and tells `EMSGSIZE` of \
                  those that it knows to be too large; 'probe' neither divides nor refuses them, for who finds the size \
                  out by himself; 'dont' divides them; 'want' leaves it to the system. 'interface' and 'omit' are Linux's, \
                  and do not believe what routers say of the size. macOS and FreeBSD know 'do' and 'dont' only.",
        unit: "A word",
        default: "'want' on Linux and Windows, 'dont' on macOS and FreeBSD",
        errors: "`EINVAL` for a word that the system does not know",
        access: Access::Number(mtu_discover, Some(set_mtu_discover)),
    },
];

fn multicast_interface(socket: &Socket) -> io::Result<Vec<u8>> {
    let address = socket.multicast_if_v4()?;
    Ok(match address.octets() {
        _ if address.is_unspecified() => String::new(),
        // Only Windows gives an index in the place of an address.
        [0, ..] => address.to_bits().to_string(),
        _ => address.to_string(),
    }
    .into())
}

fn set_multicast_interface(socket: &Socket, text: &[u8]) -> io::Result<()> {
    match interface(text)? {
        Interface::Address(address) => socket.set_multicast_if_v4(&address).map_err(sys::interface_error),
        Interface::Index(0) => socket.set_multicast_if_v4(&Ipv4Addr::UNSPECIFIED),
        Interface::Index(index) => sys::set_multicast_interface(socket, index),
    }
}

/// The interface that a text names.
pub(super) fn interface(text: &[u8]) -> io::Result<Interface> {
    let interface = Interface::parse(std::str::from_utf8(text).map_err(|_| io::ErrorKind::InvalidInput)?)?;
    // Windows takes a greater number for an address; no system counts that far.
    match interface {
        Interface::Index(0x0100_0000..) => Err(io::ErrorKind::AddrNotAvailable.into()),
        _ => Ok(interface),
    }
}

fn packet_info(socket: &Socket) -> io::Result<i64> {
    get_int(socket, sys::PACKET_INFO[0])
}

fn set_packet_info(socket: &Socket, value: i64) -> io::Result<()> {
    sys::PACKET_INFO.iter().try_for_each(|&constant| set_int(socket, constant, value))
}

fn mtu_discover(socket: &Socket) -> io::Result<i64> {
    let held = get_int(socket, by_family(socket, sys::MTU_DISCOVER, sys::MTU_DISCOVER6)?)?;
    let place = sys::MTU_DISCOVER_VALUES.iter().position(|&value| value == Some(held));
    place.map(|place| place as i64).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn set_mtu_discover(socket: &Socket, value: i64) -> io::Result<()> {
    let value = sys::MTU_DISCOVER_VALUES[value as usize].ok_or(io::ErrorKind::InvalidInput)?;
    set_int(socket, by_family(socket, sys::MTU_DISCOVER, sys::MTU_DISCOVER6)?, value)
}
