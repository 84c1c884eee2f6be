//! `maps`: memory maps.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use ckpt::memory::Mapping;
use ckpt::model::{FillOptions, MemoryMap, Need};
use ckpt::report::{human, json};
use clap::{Args, ValueHint};

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::selecting::SelectArgs;

/// Memory map of each process: what backs each mapping, what of it was captured, what to notice
///
/// As /proc/PID/maps, with the memory that is in the images (DUMPED), that was never written (ZERO), that the dump left in
/// the mapped file (IN FILE), and that should be there and is not (MISSING). Files are looked for in the checkpoint itself; --base or --rootfs add
/// the container's image, so that code can be held against the file it was loaded from.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect maps checkpoint.tar
  ckpt-inspect maps --pid 4 --vma rwx --vma exec checkpoint.tar
  ckpt-inspect maps --vma 'file:*.so*' checkpoint.tar
  ckpt-inspect maps --marked checkpoint.tar               only what to notice
  ckpt-inspect maps --base image-oci/ checkpoint.tar      code held against the image
  ckpt-inspect maps --modules checkpoint.tar              ELF objects with their build ids
  ckpt-inspect maps --format json checkpoint.tar | jq '.processes[].vmas[] | select(.marks != [])'")]
pub(crate) struct MapsArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    select: SelectArgs,

    /// Only mappings with a mark: executable memory without a file, code that was written to, ELF headers in memory.
    #[arg(long, help_heading = "Select")]
    marked: bool,

    /// The ELF objects in memory: programs, libraries, and what was loaded without a file.
    #[arg(long)]
    modules: bool,

    #[command(flatten)]
    files: FilesArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// Files of the container that the analyst has.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct FilesArgs {
    /// The container's image, for pages that a dump leaves in the file: an OCI layout (directory or tar) or the archive
    /// of `docker save`.
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(crate) base: Option<PathBuf>,

    /// A directory with the container's root file system, for the same.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) rootfs: Option<PathBuf>,
}

impl FilesArgs {
    /// Where to look for mapped files.
    pub(crate) fn options(&self, evidence: &EvidenceArgs, context: &Context) -> FillOptions {
        let mut options = FillOptions::default().archive(context.archive_options(&evidence.spool));
        if let Some(base) = &self.base {
            options = options.base(base);
        }
        if let Some(rootfs) = &self.rootfs {
            options = options.rootfs(rootfs);
        }
        options
    }
}

/// Runs `maps`.
pub(crate) fn run(args: &MapsArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let selection = args.select.select(&checkpoint)?;
    selection.tell_without_memory(&checkpoint);
    let options = args.files.options(&args.evidence, context);
    let files = checkpoint.file_sources(&options).context("cannot use the container's files")?;
    let keep = |mapping: &Mapping, map: &MemoryMap<'_>| {
        selection.has(mapping, map.task) && (!args.marked || map.is_marked(mapping))
    };
    match args.output.format {
        Format::Table => {
            let pids = &selection.pids;
            human::maps(&mut out, &checkpoint, pids, &files, keep, args.modules, &layout)?;
        }
        Format::Json => {
            let document = json::maps(&checkpoint, &selection.pids, &files, keep, args.modules);
            json::write(&mut out, &document)?;
        }
        Format::Jsonl => {
            let document = json::maps(&checkpoint, &selection.pids, &files, keep, args.modules);
            json::write_lines(&mut out, document.processes)?;
        }
    }
    out.finish()?;
    Ok(match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => output::warn(&checkpoint.defects()),
    })
}
