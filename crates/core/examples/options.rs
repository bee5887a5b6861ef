//! Prints lib/options.generated.ts: the options' types, their doc comments, and the table that the facade checks against.

use std::fmt::Write as _;

use socket2_core::options::{Field, Row, System, Value, INFO, STATES, TABLE};
use socket2_core::{Family, Kind};

#[allow(dead_code)] // unused where the tests borrow this file
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("overview") => print!("{}", overview()),
        _ => print!("{}", typescript()),
    }
}

/// The whole file.
pub fn typescript() -> String {
    let members: String = TABLE.iter().map(member).collect();
    let entries: String = TABLE.iter().enumerate().map(|(id, row)| entry(id, row)).collect();
    let read_only = TABLE.iter().filter(|row| row.read_only()).map(|row| format!("'{}'", row.name)).collect::<Vec<_>>();
    let info: String = INFO.iter().map(info_member).collect();
    format!(
        "\
// Generated from crates/core/src/options/ by `npm run docs`. Edits here are lost.

/** The socket options, with the types of their values. */
export interface OptionTypes {{
{members}}}

/** The name of an option. */
export type OptionName = keyof OptionTypes

/** The names of options that can only be read. */
export type ReadOnlyOptionName = {}

/** How far a TCP connection is (RFC 9293). */
export type TcpState =
{}

/** What `getOption('info')` tells of a TCP connection. What a system does not tell is null. */
export interface TcpInfo {{
{info}}}

/** What the facade has to know of an option. */
export interface OptionRow {{
  /** The number by which native code knows it. */
  readonly id: number
  /**
   * How its value crosses, as an integer: 0 or 1; a number; a number or -1 for null; the signed number of the same 32 bits;
   * milliseconds, or -1 for null; microseconds; the place of a word; 0 for null or a negative error number. As bytes: UTF-8; 1 and
   * the numbers, or 0 for null; doubles, NaN for null.
   */
  readonly kind:
    | 'bool' | 'int' | 'intOrNull' | 'bits' | 'millis' | 'millisOrNull' | 'micros' | 'choice' | 'error'
    | 'text' | 'numbers' | 'info'
  readonly readOnly: boolean
  /** The least and the most of a number as it crosses; for text the most bytes. */
  readonly min?: number
  readonly max?: number
  /** The words to choose from. */
  readonly words?: readonly string[]
  readonly families: readonly Family[]
  readonly types: readonly ('tcp' | 'udp' | 'raw' | 'seqpacket')[]
  /** Where it exists, in the words of process.platform, and for which families. */
  readonly systems: {{ readonly [platform: string]: readonly Family[] }}
  readonly level: string
  readonly constant: string
}}

type Family = 'inet' | 'inet6' | 'unix'

/** All options. */
export const optionTable: {{ readonly [name in OptionName]: OptionRow }} = {{
{entries}}}

/** The fields of `TcpInfo`, in the order in which they cross, the state as its place among the states. */
export const infoFields = [
{}] as const satisfies readonly (keyof TcpInfo)[]

/** The states of a TCP connection. */
export const tcpStates: readonly TcpState[] = [
{}]
",
        read_only.join(" | "),
        STATES.iter().map(|state| format!("  | '{state}'")).collect::<Vec<_>>().join("\n"),
        listed(INFO.iter().map(|field| field.name)),
        listed(STATES.iter().copied()),
    )
}

/// All options in one table of Markdown, with what each system has of them.
pub fn overview() -> String {
    let mut out = format!("| name | constant | value | default | {} |\n", PLATFORMS.map(|(_, name)| name).join(" | "));
    let _ = writeln!(out, "|{}", " --- |".repeat(4 + PLATFORMS.len()));
    for row in TABLE {
        let on = PLATFORMS.map(|(platform, _)| {
            row.systems
                .iter()
                .find(|system| system.platform == platform)
                .map_or("–".to_owned(), |system| cell(row, system))
        });
        let name = row.name;
        let read_only = if row.read_only() { ", read-only" } else { "" };
        let cells = [row.constant.1, row.unit, row.default].map(|text| text.replace('|', "\\|"));
        let _ = writeln!(
            out,
            "| [{name}](#{}) | `{}` | {}{read_only} | {} | {} |",
            name.to_lowercase(),
            cells[0],
            cells[1],
            cells[2],
            on.join(" | ")
        );
    }
    out
}

/// What one system has of an option.
fn cell(row: &Row, system: &System) -> String {
    let remarks = remarks(row, system);
    if remarks.is_empty() {
        "yes".into()
    } else {
        remarks.join("; ")
    }
}

/// What there is to say of an option on one system.
fn remarks(row: &Row, system: &System) -> Vec<String> {
    let mut remarks = Vec::new();
    if !system.since.is_empty() {
        remarks.push(format!("since {}", system.since));
    }
    if !system.constant.is_empty() {
        let constants = system.constant.split(", ").map(|constant| match constant.split_once(" and ") {
            Some((one, other)) => format!("`{one}` and `{other}`"),
            None => format!("`{constant}`"),
        });
        remarks.push(format!("as {}", constants.collect::<Vec<_>>().join(", ")));
    }
    if let Some(families) = system.families.filter(|families| families.len() < row.families.len()) {
        remarks.push(format!("{} only", ticked(families.iter().map(|&family| family_name(family)))));
    }
    remarks
}

