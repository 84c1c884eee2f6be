//! Places that no string crosses, where memory can be taken apart.

use super::utf16::{Order, may_be_text};
use super::window::is_tail;
use crate::part::{Part, position};

/// Bytes beside a place that tell whether it is one.
pub(super) const BESIDE: usize = 8;

/// Where to take memory apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: u64,
    /// A string may cross it: there was no better place.
    pub(super) forced: bool,
}

impl Place {
    /// A place that no string crosses.
    pub(super) fn at(position: u64) -> Self {
        Self { position, forced: false }
    }
}

/// The first place from `from` on; at most `most` bytes on the best that there is: one that only UTF-16 may cross, or one
/// between two characters. Every part that looks from the same position finds the same place.
pub(super) fn first(part: &Part, from: u64, most: usize, utf16: bool, copy: &mut Vec<u8>) -> Place {
    // Most often it is near.
    for look in [most.min(1024), most] {
        let (bytes, base) = around(part, from, position(from, look), copy);
        let mut better = None;
        for at in base..=base.saturating_add(look) {
            let here = position(from, at.saturating_sub(base));
            if at >= bytes.len() {
                // The stretch ends, with all its strings.
                return Place::at(position(from, bytes.len().saturating_sub(base)));
            }
            if text_crosses(bytes, at) {
                continue;
            }
            if !utf16 || !utf16_crosses(bytes, at) {
                return Place::at(here);
            }
            better = better.or(Some(here));
        }
        if look == most {
            let forced = base.saturating_add(look);
            let between = (0..4).find_map(|back| {
                let at = forced.checked_sub(back)?;
                (!is_tail(*bytes.get(at)?)).then(|| position(from, at.saturating_sub(base)))
            });
            let position = better.or(between).unwrap_or(position(from, look));
            return Place { position, forced: true };
        }
    }
    Place::at(from)
}

/// The last place between two positions that no string crosses.
pub(super) fn last(
    part: &Part,
    from: u64,
    to: u64,
    utf16: bool,
    copy: &mut Vec<u8>,
) -> Option<u64> {
    let (bytes, base) = around(part, from, to, copy);
    let end = bytes.len().min(base.saturating_add(crate::part::offset(to, from)));
    let quiet = |at: &usize| !text_crosses(bytes, *at) && (!utf16 || !utf16_crosses(bytes, *at));
    let at = (base..end).rev().find(quiet)?;
    Some(position(from, at.saturating_sub(base)))
}

/// The bytes between two positions and beside them, and where the first position is among them.
fn around<'a>(part: &'a Part, from: u64, to: u64, copy: &'a mut Vec<u8>) -> (&'a [u8], usize) {
    let beside = BESIDE as u64;
    let start = from.saturating_sub(beside).max(part.around().start);
    let bytes = part.bytes(start..to.saturating_add(beside), copy);
    (bytes, crate::part::offset(from, start))
}

/// Whether text in UTF-8 goes on over a place.
fn text_crosses(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return false };
    is_text(bytes, before) && is_text(bytes, at)
}

/// Whether a byte belongs to a character that is text.
fn is_text(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        None => false,
        Some(b' '..=b'~' | b'\t') => true,
        Some(0..0x80) => false,
        Some(0x80..) => (0..4).any(|back| {
            let Some(start) = at.checked_sub(back) else { return false };
            (2..=4).any(|len| {
                let sequence = bytes.get(start..start.saturating_add(len));
                let text = sequence.and_then(|bytes| std::str::from_utf8(bytes).ok());
                let mut chars = text.unwrap_or_default().chars();
                let only = chars.next().filter(|c| !c.is_control() && c.len_utf8() == len);
                only.is_some() && back < len
            })
        }),
    }
}

/// Whether a row of units of UTF-16 may go on over a place.
fn utf16_crosses(bytes: &[u8], at: usize) -> bool {
    [Order::Little, Order::Big].into_iter().any(|order| {
        let unit = |back: usize| {
            at.checked_sub(back).is_some_and(|start| may_be_text(bytes, start, order))
        };
        unit(1) || (unit(2) && unit(0))
    })
}
