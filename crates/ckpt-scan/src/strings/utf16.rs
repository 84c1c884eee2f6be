//! What is text in UTF-16, among all the memory that merely could be.
//!
//! Almost any two bytes are some character, so that being valid says nothing. Instead a row of units is weighed: each is
//! worth the bits of evidence by which it is less likely in noise than in text.
//!
//! | units | bits |
//! |---|---|
//! | ASCII (`0x20` to `0x7e` and the tab) | 6½ |
//! | Latin letters beyond ASCII, U+00A0 to U+024F and U+1E01 to U+1EFF | 4 |
//! | Greek U+0384 to U+03CE; Hebrew U+05B0 to U+05F4 | 8 |
//! | Cyrillic U+0401 to U+04FF; Arabic U+060C to U+06D5 | 7½ |
//! | kana and East Asian punctuation, U+3001 to U+30FF | 7 |
//! | Chinese U+4E00 to U+9FFF | 1½ |
//! | Hangul U+AC00 to U+D7A3 | 2 |
//! | full-width forms U+FF01 to U+FF5E, which pictures are full of | 2 |
//! | punctuation and signs, U+2010 to U+20BF and U+2100 to U+214F | 2 |
//! | pictographs (surrogate pairs U+1F000 to U+1FBFF) | 8 |
//!
//! Letters are evidence for one script only, that of most of the letters beyond Latin: all others, and Latin letters beyond
//! ASCII where there is such a script, count against it with what they are worth. Chinese and kana are one script here. A
//! unit is worth nothing where something else explains it: when both of its bytes are ASCII as above, when it is the unit
//! before it or next to that in number (fills, counters, identity tables), and for Chinese and Hangul also when its upper
//! byte is at most 4 away from that of the unit before it (pictures, sound). U+0100, U+0200 and so on are no text: they are
//! small integers seen one byte off.
//!
//! A row of such units, as long as it goes, is a string when all of this holds:
//!
//! * it has the characters that are asked for, four at least;
//! * its evidence is 20 bits or more, and ¾ bit for each character;
//! * Latin letters beyond ASCII are a third of it at most, which arrays of small integers exceed;
//! * somewhere in it four units in a row are below U+0700 or kana, or twelve in a row are that or East Asian, with four in a
//!   row among them that are East Asian; of these fours none may be two bytes of ASCII, nor may all bytes of the last kind
//!   belong to valid UTF-8 text;
//! * its bytes are not valid UTF-8 text all through, which is what they are then.
//!
//! Of rows that overlap the one that has two characters more is the string, else the one at an even address (LE text seen
//! one byte off is BE text), else the one with more evidence, else the little-endian one. So `h\0e\0l\0l\0o\0` is one string.

use std::ops::Range;

use super::Encoding;

/// Fewest characters of a string in UTF-16, whatever is asked for.
pub(super) const FEWEST: usize = 4;

/// Byte order of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Little => Encoding::Utf16Le,
            Self::Big => Encoding::Utf16Be,
        }
    }

    /// The unit at `at`; `None` where it does not lie in `bytes` as a whole.
    #[inline]
    pub(super) fn unit(self, bytes: &[u8], at: usize) -> Option<u16> {
        let pair: [u8; 2] = bytes.get(at..)?.first_chunk().copied()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(pair),
            Self::Big => u16::from_be_bytes(pair),
        })
    }
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Ascii,
    Latin,
    Greek,
    Cyrillic,
    Hebrew,
    Arabic,
    Kana,
    Han,
    Hangul,
    FullWidth,
    Sign,
    /// First half of a pictograph.
    Lead,
    /// Second half of one.
    Trail,
}

impl Class {
    #[inline]
    fn of(unit: u16) -> Option<Self> {
        let [high, low] = unit.to_be_bytes();
        if high == 0 {
            return BELOW_256.get(usize::from(low)).copied().flatten();
        }
        let (class, first, last) = BANDS.get(usize::from(high)).copied().flatten()?;
        (first <= low && low <= last).then_some(class)
    }

