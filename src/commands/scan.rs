//! `scan`: YARA rules and secrets over memory and everything that `extract` lists.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anyhow::{Result, bail};
use ckpt::archive::Progress;
use ckpt::memory::AddressSpace;
use ckpt::model::artifacts::{Artifact, Artifacts};
use ckpt::model::{Checkpoint, Need, Pid};
use ckpt::report::human::{self, ScanSheet};
use ckpt::report::json::{
    self, PlaceRecord, RemarkRecord, RuleMatchRecord, ScanCountRecord, SecretRecord,
    StreamedDocument,
};
use ckpt::scan::secrets::{Confidence, Environment, Folding, Sighting, Sightings, Spot, Variable};
use ckpt::scan::strings::Encoding;
use ckpt::scan::yara::{Remark, RuleMatch};
use ckpt::scan::{Haystack, MOST_PLACES, Place};
use clap::{Args, ValueEnum};

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};
use crate::ruling::{Found, RuleArgs, Ruling, What};
use crate::scanning::{self, WorkArgs};
use crate::selecting::{SelectArgs, Selection};

/// YARA rules and secrets over memory and everything that `extract` lists
///
/// Rules are held against the memory of each process as a whole, and against each file, pipe and socket queue by itself.
/// Offsets in memory are addresses.
///
/// Secrets are keys, tokens, passwords and card numbers that pass a check beyond their form. They are shown redacted: first
/// and last bytes, a quarter at most and nothing of short ones, with the first digits of their SHA-256.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect scan checkpoint.tar --rules rules/
  ckpt-inspect scan checkpoint.tar --rules a.yar --rules b.yar --define env=prod --timeout 60
  ckpt-inspect scan checkpoint.tar --rules shellcode.yar --memory --vma rwx --format jsonl
  ckpt-inspect scan checkpoint.tar --rules rules/ --count --exit-code
  ckpt-inspect scan checkpoint.tar --secrets
  ckpt-inspect scan checkpoint.tar --secrets --confidence low --format jsonl
  ckpt-inspect scan checkpoint.tar --secrets --reveal --pid 7

Exit status: 0 done; 1 with --exit-code when something was found; 2 nothing usable, or a rule is wrong; 3 done, with defects.")]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    rules: RuleArgs,

    /// Look for secrets.
    #[arg(long, help_heading = "Secrets")]
    secrets: bool,

    /// Show secrets as they are.
    #[arg(long, requires = "secrets", help_heading = "Secrets")]
    reveal: bool,

    /// Only secrets that are at least so sure.
    #[arg(long, value_enum, default_value_t = Sure::Medium, requires = "secrets", value_name = "LEVEL", help_heading = "Secrets")]
    confidence: Sure,

    #[command(flatten)]
    select: SelectArgs,

    /// Only memory, not what `extract` lists.
    #[arg(long, conflicts_with = "artifacts", help_heading = "Select")]
    memory: bool,

    /// Only what `extract` lists, not memory.
    #[arg(long, help_heading = "Select")]
    artifacts: bool,

    /// Only how often each rule matched, by process and artifact.
    #[arg(long, help_heading = "Output")]
    count: bool,

    /// End with status 1 when something was found.
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    work: WorkArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// How sure it has to be that something is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sure {
    /// All that have the form of one.
    Low,
    /// Those that also stand where one stands.
    Medium,
    /// Those that pass a check that nothing passes by chance.
    High,
}

impl From<Sure> for Confidence {
    fn from(sure: Sure) -> Self {
        match sure {
            Sure::Low => Self::Low,
            Sure::Medium => Self::Medium,
            Sure::High => Self::High,
        }
    }
}

