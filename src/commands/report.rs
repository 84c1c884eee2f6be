//! `report`: one page that says it all.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use ckpt::analysis::timeline::timeline;
use ckpt::analysis::triage::{Triage, TriageOptions, triage};
use ckpt::analysis::verify::verify;
use ckpt::archive::Progress;
use ckpt::model::artifacts::{Artifact, Hashing};
use ckpt::model::{ChangeFilter, ChangesOptions, Checkpoint, Need, Pid, Piece};
use ckpt::report::html::{About, Limits, Sources, write};
use ckpt::report::json::{self, Examined};
use ckpt::scan::secrets::Redactor;
use clap::{Args, ValueHint};

use super::extract;
use super::maps::FilesArgs;
use crate::cli::EvidenceArgs;
use crate::context::{Context, is_standard_input};
use crate::exit::Outcome;
use crate::moment;
use crate::output::{self, Output};
use crate::scanning::WorkArgs;
use crate::shell;

/// What makes reports.
const TOOL: &str = concat!("ckpt-inspect ", env!("CARGO_PKG_VERSION"));

/// Everything in one HTML page: findings, processes, sockets, memory, files, timeline, artefacts, verification
///
/// The page is one file that needs nothing else: no network, no fonts, no scripts from elsewhere. It can be read on paper, in
/// the dark and on a telephone, and whatever the evidence has in its names stays text. Secrets are redacted unless --reveal
/// is given. Long lists are cut; where, it says which command shows the rest.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect report checkpoint.tar -o report.html
  ckpt-inspect report checkpoint.tar -o report.html --case 2026-117 --note 'from node-3, sealed by A. Analyst'
  ckpt-inspect report checkpoint.tar -o report.html --base image-oci/     changes and code held against the image
  ckpt-inspect report huge.tar --no-hash > report.html                    without reading every byte

With SOURCE_DATE_EPOCH the time of the report is given, and the same evidence gives the same bytes.")]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    files: FilesArgs,

    #[command(flatten)]
    work: WorkArgs,

    /// Title of the page, in place of the container's name.
    #[arg(long, value_name = "TEXT", help_heading = "Page")]
    title: Option<String>,

    /// Number or name of the case.
    #[arg(long, value_name = "TEXT", help_heading = "Page")]
    case: Option<String>,

    /// What is to be said at the beginning.
    #[arg(long, value_name = "TEXT", help_heading = "Page")]
    note: Option<String>,

    /// Show secrets: passwords, keys and tokens in environments, arguments, logs.
    #[arg(long, help_heading = "Page")]
    reveal: bool,

    /// Hash neither the evidence nor the artefacts: for evidence that is too large to be read twice.
    #[arg(long, help_heading = "Page")]
    no_hash: bool,

    /// Write to FILE instead of standard output; it appears under its name only when it is complete.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    output: Option<PathBuf>,
}