    /// Half bits of evidence.
    fn weight(self) -> i64 {
        match self {
            Self::Ascii => 13,
            Self::Latin => 8,
            Self::Greek | Self::Hebrew => 16,
            Self::Cyrillic | Self::Arabic => 15,
            Self::Kana => 14,
            Self::Han => 3,
            Self::Hangul | Self::FullWidth | Self::Sign => 4,
            Self::Lead => 16,
            Self::Trail => 0,
        }
    }

    /// The script, of letters beyond Latin; Japanese is written with two of them.
    fn script(self) -> Option<usize> {
        match self {
            Self::Greek => Some(0),
            Self::Cyrillic => Some(1),
            Self::Hebrew => Some(2),
            Self::Arabic => Some(3),
            Self::Kana | Self::Han => Some(4),
            Self::Hangul => Some(5),
            _ => None,
        }
    }

    fn east_asian(self) -> bool {
        matches!(self, Self::Kana | Self::Han | Self::Hangul | Self::FullWidth)
    }
}

/// The class of the units that have this upper byte, and the first and the last lower byte of it.
type Band = Option<(Class, u8, u8)>;

/// By upper byte. A table, because what comes next in noise cannot be foretold by branches.
#[expect(clippy::indexing_slicing, reason = "checked when this is compiled")]
static BANDS: [Band; 256] = {
    let mut bands = [None; 256];
    let mut high = 0;
    while high < 256 {
        bands[high] = match high {
            0x01 | 0x1e => Some((Class::Latin, 0x01, 0xff)),
            0x02 => Some((Class::Latin, 0x01, 0x4f)),
            0x03 => Some((Class::Greek, 0x84, 0xce)),
            0x04 => Some((Class::Cyrillic, 0x01, 0xff)),
            0x05 => Some((Class::Hebrew, 0xb0, 0xf4)),
            0x06 => Some((Class::Arabic, 0x0c, 0xd5)),
            0x20 => Some((Class::Sign, 0x10, 0xbf)),
            0x21 => Some((Class::Sign, 0x00, 0x4f)),
            0x30 => Some((Class::Kana, 0x01, 0xff)),
            0x4e..=0x9f => Some((Class::Han, 0x00, 0xff)),
            0xac..=0xd6 => Some((Class::Hangul, 0x00, 0xff)),
            0xd7 => Some((Class::Hangul, 0x00, 0xa3)),
            0xd8 => Some((Class::Lead, 0x3c, 0x3e)),
            0xdc..=0xdf => Some((Class::Trail, 0x00, 0xff)),
            0xff => Some((Class::FullWidth, 0x01, 0x5e)),
            _ => None,
        };
        high += 1;
    }
    bands
};

/// Of units below U+0100, by lower byte.
#[expect(clippy::indexing_slicing, reason = "checked when this is compiled")]
static BELOW_256: [Option<Class>; 256] = {
    let mut classes = [None; 256];
    let mut low = 0;
    while low < 256 {
        classes[low] = match low {
            0x20..=0x7e | 0x09 => Some(Class::Ascii),
            0xa0.. => Some(Class::Latin),
            _ => None,
        };
        low += 1;
    }
    classes
};

/// Half bits of evidence that make a string.
const ENOUGH: i64 = 40;

/// Whether a unit at `at` may be in a row at all, for finding places that no row crosses.
pub(super) fn may_be_text(bytes: &[u8], at: usize, order: Order) -> bool {
    order.unit(bytes, at).is_some_and(|unit| Class::of(unit).is_some())
}

/// The longest row of units around the unit at `seed`, not before `floor`: where it starts and ends.
pub(super) fn row(bytes: &[u8], seed: usize, floor: usize, order: Order) -> (usize, usize) {
    let mut start = seed;
    while let Some(before) = start.checked_sub(2).filter(|before| *before >= floor) {
        let Some(class) = order.unit(bytes, before).and_then(Class::of) else { break };
        // A half without its other half ends a row; a row may begin with a whole pair.
        match class {
            Class::Lead => break,
            Class::Trail => {
                let lead = before.checked_sub(2).filter(|lead| *lead >= floor);
                let is_lead = |at| order.unit(bytes, at).and_then(Class::of) == Some(Class::Lead);
                let Some(lead) = lead.filter(|at| is_lead(*at)) else { break };
                start = lead;
            }
            _ => start = before,
        }
    }
    (start, row_end(bytes, seed, order))
}

