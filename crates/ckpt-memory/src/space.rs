//! One address space: mappings, runs, bytes, parents, and what is behind the pages that no run has.

use std::sync::Arc;

use crate::compressed::{self, Block};
use crate::pagemap::CompressedRun;
use crate::source::{ByteSource, Piece};
use crate::{
    AddrRange, Backing, Defect, FileBacking, Mapping, MappingKind, Missing, Origin, Pagemap,
    PagesFile, ReadError, Run, RunKind, SharedMemory, Span, VirtAddr,
};

/// One dump's part of an address space: its runs and its pages file.
#[derive(Clone, Debug)]
pub struct Link {
    /// The runs.
    pub pagemap: Pagemap,
    /// The bytes.
    pub pages: PagesFile,
}

impl Link {
    /// What is wrong between the runs and the pages file.
    #[must_use]
    pub fn defects(&self) -> Vec<Defect> {
        let Pagemap { pages_id, stored_bytes: expected, .. } = self.pagemap;
        let mut defects = self.pagemap.defects.clone();
        match self.pages.len() {
            None if expected > 0 => defects.push(Defect::PagesMissing { pages_id, expected }),
            Some(found) if found < expected => {
                defects.push(Defect::PagesShort { pages_id, expected, found });
            }
            // A pagemap that is known to be broken has told so itself.
            Some(found) if found > expected && !self.pagemap.broken => {
                defects.push(Defect::PagesLong { pages_id, expected, found });
            }
            _ => {}
        }
        defects
    }

    /// Whether the pagemap would not tell of a page that none of its runs has: entries are missing, and could be of it.
    /// That a pagemap was cut between two entries shows only in a pages file that is longer than it says.
    fn is_silent_on(&self, at: VirtAddr) -> bool {
        let Pagemap { stored_bytes, broken, behind, .. } = self.pagemap;
        behind <= at && (broken || self.pages.len().is_some_and(|len| len > stored_bytes))
    }
}

/// The memory of one task.
#[derive(Clone, Debug, Default)]
pub struct AddressSpace {
    /// By start, disjoint.
    mappings: Arc<[Mapping]>,
    /// By start, disjoint; they lie inside other mappings.
    guards: Arc<[Mapping]>,
    /// This dump first, then its parents, nearest first.
    links: Arc<[Link]>,
    page_size: u64,
    /// Whether there is a list of mappings, so that what it leaves out was not mapped.
    listed: bool,
    /// What is wrong with the mappings.
    defects: Vec<Defect>,
}

impl AddressSpace {
    /// Joins the mappings of a task with its runs: `links` is this dump's first, then each parent's, nearest first.
    /// `page_size` in bytes. Where mappings overlap, the one that begins first is believed.
    #[must_use]
    pub fn new(mappings: Vec<Mapping>, links: Vec<Link>, page_size: u64) -> Self {
        let (guards, mappings): (Vec<_>, Vec<_>) =
            mappings.into_iter().partition(|mapping| mapping.kind == MappingKind::Guard);
        let mut defects = Vec::new();
        Self {
            mappings: disjoint(mappings, &mut defects).into(),
            guards: disjoint(guards, &mut defects).into(),
            links: links.into(),
            page_size,
            listed: true,
            defects,
        }
    }

    /// Takes the runs of this dump that no mapping covers as mappings of [`MappingKind::Unknown`]: what the evidence holds
    /// can be read wherever the list of mappings has holes, and where it is missing altogether.
    #[must_use]
    pub fn with_unlisted(mut self) -> Self {
        let runs = self.links.first().map(|link| link.pagemap.runs.as_slice()).unwrap_or_default();
        let unlisted = uncovered(&self.mappings, runs);
        let Some(first) = unlisted.first() else { return self };
        let bytes = unlisted.iter().fold(0, |sum: u64, one| sum.saturating_add(one.len()));
        self.defects.push(Defect::NotListed { start: first.start, bytes });
        self.listed = !self.mappings.is_empty();
        let mut mappings: Vec<Mapping> = self.mappings.iter().cloned().chain(unlisted).collect();
        mappings.sort_by_key(|mapping| mapping.start);
        self.mappings = mappings.into();
        self
    }

    /// The mappings by address, disjoint, without guard ranges.
    #[must_use]
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// Guard ranges by address. They lie inside mappings.
    #[must_use]
    pub fn guards(&self) -> &[Mapping] {
        &self.guards
    }

    /// The mapping that holds an address.
    #[must_use]
    pub fn mapping_at(&self, addr: VirtAddr) -> Option<&Mapping> {
        find(&self.mappings, addr).ok()
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.page_size
    }

