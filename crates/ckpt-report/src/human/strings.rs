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
/// Lines are made by the million, and formatting them costs more than finding what they say: what fits its columns, and that
/// is nearly everything, is put into spaces that are there already.
fn push_place(out: &mut Vec<u8>, place: &Place<'_>) {
    match place {
        Place::Memory { task, address, mapping } => {
            let name = mapping.name.as_deref();
            let last =
                name.and_then(|name| name.rsplit(|byte| *byte == b'/').next().or(Some(name)));
            let last = last.filter(|last| !last.is_empty());
            let shown = last.unwrap_or(mapping.kind.word().as_bytes());
            let start = out.len();
            out.extend_from_slice(&[b' '; COLUMNS]);
            let columns = out.last_chunk_mut::<COLUMNS>();
            if columns.is_none_or(|columns| fill(columns, task.pid.0, address.0, shown).is_none()) {
                out.truncate(start);
                let _ = write!(out, "{:>6}  {address:<14}  ", task.pid);
                push_name(out, &escape(shown));
            }
        }
        Place::Artifact { artifact, offset } => {
            let _ = write!(out, "{:>6}  {:<14}  ", "-", format!("+{offset:#x}"));
            push_name(out, &artifact.id);
        }
        _ => {}
    }
}

/// Bytes of the columns of a place, each with two spaces behind it.
const COLUMNS: usize = 6 + 2 + 14 + 2 + NAME + 2;

/// Puts the place into its columns, which are spaces; `None`, and anything in them, when it does not fit.
fn fill(columns: &mut [u8; COLUMNS], pid: u32, address: u64, name: &[u8]) -> Option<()> {
    let (of_pid, rest) = columns.split_first_chunk_mut::<6>()?;
    put_pid(of_pid, pid)?;
    let of_address = rest.get_mut(2..)?.first_chunk_mut::<14>()?;
    put_address(of_address, address)?;
    let of_name = rest.get_mut(2 + 14 + 2..)?.first_chunk_mut::<NAME>()?;
    let fits = name.len() <= NAME && is_plain(name);
    of_name.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    fits.then_some(())
}

/// A number, right-aligned.
fn put_pid(column: &mut [u8; 6], pid: u32) -> Option<()> {
    let mut rest = pid;
    for digit in column.iter_mut().rev() {
        *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        if rest == 0 {
            return Some(());
        }
    }
    None
}

/// An address, left-aligned.
fn put_address(column: &mut [u8; 14], address: u64) -> Option<()> {
    let used = 64_u32.saturating_sub(address.leading_zeros()).div_ceil(4).max(1);
    let free = 12_u32.checked_sub(used)?;
    // The first digit stands first.
    let mut rest = address.checked_shl(free.saturating_mul(4))?;
    let [zero, x, digits @ ..] = column;
    (*zero, *x) = (b'0', b'x');
    for digit in digits.iter_mut().take(used as usize) {
        *digit = HEX.get((rest >> 44 & 0xf) as usize).copied().unwrap_or_default();
        rest <<= 4;
    }
    Some(())
}

const HEX: &[u8; 16] = b"0123456789abcdef";

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

    fn filled(pid: u32, address: u64, name: &[u8]) -> Option<String> {
        let mut columns = [b' '; COLUMNS];
        fill(&mut columns, pid, address, name)?;
        Some(String::from_utf8(columns.to_vec()).unwrap())
    }

    #[test]
    fn columns_are_what_formatting_would_make() {
        for pid in [0, 1, 9, 10, 4_711, 999_999] {
            for bits in 0..48 {
                for address in [1_u64 << bits, (1 << bits) - 1, 0x1234_5678_9abc >> bits] {
                    for name in ["", "[heap]", "sixteen letters!"] {
                        let address_text = format!("{address:#x}");
                        let wanted = format!("{pid:>6}  {address_text:<14}  {name:<16}  ");
                        assert_eq!(filled(pid, address, name.as_bytes()).unwrap(), wanted);
                    }
                }
            }
        }
        assert_eq!(filled(1_000_000, 1, b""), None);
        assert_eq!(filled(1, 1 << 48, b""), None);
        assert_eq!(filled(1, u64::MAX, b""), None);
        for name in [&b"seventeen letters"[..], b"\x1b[31m", b"a\\b", "ä".as_bytes()] {
            assert_eq!(filled(1, 1, name), None);
        }
    }
}