/// Where the row that goes on at `from` ends.
fn row_end(bytes: &[u8], from: usize, order: Order) -> usize {
    let mut end = from;
    while let Some(class) = order.unit(bytes, end).and_then(Class::of) {
        let next = end.saturating_add(2);
        match class {
            Class::Trail => break,
            Class::Lead => {
                let trail = order.unit(bytes, next).and_then(Class::of);
                if trail != Some(Class::Trail) {
                    break;
                }
                end = next.saturating_add(2);
            }
            _ => end = next,
        }
    }
    end
}

/// Where a part that begins at `start` ends, when it has `most` bytes at most: not within a pair.
pub(super) fn cut(bytes: &[u8], start: usize, most: usize, order: Order) -> usize {
    let end = start.saturating_add(most & !1);
    let in_pair = order.unit(bytes, end).and_then(Class::of) == Some(Class::Trail);
    if in_pair { end.saturating_sub(2).max(start.saturating_add(4)) } else { end }
}

/// What a row is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weighed {
    pub(super) chars: usize,
    /// Half bits.
    pub(super) evidence: i64,
}

/// Units of one script.
#[derive(Clone, Copy, Debug, Default)]
struct Letters {
    count: usize,
    evidence: i64,
}

impl Letters {
    fn push(&mut self, evidence: i64) {
        self.count = self.count.saturating_add(1);
        self.evidence = self.evidence.saturating_add(evidence);
    }
}

/// Weighs a whole row, a range of `bytes`; `None` when it is no text. A `part` of a longer one may be short of characters
/// and of evidence.
pub(super) fn weigh(
    bytes: &[u8],
    range: Range<usize>,
    order: Order,
    fewest: usize,
    part: bool,
) -> Option<Weighed> {
    let start = range.start;
    let row = bytes.get(range).unwrap_or_default();
    // First, because UTF-8 beyond ASCII makes rows by the million, and this is quick to tell.
    if is_utf8_text(row) {
        return None;
    }
    let mut chars = 0_usize;
    let mut common = Letters::default();
    let mut latin = Letters::default();
    let mut scripts = [Letters::default(); 6];
    let mut core = Core::default();
    let mut before = None;
    let mut at = 0;
    while let Some(unit) = order.unit(row, at) {
        at = at.saturating_add(2);
        let class = Class::of(unit)?;
        if class == Class::Trail {
            continue;
        }
        chars = chars.saturating_add(1);
        let is_ascii = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
        let ascii_pair = unit.to_be_bytes().iter().all(is_ascii);
        let here = start.saturating_add(at);
        let eight_utf8 = || (here.saturating_sub(8)..here).all(|at| is_in_utf8(bytes, at));
        core.push(class, unit, ascii_pair, eight_utf8);
        let explained = ascii_pair || before.is_some_and(|before| explains(before, unit, class));
        let letters = match class.script().and_then(|script| scripts.get_mut(script)) {
            Some(script) => script,
            None if class == Class::Latin => &mut latin,
            None => &mut common,
        };
        letters.push(if explained { 0 } else { class.weight() });
        before = Some(unit);
    }
    let mut evidence = common.evidence;
    let main =
        scripts.iter().enumerate().max_by_key(|(at, one)| (one.count, 6_usize.saturating_sub(*at)));
    let main = main.filter(|(_, one)| one.count > 0).map(|(at, _)| at);
    for (at, one) in scripts.iter().enumerate() {
        let sign = if Some(at) == main { 1 } else { -1 };
        evidence = evidence.saturating_add(one.evidence.saturating_mul(sign));
    }
    let sign = if main.is_none() { 1 } else { -1 };
    evidence = evidence.saturating_add(latin.evidence.saturating_mul(sign));
    let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let is_text = (part || (chars >= fewest.max(FEWEST) && evidence >= ENOUGH && core.found()))
        && evidence.saturating_mul(2) >= signed(chars).saturating_mul(3)
        && latin.count.saturating_mul(3) <= chars;
    is_text.then_some(Weighed { chars, evidence })
}

