//! Names: getaddrinfo and getnameinfo, and the threads on which they may take their time.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use dns_lookup::{AddrInfo, AddrInfoHints, LookupError};
use socket2::{Domain, Type};

use crate::{error, sys};

/// The flags of a [`Query`], our own numbers on every system.
pub mod flag {
    /// Without a host: the address to listen on rather than the loopback.
    pub const PASSIVE: u32 = 1;
    /// Asks for the canonical name.
    pub const CANON_NAME: u32 = 2;
    /// The host is a literal; no name service is asked.
    pub const NUMERIC_HOST: u32 = 4;
    /// The service is a number.
    pub const NUMERIC_SERVICE: u32 = 8;
    /// With `V4_MAPPED`: both IPv6 and mapped IPv4 addresses.
    pub const ALL: u32 = 16;
    /// IPv4 addresses as IPv6 ones, for a host that has no IPv6 address.
    pub const V4_MAPPED: u32 = 32;
    /// Only families that this machine has an address of.
    pub const ADDR_CONFIG: u32 = 64;
}

/// What to look up: a host, a service, or both.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// A name or a literal address; `None` with [`flag::PASSIVE`] is all interfaces, without it the loopback.
    pub host: Option<String>,
    /// A port number or the name of a service.
    pub service: Option<String>,
    /// 0 any, 4, 6.
    pub family: i32,
    /// 0 any, 1 stream, 2 datagram, 3 raw.
    pub kind: i32,
    /// 0 any, or the protocol's number.
    pub protocol: i32,
    /// A sum of [`flag`]s.
    pub flags: u32,
}

/// One address that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The address and port.
    pub address: SocketAddr,
    /// 1 stream, 2 datagram, 3 raw; 0 for what the system adds of its own.
    pub kind: i32,
    /// The protocol's number.
    pub protocol: i32,
    /// The canonical name, on the first record and where it was asked for.
    pub canonical_name: Option<String>,
}

/// Why a lookup failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupFailure {
    /// As `node:dns` has it: `ENOTFOUND`, `EAI_AGAIN`, `EAI_SERVICE` …, or an error of the system such as `EMFILE`.
    pub code: &'static str,
}

impl fmt::Display for LookupFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code)
    }
}

impl std::error::Error for LookupFailure {}

const NOT_FOUND: LookupFailure = LookupFailure { code: "ENOTFOUND" };
const NO_SERVICE: LookupFailure = LookupFailure { code: "EAI_SERVICE" };

/// Looks up addresses, in the order of the system (RFC 6724). Blocks: for the threads of a [`Pool`].
///
/// With `kind` 0 the system gives each address once for each kind of socket. A raw socket has no service: the one in the
/// query is left out, and the ports are 0.
///
/// # Errors
/// `ENOTFOUND` when the host has no address, `EAI_SERVICE` for an unknown service or a port past 65535, `EAI_AGAIN` when
/// the name service does not answer.
pub fn lookup(query: &Query) -> Result<Vec<Found>, LookupFailure> {
    // dns-lookup panics over a canonical name that is not UTF-8.
    catch_unwind(|| look_up(query)).unwrap_or(Err(LookupFailure { code: "EAI_FAIL" }))
}

/// The names of an address and its port. Blocks: for the threads of a [`Pool`].
///
/// # Errors
/// `ENOTFOUND` when the address has no name (as `dns.lookupService`). A port without a name is given in digits.
pub fn name_info(address: &SocketAddr) -> Result<(String, String), LookupFailure> {
    dns_lookup::getnameinfo(address, sys::NAME_REQUIRED).map_err(failure)
}

fn look_up(query: &Query) -> Result<Vec<Found>, LookupFailure> {
    let host = query.host.as_deref();
    // getaddrinfo refuses every service with SOCK_RAW.
    let service = query.service.as_deref().filter(|_| query.kind != 3);
    if host.is_none() && service.is_none() {
        return Err(NOT_FOUND);
    }
    let digits = service.is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    if digits && service.is_some_and(|text| text.parse::<u16>().is_err()) {
        return Err(NO_SERVICE); // getaddrinfo would wrap 65536 to 0
    }
    let hints = hints(query)?;
    match resolve(host, service, hints) {
        // macOS has one code for both; the host alone tells which it was.
        Err(NOT_FOUND) if service.is_some() && !digits && (host.is_none() || resolve(host, None, hints).is_ok()) => {
            Err(NO_SERVICE)
        }
        result => result,
    }
}

