//! What looks at bytes, and what it finds.

use std::ops::{ControlFlow, Range};

use crate::part::Part;
use crate::strings::Encoding;

/// Bytes that a scanner may look at around a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Before the first byte of the part.
    pub before: usize,
    /// Behind the last one.
    pub after: usize,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where: positions in the region of the part.
    pub range: Range<u64>,
    /// Which of the scanner's patterns, counted from 0.
    pub pattern: usize,
    /// How the bytes are to be read.
    pub encoding: Encoding,
    /// It is a part of something longer, which began before it.
    pub continued: bool,
    /// It is a part of something longer, which goes on behind it.
    pub continues: bool,
}

/// Takes what is found, with its bytes; breaks when nothing more is wanted.
pub type Report<'a> = dyn FnMut(&Found, &[u8]) -> ControlFlow<()> + 'a;

/// Looks for something in parts of stretches. Parts are scanned by several threads at once; each reports what starts in
/// it, by position, so that all parts together report what one look at the whole stretch would.
pub trait Scanner: Sync {
    /// Space that a thread uses again from part to part.
    type Space: Default;

    /// How far it looks around a part.
    fn reach(&self) -> Reach;

    /// Whether what it finds in a part depends on what it found in the one before.
    fn carries(&self) -> bool {
        false
    }

    /// Scans a part.
    fn scan(
        &self,
        part: &Part,
        space: &mut Self::Space,
        report: &mut Report<'_>,
    ) -> ControlFlow<()>;
}
