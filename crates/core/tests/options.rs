//! Options by a table: read, differ, set, read back.

#[path = "../examples/options.rs"]
mod generator;
mod peers;

use peers::*;
use socket2_core::options::{get, get_bytes, get_raw, set, set_bytes, set_raw, Row, Value, INFO, OFF, STATES, TABLE};
use socket2_core::{error, Family, Kind, Socket};

const PLATFORM: &str = match std::env::consts::OS.as_bytes() {
    b"macos" => "darwin",
    b"windows" => "win32",
    _ => std::env::consts::OS,
};

/// What needs a right, so that EPERM is an answer like any other.
const PRIVILEGED: &[&str] = &["mark", "transparent", "priority", "busyPoll"];

/// What Wine lacks, unlike Windows: of its version 8, and of 10.
const WINE_LACKS: [&[&str]; 2] = [
    &["keepAliveIdle", "keepAliveInterval", "keepAliveCount", "fastOpen", "mtuDiscover", "info"],
    &["fastOpen", "mtuDiscover", "info"],
];

fn id(name: &str) -> usize {
    TABLE.iter().position(|row| row.name == name).unwrap()
}

fn code(error: &std::io::Error) -> &'static str {
    error::name(error::code(error))
}

/// All options that this system has, and that are written as integers or as bytes.
fn options(bytes: bool) -> impl Iterator<Item = (usize, &'static Row)> {
    let lacking = wine().map_or(&[][..], |version| WINE_LACKS[usize::from(version >= 10)]);
    let has =
        move |row: &Row| row.systems.iter().any(|system| system.platform == PLATFORM) && !lacking.contains(&row.name);
    TABLE.iter().enumerate().filter(move |(_, row)| row.crosses_as_bytes() == bytes && has(row))
}

/// Every family and kind that the option applies to, as far as this process may have them.
fn sockets(id: usize) -> Vec<(Family, Kind, Socket)> {
    let row = &TABLE[id];
    let mut sockets = Vec::new();
    for &family in row.families.iter().filter(|&&family| row.on(PLATFORM, family).is_some()) {
        for &kind in row.kinds.iter().filter(|&&kind| kind != Kind::Seqpacket) {
            match (family, kind) {
                (Family::Unix, kind) if kind == Kind::Raw || !has_unix(kind) => {}
                // ICMP, which takes a right.
                (_, Kind::Raw) => {
                    let protocol = if family == Family::Inet { 1 } else { 58 };
                    sockets.extend(Socket::open(family, kind, protocol).ok().map(|socket| (family, kind, socket)));
                }
                _ => sockets.push((family, kind, Socket::open(family, kind, 0).unwrap())),
            }
        }
    }
    sockets
}

/// What to set, and what is held then; at the end what was there before.
fn tries(row: &Row, kind: Kind, before: i64) -> Vec<(i64, i64)> {
    let same = |values: &[i64]| values.iter().map(|&value| (value, value)).collect();
    let stream = kind == Kind::Stream;
    match (row.name, row.value) {
        // TCP keeps the lowest two bits to itself on Linux.
        ("tos" | "trafficClass", _) if stream && cfg!(target_os = "linux") => vec![(255, 252), (0, 0)],
        ("recvLowWater", _) => same(&[100, before]),
        ("maxSegment", _) => same(&[500]),
        ("fastOpen", _) if cfg!(target_os = "linux") => same(&[1, 16, 0]),
        // macOS takes it of listeners only.
        ("fastOpen", _) if cfg!(target_os = "macos") => vec![],
        ("fastOpen", _) => vec![(16, 1), (0, 0)],
        ("userTimeout", _) if cfg!(target_os = "linux") => same(&[1, 1001, OFF]),
        ("deferAccept", _) => vec![(1, 1000), (1001, 3000), (OFF, OFF)],
        ("linger", _) => vec![(1, 1000), (1000, 1000), (1001, 2000), (0, 0), (OFF, OFF)],
        (_, Value::Bool) => same(&[1 - before, before]),
        (_, Value::Millis { max, .. }) => vec![(1, 1000), (1000, 1000), (1001, 2000), (max, max), (before, before)],
        (_, Value::MillisOrNull { .. }) => vec![(1, 1000), (1000, 1000), (1001, 2000), (OFF, OFF)],
        (_, Value::Int { min, max }) => same(&[min, max, before]),
        (_, Value::IntOrNull { .. }) => same(&[0, OFF]),
        (_, Value::Bits) => same(&[-1, 1, 0]),
        (_, Value::Micros { .. }) => same(&[50, before]),
        (_, Value::Choice(words)) => (0..words.len() as i64).chain([before]).map(|value| (value, value)).collect(),
        _ => unreachable!("it can only be read, or is no integer"),
    }
}

