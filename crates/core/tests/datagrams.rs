//! Many datagrams at a time, and their records.

mod peers;

use std::mem::MaybeUninit;

use peers::until;
use socket2_core::address;
use socket2_core::datagram::{Batch, Message, IP_RECORD_LENGTH, MOST_AT_ONCE, RECORD_LENGTH};
use socket2_core::{options, Family, Kind, Socket};

fn bound(family: Family) -> Socket {
    peers::bound(family, Kind::Datagram)
}

/// The datagrams of a batch, as its records tell: who sent each, and its data.
#[allow(unsafe_code)]
fn read(batch: &Batch) -> Vec<(String, Vec<u8>)> {
    let mut wire = vec![MaybeUninit::new(0xAA); batch.wire_length()];
    batch.write(&mut wire);
    // SAFETY: every byte was initialised when the vector was made.
    let wire: Vec<u8> = wire.iter().map(|byte| unsafe { byte.assume_init() }).collect();
    let number = |at: usize| i32::from_le_bytes(wire[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((number(0), number(4)), (batch.count(), IP_RECORD_LENGTH));
    (0..number(0))
        .map(|i| 8 + i * IP_RECORD_LENGTH)
        .flat_map(|at| {
            let sender = address::decode(&wire[at + 72..at + IP_RECORD_LENGTH]).unwrap();
            let data = &wire[number(at)..number(at) + number(at + 4)];
            // Of several in one all but the last are of this length.
            let parts: Vec<_> = match number(at + 12) {
                0 => vec![data],
                segment => data.chunks(segment).collect(),
            };
            parts.into_iter().map(move |part| (sender.as_socket().unwrap().to_string(), part.to_vec()))
        })
        .collect()
}

fn receive_all(socket: &mut Socket, batch: &mut Batch, count: usize) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    while all.len() < count {
        until(socket, |socket| socket.recv_many(batch, MOST_AT_ONCE)).unwrap();
        all.extend(read(batch));
    }
    all
}

#[test]
fn a_batch_has_each_datagram_with_its_sender_and_is_used_again() {
    for family in [Family::Inet, Family::Inet6] {
        let mut receiver = bound(family);
        let senders = [bound(family), bound(family)];
        let to = receiver.local_addr().unwrap();
        let mut batch = Batch::default();
        for round in 0..3u8 {
            for sender in &senders {
                let data: Vec<Vec<u8>> = (0..40u8).map(|i| vec![round; usize::from(i)]).collect();
                let messages: Vec<_> = data.iter().map(|data| Message { data, to: Some(to.clone()) }).collect();
                assert_eq!(sender.send_many(&messages).unwrap(), 40);
            }
            let all = receive_all(&mut receiver, &mut batch, 80);
            for sender in &senders {
                let name = sender.local_addr().unwrap().as_socket().unwrap().to_string();
                let lengths: Vec<_> =
                    all.iter().filter(|(from, _)| *from == name).map(|(_, data)| data.len()).collect();
                assert_eq!(lengths, (0..40).collect::<Vec<_>>());
            }
            assert!(all.iter().all(|(_, data)| data.iter().all(|&byte| byte == round)));
        }
    }
}

#[test]
fn what_is_sent_in_segments_comes_out_in_segments() {
    for family in [Family::Inet, Family::Inet6] {
        let mut receiver = bound(family);
        receiver.coalesce();
        let sender = bound(family);
        let data: Vec<u8> = (0..10_001u32).map(|i| i as u8).collect();
        let mut sent = 0;
        while sent < data.len() {
            sent += sender.send_segments(&data[sent..], 1_000, Some(&receiver.local_addr().unwrap())).unwrap();
        }
        let all = receive_all(&mut receiver, &mut Batch::default(), 11);
        assert_eq!(all.iter().map(|(_, data)| data.len()).collect::<Vec<_>>(), [[1_000; 10].as_slice(), &[1]].concat());
        assert_eq!(all.into_iter().flat_map(|(_, data)| data).collect::<Vec<_>>(), data);
    }
}

#[test]
fn fewer_than_asked_for_are_all_there_were() {
    let mut receiver = bound(Family::Inet);
    let sender = bound(Family::Inet);
    let to = receiver.local_addr().unwrap();
    for _ in 0..3 {
        sender.send_to(b"x", &to).unwrap();
    }
    let mut batch = Batch::default();
    assert!(!until(&mut receiver, |socket| socket.recv_many(&mut batch, 2)).unwrap());
    assert_eq!(batch.count(), 2);
    assert!(until(&mut receiver, |socket| socket.recv_many(&mut batch, 2)).unwrap());
    assert_eq!(batch.count(), 1);
}

#[test]
fn a_record_has_what_the_options_ask_for() {
    let id = |name: &str| options::TABLE.iter().position(|row| row.name == name).unwrap();
    let mut receiver = bound(Family::Inet);
    options::set(&receiver, id("packetInfo"), 1).unwrap();
    options::set(&receiver, id("recvTtl"), 1).unwrap();
    let sender = bound(Family::Inet);
    options::set(&sender, id("ttl"), 99).unwrap();
    sender.send_to(b"hello", &receiver.local_addr().unwrap()).unwrap();
    let mut buffer = [MaybeUninit::uninit(); 3];
    let envelope = until(&mut receiver, |socket| socket.recv_message(&mut buffer)).unwrap();
    assert_eq!((envelope.length, envelope.truncated), (3, true));
    assert_eq!(envelope.told.to, Some("127.0.0.1".parse().unwrap()));
    assert_eq!((envelope.told.hops, envelope.told.traffic_class, envelope.told.time), (Some(99), None, None));
    assert!(envelope.told.interface.is_some_and(|index| index > 0));
    let mut record = [0; RECORD_LENGTH];
    envelope.write(0, &mut record);
    let number = |at: usize| i32::from_le_bytes(record[at..at + 4].try_into().unwrap());
    assert_eq!((number(4), number(8), number(20), number(24)), (3, 3, 99, -1));
    assert_eq!(record[40..48], [4, 0, 0, 0, 127, 0, 0, 1]);
    assert!(f64::from_le_bytes(record[32..40].try_into().unwrap()).is_nan());
}
