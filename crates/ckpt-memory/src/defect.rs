//! What can be wrong with a pagemap and its pages.

use thiserror::Error;

use crate::VirtAddr;

/// One thing that is wrong with the memory of a task. Numbers of entries count from 0, after the head.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// An entry ends past 2^64, or its bytes do.
    #[error("pagemap entry {index} at {start}: {pages} pages do not fit the address space")]
    Overflow {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
        /// The page count it claims.
        pages: u64,
    },
    /// An entry does not start on a page.
    #[error("pagemap entry {index}: {start} is not a multiple of the page size {page_size}")]
    Unaligned {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
        /// Bytes of a page.
        page_size: u64,
    },
    /// An entry starts below the end of an earlier one; the earlier one is believed.
    #[error("pagemap entry {index} at {start} overlaps or precedes an entry before it")]
    Disorder {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
    },
    /// An entry is marked both as stored here and as lying in the parent.
    #[error(
        "pagemap entry {index} at {start} has flags {flags:#x}: stored here and in the parent at once"
    )]
    Contradiction {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
        /// `pagemap_entry.flags`.
        flags: u32,
    },
    /// The flags of an entry tell no place where its pages are, or something that this version does not know. Of those that
    /// are not known only the first entry is told.
    #[error(
        "pagemap entry {index} at {start} has flags {flags:#x}, which tell no place of its pages, or are not known"
    )]
    Flags {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
        /// `pagemap_entry.flags`.
        flags: u32,
    },
    /// An entry is of no page at all.
    #[error("pagemap entry {index} at {start}: it is of no page")]
    NoPages {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
    },
    /// An entry tells how its bytes lie in the pages file, and is marked as not stored there.
    #[error(
        "pagemap entry {index} at {start}: it tells how its bytes are stored, and they are not"
    )]
    NotStored {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
    },
    /// The compressed blocks of an entry have not as many bytes as it says.
    #[error(
        "pagemap entry {index} at {start}: its compressed blocks have {found} bytes, {expected} by their total"
    )]
    BlockTotal {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
        /// Bytes that the entry tells of all of them.
        expected: u64,
        /// Sum of the bytes of each.
        found: u64,
    },
    /// The list of compressed blocks does not cover the entry.
    #[error(
        "pagemap entry {index} at {start}: {found} compressed blocks where {expected} are needed"
    )]
    Blocks {
        /// The entry.
        index: usize,
        /// Where it starts.
        start: VirtAddr,
        /// Blocks that the page count asks for.
        expected: u64,
        /// Blocks listed.
        found: u64,
    },
    /// The pages file is shorter than its pagemap says.
    #[error("pages-{pages_id}.img has {found} bytes where the pagemap needs {expected}")]
    PagesShort {
        /// N of `pages-N.img`.
        pages_id: u32,
        /// Bytes that the stored entries take.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// The pages file is longer than its pagemap says: that pagemap ends early, or bytes were added.
    #[error(
        "pages-{pages_id}.img has {found} bytes where the pagemap uses {expected}: it ends early, or bytes were added"
    )]
    PagesLong {
        /// N of `pages-N.img`.
        pages_id: u32,
        /// Bytes that the stored entries take.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// The pages file that the pagemap names is not in the evidence.
    #[error("pages-{pages_id}.img is missing, {expected} bytes of memory with it")]
    PagesMissing {
        /// N of `pages-N.img`.
        pages_id: u32,
        /// Bytes that the stored entries take.
        expected: u64,
    },
    /// A mapping begins inside the one before it; the earlier one is believed.
    #[error("the mapping at {start} overlaps the one before it")]
    MappingsOverlap {
        /// Where it starts.
        start: VirtAddr,
    },
    /// A mapping holds no byte: it ends where it starts, or before that.
    #[error("the mapping at {start} ends at {end}: it holds nothing")]
    MappingEmpty {
        /// Where it starts.
        start: VirtAddr,
        /// Where it ends.
        end: VirtAddr,
    },
    /// A pagemap has pages outside of every mapping.
    #[error("no mapping covers {bytes} bytes of dumped memory, the first of them at {start}")]
    NotListed {
        /// Where the first of them is.
        start: VirtAddr,
        /// Bytes.
        bytes: u64,
    },
    /// Pages lie in a parent dump that was not given.
    #[error("{pages} pages are in a parent checkpoint that is not here")]
    ParentMissing {
        /// Pages that only the parent holds.
        pages: u64,
    },
}

impl Defect {
    /// Whether it is of the list of mappings, and not of a pagemap and its pages.
    #[must_use]
    pub fn is_of_mappings(&self) -> bool {
        matches!(
            self,
            Self::MappingsOverlap { .. } | Self::MappingEmpty { .. } | Self::NotListed { .. }
        )
    }
}
