//! `list`: a table.

use std::io::{self, Write};

use ckpt_model::{Checkpoint, Event, Listed, escape};
use comfy_table::{ContentArrangement, Table, presets};

use super::layout::{Layout, Palette, escaped_once, paint, plain};
use super::units::{count, size};
use crate::failure;

const HEADER: [&str; 6] = ["TIME", "NAMESPACE/POD", "CONTAINER", "ENGINE", "SIZE", "NAME"];

/// Columns between two columns of the table.
const GAP: u16 = 2;

/// Writes the checkpoints of a directory, one a row, and below them what could not be opened as one.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn list<W: Write>(out: &mut W, listed: &[Listed], layout: &Layout) -> io::Result<()> {
    let palette = Palette::of(layout);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(HEADER);
    match layout.width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    let mut broken = Vec::new();
    for entry in listed {
        match &entry.checkpoint {
            Ok(checkpoint) => {
                table.add_row(row(entry, checkpoint));
            }
            Err(error) => broken.push((name(entry), failure::sentence(error))),
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    if table.is_empty() && broken.is_empty() {
        return writeln!(out, "no checkpoints");
    }
    if !table.is_empty() {
        for (number, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let style = if number == 0 { palette.heading } else { anstyle::Style::new() };
            writeln!(out, "{}", paint(style, line))?;
        }
    }
    for (name, error) in broken {
        writeln!(out, "{} {}", paint(palette.warning, &format!("{name}:")), escaped_once(&error))?;
    }
    Ok(())
}

fn name(entry: &Listed) -> String {
    let name = entry.path.file_name().unwrap_or(entry.path.as_os_str());
    escape(name.as_encoded_bytes()).into_owned()
}

fn row(entry: &Listed, checkpoint: &Checkpoint) -> [String; 6] {
    let container = checkpoint.container();
    let word = |text: Option<&String>| {
        text.map_or_else(|| "-".to_owned(), |text| plain(text).into_owned())
    };
    let time = container.time(Event::Checkpointed);
    let seconds = |moment: &ckpt_model::Moment| {
        moment.time.round(jiff::Unit::Second).unwrap_or(moment.time).to_string()
    };
    let pod = container.pod.as_ref().map_or_else(
        || "-".to_owned(),
        |pod| format!("{}/{}", word(pod.namespace.as_ref()), word(pod.name.as_ref())),
    );
    let short_id = container.id.as_ref().map(|id| id.chars().take(12).collect());
    let mut name = name(entry);
    let defects = checkpoint.defects().len();
    if defects > 0 {
        name.push_str(&format!(" ({})", count(defects, "defect", "defects")));
    }
    [
        time.map_or_else(|| "-".to_owned(), seconds),
        pod,
        word(container.name.as_ref().or(short_id.as_ref())),
        container.engine.word().to_owned(),
        size(checkpoint.evidence().size()),
        name,
    ]
}
