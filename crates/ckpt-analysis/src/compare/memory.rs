//! Memory of the matched processes, page by page.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use ckpt_memory::{AddressSpace, Backing, Mapping, MappingKind, VirtAddr};
use ckpt_model::{Checkpoint, Pid, Task};
use rayon::prelude::*;

use super::identity::Identity;
use super::matching::{Matching, Pair};
use super::pages::{PageCounts, Stretch, count};
use super::regions::{self, Laid, Mappings, Region, Told};
use super::rows::{self, Rows};
use super::whole::Deletions;

/// Known causes of differences that say nothing about the process. They are counted all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MemoryNoise {
    /// The vdso is the kernel's.
    Vdso,
    /// A single page of the first executable mapping: where CRIU puts system calls into a process while it dumps it. The
    /// page is a copy of the file's, as a rule; whether it is, only the file tells.
    Injection,
    /// Nothing but the areas of restartable sequences differs (`rseq(2)`), which change whenever a thread runs.
    Rseq,
}

impl MemoryNoise {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Vdso => "vdso",
            Self::Injection => "criu-injection",
            Self::Rseq => "rseq",
        }
    }
}

/// A mapping, or a part of one, whose pages differ or cannot be compared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryChange {
    /// The process in the first checkpoint.
    pub pid_a: Pid,
    /// The process in the second.
    pub pid: Pid,
    /// The mapping in the second; what the second has no mapping for, in the first.
    pub region: Region,
    /// Where the first has it, when that is another address.
    pub start_a: Option<VirtAddr>,
    /// Its pages.
    pub pages: PageCounts,
    /// Known causes, and how many of the differing pages each explains.
    pub noise: Vec<(MemoryNoise, u64)>,
    stretch: Stretch,
}

impl MemoryChange {
    /// Whether every page that differs has a known cause.
    #[must_use]
    pub fn is_noise(&self) -> bool {
        let PageCounts { changed, added, removed, .. } = self.pages;
        let differ = changed.saturating_add(added).saturating_add(removed);
        let explained = self.noise.iter().fold(0_u64, |sum, (_, pages)| sum.saturating_add(*pages));
        differ > 0 && explained >= differ
    }
}

/// A process whose memory was not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotCompared {
    /// The process in the second checkpoint.
    pub pid: Pid,
    /// What it is to the one in the first.
    pub identity: Identity,
}

/// Memory of both checkpoints.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Memory {
    /// Mappings with pages that differ or are not there to be compared, by process and address.
    pub changes: Vec<MemoryChange>,
    /// The mappings themselves.
    pub mappings: Mappings,
    /// Processes that run another program image, so that addresses mean nothing.
    pub not_compared: Vec<NotCompared>,
    /// Bytes of a page: the larger of the two page sizes.
    pub page_size: u64,
}

pub(super) fn compare(
    matching: &Matching<'_>,
    a: &Checkpoint,
    b: &Checkpoint,
    deletions: Deletions,
) -> Memory {
    let mut memory =
        Memory { page_size: a.page_size().0.max(b.page_size().0), ..Memory::default() };
    let work = Work { a, b, deletions, page: memory.page_size, shared: Mutex::default() };
    let compared: Vec<_> =
        matching.pairs.par_iter().map(|pair| work.pair(pair, matching)).collect();
    for (pair, result) in matching.pairs.iter().zip(compared) {
        match result {
            Compared::Done(changes, mappings) => {
                memory.changes.extend(changes);
                let all = &mut memory.mappings;
                all.added.extend(mappings.added);
                all.removed.extend(mappings.removed);
                all.changed.extend(mappings.changed);
                all.unchanged = all.unchanged.saturating_add(mappings.unchanged);
            }
            Compared::AnotherImage => {
                let identity = pair.verdict.identity;
                memory.not_compared.push(NotCompared { pid: pair.b.pid, identity });
            }
            Compared::Nothing => {}
        }
    }
    memory
}

/// Bytes at which one mapping is left to several threads.
const PART: u64 = 16 << 20;

/// Most parts that the memory of one process is cut into, beyond one for each mapping: a mapping can claim 2^64 bytes.
const MAX_PARTS: u64 = 1 << 16;

/// Both sides of a stretch of shared memory: number and offset, number and offset, length.
type SharedKey = (u64, u64, u64, u64, u64);

struct Work<'a> {
    a: &'a Checkpoint,
    b: &'a Checkpoint,
    deletions: Deletions,
    page: u64,
    /// Shared memory that was compared already: every process that maps it has the same.
    shared: Mutex<HashMap<SharedKey, PageCounts>>,
}

enum Compared {
    Done(Vec<MemoryChange>, Mappings),
    AnotherImage,
    /// One of them has no memory, or it is another task's.
    Nothing,
}

/// A region that is counted.
struct Target {
    region: Region,
    stretch: Stretch,
    shared: Option<SharedKey>,
}

