//! A part of the haystack, as a scanner is given it.

use std::ops::Range;

use bytes::Bytes;

use crate::carry::{CarryIn, CarryOut};

/// Bytes of a region that lie together in memory.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Number of the region, see [`Haystack::places`](crate::Haystack::places).
    pub region: usize,
    /// Position of the first byte: an address, or an offset in a file.
    pub start: u64,
    /// The bytes, of which there are some.
    pub bytes: Bytes,
}

impl Piece {
    /// Position behind the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }
}

/// A range of positions to search, with bytes of the same stretch around it.
///
/// A *stretch* is a row of bytes with positions that follow one another, as long as it goes: over page, run and mapping
/// boundaries, up to memory that was never written or is not there. Long stretches are cut into parts; what lies around a
/// part is there so that what crosses its ends can be found all the same.
#[derive(Debug)]
pub struct Part {
    /// Number of the region.
    pub(crate) region: usize,
    /// By position, each beginning where the one before it ends.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) core: Range<u64>,
    pub(crate) opens: bool,
    pub(crate) closes: bool,
    pub(crate) carry_in: Option<CarryIn>,
    pub(crate) carry_out: Option<CarryOut>,
}

impl Part {
    /// Number of the region.
    #[must_use]
    pub fn region(&self) -> usize {
        self.region
    }

    /// The positions that are this part's own: a hit belongs to the part in which it starts.
    #[must_use]
    pub fn core(&self) -> Range<u64> {
        self.core.clone()
    }

    /// The positions of all bytes that are at hand.
    #[must_use]
    pub fn around(&self) -> Range<u64> {
        let start = self.pieces.first().map_or(self.core.start, |piece| piece.start);
        start..self.pieces.last().map_or(self.core.end, Piece::end)
    }

    /// Whether the stretch begins with this part.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.opens
    }

    /// Whether the stretch ends with this part.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// The bytes of a range, as far as they are at hand: a slice of the evidence where they lie in one piece, else
    /// copied to `copy`.
    #[must_use]
    pub fn bytes<'a>(&'a self, range: Range<u64>, copy: &'a mut Vec<u8>) -> &'a [u8] {
        let around = self.around();
        let range = range.start.max(around.start)..range.end.min(around.end);
        if range.start >= range.end {
            return &[];
        }
        let first = self.pieces.partition_point(|piece| piece.end() <= range.start);
        let pieces = self.pieces.get(first..).unwrap_or_default();
        match pieces.first() {
            Some(piece) if range.end <= piece.end() => clip(piece, &range),
            _ => {
                copy.clear();
                for piece in pieces.iter().take_while(|piece| piece.start < range.end) {
                    copy.extend_from_slice(clip(piece, &range));
                }
                copy
            }
        }
    }

    /// Where the piece that holds a position ends.
    pub(crate) fn piece_end(&self, position: u64) -> u64 {
        let at = self.pieces.partition_point(|piece| piece.end() <= position);
        self.pieces.get(at).map_or(position, Piece::end)
    }
}

/// The bytes of a piece that lie in a range which meets it.
fn clip<'a>(piece: &'a Piece, range: &Range<u64>) -> &'a [u8] {
    let clamp = |position: u64| {
        let offset = position.saturating_sub(piece.start);
        usize::try_from(offset).unwrap_or(usize::MAX).min(piece.bytes.len())
    };
    piece.bytes.get(clamp(range.start)..clamp(range.end)).unwrap_or_default()
}

/// Positions as offsets from `base`.
pub(crate) fn offset(position: u64, base: u64) -> usize {
    usize::try_from(position.saturating_sub(base)).unwrap_or(usize::MAX)
}

/// An offset from `base` as a position.
pub(crate) fn position(base: u64, offset: usize) -> u64 {
    base.saturating_add(offset as u64)
}
