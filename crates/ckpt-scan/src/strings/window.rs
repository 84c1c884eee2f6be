//! All strings of one window: bytes that lie together, at whose edges no string goes on.

use fearless_simd::{Level, Simd, dispatch};

use super::tile::{BLOCK, TILE, Tile, Units, WORDS, Words, and_ahead, begin_rows, get, of_tile};
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

/// A run of text.
#[derive(Clone, Copy, Debug)]
struct Text {
    start: usize,
    end: usize,
    ascii: bool,
}

/// A run of text that may go on in the next block.
#[derive(Clone, Copy, Debug)]
struct Open {
    start: usize,
    ascii: bool,
}

/// Space that is used again from window to window.
#[derive(Debug, Default)]
pub(super) struct Space {
    tile: Tile,
    texts: Vec<Text>,
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
    dispatch!(Level::new(), simd => search.run(simd));
    search.finish();
    &space.pieces
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
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Encodings { utf8, .. } = self.options.encodings;
        let utf16 = self.options.encodings.utf16();
        let mut open = None;
        let mut base = 0_usize;
        let mut tile = std::mem::take(&mut self.space.tile);
        while base < self.bytes.len() {
            if tile.look(simd, self.bytes, base) {
                // In no closure: it would be compiled for the oldest processor.
                let beyond = tile.is_beyond_ascii();
                let texts = if beyond { tile.text() } else { (*tile.ascii(), [0; WORDS]) };
                self.tile(&tile, (beyond && utf8).then_some(&texts), base, &mut open);
                if utf16 && tile.may_be_utf16() {
                    // Where eight bytes in a row belong to UTF-8 text, four units are not what makes UTF-16 of them.
                    let (mut eight, _) = texts;
                    for by in [1, 2, 4] {
                        and_ahead(&mut eight, by);
                    }
                    let [little, big] = tile.units();
                    self.units(&little, &eight, Order::Little, base);
                    self.units(&big, &eight, Order::Big, base);
                }
            } else if let Some(Open { start, ascii }) = open.take() {
                self.text(start, base, ascii);
            }
            base = base.saturating_add(TILE);
        }
        if let Some(Open { start, ascii }) = open {
            self.text(start, self.bytes.len(), ascii);
        }
        self.space.tile = tile;
    }

    /// Runs of text in a tile.
    #[inline(always)]
    fn tile(
        &mut self,
        tile: &Tile,
        beyond: Option<&(Words, Words)>,
        base: usize,
        open: &mut Option<Open>,
    ) {
        // What is cut off at an edge may be short.
        let cut = self.edges.cut_start || self.edges.cut_end;
        let fewest = if cut { 1 } else { self.options.min_length };
        let fewest = u32::try_from(fewest).unwrap_or(u32::MAX);
        let mut at = base;
        if let Some((text, high)) = beyond {
            let mut starts = *text;
            begin_rows(&mut starts, fewest);
            for ((text, starts), high) in of_tile(text).zip(of_tile(&starts)).zip(of_tile(high)) {
                self.block(*text, *starts, *high, at, open);
                at = at.saturating_add(BLOCK);
            }
        } else {
            let mut starts = *tile.ascii();
            begin_rows(&mut starts, fewest);
            for (text, starts) in of_tile(tile.ascii()).zip(of_tile(&starts)) {
                self.block(*text, *starts, 0, at, open);
                at = at.saturating_add(BLOCK);
            }
        }
    }

    /// Runs of text in one block, of which `high` are not ASCII. Most are too short; those that are not begin at `starts`.
    #[inline(always)]
    fn block(&mut self, text: u64, mut starts: u64, high: u64, at: usize, open: &mut Option<Open>) {
        if let Some(Open { start, ascii }) = open {
            let going = text.trailing_ones();
            if going == 64 {
                *ascii &= high == 0;
                return;
            }
            let rest = u64::MAX.wrapping_shl(going);
            let (start, ascii) = (*start, *ascii && high & !rest == 0);
            *open = None;
            self.text(start, at.saturating_add(going as usize), ascii);
            starts &= rest;
        }
        while starts != 0 {
            let first = starts.trailing_zeros();
            let start = at.saturating_add(first as usize);
            let len = text.wrapping_shr(first).trailing_ones();
            let end = first.wrapping_add(len);
            if end == 64 {
                *open = Some(Open { start, ascii: high.wrapping_shr(first) == 0 });
                return;
            }
            let ascii = high.wrapping_shr(first) & !u64::MAX.wrapping_shl(len) == 0;
            self.text(start, at.saturating_add(end as usize), ascii);
            starts &= u64::MAX.wrapping_shl(end);
        }
    }

    #[inline]
    fn text(&mut self, start: usize, end: usize, ascii: bool) {
        let at_edge =
            (start == 0 && self.edges.cut_start) || (end == self.bytes.len() && self.edges.cut_end);
        if end.saturating_sub(start) >= self.options.min_length || at_edge {
            self.space.texts.push(Text { start, end, ascii });
        }
    }

    /// Rows of units in the tile that begins at `base`.
    #[inline(always)]
    fn units(&mut self, units: &Units, eight: &Words, order: Order, base: usize) {
        // Four alphabetic ones in a row.
        let mut seeds = units.alphabetic;
        and_ahead(&mut seeds, 2);
        and_ahead(&mut seeds, 4);
        // Twelve of any kind.
        let mut long = units.any;
        for by in [2, 4, 8, 8] {
            and_ahead(&mut long, by);
        }
        // East Asian text takes such a row, which may have begun in the block before.
        let mut long_before = get(&long, 0);
        let mut at = base;
        for ((seeds, long), block) in of_tile(&seeds).zip(of_tile(&long)).zip(1..) {
            let mut seeds = *seeds;
            if *long | long_before != 0 {
                seeds |= among_twelve(units, eight, block);
            }
            long_before = *long;
            if seeds != 0 {
                self.rows(seeds, at, order);
            }
            at = at.saturating_add(BLOCK);
        }
    }

    /// Rows of units around seeds.
    fn rows(&mut self, mut seeds: u64, base: usize, order: Order) {
        while seeds != 0 {
            let seed = base.saturating_add(seeds.trailing_zeros() as usize);
            seeds &= seeds.wrapping_sub(1);
            let order_done = self.done.get_mut(usize::from(order == Order::Big));
            let Some(done) = order_done.and_then(|done| done.get_mut(seed & 1)) else {
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
            let fewest = self.options.min_length;
            if let Some(weighed) = utf16::weigh(self.bytes, from..to, order, fewest, part) {
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
        let texts = std::mem::take(&mut self.space.texts);
        if self.space.candidates.is_empty() {
            for text in &texts {
                self.between(text, text.start, text.end);
            }
            self.space.texts = texts;
            return;
        }
        utf16::settle(&mut self.space.candidates, &mut self.space.beaten);
        let encodings = self.options.encodings;
        self.space.candidates.retain(|one| encodings.has(one.order.encoding()));
        let candidates = std::mem::take(&mut self.space.candidates);
        let mut taken = candidates.iter().peekable();
        for text in &texts {
            let mut from = text.start;
            while let Some(one) = taken.peek().filter(|one| one.start < text.end) {
                if one.end > from {
                    if one.start > from {
                        self.between(text, from, one.start);
                    }
                    from = one.end;
                }
                // One that reaches beyond this text takes from the next text too.
                if one.end > text.end {
                    break;
                }
                self.wide(one);
                taken.next();
            }
            if from < text.end {
                self.between(text, from, text.end);
            }
        }
        for one in taken {
            self.wide(one);
        }
        // One that was put down after a text that it starts before.
        self.space.pieces.sort_unstable_by_key(|piece| piece.start);
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

    /// The part `from..to` of a run of text, of which something else may have the rest.
    #[inline]
    fn between(&mut self, run: &Text, from: usize, to: usize) {
        let Some(mut text) = self.bytes.get(from..to) else { return };
        let mut from = from;
        let mut ascii = run.ascii;
        if !ascii && (from > run.start || to < run.end) {
            // Perhaps half of a character is left.
            let tail = text.iter().take_while(|byte| is_tail(**byte)).count();
            from = from.saturating_add(tail);
            text = text.get(tail..).unwrap_or_default();
            if let Err(error) = std::str::from_utf8(text) {
                text = text.get(..error.valid_up_to()).unwrap_or_default();
            }
            ascii = text.is_ascii();
        }
        let cut_start = from == 0 && self.edges.cut_start;
        let cut_end = from.saturating_add(text.len()) == self.bytes.len() && self.edges.cut_end;
        if text.len() <= self.options.longest_part {
            self.piece(text, from, ascii, (cut_start, cut_end));
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
            let cut = (at > from || cut_start, !more.is_empty() || cut_end);
            self.piece(part, at, ascii || part.is_ascii(), cut);
            at = at.saturating_add(len);
            rest = more;
        }
    }

    #[inline]
    fn piece(&mut self, text: &[u8], start: usize, is_ascii: bool, cut: (bool, bool)) {
        let Encodings { ascii, utf8, .. } = self.options.encodings;
        let (encoding, wanted, chars) = if is_ascii {
            (Encoding::Ascii, ascii, text.len())
        } else {
            let chars = text.iter().filter(|byte| !is_tail(**byte)).count();
            (Encoding::Utf8, utf8, chars)
        };
        let long = chars >= self.options.min_length || cut.0 || cut.1;
        if wanted && long && !text.is_empty() {
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

/// East Asian units of a block that three more follow, not all of them in UTF-8 text, and that lie among twelve of any kind.
fn among_twelve(units: &Units, eight: &Words, block: usize) -> u64 {
    let behind = block.saturating_add(1);
    let (this, next) = (get(&units.east_asian, block), get(&units.east_asian, behind));
    let mut four = u128::from(this) | u128::from(next) << 64;
    for shift in [2, 4] {
        four &= four >> shift;
    }
    let four = u64::try_from(four & u128::from(u64::MAX)).unwrap_or_default();
    let four = four & !get(eight, block);
    if four == 0 {
        return 0;
    }
    let before = get(&units.any, block.saturating_sub(1));
    let (this, next) = (get(&units.any, block), get(&units.any, behind));
    let mut around = u128::from(before >> 32) | u128::from(this) << 32 | u128::from(next) << 96;
    for shift in [2, 4, 8, 8] {
        around &= around >> shift;
    }
    for shift in [2, 4, 8, 8] {
        around |= around << shift;
    }
    four & u64::try_from(around >> 32 & u128::from(u64::MAX)).unwrap_or_default()
}
