//! `diff A B`: a report of what appeared, what went and what changed, process by process, then what belongs to none.
//!
//! A line begins with `+` for what only B has, `-` for what only A has, `~` for what changed, `=` for what is the same, or differs as it
//! always does, and `?` for what could not be compared.

mod contents;
mod facts;
mod memory;
mod processes;
mod rows;
mod sheet;
mod system;

use std::io::{self, Write};

use ckpt_analysis::compare::{Comparison, Inodes, MatchBy};
use ckpt_model::{Checkpoint, Event};

use super::layout::{Layout, Palette, plain};
use crate::json::CompareShow;
use sheet::{Sheet, Sign};

/// Writes what differs, and with `show.unchanged` what does not.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn compare<W: Write>(
    out: &mut W,
    comparison: &Comparison<'_>,
    show: &CompareShow,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let mut sheet = Sheet { out, palette, width: layout.width };
    heading(&mut sheet, comparison)?;
    container(&mut sheet, comparison, show)?;
    processes::write(&mut sheet, comparison, show)?;
    system::sockets(&mut sheet, comparison, show)?;
    system::mounts(&mut sheet, comparison, show)?;
    contents::filesystem(&mut sheet, comparison, show)?;
    contents::artifacts(&mut sheet, comparison, show)?;
    if !comparison.differs() {
        sheet.blank()?;
        sheet.note(nothing(comparison))?;
    }
    Ok(())
}

fn heading<W: Write>(sheet: &mut Sheet<'_, W>, comparison: &Comparison<'_>) -> io::Result<()> {
    for (letter, checkpoint) in [("A", comparison.a), ("B", comparison.b)] {
        let mut line = sheet.line();
        line.push(sheet.palette.heading, letter);
        line.push_cuttable(sheet.palette.name, format!("  {}", evidence(checkpoint)), 12);
        line.push_cuttable(sheet.palette.dim, format!("  {}", who(checkpoint)), 12);
        sheet.write(line)?;
    }
    let matching = &comparison.matching;
    let mut words = vec![match matching.one_container {
        Some(true) => "one container",
        Some(false) => "different containers",
        None => "whether it is one container is not told",
    }];
    if !matching.pairs.is_empty() {
        words.push(match matching.by {
            MatchBy::Role => "processes matched by role",
            _ => "processes matched by pid",
        });
        words.push(match (matching.continued, comparison.inodes) {
            (true, Inodes::Renumbered) => "processes go on, restored in between",
            (true, _) => "processes go on",
            (false, _) => "no process goes on",
        });
    }
    sheet.note(&words.join("; "))?;
    for (letter, other, whole) in [("A", "B", comparison.whole_a), ("B", "A", comparison.whole_b)] {
        if !whole {
            sheet.note(&format!(
                "{letter} is not whole: what only {other} has may have been cut off, and is no difference"
            ))?;
        }
    }
    Ok(())
}

/// That nothing differs, as far as that can be said.
fn nothing(comparison: &Comparison<'_>) -> &'static str {
    let pairs = comparison.matching.pairs.len();
    let memory = comparison.memory.as_ref();
    let alone = comparison.container.is_none()
        && comparison.processes.is_none()
        && comparison.descriptors.is_none()
        && comparison.sockets.is_none()
        && comparison.mounts.is_none()
        && comparison.filesystem.is_none()
        && comparison.artifacts.is_none();
    match memory {
        Some(memory) if alone && memory.not_compared.len() >= pairs => "nothing was compared",
        _ => "nothing differs that was compared",
    }
}

fn evidence(checkpoint: &Checkpoint) -> String {
    let name = plain(checkpoint.evidence().name()).into_owned();
    let parts = checkpoint.place().directories.len();
    match checkpoint.directory() {
        Some(directory) if parts > 1 => format!("{name} {}", directory.path.folder()),
        _ => name,
    }
}

/// Name, id, engine and time.
fn who(checkpoint: &Checkpoint) -> String {
    let container = checkpoint.container();
    let mut words = Vec::new();
    words.extend(container.name.as_deref().map(|name| plain(name).into_owned()));
    let id: Option<String> = container.id.as_ref().map(|id| id.chars().take(12).collect());
    words.extend(id.map(|id| plain(&id).into_owned()));
    words.push(container.engine.word().to_owned());
    words.extend(container.time(Event::Checkpointed).map(|moment| moment.time.to_string()));
    words.join(" · ")
}

fn container<W: Write>(
    sheet: &mut Sheet<'_, W>,
    comparison: &Comparison<'_>,
    show: &CompareShow,
) -> io::Result<()> {
    let Some(facts) = &comparison.container else { return Ok(()) };
    let told =
        |fact: &&ckpt_analysis::compare::Fact| show.unchanged || fact.one_sided() || fact.differs();
    let told: Vec<_> = facts.iter().filter(told).collect();
    if told.is_empty() {
        return Ok(());
    }
    sheet.title("container", "")?;
    for fact in told {
        let sign = match (fact.one_sided(), fact.differs()) {
            (true, _) if fact.a.is_none() => Sign::Added,
            (true, _) => Sign::Removed,
            (_, true) if !fact.always_differs() => Sign::Changed,
            _ => Sign::Same,
        };
        let text = |side: &Option<String>| side.as_deref().map(|text| plain(text).into_owned());
        let mut line = sheet.change_line(1, sign, fact.what, text(&fact.a), text(&fact.b));
        if fact.differs() && fact.always_differs() {
            line.push(sheet.palette.dim, " [two checkpoints are of two moments]");
        }
        sheet.write(line)?;
    }
    Ok(())
}
