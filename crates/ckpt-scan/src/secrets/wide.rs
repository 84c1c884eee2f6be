//! Secrets in UTF-16: rows of ASCII characters with a zero between them are read as ASCII, which is what all rules know.
//!
//! Programs of .NET, Windows' own forms and `char[]` of Java hold text so. In which byte order does not matter for what it says:
//! `\0k\0e\0y\0` is `key` in both.

use std::ops::Range;

use crate::part::position;
use crate::strings::Encoding;

/// Fewest characters of a row: no secret is shorter.
pub(super) const SHORTEST: usize = 8;

/// Bytes of a block that is looked at as a whole.
const BLOCK: usize = 64;

/// A row of characters.
#[derive(Debug)]
pub(super) struct Row {
    /// Offset of the first character; they are at every other byte from here on.
    start: usize,
    /// The characters.
    pub(super) text: Vec<u8>,
}

impl Row {
    /// The row that holds the character at an offset, with at most so many characters before and behind it.
    pub(super) fn around(window: &[u8], at: usize, before: usize, after: usize) -> Self {
        let mut start = at;
        for _ in 0..before {
            match start.checked_sub(2).filter(|start| follows(window, *start)) {
                Some(earlier) => start = earlier,
                None => break,
            }
        }
        let most = (at.saturating_sub(start) / 2).saturating_add(after);
        Self { start, text: text(window, start, most) }
    }

    /// The index of the character at an offset.
    pub(super) fn index(&self, offset: usize) -> usize {
        offset.saturating_sub(self.start) / 2
    }

    /// The indexes of the characters that lie in a range of offsets.
    pub(super) fn within(&self, range: &Range<usize>) -> Range<usize> {
        let index =
            |offset: usize| offset.saturating_sub(self.start).div_ceil(2).min(self.text.len());
        index(range.start)..index(range.end)
    }

    /// Where characters stand in a window that begins at position `base`, and how they are to be read there: the zeros stand
    /// behind them, or before. Where both would do, text begins at even positions.
    pub(super) fn place(
        &self,
        window: &[u8],
        base: u64,
        range: &Range<usize>,
    ) -> (Range<usize>, Encoding) {
        let offset = |index: usize| self.start.saturating_add(index.saturating_mul(2));
        let (start, end) = (offset(range.start), offset(range.end));
        let zero = |at: usize| window.get(at) == Some(&0);
        let (before, behind) = (start.checked_sub(1).filter(|at| zero(*at)), end.saturating_sub(1));
        match before {
            Some(before) if !zero(behind) || !position(base, start).is_multiple_of(2) => {
                (before..behind, Encoding::Utf16Be)
            }
            _ => (start..end.min(window.len()), Encoding::Utf16Le),
        }
    }
}

/// The offset of the first character of what [`Row::place`] told.
pub(super) fn first_character(start: usize, encoding: Encoding) -> usize {
    start.saturating_add(usize::from(encoding == Encoding::Utf16Be))
}

/// Tells all rows of at least [`SHORTEST`] characters, in order.
pub(super) fn rows(window: &[u8], mut tell: impl FnMut(Row)) {
    let mut at = 0usize;
    while let Some(rest) = window.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(block) = rest.first_chunk::<BLOCK>()
            && is_quiet(block)
        {
            at = at.saturating_add(BLOCK);
            continue;
        }
        let end = at.saturating_add(BLOCK).min(window.len());
        while at < end {
            if !follows(window, at) {
                at = at.saturating_add(1);
                continue;
            }
            // It may begin in a block that was passed over.
            let mut start = at;
            while let Some(earlier) = start.checked_sub(2).filter(|start| follows(window, *start)) {
                start = earlier;
            }
            let row = Row { start, text: text(window, start, usize::MAX) };
            at = at.max(start.saturating_add(row.text.len().saturating_mul(2)).saturating_sub(1));
            if row.text.len() >= SHORTEST {
                tell(row);
            }
        }
    }
}

/// Whether no word of a block, 8 bytes at a multiple of 8, is four characters: the 15 bytes of a shortest row hold a whole word.
fn is_quiet(block: &[u8; BLOCK]) -> bool {
    let (words, _) = block.as_chunks();
    !words.iter().any(|word| may_be_text(u64::from_le_bytes(*word)))
}

