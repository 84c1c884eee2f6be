//! `diff`: what changed in the container's file system.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use ckpt::model::{ChangeFilter, ChangeKind, Changes, ChangesOptions, Glob, Need};
use ckpt::report::{human, json};
use clap::{Args, ValueEnum, ValueHint};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};

/// What changed in the container's file system: files added, modified and deleted
///
/// Without --base, what a checkpoint holds of the file system is `written`: only the image can tell added from modified. With
/// --base the kinds are exact, and every modified file says what of it is different. Changes that the engine itself makes
/// (mount points, /etc/mtab) are marked.
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

Exit status: 0 done; 1 with --exit-code when changes are shown; 2 nothing usable; 3 done, with defects.")]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    /// A second checkpoint to compare with.
    #[arg(value_name = "EVIDENCE2", hide = true)]
    second: Option<PathBuf>,

    /// The container's image: an OCI layout (directory or tar) or the archive of `docker save`.
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    base: Option<PathBuf>,

    /// Only changes of these kinds. What may be added or modified counts as both.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "KIND,...",
        help_heading = "Filter"
    )]
    only: Vec<Kind>,

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
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Filter")]
    newer: Option<Timestamp>,

    /// End with status 1 when changes are shown that the engine did not make itself.
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// Kinds of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The image does not have it.
    Added,
    /// The image has it, and not so.
    Modified,
    /// The container has it no more.
    Deleted,
    /// Added or modified: only the image could tell.
    Written,
}

impl From<Kind> for ChangeKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Added => Self::Added,
            Kind::Modified => Self::Modified,
            Kind::Deleted => Self::Deleted,
            Kind::Written => Self::Written,
        }
    }
}

/// A time as the user writes it; dates begin in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(date) = text.parse::<Date>() {
        return format!("{date}T00:00:00Z").parse().map_err(|error: jiff::Error| error.to_string());
    }
    Err("neither a time (2026-11-23T00:05:00Z) nor a date (2026-11-23)".to_owned())
}

/// Runs `diff`.
pub(crate) fn run(args: &DiffArgs, context: &Context) -> Result<Outcome> {
    if args.second.is_some() {
        bail!(
            "comparing two checkpoints is not there yet; `diff EVIDENCE` shows the changes against the container's image (--base IMAGE)"
        );
    }
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::FileSystem)?;
    let mut options =
        ChangesOptions::default().archive(context.archive_options(&args.evidence.spool));
    if let Some(base) = &args.base {
        options = options.base(base);
    }
    let changes = checkpoint.changes(&options).context("cannot compare with the base")?;
    let filter = filter(args);
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

fn filter(args: &DiffArgs) -> ChangeFilter {
    let mut filter = ChangeFilter::default();
    filter.only = args.only.iter().map(|kind| ChangeKind::from(*kind)).collect();
    filter.paths.clone_from(&args.path);
    filter.executable = args.exec;
    filter.gives_rights = args.setuid;
    filter.newer = args.newer;
    filter
}

fn any(changes: &Changes, filter: &ChangeFilter) -> bool {
    changes.list.iter().any(|change| change.noise.is_none() && filter.shows(change))
}
