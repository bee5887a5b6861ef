//! The load generator of `npm run bench`: a closed loop over TCP, with one message in flight on each connection.
//!
//! It is written in Rust, over mio alone, because it must cost less than the servers it measures and be there on every
//! machine that can build this package. It talks in lines with the process that started it:
//!
//! - it opens the connections, checks byte for byte that each echoes, and prints `{"ready":<connections>}`;
//!   with `renewed` as last argument each message has a connection of its own, which is closed when the answer has come; with
//!   `bursts` so, too, but no sooner than all others have their answers; with `http` the message is a request, whose answer may be anything that has a Content-Length, and as long each time;
//! - for each line read from stdin, a number of seconds, it makes traffic for that long, waits until every answer has
//!   come, and prints a report. Between two reports nothing is in flight, so the server's CPU time read before and after
//!   belongs to exactly the messages reported;
//! - with `bursts` it makes one message on each connection instead, whatever the line says, and prints `{"sent":<connections>}` when all
//!   are on their way: if the server has been stopped before, they wait for it from then on, and the report is of the time since;
//! - it ends when stdin does.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

/// A server that stays silent for so long is taken for dead.
const PATIENCE: Duration = Duration::from_secs(5);

const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// mio on Windows reports a socket again only after an operation on it would have blocked; epoll and kqueue report each
/// arrival, so there the read that would only find nothing is spared.
const REPORTS_EACH_ARRIVAL: bool = cfg!(unix);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || invalid("usage: load <ip:port> <connections> <bytes of a message> [renewed | bursts | http]");
    let [address, connections, size, options @ ..] = arguments.as_slice() else { return Err(usage()) };
    let (renewed, bursts, http) = match options.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => (false, false, false),
        ["renewed"] => (true, false, false),
        ["bursts"] => (true, true, false),
        ["http"] => (false, false, true),
        _ => return Err(usage()),
    };
    let address = address.parse().map_err(|_| usage())?;
    let connections = connections.parse().map_err(|_| usage())?;
    let size = size.parse().map_err(|_| usage())?;
    let message = if http { request(address) } else { (0..size).map(|index: usize| index as u8).collect() };

    let mut load = Load::open(address, connections, message, renewed, http)?;
    println!("{{\"ready\":{connections}}}");
    for line in io::stdin().lock().lines() {
        let seconds: f64 = line?.trim().parse().map_err(|_| usage())?;
        let duration = Duration::try_from_secs_f64(seconds).map_err(|_| usage())?;
        println!("{}", if bursts { load.burst()? } else { load.run(duration)? }.json());
    }
    Ok(())
}

struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    traffic: Traffic,
}

/// What is sent, and on what.
struct Traffic {
    message: Vec<u8>,
    /// How long the answer is.
    answer: usize,
    registry: Registry,
    /// Where each message makes a new connection to; `None`: they stay.
    renewed: Option<SocketAddr>,
}

struct Connection {
    token: Token,
    /// `None` between two messages that have a connection each.
    stream: Option<TcpStream>,
    unsent: usize,
    unread: usize,
    since: Instant,
}