/// Runs `scan`.
pub(crate) fn run(args: &ScanArgs, context: &Context) -> Result<Outcome> {
    if !args.rules.any() && !args.secrets {
        bail!("nothing to look for: give --rules FILE or --secrets");
    }
    // Wrong rules are told before the evidence is opened.
    let rules = args.rules.any().then(|| args.rules.compile()).transpose()?;
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let selection = args.select.select(&checkpoint)?;
    selection.tell_without_memory(&checkpoint);
    let artifacts = wants_artifacts(args)
        .then(|| checkpoint.artifacts(&context.archive_options(&args.evidence.spool)));
    let scanning = Scanning {
        args,
        context,
        checkpoint: &checkpoint,
        selection: &selection,
        artifacts: artifacts.as_ref(),
    };
    let form = match args.output.format {
        _ if args.count => Form::Counts(&mut out, BTreeMap::new()),
        Format::Table => Form::Table(&mut out, ScanSheet::new(layout)),
        Format::Jsonl => Form::Lines(&mut out),
        Format::Json => {
            let schema = "ckpt-inspect/scan/1";
            Form::Document(StreamedDocument::begin(&mut out, schema, &checkpoint, "hits")?)
        }
    };
    let mut telling = Telling { form, hits: 0, matched: BTreeSet::new(), remarks: Vec::new() };
    if let Some(rules) = &rules {
        scanning.rules(rules, &mut telling)?;
    }
    let secrets = if args.secrets { Some(scanning.secrets(&mut telling)?) } else { None };
    let (hits, remarks) = scanning.finish(telling, rules.as_ref(), secrets, layout)?;
    out.finish()?;
    let outcome = match args.output.format {
        Format::Json => output::outcome(&checkpoint.defects()),
        _ => {
            output::warn_lines(remarks.iter().map(told));
            output::warn(&checkpoint.defects())
        }
    };
    let cut_short = |(_, remark): &Remarked| {
        matches!(remark, Remark::TimedOut | Remark::RuleTimedOut { .. } | Remark::Failed)
    };
    Ok(match outcome {
        _ if args.exit_code && hits > 0 => Outcome::Found,
        Outcome::Done if remarks.iter().any(cut_short) => Outcome::Defects,
        outcome => outcome,
    })
}

/// A choice of mappings leaves out what is none.
fn wants_artifacts(args: &ScanArgs) -> bool {
    args.artifacts || (!args.memory && args.select.vma.is_empty())
}

/// A process, or an artifact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Process(u32),
    Artifact(String),
}

impl Whose {
    fn of(place: &Place<'_>) -> Option<Self> {
        match place {
            Place::Memory { task, .. } => Some(Self::Process(task.pid.0)),
            Place::Artifact { artifact, .. } => Some(Self::Artifact(artifact.id.clone())),
            _ => None,
        }
    }

    fn pid(&self) -> Option<u32> {
        match self {
            Self::Process(pid) => Some(*pid),
            Self::Artifact(_) => None,
        }
    }

    fn artifact(&self) -> Option<&str> {
        match self {
            Self::Process(_) => None,
            Self::Artifact(id) => Some(id),
        }
    }
}

/// A remark, and what it is about.
type Remarked = (Whose, Remark);

/// A remark as it is said to people.
fn told((whose, remark): &Remarked) -> String {
    let whose = match whose {
        Whose::Process(pid) => format!("process {pid}"),
        Whose::Artifact(id) => id.clone(),
    };
    match remark {
        Remark::TimedOut => format!("{whose}: time is up, rules may be missing"),
        Remark::RuleTimedOut { namespace, rule } => {
            let name = format!("{namespace}: {rule}");
            let name = ckpt::model::escape(name.as_bytes());
            format!("{whose}: time is up for {name}, matches may be missing")
        }
        Remark::InParts => {
            format!(
                "{whose}: not whole, or large and in pieces: looked at as memory, without filesize"
            )
        }
        Remark::TooManyMatches { namespace, rule, string } => {
            let name = format!("{namespace}: {rule}: {string}");
            let name = ckpt::model::escape(name.as_bytes());
            format!(
                "{whose}: {name}: more matches than are looked at, and conditions count no further: see --max-matches"
            )
        }
        _ => format!("{whose}: the engine failed, nothing is known of it"),
    }
}

/// Namespace and name of a rule, and where it was found.
type Key = (String, String, Whose);

