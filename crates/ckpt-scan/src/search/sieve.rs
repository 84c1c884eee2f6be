//! Searching an archive while it is unpacked.
//!
//! A compressed archive passes by once, on its way to a temporary file, and where its bytes lie in the memory of which
//! process is known at the end only. Where in the stream hits begin can be seen before: what lies elsewhere need not be
//! looked at again, but for the ends of each piece of memory, because what follows a piece in memory is not what follows it
//! in the stream.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ckpt_archive::Watch;

use super::Search;
use crate::copies::BESIDE;
use crate::part::Piece;
use crate::scanner::Scanner;

/// Bytes of which it is known together whether a hit begins in them.
const BLOCK: u64 = 64 << 10;

/// Looks at a stream that passes by.
#[derive(Debug)]
pub struct Sieve {
    search: Arc<Search>,
    passing: Mutex<Passing>,
}

#[derive(Debug, Default)]
struct Passing {
    /// Where the next bytes are expected.
    next: u64,
    /// The last bytes, in which hits may begin that end in those to come.
    open: Vec<u8>,
    marks: Marks,
}

impl Sieve {
    /// For a search whose hits depend on nothing but their own bytes; there is none for regular expressions.
    #[must_use]
    pub fn of(search: &Arc<Search>) -> Option<Self> {
        let search = Arc::clone(search);
        search.is_local().then(|| Self { search, passing: Mutex::default() })
    }

    /// What is known now.
    #[must_use]
    pub fn sifted(&self) -> Sifted {
        let passing = self.passing();
        let open = passing.open.len() as u64;
        let known = passing.next.saturating_sub(open);
        Sifted { search: Arc::clone(&self.search), marks: passing.marks.clone(), known }
    }

    fn passing(&self) -> MutexGuard<'_, Passing> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Sieve {
    fn pass(&self, position: u64, bytes: &[u8]) {
        self.passing().take(&self.search, position, bytes);
    }
}

impl Passing {
    fn take(&mut self, search: &Search, position: u64, bytes: &[u8]) {
        if position != self.next {
            // Another stream: nothing is known of either.
            self.marks.all = true;
        }
        if self.marks.all {
            return;
        }
        let start = position.saturating_sub(self.open.len() as u64);
        self.next = position.saturating_add(bytes.len() as u64);
        // Hits that begin so far before the end of what is there are there as a whole.
        let reach = search.reach().after;
        let before = self.open.len();
        self.open.extend_from_slice(bytes.get(..reach).unwrap_or(bytes));
        let closed = self.open.len().saturating_sub(reach);
        self.marks.mark(search, &self.open, 0..closed, start);
        if bytes.len() > reach {
            debug_assert_eq!(closed, before);
            let closed = bytes.len().saturating_sub(reach);
            self.marks.mark(search, bytes, 0..closed, position);
            self.open.clear();
            self.open.extend_from_slice(bytes.get(closed..).unwrap_or_default());
        } else {
            self.open.drain(..closed);
        }
    }
}

/// In which blocks of the stream a hit begins.
#[derive(Clone, Debug, Default)]
struct Marks {
    /// A bit for each block.
    words: Vec<u64>,
    /// In all of them, for all that is known.
    all: bool,
}

impl Marks {
    /// Marks the blocks in which a hit begins in `own`, a range of a window that lies at `position` of the stream.
    fn mark(&mut self, search: &Search, window: &[u8], own: Range<usize>, position: u64) {
        let mut from = own.start;
        while from < own.end {
            let at = position.saturating_add(from as u64);
            let block = at / BLOCK;
            let left = block.saturating_add(1).saturating_mul(BLOCK).saturating_sub(at);
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            let to = from.saturating_add(left).min(own.end);
            if !self.has(block) && search.begins(window, &(from..to)) {
                self.set(block);
            }
            from = to;
        }
    }

    fn set(&mut self, block: u64) {
        let Ok(word) = usize::try_from(block / 64) else {
            self.all = true;
            return;
        };
        if word >= self.words.len() {
            self.words.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << (block % 64);
        }
    }

    fn has(&self, block: u64) -> bool {
        let word = usize::try_from(block / 64).ok().and_then(|word| self.words.get(word));
        self.all || word.is_some_and(|word| word >> (block % 64) & 1 == 1)
    }
}

/// What passed by, as far as a search goes.
#[derive(Debug)]
pub struct Sifted {
    search: Arc<Search>,
    marks: Marks,
    /// Up to here.
    known: u64,
}

impl Sifted {
    /// What has to be searched of a piece of memory that lies at `position` of the stream: the parts around hits, and its
    /// ends, where hits may begin or end that reach into other pieces.
    pub fn keep(&self, piece: &Piece, position: u64) -> Vec<Piece> {
        let reach = self.search.reach();
        let (before, after) = (reach.before as u64, reach.after as u64);
        let (before, after) = (before.saturating_add(BESIDE), after.saturating_add(BESIDE));
        let (start, len) = (position, piece.bytes.len() as u64);
        let end = start.saturating_add(len);
        let mut kept: Vec<Range<u64>> = Vec::new();
        let mut keep = |from: u64, to: u64| {
            let (from, to) = (from.saturating_sub(before).max(start), to.saturating_add(after));
            match kept.last_mut() {
                Some(last) if from <= last.end => last.end = last.end.max(to.min(end)),
                _ => kept.push(from..to.min(end)),
            }
        };
        keep(start, start);
        let mut at = start;
        while at < end {
            let next = (at / BLOCK).saturating_add(1).saturating_mul(BLOCK).min(end);
            if self.marks.has(at / BLOCK) || next > self.known {
                keep(at, next);
            }
            at = next.max(at.saturating_add(1));
        }
        keep(end.saturating_sub(after).max(start), end);
        let cut = |range: &Range<u64>| {
            let from = range.start.saturating_sub(start);
            let offsets = [from, range.end.saturating_sub(start)];
            let [first, last] = offsets.map(|at| usize::try_from(at).unwrap_or(usize::MAX));
            let bytes = piece.bytes.slice(first..last.min(piece.bytes.len()));
            Piece { region: piece.region, start: piece.start.saturating_add(from), bytes }
        };
        kept.iter().filter(|range| !range.is_empty()).map(cut).collect()
    }
}
