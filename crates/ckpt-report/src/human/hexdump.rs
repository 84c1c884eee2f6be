//! Memory as hexadecimal digits and characters.

use std::fmt;
use std::io::{self, Write};

use ckpt_memory::{AddrRange, AddressSpace, Mapping, Origin, Span, VirtAddr};
use ckpt_model::{Task, escape};

use super::layout::{Layout, Palette, paint};
use super::units::size;

/// Bytes of a line.
const LINE: usize = 16;

/// Columns of the digits: 16 times two digits and a space, a wider gap in the middle.
const DIGITS: usize = LINE * 3 + 1;

/// Up to so many zeros are written as lines, of which repeated ones are folded.
static SHORT: [u8; 256] = [0; 256];

/// Writes what lies in a range in the manner of `hexdump -C`: address, digits, characters; lines that repeat
/// are folded to `*`. Mappings are named where they begin; what was never written and what is missing is told in a line.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn hexdump<W: Write>(
    out: &mut W,
    space: &AddressSpace,
    range: AddrRange,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let mut lines = Lines::default();
    let mut named: Option<VirtAddr> = None;
    let mut origin: Option<Shown> = None;
    for span in space.spans(range.start, range.len()) {
        let mapping = space.mapping_at(span.start());
        if let Some(mapping) = mapping
            && named != Some(mapping.start)
        {
            lines.forget();
            origin = None;
            named = Some(mapping.start);
            writeln!(out, "{}", paint(palette.heading, &title(mapping)))?;
        }
        match span {
            Span::Bytes { start, bytes, origin: from } => {
                let from = Shown::From(from);
                if origin.as_ref() != Some(&from) {
                    lines.forget();
                    writeln!(out, "{}", paint(palette.dim, &format!("-- {from}")))?;
                    origin = Some(from);
                }
                lines.write(out, start, &bytes)?;
            }
            Span::Zero { start, len } if len <= SHORT.len() as u64 => {
                if origin != Some(Shown::Zeros) {
                    lines.forget();
                    let text = format!("-- {}", Shown::Zeros);
                    writeln!(out, "{}", paint(palette.dim, &text))?;
                    origin = Some(Shown::Zeros);
                }
                let len = usize::try_from(len).unwrap_or(0);
                lines.write(out, start, SHORT.get(..len).unwrap_or_default())?;
            }
            Span::Zero { start, len } => {
                lines.forget();
                origin = None;
                let text = format!("-- {start:#x}: {} of zeros, never written", size(len));
                writeln!(out, "{}", paint(palette.dim, &text))?;
            }
            Span::Missing { start, len, why } => {
                lines.forget();
                origin = None;
                let text = format!("-- {start:#x}: {} {why}", size(len));
                writeln!(out, "{}", paint(palette.warning, &text))?;
            }
        }
    }
    Ok(())
}

/// What the lines under an origin are.
#[derive(PartialEq)]
enum Shown {
    From(Origin),
    Zeros,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(origin) => origin.fmt(f),
            Self::Zeros => f.write_str("zeros, never written"),
        }
    }
}

/// Names a process above its dump.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn process_title<W: Write>(out: &mut W, task: &Task, layout: &Layout) -> io::Result<()> {
    let palette = Palette::of(layout);
    let comm = task.comm.as_ref().map(|comm| format!(" {}", comm.escaped())).unwrap_or_default();
    writeln!(out, "{}", paint(palette.name, &format!("process {}{comm}", task.pid)))
}

fn title(mapping: &Mapping) -> String {
    let name = mapping.name.as_deref().map(|name| format!(" {}", escape(name)));
    format!(
        "{:012x}-{:012x} {} {}{}",
        mapping.start,
        mapping.end,
        mapping.perms(),
        mapping.kind.word(),
        name.unwrap_or_default()
    )
}

/// The two digits of every byte.
static HEX: [[u8; 2]; 256] = hex_table();

const fn hex_table() -> [[u8; 2]; 256] {
    const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[byte] = [HEX_DIGITS[byte >> 4], HEX_DIGITS[byte & 15]];
        }
        byte += 1;
    }
    table
}

/// Lines, with those folded that repeat.
#[derive(Debug, Default)]
struct Lines {
    last: Option<[u8; LINE]>,
    folded: bool,
}

impl Lines {
    /// The next line is written whatever it is.
    fn forget(&mut self) {
        *self = Self::default();
    }

    fn write<W: Write>(&mut self, out: &mut W, start: VirtAddr, bytes: &[u8]) -> io::Result<()> {
        let (whole, rest) = bytes.as_chunks::<LINE>();
        for (number, line) in (0u64..).zip(whole) {
            if self.last.as_ref() == Some(line) {
                if !self.folded {
                    self.folded = true;
                    out.write_all(b"*\n")?;
                }
                continue;
            }
            self.last = Some(*line);
            self.folded = false;
            let at = start.0.saturating_add(number.saturating_mul(16));
            out.write_all(narrow(at, &text(at, line)))?;
        }
        if !rest.is_empty() {
            self.forget();
            let at = start.0.saturating_add(whole.as_flattened().len() as u64);
            out.write_all(narrow(at, &short(at, rest)))?;
        }
        Ok(())
    }
}

