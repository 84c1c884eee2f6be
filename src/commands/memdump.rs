//! `memdump`: memory as a hexdump, as raw bytes, as an ELF core.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use ckpt::coredump::{Core, CoreOptions};
use ckpt::memory::AddrRange;
use ckpt::model::{Checkpoint, MemorySizes, Need, Pid, Task};
use ckpt::report::{human, json};
use clap::{Args, ValueEnum, ValueHint};

use super::maps::FilesArgs;
use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::dumping::{self, Part};
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::selecting::{SelectArgs, Selection};

/// What writes the index.
const TOOL: &str = concat!("ckpt-inspect ", env!("CARGO_PKG_VERSION"));

/// Memory as a hexdump, as raw bytes, or as an ELF core for gdb
///
/// Without a process, and with --format: how much memory there is of each. What was not captured is never shown as zeros: a hexdump says what
/// is missing and why, raw bytes are refused unless --sparse is given, a core leaves it out. Pages that a dump leaves in
/// the mapped file are filled on request: from the checkpoint itself with --fill, from the container's image with --base or
/// --rootfs, if size and build id are those of the file that was mapped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect memdump checkpoint.tar                                    sizes by process
  ckpt-inspect memdump checkpoint.tar --pid 4 --format json              those of one
  ckpt-inspect memdump checkpoint.tar --pid 4 --vma heap | less
  ckpt-inspect memdump checkpoint.tar --pid 4 --range 0x7f76c1772000+64
  ckpt-inspect memdump checkpoint.tar --pid 4 --range 0x7f76c1772000-0x7f76c1773000 --as raw -o page
  ckpt-inspect memdump checkpoint.tar --comm 'redis*' --as raw --to memory/
  ckpt-inspect memdump checkpoint.tar --pid 1 --as core -o core.1 --rootfs rootfs/
  gdb -q -nx -iex 'set sysroot rootfs' -c core.1                         and `bt`, `info threads`, `x/16xb ADDR`")]
pub(crate) struct MemdumpArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    /// Form of the memory [default: hex].
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,

    /// Only these addresses: 0xSTART-0xEND or 0xSTART+LENGTH.
    #[arg(long, value_name = "RANGE", help_heading = "Select")]
    range: Option<AddrRange>,

    #[command(flatten)]
    select: SelectArgs,

    /// Write a file for each mapping (raw) or process (core) to DIR, which is made if it does not exist; raw files get an
    /// index.json that says what they are.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "output")]
    to: Option<PathBuf>,

    /// Write zeros for what is missing of the raw bytes of a range, and say on standard error what that is.
    #[arg(long)]
    sparse: bool,

    /// Fill pages that the dump left in mapped files from files in the checkpoint: deleted files, the rootfs diff, volumes.
    #[arg(long, help_heading = "Files")]
    fill: bool,

    #[command(flatten)]
    files: FilesArgs,

    /// No pager, even on a terminal.
    #[arg(long, help_heading = "Output")]
    no_pager: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// Forms of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Addresses, hexadecimal digits and characters.
    Hex,
    /// The bytes as they are.
    Raw,
    /// An ELF core, as the kernel would have written it.
    Core,
}

impl MemdumpArgs {
    /// Whether memory is asked for, and not only how much there is. As JSON there are only sizes, so that a choice of
    /// processes is one of rows.
    fn asks_for_memory(&self) -> bool {
        let SelectArgs { pid, comm, vma } = &self.select;
        let names_processes = !(pid.is_empty() && comm.is_empty());
        self.form.is_some()
            || self.range.is_some()
            || self.to.is_some()
            || !vma.is_empty()
            || (names_processes && self.output.format == Format::Table)
    }
}