    /// What is wrong with the mappings, the runs and the pages files, this dump's and its parents'.
    #[must_use]
    pub fn defects(&self) -> Vec<Defect> {
        self.defects.iter().cloned().chain(self.links.iter().flat_map(Link::defects)).collect()
    }

    /// `len` bytes from `start`, in order, split where the origin changes. Stops at the end of the address space.
    #[must_use]
    pub fn spans(&self, start: VirtAddr, len: u64) -> Spans<'_> {
        let end = VirtAddr(start.0.saturating_add(len));
        Spans { space: self, at: start, end }
    }

    /// `len` bytes from `start`, zeros where the kernel would read zeros.
    ///
    /// # Errors
    ///
    /// When a byte is not in the evidence; the error says which is the first and why.
    pub fn read(&self, start: VirtAddr, len: u64) -> Result<Vec<u8>, ReadError> {
        let (out, why) = self.read_prefix(start, len);
        let read = out.len() as u64;
        match why {
            Some(why) => Err(ReadError {
                start: VirtAddr(start.0.saturating_add(read)),
                len: len.saturating_sub(read),
                why,
            }),
            None => Ok(out),
        }
    }

    /// As [`read`](Self::read), but what is there before the first missing byte is kept beside the reason.
    #[must_use]
    pub fn read_prefix(&self, start: VirtAddr, len: u64) -> (Vec<u8>, Option<Missing>) {
        let mut out = Vec::new();
        for span in self.spans(start, len) {
            match span {
                Span::Bytes { bytes, .. } => out.extend_from_slice(&bytes),
                Span::Zero { len, .. } => {
                    let len = usize::try_from(len).unwrap_or(usize::MAX);
                    out.resize(out.len().saturating_add(len), 0);
                }
                Span::Missing { why, .. } => return (out, Some(why)),
            }
        }
        (out, None)
    }

    /// What of `len` bytes from `start` is not there, by address. Nothing is expanded: that a compressed block is damaged
    /// shows only when it is read.
    pub fn gaps(
        &self,
        start: VirtAddr,
        len: u64,
    ) -> impl Iterator<Item = (AddrRange, Missing)> + '_ {
        let end = VirtAddr(start.0.saturating_add(len));
        let mut at = start;
        std::iter::from_fn(move || {
            while at < end {
                let from = at;
                let (len, why) = self.gap(at, end);
                at = VirtAddr(at.0.saturating_add(len.max(1)));
                if let Some(why) = why {
                    return Some((AddrRange { start: from, end: at.min(end) }, why));
                }
            }
            None
        })
    }

    /// Where the images hold the page at an address as it is: how many dumps back, the number of the pages file, and the
    /// offset in it. `None` when no pages file has it, or only compressed.
    #[must_use]
    pub fn stored_at(&self, at: VirtAddr) -> Option<(usize, u32, u64)> {
        match self.locate(at, VirtAddr(at.0.saturating_add(1))).what {
            What::Stored { link, depth, offset } => Some((depth, link.pagemap.pages_id, offset)),
            _ => None,
        }
    }

    /// How far what lies at `at` goes, and why it is not there when it is not.
    fn gap(&self, at: VirtAddr, end: VirtAddr) -> (u64, Option<Missing>) {
        let Place { len, what } = self.locate(at, end);
        let piece = match what {
            What::Zero => return (len, None),
            What::Missing(why) => return (len, Some(why)),
            What::Compressed { link, run, blocks, .. } => {
                let block = Block::of(run, blocks, at);
                let there = block.is_zero() || block.is_there(&link.pages);
                let lost = match link.pages {
                    PagesFile::Content(_) => Missing::PagesTruncated,
                    PagesFile::Missing => Missing::PagesMissing,
                };
                let why = (!there).then_some(lost);
                return (len.min(block.left()), why);
            }
            What::Stored { link, offset, .. } => link.pages.piece(offset, len),
            What::Shared { memory, offset } => memory.piece(offset, len),
            What::File { file, offset } => match file.content.size().saturating_sub(offset) {
                0 => return (len, None),
                left => file.content.piece(offset, len.min(left)),
            },
        };
        match piece {
            Piece::Bytes(bytes) => (len.min(bytes.len() as u64), None),
            Piece::Zeros(zeros) => (len.min(zeros), None),
            Piece::Missing(missing, why) => (len.min(missing), Some(why)),
        }
    }

    /// The place of what lies at `at`, at least a byte and not beyond `end`. Nothing is expanded or copied.
    pub(crate) fn locate(&self, at: VirtAddr, end: VirtAddr) -> Place<'_> {
        let mapping = match find(&self.mappings, at) {
            Ok(mapping) => mapping,
            Err(next) => {
                let end = next.map_or(end, |next| next.min(end));
                let why = if self.listed { Missing::Unmapped } else { Missing::NotListed };
                return Place::missing(at, end, why);
            }
        };
        let mut end = end.min(mapping.end);
        match find(&self.guards, at) {
            Ok(guard) => return Place::missing(at, end.min(guard.end), Missing::Guard),
            Err(next) => end = next.map_or(end, |next| next.min(end)),
        }
        if mapping.is_backing_itself() {
            return self.behind(mapping, at, end);
        }
        self.stored(at, end).unwrap_or_else(|end| self.behind(mapping, at, end))
    }

    /// What the runs have at `at`; `Err` with where to look again when the first of them says nothing of the page.
    fn stored(&self, at: VirtAddr, end: VirtAddr) -> Result<Place<'_>, VirtAddr> {
        let mut end = end;
        for (depth, link) in self.links.iter().enumerate() {
            let run = match link.pagemap.locate(at) {
                Ok(run) => run,
                Err(next) => {
                    let end = next.map_or(end, |next| next.min(end));
                    if link.is_silent_on(at) {
                        return Ok(Place::missing(at, end, Missing::PagemapDamaged));
                    }
                    // The first link decides what exists. A parent that lacks a page its child looks for is damaged.
                    return if depth == 0 {
                        Err(end)
                    } else {
                        Ok(Place::missing(at, end, Missing::InParent))
                    };
                }
            };
            end = end.min(run.end);
            let len = end.since(at);
            match &run.kind {
                RunKind::Stored { offset } => {
                    let offset = offset.saturating_add(at.since(run.start));
                    return Ok(Place { len, what: What::Stored { link, depth, offset } });
                }
                RunKind::Compressed(blocks) => {
                    return Ok(Place { len, what: What::Compressed { link, depth, run, blocks } });
                }
                RunKind::Lazy => return Ok(Place::missing(at, end, Missing::Lazy)),
                RunKind::Nowhere => return Ok(Place::missing(at, end, Missing::PagemapDamaged)),
                RunKind::Parent => {}
            }
        }
        let why = if self.links.is_empty() { Missing::NoPagemap } else { Missing::InParent };
        Ok(Place::missing(at, end, why))
    }

    /// What is behind a page that no run has.
    fn behind<'a>(&self, mapping: &'a Mapping, at: VirtAddr, end: VirtAddr) -> Place<'a> {
        let offset = mapping.offset().saturating_add(at.since(mapping.start));
        let len = end.since(at);
        match &mapping.backing {
            Backing::Nothing => Place { len, what: What::Zero },
            Backing::Unavailable(why) => Place::missing(at, end, *why),
            Backing::Shared(memory) => match self.left(memory.size, offset) {
                Some(left) => Place { len: len.min(left), what: What::Shared { memory, offset } },
                None => Place::missing(at, end, Missing::BeyondEnd),
            },
            Backing::File(file) => match self.left(file.content.size(), offset) {
                Some(left) => Place { len: len.min(left), what: What::File { file, offset } },
                None => Place::missing(at, end, Missing::BeyondEnd),
            },
        }
    }

    /// Bytes from an offset to the end of the last page of what has `size` bytes: what follows those reads as zeros.
    /// `None` behind that page.
    fn left(&self, size: u64, offset: u64) -> Option<u64> {
        let whole = size.checked_next_multiple_of(self.page_size).unwrap_or(size);
        whole.checked_sub(offset).filter(|left| *left > 0)
    }

    /// The span that begins at `at` and ends at `end` at the latest.
    fn span(&self, at: VirtAddr, end: VirtAddr) -> Span {
        let Place { len, what } = self.locate(at, end);
        let piece = match what {
            What::Zero => return Span::Zero { start: at, len },
            What::Missing(why) => return Span::Missing { start: at, len, why },
            What::Stored { link, depth, offset } => {
                (link.pages.piece(offset, len), Origin::of_link(depth))
            }
            What::Compressed { link, depth, run, blocks } => {
                let piece = compressed::piece(&link.pages, run, blocks, at, len);
                (piece, Origin::of_link(depth))
            }
            What::Shared { memory, offset } => (memory.piece(offset, len), Origin::Shared),
            What::File { file, offset } => {
                // Behind the end of a file the rest of its last page reads as zeros.
                let left = file.content.size().saturating_sub(offset);
                let piece = if left == 0 {
                    Piece::Zeros(len)
                } else {
                    file.content.piece(offset, len.min(left))
                };
                (piece, Origin::File(Arc::clone(file)))
            }
        };
        match piece {
            (Piece::Bytes(bytes), origin) => {
                let len = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
                Span::Bytes { start: at, bytes: bytes.slice(..len), origin }
            }
            (Piece::Zeros(zeros), _) => Span::Zero { start: at, len: zeros.min(len) },
            (Piece::Missing(missing, why), _) => {
                Span::Missing { start: at, len: missing.min(len), why }
            }
        }
    }
}

