//! Datagrams with all that the system tells of them, one or many at a time, and the form in which that crosses to other languages.
//!
//! A record of a datagram, numbers little-endian, all of 32 bits but the time:
//!
//! | bytes    |                                                                                          |
//! | -------- | ---------------------------------------------------------------------------------------- |
//! | 0..4     | where its data begins, from the start of a batch                                         |
//! | 4..8     | its length                                                                               |
//! | 8..12    | flags: 1 it was longer and has been cut, 2 the bytes 16..72 are filled                   |
//! | 12..16   | the length of the datagrams that the system has put into this one; 0: it is one          |
//! | 16..20   | the index of the interface by which it came; 0: not told                                 |
//! | 20..24   | its ttl or hop limit; -1: not told                                                       |
//! | 24..28   | its tos or traffic class; -1: not told                                                   |
//! | 32..40   | when it came, in milliseconds since 1970, a double; NaN: not told                        |
//! | 40..72   | to which address it was sent, as [`address`](crate::address) writes it, with port 0      |
//! | 72..     | who sent it, in the same form: [`IP_RECORD_LENGTH`] in all, [`RECORD_LENGTH`] if unix    |
//!
//! A batch is two numbers, how many records there are and how long each is, then the records, then the data.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::SockAddr;

use crate::address::{self, IP_WIRE_LENGTH, WIRE_LENGTH};
use crate::{sys, Kind, Socket};

/// How many datagrams one call receives or sends at most. Measured: twice as many cost as much each.
pub const MOST_AT_ONCE: usize = 64;

/// How many equal datagrams the system sends and receives as one at most: UDP_MAX_SEGMENTS of Linux.
pub const MOST_SEGMENTS: usize = 64;

/// Room for any datagram, on page boundaries.
const SLOT: usize = 65_536;

/// What of one message the system splits into datagrams: what IPv4 leaves to UDP.
const MOST_SEGMENTED: usize = 65_507;

const HEAD: usize = 72;
const BATCH_HEAD: usize = 8;

/// The length of the longest record, one of a unix datagram.
pub const RECORD_LENGTH: usize = HEAD + WIRE_LENGTH;
/// The length of the record of an IP datagram.
pub const IP_RECORD_LENGTH: usize = HEAD + IP_WIRE_LENGTH;

/// What is known of a datagram besides its data.
#[derive(Debug)]
pub struct Envelope {
    /// How many bytes of it are in the memory given.
    pub length: usize,
    /// It was longer than that.
    pub truncated: bool,
    /// Its sender; of family 0 when the system names none: an unbound unix socket.
    pub from: SockAddr,
    /// What the socket's options have the system tell.
    pub told: Told,
}

/// What the system tells of a datagram when options of the socket ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// The address to which it was sent.
    pub to: Option<IpAddr>,
    /// The index of the interface by which it came.
    pub interface: Option<u32>,
    /// What was left of its ttl or hop limit.
    pub hops: Option<u8>,
    /// Its tos or traffic class.
    pub traffic_class: Option<u8>,
    /// When it came, in milliseconds since 1970.
    pub time: Option<f64>,
    /// The length of the datagrams that the system has put into this one, all but the last of which have it; 0: it is one.
    pub segment: usize,
}

impl Told {
    fn is_anything(&self) -> bool {
        Told { segment: 0, ..*self } != Told::default()
    }

    /// The address to which it was sent, with the interface that one of a single network is good for.
    fn destination(&self) -> Option<SocketAddr> {
        match (self.to?, self.interface) {
            (IpAddr::V6(ip), Some(index)) if ip.is_unicast_link_local() || is_group_of_one_network(ip) => {
                Some(SocketAddrV6::new(ip, 0, 0, index).into())
            }
            (ip, _) => Some(SocketAddr::new(ip, 0)),
        }
    }
}

/// Whether it is a group of one interface or one network: the scopes 1 and 2 (RFC 4291).
fn is_group_of_one_network(ip: Ipv6Addr) -> bool {
    ip.is_multicast() && matches!(ip.segments()[0] & 0xf, 1 | 2)
}

