//! One socket, against real peers on loopback.

mod peers;

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::time::Duration;

use mio::{Events, Poll, Token};
use peers::*;
use socket2::Domain;
use socket2_core::{error, options, Family, Kind, Socket};

const INET: [Family; 2] = [Family::Inet, Family::Inet6];
/// Those whose streams have names of the system's choice. (Unix streams of Windows have paths only.)
const STREAMS: &[Family] =
    if cfg!(unix) { &[Family::Inet, Family::Inet6, Family::Unix] } else { &[Family::Inet, Family::Inet6] };

fn name(error: &io::Error) -> &'static str {
    error::name(error::code(error))
}

#[test]
fn numbers_name_families_and_kinds() {
    assert_eq!(
        [4, 6, 1, 0].map(Family::from_number),
        [Some(Family::Inet), Some(Family::Inet6), Some(Family::Unix), None]
    );
    let kinds = [Some(Kind::Stream), Some(Kind::Datagram), Some(Kind::Raw), Some(Kind::Seqpacket), None, None];
    assert_eq!([1, 2, 3, 4, 0, 5].map(Kind::from_number), kinds);
}

#[test]
fn a_stream_carries_bytes_both_ways_and_ends() {
    for &family in STREAMS {
        let (mut client, mut server) = connected(family, Kind::Stream);
        assert_eq!(client.send(b"hello").unwrap(), 5);
        assert_eq!(recv(&mut server, 100).unwrap(), b"hello");
        assert_eq!(server.send_vectored(&[IoSlice::new(b"wor"), IoSlice::new(b""), IoSlice::new(b"ld")]).unwrap(), 5);
        assert_eq!(recv(&mut client, 3).unwrap(), b"wor");
        assert_eq!(recv(&mut client, 100).unwrap(), b"ld");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(recv(&mut server, 100).unwrap(), b"");
        assert_eq!(recv(&mut server, 100).unwrap(), b"");
    }
}

#[test]
fn accept_names_the_peer_and_addresses_are_asked_of_the_system() {
    for family in INET {
        let mut listener = listener(family, Kind::Stream);
        let address = listener.local_addr().unwrap();
        assert_ne!(address.as_socket().unwrap().port(), 0);
        let mut client = Socket::open(family, Kind::Stream, 0).unwrap();
        connect(&mut client, &address).unwrap();
        let (server, peer) = until(&mut listener, Socket::accept).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(server.local_addr().unwrap(), address);
        assert_eq!(client.peer_addr().unwrap(), address);
        assert_eq!(server.kind(), Kind::Stream);
    }
}

#[test]
fn what_would_have_to_wait_says_so() {
    let listener = listener(Family::Inet, Kind::Stream);
    assert_eq!(name(&listener.accept().err().unwrap()), "EAGAIN");
    let (client, _server) = connected(Family::Inet, Kind::Stream);
    let error = client.recv(&mut [MaybeUninit::uninit(); 8]).unwrap_err();
    assert_eq!(error::code(&error), error::WOULD_BLOCK);
    let datagrams = bound(Family::Inet, Kind::Datagram);
    assert_eq!(name(&datagrams.recv_message(&mut [MaybeUninit::uninit(); 8]).unwrap_err()), "EAGAIN");
}

#[test]
fn a_connect_that_takes_time_is_under_way_and_then_has_a_verdict() {
    for family in INET {
        let closed = bound(family, Kind::Stream); // bound, but nobody listens
        let mut client = Socket::open(family, Kind::Stream, 0).unwrap();
        let error = connect(&mut client, &closed.local_addr().unwrap()).unwrap_err();
        assert_eq!(name(&error), "ECONNREFUSED");
    }
}

