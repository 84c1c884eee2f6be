//! Memory: the map of each process, drawn and as a table.

use serde::Serialize;

use super::shown::{Budget, Shown};
use super::{Legible, Limits, Sources};
use crate::human::units::size;
use crate::json::{ProcessMapsRecord, VmaRecord};
use crate::svg::{self, Band, Drawing};

/// The section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Memory {
    page_size: u64,
    processes: Vec<ProcessMemory>,
    /// Processes whose memory is not shown.
    more: usize,
}

#[derive(Clone, Debug, Serialize)]
struct ProcessMemory {
    pid: u32,
    comm: String,
    /// The process whose images describe the memory, when it is not this one.
    shared_with: Option<u32>,
    mapped: String,
    captured: String,
    missing: Option<String>,
    marked: usize,
    open: bool,
    drawing: Drawing,
    list: Shown<Row>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    range: String,
    perms: String,
    size: String,
    kind: &'static str,
    class: &'static str,
    path: String,
    dumped: u64,
    zero: u64,
    elsewhere: u64,
    missing: u64,
    marks: Vec<&'static str>,
}

impl Memory {
    pub(super) fn of(sources: &Sources<'_>, legible: &Legible<'_>, limits: &Limits) -> Self {
        let maps = &sources.maps;
        let mut budget = Budget { each: limits.mappings, left: limits.all_mappings };
        let shown = maps.processes.iter().take(limits.mapped);
        let processes: Vec<ProcessMemory> = shown
            .map(|process| ProcessMemory::of(process, maps.page_size, legible, &mut budget))
            .collect();
        let with_memory =
            sources.tree.processes.iter().filter(|process| process.exit_code.is_none());
        let more = with_memory.count().max(maps.processes.len()).saturating_sub(processes.len());
        Self { page_size: maps.page_size, processes, more }
    }
}

impl ProcessMemory {
    fn of(
        process: &ProcessMapsRecord<'_>,
        page_size: u64,
        legible: &Legible<'_>,
        budget: &mut Budget,
    ) -> Self {
        let comm = legible.maybe(process.comm.as_deref());
        let (mut mapped, mut captured, mut missing, mut marked) = (0_u64, 0_u64, 0_u64, 0_usize);
        let mut bands = Vec::new();
        let mut end = String::new();
        let most = budget.each.min(budget.left);
        let list = budget.first(process.vmas.iter(), "maps", |vma| {
            bands.push(band(&vma, &end, legible));
            end.clone_from(&vma.end);
            Row::of(&vma, legible)
        });
        for vma in process.vmas.iter() {
            let pages =
                vma.dumped_pages.saturating_add(vma.parent_pages).saturating_add(vma.shared_pages);
            mapped = mapped.saturating_add(vma.size);
            captured = captured.saturating_add(pages.saturating_mul(page_size));
            missing = missing.saturating_add(vma.missing_pages.saturating_mul(page_size));
            marked = marked.saturating_add(usize::from(!vma.marks.is_empty()));
        }
        let label = format!(
            "Memory map of process {}, {comm}: {} mappings{}",
            process.pid,
            list.all,
            if list.more > 0 { format!(", the first {most} drawn") } else { String::new() }
        );
        Self {
            pid: process.pid,
            comm,
            shared_with: process.memory_of,
            mapped: size(mapped),
            captured: size(captured),
            missing: (missing > 0).then(|| size(missing)),
            marked,
            open: marked > 0,
            drawing: svg::memory(&bands, label),
            list,
        }
    }
}

impl Row {
    fn of(vma: &VmaRecord, legible: &Legible<'_>) -> Self {
        Self {
            range: format!("{}–{}", vma.start, vma.end.trim_start_matches("0x")),
            perms: vma.perms.clone(),
            size: size(vma.size),
            kind: vma.kind,
            class: class(vma.kind),
            path: vma.path.as_deref().map(|path| legible.text(path)).unwrap_or_default(),
            dumped: vma
                .dumped_pages
                .saturating_add(vma.parent_pages)
                .saturating_add(vma.shared_pages),
            zero: vma.zero_pages,
            elsewhere: vma.file_pages.saturating_add(vma.in_file_pages),
            missing: vma.missing_pages,
            marks: vma.marks.clone(),
        }
    }
}

/// Class of the colour of a kind.
fn class(kind: &str) -> &'static str {
    match kind {
        "heap" => "heap",
        "stack" | "shadow-stack" => "stack",
        "file-private" | "file-shared" => "file",
        "anon-shared" | "sysv-shm" => "shared",
        "memfd-private" | "memfd-shared" => "memfd",
        "anon" => "anon",
        _ => "kernel",
    }
}

fn band(vma: &VmaRecord, end: &str, legible: &Legible<'_>) -> Band {
    let writable = vma.perms.contains('w');
    let executable = vma.perms.contains('x');
    let path = vma.path.as_deref().map(|path| legible.text(path));
    let name = path.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
    let marks = match vma.marks.join(", ") {
        marks if marks.is_empty() => marks,
        marks => format!("\nnotice: {marks}"),
    };
    Band {
        size: vma.size,
        class: class(vma.kind),
        marked: !vma.marks.is_empty(),
        stripe: match (writable, executable) {
            (true, true) => Some("rwx"),
            (false, true) => Some("exec"),
            _ => None,
        },
        gap: vma.start != end,
        label: name.unwrap_or(vma.kind).to_owned(),
        title: format!(
            "{}–{} {} {}\n{}\n{}{marks}",
            vma.start,
            vma.end.trim_start_matches("0x"),
            vma.perms,
            size(vma.size),
            path.as_deref().unwrap_or(vma.kind),
            pages(vma),
        ),
        pages: vec![
            ("dumped", vma.dumped_pages.saturating_add(vma.parent_pages)),
            ("in-shared", vma.shared_pages),
            ("in-file", vma.file_pages.saturating_add(vma.in_file_pages)),
            ("zero", vma.zero_pages),
            ("never", vma.never_dumped_pages),
            ("missing", vma.missing_pages),
        ],
    }
}

/// `12 dumped, 3 zero`.
fn pages(vma: &VmaRecord) -> String {
    let counts = [
        (vma.dumped_pages, "dumped"),
        (vma.parent_pages, "in the parent dump"),
        (vma.shared_pages, "in shared memory"),
        (vma.file_pages.saturating_add(vma.in_file_pages), "in the file"),
        (vma.zero_pages, "zero"),
        (vma.never_dumped_pages, "never dumped"),
        (vma.missing_pages, "missing"),
    ];
    let counts = counts.iter().filter(|(pages, _)| *pages > 0);
    let words: Vec<String> = counts.map(|(pages, what)| format!("{pages} {what}")).collect();
    format!("pages: {}", words.join(", "))
}
