//! One socket: non-blocking, close-on-exec, and never the cause of a SIGPIPE.
//!
//! Every call does what the system can do at once. `WouldBlock` means that it would have to wait; the poller this socket
//! is watched by ([`Socket::watch`]) then reports when to try again. EINTR never comes out.

use std::cell::{Cell, OnceCell};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::{Registry, Token};
use socket2::{Domain, Protocol, SockAddr};

use crate::bound::{remove_stale, BoundPath};
use crate::datagram::Datagrams;
use crate::echo;
use crate::kind::{Family, Kind};
use crate::owned::{self, Owned};
use crate::{error, options, sys};

/// What a descriptor that was taken over turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The family of its addresses.
    pub family: Family,
    /// What it carries.
    pub kind: Kind,
    /// Its protocol; 0 for the usual one, and where the system does not tell.
    pub protocol: i32,
    /// It is a datagram socket of ICMP, which counts as a raw one: [`Socket::is_unprivileged`].
    pub unprivileged: bool,
    /// It listens for connections.
    pub listening: bool,
    /// It has a peer, or had one.
    pub connected: bool,
    /// What has ended the connection, as Node's number of the error; 0: nothing.
    pub broken: i32,
}

/// A socket. Dropping it closes it; what the system took before is still sent.
pub struct Socket {
    /// What is to be removed from the file system with it: before it is closed, so that nobody's new file is meant. In a box,
    /// since few sockets have any.
    path: OnceCell<Box<BoundPath>>,
    /// Before the source, which closes the descriptor.
    owned: Owned,
    source: sys::Source,
    kind: Kind,
    protocol: Option<Protocol>,
    unprivileged: bool,
    watched: bool,
    /// Where `bind` has put it, if it has; of IP sockets only.
    place: Cell<Option<SocketAddr>>,
    /// An attempt to connect has failed.
    spent: Cell<bool>,
    pub(crate) datagrams: Datagrams,
}

impl Socket {
    /// Makes a socket. Protocol 0 is the usual one for the family and the kind. A raw socket of ICMP may be an
    /// [unprivileged](Self::is_unprivileged) one.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`, `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT` for what the system lacks, `EPERM` or `EACCES` for raw sockets
    /// without the right, `EMFILE`.
    pub fn open(family: Family, kind: Kind, protocol: i32) -> io::Result<Socket> {
        let protocol = (protocol != 0).then(|| Protocol::from(protocol));
        let (socket, unprivileged) = match kind {
            Kind::Raw => echo::open_raw(family, protocol)?,
            _ => (sys::open(family.domain(), kind.socket_type(), protocol)?, false),
        };
        Ok(Socket { protocol, unprivileged, ..Socket::new(socket, kind) })
    }

    /// Makes two unix sockets that are connected to each other.
    ///
    /// # Errors
    /// `ENOTSUP` where the system makes no pairs, `EMFILE`.
    pub fn pair(kind: Kind) -> io::Result<(Socket, Socket)> {
        let (one, other) = sys::pair(kind.socket_type())?;
        Ok((Socket::new(one, kind), Socket::new(other, kind)))
    }

