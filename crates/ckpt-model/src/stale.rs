//! Left-overs of an earlier dump in the same directory.
//!
//! podman keeps a container's image directory after a checkpoint that left it running. The next dump overwrites files of
//! the same name and leaves the others: the archive then holds images of processes that had long exited, and of sockets
//! and deleted files that were there before. They are evidence of their own, and must never be mixed with the dump: their
//! file ids refer to a `files.img` that is gone.

use std::collections::HashSet;

use criu_image::ImageKind;
use criu_image::messages::{PagemapHead, PstreeEntry, TaskKobjIdsEntry};

use crate::defect::Defects;
use crate::images::Images;
use crate::{Pid, Text};

/// An image that is not of this dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleImage {
    /// Path of the member.
    pub path: Text,
    /// Which image.
    pub kind: ImageKind,
    /// Its id.
    pub id: Option<u64>,
    /// Modification time, seconds since 1970.
    pub modified: i64,
    /// How it is known.
    pub why: Staleness,
}

/// How an image is known to be stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// It is of a process or thread that is not in the process tree.
    NoOwner(Pid),
    /// Nothing in this dump refers to it.
    Unreferenced,
    /// It is older than the dump.
    Older {
        /// By how many seconds, at least.
        seconds: i64,
    },
}

impl std::fmt::Display for Staleness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoOwner(pid) => write!(f, "{pid} is not in the process tree"),
            Self::Unreferenced => f.write_str("nothing in this dump refers to it"),
            Self::Older { seconds } => write!(f, "{seconds} s older than the dump"),
        }
    }
}

/// Images that are of no task in the tree, or that are older than the dump.
///
/// `seconds` is how long the dump took, rounded up: CRIU writes some images before the first one of a task.
pub(crate) fn find(images: &Images, tree: &[PstreeEntry], seconds: i64) -> Vec<StaleImage> {
    let pids: HashSet<u64> = tree.iter().map(|entry| u64::from(entry.pid)).collect();
    let tids: HashSet<u64> = tree
        .iter()
        .flat_map(|entry| entry.threads.iter().copied())
        .map(u64::from)
        .chain(pids.iter().copied())
        .collect();
    let own = |kind: ImageKind, id: Option<u64>| match kind {
        ImageKind::Inventory | ImageKind::Pstree | ImageKind::Files => true,
        kind if of_thread(kind) => id.is_some_and(|id| tids.contains(&id)),
        _ => of_process(kind) && id.is_some_and(|id| pids.contains(&id)),
    };
    let all = images.all();
    let times =
        all.iter().filter(|(kind, id, _)| own(*kind, *id)).map(|(.., member)| member.mtime.secs);
    let began = times.clone().min();
    let took = times.max().unwrap_or_default().saturating_sub(began.unwrap_or_default());
    // Times that lie further apart than the dump took are those of a copy, and tell nothing of the dump.
    let oldest = began
        .filter(|_| took <= seconds.saturating_add(2))
        .map(|began| began.saturating_sub(seconds).saturating_sub(1));
    let used = References::of(images, tree);
    let mut stale = Vec::new();
    for (kind, id, member) in all {
        let modified = member.mtime.secs;
        let owned_by_task = of_thread(kind) || of_process(kind);
        let why = if owned_by_task && !own(kind, id) {
            let pid = id.and_then(|id| u32::try_from(id).ok()).map(Pid).unwrap_or_default();
            Some(Staleness::NoOwner(pid))
        } else if used.leave_out(kind, id) {
            Some(Staleness::Unreferenced)
        } else {
            oldest.filter(|oldest| !owned_by_task && modified < *oldest).map(|_| {
                let began = began.unwrap_or_default();
                Staleness::Older { seconds: began.saturating_sub(modified) }
            })
        };
        if let Some(why) = why {
            stale.push(StaleImage {
                path: Text::from(member.path.as_slice()),
                kind,
                id,
                modified,
                why,
            });
        }
    }
    stale
}

/// The pages files and descriptor tables that this dump refers to; `None` where an image that would tell is broken or
/// missing.
struct References {
    pages: Option<HashSet<u64>>,
    descriptors: Option<HashSet<u64>>,
}

impl References {
    fn of(images: &Images, tree: &[PstreeEntry]) -> Self {
        let quiet = Defects::default();
        let pids: HashSet<u64> = tree.iter().map(|entry| u64::from(entry.pid)).collect();
        let head = |kind, id| {
            images.one::<PagemapHead>(kind, Some(id), &quiet).map(|head| head.pages_id.into())
        };
        let of_tree = |kind| images.ids(kind).into_iter().filter(|pid| pids.contains(pid));
        // Without its pagemap or ids a process refers to what nothing tells.
        let all_have = |kinds: &[ImageKind], what| {
            let mut tasks = kinds.iter().flat_map(|kind| of_tree(*kind));
            tasks.all(|pid| images.has(what, Some(pid)))
        };
        let tasks = of_tree(ImageKind::Pagemap);
        let shared = images.ids(ImageKind::PagemapShmem).into_iter();
        let pages: Option<HashSet<u64>> = tasks
            .map(|pid| head(ImageKind::Pagemap, pid))
            .chain(shared.map(|id| head(ImageKind::PagemapShmem, id)))
            .collect();
        let descriptors: Option<HashSet<u64>> = of_tree(ImageKind::Ids)
            .map(|pid| images.one::<TaskKobjIdsEntry>(ImageKind::Ids, Some(pid), &quiet))
            .map(|ids| ids.map(|ids| ids.files_id.into()))
            .collect();
        // Old dumps keep the ids in the core images and have no others.
        Self {
            pages: pages.filter(|_| all_have(&[ImageKind::Mm], ImageKind::Pagemap)),
            descriptors: descriptors
                .filter(|known| !known.is_empty())
                .filter(|_| all_have(&[ImageKind::Mm, ImageKind::Fs], ImageKind::Ids)),
        }
    }

    /// Whether nothing refers to a pages file or descriptor table.
    fn leave_out(&self, kind: ImageKind, id: Option<u64>) -> bool {
        let known = match kind {
            ImageKind::Pages => &self.pages,
            ImageKind::Fdinfo => &self.descriptors,
            _ => return false,
        };
        let Some((known, id)) = known.as_ref().zip(id) else { return false };
        !known.contains(&id)
    }
}

/// Whether an image is named by the id of its thread.
fn of_thread(kind: ImageKind) -> bool {
    matches!(kind, ImageKind::Core | ImageKind::Creds | ImageKind::SignalPrivate)
}

/// Whether an image is named by the pid of its process.
fn of_process(kind: ImageKind) -> bool {
    use ImageKind as K;
    matches!(
        kind,
        K::Ids
            | K::Mm
            | K::Vmas
            | K::Pagemap
            | K::Fs
            | K::Sigacts
            | K::Itimers
            | K::PosixTimers
            | K::Rlimit
            | K::SignalShared
    )
}