/// The doc card and the type of one option.
fn member(row: &Row) -> String {
    let (level, constant) = row.constant;
    let mut out = String::from("  /**\n");
    paragraph(&mut out, row.meaning);
    out.push_str("   *\n");
    let default = if row.default.is_empty() { String::new() } else { format!(", by default {}", row.default) };
    paragraph(&mut out, &format!("`{constant}` of `{level}`. {}{default}.", row.unit));
    out.push_str("   *\n");
    paragraph(&mut out, &format!("*Applies to*: {}.", applies_to(row)));
    paragraph(&mut out, &format!("*Platforms*: {}.", platforms(row)));
    paragraph(&mut out, &format!("*Errors*: {}.", errors(row)));
    let read_only = if row.read_only() { "readonly " } else { "" };
    let kind = match row.value {
        Value::Bool => "boolean".into(),
        Value::Int { .. } | Value::Bits | Value::Millis { .. } | Value::Micros { .. } => "number".into(),
        Value::IntOrNull { .. } | Value::MillisOrNull { .. } => "number | null".into(),
        Value::Choice(words) => words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" | "),
        Value::Error => "string | null".into(),
        Value::Text { .. } => "string".into(),
        Value::Numbers => "readonly number[] | null".into(),
        Value::Info => String::from("TcpInfo"),
    };
    let _ = write!(out, "   */\n  {read_only}{}: {kind}\n", row.name);
    out
}

/// The doc comment and the type of one field of `TcpInfo`.
fn info_member(field: &Field) -> String {
    let mut out = String::from("  /**\n");
    paragraph(&mut out, field.meaning);
    if !field.lacking.is_empty() {
        paragraph(&mut out, &format!("Not told by {}.", field.lacking));
    }
    let kind = match field.state {
        true => "TcpState",
        false if field.lacking.is_empty() => "number",
        false => "number | null",
    };
    let _ = write!(out, "   */\n  readonly {}: {kind}\n", field.name);
    out
}

/// One row of the table.
fn entry(id: usize, row: &Row) -> String {
    let (kind, range) = match row.value {
        Value::Bool => ("bool", None),
        Value::Int { min, max } => ("int", Some((min, max))),
        Value::IntOrNull { max } => ("intOrNull", Some((0, max))),
        Value::Bits => ("bits", Some((0, u32::MAX.into()))),
        Value::Millis { min, max } => ("millis", Some((min, max))),
        Value::MillisOrNull { min, max } => ("millisOrNull", Some((min, max))),
        Value::Micros { max } => ("micros", Some((0, max))),
        Value::Choice(_) => ("choice", None),
        Value::Error => ("error", None),
        Value::Text { longest } => ("text", Some((0, longest as i64))),
        Value::Numbers => ("numbers", Some((0, u8::MAX.into()))),
        Value::Info => ("info", None),
    };
    let mut range = range.map_or(String::new(), |(min, max)| format!("    min: {min},\n    max: {max},\n"));
    if let Value::Choice(words) = row.value {
        range = format!("    words: [{}],\n", quoted(words.iter().copied()));
    }
    let (level, constant) = row.constant;
    let names = |families: &[Family]| quoted(families.iter().map(|&family| family_name(family)));
    let types = row.kinds.iter().map(|&kind| type_name(kind));
    let systems = row
        .systems
        .iter()
        .map(|system| format!("{}: [{}]", system.platform, names(system.families.unwrap_or(row.families))));
    format!(
        "  {}: {{
    id: {id},
    kind: '{kind}',
    readOnly: {},
{range}    families: [{}],
    types: [{}],
    systems: {{ {} }},
    level: '{level}',
    constant: '{constant}',
  }},
",
        row.name,
        row.read_only(),
        names(row.families),
        quoted(types),
        systems.collect::<Vec<_>>().join(", ")
    )
}

const PLATFORMS: [(&str, &str); 4] =
    [("linux", "Linux"), ("darwin", "macOS"), ("freebsd", "FreeBSD"), ("win32", "Windows")];

fn platforms(row: &Row) -> String {
    let (mut has, mut lacks) = (Vec::new(), Vec::new());
    for (platform, name) in PLATFORMS {
        match row.systems.iter().find(|system| system.platform == platform) {
            None => lacks.push(name),
            Some(system) => has.push(match remarks(row, system).join("; ") {
                remarks if remarks.is_empty() => name.to_owned(),
                remarks => format!("{name} ({remarks})"),
            }),
        }
    }
    if lacks.is_empty() {
        return if has.iter().all(|name| !name.contains('(')) { "all".into() } else { has.join(", ") };
    }
    format!("{}; not supported on {}", has.join(", "), lacks.join(", "))
}

fn errors(row: &Row) -> String {
    let mut errors = vec![match row.value {
        _ if row.read_only() => "`ERR_INVALID_ARG_VALUE` when it is set, it can only be read",
        Value::Bool | Value::Error | Value::Info => "`ERR_INVALID_ARG_TYPE`",
        Value::Choice(_) | Value::Text { .. } => "`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`",
        _ => "`ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`",
    }];
    let everywhere = |family| PLATFORMS.iter().all(|(platform, _)| row.on(platform, family).is_some());
    if !row.families.iter().all(|&family| everywhere(family)) {
        errors.push("`ERR_UNSUPPORTED_PLATFORM`");
    }
    if row.systems.iter().any(|system| !system.since.is_empty()) {
        errors.push("`ENOPROTOOPT` on a system that is too old");
    }
    if !row.errors.is_empty() {
        errors.push(row.errors);
    }
    errors.join("; ")
}

fn applies_to(row: &Row) -> String {
    let sockets = match row.kinds.len() {
        4 => "all sockets".to_owned(),
        _ => format!("{} sockets", ticked(row.kinds.iter().map(|&kind| type_name(kind)))),
    };
    match row.families.len() {
        3 => sockets,
        _ => format!("{sockets} of {}", ticked(row.families.iter().map(|&family| family_name(family)))),
    }
}

fn ticked<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("  '{name}',\n")).collect()
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
