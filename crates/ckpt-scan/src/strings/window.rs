//! All strings of one window: bytes that lie together, at whose edges no string goes on.

use super::block::{BLOCK, Block, Look, ahead, rows};
use super::utf16::{self, Candidate, Order};
use super::{Encoding, Encodings, Options};

/// A string in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) encoding: Encoding,
    /// It is a part that goes on from one before it.
    pub(super) continued: bool,
    /// It is a part that goes on in one behind it.
    pub(super) continues: bool,
}

/// What a window is besides its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edges {
    /// Whether the first byte has an odd address.
    pub(super) odd: bool,
    /// Whether a string may have been cut off at the start.
    pub(super) cut_start: bool,
    /// Whether a string may have been cut off at the end.
    pub(super) cut_end: bool,
}

/// Space that is used again from window to window.
#[derive(Debug, Default)]
pub(super) struct Space {
    texts: Vec<(usize, usize)>,
    candidates: Vec<Candidate>,
    beaten: Vec<bool>,
    pieces: Vec<Piece>,
}

/// The strings of a window, by where they start.
pub(super) fn scan<'s>(
    bytes: &[u8],
    edges: Edges,
    options: &Options,
    space: &'s mut Space,
) -> &'s [Piece] {
    space.texts.clear();
    space.candidates.clear();
    space.pieces.clear();
    let mut search = Search { bytes, edges, options, space, done: [[0; 2]; 2] };
    search.run();
    search.finish();
    &space.pieces
}

/// Units of UTF-16 in one byte order: bit n for the unit that begins at byte n.
#[derive(Clone, Copy, Debug, Default)]
struct Units {
    /// Below U+0700.
    alphabetic: u64,
    /// East Asian, and not two bytes of ASCII.
    east_asian: u64,
    /// Either, and East Asian ones that are two bytes of ASCII.
    any: u64,
}

impl Units {
    #[inline]
    fn little(this: &Block, next: &Block) -> Self {
        let letters = this.ascii | this.high;
        let alphabetic = (letters & ahead(this.zero, next.zero, 1))
            | (!this.zero & ahead(this.alphabet, next.alphabet, 1));
        let wide = ahead(this.wide, next.wide, 1);
        let pair = this.ascii & ahead(this.ascii, next.ascii, 1);
        Self { alphabetic, east_asian: wide & !pair, any: alphabetic | wide }
    }

    #[inline]
    fn big(this: &Block, next: &Block) -> Self {
        let letters = ahead(this.ascii | this.high, next.ascii | next.high, 1);
        let alphabetic = (this.zero & letters) | (this.alphabet & !ahead(this.zero, next.zero, 1));
        let pair = this.ascii & ahead(this.ascii, next.ascii, 1);
        Self { alphabetic, east_asian: this.wide & !pair, any: alphabetic | this.wide }
    }
}

struct Search<'a, 's> {
    bytes: &'a [u8],
    edges: Edges,
    options: &'a Options,
    space: &'s mut Space,
    /// Up to where rows were looked at, by byte order and by where they start, at even or odd bytes.
    done: [[usize; 2]; 2],
}

impl Search<'_, '_> {
    fn run(&mut self) {
        let Encodings { utf8, .. } = self.options.encodings;
        let look = Look { utf8, utf16: self.options.encodings.utf16() };
        let fewest = u32::try_from(self.options.min_length.max(1)).unwrap_or(u32::MAX);
        let mut blocks = Blocks { rest: self.bytes, look };
        let mut this = blocks.next();
        let mut next = blocks.next();
        let mut behind = blocks.next();
        let mut before = [Units::default(); 2];
        let mut units = [Units::little(&this, &next), Units::big(&this, &next)];
        let mut spilled = 0;
        let mut open: Option<usize> = None;
        let mut base = 0_usize;
        while base < self.bytes.len() {
            // Text beyond the alphabets' upper halves is text, high, or both.
            let quiet = (this.ascii | this.high | this.alphabet | spilled) == 0;
            if !quiet || open.is_some() {
                let text = this.text(&next, &mut spilled);
                self.texts(text, base, fewest, &mut open);
            }
            if look.utf16 {
                let next_units = [Units::little(&next, &behind), Units::big(&next, &behind)];
                if !quiet || next_units.iter().any(|units| units.any != 0) {
                    for ((order, which), ((before, this), next)) in
                        [(Order::Little, 0), (Order::Big, 1)]
                            .into_iter()
                            .zip(before.iter().zip(&units).zip(&next_units))
                    {
                        let seeds = seeds(before, this, next);
                        if seeds != 0 {
                            self.rows(seeds, base, order, which);
                        }
                    }
                }
                before = units;
                units = next_units;
            }
            this = next;
            next = behind;
            behind = blocks.next();
            base = base.saturating_add(BLOCK);
        }
        if let Some(start) = open {
            self.text(start, self.bytes.len());
        }
    }

