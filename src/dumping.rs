//! Writing memory as it is: a range to one place, or every mapping to a file of its own.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow, bail};
use ckpt::archive::Progress;
use ckpt::coredump::{Core, CoreOptions};
use ckpt::memory::{AddrRange, AddressSpace, Mapping, Missing, Span};
use ckpt::model::{Checkpoint, Task};
use ckpt::report::json::{self, IndexRecord};

use crate::directory::{Directory, skip};
use crate::progress::Bar;

/// The file that says what the others are; written last.
const INDEX: &str = "index.json";

/// Bytes that are written at a time.
const STEP: usize = 1 << 20;

/// Most gaps that an error tells one by one.
const MOST_TOLD: usize = 4;

/// The parts of a range that are not there; neighbours that are missing for the same reason are joined.
pub(crate) fn gaps(space: &AddressSpace, range: AddrRange) -> Vec<(AddrRange, Missing)> {
    let mut joined: Vec<(AddrRange, Missing)> = Vec::new();
    for (gap, why) in space.gaps(range.start, range.len()) {
        match joined.last_mut().filter(|(last, of)| last.end == gap.start && *of == why) {
            Some((last, _)) => last.end = gap.end,
            None => joined.push((gap, why)),
        }
    }
    joined
}

/// Gaps in words.
pub(crate) fn told(gaps: &[(AddrRange, Missing)]) -> String {
    let some = gaps.iter().take(MOST_TOLD).map(|(range, why)| format!("{range}: {why}"));
    let some = some.collect::<Vec<_>>().join("; ");
    match gaps.len().saturating_sub(MOST_TOLD) {
        0 => some,
        more => format!("{some}; and {more} more"),
    }
}

/// Writes the bytes of a range, zeros where they are missing: whether that may be is asked before.
pub(crate) fn range(
    out: &mut impl Write,
    space: &AddressSpace,
    range: AddrRange,
    bar: Option<&Bar>,
) -> io::Result<()> {
    if let Some(bar) = bar {
        bar.begin("writing", Some(range.len()));
    }
    for span in space.spans(range.start, range.len()) {
        match &span {
            Span::Bytes { bytes, .. } => {
                for step in bytes.chunks(STEP) {
                    out.write_all(step)?;
                    advance(bar, step.len() as u64);
                }
            }
            Span::Zero { len, .. } | Span::Missing { len, .. } => {
                zeros(out, *len)?;
                advance(bar, *len);
            }
        }
    }
    if let Some(bar) = bar {
        bar.end();
    }
    Ok(())
}

fn zeros(out: &mut impl Write, len: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut left = len;
    while left > 0 {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
        out.write_all(ZEROS.get(..step).unwrap_or_default())?;
        left = left.saturating_sub(step as u64);
    }
    Ok(())
}

fn advance(bar: Option<&Bar>, bytes: u64) {
    if let Some(bar) = bar {
        bar.advance(bytes);
    }
}

/// The memory of a task, and which of its mappings are meant.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) task: &'a Task,
    pub(crate) space: AddressSpace,
    /// Places in the list of mappings.
    pub(crate) mappings: Vec<usize>,
}

impl Part<'_> {
    pub(crate) fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.iter().filter_map(|at| self.space.mappings().get(*at))
    }
}

