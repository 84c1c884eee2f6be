//! `verify`: is the evidence whole and consistent, and is it still what it was?

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ckpt::analysis::verify::custody::{About, MAX_MANIFEST, Manifest, compare};
use ckpt::analysis::verify::{Outcome as Checked, verify, verify_revealing};
use ckpt::archive::Evidence;
use ckpt::model::Need;
use ckpt::report::{human, json};
use clap::{Args, ValueHint};

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::{Context, is_standard_input};
use crate::exit::Outcome;
use crate::moment;
use crate::output::Output;

/// What makes manifests.
const TOOL: &str = concat!("ckpt-inspect ", env!("CARGO_PKG_VERSION"));

/// Whether the evidence is whole and consistent, and whether it is still what it was
///
/// Compares everything that a checkpoint tells twice: counts with sizes, references with what they refer to, the log with
/// the images, digests with bytes. The verdict is whole, whole with remarks, incomplete or damaged; every check is listed
/// with what was compared. Passwords, keys and tokens in what is quoted are redacted unless --reveal is given.
///
/// With --manifest the evidence is hashed instead, byte by byte as it lies there, and the hashes of the archive and of every
/// member are written to a file; --check holds evidence against such a file and names exactly what differs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect verify checkpoint.tar
  ckpt-inspect verify checkpoint.tar --format json | jq '.checks[] | select(.result == \"failed\")'
  ckpt-inspect verify checkpoint.tar --manifest case7.json --operator 'A. Analyst' --note 'from node-3'
  ckpt-inspect verify copy-of-checkpoint.tar --check case7.json

Exit status: 0 no check failed, or nothing differs; 2 nothing usable; 3 a check failed, or something differs.")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    /// Hash the evidence and write a custody manifest to FILE, which must not exist yet.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "check", help_heading = "Custody")]
    manifest: Option<PathBuf>,

    /// Hash the evidence and hold it against the manifest FILE.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Custody")]
    check: Option<PathBuf>,

    /// Who makes the manifest.
    #[arg(long, value_name = "NAME", requires = "manifest", help_heading = "Custody")]
    operator: Option<String>,

    /// What is to be said with it: where the evidence came from, a case number.
    #[arg(long, value_name = "TEXT", requires = "manifest", help_heading = "Custody")]
    note: Option<String>,

    /// Show passwords, keys and tokens in what checks quote.
    #[arg(long, conflicts_with_all = ["manifest", "check"], help_heading = "Output")]
    reveal: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `verify`.
pub(crate) fn run(args: &VerifyArgs, context: &Context) -> Result<Outcome> {
    match (&args.manifest, &args.check) {
        (Some(path), _) => seal(args, path, context),
        (None, Some(path)) => check(args, path, context),
        (None, None) => consistency(args, context),
    }
}

/// All checks of what is in the evidence.
fn consistency(args: &VerifyArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let archive = context.archive_options(&args.evidence.spool);
    let examine = if args.reveal { verify_revealing } else { verify };
    let verification = examine(&checkpoint, &archive);
    match args.output.format {
        Format::Table => human::verify(&mut out, &checkpoint, &verification, &layout)?,
        Format::Json => json::write(&mut out, &json::verify(&checkpoint, &verification))?,
        Format::Jsonl => {
            json::write_lines(&mut out, json::verify(&checkpoint, &verification).checks)?;
        }
    }
    out.finish()?;
    let failed = |checked: Checked| matches!(checked, Checked::Failed(_));
    let any = verification.checks.iter().any(|check| failed(check.outcome));
    Ok(if any { Outcome::Defects } else { Outcome::Done })
}

/// Writes a manifest.
fn seal(args: &VerifyArgs, path: &Path, context: &Context) -> Result<Outcome> {
    if path == Path::new("-") {
        bail!("a manifest needs a file; --format json shows it too");
    }
    if path.symlink_metadata().is_ok() {
        bail!("{} exists; a manifest is never written over", path.display());
    }
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    // Before the work of hours, rather than after it.
    let mut file = Output::open(Some(path))?;
    let about = About {
        tool: TOOL.to_owned(),
        made: moment::now()?,
        operator: args.operator.clone(),
        note: args.note.clone(),
    };
    let manifest = Manifest::of(&hash(args, context)?, about);
    manifest.write(&mut file).with_context(|| format!("cannot write {}", path.display()))?;
    file.finish_new()?;
    match args.output.format {
        Format::Table => {
            human::custody(&mut out, &path.display().to_string(), &manifest, &layout)?;
        }
        Format::Json => manifest.write(&mut out)?,
        Format::Jsonl => json::write_lines(&mut out, &manifest.members)?,
    }
    out.finish()?;
    Ok(told(&manifest, args.output.format))
}

/// Holds evidence against a manifest.
fn check(args: &VerifyArgs, path: &Path, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let expected = read(path).with_context(|| format!("cannot use {}", path.display()))?;
    let found = Manifest::of(&hash(args, context)?, About::default());
    let comparison = compare(&expected, &found);
    let name = path.display().to_string();
    match args.output.format {
        Format::Table => {
            human::custody_check(&mut out, &name, &expected, &found, &comparison, &layout)?;
        }
        Format::Json => {
            let document = json::custody_check(&name, &expected, &found, &comparison);
            json::write(&mut out, &document)?;
        }
        Format::Jsonl => {
            let document = json::custody_check(&name, &expected, &found, &comparison);
            json::write_lines(&mut out, document.differences)?;
        }
    }
    out.finish()?;
    Ok(if comparison.is_same() { Outcome::Done } else { Outcome::Defects })
}

fn hash(args: &VerifyArgs, context: &Context) -> Result<Evidence> {
    let options = context.archive_options(&args.evidence.spool);
    let path = &args.evidence.evidence;
    let evidence = if is_standard_input(path) {
        Evidence::hash_reader("-", io::stdin(), &options)
    } else {
        Evidence::hash(path, &options)
    };
    evidence.context("cannot hash the evidence")
}

fn read(path: &Path) -> Result<Manifest> {
    let mut json = Vec::new();
    // One more byte than is read shows that there are more.
    File::open(path)?.take(MAX_MANIFEST.saturating_add(1)).read_to_end(&mut json)?;
    Ok(Manifest::parse(&json)?)
}

/// Tells on standard error what was wrong with the archive already.
fn told(manifest: &Manifest, format: Format) -> Outcome {
    if manifest.defects.is_empty() {
        return Outcome::Done;
    }
    if format == Format::Table {
        crate::output::warn_lines(
            manifest.defects.iter().map(|defect| format!("{}: {}", defect.place, defect.what)),
        );
    }
    Outcome::Defects
}
