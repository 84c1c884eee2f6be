//! The comparison one record a line.

use std::io::{self, Write};

use serde::Serialize;

use super::CompareDocument;
use crate::json::write_line;

/// A record and the list of the document that it is of.
#[derive(Serialize)]
struct Line<'r, R> {
    /// `processes.started`, `memory` and so on.
    r#in: &'static str,
    #[serde(flatten)]
    record: &'r R,
}

/// Writes every record of the document's lists as one line, which begins with the name of its list: `in`.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_compare_lines<W: Write>(
    out: &mut W,
    document: &CompareDocument<'_>,
) -> io::Result<()> {
    if let Some(facts) = &document.container {
        lines(out, "container.changed", &facts.changed)?;
        lines(out, "container.one_sided", &facts.one_sided)?;
        lines(out, "container.unchanged", facts.unchanged.iter().flatten())?;
    }
    if let Some(all) = &document.processes {
        lines(out, "processes.started", &all.started)?;
        lines(out, "processes.exited", &all.exited)?;
        lines(out, "processes.changed", &all.changed)?;
        lines(out, "processes.unchanged", all.unchanged.iter().flatten())?;
    }
    if let Some(all) = &document.files {
        lines(out, "files.opened", &all.opened)?;
        lines(out, "files.closed", &all.closed)?;
        lines(out, "files.changed", &all.changed)?;
        lines(out, "files.unchanged", all.unchanged.iter().flatten())?;
        lines(out, "files.same", &all.same)?;
    }
    if let Some(all) = &document.sockets {
        lines(out, "sockets.added", &all.added)?;
        lines(out, "sockets.removed", &all.removed)?;
        lines(out, "sockets.changed", &all.changed)?;
        lines(out, "sockets.unchanged", all.unchanged.iter().flatten())?;
    }
    if let Some(all) = &document.mounts {
        lines(out, "mounts.added", &all.added)?;
        lines(out, "mounts.removed", &all.removed)?;
        lines(out, "mounts.changed", &all.changed)?;
        lines(out, "mounts.unchanged", all.unchanged.iter().flatten())?;
    }
    if let Some(all) = &document.mappings {
        lines(out, "mappings.added", &all.added)?;
        lines(out, "mappings.removed", &all.removed)?;
        lines(out, "mappings.changed", &all.changed)?;
    }
    lines(out, "memory", document.memory.iter().flatten())?;
    lines(out, "memory_not_compared", document.memory_not_compared.iter().flatten())?;
    lines(out, "filesystem", document.filesystem.iter().flatten())?;
    lines(out, "filesystem_unchanged", document.filesystem_unchanged.iter().flatten())?;
    if let Some(all) = &document.artifacts {
        lines(out, "artifacts.added", &all.added)?;
        lines(out, "artifacts.removed", &all.removed)?;
        lines(out, "artifacts.changed", &all.changed)?;
        lines(out, "artifacts.unchanged", all.unchanged.iter().flatten())?;
    }
    Ok(())
}

fn lines<'r, W: Write, R: Serialize + 'r>(
    out: &mut W,
    list: &'static str,
    records: impl IntoIterator<Item = &'r R>,
) -> io::Result<()> {
    records.into_iter().try_for_each(|record| write_line(out, &Line { r#in: list, record }))
}
