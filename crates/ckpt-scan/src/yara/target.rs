//! What rules are held against: the memory of processes, and artifacts.

use bytes::{Bytes, BytesMut};
use ckpt_memory::{Mapping, VirtAddr};
use ckpt_model::artifacts::{Artifact, ArtifactContent};
use ckpt_model::{Checkpoint, Pid, Piece as Content, Task};

use super::fragments::{Fragments, MOST_COPIED};
use crate::haystack::{MOST_PLACES, Place, Private};
use crate::part::Piece;

/// What is scanned as one.
#[derive(Debug)]
pub struct Target<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Memory(Box<Private<'a>>),
    Artifact(&'a Artifact),
}

/// The bytes of a target.
pub(super) enum Contents<'a> {
    /// Of a file, whole.
    File(Bytes),
    /// Of a process.
    Memory(Fragments<'a>),
    /// Of a file that is not whole, or too large to be put together.
    Parts(Fragments<'a>),
}

/// What is scanned, in order.
#[derive(Debug, Default)]
pub struct Targets<'a> {
    pub(super) list: Vec<Target<'a>>,
}

impl<'a> Targets<'a> {
    /// Nothing, to which is added.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the memory of processes, those of their mappings for which `keep` holds. Processes that share all of their memory
    /// are one target.
    pub fn add_memory(
        &mut self,
        checkpoint: &'a Checkpoint,
        pids: &[Pid],
        keep: impl Fn(&Mapping, &Task) -> bool,
    ) {
        let all = Private::of(checkpoint, pids, keep).into_iter();
        self.list.extend(all.map(|private| Target(Kind::Memory(Box::new(private)))));
    }

    /// Adds artifacts; of those that are the same file, one.
    pub fn add_artifacts(&mut self, artifacts: impl IntoIterator<Item = &'a Artifact>) {
        let different = artifacts.into_iter().filter(|one| one.same_as.is_none());
        let readable = different.filter(|one| one.content().is_some());
        self.list.extend(readable.map(|artifact| Target(Kind::Artifact(artifact))));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

impl<'a> Target<'a> {
    /// The processes whose memory it is; none of an artifact.
    #[must_use]
    pub fn tasks(&self) -> &[&'a Task] {
        match &self.0 {
            Kind::Memory(private) => &private.tasks,
            Kind::Artifact(_) => &[],
        }
    }

    /// The artifact that it is.
    #[must_use]
    pub fn artifact(&self) -> Option<&'a Artifact> {
        match &self.0 {
            Kind::Memory(_) => None,
            Kind::Artifact(artifact) => Some(artifact),
        }
    }

    /// Where a position is: an address in each of the processes, the first [`MOST_PLACES`] of them, or an offset in the
    /// artifact. Whether more processes have it.
    pub fn places<'s>(&'s self, position: u64, places: &mut Vec<Place<'s>>) -> bool {
        places.clear();
        match &self.0 {
            Kind::Memory(private) => {
                private.places(VirtAddr(position), MOST_PLACES, places);
                private.tasks.len() > places.len()
            }
            Kind::Artifact(artifact) => {
                places.push(Place::Artifact { artifact, offset: position });
                false
            }
        }
    }

    pub(super) fn contents(&self) -> Contents<'_> {
        match &self.0 {
            Kind::Memory(private) => Contents::Memory(Fragments::of_memory(private)),
            Kind::Artifact(artifact) => {
                artifact.content().map_or_else(|| Contents::File(Bytes::new()), contents_of)
            }
        }
    }
}

/// A file whole where that can be had: a slice of the evidence, or put together.
fn contents_of(content: &ArtifactContent) -> Contents<'_> {
    let mut pieces = content.pieces();
    let (first, second) = (pieces.next(), pieces.next());
    match (first, second) {
        (None, _) => return Contents::File(Bytes::new()),
        (Some(Content::Bytes(bytes)), None) => return Contents::File(bytes),
        _ => {}
    }
    let small = usize::try_from(content.size()).is_ok_and(|size| size <= MOST_COPIED);
    match small.then(|| together(content)).flatten() {
        Some(bytes) => Contents::File(bytes),
        None => Contents::Parts(Fragments::of_pieces(parts(content).collect())),
    }
}

/// All bytes, holes as the zeros that a program reads there; `None` when some are missing.
fn together(content: &ArtifactContent) -> Option<Bytes> {
    let mut whole = BytesMut::new();
    for piece in content.pieces() {
        match piece {
            Content::Bytes(bytes) => whole.extend_from_slice(&bytes),
            Content::Zeros(len) => {
                let len = usize::try_from(len).ok()?.checked_add(whole.len())?;
                if len > MOST_COPIED {
                    return None;
                }
                whole.resize(len, 0);
            }
            Content::Missing { .. } => return None,
        }
        if whole.len() > MOST_COPIED {
            return None;
        }
    }
    Some(whole.freeze())
}

/// The bytes that are there, with their offsets.
fn parts(content: &ArtifactContent) -> impl Iterator<Item = Piece> + '_ {
    let mut at = 0_u64;
    content.pieces().filter_map(move |piece| {
        let start = at;
        at = at.saturating_add(piece.len());
        match piece {
            Content::Bytes(bytes) => Some(Piece { region: 0, start, bytes }),
            _ => None,
        }
    })
}
