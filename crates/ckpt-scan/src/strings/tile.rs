//! A page at a time: which byte is what, as bits.
//!
//! A string is found by what its bytes are, one by one, so most of the work is asking of bytes whether they lie in one of a
//! handful of ranges. That is done for 64 of them at once: vector instructions take their bits apart, and all later steps
//! are operations, shifts and counts of words. What a page does not need is not done: much memory is zeros or plain text.
//!
//! Everything here is inlined into [`window::scan`](super::window::scan), which is compiled once for each set of vector
//! instructions and picks the best that the processor has: a function of its own would be compiled for the oldest one.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, u8x64};

/// Bytes of a block: one word of bits.
pub(super) const BLOCK: usize = 64;

/// Blocks of a tile.
pub(super) const BLOCKS: usize = 64;

/// Bytes of a tile.
pub(super) const TILE: usize = BLOCK * BLOCKS;

/// Words of a kind: one for the block before the tile, those of the tile, two for the blocks behind it, and some of nothing,
/// so that they are a multiple of what the widest instructions take at once.
pub(super) const WORDS: usize = BLOCKS + 8;

/// A bit for each byte: the first word is of the block before the tile.
pub(super) type Words = [u64; WORDS];

/// Which bytes of a tile are what.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    /// The bits of the bytes, turned round: plane n has bit n of every byte. What a byte is becomes a few operations on
    /// words, for all bytes at once.
    planes: [Words; 8],
    /// Printable ASCII and the tab.
    ascii: Words,
}

impl Default for Tile {
    fn default() -> Self {
        Self { planes: [[0; WORDS]; 8], ascii: [0; WORDS] }
    }
}

impl Tile {
    /// Looks at the tile that begins at `base`. `false` when it and what lies beside it are zeros throughout.
    #[inline(always)]
    pub(super) fn look<S: Simd>(&mut self, simd: S, bytes: &[u8], base: usize) -> bool {
        let end = base.saturating_add(TILE + 2 * BLOCK).min(bytes.len());
        let near = bytes.get(base.saturating_sub(BLOCK)..end).unwrap_or_default();
        if near.iter().fold(0, |sum, byte| sum | byte) == 0 {
            return false;
        }
        let mut from = base.checked_sub(BLOCK);
        for at in 0..BLOCKS + 3 {
            let rest = from.and_then(|from| bytes.get(from..)).unwrap_or_default();
            match rest.first_chunk() {
                Some(block) => self.turn(simd, block, at),
                None => {
                    // What is behind the end of a window is nothing of interest.
                    let mut whole = [NOTHING; BLOCK];
                    whole.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    self.turn(simd, &whole, at);
                }
            }
            from = Some(from.map_or(0, |from| from.saturating_add(BLOCK)));
        }
        for at in 0..WORDS {
            let ascii = self.planes(at).ascii();
            set(&mut self.ascii, at, ascii);
        }
        true
    }

    /// Takes the bits of a block apart.
    #[inline(always)]
    fn turn<S: Simd>(&mut self, simd: S, block: &[u8; BLOCK], at: usize) {
        let bytes = u8x64::simd_from(simd, *block);
        let mut bit = 1_u8;
        // A closure would not be inlined.
        for plane in &mut self.planes {
            set(plane, at, (bytes & bit).simd_eq(bit).to_bitmask());
            bit = bit.wrapping_shl(1);
        }
    }

    /// The bits of a block.
    #[inline(always)]
    fn planes(&self, at: usize) -> Planes {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = &self.planes;
        Planes([
            get(b0, at),
            get(b1, at),
            get(b2, at),
            get(b3, at),
            get(b4, at),
            get(b5, at),
            get(b6, at),
            get(b7, at),
        ])
    }

    /// Whether there may be text beyond ASCII in it.
    #[inline(always)]
    pub(super) fn is_beyond_ascii(&self) -> bool {
        let [.., high] = &self.planes;
        high.iter().fold(0, |sum, word| sum | word) != 0
    }

    /// Whether UTF-16 may begin or go on in it: that takes eight bytes in a row of which two together are never both ASCII.
    #[inline(always)]
    pub(super) fn may_be_utf16(&self) -> bool {
        let mut pairs = self.ascii;
        and_ahead(&mut pairs, 1);
        for word in &mut pairs {
            *word = !*word;
        }
        and_ahead(&mut pairs, 2);
        and_ahead(&mut pairs, 4);
        of_tile(&pairs).fold(0, |sum, word| sum | word) != 0
    }

    /// Printable ASCII and tabs.
    #[inline(always)]
    pub(super) fn ascii(&self) -> &Words {
        &self.ascii
    }

    /// The bytes that belong to a valid UTF-8 character which is no control character, up to the block behind the tile;
    /// and which of them are not ASCII.
    #[inline(always)]
    pub(super) fn text(&self) -> (Words, Words) {
        let (mut high, mut spilled) = ([0; WORDS], [0; WORDS]);
        for (at, behind) in (0..WORDS).zip(1..WORDS) {
            let next = Sequences::of(&self.planes(behind));
            let (own, beyond) = Sequences::of(&self.planes(at)).text(&next);
            set(&mut high, at, own);
            set(&mut spilled, behind, beyond);
        }
        let mut text = self.ascii;
        for ((text, high), spilled) in text.iter_mut().zip(&mut high).zip(&spilled) {
            *high |= spilled;
            *text |= *high;
        }
        (text, high)
    }