/// Where what is found goes, and in what form.
enum Form<'o> {
    Table(&'o mut Output, ScanSheet),
    Document(StreamedDocument<&'o mut Output>),
    Lines(&'o mut Output),
    Counts(&'o mut Output, BTreeMap<Key, u64>),
}

/// What was told so far.
struct Telling<'o> {
    form: Form<'o>,
    hits: u64,
    /// Rules that matched, by namespace and name.
    matched: BTreeSet<(String, String)>,
    remarks: Vec<Remarked>,
}

impl Telling<'_> {
    /// Writes lines of records.
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        match &mut self.form {
            Form::Document(document) => document.lines(lines),
            Form::Lines(out) => out.write_all(lines),
            Form::Table(..) | Form::Counts(..) => Ok(()),
        }
    }

    /// Counts hits of a rule; in all, and where that was asked for by place.
    fn count(&mut self, namespace: &str, rule: &str, whose: Whose, hits: u64) {
        self.hits = self.hits.saturating_add(hits);
        if let Form::Counts(_, counts) = &mut self.form {
            let key = (namespace.to_owned(), rule.to_owned(), whose);
            let count = counts.entry(key).or_default();
            *count = count.saturating_add(hits);
        }
    }

    /// What rules found in a target.
    fn rules(&mut self, found: &Found<'_>) -> Result<()> {
        let whose = match (found.artifact, found.tasks.first()) {
            (Some(artifact), _) => Whose::Artifact(artifact.id.clone()),
            (None, Some(task)) => Whose::Process(task.pid.0),
            (None, None) => return Ok(()),
        };
        self.remarks.extend(found.remarks.iter().map(|remark| (whose.clone(), remark.clone())));
        for rule in found.rules {
            self.matched.insert((rule.namespace.clone(), rule.rule.clone()));
            let hits = (rule.matched.len() as u64).max(1);
            for task in found.tasks {
                self.count(&rule.namespace, &rule.rule, Whose::Process(task.pid.0), hits);
            }
            if found.artifact.is_some() {
                self.count(&rule.namespace, &rule.rule, whose.clone(), hits);
            }
        }
        match &mut self.form {
            Form::Table(_, _) if found.rules.is_empty() => Ok(()),
            Form::Table(out, sheet) => {
                let place = |position| (found.places)(position).0.into_iter().next();
                Ok(sheet.target(out, found.tasks, found.artifact, found.rules, place)?)
            }
            Form::Counts(..) => Ok(()),
            Form::Document(_) | Form::Lines(_) => {
                for rule in found.rules {
                    self.rule(found, rule)?;
                }
                Ok(())
            }
        }
    }

    /// Records of a rule, one for each match at each place.
    fn rule(&mut self, found: &Found<'_>, rule: &RuleMatch) -> Result<()> {
        let mut lines = Vec::new();
        if rule.matched.is_empty() {
            let process = |pid| PlaceRecord { pid: Some(pid), ..PlaceRecord::default() };
            let file = |artifact| PlaceRecord {
                offset: None,
                ..PlaceRecord::of(&Place::Artifact { artifact, offset: 0 })
            };
            let processes = found.tasks.iter().map(|task| process(task.pid.0));
            for place in processes.chain(found.artifact.map(file)) {
                json::write_line(&mut lines, &RuleMatchRecord::of(place, rule, None))?;
            }
        }
        for matched in &rule.matched {
            let (places, more) = (found.places)(matched.position);
            json::write_rule_match(&mut lines, &places, more, rule, matched)?;
            if lines.len() >= BATCH {
                self.lines(&lines)?;
                lines.clear();
            }
        }
        Ok(self.lines(&lines)?)
    }
}

/// Bytes of records that are handed on together.
const BATCH: usize = 64 << 10;

/// What is scanned.
struct Scanning<'a> {
    args: &'a ScanArgs,
    context: &'a Context,
    checkpoint: &'a Checkpoint,
    selection: &'a Selection,
    artifacts: Option<&'a Artifacts>,
}

/// The secrets of a table, and how many places of unsure ones it leaves out.
#[derive(Default)]
struct Secrets {
    folding: Folding,
    unsure: u64,
    left_out: u64,
}

