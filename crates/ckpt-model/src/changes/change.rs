//! One change, and the words for it.

use ckpt_archive::{NameRisk, Timestamp};

use super::noise::Noise;
use super::state::{FileState, FileType};
use crate::Text;

/// How a path changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The image does not have it.
    Added,
    /// The image has it, and not so.
    Modified,
    /// The image has it, and the container no more.
    Deleted,
    /// Added or modified: without the image nobody can say. What a volume holds is always so.
    Written,
}

impl ChangeKind {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Written => "written",
        }
    }
}

/// What of a modified file is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Aspect {
    /// It is something else now, such as a link where a directory was.
    Type,
    /// Content.
    Content,
    /// Target of a symbolic link.
    Target,
    /// Numbers of a device.
    Device,
    /// Permission bits.
    Mode,
    /// User or group.
    Owner,
    /// Extended attributes.
    Xattrs,
    /// Time of the last modification.
    Time,
}

impl Aspect {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Content => "content",
            Self::Target => "target",
            Self::Device => "device",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Xattrs => "xattrs",
            Self::Time => "time",
        }
    }
}

/// What tells of a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChangeSource {
    /// `rootfs-diff.tar`.
    RootfsDiff,
    /// `deleted.files`.
    DeletedFiles,
    /// The base has it, and a directory above was made anew, or is no directory any more.
    Base,
    /// A volume, by name.
    Volume(Text),
}

impl ChangeSource {
    /// The word in JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::RootfsDiff => "rootfs-diff",
            Self::DeletedFiles => "deleted-files",
            Self::Base => "base",
            Self::Volume(_) => "volume",
        }
    }
}

/// A change of the container's file system.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Absolute path in the container, as the evidence writes it: `..` is kept, and told as [`Change::risk`].
    pub path: Text,
    /// How it changed.
    pub kind: ChangeKind,
    /// What it is now; `None` for what was deleted, and for a directory that nothing but its opaque marker tells of.
    pub state: Option<FileState>,
    /// What the base has there.
    pub before: Option<FileState>,
    /// What is different from the base, when there is one and it was modified.
    pub what: Vec<Aspect>,
    /// The directory was made anew: nothing of what the image had in it is left.
    pub opaque: bool,
    /// Why this is the engine's doing and not the container's.
    pub noise: Option<Noise>,
    /// Paths whose removed files this is: CRIU made this link to keep them while it dumped. The content is the
    /// container's, the name is not.
    pub deleted_paths: Vec<Text>,
    /// What tells of it.
    pub source: ChangeSource,
    /// What makes the name dangerous for tools that act on it.
    pub risk: Option<NameRisk>,
}

impl FileState {
    /// What is different from the file as it was before. The time is not, as long as the coarser of the two agrees with
    /// the finer; content is not, where one of the two could not be hashed.
    #[must_use]
    pub fn aspects_since(&self, before: &Self) -> Vec<Aspect> {
        let now = self;
        if before.kind != now.kind {
            return vec![Aspect::Type];
        }
        // SELinux labels depend on the host and are in no image.
        let xattrs = |state: &FileState| {
            let mut all = state.xattrs.clone();
            all.remove(&b"security.selinux"[..]);
            all
        };
        let content = now.kind == FileType::File
            && (before.size != now.size
                || matches!((before.sha256, now.sha256), (Some(old), Some(new)) if old != new));
        // The target alone makes a link what it is; kernels ignore its mode.
        let mode = now.kind != FileType::Symlink && before.mode != now.mode;
        [
            (content, Aspect::Content),
            (before.target != now.target, Aspect::Target),
            (before.device != now.device, Aspect::Device),
            (mode, Aspect::Mode),
            ((before.uid, before.gid) != (now.uid, now.gid), Aspect::Owner),
            (xattrs(before) != xattrs(now), Aspect::Xattrs),
            (!same_time(before.mtime, now.mtime), Aspect::Time),
        ]
        .into_iter()
        .filter_map(|(differs, aspect)| differs.then_some(aspect))
        .collect()
    }
}

/// Half a second, nanoseconds.
const HALF: u32 = 500_000_000;

/// Whether two times are one, as far as the coarser tells: some writers cut off fractions of seconds, others round them.
fn same_time(one: Timestamp, other: Timestamp) -> bool {
    let (coarse, fine) = if one.nanos == 0 { (one, other) } else { (other, one) };
    if coarse.nanos != 0 {
        return coarse == fine;
    }
    coarse.secs == fine.secs
        || (fine.nanos >= HALF && fine.secs.checked_add(1) == Some(coarse.secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_fractions() {
        let at = |secs, nanos| Timestamp { secs, nanos };
        assert!(same_time(at(5, 0), at(5, 900_000_000)));
        assert!(same_time(at(5, 900_000_000), at(6, 0)));
        assert!(!same_time(at(5, 100_000_000), at(6, 0)));
        assert!(!same_time(at(5, 1), at(5, 2)));
        assert!(!same_time(at(5, 0), at(6, 0)));
        assert!(!same_time(at(0, 0), at(i64::MAX, HALF)));
    }
}
