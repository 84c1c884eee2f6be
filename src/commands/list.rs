//! `list`: the checkpoints in a directory.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use ckpt::model::{self, Listed, Need, Text};
use ckpt::report::{human, json};
use clap::{Args, ValueHint};

use crate::cli::{Format, OutputArgs, PickArgs, SpoolArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Output;

/// The checkpoints in a directory, one a row
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect list                          on a node
  ckpt-inspect list evidence/ --format json")]
pub(crate) struct ListArgs {
    /// The directory.
    #[arg(value_name = "DIR", default_value = model::KUBELET_CHECKPOINTS, value_hint = ValueHint::DirPath)]
    directory: PathBuf,

    #[command(flatten)]
    spool: SpoolArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `list`.
pub(crate) fn run(args: &ListArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let options = context.open_options(&PickArgs::default(), &args.spool, Need::Facts);
    let listed: Vec<Listed> = model::list(&args.directory, &options)
        .with_context(|| format!("cannot list {}", args.directory.display()))?
        .collect();
    let directory = Text::from(args.directory.as_os_str().as_encoded_bytes());
    let directory = directory.lossless();
    match args.output.format {
        Format::Table => human::list(&mut out, &listed, &layout)?,
        Format::Json => json::write(&mut out, &json::list(&listed, &directory))?,
        Format::Jsonl => {
            for checkpoint in json::list(&listed, &directory).checkpoints {
                json::write_line(&mut out, &checkpoint)?;
            }
        }
    }
    out.finish()?;
    let whole = |listed: &Listed| listed.checkpoint.as_ref().is_ok_and(|c| c.defects().is_empty());
    Ok(if listed.iter().all(whole) { Outcome::Done } else { Outcome::Defects })
}
