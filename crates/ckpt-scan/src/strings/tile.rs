//! A page at a time: which byte is what, as bits.
//!
//! A string is found by what its bytes are, one by one, so most of the work is asking of bytes whether they lie in one of a
//! handful of ranges. That is done for 64 of them at once: vector instructions take their bits apart, and all later steps
//! are operations, shifts and counts of words. What a page does not need is not done: much memory is zeros or plain text.
//!
//! Everything here is inlined into [`window::scan`](super::window::scan), which is compiled once for each set of vector
//! instructions and picks the best that the processor has: a function of its own would be compiled for the oldest one.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Simd, u8x64};

/// Bytes of a block: one word of bits.
pub(super) const BLOCK: usize = 64;

/// Blocks of a tile.
pub(super) const BLOCKS: usize = 64;

/// Bytes of a tile.
pub(super) const TILE: usize = BLOCK * BLOCKS;

/// Words of a kind: one for the block before the tile, those of the tile, and two for the blocks behind it.
const WORDS: usize = BLOCKS + 3;

/// Which bytes of a tile are what.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    /// The first is of the block before the tile.
    planes: [Planes; WORDS],
    /// Printable ASCII and the tab.
    ascii: [u64; WORDS],
    /// Bytes of this tile that belong to a character which begins in the one before.
    spilled: u64,
}

impl Default for Tile {
    fn default() -> Self {
        Self { planes: [Planes::default(); WORDS], ascii: [0; WORDS], spilled: 0 }
    }
}

impl Tile {
    /// Begins a new window.
    pub(super) fn begin(&mut self) {
        self.spilled = 0;
    }

    /// Looks at the tile that begins at `base`. `false` when it and what lies beside it are zeros throughout.
    #[inline(always)]
    pub(super) fn look<S: Simd>(&mut self, simd: S, bytes: &[u8], base: usize) -> bool {
        let end = base.saturating_add(TILE + 2 * BLOCK).min(bytes.len());
        let near = bytes.get(base.saturating_sub(BLOCK)..end).unwrap_or_default();
        if self.spilled == 0 && near.iter().fold(0, |sum, byte| sum | byte) == 0 {
            return false;
        }
        let mut at = base.checked_sub(BLOCK);
        for planes in &mut self.planes {
            let rest = at.and_then(|at| bytes.get(at..)).unwrap_or_default();
            *planes = match rest.first_chunk() {
                Some(block) => Planes::of(simd, block),
                None => Planes::of_rest(simd, rest),
            };
            at = Some(at.map_or(0, |at| at.saturating_add(BLOCK)));
        }
        // A loop of its own, or the compiler turns it back into comparisons of bytes.
        for (ascii, planes) in self.ascii.iter_mut().zip(&self.planes) {
            *ascii = planes.ascii();
        }
        true
    }

    /// Whether there may be text beyond ASCII in it.
    #[inline(always)]
    pub(super) fn is_beyond_ascii(&self) -> bool {
        self.spilled != 0 || self.planes.iter().fold(0, |sum, planes| sum | planes.high()) != 0
    }

    /// The blocks in which UTF-16 may begin or go on, if any: that takes eight bytes in a row of which two together are
    /// never both ASCII.
    #[inline(always)]
    pub(super) fn may_be_utf16(&self) -> Option<Range<usize>> {
        let mut pairs = [0; BLOCKS + 1];
        let words = self.ascii.iter().skip(1).zip(self.ascii.iter().skip(2));
        for (pairs, (this, next)) in pairs.iter_mut().zip(words) {
            *pairs = !(this & ahead(*this, *next, 1));
        }
        let mut rows = [0; BLOCKS];
        for (rows, (this, next)) in rows.iter_mut().zip(pairs.iter().zip(pairs.iter().skip(1))) {
            let two = this & ahead(*this, *next, 2);
            *rows = two & ahead(two, next & (next >> 2), 4);
        }
        let first = rows.iter().position(|rows| *rows != 0)?;
        let last = rows.iter().rposition(|rows| *rows != 0)?;
        Some(first..last.saturating_add(1))
    }

    /// Printable ASCII and tabs: the block before the tile, those of the tile, and two more.
    #[inline(always)]
    pub(super) fn ascii(&self) -> &[u64; WORDS] {
        &self.ascii
    }

