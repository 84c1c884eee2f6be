//! What engines do to a container's file system by themselves.

use std::collections::BTreeSet;

use ckpt_archive::normalise;

use super::change::{Aspect, Change, ChangeKind, ChangeSource};
use super::state::{FileState, FileType};
use crate::container::Container;
use crate::locate::{ancestors, split};

/// Why a change is the engine's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Noise {
    /// The link that CRI-O and podman make in every container: `/etc/mtab` to `/proc/mounts`.
    MtabLink,
    /// An empty file that engines make to mount something over it or to mark a container.
    EngineFile,
    /// An empty directory or file where something is mounted.
    MountPoint,
    /// A directory that holds nothing but mount points.
    AboveMountPoint,
    /// A directory whose time alone changed, as it does when something in it does.
    DirectoryTime,
}

impl Noise {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::MtabLink => "mtab-link",
            Self::EngineFile => "engine-file",
            Self::MountPoint => "mount-point",
            Self::AboveMountPoint => "above-mount-point",
            Self::DirectoryTime => "directory-time",
        }
    }

    /// The reason for people.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::MtabLink => "made by the engine",
            Self::EngineFile => "empty file made by the engine",
            Self::MountPoint => "mount point",
            Self::AboveMountPoint => "leads to a mount point",
            Self::DirectoryTime => "something in it changed",
        }
    }
}

/// Files that engines mount into every container, or mark containers with.
const ENGINE_FILES: [&[u8]; 5] =
    [b"/etc/hosts", b"/etc/hostname", b"/etc/resolv.conf", b"/run/.containerenv", b"/.dockerenv"];

/// Where runtimes mount whatever the specification says.
const ALWAYS_MOUNTED: [&[u8]; 3] = [b"/dev", b"/proc", b"/sys"];

/// Marks the changes that engines make. Content is never noise: a file that holds a byte is somebody's.
pub(super) fn mark(changes: &mut [Change], container: &Container) {
    let mut mounts: BTreeSet<Vec<u8>> = ALWAYS_MOUNTED.iter().map(|path| path.to_vec()).collect();
    for mount in &container.mounts {
        let (path, _) = normalise(mount.destination.as_bytes());
        mounts.insert([b"/", path.as_slice()].concat());
    }
    let parents: BTreeSet<Vec<u8>> = changes.iter().map(|change| parent(change).to_vec()).collect();
    for change in changes.iter_mut() {
        change.noise = alone(change, &mounts, &parents);
    }
    above(changes, &mounts);
}

fn parent(change: &Change) -> &[u8] {
    split(change.path.as_bytes()).0
}

/// What can be told of a change without looking at others.
fn alone(
    change: &Change,
    mounts: &BTreeSet<Vec<u8>>,
    parents: &BTreeSet<Vec<u8>>,
) -> Option<Noise> {
    let state = change.state.as_ref().filter(|_| change.kind != ChangeKind::Deleted)?;
    let path = change.path.as_bytes();
    if state.kind == FileType::Symlink {
        let target = state.target.as_ref().map(|target| target.as_bytes());
        let mtab = path == b"/etc/mtab" && target == Some(b"/proc/mounts");
        return mtab.then_some(Noise::MtabLink);
    }
    if state.kind == FileType::Directory && change.what == [Aspect::Time] && !change.opaque {
        let path = if path == b"/" { b"" } else { path };
        return parents.contains(path).then_some(Noise::DirectoryTime);
    }
    // A mount point that the image has and somebody changed is somebody's doing.
    if change.kind == ChangeKind::Modified || !is_empty(state) {
        return None;
    }
    if mounts.contains(path) {
        return Some(Noise::MountPoint);
    }
    let known = state.kind == FileType::File && ENGINE_FILES.contains(&path);
    known.then_some(Noise::EngineFile)
}

/// Nothing is in it, and running it gives nobody any rights.
fn is_empty(state: &FileState) -> bool {
    match state.kind {
        FileType::Directory => true,
        FileType::File => state.size == 0 && !state.gives_rights(),
        _ => false,
    }
}

/// Directories that hold nothing but noise and lead to a mount point.
fn above(changes: &mut [Change], mounts: &BTreeSet<Vec<u8>>) {
    let mut lived_in: BTreeSet<&[u8]> = BTreeSet::new();
    let mut leading: BTreeSet<&[u8]> = BTreeSet::new();
    for mount in mounts {
        leading.extend(ancestors(mount).skip(1));
    }
    for change in changes.iter().filter(|change| {
        // A volume lies on a mount, not in the directory.
        let mounted = matches!(change.source, ChangeSource::Volume(_));
        !mounted && change.noise.is_none() && !may_lead(change, &leading)
    }) {
        lived_in.extend(ancestors(change.path.as_bytes()).skip(1));
    }
    let empty: Vec<bool> = changes
        .iter()
        .map(|change| may_lead(change, &leading) && !lived_in.contains(change.path.as_bytes()))
        .collect();
    for (change, empty) in changes.iter_mut().zip(empty) {
        if empty {
            change.noise = Some(Noise::AboveMountPoint);
        }
    }
}

/// Whether a change is a directory above a mount point and nothing else is known of it.
fn may_lead(change: &Change, leading: &BTreeSet<&[u8]>) -> bool {
    let is_directory = change.state.as_ref().is_some_and(|state| state.kind == FileType::Directory);
    let made = matches!(change.kind, ChangeKind::Added | ChangeKind::Written);
    is_directory && made && change.noise.is_none() && leading.contains(change.path.as_bytes())
}
