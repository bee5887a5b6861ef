//! The other end of the section `udp` of `npm run bench`: who floods a receiver, who takes what a sender sends, who plays ping-pong.
//!
//! It is written over the core alone, with its fastest ways, because it must cost less than what is measured. It talks in lines
//! with the process that started it, and ends when stdin does:
//!
//! - `flood <ip:port> <bytes> <at once> <step> <window> [segments]`: for each line read, a number of seconds, it sends datagrams
//!   for that long, so many with one call, and prints a report. The receiver answers every `step` of them with a datagram of
//!   any kind, and at most `window` are sent and not answered: they must fit its receive buffer, and then none is lost. Between two
//!   reports nothing is in flight, and what was sent is what the receiver has counted;
//! - `ping <ip:port> <bytes>`: for each line it sends one datagram and waits until it comes back, again and again for so many
//!   seconds, and prints a report;
//! - `sink`: prints its port, and throws away what comes there.

use std::io::{self, BufRead, ErrorKind};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use socket2_core::datagram::{Batch, Message, MOST_AT_ONCE};
use socket2_core::{Family, Kind, Socket};

/// A peer that stays silent for so long is taken for dead, or what it should answer for lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than any answer.
const MOST_BYTES: usize = 2048;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("datagrams: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["flood", address, numbers @ .., "segments"] => flood(&mut Peer::connected(address)?, numbers, true),
        ["flood", address, numbers @ ..] => flood(&mut Peer::connected(address)?, numbers, false),
        ["ping", address, size] => ping(&mut Peer::connected(address)?, number(size)?),
        ["sink"] => sink(),
        _ => Err(usage()),
    }
}

fn flood(peer: &mut Peer, numbers: &[&str], segments: bool) -> io::Result<()> {
    let &[size, at_once, step, window] = numbers else { return Err(usage()) };
    let (size, at_once, step, window) = (number(size)?, number(at_once)?, number(step)?, number(window)?);
    // Otherwise the last answer would never come, or the window would be full before the first is due.
    if step % at_once > 0 || window < step || at_once > MOST_AT_ONCE {
        return Err(usage());
    }
    let data = vec![1; size * at_once];
    let messages: Vec<Message<'_>> = data.chunks(size).map(|data| Message { data, to: None }).collect();
    serve(|duration| {
        let begin = Instant::now();
        let (mut sent, mut answered) = (0, 0);
        while begin.elapsed() < duration || sent % step > 0 {
            // All that is sent at once goes at once: loopback has room where the receiver has.
            sent += peer.wait(|socket| match segments {
                true => socket.send_segments(&data, size, None).map(|bytes| bytes / size),
                false => socket.send_many(&messages),
            })?;
            while sent + at_once > answered + window {
                peer.recv()?;
                answered += step;
            }
        }
        while answered < sent {
            peer.recv()?;
            answered += step;
        }
        Ok(Report { messages: sent, seconds: begin.elapsed().as_secs_f64(), latencies: Vec::new() })
    })
}

fn ping(peer: &mut Peer, size: usize) -> io::Result<()> {
    let data = vec![1; size];
    serve(|duration| {
        let begin = Instant::now();
        let mut latencies = Vec::new();
        while begin.elapsed() < duration {
            let since = Instant::now();
            peer.wait(|socket| socket.send(&data))?;
            peer.recv()?;
            latencies.push(since.elapsed().as_nanos());
        }
        latencies.sort_unstable();
        Ok(Report { messages: latencies.len(), seconds: begin.elapsed().as_secs_f64(), latencies })
    })
}

fn sink() -> io::Result<()> {
    let mut sink = Peer::open()?;
    println!("{{\"port\":{}}}", sink.socket.local_addr()?.as_socket().map_or(0, |address| address.port()));
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    sink.socket.coalesce();
    let mut batch = Batch::default();
    loop {
        match sink.wait(|socket| socket.recv_many(&mut batch, MOST_AT_ONCE)) {
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            result => drop(result?),
        }
    }
}

/// Makes a run of so many seconds for each line, and prints what came of it.
fn serve(mut run: impl FnMut(Duration) -> io::Result<Report>) -> io::Result<()> {
    println!("{{}}");
    for line in io::stdin().lock().lines() {
        let seconds: f64 = line?.trim().parse().map_err(|_| usage())?;
        println!("{}", run(Duration::try_from_secs_f64(seconds).map_err(|_| usage())?)?.json());
    }
    Ok(())
}

struct Report {
    messages: usize,
    seconds: f64,
    /// In nanoseconds and in their order, where they were taken.
    latencies: Vec<u128>,
}

impl Report {
    fn json(&self) -> String {
        let Report { messages, seconds, .. } = self;
        let part = |part: usize| self.latencies.get(self.latencies.len() * part / 100).unwrap_or(&0);
        format!("{{\"messages\":{messages},\"seconds\":{seconds},\"p50\":{},\"p99\":{}}}", part(50), part(99))
    }
}

/// A socket, and what waits for it.
struct Peer {
    socket: Socket,
    poll: Poll,
    events: Events,
}

impl Peer {
    fn open() -> io::Result<Peer> {
        let mut socket = Socket::open(Family::Inet, Kind::Datagram, 0)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        let poll = Poll::new()?;
        socket.watch(poll.registry(), Token(0))?;
        Ok(Peer { socket, poll, events: Events::with_capacity(1) })
    }

    fn connected(address: &str) -> io::Result<Peer> {
        let address: SocketAddr = address.parse().map_err(|_| usage())?;
        let mut peer = Peer::open()?;
        peer.socket.connect(&address.into())?;
        Ok(peer)
    }

    fn recv(&mut self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); MOST_BYTES];
        self.wait(|socket| socket.recv(&mut buffer)).map(drop)
    }

    fn wait<T>(&mut self, mut act: impl FnMut(&Socket) -> io::Result<T>) -> io::Result<T> {
        loop {
            match act(&self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            self.poll.poll(&mut self.events, Some(PATIENCE))?;
            if self.events.is_empty() {
                return Err(io::Error::new(ErrorKind::TimedOut, format!("nothing came for {PATIENCE:?}")));
            }
        }
    }
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(usage)
}

fn usage() -> io::Error {
    let text =
        "usage: datagrams flood <ip:port> <bytes> <at once> <step> <window> [segments] | ping <ip:port> <bytes> | sink";
    io::Error::new(ErrorKind::InvalidInput, text)
}