    /// The units of UTF-16, little-endian and big-endian.
    #[inline(always)]
    pub(super) fn units(&self) -> [Units; 2] {
        let mut here = [[0; WORDS]; 6];
        for at in 0..WORDS {
            let kinds = Kinds::of(&self.planes(at));
            let [ascii, letters, zero, alphabet, kana, wide] = &mut here;
            set(ascii, at, kinds.ascii);
            set(letters, at, kinds.letters);
            set(zero, at, kinds.zero);
            set(alphabet, at, kinds.alphabet);
            set(kana, at, kinds.kana);
            set(wide, at, kinds.wide);
        }
        // The same of the bytes one further on.
        let mut behind = here;
        for words in &mut behind {
            let next = next(words);
            for (word, next) in words.iter_mut().zip(&next) {
                *word = ahead(*word, *next, 1);
            }
        }
        let mut units = [Units::default(), Units::default()];
        let [little, big] = &mut units;
        for at in 0..WORDS {
            let (here, behind) = (Kinds::at(&here, at), Kinds::at(&behind, at));
            little.set(at, &here, &behind);
            big.set(at, &behind, &here);
        }
        units
    }
}

/// The word of a block.
#[inline(always)]
pub(super) fn get(words: &Words, at: usize) -> u64 {
    words.get(at).copied().unwrap_or_default()
}

#[inline(always)]
fn set(words: &mut Words, at: usize, word: u64) {
    if let Some(place) = words.get_mut(at) {
        *place = word;
    }
}

/// The words of the tile itself.
#[inline(always)]
pub(super) fn of_tile(words: &Words) -> impl Iterator<Item = &u64> {
    words.iter().skip(1).take(BLOCKS)
}

/// The word behind each.
#[inline(always)]
fn next(words: &Words) -> Words {
    let mut next = [0; WORDS];
    if let (Some(to), Some(from)) = (next.get_mut(..WORDS - 1), words.get(1..)) {
        to.copy_from_slice(from);
    }
    next
}

/// Leaves the bits that have another one `by` further on, 1 to 63.
#[inline(always)]
pub(super) fn and_ahead(words: &mut Words, by: u32) {
    let next = next(words);
    for (word, next) in words.iter_mut().zip(&next) {
        *word &= ahead(*word, *next, by);
    }
}

/// Leaves the bits that begin a row of at least `n` set bits, from 1, or of 64 when that is less.
#[inline(always)]
pub(super) fn begin_rows(words: &mut Words, n: u32) {
    let n = n.min(64);
    let mut have = 1_u32;
    while have < n {
        let more = have.min(n.wrapping_sub(have));
        and_ahead(words, more);
        have = have.wrapping_add(more);
    }
}

/// The bits of the 64 bytes of a block: word n has bit n of every byte, and bit m of a word is of byte m.
#[derive(Clone, Copy, Debug, Default)]
struct Planes([u64; 8]);

impl Planes {
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

    #[inline(always)]
    fn at([ascii, letters, zero, alphabet, kana, wide]: &[Words; 6], at: usize) -> Self {
        Self {
            ascii: get(ascii, at),
            letters: get(letters, at),
            zero: get(zero, at),
            alphabet: get(alphabet, at),
            kana: get(kana, at),
            wide: get(wide, at),
        }
    }
}

/// Units of UTF-16 in one byte order: bit n for the unit that begins at byte n. All that are, and some more.
#[derive(Clone, Debug)]
pub(super) struct Units {
    /// Below U+0700, and kana that is not two bytes of ASCII.
    pub(super) alphabetic: Words,
    /// East Asian, and not two bytes of ASCII.
    pub(super) east_asian: Words,
    /// Either, and East Asian ones that are two bytes of ASCII.
    pub(super) any: Words,
}

impl Default for Units {
    fn default() -> Self {
        Self { alphabetic: [0; WORDS], east_asian: [0; WORDS], any: [0; WORDS] }
    }
}

impl Units {
    #[inline(always)]
    fn set(&mut self, at: usize, low: &Kinds, high: &Kinds) {
        let letters = (low.letters & high.zero) | (!low.zero & high.alphabet);
        set(&mut self.alphabetic, at, letters | (!low.ascii & high.kana));
        set(&mut self.east_asian, at, high.wide & !(low.ascii & high.ascii));
        set(&mut self.any, at, letters | high.wide);
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

    /// The bytes of characters that begin in a block: its own, and those of the block behind it, `next`.
    #[inline(always)]
    fn text(&self, next: &Self) -> (u64, u64) {
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
        let own = all | (all << 1) | (threes << 2) | (four << 3);
        (own, (all >> 63) | (threes >> 62) | (four >> 61))
    }
}

/// A byte that is of no kind above.
const NOTHING: u8 = 0x0b;

/// The bits of what lies `by` bytes further on, 1 to 63.
#[inline(always)]
pub(super) fn ahead(this: u64, next: u64, by: u32) -> u64 {
    (this >> by) | next.wrapping_shl(64_u32.wrapping_sub(by))
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
        if look(&mut tile, bytes) { tile.text().0[1] } else { 0 }
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
            assert!(look(&mut tile, &bytes));
            let (text, _) = tile.text();
            for (index, c) in some.iter().enumerate() {
                let got = text[index / 8 + 1] >> (index % 8 * 8) & 0xff;
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
        let rows = |this: u64, next: u64, n: u32| {
            let mut words = [0; WORDS];
            [words[1], words[2]] = [this, next];
            begin_rows(&mut words, n);
            words[1]
        };
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
