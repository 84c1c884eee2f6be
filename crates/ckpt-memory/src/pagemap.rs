//! Runs of pages: `pagemap-PID.img` and the layout of its pages file.

use std::sync::Arc;

use criu_image::messages::PagemapHead;
use criu_image::{Blocks, Image, ImageError, PagemapRecord};

use crate::{Defect, VirtAddr};

/// A decoded pagemap: the head's pages id and the entries in file order, before the page size is known.
///
/// Source: `criu/images/pagemap.proto`.
#[derive(Clone, Debug, Default)]
pub struct PagemapImage {
    /// N of the `pages-N.img` that holds the bytes.
    pub pages_id: u32,
    /// The entries, in file order.
    pub entries: Vec<PagemapRecord>,
    /// Whether the image ends in something that is no entry, so that entries are missing behind the last one.
    pub broken: bool,
}

impl PagemapImage {
    /// Decodes an image: its head and its entries, up to the first broken one, which is told beside them.
    ///
    /// # Errors
    ///
    /// When there is no head, so that nothing tells which pages file is meant.
    pub fn read(image: &Image) -> Result<(Self, Option<ImageError>), ImageError> {
        let mut records = image.records();
        let head: PagemapHead = records.next().ok_or(ImageError::Empty)??.decode()?;
        let mut pagemap = Self { pages_id: head.pages_id, ..Self::default() };
        for entry in PagemapRecord::entries(records) {
            match entry {
                Ok(entry) => pagemap.entries.push(entry),
                Err(error) => {
                    pagemap.broken = true;
                    return Ok((pagemap, Some(error)));
                }
            }
        }
        Ok((pagemap, None))
    }

    /// Pages whose bytes lie in the pages file one after another; `None` where some are compressed or aligned, so that
    /// the file's size tells nothing of the page size, or where the count overflows.
    #[must_use]
    pub fn stored_pages(&self) -> Option<u64> {
        self.entries.iter().try_fold(0u64, |sum, record| {
            if !record.stored() {
                return Some(sum);
            }
            if record.blocks.is_some() || record.payload_aligned() {
                return None;
            }
            sum.checked_add(record.pages())
        })
    }

    /// Pages that only the parent dump holds.
    #[must_use]
    pub fn parent_pages(&self) -> u64 {
        self.entries
            .iter()
            .filter(|record| record.in_parent())
            .fold(0, |sum, record| sum.saturating_add(record.pages()))
    }

    /// The runs in address order and where each lies in the pages file, for pages of `page_size` bytes.
    #[must_use]
    pub fn layout(&self, page_size: u64) -> Pagemap {
        let mut layout = Layout::of(page_size);
        let mut broken = self.broken;
        for (index, record) in self.entries.iter().enumerate() {
            if layout.push(index, record).is_none() {
                // Where one entry's bytes end is where the next one's begin: past this one every offset is a guess.
                broken = true;
                break;
            }
        }
        Pagemap { broken, ..layout.finish(self.pages_id) }
    }
}

/// Runs of pages in address order, disjoint.
#[derive(Clone, Debug, Default)]
pub struct Pagemap {
    /// N of the `pages-N.img` that holds the bytes.
    pub pages_id: u32,
    /// The runs, by address.
    pub runs: Vec<Run>,
    /// Bytes that the stored runs take in the pages file.
    pub stored_bytes: u64,
    /// Whether entries are missing: the image is damaged behind the runs.
    pub broken: bool,
    /// Where entries that are missing could lie: behind the last run, as CRIU writes them by address; anywhere when these
    /// are not in that order.
    pub behind: VirtAddr,
    /// What is wrong with the entries.
    pub defects: Vec<Defect>,
}

impl Pagemap {
    /// The run that holds `addr`, or where the next one starts (`None` when there is no next).
    pub(crate) fn locate(&self, addr: VirtAddr) -> Result<&Run, Option<VirtAddr>> {
        let after = self.runs.partition_point(|run| run.start <= addr);
        let here = after.checked_sub(1).and_then(|i| self.runs.get(i)).filter(|run| addr < run.end);
        here.ok_or_else(|| self.runs.get(after).map(|run| run.start))
    }
}

/// Pages that follow one another and lie in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// First address.
    pub start: VirtAddr,
    /// First address after the run.
    pub end: VirtAddr,
    /// Where the bytes are.
    pub kind: RunKind,
}

impl Run {
    /// Takes `next` in, when it goes on where this one ends; CRIU begins a new entry wherever its flags change.
    fn absorb(&mut self, next: &Self) -> bool {
        let joins = match (&self.kind, &next.kind) {
            (RunKind::Stored { offset }, RunKind::Stored { offset: next }) => {
                offset.checked_add(self.end.since(self.start)) == Some(*next)
            }
            (RunKind::Parent, RunKind::Parent)
            | (RunKind::Lazy, RunKind::Lazy)
            | (RunKind::Nowhere, RunKind::Nowhere) => true,
            _ => false,
        };
        let joins = joins && self.end == next.start;
        if joins {
            self.end = next.end;
        }
        joins
    }
}

/// Where the bytes of a run are.
#[derive(Clone, Debug, PartialEq)]
pub enum RunKind {
    /// In the pages file, as they are, from this offset.
    Stored {
        /// Byte offset in `pages-N.img`.
        offset: u64,
    },
    /// In the pages file, in LZ4 blocks.
    Compressed(Arc<CompressedRun>),
    /// In the parent dump.
    Parent,
    /// Sent to the restoring side when first touched (lazy migration): in no image.
    Lazy,
    /// The entry does not tell.
    Nowhere,
}

