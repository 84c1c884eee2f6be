//! `timeline`: everything that has a time, by time.

use std::borrow::Cow;

use ckpt_analysis::timeline::{
    Derivation, Event, File, Filter, LogLine, Source, Stream, Subject, Timeline, Timer, Undated,
};
use ckpt_model::{Checkpoint, Noise};
use jiff::SignedDuration;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::shared::{DefectRecord, EvidenceRecord, base64, defects, fields, lossless};
use crate::message::clock_name;

/// `ckpt-inspect/timeline/1`.
#[derive(Clone, Debug, Serialize)]
pub struct TimelineDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// Lines of logs that have a time, whatever the filter shows.
    pub log_lines: u64,
    /// What the filter shows, by time.
    pub events: EventList<'a>,
    /// What happened, and nothing says when.
    pub undated: Vec<UndatedRecord<'a>>,
    /// What could not be read, and times that no calendar has.
    pub defects: Vec<DefectRecord>,
}

/// The timeline as a document. Its events are read while it is written.
#[must_use]
pub fn timeline<'a>(
    checkpoint: &'a Checkpoint,
    timeline: &'a Timeline,
    filter: &'a Filter,
) -> TimelineDocument<'a> {
    let own = timeline.defects().iter().cloned().map(DefectRecord::from);
    TimelineDocument {
        schema: "ckpt-inspect/timeline/1",
        evidence: EvidenceRecord::of(checkpoint),
        log_lines: timeline.log_lines(),
        events: EventList { timeline, filter },
        undated: timeline.undated(filter).map(UndatedRecord::of).collect(),
        defects: defects(checkpoint).into_iter().chain(own).collect(),
    }
}

/// Events that are made while they are written: a log can have any number of lines.
#[derive(Clone, Copy, Debug)]
pub struct EventList<'a> {
    timeline: &'a Timeline,
    filter: &'a Filter,
}

impl Serialize for EventList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for event in self.timeline.events(self.filter) {
            list.serialize_element(&EventRecord::of(&event))?;
        }
        list.end()
    }
}

/// An event.
#[derive(Clone, Debug, Serialize)]
pub struct EventRecord<'a> {
    /// When, RFC 3339 in UTC, with nanoseconds where there are any.
    pub time: String,
    /// Last place of the time that means something: `s`, `us`, `ns`.
    pub precision: &'static str,
    /// `created`, `started`, `checkpointed`, `restored`, `image-created`, `config-seen`, `rollout`, `booted`,
    /// `dump-began`, `dump-ended`, `stale-image`, `written`, `modified`, `accessed`, `changed`, `log`, `timer-due`.
    pub what: &'static str,
    /// `host`, `container`, `images`, `member`, `log`, `rootfs-diff`, `tmpfs`, `dev-shm`, `volume`, `ghost`, `timer`.
    pub source: &'static str,
    /// Which member and what of it.
    pub place: &'a str,
    /// Whether the time was worked out; nothing in the archive states it.
    pub derived: bool,
    /// How far the truth may be away, earlier or later, as an ISO 8601 duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<String>,
    /// What a derived time was worked out of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<&'static str>,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<&'a str>,
    /// The process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The file.
    #[serde(flatten)]
    pub file: Option<DatedFileRecord<'a>>,
    /// The line of a log.
    #[serde(flatten)]
    pub line: Option<LineRecord<'a>>,
    /// The timer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimerRecord>,
}

impl<'a> EventRecord<'a> {
    /// The event.
    #[must_use]
    pub fn of(event: &'a Event<'_>) -> Self {
        let uncertainty = |derived: Derivation| duration(derived.uncertainty);
        let mut record = Self {
            time: event.time.to_string(),
            precision: event.precision.word(),
            what: event.what.word(),
            source: event.source.word(),
            place: event.place,
            derived: event.derived.is_some(),
            uncertainty: event.derived.map(uncertainty),
            derived_from: event.derived.map(|derived| derived.from),
            remark: None,
            pid: None,
            file: None,
            line: None,
            timer: None,
        };
        match &event.subject {
            Subject::Place(remark) => record.remark = *remark,
            Subject::File(file) => {
                record.pid = file.pid.map(|pid| pid.0);
                record.file = Some(DatedFileRecord::of(file));
            }
            Subject::Timer(timer) => {
                record.pid = Some(timer.pid.0);
                record.timer = Some(TimerRecord::of(timer));
            }
            Subject::Line(line) => record.line = Some(LineRecord::of(line)),
            _ => {}
        }
        record
    }
}

/// `PT1.24S`.
fn duration(duration: SignedDuration) -> String {
    duration.to_string()
}

