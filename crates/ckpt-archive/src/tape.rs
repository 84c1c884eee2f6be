//! What the tar walk reads from: bytes in memory, or a stream that passes by once.

use bytes::Bytes;

use crate::Error;
use crate::content::{as_u64, clip};
use crate::member::{Keep, Member, Stored};

/// A tar stream, read forward.
pub(crate) trait Tape {
    /// Bytes before the next one.
    fn position(&self) -> u64;

    /// Reads `out` full and gives the number of bytes read; less only at the end.
    fn fill(&mut self, out: &mut [u8]) -> Result<usize, Error>;

    /// Passes over bytes; gives how many there were.
    fn skip(&mut self, count: u64) -> Result<u64, Error>;

    /// Passes over the `packed` bytes of a member and remembers where they are. `listed` are the members before it.
    fn store(&mut self, member: &Member, packed: u64, listed: &[Member]) -> Result<Stored, Error>;

    /// Passes over everything that is left.
    fn rest(&mut self) -> Result<Rest, Error>;

    /// Whether the stream is known to end too early, so that a missing end needs no telling.
    fn is_broken(&self) -> bool;
}

/// What follows the end of an archive.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// Offset of the first byte that is not zero.
    pub(crate) first: Option<u64>,
    /// Offset of the end.
    pub(crate) end: u64,
    /// Everything from `first` on.
    pub(crate) stored: Option<Stored>,
}

/// An archive in memory, usually mapped. Member data is never touched.
#[derive(Debug)]
pub(crate) struct MapTape {
    bytes: Bytes,
    position: u64,
}

impl MapTape {
    pub(crate) fn new(bytes: Bytes) -> Self {
        MapTape { bytes, position: 0 }
    }

    fn left(&self) -> u64 {
        as_u64(self.bytes.len()).saturating_sub(self.position)
    }
}

impl Tape for MapTape {
    fn position(&self) -> u64 {
        self.position
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let end = self.position.saturating_add(as_u64(out.len()));
        let found = clip(&self.bytes, self.position..end);
        if let Some((out, _)) = out.split_at_mut_checked(found.len()) {
            out.copy_from_slice(&found);
        }
        self.position = self.position.saturating_add(as_u64(found.len()));
        Ok(found.len())
    }

    fn skip(&mut self, count: u64) -> Result<u64, Error> {
        let count = count.min(self.left());
        self.position = self.position.saturating_add(count);
        Ok(count)
    }

    fn store(&mut self, _: &Member, packed: u64, _: &[Member]) -> Result<Stored, Error> {
        let at = self.position;
        let captured = self.skip(packed)?;
        Ok(Stored { packed, captured, keep: Keep::Whole(at), ..Stored::default() })
    }

    fn rest(&mut self) -> Result<Rest, Error> {
        let left = clip(&self.bytes, self.position..u64::MAX);
        let first = first_nonzero(&left).map(|at| self.position.saturating_add(as_u64(at)));
        let end = as_u64(self.bytes.len());
        self.position = end;
        let stored = first.map(|first| {
            let count = end.saturating_sub(first);
            Stored { packed: count, captured: count, keep: Keep::Whole(first), ..Stored::default() }
        });
        Ok(Rest { first, end, stored })
    }

    fn is_broken(&self) -> bool {
        false
    }
}

/// Position of the first byte that is not zero. Whole pages are compared at once: trailing zeros can be many.
pub(crate) fn first_nonzero(bytes: &[u8]) -> Option<usize> {
    let mut start = 0_usize;
    for page in bytes.chunks(4096) {
        if page.iter().fold(0, |sum, byte| sum | byte) != 0 {
            return page.iter().position(|byte| *byte != 0).and_then(|at| start.checked_add(at));
        }
        start = start.saturating_add(page.len());
    }
    None
}
