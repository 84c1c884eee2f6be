//! How the results look.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use ckpt::analysis::verify::{Check, Outcome as Checked, Verdict, Verification, verify};
use ckpt::model::{Checkpoint, Defect, DefectKind, Need, escape};
use ckpt::report::human::Layout;
use ckpt::report::json::{self, DefectRecord, InfoDocument, VerdictRecord};
use ckpt_kubelet::Preflight;
use serde::Serialize;

use super::jobs::Finished;
use crate::cli::{Format, PickArgs, SpoolArgs};
use crate::commands::trigger::Via;
use crate::context::Context;
use crate::output::Output;

/// The document of `trigger`.
#[derive(Debug, Serialize)]
struct TriggerDocument<'a> {
    schema: &'static str,
    results: Vec<ResultRecord<'a>>,
    defects: Vec<DefectRecord>,
}

/// One container.
#[derive(Debug, Serialize)]
struct ResultRecord<'a> {
    namespace: Option<&'a str>,
    pod: Option<&'a str>,
    container: Option<&'a str>,
    node: Option<&'a str>,
    kubelet: Option<String>,
    via: &'static str,
    archive: Option<&'a str>,
    archives: &'a [String],
    duration_ms: Option<u64>,
    fetched: Vec<FetchedRecord<'a>>,
    error: Option<ErrorRecord>,
}

/// One archive that is here.
#[derive(Debug, Serialize)]
struct FetchedRecord<'a> {
    file: String,
    size: u64,
    sha256: &'a str,
    removed_from_node: bool,
    verified: Option<VerdictRecord<'a>>,
    info: Option<InfoDocument<'a>>,
    unreadable: Option<&'a str>,
}

/// Why there is less than was asked for.
#[derive(Debug, Serialize)]
struct ErrorRecord {
    kind: &'static str,
    cause: String,
    remedy: String,
    may_remain: Option<String>,
}

/// The document of `trigger --check`.
#[derive(Debug, Serialize)]
struct CheckDocument<'a> {
    schema: &'static str,
    checks: Vec<CheckRecord<'a>>,
    manifests: &'a str,
}

#[derive(Debug, Serialize)]
struct CheckRecord<'a> {
    what: &'a str,
    verdict: &'static str,
    note: &'a str,
}

/// A fetched archive, opened and held against itself.
type Opened = Result<(Checkpoint, Verification), String>;

/// Opens what came here, and reads all of it as `verify` does.
fn open(file: &Path, context: &Context, spool: &SpoolArgs) -> Opened {
    let options = context.open_options(&PickArgs::default(), spool, Need::Everything);
    let checkpoint =
        options.open(file).map_err(|error| format!("{:#}", anyhow::Error::from(error)))?;
    checkpoint.look_for_unknown();
    let verification = verify(&checkpoint, &context.archive_options(spool));
    Ok((checkpoint, verification))
}

/// Writes the results, and gives what is defective in the archives.
pub(super) fn write(
    out: &mut Output,
    format: Format,
    via: Via,
    finished: &[Finished],
    context: &Context,
    spool: &SpoolArgs,
) -> Result<Vec<Defect>> {
    let opened: Vec<Vec<Opened>> = finished
        .iter()
        .map(|one| one.arrived.iter().map(|arrived| open(&arrived.file, context, spool)).collect())
        .collect();
    let mut defects = Vec::new();
    for (one, opened) in finished.iter().zip(&opened) {
        for (_, verification) in opened.iter().flatten() {
            defects.extend(verification.defects.iter().cloned());
            if verification.verdict > Verdict::WholeWithRemarks {
                defects.push(Defect {
                    place: one.label.clone(),
                    what: format!("the fetched archive is {}: see verify", verification.verdict),
                    kind: DefectKind::Damaged,
                });
            }
        }
    }
    let records = finished.iter().zip(&opened).map(|(one, opened)| record(one, opened, via));
    match format {
        Format::Table => table(out, finished, &opened, &context.layout(out.is_file()))?,
        Format::Json => {
            let document = TriggerDocument {
                schema: "ckpt-inspect/trigger/1",
                results: records.collect(),
                defects: defects.iter().cloned().map(DefectRecord::from).collect(),
            };
            json::write(out, &document)?;
        }
        Format::Jsonl => json::write_lines(out, records)?,
    }
    // An archive that cannot be read at all is a defect of what was asked for, too.
    for (one, why) in finished.iter().zip(&opened).flat_map(|(one, opened)| {
        opened.iter().filter_map(move |opened| Some((one, opened.as_ref().err()?)))
    }) {
        defects.push(Defect {
            place: one.label.clone(),
            what: format!("the fetched archive cannot be read: {why}"),
            kind: DefectKind::Damaged,
        });
    }
    Ok(defects)
}

