//! 64 bytes at a time: which byte is what, as bits.
//!
//! A string is found by what its bytes are, one by one, so most of the work is comparing bytes with a handful of ranges.
//! That is done for 64 of them at once; all later steps are shifts and counts of the resulting words.

use wide::u8x64;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Sequences of UTF-8 beyond ASCII.
    pub(super) utf8: bool,
    /// Units of UTF-16.
    pub(super) utf16: bool,
}

/// Which of 64 bytes are what: bit n for byte n.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block {
    /// Printable ASCII and the tab.
    pub(super) ascii: u64,
    /// 0x80 and above.
    pub(super) high: u64,
    /// 0.
    pub(super) zero: u64,
    /// 0x01 to 0x06: upper halves of units of the alphabets (Latin beyond ASCII, Greek, Cyrillic, Hebrew, Arabic).
    pub(super) alphabet: u64,
    /// Upper halves of units of Chinese, Japanese and Korean: 0x30, 0x4e to 0x9f, 0xac to 0xd7, 0xff.
    pub(super) wide: u64,
    utf8: Sequences,
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
    /// Leads of two bytes with any tail.
    two: u64,
    /// 0xc2: below 0xa0 come the control characters U+0080 to U+009F.
    c2: u64,
    /// Leads of three bytes with any tail.
    three: u64,
    /// 0xe0: below 0xa0 come overlong forms.
    e0: u64,
    /// 0xed: from 0xa0 on come surrogates.
    ed: u64,
    /// Leads of four bytes with any tail.
    four: u64,
    /// 0xf0: below 0x90 come overlong forms.
    f0: u64,
    /// 0xf4: from 0x90 on Unicode ends.
    f4: u64,
}

impl Block {
    /// Looks at a block.
    #[inline]
    pub(super) fn of(bytes: &[u8; BLOCK], look: Look) -> Self {
        let v = u8x64::new(*bytes);
        let mut block = Self {
            ascii: range(v, b' ', b'~') | is(v, b'\t'),
            high: v.to_bitmask(),
            ..Self::default()
        };
        if look.utf16 {
            block.zero = is(v, 0);
            block.alphabet = range(v, 0x01, 0x06);
            block.wide = range(v, 0x4e, 0x9f) | range(v, 0xac, 0xd7) | is(v, 0x30) | is(v, 0xff);
        }
        if look.utf8 && block.high != 0 {
            block.utf8 = Sequences::of(v);
        }
        block
    }

    /// Looks at the last, shorter part of a window: what is behind its end is nothing of interest.
    pub(super) fn of_rest(bytes: &[u8], look: Look) -> Self {
        let mut whole = [NOTHING; BLOCK];
        whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self::of(&whole, look)
    }

    /// The bytes of valid UTF-8 characters that are no control characters; `next` is the block behind, and `spilled` the
    /// bytes at the start of this block that belong to a character of the block before, which is told for the next one.
    #[inline]
    pub(super) fn text(&self, next: &Self, spilled: &mut u64) -> u64 {
        let mut text = self.ascii | *spilled;
        *spilled = 0;
        if self.high == 0 {
            return text;
        }
        let (s, n) = (&self.utf8, &next.utf8);
        let tail = ahead(s.tail, n.tail, 1);
        let from_a0 = ahead(s.tail_from_a0, n.tail_from_a0, 1);
        let two = (s.two & tail) | (s.c2 & from_a0);
        let mut starts = two;
        let mut seconds = two;
        let leads = s.three | s.e0 | s.ed | s.four | s.f0 | s.f4;
        if leads != 0 {
            let from_90 = ahead(s.tail_from_90, n.tail_from_90, 1);
            let third = ahead(s.tail, n.tail, 2);
            let three = ((s.three & tail) | (s.e0 & from_a0) | (s.ed & tail & !from_a0)) & third;
            let four = ((s.four & tail) | (s.f0 & from_90) | (s.f4 & tail & !from_90))
                & third
                & ahead(s.tail, n.tail, 3);
            starts |= three | four;
            seconds |= three | four;
            text |= ((three | four) << 2) | (four << 3);
            *spilled |= ((three | four) >> 62) | (four >> 61);
        }
        text |= starts | (seconds << 1);
        *spilled |= seconds >> 63;
        text
    }
}

