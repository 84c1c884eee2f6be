//! `triage`: where an analyst should look first.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ckpt::analysis::triage::{Rule, Severity, Triage, TriageOptions, rules, triage};
use ckpt::model::Need;
use ckpt::report::{human, json};
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::{EvidenceArgs, Format, OutputArgs, PickArgs, SpoolArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::scanning::WorkArgs;

/// What to look at first: findings, the most serious first, each with what it rests on
///
/// Looks for what intruders do and honest containers do not: programs that were deleted or never were a file, code in
/// memory that no file explains, shells on sockets, names that are not the program's own, files that make somebody come
/// back. Every finding says where in the evidence it was seen; with --explain also why it matters, how it can be wrong and
/// how to check it by hand.
///
/// A finding is a reason to look and no verdict. No findings prove nothing. Passwords, keys and tokens in what is quoted are
/// redacted unless --reveal is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect triage checkpoint.tar
  ckpt-inspect triage --min-severity high --explain checkpoint.tar
  ckpt-inspect triage --only shell-on-socket --only executable-memfd checkpoint.tar
  ckpt-inspect triage --base image-oci/ checkpoint.tar     held against the container's image
  ckpt-inspect triage --format json checkpoint.tar | jq '.findings[] | select(.severity == \"critical\")'
  ckpt-inspect triage --min-severity high --exit-code checkpoint.tar && echo quiet
  ckpt-inspect triage --rules                              everything that is looked for

Exit status: 0 done; 1 something was found, with --exit-code; 2 nothing usable; 3 done, with defects.")]
pub(crate) struct TriageArgs {
    /// A checkpoint: archive (tar, also in gzip, zstd, xz or bzip2), directory, OCI image, or `-` for standard input.
    #[arg(value_name = "EVIDENCE", value_hint = ValueHint::AnyPath, required_unless_present = "rules", help_heading = "Evidence")]
    evidence: Option<PathBuf>,

    #[command(flatten)]
    pick: PickArgs,

    #[command(flatten)]
    spool: SpoolArgs,

    /// The container's image, to tell what is not of it: an OCI layout (directory or tar), or what `docker save` wrote.
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath, help_heading = "Evidence")]
    base: Option<PathBuf>,

    /// A directory with the container's root file system, to tell whether code in memory is as in its files.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Evidence")]
    rootfs: Option<PathBuf>,

    /// Only what is at least so serious.
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL", help_heading = "Filter")]
    min_severity: Level,

    /// Only findings of this kind; repeatable. --rules lists them.
    #[arg(long, value_name = "ID", help_heading = "Filter")]
    only: Vec<String>,

    /// Why each finding matters, how it can be wrong, how to check it, and all of its evidence.
    #[arg(short = 'v', long, visible_alias = "verbose", help_heading = "Output")]
    explain: bool,

    /// Show passwords, keys and tokens in what findings quote.
    #[arg(long, help_heading = "Output")]
    reveal: bool,

    /// End with status 1 when anything is found.
    #[arg(long, help_heading = "Output")]
    exit_code: bool,

    /// List everything that is looked for, and look at nothing.
    #[arg(long, help_heading = "Output", conflicts_with_all = ["evidence", "min_severity", "exit_code", "base", "rootfs", "reveal"])]
    rules: bool,

    #[command(flatten)]
    work: WorkArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// How serious.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Everything.
    #[default]
    Info,
    /// Unusual, with common honest causes.
    Low,
    /// Unusual, with rare honest causes.
    Medium,
    /// What intruders do and administrators hardly ever.
    High,
    /// An intrusion, as far as a checkpoint can show one.
    Critical,
}

impl Level {
    fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Low => Severity::Low,
            Self::Medium => Severity::Medium,
            Self::High => Severity::High,
            Self::Critical => Severity::Critical,
        }
    }
}

/// Runs `triage`.
pub(crate) fn run(args: &TriageArgs, context: &Context) -> Result<Outcome> {
    let only = chosen(&args.only)?;
    match &args.evidence {
        Some(evidence) if !args.rules => examine(args, evidence, &only, context),
        _ => list(args, &only, context),
    }
}

/// The rules with these ids; all of them when there are no ids.
fn chosen(ids: &[String]) -> Result<Vec<&'static Rule>> {
    let mut all = rules();
    for id in ids {
        if !all.iter().any(|rule| rule.id == id) {
            bail!("there is no finding called `{id}`; --rules lists them");
        }
    }
    all.retain(|rule| ids.is_empty() || ids.iter().any(|id| rule.id == id));
    Ok(all)
}

/// What is looked for.
fn list(args: &TriageArgs, only: &[&'static Rule], context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    match args.output.format {
        Format::Table => human::rules(&mut out, only, args.explain, &layout)?,
        Format::Json => json::write(&mut out, &json::rules(only))?,
        Format::Jsonl => json::write_lines(&mut out, json::rules(only).rules)?,
    }
    out.finish()?;
    Ok(Outcome::Done)
}

/// What is found.
fn examine(
    args: &TriageArgs,
    evidence: &Path,
    only: &[&'static Rule],
    context: &Context,
) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let evidence = EvidenceArgs {
        evidence: evidence.to_owned(),
        pick: args.pick.clone(),
        spool: args.spool.clone(),
    };
    let checkpoint = context.open(&evidence, Need::Everything)?;
    let archive = context.archive_options(&args.spool);
    let mut options = TriageOptions::default()
        .archive(archive)
        .reveal(args.reveal)
        .threads(args.work.work().threads);
    if let Some(base) = &args.base {
        options = options.base(base);
    }
    if let Some(rootfs) = &args.rootfs {
        options = options.rootfs(rootfs);
    }
    let mut found: Triage =
        triage(&checkpoint, &options).context("cannot use the container's files")?;
    let least = args.min_severity.severity();
    found.findings.retain(|finding| {
        finding.severity >= least && only.iter().any(|rule| rule.id == finding.rule.id)
    });
    match args.output.format {
        Format::Table => human::triage(&mut out, &checkpoint, &found, args.explain, &layout)?,
        Format::Json => json::write(&mut out, &json::triage(&checkpoint, &found))?,
        Format::Jsonl => json::write_lines(&mut out, json::triage(&checkpoint, &found).findings)?,
    }
    out.finish()?;
    let outcome = match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => output::warn(&checkpoint.defects()),
    };
    let any = args.exit_code && !found.findings.is_empty();
    Ok(if any { Outcome::Found } else { outcome })
}
