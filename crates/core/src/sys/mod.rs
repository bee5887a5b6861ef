//! Where systems differ: under equal names, so that nobody outside sees a `cfg`.
//!
//! | every system provides       |                                                                              |
//! | --------------------------- | ---------------------------------------------------------------------------- |
//! | `Source`                    | a socket as the poller can watch it: `new get try_io register deregister number release` |
//! | `poll_handle`               | the system's number of a poll, where it has one                              |
//! | `INTEREST`                  | what the poller reports of every socket                                      |
//! | `open`, `accept`, `pair`    | sockets that neither block nor are inherited                                 |
//! | `connect`, `disconnect`     | with one meaning of their results                                            |
//! | `is_connected`              | whether the attempt has succeeded                                            |
//! | `CONNECTS_AGAIN`            | whether a socket can connect after an attempt that failed                    |
//! | `recv_message`              | a datagram with what the system tells of it                                  |
//! | `Mailbox`, `send_many`      | many datagrams at once, or one after the other                               |
//! | `coalesce`, `coalesces`, `splits`, `send_split`, `refusal_to_split` | several datagrams that the system handles as one         |
//! | `late_error`                | the error of a call that tells of an earlier one, with one meaning           |
//! | `SEND_FLAGS`, `MOST_PER_SEND` | so that sending never raises a signal, and takes only what there is room for |
//! | `send_error`                | the error of sending to the peer, with one meaning                           |
//! | `destination`               | where a packet to "all interfaces" goes                                      |
//! | `SHORT_READ_DRAINS`         | whether a stream's short read means that nothing is left                     |
//! | `ERRORS`, `error_code`      | the system's errors as Node knows them                                       |
//! | `unix_path`, `pathname`, `unix_address` | the path inside a unix address, and back                         |
//! | `UNIX_PATH_LENGTH`, `file_identity`, `is_socket` | the files of unix sockets                              |
//! | `set_customary_for_listeners` | what servers set before they bind                                          |
//! | `choose_port_late`          | whose port the system chooses, when it connects                              |
//! | `interface_index`           | the number of a network interface                                            |
//! | `change_source_group`, `membership_error`, `hear_own_groups_only` | multicast, with one meaning of its errors |
//! | `borrow`, `take_over`, `PEEK`, `domain`, `protocol`, `is_listening`, `no_such_family`, `no_such_kind` | descriptors that something else has opened |
//! | `keep_from_children`        | of a descriptor that something else has opened                               |
//! | `OwnedHandle`, `number_of`, `MOST_HANDLES`, `send_handles`, `recv_handles` | descriptors beside data              |
//! | `ECHO_DATAGRAMS`, `hear_errors`, `forget_error` | datagram sockets of ICMP, which stand in for raw ones    |
//! | `hear_echoes_of`            | a raw socket that is spared the pings of others, where that can be           |
//! | `SENDS_ECHOES`, `ask`       | echo requests by a call of the system's own                                  |
//! | `peer_credentials`          | the process at the other end of a unix socket                                |
//! | `lookup_flags`, `lookup_code`, `NAME_REQUIRED` | getaddrinfo's and getnameinfo's numbers                   |
//! | `spelled_out`               | a record of getaddrinfo's with its kind and protocol                         |
//! | `read_option`, `write_option` | any option, as bytes                                                       |
//! | `Constant`s, and `USER_TIMEOUT_UNIT`, `FAST_OPEN_COUNTS`, `MTU_DISCOVER_VALUES`, `ICMP6_FILTER_BLOCKS` | the numbers of options, and what differs in their values |
//! | `device`, `set_device`, `set_multicast_interface`, `interface_error` | interfaces, as options take them    |
//! | `tcp_info`                  | what the system tells of a connection                                        |

// Unsafe has an address: this room, where each block says who keeps the promise.
#![allow(unsafe_code)]

/// The level and the name of an option, where the system has it.
pub(crate) type Constant = Option<(i32, i32)>;

/// How receiving many has ended.
pub(crate) enum End {
    /// There was no more room.
    Full,
    /// There were no more datagrams.
    Empty,
    /// With an error, behind those that came.
    #[cfg_attr(linux, expect(dead_code))] // there the socket keeps it
    Failed(std::io::Error),
}

/// Sends datagrams until one does not go: how many went, and why the next one did not.
pub(crate) fn send_one_by_one(
    socket: &socket2::Socket,
    messages: &[crate::datagram::Message<'_>],
) -> std::io::Result<(usize, Option<std::io::Error>)> {
    for (count, message) in messages.iter().enumerate() {
        let sent = match &message.to {
            Some(to) => socket.send_to_with_flags(message.data, &destination(to), SEND_FLAGS),
            None => socket.send_with_flags(message.data, SEND_FLAGS).map_err(|error| send_error(socket, error)),
        };
        match sent {
            Ok(_) => {}
            Err(error) if count == 0 => return Err(error),
            Err(error) => return Ok((count, Some(error))),
        }
    }
    Ok((messages.len(), None))
}

#[cfg(not(linux))]
mod one_by_one;
#[cfg(not(linux))]
pub(crate) use one_by_one::*;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(unix)]
pub use unix::{MOST_HANDLES, SHORT_READ_DRAINS, UNIX_PATH_LENGTH};

#[cfg(linux)]
mod linux;
#[cfg(linux)]
pub(crate) use linux::*;

#[cfg(all(unix, not(linux)))]
mod bsd;
#[cfg(all(unix, not(linux)))]
pub(crate) use bsd::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;
#[cfg(windows)]
pub use windows::{MOST_HANDLES, SHORT_READ_DRAINS, UNIX_PATH_LENGTH};