    /// The bytes that belong to a valid UTF-8 character which is no control character: of the tile's blocks and of the one
    /// behind it, and which of them are not ASCII.
    #[inline(always)]
    pub(super) fn text(&mut self) -> [(u64, u64); BLOCKS + 1] {
        let mut text = [(0, 0); BLOCKS + 1];
        let mut planes = self.planes.iter().skip(1);
        let mut this = planes.next().map(Sequences::of).unwrap_or_default();
        let mut spilled = self.spilled;
        let rest = planes.zip(self.ascii.iter().skip(1)).enumerate();
        for ((text, high), (index, (next, ascii))) in text.iter_mut().zip(rest) {
            let next = Sequences::of(next);
            // What the last block of the tile spills is for the first one of the next tile.
            if index == BLOCKS {
                self.spilled = spilled;
            }
            *high = spilled;
            *high |= this.text(&next, &mut spilled);
            *text = ascii | *high;
            this = next;
        }
        text
    }

    /// The units of UTF-16, little-endian and big-endian: of the block before some of the tile, of each of those, and of the
    /// one behind them.
    #[inline(always)]
    pub(super) fn units<'u>(
        &self,
        blocks: &Range<usize>,
        space: &'u mut [[Units; 2]; BLOCKS + 2],
    ) -> &'u [[Units; 2]] {
        let mut kinds = self.planes.iter().skip(blocks.start).map(Kinds::of);
        let mut this = kinds.next().unwrap_or_default();
        let count = blocks.len().saturating_add(2).min(BLOCKS + 2);
        let units = space.get_mut(..count).unwrap_or_default();
        for (units, next) in units.iter_mut().zip(kinds) {
            let behind = this.behind(&next);
            *units = [Units::of(&this, &behind), Units::of(&behind, &this)];
            this = next;
        }
        units
    }
}

/// The bits of 64 bytes, turned round: word n has bit n of every byte, and bit m of a word is of byte m.
///
/// What a byte is becomes a few operations on words, for all 64 at once.
#[derive(Clone, Copy, Debug, Default)]
struct Planes([u64; 8]);

impl Planes {
    #[inline(always)]
    fn of<S: Simd>(simd: S, bytes: &[u8; BLOCK]) -> Self {
        let bytes = u8x64::simd_from(simd, *bytes);
        let mut planes = [0; 8];
        let mut bit = 1_u8;
        // A closure would not be inlined.
        for plane in &mut planes {
            *plane = (bytes & bit).simd_eq(bit).to_bitmask();
            bit = bit.wrapping_shl(1);
        }
        Self(planes)
    }

    /// Of the end of a window: what is behind it is nothing of interest.
    fn of_rest<S: Simd>(simd: S, bytes: &[u8]) -> Self {
        let mut whole = [NOTHING; BLOCK];
        whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self::of(simd, &whole)
    }

    /// 0x80 and above.
    #[inline(always)]
    fn high(&self) -> u64 {
        self.0[7]
    }

    /// 0x20 to 0x7e, and 0x09.
    #[inline(always)]
    fn ascii(&self) -> u64 {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = self.0;
        let delete = b6 & b5 & b4 & b3 & b2 & b1 & b0;
        let tab = b3 & b0 & !(b6 | b5 | b4 | b2 | b1);
        !b7 & (((b6 | b5) & !delete) | tab)
    }
}

/// What may be half of a unit.
#[derive(Clone, Copy, Default)]
struct Kinds {
    ascii: u64,
    /// ASCII, and 0x80 and above.
    letters: u64,
    /// 0.
    zero: u64,
    /// 0x01 to 0x06: upper halves of units of the alphabets (Latin beyond ASCII, Greek, Cyrillic, Hebrew, Arabic).
    alphabet: u64,
    /// 0x30: upper half of units of kana.
    kana: u64,
    /// Upper halves of units of Chinese, Japanese and Korean: 0x30, 0x4e to 0x9f, 0xac to 0xd7, 0xff.
    wide: u64,
}