impl Load {
    fn open(address: SocketAddr, count: usize, message: Vec<u8>, renewed: bool, http: bool) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut answer = 0;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let mut stream = connect(address)?;
            answer = if http { ask(&mut stream, &message)? } else { echo(&mut stream, &message)? };
            stream.set_nonblocking(true)?;
            let (token, mut stream) = (Token(index), TcpStream::from_std(stream));
            poll.registry().register(&mut stream, token, INTEREST)?;
            connections.push(Connection { token, stream: Some(stream), unsent: 0, unread: 0, since: Instant::now() });
        }
        let registry = poll.registry().try_clone()?;
        let traffic = Traffic { message, answer, registry, renewed: renewed.then_some(address) };
        Ok(Self { poll, events: Events::with_capacity(1024), connections, buffer: vec![0; answer], traffic })
    }

    fn run(&mut self, duration: Duration) -> io::Result<Report> {
        let begin = Instant::now();
        let end = begin + duration;
        let mut latencies = Histogram::new();
        let mut waiting = self.connections.len();
        for connection in &mut self.connections {
            connection.begin(begin, &self.traffic)?;
            if !REPORTS_EACH_ARRIVAL {
                waiting -= connection.advance(&self.traffic, &mut self.buffer, end, &mut latencies)?;
            }
        }
        self.answers(waiting, end, &mut latencies)?;
        Ok(Report { seconds: begin.elapsed().as_secs_f64(), size: self.traffic.message.len(), latencies })
    }

    fn burst(&mut self) -> io::Result<Report> {
        let mut latencies = Histogram::new();
        for connection in &mut self.connections {
            connection.begin(Instant::now(), &self.traffic)?;
        }
        println!("{{\"sent\":{}}}", self.connections.len());
        let begin = Instant::now();
        for connection in &mut self.connections {
            connection.since = begin;
        }
        self.answers(self.connections.len(), begin, &mut latencies)?;
        Ok(Report { seconds: begin.elapsed().as_secs_f64(), size: self.traffic.message.len(), latencies })
    }

    /// Takes answers, and sends messages until `end`, until so many connections have none to wait for.
    fn answers(&mut self, mut waiting: usize, end: Instant, latencies: &mut Histogram) -> io::Result<()> {
        while waiting > 0 {
            match self.poll.poll(&mut self.events, Some(PATIENCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            if self.events.is_empty() {
                let text = format!("{waiting} connections got no answer in {PATIENCE:?}");
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                waiting -= connection.advance(&self.traffic, &mut self.buffer, end, latencies)?;
            }
        }
        Ok(())
    }
}

impl Connection {
    fn begin(&mut self, now: Instant, traffic: &Traffic) -> io::Result<()> {
        self.since = now;
        self.unsent = traffic.message.len();
        self.unread = traffic.answer;
        if let Some(address) = traffic.renewed {
            self.stream = Some(TcpStream::connect(address)?);
        }
        self.send(&traffic.message)?;
        if traffic.renewed.is_some() {
            // To this host the message has gone already, as a rule: then nothing is worth hearing of but the answer.
            let interest = if self.unsent == 0 { Interest::READABLE } else { INTEREST };
            traffic.registry.register(opened(&mut self.stream)?, self.token, interest)?;
        }
        Ok(())
    }

    /// Takes the message as far as it goes now and begins the next one, until `end`; 1 when this was the last, else 0.
    fn advance(
        &mut self,
        traffic: &Traffic,
        buffer: &mut [u8],
        end: Instant,
        latencies: &mut Histogram,
    ) -> io::Result<usize> {
        while self.unread > 0 {
            self.send(&traffic.message)?;
            if !self.receive(buffer)? {
                break;
            }
            let now = Instant::now();
            latencies.add(now - self.since);
            if traffic.renewed.is_some() {
                self.stream = None;
            }
            if now >= end {
                return Ok(1);
            }
            self.begin(now, traffic)?;
            if REPORTS_EACH_ARRIVAL {
                break;
            }
        }
        Ok(0)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        while self.unsent > 0 {
            match opened(&mut self.stream)?.write(&message[message.len() - self.unsent..]) {
                Ok(count) => self.unsent -= count,
                Err(error) if is_early(&error) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the whole answer is here.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        while self.unread > 0 {
            match opened(&mut self.stream)?.read(&mut buffer[..self.unread]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.unread -= count,
                Err(error) if is_early(&error) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn opened(stream: &mut Option<TcpStream>) -> io::Result<&mut TcpStream> {
    stream.as_mut().ok_or_else(|| io::Error::other("this connection is closed"))
}

/// Whether it is to be tried again later. Of a connection that is being made some systems say that it is not connected.
fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

/// Connects. One connection after the other, each used before the next: so no listener's backlog overflows, and the server is known
/// to have accepted them all.
fn connect(address: SocketAddr) -> io::Result<std::net::TcpStream> {
    let stream = std::net::TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Takes one message there and back, in pieces that any socket buffer holds: so neither end can be stuck in a write.
fn echo(stream: &mut std::net::TcpStream, message: &[u8]) -> io::Result<usize> {
    let mut answer = [0; 4096];
    for piece in message.chunks(answer.len()) {
        stream.write_all(piece)?;
        stream.read_exact(&mut answer[..piece.len()])?;
        if answer[..piece.len()] != *piece {
            return Err(io::Error::other("the answer is not what was sent"));
        }
    }
    Ok(message.len())
}

/// Sends one request, and says how long the answer is.
fn ask(stream: &mut std::net::TcpStream, message: &[u8]) -> io::Result<usize> {
    stream.write_all(message)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")).and_then(|text| text.trim().parse().ok());
    let length: usize = length
        .filter(|_| head.starts_with("http/1.1 200"))
        .ok_or_else(|| invalid("the answer is no 200 with a length"))?;
    stream.read_exact(&mut vec![0; length])?;
    Ok(head.len() + length)
}

/// What browsers and the like send, no more than the least.
fn request(address: SocketAddr) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\nUser-Agent: load\r\n\r\n").into_bytes()
}

struct Report {
    seconds: f64,
    size: usize,
    latencies: Histogram,
}

impl Report {
    /// Latencies are in nanoseconds; `bytes` counts one direction.
    fn json(&self) -> String {
        let messages = self.latencies.count;
        format!(
            "{{\"messages\":{messages},\"bytes\":{},\"seconds\":{},\"p50\":{},\"p99\":{}}}",
            messages * self.size as u64,
            self.seconds,
            self.latencies.percentile(0.50),
            self.latencies.percentile(0.99),
        )
    }
}

/// Counts of durations in buckets less than one percent wide: 128 to each power of two nanoseconds.
struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

const STEPS: u64 = 128;

impl Histogram {
    fn new() -> Self {
        Self { buckets: vec![0; 64 * STEPS as usize], count: 0 }
    }

    fn add(&mut self, duration: Duration) {
        let nanos = (duration.as_nanos() as u64).max(STEPS);
        let shift = nanos.ilog2() - STEPS.ilog2();
        let bucket = u64::from(shift) * STEPS + (nanos >> shift) - STEPS;
        self.buckets[bucket as usize] += 1;
        self.count += 1;
    }

    /// The lower bound of the bucket in which this part of all durations is reached; 0 when there are none.
    fn percentile(&self, part: f64) -> u64 {
        let rank = (self.count as f64 * part).ceil() as u64;
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank.max(1)
        });
        reached.map_or(0, |bucket| {
            let bucket = bucket as u64;
            (STEPS + bucket % STEPS) << (bucket / STEPS)
        })
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, text)
}
