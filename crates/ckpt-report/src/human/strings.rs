//! `strings`: one line for each, which stands by itself, so that it can be searched and sorted.

use std::borrow::Cow;
use std::io::{self, Write};

use ckpt_model::escape;
use ckpt_scan::strings::{Encoding, decode};
use ckpt_scan::{Found, Place};

use super::columns::{columns, cut};
use super::layout::{Layout, Palette, paint};

/// Columns of the name of a mapping.
const NAME: usize = 16;

/// Most pids that a line lists.
const MOST_PIDS: usize = 8;

/// Writes the line of titles; with counts for `--unique`.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn strings_heading<W: Write>(out: &mut W, counts: bool, layout: &Layout) -> io::Result<()> {
    let count = if counts { format!("{:>8}  ", "COUNT") } else { String::new() };
    let heading =
        format!("{count}{:>6}  {:<14}  {:<NAME$}  {:<7}  TEXT", "PID", "ADDRESS", "MAPPING", "AS");
    writeln!(out, "{}", paint(Palette::of(layout).heading, &heading))
}

/// Adds the line of a string, which is at `places`.
pub fn string_line(
    out: &mut Vec<u8>,
    found: &Found,
    bytes: &[u8],
    places: &[Place<'_>],
    count: Option<u64>,
    layout: &Layout,
) {
    let Some((place, others)) = places.split_first() else { return };
    let start = out.len();
    if let Some(count) = count {
        let _ = write!(out, "{count:>8}  ");
    }
    push_place(out, place);
    out.extend_from_slice(encoding_column(found.encoding));
    if found.continued {
        out.extend_from_slice("…".as_bytes());
    }
    push_text(out, bytes, found.encoding);
    if found.continues {
        out.extend_from_slice("…".as_bytes());
    }
    push_also(out, place, others);
    if let Some(width) = layout.width {
        let line = String::from_utf8_lossy(out.get(start..).unwrap_or_default());
        if columns(&line) > width {
            let line = cut(&line, width);
            out.truncate(start);
            out.extend_from_slice(line.as_bytes());
        }
    }
    out.push(b'\n');
}

/// Process, address and mapping, or the artifact.
///
/// Lines are made by the million, and formatting them costs more than finding what they say: what fits its column, and that
/// is nearly everything, is an array of fixed size, which is put down without a call.
fn push_place(out: &mut Vec<u8>, place: &Place<'_>) {
    match place {
        Place::Memory { task, address, mapping } => {
            match pid_column(task.pid.0) {
                Some(column) => out.extend_from_slice(&column),
                None => drop(write!(out, "{:>6}  ", task.pid)),
            }
            match address_column(address.0) {
                Some(column) => out.extend_from_slice(&column),
                None => drop(write!(out, "{address:<14}  ")),
            }
            let name = mapping.name.as_deref();
            let last =
                name.and_then(|name| name.rsplit(|byte| *byte == b'/').next().or(Some(name)));
            let last = last.filter(|last| !last.is_empty());
            let shown = last.unwrap_or(mapping.kind.word().as_bytes());
            match name_column(shown) {
                Some(column) => out.extend_from_slice(&column),
                None => push_name(out, &escape(shown)),
            }
        }
        Place::Artifact { artifact, offset } => {
            let _ = write!(out, "{:>6}  {:<14}  ", "-", format!("+{offset:#x}"));
            push_name(out, &artifact.id);
        }
        _ => {}
    }
}

/// A number, right-aligned, and two spaces.
fn pid_column(pid: u32) -> Option<[u8; 6 + 2]> {
    let mut column = [b' '; 6 + 2];
    let mut rest = pid;
    for digit in column.iter_mut().rev().skip(2) {
        *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        if rest == 0 {
            return Some(column);
        }
    }
    None
}

/// An address, left-aligned, and two spaces.
fn address_column(address: u64) -> Option<[u8; 14 + 2]> {
    let used = 64_u32.saturating_sub(address.leading_zeros()).div_ceil(4).max(1);
    let free = 12_u32.checked_sub(used)?;
    // The first digit stands first.
    let mut rest = address.checked_shl(free.saturating_mul(4))?;
    let mut column = [b' '; 14 + 2];
    let [zero, x, digits @ ..] = &mut column;
    (*zero, *x) = (b'0', b'x');
    for digit in digits.iter_mut().take(used as usize) {
        *digit = HEX.get((rest >> 44 & 0xf) as usize).copied().unwrap_or_default();
        rest <<= 4;
    }
    Some(column)
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A plain name, left-aligned, and two spaces.
fn name_column(name: &[u8]) -> Option<[u8; NAME + 2]> {
    if name.len() > NAME || !is_plain(name) {
        return None;
    }
    let mut column = [b' '; NAME + 2];
    column.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    Some(column)
}

/// Any name in its columns, and two spaces.
fn push_name(out: &mut Vec<u8>, name: &str) {
    let short =
        if columns(name) > NAME { Cow::Owned(cut(name, NAME)) } else { Cow::Borrowed(name) };
    let free = NAME.saturating_sub(columns(&short)).saturating_add(2);
    out.extend_from_slice(short.as_bytes());
    out.resize(out.len().saturating_add(free), b' ');
}

/// How the bytes are read, and two spaces.
fn encoding_column(encoding: Encoding) -> &'static [u8; 7 + 2] {
    match encoding {
        Encoding::Ascii => b"ascii    ",
        Encoding::Utf8 => b"utf8     ",
        Encoding::Utf16Le => b"utf16le  ",
        Encoding::Utf16Be => b"utf16be  ",
        _ => b"bytes    ",
    }
}

/// Whether bytes are ASCII that goes to a terminal as it is. Looks at all of them, which is many at once.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & (*byte != b'\\'))
}