impl Sequences {
    #[inline]
    fn of(v: u8x64) -> Self {
        let (c2, e0, ed) = (is(v, 0xc2), is(v, 0xe0), is(v, 0xed));
        let (f0, f4) = (is(v, 0xf0), is(v, 0xf4));
        Self {
            tail: range(v, 0x80, 0xbf),
            tail_from_90: range(v, 0x90, 0xbf),
            tail_from_a0: range(v, 0xa0, 0xbf),
            two: range(v, 0xc3, 0xdf),
            c2,
            three: range(v, 0xe1, 0xef) & !ed,
            e0,
            ed,
            four: range(v, 0xf1, 0xf3),
            f0,
            f4,
        }
    }
}

/// A byte that is of no kind above.
const NOTHING: u8 = 0x0b;

#[inline]
fn range(v: u8x64, first: u8, last: u8) -> u64 {
    let from = v - u8x64::splat(first);
    from.simd_eq(from.min(u8x64::splat(last.wrapping_sub(first)))).to_bitmask()
}

#[inline]
fn is(v: u8x64, byte: u8) -> u64 {
    v.simd_eq(u8x64::splat(byte)).to_bitmask()
}

/// The bits of what lies `by` bytes further on, 1 to 63.
#[inline]
pub(super) fn ahead(this: u64, next: u64, by: u32) -> u64 {
    (this >> by) | next.wrapping_shl(64_u32.wrapping_sub(by))
}

/// Bits that begin a row of at least `n` set bits, `step` apart from each other, within the word: `n` from 1.
#[inline]
pub(super) fn rows(mut bits: u64, n: u32, step: u32) -> u64 {
    let mut have = 1_u32;
    while have < n && bits != 0 {
        let more = have.min(n.wrapping_sub(have));
        bits &= bits.checked_shr(more.wrapping_mul(step)).unwrap_or(0);
        have = have.wrapping_add(more);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Look = Look { utf8: true, utf16: true };

    /// What [`Block::text`] says of the first 64 of 128 bytes.
    fn text(bytes: &[u8]) -> u64 {
        let mut whole = [0; 128];
        whole[..bytes.len()].copy_from_slice(bytes);
        let first = Block::of(whole.first_chunk().unwrap(), ALL);
        let second = Block::of(whole.last_chunk().unwrap(), ALL);
        first.text(&second, &mut 0)
    }

    #[test]
    fn every_character_and_nothing_else_is_text() {
        for c in '\0'..=char::MAX {
            let mut bytes = [0; 4];
            let len = c.encode_utf8(&mut bytes).len();
            let wanted = if !c.is_control() || c == '\t' { (1 << len) - 1 } else { 0 };
            assert_eq!(text(&bytes[..len]), wanted, "{c:?}");
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
                            assert_eq!(got & ((1 << len) - 1), (1 << len) - 1, "{bytes:x?}")
                        }
                        None => assert_eq!(got & 1, 0, "{bytes:x?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn rows_of_bits() {
        assert_eq!(rows(0b0111_0110, 2, 1), 0b0011_0010);
        assert_eq!(rows(0b0111_0110, 3, 1), 0b0001_0000);
        assert_eq!(rows(0b1010_1011, 3, 2), 0b0000_1011 & 0b1010_1011 & 0b0000_1010 | 0b10);
        assert_eq!(rows(u64::MAX, 64, 1), 1);
        assert_eq!(rows(u64::MAX, 65, 1), 0);
        assert_eq!(rows(u64::MAX, 40, 2), 0);
    }
}
