//! The options of Linux and Android by their numbers, and those that take more than a number.

use std::io;
use std::net::Ipv4Addr;

use socket2::Socket;

use crate::options::Info;
use crate::sys::{read_option, write_option, Constant};

pub(crate) const REUSE_PORT: Constant = Some((libc::SOL_SOCKET, libc::SO_REUSEPORT));
pub(crate) const EXCLUSIVE_ADDRESS_USE: Constant = None;
pub(crate) const RECV_LOW_WATER: Constant = Some((libc::SOL_SOCKET, libc::SO_RCVLOWAT));
pub(crate) const MARK: Constant = Some((libc::SOL_SOCKET, libc::SO_MARK));
pub(crate) const PRIORITY: Constant = Some((libc::SOL_SOCKET, libc::SO_PRIORITY));
pub(crate) const INCOMING_CPU: Constant = Some((libc::SOL_SOCKET, libc::SO_INCOMING_CPU));
pub(crate) const BUSY_POLL: Constant = Some((libc::SOL_SOCKET, libc::SO_BUSY_POLL));
pub(crate) const TIMESTAMP: Constant = Some((libc::SOL_SOCKET, libc::SO_TIMESTAMP));

pub(crate) const KEEP_ALIVE_IDLE: Constant = Some((libc::IPPROTO_TCP, libc::TCP_KEEPIDLE));
pub(crate) const KEEP_ALIVE_INTERVAL: Constant = Some((libc::IPPROTO_TCP, libc::TCP_KEEPINTVL));
pub(crate) const KEEP_ALIVE_COUNT: Constant = Some((libc::IPPROTO_TCP, libc::TCP_KEEPCNT));
pub(crate) const USER_TIMEOUT: Constant = Some((libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT));
pub(crate) const USER_TIMEOUT_UNIT: i64 = 1;
pub(crate) const MAX_SEGMENT: Constant = Some((libc::IPPROTO_TCP, libc::TCP_MAXSEG));
pub(crate) const CONGESTION: Constant = Some((libc::IPPROTO_TCP, libc::TCP_CONGESTION));
pub(crate) const QUICK_ACK: Constant = Some((libc::IPPROTO_TCP, libc::TCP_QUICKACK));
pub(crate) const CORK: Constant = Some((libc::IPPROTO_TCP, libc::TCP_CORK));
pub(crate) const DEFER_ACCEPT: Constant = Some((libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT));
pub(crate) const FAST_OPEN: Constant = Some((libc::IPPROTO_TCP, libc::TCP_FASTOPEN));
pub(crate) const FAST_OPEN_COUNTS: bool = true;
pub(crate) const FAST_OPEN_CONNECT: Constant = Some((libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT));
pub(crate) const NOT_SENT_LOW_WATER: Constant = Some((libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT));

pub(crate) const TOS: Constant = Some((libc::IPPROTO_IP, libc::IP_TOS));
pub(crate) const TRANSPARENT: Constant = Some((libc::IPPROTO_IP, libc::IP_TRANSPARENT));
pub(crate) const TRANSPARENT6: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT));
pub(crate) const FREEBIND: Constant = Some((libc::IPPROTO_IP, libc::IP_FREEBIND));
/// IPV6_FREEBIND of linux/in6.h, which the libc crate has for Linux but not for Android.
pub(crate) const FREEBIND6: Constant = Some((libc::IPPROTO_IPV6, 78));
pub(crate) const RECV_TOS: Constant = Some((libc::IPPROTO_IP, libc::IP_RECVTOS));
pub(crate) const RECV_TTL: Constant = Some((libc::IPPROTO_IP, libc::IP_RECVTTL));
pub(crate) const PACKET_INFO: &[Constant] = &[Some((libc::IPPROTO_IP, libc::IP_PKTINFO))];
pub(crate) const MTU_DISCOVER: Constant = Some((libc::IPPROTO_IP, libc::IP_MTU_DISCOVER));
pub(crate) const MTU_DISCOVER6: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER));
pub(crate) const MTU_DISCOVER_VALUES: [Option<i64>; 6] = [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)];

pub(crate) const TRAFFIC_CLASS: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_TCLASS));
pub(crate) const RECV_TRAFFIC_CLASS: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS));
pub(crate) const RECV_PACKET_INFO: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO));
pub(crate) const RECV_HOP_LIMIT: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT));

