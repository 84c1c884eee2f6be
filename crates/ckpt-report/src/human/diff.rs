//! `diff`: a table of changes, what they sum up to, and what the list cannot show.

use std::io::{self, Write};

use ckpt_model::{
    Aspect, BaseImage, Change, ChangeFilter, ChangeKind, ChangeSource, Changes, Executable,
    FileState, FileType,
};

use super::columns::wrap;
use super::layout::{Layout, Palette, escaped_once, paint, plain};
use super::line::Line;
use super::units::size;
use crate::times;

const HEADER: [&str; 7] = ["CHANGE", "TYPE", "MODE", "OWNER", "SIZE", "MTIME", "PATH"];

/// Position of the size, which is the column that is aligned to the right.
const SIZE: usize = 4;

/// Fewest columns that a path and the target of a link are cut to.
const LEAST_PATH: usize = 24;
const LEAST_TARGET: usize = 8;

/// Writes the changes that the filter shows, one a row, then a summary, then the gaps.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn diff<W: Write>(
    out: &mut W,
    changes: &Changes,
    filter: &ChangeFilter,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let shown: Vec<&Change> = changes.list.iter().filter(|change| filter.shows(change)).collect();
    let rows: Vec<[String; 6]> = shown.iter().map(|change| cells(change)).collect();
    let mut widths: [usize; 6] = std::array::from_fn(|_| 0);
    for (at, width) in widths.iter_mut().enumerate() {
        let header = HEADER.get(at).map_or(0, |title| title.len());
        let cells = rows.iter().filter_map(|row| row.get(at)).map(String::len);
        *width = cells.fold(header, usize::max);
    }
    if !shown.is_empty() {
        let titles: [String; 6] =
            std::array::from_fn(|at| HEADER.get(at).copied().unwrap_or_default().to_owned());
        let titles = aligned(&titles, &widths) + "PATH";
        writeln!(out, "{}", paint(palette.heading, &titles))?;
    }
    for (change, row) in shown.iter().zip(&rows) {
        let mut line = Line::default();
        let dim = change.noise.is_some();
        let style = |style| if dim { palette.dim } else { style };
        line.push(style(kind_style(change.kind, &palette)), aligned(row, &widths));
        line.push_cuttable(style(palette.name), change.path.escaped(), LEAST_PATH);
        let state = change.state.as_ref().or(change.before.as_ref());
        if let Some(target) = state.and_then(|state| state.target.as_ref()) {
            line.push(style(palette.label), " -> ");
            line.push_cuttable(style(palette.label), target.escaped(), LEAST_TARGET);
        }
        for (mark, notice) in marks(change) {
            let color = if notice { palette.warning } else { palette.dim };
            line.push(style(color), format!(" [{mark}]"));
        }
        writeln!(out, "{}", line.render(layout.width))?;
    }
    if !shown.is_empty() {
        writeln!(out)?;
    }
    summary(out, changes, &shown, &palette)?;
    if let Some(base) = &changes.base {
        write_base(out, base, &palette)?;
    }
    for gap in &changes.gaps {
        let mut label = "gap: ";
        for line in wrap(gap, layout.width.map(|width| width.saturating_sub(label.len()))) {
            writeln!(out, "{}{line}", paint(palette.warning, label))?;
            label = "     ";
        }
    }
    Ok(())
}

fn kind_style(kind: ChangeKind, palette: &Palette) -> anstyle::Style {
    if kind == ChangeKind::Deleted { palette.warning } else { anstyle::Style::new() }
}

/// The columns before the path, padded; none of them holds anything but ASCII.
fn aligned(row: &[String; 6], widths: &[usize; 6]) -> String {
    let mut line = String::new();
    for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
        let cell =
            if at == SIZE { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
        line.push_str(&cell);
    }
    line
}

/// Of what was deleted, what the base had.
fn cells(change: &Change) -> [String; 6] {
    let none = || "-".to_owned();
    let kind = change.kind.word().to_owned();
    let Some(state) = change.state.as_ref().or(change.before.as_ref()) else {
        return [kind, none(), none(), none(), none(), none()];
    };
    let bytes = match state.kind {
        FileType::File => size(state.size),
        _ => state.device.map_or_else(none, |(major, minor)| format!("{major},{minor}")),
    };
    [
        kind,
        state.kind.word().to_owned(),
        format!("{:04o}", state.mode),
        format!("{}:{}", state.uid, state.gid),
        bytes,
        times::exact(state.mtime.secs, 0).unwrap_or_else(none),
    ]
}

