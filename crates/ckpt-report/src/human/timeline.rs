//! `timeline`: events by day, what has no date, and what no checkpoint tells.

use std::io::{self, Write};

use anstyle::Style;
use ckpt_analysis::timeline::{
    Event, File, Filter, LogLine, Precision, Source, Stream, Subject, Timeline, Undated, What,
};
use ckpt_model::{FileType, escape};

use super::columns::wrap;
use super::layout::{Layout, Palette, paint};
use super::line::Line;
use super::units::{count, size};
use crate::message::{seconds, timer};

/// Columns of the longest time (`~00:00:00.000000000`), word of what happened, and source.
const TIME: usize = 19;
const WHAT: usize = 13;
const SOURCE: usize = 11;

/// Fewest columns that what it happened to, and the target of a link, are cut to.
const LEAST_SUBJECT: usize = 24;
const LEAST_TARGET: usize = 8;

/// Writes what the filter shows, one event a row, under the days; then what has no date.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn timeline<W: Write>(
    out: &mut W,
    timeline: &Timeline,
    filter: &Filter,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let mut day = String::new();
    let (mut shown, mut derived) = (0_usize, 0_usize);
    for event in timeline.events(filter) {
        let date = event.time.strftime("%F UTC").to_string();
        if day != date {
            if !day.is_empty() {
                writeln!(out)?;
            }
            writeln!(out, "{}", paint(palette.heading, &date))?;
            day = date;
        }
        shown = shown.saturating_add(1);
        derived = derived.saturating_add(usize::from(event.derived.is_some()));
        writeln!(out, "{}", row(&event, &palette).render(layout.width))?;
    }
    if shown > 0 {
        writeln!(out)?;
    }
    undated(out, timeline, filter, &palette, layout)?;
    let mut line = match shown {
        0 => "no event is shown".to_owned(),
        shown => count(shown, "event", "events"),
    };
    if derived > 0 {
        line.push_str(&format!("; {derived} of them worked out, not recorded (~)"));
    }
    for line in wrap(&line, layout.width) {
        writeln!(out, "{}", paint(palette.name, line))?;
    }
    let never = "when a process was started is in no checkpoint: CRIU does not record it";
    for line in wrap(never, layout.width) {
        writeln!(out, "{}", paint(palette.dim, line))?;
    }
    Ok(())
}

fn row(event: &Event<'_>, palette: &Palette) -> Line {
    let mut line = Line::default();
    let noise = matches!(event.subject, Subject::File(file) if file.noise.is_some());
    let style = |style| if noise { palette.dim } else { style };
    line.push(style(Style::new()), format!("{:<TIME$}  ", time(event)));
    line.push(style(what_style(event.what, palette)), format!("{:<WHAT$}  ", event.what.word()));
    line.push(style(palette.label), format!("{:<SOURCE$}  ", event.source.word()));
    match &event.subject {
        Subject::File(file) => file_parts(&mut line, file, palette),
        Subject::Line(log) => log_parts(&mut line, log, palette),
        Subject::Timer(found) => {
            line.push_cuttable(palette.name, timer(found), LEAST_SUBJECT);
        }
        Subject::Place(Some(remark)) => {
            line.push_cuttable(palette.name, event.place, LEAST_SUBJECT);
            line.push(palette.dim, format!(" [{remark}]"));
        }
        _ => line.push_cuttable(palette.name, event.place, LEAST_SUBJECT),
    }
    if let Some(derived) = event.derived {
        let nanos = derived.uncertainty.as_nanos().unsigned_abs();
        line.push(palette.dim, format!(" [+- {}]", seconds(nanos)));
    }
    line
}

/// Time of the day, as exactly as it is known.
fn time(event: &Event<'_>) -> String {
    let form = match event.precision {
        _ if event.derived.is_some() => "~%H:%M:%S",
        Precision::Seconds => " %H:%M:%S",
        Precision::Micros => " %H:%M:%S.%6f",
        Precision::Nanos => " %H:%M:%S.%9f",
    };
    event.time.strftime(form).to_string()
}

fn what_style(what: What, palette: &Palette) -> Style {
    match what {
        What::Log => palette.dim,
        What::Created | What::Started | What::Checkpointed | What::Restored => palette.heading,
        _ => Style::new(),
    }
}

fn file_parts(line: &mut Line, file: &File, palette: &Palette) {
    let notable = file.source == Source::Ghost;
    let style = if notable { palette.warning } else { palette.name };
    let style = if file.noise.is_some() { palette.dim } else { style };
    line.push_cuttable(style, file.path.escaped(), LEAST_SUBJECT);
    if let Some(target) = &file.target {
        line.push(palette.label, " -> ");
        line.push_cuttable(palette.label, target.escaped(), LEAST_TARGET);
    }
    let mut facts = Vec::new();
    if notable {
        facts.push("deleted".to_owned());
    }
    if file.kind != FileType::File {
        facts.push(file.kind.word().to_owned());
    }
    facts.extend(file.mode.map(|mode| format!("{mode:04o}")));
    facts.extend(file.uid.zip(file.gid).map(|(uid, gid)| format!("{uid}:{gid}")));
    facts.extend(file.size.map(size));
    facts.extend(file.noise.map(|noise| noise.reason().to_owned()));
    line.push(palette.dim, format!(" [{}]", facts.join(", ")));
}

fn log_parts(line: &mut Line, log: &LogLine, palette: &Palette) {
    let stream = log.stream.map_or("", Stream::word);
    let style = if log.stream == Some(Stream::Stderr) { palette.warning } else { palette.label };
    line.push(style, format!("{stream:<6}  "));
    line.push_cuttable(Style::new(), escape(&log.text), LEAST_SUBJECT);
    let more = log.size.saturating_sub(log.text.len() as u64);
    if more > 0 {
        line.push(palette.dim, format!(" [{} more]", size(more)));
    }
    if log.partial {
        line.push(palette.dim, " [goes on]");
    }
    if log.cut {
        line.push(palette.dim, " [the log ends here]");
    }
}

fn undated<W: Write>(
    out: &mut W,
    timeline: &Timeline,
    filter: &Filter,
    palette: &Palette,
    layout: &Layout,
) -> io::Result<()> {
    let mut any = false;
    for undated in timeline.undated(filter) {
        if !any {
            writeln!(out, "{}", paint(palette.heading, "without a date"))?;
            any = true;
        }
        let mut line = Line::default();
        match undated {
            Undated::Deleted(deletion) => {
                line.push(palette.warning, "deleted    ");
                line.push_cuttable(palette.name, deletion.path.escaped(), LEAST_SUBJECT);
                line.push(palette.dim, format!(" [{}]", deletion.source.word()));
                if let Some(noise) = deletion.noise {
                    line.push(palette.dim, format!(" [{}]", noise.reason()));
                }
            }
            Undated::CpuTimer(found) => {
                line.push(Style::new(), "cpu-timer  ");
                line.push_cuttable(palette.name, timer(found), LEAST_SUBJECT);
                line.push(
                    palette.dim,
                    format!(" [after {} of processor time]", seconds(found.left)),
                );
            }
            _ => continue,
        }
        writeln!(out, "{}", line.render(layout.width))?;
    }
    if any {
        writeln!(out)?;
    }
    Ok(())
}