impl Envelope {
    /// Writes the record of a datagram whose data begin at `place`.
    pub fn write(&self, place: usize, out: &mut [u8; RECORD_LENGTH]) {
        let tells = self.told.is_anything();
        let mut put = |at: usize, number: i32| out[at..at + 4].copy_from_slice(&number.to_le_bytes());
        put(0, place as i32);
        put(4, self.length as i32);
        put(8, i32::from(self.truncated) | i32::from(tells) << 1);
        put(12, self.told.segment as i32);
        if tells {
            put(16, self.told.interface.unwrap_or(0) as i32);
            put(20, self.told.hops.map_or(-1, i32::from));
            put(24, self.told.traffic_class.map_or(-1, i32::from));
            out[32..40].copy_from_slice(&self.told.time.unwrap_or(f64::NAN).to_le_bytes());
            let mut wire = [0; WIRE_LENGTH];
            if let Some(to) = self.told.destination() {
                address::encode(&to.into(), &mut wire);
            }
            out[40..40 + IP_WIRE_LENGTH].copy_from_slice(&wire[..IP_WIRE_LENGTH]);
        }
        let wire: &mut [u8; WIRE_LENGTH] = out.last_chunk_mut().expect("a record ends with an address");
        address::encode(&self.from, wire);
    }
}

/// Datagrams that one call has received, in memory that is used again for the next.
pub struct Batch {
    mailbox: sys::Mailbox,
    /// A slot for each, which the system has written as far as its envelope says.
    space: Box<[MaybeUninit<u8>]>,
    envelopes: Vec<Envelope>,
    record_length: usize,
    wire_length: usize,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch {
            mailbox: sys::Mailbox::new(),
            // Pages that no datagram reaches take no memory.
            space: Box::new_uninit_slice(MOST_AT_ONCE * SLOT),
            envelopes: Vec::with_capacity(MOST_AT_ONCE),
            record_length: 0,
            wire_length: 0,
        }
    }
}

impl Batch {
    /// How many datagrams it has, those counted as one that the system has put into one.
    pub fn count(&self) -> usize {
        self.envelopes.len()
    }

    /// How many bytes [`write`](Self::write) needs.
    pub fn wire_length(&self) -> usize {
        self.wire_length
    }

    /// Writes the records and the data.
    ///
    /// # Panics
    /// When `out` is shorter than [`wire_length`](Self::wire_length).
    pub fn write(&self, out: &mut [MaybeUninit<u8>]) {
        let (count, length) = (self.count(), self.record_length);
        put(&mut out[0..4], &(count as i32).to_le_bytes());
        put(&mut out[4..8], &(length as i32).to_le_bytes());
        let mut place = BATCH_HEAD + count * length;
        let mut record = [0; RECORD_LENGTH];
        for (index, (envelope, slot)) in self.envelopes.iter().zip(self.space.chunks(SLOT)).enumerate() {
            envelope.write(place, &mut record);
            put(&mut out[BATCH_HEAD + index * length..][..length], &record[..length]);
            out[place..place + envelope.length].copy_from_slice(&slot[..envelope.length]);
            place += envelope.length;
        }
    }

    /// Finds out how long it will be when it is written.
    fn measure(&mut self) {
        let all_ip = self.envelopes.iter().all(|envelope| envelope.from.as_socket().is_some());
        let data: usize = self.envelopes.iter().map(|envelope| envelope.length).sum();
        self.record_length = if all_ip { IP_RECORD_LENGTH } else { RECORD_LENGTH };
        self.wire_length = BATCH_HEAD + self.count() * self.record_length + data;
    }
}

fn put(out: &mut [MaybeUninit<u8>], bytes: &[u8]) {
    for (place, &byte) in out.iter_mut().zip(bytes) {
        place.write(byte);
    }
}

/// What a socket has to know for its datagrams.
#[derive(Default)]
pub(crate) struct Datagrams {
    /// The system puts several datagrams into one for it.
    coalesces: Cell<bool>,
    /// The system splits what it sends, if that is known.
    splits: Cell<Option<bool>>,
    /// Options have been set, by which the system may tell more of each datagram.
    tells: Cell<bool>,
    /// An error that came behind datagrams that were received, or sent.
    late: Cell<Option<io::Error>>,
    late_send: Cell<Option<io::Error>>,
}

/// One of many datagrams to be sent; without an address it goes to the peer.
pub struct Message<'a> {
    /// What is sent.
    pub data: &'a [u8],
    /// Where to.
    pub to: Option<SockAddr>,
}

