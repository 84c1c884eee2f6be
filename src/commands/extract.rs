//! `extract`: everything recoverable as a file, listed or written.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use ckpt::model::artifacts::{Artifact, Artifacts, Origin};
use ckpt::model::{Checkpoint, Defect, DefectKind, Need, Pid};
use ckpt::report::json::{Examined, ExtractDocument, WrittenFile};
use ckpt::report::{human, json};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};

use crate::cli::{EvidenceArgs, Format, OutputArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::extracting::{self, Item, Target};
use crate::output::{self, Output};

/// What writes the manifest.
const TOOL: &str = concat!("ckpt-inspect ", env!("CARGO_PKG_VERSION"));

/// Everything recoverable as a file: deleted files, memfds, tmpfs, rootfs diff, data in pipes and sockets
///
/// Without --to the files are listed; hashes are in the JSON. With --to they are written to a directory: their names are
/// made of the id and what is harmless of the original name, nothing but plain files of mode 0600 is created, and
/// manifest.json, which is written last, says what each of them is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect extract checkpoint.tar
  ckpt-inspect extract --origin ghost --origin memfd checkpoint.tar
  ckpt-inspect extract checkpoint.tar --to out ghost-1 tcp-2188a-recv
  ckpt-inspect extract checkpoint.tar --to out --all
  ckpt-inspect extract checkpoint.tar --format jsonl | jq -r '[.sha256, .path] | @tsv'")]
pub(crate) struct ExtractArgs {
    #[command(flatten)]
    evidence: EvidenceArgs,

    /// Only the artifacts of these ids.
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<String>,

    /// List them, which is the default.
    #[arg(long, conflicts_with = "to")]
    list: bool,

    /// Write them to DIR, which is made if it does not exist.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,

    /// Write all of them.
    #[arg(long, requires = "to")]
    all: bool,

    /// Only those of this origin; repeatable.
    #[arg(long, value_name = "ORIGIN", value_parser = PossibleValuesParser::new(Origin::ALL.map(Origin::word)))]
    origin: Vec<String>,

    /// Only those that this process has open, runs or maps; repeatable.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pid: Vec<u32>,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `extract`.
pub(crate) fn run(args: &ExtractArgs, context: &Context) -> Result<Outcome> {
    if args.to.is_some()
        && !args.all
        && args.ids.is_empty()
        && args.origin.is_empty()
        && args.pid.is_empty()
    {
        bail!("say what to write to the directory: --all, ids, --origin or --pid");
    }
    let mut out = Output::open(args.output.output.as_deref())?;
    let layout = context.layout(out.is_file());
    let checkpoint = context.open(&args.evidence, Need::Everything)?;
    let artifacts = checkpoint.artifacts(&context.archive_options(&args.evidence.spool));
    let chosen = choose(args, &artifacts)?;
    let mut told = Vec::new();
    let document = match &args.to {
        Some(to) => Some(write(&checkpoint, &chosen, to, context, &mut told)?),
        None if args.output.format == Format::Table => None,
        None => Some(list(&checkpoint, &chosen, context)),
    };
    match (args.output.format, &document) {
        (Format::Json, Some(document)) => json::write(&mut out, document)?,
        (Format::Jsonl, Some(document)) => json::write_lines(&mut out, &document.artifacts)?,
        _ => human::extract(&mut out, &chosen, &layout)?,
    }
    out.finish()?;
    let mut defects = checkpoint.defects();
    defects.append(&mut told);
    Ok(match args.output.format {
        Format::Json => output::outcome(&defects),
        _ => output::warn(&defects),
    })
}

fn choose<'a>(args: &ExtractArgs, artifacts: &'a Artifacts) -> Result<Vec<&'a Artifact>> {
    if let Some(unknown) = args.ids.iter().find(|id| artifacts.get(id).is_none()) {
        let some: Vec<&str> = artifacts.list.iter().take(20).map(|one| one.id.as_str()).collect();
        bail!("no artifact `{unknown}`; there are for example {}", some.join(", "));
    }
    let wanted = |artifact: &&Artifact| {
        let of_pid = |pid: &u32| artifact.holders.iter().any(|holder| holder.pid == Pid(*pid));
        (args.ids.is_empty() || args.ids.contains(&artifact.id))
            && (args.origin.is_empty() || args.origin.iter().any(|o| o == artifact.origin.word()))
            && (args.pid.is_empty() || args.pid.iter().any(of_pid))
    };
    Ok(artifacts.list.iter().filter(wanted).collect())
}

