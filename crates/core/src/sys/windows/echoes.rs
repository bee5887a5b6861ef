//! Echo requests by IcmpSendEcho2 and Icmp6SendEcho2, which need no right.
//!
//! One thread makes the calls for the whole process, and the system tells it what has come of them by calls of its own (APCs) while it
//! waits: so a thousand requests take one thread. Their other way of telling, an event, is worse: Wine frees what it still writes to
//! then. A request is not called back, since nothing that Microsoft says covers that: the system's own time limit ends it. When the
//! process ends before, all goes with it; when only a worker does, its requests find nobody to tell.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut, without_provenance};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockAddr;
use windows_sys::Win32::Foundation::{
    CloseHandle, GetLastError, ERROR_IO_PENDING, HANDLE, INVALID_HANDLE_VALUE, WAIT_TIMEOUT,
};
use windows_sys::Win32::NetworkManagement::IpHelper as iphelper;
use windows_sys::Win32::Networking::WinSock as winsock;
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent, WaitForSingleObjectEx};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

use super::echo_status::outcome;
use super::no_buffers;
use crate::error::TIMED_OUT;
use crate::ping::{Fate, Outcome, Request};

/// Whether the system sends echo requests by a call of its own.
pub(crate) const SENDS_ECHOES: bool = true;

/// How long the thread stays when it has nothing to do, in milliseconds. Chosen by feel.
const IDLE: u32 = 5_000;

/// Sends an echo request; `tell` is called once with its fate, unless this fails.
pub(crate) fn ask(request: Request, tell: Box<dyn FnOnce(Fate) + Send>) -> io::Result<()> {
    if request.to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) {
        // As a socket without `broadcast` says. The system would send it, but none of the answers comes from there.
        return Err(io::Error::from_raw_os_error(winsock::WSAEACCES));
    }
    let echo = Box::new(Echo::new(request, tell)?);
    let mut desk = desk();
    let wake = match &desk.wake {
        Some(wake) => Arc::clone(wake),
        None => {
            let wake = Arc::new(Event::new()?);
            let its = Arc::clone(&wake);
            // The system's word for it is EAGAIN, which everywhere else here means "wait for the poller".
            thread::Builder::new().name("socket2-ping".into()).spawn(move || work(&its)).map_err(|_| no_buffers())?;
            desk.wake = Some(Arc::clone(&wake));
            wake
        }
    };
    desk.inbox.push_back(echo);
    wake.set();
    Ok(())
}

/// Where requests are left for the thread.
struct Desk {
    inbox: VecDeque<Box<Echo>>,
    /// Wakes the thread; `None` when there is none.
    wake: Option<Arc<Event>>,
}

static DESK: Mutex<Desk> = Mutex::new(Desk { inbox: VecDeque::new(), wake: None });

/// Nothing panics while it holds the lock, so a poisoned one is sound.
fn desk() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The requests of this thread that the system has not told of yet, by number.
    static UNDER_WAY: RefCell<HashMap<usize, Box<Echo>>> = RefCell::default();
}

/// The life of the thread. It does not end while a request is under way, which the system would end with it.
fn work(wake: &Event) {
    let mut number = 0usize;
    loop {
        let inbox = std::mem::take(&mut desk().inbox);
        for echo in inbox {
            number = number.wrapping_add(1);
            // The panic hook has reported it; the thread goes on.
            let _ = catch_unwind(AssertUnwindSafe(|| send(echo, number)));
        }
        // SAFETY: the event is open. Meanwhile, and only then, the system calls `ended` on this thread.
        let why = unsafe { WaitForSingleObjectEx(wake.0, IDLE, 1) };
        if why == WAIT_TIMEOUT && UNDER_WAY.with_borrow(HashMap::is_empty) {
            let mut desk = desk();
            if desk.inbox.is_empty() {
                desk.wake = None;
                return;
            }
        }
    }
}

fn send(mut echo: Box<Echo>, number: usize) {
    match echo.send(number) {
        Err(ERROR_IO_PENDING) => drop(UNDER_WAY.with_borrow_mut(|echoes| echoes.insert(number, echo))),
        result => echo.end(result),
    }
}

/// Called by the system, on the thread that has sent the request, when it has written what has come of it.
extern "system" fn ended(context: *mut c_void, _: *mut IO_STATUS_BLOCK, _: u32) {
    // The panic hook has reported it; none may pass through the system.
    let _ = catch_unwind(|| {
        let Some(mut echo) = UNDER_WAY.with_borrow_mut(|echoes| echoes.remove(&context.addr())) else { return };
        echo.time = echo.sent.elapsed();
        let result = echo.parse();
        echo.end(result);
    });
}

