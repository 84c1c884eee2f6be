//! `timeline`: everything that has a time.

use std::path::PathBuf;

use anyhow::Result;
use ckpt::analysis::timeline::{Filter, Source, timeline};
use ckpt::model::{Defect, Need};
use ckpt::report::{bodyfile, human, json, timesketch};
use clap::{Args, ValueEnum, ValueHint};
use jiff::Timestamp;

use crate::cli::EvidenceArgs;
use crate::context::Context;
use crate::exit::Outcome;
use crate::moment;
use crate::output::{self, Output};

/// What happened when: files, log lines, the container, the dump, timers
///
/// Every clock in the checkpoint in one order, each time with what tells of it and how exact it is. Times that were worked
/// out are marked and have the error that they may have. When a process was started is in no checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect timeline checkpoint.tar
  ckpt-inspect timeline --no-logs checkpoint.tar
  ckpt-inspect timeline --since 2026-11-23T00:09:00Z --until 2026-11-24 checkpoint.tar
  ckpt-inspect timeline --source rootfs-diff --source ghost checkpoint.tar
  ckpt-inspect timeline --format bodyfile checkpoint.tar | mactime -y -z UTC
  ckpt-inspect timeline --format timesketch -o sketch.jsonl checkpoint.tar

Sources: host, container, images, member, log, rootfs-diff, tmpfs, dev-shm, volume, ghost, timer.")]
pub(crate) struct TimelineArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    /// Nothing before TIME: `2026-11-23T00:05:00Z`, or a date in UTC.
    #[arg(long, value_name = "TIME", value_parser = moment::parse, help_heading = "Filter")]
    since: Option<Timestamp>,

    /// Nothing at TIME or after it.
    #[arg(long, value_name = "TIME", value_parser = moment::parse, help_heading = "Filter")]
    until: Option<Timestamp>,

    /// Only what this source tells; repeatable.
    #[arg(long, value_name = "SOURCE", help_heading = "Filter")]
    source: Vec<Source>,

    /// No lines of the container's log.
    #[arg(long, help_heading = "Filter")]
    no_logs: bool,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
    format: TimelineFormat,

    /// Write to FILE instead of standard output; it appears under its name only when it is complete.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    output: Option<PathBuf>,
}

/// Form of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TimelineFormat {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON record a line.
    Jsonl,
    /// Files alone, for mactime and other tools of The Sleuth Kit 3.
    Bodyfile,
    /// One JSON record a line, for Timesketch.
    Timesketch,
    /// Comma-separated values, for Timesketch and spreadsheets.
    TimesketchCsv,
}

/// Runs `timeline`.
pub(crate) fn run(args: &TimelineArgs, context: &Context) -> Result<Outcome> {
    let mut out = Output::open(args.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Files)?;
    let found = timeline(&checkpoint, &context.archive_options(&args.evidence.spool));
    let filter = filter(args);
    match args.format {
        TimelineFormat::Table => human::timeline(&mut out, &found, &filter, &layout)?,
        TimelineFormat::Json => {
            json::write(&mut out, &json::timeline(&checkpoint, &found, &filter))?;
        }
        TimelineFormat::Jsonl => {
            for event in found.events(&filter) {
                json::write_line(&mut out, &json::EventRecord::of(&event))?;
            }
        }
        TimelineFormat::Bodyfile => bodyfile::write(&mut out, &found, &filter)?,
        TimelineFormat::Timesketch => {
            timesketch::jsonl(&mut out, &checkpoint, &found, &filter)?;
        }
        TimelineFormat::TimesketchCsv => timesketch::csv(&mut out, &checkpoint, &found, &filter)?,
    }
    out.finish()?;
    let defects: Vec<Defect> = [&checkpoint.defects(), found.defects()].concat();
    Ok(match args.format {
        TimelineFormat::Json => output::outcome(&defects),
        _ => output::warn(&defects),
    })
}

fn filter(args: &TimelineArgs) -> Filter {
    let mut filter = Filter::default();
    filter.since = args.since;
    filter.until = args.until;
    filter.sources.clone_from(&args.source);
    filter.no_logs = args.no_logs;
    filter
}