impl Work<'_> {
    fn pair(&self, pair: &Pair<'_>, matching: &Matching<'_>) -> Compared {
        if is_anothers(pair.a, pair.b, matching) {
            return Compared::Nothing;
        }
        let by_address = match pair.verdict.identity {
            Identity::Same => true,
            Identity::Counterpart => false,
            _ if pair.a.mm.is_none() || pair.b.mm.is_none() => return Compared::Nothing,
            _ => return Compared::AnotherImage,
        };
        let Some((a, b)) = self.a.memory(pair.a.pid).zip(self.b.memory(pair.b.pid)) else {
            return Compared::Nothing;
        };
        let laid = if by_address {
            regions::by_address(a.mappings(), b.mappings())
        } else {
            regions::by_content(a.mappings(), b.mappings())
        };
        let mut mappings = Mappings::default();
        let (pids, lists) = ((pair.a.pid, pair.b.pid), (a.mappings(), b.mappings()));
        let told = Told { by_address, deletions: self.deletions };
        regions::compare(&mut mappings, (pids.0, lists.0), (pids.1, lists.1), &laid, told);
        let targets = targets(&laid, lists.0, lists.1);
        let counts = self.count(&a, &b, &targets);
        let rseq = if by_address { self.rseq(pair, &a, &b) } else { Vec::new() };
        let text = b.mappings().iter().find(|mapping| mapping.executable());
        let text = text.map(|mapping| mapping.start);
        let changes =
            targets.into_iter().zip(counts).filter(|(_, pages)| *pages != PageCounts::default());
        let mut changes: Vec<MemoryChange> = changes
            .map(|(Target { region, stretch, .. }, pages)| MemoryChange {
                pid_a: pair.a.pid,
                pid: pair.b.pid,
                start_a: stretch.a.filter(|start| stretch.b.is_some_and(|other| other != *start)),
                noise: noise(&region, &pages, text, &rseq),
                region,
                pages,
                stretch,
            })
            .collect();
        changes.sort_by_key(|change| (change.region.start, change.stretch.b.is_none()));
        Compared::Done(changes, mappings)
    }

    /// Counts the pages of each target.
    fn count(&self, a: &AddressSpace, b: &AddressSpace, targets: &[Target]) -> Vec<PageCounts> {
        let total = targets.iter().fold(0_u64, |sum, one| sum.saturating_add(one.stretch.len));
        let part = (total / MAX_PARTS).next_power_of_two().max(PART);
        // Asked once: meanwhile other processes add what they counted.
        let known: Vec<Option<PageCounts>> = {
            let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            let of = |target: &Target| shared.get(&target.shared?).copied();
            targets.iter().map(of).collect()
        };
        let mut counts: Vec<PageCounts> =
            known.iter().map(|pages| pages.unwrap_or_default()).collect();
        let units: Vec<(usize, Stretch)> = targets
            .iter()
            .zip(&known)
            .enumerate()
            .filter(|(_, (_, pages))| pages.is_none())
            .flat_map(|(index, (target, _))| {
                target.stretch.parts(part).map(move |part| (index, part))
            })
            .collect();
        let counted: Vec<PageCounts> =
            units.par_iter().map(|(_, stretch)| count(a, b, *stretch, self.page)).collect();
        for ((index, _), pages) in units.iter().zip(counted) {
            if let Some(sum) = counts.get_mut(*index) {
                sum.add(pages);
            }
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        for (target, pages) in targets.iter().zip(&counts) {
            if let Some(key) = target.shared {
                shared.entry(key).or_insert(*pages);
            }
        }
        counts
    }

    /// Pages in which nothing but areas of restartable sequences differs, by their addresses.
    fn rseq(&self, pair: &Pair<'_>, a: &AddressSpace, b: &AddressSpace) -> Vec<u64> {
        let areas: Vec<Range<u64>> = [pair.a, pair.b].into_iter().flat_map(rseq_areas).collect();
        let covered = joined(areas.clone());
        let page_of = |address: u64| address.checked_div(self.page).unwrap_or_default();
        let mut pages: Vec<u64> =
            areas.iter().map(|area| page_of(area.start).saturating_mul(self.page)).collect();
        pages.sort_unstable();
        pages.dedup();
        pages.retain(|page| {
            let bytes = |space: &AddressSpace| space.read(VirtAddr(*page), self.page).ok();
            let Some((one, other)) = bytes(a).zip(bytes(b)) else { return false };
            let inside = |offset: usize| covers(&covered, page.saturating_add(offset as u64));
            let mut differing =
                (0..one.len()).filter(|at| one.get(*at) != other.get(*at)).peekable();
            differing.peek().is_some() && differing.all(inside)
        });
        pages
    }
}

/// The same addresses as ranges that neither touch nor overlap, in order.
fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut all: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match all.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => all.push(range),
        }
    }
    all
}