/// A request under way.
struct Echo {
    request: Request,
    tell: Box<dyn FnOnce(Fate) + Send>,
    icmp: Icmp,
    /// What the system writes into: a reply, its options and data. Of eight-byte words, since the replies are so aligned.
    replies: Vec<u64>,
    sent: Instant,
    time: Duration,
}

impl Echo {
    fn new(request: Request, tell: Box<dyn FnOnce(Fate) + Send>) -> io::Result<Echo> {
        // Besides the reply and its data: an ICMP error, and the system's own account of the call (says Microsoft); options; and for
        // Wine, which receives into it whole, the headers of a packet.
        const ROOM: usize = size_of::<iphelper::ICMP_ECHO_REPLY>() + 8 + size_of::<IO_STATUS_BLOCK>() + 40 + 64;
        let words = (ROOM + request.payload.len()).div_ceil(size_of::<u64>());
        Ok(Echo {
            tell,
            icmp: Icmp::open(request.to.is_ipv6())?,
            replies: vec![0; words],
            sent: Instant::now(),
            time: Duration::ZERO,
            request,
        })
    }

    /// Makes the call: whether there is a reply already, or why not.
    fn send(&mut self, number: usize) -> Result<(), u32> {
        let options = iphelper::IP_OPTION_INFORMATION { Ttl: self.request.ttl, ..Default::default() };
        let options = if self.request.ttl == 0 { null() } else { &raw const options };
        let data = self.request.payload.as_ptr().cast();
        let length = self.request.payload.len() as u16; // checked by whoever made it: no packet holds more
        let room = self.room();
        let replies = self.replies.as_mut_ptr().cast();
        let (icmp, timeout) = (self.icmp.0, self.request.timeout);
        let context = without_provenance(number);
        self.sent = Instant::now();
        let count = match self.request.to {
            // SAFETY: the handle is open and the payload and the replies there, of the lengths that are said, for as long as this
            // echo is: until `ended` at least, after which the system uses them no more. The options are read during the call.
            SocketAddr::V4(to) => unsafe {
                let to = u32::from_ne_bytes(to.ip().octets());
                #[rustfmt::skip]
                let count = iphelper::IcmpSendEcho2(
                    icmp, null_mut(), Some(ended), context, to, data, length, options, replies, room, timeout,
                );
                count
            },
            SocketAddr::V6(to) => {
                let (from, to) = (inet6((Ipv6Addr::UNSPECIFIED, 0).into()), inet6(to.into()));
                // SAFETY: as above; the addresses are read during the call.
                unsafe {
                    #[rustfmt::skip]
                    let count = iphelper::Icmp6SendEcho2(
                        icmp, null_mut(), Some(ended), context, &from, &to, data, length, options, replies, room, timeout,
                    );
                    count
                }
            }
        };
        let result = result(count);
        self.time = self.sent.elapsed();
        result
    }

    /// Makes replies of what the system has written: whether there is one, or why not.
    fn parse(&mut self) -> Result<(), u32> {
        let room = self.room();
        let replies = self.replies.as_mut_ptr().cast();
        // SAFETY: the system has written what there is, into the room that is said.
        result(unsafe {
            match self.request.to {
                SocketAddr::V4(_) => iphelper::IcmpParseReplies(replies, room),
                SocketAddr::V6(_) => iphelper::Icmp6ParseReplies(replies, room),
            }
        })
    }

    /// Tells the fate. Of several replies, as to a multicast group, the first counts: none is from the address that was asked.
    fn end(self, result: Result<(), u32>) {
        let outcome = match result {
            Ok(()) => self.outcome(),
            Err(status) => outcome(status, self.request.to.is_ipv6(), None),
        };
        (self.tell)((outcome, self.time));
    }

    fn outcome(&self) -> Outcome {
        let v6 = self.request.to.is_ipv6();
        let Reply { status, by, data, ttl } = self.reply();
        if status != iphelper::IP_SUCCESS {
            return outcome(status, v6, (!by.ip().is_unspecified()).then_some(by));
        }
        match by.ip() == self.request.to.ip() && data == Some(&self.request.payload) {
            true => Outcome::Answered { ttl },
            false => Outcome::Failed(TIMED_OUT), // somebody's, but no answer
        }
    }

