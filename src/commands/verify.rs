//! `verify`: is the evidence whole and consistent, and is it still what it was?

use anyhow::Result;
use ckpt::analysis::verify::{Outcome as Checked, verify};
use ckpt::model::Need;
use ckpt::report::{human, json};
use clap::Args;

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Output;

/// Whether the evidence is whole and consistent
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `verify`.
pub(crate) fn run(args: &VerifyArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let verification = verify(&checkpoint, &context.archive_options(&args.evidence.spool));
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
