//! Pages: what the pagemaps claim, what the pages files hold, what CRIU counted, what the mappings cover.

use std::collections::{BTreeMap, HashMap};

use ckpt_memory::{
    AddrRange, AddressSpace, Defect, Link, Missing, PagemapImage, PagesFile, Run, RunKind, Span,
    VirtAddr,
};
use ckpt_model::{Images, Pid};
use criu_image::ImageKind;
use criu_image::messages::{IpcShmEntry, MemfdInodeEntry, MmEntry, VmaEntry};

use super::check::{Check, Effect, Gathering, Spec, count};
use super::reader::{Subject, captured, open, place};

pub(super) const COUNTED: Spec = Spec::coded(
    "C2",
    "pages-counted",
    "the pages that CRIU counted while it wrote (stats-dump) with the pages that the pagemaps store",
);

pub(super) const STORED: Spec = Spec::coded(
    "C3",
    "pages-stored",
    "the pages of every pagemap with the size of its pages file; entries in order, without overlap",
);

pub(super) const OWNED: Spec =
    Spec::coded("C4", "pages-owned", "every pages file with exactly one pagemap that names it");

pub(super) const MAPPED: Spec = Spec::coded(
    "C5",
    "pages-mapped",
    "every page of a pagemap with the mappings of its process, or with the size of its shared memory",
);

pub(super) const ELSEWHERE: Spec = Spec::of(
    "pages-elsewhere",
    "pages that the pagemaps leave to a parent dump or to lazy migration with where they lie",
);

/// Bits of `vma_entry.status`. Source: `criu/include/image.h`.
const AREA_GUARD: u32 = 1 << 16;

/// What one pass over the pagemaps of one directory found.
#[derive(Default)]
struct Facts {
    pagemaps: usize,
    /// Stored pages of tasks, and of shared memory.
    private: u64,
    shared: u64,
    /// Pages left to a parent, and to lazy migration.
    in_parent: u64,
    lazy: u64,
    /// The pagemaps that name each pages file.
    users: BTreeMap<u64, Vec<String>>,
}

/// All checks of pages.
pub(super) fn checks(subject: &Subject<'_>) -> [Check; 5] {
    let mut stored = STORED.begin();
    let mut mapped = MAPPED.begin();
    let mut owned = OWNED.begin();
    let (page_size, _) = subject.checkpoint.page_size();
    let facts = pass(subject, page_size, &mut stored, Some(&mut mapped));
    for id in subject.images.ids(ImageKind::Mm) {
        // CRIU writes a pagemap of every process that has memory, even if none of its pages is dumped.
        if !subject.images.has(ImageKind::Pagemap, Some(id)) {
            let at = subject.place(ImageKind::Pagemap, Some(id));
            stored.tell(Effect::Incomplete, at, format!("the pages of process {id} are not there"));
        }
    }
    owners(subject.images, &facts, &mut owned);
    let mut parents = Facts::default();
    for images in subject.checkpoint.parents() {
        let parent = Subject { images, ..*subject };
        let facts = pass(&parent, page_size, &mut stored, None);
        owners(images, &facts, &mut owned);
        parents.pagemaps = parents.pagemaps.saturating_add(facts.pagemaps);
        parents.users.extend(facts.users);
    }
    for stale in subject.checkpoint.stale().iter().filter(|image| image.kind == ImageKind::Pages) {
        owned.tell(Effect::Remark, stale.path.escaped(), "no pagemap names it");
    }
    let pagemaps = facts.pagemaps.saturating_add(parents.pagemaps);
    if pagemaps == 0 && !stored.has_failed() {
        let why = "there are no pagemaps";
        return [
            COUNTED.not_applicable(why),
            STORED.not_applicable(why),
            OWNED.not_applicable(why),
            MAPPED.not_applicable(why),
            ELSEWHERE.not_applicable(why),
        ];
    }
    let pages = facts.private.saturating_add(facts.shared);
    let of = |images: &Images| images.ids(ImageKind::Pages).len();
    let files =
        subject.checkpoint.parents().iter().map(of).fold(of(subject.images), usize::saturating_add);
    let files = count(files, "pages file", "pages files");
    let stored = stored.end(
        format!("{}, {pages} pages of {page_size} bytes in this dump", maps(pagemaps)),
        files.clone(),
    );
    let owned = owned.end(maps(pagemaps), files);
    let mapped = match mapped_is_checkable(subject) {
        Ok(()) => mapped.end(
            format!("the pages of {} inside", maps(facts.pagemaps)),
            count(subject.images.ids(ImageKind::Mm).len(), "memory map", "memory maps"),
        ),
        Err(why) => MAPPED.not_checkable(why),
    };
    [counted(subject, &facts), stored, owned, mapped, elsewhere(subject, &facts)]
}

