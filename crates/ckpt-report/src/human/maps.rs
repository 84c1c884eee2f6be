//! `maps`: the memory map of each process.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::Style;
use ckpt_memory::{Mapping, Tally};
use ckpt_model::{
    Checkpoint, Examined, IdentitySource, MappingMark, MemoryMap, Module, escape, machine_name,
};
use data_encoding::HEXLOWER;

use super::columns::columns;
use super::layout::{Layout, Palette};
use super::line::Line;
use super::units::{count, size};
use crate::json::kept_modules;

/// Titles of the columns before the name of a mapping.
const HEADER: [&str; 8] =
    ["ADDRESS", "PERMS", "SIZE", "DUMPED", "ZERO", "IN FILE", "MISSING", "KIND"];

/// Fewest columns that a path is cut to.
const LEAST_PATH: usize = 12;

/// Writes a table of mappings for each process. `keep` says which mappings are shown, `modules` whether a table of ELF
/// objects stands in place of them.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn maps<'a, W: Write>(
    out: &mut W,
    checkpoint: &Checkpoint,
    maps: &[MemoryMap<'a>],
    keep: impl Fn(&Mapping, &MemoryMap<'a>) -> bool,
    modules: bool,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let page = checkpoint.page_size().0;
    let mut first = true;
    for map in maps {
        let shown: Vec<_> = map.mappings().filter(|(mapping, _)| keep(mapping, map)).collect();
        if shown.is_empty() {
            continue;
        }
        if !std::mem::take(&mut first) {
            writeln!(out)?;
        }
        heading(out, map, &shown, page, &palette, layout)?;
        if modules {
            objects(out, &kept_modules(checkpoint, map, &keep), &palette, layout)?;
        } else {
            mappings(out, &shown, page, &palette, layout)?;
        }
    }
    if first {
        writeln!(out, "no mapping to show")?;
    }
    Ok(())
}

fn heading<W: Write>(
    out: &mut W,
    map: &MemoryMap<'_>,
    shown: &[(&Mapping, &Examined)],
    page: u64,
    palette: &Palette,
    layout: &Layout,
) -> io::Result<()> {
    let task = map.task;
    let sum = shown.iter().map(|(_, examined)| examined.tally).fold(Tally::default(), Tally::plus);
    let bytes = |pages: u64| size(pages.saturating_mul(page));
    let mut line = Line::default();
    line.push(palette.heading, format!("process {}", task.pid));
    let comm = task.comm.as_ref().map(|comm| format!(" {}", comm.escaped()));
    line.push_cuttable(palette.name, comm.unwrap_or_default(), 8);
    if let Some(owner) = task.mm_owner.filter(|owner| *owner != task.pid) {
        line.push(palette.dim, format!(", memory of process {owner}"));
    }
    let mappings = count(shown.len(), "mapping", "mappings");
    let mut facts = format!(": {mappings}, {} captured", bytes(sum.in_images()));
    let in_files = sum.file.saturating_add(sum.in_file);
    if in_files > 0 {
        facts.push_str(&format!(", {} in files", bytes(in_files)));
    }
    if sum.missing > 0 {
        facts.push_str(&format!(", {} missing", bytes(sum.missing)));
    }
    line.push(Style::new(), facts);
    writeln!(out, "{}", line.render(layout.width))
}

fn mappings<W: Write>(
    out: &mut W,
    shown: &[(&Mapping, &Examined)],
    page: u64,
    palette: &Palette,
    layout: &Layout,
) -> io::Result<()> {
    let mut widths = HEADER.map(columns);
    for (mapping, examined) in shown {
        for (width, cell) in widths.iter_mut().zip(row(mapping, examined, page)) {
            *width = columns(&cell).max(*width);
        }
    }
    // A column that is empty everywhere tells nothing.
    let used = |column: usize| {
        !matches!(column, 3..=6)
            || shown.iter().any(|(mapping, examined)| {
                row(mapping, examined, page).get(column).is_some_and(|cell| cell != "-")
            })
    };
    let used: Vec<bool> = (0..HEADER.len()).map(used).collect();
    let titles = line(&HEADER.map(str::to_owned), &widths, &used, palette.heading);
    let mut titles = titles;
    titles.push(palette.heading, "MAPPED");
    writeln!(out, "{}", titles.render(layout.width))?;
    for (mapping, examined) in shown {
        let marked = examined.marks.iter().any(|mark| *mark != MappingMark::FileDeleted);
        let style = if marked { palette.warning } else { Style::new() };
        let mut line = line(&row(mapping, examined, page), &widths, &used, style);
        let name = mapping.name.as_deref().map(escape).unwrap_or_default();
        line.push_cuttable(Style::new(), name.into_owned(), LEAST_PATH);
        line.push(palette.warning, notes(mapping, examined));
        writeln!(out, "{}", line.render(layout.width).trim_end())?;
    }
    Ok(())
}

fn row(mapping: &Mapping, examined: &Examined, page: u64) -> [String; 8] {
    let Tally { file, in_file, zero, missing, .. } = examined.tally;
    let pages = |pages: u64| match pages {
        0 => "-".to_owned(),
        pages => size(pages.saturating_mul(page)),
    };
    [
        format!("{:012x}-{:012x}", mapping.start, mapping.end),
        mapping.perms().to_string(),
        size(mapping.len()),
        pages(examined.tally.in_images()),
        pages(zero),
        pages(file.saturating_add(in_file)),
        pages(missing),
        mapping.kind.word().to_owned(),
    ]
}

fn line(cells: &[String; 8], widths: &[usize; 8], used: &[bool], style: Style) -> Line {
    let mut line = Line::default();
    for (at, ((cell, width), used)) in cells.iter().zip(widths).zip(used).enumerate() {
        if !used {
            continue;
        }
        let padding = " ".repeat(width.saturating_sub(columns(cell)));
        // Sizes are compared by their ends.
        let text = match at {
            2..=6 => format!("{padding}{cell}  "),
            _ => format!("{cell}{padding}  "),
        };
        line.push(if at < 2 { style } else { Style::new() }, text);
    }
    line
}

/// What stands behind the name of a mapping.
fn notes(mapping: &Mapping, examined: &Examined) -> String {
    let mut notes: Vec<String> = Vec::new();
    // The kernel's own ` (deleted)` says that already.
    let marks = examined.marks.iter().filter(|mark| **mark != MappingMark::FileDeleted);
    for mark in marks {
        let pages = examined
            .text
            .as_ref()
            .filter(|_| matches!(mark, MappingMark::ModifiedText | MappingMark::WrittenText));
        let pages = pages.map(|text| text.differing.unwrap_or(text.captured));
        notes.push(match pages {
            Some(pages) => format!("{} ({})", mark.word(), pages_word(pages)),
            None => mark.word().to_owned(),
        });
    }
    if mapping.kind.is_anonymous() && !examined.threads.is_empty() {
        let threads: Vec<String> = examined.threads.iter().map(ToString::to_string).collect();
        let some: Vec<&str> = threads.iter().map(String::as_str).take(4).collect();
        let more = if threads.len() > some.len() { ",…" } else { "" };
        notes.push(format!("stack of {}{more}", some.join(",")));
    }
    if notes.is_empty() { String::new() } else { format!("  {}", notes.join(", ")) }
}

fn pages_word(pages: u64) -> String {
    if pages == 1 { "1 page".to_owned() } else { format!("{pages} pages") }
}

/// Writes a table of ELF objects.
fn objects<W: Write>(
    out: &mut W,
    modules: &[Module],
    palette: &Palette,
    layout: &Layout,
) -> io::Result<()> {
    if modules.is_empty() {
        return writeln!(out, "no ELF objects");
    }
    let heading = format!(
        "{:<25}  {:<40}  {:<9}  {:<10}  PATH",
        "ADDRESS", "BUILD ID", "MACHINE", "READ FROM"
    );
    let mut line = Line::default();
    line.push(palette.heading, heading);
    writeln!(out, "{}", line.render(layout.width))?;
    for module in modules {
        let identity = &module.identity;
        let id = identity.build_id.as_ref().map(|id| HEXLOWER.encode(id));
        let machine = match module.source {
            IdentitySource::Noted => "-".to_owned(),
            _ => machine_name(identity.machine)
                .map_or_else(|| identity.machine.to_string(), str::to_owned),
        };
        let mut line = Line::default();
        let place = format!("{:012x}-{:012x}", module.start, module.end);
        line.push(Style::new(), format!("{place}  "));
        line.push(palette.dim, format!("{:<40}  ", id.unwrap_or_else(|| "-".to_owned())));
        line.push(Style::new(), format!("{machine:<9}  {:<10}  ", module.source.word()));
        let name = module.name.as_deref().map(escape);
        let anonymous = module.name.is_none();
        let path = name.map_or_else(|| "(memory without a file)".to_owned(), Cow::into_owned);
        let style = if anonymous || module.deleted { palette.warning } else { Style::new() };
        line.push_cuttable(style, path, LEAST_PATH);
        if let Some(soname) = &identity.soname {
            line.push(palette.dim, format!("  {}", escape(soname)));
        }
        writeln!(out, "{}", line.render(layout.width).trim_end())?;
    }
    Ok(())
}