/// What else is to be known of a change, and whether it is to be noticed.
fn marks(change: &Change) -> Vec<(String, bool)> {
    let mut marks = Vec::new();
    if let Some(noise) = change.noise {
        marks.push((noise.reason().to_owned(), false));
        return marks;
    }
    for path in &change.deleted_paths {
        marks.push((format!("CRIU's link to {} (deleted)", path.escaped()), true));
    }
    // With another content comes another time.
    let words =
        change.what.iter().filter(|aspect| **aspect != Aspect::Time || change.what.len() == 1);
    let words: Vec<&str> = words.map(|aspect| aspect.word()).collect();
    if !words.is_empty() {
        marks.push((words.join(", "), false));
    }
    if let Some(state) = &change.state {
        state_marks(state, &mut marks);
    }
    if change.opaque {
        marks.push(("made anew, empty".to_owned(), false));
    }
    match &change.source {
        ChangeSource::Volume(name) => marks.push((format!("volume {}", name.escaped()), false)),
        ChangeSource::Base => marks.push(("with its directory".to_owned(), false)),
        _ => {}
    }
    if let Some(risk) = change.risk {
        marks.push((risk.to_string(), true));
    }
    marks
}

pub(super) fn state_marks(state: &FileState, marks: &mut Vec<(String, bool)>) {
    match state.executable {
        Some(Executable::Elf) => marks.push(("ELF".to_owned(), true)),
        Some(Executable::Script) => marks.push(("script".to_owned(), true)),
        Some(Executable::Mode) => marks.push(("executable".to_owned(), false)),
        _ => {}
    }
    if state.kind == FileType::File {
        for (bit, word) in [(0o4000, "setuid"), (0o2000, "setgid")] {
            if state.mode & bit != 0 {
                marks.push((word.to_owned(), true));
            }
        }
    }
    match state.capabilities() {
        Some(caps) => marks.push((caps.to_string(), true)),
        None if state.gives_rights() && state.mode & 0o6000 == 0 => {
            marks.push(("unreadable file capabilities".to_owned(), true));
        }
        None => {}
    }
    if let Some(link) = &state.hard_link {
        marks.push((format!("hard link to {}", link.escaped()), false));
    }
}

fn summary<W: Write>(
    out: &mut W,
    changes: &Changes,
    shown: &[&Change],
    palette: &Palette,
) -> io::Result<()> {
    let of = |kind| shown.iter().filter(|change| change.kind == kind).count();
    let kinds = [ChangeKind::Added, ChangeKind::Modified, ChangeKind::Written, ChangeKind::Deleted];
    let counts: Vec<String> = kinds
        .iter()
        .filter_map(|kind| {
            let count = of(*kind);
            (count > 0).then(|| format!("{count} {}", kind.word()))
        })
        .collect();
    let mut line = match (shown.len(), changes.list.len()) {
        (0, 0) => "no changes are told".to_owned(),
        (shown, all) if shown == all => counts.join(", "),
        (0, all) => format!("none of {all} changes is shown"),
        (_, all) => format!("{} (of {all} changes)", counts.join(", ")),
    };
    let noise = shown.iter().filter(|change| change.noise.is_some()).count();
    if noise > 0 {
        line.push_str(&format!("; {noise} of them made by the engine"));
    }
    let bytes = shown.iter().filter_map(|change| change.state.as_ref()).map(|state| state.size);
    let bytes = bytes.fold(0, u64::saturating_add);
    if bytes > 0 {
        line.push_str(&format!("; {} of content", size(bytes)));
    }
    if changes.base.is_none() && of(ChangeKind::Written) > 0 {
        line.push_str("; --base tells added from modified");
    }
    writeln!(out, "{}", paint(palette.name, &line))
}

fn write_base<W: Write>(out: &mut W, base: &BaseImage, palette: &Palette) -> io::Result<()> {
    let known = match base.is_the_containers {
        Some(true) => "the container's image",
        Some(false) => "not the image that the container names",
        None => "whether it is the container's image is not told",
    };
    let style = if base.is_the_containers == Some(false) { palette.warning } else { palette.dim };
    let id = base.image_id.as_deref().map(|id| format!(" {}", plain(id))).unwrap_or_default();
    let text = format!("({known})");
    writeln!(
        out,
        "{} {}{id} {}",
        paint(palette.label, "base:"),
        escaped_once(&base.path),
        paint(style, &text)
    )
}