fn record<'a>(one: &'a Finished, opened: &'a [Opened], via: Via) -> ResultRecord<'a> {
    let target = one.target.as_ref();
    let pod = one.place.pod.as_ref();
    let archives = one.checkpoint.as_ref().map_or(&[][..], |made| &made.paths);
    let millis = |made: &ckpt_kubelet::Checkpoint| u64::try_from(made.duration.as_millis()).ok();
    let fetched = one.arrived.iter().zip(opened).map(|(arrived, opened)| FetchedRecord {
        file: arrived.file.to_string_lossy().into_owned(),
        size: arrived.fetched.size,
        sha256: &arrived.fetched.sha256,
        removed_from_node: arrived.removed,
        verified: opened.as_ref().ok().map(|(_, verification)| VerdictRecord::of(verification)),
        info: opened.as_ref().ok().map(|(checkpoint, _)| json::info(checkpoint)),
        unreadable: opened.as_ref().err().map(String::as_str),
    });
    ResultRecord {
        namespace: target
            .map(|target| target.namespace.as_str())
            .or(pod.map(|pod| pod.namespace.as_str())),
        pod: target.map(|target| target.pod.as_str()).or(pod.map(|pod| pod.name.as_str())),
        container: target.map(|target| target.container.as_str()),
        node: one.place.node.as_ref().map(ckpt_kubelet::NodeName::as_str),
        kubelet: one.place.address.as_ref().map(ToString::to_string),
        via: match via {
            Via::Direct => "direct",
            Via::Apiserver => "apiserver",
        },
        archive: archives.first().map(String::as_str),
        archives,
        duration_ms: one.checkpoint.as_ref().and_then(millis),
        fetched: fetched.collect(),
        error: one.error.as_ref().map(|error| ErrorRecord {
            kind: error.word(),
            cause: error.to_string(),
            remedy: error.remedy(),
            may_remain: target.and_then(|target| error.leftover(target)),
        }),
    }
}

/// For people: what was made and where it is, then `info` of what came here.
fn table(
    out: &mut impl Write,
    finished: &[Finished],
    opened: &[Vec<Opened>],
    layout: &Layout,
) -> Result<()> {
    let mut first = true;
    for (one, opened) in finished.iter().zip(opened) {
        let Some(made) = &one.checkpoint else { continue };
        if !first {
            writeln!(out)?;
        }
        first = false;
        writeln!(out, "{}", one.label)?;
        for path in &made.paths {
            row(out, "archive", path)?;
        }
        row(out, "node", &one.place.told())?;
        row(out, "duration", &format!("{:.1} s", made.duration.as_secs_f64()))?;
        for (arrived, opened) in one.arrived.iter().zip(opened) {
            row(out, "fetched", &arrived.file.to_string_lossy())?;
            row(out, "size", &format!("{} bytes", arrived.fetched.size))?;
            row(out, "sha256", &format!("{} (here and on the node)", arrived.fetched.sha256))?;
            if arrived.removed {
                row(out, "on the node", "deleted")?;
            }
            if let Ok((checkpoint, verification)) = opened {
                verified(out, verification)?;
                writeln!(out)?;
                ckpt::report::human::info(out, checkpoint, layout)?;
            }
        }
    }
    Ok(())
}

/// The verdict of `verify`, and which checks failed; all of them are told by that command.
fn verified(out: &mut impl Write, verification: &Verification) -> io::Result<()> {
    let failed = |check: &&Check| matches!(check.outcome, Checked::Failed(_));
    let failed: Vec<_> = verification.checks.iter().filter(failed).collect();
    let names: Vec<_> = failed.iter().map(|check| check.id).collect();
    let told = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    let checks = verification.checks.len();
    let verdict = verification.verdict.to_string();
    row(out, "verified", &format!("{verdict}; {} of {checks} checks failed{told}", failed.len()))
}

fn row(out: &mut impl Write, what: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {what:<12}{}", escape(value.as_bytes()))
}

/// Writes what a check found.
pub(super) fn write_checks(out: &mut Output, format: Format, found: &Preflight) -> Result<()> {
    let records = found.checks.iter().map(|check| CheckRecord {
        what: &check.what,
        verdict: check.verdict.word(),
        note: &check.note,
    });
    match format {
        Format::Table => {
            for CheckRecord { what, verdict, note } in records {
                let what = escape(what.as_bytes());
                write!(out, "{verdict:<8}{what}")?;
                if note.is_empty() {
                    writeln!(out)?;
                } else {
                    let note = escape(note.as_bytes()).replace("\\n", "\n          ");
                    writeln!(out, " {note}")?;
                }
            }
            let manifests = super::failure::to_apply(&found.manifests);
            write!(out, "{}", escape(manifests.as_bytes()).replace("\\n", "\n"))?;
        }
        Format::Json => {
            let document = CheckDocument {
                schema: "ckpt-inspect/trigger-check/1",
                checks: records.collect(),
                manifests: &found.manifests,
            };
            json::write(out, &document)?;
        }
        Format::Jsonl => json::write_lines(out, records)?,
    }
    Ok(())
}
