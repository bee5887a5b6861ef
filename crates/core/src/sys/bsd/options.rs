//! The options of macOS and FreeBSD by their numbers, and those that take more than a number.

use std::io;

use socket2::Socket;

use crate::options::Info;
use crate::sys::{read_option, write_option, Constant};

/// What the one has and the other has not.
macro_rules! either {
    (apple: $apple:expr, freebsd: $freebsd:expr) => {{
        #[cfg(apple)]
        let one = $apple;
        #[cfg(not(apple))]
        let one = $freebsd;
        one
    }};
}

pub(crate) const REUSE_PORT: Constant = Some((libc::SOL_SOCKET, libc::SO_REUSEPORT));
pub(crate) const EXCLUSIVE_ADDRESS_USE: Constant = None;
pub(crate) const RECV_LOW_WATER: Constant = Some((libc::SOL_SOCKET, libc::SO_RCVLOWAT));
pub(crate) const MARK: Constant = None;
pub(crate) const PRIORITY: Constant = None;
pub(crate) const INCOMING_CPU: Constant = None;
pub(crate) const BUSY_POLL: Constant = None;
pub(crate) const TIMESTAMP: Constant = Some((libc::SOL_SOCKET, libc::SO_TIMESTAMP));

pub(crate) const KEEP_ALIVE_IDLE: Constant =
    Some((libc::IPPROTO_TCP, either!(apple: libc::TCP_KEEPALIVE, freebsd: libc::TCP_KEEPIDLE)));
pub(crate) const KEEP_ALIVE_INTERVAL: Constant = Some((libc::IPPROTO_TCP, libc::TCP_KEEPINTVL));
pub(crate) const KEEP_ALIVE_COUNT: Constant = Some((libc::IPPROTO_TCP, libc::TCP_KEEPCNT));
/// TCP_RXT_CONNDROPTIME of netinet/tcp.h, which the libc crate lacks.
pub(crate) const USER_TIMEOUT: Constant = either!(apple: Some((libc::IPPROTO_TCP, 0x80)), freebsd: None);
pub(crate) const USER_TIMEOUT_UNIT: i64 = 1000;
pub(crate) const MAX_SEGMENT: Constant = Some((libc::IPPROTO_TCP, libc::TCP_MAXSEG));
pub(crate) const CONGESTION: Constant = either!(apple: None, freebsd: Some((libc::IPPROTO_TCP, libc::TCP_CONGESTION)));
pub(crate) const QUICK_ACK: Constant = None;
pub(crate) const CORK: Constant = Some((libc::IPPROTO_TCP, libc::TCP_NOPUSH));
pub(crate) const DEFER_ACCEPT: Constant = None;
pub(crate) const FAST_OPEN: Constant = Some((libc::IPPROTO_TCP, libc::TCP_FASTOPEN));
pub(crate) const FAST_OPEN_COUNTS: bool = false;
pub(crate) const FAST_OPEN_CONNECT: Constant = None;
/// TCP_NOTSENT_LOWAT of netinet/tcp.h, which the libc crate lacks.
pub(crate) const NOT_SENT_LOW_WATER: Constant = either!(apple: Some((libc::IPPROTO_TCP, 0x201)), freebsd: None);

pub(crate) const TOS: Constant = Some((libc::IPPROTO_IP, libc::IP_TOS));
pub(crate) const TRANSPARENT: Constant = either!(apple: None, freebsd: Some((libc::IPPROTO_IP, libc::IP_BINDANY)));
pub(crate) const TRANSPARENT6: Constant = either!(apple: None, freebsd: Some((libc::IPPROTO_IPV6, libc::IPV6_BINDANY)));
pub(crate) const FREEBIND: Constant = None;
pub(crate) const FREEBIND6: Constant = None;
pub(crate) const RECV_TOS: Constant = Some((libc::IPPROTO_IP, libc::IP_RECVTOS));
pub(crate) const RECV_TTL: Constant = Some((libc::IPPROTO_IP, libc::IP_RECVTTL));
#[cfg(apple)]
pub(crate) const PACKET_INFO: &[Constant] = &[Some((libc::IPPROTO_IP, libc::IP_PKTINFO))];
/// The address and the interface are two options here.
#[cfg(not(apple))]
pub(crate) const PACKET_INFO: &[Constant] =
    &[Some((libc::IPPROTO_IP, libc::IP_RECVDSTADDR)), Some((libc::IPPROTO_IP, libc::IP_RECVIF))];
pub(crate) const MTU_DISCOVER: Constant = Some((libc::IPPROTO_IP, libc::IP_DONTFRAG));
pub(crate) const MTU_DISCOVER6: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG));
pub(crate) const MTU_DISCOVER_VALUES: [Option<i64>; 6] = [Some(0), None, Some(1), None, None, None];

