//! What happened, and nothing says when.

use ckpt_model::{Change, ChangeKind, ChangeSource, Noise, Text};

use super::{Building, Source, Timer};

/// Something without a time of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undated {
    /// A file is gone: at some time between the start of the container and the checkpoint.
    Deleted(Deletion),
    /// A timer that counts processor time: when so much will be used up is not known.
    CpuTimer(Timer),
}

impl Undated {
    /// The source that its events would have.
    #[must_use]
    pub fn source(&self) -> Source {
        match self {
            Self::Deleted(_) => Source::RootfsDiff,
            Self::CpuTimer(_) => Source::Timer,
        }
    }
}

/// A file that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its path in the container.
    pub path: Text,
    /// What tells of it.
    pub source: ChangeSource,
    /// Why this is the engine's doing and not the container's.
    pub noise: Option<Noise>,
}

/// Takes in what was deleted. The whiteouts of image layers have a time, which is 1970 and means nothing.
pub(super) fn deletions(building: &mut Building<'_>, changes: &[Change]) {
    let deleted = changes.iter().filter(|change| change.kind == ChangeKind::Deleted);
    building.timeline.undated.extend(deleted.map(|change| {
        Undated::Deleted(Deletion {
            path: change.path.clone(),
            source: change.source.clone(),
            noise: change.noise,
        })
    }));
}