/// Runs `report`.
pub(crate) fn run(args: &ReportArgs, context: &Context) -> Result<Outcome> {
    if args.output.is_none() && context.stdout_is_terminal() {
        bail!("a page is nothing for a terminal: name a file with -o FILE.html, or redirect")
    }
    let mut out = Output::open(args.output.as_deref())?;
    let archive = context.archive_options(&args.evidence.spool);
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let limits = Limits::default();

    let options = args.files.options(&args.evidence, context);
    let files = checkpoint.file_sources(&options).context("cannot use the container's files")?;
    let mut looking =
        TriageOptions::default().archive(archive.clone()).threads(args.work.work().threads);
    if let Some(base) = &args.files.base {
        looking = looking.base(base);
    }
    if let Some(rootfs) = &args.files.rootfs {
        looking = looking.rootfs(rootfs);
    }
    let found = triage(&checkpoint, &looking).context("cannot use the container's files")?;
    let mapped = mapped(&checkpoint, &found, limits.mapped);
    let mut changed = ChangesOptions::default().archive(archive.clone()).unhashed();
    if let Some(base) = &args.files.base {
        changed = changed.base(base);
    }
    let changes = checkpoint.changes(&changed).context("cannot compare with the base")?;
    let times = timeline(&checkpoint, &archive);
    let artifacts = checkpoint.artifacts(&archive);
    let every: Vec<&Artifact> = artifacts.list.iter().collect();
    let verification = verify(&checkpoint, &archive);
    let wanted = json::FilesOptions { sockets: true, ..json::FilesOptions::default() };
    let shown = ChangeFilter::default();

    let secrets = Redactor::of(&checkpoint.processes().tasks);
    let sources = Sources {
        info: json::info(&checkpoint),
        triage: json::triage(&checkpoint, &found),
        tree: json::tree(&checkpoint, &[]),
        files: json::files(&checkpoint, &wanted),
        maps: json::maps(&checkpoint, &mapped, &files, |_, _| true, false),
        diff: Some(json::diff(&checkpoint, &changes, &shown)),
        timeline: &times,
        secrets: &secrets,
        extract: if args.no_hash {
            let unhashed =
                |artifact| Examined { artifact, sha256: Err("not hashed".to_owned()), file: None };
            json::extract(&checkpoint, every.iter().copied().map(unhashed), TOOL)
        } else {
            extract::list(&checkpoint, &every, context)
        },
        verify: json::verify(&checkpoint, &verification),
        about: about(args, context)?,
    };
    write(&mut out, &sources, &limits)?;
    out.finish()?;
    Ok(output::outcome(&[&checkpoint.defects(), times.defects()].concat()))
}

/// The processes whose memory is shown: those that something was found about, then the others, as far as there is room; of
/// those that share a memory one.
fn mapped(checkpoint: &Checkpoint, found: &Triage, most: usize) -> Vec<Pid> {
    let suspects = found.findings.iter().filter_map(|finding| finding.pid);
    let all = checkpoint.processes().by_pid().into_iter();
    let all = all.filter(|task| !task.is_zombie()).map(|task| task.pid);
    let mut pids: Vec<Pid> = Vec::new();
    let mut memories: HashSet<Pid> = HashSet::new();
    for pid in suspects.chain(all) {
        if pids.len() >= most {
            break;
        }
        let owner = checkpoint.processes().get(pid).and_then(|task| task.mm_owner);
        if memories.insert(owner.unwrap_or(pid)) {
            pids.push(pid);
        }
    }
    pids.sort_unstable();
    pids
}

fn about(args: &ReportArgs, context: &Context) -> Result<About> {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|argument| shell::quote(&argument.to_string_lossy()));
    let command: Vec<String> = ["ckpt-inspect".to_owned()].into_iter().chain(words).collect();
    Ok(About {
        title: args.title.clone(),
        case: args.case.clone(),
        note: args.note.clone(),
        tool: TOOL.to_owned(),
        command: command.join(" "),
        made: moment::now()?,
        sha256: if args.no_hash { None } else { Some(hash(&args.evidence.evidence, context)) },
        hashed: !args.no_hash,
        reveal: args.reveal,
    })
}

/// Bytes that are hashed at a time.
const STEP: usize = 1 << 20;

/// SHA-256 of the evidence as it lies there, or why there is none.
fn hash(path: &Path, context: &Context) -> Result<String, String> {
    if is_standard_input(path) {
        return Err("none: it came from standard input, and was read once".to_owned());
    }
    if path.is_dir() {
        return Err("none of a directory; verify --manifest hashes what is in it".to_owned());
    }
    let file = File::open(path).map_err(|error| format!("none: {error}"))?;
    let bar = context.progress();
    if let Some(bar) = &bar {
        bar.begin("hashing", file.metadata().map(|file| file.len()).ok());
    }
    let mut reader = BufReader::with_capacity(STEP, file);
    let mut hashing = Hashing::default();
    loop {
        let bytes = reader.fill_buf().map_err(|error| format!("none: {error}"))?;
        let length = bytes.len();
        if length == 0 {
            break;
        }
        // Nothing is missing of bytes.
        let _ = hashing.update(&Piece::Bytes(Bytes::copy_from_slice(bytes)));
        reader.consume(length);
        if let Some(bar) = &bar {
            bar.advance(length as u64);
        }
    }
    if let Some(bar) = &bar {
        bar.end();
    }
    Ok(hashing.finish().to_string())
}