/// Whether one of such ranges has an address: there are thousands of them, and every byte of thousands of pages is asked for.
fn covers(ranges: &[Range<u64>], address: u64) -> bool {
    let behind = ranges.partition_point(|range| range.start <= address);
    let last = behind.checked_sub(1).and_then(|at| ranges.get(at));
    last.is_some_and(|range| address < range.end)
}

/// Most threads whose areas are looked at.
const MAX_AREAS: usize = 1024;

fn rseq_areas(task: &Task) -> impl Iterator<Item = Range<u64>> {
    let threads = task.threads.iter().take(MAX_AREAS);
    threads.filter_map(|thread| {
        let entry = thread.core.as_ref()?.thread_core.as_ref()?.rseq_entry.as_ref()?;
        let start = entry.rseq_abi_pointer;
        (start != 0).then(|| start..start.saturating_add(u64::from(entry.rseq_abi_size)))
    })
}

/// Whether the memory is that of another matched task, with which it is compared.
fn is_anothers(a: &Task, b: &Task, matching: &Matching<'_>) -> bool {
    match (a.mm_owner, b.mm_owner) {
        (Some(one), Some(other)) => {
            one != a.pid && other != b.pid && matching.partner(one) == Some(other)
        }
        _ => false,
    }
}

fn targets(laid: &Laid, a: &[Mapping], b: &[Mapping]) -> Vec<Target> {
    let mut targets = Vec::new();
    for ((mapping, stretch), partner) in b.iter().zip(&laid.against).zip(&laid.partner) {
        let start = stretch.b.unwrap_or(mapping.start);
        let end = VirtAddr(start.0.saturating_add(stretch.len));
        let other = partner.and_then(|place| a.get(place));
        let shared = other.and_then(|other| shared_key(other, mapping, stretch));
        targets.push(Target {
            region: Region::part(mapping, start, end),
            stretch: *stretch,
            shared,
        });
    }
    for (list, parts) in [(b, &laid.tails), (a, &laid.lone)] {
        for (place, stretch) in parts {
            let start = stretch.b.or(stretch.a).unwrap_or_default();
            let end = VirtAddr(start.0.saturating_add(stretch.len));
            if let Some(mapping) = list.get(*place) {
                let region = Region::part(mapping, start, end);
                targets.push(Target { region, stretch: *stretch, shared: None });
            }
        }
    }
    targets
}

/// What a stretch is of, when all of it is shared memory on both sides.
fn shared_key(a: &Mapping, b: &Mapping, stretch: &Stretch) -> Option<SharedKey> {
    let place = |mapping: &Mapping, start: Option<VirtAddr>| match &mapping.backing {
        Backing::Shared(memory)
            if mapping.kind != MappingKind::MemfdPrivate
                && start.is_some_and(|start| start >= mapping.start)
                && start.is_some_and(|start| stretch.len <= mapping.end.since(start)) =>
        {
            let into = start.unwrap_or_default().since(mapping.start);
            Some((memory.id, mapping.offset().saturating_add(into)))
        }
        _ => None,
    };
    let ((one, from), (other, to)) = place(a, stretch.a).zip(place(b, stretch.b))?;
    Some((one, from, other, to, stretch.len))
}

fn noise(
    region: &Region,
    pages: &PageCounts,
    text: Option<VirtAddr>,
    rseq: &[u64],
) -> Vec<(MemoryNoise, u64)> {
    let differ = pages.changed.saturating_add(pages.added).saturating_add(pages.removed);
    if differ == 0 {
        return Vec::new();
    }
    if region.kind == MappingKind::Vdso {
        return vec![(MemoryNoise::Vdso, differ)];
    }
    let file = region.kind == MappingKind::FilePrivate;
    if file && differ == 1 && pages.changed == 0 && text == Some(region.start) {
        return vec![(MemoryNoise::Injection, 1)];
    }
    let inside = |page: &&u64| region.start.0 <= **page && **page < region.end.0;
    let areas = rseq.iter().filter(inside).count() as u64;
    let areas = areas.min(pages.changed);
    if areas > 0 { vec![(MemoryNoise::Rseq, areas)] } else { Vec::new() }
}

/// The rows of a region that differ, at most `limit`.
pub(super) fn rows_of(a: &Checkpoint, b: &Checkpoint, change: &MemoryChange, limit: usize) -> Rows {
    match a.memory(change.pid_a).zip(b.memory(change.pid)) {
        Some((a, b)) => rows::differing(&a, &b, change.stretch, limit),
        None => Rows::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_ranges_have_the_same_addresses() {
        let given = [20..24, 0..4, 4..6, 21..22, 30..30, 5..9, 24..25];
        let all = joined(given.to_vec());
        assert_eq!(all, [0..9, 20..25, 30..30]);
        for address in 0..40 {
            let inside = given.iter().any(|range| range.contains(&address));
            assert_eq!(covers(&all, address), inside, "{address}");
        }
        assert!(!covers(&[], 0));
    }
}
