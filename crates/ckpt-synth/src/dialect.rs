//! Which CRIU wrote the dump.

/// A generation of CRIU, as far as its images differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// CRIU 3.17: page counts in `compat_nr_pages`, the cgroup set in `tc`, no `no_new_privs`, no run id.
    Criu317,
    /// CRIU 4.1: page counts in `compat_nr_pages`, the rest as in 4.2.
    Criu41,
    /// CRIU 4.2: page counts in `nr_pages`, with `compat_nr_pages` written as 0.
    #[default]
    Criu42,
    /// CRIU after 4.2, with `img_version` 3 and LZ4 in the pages files.
    V12(Compression),
}

impl Dialect {
    pub(crate) fn is_317(self) -> bool {
        self == Self::Criu317
    }

    /// Whether `nr_pages` (64 bits) is written, and `compat_nr_pages` as 0.
    pub(crate) fn counts_in_nr_pages(self) -> bool {
        matches!(self, Self::Criu42 | Self::V12(_))
    }

    pub(crate) fn compression(self) -> Option<Compression> {
        match self {
            Self::V12(compression) => Some(compression),
            _ => None,
        }
    }
}

/// Which fields of a pagemap entry describe its blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockLayout {
    /// Fields 6, 7 and 8 of the entry: the form of July 2026.
    A,
    /// Field 6 is a message `pagemap_blocks`: the form of August 2026.
    #[default]
    B,
}

/// How pages are cut into LZ4 blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    pub(crate) layout: BlockLayout,
    pub(crate) region: Option<u32>,
    pub(crate) aligned: bool,
    pub(crate) padded: bool,
    pub(crate) unpacked: bool,
    pub(crate) mixed: bool,
}

impl Compression {
    /// One block a page, nothing aligned, sizes packed.
    #[must_use]
    pub fn per_page(layout: BlockLayout) -> Self {
        Self { layout, region: None, aligned: false, padded: false, unpacked: false, mixed: false }
    }

    /// Blocks of `bytes` bytes (CRIU's default is 256 KiB), the last one of an entry shorter.
    #[must_use]
    pub fn region(layout: BlockLayout, bytes: u32) -> Self {
        Self { region: Some(bytes), ..Self::per_page(layout) }
    }

    /// Each entry's payload starts at a page boundary of the pages file (`PE_PAYLOAD_ALIGNED`).
    #[must_use]
    pub fn aligned(self) -> Self {
        Self { aligned: true, ..self }
    }

    /// Every block that is not empty is padded to a page boundary (layout B), which implies [`aligned`](Self::aligned).
    #[must_use]
    pub fn padded(self) -> Self {
        Self { aligned: true, padded: true, ..self }
    }

    /// Layout A's sizes with a tag each instead of packed.
    #[must_use]
    pub fn unpacked(self) -> Self {
        Self { unpacked: true, ..self }
    }

    /// Every second entry is left without blocks: plain pages inside a compressed dump.
    #[must_use]
    pub fn mixed(self) -> Self {
        Self { mixed: true, ..self }
    }
}
