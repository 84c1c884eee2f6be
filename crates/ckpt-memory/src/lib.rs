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
//! # Limits
//!
//! Shared memory (SysV, memfd, shared anonymous) and pages that the dump left in the mapped file are told as
//! [`Missing::Shared`] and [`Missing::FileBacked`]; nothing is read from the analyst's own files.

#![warn(clippy::arithmetic_side_effects)]

mod address;
mod defect;
mod page_size;
mod pagemap;
mod pages;
mod space;

pub use address::VirtAddr;
pub use defect::Defect;
pub use page_size::{PageSizeSource, derive_page_size};
pub use pagemap::{Pagemap, PagemapImage, Run, RunKind};
pub use pages::PagesFile;
pub use space::{AddressSpace, Link, Missing, Origin, ReadError, Span, Spans};
