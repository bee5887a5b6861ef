//! Names, and the threads that look them up.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use socket2_core::lookup::{flag, lookup, name_info, Found, Pool, Query};

const SOON: Duration = Duration::from_secs(20);

fn query(host: Option<&str>, service: Option<&str>) -> Query {
    Query { host: host.map(String::from), service: service.map(String::from), kind: 1, ..Query::default() }
}

fn addresses(found: &[Found]) -> Vec<SocketAddr> {
    found.iter().map(|record| record.address).collect()
}

fn code(query: &Query) -> &'static str {
    lookup(query).unwrap_err().code
}

#[test]
fn localhost_is_the_loopback() {
    let found = lookup(&Query { family: 4, ..query(Some("localhost"), Some("80")) }).unwrap();
    assert_eq!(addresses(&found), [SocketAddr::from((Ipv4Addr::LOCALHOST, 80))]);
    assert_eq!((found[0].kind, found[0].protocol), (1, 6));
}

#[test]
fn without_a_host_passive_is_every_interface_and_else_it_is_the_loopback() {
    let passive = Query { family: 4, flags: flag::PASSIVE, ..query(None, Some("80")) };
    assert_eq!(addresses(&lookup(&passive).unwrap()), [SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80))]);
    let passive = Query { family: 6, ..passive };
    assert_eq!(addresses(&lookup(&passive).unwrap()), [SocketAddr::from((Ipv6Addr::UNSPECIFIED, 80))]);
    let loopback = Query { family: 4, ..query(None, Some("80")) };
    assert_eq!(addresses(&lookup(&loopback).unwrap()), [SocketAddr::from((Ipv4Addr::LOCALHOST, 80))]);
}

#[test]
fn literals_need_no_name_service() {
    let numeric = Query { flags: flag::NUMERIC_HOST | flag::NUMERIC_SERVICE, ..query(Some("::1"), Some("65535")) };
    assert_eq!(addresses(&lookup(&numeric).unwrap()), [SocketAddr::from((Ipv6Addr::LOCALHOST, 65535))]);
    let name = Query { flags: flag::NUMERIC_HOST, ..query(Some("localhost"), None) };
    assert_eq!(code(&name), "ENOTFOUND");
}

#[test]
fn any_kind_gives_each_address_for_each_kind() {
    let any = Query { kind: 0, family: 4, ..query(Some("127.0.0.1"), None) };
    let kinds: Vec<i32> = lookup(&any).unwrap().iter().map(|record| record.kind).collect();
    assert!(kinds.contains(&1) && kinds.contains(&2), "{kinds:?}");
}

#[test]
fn a_raw_lookup_works_although_a_service_is_given() {
    let raw = Query { kind: 3, family: 4, protocol: 1, ..query(Some("127.0.0.1"), Some("80")) };
    let found = lookup(&raw).unwrap();
    assert_eq!(addresses(&found), [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]);
    assert_eq!((found[0].kind, found[0].protocol), (3, 1));
}

#[test]
fn the_canonical_name_comes_where_it_is_asked_for() {
    if cfg!(windows) && std::env::var("SOCKET2_WINE").is_ok() {
        return; // Wine 10 packs what it returns so that pointers are not aligned, which Rust's checks end the process for
    }
    let plain = Query { family: 4, ..query(Some("localhost"), None) };
    assert_eq!(lookup(&plain).unwrap()[0].canonical_name, None);
    let asked = Query { flags: flag::CANON_NAME, ..plain };
    assert!(lookup(&asked).unwrap()[0].canonical_name.is_some());
}

#[test]
fn mapped_addresses_come_where_they_are_asked_for() {
    let mapped = Query { family: 6, flags: flag::V4_MAPPED | flag::ALL, ..query(Some("127.0.0.1"), Some("1")) };
    assert_eq!(addresses(&lookup(&mapped).unwrap()), ["[::ffff:127.0.0.1]:1".parse().unwrap()]);
}

#[test]
fn names_that_do_not_exist_are_not_found() {
    // A machine without any name service answers EAI_AGAIN: it cannot know.
    let failure = code(&query(Some("no-such-host.invalid"), Some("80")));
    assert!(["ENOTFOUND", "EAI_AGAIN"].contains(&failure), "{failure}");
    assert_eq!(code(&query(None, None)), "ENOTFOUND");
    assert_eq!(code(&Query { kind: 3, ..query(None, Some("80")) }), "ENOTFOUND");
}

#[test]
fn unknown_services_and_ports_past_the_end_are_eai_service() {
    for service in ["no-such-service", "65536", "99999999999999999999", "-1", "1.5"] {
        assert_eq!(code(&query(Some("127.0.0.1"), Some(service))), "EAI_SERVICE", "{service}");
        assert_eq!(code(&query(None, Some(service))), "EAI_SERVICE", "{service}");
    }
}

