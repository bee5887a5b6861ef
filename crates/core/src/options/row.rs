//! What a row of the table is, and how its value comes from the system and goes there.

use std::io;

use socket2::{Domain, Socket};

use crate::kind::{Family, Kind};
use crate::sys;

/// One socket option.
#[derive(Clone, Copy)]
pub struct Row {
    /// The name in TypeScript.
    pub name: &'static str,
    /// The level and the constant, as C has them.
    pub constant: (&'static str, &'static str),
    /// The values it takes.
    pub value: Value,
    /// The families it applies to.
    pub families: &'static [Family],
    /// The kinds of socket it applies to.
    pub kinds: &'static [Kind],
    /// The systems that have it.
    pub systems: &'static [System],
    /// What it means.
    pub meaning: &'static str,
    /// What its value is measured in.
    pub unit: &'static str,
    /// What a new socket has; empty where there is nothing to say.
    pub default: &'static str,
    /// The codes it fails with beyond those that every option has; may be empty.
    pub errors: &'static str,
    pub(super) access: Access,
}

/// A system that has an option.
#[derive(Clone, Copy)]
pub struct System {
    /// The system, in the words of Node's `process.platform`.
    pub platform: &'static str,
    /// The version that brought the option, where older ones are still about; else empty.
    pub since: &'static str,
    /// What the option is called there, where it is not the row's constant; else empty.
    pub constant: &'static str,
    /// The only families that have it there; `None`: all of the row.
    pub families: Option<&'static [Family]>,
}

impl System {
    const fn new(platform: &'static str) -> System {
        System { platform, since: "", constant: "", families: None }
    }

    pub(super) const fn since(self, since: &'static str) -> System {
        System { since, ..self }
    }

    pub(super) const fn called(self, constant: &'static str) -> System {
        System { constant, ..self }
    }

    pub(super) const fn only(self, families: &'static [Family]) -> System {
        System { families: Some(families), ..self }
    }
}

pub(super) const LINUX: System = System::new("linux");
pub(super) const MACOS: System = System::new("darwin");
pub(super) const FREEBSD: System = System::new("freebsd");
pub(super) const WINDOWS: System = System::new("win32");

pub(super) const EVERYWHERE: &[System] = &[LINUX, MACOS, FREEBSD, WINDOWS];
pub(super) const UNIX: &[System] = &[LINUX, MACOS, FREEBSD];

pub(super) const ALL: &[Family] = &[Family::Inet, Family::Inet6, Family::Unix];
pub(super) const IP: &[Family] = &[Family::Inet, Family::Inet6];
pub(super) const INET: &[Family] = &[Family::Inet];
pub(super) const INET6: &[Family] = &[Family::Inet6];

pub(super) const ANY: &[Kind] = &[Kind::Stream, Kind::Datagram, Kind::Raw, Kind::Seqpacket];
pub(super) const STREAM: &[Kind] = &[Kind::Stream];
/// Those that a port belongs to.
pub(super) const PORTED: &[Kind] = &[Kind::Stream, Kind::Datagram];
pub(super) const PACKET: &[Kind] = &[Kind::Datagram, Kind::Raw];
pub(super) const RAW: &[Kind] = &[Kind::Raw];

/// The values of an option. The first ones cross as one integer, the last ones as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// 0 or 1.
    Bool,
    /// A number in a range, both ends included.
    Int {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A number from 0 on, or [`OFF`].
    IntOrNull {
        /// The most.
        max: i64,
    },
    /// 32 bits of the user's, as the signed number of the same bits.
    Bits,
    /// A time in milliseconds.
    Millis {
        /// The shortest.
        min: i64,
        /// The longest.
        max: i64,
    },
    /// A time in milliseconds, or [`OFF`].
    MillisOrNull {
        /// The shortest.
        min: i64,
        /// The longest.
        max: i64,
    },
    /// A time in microseconds, which users count in milliseconds all the same.
    Micros {
        /// The longest.
        max: i64,
    },
    /// One of these words, as its place.
    Choice(&'static [&'static str]),
    /// A pending error: 0 for none, else Node's negative number. Reading takes it away.
    Error,
    /// UTF-8 without a NUL.
    Text {
        /// The longest, in bytes; the system would cut it off.
        longest: usize,
    },
    /// Small numbers: the byte 1 and then a byte for each; or the byte 0, which is null.
    Numbers,
    /// What [`INFO`](super::INFO) tells of a connection: a double for each field, little-endian, NaN where the system does
    /// not tell.
    Info,
}

/// The value of what is switched off.
pub const OFF: i64 = -1;

impl Value {
    pub(super) fn admits(self, value: i64) -> bool {
        match self {
            Value::Bool => value == 0 || value == 1,
            Value::Int { min, max } | Value::Millis { min, max } => (min..=max).contains(&value),
            Value::MillisOrNull { min, max } => value == OFF || (min..=max).contains(&value),
            Value::IntOrNull { max } => (OFF..=max).contains(&value),
            Value::Micros { max } => (0..=max).contains(&value),
            Value::Bits => i32::try_from(value).is_ok(),
            Value::Choice(words) => usize::try_from(value).is_ok_and(|place| place < words.len()),
            Value::Error | Value::Text { .. } | Value::Numbers | Value::Info => false,
        }
    }

