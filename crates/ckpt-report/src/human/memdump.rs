//! `memdump` without a process: how much memory there is of each.

use std::io::{self, Write};

use ckpt_model::{MemorySizes, Task};

use super::layout::{Layout, Palette};
use super::line::Line;
use super::units::size;

/// Writes a table of processes with the sizes of their memory.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn memory<W: Write>(
    out: &mut W,
    processes: &[(&Task, MemorySizes)],
    layout: &Layout,
) -> io::Result<()> {
    if processes.is_empty() {
        return writeln!(out, "no process has memory in this checkpoint");
    }
    let palette = Palette::of(layout);
    let titles = ["PID", "MAPPED", "PRIVATE", "SHARED", "FILE-BACKED", "ZERO", "MISSING"];
    let rows: Vec<[String; 7]> = processes.iter().map(|(task, sizes)| row(task, sizes)).collect();
    let mut widths = titles.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let cells = |row: &[String; 7]| -> String {
        row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}  ")).collect()
    };
    let mut line = Line::default();
    line.push(palette.heading, format!("{}NAME", cells(&titles.map(str::to_owned))));
    writeln!(out, "{}", line.render(layout.width))?;
    for (row, (task, sizes)) in rows.iter().zip(processes) {
        let mut line = Line::default();
        let style = if sizes.missing > 0 { palette.warning } else { palette.label };
        line.push(style, cells(row));
        let comm = task.comm.as_ref().map(|comm| comm.escaped().into_owned());
        line.push_cuttable(palette.name, comm.unwrap_or_default(), 8);
        if let Some(owner) = task.mm_owner.filter(|owner| *owner != task.pid) {
            line.push(palette.dim, format!(" (memory of process {owner})"));
        }
        writeln!(out, "{}", line.render(layout.width))?;
    }
    Ok(())
}

fn row(task: &Task, sizes: &MemorySizes) -> [String; 7] {
    [
        task.pid.to_string(),
        size(sizes.mapped),
        size(sizes.private),
        size(sizes.shared),
        size(sizes.file_backed),
        size(sizes.zero),
        size(sizes.missing),
    ]
}