pub(crate) const TRAFFIC_CLASS: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_TCLASS));
pub(crate) const RECV_TRAFFIC_CLASS: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS));
pub(crate) const RECV_PACKET_INFO: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO));
pub(crate) const RECV_HOP_LIMIT: Constant = Some((libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT));

pub(crate) const ICMP_FILTER: Constant = None;
/// netinet/icmp6.h, which the libc crate lacks; it has a bit for each type that passes.
pub(crate) const ICMP6_FILTER: Constant = Some((libc::IPPROTO_ICMPV6, 18));
pub(crate) const ICMP6_FILTER_BLOCKS: bool = false;

/// The name of the interface that the socket keeps to.
#[cfg(apple)]
pub(crate) fn device(socket: &Socket) -> io::Result<Vec<u8>> {
    let index = match crate::sys::domain(socket)? == socket2::Domain::IPV6 {
        true => socket.device_index_v6()?,
        false => socket.device_index_v4()?,
    };
    let Some(index) = index else { return Ok(Vec::new()) };
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: if_indextoname writes a name of at most IF_NAMESIZE bytes, with the NUL at its end.
    if unsafe { libc::if_indextoname(index.get(), name.as_mut_ptr().cast()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    Ok(name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec())
}

/// Keeps the socket to an interface, or with an empty name to none.
#[cfg(apple)]
pub(crate) fn set_device(socket: &Socket, name: &[u8]) -> io::Result<()> {
    let unknown = || io::Error::from_raw_os_error(libc::ENXIO);
    let index = match name {
        [] => None,
        _ => {
            let name = std::str::from_utf8(name).map_err(|_| unknown())?;
            Some(crate::sys::interface_index(name).and_then(std::num::NonZeroU32::new).ok_or_else(unknown)?)
        }
    };
    match crate::sys::domain(socket)? == socket2::Domain::IPV6 {
        true => socket.bind_device_by_index_v6(index),
        false => socket.bind_device_by_index_v4(index),
    }
}

/// FreeBSD has no such option.
#[cfg(not(apple))]
pub(crate) fn device(_: &Socket) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// FreeBSD has no such option.
#[cfg(not(apple))]
pub(crate) fn set_device(_: &Socket, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends packets to groups by the interface of this number.
pub(crate) fn set_multicast_interface(socket: &Socket, index: u32) -> io::Result<()> {
    // An ip_mreqn: group, address, number.
    let request = [[0; 4], [0; 4], index.to_ne_bytes()].concat();
    write_option(socket, (libc::IPPROTO_IP, libc::IP_MULTICAST_IF), &request).map_err(interface_error)
}

/// The error of choosing an interface: ENXIO and EINVAL, of a number that none has.
pub(crate) fn interface_error(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENXIO | libc::EINVAL) => io::Error::from_raw_os_error(libc::EADDRNOTAVAIL),
        _ => error,
    }
}

/// What TCP_CONNECTION_INFO tells on macOS, TCP_INFO on FreeBSD. By places: the libc crate has the bits of the one as
/// whole numbers, and the other in one version of several, which begin alike.
pub(crate) fn tcp_info(socket: &Socket) -> io::Result<Info> {
    let option = either!(apple: libc::TCP_CONNECTION_INFO, freebsd: libc::TCP_INFO);
    let mut bytes = [0; 512];
    read_option(socket, (libc::IPPROTO_TCP, option), &mut bytes)?;
    let short = |place: usize| u32::from_ne_bytes([bytes[place], bytes[place + 1], bytes[place + 2], bytes[place + 3]]);
    let number = |place| u64::from(short(place));
    // Ours in the order of theirs: closed, listen, SYN sent, SYN received, established, close wait, FIN wait 1, closing,
    // last ACK, FIN wait 2, time wait.
    let state = *[0, 1, 2, 3, 4, 7, 5, 8, 9, 6, 10].get(usize::from(bytes[0])).unwrap_or(&0);
    #[cfg(apple)]
    {
        let long = |place: usize| {
            let mut long = [0; 8];
            long.copy_from_slice(&bytes[place..place + 8]);
            Some(u64::from_ne_bytes(long))
        };
        Ok(Info {
            state,
            rtt: short(44).into(),
            rtt_variance: Some(short(48).into()),
            max_segment: number(16),
            congestion_window: number(24),
            send_window: Some(number(28)),
            recv_window: Some(number(36)),
            retransmits: long(104),
            bytes_retransmitted: long(72),
            bytes_sent: long(64),
            bytes_received: long(88),
        })
    }
    #[cfg(not(apple))]
    Ok(Info {
        state,
        rtt: f64::from(short(68)) / 1000.0,
        rtt_variance: Some(f64::from(short(72)) / 1000.0),
        max_segment: number(16),
        congestion_window: number(80),
        send_window: Some(number(100)),
        recv_window: Some(number(96)),
        retransmits: Some(number(120)),
        bytes_retransmitted: None,
        bytes_sent: None,
        bytes_received: None,
    })
}
