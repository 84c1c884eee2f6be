//! The bytes that differ, in rows of sixteen.

use bytes::Bytes;
use ckpt_memory::{AddressSpace, Missing, VirtAddr};

use super::pages::{Piece, Side, Stretch, Walk};

/// Bytes of a row.
pub const ROW: u64 = 16;

/// Bytes that are passed over at a time.
const STEP: u64 = 64 << 10;

/// One side of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cells {
    /// Bytes.
    Bytes(Bytes),
    /// Never written: it reads as zeros.
    Zeros,
    /// Not captured, by design.
    NotCaptured,
    /// Not there.
    Missing(Missing),
    /// Nothing is mapped.
    Unmapped,
}

/// A row of bytes that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// Address in the first; `None` where it has nothing to compare.
    pub at_a: Option<VirtAddr>,
    /// Address in the second.
    pub at_b: Option<VirtAddr>,
    /// The first.
    pub a: Cells,
    /// The second.
    pub b: Cells,
    /// Bytes that the row stands for; less than [`ROW`] only next to something that is not aligned.
    pub len: u64,
}

/// Rows that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rows {
    /// By address.
    pub list: Vec<Row>,
    /// There are more.
    pub more: bool,
}

pub(super) fn differing(
    a: &AddressSpace,
    b: &AddressSpace,
    stretch: Stretch,
    limit: usize,
) -> Rows {
    let mut rows = Rows::default();
    for piece in Walk::new(a, b, stretch) {
        if !matches!((&piece.a, &piece.b), (Side::Bytes(_), _) | (_, Side::Bytes(_))) {
            continue;
        }
        let mut at = 0;
        while at < piece.len {
            let step = STEP.min(piece.len.saturating_sub(at));
            if differ(&piece, at, step) {
                let mut within = at;
                let end = at.saturating_add(step);
                while within < end {
                    let into = later(stretch.b.or(stretch.a), piece.offset.saturating_add(within));
                    let into = into.map_or(0, |address| address.0 % ROW);
                    let len = ROW.saturating_sub(into).min(end.saturating_sub(within));
                    if differ(&piece, within, len) {
                        if rows.list.len() >= limit {
                            rows.more = true;
                            return rows;
                        }
                        rows.list.push(row(&piece, within, len, stretch));
                    }
                    within = within.saturating_add(len);
                }
            }
            at = at.saturating_add(step);
        }
    }
    rows
}

fn later(start: Option<VirtAddr>, offset: u64) -> Option<VirtAddr> {
    start.map(|start| VirtAddr(start.0.saturating_add(offset)))
}

fn row(piece: &Piece, from: u64, len: u64, stretch: Stretch) -> Row {
    let offset = piece.offset.saturating_add(from);
    let cells = |side: &Side| match side {
        Side::Bytes(bytes) => Cells::Bytes(bytes.slice_ref(part(bytes, from, len))),
        Side::Zero => Cells::Zeros,
        Side::Clean => Cells::NotCaptured,
        Side::Lost(why) => Cells::Missing(*why),
        Side::Unmapped => Cells::Unmapped,
    };
    Row {
        at_a: later(stretch.a, offset),
        at_b: later(stretch.b, offset),
        a: cells(&piece.a),
        b: cells(&piece.b),
        len,
    }
}

fn part(bytes: &Bytes, from: u64, len: u64) -> &[u8] {
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    let rest = bytes.get(from..).unwrap_or_default();
    rest.get(..usize::try_from(len).unwrap_or(usize::MAX)).unwrap_or(rest)
}

/// Whether a part differs. Where the other side has nothing, bytes other than zeros are shown; where something of it is
/// lost, nobody knows.
fn differ(piece: &Piece, from: u64, len: u64) -> bool {
    match (&piece.a, &piece.b) {
        (Side::Bytes(a), Side::Bytes(b)) => part(a, from, len) != part(b, from, len),
        (Side::Lost(_), _) | (_, Side::Lost(_)) => false,
        (Side::Bytes(bytes), _) | (_, Side::Bytes(bytes)) => {
            part(bytes, from, len).iter().any(|byte| *byte != 0)
        }
        _ => false,
    }
}
