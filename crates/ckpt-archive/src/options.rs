//! How evidence is opened: where to spool, what to keep, whom to tell about progress.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::limits::Limits;
use crate::member::Member;

/// How to open evidence. `Options::default()` keeps everything and spools to the system's temporary directory.
///
/// ```
/// use ckpt_archive::Options;
/// let options = Options::default().spool_dir("/var/tmp");
/// ```
#[derive(Clone, Default)]
pub struct Options {
    pub(crate) spool_dir: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) select: Option<Arc<dyn Select>>,
    pub(crate) progress: Option<Arc<dyn Progress>>,
    pub(crate) watch: Option<Arc<dyn Watch>>,
}

impl Options {
    /// The directory for unpacked members. The files in it have no name and vanish with the process.
    #[must_use]
    pub fn spool_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.spool_dir = Some(dir.into());
        self
    }

    /// Bounds on memory, disk and work.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Bounds the bytes that one compressed stream may unpack to, where the limits are not tighter already.
    #[must_use]
    pub fn unpack_at_most(mut self, bytes: u64) -> Self {
        self.limits.max_unpacked = self.limits.max_unpacked.min(bytes);
        self
    }

    /// What to keep of compressed archives. Plain tar files and directories are not affected: all of them stays at hand.
    #[must_use]
    pub fn select(mut self, select: Arc<dyn Select>) -> Self {
        self.select = Some(select);
        self
    }

    /// Whom to tell while a compressed archive passes by.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Who looks at what is kept of a compressed archive while it passes by. Archives within it are not watched.
    #[must_use]
    pub fn watch(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The same for an archive that nobody watches.
    #[must_use]
    pub fn unwatched(self) -> Self {
        Self { watch: None, ..self }
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.spool_dir.as_deref().map_or_else(std::env::temp_dir, Path::to_path_buf)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("spool_dir", &self.spool_dir)
            .field("limits", &self.limits)
            .field("select", &self.select.is_some())
            .field("progress", &self.progress.is_some())
            .field("watch", &self.watch.is_some())
            .finish()
    }
}

/// Decides what is kept of a compressed archive, or of one that comes from a reader.
///
/// Such an archive passes by once. Whatever is not kept then reads as [`Absence::NotKept`](crate::Absence::NotKept). The
/// parts of an image (`index.json`, `manifest.json`, blobs) are kept without asking; their layers' members are asked about
/// when the layer is opened.
pub trait Select: Send + Sync {
    /// Asked once for every regular member, in archive order.
    fn select(&self, member: &Member, kept: &Kept<'_>) -> Selection;
}

/// How much of a member to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Everything.
    All,
    /// Nothing.
    Nothing,
    /// These ranges of logical bytes, in any order; what lies outside of the member is ignored.
    Ranges(Vec<Range<u64>>),
}

/// What has passed by so far.
pub struct Kept<'a> {
    pub(crate) members: &'a [Member],
    pub(crate) whole: &'a HashMap<Vec<u8>, usize>,
    pub(crate) read: &'a dyn Fn(&Member) -> Option<Bytes>,
}

impl Kept<'_> {
    /// The content of the member at `path`, if it has passed by and was kept whole.
    pub fn get(&self, path: &[u8]) -> Option<Bytes> {
        (self.read)(self.members.get(*self.whole.get(path)?)?)
    }

    /// All members that have passed by, kept or not, in archive order.
    pub fn members(&self) -> &[Member] {
        self.members
    }
}

impl fmt::Debug for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("members", &self.members.len())
            .field("whole", &self.whole.len())
            .finish()
    }
}

/// Looks at the bytes of a compressed archive, or of one that comes from a reader, on their way to the spool: once, while they
/// are at hand anyway. [`Evidence::passed_at`](crate::Evidence::passed_at) tells of contents where they passed.
pub trait Watch: Send + Sync {
    /// The next bytes that are kept, the first of them at `position`. They come in order, from 0 on and without gaps.
    fn pass(&self, position: u64, bytes: &[u8]);
}

/// Is told how far a compressed archive has been read.
pub trait Progress: Send + Sync {
    /// A pass begins over `what`, of `total` compressed bytes if that is known.
    fn begin(&self, what: &str, total: Option<u64>);
    /// So many more compressed bytes have been read.
    fn advance(&self, bytes: u64);
    /// The pass is over, whether it went well or not.
    fn end(&self);
}
