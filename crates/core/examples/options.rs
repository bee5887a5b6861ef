//! Prints lib/options.generated.ts: the options' types, their doc comments, and the table that the facade checks against.

use std::fmt::Write as _;

use socket2_core::options::{Row, Value, TABLE};
use socket2_core::{Family, Kind};

#[allow(dead_code)] // unused where the tests borrow this file
fn main() {
    print!("{}", typescript());
}

/// The whole file.
pub fn typescript() -> String {
    let members: String = TABLE.iter().map(member).collect();
    let entries: String = TABLE.iter().enumerate().map(|(id, row)| entry(id, row)).collect();
    format!(
        "\
// Generated from crates/core/src/options.rs by `cargo run -p socket2-core --example options`. Edits here are lost.

/** The socket options, with the types of their values. */
export interface OptionTypes {{
{members}}}

/** The name of an option. */
export type OptionName = keyof OptionTypes

/** What the facade has to know of an option. */
export interface OptionRow {{
  /** The number by which native code knows it. */
  readonly id: number
  /** How its value crosses: 0 or 1; a number; milliseconds or -1 for null; 0 for null or a negative error number. */
  readonly kind: 'bool' | 'int' | 'millis' | 'error'
  readonly readOnly: boolean
  /** The least and the most, for 'int' and 'millis'. */
  readonly min?: number
  readonly max?: number
  readonly families: readonly ('inet' | 'inet6' | 'unix')[]
  readonly types: readonly ('tcp' | 'udp' | 'raw' | 'seqpacket')[]
  /** Where it exists, in the words of process.platform. */
  readonly platforms: readonly string[]
  readonly level: string
  readonly constant: string
}}

/** All options. */
export const optionTable: {{ readonly [name in OptionName]: OptionRow }} = {{
{entries}}}
"
    )
}

/// The doc card and the type of one option.
fn member(row: &Row) -> String {
    let (level, constant) = row.constant;
    let mut out = String::from("  /**\n");
    paragraph(&mut out, row.meaning);
    out.push_str("   *\n");
    paragraph(&mut out, &format!("`{constant}` of `{level}`. {}", row.default));
    out.push_str("   *\n");
    paragraph(&mut out, &format!("*Applies to*: {}.", applies_to(row)));
    paragraph(&mut out, &format!("*Platforms*: {}.", platforms(row)));
    paragraph(&mut out, &format!("*Errors*: {}.", errors(row)));
    let read_only = if row.read_only() { "readonly " } else { "" };
    let kind = match row.value {
        Value::Bool => "boolean",
        Value::Int { .. } => "number",
        Value::Millis { .. } => "number | null",
        Value::Error => "string | null",
    };
    let _ = write!(out, "   */\n  {read_only}{}: {kind}\n", row.name);
    out
}

/// One row of the table.
fn entry(id: usize, row: &Row) -> String {
    let (kind, range) = match row.value {
        Value::Bool => ("bool", None),
        Value::Int { min, max } => ("int", Some((min, max))),
        Value::Millis { max } => ("millis", Some((0, max))),
        Value::Error => ("error", None),
    };
    let range = range.map_or(String::new(), |(min, max)| format!("    min: {min},\n    max: {max},\n"));
    let (level, constant) = row.constant;
    let families = row.families.iter().map(|&family| family_name(family));
    let types = row.kinds.iter().map(|&kind| type_name(kind));
    format!(
        "  {}: {{
    id: {id},
    kind: '{kind}',
    readOnly: {},
{range}    families: [{}],
    types: [{}],
    platforms: [{}],
    level: '{level}',
    constant: '{constant}',
  }},
",
        row.name,
        row.read_only(),
        quoted(families),
        quoted(types),
        quoted(row.platforms.iter().copied())
    )
}

const PLATFORMS: &[(&str, &str)] =
    &[("linux", "Linux"), ("darwin", "macOS"), ("freebsd", "FreeBSD"), ("win32", "Windows")];

fn platforms(row: &Row) -> String {
    let named = |has: bool| {
        let names = PLATFORMS.iter().filter(|(key, _)| row.platforms.contains(key) == has).map(|(_, name)| *name);
        names.collect::<Vec<_>>().join(", ")
    };
    match row.platforms.len() == PLATFORMS.len() {
        true => "all".into(),
        false => format!("{}; not supported on {}", named(true), named(false)),
    }
}

fn errors(row: &Row) -> String {
    let mut errors = vec![match row.value {
        _ if row.read_only() => "`ERR_INVALID_ARG_VALUE` when it is set, it can only be read",
        Value::Bool | Value::Error => "`ERR_INVALID_ARG_TYPE`",
        Value::Int { .. } | Value::Millis { .. } => "`ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`",
    }];
    if row.platforms.len() < PLATFORMS.len() {
        errors.push("`ERR_UNSUPPORTED_PLATFORM`");
    }
    if !row.errors.is_empty() {
        errors.push(row.errors);
    }
    errors.join("; ")
}

fn applies_to(row: &Row) -> String {
    let ticked = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let sockets = match row.kinds.len() {
        4 => "all sockets".to_owned(),
        _ => format!("{} sockets", ticked(row.kinds.iter().map(|&kind| type_name(kind)).collect())),
    };
    match row.families.len() {
        3 => sockets,
        _ => format!("{sockets} of {}", ticked(row.families.iter().map(|&family| family_name(family)).collect())),
    }
}

fn family_name(family: Family) -> &'static str {
    match family {
        Family::Inet => "inet",
        Family::Inet6 => "inet6",
        Family::Unix => "unix",
    }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Stream => "tcp",
        Kind::Datagram => "udp",
        Kind::Raw => "raw",
        Kind::Seqpacket => "seqpacket",
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// One paragraph of a doc comment, wrapped at 120 columns.
fn paragraph(out: &mut String, text: &str) {
    let mut line = String::from("   *");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > 120 {
            out.push_str(&line);
            out.push('\n');
            line = String::from("   *");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}
