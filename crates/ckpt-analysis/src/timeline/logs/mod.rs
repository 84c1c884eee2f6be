//! The container's logs: read once for stretches of ascending times, then merged as often as they are asked for.

mod line;
mod merge;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ckpt_model::artifacts::{Artifact, Artifacts, Origin};
use ckpt_model::{Defect, DefectKind, Piece};
use jiff::Timestamp;
use memchr::memchr;

pub use line::{LineDefect, LogFormat, LogLine, MAX_LINE, MAX_TEXT, Stream, parse};
pub(super) use merge::Lines;

/// Most stretches of ascending times that are merged. Engines write lines as they come: more than a few stretches mean
/// that the clock was set back, or that the log was made up.
pub const MAX_RUNS: usize = 1 << 19;

/// The logs of a container.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs {
    logs: Vec<Log>,
    lines: u64,
}

/// One log.
#[derive(Clone, Debug)]
struct Log {
    /// The member, safe for a terminal.
    place: Arc<str>,
    /// Its bytes: in one piece, unless the log has holes.
    pieces: Vec<Bytes>,
    /// Stretches of ascending times, in the order of the log.
    runs: Vec<Run>,
}

/// Lines whose times do not descend.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Time of the first line.
    first: Timestamp,
    /// Which piece of the log.
    piece: usize,
    /// Offset of the first line in the piece.
    start: usize,
    /// Offset behind the last line.
    end: usize,
}

impl Logs {
    /// Looks through every log, and tells what is no line.
    pub(super) fn read(artifacts: &Artifacts, defects: &mut Vec<Defect>) -> Self {
        let mut logs = Self::default();
        let mut runs_left = MAX_RUNS;
        let members = artifacts.list.iter().filter(|artifact| artifact.origin == Origin::Log);
        for artifact in members {
            let mut scan = Scan { runs_left, ..Scan::default() };
            let pieces = scan.read(artifact);
            runs_left = scan.runs_left;
            logs.lines = logs.lines.saturating_add(scan.lines);
            let runs = std::mem::take(&mut scan.runs);
            scan.tell(&artifact.source, defects);
            logs.logs.push(Log { place: Arc::clone(&artifact.source), pieces, runs });
        }
        logs
    }

    /// Lines that have a time.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// The lines of all logs by time, those of one time in the order of the logs.
    pub(super) fn in_order(&self) -> Lines<'_> {
        Lines::new(&self.logs)
    }
}

/// What is found while a log is looked through.
#[derive(Debug, Default)]
struct Scan {
    runs: Vec<Run>,
    runs_left: usize,
    lines: u64,
    last: Option<Timestamp>,
    /// What is no line: how many, and where the first is.
    broken: BTreeMap<LineDefect, (u64, u64)>,
    /// Lines behind the last stretch that is merged.
    left_out: u64,
    /// Bytes that are not there, where they begin, and why.
    missing: Option<(u64, u64, String)>,
}

impl Scan {
    fn read(&mut self, artifact: &Artifact) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        let mut at = 0_u64;
        for piece in artifact.content().into_iter().flat_map(|content| content.pieces()) {
            let len = piece.len();
            match piece {
                Piece::Bytes(bytes) => {
                    self.piece(&bytes, pieces.len(), at);
                    pieces.push(bytes);
                }
                // The file was truncated while the engine held it open at its end, and has a hole since.
                Piece::Zeros(_) => {}
                Piece::Missing { len, why } => {
                    let (_, known, _) =
                        self.missing.get_or_insert_with(|| (at, 0, why.to_string()));
                    *known = known.saturating_add(len);
                }
            }
            at = at.saturating_add(len);
        }
        pieces
    }

    fn piece(&mut self, bytes: &Bytes, piece: usize, offset: u64) {
        // A line never goes on in the next piece: between them is something that is no line.
        self.last = None;
        let mut start = 0;
        while let Some((line, next)) = line_at(bytes, start) {
            match line.map(|line| parse(&line)) {
                None => {}
                Some(Ok(line)) => self.line(&line, piece, start, next),
                Some(Err(defect)) => {
                    let at = offset.saturating_add(start as u64);
                    let (count, _) = self.broken.entry(defect).or_insert((0, at));
                    *count = count.saturating_add(1);
                }
            }
            start = next;
        }
    }

    fn line(&mut self, line: &LogLine, piece: usize, start: usize, end: usize) {
        if self.left_out > 0 {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        if let Some(run) = self.runs.last_mut()
            && self.last.is_some_and(|last| last <= line.time)
        {
            run.end = end;
        } else if let Some(left) = self.runs_left.checked_sub(1) {
            self.runs_left = left;
            self.runs.push(Run { first: line.time, piece, start, end });
        } else {
            self.left_out = 1;
            return;
        }
        self.last = Some(line.time);
        self.lines = self.lines.saturating_add(1);
    }

    fn tell(self, place: &str, defects: &mut Vec<Defect>) {
        let mut tell = |kind, what| defects.push(Defect { place: place.to_owned(), what, kind });
        for (defect, (count, first)) in self.broken {
            let kind = match defect {
                LineDefect::Unknown => DefectKind::Unknown,
                _ => DefectKind::Damaged,
            };
            let words = defect.words();
            tell(kind, format!("{count} line(s) left out, the first at byte {first}: {words}"));
        }
        if self.left_out > 0 {
            let what = format!(
                "{} line(s) left out: the times go back more than {MAX_RUNS} times",
                self.left_out
            );
            tell(DefectKind::Suspect, what);
        }
        if let Some((at, len, why)) = self.missing {
            let what = format!("{len} bytes of the log are not there, from byte {at} on: {why}");
            tell(DefectKind::Damaged, what);
        }
    }
}

/// The line at an offset, and the offset behind it; the line is `None` where there is nothing but its end, and NUL bytes
/// before it are no part of it: they are what a truncated file was filled up with.
fn line_at(bytes: &Bytes, start: usize) -> Option<(Option<Bytes>, usize)> {
    let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
    let len = memchr(b'\n', rest).unwrap_or(rest.len());
    let line = rest.get(..len)?;
    let zeros = line.iter().take_while(|byte| **byte == 0).count();
    let line = line.get(zeros..).filter(|line| !line.is_empty());
    let next = start.saturating_add(len).saturating_add(1);
    Some((line.map(|line| bytes.slice_ref(line)), next))
}
