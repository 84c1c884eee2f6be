//! Many literals at once: where does one of them stand?
//!
//! Of each literal four bytes are chosen that hardly ever stand together, and literals whose four are alike share one of
//! sixteen buckets. What buckets a byte is in, at the first to the fourth place, are lookups by its two halves, done for 64
//! bytes at once ([`kernel`]); where all four places agree on a bucket, its literals are compared. The idea is that of
//! Hyperscan's "Teddy".

mod buckets;
mod kernel;

use std::ops::Range;

use buckets::{Bucket, Mark};
use kernel::Tables;

/// Bytes of a literal that are looked up.
const MARK: usize = 4;

/// Literals to be found, by bucket.
#[derive(Debug)]
pub(crate) struct Anchors {
    literals: Vec<Literal>,
    buckets: Vec<Range<usize>>,
    tables: Tables,
    /// The largest offset of a mark in its literal.
    furthest: usize,
    /// Whether ASCII letters of either case are the same.
    ignore_case: bool,
}

#[derive(Debug)]
struct Literal {
    bytes: Vec<u8>,
    /// Its place among those that were given.
    number: usize,
    /// Offset of its mark.
    mark: usize,
}

/// A literal that stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Anchor {
    /// Offset of its first byte.
    pub(crate) start: usize,
    /// Which, in the order in which they were given.
    pub(crate) number: usize,
    /// Its bytes.
    pub(crate) len: usize,
}

impl Anchors {
    /// To find these, the empty ones left out; ASCII letters in either case with `ignore_case`.
    pub(crate) fn new<'l>(literals: impl IntoIterator<Item = &'l [u8]>, ignore_case: bool) -> Self {
        let numbered = literals.into_iter().enumerate().filter(|(_, bytes)| !bytes.is_empty());
        let numbered: Vec<(usize, &[u8])> = numbered.collect();
        let marks: Vec<Mark> =
            numbered.iter().map(|(_, bytes)| Mark::of(bytes, ignore_case)).collect();
        let mut all = Self {
            literals: Vec::with_capacity(numbered.len()),
            buckets: Vec::new(),
            tables: Tables::default(),
            furthest: marks.iter().map(|mark| mark.offset).max().unwrap_or_default(),
            ignore_case,
        };
        for (bucket, Bucket { places, members, .. }) in (0..).zip(buckets::of(&marks)) {
            all.tables.add(bucket, &places);
            let start = all.literals.len();
            all.literals.extend(members.iter().filter_map(|member| {
                let ((number, bytes), mark) = (numbered.get(*member)?, marks.get(*member)?);
                Some(Literal { bytes: bytes.to_vec(), number: *number, mark: mark.offset })
            }));
            all.buckets.push(start..all.literals.len());
        }
        all
    }

    /// Tells all that begin in a range of a window, by where their marks stand.
    pub(crate) fn find(&self, window: &[u8], starts: &Range<usize>, tell: &mut dyn FnMut(Anchor)) {
        let end = starts.end.saturating_add(self.furthest).min(window.len());
        self.tables.look(window, starts.start..end, &mut |at, buckets| {
            self.compare(window, at, buckets, starts, tell);
        });
    }

    /// Compares the literals of some buckets, one a bit, whose mark would begin at an offset.
    fn compare(
        &self,
        window: &[u8],
        at: usize,
        buckets: u16,
        starts: &Range<usize>,
        tell: &mut dyn FnMut(Anchor),
    ) {
        let mut left = buckets;
        while left != 0 {
            let bucket = self.buckets.get(left.trailing_zeros() as usize).cloned();
            left &= left.wrapping_sub(1);
            for literal in bucket.and_then(|range| self.literals.get(range)).unwrap_or_default() {
                let Some(start) = at.checked_sub(literal.mark) else { continue };
                let end = start.saturating_add(literal.bytes.len());
                let here = window.get(start..end).unwrap_or_default();
                let same = match self.ignore_case {
                    true => here.eq_ignore_ascii_case(&literal.bytes),
                    false => here == literal.bytes,
                };
                if same && starts.contains(&start) {
                    tell(Anchor { start, number: literal.number, len: literal.bytes.len() });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(
        literals: &[Vec<u8>],
        ignore_case: bool,
        window: &[u8],
        starts: &Range<usize>,
    ) -> Vec<Anchor> {
        let anchors = Anchors::new(literals.iter().map(Vec::as_slice), ignore_case);
        let mut found = Vec::new();
        anchors.find(window, starts, &mut |anchor| found.push(anchor));
        found.sort_unstable();
        found
    }

    fn naive(
        literals: &[Vec<u8>],
        ignore_case: bool,
        window: &[u8],
        starts: &Range<usize>,
    ) -> Vec<Anchor> {
        let folded =
            |bytes: &[u8]| if ignore_case { bytes.to_ascii_lowercase() } else { bytes.to_vec() };
        let window = folded(window);
        let at = |start: usize| {
            let rest = window.get(start..).unwrap_or_default();
            let here = literals.iter().enumerate().filter(move |(_, literal)| {
                !literal.is_empty() && rest.starts_with(&folded(literal))
            });
            here.map(move |(number, literal)| Anchor { start, number, len: literal.len() })
        };
        starts.clone().flat_map(at).collect()
    }

    /// Bytes of few kinds, so that much is found and more is nearly found.
    fn bytes(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"abcdAB[{\x00\xff".to_vec()), len)
    }

    proptest! {
        #[test]
        fn what_a_naive_search_finds(
            literals in prop::collection::vec(bytes(0..9), 0..40),
            ignore_case: bool,
            window in bytes(0..400),
            ends in (0_usize..420, 0_usize..420),
        ) {
            let starts = ends.0.min(ends.1)..ends.0.max(ends.1);
            prop_assert_eq!(
                found(&literals, ignore_case, &window, &starts),
                naive(&literals, ignore_case, &window, &starts),
            );
        }
    }

    #[test]
    fn at_the_edges_of_a_block() {
        let literals = [b"needle".to_vec(), b"ed".to_vec(), b"e".to_vec()];
        for at in 0..140 {
            let mut window = vec![b'.'; 150];
            window[at..at + 6].copy_from_slice(b"needle");
            let all = 0..window.len();
            let found = found(&literals, false, &window, &all);
            assert_eq!(found, naive(&literals, false, &window, &all), "{at}");
        }
    }
}
