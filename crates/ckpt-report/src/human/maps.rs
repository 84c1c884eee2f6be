//! `maps`: the memory map of each process.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::Style;
use ckpt_memory::{Mapping, Tally};
use ckpt_model::{
    Checkpoint, Examined, FileSources, IdentitySource, MappingMark, MemoryMap, Module, Pid, Task,
    escape, machine_name,
};
use data_encoding::HEXLOWER;

use super::columns::columns;
use super::layout::{Layout, Palette};
use super::line::Line;
use super::units::{count, size};
use crate::json::{ToldMaps, kept_modules};

/// Titles of the columns before the name of a mapping.
const HEADER: [&str; 8] =
    ["ADDRESS", "PERMS", "SIZE", "DUMPED", "ZERO", "IN FILE", "MISSING", "KIND"];

/// Those of them that are left out where no mapping has anything in them.
const SIZES: [&str; 4] = ["DUMPED", "ZERO", "IN FILE", "MISSING"];

/// Which column says what a mapping is.
const KIND: usize = 7;

/// Fewest columns that a path is cut to.
const LEAST_PATH: usize = 12;

/// Columns that a path should have, when it is so long: else it gets a line of its own.
const FAIR_PATH: usize = 40;

/// Before what goes on in a second line.
const INDENT: &str = "    ";

/// Writes a table of mappings for each process, compared with the files that are at hand. `keep` says which mappings are shown, `modules` whether a table of ELF
/// objects stands in place of them.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn maps<'a, W: Write>(
    out: &mut W,
    checkpoint: &'a Checkpoint,
    pids: &[Pid],
    files: &FileSources,
    keep: impl Fn(&Mapping, &MemoryMap<'a>) -> bool,
    modules: bool,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let page = checkpoint.page_size().0;
    let mut first = true;
    let mut told = ToldMaps::default();
    for task in pids.iter().filter_map(|pid| checkpoint.processes().get(*pid)) {
        if let Some((same, shown)) = told.same(task) {
            if shown > 0 {
                writeln!(out)?;
                again(out, task, same, shown, &palette, layout)?;
            }
            continue;
        }
        let Some(map) = checkpoint.memory_map(task.pid, files) else { continue };
        let shown: Vec<_> = map.mappings().filter(|(mapping, _)| keep(mapping, &map)).collect();
        told.note(task, shown.len());
        if shown.is_empty() {
            continue;
        }
        if !std::mem::take(&mut first) {
            writeln!(out)?;
        }
        heading(out, &map, &shown, page, &palette, layout)?;
        if modules {
            objects(out, &kept_modules(checkpoint, &map, &keep), &palette, layout)?;
        } else {
            mappings(out, &shown, page, &palette, layout)?;
        }
    }
    if first {
        writeln!(out, "no mapping to show")?;
    }
    Ok(())
}

/// In place of mappings that stand at another process.
fn again<W: Write>(
    out: &mut W,
    task: &Task,
    same: Pid,
    shown: usize,
    palette: &Palette,
    layout: &Layout,
) -> io::Result<()> {
    let mut line = process(task, palette);
    let mappings = count(shown, "mapping", "mappings");
    line.push(Style::new(), format!(": {mappings}, the same as those of process {same}"));
    writeln!(out, "{}", line.render(layout.width))
}

/// Pid and name of a process.
fn process(task: &Task, palette: &Palette) -> Line {
    let mut line = Line::default();
    line.push(palette.heading, format!("process {}", task.pid));
    let comm = task.comm.as_ref().map(|comm| format!(" {}", comm.escaped()));
    line.push_cuttable(palette.name, comm.unwrap_or_default(), 8);
    line
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
    let mut line = process(task, palette);
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
    // A column that is empty everywhere tells nothing.
    let mut used = HEADER.map(|title| !SIZES.contains(&title));
    let mut widest_rest = 0;
    for (mapping, examined) in shown {
        let cells = row(mapping, examined, page);
        for ((width, used), cell) in widths.iter_mut().zip(&mut used).zip(&cells) {
            *width = columns(cell).max(*width);
            *used |= cell != "-";
        }
        let name = columns(&name(mapping)).min(FAIR_PATH);
        let rest = name.saturating_add(columns(&notes(mapping, examined)));
        widest_rest = rest.max(widest_rest);
    }
    let table = Table { widths, used, palette, layout };
    if table.fits(widest_rest) {
        table.wide(out, shown, page)
    } else {
        table.narrow(out, shown, page)
    }
}

/// A table of mappings.
struct Table<'a> {
    widths: [usize; 8],
    used: [bool; 8],
    palette: &'a Palette,
    layout: &'a Layout,
}

