//! Multicast groups on the loopback interface.

mod peers;

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use peers::*;
use socket2_core::address::parse_ip;
use socket2_core::{error, Family, Interface, Kind, Membership};

fn name(result: io::Result<()>) -> &'static str {
    result.map_or_else(|error| error::name(error::code(&error)), |()| "done")
}

fn ip(text: &str) -> IpAddr {
    parse_ip(text).unwrap().ip()
}

fn membership(group: &str, source: Option<&str>, interface: Interface) -> Membership {
    Membership { group: ip(group), source: source.map(ip), interface }
}

#[test]
fn an_interface_is_a_number_an_address_a_zone_or_nothing() {
    let parse = |text| Interface::parse(text).map_err(|error| error::name(error::code(&error)));
    assert_eq!(parse(""), Ok(Interface::Index(0)));
    assert_eq!(parse("7"), Ok(Interface::Index(7)));
    assert_eq!(parse("127.0.0.1"), Ok(Interface::Address(Ipv4Addr::LOCALHOST)));
    assert_eq!(parse("fe80::1%3"), Ok(Interface::Index(3)));
    for unknown in ["no such interface", "99999999999", "::1", "no\0"] {
        assert_eq!(parse(unknown), Err("EADDRNOTAVAIL"), "{unknown}");
    }
}

#[test]
fn what_is_no_group_or_of_another_family_is_refused() {
    let socket = bound(Family::Inet, Kind::Datagram);
    let mixed = membership("239.1.0.1", Some("::1"), Interface::Index(0));
    assert_eq!(name(socket.join_group(&mixed)), "EINVAL");
    let six = bound(Family::Inet6, Kind::Datagram);
    let mixed = membership("ff02::1", None, Interface::Address(Ipv4Addr::LOCALHOST));
    assert_eq!(name(six.join_group(&mixed)), "EINVAL");
    let one = membership("127.0.0.1", None, Interface::Address(Ipv4Addr::LOCALHOST));
    assert_eq!(name(socket.join_group(&one)), "EINVAL");
}

#[cfg(target_os = "linux")]
mod on_loopback {
    use std::net::SocketAddr;

    use socket2_core::Socket;

    use super::*;

    fn everywhere(family: Family) -> Socket {
        let socket = Socket::open(family, Kind::Datagram, 0).unwrap();
        let any = if family == Family::Inet { "0.0.0.0" } else { "::" };
        socket.bind(&parse_ip(any).unwrap().into()).unwrap();
        socket
    }

    /// Sends from the loopback interface, which the sender's address chooses.
    fn send(from: &str, group: &str, to: &Socket, data: &[u8]) {
        let sender = Socket::open(Family::Inet, Kind::Datagram, 0).unwrap();
        sender.bind(&parse_ip(from).unwrap().into()).unwrap();
        let port = to.local_addr().unwrap().as_socket().unwrap().port();
        sender.send_to(data, &SocketAddr::new(ip(group), port).into()).unwrap();
    }

    fn loopback_index() -> u32 {
        match Interface::parse("lo").unwrap() {
            Interface::Index(index) => index,
            other => panic!("{other:?}"),
        }
    }

    fn next(socket: &mut Socket) -> Vec<u8> {
        recv_from(socket, 100).unwrap().0
    }

    /// Of each family: a group, a source, and ways to name the interface. IPv6 has no route for groups on the loopback
    /// interface, so there nothing can be sent; what the system answers is the same.
    fn cases() -> [(Family, &'static str, &'static str, Vec<Interface>); 2] {
        let index = Interface::Index(loopback_index());
        let inet = vec![index, Interface::Address(Ipv4Addr::LOCALHOST)];
        [(Family::Inet, "239.1.0.2", "127.0.0.1", inet), (Family::Inet6, "ff31::1:2", "::1", vec![index])]
    }

    #[test]
    fn a_group_is_joined_once_and_left_once() {
        for (family, group, source, interfaces) in cases() {
            for (interface, source) in interfaces.iter().flat_map(|each| [(each, None), (each, Some(source))]) {
                let socket = everywhere(family);
                let membership = membership(group, source, *interface);
                assert_eq!(name(socket.leave_group(&membership)), "EADDRNOTAVAIL");
                assert_eq!(name(socket.join_group(&membership)), "done");
                assert_eq!(name(socket.join_group(&membership)), "EADDRINUSE");
                assert_eq!(name(socket.leave_group(&membership)), "done");
                assert_eq!(name(socket.leave_group(&membership)), "EADDRNOTAVAIL");
            }
        }
    }

    #[test]
    fn a_group_is_heard_from_joining_to_leaving() {
        let group = "239.1.0.3";
        for interface in cases()[0].3.iter() {
            let mut socket = everywhere(Family::Inet);
            let membership = membership(group, None, *interface);
            send("127.0.0.1", group, &socket, b"too early");
            socket.join_group(&membership).unwrap();
            send("127.0.0.1", group, &socket, b"to the group");
            assert_eq!(next(&mut socket), b"to the group");
            socket.leave_group(&membership).unwrap();
            send("127.0.0.1", group, &socket, b"too late");
            send("127.0.0.1", "127.0.0.1", &socket, b"directly");
            assert_eq!(next(&mut socket), b"directly");
        }
    }

    #[test]
    fn a_group_with_a_source_is_heard_from_that_source() {
        let group = "239.1.0.4";
        for interface in cases()[0].3.iter() {
            let mut socket = everywhere(Family::Inet);
            socket.join_group(&membership(group, Some("127.0.0.1"), *interface)).unwrap();
            send("127.0.0.2", group, &socket, b"from another");
            send("127.0.0.1", group, &socket, b"from the source");
            assert_eq!(next(&mut socket), b"from the source");
        }
    }

    #[test]
    fn groups_that_only_others_have_joined_are_not_heard() {
        let (mine, theirs) = ("239.1.0.5", "239.1.0.6");
        let interface = Interface::Index(loopback_index());
        let (mut socket, other) = (everywhere(Family::Inet), everywhere(Family::Inet));
        socket.join_group(&membership(mine, None, interface)).unwrap();
        other.join_group(&membership(theirs, None, interface)).unwrap();
        send("127.0.0.1", theirs, &socket, b"not for us");
        send("127.0.0.1", mine, &socket, b"for us");
        assert_eq!(next(&mut socket), b"for us");
    }

    #[test]
    fn an_unknown_interface_is_one_error_in_every_form() {
        let unknown = [Interface::Index(0x7fff_ff00), Interface::Address(Ipv4Addr::new(203, 0, 113, 77))];
        for (family, group, source, interfaces) in cases() {
            let socket = everywhere(family);
            for interface in &unknown[..interfaces.len()] {
                for source in [None, Some(source)] {
                    let membership = membership(group, source, *interface);
                    assert_eq!(name(socket.join_group(&membership)), "EADDRNOTAVAIL");
                    assert_eq!(name(socket.leave_group(&membership)), "EADDRNOTAVAIL");
                }
            }
        }
    }
}