/// linux/icmp.h and linux/icmpv6.h, which the libc crate lacks; both have a bit for each type that is kept out.
pub(crate) const ICMP_FILTER: Constant = Some((255, 1));
pub(crate) const ICMP6_FILTER: Constant = Some((libc::IPPROTO_ICMPV6, 1));
pub(crate) const ICMP6_FILTER_BLOCKS: bool = true;

/// The name of the interface that the socket keeps to.
pub(crate) fn device(socket: &Socket) -> io::Result<Vec<u8>> {
    socket.device().map(Option::unwrap_or_default)
}

/// Keeps the socket to an interface, or with an empty name to none.
pub(crate) fn set_device(socket: &Socket, name: &[u8]) -> io::Result<()> {
    write_option(socket, (libc::SOL_SOCKET, libc::SO_BINDTODEVICE), name)
}

/// Sends packets to groups by the interface of this number. The system tells an address only, so it is given one to tell.
pub(crate) fn set_multicast_interface(socket: &Socket, index: u32) -> io::Result<()> {
    let address = address_of(socket, index).unwrap_or(Ipv4Addr::UNSPECIFIED);
    // An ip_mreqn: group, address, number.
    let request = [[0; 4], address.octets(), index.to_ne_bytes()].concat();
    write_option(socket, (libc::IPPROTO_IP, libc::IP_MULTICAST_IF), &request)
}

/// The address of an interface that it has first of all.
fn address_of(socket: &Socket, index: u32) -> Option<Ipv4Addr> {
    use std::os::fd::AsRawFd;
    // SAFETY: zeroes are a request about an interface without a name.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // SAFETY: the field has room for any name, IF_NAMESIZE bytes; SIOCGIFADDR reads it and writes an address behind it.
    unsafe {
        let named = !libc::if_indextoname(index, request.ifr_name.as_mut_ptr()).is_null();
        if !named || libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFADDR as _, &raw mut request) != 0 {
            return None;
        }
    }
    // SAFETY: the system has written an address of the family of the socket, IPv4, which fits the field.
    let address = unsafe { (&raw const request.ifr_ifru).cast::<libc::sockaddr_in>().read() };
    Some(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()))
}

/// The error of choosing an interface: ENODEV, in the words of the other systems.
pub(crate) fn interface_error(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENODEV) => io::Error::from_raw_os_error(libc::EADDRNOTAVAIL),
        _ => error,
    }
}

/// What TCP_INFO tells. By places: the libc crate has an old version of the structure, and what this kernel does not have is
/// missing at its end.
pub(crate) fn tcp_info(socket: &Socket) -> io::Result<Info> {
    let mut bytes = [0; 256];
    let length = read_option(socket, (libc::IPPROTO_TCP, libc::TCP_INFO), &mut bytes)?;
    let long = |place: usize| -> Option<u64> {
        Some(u64::from_ne_bytes(bytes[..length].get(place..place + 8)?.try_into().ok()?))
    };
    let short = |place: usize| -> Option<u64> {
        Some(u32::from_ne_bytes(bytes[..length].get(place..place + 4)?.try_into().ok()?).into())
    };
    let time = |place| short(place).map(|micros| micros as f64 / 1000.0);
    let max_segment = short(16).unwrap_or(0);
    Ok(Info {
        state: match bytes[0] {
            1 => 4,  // TCP_ESTABLISHED
            2 => 2,  // TCP_SYN_SENT
            3 => 3,  // TCP_SYN_RECV
            4 => 5,  // TCP_FIN_WAIT1
            5 => 6,  // TCP_FIN_WAIT2
            6 => 10, // TCP_TIME_WAIT
            8 => 7,  // TCP_CLOSE_WAIT
            9 => 9,  // TCP_LAST_ACK
            10 => 1, // TCP_LISTEN
            11 => 8, // TCP_CLOSING
            12 => 3, // TCP_NEW_SYN_RECV
            _ => 0,  // TCP_CLOSE
        },
        rtt: time(68).unwrap_or(0.0),
        rtt_variance: time(72),
        max_segment,
        // Counted in packets.
        congestion_window: short(80).unwrap_or(0) * max_segment,
        send_window: short(228),
        recv_window: short(232),
        retransmits: short(100),
        bytes_retransmitted: long(208),
        bytes_sent: long(200),
        bytes_received: long(128),
    })
}