/// A file that has a time.
#[derive(Clone, Debug, Serialize)]
pub struct DatedFileRecord<'a> {
    /// Its path in the container; of a deleted one the path that it had.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// `file`, `dir`, `symlink`, `char`, `block`, `fifo`, `sock`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it was deleted, and still open.
    pub deleted: bool,
    /// Permission bits, octal: `4755`.
    pub mode: Option<String>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Target of a symbolic link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Cow<'a, str>>,
    /// Bytes of `target`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_base64: Option<String>,
    /// Its id, for `extract`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<&'a str>,
    /// Why this is the engine's doing, as in `diff`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<&'static str>,
}

impl<'a> DatedFileRecord<'a> {
    fn of(file: &'a File) -> Self {
        let (target, target_base64) = fields(file.target.as_ref());
        Self {
            path: file.path.lossless(),
            path_base64: base64(file.path.as_bytes()),
            kind: file.kind.word(),
            deleted: file.source == Source::Ghost,
            mode: file.mode.map(|mode| format!("{mode:04o}")),
            uid: file.uid,
            gid: file.gid,
            size: file.size,
            target,
            target_base64,
            artifact: file.artifact.as_deref(),
            noise: file.noise.map(Noise::word),
        }
    }
}

/// A line of a container's log.
#[derive(Clone, Debug, Serialize)]
pub struct LineRecord<'a> {
    /// `stdout` or `stderr`; `null` where the line does not say.
    pub stream: Option<&'static str>,
    /// What the container wrote, without the newline.
    pub text: Cow<'a, str>,
    /// Bytes of `text`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
    /// Bytes that it wrote, when `text` does not have them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_size: Option<u64>,
    /// The text goes on in the next line of the stream.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The log ends before the line does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// `cri` or `json-file`.
    pub log_format: &'static str,
}

impl<'a> LineRecord<'a> {
    fn of(line: &'a LogLine) -> Self {
        Self {
            stream: line.stream.map(Stream::word),
            text: lossless(&line.text),
            text_base64: base64(&line.text),
            text_size: (line.size != line.text.len() as u64).then_some(line.size),
            partial: line.partial,
            cut: line.cut,
            log_format: line.format.word(),
        }
    }
}

/// A timer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimerRecord {
    /// `itimer-real`, `itimer-virtual`, `itimer-prof`, `posix-timer`, `timerfd`.
    pub kind: &'static str,
    /// Number of a POSIX timer, descriptor of a timerfd.
    pub number: Option<u32>,
    /// `CLOCK_MONOTONIC`; `null` for interval timers.
    pub clock: Option<String>,
    /// Seconds and nanoseconds that were left.
    pub left: (u64, u64),
    /// Seconds and nanoseconds after which it repeats; zeros when it does not.
    pub interval: (u64, u64),
    /// Number of the signal that it sends; `null` when it sends none, or nothing says which.
    pub signal: Option<u32>,
}

impl TimerRecord {
    fn of(timer: &Timer) -> Self {
        const SECOND: u128 = 1_000_000_000;
        let split = |nanos: u128| {
            let part = |part: u128| u64::try_from(part).unwrap_or(u64::MAX);
            (part(nanos / SECOND), part(nanos % SECOND))
        };
        Self {
            kind: timer.kind.word(),
            number: timer.kind.number(),
            clock: timer.clock.map(clock_name),
            left: split(timer.left),
            interval: split(timer.interval),
            signal: timer.signal,
        }
    }
}

/// Something without a time of its own.
#[derive(Clone, Debug, Serialize)]
pub struct UndatedRecord<'a> {
    /// `deleted`, or `cpu-timer`: one that counts processor time.
    pub what: &'static str,
    /// `rootfs-diff`, `deleted-files`, `timer`.
    pub source: &'static str,
    /// The file that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Cow<'a, str>>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Why this is the engine's doing, as in `diff`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<&'static str>,
    /// The process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The timer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimerRecord>,
}

impl<'a> UndatedRecord<'a> {
    pub(crate) fn of(undated: &'a Undated) -> Self {
        let mut record = Self {
            what: "cpu-timer",
            source: undated.source().word(),
            path: None,
            path_base64: None,
            noise: None,
            pid: None,
            timer: None,
        };
        match undated {
            Undated::Deleted(deletion) => {
                record.what = "deleted";
                record.source = deletion.source.word();
                (record.path, record.path_base64) = fields(Some(&deletion.path));
                record.noise = deletion.noise.map(Noise::word);
            }
            Undated::CpuTimer(timer) => {
                record.pid = Some(timer.pid.0);
                record.timer = Some(TimerRecord::of(timer));
            }
            _ => {}
        }
        record
    }
}