impl Kinds {
    #[inline(always)]
    fn of(planes: &Planes) -> Self {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = planes.0;
        let ascii = planes.ascii();
        let below_8 = !(b7 | b6 | b5 | b4 | b3);
        let (some, all) = (b2 | b1 | b0, b2 & b1 & b0);
        let kana = b5 & b4 & !(b7 | b6 | b3 | some);
        let from_4e = !b7 & b6 & (b5 | b4 | (b3 & b2 & b1));
        let from_80 = b7 & !b6 & !b5;
        let from_ac = b7 & !b6 & b5 & (b4 | (b3 & b2));
        let from_c0 = b7 & b6 & !b5 & !(b4 & b3);
        let full_width = b7 & b6 & b5 & b4 & b3 & all;
        Self {
            ascii,
            letters: ascii | b7,
            zero: below_8 & !some,
            alphabet: below_8 & some & !all,
            kana,
            wide: kana | from_4e | from_80 | from_ac | from_c0 | full_width,
        }
    }

    /// The same of the bytes one further on.
    #[inline(always)]
    fn behind(&self, next: &Self) -> Self {
        Self {
            ascii: ahead(self.ascii, next.ascii, 1),
            letters: ahead(self.letters, next.letters, 1),
            zero: ahead(self.zero, next.zero, 1),
            alphabet: ahead(self.alphabet, next.alphabet, 1),
            kana: ahead(self.kana, next.kana, 1),
            wide: ahead(self.wide, next.wide, 1),
        }
    }
}

/// Units of UTF-16 in one byte order: bit n for the unit that begins at byte n. All that are, and some more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Units {
    /// Below U+0700, and kana that is not two bytes of ASCII.
    pub(super) alphabetic: u64,
    /// East Asian, and not two bytes of ASCII.
    pub(super) east_asian: u64,
    /// Either, and East Asian ones that are two bytes of ASCII.
    pub(super) any: u64,
}

impl Units {
    #[inline(always)]
    fn of(low: &Kinds, high: &Kinds) -> Self {
        let letters = (low.letters & high.zero) | (!low.zero & high.alphabet);
        let alphabetic = letters | (!low.ascii & high.kana);
        let pair = low.ascii & high.ascii;
        Self { alphabetic, east_asian: high.wide & !pair, any: letters | high.wide }
    }
}

/// Which bytes may stand where in a UTF-8 sequence.
///
/// Source: RFC 3629, section 4.
#[derive(Clone, Copy, Debug, Default)]
struct Sequences {
    /// 0x80 to 0xbf.
    tail: u64,
    /// 0x90 to 0xbf.
    tail_from_90: u64,
    /// 0xa0 to 0xbf.
    tail_from_a0: u64,
    /// Leads of two bytes with any tail: 0xc3 to 0xdf.
    two: u64,
    /// 0xc2: below 0xa0 come the control characters U+0080 to U+009F.
    c2: u64,
    /// Leads of three bytes with any tail: 0xe1 to 0xef without 0xed.
    three: u64,
    /// 0xe0: below 0xa0 come overlong forms.
    e0: u64,
    /// 0xed: from 0xa0 on come surrogates.
    ed: u64,
    /// Leads of four bytes with any tail: 0xf1 to 0xf3.
    four: u64,
    /// 0xf0: below 0x90 come overlong forms.
    f0: u64,
    /// 0xf4: from 0x90 on Unicode ends.
    f4: u64,
}

impl Sequences {
    #[inline(always)]
    fn of(planes: &Planes) -> Self {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = planes.0;
        let tail = b7 & !b6;
        let lead = b7 & b6;
        let two = lead & !b5;
        let three = lead & b5 & !b4;
        let four = lead & b5 & b4 & !b3;
        let c2 = two & b1 & !(b4 | b3 | b2 | b0);
        let e0 = three & !(b3 | b2 | b1 | b0);
        let ed = three & b3 & b2 & !b1 & b0;
        Self {
            tail,
            tail_from_90: tail & (b5 | b4),
            tail_from_a0: tail & b5,
            two: two & (b4 | b3 | b2 | b1) & !c2,
            c2,
            three: three & !(e0 | ed),
            e0,
            ed,
            four: four & !b2 & (b1 | b0),
            f0: four & !(b2 | b1 | b0),
            f4: four & b2 & !(b1 | b0),
        }
    }

