//! Rows of digits that are long enough for the number of a card, found for 64 bytes at once.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, u8x64};

/// Bytes of a block.
const BLOCK: usize = 64;

/// Fewest digits of a row, every other byte of which is a separator: with fewer in two blocks none ends in the second.
const FEWEST: u32 = 6;

/// Tells every place in a range of a window at which a row of 13 digits or more ends or goes on. A blank or a dash behind a
/// digit counts as one.
pub(super) fn find(window: &[u8], range: Range<usize>, tell: &mut dyn FnMut(usize)) {
    dispatch!(Level::new(), simd => run(simd, window, range, tell));
}

/// Compiled once for each set of vector instructions: all that it calls is inlined, and there are no closures, which would
/// be compiled for the oldest processor.
#[inline(always)]
fn run<S: Simd>(simd: S, window: &[u8], range: Range<usize>, tell: &mut dyn FnMut(usize)) {
    let window = window.get(..range.end).unwrap_or(window);
    let mut last = Rows::default();
    // Whether more is known of the block before than its digits.
    let mut known = false;
    let mut at = range.start;
    while at < window.len() {
        let rest = window.get(at..).unwrap_or_default();
        let mut padded = [0; BLOCK];
        let block = if let Some(block) = rest.first_chunk() {
            block
        } else {
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            &padded
        };
        let bytes = u8x64::simd_from(simd, *block);
        let digits = (bytes.simd_ge(b'0') & bytes.simd_le(b'9')).to_bitmask();
        if digits.count_ones().wrapping_add(last.digits.count_ones()) < FEWEST {
            last = Rows { digits, ..Rows::default() };
            known = false;
        } else {
            if !known && last.digits != 0 {
                let before = window.get(at.saturating_sub(BLOCK)..).unwrap_or_default();
                if let Some(before) = before.first_chunk() {
                    let separators = separators(u8x64::simd_from(simd, *before));
                    // A row that ends in this block began in that one.
                    last = Rows::of(last.digits, separators, &Rows::default());
                }
            }
            last = Rows::of(digits, separators(bytes), &last);
            known = true;
            if last.thirteen != 0 {
                told(last.thirteen, at, tell);
            }
        }
        at = at.saturating_add(BLOCK);
    }
}

/// Blanks and dashes, one a bit.
#[inline(always)]
fn separators<S: Simd>(bytes: u8x64<S>) -> u64 {
    bytes.simd_eq(b' ').to_bitmask() | bytes.simd_eq(b'-').to_bitmask()
}

/// What ends at the bytes of a block, one a bit.
#[derive(Clone, Copy, Default)]
struct Rows {
    digits: u64,
    /// Rows of one, two, four, eight and thirteen.
    one: u64,
    two: u64,
    four: u64,
    eight: u64,
    thirteen: u64,
}

impl Rows {
    #[inline(always)]
    fn of(digits: u64, separators: u64, last: &Self) -> Self {
        let one = digits | (separators & behind(digits, last.digits, 1));
        let two = one & behind(one, last.one, 1);
        let four = two & behind(two, last.two, 2);
        let eight = four & behind(four, last.four, 4);
        Self { digits, one, two, four, eight, thirteen: eight & behind(eight, last.eight, 5) }
    }
}

/// The bits of what lies `by` bytes before, 1 to 63.
#[inline(always)]
fn behind(this: u64, last: u64, by: u32) -> u64 {
    this.wrapping_shl(by) | last.wrapping_shr(64_u32.wrapping_sub(by))
}

fn told(bits: u64, at: usize, tell: &mut dyn FnMut(usize)) {
    let mut left = bits;
    while left != 0 {
        tell(at.saturating_add(left.trailing_zeros() as usize));
        left &= left.wrapping_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, byte by byte.
    fn naive(window: &[u8], range: &Range<usize>) -> Vec<usize> {
        let mut row = 0_usize;
        let mut last = b'x';
        let mut found = Vec::new();
        for (at, byte) in window.iter().enumerate().take(range.end).skip(range.start) {
            let separates = matches!(byte, b' ' | b'-') && last.is_ascii_digit();
            row = if byte.is_ascii_digit() || separates { row.saturating_add(1) } else { 0 };
            last = *byte;
            if row >= 13 {
                found.push(at);
            }
        }
        found
    }

    /// Rows here and there, with nothing or little between them.
    fn scattered() -> impl Strategy<Value = Vec<u8>> {
        let row = prop::collection::vec(
            prop_oneof![9 => b'0'..=b'9', 1 => Just(b' '), 1 => Just(b'-')],
            0..30,
        );
        let gap = (0_usize..150).prop_map(|len| vec![b'x'; len]);
        let parts = prop::collection::vec((row, gap), 0..8);
        parts.prop_map(|parts| parts.into_iter().flat_map(|(a, b)| [a, b].concat()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn where_rows_stand_alone(window in scattered(), start in 0_usize..200) {
            let range = start..window.len();
            let mut found = Vec::new();
            find(&window, range.clone(), &mut |at| found.push(at));
            prop_assert_eq!(found, naive(&window, &range));
        }

        #[test]
        fn where_rows_are_long_enough(
            window in prop::collection::vec(
                prop_oneof![12 => b'0'..=b'9', 1 => Just(b' '), 1 => Just(b'-'), 1 => any::<u8>()], 0..400),
            ends in (0_usize..420, 0_usize..420),
        ) {
            let range = ends.0.min(ends.1)..ends.0.max(ends.1);
            let mut found = Vec::new();
            find(&window, range.clone(), &mut |at| found.push(at));
            prop_assert_eq!(found, naive(&window, &range));
        }
    }
}
