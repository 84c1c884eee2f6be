//! Which memory goes where in the file.

use ckpt_memory::{Missing, Span};

use crate::Lack;
use crate::words::Width;

/// A `PT_LOAD`: `file` bytes at `offset` of the file, then zeros up to `memory` bytes.
///
/// Every byte of it is known. What the evidence does not hold lies in no segment: a debugger reads memory that a segment
/// has and its file part has not as zeros, and a hole must never look like zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) start: u64,
    pub(crate) offset: u64,
    pub(crate) file: u64,
    pub(crate) memory: u64,
    /// `PROT_*` bits of the mapping.
    prot: u32,
}

impl Segment {
    /// `p_flags`, which counts the same three bits from the other end.
    pub(crate) fn flags(&self) -> u32 {
        let bit = |prot: u32, flag: u32| if self.prot & prot == 0 { 0 } else { flag };
        bit(1, 4) | bit(2, 2) | bit(4, 1)
    }
}

/// Longest run of zeros that is written out between two runs of bytes, bytes. A longer one begins a new segment: a
/// terabyte with a page touched here and there must not become a terabyte of file, nor every page a segment.
const ZEROS_INSIDE: u64 = 64 << 10;
/// The same for executable anonymous memory, which is written whole, its end included: it is where injected code lies,
/// and tools that scan a core look at file parts only.
const ZEROS_IN_CODE: u64 = 1 << 20;

/// A mapping, as far as its segments depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) prot: u32,
    /// Executable, and of no file.
    pub(crate) code: bool,
}

/// The segments of a core, laid out one after the other as mappings come in.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(crate) list: Vec<Segment>,
    width: Width,
    /// What is in no segment, by reason, in the order of the first of each.
    missing: Vec<(Missing, u64)>,
    unreachable: u64,
}

impl Segments {
    pub(crate) fn new(width: Width) -> Self {
        Self { list: Vec::new(), width, missing: Vec::new(), unreachable: 0 }
    }

    /// Whether the file can tell of memory up to there.
    pub(crate) fn reaches(&self, extent: &Extent) -> bool {
        self.width == Width::Bits64
            || extent.start.saturating_add(extent.len) <= u64::from(u32::MAX).saturating_add(1)
    }

    /// Adds a mapping: a segment for each stretch of it that is there; of one that is not there at all, an empty one that
    /// shows where it was.
    pub(crate) fn add(&mut self, extent: &Extent, spans: impl Iterator<Item = Span>) {
        if !self.reaches(extent) {
            self.unreachable = self.unreachable.saturating_add(1);
            return;
        }
        let zeros = if extent.code { ZEROS_IN_CODE } else { ZEROS_INSIDE };
        let before = self.list.len();
        let mut open: Option<Segment> = None;
        for span in spans {
            match span {
                Span::Bytes { start, bytes, .. } => {
                    let len = bytes.len() as u64;
                    let fits =
                        |segment: &Segment| segment.memory.saturating_sub(segment.file) <= zeros;
                    if !open.as_ref().is_some_and(fits) {
                        self.list.extend(open.take());
                    }
                    let segment = open.get_or_insert_with(|| extent.segment(start.0));
                    segment.memory = segment.memory.saturating_add(len);
                    segment.file = segment.memory;
                }
                Span::Zero { start, len } => {
                    let segment = open.get_or_insert_with(|| extent.segment(start.0));
                    segment.memory = segment.memory.saturating_add(len);
                }
                Span::Missing { len, why, .. } => {
                    self.list.extend(open.take());
                    self.miss(why, len);
                }
            }
        }
        self.list.extend(open);
        if self.list.len() == before {
            self.list.push(extent.segment(extent.start));
        }
        if extent.code {
            for segment in self.list.iter_mut().skip(before) {
                if segment.memory.saturating_sub(segment.file) <= zeros {
                    segment.file = segment.memory;
                }
            }
        }
    }

    /// Gives every segment its place in the file, the first one at `offset`, and says where the file ends.
    pub(crate) fn place(&mut self, mut offset: u64) -> u64 {
        let last = match self.width {
            Width::Bits32 => u64::from(u32::MAX),
            Width::Bits64 => u64::MAX,
        };
        self.list.retain_mut(|segment| {
            let end = offset.checked_add(segment.file).filter(|end| *end <= last);
            let Some(end) = end else {
                self.unreachable = self.unreachable.saturating_add(1);
                return false;
            };
            segment.offset = offset;
            offset = end;
            true
        });
        offset
    }

    /// The segments, and what is in none of them.
    pub(crate) fn finish(self) -> (Vec<Segment>, Vec<Lack>) {
        let mut lacks = Vec::new();
        if self.unreachable > 0 {
            lacks.push(Lack::Unreachable { mappings: self.unreachable });
        }
        lacks.extend(self.missing.into_iter().map(|(why, bytes)| Lack::Memory { why, bytes }));
        (self.list, lacks)
    }

    fn miss(&mut self, why: Missing, len: u64) {
        // The process itself could not have read that.
        if matches!(why, Missing::Unmapped | Missing::Guard | Missing::BeyondEnd) {
            return;
        }
        match self.missing.iter_mut().find(|(known, _)| *known == why) {
            Some((_, bytes)) => *bytes = bytes.saturating_add(len),
            None => self.missing.push((why, len)),
        }
    }
}

impl Extent {
    fn segment(&self, start: u64) -> Segment {
        Segment { start, prot: self.prot, ..Segment::default() }
    }
}
