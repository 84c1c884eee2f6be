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
    /// What is at hand of the stretch, from the part to come on.
    ahead: VecDeque<Piece>,
    /// What lies before the part to come.
    behind: VecDeque<Piece>,
    carry: Option<CarryIn>,
}

impl<I: Iterator<Item = Piece>> Chunker<I> {
    pub(crate) fn new(source: I, reach: Reach, carries: bool, chunk: usize) -> Self {
        Self {
            source: source.peekable(),
            reach,
            carries,
            chunk: (chunk as u64).max(1),
            ahead: VecDeque::new(),
            behind: VecDeque::new(),
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
        let first = self.ahead.front()?;
        let (region, start) = (first.region, first.start);
        let opens = self.behind.is_empty();
        let core = start..self.core_end(start);
        let at_hand = self.ahead.back().map_or(core.end, Piece::end);
        let closes = core.end == at_hand;
        let after = core.end.saturating_add(self.reach.after as u64).min(at_hand);
        let mut pieces: Vec<Piece> = self.behind.iter().cloned().collect();
        pieces.extend(self.ahead.iter().map_while(|piece| slice(piece, &(start..after))));
        self.step(&core, closes);
        let (out, next) = if self.carries && !closes { Some(carry()) } else { None }.unzip();
        let carry_in = std::mem::replace(&mut self.carry, next);
        Some(Part { region, pieces, core, opens, closes, carry_in, carry_out: out })
    }

    /// Takes pieces of the same stretch in until the next part and what it may look at are there.
    fn fill(&mut self) {
        let wanted = self.chunk.saturating_add(self.reach.after as u64).saturating_add(1);
        loop {
            let end = match (self.ahead.front(), self.ahead.back()) {
                (Some(first), Some(last)) => {
                    if last.end().saturating_sub(first.start) >= wanted {
                        return;
                    }
                    Some((last.region, last.end()))
                }
                _ => None,
            };
            let follows = |next: &Piece| {
                next.bytes.is_empty()
                    || end.is_none_or(|(region, end)| next.region == region && next.start == end)
            };
            let Some(next) = self.source.next_if(follows) else { return };
            // Positions that do not fit would make ends that lie.
            let fits = next.start.checked_add(next.bytes.len() as u64).is_some();
            if !next.bytes.is_empty() && fits {
                self.ahead.push_back(next);
            }
        }
    }

    /// A large piece makes parts of its own, so that they need not be put together; small ones share one.
    fn core_end(&self, start: u64) -> u64 {
        let large = (self.chunk / 16).max(1);
        let most = start.saturating_add(self.chunk);
        let mut end = start;
        for piece in &self.ahead {
            let is_large = piece.bytes.len() as u64 >= large;
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

    /// Goes on behind a part.
    fn step(&mut self, core: &Range<u64>, closes: bool) {
        if closes {
            self.ahead.clear();
            self.behind.clear();
            return;
        }
        while let Some(piece) = self.ahead.pop_front() {
            let rest = slice(&piece, &(core.end..u64::MAX));
            self.behind.extend(slice(&piece, &(0..core.end)));
            if let Some(rest) = rest {
                self.ahead.push_front(rest);
                break;
            }
        }
        // One byte at least stays, to tell that the stretch goes on.
        let from = core.end.saturating_sub((self.reach.before as u64).max(1));
        while let Some(piece) = self.behind.front_mut() {
            match slice(piece, &(from..u64::MAX)) {
                Some(rest) => {
                    *piece = rest;
                    break;
                }
                None => {
                    self.behind.pop_front();
                }
            }
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