/// Runs `memdump`.
pub(crate) fn run(args: &MemdumpArgs, context: &Context) -> Result<Outcome> {
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let selection = args.select.select(&checkpoint)?;
    if args.sparse && (args.form != Some(Form::Raw) || args.to.is_some()) {
        bail!("--sparse is for the raw bytes of a range: --pid N --range A-B --as raw");
    }
    if !args.asks_for_memory() {
        return sizes(args, &checkpoint, &selection, context);
    }
    if args.output.format != Format::Table {
        bail!(
            "memory itself is written with --as hex, raw or core; --format is for the sizes of processes (--pid, --comm)"
        );
    }
    let parts = parts(args, &checkpoint, &selection, context)?;
    selection.tell_without_memory(&checkpoint);
    match args.form.unwrap_or(Form::Hex) {
        Form::Hex => hex(args, &parts, context)?,
        Form::Raw => raw(args, &checkpoint, &parts, context)?,
        Form::Core => core(args, &checkpoint, &parts, context)?,
    }
    Ok(output::warn(&checkpoint.defects()))
}

/// The table of processes.
fn sizes(
    args: &MemdumpArgs,
    checkpoint: &Checkpoint,
    selection: &Selection,
    context: &Context,
) -> Result<Outcome> {
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    selection.tell_without_memory(checkpoint);
    let tasks = selection.pids.iter().filter_map(|pid| checkpoint.processes().get(*pid));
    // Those who share a memory have the same.
    let mut known: HashMap<Pid, Option<MemorySizes>> = HashMap::new();
    let processes: Vec<(&Task, MemorySizes)> = tasks
        .filter_map(|task| {
            let read = || Some(MemorySizes::of(&checkpoint.memory(task.pid)?));
            Some((task, (*known.entry(task.mm_owner?).or_insert_with(read))?))
        })
        .collect();
    match args.output.format {
        Format::Table => human::memory(&mut out, &processes, &layout)?,
        Format::Json => json::write(&mut out, &json::memory(checkpoint, &processes))?,
        Format::Jsonl => {
            json::write_lines(&mut out, json::memory(checkpoint, &processes).processes)?;
        }
    }
    out.finish()?;
    Ok(match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => output::warn(&checkpoint.defects()),
    })
}

/// The memory of the selected processes; of processes that share it, the first one's.
fn parts<'a>(
    args: &MemdumpArgs,
    checkpoint: &'a Checkpoint,
    selection: &Selection,
    context: &Context,
) -> Result<Vec<Part<'a>>> {
    let FilesArgs { base, rootfs } = &args.files;
    let files = if args.fill || base.is_some() || rootfs.is_some() {
        let options = args.files.options(&args.evidence, context);
        Some(checkpoint.file_sources(&options).context("cannot use the container's files")?)
    } else {
        None
    };
    let mut owners: Vec<Pid> = Vec::new();
    let mut parts = Vec::new();
    for pid in &selection.pids {
        let Some(task) = checkpoint.processes().get(*pid) else { continue };
        let owner = task.mm_owner.unwrap_or(*pid);
        if owners.contains(&owner) && !args.select.pid.contains(&pid.0) {
            continue;
        }
        let space = match &files {
            Some(files) => checkpoint.memory_filled(*pid, files),
            None => checkpoint.memory(*pid),
        };
        let Some(space) = space else { continue };
        owners.push(owner);
        let inside = |mapping: &ckpt::memory::Mapping| {
            args.range.is_none_or(|range| mapping.start < range.end && range.start < mapping.end)
        };
        let meant = space.mappings().iter().enumerate();
        let meant = meant.filter(|(_, mapping)| selection.has(mapping, task) && inside(mapping));
        let mappings: Vec<usize> = meant.map(|(at, _)| at).collect();
        parts.push(Part { task, space, mappings });
    }
    match (parts.as_slice(), args.range) {
        ([], _) => bail!("no memory: the process has ended, or its images are not in the dump"),
        ([part], Some(range)) => dumping::require_mapped(part.task, &part.space, range)?,
        _ => {}
    }
    Ok(parts)
}

