//! Events for Timesketch: a JSON record a line, or comma-separated values.
//!
//! Each has the fields that Timesketch requires, `message`, `datetime` and `timestamp_desc`; `timestamp`, microseconds since
//! 1970, for those that sort by it; and those of the project's own JSON, so that nothing is lost. Source:
//! <https://timesketch.org/guides/user/import-from-json-csv/>.
//!
//! # Limits
//!
//! `datetime` has microseconds, which is what Timesketch keeps; `time` has all that the archive has. In CSV text is escaped
//! as for a terminal, and what begins like a formula has an apostrophe before it.

use std::borrow::Cow;
use std::io::{self, Write};

use ckpt_analysis::timeline::{Event, Filter, Subject, Timeline, What};
use ckpt_model::{Checkpoint, escape};
use jiff::Timestamp;
use serde::Serialize;

use crate::csv;
use crate::json::{EventRecord, write_line};
use crate::message::message;

/// Writes the events, one a line.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn jsonl<W: Write>(
    out: &mut W,
    checkpoint: &Checkpoint,
    timeline: &Timeline,
    filter: &Filter,
) -> io::Result<()> {
    let origin = Origin::of(checkpoint);
    for event in timeline.events(filter) {
        write_line(out, &SketchRecord::of(&event, &origin))?;
    }
    Ok(())
}

/// What an event is of, for sketches of several checkpoints.
#[derive(Clone, Copy, Debug, Serialize)]
struct Origin<'a> {
    evidence: &'a str,
    container: Option<&'a str>,
    pod: Option<&'a str>,
}

impl<'a> Origin<'a> {
    fn of(checkpoint: &'a Checkpoint) -> Self {
        let container = checkpoint.container();
        Self {
            evidence: checkpoint.evidence().name(),
            container: container.name.as_deref().or(container.id.as_deref()),
            pod: container.pod.as_ref().and_then(|pod| pod.name.as_deref()),
        }
    }
}

#[derive(Debug, Serialize)]
struct SketchRecord<'a> {
    message: String,
    datetime: String,
    timestamp_desc: &'static str,
    timestamp: i64,
    data_type: String,
    #[serde(flatten)]
    origin: &'a Origin<'a>,
    #[serde(flatten)]
    event: EventRecord<'a>,
}

impl<'a> SketchRecord<'a> {
    fn of(event: &'a Event<'_>, origin: &'a Origin<'a>) -> Self {
        Self {
            message: message(event),
            datetime: datetime(event.time),
            timestamp_desc: description(event.what),
            timestamp: event.time.as_microsecond(),
            data_type: format!("checkpoint:{}", event.what.word()),
            origin,
            event: EventRecord::of(event),
        }
    }
}

/// `2026-11-23T00:09:41.949628+00:00`.
fn datetime(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

/// What the time means, in plaso's words where it has one.
fn description(what: What) -> &'static str {
    match what {
        What::Created => "Creation Time",
        What::Started => "Start Time",
        What::Checkpointed => "Checkpoint Time",
        What::Restored => "Restore Time",
        What::ImageCreated => "Image Creation Time",
        What::ConfigSeen => "Configuration Seen Time",
        What::Rollout => "Rollout Restart Time",
        What::Booted => "Boot Time",
        What::DumpBegan => "Dump Start Time",
        What::DumpEnded => "Dump End Time",
        What::Accessed => "Last Access Time",
        What::Changed => "Metadata Modification Time",
        What::Log => "Log Time",
        What::TimerDue => "Expiration Time",
        _ => "Content Modification Time",
    }
}

/// The columns of the CSV.
const COLUMNS: [&str; 25] = [
    "message",
    "datetime",
    "timestamp_desc",
    "timestamp",
    "data_type",
    "evidence",
    "container",
    "pod",
    "time",
    "precision",
    "what",
    "source",
    "place",
    "derived",
    "uncertainty",
    "remark",
    "pid",
    "path",
    "type",
    "mode",
    "uid",
    "gid",
    "size",
    "stream",
    "text",
];

/// Writes the events as comma-separated values, the names of the columns first.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn csv<W: Write>(
    out: &mut W,
    checkpoint: &Checkpoint,
    timeline: &Timeline,
    filter: &Filter,
) -> io::Result<()> {
    let origin = Origin::of(checkpoint);
    csv::record(out, &COLUMNS.map(Cow::Borrowed))?;
    for event in timeline.events(filter) {
        let record = SketchRecord::of(&event, &origin);
        csv::record(out, &cells(&record, &event))?;
    }
    Ok(())
}

fn cells<'a>(record: &'a SketchRecord<'_>, event: &'a Event<'_>) -> [Cow<'a, str>; 25] {
    let text = |bytes: &'a [u8]| csv::harmless(escape(bytes));
    let some = |known: Option<&'a str>| known.map(str::as_bytes).map(text).unwrap_or_default();
    let (path, written): (&[u8], &[u8]) = match &event.subject {
        Subject::File(file) => (file.path.as_bytes(), b""),
        Subject::Line(line) => (b"", &line.text),
        _ => (b"", b""),
    };
    let event = &record.event;
    fn number<T: ToString>(number: Option<T>) -> Cow<'static, str> {
        number.map(|number| number.to_string()).unwrap_or_default().into()
    }
    let file = event.file.as_ref();
    let line = event.line.as_ref();
    [
        // Escaped where it was made.
        csv::harmless(Cow::Borrowed(record.message.as_str())),
        record.datetime.as_str().into(),
        record.timestamp_desc.into(),
        record.timestamp.to_string().into(),
        record.data_type.as_str().into(),
        text(record.origin.evidence.as_bytes()),
        some(record.origin.container),
        some(record.origin.pod),
        event.time.as_str().into(),
        event.precision.into(),
        event.what.into(),
        event.source.into(),
        csv::harmless(event.place.into()),
        if event.derived { "true" } else { "false" }.into(),
        event.uncertainty.as_deref().unwrap_or_default().into(),
        csv::harmless(event.remark.unwrap_or_default().into()),
        number(event.pid),
        text(path),
        file.map_or("", |file| file.kind).into(),
        file.and_then(|file| file.mode.as_deref()).unwrap_or_default().into(),
        number(file.and_then(|file| file.uid)),
        number(file.and_then(|file| file.gid)),
        number(file.and_then(|file| file.size)),
        line.and_then(|line| line.stream).unwrap_or_default().into(),
        text(written),
    ]
}
