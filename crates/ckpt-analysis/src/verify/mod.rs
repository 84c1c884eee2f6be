//! Is this evidence whole and consistent?
//!
//! CRIU writes no checksum, no count and no end mark. What there is instead is that the same thing is told in several
//! images, and that every number that refers to something must find it. [`verify`] compares all of that, the structure
//! of the archive around it, and what CRIU's log says of the dump; every comparison is a [`Check`] with a name that never
//! changes.
//!
//! A check never guesses: where there is nothing to compare it is [`Outcome::NotApplicable`], and where what it has to be
//! compared with is not there, [`Outcome::NotCheckable`]. Neither says anything about the evidence.
//!
//! [`custody`] is about the evidence as an object: what it was when it was taken in, and whether it still is.
//!
//! # Limits
//!
//! Images that agree are not thereby true: whoever can write one can write all of them. What was never captured leaves no
//! contradiction, see [`Verification::never_captured`].

mod check;
mod command;
pub mod custody;
pub(crate) mod dump;
mod files;
mod identity;
mod images;
mod members;
mod pages;
mod queues;
mod reader;
mod tasks;

use ckpt_model::{Checkpoint, Defect};
use ckpt_scan::secrets::Redactor;

use crate::redacting;

pub use check::{Check, Effect, Outcome, Trouble, Verdict};

use check::Spec;
use reader::Subject;

/// Everything that was found out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verification {
    /// What all checks together say.
    pub verdict: Verdict,
    /// The checks, always the same ones in the same order.
    pub checks: Vec<Check>,
    /// What archives of this engine never hold, so that no check could miss it.
    pub never_captured: &'static [&'static str],
    /// Everything that reading met, that of the archive included.
    pub defects: Vec<Defect>,
}

/// Checks that need an image directory.
const OF_IMAGES: [Spec; 18] = [
    pages::COUNTED,
    pages::STORED,
    pages::OWNED,
    pages::MAPPED,
    files::OPEN,
    queues::PEERS,
    queues::QUEUED,
    files::SHARED,
    files::DELETED,
    files::MOUNTED,
    tasks::NAMESPACES,
    tasks::THREADS,
    identity::CONTAINER,
    command::COMMAND,
    pages::ELSEWHERE,
    tasks::FILTERS,
    tasks::TREE,
    tasks::STALE,
];

/// Reads all of a checkpoint and compares what it says. It must have been opened with
/// [`Need::Everything`](ckpt_model::Need::Everything); `archive` is how archives inside of it are opened. Passwords, keys and
/// tokens in what checks quote are redacted, as a [`Redactor`] does it.
#[must_use]
pub fn verify(checkpoint: &Checkpoint, archive: &ckpt_archive::Options) -> Verification {
    let mut verification = verify_revealing(checkpoint, archive);
    let redactor = Redactor::of(&checkpoint.processes().tasks);
    redacting::checks(&redactor, &mut verification.checks);
    verification
}

/// As [`verify`], with the secrets in what checks quote.
#[must_use]
pub fn verify_revealing(checkpoint: &Checkpoint, archive: &ckpt_archive::Options) -> Verification {
    read_everything(checkpoint, archive);
    let mut checks = vec![images::headers(checkpoint)];
    match checkpoint.images() {
        Some(images) => of_images(&Subject { checkpoint, images }, &mut checks),
        None => {
            let why = "there are no CRIU images";
            checks.extend(OF_IMAGES.map(|spec| spec.not_checkable(why)));
        }
    }
    checks.extend([
        images::records(checkpoint),
        dump::finished(checkpoint),
        dump::log(checkpoint),
        dump::missed(checkpoint),
        dump::parents(checkpoint),
        identity::engine_files(checkpoint),
    ]);
    let defects = checkpoint.defects();
    checks.extend([
        members::structure(checkpoint, &defects),
        members::digests(checkpoint),
        members::accounted(checkpoint),
        members::readable(checkpoint, &defects),
    ]);
    let effects = checks.iter().filter_map(|check| match check.outcome {
        Outcome::Failed(effect) => Some(effect),
        _ => None,
    });
    Verification {
        verdict: Verdict::of(effects.max()),
        checks,
        never_captured: checkpoint.container().engine.never_captured(),
        defects,
    }
}

fn of_images(subject: &Subject<'_>, checks: &mut Vec<Check>) {
    let [counted, stored, owned, mapped, elsewhere] = pages::checks(subject);
    checks.extend([
        counted,
        stored,
        owned,
        mapped,
        files::open(subject),
        queues::peers(subject),
        queues::queued(subject),
        files::shared(subject),
        files::deleted(subject),
        files::mounted(subject),
        tasks::namespaces(subject),
        tasks::threads(subject),
        identity::container(subject),
        command::command(subject),
        elsewhere,
        tasks::filters(subject),
        tasks::tree(subject),
        tasks::stale(subject),
    ]);
}

/// Asks the model for all that it can read, so that everything that can have a defect has told it.
fn read_everything(checkpoint: &Checkpoint, archive: &ckpt_archive::Options) {
    checkpoint.container();
    checkpoint.processes();
    checkpoint.descriptors();
    checkpoint.sockets();
    checkpoint.pipes();
    checkpoint.mounts();
    checkpoint.locks();
    checkpoint.networks();
    drop(checkpoint.ipc());
    // Deleted files, tmpfs, volumes, changes of the file system: the archives inside are opened.
    drop(checkpoint.artifacts(archive));
}
