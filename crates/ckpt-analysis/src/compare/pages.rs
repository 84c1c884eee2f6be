//! Two stretches of memory, walked in step.
//!
//! Both address spaces give their spans; where both have bytes these are compared in large pieces, and only a piece that
//! differs is taken apart into pages. What neither holds costs nothing, however long it is.

use bytes::Bytes;
use ckpt_memory::{AddressSpace, Missing, Span, Spans, VirtAddr};

/// Pages of a stretch by how they compare. A page is as large as the larger of the two page sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PageCounts {
    /// Captured in both, and not the same.
    pub changed: u64,
    /// Captured in the second alone: written since, or copied from the mapped file, or in a new mapping. A page of zeros
    /// where the first reads as zeros is the same.
    pub added: u64,
    /// Captured in the first alone: given back, or clean again, or unmapped.
    pub removed: u64,
    /// One of the two should have been captured and is not there: in a parent that is missing, cut off, damaged.
    pub unknown: u64,
}

impl PageCounts {
    /// Whether anything differs.
    #[must_use]
    pub fn differ(&self) -> bool {
        self.changed > 0 || self.added > 0 || self.removed > 0
    }

    /// Adds the counts of another part.
    pub(super) fn add(&mut self, other: Self) {
        self.changed = self.changed.saturating_add(other.changed);
        self.added = self.added.saturating_add(other.added);
        self.removed = self.removed.saturating_add(other.removed);
        self.unknown = self.unknown.saturating_add(other.unknown);
    }

    fn of(&mut self, verdict: Verdict) -> Option<&mut u64> {
        match verdict {
            Verdict::Same => None,
            Verdict::Unknown => Some(&mut self.unknown),
            Verdict::Removed => Some(&mut self.removed),
            Verdict::Added => Some(&mut self.added),
            Verdict::Changed => Some(&mut self.changed),
        }
    }
}

/// How a page compares. Of a page that is in parts this and that, the last in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Same,
    Unknown,
    Removed,
    Added,
    Changed,
}

/// Two stretches of one length, in the first and in the second address space. A side that has nothing to compare with has
/// no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stretch {
    pub(super) a: Option<VirtAddr>,
    pub(super) b: Option<VirtAddr>,
    pub(super) len: u64,
}

impl Stretch {
    /// Both from the same address on.
    pub(super) fn at(start: VirtAddr, end: VirtAddr) -> Self {
        Self { a: Some(start), b: Some(start), len: end.since(start) }
    }

    /// Where pages are counted from: the second side, if it has an address.
    fn start(&self) -> u64 {
        self.b.or(self.a).unwrap_or_default().0
    }

    /// The stretch in parts that end at multiples of `size`.
    pub(super) fn parts(self, size: u64) -> impl Iterator<Item = Self> {
        let size = size.max(1);
        let mut from = 0;
        std::iter::from_fn(move || {
            let left = self.len.checked_sub(from).filter(|left| *left > 0)?;
            let start = self.start().saturating_add(from);
            let to_multiple = size.saturating_sub(start.checked_rem(size).unwrap_or_default());
            let len = left.min(to_multiple);
            let later = |at: VirtAddr| VirtAddr(at.0.saturating_add(from));
            let part = Self { a: self.a.map(later), b: self.b.map(later), len };
            from = from.saturating_add(len);
            Some(part)
        })
    }
}

/// What one address space has of a piece.
#[derive(Clone, Debug)]
pub(super) enum Side {
    /// Bytes.
    Bytes(Bytes),
    /// Memory that reads as zeros.
    Zero,
    /// Never captured by design: a clean page of a file, memory of the kernel.
    Clean,
    /// It should be there.
    Lost(Missing),
    /// Nothing is mapped, or nothing can be read.
    Unmapped,
}

/// A piece of the walk.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Bytes from the start of the stretch.
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) a: Side,
    pub(super) b: Side,
}

/// The pieces of a stretch, without gaps.
pub(super) struct Walk<'a> {
    a: Source<'a>,
    b: Source<'a>,
    offset: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(a: &'a AddressSpace, b: &'a AddressSpace, stretch: Stretch) -> Self {
        let source = |space: &'a AddressSpace, start: Option<VirtAddr>| Source {
            spans: start.map(|start| space.spans(start, stretch.len)),
            left: if start.is_some() { 0 } else { stretch.len },
            side: Side::Unmapped,
        };
        Self { a: source(a, stretch.a), b: source(b, stretch.b), offset: 0 }
    }
}

impl Iterator for Walk<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let len = self.a.left()?.min(self.b.left()?);
        if len == 0 {
            return None;
        }
        let piece = Piece { offset: self.offset, len, a: self.a.take(len), b: self.b.take(len) };
        self.offset = self.offset.saturating_add(len);
        Some(piece)
    }
}

/// The spans of one side; of the current one what is left.
struct Source<'a> {
    /// `None` when there is nothing on this side.
    spans: Option<Spans<'a>>,
    left: u64,
    side: Side,
}

impl Source<'_> {
    fn left(&mut self) -> Option<u64> {
        if self.left == 0 {
            (self.left, self.side) = side(self.spans.as_mut()?.next()?);
        }
        Some(self.left)
    }

    fn take(&mut self, len: u64) -> Side {
        self.left = self.left.saturating_sub(len);
        match &mut self.side {
            Side::Bytes(bytes) => {
                let at = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
                Side::Bytes(bytes.split_to(at))
            }
            side => side.clone(),
        }
    }
}

