//! What an address space answers: bytes with their origin, zeros, and what is missing.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::{FileBacking, VirtAddr};

/// Where bytes that are there come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// This dump's own pages file.
    Dumped,
    /// The pages file of the N-th parent, counted from 1.
    Parent(usize),
    /// Pages of shared memory, which has a pagemap of its own.
    Shared,
    /// The mapped file.
    File(Arc<FileBacking>),
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dumped, Self::Dumped) | (Self::Shared, Self::Shared) => true,
            (Self::Parent(a), Self::Parent(b)) => a == b,
            (Self::File(a), Self::File(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Origin {}

/// `dumped`, `parent:1`, `shmem`, `file:/usr/bin/redis-server@base:redis-oci`. The path is escaped.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dumped => f.write_str("dumped"),
            Self::Parent(depth) => write!(f, "parent:{depth}"),
            Self::Shared => f.write_str("shmem"),
            Self::File(file) => {
                let path = ckpt_archive::Escaped(&file.path);
                write!(f, "file:{path}@{}", file.source)
            }
        }
    }
}

/// Why bytes are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Missing {
    /// No mapping covers the address.
    Unmapped,
    /// Nothing tells whether it was mapped: the list of mappings is not there, and the pagemap has no page of it.
    NotListed,
    /// A clean page of a mapped file: it is in the file, and CRIU does not dump it.
    FileBacked,
    /// As [`FileBacked`](Self::FileBacked), and the file that was found for it is another one.
    FileDiffers,
    /// Behind the end of the mapped file or segment: the process itself would have been killed for reading it.
    BeyondEnd,
    /// Shared memory whose image is not there.
    Shared,
    /// Memory of the kernel or of a device, never dumped.
    KernelOwned,
    /// A guard page, which has no memory.
    Guard,
    /// Memory that the kernel may drop at any time, and that CRIU does not dump.
    Droppable,
    /// Only the parent checkpoint has it, and that is not here.
    InParent,
    /// Left behind for lazy migration.
    Lazy,
    /// The process has no pagemap, so that nothing tells which of its pages were dumped.
    NoPagemap,
    /// The pagemap is damaged, or ends, before an entry that could be of it: nothing tells whether it was dumped.
    PagemapDamaged,
    /// The pages file is missing.
    PagesMissing,
    /// The pages file ends before it.
    PagesTruncated,
    /// It passed by in a compressed archive, and was not kept because nobody had asked for it.
    NotKept,
    /// An LZ4 block that does not expand to what it should.
    Damaged,
}

impl Missing {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::NotListed => "not-listed",
            Self::FileBacked => "file-backed",
            Self::FileDiffers => "file-differs",
            Self::BeyondEnd => "beyond-end",
            Self::Shared => "shared",
            Self::KernelOwned => "kernel-owned",
            Self::Guard => "guard",
            Self::Droppable => "droppable",
            Self::InParent => "in-parent",
            Self::Lazy => "lazy",
            Self::NoPagemap => "no-pagemap",
            Self::PagemapDamaged => "pagemap-damaged",
            Self::PagesMissing => "pages-missing",
            Self::PagesTruncated => "pages-truncated",
            Self::NotKept => "not-kept",
            Self::Damaged => "damaged",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmapped => "not mapped",
            Self::NotListed => "not known: no dumped page, and the list of mappings is not there",
            Self::FileBacked => "not captured: a clean page of the mapped file",
            Self::FileDiffers => {
                "not captured: a clean page of the mapped file, and the file given for it is another one"
            }
            Self::BeyondEnd => "not mapped: behind the end of the mapped file",
            Self::Shared => "not there: shared memory without an image",
            Self::KernelOwned => "not captured: memory of the kernel or of a device",
            Self::Guard => "not mapped: a guard page",
            Self::Droppable => "not captured: memory that the kernel may drop",
            Self::InParent => "not captured: in the parent checkpoint",
            Self::Lazy => "not captured: left behind for lazy migration",
            Self::NoPagemap => "not known: the process has no pagemap",
            Self::PagemapDamaged => "not known: the pagemap is damaged or ends before it",
            Self::PagesMissing => "not there: the pages file is missing",
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
    /// Memory that was never written, or the rest of a page behind the end of its file: it reads as zeros.
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
    /// First address.
    #[must_use]
    pub fn start(&self) -> VirtAddr {
        match self {
            Self::Bytes { start, .. } | Self::Zero { start, .. } | Self::Missing { start, .. } => {
                *start
            }
        }
    }

    /// Bytes of memory that it stands for.
    #[allow(clippy::len_without_is_empty)] // no span is empty
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes { bytes, .. } => bytes.len() as u64,
            Self::Zero { len, .. } | Self::Missing { len, .. } => *len,
        }
    }

    /// First address after it.
    #[must_use]
    pub fn end(&self) -> VirtAddr {
        VirtAddr(self.start().0.saturating_add(self.len()))
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
