//! How much memory of a process there is, and where.

use ckpt_memory::AddressSpace;

/// Bytes of a process's memory by where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemorySizes {
    /// Of all mappings.
    pub mapped: u64,
    /// The process's own pages in the images of this dump and its parents.
    pub private: u64,
    /// Pages of shared memory in the images. Other processes may have the same.
    pub shared: u64,
    /// Clean pages of mapped files, which a dump leaves in the file.
    pub file_backed: u64,
    /// Never written.
    pub zero: u64,
    /// Pages that should be there and are not: in a parent that is not here, cut off, left behind.
    pub missing: u64,
}

impl MemorySizes {
    /// Of an address space that is not filled from files.
    #[must_use]
    pub fn of(space: &AddressSpace) -> Self {
        let page = space.page_size();
        let bytes = |pages: u64| pages.saturating_mul(page);
        let mut sizes = Self::default();
        for mapping in space.mappings() {
            let tally = space.tally(mapping);
            let add = |sum: &mut u64, pages: u64| *sum = sum.saturating_add(bytes(pages));
            sizes.mapped = sizes.mapped.saturating_add(mapping.len());
            add(&mut sizes.private, tally.dumped.saturating_add(tally.parent));
            add(&mut sizes.shared, tally.shared);
            add(&mut sizes.zero, tally.zero);
            add(&mut sizes.file_backed, tally.in_file);
            add(&mut sizes.missing, tally.missing);
        }
        sizes
    }
}
