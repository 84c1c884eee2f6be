//! `pagemap-*.img`: which pages a dump has. Decode entries with [`crate::pagemap::PagemapRecord`], which also reads the
//! block lists of compressed dumps.

use crate::message::message;
use crate::names;

message! {
    /// First record of a pagemap. Source: `criu/images/pagemap.proto`.
    PagemapHead = "pagemap_head" {
        /// Number of the `pages-N.img` with the bytes.
        pages_id: required uint32 = 1,
    }

    /// A run of pages of one kind. Source: `criu/images/pagemap.proto`.
    PagemapEntry = "pagemap_entry" {
        /// First address, or offset in bytes in the pagemap of shared memory.
        vaddr: required uint64 = 1 [hex],
        /// Pages, by CRIU before 4.2. Written as 0 since.
        compat_nr_pages: required uint32 = 2,
        /// The bytes are in the parent; by CRIU before flags.
        in_parent: optional bool = 3,
        /// Where the bytes are.
        flags: optional uint32 = 4 [flags(&names::PAGEMAP_FLAGS)],
        /// Pages, by CRIU 4.2 and later.
        nr_pages: optional uint64 = 5,
    }

    /// A run of pages with the block list as it was first merged (layout A, after 4.2).
    /// Source: `criu/images/pagemap.proto`.
    PagemapEntryLayoutA = "pagemap_entry" {
        /// First address.
        vaddr: required uint64 = 1 [hex],
        /// Pages, by CRIU before 4.2.
        compat_nr_pages: required uint32 = 2,
        /// The bytes are in the parent.
        in_parent: optional bool = 3,
        /// Where the bytes are.
        flags: optional uint32 = 4 [flags(&names::PAGEMAP_FLAGS)],
        /// Pages.
        nr_pages: optional uint64 = 5,
        /// Stored bytes of each block.
        compressed_size: repeated uint32 = 6,
        /// Stored bytes of all blocks.
        total_compressed_size: optional uint64 = 7,
        /// Pages of one block.
        region_pages: optional uint32 = 8,
    }

    /// A run of pages with the block list as a message (layout B, after 4.2).
    /// Source: `criu/images/pagemap.proto`.
    PagemapEntryLayoutB = "pagemap_entry" {
        /// First address.
        vaddr: required uint64 = 1 [hex],
        /// Pages, by CRIU before 4.2.
        compat_nr_pages: required uint32 = 2,
        /// The bytes are in the parent.
        in_parent: optional bool = 3,
        /// Where the bytes are.
        flags: optional uint32 = 4 [flags(&names::PAGEMAP_FLAGS)],
        /// Pages.
        nr_pages: optional uint64 = 5,
        /// The blocks.
        blocks: optional message(PagemapBlocks) = 6,
    }

    /// Blocks of a run in layout B. Source: `criu/images/pagemap.proto`.
    PagemapBlocks = "pagemap_blocks" {
        /// Stored bytes of each block; 0 is a block of zeros.
        block_sizes: repeated uint32 = 1,
        /// Stored bytes of all blocks.
        total_payload_size: required uint64 = 2,
        /// Pages of one block.
        pages_per_block: required uint32 = 3,
        /// Every block that is not empty is padded to a page boundary.
        payload_padded: optional bool = 4,
    }
}

impl PagemapEntry {
    /// Pages of the run: `nr_pages` where present, else `compat_nr_pages`.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.nr_pages.unwrap_or_else(|| u64::from(self.compat_nr_pages))
    }

    /// True when the bytes are in the pages file of this dump.
    ///
    /// Newer CRIU says so by flag; before flags everything was stored that was not in the parent.
    #[must_use]
    pub fn stored(&self) -> bool {
        match self.flags {
            Some(flags) => flags & names::PE_PRESENT != 0,
            None => !self.in_parent.unwrap_or(false),
        }
    }

    /// True when the bytes are in the parent image directory, by flag or, before flags, by field 3.
    ///
    /// Not to be confused with `in_parent()`, which `prost` derives and which knows of field 3 only.
    #[must_use]
    pub fn in_parent_dump(&self) -> bool {
        match self.flags {
            Some(flags) => flags & names::PE_PARENT != 0,
            None => self.in_parent.unwrap_or(false),
        }
    }

    /// True when the lazy flag is set. With [`PagemapEntry::stored`] the bytes are here all the same; alone they went
    /// over the network and are not in the dump.
    #[must_use]
    pub fn lazy(&self) -> bool {
        self.flags.is_some_and(|flags| flags & names::PE_LAZY != 0)
    }

    /// True when the payload begins at the next page boundary of the pages file.
    #[must_use]
    pub fn payload_aligned(&self) -> bool {
        self.flags.is_some_and(|flags| flags & names::PE_PAYLOAD_ALIGNED != 0)
    }
}
