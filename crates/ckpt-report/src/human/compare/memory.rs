//! Mappings and pages of a process.

use std::io::{self, Write};

use anstyle::Style;
use ckpt_analysis::compare::{
    Comparison, Mapped, MappingChange, MappingFact, MemoryChange, MemoryNoise, PageCounts, Region,
};
use ckpt_model::escape;

use super::rows;
use super::sheet::{Sheet, Sign};
use crate::human::units::{count, size};
use crate::json::CompareShow;

/// What of a process's memory is told.
pub(super) struct Pages<'c> {
    pub(super) mapped: &'c [&'c Mapped],
    pub(super) unmapped: &'c [&'c Mapped],
    pub(super) mappings: &'c [&'c MappingChange],
    pub(super) memory: &'c [&'c MemoryChange],
}

/// Writes at most `most` lines of each kind.
pub(super) fn write<W: Write>(
    sheet: &mut Sheet<'_, W>,
    comparison: &Comparison<'_>,
    pages: &Pages<'_>,
    most: usize,
    show: &CompareShow,
) -> io::Result<()> {
    for (sign, list) in [(Sign::Added, pages.mapped), (Sign::Removed, pages.unmapped)] {
        for mapped in list.iter().take(most) {
            let notice = sign == Sign::Added && writable_code(&mapped.region);
            mapping_line(sheet, sign, region(&mapped.region), notice)?;
        }
        sheet.more(2, list.len().saturating_sub(most))?;
    }
    for change in pages.mappings.iter().take(most) {
        let notice = writable_code(&change.b.region) && !writable_code(&change.a.region);
        mapping_line(sheet, Sign::Changed, mapping(change), notice)?;
    }
    sheet.more(2, pages.mappings.len().saturating_sub(most))?;
    if pages.memory.len() > 1 {
        let mut sum = PageCounts::default();
        for change in pages.memory {
            sum.changed = sum.changed.saturating_add(change.pages.changed);
            sum.added = sum.added.saturating_add(change.pages.added);
            sum.removed = sum.removed.saturating_add(change.pages.removed);
            sum.unknown = sum.unknown.saturating_add(change.pages.unknown);
        }
        let noise = pages.memory.iter().all(|change| change.is_noise());
        let mappings = count(pages.memory.len(), "mapping", "mappings");
        sheet.labelled(
            2,
            sign(&sum, noise),
            "memory",
            format!("{} in {mappings}", pages_text(&sum)),
        )?;
    }
    for change in pages.memory.iter().take(most) {
        page_line(sheet, change, pages.memory.len() > 1)?;
        if let Some(limit) = show.rows {
            rows::write(sheet, &comparison.rows(change, limit))?;
        }
    }
    sheet.more(2, pages.memory.len().saturating_sub(most))
}

fn mapping_line<W: Write>(
    sheet: &mut Sheet<'_, W>,
    sign: Sign,
    text: String,
    notice: bool,
) -> io::Result<()> {
    let mut line = sheet.labelled_line(2, sign, "mapping", text);
    if notice {
        line.push(sheet.palette.warning, " [writable and executable]");
    }
    sheet.write(line)
}

fn writable_code(region: &Region) -> bool {
    region.perms.writable && region.perms.executable
}

fn page_line<W: Write>(
    sheet: &mut Sheet<'_, W>,
    change: &MemoryChange,
    below: bool,
) -> io::Result<()> {
    let mut line =
        if below { sheet.line() } else { sheet.signed(2, sign(&change.pages, change.is_noise())) };
    let label = if below { " ".repeat(17) } else { format!("{:<9}  ", "memory") };
    line.push(sheet.palette.label, label);
    let noise = change.is_noise();
    let style = if noise { sheet.palette.dim } else { Style::new() };
    line.push(style, pages_text(&change.pages));
    line.push_cuttable(sheet.palette.dim, format!("  {}", region(&change.region)), 20);
    if let Some(start) = change.start_a {
        line.push(sheet.palette.dim, format!("  in A at {start}"));
    }
    for (what, pages) in &change.noise {
        let words = match what {
            MemoryNoise::Vdso => "the kernel's own code",
            MemoryNoise::Injection => "where CRIU injects its calls",
            MemoryNoise::Rseq => "rseq areas",
            other => other.word(),
        };
        let pages = if noise { String::new() } else { format!(" {pages}") };
        line.push(sheet.palette.dim, format!(" [{words}{pages}]"));
    }
    sheet.write(line)
}

/// Pages that are not there did not change; those that differ for a known cause say nothing.
fn sign(pages: &PageCounts, noise: bool) -> Sign {
    match (pages.differ(), noise) {
        (true, false) => Sign::Changed,
        (true, true) => Sign::Same,
        (false, _) => Sign::Unknown,
    }
}

/// `2 pages changed, 1 added`.
fn pages_text(pages: &PageCounts) -> String {
    let counts = [
        (pages.changed, "changed"),
        (pages.added, "added"),
        (pages.removed, "removed"),
        (pages.unknown, "not there to compare"),
    ];
    let told = counts.iter().filter(|(count, _)| *count > 0).enumerate();
    let words = told.map(|(place, (count, word))| match (place, count) {
        (0, 1) => format!("1 page {word}"),
        (0, count) => format!("{count} pages {word}"),
        (_, count) => format!("{count} {word}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// `0x7f00-0x8f00 rw-p 4.0 KiB [heap]`.
fn region(region: &Region) -> String {
    let name = match &region.name {
        Some(name) => escape(name).into_owned(),
        None => region.kind.word().to_owned(),
    };
    format!("{}-{:x} {} {} {name}", region.start, region.end, region.perms, size(region.len()))
}

fn mapping(change: &MappingChange) -> String {
    let (a, b) = (&change.a.region, &change.b.region);
    let mut parts = vec![region(b)];
    for fact in &change.what {
        parts.push(match fact {
            MappingFact::Range if a.start == b.start && a.end < b.end => {
                format!("grew by {}", size(b.end.since(a.end)))
            }
            MappingFact::Range if a.end == b.end && b.start < a.start => {
                format!("grew downwards by {}", size(a.start.since(b.start)))
            }
            MappingFact::Range if a.start == b.start || a.end == b.end => {
                format!("was {}-{:x}", a.start, a.end)
            }
            MappingFact::Range => format!("was {} at {}", size(a.len()), a.start),
            MappingFact::Perms => format!("perms {} -> {}", a.perms, b.perms),
            MappingFact::Name => {
                let name = |region: &Region| {
                    region.name.as_deref().map_or("none".into(), escape).into_owned()
                };
                format!("was named {}", name(a))
            }
            MappingFact::Kind => format!("was {}", a.kind.word()),
            other => other.word().to_owned(),
        });
    }
    parts.join("  ")
}
