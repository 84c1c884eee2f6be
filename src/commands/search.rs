//! `search`: literals, expressions and patterns of bytes over memory and files.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::{Result, bail};
use ckpt::archive::{Progress, Watch};
use ckpt::model::{Checkpoint, Need};
use ckpt::report::human::{self, HitLine, SearchSheet};
use ckpt::report::json::{
    self, ContextRecord, PlaceRecord, SearchCountRecord, SearchRecord, StreamedDocument,
};
use ckpt::scan::search::{Search, SearchBuilder, Sieve, Sifted};
use ckpt::scan::{CopySpace, Haystack, Hit, Piece, Place, Sink, run as scan};
use clap::Args;

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::scanning::WorkArgs;
use crate::selecting::{SelectArgs, Selection};

/// Bytes around a hit that a table shows when the user does not say how many.
const AROUND: usize = 32;

/// Hits that are handed on together, bytes.
const BATCH: usize = 64 << 10;

/// Literals, regular expressions and patterns of bytes, over memory and everything that `extract` lists
///
/// Memory that several processes share is searched once; the table says who else has a hit, jsonl lists each. Memory that
/// was never written is not searched, and what is missing cannot be. Regular expressions match bytes: a dot is any byte
/// but a line feed, and `(?u)` turns Unicode on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect search checkpoint.tar --literal hunter2
  ckpt-inspect search checkpoint.tar --literal password --literal token -i --utf16
  ckpt-inspect search checkpoint.tar --regex 'AKIA[0-9A-Z]{16}' --format jsonl
  ckpt-inspect search checkpoint.tar --hex '7f 45 4c 46 0? ?? 01' --vma anon
  ckpt-inspect search checkpoint.tar --hex '4d 5a [0-64] 50 45 00 00'
  ckpt-inspect search checkpoint.tar --regex '(?i)authorization: [^\\r\\n]+' --pid 1 --context 64
  ckpt-inspect search checkpoint.tar --literal xmrig --count --exit-code

Exit status: 0 done; 1 with --exit-code when something was found; 2 nothing usable; 3 done, with defects.")]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    patterns: PatternArgs,

    #[command(flatten)]
    select: SelectArgs,

    /// Only memory, not what `extract` lists.
    #[arg(long, conflicts_with = "artifacts", help_heading = "Select")]
    memory: bool,

    /// Only what `extract` lists, not memory.
    #[arg(long, conflicts_with = "vma", help_heading = "Select")]
    artifacts: bool,

    /// Show so many bytes before and behind each hit [default: 32 in the table, none in JSON].
    #[arg(long, short = 'C', value_name = "BYTES", help_heading = "Output")]
    context: Option<usize>,

    /// Only how often each pattern was found, by process and artifact.
    #[arg(long, conflicts_with = "max_count", help_heading = "Output")]
    count: bool,

    /// Stop after so many hits, and say so.
    #[arg(long, short = 'm', value_name = "HITS", help_heading = "Output",
        value_parser = clap::value_parser!(u64).range(1..))]
    max_count: Option<u64>,

    /// End with status 1 when something was found.
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    work: WorkArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What to look for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Patterns")]
struct PatternArgs {
    /// A text, found wherever it stands; repeatable.
    #[arg(long, short = 'l', value_name = "TEXT", allow_hyphen_values = true)]
    literal: Vec<String>,

    /// A regular expression over bytes; repeatable.
    #[arg(long, short = 'e', value_name = "RE", allow_hyphen_values = true)]
    regex: Vec<String>,

    /// Bytes in hexadecimal: `?` is any digit, `[n]` and `[n-m]` are gaps of so many bytes; repeatable.
    #[arg(long, short = 'x', value_name = "PATTERN")]
    hex: Vec<String>,

    /// Case does not matter in texts and expressions.
    #[arg(long, short = 'i')]
    ignore_case: bool,

    /// Look for texts in UTF-16 too, in both byte orders. One that can be read in both, one byte apart, is a hit once: at the
    /// even address.
    #[arg(long)]
    utf16: bool,
}

