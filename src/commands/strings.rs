//! `strings`: text in memory.

use std::collections::HashMap;
use std::io::Write;
use std::ops::ControlFlow;

use anyhow::Result;
use ckpt::model::artifacts::Artifacts;
use ckpt::model::{Checkpoint, Need};
use ckpt::report::json::{PlaceRecord, StreamedDocument, StringRecord};
use ckpt::report::{human, json};
use ckpt::scan::strings::{Encoding, Encodings, Options, Strings, decode};
use ckpt::scan::{Found, Haystack, Hit, Sink};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::scanning::{self, Batch, Lines, WorkArgs};
use crate::selecting::SelectArgs;

/// Strings of memory, with process, address and mapping: ASCII, UTF-8, UTF-16
///
/// A string goes on over pages, runs and mappings that follow one another. Memory that was never written is not searched, and
/// what is missing cannot be. Strings longer than 64 KiB come in parts that are marked with an ellipsis. Memory that
/// processes share, or that a fork has unchanged, is told once, `also in pid N`; in JSON each process has its own record.
/// UTF-16 in which nearly every character repeats the one before it or is next to it in number (4111111111111,
/// 1234567890123) cannot be told from fills and counters and is left out: `search --utf16` finds it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect strings checkpoint.tar | less
  ckpt-inspect strings --pid 4 --vma heap --vma stack checkpoint.tar
  ckpt-inspect strings -n 16 --encoding utf16le,utf16be checkpoint.tar
  ckpt-inspect strings --unique --sort count checkpoint.tar
  ckpt-inspect strings --artifacts checkpoint.tar           deleted files, queues, file system changes, too
  ckpt-inspect strings --format jsonl checkpoint.tar | jq -r 'select(.vma.kind == \"heap\").text'")]
pub(crate) struct StringsArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    select: SelectArgs,

    /// Fewest characters of a string. Of memory without any text, one byte in 50 begins four printable ones, and one in
    /// 2600 eight.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    min_length: u32,

    /// Encodings to look for: ascii, utf8 (with something beyond ASCII), utf16le, utf16be [default: all].
    #[arg(long, value_name = "ENCODING,...", value_delimiter = ',', hide_possible_values = true,
        value_parser = PossibleValuesParser::new(Encoding::TEXT.map(Encoding::word)))]
    encoding: Vec<String>,

    /// Every string once, with how often it is there, and where first. All of them are held in memory.
    #[arg(long)]
    unique: bool,

    /// Order of unique strings [default: where they are first].
    #[arg(long, value_enum, value_name = "KEY", requires = "unique")]
    sort: Option<SortKey>,

    /// Files of the checkpoint, too: everything that `extract` lists.
    #[arg(long)]
    artifacts: bool,

    #[command(flatten)]
    work: WorkArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortKey {
    /// The text, byte by byte.
    Text,
    /// How often it is there, most first.
    Count,
}

impl StringsArgs {
    fn strings(&self) -> Strings {
        let chosen =
            |encoding: &&Encoding| self.encoding.iter().any(|word| word == encoding.word());
        let encodings: Vec<Encoding> = Encoding::TEXT.iter().filter(chosen).copied().collect();
        let encodings =
            if encodings.is_empty() { Encodings::ALL } else { Encodings::of(&encodings) };
        let min_length = usize::try_from(self.min_length).unwrap_or(usize::MAX);
        Strings::new(Options { min_length, encodings, ..Options::default() })
    }
}

/// Runs `strings`.
pub(crate) fn run(args: &StringsArgs, context: &Context) -> Result<Outcome> {
    let out = Output::open(args.output.output.as_deref())?;
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let selection = args.select.select(&checkpoint)?;
    selection.tell_without_memory(&checkpoint);
    let artifacts = if args.artifacts {
        checkpoint.artifacts(&context.archive_options(&args.evidence.spool))
    } else {
        Artifacts::default()
    };
    let mut haystack = Haystack::new();
    haystack.add_memory(&checkpoint, &selection.pids, |mapping, task| selection.has(mapping, task));
    let all = args.select.pid.is_empty() && args.select.comm.is_empty();
    haystack.add_artifacts(scanning::chosen(&artifacts, (!all).then_some(&selection.pids[..])));
    if args.unique {
        unique(args, &checkpoint, &haystack, out, context)?;
    } else {
        every(args, &checkpoint, &haystack, out, context)?;
    }
    Ok(match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => output::warn(&checkpoint.defects()),
    })
}

