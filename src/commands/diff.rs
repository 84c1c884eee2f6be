//! `diff`: what changed in the container's file system; with a second checkpoint, [what differs](super::compare).

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use ckpt::analysis::compare::Subject;
use ckpt::model::{ChangeFilter, ChangeKind, Changes, ChangesOptions, Glob, Need};
use ckpt::report::{human, json};
use clap::{Args, ValueHint};
use jiff::Timestamp;

use super::compare::{self, PairArgs};
use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::moment;
use crate::output::{self, Output};

/// What changed: in a container's file system, or between two checkpoints
///
/// Of one checkpoint: files added, modified and deleted. Without --base, what a checkpoint holds of the file system is
/// `written`: only the image can tell added from modified. With --base the kinds are exact, and every modified file says what
/// of it is different. Changes that the engine itself makes (mount points, /etc/mtab) are marked.
///
/// Of two checkpoints, of one container or of different ones: container facts, processes, threads, descriptors, sockets, mounts,
/// mappings, memory page by page, files and recovered content; what differs, and with --unchanged what does not. A process is
/// recognised by its pid and by what execve gave it; a pid that another process has, or another program, is told with the
/// reasons. Processes of different containers are matched by role. What could not be compared is told with `?`, and is no
/// difference; nor is what an archive lacks that was cut.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect diff checkpoint.tar
  ckpt-inspect diff --base image-oci/ checkpoint.tar        against the container's image
  ckpt-inspect diff --exec --only added checkpoint.tar      dropped executables and scripts
  ckpt-inspect diff --setuid checkpoint.tar
  ckpt-inspect diff --path '/etc/**' --path '*.so' checkpoint.tar
  ckpt-inspect diff --newer 2026-11-23T00:05:00Z checkpoint.tar
  skopeo copy containers-storage:IMAGE oci:image-oci        gets an image for --base

  ckpt-inspect diff monday.tar tuesday.tar                  two checkpoints
  ckpt-inspect diff --only processes,sockets a.tar b.tar
  ckpt-inspect diff --only memory --bytes a.tar b.tar       the differing bytes side by side
  ckpt-inspect diff --images chain/1 --images-b chain/2 chain.tar chain.tar

Exit status: 0 done; 1 with --exit-code when something differs; 2 nothing usable; 3 done, with defects.")]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    /// The container's image: an OCI layout (directory or tar) or the archive of `docker save`.
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    base: Option<PathBuf>,

    /// Of one checkpoint only changes of these kinds (added, modified, deleted, written; what may be added or modified
    /// counts as both); of two only these parts (container, processes, files, sockets, mounts, memory, filesystem,
    /// artifacts).
    #[arg(long, value_delimiter = ',', value_name = "WHAT,...", help_heading = "Filter")]
    only: Vec<Only>,

    /// Only paths that match: `*`, `**`, `?`, `[a-z]`; without a slash the last name is meant. Repeatable.
    #[arg(long, value_name = "GLOB", help_heading = "Filter")]
    path: Vec<Glob>,

    /// Only what can be run: ELF files and scripts, whatever their mode is, and files with an execute bit.
    #[arg(long, help_heading = "Filter")]
    exec: bool,

    /// Only files that give rights: set-user-id, set-group-id, file capabilities.
    #[arg(long, help_heading = "Filter")]
    setuid: bool,

    /// Only files modified after TIME: `2026-11-23T00:05:00Z`, or a date in UTC. Deleted files have no time.
    #[arg(long, value_name = "TIME", value_parser = moment::parse, help_heading = "Filter")]
    newer: Option<Timestamp>,

    /// End with status 1 when something is shown that the engine did not do itself.
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    pair: PairArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// A kind of changes, or a part of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    Kind(ChangeKind),
    Part(Subject),
}

impl FromStr for Only {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let kind = KINDS.into_iter().find(|kind| kind.word() == word).map(Self::Kind);
        kind.map_or_else(|| word.parse().map(Self::Part), Ok).map_err(|parts: String| {
            format!(
                "one of {} for one checkpoint, {parts} for two",
                KINDS.map(ChangeKind::word).join(", ")
            )
        })
    }
}

/// The kinds of changes that one checkpoint tells of.
const KINDS: [ChangeKind; 4] =
    [ChangeKind::Added, ChangeKind::Modified, ChangeKind::Deleted, ChangeKind::Written];

/// Runs `diff`.
pub(crate) fn run(args: &DiffArgs, context: &Context) -> Result<Outcome> {
    if args.pair.is_given() {
        return run_pair(args, context);
    }
    let filter = filter(args)?;
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::FileSystem)?;
    let mut options =
        ChangesOptions::default().archive(context.archive_options(&args.evidence.spool));
    if let Some(base) = &args.base {
        options = options.base(base);
    }
    let changes = checkpoint.changes(&options).context("cannot compare with the base")?;
    match args.output.format {
        Format::Table => human::diff(&mut out, &changes, &filter, &layout)?,
        Format::Json => json::write(&mut out, &json::diff(&checkpoint, &changes, &filter))?,
        Format::Jsonl => {
            json::write_lines(&mut out, json::diff(&checkpoint, &changes, &filter).changes)?;
        }
    }
    out.finish()?;
    let outcome = match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => output::warn(&checkpoint.defects()),
    };
    Ok(if args.exit_code && any(&changes, &filter) { Outcome::Found } else { outcome })
}

/// Runs `diff A B`.
fn run_pair(args: &DiffArgs, context: &Context) -> Result<Outcome> {
    if args.exec || args.setuid || !args.path.is_empty() || args.newer.is_some() {
        bail!(
            "--path, --exec, --setuid and --newer are about the changes of one checkpoint; --only filesystem shows the files of two"
        );
    }
    let mut only = Vec::new();
    for word in &args.only {
        match word {
            Only::Part(part) => only.push(*part),
            Only::Kind(kind) => bail!(
                "--only {} is about the changes of one checkpoint; of two there are {}",
                kind.word(),
                Subject::ALL.map(Subject::word).join(", ")
            ),
        }
    }
    let what = compare::What {
        evidence: &args.evidence,
        pair: &args.pair,
        base: args.base.as_deref(),
        only,
        exit_code: args.exit_code,
        output: &args.output,
    };
    compare::run(&what, context)
}

fn filter(args: &DiffArgs) -> Result<ChangeFilter> {
    let mut filter = ChangeFilter::default();
    for word in &args.only {
        match word {
            Only::Kind(kind) => filter.only.push(*kind),
            Only::Part(part) => bail!("--only {part} is about two checkpoints; give a second one"),
        }
    }
    filter.paths.clone_from(&args.path);
    filter.executable = args.exec;
    filter.gives_rights = args.setuid;
    filter.newer = args.newer;
    Ok(filter)
}

fn any(changes: &Changes, filter: &ChangeFilter) -> bool {
    changes.list.iter().any(|change| change.noise.is_none() && filter.shows(change))
}
