//! The report: one self-contained HTML page.
//!
//! It is made of the same documents as the JSON ([`Sources`]), cut to what a person reads ([`Limits`]), with secrets redacted.
//! Whatever was left out is told, with the command that shows it. Every text of the evidence goes through one place, which
//! escapes what is not visible, cuts what is too long and redacts; the templates escape it for HTML once more.
//!
//! The page asks nobody for anything: style and script are in it, allowed by their hashes and nothing else
//! (`Content-Security-Policy`). Without its script it is whole; the script adds filters, zooming and folding.
//!
//! # Limits
//!
//! Secrets are those that a [`Redactor`] knows. One that looks like nothing in particular stays; the page says so.

mod artifacts;
mod changes;
mod findings;
mod legible;
mod limits;
mod made;
mod memory;
mod page;
mod processes;
mod shown;
mod sockets;
mod summary;
mod timeline;
mod verdict;

use std::io::{self, Write};

use ckpt_analysis::timeline::Timeline;
use ckpt_scan::secrets::Redactor;
use serde::Serialize;

pub use limits::Limits;

use crate::json::{
    DiffDocument, ExtractDocument, FilesDocument, InfoDocument, MapsDocument, TreeDocument,
    TriageDocument, VerifyDocument,
};
use legible::Legible;

/// What a report is made of.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The container, the engine, the host.
    pub info: InfoDocument<'a>,
    /// Where to look first.
    pub triage: TriageDocument<'a>,
    /// The processes.
    pub tree: TreeDocument<'a>,
    /// Their descriptors, and all sockets.
    pub files: FilesDocument<'a>,
    /// Their memory: of all of them, or of [`Limits::mapped`].
    pub maps: MapsDocument<'a>,
    /// What changed in the file system; `None` where nothing could be compared.
    pub diff: Option<DiffDocument<'a>>,
    /// Everything that has a time.
    pub timeline: &'a Timeline,
    /// What can be had as a file.
    pub extract: ExtractDocument<'a>,
    /// Whether the evidence is whole.
    pub verify: VerifyDocument<'a>,
    /// Redacts secrets in texts; it should know the variables of the processes, see [`Redactor::of`].
    pub secrets: &'a Redactor,
    /// How the report is made.
    pub about: About,
}

/// How a report is made: what only its caller knows.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Title of the page, in place of the container's name.
    pub title: Option<String>,
    /// Number or name of the case.
    pub case: Option<String>,
    /// What is to be said with it.
    pub note: Option<String>,
    /// Name and version of the program.
    pub tool: String,
    /// The command line, quoted as for a shell.
    pub command: String,
    /// When, RFC 3339.
    pub made: String,
    /// SHA-256 of the evidence, or why there is none.
    pub sha256: Option<Result<String, String>>,
    /// Whether artefacts were hashed.
    pub hashed: bool,
    /// Whether secrets are shown.
    pub reveal: bool,
}

/// The page, section by section.
#[derive(Debug, Serialize)]
struct Page {
    summary: summary::Summary,
    findings: findings::Findings,
    processes: processes::Processes,
    sockets: sockets::Sockets,
    memory: memory::Memory,
    changes: changes::FileChanges,
    timeline: timeline::Lanes,
    artifacts: artifacts::Artifacts,
    verdict: verdict::Verdict,
    made: made::Made,
}

/// Writes the page.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write<W: Write>(out: &mut W, sources: &Sources<'_>, limits: &Limits) -> io::Result<()> {
    let legible =
        Legible { secrets: (!sources.about.reveal).then_some(sources.secrets), most: limits.text };
    let findings = findings::Findings::of(&sources.triage, &legible, limits);
    let page = Page {
        summary: summary::Summary::of(sources, &legible, limits),
        processes: processes::Processes::of(sources, &legible, limits),
        findings,
        sockets: sockets::Sockets::of(sources, &legible, limits),
        memory: memory::Memory::of(sources, &legible, limits),
        changes: changes::FileChanges::of(sources.diff.as_ref(), &legible, limits),
        timeline: timeline::Lanes::of(sources.timeline, &legible, limits),
        artifacts: artifacts::Artifacts::of(&sources.extract, &legible, limits),
        verdict: verdict::Verdict::of(sources, &legible, limits),
        made: made::Made::of(&sources.about, &legible),
    };
    page::write(out, page)
}
