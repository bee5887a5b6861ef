//! The socket options: one table, from which everything else is made.
//!
//! A row has the name, the constant, what values it takes, where it applies, its documentation, and how it is read and
//! written. The TypeScript types and their doc comments are generated from the rows (`examples/options.rs`), so adding an
//! option is adding a row; its place in the table is its id, which the generated file knows as well.

mod icmp;
mod info;
mod ip;
mod ipv6;
mod row;
mod socket;
mod tcp;

use std::io;

use crate::kind::Kind;
use crate::socket::Socket;
use crate::{error, sys};

pub(crate) use info::Info;
pub use info::{Field, INFO, STATES};
pub use row::{Row, System, Value, OFF};

/// All options, by id.
pub const TABLE: &[Row] = &{
    const LEVELS: [&[Row]; 5] = [socket::ROWS, tcp::ROWS, ip::ROWS, ipv6::ROWS, icmp::ROWS];
    const COUNT: usize = LEVELS[0].len() + LEVELS[1].len() + LEVELS[2].len() + LEVELS[3].len() + LEVELS[4].len();
    let mut all = [socket::ROWS[0]; COUNT];
    let (mut id, mut level) = (0, 0);
    while level < LEVELS.len() {
        let mut place = 0;
        while place < LEVELS[level].len() {
            all[id] = LEVELS[level][place];
            (id, place) = (id + 1, place + 1);
        }
        level += 1;
    }
    all
};

/// What the system holds for option `id`, whose values are integers.
///
/// # Errors
/// `EINVAL` for an unknown id or one whose values are no integers, `ENOTSUP` where the system lacks it, `ENOPROTOOPT` where
/// this socket, or this version of the system, has it not; `EACCES` where a raw socket has it and this one, made for want of
/// the right to one, has not.
pub fn get(socket: &Socket, id: usize) -> io::Result<i64> {
    let row = row(id)?;
    reach(socket, row, |socket| row.read(socket))
}

/// Sets option `id`, whose values are integers.
///
/// # Errors
/// As [`get`]; `EINVAL` also for a value out of range and for an option that can only be read.
pub fn set(socket: &Socket, id: usize, value: i64) -> io::Result<()> {
    let row = row(id)?;
    match row.read_only() || !row.value.admits(value) {
        true => Err(io::ErrorKind::InvalidInput.into()),
        false => {
            socket.may_tell();
            reach(socket, row, |socket| row.write(socket, value))
        }
    }
}

/// What the system holds for option `id`, whose values are more than an integer; [`Value`] has their forms.
///
/// # Errors
/// As [`get`].
pub fn get_bytes(socket: &Socket, id: usize) -> io::Result<Vec<u8>> {
    let row = row(id)?;
    reach(socket, row, |socket| row.read_bytes(socket))
}

/// Sets option `id`, whose values are more than an integer.
///
/// # Errors
/// As [`set`].
pub fn set_bytes(socket: &Socket, id: usize, value: &[u8]) -> io::Result<()> {
    let row = row(id)?;
    match row.read_only() || !row.value.admits_bytes(value) {
        true => Err(io::ErrorKind::InvalidInput.into()),
        false => reach(socket, row, |socket| row.write_bytes(socket, value)),
    }
}

/// What the system holds for an option that the table lacks, by its numbers: fills `into`, and tells how far.
///
/// # Errors
/// `ENOPROTOOPT`, and whatever the system says of that option.
pub fn get_raw(socket: &Socket, level: i32, name: i32, into: &mut [u8]) -> io::Result<usize> {
    socket.with(|socket| sys::read_option(socket, (level, name), into))
}

/// Sets an option that the table lacks, by its numbers.
///
/// # Errors
/// As [`get_raw`].
pub fn set_raw(socket: &Socket, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let set = socket.with(|socket| sys::write_option(socket, (level, name), value));
    socket.look_at_datagrams();
    set
}

/// Gives a fresh socket the options of another one, as far as it has them.
pub(crate) fn copy(from: &socket2::Socket, to: &socket2::Socket) -> io::Result<()> {
    for row in TABLE.iter().filter(|row| !row.read_only()) {
        // What cannot be set now has become as it is by what the socket went through, not by its owner.
        let _ = row.copy(from, to);
    }
    Ok(())
}

/// A call on the socket, for one of its options.
fn reach<T>(socket: &Socket, row: &Row, call: impl FnOnce(&socket2::Socket) -> io::Result<T>) -> io::Result<T> {
    socket.with(call).map_err(|error| match error::code(&error) {
        error::NO_SUCH_OPTION if socket.is_unprivileged() && row.kinds == [Kind::Raw] => {
            io::ErrorKind::PermissionDenied.into()
        }
        _ => error,
    })
}

fn row(id: usize) -> io::Result<&'static Row> {
    TABLE.get(id).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