impl PatternArgs {
    fn search(&self, context: usize) -> Result<Search> {
        if self.literal.is_empty() && self.regex.is_empty() && self.hex.is_empty() {
            bail!("nothing to look for: give --literal TEXT, --regex RE or --hex PATTERN");
        }
        let builder = self.literal.iter().fold(Search::builder(), SearchBuilder::literal);
        let builder = self.regex.iter().fold(builder, SearchBuilder::regex);
        let builder = self.hex.iter().fold(builder, SearchBuilder::hex);
        let builder = builder.ignore_case(self.ignore_case).utf16(self.utf16).context(context);
        Ok(builder.build()?)
    }
}

/// Runs `search`.
pub(crate) fn run(args: &SearchArgs, context: &Context) -> Result<Outcome> {
    let around = match args.output.format {
        Format::Table if !args.count => args.context.unwrap_or(AROUND),
        _ => args.context.unwrap_or(0),
    };
    let search = Arc::new(args.patterns.search(around)?);
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let sieve = Sieve::of(&search).map(Arc::new);
    let watch = sieve.clone().map(|sieve| sieve as Arc<dyn Watch>);
    let checkpoint = context.open_watched(&args.evidence, Need::Everything, watch)?;
    let selection = args.select.select(&checkpoint)?;
    let artifacts = wants_artifacts(args)
        .then(|| checkpoint.artifacts(&context.archive_options(&args.evidence.spool)));
    let mut haystack = Haystack::new();
    if !args.artifacts {
        selection.tell_without_memory(&checkpoint);
        haystack
            .add_memory(&checkpoint, &selection.pids, |mapping, task| selection.has(mapping, task));
    }
    if let Some(artifacts) = &artifacts {
        haystack.add_artifacts(artifacts.list.iter().filter(|one| is_meant(one, &selection, args)));
    }
    let found = Searching {
        args,
        checkpoint: &checkpoint,
        haystack: &haystack,
        search: &search,
        sifted: sieve.map(|sieve| sieve.sifted()),
        around,
        context,
        rows_to_stdout: !args.count && !out.is_file(),
    };
    let hits = match args.output.format {
        _ if args.count => found.count(&mut out, &layout)?,
        Format::Table => found.table(&mut out, layout)?,
        Format::Json => found.document(&mut out)?,
        Format::Jsonl => found.lines(&mut out)?,
    };
    out.finish()?;
    let outcome = match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => output::warn(&checkpoint.defects()),
    };
    Ok(if args.exit_code && hits > 0 { Outcome::Found } else { outcome })
}

/// A choice of mappings leaves out what is none.
fn wants_artifacts(args: &SearchArgs) -> bool {
    args.artifacts || (!args.memory && args.select.vma.is_empty())
}

/// With a choice of processes, only what these have.
fn is_meant(
    artifact: &ckpt::model::artifacts::Artifact,
    selection: &Selection,
    args: &SearchArgs,
) -> bool {
    let SelectArgs { pid, comm, .. } = &args.select;
    (pid.is_empty() && comm.is_empty())
        || artifact.holders.iter().any(|holder| selection.pids.contains(&holder.pid))
}

/// A search under way.
struct Searching<'a> {
    args: &'a SearchArgs,
    checkpoint: &'a Checkpoint,
    haystack: &'a Haystack<'a>,
    search: &'a Search,
    /// What is known of a compressed archive from its way to the spool.
    sifted: Option<Sifted>,
    around: usize,
    context: &'a Context,
    /// Whether hits are written to standard output as they are found.
    rows_to_stdout: bool,
}

/// Why scanning ends before its end.
enum Stop {
    /// There are as many hits as the user wants.
    Enough,
    Failed(anyhow::Error),
}