/// Writes each mapping of which something is there to a file of its own in `to`, and an index of all of them.
pub(crate) fn mappings(
    checkpoint: &Checkpoint,
    parts: &[Part<'_>],
    to: &Path,
    tool: &str,
    bar: Option<&Bar>,
) -> Result<()> {
    let mut files: Vec<(&Part<'_>, &Mapping, Option<String>)> = Vec::new();
    let mut needed = 0u64;
    for part in parts {
        for mapping in part.mappings() {
            let pages = part.space.tally(mapping).captured();
            needed = needed.saturating_add(pages.saturating_mul(part.space.page_size()));
            files.push((part, mapping, (pages > 0).then(|| file_name(part.task, mapping))));
        }
    }
    let mut names: Vec<&str> = files.iter().filter_map(|(.., name)| name.as_deref()).collect();
    names.push(INDEX);
    let directory = Directory::open(to, &names, needed)?;
    if let Some(bar) = bar {
        bar.begin("writing", Some(needed));
    }
    let mut index = Vec::new();
    for (part, mapping, name) in &files {
        let mut end = 0;
        if let Some(name) = name {
            let mut left = needed;
            let filled = directory.place(name, |file| {
                end = fill(file, &part.space, mapping, bar, &mut left)?;
                file.set_len(end)
            });
            filled.map_err(|error| directory.explain(error, name, left))?;
            needed = left;
        }
        index.push(IndexRecord::of(part.task, &part.space, mapping, name.clone(), end));
    }
    if let Some(bar) = bar {
        bar.end();
    }
    let mut document = Vec::new();
    json::write(&mut document, &json::memory_index(checkpoint, index, tool))?;
    directory.write(INDEX, &document)
}

fn file_name(task: &Task, mapping: &Mapping) -> String {
    format!("{}-{:012x}-{:012x}.raw", task.pid, mapping.start, mapping.end)
}

/// Writes what is there of a mapping, holes where nothing is, and says where the last byte ends.
fn fill(
    file: &mut File,
    space: &AddressSpace,
    mapping: &Mapping,
    bar: Option<&Bar>,
    left: &mut u64,
) -> io::Result<u64> {
    let (mut at, mut end) = (0u64, 0u64);
    for span in space.spans(mapping.start, mapping.len()) {
        if let Span::Bytes { bytes, .. } = &span {
            skip(file, at.saturating_sub(end))?;
            for step in bytes.chunks(STEP) {
                file.write_all(step)?;
                let length = step.len() as u64;
                advance(bar, length);
                *left = left.saturating_sub(length);
            }
            end = at.saturating_add(span.len());
        }
        at = at.saturating_add(span.len());
    }
    Ok(end)
}

/// Writes the core of each task to `core.PID` in `to`.
pub(crate) fn cores(parts: &[Part<'_>], options: &CoreOptions, to: &Path) -> Result<()> {
    let cores: Vec<(String, &Task, Core<'_>)> = parts
        .iter()
        .map(|part| {
            let core = Core::of(part.task, &part.space, options);
            (format!("core.{}", part.task.pid), part.task, core)
        })
        .collect();
    let names: Vec<&str> = cores.iter().map(|(name, ..)| name.as_str()).collect();
    let needed = cores.iter().fold(0u64, |sum, (.., core)| sum.saturating_add(core.size()));
    let directory = Directory::open(to, &names, needed)?;
    // Several at once: what takes time is copying memory, which keeps one processor busy.
    let written: Vec<OnceLock<Result<()>>> = cores.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(((name, _, core), written)) = cores.get(at).zip(written.get(at)) else {
                return;
            };
            let placed = directory.place(name, |file| core.write_sparse_to(file));
            let told = placed.map_err(|error| directory.explain(error, name, core.size()));
            // Nobody else has this number.
            let _ = written.set(told);
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 1..threads.min(MOST_AT_ONCE).min(cores.len()) {
            // Where no thread can be had, the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    for ((_, task, core), written) in cores.iter().zip(written) {
        written.into_inner().transpose()?;
        tell_lacks(task, core);
    }
    Ok(())
}

/// Most cores that are written at once.
const MOST_AT_ONCE: usize = 4;

/// Says on standard error what a core has not.
pub(crate) fn tell_lacks(task: &Task, core: &Core<'_>) {
    let mut stderr = io::stderr().lock();
    for lack in core.lacks() {
        let _ = writeln!(stderr, "note: core of process {}: {lack}", task.pid);
    }
}

/// Fails when an address range is not in the memory of a task, and says what is near.
pub(crate) fn require_mapped(task: &Task, space: &AddressSpace, range: AddrRange) -> Result<()> {
    let mappings = space.mappings();
    let behind = mappings.partition_point(|mapping| mapping.end <= range.start);
    if mappings.get(behind).is_some_and(|mapping| mapping.start < range.end) {
        return Ok(());
    }
    let before = behind.checked_sub(1).and_then(|at| mappings.get(at));
    let near: Vec<String> = before
        .into_iter()
        .chain(mappings.get(behind))
        .map(|mapping| format!("{}-{}", mapping.start, mapping.end))
        .collect();
    if near.is_empty() {
        bail!("process {} has no mapping", task.pid);
    }
    Err(anyhow!(
        "process {} has nothing mapped at {range}; the nearest mappings are {}",
        task.pid,
        near.join(" and ")
    ))
}