/// Whether every other byte of a word is zero and the others lie between 9 and 127, as all characters do.
fn may_be_text(word: u64) -> bool {
    const LANES: u64 = 0x0001_0001_0001_0001;
    // A lane of 16 bits carries over into its ninth bit from 9 on.
    let four = |word: u64| {
        word & (0xff80 * LANES) == 0
            && word.wrapping_add(0xf7 * LANES) & (0x100 * LANES) == 0x100 * LANES
    };
    four(word) || (word & (0xff * LANES) == 0 && four(word >> 8))
}

/// Whether at an offset there is a character, and behind it a zero and another one.
fn follows(window: &[u8], at: usize) -> bool {
    match window.get(at..).and_then(|rest| rest.first_chunk()) {
        Some([one, 0, other]) => is_character(*one) && is_character(*other),
        _ => false,
    }
}

/// The characters from an offset on, so many at most.
fn text(window: &[u8], start: usize, most: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = window.get(start..).unwrap_or_default();
    while let [byte, behind @ ..] = rest
        && is_character(*byte)
        && text.len() < most
    {
        text.push(*byte);
        match behind {
            [0, next @ ..] => rest = next,
            _ => break,
        }
    }
    text
}

/// Printable ASCII, tabs and ends of lines.
fn is_character(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn told(window: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let mut all = Vec::new();
        rows(window, |row| all.push((row.start, row.text)));
        all
    }

    /// One offset after the other, as the rule says it.
    fn naive(window: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let joined = |at: usize| match window.get(at..).unwrap_or_default() {
            [one, 0, other, ..] => is_character(*one) && is_character(*other),
            _ => false,
        };
        let mut all = Vec::new();
        for (start, byte) in window.iter().enumerate() {
            if !is_character(*byte) || start.checked_sub(2).is_some_and(joined) {
                continue;
            }
            let more = (start..).step_by(2).take_while(|at| joined(*at)).count();
            let text: Vec<u8> = window
                .iter()
                .skip(start)
                .step_by(2)
                .take(more.saturating_add(1))
                .copied()
                .collect();
            if text.len() >= SHORTEST {
                all.push((start, text));
            }
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn rows_are_those_of_the_rule(
            window in vec(prop_oneof![
                4 => vec(prop_oneof![Just(b'k'), Just(b'\t')], 1..70).prop_map(|text| text.into_iter().flat_map(|byte| [byte, 0]).collect()),
                1 => vec(any::<u8>(), 0..90),
                1 => vec(prop_oneof![Just(0u8), Just(b'a')], 0..40),
                1 => (0usize..200).prop_map(|len| vec![0; len]),
                1 => (0usize..200).prop_map(|len| vec![b'z'; len]),
            ], 0..6).prop_map(|parts: Vec<Vec<u8>>| parts.concat())
        ) {
            prop_assert_eq!(told(&window), naive(&window));
        }
    }

    #[test]
    fn the_order_of_bytes_is_told_by_where_the_zeros_are() {
        for (window, base, place, encoding) in [
            (&b"k\0e\0y\0s\0"[..], 0, 0..8, Encoding::Utf16Le),
            (b"k\0e\0y\0s\0", 1, 0..8, Encoding::Utf16Le),
            (b"\0k\0e\0y\0s", 0, 0..8, Encoding::Utf16Be),
            (b"\0k\0e\0y\0s", 1, 0..8, Encoding::Utf16Be),
            (b"\0k\0e\0y\0s\0", 1, 1..9, Encoding::Utf16Le),
            (b"\0k\0e\0y\0s\0", 0, 0..8, Encoding::Utf16Be),
            (b"xk\0e\0y\0s", 0, 1..8, Encoding::Utf16Le),
        ] {
            let at = window.iter().position(|byte| *byte == b'k').expect("it");
            let row = Row::around(window, at, 10, 10);
            assert_eq!(row.text, b"keys");
            assert_eq!(row.place(window, base, &(0..4)), (place.clone(), encoding), "{window:?}");
            assert_eq!(first_character(place.start, encoding), at);
        }
    }
}