fn maps(number: usize) -> String {
    count(number, "pagemap", "pagemaps")
}

fn mapped_is_checkable(subject: &Subject<'_>) -> Result<(), &'static str> {
    if subject.images.ids(ImageKind::Mm).is_empty() {
        return Err("there are no memory maps: a pre-dump or a failed dump has none");
    }
    Ok(())
}

/// Looks at every pagemap of a directory once.
fn pass(
    subject: &Subject<'_>,
    page_size: u64,
    stored: &mut Gathering,
    mut mapped: Option<&mut Gathering>,
) -> Facts {
    let mut facts = Facts::default();
    let segments = mapped.as_ref().map(|_| segments(subject)).unwrap_or_default();
    for kind in [ImageKind::Pagemap, ImageKind::PagemapShmem] {
        for id in subject.images.ids(kind) {
            let at = subject.place(kind, Some(id));
            let read = open(subject.images, kind, Some(id))
                .and_then(|image| PagemapImage::read(&image).map_err(|error| error.to_string()));
            let Ok((pagemap, broken)) = read else {
                stored.unreadable(at);
                continue;
            };
            if broken.is_some() {
                stored.unreadable(&*at);
            }
            facts.take(kind, &pagemap, &at);
            let layout = pagemap.layout(page_size);
            for defect in &layout.defects {
                stored.tell(Effect::Damaged, &*at, defect.to_string());
            }
            if broken.is_none()
                && !layout.defects.iter().any(|d| matches!(d, Defect::Overflow { .. }))
            {
                size(subject.images, &layout, stored, &at);
            }
            expand(subject.images, &layout, page_size, stored, &at);
            let Some(mapped) = mapped.as_deref_mut() else { continue };
            let ranges = layout.runs.iter().map(|run| AddrRange { start: run.start, end: run.end });
            if kind == ImageKind::PagemapShmem {
                if let Some(size) = segments.get(&id) {
                    let end = size.div_ceil(page_size).saturating_mul(page_size);
                    let whole = [AddrRange { start: VirtAddr(0), end: VirtAddr(end) }];
                    outside(ranges, &whole, "the segment", mapped, &at);
                }
            } else if subject.images.has(ImageKind::Mm, Some(id)) {
                match covered(subject, id) {
                    Some(covered) => outside(ranges, &covered, "the mappings", mapped, &at),
                    None => mapped.unreadable(subject.place(ImageKind::Mm, Some(id))),
                }
            }
        }
    }
    facts
}

impl Facts {
    fn take(&mut self, kind: ImageKind, pagemap: &PagemapImage, at: &str) {
        self.pagemaps = self.pagemaps.saturating_add(1);
        let sum = |wanted: fn(&criu_image::PagemapRecord) -> bool| {
            let wanted = pagemap.entries.iter().filter(|entry| wanted(entry));
            wanted.fold(0_u64, |sum, entry| sum.saturating_add(entry.pages()))
        };
        let stored = sum(criu_image::PagemapRecord::stored);
        let total = if kind == ImageKind::Pagemap { &mut self.private } else { &mut self.shared };
        *total = total.saturating_add(stored);
        self.in_parent =
            self.in_parent.saturating_add(sum(|entry| !entry.stored() && entry.in_parent()));
        self.lazy = self
            .lazy
            .saturating_add(sum(|entry| !entry.stored() && !entry.in_parent() && entry.lazy()));
        self.users.entry(pagemap.pages_id.into()).or_default().push(at.to_owned());
    }
}

/// C3: the pages file that a pagemap names has the bytes of its pages and no others.
fn size(images: &Images, layout: &ckpt_memory::Pagemap, stored: &mut Gathering, at: &str) {
    let (id, expected) = (Some(u64::from(layout.pages_id)), layout.stored_bytes);
    let name = place(images, ImageKind::Pages, id);
    match images.member(ImageKind::Pages, id) {
        None if expected > 0 => {
            let what = format!("{at} stores {expected} bytes in it, and it is not there");
            stored.tell(Effect::Incomplete, name, what);
        }
        None => {}
        Some(member) => {
            let found = captured(images, member);
            if found < expected {
                let what = format!("{found} bytes where {at} needs {expected}");
                stored.tell(Effect::Damaged, name, what);
            } else if found > expected {
                let what = format!("{found} bytes where {at} uses {expected}");
                stored.tell(Effect::Remark, name, what);
            }
        }
    }
}

/// C3: compressed pages are what they claim only when they expand; all of them are made to.
fn expand(
    images: &Images,
    layout: &ckpt_memory::Pagemap,
    page_size: u64,
    stored: &mut Gathering,
    at: &str,
) {
    let is_compressed = |run: &&Run| matches!(run.kind, RunKind::Compressed(_));
    if !layout.runs.iter().any(|run| is_compressed(&run)) {
        return;
    }
    let member = images.member(ImageKind::Pages, Some(u64::from(layout.pages_id)));
    let content = member.and_then(|member| images.evidence().content(member).ok());
    // That there is no pages file has been told.
    let Some(content) = content else { return };
    let link = Link { pagemap: layout.clone(), pages: PagesFile::Content(content) };
    // What is mapped where does not matter for that.
    let space = AddressSpace::new(Vec::new(), vec![link], page_size).with_unlisted();
    let mut damaged = 0_u64;
    let mut first = None;
    for run in layout.runs.iter().filter(is_compressed) {
        for span in space.spans(run.start, run.end.since(run.start)) {
            if let Span::Missing { start, len, why: Missing::Damaged } = span {
                damaged = damaged.saturating_add(len);
                first.get_or_insert(start);
            }
        }
    }
    if let Some(first) = first {
        let what = format!(
            "{damaged} bytes of memory from {first} on are in compressed blocks that do not expand"
        );
        stored.tell(Effect::Damaged, at, what);
    }
}

/// C4: one pagemap for each pages file.
fn owners(images: &Images, facts: &Facts, owned: &mut Gathering) {
    for (id, users) in &facts.users {
        if let [first, .., last] = users.as_slice() {
            let what = format!("{} pagemaps name it: {first}, {last}", users.len());
            owned.tell(Effect::Damaged, place(images, ImageKind::Pages, Some(*id)), what);
        }
    }
    for id in images.ids(ImageKind::Pages) {
        let known = facts.users.contains_key(&id);
        // An empty file is what CRIU leaves of a process without pages.
        let empty = images.member(ImageKind::Pages, Some(id)).is_some_and(|m| m.size == 0);
        if !known && !empty {
            let what = "no pagemap names it";
            owned.tell(Effect::Remark, place(images, ImageKind::Pages, Some(id)), what);
        }
    }
}

/// C2: what CRIU counted.
fn counted(subject: &Subject<'_>, facts: &Facts) -> Check {
    let Some(stats) = subject.checkpoint.statistics() else {
        return COUNTED.not_checkable("there is no stats-dump: not every engine keeps it");
    };
    let linked = subject.checkpoint.directory().is_some_and(|directory| directory.parent.is_some());
    if linked || facts.in_parent > 0 {
        return COUNTED.not_applicable("an incremental dump: its parent has the other pages");
    }
    let mut check = COUNTED.begin();
    let (what, found) = match stats.shpages_written {
        Some(_) => ("with shared memory", facts.private.saturating_add(facts.shared)),
        // CRIU before 3.15 counted the pages of processes alone.
        None => ("of processes alone", facts.private),
    };
    let expected = stats.pages_written.saturating_add(stats.shpages_written.unwrap_or_default());
    if expected != found {
        let effect = if found < expected { Effect::Incomplete } else { Effect::Remark };
        let what = format!("CRIU wrote {expected} pages {what}, the pagemaps have {found}");
        check.tell(effect, "stats-dump", what);
    }
    check.end(format!("{expected} pages {what}"), format!("{found} pages"))
}

/// Sizes of shared memory by its number, as far as images tell them.
fn segments(subject: &Subject<'_>) -> HashMap<u64, u64> {
    let memfds = subject.read::<MemfdInodeEntry>(ImageKind::MemfdInode, None);
    let mut sizes: HashMap<u64, u64> =
        memfds.list.iter().map(|memfd| (u64::from(memfd.shmid), memfd.size)).collect();
    for ns in subject.images.ids(ImageKind::IpcShm) {
        for segment in subject.read::<IpcShmEntry>(ImageKind::IpcShm, Some(ns)).list {
            // Memfds and System V segments count from different beginnings into one space of numbers.
            let size = sizes.entry(u64::from(segment.desc.id)).or_default();
            *size = segment.size.max(*size);
        }
    }
    sizes
}

/// The addresses that the mappings of a process cover, in order and disjoint.
fn covered(subject: &Subject<'_>, pid: u64) -> Option<Vec<AddrRange>> {
    let mm: MmEntry = subject.one(ImageKind::Mm, pid)?;
    let mut vmas = mm.vmas;
    if vmas.is_empty() {
        // Before 2014 the mappings had an image of their own.
        vmas = subject.read::<VmaEntry>(ImageKind::Vmas, Some(pid)).list;
    }
    // Guard ranges are entries of their own, inside of others.
    vmas.retain(|vma| vma.status & AREA_GUARD == 0 && vma.start < vma.end);
    vmas.sort_by_key(|vma| vma.start);
    let mut covered: Vec<AddrRange> = Vec::new();
    for vma in vmas {
        let (start, end) = (VirtAddr(vma.start), VirtAddr(vma.end));
        match covered.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ => covered.push(AddrRange { start, end }),
        }
    }
    Some(covered)
}

