//! Strings of memory: ASCII, UTF-8, UTF-16 in both byte orders, in one pass.
//!
//! * **ASCII**: a row of bytes `0x20` to `0x7e` and tabs, as long as it goes.
//! * **UTF-8**: the same with all characters of Unicode but the control characters; called ASCII when it holds nothing else.
//!   Sequences are those of RFC 3629: no overlong forms, no surrogates.
//! * **UTF-16**: what the rule in [`utf16`](self) says, at any address.
//!
//! Bytes of a UTF-16 string are in no other string. Lengths are counted in characters. A string ends where its stretch
//! ends, at memory that was never written or is not there; over pages, runs and mappings that follow one another it goes on.
//!
//! Strings longer than [`Options::longest_part`] come in parts that say so. Nothing is left out, and together the parts are
//! the string; where it is cut depends on where the memory lies, not on the number of threads.
#![doc = ""]
#![doc = "# The rule for UTF-16"]
#![doc = ""]

mod quiet;
mod tile;
mod utf16;
mod window;

use std::ops::ControlFlow;

use crate::part::{Part, position};
use crate::scanner::{Found, Reach, Report, Scanner};
use window::{Edges, Space};

/// How bytes are read as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// ASCII.
    Ascii,
    /// UTF-8 beyond ASCII.
    Utf8,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// Not text.
    Bytes,
}

impl Encoding {
    /// Those of strings.
    pub const TEXT: [Self; 4] = [Self::Ascii, Self::Utf8, Self::Utf16Le, Self::Utf16Be];

    /// The word in JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Utf8 => "utf8",
            Self::Utf16Le => "utf16le",
            Self::Utf16Be => "utf16be",
            Self::Bytes => "bytes",
        }
    }

    /// What bytes that are no UTF-16 are best read as.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.is_ascii() {
            Self::Ascii
        } else if std::str::from_utf8(bytes).is_ok() {
            Self::Utf8
        } else {
            Self::Bytes
        }
    }
}

/// A choice of encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encodings {
    /// ASCII.
    pub ascii: bool,
    /// UTF-8 with something beyond ASCII. Without it, ASCII ends where anything else begins.
    pub utf8: bool,
    /// UTF-16, little-endian.
    pub utf16le: bool,
    /// UTF-16, big-endian.
    pub utf16be: bool,
}

impl Encodings {
    /// All of them.
    pub const ALL: Self = Self { ascii: true, utf8: true, utf16le: true, utf16be: true };

    /// Exactly these.
    #[must_use]
    pub fn of(encodings: &[Encoding]) -> Self {
        Self {
            ascii: encodings.contains(&Encoding::Ascii),
            utf8: encodings.contains(&Encoding::Utf8),
            utf16le: encodings.contains(&Encoding::Utf16Le),
            utf16be: encodings.contains(&Encoding::Utf16Be),
        }
    }

    fn has(self, encoding: Encoding) -> bool {
        match encoding {
            Encoding::Ascii => self.ascii,
            Encoding::Utf8 => self.utf8,
            Encoding::Utf16Le => self.utf16le,
            Encoding::Utf16Be => self.utf16be,
            Encoding::Bytes => false,
        }
    }

    fn utf16(self) -> bool {
        self.utf16le || self.utf16be
    }
}

/// What strings to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Fewest characters.
    pub min_length: usize,
    /// In which encodings.
    pub encodings: Encodings,
    /// Most bytes of a string that come as one.
    pub longest_part: usize,
}

impl Default for Options {
    /// Eight characters: of random bytes one in 50 begins four printable ones, which is GNU's default for files, and one in
    /// 2600 eight.
    fn default() -> Self {
        Self { min_length: 8, encodings: Encodings::ALL, longest_part: 64 << 10 }
    }
}

/// Looks for strings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strings {
    options: Options,
}

impl Strings {
    /// Looks for such strings.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let longest_part = options.longest_part.max(16);
        Self { options: Options { longest_part, min_length: options.min_length.max(1), ..options } }
    }

    /// The strings of bytes that lie by themselves, the first of them at position `start`.
    pub fn find(&self, bytes: &[u8], start: u64, mut report: impl FnMut(&Found, &[u8])) {
        let edges = Edges { odd: start % 2 == 1, ..Edges::default() };
        let _ = self.window(bytes, start, edges, &mut Space::default(), &mut |found, bytes| {
            report(found, bytes);
            ControlFlow::Continue(())
        });
    }

    fn window(
        &self,
        bytes: &[u8],
        start: u64,
        edges: Edges,
        space: &mut Space,
        report: &mut Report<'_>,
    ) -> ControlFlow<()> {
        for piece in window::scan(bytes, edges, &self.options, space) {
            let found = Found {
                range: position(start, piece.start)..position(start, piece.end),
                pattern: 0,
                encoding: piece.encoding,
                continued: piece.continued,
                continues: piece.continues,
            };
            report(&found, bytes.get(piece.start..piece.end).unwrap_or_default())?;
        }
        ControlFlow::Continue(())
    }
}

/// What a thread uses again from part to part.
#[derive(Debug, Default)]
pub struct StringsSpace {
    window: Space,
    copy: Vec<u8>,
}

impl Scanner for Strings {
    type Space = StringsSpace;

    fn reach(&self) -> Reach {
        Reach {
            before: quiet::BESIDE,
            after: self.options.longest_part.saturating_add(quiet::BESIDE),
        }
    }

    /// Looks through everything between two places that no string crosses: the first such place of this part and the
    /// first one of the next.
    fn scan(
        &self,
        part: &Part,
        space: &mut StringsSpace,
        report: &mut Report<'_>,
    ) -> ControlFlow<()> {
        let core = part.core();
        let look = self.options.encodings.utf16();
        let mut place =
            |from| quiet::first(part, from, self.options.longest_part, look, &mut space.copy);
        let start = if part.opens() { quiet::Place::at(core.start) } else { place(core.start) };
        let end = if part.closes() { quiet::Place::at(core.end) } else { place(core.end) };
        let edges =
            |from: u64, cut_start, cut_end| Edges { odd: from % 2 == 1, cut_start, cut_end };
        let StringsSpace { window, copy } = space;
        // What lies in one piece is looked at where it is; the rest, the end of a piece mostly, is put together.
        let mut from = start;
        let whole = part.piece_end(start.position).min(end.position);
        if whole < end.position && whole.saturating_sub(start.position) > PUT_TOGETHER {
            let near = whole.saturating_sub(self.options.longest_part as u64).max(start.position);
            if let Some(quiet) = quiet::last(part, near, whole, look, copy) {
                let bytes = part.bytes(start.position..quiet, copy);
                let edges = edges(start.position, start.forced, false);
                self.window(bytes, start.position, edges, window, report)?;
                from = quiet::Place::at(quiet);
            }
        }
        let bytes = part.bytes(from.position..end.position, copy);
        let edges = edges(from.position, from.forced, end.forced);
        self.window(bytes, from.position, edges, window, report)
    }
}

/// Pieces shorter than this are put together whole.
const PUT_TOGETHER: u64 = 16 << 10;

/// Bytes of a string as text: UTF-16 decoded, other bytes as they are.
#[must_use]
pub fn decode(bytes: &[u8], encoding: Encoding) -> std::borrow::Cow<'_, [u8]> {
    let from = match encoding {
        Encoding::Utf16Le => u16::from_le_bytes,
        Encoding::Utf16Be => u16::from_be_bytes,
        _ => return std::borrow::Cow::Borrowed(bytes),
    };
    let (pairs, _) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| from(*pair));
    let text: String =
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    std::borrow::Cow::Owned(text.into_bytes())
}
