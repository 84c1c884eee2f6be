//! `diff A B`: two checkpoints against each other.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ckpt::analysis::compare::{CompareOptions, MatchBy, Subject, compare};
use ckpt::model::{Checkpoint, Defect, Need};
use ckpt::report::json::CompareShow;
use ckpt::report::{human, json};
use clap::{Args, ValueHint};

use crate::cli::{EvidenceArgs, Format, OutputArgs, PickArgs};
use crate::context::{Context, is_standard_input};
use crate::exit::Outcome;
use crate::output::{self, Output};

/// Rows of bytes of a mapping that are shown when the user does not say how many.
const ROWS: &str = "32";

/// The second checkpoint, and how it is held against the first.
#[derive(Debug, Args)]
#[command(next_help_heading = "Two checkpoints")]
pub(crate) struct PairArgs {
    /// A second checkpoint, B, to compare the first one, A, with.
    #[arg(value_name = "EVIDENCE-B", value_hint = ValueHint::AnyPath)]
    second: Option<PathBuf>,

    /// As --parent, for B.
    #[arg(long, value_name = "EVIDENCE", value_hint = ValueHint::AnyPath, requires = "second")]
    parent_b: Vec<PathBuf>,

    /// As --images, for B.
    #[arg(long, value_name = "DIR", requires = "second")]
    images_b: Option<String>,

    /// As --container, for B.
    #[arg(long, value_name = "NAME", requires = "second")]
    container_b: Option<String>,

    /// Match processes by pid, by role (place in the tree, executable, arguments), or by pid unless the containers are
    /// different and no process of A goes on in B.
    #[arg(
        long = "match",
        value_name = "auto|pid|role",
        default_value = "auto",
        hide_default_value = true,
        requires = "second"
    )]
    match_by: MatchBy,

    /// Show the bytes that differ side by side: at most ROWS rows of 16 bytes of each mapping [default: 32].
    #[arg(long, value_name = "ROWS", num_args = 0..=1, require_equals = true, default_missing_value = ROWS, requires = "second")]
    bytes: Option<usize>,

    /// Show what is the same, too.
    #[arg(long, requires = "second")]
    unchanged: bool,
}

impl PairArgs {
    /// Whether there is a second checkpoint.
    pub(crate) fn is_given(&self) -> bool {
        self.second.is_some()
    }
}

/// What to compare, and how to show it.
#[derive(Debug)]
pub(crate) struct What<'a> {
    pub(crate) evidence: &'a EvidenceArgs,
    pub(crate) pair: &'a PairArgs,
    pub(crate) base: Option<&'a Path>,
    pub(crate) only: Vec<Subject>,
    pub(crate) exit_code: bool,
    pub(crate) output: &'a OutputArgs,
}

/// Runs `diff A B`.
pub(crate) fn run(what: &What<'_>, context: &Context) -> Result<Outcome> {
    let Some(second) = &what.pair.second else { bail!("there is no second checkpoint") };
    if is_standard_input(&what.evidence.evidence) && is_standard_input(second) {
        bail!("standard input can be one of the two checkpoints, not both");
    }
    let mut out = Output::open(what.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let need = need(&what.only);
    let a = context.open(what.evidence, need)?;
    let b = context.open(&second_evidence(what, second), need)?;
    let mut options = CompareOptions::default()
        .archive(context.archive_options(&what.evidence.spool))
        .match_by(what.pair.match_by)
        .only(what.only.iter().copied());
    if let Some(base) = what.base {
        options = options.base(base);
    }
    let comparison = compare(&a, &b, &options).context("cannot compare with the base")?;
    let show = CompareShow { unchanged: what.pair.unchanged, rows: what.pair.bytes };
    match what.output.format {
        Format::Table => human::compare(&mut out, &comparison, &show, &layout)?,
        Format::Json => json::write(&mut out, &json::compare(&comparison, &show))?,
        Format::Jsonl => {
            json::write_compare_lines(&mut out, &json::compare(&comparison, &show))?;
        }
    }
    out.finish()?;
    let defects = defects(&a, &b);
    let outcome = match what.output.format {
        Format::Json => output::outcome(&defects),
        _ => output::warn(&defects),
    };
    Ok(if what.exit_code && comparison.differs() { Outcome::Found } else { outcome })
}

fn second_evidence(what: &What<'_>, second: &Path) -> EvidenceArgs {
    EvidenceArgs {
        evidence: second.to_owned(),
        pick: PickArgs {
            parent: what.pair.parent_b.clone(),
            images: what.pair.images_b.clone(),
            container: what.pair.container_b.clone(),
        },
        spool: what.evidence.spool.clone(),
    }
}

/// What must be kept of compressed evidence.
fn need(only: &[Subject]) -> Need {
    only.iter().map(|subject| subject.need()).max().unwrap_or_default()
}

/// The defects of both, each with the letter of its checkpoint.
fn defects(a: &Checkpoint, b: &Checkpoint) -> Vec<Defect> {
    let of = |letter: &'static str, checkpoint: &Checkpoint| {
        let place =
            move |defect: Defect| Defect { place: format!("{letter}: {}", defect.place), ..defect };
        checkpoint.defects().into_iter().map(place).collect::<Vec<_>>()
    };
    [of("A", a), of("B", b)].concat()
}
