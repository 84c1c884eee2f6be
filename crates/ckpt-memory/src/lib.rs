//! Address spaces of checkpointed processes: every byte with where it came from.
//!
//! An [`AddressSpace`] joins what CRIU keeps apart: the mappings (`mm-PID.img`), the runs of pages (`pagemap-PID.img`),
//! the bytes (`pages-N.img`) and, for incremental dumps, the same two of each parent. It answers "what is at this address"
//! with [`Span`]s, and each of them says where its bytes come from or why they are not there. A hole is never shown as
//! zeros: [`Span::Zero`] is memory that the kernel itself would have read as zeros.
//!
//! ```
//! use ckpt_memory::{AddressSpace, Missing, Span, VirtAddr};
//!
//! let space = AddressSpace::new(Vec::new(), Vec::new(), 4096);
//! let spans: Vec<Span> = space.spans(VirtAddr(0x1000), 16).collect();
//! assert_eq!(spans, [Span::Missing { start: VirtAddr(0x1000), len: 16, why: Missing::Unmapped }]);
//! ```
//!
//! Shared memory (SysV, memfd, shared anonymous) is an address space of its own that mappings show, see
//! [`SharedMemory`]. Pages that the dump left in the mapped file are [`Missing::FileBacked`], unless whoever builds the
//! space has the file and gives it as [`Backing::File`].
//!
//! # Limits
//!
//! Nothing is read from the analyst's own files. A span that lies in an LZ4 block is expanded each time it is asked for.

#![warn(clippy::arithmetic_side_effects)]

mod address;
mod compressed;
mod defect;
mod mapping;
mod page_size;
mod pagemap;
mod source;
mod space;
mod span;
mod tally;

pub use address::{AddrRange, AddrRangeError, VirtAddr};
pub use defect::Defect;
pub use mapping::{Backing, Mapping, MappingKind, Perms};
pub use page_size::{PageSizeSource, aligned_page_size, derive_page_size};
pub use pagemap::{Pagemap, PagemapImage, Run, RunKind};
pub use source::{ByteSource, FileBacking, PagesFile, Piece, SharedMemory};
pub use space::{AddressSpace, Link, Spans};
pub use span::{Missing, Origin, ReadError, Span};
pub use tally::Tally;