/// C5: tells the pages outside of what is covered; both in order.
fn outside(
    pages: impl Iterator<Item = AddrRange>,
    covered: &[AddrRange],
    of: &str,
    check: &mut Gathering,
    at: &str,
) {
    let mut covers = covered.iter().peekable();
    for range in pages {
        while covers.next_if(|cover| cover.end <= range.start).is_some() {}
        let inside =
            covers.peek().is_some_and(|cover| cover.start <= range.start && range.end <= cover.end);
        if !inside {
            let what = format!("pages {}-{} are not all inside {of}", range.start, range.end);
            check.tell(Effect::Damaged, at, what);
        }
    }
}

/// Pages that lie elsewhere: in a parent, which must have them, or nowhere.
fn elsewhere(subject: &Subject<'_>, facts: &Facts) -> Check {
    if facts.in_parent == 0 && facts.lazy == 0 {
        return ELSEWHERE.not_applicable("every page lies in this dump");
    }
    let mut check = ELSEWHERE.begin();
    let (page_size, _) = subject.checkpoint.page_size();
    let pages = |bytes: u64| bytes.checked_div(page_size).unwrap_or_default();
    let mut missing = 0_u64;
    for id in subject.images.ids(ImageKind::Pagemap) {
        let Ok(pid) = u32::try_from(id) else { continue };
        let at = subject.place(ImageKind::Pagemap, Some(id));
        let Some(space) = subject.checkpoint.memory(Pid(pid)) else {
            check.unreadable(at);
            continue;
        };
        let image = open(subject.images, ImageKind::Pagemap, Some(id));
        let Ok((pagemap, _)) =
            image.and_then(|i| PagemapImage::read(&i).map_err(|e| e.to_string()))
        else {
            continue;
        };
        let layout = pagemap.layout(page_size);
        let elsewhere = |kind: &RunKind| matches!(kind, RunKind::Parent | RunKind::Lazy);
        let mut lost: BTreeMap<&str, u64> = BTreeMap::new();
        for run in layout.runs.iter().filter(|run| elsewhere(&run.kind)) {
            for (range, why) in space.gaps(run.start, run.end.since(run.start)) {
                let why = match why {
                    Missing::InParent => "only in a parent dump that is not here",
                    Missing::Lazy => "left behind for lazy migration, in no image",
                    Missing::PagesMissing
                    | Missing::PagesTruncated
                    | Missing::PagemapDamaged
                    | Missing::Damaged => "broken in a parent dump",
                    // Pages outside of every mapping are the business of another check.
                    _ => continue,
                };
                let sum = lost.entry(why).or_default();
                *sum = sum.saturating_add(pages(range.end.since(range.start)));
            }
        }
        for (why, number) in lost {
            missing = missing.saturating_add(number);
            check.tell(Effect::Incomplete, &*at, format!("{number} pages: {why}"));
        }
    }
    let expected = facts.in_parent.saturating_add(facts.lazy);
    check.end(
        format!("{} pages in a parent, {} lazy", facts.in_parent, facts.lazy),
        format!("{missing} of {expected} missing"),
    )
}