#[test]
fn every_option_reads_back_what_was_set() {
    for (id, row) in options(false).filter(|(_, row)| !row.read_only()) {
        for (family, kind, socket) in sockets(id) {
            let told = |error| format!("{} of {family:?} {kind:?}: {error}", row.name);
            let before = get(&socket, id).unwrap_or_else(|error| panic!("{}", told(error)));
            if row.name.ends_with("BufferSize") {
                let value = 48 * 1024;
                set(&socket, id, value).unwrap();
                let held = get(&socket, id).unwrap();
                assert!(held == value || held == 2 * value, "{}: {held}", row.name);
                continue;
            }
            for (value, held) in tries(row, kind, before) {
                match set(&socket, id, value) {
                    Err(error) if code(&error) == "EPERM" && PRIVILEGED.contains(&row.name) => continue,
                    // Each system has its own words.
                    Err(error) if code(&error) == "EINVAL" && matches!(row.value, Value::Choice(_)) => continue,
                    result => result.unwrap_or_else(|error| panic!("{value} for {}", told(error))),
                }
                assert_eq!(get(&socket, id).unwrap(), held, "{value} for {} of {family:?} {kind:?}", row.name);
            }
        }
    }
}

#[test]
fn what_is_text_reads_back_as_it_was_set() {
    let held = |socket: &Socket, name: &str| String::from_utf8(get_bytes(socket, id(name)).unwrap()).unwrap();
    let write = |socket: &Socket, name: &str, value: &str| set_bytes(socket, id(name), value.as_bytes());
    for (family, name) in [(Family::Inet, "multicastInterface"), (Family::Inet6, "multicastInterface6")] {
        let socket = Socket::open(family, Kind::Datagram, 0).unwrap();
        assert_eq!(held(&socket, name), "");
        for unknown in ["no such", "16777216", "4294967295", "0x1", "203.0.113.77"] {
            assert_eq!(code(&write(&socket, name, unknown).unwrap_err()), "EADDRNOTAVAIL", "{name} {unknown}");
        }
        assert_eq!(code(&write(&socket, name, "a\0b").unwrap_err()), "EINVAL");
        assert_eq!(held(&socket, name), "");
    }
    let socket = Socket::open(Family::Inet, Kind::Datagram, 0).unwrap();
    write(&socket, "multicastInterface", "127.0.0.1").unwrap();
    assert_eq!(held(&socket, "multicastInterface"), "127.0.0.1");
    write(&socket, "multicastInterface", "").unwrap();
    assert_eq!(held(&socket, "multicastInterface"), "");
    if cfg!(target_os = "linux") {
        for way in ["lo", "1"] {
            write(&socket, "multicastInterface", way).unwrap();
            assert_eq!(held(&socket, "multicastInterface"), "127.0.0.1", "{way}");
            let socket = Socket::open(Family::Inet6, Kind::Datagram, 0).unwrap();
            write(&socket, "multicastInterface6", way).unwrap();
            assert_eq!(held(&socket, "multicastInterface6"), "1", "{way}");
            write(&socket, "multicastInterface6", "").unwrap();
            assert_eq!(held(&socket, "multicastInterface6"), "");
        }
        let socket = Socket::open(Family::Inet, Kind::Stream, 0).unwrap();
        write(&socket, "congestion", "reno").unwrap();
        assert_eq!(held(&socket, "congestion"), "reno");
        assert_eq!(code(&write(&socket, "congestion", "no such").unwrap_err()), "ENOENT");
        assert_eq!(code(&write(&socket, "congestion", &"x".repeat(16)).unwrap_err()), "EINVAL");
    }
}

#[test]
fn a_filter_of_icmp_reads_back_the_types_that_it_lets_through() {
    let id = id("icmpFilter");
    for (family, _, socket) in sockets(id) {
        assert_eq!(get_bytes(&socket, id).unwrap(), [0], "at first all");
        for types in [&[1, 0, 3, 31][..], &[1], &[0]] {
            set_bytes(&socket, id, types).unwrap();
            assert_eq!(get_bytes(&socket, id).unwrap(), types, "{family:?}");
        }
        set_bytes(&socket, id, &[1, 255, 8, 8]).unwrap();
        let held = if family == Family::Inet { vec![1, 8] } else { vec![1, 8, 255] };
        assert_eq!(get_bytes(&socket, id).unwrap(), held);
        for wrong in [&[][..], &[2], &[0, 1]] {
            assert_eq!(code(&set_bytes(&socket, id, wrong).unwrap_err()), "EINVAL");
        }
    }
}

