//! `extract`: what can be had as a file.

use std::io::{self, Write};

use anstyle::Style;
use ckpt_model::artifacts::{Artifact, Hold, Origin};

use super::columns::columns;
use super::layout::{Layout, Palette, paint};
use super::line::Line;
use super::units::{count, size};

const HEADER: [&str; 6] = ["ID", "SIZE", "MODE", "MODIFIED", "PROCESS", "PATH"];

/// Writes a table of artifacts, one a row, and a line that sums them up.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn extract<W: Write>(out: &mut W, artifacts: &[&Artifact], layout: &Layout) -> io::Result<()> {
    if artifacts.is_empty() {
        return writeln!(out, "nothing to extract");
    }
    let palette = Palette::of(layout);
    let rows: Vec<[String; 6]> = artifacts.iter().map(|artifact| row(artifact)).collect();
    let mut widths = HEADER.map(columns);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }
    let heading = HEADER.map(str::to_owned);
    writeln!(out, "{}", line(&heading, &widths, palette.heading, layout))?;
    for (row, artifact) in rows.iter().zip(artifacts) {
        let hidden = artifact.content().is_none();
        let notable = matches!(artifact.origin, Origin::Ghost | Origin::Memfd) || hidden;
        let style = if notable { palette.warning } else { Style::new() };
        writeln!(out, "{}", line(row, &widths, style, layout))?;
    }
    let own = artifacts.iter().filter(|artifact| artifact.same_as.is_none());
    let bytes = own.fold(0u64, |sum, artifact| sum.saturating_add(artifact.size));
    let total = format!("{}, {}", count(artifacts.len(), "artifact", "artifacts"), size(bytes));
    writeln!(out, "\n{}", paint(palette.dim, &total))
}

fn line(cells: &[String; 6], widths: &[usize; 6], style: Style, layout: &Layout) -> String {
    let mut line = Line::default();
    let last = cells.len().saturating_sub(1);
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let padding = " ".repeat(width.saturating_sub(columns(cell)));
        // Sizes are compared by their ends.
        let text = match at {
            1 => format!("{padding}{cell}  "),
            _ if at == last => cell.clone(),
            _ => format!("{cell}{padding}  "),
        };
        let style = if at == 0 { style } else { Style::new() };
        if at == last {
            line.push_cuttable(style, text, 8);
        } else {
            line.push(style, text);
        }
    }
    line.render(layout.width)
}

fn row(artifact: &Artifact) -> [String; 6] {
    let dash = || "-".to_owned();
    let modified =
        artifact.mtime.map(|time| time.round(jiff::Unit::Second).unwrap_or(time).to_string());
    let process = artifact.holders.first().map(|holder| match holder.hold {
        Hold::Fd(fd) => format!("{} fd {fd}", holder.pid),
        Hold::Exe => format!("{} exe", holder.pid),
        _ => holder.pid.to_string(),
    });
    let mut path = artifact.path.as_ref().map_or_else(dash, |path| path.escaped().into_owned());
    if let Some(details) = artifact.details.as_deref() {
        if let Some(name) = &details.name {
            path.push_str(&format!(" {name}"));
        }
        for deleted in &details.deleted_paths {
            path.push_str(&format!(", CRIU's link to {} (deleted)", deleted.escaped()));
        }
        if let Some(tcp) = &details.tcp {
            let end = |address: Option<std::net::SocketAddr>| {
                address.map_or_else(dash, |address| address.to_string())
            };
            let (local, remote) = (end(tcp.local), end(tcp.remote));
            let (first, next) = (tcp.first, tcp.next);
            path.push_str(&format!(
                " {} {local} peer {remote} seq {first}..{next}",
                tcp.direction.word()
            ));
        }
        let rights: Vec<String> = details
            .messages
            .iter()
            .flat_map(|message| &message.rights)
            .map(|right| right.escaped().into_owned())
            .collect();
        if !rights.is_empty() {
            path.push_str(&format!(" with {}", rights.join(", ")));
        }
    }
    if let Some(same) = &artifact.same_as {
        path.push_str(&format!(" = {same}"));
    }
    if artifact.content().is_none() {
        path.push_str(" (too many holes to read)");
    }
    [
        artifact.id.clone(),
        size(artifact.size),
        artifact.mode.map_or_else(dash, |mode| format!("{mode:o}")),
        modified.unwrap_or_else(dash),
        process.unwrap_or_else(dash),
        path,
    ]
}
