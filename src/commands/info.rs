//! `info`: what container, when, by whom, how large, and what is not in the archive.

use anyhow::Result;
use ckpt::model::Need;
use ckpt::report::{human, json};
use clap::Args;

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};

/// Container, pod, image, engine, times, sizes, statistics
///
/// Every time is shown with the member that tells it, and what archives of this engine never hold is listed, so that
/// nobody takes its absence for a fact about the container.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect info checkpoint.tar
  ckpt-inspect info --format json checkpoint.tar.zst | jq .container")]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `info`.
pub(crate) fn run(args: &InfoArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Facts)?;
    checkpoint.look_for_unknown();
    match args.output.format {
        Format::Table => human::info(&mut out, &checkpoint, &layout)?,
        Format::Json => json::write(&mut out, &json::info(&checkpoint))?,
        Format::Jsonl => json::write_line(&mut out, &json::info(&checkpoint))?,
    }
    out.finish()?;
    Ok(match args.output.format {
        Format::Table => output::warn(&checkpoint.defects()),
        _ => output::outcome(&checkpoint.defects()),
    })
}