    /// Runs of text in one block.
    #[inline]
    fn texts(&mut self, mut text: u64, base: usize, fewest: u32, open: &mut Option<usize>) {
        if let Some(start) = *open {
            let going = text.trailing_ones();
            if going == 64 {
                return;
            }
            *open = None;
            self.text(start, base.saturating_add(going as usize));
            text &= u64::MAX.wrapping_shl(going);
        }
        let last = text.leading_ones();
        if last > 0 {
            *open = Some(base.saturating_add(64_usize.saturating_sub(last as usize)));
            text = text.checked_shl(last).unwrap_or(0).wrapping_shr(last);
        }
        let mut starts = rows(text, fewest, 1);
        while starts != 0 {
            let start = starts.trailing_zeros();
            let len = text.wrapping_shr(start).trailing_ones();
            let end = start.wrapping_add(len);
            self.text(base.saturating_add(start as usize), base.saturating_add(end as usize));
            // The row does not reach the end of the word.
            starts &= u64::MAX.wrapping_shl(end);
        }
    }

    #[inline]
    fn text(&mut self, start: usize, end: usize) {
        let len = end.saturating_sub(start);
        let at_edge =
            (start == 0 && self.edges.cut_start) || (end == self.bytes.len() && self.edges.cut_end);
        if len >= self.options.min_length || at_edge {
            self.space.texts.push((start, end));
        }
    }

    /// Rows of units around seeds.
    fn rows(&mut self, mut seeds: u64, base: usize, order: Order, which: usize) {
        while seeds != 0 {
            let seed = base.saturating_add(seeds.trailing_zeros() as usize);
            seeds &= seeds.wrapping_sub(1);
            let Some(done) = self.done.get_mut(which).and_then(|done| done.get_mut(seed & 1))
            else {
                return;
            };
            if seed < *done {
                continue;
            }
            let (start, end) = utf16::row(self.bytes, seed, *done, order);
            *done = end.max(seed.saturating_add(2));
            self.row(start, end, order);
        }
    }

    /// One row: weighed as a whole, or in parts when it is too long.
    fn row(&mut self, start: usize, end: usize, order: Order) {
        let most = self.options.longest_part.max(4);
        let long = end.saturating_sub(start) > most;
        let cut_start = start <= 1 && self.edges.cut_start;
        let cut_end = end.saturating_add(1) >= self.bytes.len() && self.edges.cut_end;
        let mut from = start;
        while from < end {
            let rest = end.saturating_sub(from) <= most;
            let to = if rest { end } else { utf16::cut(self.bytes, from, most, order).min(end) };
            let part = long || cut_start || cut_end;
            let row = self.bytes.get(from..to).unwrap_or_default();
            if let Some(weighed) = utf16::weigh(row, order, self.options.min_length, part) {
                self.space.candidates.push(Candidate {
                    start: from,
                    end: to,
                    order,
                    weighed,
                    even: (from & 1 == 1) == self.edges.odd,
                    cut: (from > start || cut_start, to < end || cut_end),
                });
            }
            from = to;
        }
    }

    /// Settles what overlaps, and makes pieces of what is left.
    fn finish(&mut self) {
        let space = &mut *self.space;
        let encodings = self.options.encodings;
        utf16::settle(&mut space.candidates, &mut space.beaten);
        space.candidates.retain(|one| encodings.has(one.order.encoding()));
        let texts = std::mem::take(&mut space.texts);
        let candidates = std::mem::take(&mut space.candidates);
        let mut taken = candidates.iter().peekable();
        for &(start, end) in &texts {
            let mut from = start;
            while let Some(one) = taken.peek().filter(|one| one.start < end) {
                if one.end > from {
                    if one.start > from {
                        self.between(from, one.start, start, end);
                    }
                    from = one.end;
                }
                // One that reaches beyond this text takes from the next text too.
                if one.end > end {
                    break;
                }
                self.wide(one);
                taken.next();
            }
            if from < end {
                self.between(from, end, start, end);
            }
        }
        for one in taken {
            self.wide(one);
        }
        // A part that was put down after a text that it starts before.
        if !candidates.is_empty() {
            self.space.pieces.sort_unstable_by_key(|piece| piece.start);
        }
        self.space.texts = texts;
        self.space.candidates = candidates;
    }

