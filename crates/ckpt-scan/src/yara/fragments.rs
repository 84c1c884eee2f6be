//! Memory as boreal is given it: fragments, in slices of the evidence where they lie together in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use boreal::memory::{FragmentedMemory, MemoryParams, Region, RegionDescription};
use bytes::{Bytes, BytesMut};
use ckpt_memory::VirtAddr;

use crate::haystack::Private;
use crate::part::Piece;

/// Most bytes of a fragment that is put together from several pieces.
pub const MOST_COPIED: usize = 8 << 20;

/// A row of bytes whose positions follow one another.
#[derive(Clone, Copy, Debug)]
struct Fragment {
    start: usize,
    length: usize,
}

/// Memory in fragments. Of the memory of a process only the places are kept: pages that are compressed in the evidence are
/// expanded when they are looked at, and not all at once.
#[derive(Debug)]
pub(super) struct Fragments<'a> {
    all: Vec<Fragment>,
    source: Source<'a>,
}

/// Where the bytes of fragments are.
#[derive(Debug)]
enum Source<'a> {
    Memory(&'a Private<'a>),
    /// Pieces by position.
    Pieces(Vec<Piece>),
}

impl<'a> Fragments<'a> {
    /// Of the memory of a process; a fragment is of one mapping.
    pub(super) fn of_memory(private: &'a Private<'a>) -> Self {
        let mut all = Self { all: Vec::new(), source: Source::Memory(private) };
        for mapping in private.mappings() {
            all.add(private.pieces_of(mapping.start, mapping.len()));
        }
        all
    }

    /// Of pieces by position.
    pub(super) fn of_pieces(pieces: Vec<Piece>) -> Self {
        let mut all = Self { all: Vec::new(), source: Source::Pieces(Vec::new()) };
        all.add(pieces.iter().cloned());
        all.source = Source::Pieces(pieces);
        all
    }

    /// Makes fragments of pieces, which come by position.
    fn add(&mut self, row: impl Iterator<Item = Piece>) {
        let mut open: Option<Fragment> = None;
        for piece in row {
            let Ok(start) = usize::try_from(piece.start) else { continue };
            let length = piece.bytes.len();
            if let Some(fragment) = &mut open {
                let sum = fragment.length.saturating_add(length);
                let follows = fragment.start.checked_add(fragment.length) == Some(start);
                if follows && sum <= MOST_COPIED {
                    fragment.length = sum;
                    continue;
                }
            }
            self.all.extend(open.replace(Fragment { start, length }));
        }
        self.all.extend(open);
    }

    /// The bytes of a fragment: a slice of the evidence, or put together.
    fn bytes(&self, Fragment { start, length }: Fragment) -> Option<Bytes> {
        match &self.source {
            Source::Memory(private) => {
                let start = VirtAddr(start as u64);
                together(private.pieces_of(start, length as u64).map(|piece| piece.bytes), length)
            }
            Source::Pieces(pieces) => {
                let first = pieces.partition_point(|piece| piece.start < start as u64);
                let pieces = pieces.get(first..)?.iter();
                together(pieces.map(|piece| piece.bytes.clone()), length)
            }
        }
    }
}

/// So many bytes of pieces that follow one another.
fn together(mut pieces: impl Iterator<Item = Bytes>, length: usize) -> Option<Bytes> {
    let first = pieces.next()?;
    if first.len() >= length {
        return Some(first.slice(..length));
    }
    let mut whole = BytesMut::with_capacity(length.min(MOST_COPIED));
    whole.extend_from_slice(&first);
    for piece in pieces {
        let left = length.saturating_sub(whole.len());
        whole.extend_from_slice(piece.get(..left.min(piece.len()))?);
        if whole.len() == length {
            return Some(whole.freeze());
        }
    }
    None
}

/// A look at fragments, from the first on.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    fragments: &'a Fragments<'a>,
    /// The one that comes next.
    next: usize,
    /// The fragment that was fetched last, and its bytes.
    fetched: Option<(usize, Bytes)>,
    deadline: Option<Instant>,
    late: Arc<AtomicBool>,
}

impl<'a> Cursor<'a> {
    /// Ends at a deadline, and says so in `late`.
    pub(super) fn new(
        fragments: &'a Fragments<'a>,
        deadline: Option<Instant>,
        late: Arc<AtomicBool>,
    ) -> Self {
        Self { fragments, next: 0, fetched: None, deadline, late }
    }
}

impl FragmentedMemory for Cursor<'_> {
    fn next(&mut self, _: &MemoryParams) -> Option<RegionDescription> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.late.store(true, Ordering::Relaxed);
            return None;
        }
        let Fragment { start, length } = *self.fragments.all.get(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(RegionDescription { start, length })
    }

    fn fetch(&mut self, _: &MemoryParams) -> Option<Region<'_>> {
        let at = self.next.checked_sub(1)?;
        let fragment = *self.fragments.all.get(at)?;
        if self.fetched.as_ref().is_none_or(|(fetched, _)| *fetched != at) {
            self.fetched = None;
            self.fetched = Some((at, self.fragments.bytes(fragment)?));
        }
        let (_, bytes) = self.fetched.as_ref()?;
        Some(Region { start: fragment.start, mem: bytes })
    }

    fn reset(&mut self) {
        self.next = 0;
    }
}
