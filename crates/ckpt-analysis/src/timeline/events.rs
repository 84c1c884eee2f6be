//! The events in order: what is kept sorted, and lines of logs between.

use super::event::{About, Dated};
use super::logs::Lines;
use super::{Event, Filter, Source, Subject, Timeline};

/// Events by time, see [`Timeline::events`].
#[derive(Debug)]
pub struct Events<'a> {
    timeline: &'a Timeline,
    filter: &'a Filter,
    next: usize,
    lines: Lines<'a>,
}

impl<'a> Events<'a> {
    pub(super) fn new(timeline: &'a Timeline, filter: &'a Filter) -> Self {
        let lines = if filter.shows_source(Source::Log) {
            timeline.logs.in_order()
        } else {
            Lines::default()
        };
        Self { timeline, filter, next: 0, lines }
    }

    /// Passes over what the filter does not show.
    fn peek(&mut self) -> Option<&'a Dated> {
        loop {
            let dated = self.timeline.dated.get(self.next)?;
            if self.filter.shows_source(dated.source) && self.filter.shows_time(dated.time) {
                return Some(dated);
            }
            self.next = self.next.saturating_add(1);
        }
    }

    fn event(&self, dated: &'a Dated) -> Event<'a> {
        let subject = match &dated.about {
            About::Container => Subject::Container,
            About::Place(remark) => Subject::Place(remark.as_deref()),
            About::File(index) => {
                self.timeline.files.get(*index).map_or(Subject::Container, Subject::File)
            }
            About::Timer(index) => {
                self.timeline.timers.get(*index).map_or(Subject::Container, Subject::Timer)
            }
        };
        Event {
            time: dated.time,
            precision: dated.precision,
            what: dated.what,
            source: dated.source,
            place: &dated.place,
            derived: dated.derived.as_deref().copied(),
            subject,
        }
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            let dated = self.peek();
            let line_first = match (dated, self.lines.peek()) {
                (None, None) => return None,
                (Some(dated), Some(time)) => (time, Source::Log) < (dated.time, dated.source),
                (Some(_), None) => false,
                (None, Some(_)) => true,
            };
            if !line_first {
                self.next = self.next.saturating_add(1);
                return dated.map(|dated| self.event(dated));
            }
            let line = self.lines.next()?;
            if self.filter.shows_time(line.time) {
                return Some(line);
            }
        }
    }
}
