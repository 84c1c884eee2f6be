//! How much of what the evidence asks for is granted.

/// Upper bounds on memory, disk and work, so that hostile evidence cannot choose them.
///
/// The defaults leave room for any honest checkpoint. Change single fields:
///
/// ```
/// let mut limits = ckpt_archive::Limits::default();
/// limits.max_members = 10_000;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Members listed per evidence; what lies behind is told as a defect and not listed. Default 4 million.
    pub max_members: usize,
    /// Length of one member name or link target in bytes. Default 64 KiB.
    pub max_name: usize,
    /// Size of one PAX extended header in bytes. Default 1 MiB.
    pub max_pax: u64,
    /// Bytes of names, links, attributes and sparse maps held for one archive. Default 2 GiB.
    pub max_metadata: u64,
    /// Extents in the map of one sparse member. Default 1 million.
    pub max_extents: usize,
    /// Archives inside archives, and compressions inside compressions. Default 8.
    pub max_nesting: u32,
    /// Levels of directories below an opened directory. Default 64.
    pub max_directory_depth: u32,
    /// Layers of one image, and entries of one image index. Default 512.
    pub max_layers: usize,
    /// Size of one JSON document of an image (index, manifest) in bytes. Default 16 MiB.
    pub max_json: u64,
    /// Bytes that one compressed stream may unpack to. The room on the spool's file system bounds what is kept; this bounds
    /// the work. Default 1 TiB.
    pub max_unpacked: u64,
    /// Window or dictionary in bytes that a compressed stream may ask for. Default 2 GiB, what `zstd --long=31` needs.
    pub max_window: u64,
    /// Bytes that [`Content::slice`](crate::Content::slice) copies together when a range crosses holes or pieces. Default 1 GiB.
    pub max_copy: u64,
    /// Holes of sparse files, in bytes and in sum, that [`Evidence::hash`](crate::Evidence::hash) takes as the zeros that
    /// they are: a header of 512 bytes can claim exabytes of them. Default 64 GiB.
    pub max_hashed_holes: u64,
    /// Defects told one by one; more are only counted. Default 10,000.
    pub max_defects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_members: 4_000_000,
            max_name: 64 << 10,
            max_pax: 1 << 20,
            max_metadata: 2 << 30,
            max_extents: 1_000_000,
            max_nesting: 8,
            max_directory_depth: 64,
            max_layers: 512,
            max_json: 16 << 20,
            max_unpacked: 1 << 40,
            max_window: 2 << 30,
            max_copy: 1 << 30,
            max_hashed_holes: 64 << 30,
            max_defects: 10_000,
        }
    }
}