/// Blocks of a compressed run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressedRun {
    /// Uncompressed bytes of a block; the last one may be shorter.
    pub block_bytes: u64,
    /// `(offset in the pages file, bytes there)` of each block; 0 bytes there means a block of zeros.
    pub blocks: Vec<(u64, u32)>,
}

struct Layout {
    page_size: u64,
    offset: u64,
    ordered: bool,
    /// Whether flags that are not known have been told.
    told_unknown: bool,
    runs: Vec<Run>,
    defects: Vec<Defect>,
}

/// `PE_PARENT`, `PE_LAZY`, `PE_PRESENT`, `PE_PAYLOAD_ALIGNED`: `criu/include/pagemap.h`.
const KNOWN_FLAGS: u32 = 0xf;

impl Layout {
    fn of(page_size: u64) -> Self {
        Self {
            page_size,
            offset: 0,
            ordered: true,
            told_unknown: false,
            runs: Vec::new(),
            defects: Vec::new(),
        }
    }

    /// Takes one entry in; `None` when where its bytes end cannot be told.
    fn push(&mut self, index: usize, record: &PagemapRecord) -> Option<()> {
        let entry = &record.entry;
        let start = VirtAddr(entry.vaddr);
        let pages = record.pages();
        let len = pages.checked_mul(self.page_size);
        let Some((len, end)) = len.and_then(|len| Some((len, start.checked_add(len)?))) else {
            self.defects.push(Defect::Overflow { index, start, pages });
            return None;
        };
        if !start.0.is_multiple_of(self.page_size) {
            self.defects.push(Defect::Unaligned { index, start, page_size: self.page_size });
        }
        if pages == 0 {
            self.defects.push(Defect::NoPages { index, start });
        }
        if !record.stored() && (record.blocks.is_some() || record.payload_aligned()) {
            self.defects.push(Defect::NotStored { index, start });
        }
        let placed = record.stored() || record.in_parent() || record.lazy();
        let flags = entry.flags.unwrap_or_default();
        let unknown = flags & !KNOWN_FLAGS != 0;
        if !placed || (unknown && !self.told_unknown) {
            self.told_unknown |= unknown;
            self.defects.push(Defect::Flags { index, start, flags });
        }
        if record.stored() && record.in_parent() {
            self.defects.push(Defect::Contradiction { index, start, flags });
        }
        let kind = if record.stored() {
            let Some(stored) = self.stored(index, record, start, len) else {
                self.defects.push(Defect::Overflow { index, start, pages });
                return None;
            };
            stored
        } else if record.in_parent() {
            RunKind::Parent
        } else if record.lazy() {
            RunKind::Lazy
        } else {
            RunKind::Nowhere
        };
        if self.runs.last().is_some_and(|last| start < last.end) {
            self.ordered = false;
            self.defects.push(Defect::Disorder { index, start });
        }
        if len > 0 {
            self.runs.push(Run { start, end, kind });
        }
        Some(())
    }

    fn stored(
        &mut self,
        index: usize,
        record: &PagemapRecord,
        start: VirtAddr,
        len: u64,
    ) -> Option<RunKind> {
        if record.payload_aligned() {
            self.offset = self.offset.checked_next_multiple_of(self.page_size)?;
        }
        let offset = self.offset;
        let Some(blocks) = &record.blocks else {
            self.offset = offset.checked_add(len)?;
            return Some(RunKind::Stored { offset });
        };
        let block_bytes = blocks.pages_per_block.checked_mul(self.page_size).filter(|b| *b > 0)?;
        let expected = len.div_ceil(block_bytes);
        let found = blocks.sizes.len() as u64;
        if expected != found {
            self.defects.push(Defect::Blocks { index, start, expected, found });
        }
        let placed = self.place(blocks)?;
        let sum = blocks.sizes.iter().fold(0u64, |sum, size| sum.saturating_add(u64::from(*size)));
        // Writers count the padding, or do not.
        if blocks.total != sum && blocks.total != self.offset.saturating_sub(offset) {
            self.defects.push(Defect::BlockTotal {
                index,
                start,
                expected: blocks.total,
                found: sum,
            });
        }
        Some(RunKind::Compressed(Arc::new(CompressedRun { block_bytes, blocks: placed })))
    }

    fn place(&mut self, blocks: &Blocks) -> Option<Vec<(u64, u32)>> {
        let mut placed = Vec::with_capacity(blocks.sizes.len());
        for size in &blocks.sizes {
            if blocks.padded && *size > 0 {
                self.offset = self.offset.checked_next_multiple_of(self.page_size)?;
            }
            placed.push((self.offset, *size));
            self.offset = self.offset.checked_add(u64::from(*size))?;
        }
        if blocks.padded {
            self.offset = self.offset.checked_next_multiple_of(self.page_size)?;
        }
        Some(placed)
    }

    /// Sorts by address and cuts what overlaps, so that every address has one run: of two that start together the one
    /// named first in the file. Runs that go on where the one before ends, in memory and in the file, become one.
    fn finish(self, pages_id: u32) -> Pagemap {
        let Self { mut runs, offset, ordered, defects, .. } = self;
        let last = runs.last().filter(|_| ordered).map(|run| run.end);
        runs.sort_by_key(|run| run.start);
        let mut end = VirtAddr(0);
        runs.retain(|run| {
            let keep = run.start >= end;
            if keep {
                end = run.end;
            }
            keep
        });
        runs.dedup_by(|next, run| run.absorb(next));
        let behind = last.unwrap_or_default();
        Pagemap { pages_id, runs, stored_bytes: offset, broken: false, behind, defects }
    }
}