#[test]
fn queries_that_make_no_sense_have_a_code_each() {
    assert_eq!(code(&Query { family: 5, ..query(Some("localhost"), None) }), "EAI_FAMILY");
    assert_eq!(code(&Query { kind: 9, ..query(Some("localhost"), None) }), "EAI_SOCKTYPE");
    assert_eq!(code(&query(Some("local\0host"), None)), "EINVAL");
    let canonical_without_host = Query { flags: flag::CANON_NAME, ..query(None, Some("80")) };
    assert_eq!(code(&canonical_without_host), "EAI_BADFLAGS");
}

#[test]
fn an_address_has_a_name_or_is_not_found() {
    let (host, service) = name_info(&SocketAddr::from((Ipv4Addr::LOCALHOST, 9))).unwrap();
    assert!(!host.is_empty() && !service.is_empty());
    // A documentation address (RFC 5737), which nobody has named.
    let failure = name_info(&SocketAddr::from(([192, 0, 2, 1], 80))).unwrap_err().code;
    assert!(["ENOTFOUND", "EAI_AGAIN"].contains(&failure), "{failure}");
}

#[test]
fn a_job_that_blocks_does_not_delay_another() {
    let pool = Pool::new();
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Arc::new(std::sync::Mutex::new(blocked));
    for _ in 0..Pool::THREADS - 1 {
        let blocked = blocked.clone();
        pool.run(Box::new(move || assert!(blocked.lock().unwrap().recv().is_err()))).unwrap();
    }
    for round in 0..10 {
        let (done, result) = mpsc::channel();
        pool.run(Box::new(move || done.send(round).unwrap())).unwrap();
        assert_eq!(result.recv_timeout(SOON), Ok(round));
    }
    drop(release);
}

#[test]
fn jobs_past_the_cap_wait_their_turn_and_are_all_done() {
    let pool = Pool::new();
    let (done, results) = mpsc::channel();
    let gate = std::sync::Arc::new(std::sync::Barrier::new(Pool::THREADS + 1));
    for _ in 0..Pool::THREADS {
        let gate = gate.clone();
        pool.run(Box::new(move || _ = gate.wait())).unwrap();
    }
    for number in 0..1000 {
        let done = done.clone();
        pool.run(Box::new(move || done.send(number).unwrap())).unwrap();
    }
    assert!(results.try_recv().is_err(), "every thread is taken");
    gate.wait();
    let mut numbers: Vec<i32> = (0..1000).map(|_| results.recv_timeout(SOON).unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_full_queue_is_an_error_and_nothing_else_is_lost() {
    let pool = Pool::new();
    let (done, results) = mpsc::channel();
    let gate = std::sync::Arc::new(std::sync::Barrier::new(Pool::THREADS + 1));
    let entered = std::sync::Arc::new(std::sync::Barrier::new(Pool::THREADS + 1));
    for _ in 0..Pool::THREADS {
        let (gate, entered) = (gate.clone(), entered.clone());
        pool.run(Box::new(move || {
            entered.wait();
            gate.wait();
        }))
        .unwrap();
    }
    entered.wait(); // every thread has its job, so the queue is empty
    for _ in 0..Pool::QUEUE {
        let done = done.clone();
        pool.run(Box::new(move || done.send(()).unwrap())).unwrap();
    }
    let error = pool.run(Box::new(|| unreachable!())).unwrap_err();
    assert_eq!(socket2_core::error::code(&error), socket2_core::error::NO_BUFFERS);
    gate.wait();
    for _ in 0..Pool::QUEUE {
        results.recv_timeout(SOON).unwrap();
    }
}

#[test]
fn a_job_that_panics_does_not_harm_the_pool() {
    let pool = Pool::new();
    let (done, results) = mpsc::channel();
    for number in 0..200 {
        let done = done.clone();
        pool.run(Box::new(move || {
            let _done = done; // dropped by the panic as well
            std::panic::resume_unwind(Box::new(number)); // a panic without a report
        }))
        .unwrap();
    }
    let last = done.clone();
    drop(done);
    pool.run(Box::new(move || last.send(()).unwrap())).unwrap();
    assert_eq!(results.recv_timeout(SOON), Ok(()));
    assert_eq!(results.recv_timeout(SOON), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn dropping_the_pool_loses_no_job() {
    let pool = Pool::new();
    let (done, results) = mpsc::channel();
    for number in 0..500 {
        let done = done.clone();
        pool.run(Box::new(move || done.send(number).unwrap())).unwrap();
    }
    drop(pool);
    drop(done);
    let mut count = 0;
    while results.recv_timeout(SOON).is_ok() {
        count += 1;
    }
    assert_eq!(count, 500);
}
