//! Options by a table: read, differ, set, read back.

#[path = "../examples/options.rs"]
mod generator;
mod peers;

use peers::*;
use socket2_core::options::{get, set, Value, OFF, TABLE};
use socket2_core::{error, Family, Kind, Socket};

const PLATFORM: &str = match std::env::consts::OS.as_bytes() {
    b"macos" => "darwin",
    b"windows" => "win32",
    _ => std::env::consts::OS,
};

fn id(name: &str) -> usize {
    TABLE.iter().position(|row| row.name == name).unwrap()
}

fn code(error: &std::io::Error) -> &'static str {
    error::name(error::code(error))
}

/// Every family and kind that the option applies to and that needs no right.
fn sockets(id: usize) -> Vec<Socket> {
    let row = &TABLE[id];
    let mut sockets = Vec::new();
    for &family in row.families {
        for &kind in row.kinds.iter().filter(|kind| matches!(kind, Kind::Stream | Kind::Datagram)) {
            if family == Family::Unix && !has_unix(kind) {
                continue;
            }
            sockets.push(Socket::open(family, kind, 0).unwrap());
        }
    }
    sockets
}

#[test]
fn every_option_reads_back_what_was_set() {
    for (id, row) in TABLE.iter().enumerate().filter(|(_, row)| row.platforms.contains(&PLATFORM) && !row.read_only()) {
        for socket in sockets(id) {
            let before = get(&socket, id).unwrap();
            match row.value {
                Value::Bool => {
                    for value in [1 - before, before] {
                        set(&socket, id, value).unwrap();
                        assert_eq!(get(&socket, id).unwrap(), value, "{}", row.name);
                    }
                }
                Value::Millis { .. } => {
                    assert_eq!(before, OFF);
                    for (value, held) in [(1, 1000), (1000, 1000), (1001, 2000), (0, 0), (OFF, OFF)] {
                        set(&socket, id, value).unwrap();
                        assert_eq!(get(&socket, id).unwrap(), held, "{}", row.name);
                    }
                }
                Value::Int { .. } if row.name.ends_with("BufferSize") => {
                    let value = 48 * 1024;
                    set(&socket, id, value).unwrap();
                    let held = get(&socket, id).unwrap();
                    assert!(held == value || held == 2 * value, "{}: {held}", row.name);
                }
                Value::Int { min, max } => {
                    for value in [min, max, before] {
                        set(&socket, id, value).unwrap();
                        assert_eq!(get(&socket, id).unwrap(), value, "{}", row.name);
                    }
                }
                Value::Error => unreachable!("read-only"),
            }
        }
    }
}

#[test]
fn values_out_of_range_are_refused_and_change_nothing() {
    for (id, row) in TABLE.iter().enumerate().filter(|(_, row)| row.platforms.contains(&PLATFORM)) {
        let wrong: &[i64] = match row.value {
            Value::Bool => &[-1, 2, i64::MAX],
            Value::Int { min, max } => &[min - 1, max + 1, i64::MIN],
            Value::Millis { max } => &[-2, max + 1, i64::MAX],
            Value::Error => &[0, 1, -1],
        };
        for socket in sockets(id) {
            let before = get(&socket, id).unwrap();
            for &value in wrong {
                assert_eq!(code(&set(&socket, id, value).unwrap_err()), "EINVAL", "{} {value}", row.name);
            }
            assert_eq!(get(&socket, id).unwrap(), before);
        }
    }
}

#[test]
fn what_the_platform_lacks_is_not_supported() {
    for (id, _) in TABLE.iter().enumerate().filter(|(_, row)| !row.platforms.contains(&PLATFORM)) {
        let socket = bound(Family::Inet, Kind::Stream);
        assert_eq!(code(&get(&socket, id).unwrap_err()), "ENOTSUP");
        assert_eq!(code(&set(&socket, id, 1).unwrap_err()), "ENOTSUP");
    }
}

#[test]
fn an_unknown_id_is_invalid() {
    let socket = bound(Family::Inet, Kind::Stream);
    for id in [TABLE.len(), usize::MAX] {
        assert_eq!(code(&get(&socket, id).unwrap_err()), "EINVAL");
        assert_eq!(code(&set(&socket, id, 0).unwrap_err()), "EINVAL");
    }
}

#[test]
fn error_is_the_number_of_what_went_wrong_and_reading_takes_it_away() {
    let dead = bound(Family::Inet, Kind::Datagram);
    let to = dead.local_addr().unwrap();
    let mut socket = Socket::open(Family::Inet, Kind::Datagram, 0).unwrap();
    socket.connect(&to).unwrap();
    assert_eq!(get(&socket, id("error")).unwrap(), 0);
    drop(dead);
    socket.send(b"anybody?").unwrap();
    let number = until(&mut socket, |socket| match get(socket, id("error"))? {
        0 => Err(std::io::ErrorKind::WouldBlock.into()),
        number => Ok(number),
    });
    assert_eq!(error::name(number.unwrap() as i32), "ECONNREFUSED");
    // On Windows it stays.
    assert_eq!(get(&socket, id("error")).unwrap() == 0, cfg!(unix));
}

#[test]
fn names_and_constants_are_there_once() {
    for (index, row) in TABLE.iter().enumerate() {
        assert!(TABLE[..index].iter().all(|other| other.name != row.name && other.constant != row.constant));
    }
}

#[test]
fn the_generated_typescript_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lib/options.generated.ts");
    let current = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    assert!(current == generator::typescript(), "run: cargo run -p socket2-core --example options > {path}");
}