impl<'a> Scanning<'a> {
    /// The artifacts that are meant: with a choice of processes, only what these have.
    fn artifacts(&self) -> impl Iterator<Item = &'a Artifact> {
        let SelectArgs { pid, comm, .. } = &self.args.select;
        let all = pid.is_empty() && comm.is_empty();
        let pids = (!all).then_some(self.selection.pids.as_slice());
        self.artifacts.into_iter().flat_map(move |artifacts| scanning::chosen(artifacts, pids))
    }

    fn wants_memory(&self) -> bool {
        !self.args.artifacts
    }

    /// Whether what is found is written to standard output as it is found.
    fn rows_to_stdout(&self) -> bool {
        !self.args.count && self.args.output.output.is_none()
    }

    fn rules(&self, rules: &Ruling, telling: &mut Telling<'_>) -> Result<()> {
        let bar = self.context.progress_beside_output(self.rows_to_stdout());
        if let Some(bar) = &bar {
            bar.begin("holding rules against processes and files", None);
        }
        let pids = if self.wants_memory() { self.selection.pids.as_slice() } else { &[] };
        let what = What {
            checkpoint: self.checkpoint,
            pids,
            selection: self.selection,
            artifacts: self.artifacts().collect(),
        };
        let threads = self.args.work.work().threads;
        let held = rules.hold(&self.args.rules, &what, threads, |found| telling.rules(found));
        if let Some(bar) = &bar {
            bar.end();
        }
        held
    }

    fn secrets(&self, telling: &mut Telling<'_>) -> Result<Secrets> {
        let processes = self.checkpoint.processes();
        let tasks = self.selection.pids.iter().filter_map(|pid| processes.get(*pid));
        let mut environment = Environment::of(tasks);
        let scanner = environment.scanner().utf16();
        let mut secrets = Secrets { left_out: environment.left_out, ..Secrets::default() };
        let mut haystack = Haystack::new();
        if self.wants_memory() {
            let pids: BTreeSet<Pid> = environment.variables.iter().map(|one| one.pid).collect();
            let spaces = pids.into_iter().filter_map(|pid| {
                let space = self.checkpoint.memory(pid)?;
                Some((pid, space))
            });
            let spaces: BTreeMap<Pid, AddressSpace> = spaces.collect();
            let place = |variable: &Variable| {
                let (task, address) = (processes.get(variable.pid)?, variable.address?);
                let mapping = spaces.get(&variable.pid)?.mapping_at(address)?;
                Some(Place::Memory { task, address, mapping })
            };
            environment.retain(|variable| match place(variable) {
                Some(Place::Memory { task, mapping, .. }) => self.selection.has(mapping, task),
                _ => self.selection.filters.is_empty(),
            });
            for variable in &environment.variables {
                self.variable(variable, place(variable), &mut secrets, telling)?;
            }
            haystack.add_memory(self.checkpoint, &self.selection.pids, |mapping, task| {
                self.selection.has(mapping, task)
            });
        }
        haystack.add_artifacts(self.artifacts());
        let sink = Sightings::new(&haystack, &scanner, &environment, Confidence::Low);
        // A table of secrets is written when all are known.
        let rows = self.rows_to_stdout() && self.args.output.format != Format::Table;
        let bar = self.context.progress_beside_output(rows);
        scanning::search(&haystack, &scanner, &sink, &self.args.work, bar, |batch| {
            batch.into_iter().try_for_each(|one| self.sighting(one, &mut secrets, telling))
        })?;
        Ok(secrets)
    }

    fn variable(
        &self,
        variable: &Variable,
        place: Option<Place<'_>>,
        secrets: &mut Secrets,
        telling: &mut Telling<'_>,
    ) -> Result<()> {
        let secret = &variable.secret;
        if secret.confidence() < self.args.confidence.into() {
            secrets.unsure = secrets.unsure.saturating_add(1);
            return Ok(());
        }
        telling.count(SECRETS, secret.rule().id, Whose::Process(variable.pid.0), 1);
        if let Form::Table(..) = &telling.form {
            secrets.folding.add(secret.clone(), [Spot::variable(variable)]);
            return Ok(());
        }
        let nowhere = || PlaceRecord { pid: Some(variable.pid.0), ..PlaceRecord::default() };
        let place = place.as_ref().map_or_else(nowhere, PlaceRecord::of);
        let place = PlaceRecord { more_places: variable.more_places, ..place };
        let record = SecretRecord::of(
            place,
            Some(&variable.name),
            Encoding::of(secret.value()),
            secret,
            self.args.reveal,
        );
        let mut line = Vec::new();
        json::write_line(&mut line, &record)?;
        Ok(telling.lines(&line)?)
    }

    fn sighting(
        &self,
        Sighting { secret, encoding, places, .. }: Sighting<'_>,
        secrets: &mut Secrets,
        telling: &mut Telling<'_>,
    ) -> Result<()> {
        if secret.confidence() < self.args.confidence.into() {
            secrets.unsure = secrets.unsure.saturating_add(places.len() as u64);
            return Ok(());
        }
        for whose in places.iter().filter_map(Whose::of) {
            telling.count(SECRETS, secret.rule().id, whose, 1);
        }
        if let Form::Table(..) = &telling.form {
            secrets.folding.add(secret, places.iter().map(Spot::of));
            return Ok(());
        }
        let mut lines = Vec::new();
        let told = places.get(..MOST_PLACES).unwrap_or(&places);
        for place in PlaceRecord::all(told, told.len() < places.len()) {
            let record = SecretRecord::of(place, None, encoding, &secret, self.args.reveal);
            json::write_line(&mut lines, &record)?;
        }
        Ok(telling.lines(&lines)?)
    }

    /// Writes what stands at the end. The number of hits, and what is to be told besides.
    fn finish(
        &self,
        telling: Telling<'_>,
        rules: Option<&Ruling>,
        secrets: Option<Secrets>,
        layout: human::Layout,
    ) -> Result<(u64, Vec<Remarked>)> {
        let Telling { form, hits, matched, remarks } = telling;
        match form {
            Form::Lines(_) => {}
            Form::Document(mut document) => {
                document.array("remarks")?;
                for (whose, remark) in &remarks {
                    let mut line = Vec::new();
                    let record = RemarkRecord::of(whose.pid(), whose.artifact(), remark);
                    json::write_line(&mut line, &record)?;
                    document.lines(&line)?;
                }
                document.finish(self.checkpoint)?;
            }
            Form::Counts(out, counts) => self.counts(out, &counts, &layout)?,
            Form::Table(out, mut sheet) => {
                let mut notes = Vec::new();
                if let Some(rules) = rules {
                    notes.push(format!("{} of {} rules match", matched.len(), rules.count()));
                }
                if let Some(secrets) = secrets {
                    let (list, left_out) = secrets.folding.finish();
                    sheet.secrets(out, &list, self.args.reveal)?;
                    notes.push(format!("secrets: {}", list.len()));
                    if secrets.unsure > 0 {
                        let least = Confidence::from(self.args.confidence).word();
                        notes.push(format!(
                            "{} places with what is less sure than {least}: see --confidence",
                            secrets.unsure
                        ));
                    }
                    let left_out = left_out.saturating_add(secrets.left_out);
                    if left_out > 0 {
                        notes.push(format!(
                            "{left_out} more than the table holds: see --format jsonl"
                        ));
                    }
                }
                sheet.note(out, &notes.join("; "))?;
            }
        }
        Ok((hits, remarks))
    }

    fn counts(
        &self,
        out: &mut Output,
        counts: &BTreeMap<Key, u64>,
        layout: &human::Layout,
    ) -> Result<()> {
        let counts = counts.iter().map(|((namespace, rule, whose), hits)| ScanCountRecord {
            namespace,
            rule,
            pid: whose.pid(),
            artifact: whose.artifact(),
            hits: *hits,
        });
        let counts: Vec<ScanCountRecord<'_>> = counts.collect();
        match self.args.output.format {
            Format::Table => human::scan_counts(out, &counts, layout)?,
            Format::Json => json::write(out, &json::scan_counts(self.checkpoint, counts))?,
            Format::Jsonl => json::write_lines(out, counts)?,
        }
        Ok(())
    }
}

/// The namespace of the program's own rules.
const SECRETS: &str = "secrets";