    /// The bytes of characters; `next` are those of the block behind, and `spilled` gets its bytes that belong to a
    /// character of this one.
    #[inline(always)]
    fn text(&self, next: &Self, spilled: &mut u64) -> u64 {
        let tail = ahead(self.tail, next.tail, 1);
        let from_a0 = ahead(self.tail_from_a0, next.tail_from_a0, 1);
        let two = (self.two & tail) | (self.c2 & from_a0);
        let from_90 = ahead(self.tail_from_90, next.tail_from_90, 1);
        let third = ahead(self.tail, next.tail, 2);
        let three =
            ((self.three & tail) | (self.e0 & from_a0) | (self.ed & tail & !from_a0)) & third;
        let four = ((self.four & tail) | (self.f0 & from_90) | (self.f4 & tail & !from_90))
            & third
            & ahead(self.tail, next.tail, 3);
        let (threes, all) = (three | four, two | three | four);
        *spilled = (all >> 63) | (threes >> 62) | (four >> 61);
        all | (all << 1) | (threes << 2) | (four << 3)
    }
}

/// A byte that is of no kind above.
const NOTHING: u8 = 0x0b;

/// The bits of what lies `by` bytes further on, 1 to 63.
#[inline(always)]
pub(super) fn ahead(this: u64, next: u64, by: u32) -> u64 {
    (this >> by) | next.wrapping_shl(64_u32.wrapping_sub(by))
}

/// Bits of `this` that begin a row of at least `n` set bits, from 1; the row may go on in `next`. Of rows longer than 64
/// those that begin in `this` and fill all of the rest of it.
#[inline(always)]
pub(super) fn rows(mut this: u64, mut next: u64, n: u32) -> u64 {
    let mut have = 1_u32;
    while have < n.min(64) {
        let more = have.min(n.wrapping_sub(have)).min(63);
        this &= ahead(this, next, more);
        next &= next.wrapping_shr(more);
        have = have.wrapping_add(more);
    }
    this
}

#[cfg(test)]
mod tests {
    use fearless_simd::{Level, dispatch};

    use super::*;

    fn look(tile: &mut Tile, bytes: &[u8]) -> bool {
        dispatch!(Level::new(), simd => tile.look(simd, bytes, 0))
    }

    /// What [`Tile::text`] says of the first 64 bytes.
    fn text(bytes: &[u8]) -> u64 {
        let mut tile = Tile::default();
        if look(&mut tile, bytes) { tile.text()[0].0 } else { 0 }
    }

    /// One in eight bytes begins a character.
    #[test]
    fn every_character_and_nothing_else_is_text() {
        let all: Vec<char> = ('\0'..=char::MAX).collect();
        let mut tile = Tile::default();
        for some in all.chunks(TILE / 8) {
            let mut bytes = vec![NOTHING; TILE];
            for (slot, c) in bytes.chunks_mut(8).zip(some) {
                c.encode_utf8(slot);
            }
            tile.begin();
            assert!(look(&mut tile, &bytes));
            let text = tile.text();
            for (index, c) in some.iter().enumerate() {
                let got = text[index / 8].0 >> (index % 8 * 8) & 0xff;
                let wanted =
                    if !c.is_control() || *c == '\t' { (1 << c.len_utf8()) - 1 } else { 0 };
                assert_eq!(got, wanted, "{c:?}");
            }
        }
    }

    #[test]
    fn three_bytes_of_anything() {
        // Of every three bytes, a character is text exactly where the standard library says that there is one.
        for first in 0x80..=0xff_u8 {
            for second in (0..=0xff_u8).step_by(3) {
                for third in [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff] {
                    let bytes = [first, second, third, 0x80, 0x0b];
                    let valid = (1..=4).find_map(|len| {
                        let c = std::str::from_utf8(&bytes[..len]).ok()?.chars().next()?;
                        (!c.is_control()).then_some(len)
                    });
                    let got = text(&bytes) & 0xf;
                    match valid {
                        Some(len) => {
                            assert_eq!(got & ((1 << len) - 1), (1 << len) - 1, "{bytes:x?}");
                        }
                        None => assert_eq!(got & 1, 0, "{bytes:x?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn rows_of_bits() {
        assert_eq!(rows(0b0111_0110, 0, 2), 0b0011_0010);
        assert_eq!(rows(0b0111_0110, 0, 3), 0b0001_0000);
        assert_eq!(rows(0b1011 << 60, 0b1, 2), (0b1001 << 60));
        assert_eq!(rows(0b1011 << 60, 0b11, 3), (0b1000 << 60));
        assert_eq!(rows(u64::MAX, u64::MAX, 64), u64::MAX);
        assert_eq!(rows(u64::MAX, u64::MAX >> 8, 64), u64::MAX >> 7);
        assert_eq!(rows(u64::MAX, 0, 64), 1);
        assert_eq!(rows(u64::MAX, 0, 1000), 1);
    }
}
