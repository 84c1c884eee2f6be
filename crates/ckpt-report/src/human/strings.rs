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
    out.extend_from_slice(b"  ");
    let word = found.encoding.word();
    out.extend_from_slice(word.as_bytes());
    out.resize(out.len().saturating_add(9_usize.saturating_sub(word.len())), b' ');
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
fn push_place(out: &mut Vec<u8>, place: &Place<'_>) {
    match place {
        Place::Memory { task, address, mapping } => {
            push_number(out, u64::from(task.pid.0), 6);
            out.extend_from_slice(b"  ");
            push_address(out, address.0);
            out.extend_from_slice(b"  ");
            push_name(out, mapping.name.as_deref(), mapping.kind.word());
        }
        Place::Artifact { artifact, offset } => {
            let _ = write!(out, "{:>6}  {:<14}  ", "-", format!("+{offset:#x}"));
            push_name(out, None, &artifact.id);
        }
        _ => {}
    }
}

/// A number, right-aligned. Lines are made by the million, and formatting costs more than finding them.
fn push_number(out: &mut Vec<u8>, number: u64, width: usize) {
    let mut digits = [b' '; 20];
    let mut rest = number;
    let mut used = 0_usize;
    for digit in digits.iter_mut().rev() {
        *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    let from = digits.len().saturating_sub(used.max(width));
    out.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// An address, left-aligned in 14 columns.
fn push_address(out: &mut Vec<u8>, address: u64) {
    let mut text = [b' '; 18];
    let mut rest = address;
    let mut used = 0_usize;
    for digit in text.iter_mut().rev() {
        *digit = HEX.get((rest & 0xf) as usize).copied().unwrap_or_default();
        rest >>= 4;
        used = used.saturating_add(1);
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(b"0x");
    out.extend_from_slice(text.get(text.len().saturating_sub(used)..).unwrap_or_default());
    out.extend_from_slice(b"            ".get(used..).unwrap_or_default());
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The last part of a path or a word in brackets, in [`NAME`] columns.
fn push_name(out: &mut Vec<u8>, name: Option<&[u8]>, kind: &str) {
    let last = name.map(|name| name.rsplit(|byte| *byte == b'/').next().unwrap_or(name));
    let last = last.filter(|last| !last.is_empty());
    if let Some(last) = last
        && last.len() <= NAME
        && is_plain(last)
    {
        out.extend_from_slice(last);
        out.resize(out.len().saturating_add(NAME.saturating_sub(last.len())), b' ');
        return;
    }
    let text = last.map_or(Cow::Borrowed(kind), escape);
    let width = columns(&text);
    if width <= NAME {
        out.extend_from_slice(text.as_bytes());
        out.resize(out.len() + (NAME - width), b' ');
    } else {
        let short = cut(&text, NAME);
        out.extend_from_slice(short.as_bytes());
        out.resize(out.len() + NAME.saturating_sub(columns(&short)), b' ');
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