/// How scanning ended.
struct Ended {
    hits: u64,
    /// Whether there are as many hits as the user wants, so that not all was searched.
    early: bool,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl<'a> Searching<'a> {
    /// Scans, and hands on the batches in order; the number of hits is what `take` makes of them. With it, whether that was
    /// the end.
    fn scan<K: Sink>(
        &self,
        sink: &K,
        mut take: impl FnMut(K::Batch, &mut u64) -> Result<(), Stop>,
    ) -> Result<Ended> {
        let work = self.args.work.work();
        let bar = self.context.progress_beside_output(self.rows_to_stdout);
        if let Some(bar) = &bar {
            bar.begin("searching", Some(self.haystack.size()));
        }
        let pieces = self.haystack.pieces().inspect(|piece| {
            if let Some(bar) = &bar {
                bar.advance(piece.bytes.len() as u64);
            }
        });
        let pieces = pieces.flat_map(|piece| self.keep(piece));
        let mut hits = 0;
        let scanned = scan(pieces, self.search, sink, work, |batch| take(batch, &mut hits));
        if let Some(bar) = &bar {
            bar.end();
        }
        match scanned {
            Ok(()) => Ok(Ended { hits, early: false }),
            Err(Stop::Enough) => Ok(Ended { hits, early: true }),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// What has to be searched of a piece: the rest was seen to hold nothing while the archive was unpacked.
    fn keep(&self, piece: Piece) -> Vec<Piece> {
        let passed = self.checkpoint.evidence().passed_at(&piece.bytes);
        match self.sifted.as_ref().zip(passed) {
            Some((sifted, position)) => sifted.keep(&piece, position),
            None => vec![piece],
        }
    }

    /// How many more hits are wanted.
    fn left(&self, hits: u64) -> u64 {
        self.args.max_count.map_or(u64::MAX, |most| most.saturating_sub(hits))
    }

    fn pattern(&self, number: usize) -> &'a str {
        self.search.patterns().get(number).map_or("", String::as_str)
    }

    fn lines(&self, out: &mut impl Write) -> Result<u64> {
        let Ended { hits, early } = self.scan(&Lines { of: self }, |batch, hits| {
            let written = batch.upto(self.left(*hits));
            out.write_all(written.0)?;
            *hits = hits.saturating_add(written.1);
            if self.left(*hits) == 0 { Err(Stop::Enough) } else { Ok(()) }
        })?;
        if early {
            let hits = if hits == 1 { "1 hit".to_owned() } else { format!("{hits} hits") };
            output::note(format_args!("stopped after {hits} (--max-count): there may be more"));
        }
        Ok(hits)
    }

    fn document(&self, out: &mut impl Write) -> Result<u64> {
        let mut document =
            StreamedDocument::begin(out, "ckpt-inspect/search/1", self.checkpoint, "hits")?;
        let Ended { hits, early } = self.scan(&Lines { of: self }, |batch, hits| {
            let written = batch.upto(self.left(*hits));
            document.lines(written.0)?;
            *hits = hits.saturating_add(written.1);
            if self.left(*hits) == 0 { Err(Stop::Enough) } else { Ok(()) }
        })?;
        document.finish_with(self.checkpoint, "stopped", &early)?;
        Ok(hits)
    }

    fn table(&self, out: &mut impl Write, layout: human::Layout) -> Result<u64> {
        let mut sheet = SearchSheet::new(layout);
        let Ended { hits, early } = self.scan(&Table { of: self }, |batch, hits| {
            for hit in batch.hits {
                sheet.hit(out, &hit)?;
                *hits = hits.saturating_add(1);
                if self.left(*hits) == 0 {
                    return Err(Stop::Enough);
                }
            }
            Ok(())
        })?;
        // How much was searched by then is not known: several threads did.
        sheet.finish(out, (!early).then_some(self.haystack.size()))?;
        Ok(hits)
    }

    fn count(&self, out: &mut impl Write, layout: &human::Layout) -> Result<u64> {
        let mut sums: BTreeMap<Key<'_>, u64> = BTreeMap::new();
        let Ended { hits, .. } = self.scan(&Counts { of: self }, |batch, hits| {
            for (key, count) in batch {
                let sum = sums.entry(key).or_default();
                *sum = sum.saturating_add(count);
                *hits = hits.saturating_add(count);
            }
            Ok(())
        })?;
        let counts = sums.into_iter().map(|((pattern, pid, artifact), hits)| SearchCountRecord {
            pattern: self.pattern(pattern),
            pid,
            artifact,
            hits,
        });
        let counts: Vec<SearchCountRecord<'_>> = counts.collect();
        match self.args.output.format {
            Format::Table => human::search_counts(out, &counts, layout)?,
            Format::Json => json::write(out, &json::search_counts(self.checkpoint, counts))?,
            Format::Jsonl => json::write_lines(out, counts)?,
        }
        Ok(hits)
    }

    /// What lies before and behind a hit.
    fn around(&self, hit: &Hit<'_>) -> (Vec<u8>, Vec<u8>) {
        let range = &hit.found.range;
        let around = self.around as u64;
        let mut copy = Vec::new();
        let before = hit.part.bytes(range.start.saturating_sub(around)..range.start, &mut copy);
        let before = before.to_vec();
        let after = hit.part.bytes(range.end..range.end.saturating_add(around), &mut copy);
        (before, after.to_vec())
    }
}

/// Number of the pattern, pid, id of the artifact.
type Key<'a> = (usize, Option<u32>, Option<&'a str>);

/// Counts hits by pattern and place.
struct Counts<'a> {
    of: &'a Searching<'a>,
}