/// Whether a unit follows from the one before it.
fn explains(before: u16, unit: u16, class: Class) -> bool {
    let near =
        matches!(class, Class::Han | Class::Hangul) && (before >> 8).abs_diff(unit >> 8) <= 4;
    near || before.abs_diff(unit) <= 1
}

/// Looks for units in a row that noise does not have.
#[derive(Clone, Copy, Debug, Default)]
struct Core {
    alphabetic: u32,
    mixed: u32,
    east_asian: u32,
    east_asian_within: bool,
    found: bool,
}

impl Core {
    /// Takes the next unit in; `eight_utf8` tells whether it and the three before it belong to UTF-8 text.
    fn push(&mut self, class: Class, unit: u16, ascii_pair: bool, eight_utf8: impl Fn() -> bool) {
        let alphabetic = unit < 0x700 || (class == Class::Kana && !ascii_pair);
        let east_asian = class.east_asian();
        let count = |so_far: u32, more: bool| if more { so_far.saturating_add(1) } else { 0 };
        self.alphabetic = count(self.alphabetic, alphabetic);
        self.mixed = count(self.mixed, alphabetic || east_asian);
        self.east_asian = count(self.east_asian, east_asian && !ascii_pair);
        self.east_asian_within =
            self.mixed > 0 && (self.east_asian_within || (self.east_asian >= 4 && !eight_utf8()));
        self.found |= self.alphabetic >= 4 || (self.mixed >= 12 && self.east_asian_within);
    }

    fn found(self) -> bool {
        self.found
    }
}

/// Whether the byte at `at` belongs to a valid UTF-8 character that is no control character.
fn is_in_utf8(bytes: &[u8], at: usize) -> bool {
    (0..4_usize).any(|back| {
        let rest = at.checked_sub(back).and_then(|start| bytes.get(start..)).unwrap_or_default();
        (back.saturating_add(1)..=4).any(|len| rest.get(..len).is_some_and(is_one_character))
    })
}

fn is_one_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().count() == 1) && is_utf8_text(bytes)
}

/// Whether bytes are valid UTF-8 without control characters.
pub(super) fn is_utf8_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
    let any = bytes.iter().fold(false, |any, byte| any | control(byte));
    // Of U+0080 to U+009F.
    let second = |at: usize| bytes.get(at.saturating_add(1)).is_some_and(|byte| *byte < 0xa0);
    !any && std::str::from_utf8(bytes).is_ok() && !memchr::memchr_iter(0xc2, bytes).any(second)
}

/// A row that is text, unless another one has its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) order: Order,
    pub(super) weighed: Weighed,
    /// Starts at an even address.
    pub(super) even: bool,
    /// It goes on from a part before it, and in a part behind it.
    pub(super) cut: (bool, bool),
}

impl Candidate {
    /// Which of two that overlap has the bytes.
    fn beats(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.weighed, other.weighed);
        if mine.chars.abs_diff(theirs.chars) >= 2 {
            return mine.chars > theirs.chars;
        }
        if self.even != other.even {
            return self.even;
        }
        if mine.evidence != theirs.evidence {
            return mine.evidence > theirs.evidence;
        }
        self.order == Order::Little
    }
}

