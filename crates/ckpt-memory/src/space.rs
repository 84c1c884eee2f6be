//! One address space: mappings, runs, bytes, parents.

use std::fmt;

use bytes::Bytes;
use criu_image::messages::VmaEntry;
use thiserror::Error;

use crate::pagemap::CompressedRun;
use crate::pages::Piece;
use crate::{Defect, Pagemap, PagesFile, Run, RunKind, VirtAddr};

/// Bits of `vma_entry.status` that decide where the bytes of a mapping are.
///
/// Source: `criu/include/image.h`.
mod status {
    pub(super) const VSYSCALL: u32 = 1 << 2;
    pub(super) const FILE_PRIVATE: u32 = 1 << 6;
    pub(super) const FILE_SHARED: u32 = 1 << 7;
    pub(super) const ANON_SHARED: u32 = 1 << 8;
    pub(super) const SYSVIPC: u32 = 1 << 10;
    pub(super) const SOCKET: u32 = 1 << 11;
    pub(super) const VVAR: u32 = 1 << 12;
    pub(super) const AIORING: u32 = 1 << 13;
    pub(super) const MEMFD: u32 = 1 << 14;
    /// A guard range (`MADV_GUARD_INSTALL`): an extra entry inside an ordinary mapping.
    pub(super) const GUARD: u32 = 1 << 16;
    pub(super) const UPROBES: u32 = 1 << 17;
    pub(super) const EXT_PLUGIN: u32 = 1 << 27;
    /// Owned by the kernel or by a plugin, and never in the images.
    pub(super) const NEVER_DUMPED: u32 = VSYSCALL | SOCKET | VVAR | AIORING | UPROBES | EXT_PLUGIN;
}

/// Where bytes that are there come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// This dump's own pages file.
    Dumped,
    /// The pages file of the N-th parent, counted from 1.
    Parent(usize),
}

/// Why bytes are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// No mapping covers the address.
    Unmapped,
    /// A clean page of a mapped file: it is in the file, and CRIU does not dump it.
    FileBacked,
    /// Shared memory, kept in an image of its own.
    Shared,
    /// Memory of the kernel or of a device, never dumped.
    KernelOwned,
    /// Only the parent checkpoint has it, and that is not here.
    InParent,
    /// Left behind for lazy migration.
    Lazy,
    /// The process has no pagemap, so that nothing tells which of its pages were dumped.
    NoPagemap,
    /// The pages file ends before it, or is missing.
    PagesTruncated,
    /// It passed by in a compressed archive, and was not kept because nobody had asked for it.
    NotKept,
    /// An LZ4 block that does not expand to what it should.
    Damaged,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmapped => "not mapped",
            Self::FileBacked => "not captured: a clean page of the mapped file",
            Self::Shared => "shared memory, in an image of its own",
            Self::KernelOwned => "not captured: memory of the kernel or of a device",
            Self::InParent => "not captured: in the parent checkpoint",
            Self::Lazy => "not captured: left behind for lazy migration",
            Self::NoPagemap => "not known: the process has no pagemap",
            Self::PagesTruncated => "not there: the pages file ends before it",
            Self::NotKept => "not kept while the compressed archive was read",
            Self::Damaged => "damaged: a compressed block does not expand",
        })
    }
}

/// Bytes that lie together and have one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Bytes that the evidence holds.
    Bytes {
        /// Address of the first one.
        start: VirtAddr,
        /// The bytes; a slice of the map unless they were compressed.
        bytes: Bytes,
        /// Where they come from.
        origin: Origin,
    },
    /// Private anonymous memory that was never written: it reads as zeros.
    Zero {
        /// First address.
        start: VirtAddr,
        /// Bytes.
        len: u64,
    },
    /// Nothing is known of these bytes.
    Missing {
        /// First address.
        start: VirtAddr,
        /// Bytes.
        len: u64,
        /// Why.
        why: Missing,
    },
}

impl Span {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes { bytes, .. } => bytes.len() as u64,
            Self::Zero { len, .. } | Self::Missing { len, .. } => *len,
        }
    }
}

