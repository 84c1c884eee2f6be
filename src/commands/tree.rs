//! `tree`: the processes.

use anyhow::Result;
use ckpt::model::Need;
use ckpt::report::human::TreeOptions;
use ckpt::report::{human, json};
use clap::Args;

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::selecting;

/// Processes as a tree: pid, user, state, command line, executable
///
/// Deleted and memfd executables and names that pose as kernel threads are marked. Below the tree stand processes that
/// the dump missed and images that an earlier checkpoint left behind.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect tree checkpoint.tar
  ckpt-inspect tree --env --threads --creds --ns --pid 4 checkpoint.tar
  ckpt-inspect tree --parent pre.tar final.tar          an incremental checkpoint
  ckpt-inspect tree --format jsonl checkpoint.tar | jq -r '.argv | join(\" \")'")]
pub(crate) struct TreeArgs {
    /// Environment of each process.
    #[arg(long)]
    env: bool,

    /// Threads of each process.
    #[arg(long)]
    threads: bool,

    /// Users, groups and capabilities of each process.
    #[arg(long)]
    creds: bool,

    /// Namespaces of each process.
    #[arg(long)]
    ns: bool,

    /// Only this process and its descendants; repeatable, or a list with commas.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pid: Vec<u32>,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `tree`.
pub(crate) fn run(args: &TreeArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Processes)?;
    selecting::require(&checkpoint, &args.pid)?;
    match args.output.format {
        Format::Table => {
            let options = TreeOptions {
                env: args.env,
                threads: args.threads,
                creds: args.creds,
                ns: args.ns,
                pids: args.pid.clone(),
            };
            human::tree(&mut out, &checkpoint, &options, &layout)?;
        }
        Format::Json => json::write(&mut out, &json::tree(&checkpoint, &args.pid))?,
        Format::Jsonl => {
            for process in json::tree(&checkpoint, &args.pid).processes {
                json::write_line(&mut out, &process)?;
            }
        }
    }
    out.finish()?;
    Ok(match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => output::warn(&checkpoint.defects()),
    })
}