fn side(span: Span) -> (u64, Side) {
    match span {
        Span::Bytes { bytes, .. } => (bytes.len() as u64, Side::Bytes(bytes)),
        Span::Zero { len, .. } => (len, Side::Zero),
        Span::Missing { len, why, .. } => {
            let side = match why {
                // A process that reads there is killed: there is no content to differ.
                Missing::Unmapped | Missing::Guard | Missing::BeyondEnd => Side::Unmapped,
                Missing::FileBacked
                | Missing::FileDiffers
                | Missing::KernelOwned
                | Missing::Droppable => Side::Clean,
                why => Side::Lost(why),
            };
            (len, side)
        }
    }
}

/// Counts the pages of a stretch. `page` in bytes, a power of two; pages are aligned in the second address space.
pub(super) fn count(a: &AddressSpace, b: &AddressSpace, stretch: Stretch, page: u64) -> PageCounts {
    let mut tally = Tally { page: page.max(1), counts: PageCounts::default(), open: None };
    for piece in Walk::new(a, b, stretch) {
        let start = stretch.start().saturating_add(piece.offset);
        tally.piece(start, &piece);
    }
    tally.settle();
    tally.counts
}

/// Counts pages that come in address order, perhaps in parts.
struct Tally {
    page: u64,
    counts: PageCounts,
    /// A page of which a part is known: its number and the verdict so far.
    open: Option<(u64, Verdict)>,
}

impl Tally {
    fn piece(&mut self, start: u64, piece: &Piece) {
        let number = |address: u64| address.checked_div(self.page).unwrap_or_default();
        let into = start.checked_rem(self.page).unwrap_or_default();
        // Up to the first page boundary, whole pages, and what is left of a last one.
        let head = if into == 0 { 0 } else { self.page.saturating_sub(into).min(piece.len) };
        let whole = piece.len.saturating_sub(head);
        let whole = whole.saturating_sub(whole.checked_rem(self.page).unwrap_or_default());
        let tail = piece.len.saturating_sub(head).saturating_sub(whole);
        let first = number(start);
        let last = number(start.saturating_add(head).saturating_add(whole));
        if head > 0 {
            self.part(first, compare(piece, 0, head));
        }
        if whole > 0 {
            self.pages(piece, head, whole);
        }
        if tail > 0 {
            self.part(last, compare(piece, head.saturating_add(whole), tail));
        }
    }

    fn part(&mut self, number: u64, verdict: Verdict) {
        match &mut self.open {
            Some((open, so_far)) if *open == number => *so_far = verdict.max(*so_far),
            _ => {
                self.settle();
                self.open = Some((number, verdict));
            }
        }
    }

    fn settle(&mut self) {
        let verdict = self.open.take().map(|(_, verdict)| verdict);
        self.add(verdict.unwrap_or(Verdict::Same), 1);
    }

    fn add(&mut self, verdict: Verdict, pages: u64) {
        if let Some(count) = self.counts.of(verdict) {
            *count = count.saturating_add(pages);
        }
    }

    fn pages(&mut self, piece: &Piece, from: u64, len: u64) {
        if let Some(verdict) = at_once(&piece.a, &piece.b) {
            self.add(verdict, len.checked_div(self.page).unwrap_or_default());
            return;
        }
        let mut at = from;
        let end = from.saturating_add(len);
        while at < end {
            let step = STEP.max(self.page).min(end.saturating_sub(at));
            if compare(piece, at, step) != Verdict::Same {
                let mut within = 0;
                while within < step {
                    let verdict = compare(piece, at.saturating_add(within), self.page);
                    self.add(verdict, 1);
                    within = within.saturating_add(self.page);
                }
            }
            at = at.saturating_add(step);
        }
    }
}

/// Bytes that are compared at a time.
const STEP: u64 = 64 << 10;

/// The verdict where it does not depend on a byte.
fn at_once(a: &Side, b: &Side) -> Option<Verdict> {
    Some(match (a, b) {
        (Side::Lost(_), _) | (_, Side::Lost(_)) => Verdict::Unknown,
        (Side::Bytes(_), Side::Bytes(_) | Side::Zero) | (Side::Zero, Side::Bytes(_)) => {
            return None;
        }
        (Side::Bytes(_), Side::Clean | Side::Unmapped) => Verdict::Removed,
        (Side::Clean | Side::Unmapped, Side::Bytes(_)) => Verdict::Added,
        // A mapping of a file took the place of an anonymous one, or the other way round; only the file could tell.
        (Side::Zero, Side::Clean) | (Side::Clean, Side::Zero) => Verdict::Unknown,
        _ => Verdict::Same,
    })
}

/// Compares `len` bytes from `from` on.
fn compare(piece: &Piece, from: u64, len: u64) -> Verdict {
    if let Some(verdict) = at_once(&piece.a, &piece.b) {
        return verdict;
    }
    let part = |bytes: &'_ Bytes| -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(from).ok()?;
        let to = from.checked_add(usize::try_from(len).ok()?)?.min(bytes.len());
        Some(from..to)
    };
    fn slice(bytes: &Bytes, range: Option<std::ops::Range<usize>>) -> &[u8] {
        range.and_then(|range| bytes.get(range)).unwrap_or_default()
    }
    match (&piece.a, &piece.b) {
        (Side::Bytes(a), Side::Bytes(b)) => {
            let same = slice(a, part(a)) == slice(b, part(b));
            if same { Verdict::Same } else { Verdict::Changed }
        }
        (Side::Bytes(bytes), _) => {
            if is_zero(slice(bytes, part(bytes))) {
                Verdict::Same
            } else {
                Verdict::Removed
            }
        }
        (_, Side::Bytes(bytes)) => {
            if is_zero(slice(bytes, part(bytes))) {
                Verdict::Same
            } else {
                Verdict::Added
            }
        }
        _ => Verdict::Same,
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

#[cfg(test)]
mod tests;