/// Text without a control byte.
fn push_text(out: &mut Vec<u8>, bytes: &[u8], encoding: Encoding) {
    if encoding == Encoding::Ascii && is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        out.extend_from_slice(escape(&decode(bytes, encoding)).as_bytes());
    }
}

/// `  (also in pid 4, 6)`: other places of the same bytes; with the address where that is another.
fn push_also(out: &mut Vec<u8>, first: &Place<'_>, others: &[Place<'_>]) {
    let Place::Memory { address: here, .. } = first else { return };
    let mut before = "  (also in pid ";
    for place in others.iter().take(MOST_PIDS) {
        if let Place::Memory { task, address, .. } = place {
            let _ = write!(out, "{before}{}", task.pid);
            if address != here {
                let _ = write!(out, " at {address}");
            }
            before = ", ";
        }
    }
    let more = others.len().saturating_sub(MOST_PIDS);
    if more > 0 {
        let _ = write!(out, " and {more} more");
    }
    if !others.is_empty() {
        out.push(b')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_what_formatting_would_make() {
        for pid in [0, 1, 9, 10, 4_711, 999_999] {
            assert_eq!(pid_column(pid).unwrap(), format!("{pid:>6}  ").as_bytes(), "{pid}");
        }
        assert_eq!(pid_column(1_000_000), None);
        for bits in 0..48 {
            for address in [1_u64 << bits, (1 << bits) - 1, 0x1234_5678_9abc >> bits] {
                let wanted = format!("{:<14}  ", format!("{address:#x}"));
                assert_eq!(address_column(address).unwrap(), wanted.as_bytes());
            }
        }
        assert_eq!(address_column(1 << 48), None);
        assert_eq!(address_column(u64::MAX), None);
        assert_eq!(&name_column(b"[heap]").unwrap(), b"[heap]            ");
        for name in [&b"seventeen letters"[..], b"\x1b[31m", b"a\\b", "ä".as_bytes()] {
            assert_eq!(name_column(name), None);
        }
    }
}