/// A read that met bytes which are not there.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{len} bytes at {start}: {why}")]
pub struct ReadError {
    /// First address that is missing.
    pub start: VirtAddr,
    /// Bytes missing from there, within what was asked for.
    pub len: u64,
    /// Why.
    pub why: Missing,
}

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
            Some(found) if found > expected => {
                defects.push(Defect::PagesLong { pages_id, expected, found });
            }
            _ => {}
        }
        defects
    }
}

/// The memory of one task.
#[derive(Clone, Debug)]
pub struct AddressSpace {
    /// By start; guard entries, which lie inside other mappings, are left out.
    vmas: Vec<VmaEntry>,
    /// This dump first, then its parents, nearest first.
    links: Vec<Link>,
    page_size: u64,
}

impl AddressSpace {
    /// Joins the mappings of a task with its runs: `links` is this dump's first, then each parent's, nearest first.
    /// `page_size` in bytes.
    #[must_use]
    pub fn new(mut vmas: Vec<VmaEntry>, links: Vec<Link>, page_size: u64) -> Self {
        vmas.retain(|vma| vma.status & status::GUARD == 0 && vma.start < vma.end);
        vmas.sort_by_key(|vma| vma.start);
        Self { vmas, links, page_size }
    }

    /// The mappings by address, without guard entries.
    #[must_use]
    pub fn vmas(&self) -> &[VmaEntry] {
        &self.vmas
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.page_size
    }

    /// What is wrong with the runs and the pages files, this dump's and its parents'.
    #[must_use]
    pub fn defects(&self) -> Vec<Defect> {
        self.links.iter().flat_map(Link::defects).collect()
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
        let mut out = Vec::new();
        let why = self.read_into(start, len, &mut out);
        let missing = len.saturating_sub(out.len() as u64);
        match why {
            Some(why) => Err(ReadError {
                start: VirtAddr(start.0.saturating_add(out.len() as u64)),
                len: missing,
                why,
            }),
            None => Ok(out),
        }
    }

    /// As [`read`](Self::read), but what is there before the first missing byte is kept beside the reason.
    #[must_use]
    pub fn read_prefix(&self, start: VirtAddr, len: u64) -> (Vec<u8>, Option<Missing>) {
        let mut out = Vec::new();
        let why = self.read_into(start, len, &mut out);
        (out, why)
    }

    fn read_into(&self, start: VirtAddr, len: u64, out: &mut Vec<u8>) -> Option<Missing> {
        for span in self.spans(start, len) {
            match span {
                Span::Bytes { bytes, .. } => out.extend_from_slice(&bytes),
                Span::Zero { len, .. } => {
                    let len = usize::try_from(len).ok()?;
                    out.resize(out.len().saturating_add(len), 0);
                }
                Span::Missing { why, .. } => return Some(why),
            }
        }
        None
    }

    fn vma_at(&self, addr: VirtAddr) -> Result<&VmaEntry, Option<VirtAddr>> {
        let after = self.vmas.partition_point(|vma| vma.start <= addr.0);
        let here =
            after.checked_sub(1).and_then(|i| self.vmas.get(i)).filter(|vma| addr.0 < vma.end);
        here.ok_or_else(|| self.vmas.get(after).map(|vma| VirtAddr(vma.start)))
    }

    /// The span that begins at `at` and ends at `end` at the latest.
    fn span(&self, at: VirtAddr, end: VirtAddr) -> Span {
        let vma = match self.vma_at(at) {
            Ok(vma) => vma,
            Err(next) => {
                let end = next.map_or(end, |next| next.min(end));
                return Span::Missing { start: at, len: end.since(at), why: Missing::Unmapped };
            }
        };
        let end = end.min(VirtAddr(vma.end));
        if vma.status & status::NEVER_DUMPED != 0 {
            return Span::Missing { start: at, len: end.since(at), why: Missing::KernelOwned };
        }
        self.stored(at, end, 0).unwrap_or_else(|end| absent(vma, at, end))
    }

