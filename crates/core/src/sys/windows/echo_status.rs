//! What the system's numbers for the fate of an echo request (IP_STATUS) mean.

use std::net::SocketAddr;

use windows_sys::Win32::Foundation::ERROR_GEN_FAILURE;
use windows_sys::Win32::NetworkManagement::IpHelper as iphelper;
use windows_sys::Win32::Networking::WinSock as winsock;

use super::error_code;
use crate::ping::Outcome;

/// What a status (IP_STATUS), or else an error of the system, says of a request that has no answer.
pub(super) fn outcome(status: u32, v6: bool, by: Option<SocketAddr>) -> Outcome {
    if let Some((kind, code)) = message(status, v6) {
        return Outcome::Refused { kind, code, by };
    }
    Outcome::Failed(error_code(match status {
        iphelper::IP_REQ_TIMED_OUT | iphelper::IP_SOURCE_QUENCH => winsock::WSAETIMEDOUT,
        iphelper::IP_NO_RESOURCES => winsock::WSAENOBUFS,
        iphelper::IP_BAD_OPTION | iphelper::IP_BAD_REQ | iphelper::IP_OPTION_TOO_BIG => winsock::WSAEINVAL,
        iphelper::IP_BAD_DESTINATION => winsock::WSAEHOSTUNREACH,
        iphelper::IP_HW_ERROR => ERROR_GEN_FAILURE as i32,
        // It could not be sent: mostly there is no network, for which others have this word.
        iphelper::IP_GENERAL_FAILURE => winsock::WSAENETUNREACH,
        error => error as i32,
    }))
}

/// The ICMP message that a status stands for: its type and code. IPv6 has other meanings for some of IPv4's numbers.
fn message(status: u32, v6: bool) -> Option<(u8, u8)> {
    let (in_4, in_6) = match status {
        iphelper::IP_DEST_NET_UNREACHABLE => ((3, 0), (1, 0)),
        iphelper::IP_DEST_HOST_UNREACHABLE => ((3, 1), (1, 3)),
        iphelper::IP_DEST_PROT_UNREACHABLE => ((3, 2), (1, 1)),
        iphelper::IP_DEST_PORT_UNREACHABLE => ((3, 3), (1, 4)),
        iphelper::IP_PACKET_TOO_BIG => ((3, 4), (2, 0)),
        iphelper::IP_BAD_ROUTE => ((3, 5), (1, 0)),
        iphelper::IP_DEST_UNREACHABLE => ((3, 1), (1, 3)),
        iphelper::IP_DEST_SCOPE_MISMATCH => ((3, 1), (1, 2)),
        iphelper::IP_TTL_EXPIRED_TRANSIT | iphelper::IP_TIME_EXCEEDED => ((11, 0), (3, 0)),
        iphelper::IP_TTL_EXPIRED_REASSEM => ((11, 1), (3, 1)),
        iphelper::IP_PARAM_PROBLEM | iphelper::IP_BAD_HEADER | iphelper::IP_ICMP_ERROR => ((12, 0), (4, 0)),
        iphelper::IP_UNRECOGNIZED_NEXT_HEADER => ((12, 0), (4, 1)),
        _ => return None,
    };
    Some(if v6 { in_6 } else { in_4 })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::error::{TIMED_OUT, UNKNOWN};

    #[test]
    fn a_status_is_the_message_that_it_stands_for_or_an_error() {
        let by = Some((Ipv4Addr::LOCALHOST, 0).into());
        let expired = outcome(iphelper::IP_TTL_EXPIRED_TRANSIT, false, by);
        assert_eq!(expired, Outcome::Refused { kind: 11, code: 0, by });
        let expired = outcome(iphelper::IP_HOP_LIMIT_EXCEEDED, true, None);
        assert_eq!(expired, Outcome::Refused { kind: 3, code: 0, by: None });
        assert_eq!(outcome(iphelper::IP_REQ_TIMED_OUT, false, by), Outcome::Failed(TIMED_OUT));
        assert_eq!(outcome(u32::MAX, true, None), Outcome::Failed(UNKNOWN));
    }
}