impl Origin {
    fn of_link(depth: usize) -> Self {
        if depth == 0 { Self::Dumped } else { Self::Parent(depth) }
    }
}

impl ByteSource for SharedMemory {
    fn size(&self) -> u64 {
        self.size
    }

    fn piece(&self, offset: u64, len: u64) -> Piece {
        let left = self.size.saturating_sub(offset);
        if left == 0 {
            return Piece::Zeros(len);
        }
        match self.space.span(VirtAddr(offset), VirtAddr(offset.saturating_add(len.min(left)))) {
            Span::Bytes { bytes, .. } => Piece::Bytes(bytes),
            Span::Zero { len, .. } => Piece::Zeros(len),
            Span::Missing { len, why: Missing::NoPagemap, .. } => {
                Piece::Missing(len, Missing::Shared)
            }
            Span::Missing { len, why, .. } => Piece::Missing(len, why),
        }
    }
}

/// Where some bytes are, before anything is made of them.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// Bytes of memory that lie there together.
    pub(crate) len: u64,
    pub(crate) what: What<'a>,
}

/// See [`Place`].
#[derive(Debug)]
pub(crate) enum What<'a> {
    Zero,
    Missing(Missing),
    Stored { link: &'a Link, depth: usize, offset: u64 },
    Compressed { link: &'a Link, depth: usize, run: &'a Run, blocks: &'a CompressedRun },
    Shared { memory: &'a SharedMemory, offset: u64 },
    File { file: &'a Arc<FileBacking>, offset: u64 },
}

impl Place<'_> {
    fn missing(at: VirtAddr, end: VirtAddr, why: Missing) -> Self {
        Self { len: end.since(at), what: What::Missing(why) }
    }
}

/// What of the runs no mapping covers, as mappings by address; those that touch are one. Both lists are by address and
/// disjoint.
fn uncovered(mappings: &[Mapping], runs: &[Run]) -> Vec<Mapping> {
    let mut found: Vec<AddrRange> = Vec::new();
    let mut add = |start: VirtAddr, end: VirtAddr| match found.last_mut() {
        _ if start >= end => {}
        Some(last) if last.end == start => last.end = end,
        _ => found.push(AddrRange { start, end }),
    };
    let mut mappings = mappings.iter().peekable();
    for run in runs {
        let mut at = run.start;
        while let Some(mapping) = mappings.peek().filter(|mapping| mapping.start < run.end) {
            add(at, mapping.start);
            at = at.max(mapping.end);
            if mapping.end > run.end {
                break;
            }
            mappings.next();
        }
        add(at, run.end);
    }
    found.into_iter().map(|range| Mapping::unknown(range.start, range.end)).collect()
}

/// Sorts by address, leaves out what is empty, and cuts from each mapping what an earlier one has already.
fn disjoint(mut mappings: Vec<Mapping>, defects: &mut Vec<Defect>) -> Vec<Mapping> {
    mappings.sort_by_key(|mapping| mapping.start);
    let mut end = VirtAddr(0);
    mappings.retain_mut(|mapping| {
        if mapping.start >= mapping.end {
            defects.push(Defect::MappingEmpty { start: mapping.start, end: mapping.end });
            return false;
        }
        if mapping.start < end {
            defects.push(Defect::MappingsOverlap { start: mapping.start });
            mapping.start = end;
        }
        end = end.max(mapping.end);
        mapping.start < mapping.end
    });
    mappings
}

/// The mapping that holds `addr`, or where the next one starts (`None` when there is no next).
fn find(mappings: &[Mapping], addr: VirtAddr) -> Result<&Mapping, Option<VirtAddr>> {
    let after = mappings.partition_point(|mapping| mapping.start <= addr);
    let here = after.checked_sub(1).and_then(|index| mappings.get(index));
    here.filter(|mapping| addr < mapping.end)
        .ok_or_else(|| mappings.get(after).map(|mapping| mapping.start))
}

/// The spans of a range, in address order.
#[derive(Clone, Debug)]
pub struct Spans<'a> {
    space: &'a AddressSpace,
    at: VirtAddr,
    end: VirtAddr,
}

impl Iterator for Spans<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        if self.at >= self.end {
            return None;
        }
        let span = self.space.span(self.at, self.end);
        // A span of no bytes would be asked for for ever.
        let next = span.end();
        if next <= self.at {
            self.at = self.end;
            return None;
        }
        self.at = next;
        Some(span)
    }
}
