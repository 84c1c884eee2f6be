//! `files`: open files, sockets, mounts.

use anyhow::Result;
use ckpt::model::Need;
use ckpt::report::json::FilesOptions;
use ckpt::report::{human, json};
use clap::Args;

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::selecting;

/// Open files of every process, and on request sockets, mounts, locks, pipes, networks
///
/// Each descriptor is shown as /proc/PID/fd and fdinfo showed it, with what is behind it: counters, watches, timers,
/// terminals. The lists take the place of the descriptors; in JSON they stand beside them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect files checkpoint.tar
  ckpt-inspect files --pid 4 --pid 7 checkpoint.tar
  ckpt-inspect files --sockets --resolve-ports checkpoint.tar      who talks to whom
  ckpt-inspect files --mounts --locks --pipes checkpoint.tar
  ckpt-inspect files --format json checkpoint.tar | jq '.processes[].fds[] | select(.deleted)'")]
pub(crate) struct FilesArgs {
    /// Sockets: both ends, the process at the other end, bytes queued each way.
    #[arg(long)]
    sockets: bool,

    /// Mounts of every mount namespace.
    #[arg(long)]
    mounts: bool,

    /// File locks.
    #[arg(long)]
    locks: bool,

    /// Pipes and named pipes: both ends and the bytes that wait in them.
    #[arg(long)]
    pipes: bool,

    /// Interfaces, addresses, routes, rules and firewalls.
    #[arg(long)]
    net: bool,

    /// System V shared memory, message queues and semaphores.
    #[arg(long)]
    ipc: bool,

    /// Names in place of well-known ports.
    #[arg(long)]
    resolve_ports: bool,

    /// Only this process; repeatable, or a list with commas.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pid: Vec<u32>,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `files`.
pub(crate) fn run(args: &FilesArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    // Deleted files and memfds are hashed.
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    selecting::require(&checkpoint, &args.pid)?;
    let options = FilesOptions {
        pids: args.pid.clone(),
        sockets: args.sockets,
        mounts: args.mounts,
        locks: args.locks,
        pipes: args.pipes,
        net: args.net,
        ipc: args.ipc,
        resolve_ports: args.resolve_ports,
    };
    match args.output.format {
        Format::Table => human::files(&mut out, &checkpoint, &options, &layout)?,
        Format::Json => json::write(&mut out, &json::files(&checkpoint, &options))?,
        Format::Jsonl => {
            let document = json::files(&checkpoint, &options);
            json::write_lines(&mut out, document.processes)?;
            json::write_lines(&mut out, document.sockets.unwrap_or_default())?;
            json::write_lines(&mut out, document.mounts.unwrap_or_default())?;
            json::write_lines(&mut out, document.locks.unwrap_or_default())?;
            json::write_lines(&mut out, document.pipes.unwrap_or_default())?;
            json::write_lines(&mut out, document.networks.unwrap_or_default())?;
            json::write_lines(&mut out, document.ipc.unwrap_or_default())?;
        }
    }
    out.finish()?;
    Ok(match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => output::warn(&checkpoint.defects()),
    })
}
