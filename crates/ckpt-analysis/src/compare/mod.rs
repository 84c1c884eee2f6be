//! Two checkpoints against each other: what appeared, what went, what changed.
//!
//! | subject | recognised by |
//! |---|---|
//! | processes | pid and what `execve` left behind, see [`Identity`]; in another container their role, see [`MatchBy`] |
//! | descriptors | process and number |
//! | sockets | inode within one run, see [`Inodes`]; else family, type and addresses |
//! | mounts | mount namespace and path |
//! | mappings and memory | address while the address space is the same; else what they show |
//! | file system | path |
//! | artifacts | origin and path |
//!
//! What a side does not tell is no difference: a fact that one dialect of CRIU does not record, or that is damaged, is
//! compared with nothing. What only one side has is told, but is no difference where the other one was cut.

mod artifacts;
mod container;
mod descriptors;
mod filesystem;
mod identity;
mod inodes;
mod matching;
mod meaning;
mod memory;
mod mounts;
mod pages;
mod processes;
mod regions;
mod rows;
mod sockets;
mod subject;
mod threads;
mod whole;

use std::path::PathBuf;

use ckpt_model::{BaseError, ChangesOptions, Checkpoint};

pub use artifacts::{ArtifactChange, ArtifactChanges, ArtifactFact, Sameness};
pub use container::Fact;
pub use descriptors::{DescriptorChange, DescriptorFact, Descriptors, Held, SameTables};
pub use filesystem::{FileChange, Filesystem};
pub use identity::{Identity, Reason, Verdict};
pub use inodes::Inodes;
pub use matching::{MatchBy, Matching, Pair};
pub use memory::{Memory, MemoryChange, MemoryNoise, NotCompared};
pub use mounts::{MountChange, MountFact, Mounts};
pub use pages::PageCounts;
pub use processes::{ListChange, ProcessChange, ProcessFact, Processes};
pub use regions::{Mapped, MappingChange, MappingFact, Mappings, Region};
pub use rows::{Cells, ROW, Row, Rows};
pub use sockets::{SocketChange, SocketFact, Sockets};
pub use subject::Subject;
pub use threads::{ThreadChange, ThreadChanges, ThreadFact};
use whole::{Deletions, is_whole};

/// How to compare.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CompareOptions {
    archive: ckpt_archive::Options,
    base: Option<PathBuf>,
    match_by: MatchBy,
    only: Vec<Subject>,
}

impl CompareOptions {
    /// Options for opening archives inside the checkpoints, and the base: spool directory, limits, progress.
    pub fn archive(mut self, options: ckpt_archive::Options) -> Self {
        self.archive = options;
        self
    }

    /// The image of both containers: with it files that only one checkpoint tells of are added or modified, and not just
    /// written.
    pub fn base(mut self, path: impl Into<PathBuf>) -> Self {
        self.base = Some(path.into());
        self
    }

    /// How processes are matched.
    pub fn match_by(mut self, by: MatchBy) -> Self {
        self.match_by = by;
        self
    }

    /// Compares nothing but these; everything when there are none.
    pub fn only(mut self, subjects: impl IntoIterator<Item = Subject>) -> Self {
        self.only = subjects.into_iter().collect();
        self
    }

    fn wants(&self, subject: Subject) -> bool {
        self.only.is_empty() || self.only.contains(&subject)
    }
}

/// Two checkpoints against each other. A part that was not asked for is `None`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Comparison<'a> {
    /// The first.
    pub a: &'a Checkpoint,
    /// The second.
    pub b: &'a Checkpoint,
    /// Whether the first is all there. Where it is not, what only the second has may be what was cut.
    pub whole_a: bool,
    /// Whether the second is all there.
    pub whole_b: bool,
    /// Which process is which.
    pub matching: Matching<'a>,
    /// What inode numbers are worth.
    pub inodes: Inodes,
    /// Facts about the containers, those that are the same included.
    pub container: Option<Vec<Fact>>,
    /// Processes.
    pub processes: Option<Processes<'a>>,
    /// Descriptors.
    pub descriptors: Option<Descriptors<'a>>,
    /// Sockets.
    pub sockets: Option<Sockets<'a>>,
    /// Mounts.
    pub mounts: Option<Mounts<'a>>,
    /// Mappings and their pages.
    pub memory: Option<Memory>,
    /// Changes of the file system.
    pub filesystem: Option<Filesystem>,
    /// What only the checkpoints hold as files.
    pub artifacts: Option<ArtifactChanges>,
}

/// Compares two checkpoints.
///
/// # Errors
///
/// When there is a base and it cannot be read as an image.
pub fn compare<'a>(
    a: &'a Checkpoint,
    b: &'a Checkpoint,
    options: &CompareOptions,
) -> Result<Comparison<'a>, BaseError> {
    match rayon::ThreadPoolBuilder::new().build() {
        Ok(threads) => threads.install(|| compare_all(a, b, options)),
        // Where no thread can be had, one does everything.
        Err(_) => match rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build()
        {
            Ok(alone) => alone.install(|| compare_all(a, b, options)),
            // This thread is one of another pool's, which then does the work.
            Err(_) => compare_all(a, b, options),
        },
    }
}