impl Socket {
    /// Receives one datagram. When the socket [`coalesces`](Self::coalesces) it may be several, and needs room for any.
    pub fn recv_message(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<Envelope> {
        self.late_error()?;
        self.try_io(|socket| sys::recv_message(socket, buffer, self.datagrams.tells.get()))
    }

    /// Receives into `batch` what is there, at most `most` datagrams, and no more than [`MOST_AT_ONCE`]; those counted as one that
    /// the system has put into one. Whether it is known that there are no more.
    pub fn recv_many(&self, batch: &mut Batch, most: usize) -> io::Result<bool> {
        self.late_error()?;
        let most = most.clamp(1, MOST_AT_ONCE);
        let tells = self.datagrams.tells.get();
        let Batch { mailbox, space, envelopes, .. } = batch;
        let end = self.try_io(|socket| {
            envelopes.clear();
            mailbox.receive(socket, &mut space[..most * SLOT], SLOT, tells, envelopes)
        })?;
        batch.measure();
        Ok(match end {
            sys::End::Empty => true,
            sys::End::Full => false,
            sys::End::Failed(error) => {
                let error = self.with(|socket| Ok(sys::late_error(socket, error)))?;
                self.told(&error);
                // That one is nobody's.
                let told = error.kind() != io::ErrorKind::Interrupted;
                self.datagrams.late.set(told.then_some(error));
                false
            }
        })
    }

    fn late_error(&self) -> io::Result<()> {
        self.datagrams.late.take().map_or(Ok(()), Err)
    }

    /// Has the system put datagrams that come close together into one, as long as they are of equal length and from the same sender
    /// (UDP GRO). Whether it does.
    pub fn coalesce(&self) -> bool {
        if self.kind() == Kind::Datagram && !self.coalesces() {
            self.datagrams.coalesces.set(self.with(sys::coalesce).is_ok());
        }
        self.coalesces()
    }

    /// Whether the system puts several datagrams into one for this socket.
    pub fn coalesces(&self) -> bool {
        self.datagrams.coalesces.get()
    }

    /// Finds out what has been set by other ways than ours.
    pub(crate) fn look_at_datagrams(&self) {
        self.datagrams.coalesces.set(self.kind() == Kind::Datagram && self.with(sys::coalesces).unwrap_or(false));
        self.datagrams.tells.set(true);
    }

    /// An option has been set that may be one by which the system tells more.
    pub(crate) fn may_tell(&self) {
        self.datagrams.tells.set(true);
    }

    /// Sends one datagram to `address`.
    pub fn send_to(&self, data: &[u8], address: &SockAddr) -> io::Result<usize> {
        let address = sys::destination(address);
        self.try_io(|socket| socket.send_to_with_flags(data, &address, sys::SEND_FLAGS))
    }

    /// Sends datagrams in their order; how many the system took. What is wrong with one is told when it is the first.
    pub fn send_many(&self, messages: &[Message<'_>]) -> io::Result<usize> {
        self.late_send_error()?;
        let messages = &messages[..messages.len().min(MOST_AT_ONCE)];
        let (count, end) = self.try_io(|socket| sys::send_many(socket, messages))?;
        self.keep_send_error(end);
        Ok(count)
    }

    fn late_send_error(&self) -> io::Result<()> {
        self.datagrams.late_send.take().map_or(Ok(()), Err)
    }

    /// Keeps an error that came behind datagrams, for the next call: the system tells it once.
    fn keep_send_error(&self, end: Option<io::Error>) {
        let told =
            end.map(|error| self.with(|socket| Ok(sys::late_error(socket, error))).unwrap_or_else(|error| error));
        let told = told.filter(|error| !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted));
        self.datagrams.late_send.set(told);
    }

    /// Sends `data` as datagrams of `size` bytes, the last of which may be shorter; how many bytes the system took, which are whole
    /// datagrams.
    ///
    /// Where the system splits them itself (UDP GSO) that is one call for as many as it takes, and otherwise one for each.
    pub fn send_segments(&self, data: &[u8], size: usize, to: Option<&SockAddr>) -> io::Result<usize> {
        self.late_send_error()?;
        let size = size.max(1);
        let together = &data[..data.len().min((MOST_SEGMENTED / size).clamp(1, MOST_SEGMENTS) * size)];
        if together.len() > size && self.splits() {
            match self.try_io(|socket| sys::send_split(socket, together, size, to)) {
                // Alone they may go.
                Err(error) => match sys::refusal_to_split(&error) {
                    Some(for_good) => self.datagrams.splits.set(Some(!for_good)),
                    None => return Err(error),
                },
                sent => return sent,
            }
        }
        let messages: Vec<_> = together.chunks(size).map(|data| Message { data, to: to.cloned() }).collect();
        let count = self.send_many(&messages)?;
        Ok(together.len().min(count * size))
    }

    fn splits(&self) -> bool {
        let splits = || self.kind() == Kind::Datagram && self.with(sys::splits).unwrap_or(false);
        let known = self.datagrams.splits.get().unwrap_or_else(splits);
        self.datagrams.splits.set(Some(known));
        known
    }
}