/// Tells every string as it is found.
fn every(
    args: &StringsArgs,
    checkpoint: &Checkpoint,
    haystack: &Haystack<'_>,
    out: Output,
    context: &Context,
) -> Result<()> {
    let layout = context.layout(out.is_file());
    let bar = context.progress_beside_output(!out.is_file());
    let mut out = out;
    let strings = args.strings();
    match args.output.format {
        Format::Table => {
            let mut out = out.paged(context);
            human::strings_heading(&mut out, false, &layout)?;
            let sink = Lines::new(haystack, true, |bytes, hit, places, _| {
                human::string_line(bytes, hit.found, hit.bytes, places, None, &layout);
            });
            let write = |batch: Batch<'_>| Ok(out.write_all(&batch.bytes)?);
            scanning::search(haystack, &strings, &sink, &args.work, bar, write)?;
            out.finish()
        }
        Format::Json => {
            let mut list = StreamedDocument::begin(&mut out, SCHEMA, checkpoint, "strings")?;
            let write = |batch: Batch<'_>| Ok(list.lines(&batch.bytes)?);
            scanning::search(haystack, &strings, &records(haystack), &args.work, bar, write)?;
            list.finish(checkpoint)?;
            out.finish()
        }
        Format::Jsonl => {
            let write = |batch: Batch<'_>| Ok(out.write_all(&batch.bytes)?);
            scanning::search(haystack, &strings, &records(haystack), &args.work, bar, write)?;
            out.finish()
        }
    }
}

/// A record for each place of each string, one a line.
fn records<'a>(haystack: &'a Haystack<'a>) -> impl Sink<Batch = Batch<'a>> + 'a {
    Lines::new(haystack, false, |bytes, hit, places, more| {
        for place in PlaceRecord::all(places, more) {
            // A vector takes all.
            let _ = json::write_line(bytes, &StringRecord::new(hit.found, hit.bytes, place, None));
        }
    })
}

const SCHEMA: &str = "ckpt-inspect/strings/1";

/// Strings as they are, for counting.
struct Keep<'a>(&'a Haystack<'a>);

/// A string and in how many places it was found at once.
struct Kept {
    bytes: Box<[u8]>,
    found: Found,
    region: usize,
    places: u64,
}

impl Sink for Keep<'_> {
    type Batch = Vec<Kept>;

    fn add(&self, batch: &mut Vec<Kept>, hit: &Hit<'_>) -> ControlFlow<()> {
        let region = hit.part.region();
        let mut places = Vec::new();
        self.0.places(region, &hit.found.range, &mut places);
        if !places.is_empty() {
            let bytes = hit.bytes.into();
            batch.push(Kept {
                bytes,
                found: hit.found.clone(),
                region,
                places: places.len() as u64,
            });
        }
        if batch.len() >= 4096 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Where a unique string was first, and how often it is there.
struct Unique {
    found: Found,
    region: usize,
    count: u64,
}

/// Tells every string once.
fn unique(
    args: &StringsArgs,
    checkpoint: &Checkpoint,
    haystack: &Haystack<'_>,
    out: Output,
    context: &Context,
) -> Result<()> {
    let layout = context.layout(out.is_file());
    let mut by_text: HashMap<(Encoding, Box<[u8]>), usize> = HashMap::new();
    let mut all: Vec<Unique> = Vec::new();
    let take = |batch: Vec<Kept>| {
        for Kept { bytes, found, region, places } in batch {
            let at = *by_text.entry((found.encoding, bytes)).or_insert(all.len());
            match all.get_mut(at) {
                Some(one) => one.count = one.count.saturating_add(places),
                None => all.push(Unique { found, region, count: places }),
            }
        }
        Ok(())
    };
    let bar = context.progress();
    scanning::search(haystack, &args.strings(), &Keep(haystack), &args.work, bar, take)?;
    let mut list: Vec<(&[u8], &Unique)> = by_text
        .iter()
        .filter_map(|((_, bytes), at)| Some((bytes.as_ref(), all.get(*at)?)))
        .collect();
    // Where they are first, then as the user likes.
    list.sort_unstable_by_key(|(_, one)| (one.region, one.found.range.start));
    match args.sort {
        Some(SortKey::Text) => {
            list.sort_by_cached_key(|(bytes, one)| decode(bytes, one.found.encoding));
        }
        Some(SortKey::Count) => list.sort_by_key(|(_, one)| std::cmp::Reverse(one.count)),
        None => {}
    }
    let mut out = if args.output.format == Format::Table { out.paged(context) } else { out };
    let mut lines = Vec::new();
    let mut places = Vec::new();
    let mut add = |lines: &mut Vec<u8>, (bytes, one): (&[u8], &Unique), table: bool| {
        let Unique { found, region, count } = one;
        haystack.places(*region, &found.range, &mut places);
        let Some(place) = places.first() else { return Ok(()) };
        if table {
            let place = std::slice::from_ref(place);
            human::string_line(lines, found, bytes, place, Some(*count), &layout);
            return Ok(());
        }
        {
            let place = PlaceRecord::of(place);
            json::write_line(lines, &StringRecord::new(found, bytes, place, Some(*count)))
        }
    };
    match args.output.format {
        Format::Table => {
            human::strings_heading(&mut out, true, &layout)?;
            for one in list {
                lines.clear();
                add(&mut lines, one, true)?;
                out.write_all(&lines)?;
            }
        }
        Format::Jsonl => {
            for one in list {
                lines.clear();
                add(&mut lines, one, false)?;
                out.write_all(&lines)?;
            }
        }
        Format::Json => {
            let mut document = StreamedDocument::begin(&mut out, SCHEMA, checkpoint, "strings")?;
            for one in list {
                lines.clear();
                add(&mut lines, one, false)?;
                document.lines(&lines)?;
            }
            document.finish(checkpoint)?;
        }
    }
    out.finish()
}