fn compare_all<'a>(
    a: &'a Checkpoint,
    b: &'a Checkpoint,
    options: &CompareOptions,
) -> Result<Comparison<'a>, BaseError> {
    let nothing = CompareOptions {
        only: vec![Subject::Container, Subject::Filesystem],
        ..CompareOptions::default()
    };
    let needs_processes = Subject::ALL.into_iter().any(|s| options.wants(s) && !nothing.wants(s));
    let matching = Matching::of(a, b, options.match_by, needs_processes);
    let inodes = Inodes::of(&matching, a, b);
    let wants = |subject| options.wants(subject).then_some(());
    let container = wants(Subject::Container).map(|()| container::facts(a, b));
    let deletions = Deletions::of(a, b);
    let processes = wants(Subject::Processes)
        .map(|()| processes::compare(&matching, a.processes(), b.processes(), deletions));
    let descriptors =
        wants(Subject::Files).map(|()| descriptors::compare(&matching, (a, b), inodes, deletions));
    let sockets = wants(Subject::Sockets).map(|()| sockets::compare(&matching, a, b, inodes));
    let mounts = wants(Subject::Mounts).map(|()| mounts::compare(&matching, a, b, inodes));
    let memory = wants(Subject::Memory).map(|()| memory::compare(&matching, a, b, deletions));
    let filesystem = match wants(Subject::Filesystem) {
        Some(()) => {
            let mut changes = ChangesOptions::default().archive(options.archive.clone());
            if let Some(base) = &options.base {
                changes = changes.base(base);
            }
            let (in_a, in_b) = (a.changes(&changes)?, b.changes(&changes)?);
            Some(filesystem::compare(&matching, (a, in_a), (b, in_b)))
        }
        None => None,
    };
    let artifacts = wants(Subject::Artifacts).map(|()| {
        let (in_a, in_b) = (a.artifacts(&options.archive), b.artifacts(&options.archive));
        artifacts::compare(&matching, in_a, in_b, inodes)
    });
    Ok(Comparison {
        a,
        b,
        whole_a: is_whole(a),
        whole_b: is_whole(b),
        matching,
        inodes,
        container,
        processes,
        descriptors,
        sockets,
        mounts,
        memory,
        filesystem,
        artifacts,
    })
}

impl Comparison<'_> {
    /// Whether anything differs that was compared. When the checkpoints were made, noise, and what is not there to be
    /// compared do not count; nor does what one side lacks that is not whole.
    #[must_use]
    pub fn differs(&self) -> bool {
        let one_sided =
            |only_a: bool, only_b: bool| only_a && self.whole_b || only_b && self.whole_a;
        let facts = self.container.iter().flatten();
        let mut facts = facts.filter(|fact| fact.differs() && !fact.always_differs());
        let processes = self.processes.as_ref().is_some_and(|found| {
            let (only_a, only_b) = (&self.matching.only_a, &self.matching.only_b);
            one_sided(!only_a.is_empty(), !only_b.is_empty()) || !found.changed.is_empty()
        });
        let descriptors = self.descriptors.as_ref().is_some_and(|found| {
            one_sided(!found.closed.is_empty(), !found.opened.is_empty())
                || !found.changed.is_empty()
        });
        let sockets = self.sockets.as_ref().is_some_and(|found| {
            one_sided(!found.removed.is_empty(), !found.added.is_empty())
                || !found.changed.is_empty()
        });
        let mounts = self.mounts.as_ref().is_some_and(|found| {
            one_sided(!found.removed.is_empty(), !found.added.is_empty())
                || !found.changed.is_empty()
        });
        let memory = self.memory.as_ref().is_some_and(|found| {
            let all = &found.mappings;
            let pages = |change: &MemoryChange| change.pages.differ() && !change.is_noise();
            one_sided(!all.removed.is_empty(), !all.added.is_empty())
                || !all.changed.is_empty()
                || found.changes.iter().any(pages)
        });
        let files = self.filesystem.iter().flat_map(|found| &found.changes);
        let mut files = files.filter(|change| {
            let both = change.a.is_some() && change.b.is_some();
            let counts = both || one_sided(change.a.is_some(), change.b.is_some());
            change.noise.is_none() && counts
        });
        let artifacts = self.artifacts.as_ref().is_some_and(|found| {
            one_sided(!found.removed.is_empty(), !found.added.is_empty())
                || !found.changed.is_empty()
        });
        facts.next().is_some()
            || processes
            || descriptors
            || sockets
            || mounts
            || memory
            || files.next().is_some()
            || artifacts
    }

    /// The rows of a mapping that differ, at most `limit`; made anew each time.
    #[must_use]
    pub fn rows(&self, change: &MemoryChange, limit: usize) -> Rows {
        memory::rows_of(self.a, self.b, change, limit)
    }
}