/// Sorts candidates by where they start and takes out those that another one beats.
pub(super) fn settle(candidates: &mut Vec<Candidate>, beaten: &mut Vec<bool>) {
    candidates.sort_unstable_by_key(|one| (one.start, one.order == Order::Big));
    beaten.clear();
    beaten.resize(candidates.len(), false);
    for (index, one) in candidates.iter().enumerate() {
        let behind = index.saturating_add(1);
        let others = candidates.get(behind..).unwrap_or_default();
        for (other, at) in others.iter().zip(behind..).take_while(|(o, _)| o.start < one.end) {
            let loser = if one.beats(other) { at } else { index };
            if let Some(loser) = beaten.get_mut(loser) {
                *loser = true;
            }
        }
    }
    let mut beaten = beaten.iter();
    candidates.retain(|_| !beaten.next().copied().unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn big(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    fn is_text(bytes: &[u8]) -> bool {
        weigh(bytes, 0..bytes.len(), Order::Little, 8, false).is_some()
    }

    #[test]
    fn text_of_many_languages() {
        for text in [
            "Hello World",
            "aaa bbb ccc: 1.2.3",
            "C:\\Windows\\System32\\drivers",
            "2024-11-23 10:00:00",
            "Wystąpił błąd podczas łączenia",
            "Nepodařilo se připojit k síti",
            "Ðere is naïve façade, garçon",
            "Tiếng Việt có nhiều dấu thanh",
            "Съешь же ещё этих мягких булок",
            "Привет, мир",
            "Қазақстан Республикасы",
            "Ξεσκεπάζω την ψυχοφθόρα",
            "שלום עולם וברוך הבא",
            "مرحبا بالعالم الجميل",
            "日本語のテキストを処理します。",
            "インターネット接続",
            "文件保存成功，请检查您的网络连接并重试该操作。",
            "안녕하세요 세계 여러분 반갑습니다",
            "Ünïcödé text mit 😀 drin",
        ] {
            assert!(is_text(&little(text)), "{text}");
            let big = big(text);
            assert!(weigh(&big, 0..big.len(), Order::Big, 8, false).is_some(), "{text}");
            let row = row(&little(text), 4, 0, Order::Little);
            assert_eq!(row, (0, little(text).len()), "{text}");
        }
    }

    #[test]
    fn arrays_of_integers_are_no_text() {
        let array = |values: &mut dyn Iterator<Item = u16>| -> Vec<u8> {
            values.flat_map(u16::to_le_bytes).collect()
        };
        let mut state = 1_u32;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u16::try_from((state >> 8) % below).unwrap()
        };
        assert!(!is_text(&array(&mut (0x20..0x7f))), "an identity table");
        assert!(!is_text(&array(&mut (0xa0..0x250))), "a counter");
        assert!(!is_text(&array(&mut (0x4e00..0x5000))), "a counter");
        assert!(!is_text(&array(&mut std::iter::repeat_n(0x41, 100))), "a fill");
        assert!(!is_text(&array(&mut std::iter::repeat_n(0xcccc, 100))), "a fill of code");
        let mut pixels =
            std::iter::repeat_with(|| 0x7e7e + random(6) * 0x100 + random(6)).take(400);
        assert!(!is_text(&array(&mut pixels)), "a picture");
        let mut small = std::iter::repeat_with(|| 0xa0 + random(0x160)).take(64);
        assert!(!is_text(&array(&mut small)), "integers up to 500");
        let mut two = std::iter::repeat_with(|| 0x390 + random(0x100)).take(64);
        assert!(!is_text(&array(&mut two)), "integers around 1000");
    }

    #[test]
    fn ascii_and_utf8_seen_two_bytes_at_a_time_are_no_text() {
        assert!(!is_text(b"sometextinplainASCIIthatlooksratherChinese"));
        assert!(!is_text("необходимость и достаточность ".as_bytes()));
    }

    #[test]
    fn little_endian_text_is_not_big_endian_text_too() {
        let text = b"\0\0h\0e\0l\0l\0o\0 \0y\0o\0u\0\0\0";
        let candidate = |start, end, order| Candidate {
            start,
            end,
            order,
            weighed: weigh(text, start..end, order, 4, false).unwrap(),
            even: start % 2 == 0,
            cut: (false, false),
        };
        let mut both = vec![candidate(1, 19, Order::Big), candidate(2, 20, Order::Little)];
        settle(&mut both, &mut Vec::new());
        assert_eq!(both.len(), 1);
        assert_eq!(both[0].order, Order::Little);
    }
}
