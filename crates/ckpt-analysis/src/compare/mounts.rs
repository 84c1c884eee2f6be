//! Mounts that appeared, went or changed, by mount namespace and path.

use std::collections::HashMap;

use ckpt_model::{Checkpoint, Mount, Pid, Text};

use super::inodes::Inodes;
use super::matching::Matching;

/// What of a mount is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MountFact {
    /// File system.
    Fstype,
    /// What is mounted.
    Source,
    /// Path inside of that.
    Root,
    /// Options.
    Options,
    /// How mounts propagate.
    Propagation,
    /// By which key the engine brings it in from outside.
    External,
    /// The root of a bind mount was removed.
    Deleted,
}

impl MountFact {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fstype => "fstype",
            Self::Source => "source",
            Self::Root => "root",
            Self::Options => "options",
            Self::Propagation => "propagation",
            Self::External => "external",
            Self::Deleted => "deleted",
        }
    }
}

/// A mount that changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MountChange<'a> {
    /// In the first checkpoint.
    pub a: &'a Mount,
    /// In the second.
    pub b: &'a Mount,
    /// What differs.
    pub what: Vec<MountFact>,
}

/// Mounts of both checkpoints.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Mounts<'a> {
    /// Only in the second.
    pub added: Vec<&'a Mount>,
    /// Only in the first.
    pub removed: Vec<&'a Mount>,
    /// In both, and different.
    pub changed: Vec<MountChange<'a>>,
    /// In both, and not different; the second's.
    pub unchanged: Vec<&'a Mount>,
}

/// A mount namespace: that of the first process, or that of another one by its pid in the second checkpoint.
type Space = Option<Pid>;

/// Where a mount is, and which of those on one another it is there.
type Key<'a> = (Option<Space>, &'a Text, usize);

pub(super) fn compare<'a>(
    matching: &Matching<'a>,
    a: &'a Checkpoint,
    b: &'a Checkpoint,
    inodes: Inodes,
) -> Mounts<'a> {
    let one = keyed(a, |pid| matching.partner(pid));
    let mut other: HashMap<Key<'a>, &'a Mount> = HashMap::new();
    let keyed_b = keyed(b, Some);
    other.extend(keyed_b.iter().copied());
    let mut found = Mounts::default();
    for (key, a) in one {
        match other.remove(&key) {
            Some(b) => {
                let what = differences(a, b, inodes == Inodes::Kept);
                if what.is_empty() {
                    found.unchanged.push(b);
                } else {
                    found.changed.push(MountChange { a, b, what });
                }
            }
            None => found.removed.push(a),
        }
    }
    let left = keyed_b.into_iter().filter(|(key, _)| other.contains_key(key));
    found.added = left.map(|(_, mount)| mount).collect();
    found
}

/// The mounts with what they are known by; `None` for a namespace that nothing tells apart.
fn keyed<'a>(
    checkpoint: &'a Checkpoint,
    pid: impl Fn(Pid) -> Option<Pid>,
) -> Vec<(Key<'a>, &'a Mount)> {
    let first = checkpoint.mounts().first().map(|mount| mount.ns);
    let mut inside: HashMap<u32, Vec<Pid>> = HashMap::new();
    for task in checkpoint.processes().by_pid() {
        if let Some(ns) = task.namespaces.as_ref().and_then(|all| all.mnt) {
            inside.entry(ns.id).or_default().push(task.pid);
        }
    }
    let mut spaces: HashMap<u32, Option<Space>> = HashMap::new();
    let mut seen: HashMap<(Option<Space>, &Text), usize> = HashMap::new();
    let mounts = checkpoint.mounts().iter().map(|mount| {
        let space = *spaces.entry(mount.ns).or_insert_with(|| {
            if Some(mount.ns) == first {
                return Some(None);
            }
            inside.get(&mount.ns)?.iter().copied().find_map(&pid).map(Some)
        });
        let nth = seen.entry((space, &mount.mountpoint)).or_default();
        let key = (space, &mount.mountpoint, *nth);
        *nth = nth.saturating_add(1);
        (key, mount)
    });
    mounts.collect()
}

fn differences(a: &Mount, b: &Mount, kept: bool) -> Vec<MountFact> {
    // Groups are numbered by the kernel: another run has others.
    let groups = |mount: &Mount| -> Vec<String> {
        let word = |group: &String| group.split(':').next().unwrap_or_default().to_owned();
        mount
            .propagation
            .iter()
            .map(|group| if kept { group.clone() } else { word(group) })
            .collect()
    };
    [
        (a.fstype != b.fstype, MountFact::Fstype),
        (a.source != b.source, MountFact::Source),
        (a.root != b.root, MountFact::Root),
        (a.options != b.options, MountFact::Options),
        (groups(a) != groups(b), MountFact::Propagation),
        (a.external != b.external, MountFact::External),
        (a.deleted != b.deleted, MountFact::Deleted),
    ]
    .into_iter()
    .filter_map(|(differs, fact)| differs.then_some(fact))
    .collect()
}