/// The chosen artifacts without those that have the bytes of another chosen one, and where each of all is among these.
fn distinct<'a>(chosen: &[&'a Artifact]) -> (Vec<&'a Artifact>, Vec<usize>) {
    let mut firsts = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    // A file itself before its other names.
    for itself in [true, false] {
        for artifact in chosen.iter().filter(|one| one.same_as.is_none() == itself) {
            known.entry(key(artifact)).or_insert_with(|| {
                firsts.push(*artifact);
                firsts.len() - 1
            });
        }
    }
    let places = chosen.iter().filter_map(|one| known.get(key(one)).copied()).collect();
    (firsts, places)
}

fn key(artifact: &Artifact) -> &str {
    artifact.same_as.as_deref().unwrap_or(&artifact.id)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(8)
}

/// The list with hashes.
pub(crate) fn list<'a>(
    checkpoint: &'a Checkpoint,
    chosen: &[&'a Artifact],
    context: &Context,
) -> ExtractDocument<'a> {
    let (firsts, places) = distinct(chosen);
    let contents: Vec<_> = firsts.iter().map(|artifact| artifact.content()).collect();
    let hashes = extracting::hash_all(&contents, threads(), context.progress().as_ref());
    let examined = chosen.iter().zip(places).map(|(artifact, place)| {
        let hash = hashes.get(place).cloned().unwrap_or_else(|| Err(String::new()));
        Examined { artifact, sha256: hash.map(|hash| hash.to_string()), file: None }
    });
    json::extract(checkpoint, examined, TOOL)
}

/// Writes the files and their manifest.
fn write<'a>(
    checkpoint: &'a Checkpoint,
    chosen: &[&'a Artifact],
    to: &Path,
    context: &Context,
    told: &mut Vec<Defect>,
) -> Result<ExtractDocument<'a>> {
    let (firsts, places) = distinct(chosen);
    let mut at = Vec::new();
    let mut items = Vec::new();
    for artifact in &firsts {
        at.push(artifact.content().is_some().then_some(items.len()));
        if artifact.content().is_some() {
            items.push(Item::new(artifact));
        }
    }
    let target = Target::open(to, &items)?;
    let written = target.write_all(&items, threads(), context.progress().as_ref())?;
    for (item, written) in items.iter().zip(&written) {
        if let Some((missing, why)) = &written.missing {
            told.push(Defect {
                place: item.name.clone(),
                what: format!(
                    "{missing} of {} bytes are missing, zeros stand for them: {why}",
                    item.artifact.size
                ),
                kind: DefectKind::Missing,
            });
        }
    }
    let examined = chosen.iter().zip(places).map(|(artifact, place)| {
        let found = at
            .get(place)
            .copied()
            .flatten()
            .and_then(|index| Some((items.get(index)?, written.get(index)?)));
        let Some((item, written)) = found else {
            let why = "more holes than are read".to_owned();
            return Examined { artifact, sha256: Err(why), file: None };
        };
        let hash = written.sha256.to_string();
        let missing = written.missing.as_ref();
        Examined {
            artifact,
            sha256: missing.map_or(Ok(hash.clone()), |(_, why)| Err(why.to_string())),
            file: Some(WrittenFile {
                name: item.name.clone(),
                sha256: hash,
                missing: missing.map_or(0, |(missing, _)| *missing),
            }),
        }
    });
    let mut document = json::extract(checkpoint, examined, TOOL);
    document.defects.extend(told.iter().cloned().map(json::DefectRecord::from));
    let mut manifest = Vec::new();
    json::write(&mut manifest, &document)?;
    target.finish(&manifest)?;
    Ok(document)
}
