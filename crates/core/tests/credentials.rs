//! Who is at the other end of a unix socket. Where the answer must be the process itself, that is this one.
#![cfg(unix)]

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, Ordering};

use socket2_core::{Credentials, Kind, Socket};

/// This process, as a file that it makes says. Tests run beside each other, so each call has a file of its own.
fn myself() -> Credentials {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("credentials-{}-{call}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let made = std::fs::metadata(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    Credentials { pid: std::process::id() as i32, uid: made.uid(), gid: made.gid() }
}

fn assert_me(socket: &Socket) {
    let (peer, me) = (socket.peer_credentials().unwrap(), myself());
    assert_eq!((peer.pid, peer.uid), (me.pid, me.uid));
    // The BSDs give a file its folder's group.
    if cfg!(target_os = "linux") {
        assert_eq!(peer.gid, me.gid);
    }
}

#[test]
fn both_ends_of_a_pair_know_each_other() {
    let kinds: &[Kind] = match cfg!(target_os = "linux") {
        true => &[Kind::Stream, Kind::Datagram, Kind::Seqpacket],
        false => &[Kind::Stream],
    };
    for kind in kinds {
        let (one, other) = Socket::pair(*kind).unwrap();
        assert_me(&one);
        assert_me(&other);
    }
}

// By names that the system chooses, which only Linux does.
#[cfg(target_os = "linux")]
mod peers;

#[cfg(target_os = "linux")]
mod by_name {
    use super::peers::*;
    use super::*;
    use socket2_core::{error, Family};

    fn name(socket: &Socket) -> &'static str {
        error::name(error::code(&socket.peer_credentials().unwrap_err()))
    }

    #[test]
    fn both_ends_of_a_connection_know_each_other_even_when_one_is_gone() {
        for kind in [Kind::Stream, Kind::Seqpacket] {
            let (client, server) = connected(Family::Unix, kind);
            assert_me(&client);
            assert_me(&server);
            drop(client);
            assert_me(&server);
        }
    }

    #[test]
    fn without_a_peer_or_one_the_system_knows_there_are_none() {
        assert_eq!(name(&Socket::open(Family::Unix, Kind::Stream, 0).unwrap()), "ENOTCONN");
        assert_eq!(name(&listener(Family::Unix, Kind::Stream)), "ENOTCONN");
        assert_eq!(name(&connected(Family::Inet, Kind::Stream).0), "ENOTCONN");
        let (receiver, mut sender) = (bound(Family::Unix, Kind::Datagram), bound(Family::Unix, Kind::Datagram));
        sender.connect(&receiver.local_addr().unwrap()).unwrap();
        assert_eq!(name(&sender), "ENOTCONN");
    }
}