/// Digits of an address that fits no fewer.
const ADDRESS: usize = 16;

/// Digits of an address of user space, which most are: a line of them has 80 columns.
const SHORT_ADDRESS: usize = 12;

/// Address, a space, digits, a bar, characters, a bar and a newline.
const TEXT: usize = ADDRESS + 1 + DIGITS + 1 + LINE + 2;

/// A line without the leading digits of an address that does not need them.
fn narrow(at: u64, line: &[u8]) -> &[u8] {
    let unneeded = if at >> (4 * SHORT_ADDRESS) == 0 { ADDRESS - SHORT_ADDRESS } else { 0 };
    line.get(unneeded..).unwrap_or_default()
}

/// A whole line.
fn text(at: u64, line: &[u8; LINE]) -> [u8; TEXT] {
    let mut text = [b' '; TEXT];
    let (address, rest) = text.split_at_mut(ADDRESS);
    for (digits, byte) in address.chunks_exact_mut(2).zip(at.to_be_bytes()) {
        digits.copy_from_slice(HEX.get(usize::from(byte)).unwrap_or(&[b'?'; 2]));
    }
    let (digits, characters) = rest.split_at_mut(1 + DIGITS + 1);
    let (left, right) = digits.split_at_mut(1 + LINE / 2 * 3 + 1);
    let cells = left.get_mut(1..).unwrap_or_default().chunks_exact_mut(3);
    let cells = cells.take(LINE / 2).chain(right.chunks_exact_mut(3));
    for (cell, byte) in cells.zip(line) {
        if let ([high, low, _], Some([a, b])) = (cell, HEX.get(usize::from(*byte))) {
            (*high, *low) = (*a, *b);
        }
    }
    if let Some(bar) = digits.last_mut() {
        *bar = b'|';
    }
    for (character, byte) in characters.iter_mut().zip(line) {
        *character = if matches!(byte, b' '..=b'~') { *byte } else { b'.' };
    }
    if let Some([.., bar, newline]) = characters.get_mut(LINE..) {
        (*bar, *newline) = (b'|', b'\n');
    }
    text
}

/// A line of fewer bytes.
fn short(at: u64, bytes: &[u8]) -> Vec<u8> {
    let mut line = [0; LINE];
    for (to, from) in line.iter_mut().zip(bytes) {
        *to = *from;
    }
    let mut text = text(at, &line).to_vec();
    let gap = usize::from(bytes.len() > LINE / 2);
    let digits =
        ADDRESS.saturating_add(1).saturating_add(bytes.len().saturating_mul(3)).saturating_add(gap);
    let bar = ADDRESS + 1 + DIGITS;
    for (place, byte) in text.iter_mut().enumerate() {
        if place >= digits && place < bar {
            *byte = b' ';
        }
    }
    text.truncate(bar.saturating_add(1).saturating_add(bytes.len()));
    text.extend_from_slice(b"|\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(start: u64, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        Lines::default().write(&mut out, VirtAddr(start), bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn as_hexdump_writes_it() {
        let bytes: Vec<u8> = (b'A'..=b'P').chain([0, 0x1b, 0xff]).collect();
        assert_eq!(
            lines(0x7f00_1000, &bytes),
            "00007f001000 41 42 43 44 45 46 47 48  49 4a 4b 4c 4d 4e 4f 50 |ABCDEFGHIJKLMNOP|\n\
             00007f001010 00 1b ff                                         |...|\n"
        );
        assert_eq!(lines(0x7fff_ffff_f000, &bytes[..16]).trim_end().len(), 80);
        assert!(lines(0xffff_ffff_ff60_0000, &bytes).starts_with("ffffffffff600000 41 42"));
    }

    #[test]
    fn what_repeats_is_folded() {
        assert_eq!(lines(0, &[0; 64]).lines().collect::<Vec<_>>().len(), 2);
        let mut bytes = [0; 64];
        bytes[63] = 1;
        let text = lines(0, &bytes);
        let mut told = text.lines();
        assert!(told.next().unwrap().starts_with("000000000000 00 00"));
        assert_eq!(told.next(), Some("*"));
        assert!(told.next().unwrap().starts_with("000000000030 00 00"));
    }

    #[test]
    fn every_length_of_a_last_line_is_aligned() {
        for len in 1..=16 {
            let text = lines(0, &vec![b'x'; len]);
            assert_eq!(text.find('|'), Some(SHORT_ADDRESS + 1 + DIGITS), "{text}");
            assert_eq!(text.matches('x').count(), len);
            assert_eq!(text.matches("78").count(), len);
        }
    }
}