    /// Looks at a descriptor that something else has opened; on Windows at a SOCKET. It stays as it is.
    ///
    /// # Errors
    /// `EBADF`, `ENOTSOCK`; `EAFNOSUPPORT`, `ESOCKTNOSUPPORT` for a family or a kind that is none of ours; `EEXIST` when it is
    /// a socket of ours.
    pub fn look(number: i64) -> io::Result<Standing> {
        if owned::has(number) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let found = sys::borrow(number)?;
        let family = Family::of(sys::domain(&found)?).ok_or_else(sys::no_such_family)?;
        let kind = Kind::of(found.r#type()?).ok_or_else(sys::no_such_kind)?;
        let protocol = sys::protocol(&found)?.filter(|&protocol| Some(protocol) != kind.usual_protocol());
        let unprivileged = echo::is_echo(family, kind, protocol);
        let kind = if unprivileged { Kind::Raw } else { kind };
        let listening = sys::is_listening(&found)?;
        let (connected, broken) = match found.peer_addr() {
            Ok(_) => (true, 0),
            Err(_) if listening || kind != Kind::Stream => (false, 0),
            // One that is over has no peer any more, but what came is still there, and how it ended.
            Err(_) => match found.recv_with_flags(&mut [MaybeUninit::uninit()], sys::PEEK) {
                Ok(_) => (true, 0),
                Err(error) if error.kind() == io::ErrorKind::NotConnected => (false, 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (false, 0),
                Err(error) => (true, error::code(&error)),
            },
        };
        let protocol = protocol.map_or(0, i32::from);
        Ok(Standing { family, kind, protocol, unprivileged, listening, connected, broken })
    }

    /// Takes over a descriptor that is as [`look`](Self::look) has found it. From then on it neither blocks nor is inherited, and
    /// dropping the socket closes it.
    ///
    /// # Errors
    /// `EBADF`. The descriptor then is the caller's as before.
    pub fn adopt(number: i64, standing: &Standing) -> io::Result<Socket> {
        let socket = sys::take_over(sys::borrow(number)?)?;
        let place = socket.local_addr().ok().and_then(|address| address.as_socket()).filter(|place| place.port() != 0);
        let protocol = (standing.protocol != 0).then(|| Protocol::from(standing.protocol));
        let unprivileged = standing.unprivileged;
        let place = Cell::new(place);
        let socket = Socket { protocol, unprivileged, place, ..Socket::new(socket, standing.kind) };
        socket.look_at_datagrams();
        Ok(socket)
    }

    /// Gives the descriptor to the caller, open and unwatched. It still does not block and is not inherited; a unix path that
    /// `bind` has made goes with it.
    pub fn release(self) -> i64 {
        let Socket { mut path, owned, source, .. } = self;
        if let Some(path) = path.take() {
            path.keep();
        }
        drop(owned);
        source.release()
    }

    /// Keeps a descriptor, which may be anything, from the child processes of this one.
    ///
    /// # Errors
    /// `EBADF` when nothing is open there.
    pub fn keep_from_children(number: i64) -> io::Result<()> {
        sys::keep_from_children(number)
    }

    fn new(socket: socket2::Socket, kind: Kind) -> Socket {
        let source = sys::Source::new(socket);
        Socket {
            path: OnceCell::new(),
            owned: Owned::new(source.number()),
            source,
            kind,
            protocol: None,
            unprivileged: false,
            watched: false,
            place: Cell::new(None),
            spent: Cell::new(false),
            datagrams: Datagrams::default(),
        }
    }

    /// Gives the socket a local address. A unix path that this makes is removed when the socket is closed.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, and `EINVAL` when it has one already.
    pub fn bind(&self, address: &SockAddr) -> io::Result<()> {
        self.source.get().bind(address)?;
        if let Some(path) = BoundPath::of(address) {
            let _ = self.path.set(Box::new(path));
        }
        self.place.set(self.local_addr()?.as_socket());
        Ok(())
    }

    /// As [`bind`](Self::bind), but takes a unix path over from a socket that is gone.
    pub fn bind_replacing_stale(&self, address: &SockAddr) -> io::Result<()> {
        match self.bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && remove_stale(address) => self.bind(address),
            result => result,
        }
    }

    /// Sets what servers set before they bind on this system: an address whose old connections linger in TIME_WAIT can be
    /// bound again, one that someone listens at cannot.
    pub fn set_customary_for_listeners(&self) -> io::Result<()> {
        self.with(sys::set_customary_for_listeners)
    }

    /// Has the system choose a port, where `bind` is given none, only when it connects: see `sys`.
    pub fn choose_port_late(&self) {
        let chosen = |socket: &socket2::Socket| {
            sys::choose_port_late(socket);
            Ok(())
        };
        let _ = self.with(chosen);
    }

    /// Makes a bound stream or seqpacket socket a listener, with room for `backlog` connections not yet accepted.
    ///
    /// The system caps the backlog silently (Linux by `net.core.somaxconn`), so a great number asks for the most.
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        self.source.get().listen(backlog)
    }

    /// Starts to connect; for datagrams: sets the peer.
    ///
    /// `Ok` is connected. `WouldBlock` is under way: once the poller says writable, [`Socket::verdict`] has the outcome.
    /// Calling connect again would start a second attempt.
    ///
    /// After an attempt that failed, most systems refuse that descriptor any other; the socket then gets a fresh one, with
    /// the options and the local address of the old one.
    ///
    /// # Errors
    /// `ECONNREFUSED` also when a unix listener's backlog is full: see `sys::connect`.
    pub fn connect(&mut self, address: &SockAddr) -> io::Result<()> {
        if self.spent.get() && !address.is_unix() {
            if sys::CONNECTS_AGAIN {
                self.rebind()?;
            } else {
                self.renew(address.domain())?;
            }
        }
        let address = sys::destination(address);
        self.decided(self.source.try_io(|socket| sys::connect(socket, &address)))
    }

