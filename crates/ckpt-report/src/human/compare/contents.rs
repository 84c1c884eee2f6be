//! Files: of the file system, and recovered ones.

use std::io::{self, Write};

use anstyle::Style;
use ckpt_analysis::compare::{ArtifactChange, ArtifactFact, Comparison, FileChange, Sameness};
use ckpt_model::artifacts::Artifact;
use ckpt_model::{Aspect, ChangeKind, FileState, Noise};

use super::sheet::{Sheet, Sign, sum};
use crate::human::columns::wrap;
use crate::human::diff::state_marks;
use crate::human::layout::paint;
use crate::human::units::size;
use crate::json::CompareShow;

pub(super) fn filesystem<W: Write>(
    sheet: &mut Sheet<'_, W>,
    comparison: &Comparison<'_>,
    show: &CompareShow,
) -> io::Result<()> {
    let Some(found) = &comparison.filesystem else { return Ok(()) };
    let same = found.unchanged.len();
    if found.changes.is_empty() && !(show.unchanged && same > 0) {
        return Ok(());
    }
    let of = |kind| found.changes.iter().filter(|change| change.kind == kind).count();
    let counts = [
        (of(ChangeKind::Added), "added"),
        (of(ChangeKind::Modified), "modified"),
        (of(ChangeKind::Written), "written in B alone"),
        (of(ChangeKind::Deleted), "deleted"),
        (same, "the same"),
    ];
    sheet.title("files", &sum(&counts))?;
    for change in &found.changes {
        let sign = match change.kind {
            ChangeKind::Added | ChangeKind::Written => Sign::Added,
            ChangeKind::Deleted => Sign::Removed,
            _ => Sign::Changed,
        };
        file(sheet, sign, change)?;
    }
    for change in found.unchanged.iter().filter(|_| show.unchanged) {
        file(sheet, Sign::Same, change)?;
    }
    let written =
        |change: &FileChange| change.kind == ChangeKind::Written && change.volume.is_none();
    if found.changes.iter().any(written) {
        sheet.note("  written in B alone: added or modified, --base tells which")?;
    }
    for gap in &found.gaps {
        let mut label = "  gap: ";
        for line in wrap(gap, sheet.width.map(|width| width.saturating_sub(label.len()))) {
            writeln!(sheet.out, "{}{line}", paint(sheet.palette.warning, label))?;
            label = "       ";
        }
    }
    Ok(())
}

fn file<W: Write>(sheet: &mut Sheet<'_, W>, sign: Sign, change: &FileChange) -> io::Result<()> {
    let mut line = sheet.signed(1, sign);
    let dim = change.noise.is_some();
    let style = if dim { sheet.palette.dim } else { Style::new() };
    line.push_cuttable(style, change.path.escaped(), 24);
    let (a, b) = (state(change.a.as_ref()), state(change.b.as_ref()));
    if let Some(text) = sizes(change, a, b) {
        line.push(sheet.palette.dim, format!("  {text}"));
    }
    for aspect in &change.what {
        if let Some(text) = aspect_text(*aspect, change.what.len(), a, b) {
            line.push(sheet.palette.label, format!("  {text}"));
        }
    }
    let mut marks = Vec::new();
    if let Some(volume) = &change.volume {
        marks.push((format!("volume {}", volume.escaped()), false));
    }
    if let Some(noise) = change.noise {
        marks.push((Noise::reason(noise).to_owned(), false));
    } else if let Some(now) = b.filter(|_| sign != Sign::Same) {
        state_marks(now, &mut marks);
    }
    for (mark, notice) in marks {
        let style = if notice { sheet.palette.warning } else { sheet.palette.dim };
        line.push(style, format!(" [{mark}]"));
    }
    sheet.write(line)
}

fn state(change: Option<&ckpt_model::Change>) -> Option<&FileState> {
    change.and_then(|change| change.state.as_ref())
}

fn sizes(change: &FileChange, a: Option<&FileState>, b: Option<&FileState>) -> Option<String> {
    let bytes = |state: &FileState| match state.kind {
        ckpt_model::FileType::File => size(state.size),
        other => other.word().to_owned(),
    };
    match (a, b) {
        (Some(a), Some(b)) if change.kind == ChangeKind::Modified && bytes(a) != bytes(b) => {
            Some(format!("{} -> {}", bytes(a), bytes(b)))
        }
        (a, b) => b.or(a).map(bytes),
    }
}

