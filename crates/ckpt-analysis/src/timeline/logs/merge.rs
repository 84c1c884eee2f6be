//! Lines of several stretches by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;

use super::super::{Event, Source, Subject, What};
use super::{Log, LogFormat, LogLine, Run, line_at, parse};

/// Lines by time. Each stretch has one place in the heap and at most one line in memory.
#[derive(Debug, Default)]
pub(in crate::timeline) struct Lines<'a> {
    logs: &'a [Log],
    heads: BinaryHeap<Reverse<Head>>,
}

/// Where a stretch has come to.
#[derive(Debug)]
struct Head {
    time: Timestamp,
    log: usize,
    run: usize,
    /// Offset in the piece of the log from which to look for the line.
    at: usize,
    /// The line, when it was looked for already, and the offset behind it.
    line: Option<Box<(LogLine, usize)>>,
}

impl Head {
    fn key(&self) -> (Timestamp, usize, usize) {
        (self.time, self.log, self.run)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<'a> Lines<'a> {
    pub(super) fn new(logs: &'a [Log]) -> Self {
        let heads = logs.iter().enumerate().flat_map(|(log, content)| {
            content.runs.iter().enumerate().map(move |(run, stretch)| {
                Reverse(Head { time: stretch.first, log, run, at: stretch.start, line: None })
            })
        });
        Self { logs, heads: heads.collect() }
    }

    /// Time of the next line.
    pub(in crate::timeline) fn peek(&self) -> Option<Timestamp> {
        self.heads.peek().map(|Reverse(head)| head.time)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            let Reverse(head) = self.heads.pop()?;
            let log = self.logs.get(head.log)?;
            let run = log.runs.get(head.run)?;
            let found = head.line.map(|line| *line).or_else(|| find(log, run, head.at));
            let Some((line, behind)) = found else { continue };
            if let Some((next, end)) = find(log, run, behind) {
                let (time, line) = (next.time, Some(Box::new((next, end))));
                self.heads.push(Reverse(Head { time, at: behind, line, ..head }));
            }
            return Some(Event {
                time: line.time,
                precision: line.precision,
                what: What::Log,
                source: Source::Log,
                place: &log.place,
                derived: None,
                subject: Subject::Line(line),
            });
        }
    }
}

/// The first line of the stretch from an offset on, and the offset behind it.
fn find(log: &Log, run: &Run, mut at: usize) -> Option<(LogLine, usize)> {
    let piece = log.pieces.get(run.piece)?;
    while at < run.end {
        let (line, next) = line_at(piece, at)?;
        if let Some(Ok(mut line)) = line.map(|line| parse(&line)) {
            // The newline would be the byte before the next line. JSON shows by itself where it ends.
            line.cut = next > piece.len() && line.format == LogFormat::Cri;
            return Some((line, next));
        }
        at = next;
    }
    None
}
