//! Where should an analyst look first?
//!
//! [`triage`] holds a checkpoint against what honest containers look like. Every [`Finding`] says what was seen and where
//! in the evidence, how much it would matter, how sure it is, how it can be wrong, and how to check it by hand. Detectors
//! judge behaviour (an executable that is gone, code that no file is behind), never names that some sample had.
//!
//! A finding is a reason to look, not a verdict; and no findings are no proof of innocence, see `docs/findings.md`.

mod accounts;
mod brought;
mod code;
mod commands;
mod compilers;
mod container;
mod devices;
mod dump;
mod elf;
mod executables;
mod families;
mod finding;
mod firewall;
mod ghosts;
mod group;
mod hidden;
mod history;
mod libraries;
mod line;
mod links;
mod logs;
mod miner;
mod names;
mod packages;
mod persistence;
mod places;
mod programs;
mod provenance;
mod quote;
mod secrets;
mod sessions;
mod setuid;
mod shells;
mod sockets;
mod subject;
mod suspicion;
mod talk;
mod web_shell;
mod written;

use std::path::PathBuf;

use ckpt_model::{Checkpoint, FillError};
use ckpt_scan::secrets::Redactor;

use crate::redacting;

pub use finding::{Confidence, Finding, Rule, Seen, Severity};

use subject::Subject;

/// How to look.
#[derive(Clone, Debug)]
#[must_use]
pub struct TriageOptions {
    archive: ckpt_archive::Options,
    base: Option<PathBuf>,
    rootfs: Option<PathBuf>,
    threads: usize,
    reveal: bool,
}

impl Default for TriageOptions {
    /// No image to compare with, one thread, and secrets redacted.
    fn default() -> Self {
        Self {
            archive: ckpt_archive::Options::default(),
            base: None,
            rootfs: None,
            threads: 1,
            reveal: false,
        }
    }
}

impl TriageOptions {
    /// Options for opening the archives inside the checkpoint: spool directory, limits, progress.
    pub fn archive(mut self, options: ckpt_archive::Options) -> Self {
        self.archive = options;
        self
    }

    /// The container's image: an OCI layout (directory or tar) or the archive of `docker save`. It tells what is not in
    /// it, and whether code in memory is as in its files.
    pub fn base(mut self, path: impl Into<PathBuf>) -> Self {
        self.base = Some(path.into());
        self
    }

    /// A directory with the container's root file system. It tells whether code in memory is as in its files.
    pub fn rootfs(mut self, path: impl Into<PathBuf>) -> Self {
        self.rootfs = Some(path.into());
        self
    }

    /// Whether passwords, keys and tokens in what findings quote are shown. Otherwise they are redacted, as a
    /// [`Redactor`] does it.
    pub fn reveal(mut self, reveal: bool) -> Self {
        self.reveal = reveal;
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
    Detector { rules: setuid::RULES, look: setuid::look },
    Detector { rules: persistence::RULES, look: persistence::look },
    Detector { rules: accounts::RULES, look: accounts::look },
    Detector { rules: logs::RULES, look: logs::look },
    Detector { rules: history::RULES, look: history::look },
    Detector { rules: hidden::RULES, look: hidden::look },
    Detector { rules: brought::RULES, look: brought::look },
    Detector { rules: web_shell::RULES, look: web_shell::look },
    Detector { rules: ghosts::RULES, look: ghosts::look },
    Detector { rules: devices::RULES, look: devices::look },
    Detector { rules: container::rights::RULES, look: container::rights::look },
    Detector { rules: container::mounts::RULES, look: container::mounts::look },
    Detector { rules: container::sockets::RULES, look: container::sockets::look },
    Detector { rules: container::namespaces::RULES, look: container::namespaces::look },
    Detector { rules: container::confinement::RULES, look: container::confinement::look },
    Detector { rules: firewall::RULES, look: firewall::look },
    Detector { rules: dump::missed::RULES, look: dump::missed::look },
    Detector { rules: dump::incomplete::RULES, look: dump::incomplete::look },
    Detector { rules: dump::hindered::RULES, look: dump::hindered::look },
    Detector { rules: dump::stale::RULES, look: dump::stale::look },
    Detector { rules: secrets::RULES, look: secrets::look },
];

/// Every kind of thing that can be found, by id.
#[must_use]
pub fn rules() -> Vec<&'static Rule> {
    let mut rules: Vec<_> = DETECTORS.iter().flat_map(|detector| detector.rules).copied().collect();
    rules.sort_by_key(|rule| rule.id);
    rules
}

/// Looks at everything in a checkpoint. It must have been opened with [`Need::Everything`](ckpt_model::Need::Everything).
///
/// # Errors
///
/// When there is a base and it cannot be read as an image, or the directory of the root file system cannot be read.
pub fn triage(checkpoint: &Checkpoint, options: &TriageOptions) -> Result<Triage, FillError> {
    let subject = Subject::new(checkpoint, options)?;
    let mut findings = Vec::new();
    for detector in DETECTORS {
        (detector.look)(&subject, &mut findings);
    }
    families::fold(&subject, &mut findings);
    if !options.reveal {
        let tasks = &checkpoint.processes().tasks;
        let redactor = Redactor::knowing(tasks, &subject.searched.environment);
        redacting::findings(&redactor, &mut findings);
    }
    findings.sort_by(|a, b| {
        let weight = |one: &Finding| (one.severity, one.confidence);
        let place = |one: &Finding| (one.rule.id, one.pid, one.address);
        let by_weight = weight(b).cmp(&weight(a));
        by_weight.then_with(|| place(a).cmp(&place(b))).then_with(|| a.path.cmp(&b.path))
    });
    Ok(Triage { findings })
}
