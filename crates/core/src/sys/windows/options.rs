//! The options of Windows by their numbers, and those that take more than a number.

use std::io;
use std::net::Ipv4Addr;
use std::os::windows::io::AsRawSocket;

use socket2::Socket;
use windows_sys::Win32::Networking::WinSock as winsock;

use crate::options::Info;
use crate::sys::Constant;

pub(crate) const REUSE_PORT: Constant = None;
pub(crate) const EXCLUSIVE_ADDRESS_USE: Constant = Some((winsock::SOL_SOCKET, winsock::SO_EXCLUSIVEADDRUSE));
pub(crate) const RECV_LOW_WATER: Constant = None;
pub(crate) const MARK: Constant = None;
pub(crate) const PRIORITY: Constant = None;
pub(crate) const INCOMING_CPU: Constant = None;
pub(crate) const BUSY_POLL: Constant = None;
pub(crate) const TIMESTAMP: Constant = None;

pub(crate) const KEEP_ALIVE_IDLE: Constant = Some((winsock::IPPROTO_TCP, winsock::TCP_KEEPIDLE));
pub(crate) const KEEP_ALIVE_INTERVAL: Constant = Some((winsock::IPPROTO_TCP, winsock::TCP_KEEPINTVL));
pub(crate) const KEEP_ALIVE_COUNT: Constant = Some((winsock::IPPROTO_TCP, winsock::TCP_KEEPCNT));
pub(crate) const USER_TIMEOUT: Constant = None;
pub(crate) const USER_TIMEOUT_UNIT: i64 = 1;
pub(crate) const MAX_SEGMENT: Constant = None;
pub(crate) const CONGESTION: Constant = None;
pub(crate) const QUICK_ACK: Constant = None;
pub(crate) const CORK: Constant = None;
pub(crate) const DEFER_ACCEPT: Constant = None;
pub(crate) const FAST_OPEN: Constant = Some((winsock::IPPROTO_TCP, winsock::TCP_FASTOPEN));
pub(crate) const FAST_OPEN_COUNTS: bool = false;
pub(crate) const FAST_OPEN_CONNECT: Constant = None;
pub(crate) const NOT_SENT_LOW_WATER: Constant = None;

pub(crate) const TOS: Constant = None;
pub(crate) const TRANSPARENT: Constant = None;
pub(crate) const TRANSPARENT6: Constant = None;
pub(crate) const FREEBIND: Constant = None;
pub(crate) const FREEBIND6: Constant = None;
pub(crate) const RECV_TOS: Constant = Some((winsock::IPPROTO_IP, winsock::IP_RECVTOS));
pub(crate) const RECV_TTL: Constant = Some((winsock::IPPROTO_IP, winsock::IP_RECVTTL));
pub(crate) const PACKET_INFO: &[Constant] = &[Some((winsock::IPPROTO_IP, winsock::IP_PKTINFO))];
pub(crate) const MTU_DISCOVER: Constant = Some((winsock::IPPROTO_IP, winsock::IP_MTU_DISCOVER));
pub(crate) const MTU_DISCOVER6: Constant = Some((winsock::IPPROTO_IPV6, winsock::IPV6_MTU_DISCOVER));
/// IP_PMTUDISC_NOT_SET leaves it to the system.
pub(crate) const MTU_DISCOVER_VALUES: [Option<i64>; 6] = [
    Some(winsock::IP_PMTUDISC_DONT as i64),
    Some(winsock::IP_PMTUDISC_NOT_SET as i64),
    Some(winsock::IP_PMTUDISC_DO as i64),
    Some(winsock::IP_PMTUDISC_PROBE as i64),
    None,
    None,
];

pub(crate) const TRAFFIC_CLASS: Constant = None;
pub(crate) const RECV_TRAFFIC_CLASS: Constant = Some((winsock::IPPROTO_IPV6, winsock::IPV6_RECVTCLASS));
pub(crate) const RECV_PACKET_INFO: Constant = Some((winsock::IPPROTO_IPV6, winsock::IPV6_PKTINFO));
pub(crate) const RECV_HOP_LIMIT: Constant = Some((winsock::IPPROTO_IPV6, winsock::IPV6_HOPLIMIT));

pub(crate) const ICMP_FILTER: Constant = None;
pub(crate) const ICMP6_FILTER: Constant = None;
pub(crate) const ICMP6_FILTER_BLOCKS: bool = false;

/// Windows has no such option.
pub(crate) fn device(_: &Socket) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Windows has no such option.
pub(crate) fn set_device(_: &Socket, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends packets to groups by the interface of this number, which is written as an address: 0.0.0.n.
pub(crate) fn set_multicast_interface(socket: &Socket, index: u32) -> io::Result<()> {
    socket.set_multicast_if_v4(&Ipv4Addr::from(index)).map_err(interface_error)
}

/// The error of choosing an interface: that of a number that none has.
pub(crate) fn interface_error(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(winsock::WSAEINVAL) => io::Error::from_raw_os_error(winsock::WSAEADDRNOTAVAIL),
        _ => error,
    }
}

/// What SIO_TCP_INFO tells, in its first version.
pub(crate) fn tcp_info(socket: &Socket) -> io::Result<Info> {
    let version = 0u32;
    let mut info = winsock::TCP_INFO_v0::default();
    let mut written = 0;
    // SAFETY: the SOCKET is open while `socket` is borrowed, and the pointers are to live locals of the lengths that are said.
    let result = unsafe {
        winsock::WSAIoctl(
            socket.as_raw_socket() as winsock::SOCKET,
            winsock::SIO_TCP_INFO,
            (&raw const version).cast(),
            size_of_val(&version) as u32,
            (&raw mut info).cast(),
            size_of_val(&info) as u32,
            &mut written,
            std::ptr::null_mut(),
            None,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Info {
        // Ours in the order of theirs, which is RFC 9293's.
        state: match info.State {
            winsock::TCPSTATE_LISTEN => 1,
            winsock::TCPSTATE_SYN_SENT => 2,
            winsock::TCPSTATE_SYN_RCVD => 3,
            winsock::TCPSTATE_ESTABLISHED => 4,
            winsock::TCPSTATE_FIN_WAIT_1 => 5,
            winsock::TCPSTATE_FIN_WAIT_2 => 6,
            winsock::TCPSTATE_CLOSE_WAIT => 7,
            winsock::TCPSTATE_CLOSING => 8,
            winsock::TCPSTATE_LAST_ACK => 9,
            winsock::TCPSTATE_TIME_WAIT => 10,
            _ => 0,
        },
        rtt: f64::from(info.RttUs) / 1000.0,
        rtt_variance: None,
        max_segment: info.Mss.into(),
        congestion_window: info.Cwnd.into(),
        send_window: Some(info.SndWnd.into()),
        recv_window: Some(info.RcvWnd.into()),
        retransmits: None,
        bytes_retransmitted: Some(info.BytesRetrans.into()),
        bytes_sent: Some(info.BytesOut),
        bytes_received: Some(info.BytesIn),
    })
}
