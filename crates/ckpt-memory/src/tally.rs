//! How much of a mapping is there, and where it is.

use crate::compressed::Block;
use crate::source::Piece;
use crate::space::{Place, What};
use crate::{AddressSpace, Mapping, Missing, VirtAddr};

/// Pages of a mapping by where their bytes are. The last page of a file counts as whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// In the dump's own pages file.
    pub dumped: u64,
    /// In the pages file of a parent.
    pub parent: u64,
    /// In pages of shared memory.
    pub shared: u64,
    /// In the mapped file, which is at hand.
    pub file: u64,
    /// In the mapped file, which is not at hand: a dump leaves clean pages there.
    pub in_file: u64,
    /// Never written: they read as zeros.
    pub zero: u64,
    /// In no dump: of the kernel, of a device, a guard, memory that the kernel may drop, behind the end of the file.
    pub never: u64,
    /// They should be there and are not.
    pub missing: u64,
}

impl Tally {
    /// Pages whose bytes are at hand, those that were never written not counted.
    #[must_use]
    pub fn captured(&self) -> u64 {
        [self.dumped, self.parent, self.shared, self.file].into_iter().fold(0, u64::saturating_add)
    }

    /// Pages with bytes of their own in the images of this dump or its parents.
    #[must_use]
    pub fn in_images(&self) -> u64 {
        [self.dumped, self.parent, self.shared].into_iter().fold(0, u64::saturating_add)
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.with(&other, u64::saturating_add)
    }

    /// Each number put together with its fellow.
    fn with(self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            dumped: join(self.dumped, other.dumped),
            parent: join(self.parent, other.parent),
            shared: join(self.shared, other.shared),
            file: join(self.file, other.file),
            in_file: join(self.in_file, other.in_file),
            zero: join(self.zero, other.zero),
            never: join(self.never, other.never),
            missing: join(self.missing, other.missing),
        }
    }

    /// So many pages, bytes or whatever is counted, that are not there for this reason.
    fn of_missing(why: Missing, count: u64) -> Self {
        match why {
            Missing::FileBacked | Missing::FileDiffers => {
                Self { in_file: count, ..Self::default() }
            }
            Missing::KernelOwned
            | Missing::Guard
            | Missing::Droppable
            | Missing::BeyondEnd
            | Missing::Unmapped
            | Missing::NotListed => Self { never: count, ..Self::default() },
            Missing::Shared
            | Missing::InParent
            | Missing::Lazy
            | Missing::NoPagemap
            | Missing::PagemapDamaged
            | Missing::PagesMissing
            | Missing::PagesTruncated
            | Missing::NotKept
            | Missing::Damaged => Self { missing: count, ..Self::default() },
        }
    }
}

impl AddressSpace {
    /// Counts the pages of a mapping of this space. Nothing is expanded: a compressed block counts as there when its bytes
    /// are.
    #[must_use]
    pub fn tally(&self, mapping: &Mapping) -> Tally {
        self.tally_range(mapping.start, mapping.end)
    }

    /// Counts the pages from `start` to `end`.
    #[must_use]
    pub fn tally_range(&self, start: VirtAddr, end: VirtAddr) -> Tally {
        self.bytes_in(start, end).in_pages(self.page_size())
    }

    /// As [`tally_range`](Self::tally_range), in bytes.
    fn bytes_in(&self, start: VirtAddr, end: VirtAddr) -> Tally {
        let mut sum = Tally::default();
        let mut at = start;
        while at < end {
            let (len, part) = self.bytes_at(at, end);
            sum = sum.plus(part);
            let next = VirtAddr(at.0.saturating_add(len));
            if next <= at {
                break;
            }
            at = next;
        }
        sum
    }

    /// What lies together at `at`: its bytes, and what they count as.
    fn bytes_at(&self, at: VirtAddr, end: VirtAddr) -> (u64, Tally) {
        let Place { len, what } = self.locate(at, end);
        let none = Tally::default();
        let stored = |len: u64, depth: usize| match depth {
            0 => (len, Tally { dumped: len, ..none }),
            _ => (len, Tally { parent: len, ..none }),
        };
        match what {
            What::Zero => (len, Tally { zero: len, ..none }),
            What::Missing(why) => (len, Tally::of_missing(why, len)),
            What::File { .. } => (len, Tally { file: len, ..none }),
            What::Stored { link, depth, offset } => match link.pages.piece(offset, len) {
                Piece::Bytes(there) => stored(there.len() as u64, depth),
                // A hole of a sparse archive stands for pages of zeros that the dump has.
                Piece::Zeros(len) => stored(len, depth),
                Piece::Missing(len, why) => (len, Tally::of_missing(why, len)),
            },
            What::Compressed { link, depth, run, blocks } => {
                let block = Block::of(run, blocks, at);
                let len = len.min(block.left());
                if block.is_zero() || block.is_there(&link.pages) {
                    stored(len, depth)
                } else {
                    (len, Tally { missing: len, ..none })
                }
            }
            What::Shared { memory, offset } => {
                let end = offset.saturating_add(len).min(memory.size);
                let inner = memory.space.bytes_in(VirtAddr(offset), VirtAddr(end));
                let shared = inner.dumped.saturating_add(inner.parent);
                (len, Tally { shared, dumped: 0, parent: 0, ..inner })
            }
        }
    }
}

impl Tally {
    fn in_pages(self, page_size: u64) -> Self {
        self.with(&self, |bytes, _| match page_size {
            0 => 0,
            page => bytes.div_ceil(page),
        })
    }
}