#[test]
fn a_socket_can_connect_after_an_attempt_that_failed() {
    for family in INET {
        let closed = bound(family, Kind::Stream);
        let mut listener = listener(family, Kind::Stream);
        let mut client = bound(family, Kind::Stream);
        let place = client.local_addr().unwrap();
        assert_eq!(name(&connect(&mut client, &closed.local_addr().unwrap()).unwrap_err()), "ECONNREFUSED");
        connect(&mut client, &listener.local_addr().unwrap()).unwrap();
        let (_server, peer) = until(&mut listener, |listener| listener.accept()).unwrap();
        assert_eq!(peer.as_socket(), place.as_socket());
    }
}

#[test]
fn a_fresh_descriptor_has_the_options_and_the_address_of_the_old_one() {
    let id = |name| options::TABLE.iter().position(|row| row.name == name).unwrap();
    for (family, domain) in INET.into_iter().zip([Domain::IPV4, Domain::IPV6]) {
        let mut socket = bound(family, Kind::Stream);
        options::set(&socket, id("noDelay"), 1).unwrap();
        options::set(&socket, id("keepAlive"), 1).unwrap();
        options::set(&socket, id("linger"), 3000).unwrap();
        let place = socket.local_addr().unwrap();
        socket.renew(domain).unwrap();
        assert_eq!(socket.local_addr().unwrap().as_socket(), place.as_socket());
        for (option, value) in [("noDelay", 1), ("keepAlive", 1), ("linger", 3000)] {
            assert_eq!(options::get(&socket, id(option)).unwrap(), value, "{option}");
        }
    }
}

// Windows lets others have a port by other rules.
#[cfg(unix)]
#[test]
fn a_bound_socket_that_has_lost_its_place_connects_from_nowhere_else() {
    let reuse = options::TABLE.iter().position(|row| row.name == "reuseAddress").unwrap();
    let closed = bound(Family::Inet, Kind::Stream);
    let mut listener = listener(Family::Inet, Kind::Stream);
    let address = listener.local_addr().unwrap();
    let [mut socket, other] = [(); 2].map(|()| {
        let socket = Socket::open(Family::Inet, Kind::Stream, 0).unwrap();
        options::set(&socket, reuse, 1).unwrap();
        socket
    });
    socket.bind(&loopback(Family::Inet)).unwrap();
    let place = socket.local_addr().unwrap();
    let port = place.as_socket().unwrap().port();
    other.bind(&std::net::SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, port)).into()).unwrap();
    options::set(&socket, reuse, 0).unwrap();
    assert_eq!(name(&connect(&mut socket, &closed.local_addr().unwrap()).unwrap_err()), "ECONNREFUSED");
    assert_eq!(name(&socket.renew(Domain::IPV4).unwrap_err()), "EADDRINUSE");
    for _ in 0..2 {
        assert_eq!(name(&connect(&mut socket, &address).unwrap_err()), "EADDRINUSE");
    }
    drop(other);
    connect(&mut socket, &address).unwrap();
    let (_server, peer) = until(&mut listener, |listener| listener.accept()).unwrap();
    assert_eq!(peer.as_socket(), place.as_socket());
}