/// Fails when no mapping is meant at all, and says what chose none.
fn require_some(args: &MemdumpArgs, parts: &[Part<'_>]) -> Result<()> {
    if parts.iter().any(|part| !part.mappings.is_empty()) {
        return Ok(());
    }
    let of = match parts {
        [part] => format!("process {} has", part.task.pid),
        _ => format!("{} processes have", parts.len()),
    };
    match (args.select.vma.is_empty(), args.range) {
        (false, None) => bail!("{of} no mapping that --vma names; `maps` shows which there are"),
        (false, Some(range)) => bail!("{of} no mapping at {range} that --vma names"),
        (true, Some(range)) => bail!("{of} nothing mapped at {range}"),
        (true, None) => bail!("{of} no mapping"),
    }
}

fn hex(args: &MemdumpArgs, parts: &[Part<'_>], context: &Context) -> Result<()> {
    if args.to.is_some() {
        bail!("--to is for --as raw and --as core");
    }
    require_some(args, parts)?;
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    if !args.no_pager {
        out = out.paged(context);
    }
    for part in parts.iter().filter(|part| !part.mappings.is_empty()) {
        human::process_title(&mut out, part.task, &layout)?;
        match args.range {
            // What lies between mappings is told too.
            Some(range) if args.select.vma.is_empty() => {
                human::hexdump(&mut out, &part.space, range, &layout)?;
            }
            _ => {
                for mapping in part.mappings() {
                    let shown = args.range.unwrap_or(mapping.range());
                    let shown = AddrRange {
                        start: mapping.start.max(shown.start),
                        end: mapping.end.min(shown.end),
                    };
                    human::hexdump(&mut out, &part.space, shown, &layout)?;
                }
            }
        }
    }
    out.finish()
}

fn raw(
    args: &MemdumpArgs,
    checkpoint: &Checkpoint,
    parts: &[Part<'_>],
    context: &Context,
) -> Result<()> {
    let bar = context.progress();
    if let Some(to) = &args.to {
        if args.range.is_some() {
            bail!("--range goes to one file: give -o FILE in place of --to");
        }
        require_some(args, parts)?;
        return dumping::mappings(checkpoint, parts, to, TOOL, bar.as_ref());
    }
    let (Some(range), [part]) = (args.range, parts) else {
        bail!(
            "raw bytes are of one range of one process (--pid N --range A-B), or of every mapping (--to DIR)"
        );
    };
    if !args.select.vma.is_empty() {
        bail!("--range with --vma is for --as hex: the raw bytes of a range are all of them");
    }
    let mut out = Output::open(args.output.output.as_deref())?;
    if !out.is_file() && context.stdout_is_terminal() {
        bail!("raw bytes do not belong on a terminal: give -o FILE, or --as hex");
    }
    let gaps = dumping::gaps(&part.space, range);
    if !gaps.is_empty() {
        let told = dumping::told(&gaps);
        if !args.sparse {
            bail!(
                "not all of {range} is there: {told}. --sparse writes zeros for it; --fill, --base and --rootfs look for mapped files"
            );
        }
        let _ =
            writeln!(std::io::stderr(), "ckpt-inspect: zeros stand for what is missing: {told}");
    }
    dumping::range(&mut out, &part.space, range, bar.as_ref())?;
    out.finish()
}

fn core(
    args: &MemdumpArgs,
    checkpoint: &Checkpoint,
    parts: &[Part<'_>],
    context: &Context,
) -> Result<()> {
    if args.range.is_some() || !args.select.vma.is_empty() {
        bail!("a core holds all of a process: --range and --vma are for --as hex and --as raw");
    }
    let options = CoreOptions::of(checkpoint);
    if let Some(to) = &args.to {
        return dumping::cores(parts, &options, to);
    }
    let [part] = parts else {
        bail!("a core is of one process: name it with --pid, or give --to DIR for all of them");
    };
    let core = Core::of(part.task, &part.space, &options);
    let mut out = Output::open(args.output.output.as_deref())?;
    if !out.is_file() && context.stdout_is_terminal() {
        bail!("a core does not belong on a terminal: give -o FILE");
    }
    match out.as_file() {
        Some(file) => core.write_sparse_to(file)?,
        None => core.write_to(&mut out)?,
    }
    out.finish()?;
    dumping::tell_lacks(part.task, &core);
    Ok(())
}