    /// The span at `at` as the `depth`-th link and those behind it have it; `Err` with where to look again when this
    /// link says nothing of the page.
    fn stored(&self, at: VirtAddr, end: VirtAddr, depth: usize) -> Result<Span, VirtAddr> {
        let missing = |end: VirtAddr, why| Span::Missing { start: at, len: end.since(at), why };
        let mut end = end;
        for (depth, link) in self.links.iter().enumerate().skip(depth) {
            let run = match link.pagemap.locate(at) {
                Ok(run) => run,
                Err(next) => {
                    let end = next.map_or(end, |next| next.min(end));
                    // The first link decides what exists. A parent that lacks a page its child looks for is damaged.
                    return if depth == 0 { Err(end) } else { Ok(missing(end, Missing::InParent)) };
                }
            };
            end = end.min(run.end);
            let origin = if depth == 0 { Origin::Dumped } else { Origin::Parent(depth) };
            match &run.kind {
                RunKind::Stored { offset } => {
                    let offset = offset.saturating_add(at.since(run.start));
                    return Ok(match link.pages.piece(offset, end.since(at)) {
                        Piece::Bytes(bytes) => Span::Bytes { start: at, bytes, origin },
                        Piece::Zeros(len) => Span::Zero { start: at, len },
                        Piece::Missing(why) => missing(end, why),
                    });
                }
                RunKind::Compressed(blocks) => {
                    return Ok(expand(link, run, blocks, at, end, origin));
                }
                RunKind::Lazy => return Ok(missing(end, Missing::Lazy)),
                RunKind::Parent => {}
            }
        }
        let why = if self.links.is_empty() { Missing::NoPagemap } else { Missing::InParent };
        Ok(missing(end, why))
    }
}

/// A page that no pagemap mentions: what it is depends on the mapping.
fn absent(vma: &VmaEntry, at: VirtAddr, end: VirtAddr) -> Span {
    let len = end.since(at);
    let why = if vma.status & (status::ANON_SHARED | status::SYSVIPC | status::MEMFD) != 0 {
        Missing::Shared
    } else if vma.status & (status::FILE_PRIVATE | status::FILE_SHARED) != 0 {
        Missing::FileBacked
    } else {
        return Span::Zero { start: at, len };
    };
    Span::Missing { start: at, len, why }
}

/// The part of one LZ4 block that begins at `at`.
fn expand(
    link: &Link,
    run: &Run,
    compressed: &CompressedRun,
    at: VirtAddr,
    end: VirtAddr,
    origin: Origin,
) -> Span {
    let CompressedRun { block_bytes, blocks } = compressed;
    let index = at.since(run.start).checked_div(*block_bytes).unwrap_or_default();
    let start = VirtAddr(run.start.0.saturating_add(index.saturating_mul(*block_bytes)));
    let block_end = VirtAddr(start.0.saturating_add(*block_bytes)).min(run.end);
    let end = end.min(block_end);
    let missing = |why| Span::Missing { start: at, len: end.since(at), why };
    let place = usize::try_from(index).ok().and_then(|index| blocks.get(index));
    let Some((offset, stored)) = place.copied() else { return missing(Missing::Damaged) };
    if stored == 0 {
        return Span::Zero { start: at, len: end.since(at) };
    }
    let bytes = match link.pages.slice(offset, u64::from(stored)) {
        Ok(bytes) => bytes,
        Err(why) => return missing(why),
    };
    let Ok(size) = usize::try_from(block_end.since(start)) else {
        return missing(Missing::Damaged);
    };
    // A block as long as what it holds was stored as it is: LZ4 had not gained enough.
    let plain = if bytes.len() == size {
        bytes
    } else {
        if size > MAX_BLOCK {
            return missing(Missing::Damaged);
        }
        match lz4_flex::block::decompress(&bytes, size) {
            Ok(plain) if plain.len() == size => Bytes::from(plain),
            _ => return missing(Missing::Damaged),
        }
    };
    let from = usize::try_from(at.since(start)).unwrap_or(usize::MAX);
    let to = usize::try_from(end.since(start)).unwrap_or(usize::MAX);
    if from > to || to > plain.len() {
        return missing(Missing::Damaged);
    }
    Span::Bytes { start: at, bytes: plain.slice(from..to), origin }
}

/// Largest uncompressed block that is expanded, bytes. CRIU's own limit for a region is 4 MiB.
const MAX_BLOCK: usize = 64 << 20;

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
        let next = VirtAddr(self.at.0.saturating_add(span.len()));
        if next <= self.at {
            self.at = self.end;
            return None;
        }
        self.at = next;
        Some(span)
    }
}