impl Table<'_> {
    /// Whether names and notes of so many columns have room behind the other columns.
    fn fits(&self, rest: usize) -> bool {
        let columns = self.widths.iter().zip(self.used).filter(|(_, used)| *used);
        let before: usize = columns.map(|(width, _)| width.saturating_add(2)).sum();
        self.layout.width.is_none_or(|width| before.saturating_add(rest) <= width)
    }

    /// One line for each.
    fn wide<W: Write>(
        &self,
        out: &mut W,
        shown: &[(&Mapping, &Examined)],
        page: u64,
    ) -> io::Result<()> {
        let mut titles =
            self.line(&HEADER.map(str::to_owned), self.palette.heading, HEADER.len(), "  ");
        titles.push(self.palette.heading, "MAPPED");
        writeln!(out, "{}", titles.render(self.layout.width))?;
        for (mapping, examined) in shown {
            let cells = row(mapping, examined, page);
            let mut line = self.line(&cells, self.style(examined), HEADER.len(), "  ");
            line.push_cuttable(Style::new(), name(mapping), LEAST_PATH);
            line.push(self.palette.warning, notes(mapping, examined));
            writeln!(out, "{}", line.render(self.layout.width).trim_end())?;
        }
        Ok(())
    }

    /// What it is, its name and what to notice on a second line, for terminals that are too narrow for all of it; what to notice
    /// on a third when it has no room there either.
    fn narrow<W: Write>(
        &self,
        out: &mut W,
        shown: &[(&Mapping, &Examined)],
        page: u64,
    ) -> io::Result<()> {
        let width = self.layout.width;
        let titles = self.line(&HEADER.map(str::to_owned), self.palette.heading, KIND, " ");
        writeln!(out, "{}", titles.render(width).trim_end())?;
        let mut titles = Line::default();
        titles.push(self.palette.heading, format!("{INDENT}KIND  MAPPED"));
        writeln!(out, "{}", titles.render(width))?;
        for (mapping, examined) in shown {
            let cells = row(mapping, examined, page);
            let line = self.line(&cells, self.style(examined), KIND, " ");
            writeln!(out, "{}", line.render(width).trim_end())?;
            let mut line = Line::default();
            line.push(Style::new(), format!("{INDENT}{}  ", mapping.kind.word()));
            let (name, notes) = (name(mapping), notes(mapping, examined));
            let needs = INDENT.len().saturating_add(mapping.kind.word().len()).saturating_add(2);
            let needs = needs.saturating_add(columns(&name)).saturating_add(columns(&notes));
            line.push_cuttable(Style::new(), name, LEAST_PATH);
            if width.is_some_and(|width| needs > width) && !notes.is_empty() {
                writeln!(out, "{}", line.render(width).trim_end())?;
                line = Line::default();
                line.push(Style::new(), "  ");
            }
            line.push(self.palette.warning, notes);
            writeln!(out, "{}", line.render(width).trim_end())?;
        }
        Ok(())
    }

    fn style(&self, examined: &Examined) -> Style {
        let marked = examined.marks.iter().any(|mark| *mark != MappingMark::FileDeleted);
        if marked { self.palette.warning } else { Style::new() }
    }

    /// The columns before `end`, with `gap` behind each.
    fn line(&self, cells: &[String; 8], style: Style, end: usize, gap: &str) -> Line {
        let mut line = Line::default();
        let columns_of = cells.iter().zip(self.widths).zip(self.used).enumerate().take(end);
        for (at, ((cell, width), used)) in columns_of {
            if !used {
                continue;
            }
            let padding = " ".repeat(width.saturating_sub(columns(cell)));
            // Sizes are compared by their ends.
            let text = match at {
                2..KIND => format!("{padding}{cell}{gap}"),
                _ => format!("{cell}{padding}{gap}"),
            };
            line.push(if at < 2 { style } else { Style::new() }, text);
        }
        line
    }
}

/// As `/proc/PID/maps` has it.
fn name(mapping: &Mapping) -> String {
    mapping.name.as_deref().map(escape).unwrap_or_default().into_owned()
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

/// Writes a table of ELF objects: one line for each, two where the terminal is too narrow for that.
fn objects<W: Write>(
    out: &mut W,
    modules: &[Module],
    palette: &Palette,
    layout: &Layout,
) -> io::Result<()> {
    if modules.is_empty() {
        return writeln!(out, "no ELF objects");
    }
    let width = layout.width;
    let rest = modules.iter().map(|module| {
        let soname = soname(module).map_or(0, |soname| columns(&soname).saturating_add(2));
        columns(&path(module)).min(FAIR_PATH).saturating_add(soname)
    });
    let needs = OBJECT_COLUMNS.saturating_add(rest.max().unwrap_or_default());
    let two_lines = width.is_some_and(|width| needs > width);
    let mut line = Line::default();
    line.push(palette.heading, format!("{:<25}  {:<40}  ", "ADDRESS", "BUILD ID"));
    if two_lines {
        writeln!(out, "{}", line.render(width).trim_end())?;
        line = Line::default();
        line.push(palette.heading, INDENT);
    }
    line.push(palette.heading, format!("{:<9}  {:<10}  PATH", "MACHINE", "READ FROM"));
    writeln!(out, "{}", line.render(width))?;
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
        if two_lines {
            writeln!(out, "{}", line.render(width).trim_end())?;
            line = Line::default();
            line.push(Style::new(), INDENT);
        }
        line.push(Style::new(), format!("{machine:<9}  {:<10}  ", module.source.word()));
        let notable = module.name.is_none() || module.deleted;
        let style = if notable { palette.warning } else { Style::new() };
        line.push_cuttable(style, path(module), LEAST_PATH);
        if let Some(soname) = soname(module) {
            line.push(palette.dim, format!("  {soname}"));
        }
        writeln!(out, "{}", line.render(width).trim_end())?;
    }
    Ok(())
}

/// Columns before the path of an ELF object.
const OBJECT_COLUMNS: usize = 25 + 2 + 40 + 2 + 9 + 2 + 10 + 2;

fn path(module: &Module) -> Cow<'_, str> {
    module.name.as_deref().map_or(Cow::Borrowed("(memory without a file)"), escape)
}

fn soname(module: &Module) -> Option<Cow<'_, str>> {
    module.identity.soname.as_deref().map(escape)
}
