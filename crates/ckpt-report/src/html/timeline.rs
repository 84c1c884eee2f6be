//! The timeline: lanes by source, and the table.

use std::collections::{BTreeMap, VecDeque};

use ckpt_analysis::timeline::{Event, Filter, Source, Timeline, What};
use serde::Serialize;

use super::shown::Shown;
use super::{Legible, Limits};
use crate::json::UndatedRecord;
use crate::message::message;
use crate::svg::{self, Dot, Drawing, Window};

/// The section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Lanes {
    drawing: Option<Drawing>,
    /// What is drawn first, and everything that can be drawn.
    window: Option<Window>,
    whole: Option<Window>,
    left: f64,
    right: f64,
    list: Shown<Row>,
    /// Events outside of what is drawn first.
    outside: usize,
    undated: Shown<(String, String)>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    time: String,
    derived: bool,
    what: &'static str,
    source: &'static str,
    text: String,
    pid: Option<u32>,
    #[serde(skip)]
    millis: i64,
    #[serde(skip)]
    class: &'static str,
}

/// Letters of an event's text in the drawing.
const IN_DRAWING: usize = 120;

impl Lanes {
    pub(super) fn of(timeline: &Timeline, legible: &Legible<'_>, limits: &Limits) -> Self {
        let filter = Filter::default();
        let (rows, more) = last(timeline, &filter, legible, limits);
        let frame = frame(timeline, &filter);
        let undated = timeline.undated(&filter);
        let undated = Shown::first(undated, limits.log_lines, "timeline", |one| {
            let record = UndatedRecord::of(one);
            let text = match (&record.path, record.pid) {
                (Some(path), _) => legible.text(path),
                (None, pid) => {
                    format!("process {}", pid.map(|pid| pid.to_string()).unwrap_or_default())
                }
            };
            (record.what.to_owned(), text)
        });
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Self {
                drawing: None,
                window: None,
                whole: None,
                left: svg::TIMELINE_LEFT,
                right: svg::TIMELINE_RIGHT,
                list: Shown { rows, all: more, more, command: "timeline" },
                outside: 0,
                undated,
            };
        };
        let whole = Window::around(first.millis, last.millis);
        let window = frame.map_or(whole, |(from, to)| Window::around(from, to));
        let outside =
            rows.iter().filter(|row| row.millis < window.from || row.millis > window.to).count();
        let (names, dots) = dots(&rows);
        let label = format!("Timeline of {} events in {} lanes", rows.len(), names.len());
        Self {
            drawing: Some(svg::timeline(&names, &dots, window, label)),
            window: Some(window),
            whole: Some(whole),
            left: svg::TIMELINE_LEFT,
            right: svg::TIMELINE_RIGHT,
            list: Shown { all: rows.len().saturating_add(more), rows, more, command: "timeline" },
            outside,
            undated,
        }
    }
}

/// The last events, which are nearest to the checkpoint, by time; and how many came before them.
fn last(
    timeline: &Timeline,
    filter: &Filter,
    legible: &Legible<'_>,
    limits: &Limits,
) -> (Vec<Row>, usize) {
    let mut kept: VecDeque<(usize, Row)> = VecDeque::new();
    let mut lines: VecDeque<(usize, Row)> = VecDeque::new();
    let mut more = 0_usize;
    for (number, event) in timeline.events(filter).enumerate() {
        let (queue, most) = match event.source {
            Source::Log => (&mut lines, limits.log_lines),
            _ => (&mut kept, limits.events),
        };
        if queue.len() >= most {
            queue.pop_front();
            more = more.saturating_add(1);
        }
        if most > 0 {
            queue.push_back((number, Row::of(&event, legible)));
        }
    }
    let mut all: Vec<(usize, Row)> = kept.into_iter().chain(lines).collect();
    all.sort_by_key(|(number, _)| *number);
    (all.into_iter().map(|(_, row)| row).collect(), more)
}

/// From when to when the container lived, as far as its engine and the images tell.
fn frame(timeline: &Timeline, filter: &Filter) -> Option<(i64, i64)> {
    let mut lived: Option<(i64, i64)> = None;
    let mut only = filter.clone();
    only.sources = vec![Source::Container, Source::Images];
    for event in timeline.events(&only) {
        let tells = matches!(
            event.what,
            What::Created | What::Started | What::Checkpointed | What::DumpBegan | What::DumpEnded
        );
        if tells {
            let millis = event.time.as_millisecond();
            let (from, to) = lived.unwrap_or((millis, millis));
            lived = Some((from.min(millis), to.max(millis)));
        }
    }
    lived
}

/// Lanes in the order of the sources, and one dot for each moment of a lane.
fn dots(rows: &[Row]) -> (Vec<&'static str>, Vec<Dot>) {
    let order = Source::ALL.map(Source::word);
    let names: Vec<&'static str> =
        order.into_iter().filter(|name| rows.iter().any(|row| row.source == *name)).collect();
    let mut moments: BTreeMap<(usize, i64), Dot> = BTreeMap::new();
    for row in rows {
        let Some(lane) = names.iter().position(|name| *name == row.source) else { continue };
        let dot = moments.entry((lane, row.millis)).or_insert_with(|| Dot {
            lane,
            time: row.millis,
            class: row.class,
            count: 0,
            title: format!("{} {}", row.time, cut(&row.text)),
        });
        dot.count = dot.count.saturating_add(1);
    }
    let mut dots: Vec<Dot> = moments.into_values().collect();
    for dot in dots.iter_mut().filter(|dot| dot.count > 1) {
        dot.title.push_str(&format!("\nand {} more", dot.count.saturating_sub(1)));
    }
    (names, dots)
}

fn cut(text: &str) -> String {
    let end = text.char_indices().nth(IN_DRAWING).map(|(at, _)| at);
    end.map_or_else(|| text.to_owned(), |end| format!("{}…", text.get(..end).unwrap_or_default()))
}

impl Row {
    fn of(event: &Event<'_>, legible: &Legible<'_>) -> Self {
        let pid = match &event.subject {
            ckpt_analysis::timeline::Subject::File(file) => file.pid,
            ckpt_analysis::timeline::Subject::Timer(timer) => Some(timer.pid),
            _ => None,
        };
        Self {
            time: event.time.to_string(),
            derived: event.derived.is_some(),
            what: event.what.word(),
            source: event.source.word(),
            text: legible.text(&message(event)),
            pid: pid.map(|pid| pid.0),
            millis: event.time.as_millisecond(),
            class: class(event.source),
        }
    }
}

/// Class of the colour of a source.
fn class(source: Source) -> &'static str {
    match source {
        Source::Host | Source::Container => "k-engine",
        Source::Images | Source::Member => "k-dump",
        Source::Log => "k-log",
        Source::Ghost => "k-ghost",
        Source::Timer => "k-timer",
        _ => "k-file",
    }
}
