//! What engines do to a container's file system by themselves.

use std::collections::BTreeSet;
use std::ops::Bound;

use ckpt_archive::normalise;

use super::change::{Aspect, Change, ChangeKind, ChangeSource};
use super::state::{FileState, FileType};
use crate::Text;
use crate::container::Container;
use crate::locate::split;

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
        let target = state.target.as_ref().map(Text::as_bytes);
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

/// Marks directories that lead to a mount point and hold nothing but noise. The changes are sorted by path.
fn above(changes: &mut [Change], mounts: &BTreeSet<Vec<u8>>) {
    // From the last to the first, what lies in a directory is judged before the directory.
    for index in (0..changes.len()).rev() {
        let Some(change) = changes.get(index) else { continue };
        let path = change.path.as_bytes();
        if !is_made(change) || !leads_to_mount(path, mounts) {
            continue;
        }
        let folder = [path.strip_suffix(b"/").unwrap_or(path), b"/"].concat();
        let from = changes.partition_point(|other| other.path.as_bytes() <= folder.as_slice());
        let lived_in = changes
            .iter()
            .skip(from)
            .take_while(|other| other.path.as_bytes().starts_with(&folder))
            // A volume lies on a mount, not in the directory.
            .any(|other| other.noise.is_none() && !matches!(other.source, ChangeSource::Volume(_)));
        if !lived_in && let Some(change) = changes.get_mut(index) {
            change.noise = Some(Noise::AboveMountPoint);
        }
    }
}

/// Whether a change is a directory that was made, as far as anything tells, and is no noise yet.
fn is_made(change: &Change) -> bool {
    let is_directory = change.state.as_ref().is_some_and(|state| state.kind == FileType::Directory);
    let made = matches!(change.kind, ChangeKind::Added | ChangeKind::Written);
    is_directory && made && change.noise.is_none() && !change.opaque
}

fn leads_to_mount(path: &[u8], mounts: &BTreeSet<Vec<u8>>) -> bool {
    let folder = [path.strip_suffix(b"/").unwrap_or(path), b"/"].concat();
    let from = (Bound::Excluded(folder.as_slice()), Bound::Unbounded);
    mounts.range::<[u8], _>(from).next().is_some_and(|mount| mount.starts_with(&folder))
}