fn hints(query: &Query) -> Result<AddrInfoHints, LookupFailure> {
    let address = match query.family {
        0 => 0,
        4 => Domain::IPV4.into(),
        6 => Domain::IPV6.into(),
        _ => return Err(LookupFailure { code: "EAI_FAMILY" }),
    };
    let socktype = match query.kind {
        0 => 0,
        1 => Type::STREAM.into(),
        2 => Type::DGRAM.into(),
        3 => Type::RAW.into(),
        _ => return Err(LookupFailure { code: "EAI_SOCKTYPE" }),
    };
    Ok(AddrInfoHints { flags: sys::lookup_flags(query.flags), address, socktype, protocol: query.protocol })
}

fn resolve(host: Option<&str>, service: Option<&str>, hints: AddrInfoHints) -> Result<Vec<Found>, LookupFailure> {
    let records = dns_lookup::getaddrinfo(host, service, Some(hints)).map_err(failure)?;
    // A record of a family we do not know is an error there; the others are still good.
    let found: Vec<Found> = records.flatten().map(found).flat_map(sys::spelled_out).collect();
    if found.is_empty() {
        Err(NOT_FOUND)
    } else {
        Ok(found)
    }
}

fn found(record: AddrInfo) -> Found {
    let kind = match Type::from(record.socktype) {
        Type::STREAM => 1,
        Type::DGRAM => 2,
        Type::RAW => 3,
        _ => 0,
    };
    Found { address: record.sockaddr, kind, protocol: record.protocol, canonical_name: record.canonname }
}

fn failure(error: LookupError) -> LookupFailure {
    match sys::lookup_code(error.error_num()) {
        Some("EAI_NONAME" | "EAI_NODATA") => NOT_FOUND,
        Some(code) => LookupFailure { code },
        // errno has it (EAI_SYSTEM), or it never came to asking: a NUL byte in a name is EINVAL.
        None => LookupFailure { code: error::name(error::code(&error.into())) },
    }
}

/// Threads for calls that block.
///
/// Elastic, so that one slow name never delays another: a job that finds no idle thread gets a new one, up to
/// [`Pool::THREADS`]; past that jobs wait in a queue. A thread that has nothing to do for [`Pool::IDLE`] ends. A job that
/// panics harms nobody but itself.
///
/// Dropping the pool ends the idle threads; jobs already taken or queued are still done.
pub struct Pool {
    shared: Arc<Shared>,
}

impl Pool {
    /// The most threads at once. Chosen by feel: far more names than a process looks up at one time, and less memory than
    /// one minds (a thread that waits for an answer costs some tens of KiB).
    pub const THREADS: usize = 64;
    /// The most jobs waiting for a thread.
    pub const QUEUE: usize = 65_536;
    /// How long an idle thread waits for another job.
    pub const IDLE: Duration = Duration::from_secs(5);

    /// A pool without threads: the first job brings the first one.
    pub fn new() -> Pool {
        Pool { shared: Arc::default() }
    }

    /// Runs a job on a thread of the pool.
    ///
    /// # Errors
    /// `ENOBUFS` when [`Pool::QUEUE`] jobs wait already, or when there is no thread and none can be made. The job is dropped
    /// then.
    pub fn run(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let mut state = self.shared.lock();
        if state.jobs.len() >= Pool::QUEUE {
            return Err(sys::no_buffers());
        }
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle {
            self.shared.wake.notify_one();
        } else if state.threads < Pool::THREADS {
            let shared = Arc::clone(&self.shared);
            match thread::Builder::new().name("socket2-lookup".into()).spawn(move || shared.work()) {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads == 0 => {
                    state.jobs.pop_back();
                    // The system's word for it is EAGAIN, which everywhere else here means "wait for the poller".
                    return Err(sys::no_buffers());
                }
                Err(_) => {} // a thread that is busy now will come to it
            }
        }
        Ok(())
    }
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::new()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn FnOnce() + Send>>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Shared {
    /// The life of one thread.
    fn work(&self) {
        while let Some(job) = self.next() {
            // The panic hook has reported it; the thread goes on.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    /// The next job, waited for; `None` when this thread is to end, which is then counted.
    fn next(&self) -> Option<Box<dyn FnOnce() + Send>> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (guard, waited) = self.wake.wait_timeout(state, Pool::IDLE).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        None
    }

    /// Nothing panics while it holds the lock, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
