//! Changes of one container's file system against changes of the other's.
//!
//! A checkpoint holds what differs from the container's image, so that a path is compared as far as both differences tell:
//!
//! | in A's changes | in B's changes | the path was |
//! |---|---|---|
//! | there | there | modified, when type, content, mode, owner or time differ |
//! | deleted | there | added: it is back |
//! | there | deleted | deleted |
//! | there | not told of | deleted: an image never loses a file that lay over it |
//! | not told of | there | what B says: added or modified with a base, else written |
//! | not told of | deleted | deleted |
//! | deleted | not told of | added: it is there as the image has it |
//!
//! Volumes are archived whole, so that what one of them has more is added, and what it has less is deleted.

use std::collections::{BTreeMap, BTreeSet};

use ckpt_model::{
    Aspect, Change, ChangeKind, ChangeSource, Changes, Checkpoint, FileType, Noise, Text,
};

use super::matching::Matching;

/// A path that differs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileChange {
    /// The path, and the volume it is in.
    pub path: Text,
    /// Name of the volume it lies in, if it lies in one.
    pub volume: Option<Text>,
    /// What became of it.
    pub kind: ChangeKind,
    /// What the first checkpoint says of it.
    pub a: Option<Change>,
    /// What the second says of it.
    pub b: Option<Change>,
    /// What differs, when it is there in both.
    pub what: Vec<Aspect>,
    /// Why this says nothing about the container.
    pub noise: Option<Noise>,
}

/// File systems of both checkpoints.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Filesystem {
    /// What differs, by path.
    pub changes: Vec<FileChange>,
    /// Paths that both tell of in the same way.
    pub unchanged: Vec<FileChange>,
    /// What the list cannot show, as sentences.
    pub gaps: Vec<String>,
}

/// Path in a volume, or in the container's own file system.
type Key = (Text, Option<Text>);

pub(super) fn compare(
    matching: &Matching<'_>,
    (a, in_a): (&Checkpoint, Changes),
    (b, in_b): (&Checkpoint, Changes),
) -> Filesystem {
    let mut found = Filesystem::default();
    let one_container = matching.one_container != Some(false);
    let silent = (is_silent(a, &in_a), is_silent(b, &in_b));
    let comparable = match silent {
        (false, false) | (true, true) => true,
        // Some engines leave out what is empty; and what was written once does not vanish from one container.
        (true, false) => a.container().engine.omits_modified_files(),
        (false, true) => !one_container && b.container().engine.omits_modified_files(),
    };
    found.gaps = gaps(silent, comparable, [&in_a, &in_b]);
    let volumes = (volumes(&in_a), volumes(&in_b));
    for (letter, lone) in
        [("A", volumes.0.difference(&volumes.1)), ("B", volumes.1.difference(&volumes.0))]
    {
        for volume in lone {
            let volume = volume.escaped();
            found.gaps.push(format!(
                "volume {volume} is in {letter} alone, with nothing to be compared with"
            ));
        }
    }
    let both: BTreeSet<Text> = volumes.0.intersection(&volumes.1).cloned().collect();
    let mut paths: BTreeMap<Key, (Option<Change>, Option<Change>)> = BTreeMap::new();
    let told = |change: &Change| match &change.source {
        ChangeSource::Volume(name) => both.contains(name),
        _ => comparable,
    };
    for change in in_a.list.into_iter().filter(told) {
        let both = paths.entry(key(&change)).or_default();
        both.0 = Some(change);
    }
    for change in in_b.list.into_iter().filter(told) {
        let both = paths.entry(key(&change)).or_default();
        both.1 = Some(change);
    }
    for ((path, volume), (a, b)) in paths {
        let (mut kind, what) = judge(a.as_ref(), b.as_ref());
        if volume.is_some() && kind == Some(ChangeKind::Written) {
            // Volumes are archived whole: what the first does not have was not there.
            kind = Some(ChangeKind::Added);
        }
        let noise = noise(a.as_ref(), b.as_ref(), kind, &what);
        let differs = kind.is_some();
        // Without a difference the kind is what both say of it.
        let own = b.as_ref().or(a.as_ref()).map_or(ChangeKind::Written, |change| change.kind);
        let change = FileChange { path, volume, kind: kind.unwrap_or(own), a, b, what, noise };
        if differs {
            found.changes.push(change);
        } else {
            found.unchanged.push(change);
        }
    }
    found
}

fn key(change: &Change) -> Key {
    let volume = match &change.source {
        ChangeSource::Volume(name) => Some(name.clone()),
        _ => None,
    };
    (change.path.clone(), volume)
}

/// The volumes that a checkpoint holds something of.
fn volumes(changes: &Changes) -> BTreeSet<Text> {
    let name = |change: &Change| match &change.source {
        ChangeSource::Volume(name) => Some(name.clone()),
        _ => None,
    };
    changes.list.iter().filter_map(name).collect()
}

/// Whether a checkpoint says nothing at all of the container's own file system.
fn is_silent(checkpoint: &Checkpoint, changes: &Changes) -> bool {
    let own = |change: &Change| !matches!(change.source, ChangeSource::Volume(_));
    checkpoint.sizes().rootfs_diff.is_none() && !changes.list.iter().any(own)
}

/// What became of a path, `None` when it is as it was.
fn judge(a: Option<&Change>, b: Option<&Change>) -> (Option<ChangeKind>, Vec<Aspect>) {
    let gone = |change: &Change| change.kind == ChangeKind::Deleted;
    let none = Vec::new();
    match (a, b) {
        (None, None) => (None, none),
        (None, Some(b)) => (Some(b.kind), none),
        (Some(a), None) if gone(a) => (Some(ChangeKind::Added), none),
        (Some(_), None) => (Some(ChangeKind::Deleted), none),
        (Some(a), Some(b)) => match (gone(a), gone(b)) {
            (true, true) => (None, none),
            (true, false) => (Some(ChangeKind::Added), none),
            (false, true) => (Some(ChangeKind::Deleted), none),
            (false, false) => {
                let states = a.state.as_ref().zip(b.state.as_ref());
                let what = states.map(|(a, b)| b.aspects_since(a)).unwrap_or_default();
                let differs = !what.is_empty() || a.opaque != b.opaque;
                (differs.then_some(ChangeKind::Modified), what)
            }
        },
    }
}

fn noise(
    a: Option<&Change>,
    b: Option<&Change>,
    kind: Option<ChangeKind>,
    what: &[Aspect],
) -> Option<Noise> {
    if kind == Some(ChangeKind::Modified) && a.is_some() {
        let state = b.and_then(|change| change.state.as_ref());
        let directory = state.is_some_and(|state| state.kind == FileType::Directory);
        return (directory && what == [Aspect::Time]).then_some(Noise::DirectoryTime);
    }
    b.or(a).and_then(|change| change.noise)
}

fn gaps(silent: (bool, bool), comparable: bool, changes: [&Changes; 2]) -> Vec<String> {
    let mut gaps = Vec::new();
    let lone = match silent {
        (true, false) => Some("A"),
        (false, true) => Some("B"),
        _ => None,
    };
    if let Some(side) = lone {
        gaps.push(if comparable {
            format!(
                "{side} holds no changes of the file system: nothing had been written, or it was made without them"
            )
        } else {
            format!(
                "{side} holds no changes of the file system, so that those of the other have nothing to be compared with"
            )
        });
    }
    for gap in changes.iter().flat_map(|changes| &changes.gaps) {
        if !gap.starts_with("no rootfs-diff.tar") && !gaps.iter().any(|known| known == gap) {
            gaps.push((*gap).to_owned());
        }
    }
    gaps
}