    fn wide(&mut self, one: &Candidate) {
        self.space.pieces.push(Piece {
            start: one.start,
            end: one.end,
            encoding: one.order.encoding(),
            continued: one.cut.0,
            continues: one.cut.1,
        });
    }

    /// The part `from..to` of the run of text `start..end`.
    #[inline]
    fn between(&mut self, from: usize, to: usize, start: usize, end: usize) {
        let Some(mut text) = self.bytes.get(from..to) else { return };
        let mut from = from;
        if from > start || to < end {
            // Something else has a part of the run, perhaps half of a character.
            let tail = text.iter().take_while(|byte| is_tail(**byte)).count();
            from = from.saturating_add(tail);
            text = text.get(tail..).unwrap_or_default();
            if let Err(error) = std::str::from_utf8(text) {
                text = text.get(..error.valid_up_to()).unwrap_or_default();
            }
        }
        let to = from.saturating_add(text.len());
        let cut_start = from == 0 && self.edges.cut_start;
        let cut_end = to == self.bytes.len() && self.edges.cut_end;
        if text.len() <= self.options.longest_part {
            self.piece(text, from, (cut_start, cut_end));
            return;
        }
        let mut rest = text;
        let mut at = from;
        while !rest.is_empty() {
            let mut len = self.options.longest_part.max(4).min(rest.len());
            // Not within a character.
            while len < rest.len() && len > 1 && rest.get(len).is_some_and(|byte| is_tail(*byte)) {
                len = len.saturating_sub(1);
            }
            let (part, more) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            self.piece(part, at, (at > from || cut_start, !more.is_empty() || cut_end));
            at = at.saturating_add(len);
            rest = more;
        }
    }

    #[inline]
    fn piece(&mut self, text: &[u8], start: usize, cut: (bool, bool)) {
        let Encodings { ascii, utf8, .. } = self.options.encodings;
        let is_ascii = text.is_ascii();
        let encoding = if is_ascii { Encoding::Ascii } else { Encoding::Utf8 };
        let wanted = if is_ascii { ascii } else { utf8 };
        let long = if is_ascii {
            text.len() >= self.options.min_length
        } else {
            text.iter().filter(|byte| !is_tail(**byte)).count() >= self.options.min_length
        };
        if wanted && !text.is_empty() && (long || cut.0 || cut.1) {
            let end = start.saturating_add(text.len());
            let (continued, continues) = cut;
            self.space.pieces.push(Piece { start, end, encoding, continued, continues });
        }
    }
}

/// Whether a byte is no first byte of a character.
pub(super) fn is_tail(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Units at which a row is looked at: four below U+0700 follow, or four East Asian ones that lie among eight.
#[inline]
fn seeds(before: &Units, this: &Units, next: &Units) -> u64 {
    let mut seeds = four(this.alphabetic, next.alphabetic);
    let east_asian = four(this.east_asian, next.east_asian);
    if east_asian != 0 {
        let mut around =
            u128::from(before.any >> 32) | u128::from(this.any) << 32 | u128::from(next.any) << 96;
        around &= around >> 2;
        around &= around >> 4;
        around &= around >> 8;
        around |= around << 2;
        around |= around << 4;
        around |= around << 8;
        seeds |= east_asian & (around >> 32) as u64;
    }
    seeds
}

/// Units that three more follow.
#[inline]
fn four(this: u64, next: u64) -> u64 {
    let two = this & ahead(this, next, 2);
    if two == 0 {
        return 0;
    }
    two & ahead(two, next & (next >> 2), 4)
}

/// The blocks of a window; behind its end there is nothing.
struct Blocks<'a> {
    rest: &'a [u8],
    look: Look,
}

impl Blocks<'_> {
    #[inline]
    fn next(&mut self) -> Block {
        if let Some((block, rest)) = self.rest.split_first_chunk::<BLOCK>() {
            self.rest = rest;
            return Block::of(block, self.look);
        }
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() { Block::default() } else { Block::of_rest(rest, self.look) }
    }
}