/// What differs, with both sides where they are short. With another content comes another time.
fn aspect_text(
    aspect: Aspect,
    count: usize,
    a: Option<&FileState>,
    b: Option<&FileState>,
) -> Option<String> {
    let (a, b) = (a?, b?);
    Some(match aspect {
        Aspect::Time if count > 1 => return None,
        Aspect::Mode => format!("mode {:04o} -> {:04o}", a.mode, b.mode),
        Aspect::Owner => format!("owner {}:{} -> {}:{}", a.uid, a.gid, b.uid, b.gid),
        Aspect::Target => {
            let target = |state: &FileState| {
                state
                    .target
                    .as_ref()
                    .map(|target| target.escaped().into_owned())
                    .unwrap_or_default()
            };
            format!("target {} -> {}", target(a), target(b))
        }
        other => other.word().to_owned(),
    })
}

pub(super) fn artifacts<W: Write>(
    sheet: &mut Sheet<'_, W>,
    comparison: &Comparison<'_>,
    show: &CompareShow,
) -> io::Result<()> {
    let Some(found) = &comparison.artifacts else { return Ok(()) };
    let (added, removed, changed) = (found.added.len(), found.removed.len(), found.changed.len());
    if added + removed + changed == 0 && !show.unchanged {
        return Ok(());
    }
    let same = found.unchanged.len();
    let counts = [(added, "added"), (removed, "removed"), (changed, "changed"), (same, "the same")];
    sheet.title("recovered", &sum(&counts))?;
    for (sign, list) in [(Sign::Added, &found.added), (Sign::Removed, &found.removed)] {
        for one in list {
            artifact(sheet, sign, one, &size(one.size))?;
        }
    }
    for change in &found.changed {
        artifact(sheet, Sign::Changed, &change.b, &artifact_changes(change))?;
    }
    for change in found.unchanged.iter().filter(|_| show.unchanged) {
        artifact(sheet, Sign::Same, &change.b, &artifact_changes(change))?;
    }
    Ok(())
}

fn artifact<W: Write>(
    sheet: &mut Sheet<'_, W>,
    sign: Sign,
    one: &Artifact,
    text: &str,
) -> io::Result<()> {
    let mut line = sheet.signed(1, sign);
    line.push(sheet.palette.label, format!("{:<12} ", one.origin.word()));
    let path = one.path.as_ref().map(|path| path.escaped().into_owned());
    line.push_cuttable(Style::new(), path.unwrap_or_else(|| one.id.clone()), 16);
    line.push(sheet.palette.dim, format!("  {text}"));
    if let Some(pid) = one.pid() {
        let fd = one.fd().map(|fd| format!(" fd {fd}")).unwrap_or_default();
        line.push(sheet.palette.dim, format!("  pid {pid}{fd}"));
    }
    sheet.write(line)
}

fn artifact_changes(change: &ArtifactChange) -> String {
    let (a, b) = (&change.a, &change.b);
    let mut words = vec![if a.size == b.size {
        size(b.size)
    } else {
        format!("{} -> {}", size(a.size), size(b.size))
    }];
    let mode =
        |artifact: &Artifact| artifact.mode.map_or("?".to_owned(), |mode| format!("{mode:04o}"));
    for fact in &change.what {
        match fact {
            ArtifactFact::Content => match change.content {
                Sameness::Differs(offset) => words.push(format!("content from byte {offset}")),
                _ => words.push("content".to_owned()),
            },
            ArtifactFact::Mode => words.push(format!("mode {} -> {}", mode(a), mode(b))),
            ArtifactFact::Owner => words.push("owner".to_owned()),
            ArtifactFact::Time if change.what.len() == 1 => words.push("time".to_owned()),
            _ => {}
        }
    }
    match change.content {
        Sameness::Unknown(why) => words.push(format!("not compared: {why}")),
        Sameness::NotRead => words.push("not compared: more holes than are read".to_owned()),
        _ => {}
    }
    words.join("  ")
}
