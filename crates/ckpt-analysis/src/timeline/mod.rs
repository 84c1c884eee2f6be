//! Every clock in a checkpoint as one timeline.
//!
//! | source | what is dated | as exactly as |
//! |---|---|---|
//! | [`Container`](Source::Container) | created, started, checkpointed, restored, as the engine and the images tell it | ns, s |
//! | [`Host`](Source::Host) | boot of the host: derived from an uptime | s |
//! | [`Images`](Source::Images) | first and last image of a dump written; images of an earlier one | s |
//! | [`Member`](Source::Member) | what the engine put beside the images: when each was last written | s |
//! | [`RootfsDiff`](Source::RootfsDiff), [`Tmpfs`](Source::Tmpfs), [`DevShm`](Source::DevShm), [`Volume`](Source::Volume) | files: last modification; access and change where the archive has them | s, ns |
//! | [`Ghost`](Source::Ghost) | deleted files that were open: last modification and access | us |
//! | [`Log`](Source::Log) | each line of the container's log | ns |
//! | [`Timer`](Source::Timer) | when a timer is due: derived from the time that was left | s |
//!
//! Process start times are in no image: CRIU does not store them.
//!
//! # Limits
//!
//! Lines of logs are not gathered: a [`Timeline`] knows where the stretches of ascending times begin, and
//! [`Timeline::events`] reads and merges them anew each time. Logs of honest engines are a few stretches, whatever their
//! length; of more than [`MAX_RUNS`] the rest is left out and told. Of a line at most [`MAX_TEXT`] bytes are shown. A time
//! that no calendar has (before the year -9999, after 9999) is told as a defect and is no event. What is dated by nobody,
//! such as a deletion, is [`Undated`].

mod container;
mod event;
mod events;
mod files;
mod filter;
mod images;
mod logs;
mod timers;
mod undated;

use std::sync::Arc;

use ckpt_model::artifacts::Artifacts;
use ckpt_model::{BaseError, ChangesOptions, Checkpoint, Defect, DefectKind};
use jiff::Timestamp;

pub use event::{Derivation, Event, Precision, Source, Subject, What};
pub use events::Events;
pub use files::File;
pub use filter::Filter;
pub use logs::{
    LineDefect, LogFormat, LogLine, MAX_LINE, MAX_RUNS, MAX_TEXT, Stream, parse as parse_line,
};
pub use timers::{Timer, TimerKind};
pub use undated::{Deletion, Undated};

use event::{About, Dated};
use logs::Logs;

/// Everything that has a time.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// All but lines of logs: by time, source, path and kind.
    dated: Vec<Dated>,
    files: Vec<File>,
    timers: Vec<Timer>,
    logs: Logs,
    undated: Vec<Undated>,
    defects: Vec<Defect>,
}

impl Timeline {
    /// What the filter shows, by time; at one time by source, then by path.
    #[must_use]
    pub fn events<'a>(&'a self, filter: &'a Filter) -> Events<'a> {
        Events::new(self, filter)
    }

    /// The files of which the filter shows any time, in the order of the evidence.
    pub fn files<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(|file| {
            filter.shows_source(file.source)
                && [file.mtime, file.atime, file.ctime]
                    .into_iter()
                    .flatten()
                    .any(|time| filter.shows_time(time))
        })
    }

    /// What happened, and nothing says when: of the sources that the filter shows, whatever its times are.
    pub fn undated<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Undated> {
        self.undated.iter().filter(|undated| filter.shows_source(undated.source()))
    }

    /// Lines of logs that have a time.
    #[must_use]
    pub fn log_lines(&self) -> u64 {
        self.logs.lines()
    }

    /// What was found wrong with times and logs, besides what the checkpoint itself tells.
    #[must_use]
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }
}

/// Puts the times of a checkpoint in order. Archives inside the evidence are opened with `options`.
#[must_use]
pub fn timeline(checkpoint: &Checkpoint, options: &ckpt_archive::Options) -> Timeline {
    let mut building = Building { checkpoint, timeline: Timeline::default() };
    container::moments(&mut building);
    container::members(&mut building);
    images::dumps(&mut building);
    images::left_overs(&mut building);
    timers::find(&mut building);
    let artifacts = checkpoint.artifacts(options);
    // Without a base nothing can fail; were there an error, deletions would be all that is lost.
    let changes: Result<_, BaseError> =
        checkpoint.changes(&ChangesOptions::default().archive(options.clone()).unhashed());
    let changes = changes.map(|changes| changes.list).unwrap_or_default();
    files::find(&mut building, &artifacts, &changes);
    undated::deletions(&mut building, &changes);
    building.finish(&artifacts)
}

/// A timeline while its sources are read.
struct Building<'a> {
    checkpoint: &'a Checkpoint,
    timeline: Timeline,
}

impl Building<'_> {
    fn push(&mut self, dated: Dated) {
        self.timeline.dated.push(dated);
    }

    /// A time of an archive; one that no calendar has is told.
    fn stamp(&mut self, time: ckpt_archive::Timestamp, place: &str) -> Option<Timestamp> {
        let nanos = i32::try_from(time.nanos).ok();
        let found = nanos.and_then(|nanos| Timestamp::new(time.secs, nanos).ok());
        if found.is_none() {
            let what =
                format!("modification time {} s after 1970 is in no calendar; left out", time.secs);
            self.tell(DefectKind::Damaged, place, what);
        }
        found
    }

    fn tell(&mut self, kind: DefectKind, place: impl Into<String>, what: impl Into<String>) {
        self.timeline.defects.push(Defect { place: place.into(), what: what.into(), kind });
    }

    /// Reads the logs and sorts all else.
    fn finish(mut self, artifacts: &Artifacts) -> Timeline {
        self.timeline.logs = Logs::read(artifacts, &mut self.timeline.defects);
        let Timeline { dated, files, .. } = &mut self.timeline;
        let path = |dated: &Dated| match dated.about {
            About::File(index) => files.get(index).map(|file| file.path.as_bytes()),
            _ => None,
        };
        dated.sort_by(|a, b| {
            let key = |dated: &Dated| (dated.time, dated.source);
            let rest = |dated: &Dated| (Arc::clone(&dated.place), dated.what);
            key(a)
                .cmp(&key(b))
                .then_with(|| path(a).cmp(&path(b)))
                .then_with(|| rest(a).cmp(&rest(b)))
        });
        self.timeline
    }
}
