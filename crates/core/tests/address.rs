//! Text and wire form of addresses.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2_core::address::{decode, encode, format_ip, parse_ip, WIRE_LENGTH};
use socket2_core::{error, SockAddr};

fn wire(address: &SockAddr) -> [u8; WIRE_LENGTH] {
    let mut out = [0xFF; WIRE_LENGTH];
    encode(address, &mut out);
    out
}

fn code_of(wire: &[u8]) -> &'static str {
    error::name(error::code(&decode(wire).unwrap_err()))
}

#[test]
fn literals_are_parsed_and_printed_after_rfc_5952() {
    for (text, canonical) in [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("255.255.255.255", "255.255.255.255"),
        ("::", "::"),
        ("::1", "::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("fe80::1%2", "fe80::1%2"),
        ("fe80::1%0", "fe80::1"),
        ("fe80::1%4294967295", "fe80::1%4294967295"),
    ] {
        let address = parse_ip(text).unwrap_or_else(|| panic!("{text} is an address"));
        assert_eq!(address.port(), 0);
        assert_eq!(format_ip(&address), canonical);
    }
}

#[test]
fn what_is_no_literal_is_no_address() {
    for text in [
        "",
        " ",
        "localhost",
        "1",
        "127.1",
        "127.0.0.01",
        "0x7f.0.0.1",
        "127.0.0.256",
        "127.0.0.1 ",
        " 127.0.0.1",
        "127.0.0.1\0",
        "127.0.0.1:80",
        "127.0.0.1%1",
        "[::1]",
        "::1:",
        ":::",
        "1::2::3",
        "12345::",
        "::1%",
        "%1",
        "fe80::1%+2",
        "fe80::1%-1",
        "fe80::1%4294967296",
        "fe80::1%no-such-interface",
        "fe80::1%a\0b",
        "fe80::1%1%1",
        "::ffff:192.0.2.256",
        "\u{0661}::",
    ] {
        assert_eq!(parse_ip(text), None, "{text:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_zone_may_be_the_name_of_an_interface() {
    let Some(SocketAddr::V6(address)) = parse_ip("fe80::1%lo") else { panic!("the loopback has a name") };
    assert_eq!(address.scope_id(), 1);
}

#[test]
fn inet_addresses_survive_the_wire() {
    let address = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 7), 0x1234));
    let wire = wire(&address.into());
    assert_eq!(wire[..8], [4, 0, 0x12, 0x34, 192, 0, 2, 7]);
    assert!(wire[8..].iter().all(|&byte| byte == 0));
    assert_eq!(decode(&wire).unwrap().as_socket(), Some(address));
}

#[test]
fn inet6_addresses_survive_the_wire_with_scope_and_flow() {
    let ip: Ipv6Addr = "fe80::1:2".parse().unwrap();
    let flow = 0x0A_BCDE_u32;
    let address = SocketAddrV6::new(ip, 65535, flow.to_be(), 7);
    let wire = wire(&address.into());
    assert_eq!(wire[..4], [6, 0, 0xFF, 0xFF]);
    assert_eq!(wire[4..20], ip.octets());
    assert_eq!(wire[20..24], 7u32.to_be_bytes());
    assert_eq!(wire[24..28], flow.to_be_bytes());
    assert_eq!(decode(&wire).unwrap().as_socket(), Some(address.into()));
}

#[test]
fn the_flags_byte_is_not_part_of_the_address() {
    let mut wire = wire(&SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into());
    wire[1] = 0xFF;
    assert!(decode(&wire).is_ok());
}