    pub(super) fn admits_bytes(self, value: &[u8]) -> bool {
        match self {
            Value::Text { longest } => value.len() <= longest && !value.contains(&0),
            Value::Numbers => matches!(value, [0] | [1, ..]),
            _ => false,
        }
    }
}

type Get<T> = fn(&Socket) -> io::Result<T>;
type Set<T> = fn(&Socket, T) -> io::Result<()>;
type SetBytes = fn(&Socket, &[u8]) -> io::Result<()>;

/// How an option is read and written.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// A C int.
    Int(sys::Constant),
    /// A C int, by another name in IPv6.
    ByFamily(sys::Constant, sys::Constant),
    /// A C int of so many milliseconds each; 0 is off where it can be.
    Time(sys::Constant, i64),
    /// A C string.
    Text(sys::Constant),
    /// An integer, by functions; without the second it can only be read.
    Number(Get<i64>, Option<Set<i64>>),
    /// Bytes, by functions.
    Bytes(Get<Vec<u8>>, Option<SetBytes>),
}

impl Row {
    /// Whether it can only be read.
    pub fn read_only(&self) -> bool {
        matches!(self.access, Access::Number(_, None) | Access::Bytes(_, None))
    }

    /// Whether its values cross as bytes.
    pub fn crosses_as_bytes(&self) -> bool {
        matches!(self.value, Value::Text { .. } | Value::Numbers | Value::Info)
    }

    /// How sockets of this family have it on a system, if they do.
    pub fn on(&self, platform: &str, family: Family) -> Option<&'static System> {
        let system = self.systems.iter().find(|system| system.platform == platform)?;
        system.families.unwrap_or(self.families).contains(&family).then_some(system)
    }

    pub(super) fn read(&self, socket: &Socket) -> io::Result<i64> {
        let held = match self.access {
            Access::Int(constant) => get_int(socket, constant)?,
            Access::ByFamily(inet, inet6) => get_int(socket, by_family(socket, inet, inet6)?)?,
            // What Node could not be told is longer than anyone waits.
            Access::Time(constant, unit) => match get_int(socket, constant)?.saturating_mul(unit) {
                0 if matches!(self.value, Value::MillisOrNull { .. }) => OFF,
                time => time.min(i32::MAX.into()),
            },
            Access::Number(get, _) => get(socket)?,
            Access::Text(_) | Access::Bytes(..) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        // Some systems give the flag by which they remember it.
        Ok(if self.value == Value::Bool { (held != 0).into() } else { held })
    }

    pub(super) fn write(&self, socket: &Socket, value: i64) -> io::Result<()> {
        match self.access {
            Access::Int(constant) => set_int(socket, constant, value),
            Access::ByFamily(inet, inet6) => set_int(socket, by_family(socket, inet, inet6)?, value),
            // Rounded up: what is cut off could come to mean "off".
            Access::Time(constant, unit) => set_int(socket, constant, (value.max(0) + unit - 1) / unit),
            Access::Number(_, Some(set)) => set(socket, value),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    pub(super) fn read_bytes(&self, socket: &Socket) -> io::Result<Vec<u8>> {
        match self.access {
            Access::Text(constant) => {
                let mut text = vec![0; 64];
                let length = sys::read_option(socket, there(constant)?, &mut text)?;
                text.truncate(text[..length].iter().position(|&byte| byte == 0).unwrap_or(length));
                Ok(text)
            }
            Access::Bytes(get, _) => get(socket),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    pub(super) fn write_bytes(&self, socket: &Socket, value: &[u8]) -> io::Result<()> {
        match self.access {
            Access::Text(constant) => sys::write_option(socket, there(constant)?, value),
            Access::Bytes(_, Some(set)) => set(socket, value),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Sets for one socket what another one has.
    pub(super) fn copy(&self, from: &Socket, to: &Socket) -> io::Result<()> {
        if self.crosses_as_bytes() {
            let value = self.read_bytes(from)?;
            return if self.read_bytes(to)? == value { Ok(()) } else { self.write_bytes(to, &value) };
        }
        let value = self.read(from)?;
        if self.read(to)? == value {
            Ok(())
        } else {
            self.write(to, value)
        }
    }
}

/// The numbers of an option that this system may lack.
pub(super) fn there(constant: sys::Constant) -> io::Result<(i32, i32)> {
    constant.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// The constant for sockets of this family.
pub(super) fn by_family(socket: &Socket, inet: sys::Constant, inet6: sys::Constant) -> io::Result<sys::Constant> {
    Ok(if sys::domain(socket)? == Domain::IPV6 { inet6 } else { inet })
}

/// Reads a C int; some systems give a byte where a byte is enough.
pub(super) fn get_int(socket: &Socket, constant: sys::Constant) -> io::Result<i64> {
    let mut bytes = [0; 4];
    match sys::read_option(socket, there(constant)?, &mut bytes)? {
        1 => Ok(bytes[0].into()),
        _ => Ok(i32::from_ne_bytes(bytes).into()),
    }
}

/// Sets a C int.
pub(super) fn set_int(socket: &Socket, constant: sys::Constant, value: i64) -> io::Result<()> {
    let value = i32::try_from(value).map_err(|_| io::ErrorKind::InvalidInput)?;
    sys::write_option(socket, there(constant)?, &value.to_ne_bytes())
}
