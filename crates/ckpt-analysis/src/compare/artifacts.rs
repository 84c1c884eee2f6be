//! What only a checkpoint holds as a file: recovered files of one against those of the other.
//!
//! Files of the root file system and of volumes are left to [`Filesystem`](super::Filesystem), and executables are other
//! artifacts once more. Contents are compared piece by piece, without hashing and without putting them together.

use std::collections::HashMap;

use bytes::Bytes;
use ckpt_model::artifacts::{Artifact, ArtifactContent, Artifacts, Direction, Origin};
use ckpt_model::{Lost, Pid, Piece, Text};
use rayon::prelude::*;

use super::inodes::Inodes;
use super::matching::Matching;

/// What of an artifact is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ArtifactFact {
    /// Bytes.
    Content,
    /// How many.
    Size,
    /// Permission bits.
    Mode,
    /// User or group.
    Owner,
    /// Last modification.
    Time,
}

impl ArtifactFact {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Size => "size",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Time => "time",
        }
    }
}

/// How two contents compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sameness {
    /// Every byte is the same.
    Same,
    /// They differ; the offset of the first byte that does.
    Differs(u64),
    /// No byte that both have differs, and some are not there.
    Unknown(Lost),
    /// One claims more holes than are read.
    NotRead,
}

/// An artifact of both checkpoints.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ArtifactChange {
    /// In the first.
    pub a: Artifact,
    /// In the second.
    pub b: Artifact,
    /// What differs.
    pub what: Vec<ArtifactFact>,
    /// How the contents compare.
    pub content: Sameness,
}

/// Artifacts of both checkpoints.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ArtifactChanges {
    /// Only in the second, in its order.
    pub added: Vec<Artifact>,
    /// Only in the first, in its order.
    pub removed: Vec<Artifact>,
    /// In both, and different.
    pub changed: Vec<ArtifactChange>,
    /// In both, and not different as far as their bytes are there.
    pub unchanged: Vec<ArtifactChange>,
}

/// What an artifact is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    origin: Origin,
    name: Name,
    direction: Option<bool>,
    /// Which of several with the same name.
    nth: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Path(Option<Text>),
    /// What is called by an inode that the other dump numbers anew.
    Holder(Option<(Pid, u32)>),
}

pub(super) fn compare(
    matching: &Matching<'_>,
    a: Artifacts,
    b: Artifacts,
    inodes: Inodes,
) -> ArtifactChanges {
    let kept = inodes == Inodes::Kept;
    let one = keyed(a, kept, |pid| matching.partner(pid));
    let other = keyed(b, kept, Some);
    let mut places: HashMap<Key, usize> = HashMap::new();
    for (index, (key, _)) in other.iter().enumerate() {
        places.insert(key.clone(), index);
    }
    let mut partners: Vec<Option<Artifact>> = other.iter().map(|_| None).collect();
    let mut found = ArtifactChanges::default();
    for (key, artifact) in one {
        match places.get(&key).and_then(|index| partners.get_mut(*index)) {
            Some(place) => *place = Some(artifact),
            None => found.removed.push(artifact),
        }
    }
    let mut pairs = Vec::new();
    for ((_, b), a) in other.into_iter().zip(partners) {
        match a {
            Some(a) => pairs.push((a, b)),
            None => found.added.push(b),
        }
    }
    let compared: Vec<ArtifactChange> = pairs.into_par_iter().map(|(a, b)| change(a, b)).collect();
    for change in compared {
        if change.what.is_empty() {
            found.unchanged.push(change);
        } else {
            found.changed.push(change);
        }
    }
    found
}

