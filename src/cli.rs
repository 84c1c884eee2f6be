//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::commands;

/// Forensic reader of container checkpoints.
///
/// Reads what podman, CRI-O, containerd, docker or CRIU itself wrote when a container was checkpointed: offline, without
/// restoring anything, and without writing beside the evidence. What cannot be read is told and never stops the rest.
#[derive(Debug, Parser)]
#[command(name = "ckpt-inspect", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Colours in tables and trees.
    // Numbered, because clap counts subcommands and arguments together: every new command would move it.
    #[arg(long, value_enum, default_value_t = When::Auto, global = true, display_order = 0, value_name = "WHEN", help_heading = "Output")]
    pub(crate) color: When,
}

const AFTER_HELP: &str = "\
Examples:
  ckpt-inspect info checkpoint.tar               what container, when, by whom
  ckpt-inspect tree checkpoint.tar               its processes
  ckpt-inspect tree --env --creds checkpoint.tar
  zstd -dc checkpoint.tar.zst | ckpt-inspect tree -
  ckpt-inspect diff checkpoint.tar               what changed in its file system
  ckpt-inspect extract checkpoint.tar            what can be had as a file
  ckpt-inspect files --sockets checkpoint.tar    who talks to whom, bytes in flight
  ckpt-inspect timeline checkpoint.tar           what happened when, as far as anything tells
  ckpt-inspect triage checkpoint.tar             what to look at first, and why
  ckpt-inspect verify checkpoint.tar             whether it is whole and consistent
  ckpt-inspect strings checkpoint.tar            text in memory, with process and address
  ckpt-inspect search checkpoint.tar -l hunter2  who has it in memory, which file holds it
  ckpt-inspect scan checkpoint.tar --secrets     keys, tokens and passwords; YARA with --rules
  ckpt-inspect report checkpoint.tar -o r.html   all of it as one page
  ckpt-inspect show checkpoint.tar core-1.img    one CRIU image, decoded
  ckpt-inspect build checkpoint.tar --to image   an OCI image that engines restore from
  ckpt-inspect trigger web-0 --fetch evidence/   a checkpoint of a running pod

Exit status: 0 done; 1 done, and something was found, with --exit-code; 2 nothing usable; 3 done, with defects.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Info(commands::info::InfoArgs),
    List(commands::list::ListArgs),
    Tree(commands::tree::TreeArgs),
    Diff(commands::diff::DiffArgs),
    Extract(commands::extract::ExtractArgs),
    Files(commands::files::FilesArgs),
    Maps(commands::maps::MapsArgs),
    Memdump(commands::memdump::MemdumpArgs),
    Report(commands::report::ReportArgs),
    Strings(commands::strings::StringsArgs),
    Search(commands::search::SearchArgs),
    Scan(Box<commands::scan::ScanArgs>),
    Show(commands::show::ShowArgs),
    Timeline(commands::timeline::TimelineArgs),
    Triage(commands::triage::TriageArgs),
    Verify(commands::verify::VerifyArgs),
    Build(commands::build::BuildArgs),
    #[cfg(feature = "trigger")]
    Trigger(Box<commands::trigger::TriggerArgs>),
    Completions(commands::completions::CompletionsArgs),
    Man(commands::man::ManArgs),
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON record a line.
    Jsonl,
}

/// Where the output goes and how it looks.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Form of the output.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,

    /// Write to FILE instead of standard output; it appears under its name only when it is complete.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

/// What to open and which part of it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Evidence")]
pub(crate) struct EvidenceArgs {
    /// A checkpoint: archive (tar, also in gzip, zstd, xz or bzip2), directory, OCI image, or `-` for standard input.
    #[arg(value_name = "EVIDENCE", value_hint = ValueHint::AnyPath)]
    pub(crate) evidence: PathBuf,

    #[command(flatten)]
    pub(crate) pick: PickArgs,

    #[command(flatten)]
    pub(crate) spool: SpoolArgs,
}

/// Which part of evidence that holds several.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Evidence")]
pub(crate) struct PickArgs {
    /// Evidence with the parent of an incremental dump; repeat for its parents, nearest first.
    #[arg(long, value_name = "EVIDENCE", value_hint = ValueHint::AnyPath)]
    pub(crate) parent: Vec<PathBuf>,

    /// Image directory to show, where there are several.
    #[arg(long, value_name = "DIR")]
    pub(crate) images: Option<String>,

    /// Container to show, by name, id or path, where there are several.
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
}

/// Where compressed evidence is unpacked.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Evidence")]
pub(crate) struct SpoolArgs {
    /// Directory for unpacked data: one file without a name, gone when the program ends [default: the system's
    /// temporary directory].
    #[arg(long, value_name = "DIR", env = "CKPT_SPOOL_DIR", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) spool: Option<PathBuf>,
}