impl<'a> Sink for Counts<'a> {
    type Batch = BTreeMap<Key<'a>, u64>;

    fn add(&self, batch: &mut Self::Batch, hit: &Hit<'_>) -> ControlFlow<()> {
        let mut places = Vec::new();
        self.of.haystack.places(hit.part.region(), &hit.found.range, &mut places);
        for place in places {
            let (pid, artifact) = match place {
                Place::Memory { task, .. } => (Some(task.pid.0), None),
                Place::Artifact { artifact, .. } => (None, Some(artifact.id.as_str())),
                _ => continue,
            };
            let count = batch.entry((hit.found.pattern, pid, artifact)).or_default();
            *count = count.saturating_add(1);
        }
        ControlFlow::Continue(())
    }
}

/// Records, one a line.
struct Lines<'a> {
    of: &'a Searching<'a>,
}

/// Lines of records, and how many there are.
#[derive(Default)]
struct Written {
    lines: Vec<u8>,
    count: u64,
}

impl Written {
    /// The first so many lines, and their number.
    fn upto(&self, most: u64) -> (&[u8], u64) {
        if self.count <= most {
            return (&self.lines, self.count);
        }
        let mut ends = self.lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let last = usize::try_from(most).ok().and_then(|most| most.checked_sub(1));
        let end = last.and_then(|last| ends.nth(last)).map_or(0, |(at, _)| at.saturating_add(1));
        (self.lines.get(..end).unwrap_or_default(), most)
    }
}

impl Sink for Lines<'_> {
    type Batch = Written;

    fn add(&self, batch: &mut Written, hit: &Hit<'_>) -> ControlFlow<()> {
        let searching = self.of;
        let mut places = Vec::new();
        let more =
            searching.haystack.first_places(hit.part.region(), &hit.found.range, &mut places);
        let (text, text_base64) = json::hit_text(hit.bytes, hit.found.encoding);
        let context = (searching.around > 0).then(|| {
            let (before, after) = searching.around(hit);
            ContextRecord::of(&before, &after)
        });
        for place in PlaceRecord::all(&places, more) {
            let record = SearchRecord {
                place,
                pattern: searching.pattern(hit.found.pattern),
                encoding: hit.found.encoding.word(),
                length: hit.bytes.len() as u64,
                text: text.clone(),
                text_base64: text_base64.clone(),
                context: context.clone(),
            };
            // A vector takes all.
            let _ = json::write_line(&mut batch.lines, &record);
            batch.count = batch.count.saturating_add(1);
        }
        if batch.lines.len() >= BATCH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Lines of the table.
struct Table<'a> {
    of: &'a Searching<'a>,
}

#[derive(Default)]
struct Shown<'a> {
    hits: Vec<HitLine<'a>>,
    bytes: usize,
    copies: CopySpace,
}

impl<'a> Sink for Table<'a> {
    type Batch = Shown<'a>;

    fn add(&self, batch: &mut Shown<'a>, hit: &Hit<'_>) -> ControlFlow<()> {
        let searching = self.of;
        let range = &hit.found.range;
        let mut places = Vec::new();
        searching.haystack.places(hit.part.region(), range, &mut places);
        // What another process has told of already is left out.
        if searching.search.is_local()
            && !searching.haystack.copies(hit.part, range, &mut batch.copies, &mut places)
        {
            return ControlFlow::Continue(());
        }
        let Some((place, also)) = places.split_first() else { return ControlFlow::Continue(()) };
        let (before, after) = searching.around(hit);
        let several = searching.search.patterns().len() > 1;
        let text = ckpt::scan::strings::decode(hit.bytes, hit.found.encoding);
        let line = HitLine {
            place: *place,
            also: also.to_vec(),
            pattern: several.then(|| searching.pattern(hit.found.pattern)),
            encoding: hit.found.encoding,
            text: [before, text.into_owned(), after],
        };
        let size = line.text.iter().map(Vec::len).sum::<usize>();
        batch.bytes = batch.bytes.saturating_add(size).saturating_add(128);
        batch.hits.push(line);
        if batch.bytes >= BATCH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