fn keyed(
    artifacts: Artifacts,
    kept: bool,
    pid: impl Fn(Pid) -> Option<Pid>,
) -> Vec<(Key, Artifact)> {
    let elsewhere = |origin| matches!(origin, Origin::RootfsDiff | Origin::Volume | Origin::Exe);
    let mut seen: HashMap<Key, usize> = HashMap::new();
    let list = artifacts.list.into_iter().filter(|artifact| !elsewhere(artifact.origin));
    list.map(|artifact| {
        let numbered =
            matches!(artifact.origin, Origin::Pipe | Origin::SocketQueue | Origin::TcpQueue);
        let name = if numbered && !kept {
            Name::Holder(artifact.pid().and_then(&pid).zip(artifact.fd()))
        } else {
            Name::Path(artifact.path.clone())
        };
        let tcp = artifact.details.as_ref().and_then(|details| details.tcp.as_ref());
        let direction = tcp.map(|tcp| tcp.direction == Direction::Received);
        let mut key = Key { origin: artifact.origin, name, direction, nth: 0 };
        let nth = seen.entry(key.clone()).or_default();
        key.nth = *nth;
        *nth = nth.saturating_add(1);
        (key, artifact)
    })
    .collect()
}

fn change(a: Artifact, b: Artifact) -> ArtifactChange {
    fn known<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        matches!((a, b), (Some(a), Some(b)) if a != b)
    }
    let content = match (a.content(), b.content()) {
        (Some(a), Some(b)) => sameness(a, b),
        _ => Sameness::NotRead,
    };
    let what = [
        (matches!(content, Sameness::Differs(_)), ArtifactFact::Content),
        (a.size != b.size, ArtifactFact::Size),
        (known(a.mode, b.mode), ArtifactFact::Mode),
        (known(a.uid, b.uid) || known(a.gid, b.gid), ArtifactFact::Owner),
        (known(a.mtime, b.mtime), ArtifactFact::Time),
    ];
    let what = what.into_iter().filter_map(|(differs, fact)| differs.then_some(fact)).collect();
    ArtifactChange { a, b, what, content }
}

/// Compares two contents as far as both go; past the end of the shorter one there is a difference.
fn sameness(a: &ArtifactContent, b: &ArtifactContent) -> Sameness {
    let (mut one, mut other) = (a.pieces(), b.pieces());
    let (mut left, mut right) = (one.next(), other.next());
    let (mut at, mut lost) = (0_u64, None);
    loop {
        let (mut x, mut y) = match (left, right) {
            (Some(x), Some(y)) => (x, y),
            (None, None) => break,
            _ => return Sameness::Differs(at),
        };
        let len = x.len().min(y.len());
        let (head_x, head_y) = (take(&mut x, len), take(&mut y, len));
        match (head_x, head_y) {
            (Piece::Missing { why, .. }, _) | (_, Piece::Missing { why, .. }) => {
                lost = lost.or(Some(why));
            }
            (x, y) => {
                if let Some(offset) = first_difference(&x, &y) {
                    return Sameness::Differs(at.saturating_add(offset));
                }
            }
        }
        at = at.saturating_add(len);
        left = if x.len() == 0 { one.next() } else { Some(x) };
        right = if y.len() == 0 { other.next() } else { Some(y) };
    }
    lost.map_or(Sameness::Same, Sameness::Unknown)
}

/// Takes the first `len` bytes off a piece.
fn take(piece: &mut Piece, len: u64) -> Piece {
    match piece {
        Piece::Bytes(bytes) => {
            let at = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
            Piece::Bytes(bytes.split_to(at))
        }
        Piece::Zeros(left) => {
            *left = left.saturating_sub(len);
            Piece::Zeros(len)
        }
        Piece::Missing { len: left, why } => {
            *left = left.saturating_sub(len);
            Piece::Missing { len, why: *why }
        }
    }
}

fn first_difference(a: &Piece, b: &Piece) -> Option<u64> {
    let position = |at: Option<usize>| at.map(|at| at as u64);
    match (a, b) {
        (Piece::Bytes(a), Piece::Bytes(b)) if a == b => None,
        (Piece::Bytes(a), Piece::Bytes(b)) => position(a.iter().zip(b).position(|(a, b)| a != b)),
        (Piece::Bytes(bytes), _) | (_, Piece::Bytes(bytes)) => position(not_zero(bytes)),
        _ => None,
    }
}

fn not_zero(bytes: &Bytes) -> Option<usize> {
    bytes.iter().position(|byte| *byte != 0)
}