#[test]
fn info_tells_how_far_a_connection_is() {
    let id = id("info");
    if !options(true).any(|(other, _)| other == id) {
        return;
    }
    let (client, server) = connected(Family::Inet, Kind::Stream);
    client.send(b"hello").unwrap();
    for socket in [&client, &server] {
        let bytes = get_bytes(socket, id).unwrap();
        assert_eq!(bytes.len(), 8 * INFO.len());
        let field = |name| {
            let place = INFO.iter().position(|field| field.name == name).unwrap();
            f64::from_le_bytes(bytes[place * 8..][..8].try_into().unwrap())
        };
        assert_eq!(STATES[field("state") as usize], "established");
        assert!(field("rtt") >= 0.0 && field("rtt") < 10_000.0);
        assert!(field("maxSegment") >= 500.0);
        assert!(field("congestionWindow") >= field("maxSegment"));
        assert_eq!(code(&set_bytes(socket, id, &bytes).unwrap_err()), "EINVAL");
    }
}

#[test]
fn values_out_of_range_are_refused_and_change_nothing() {
    for (id, row) in options(false) {
        let wrong: &[i64] = match row.value {
            Value::Bool => &[-1, 2, i64::MAX],
            Value::Int { min, max } | Value::Millis { min, max } => &[min - 1, max + 1, OFF, i64::MIN],
            Value::MillisOrNull { min: 1, max } => &[-2, 0, max + 1, i64::MAX],
            Value::IntOrNull { max } | Value::MillisOrNull { max, .. } => &[-2, max + 1, i64::MAX],
            Value::Micros { max } => &[-1, max + 1],
            Value::Bits => &[1 << 31, i64::MIN],
            Value::Choice(words) => &[-1, words.len() as i64],
            Value::Error => &[0, 1, -1],
            Value::Text { .. } | Value::Numbers | Value::Info => unreachable!("no integer"),
        };
        for (_, _, socket) in sockets(id) {
            let before = get(&socket, id).unwrap();
            for &value in wrong {
                assert_eq!(code(&set(&socket, id, value).unwrap_err()), "EINVAL", "{} {value}", row.name);
            }
            assert_eq!(code(&get_bytes(&socket, id).unwrap_err()), "EINVAL");
            assert_eq!(code(&set_bytes(&socket, id, &[0]).unwrap_err()), "EINVAL");
            assert_eq!(get(&socket, id).unwrap(), before);
        }
    }
    for (id, _) in options(true) {
        let socket = bound(Family::Inet, Kind::Stream);
        assert_eq!(code(&get(&socket, id).unwrap_err()), "EINVAL");
        assert_eq!(code(&set(&socket, id, 0).unwrap_err()), "EINVAL");
    }
}

#[test]
fn what_the_platform_lacks_is_not_supported() {
    for (id, row) in TABLE.iter().enumerate() {
        for &family in row.families.iter().filter(|&&family| row.on(PLATFORM, family).is_none()) {
            if family == Family::Unix && !has_unix(Kind::Stream) {
                continue;
            }
            let socket = bound(family, Kind::Stream);
            let (got, put) = match row.value {
                Value::Text { .. } => (get_bytes(&socket, id).map(drop), set_bytes(&socket, id, b"")),
                Value::Numbers => (get_bytes(&socket, id).map(drop), set_bytes(&socket, id, &[0])),
                Value::Int { min, .. } => (get(&socket, id).map(drop), set(&socket, id, min)),
                _ => (get(&socket, id).map(drop), set(&socket, id, 1)),
            };
            assert_eq!(code(&got.unwrap_err()), "ENOTSUP", "{}", row.name);
            assert_eq!(code(&put.unwrap_err()), "ENOTSUP", "{}", row.name);
        }
    }
}

#[test]
fn an_option_that_the_table_lacks_goes_by_its_numbers() {
    let socket = bound(Family::Inet, Kind::Stream);
    // SOL_SOCKET and SO_TYPE, SO_KEEPALIVE.
    let (level, kind, keep_alive) = if cfg!(target_os = "linux") { (1, 3, 9) } else { (0xffff, 0x1008, 8) };
    let mut value = [0xAA; 8];
    // Wine takes all the room.
    let length = get_raw(&socket, level, kind, &mut value).unwrap();
    assert!(length == 4 || wine().is_some());
    assert_eq!(value[..4], 1i32.to_ne_bytes());
    set_raw(&socket, level, keep_alive, &1i32.to_ne_bytes()).unwrap();
    assert_eq!(get(&socket, id("keepAlive")).unwrap(), 1);
    assert!(get_raw(&socket, level, 0x7fff_0000, &mut value).is_err());
    assert!(set_raw(&socket, level, 0x7fff_0000, &[0; 4]).is_err());
}

#[test]
fn an_unknown_id_is_invalid() {
    let socket = bound(Family::Inet, Kind::Stream);
    for id in [TABLE.len(), usize::MAX] {
        assert_eq!(code(&get(&socket, id).unwrap_err()), "EINVAL");
        assert_eq!(code(&set(&socket, id, 0).unwrap_err()), "EINVAL");
        assert_eq!(code(&get_bytes(&socket, id).unwrap_err()), "EINVAL");
        assert_eq!(code(&set_bytes(&socket, id, &[]).unwrap_err()), "EINVAL");
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
    assert!(current == generator::typescript(), "run: npm run docs");
}
