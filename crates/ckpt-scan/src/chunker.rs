//! Cutting stretches into parts, and parts into jobs.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::ops::Range;

use crate::carry::{CarryIn, carry};
use crate::part::{Part, Piece, offset};
use crate::scanner::Reach;

/// Most parts of one job, however small they are.
const MOST_PARTS: usize = 1024;

/// Makes parts of the pieces of a haystack.
#[derive(Debug)]
pub(crate) struct Chunker<I: Iterator<Item = Piece>> {
    source: Peekable<I>,
    reach: Reach,
    carries: bool,
    /// Most bytes of a part that are its own.
    chunk: u64,
    /// What is at hand of the stretch, from what the part to come may look at before it. Pieces stay whole, so that a part
    /// within one of them is one slice.
    held: VecDeque<Piece>,
    /// Where the part to come begins.
    next: u64,
    /// It is the first of its stretch.
    opens: bool,
    carry: Option<CarryIn>,
}

impl<I: Iterator<Item = Piece>> Chunker<I> {
    pub(crate) fn new(source: I, reach: Reach, carries: bool, chunk: usize) -> Self {
        Self {
            source: source.peekable(),
            reach,
            carries,
            chunk: (chunk as u64).max(1),
            held: VecDeque::new(),
            next: 0,
            opens: true,
            carry: None,
        }
    }

    /// The next parts: one large one or many small ones.
    pub(crate) fn job(&mut self) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let mut sum = 0_u64;
        while sum < self.chunk && parts.len() < MOST_PARTS {
            let Some(part) = self.part() else { break };
            sum = sum.saturating_add(part.core.end.saturating_sub(part.core.start));
            parts.push(part);
        }
        (!parts.is_empty()).then_some(parts)
    }

    fn part(&mut self) -> Option<Part> {
        self.fill();
        let last = self.held.back()?;
        let (region, at_hand) = (last.region, last.end());
        let (start, opens) = (self.next, self.opens);
        let core = start..self.core_end(start);
        let closes = core.end == at_hand;
        let after = core.end.saturating_add(self.reach.after as u64).min(at_hand);
        let before = if opens { start } else { self.before(start) };
        let around = before..after;
        let pieces = self.held.iter().filter_map(|piece| slice(piece, &around)).collect();
        self.step(&core, closes);
        let (out, next) = if self.carries && !closes { Some(carry()) } else { None }.unzip();
        let carry_in = std::mem::replace(&mut self.carry, next);
        Some(Part { region, pieces, core, opens, closes, carry_in, carry_out: out })
    }

    /// Takes pieces of the same stretch in until the next part and what it may look at are there.
    fn fill(&mut self) {
        let wanted = self.chunk.saturating_add(self.reach.after as u64).saturating_add(1);
        loop {
            let end = self.held.back().map(|last| (last.region, last.end()));
            if end.is_some_and(|(_, end)| end.saturating_sub(self.next) >= wanted) {
                return;
            }
            let follows = |next: &Piece| {
                next.bytes.is_empty()
                    || end.is_none_or(|(region, end)| next.region == region && next.start == end)
            };
            let Some(next) = self.source.next_if(follows) else { return };
            // Positions that do not fit would make ends that lie.
            let fits = next.start.checked_add(next.bytes.len() as u64).is_some();
            if !next.bytes.is_empty() && fits {
                if self.held.is_empty() {
                    (self.next, self.opens) = (next.start, true);
                }
                self.held.push_back(next);
            }
        }
    }

    /// A large piece makes parts of its own, so that they need not be put together; small ones share one.
    fn core_end(&self, start: u64) -> u64 {
        let large = (self.chunk / 16).max(1);
        let most = start.saturating_add(self.chunk);
        let mut end = start;
        for piece in self.held.iter().filter(|piece| piece.end() > start) {
            let is_large = piece.end().saturating_sub(piece.start.max(start)) >= large;
            if end > start && is_large {
                break;
            }
            end = piece.end().min(most);
            if is_large || end == most {
                break;
            }
        }
        end
    }

    /// Where what a part that begins at `start` may look at begins. One byte at least, to tell that the stretch goes on.
    fn before(&self, start: u64) -> u64 {
        start.saturating_sub((self.reach.before as u64).max(1))
    }

    /// Goes on behind a part.
    fn step(&mut self, core: &Range<u64>, closes: bool) {
        if closes {
            self.held.clear();
            return;
        }
        (self.next, self.opens) = (core.end, false);
        let from = self.before(core.end);
        while self.held.front().is_some_and(|piece| piece.end() <= from) {
            self.held.pop_front();
        }
    }
}

/// The part of a piece that lies in a range of positions, if any.
fn slice(piece: &Piece, range: &Range<u64>) -> Option<Piece> {
    let start = piece.start.max(range.start);
    let end = piece.end().min(range.end);
    (start < end).then(|| Piece {
        region: piece.region,
        start,
        bytes: piece.bytes.slice(offset(start, piece.start)..offset(end, piece.start)),
    })
}