    fn reply(&self) -> Reply<'_> {
        let start = self.replies.as_ptr();
        let length = self.request.payload.len();
        if self.request.to.is_ipv6() {
            // SAFETY: the room is larger than the reply, which is numbers, and all of it is initialised.
            let reply = unsafe { start.cast::<iphelper::ICMPV6_ECHO_REPLY_LH>().read() };
            let (words, scope) = (reply.Address.sin6_addr, reply.Address.sin6_scope_id);
            let mut octets = [0; 16];
            octets.chunks_exact_mut(2).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_ne_bytes()));
            let by = SocketAddrV6::new(octets.into(), 0, 0, scope).into();
            // The data is behind it, of a length that is not told.
            let data = self.bytes(size_of_val(&reply), length);
            return Reply { status: reply.Status, by, data, ttl: None };
        }
        // SAFETY: as above; the pointers in it are only compared.
        let reply = unsafe { start.cast::<iphelper::ICMP_ECHO_REPLY>().read() };
        let by = (Ipv4Addr::from(reply.Address.to_ne_bytes()), 0).into();
        let place = (reply.Data as usize).wrapping_sub(start as usize);
        let data = if length == 0 { Some(&[][..]) } else { self.bytes(place, reply.DataSize.into()) };
        Reply { status: reply.Status, by, data, ttl: Some(reply.Options.Ttl) }
    }

    /// A part of what the system has written, if it is one.
    fn bytes(&self, place: usize, length: usize) -> Option<&[u8]> {
        // SAFETY: any initialised words are bytes, eight times as many.
        let all = unsafe { std::slice::from_raw_parts(self.replies.as_ptr().cast::<u8>(), self.room() as usize) };
        all.get(place..place.checked_add(length)?)
    }

    fn room(&self) -> u32 {
        (self.replies.len() * size_of::<u64>()) as u32
    }
}

/// What a number of replies means: where there is none, the error of this thread says why.
fn result(count: u32) -> Result<(), u32> {
    match count {
        // SAFETY: it only reads.
        0 => Err(unsafe { GetLastError() }),
        _ => Ok(()),
    }
}

/// What the system tells.
struct Reply<'a> {
    status: u32,
    by: SocketAddr,
    data: Option<&'a [u8]>,
    ttl: Option<u8>,
}

fn inet6(address: SocketAddr) -> winsock::SOCKADDR_IN6 {
    // SAFETY: a SockAddr holds a whole SOCKADDR_STORAGE, which is longer, aligned for any address, and initialised throughout.
    unsafe { SockAddr::from(address).as_ptr().cast::<winsock::SOCKADDR_IN6>().read() }
}

/// A handle that requests are made with.
struct Icmp(HANDLE);

// SAFETY: what the handle is of belongs to the process, not to a thread.
unsafe impl Send for Icmp {}

impl Icmp {
    fn open(v6: bool) -> io::Result<Icmp> {
        // SAFETY: they take nothing.
        let handle = unsafe {
            match v6 {
                true => iphelper::Icmp6CreateFile(),
                false => iphelper::IcmpCreateFile(),
            }
        };
        match handle {
            INVALID_HANDLE_VALUE => Err(io::Error::last_os_error()),
            _ => Ok(Icmp(handle)),
        }
    }
}

impl Drop for Icmp {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else closes it.
        unsafe { iphelper::IcmpCloseHandle(self.0) };
    }
}

struct Event(HANDLE);

// SAFETY: as above; and the system lets any thread set an event, and wait for it.
unsafe impl Send for Event {}
// SAFETY: the same.
unsafe impl Sync for Event {}

impl Event {
    /// An event that wakes once each time it is set.
    fn new() -> io::Result<Event> {
        // SAFETY: null asks for no name and the usual rights.
        let handle = unsafe { CreateEventW(null(), 0, 0, null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Event(handle))
    }

    fn set(&self) {
        // SAFETY: it is open.
        unsafe { SetEvent(self.0) };
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else closes it.
        unsafe { CloseHandle(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn fate(request: Request) -> Fate {
        let (sender, receiver) = channel();
        ask(request, Box::new(move |fate| sender.send(fate).unwrap())).unwrap();
        receiver.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    #[test]
    fn this_machine_answers_with_what_was_sent() {
        for length in [0, 1, 32, 60_000] {
            let payload = (0..length).map(|place| place as u8).collect();
            let to = (Ipv4Addr::LOCALHOST, 0).into();
            let (outcome, time) = fate(Request { to, payload, ttl: 7, timeout: 10_000 });
            assert!(matches!(outcome, Outcome::Answered { ttl: Some(1..) }), "{length}: {outcome:?}");
            assert!(time < Duration::from_secs(10));
        }
    }
}
