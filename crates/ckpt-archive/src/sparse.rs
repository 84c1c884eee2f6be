//! Sparse members: which logical ranges the packed bytes of the archive belong to.
//!
//! Four notations exist, and all are real: GNU tar `-S` writes old GNU headers by default (also for pages files into which
//! CRIU punched holes), and PAX 0.0, 0.1 and 1.0 with `--format=posix`.

use std::ops::Range;

/// A stored range of a sparse member, in logical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Extent {
    fn end(self) -> Option<u64> {
        self.offset.checked_add(self.len)
    }
}

/// A checked map: extents ascend, do not overlap, lie within the logical size and are backed by packed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SparseMap {
    extents: Box<[Extent]>,
    /// Up to here, in logical bytes, the map is believed.
    pub(crate) trusted: u64,
}

impl SparseMap {
    /// Checks a map as read. The part before the first contradiction is kept, and what is wrong is told.
    ///
    /// `extents` holds `None` for entries that could not be read.
    pub(crate) fn new(
        extents: &[Option<Extent>],
        size: u64,
        packed: u64,
    ) -> (SparseMap, Option<&'static str>) {
        let mut kept = Vec::with_capacity(extents.len());
        let mut logical = 0_u64;
        let mut stored = 0_u64;
        let mut fault = None;
        for extent in extents {
            let checked = extent.and_then(|extent| {
                let end = extent.end().filter(|end| *end <= size)?;
                let sum = stored.checked_add(extent.len)?;
                (extent.offset >= logical).then_some((extent, end, sum))
            });
            let Some((extent, end, sum)) = checked else {
                fault = Some("an extent overlaps, descends or lies outside of the member");
                break;
            };
            if sum > packed {
                fault = Some("the extents are longer than the stored bytes");
                break;
            }
            (logical, stored) = (end, sum);
            // Writers close the map with an empty extent at the end.
            if extent.len != 0 {
                kept.push(extent);
            }
        }
        if fault.is_none() && stored < packed {
            fault = Some("the extents are shorter than the stored bytes");
        }
        let trusted = if fault.is_none() { size } else { logical };
        (SparseMap { extents: kept.into_boxed_slice(), trusted }, fault)
    }

    /// Extents with their place in the packed bytes: logical range, packed offset.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Range<u64>, u64)> + '_ {
        let mut packed = 0_u64;
        self.extents.iter().map(move |extent| {
            let at = packed;
            packed = packed.saturating_add(extent.len);
            (extent.offset..extent.offset.saturating_add(extent.len), at)
        })
    }

    /// The logical range of an extent, by its number.
    pub(crate) fn extent(&self, number: usize) -> Option<Range<u64>> {
        let extent = self.extents.get(number)?;
        Some(extent.offset..extent.offset.saturating_add(extent.len))
    }

    /// The packed ranges that hold the logical `range`.
    pub(crate) fn packed_ranges(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        // Extents ascend, so those before the range can be passed over by their own number.
        self.iter()
            .skip_while(|(logical, _)| logical.end <= range.start)
            .take_while(|(logical, _)| logical.start < range.end)
            .map(|(logical, at)| {
                let start = range.start.max(logical.start).saturating_sub(logical.start);
                let end = range.end.min(logical.end).saturating_sub(logical.start);
                at.saturating_add(start)..at.saturating_add(end)
            })
            .collect()
    }

    pub(crate) fn weight(&self) -> usize {
        size_of_val(&*self.extents)
    }
}

/// Reads the map that PAX 1.0 puts before the data: decimal numbers, one a line, first their count.
///
/// Feed it block by block until [`MapReader::finished`].
#[derive(Debug, Default)]
pub(crate) struct MapReader {
    number: Option<u64>,
    count: Option<u64>,
    offset: Option<u64>,
    extents: Vec<Option<Extent>>,
    failed: bool,
}

impl MapReader {
    /// Takes the next block. Nothing is read behind the last number: the rest of its block is padding.
    pub(crate) fn feed(&mut self, block: &[u8], max_extents: usize) {
        for byte in block {
            if self.finished() {
                return;
            }
            match byte {
                b'0'..=b'9' => {
                    let digit = u64::from(byte.wrapping_sub(b'0'));
                    let value = self.number.unwrap_or(0).checked_mul(10);
                    match value.and_then(|value| value.checked_add(digit)) {
                        Some(value) => self.number = Some(value),
                        None => self.failed = true,
                    }
                }
                b'\n' => match self.number.take() {
                    Some(number) => self.push(number, max_extents),
                    None => self.failed = true,
                },
                _ => self.failed = true,
            }
        }
    }

    fn push(&mut self, number: u64, max_extents: usize) {
        if self.count.is_none() {
            self.failed = usize::try_from(number).map_or(true, |count| count > max_extents);
            self.count = Some(number);
            return;
        }
        match self.offset.take() {
            None => self.offset = Some(number),
            Some(offset) => self.extents.push(Some(Extent { offset, len: number })),
        }
    }

    /// Whether the map is complete, or beyond help.
    pub(crate) fn finished(&self) -> bool {
        let complete =
            self.count.is_some_and(|count| u64::try_from(self.extents.len()) == Ok(count));
        self.failed || complete
    }

    /// The extents; an unreadable rest of the map becomes one `None`.
    pub(crate) fn into_extents(mut self) -> Vec<Option<Extent>> {
        if self.failed || !self.finished() {
            self.extents.push(None);
        }
        self.extents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps)] // as maps have them
    fn extent(offset: u64, len: u64) -> Option<Extent> {
        Some(Extent { offset, len })
    }

    #[test]
    fn a_good_map_is_trusted_to_its_end() {
        let (map, fault) =
            SparseMap::new(&[extent(4096, 10), extent(8192, 5), extent(20000, 0)], 20000, 15);
        assert_eq!(fault, None);
        assert_eq!(map.trusted, 20000);
        assert_eq!(map.iter().collect::<Vec<_>>(), [(4096..4106, 0), (8192..8197, 10)]);
        assert_eq!(map.packed_ranges(&(4100..8194)), [4..10, 10..12]);
        assert_eq!(map.packed_ranges(&(0..4096)), Vec::<Range<u64>>::new());
    }

    #[test]
    fn a_bad_map_is_trusted_up_to_the_fault() {
        let (map, fault) = SparseMap::new(&[extent(0, 10), extent(5, 5)], 100, 15);
        assert!(fault.is_some());
        assert_eq!(map.trusted, 10);
        let (map, fault) = SparseMap::new(&[extent(u64::MAX, 2)], u64::MAX, 2);
        assert!(fault.is_some());
        assert_eq!(map.trusted, 0);
        let (_, fault) = SparseMap::new(&[extent(0, 10)], 10, 11);
        assert!(fault.is_some());
    }

    #[test]
    fn a_map_before_the_data_is_read_to_its_last_number() {
        let mut reader = MapReader::default();
        reader.feed(b"2\n0\n10\n40", 10);
        assert!(!reader.finished());
        reader.feed(b"96\n7\n\0\0\0", 10);
        assert!(reader.finished());
        assert_eq!(reader.into_extents(), [extent(0, 10), extent(4096, 7)]);
    }

    #[test]
    fn a_map_that_is_no_map_ends_at_once() {
        for text in [&b"x"[..], b"\n", b"99999999999999999999999\n", b"11\n"] {
            let mut reader = MapReader::default();
            reader.feed(text, 10);
            assert!(reader.finished());
            assert_eq!(reader.into_extents(), [None]);
        }
    }
}