#[cfg(unix)]
#[test]
fn unix_paths_survive_the_wire() {
    for path in ["/tmp/x.sock", "x", "/tmp/\u{e9}t\u{e9}.sock", &"p".repeat(103)] {
        let wire = wire(&SockAddr::unix(path).unwrap());
        assert_eq!((wire[0], wire[1]), (1, 0));
        assert_eq!(u16::from_be_bytes([wire[2], wire[3]]) as usize, path.len());
        assert_eq!(&wire[4..4 + path.len()], path.as_bytes());
        let address = decode(&wire).unwrap();
        assert_eq!(address.as_pathname().unwrap().to_str(), Some(path));
        // Only the bytes that are needed have to be there.
        assert!(decode(&wire[..4 + path.len()]).is_ok());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names_survive_the_wire_with_any_bytes() {
    for name in [&b"\0name"[..], b"\0", b"\0a\0b\xFF", &[0; 108]] {
        let address = decode(&head(name)).unwrap();
        assert_eq!(address.as_abstract_namespace(), Some(&name[1..]));
        let wire = wire(&address);
        assert_eq!(wire[..4 + name.len()], head(name)[..]);
    }
}

#[cfg(unix)]
#[test]
fn an_unnamed_unix_address_has_length_0() {
    let wire = wire(&SockAddr::unix("").unwrap());
    assert_eq!(wire[..4], [1, 0, 0, 0]);
    assert!(decode(&wire).unwrap().is_unnamed());
}

#[cfg(target_os = "linux")]
#[test]
fn the_longest_path_of_other_programs_fits_the_wire() {
    // Linux takes 108 bytes without a NUL byte behind them and counts one all the same.
    let path = [b'p'; 108];
    let ((), address) = unix_of_108(&path);
    let wire = wire(&address);
    assert_eq!(u16::from_be_bytes([wire[2], wire[3]]), 108);
    assert_eq!(wire[4..], path);
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn unix_of_108(path: &[u8; 108]) -> ((), SockAddr) {
    // SAFETY: the storage has room for the family and 109 bytes of path, and the length says as much.
    unsafe {
        SockAddr::try_init(|storage, length| {
            let storage = storage.cast::<u8>();
            storage.cast::<libc::sa_family_t>().write(libc::AF_UNIX as libc::sa_family_t);
            storage.add(2).copy_from_nonoverlapping(path.as_ptr(), 108);
            *length = 111;
            Ok(())
        })
    }
    .unwrap()
}

#[test]
fn paths_too_long_or_with_a_nul_byte_are_refused() {
    assert_eq!(code_of(&head(&[b'p'; 108])), "ENAMETOOLONG");
    assert_eq!(code_of(&head(&[b'p'; 109])), "ENAMETOOLONG");
    assert_eq!(code_of(&head(&[b'p'; 60_000])), "ENAMETOOLONG");
    assert_eq!(code_of(&head(b"/tmp/a\0b")), "EINVAL");
}

#[test]
fn other_families_are_no_address() {
    for family in [0, 2, 3, 5, 7, 10, 255] {
        let mut wire = [0; WIRE_LENGTH];
        wire[0] = family;
        assert_eq!(code_of(&wire), "EINVAL");
    }
}

#[test]
fn garbage_and_short_wires_are_errors_and_never_panics() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for length in 0..=WIRE_LENGTH + 20 {
        for family in [0, 1, 4, 6, 9] {
            let mut wire = vec![0; length];
            for byte in &mut wire {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = state as u8;
            }
            if let Some(first) = wire.first_mut() {
                *first = family;
            }
            if let Ok(address) = decode(&wire) {
                let mut out = [0; WIRE_LENGTH];
                encode(&address, &mut out);
                assert_eq!(out[0], family);
            }
        }
    }
    assert!(decode(&[]).is_err());
    assert!(decode(&[4; 27]).is_err());
    assert!(decode(&[6; 27]).is_err());
    assert!(decode(&[1, 0, 0]).is_err());
    assert!(decode(&[1, 0, 0, 5, b'a']).is_err());
}

/// A unix address on the wire.
fn head(path: &[u8]) -> Vec<u8> {
    let length = (path.len() as u16).to_be_bytes();
    [&[1, 0, length[0], length[1]], path].concat()
}
