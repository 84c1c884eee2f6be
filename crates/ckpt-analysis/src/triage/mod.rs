//! Where should an analyst look first?
//!
//! [`triage`] holds a checkpoint against what honest containers look like. Every [`Finding`] says what was seen and where
//! in the evidence, how much it would matter, how sure it is, how it can be wrong, and how to check it by hand. Detectors
//! judge behaviour (an executable that is gone, code that no file is behind), never names that some sample had.
//!
//! A finding is a reason to look, not a verdict; and no findings are no proof of innocence, see `docs/findings.md`.

mod code;
mod commands;
mod compilers;
mod executables;
mod finding;
mod libraries;
mod miner;
mod names;
mod programs;
mod provenance;
mod sessions;
mod shells;
mod sockets;
mod subject;
mod talk;

use std::path::PathBuf;

use ckpt_model::Checkpoint;

pub use finding::{Confidence, Finding, Rule, Seen, Severity};

use subject::Subject;

/// How to look.
#[derive(Clone, Debug)]
#[must_use]
pub struct TriageOptions {
    archive: ckpt_archive::Options,
    base: Option<PathBuf>,
    threads: usize,
}

impl Default for TriageOptions {
    /// No image to compare with, and one thread.
    fn default() -> Self {
        Self { archive: ckpt_archive::Options::default(), base: None, threads: 1 }
    }
}

impl TriageOptions {
    /// Options for opening the archives inside the checkpoint: spool directory, limits, progress.
    pub fn archive(mut self, options: ckpt_archive::Options) -> Self {
        self.archive = options;
        self
    }

    /// The container's image: an OCI layout (directory or tar) or the archive of `docker save`. It tells what is not in
    /// it, and whether code in memory is as in its files. One that cannot be read is as if it were not given.
    pub fn base(mut self, path: impl Into<PathBuf>) -> Self {
        self.base = Some(path.into());
        self
    }

    /// Threads that search memory. The findings are the same with any number.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Triage {
    /// The most serious first; then the surest, then by id, pid, address and path.
    pub findings: Vec<Finding>,
}

/// What a detector module has: its rules, and the looking.
struct Detector {
    rules: &'static [&'static Rule],
    look: fn(&Subject<'_>, &mut Vec<Finding>),
}

/// All detectors. One a subject: its rules are constants beside the code that finds them.
const DETECTORS: &[Detector] = &[
    Detector { rules: executables::RULES, look: executables::look },
    Detector { rules: libraries::RULES, look: libraries::look },
    Detector { rules: code::RULES, look: code::look },
    Detector { rules: names::RULES, look: names::look },
    Detector { rules: shells::RULES, look: shells::look },
    Detector { rules: commands::RULES, look: commands::look },
    Detector { rules: sockets::RULES, look: sockets::look },
    Detector { rules: sessions::RULES, look: sessions::look },
    Detector { rules: miner::RULES, look: miner::look },
];

/// Every kind of thing that can be found, by id.
#[must_use]
pub fn rules() -> Vec<&'static Rule> {
    let mut rules: Vec<_> = DETECTORS.iter().flat_map(|detector| detector.rules).copied().collect();
    rules.sort_by_key(|rule| rule.id);
    rules
}

/// Looks at everything in a checkpoint. It must have been opened with [`Need::Everything`](ckpt_model::Need::Everything).
#[must_use]
pub fn triage(checkpoint: &Checkpoint, options: &TriageOptions) -> Triage {
    let subject = Subject::new(checkpoint, options);
    let mut findings = Vec::new();
    for detector in DETECTORS {
        (detector.look)(&subject, &mut findings);
    }
    findings.sort_by(|a, b| {
        let weight = |one: &Finding| (one.severity, one.confidence);
        let place = |one: &Finding| (one.rule.id, one.pid, one.address);
        let by_weight = weight(b).cmp(&weight(a));
        by_weight.then_with(|| place(a).cmp(&place(b))).then_with(|| a.path.cmp(&b.path))
    });
    Triage { findings }
}