#[test]
fn a_port_that_is_chosen_late_is_there_once_connected() {
    for family in INET {
        let listener = listener(family, Kind::Stream);
        let mut client = Socket::open(family, Kind::Stream, 0).unwrap();
        client.choose_port_late();
        client.bind(&loopback(family)).unwrap();
        let port = |socket: &Socket| socket.local_addr().unwrap().as_socket().unwrap().port();
        assert_eq!(port(&client) == 0, cfg!(target_os = "linux"));
        connect(&mut client, &listener.local_addr().unwrap()).unwrap();
        assert_ne!(port(&client), 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_unix_listener_with_a_full_backlog_refuses() {
    let listener = bound(Family::Unix, Kind::Stream);
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    loop {
        let mut client = Socket::open(Family::Unix, Kind::Stream, 0).unwrap();
        match client.connect(&address) {
            Ok(()) => waiting.push(client),
            Err(error) => {
                assert_eq!(name(&error), "ECONNREFUSED");
                break;
            }
        }
        assert!(waiting.len() < 100, "the backlog never fills");
    }
}

#[test]
fn datagrams_keep_their_bounds_and_name_their_sender() {
    for family in INET {
        let mut receiver = bound(family, Kind::Datagram);
        let sender = bound(family, Kind::Datagram);
        let to = receiver.local_addr().unwrap();
        sender.send_to(b"first", &to).unwrap();
        sender.send_to(b"", &to).unwrap();
        sender.send_to(b"third", &to).unwrap();
        for expected in [&b"first"[..], b"", b"third"] {
            let (data, truncated, from) = recv_from(&mut receiver, 100).unwrap();
            assert_eq!((&data[..], truncated), (expected, false));
            assert_eq!(from, sender.local_addr().unwrap());
        }
    }
}

#[test]
fn a_datagram_longer_than_the_buffer_is_marked_as_truncated() {
    let mut receiver = bound(Family::Inet, Kind::Datagram);
    let sender = bound(Family::Inet, Kind::Datagram);
    sender.send_to(b"123456789", &receiver.local_addr().unwrap()).unwrap();
    sender.send_to(b"1234", &receiver.local_addr().unwrap()).unwrap();
    let (data, truncated, _) = recv_from(&mut receiver, 4).unwrap();
    assert_eq!((&data[..], truncated), (&b"1234"[..], true));
    let (data, truncated, _) = recv_from(&mut receiver, 4).unwrap();
    assert_eq!((&data[..], truncated), (&b"1234"[..], false));
}

#[cfg(target_os = "linux")]
#[test]
fn a_unix_datagram_from_nobody_has_a_sender_of_family_0() {
    let mut receiver = bound(Family::Unix, Kind::Datagram);
    let sender = Socket::open(Family::Unix, Kind::Datagram, 0).unwrap();
    sender.send_to(b"x", &receiver.local_addr().unwrap()).unwrap();
    let (_, _, from) = recv_from(&mut receiver, 8).unwrap();
    let mut wire = [0xFF; socket2_core::address::WIRE_LENGTH];
    socket2_core::address::encode(&from, &mut wire);
    assert_eq!(wire[0], 0);
}

#[cfg(target_os = "linux")]
#[test]
fn seqpacket_keeps_the_bounds_of_messages() {
    let (client, mut server) = connected(Family::Unix, Kind::Seqpacket);
    client.send(b"one").unwrap();
    client.send_vectored(&[IoSlice::new(b"t"), IoSlice::new(b"wo")]).unwrap();
    assert_eq!(recv(&mut server, 100).unwrap(), b"one");
    assert_eq!(recv(&mut server, 100).unwrap(), b"two");
}

#[test]
fn a_connected_datagram_socket_disconnects_and_keeps_its_port() {
    if wine().is_some() {
        return; // Wine has the port taken away by Linux, and lets nobody bind it again
    }
    for family in INET {
        let mut peer = bound(family, Kind::Datagram);
        let other = bound(family, Kind::Datagram);
        let mut socket = Socket::open(family, Kind::Datagram, 0).unwrap();
        socket.connect(&peer.local_addr().unwrap()).unwrap();
        let port = |socket: &Socket| socket.local_addr().unwrap().as_socket().unwrap().port();
        let before = port(&socket);
        assert_ne!(before, 0);
        socket.send(b"to the peer").unwrap();
        assert_eq!(recv_from(&mut peer, 100).unwrap().0, b"to the peer");
        socket.disconnect().unwrap();
        assert_eq!(port(&socket), before);
        assert_eq!(name(&socket.peer_addr().unwrap_err()), "ENOTCONN");
        // Bound to every interface now; the loopback reaches it.
        let mut to = loopback(family).as_socket().unwrap();
        to.set_port(before);
        other.send_to(b"from anyone", &to.into()).unwrap();
        assert_eq!(recv_from(&mut socket, 100).unwrap().0, b"from anyone");
    }
}

#[test]
fn disconnect_needs_no_peer() {
    if wine().is_some() {
        return; // as above
    }
    let socket = bound(Family::Inet, Kind::Datagram);
    let before = socket.local_addr().unwrap();
    socket.disconnect().unwrap();
    assert_eq!(socket.local_addr().unwrap(), before);
}

#[test]
fn writing_to_a_closed_peer_is_an_error_and_not_a_signal() {
    // Rust's test harness ignores SIGPIPE; here it would end the process, as in a program that does not.
    #[cfg(unix)]
    default_sigpipe();
    // Windows goes on telling how the connection ended.
    let gone: &[&str] = if cfg!(windows) { &["EPIPE", "ECONNRESET", "ECONNABORTED"] } else { &["EPIPE"] };
    for &family in STREAMS {
        let (mut client, server) = connected(family, Kind::Stream);
        drop(server);
        let error = loop {
            if let Err(error) = until(&mut client, |socket| socket.send(b"anybody?")) {
                break error;
            }
        };
        assert!(["EPIPE", "ECONNRESET", "ECONNABORTED"].contains(&name(&error)), "{error}");
        for _ in 0..2 {
            assert!(gone.contains(&name(&client.send(b"x").unwrap_err())));
            let list = [IoSlice::new(b"x"), IoSlice::new(b"y")];
            assert!(gone.contains(&name(&client.send_vectored(&list).unwrap_err())));
        }
    }
    let (client, _server) = connected(Family::Inet, Kind::Stream);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(name(&client.send(b"x").unwrap_err()), "EPIPE");
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn default_sigpipe() {
    // SAFETY: SIG_DFL is no handler of ours, so nothing of ours runs in a signal.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

#[test]
fn reset_shows_at_the_peer_and_close_does_not() {
    let (client, mut server) = connected(Family::Inet, Kind::Stream);
    client.reset();
    match recv(&mut server, 8) {
        Err(error) => assert_eq!(name(&error), "ECONNRESET"),
        Ok(_) => assert_eq!(wine(), Some(8), "only Wine 8 shows a reset as the end of the stream"),
    }
    let (client, mut server) = connected(Family::Inet, Kind::Stream);
    client.send(b"last words").unwrap();
    drop(client);
    assert_eq!(recv(&mut server, 100).unwrap(), b"last words");
    assert_eq!(recv(&mut server, 100).unwrap(), b"");
}

#[test]
fn a_full_send_buffer_would_block_until_the_peer_reads() {
    let (mut client, mut server) = connected(Family::Inet, Kind::Stream);
    let chunk = vec![7; 1 << 20];
    let mut sent = 0;
    loop {
        match client.send(&chunk) {
            Ok(count) => sent += count,
            Err(error) => break assert_eq!(name(&error), "EAGAIN"),
        }
    }
    let reader = std::thread::spawn(move || {
        let mut total = 0;
        loop {
            match recv(&mut server, 1 << 20).unwrap().len() {
                0 => return total,
                count => total += count,
            }
        }
    });
    sent += until(&mut client, |socket| socket.send(&chunk)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(reader.join().unwrap(), sent);
}

#[test]
fn a_list_of_more_buffers_than_one_call_takes_is_a_short_count() {
    let (client, mut server) = connected(Family::Inet, Kind::Stream);
    let list = vec![IoSlice::new(b"ab"); 5000];
    assert_eq!(client.send_vectored(&list).unwrap(), 2048);
    assert_eq!(recv(&mut server, 4).unwrap(), b"abab");
    assert_eq!(client.send_vectored(&[]).unwrap(), 0);
}

#[test]
fn errors_come_out_with_their_codes() {
    let taken = listener(Family::Inet, Kind::Stream);
    let socket = Socket::open(Family::Inet, Kind::Stream, 0).unwrap();
    assert_eq!(name(&socket.bind(&taken.local_addr().unwrap()).unwrap_err()), "EADDRINUSE");
    let elsewhere = socket2_core::address::parse_ip("192.0.2.1").unwrap();
    assert_eq!(name(&socket.bind(&elsewhere.into()).unwrap_err()), "EADDRNOTAVAIL");
    assert_eq!(name(&socket.peer_addr().unwrap_err()), "ENOTCONN");
    assert_eq!(name(&socket.shutdown(Shutdown::Both).unwrap_err()), "ENOTCONN");
    socket.bind(&loopback(Family::Inet)).unwrap();
    assert_eq!(name(&socket.bind(&loopback(Family::Inet)).unwrap_err()), "EINVAL");
    assert_eq!(name(&bound(Family::Inet, Kind::Datagram).listen(1).unwrap_err()), "ENOTSUP");
    assert!(Socket::open(Family::Inet, Kind::Stream, 9999).is_err());
    let datagrams = bound(Family::Inet, Kind::Datagram);
    let huge = vec![0; 70_000];
    assert_eq!(name(&datagrams.send_to(&huge, &datagrams.local_addr().unwrap()).unwrap_err()), "EMSGSIZE");
    assert_eq!(name(&datagrams.send(b"x").unwrap_err()), "EDESTADDRREQ");
}

#[cfg(unix)]
#[test]
fn a_unix_path_that_is_there_is_in_use_and_one_that_is_not_does_not_exist() {
    let path = std::env::temp_dir().join(format!("socket2-core-{}.sock", std::process::id()));
    let address = socket2_core::SockAddr::unix(&path).unwrap();
    let mut socket = Socket::open(Family::Unix, Kind::Stream, 0).unwrap();
    assert_eq!(name(&socket.connect(&address).unwrap_err()), "ENOENT");
    socket.bind(&address).unwrap();
    let mut second = Socket::open(Family::Unix, Kind::Stream, 0).unwrap();
    assert_eq!(name(&second.bind(&address).unwrap_err()), "EADDRINUSE");
    assert_eq!(name(&second.connect(&address).unwrap_err()), "ECONNREFUSED");
    assert_eq!(socket.local_addr().unwrap().as_pathname(), Some(&*path));
    std::fs::remove_file(path).unwrap();
}

#[cfg(unix)]
#[test]
fn descriptors_are_close_on_exec_and_do_not_block() {
    let mut listener = listener(Family::Inet, Kind::Stream);
    let mut client = Socket::open(Family::Inet, Kind::Stream, 0).unwrap();
    connect(&mut client, &listener.local_addr().unwrap()).unwrap();
    let (server, _) = until(&mut listener, Socket::accept).unwrap();
    let datagrams = bound(Family::Inet6, Kind::Datagram);
    for socket in [&listener, &client, &server, &datagrams] {
        let (descriptor, status) = flags(socket.fd());
        assert_ne!(descriptor & libc::FD_CLOEXEC, 0);
        assert_ne!(status & libc::O_NONBLOCK, 0);
    }
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn flags(fd: i64) -> (i32, i32) {
    let fd = i32::try_from(fd).unwrap();
    // SAFETY: these calls only read the flags of a descriptor.
    unsafe { (libc::fcntl(fd, libc::F_GETFD), libc::fcntl(fd, libc::F_GETFL)) }
}

#[test]
fn watching_twice_is_watching_once_and_a_watch_can_end_and_begin_anew() {
    let (client, mut server) = connected(Family::Inet, Kind::Stream);
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    assert!(!server.is_watched());
    server.watch(poll.registry(), Token(3)).unwrap();
    server.watch(poll.registry(), Token(4)).unwrap();
    assert!(server.is_watched());
    client.send(b"x").unwrap();
    while !events.iter().any(|event| event.token() == Token(3) && event.is_readable()) {
        poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty());
        assert!(events.iter().all(|event| event.token() == Token(3)));
    }
    server.unwatch(poll.registry());
    server.unwatch(poll.registry());
    assert!(!server.is_watched());
    client.send(b"y").unwrap();
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
    server.watch(poll.registry(), Token(5)).unwrap();
    poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
    assert!(!events.is_empty() && events.iter().all(|event| event.token() == Token(5) && event.is_readable()));
}