    /// How the attempt to connect that is under way has ended; `WouldBlock` while it has not.
    pub fn verdict(&self) -> io::Result<()> {
        self.decided(self.source.try_io(|socket| match socket.take_error()? {
            Some(error) => Err(error),
            None if sys::is_connected(socket)? => Ok(()),
            // Woken although nothing is decided. Inside of `try_io` that arms the watch again.
            None => Err(io::ErrorKind::WouldBlock.into()),
        }))
    }

    fn decided(&self, outcome: io::Result<()>) -> io::Result<()> {
        let failed = outcome.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock);
        if failed && self.kind == Kind::Stream {
            self.spent.set(true);
        }
        outcome
    }

    /// Puts a fresh descriptor in the place of this one, which may be bound but not connected.
    #[doc(hidden)] // public for the test of it: Linux, where most tests run, has no need of it
    pub fn renew(&mut self, domain: Domain) -> io::Result<()> {
        let fresh = sys::open(domain, self.kind.socket_type(), self.protocol)?;
        self.with(|old| options::copy(old, &fresh))?;
        let fresh = sys::Source::new(fresh);
        self.owned = Owned::new(fresh.number());
        // This closes the old one: its watch ends, and its address is free.
        self.source = fresh;
        self.watched = false;
        // Until it is where it was, the next attempt needs another one: from anywhere else it must not connect.
        if let Some(place) = self.place.get() {
            self.source.get().bind(&place.into())?;
        }
        self.spent.set(false);
        Ok(())
    }

    /// Linux lets go of a port of its own choice when an attempt fails, though it goes on naming it; whoever bound the
    /// socket expects it to stay.
    fn rebind(&self) -> io::Result<()> {
        self.place.get().map_or(Ok(()), |place| self.with(|socket| bind_again(socket, place)))
    }

    /// Takes the peer away from a datagram socket, which keeps its local port and can be connected anew.
    pub fn disconnect(&self) -> io::Result<()> {
        self.source.try_io(|socket| {
            // Windows knows no address of an unbound socket.
            let before = socket.local_addr().ok().and_then(|address| address.as_socket());
            sys::disconnect(socket)?;
            // Linux also takes away a port that the system chose (one bound by number stays). Someone who waits for an answer
            // on that port needs it, and other systems leave it.
            match (before, socket.local_addr().ok().and_then(|address| address.as_socket())) {
                (Some(before), Some(mut after)) if after.port() == 0 && before.port() != 0 => {
                    after.set_port(before.port());
                    bind_again(socket, after)
                }
                _ => Ok(()),
            }
        })
    }

    /// Takes one connection off the backlog, with the address of its peer.
    ///
    /// # Errors
    /// `WouldBlock`; `EMFILE` and `ENFILE`, after which the connection is still in the backlog and nothing will report it
    /// again; `ECONNABORTED` when the peer has gone meanwhile.
    pub fn accept(&self) -> io::Result<(Socket, SockAddr)> {
        let (socket, peer) = self.try_io(sys::accept)?;
        Ok((Socket::new(socket, self.kind), peer))
    }

    /// Receives into `buffer`: the count of bytes, 0 at the end of a stream. Bytes beyond the count are untouched.
    #[inline]
    pub fn recv(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        self.try_io(|socket| socket.recv(buffer))
    }

    /// Sends to the peer; the count may be less than the length on a stream.
    #[inline]
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        let data = match self.kind {
            Kind::Stream => &data[..data.len().min(sys::MOST_PER_SEND)],
            _ => data,
        };
        self.try_io(|socket| {
            socket.send_with_flags(data, sys::SEND_FLAGS).map_err(|error| sys::send_error(socket, error))
        })
    }

    /// Sends several buffers as one; the count may be less than the sum of lengths on a stream.
    pub fn send_vectored(&self, list: &[IoSlice<'_>]) -> io::Result<usize> {
        let list = match self.kind {
            Kind::Stream => gatherable(list),
            // A message goes whole or not at all: the system has to refuse it.
            _ => list,
        };
        if let [single] = list {
            return self.send(single);
        }
        self.try_io(|socket| {
            socket.send_vectored_with_flags(list, sys::SEND_FLAGS).map_err(|error| sys::send_error(socket, error))
        })
    }

    /// Ends one direction or both of a connection.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.source.get().shutdown(how)
    }

    /// The local address, as the system knows it.
    pub fn local_addr(&self) -> io::Result<SockAddr> {
        self.source.get().local_addr()
    }

    /// The peer's address; `ENOTCONN` without a peer.
    pub fn peer_addr(&self) -> io::Result<SockAddr> {
        self.source.get().peer_addr()
    }

    /// Closes with a reset: unsent data is dropped and the peer's next call fails with `ECONNRESET`.
    pub fn reset(self) {
        // Where there is nothing to reset (datagrams, unix sockets) this is a plain close.
        let _ = self.source.get().set_linger(Some(Duration::ZERO));
    }

    /// The descriptor, or on Windows the SOCKET.
    pub fn fd(&self) -> i64 {
        self.source.number()
    }

    /// The family of its addresses, as the system knows it.
    pub fn family(&self) -> Option<Family> {
        self.with(sys::domain).ok().and_then(Family::of)
    }

    /// The kind it was made as.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is a datagram socket of ICMP, made for want of the right to a raw one. It sends echo requests and receives the
    /// answers to them. On Linux they come without the IP header, and what routers say of a request is an error of the next
    /// call; macOS gives the header.
    pub fn is_unprivileged(&self) -> bool {
        self.unprivileged
    }

    /// Has a raw socket of ICMP hear only the answers to echo requests of this id, and what is said of them, where the system can do that.
    pub fn hear_echoes_of(&self, id: u16) -> io::Result<()> {
        let domain = self.family().ok_or(io::ErrorKind::InvalidInput)?.domain();
        self.with(|socket| sys::hear_echoes_of(socket, domain, id))
    }

    /// An error was told, perhaps one of which the system keeps a record that has to be taken away.
    pub(crate) fn told(&self, error: &io::Error) {
        if self.unprivileged && error.kind() != io::ErrorKind::WouldBlock {
            let _ = self.with(|socket| {
                sys::forget_error(socket);
                Ok(())
            });
        }
    }

    /// Lets a poller report this socket as `token`, readable and writable, from now until it is closed. Once only: when it
    /// is watched already, nothing happens.
    ///
    /// # Errors
    /// `ENOSPC`, `ENOMEM` when the system cannot watch more.
    pub fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if !self.watched {
            self.source.register(registry, token, sys::INTEREST)?;
            self.watched = true;
        }
        Ok(())
    }

    /// Whether a poller watches it.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// Ends the watch. Closing does that too, unless the descriptor has been duplicated: epoll watches what is open, not
    /// its number, and would go on reporting the twin.
    pub fn unwatch(&mut self, registry: &Registry) {
        if self.watched {
            self.watched = false;
            // Fails only for what this registry does not watch; then there is nothing to end.
            let _ = self.source.deregister(registry);
        }
    }

    /// A call on the socket itself, for the options.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&socket2::Socket) -> io::Result<T>) -> io::Result<T> {
        self.source.try_io(call)
    }

    /// One operation that may have to wait, tried again after a signal.
    #[inline]
    pub(crate) fn try_io<T>(&self, mut operation: impl FnMut(&socket2::Socket) -> io::Result<T>) -> io::Result<T> {
        self.source.try_io(|socket| loop {
            match operation(socket).map_err(|error| sys::late_error(socket, error)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.told(&error);
                    return Err(error);
                }
                result => return result,
            }
        })
    }
}

/// Binds a socket that has lost its port; one that has it still says EINVAL.
fn bind_again(socket: &socket2::Socket, place: SocketAddr) -> io::Result<()> {
    match socket.bind(&place.into()) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// What of a list one call can take. More than this is an error on most systems rather than a short count: EMSGSIZE for
/// too many buffers (IOV_MAX is 1,024 nearly everywhere), EINVAL for too many bytes.
fn gatherable<'a, 'b>(list: &'a [IoSlice<'b>]) -> &'a [IoSlice<'b>] {
    const MOST_BUFFERS: usize = 1024;
    let list = &list[..list.len().min(MOST_BUFFERS)];
    let mut bytes = 0usize;
    for (count, buffer) in list.iter().enumerate() {
        bytes = bytes.saturating_add(buffer.len());
        if bytes > sys::MOST_PER_SEND {
            return &list[..count.max(1)];
        }
    }
    list
}
