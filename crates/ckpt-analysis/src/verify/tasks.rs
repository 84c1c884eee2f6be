//! The process tree and its images: threads, namespaces, left-overs of an earlier dump.

use std::collections::{BTreeMap, HashSet};

use ckpt_model::{Namespace, Staleness, Task, TaskState};
use criu_image::ImageKind;
use criu_image::messages::{CoreEntry, NetnsEntry, PstreeEntry, SeccompEntry, SeccompFilter};

use super::check::{Check, Effect, Spec, count};
use super::reader::Subject;

pub(super) const NAMESPACES: Spec = Spec::coded(
    "C12",
    "namespaces",
    "every namespace of a process that is not CRIU's own with the images that describe it",
);

pub(super) const THREADS: Spec = Spec::coded(
    "C13",
    "threads",
    "every thread of the process tree with its core image, and every core image with a thread",
);

pub(super) const FILTERS: Spec = Spec::of(
    "seccomp-filters",
    "the seccomp filters of every thread, and those installed before them, with the image that holds them; no ring of them",
);

pub(super) const TREE: Spec = Spec::of(
    "process-tree",
    "every process with its parent, which stands before it; one root; no process twice",
);

pub(super) const STALE: Spec = Spec::of(
    "stale-images",
    "every image of the directory with this dump: a task, a reference, the time",
);

/// C12: namespaces.
pub(super) fn namespaces(subject: &Subject<'_>) -> Check {
    let has_root = subject.checkpoint.inventory().is_some_and(|i| i.root_ids.is_some());
    if !has_root {
        let why = "nothing tells which namespaces CRIU itself was in (inventory.img: root_ids)";
        return NAMESPACES.not_checkable(why);
    }
    let mut check = NAMESPACES.begin();
    // Namespace by kind and number, and the first process in it.
    let mut own: BTreeMap<(&str, u32), u32> = BTreeMap::new();
    for task in subject.checkpoint.processes().by_pid() {
        let Some(all) = &task.namespaces else { continue };
        let kinds: [(&str, Option<Namespace>); 6] = [
            ("mnt", all.mnt),
            ("net", all.net),
            ("uts", all.uts),
            ("ipc", all.ipc),
            ("user", all.user),
            ("time", all.time),
        ];
        for (kind, namespace) in kinds {
            if let Some(namespace) = namespace.filter(|namespace| !namespace.shared_with_criu) {
                own.entry((kind, namespace.id)).or_insert(task.pid.0);
            }
        }
    }
    let images = subject.images;
    // Before CRIU 0.8 the images of namespaces had the pid of the first process in their names, and there was one of each.
    let by_id = subject.checkpoint.inventory().is_some_and(|i| i.ns_per_id == Some(true));
    let root = subject.checkpoint.processes().tasks.first().map(|task| u64::from(task.pid.0));
    for task in subject.checkpoint.processes().by_pid() {
        let id = Some(u64::from(task.pid.0));
        let is_live = has_lived(subject, task);
        if is_live && task.namespaces.is_none() && !images.has(ImageKind::Ids, id) {
            let what = format!(
                "nothing tells the namespaces and the descriptor table of process {}",
                task.pid
            );
            check.tell(Effect::Incomplete, subject.place(ImageKind::Ids, id), what);
        }
    }
    let has_network = NETWORK.iter().any(|kind| !images.ids(*kind).is_empty());
    for ((kind, id), pid) in &own {
        let number = if by_id { Some(u64::from(*id)) } else { root };
        let wanted = match *kind {
            "mnt" => ImageKind::Mountpoints,
            "uts" => ImageKind::Utsns,
            "ipc" => ImageKind::IpcVar,
            "user" => ImageKind::Userns,
            // All of them are in one image, whatever their number.
            "time" if !images.ids(ImageKind::Timens).is_empty() => continue,
            "time" => ImageKind::Timens,
            // An engine that gives the container its network by itself (runc, docker) has CRIU leave out all networks.
            "net" if !has_network => continue,
            _ => ImageKind::Netns,
        };
        if *kind == "net" && !is_external(subject, *id) {
            for part in NETWORK.iter().filter(|part| !images.ids(**part).is_empty()) {
                if *part != wanted && !images.has(*part, number) {
                    let what = format!("the network namespace {id} of process {pid} lacks it");
                    check.tell(Effect::Incomplete, subject.place(*part, number), what);
                }
            }
        }
        if !images.has(wanted, number) {
            let what = format!("{kind} namespace {id} of process {pid} is not there");
            check.tell(Effect::Incomplete, subject.place(wanted, number), what);
        }
    }
    if own.is_empty() && !check.has_failed() {
        return NAMESPACES.not_applicable("all processes were in the namespaces of CRIU itself");
    }
    let described = [
        ImageKind::Mountpoints,
        ImageKind::Netns,
        ImageKind::Utsns,
        ImageKind::IpcVar,
        ImageKind::Userns,
        ImageKind::Timens,
    ];
    let found = described.iter().map(|kind| images.ids(*kind).len()).sum();
    check.end(
        count(own.len(), "namespace of its own", "namespaces of their own"),
        format!("{} described", count(found, "namespace", "namespaces")),
    )
}

/// What CRIU writes of every network namespace that it dumps: where one has it, all have.
const NETWORK: [ImageKind; 4] =
    [ImageKind::Netns, ImageKind::Netdev, ImageKind::Ifaddr, ImageKind::Route];

/// Whether a network namespace is one from outside, of which CRIU writes the key alone.
fn is_external(subject: &Subject<'_>, id: u32) -> bool {
    let netns = subject.one::<NetnsEntry>(ImageKind::Netns, id.into());
    netns.is_some_and(|netns| netns.ext_key.is_some())
}

/// Whether a process was more than a zombie, of which there is a core image and nothing else.
fn has_lived(subject: &Subject<'_>, task: &Task) -> bool {
    let id = Some(u64::from(task.pid.0));
    let kinds = [ImageKind::Ids, ImageKind::Mm, ImageKind::Fs, ImageKind::Pagemap];
    match task.state {
        Some(state) => state != TaskState::Zombie,
        None => kinds.iter().any(|kind| subject.images.has(*kind, id)),
    }
}

/// C13: threads and cores.
pub(super) fn threads(subject: &Subject<'_>) -> Check {
    let processes = subject.checkpoint.processes();
    if !processes.has_tree {
        return THREADS.not_checkable("there is no process tree");
    }
    let mut check = THREADS.begin();
    let tree = subject.read::<PstreeEntry>(ImageKind::Pstree, None);
    if !tree.whole {
        check.unreadable(subject.place(ImageKind::Pstree, None));
    }
    // A process without any image may have been a zombie too.
    let dead = processes.tasks.iter().filter(|task| !has_lived(subject, task));
    let dead: HashSet<u32> = dead.map(|task| task.pid.0).collect();
    let mut wanted: HashSet<u64> = HashSet::new();
    let (mut zombies, mut threads) = (0_usize, 0_usize);
    for entry in &tree.list {
        let zombie = dead.contains(&entry.pid);
        // Of a zombie the list of threads is an uninitialised number.
        let others = entry.threads.iter().filter(|_| !zombie);
        let counted = if zombie { &mut zombies } else { &mut threads };
        for tid in std::iter::once(&entry.pid).chain(others) {
            let id = u64::from(*tid);
            if !wanted.insert(id) {
                continue;
            }
            *counted = counted.saturating_add(1);
            if !subject.images.has(ImageKind::Core, Some(id)) {
                let what = format!("thread {tid} of process {} has no image", entry.pid);
                check.tell(Effect::Incomplete, subject.place(ImageKind::Core, Some(id)), what);
            }
        }
    }
    let cores = subject.images.ids(ImageKind::Core);
    let mut extra = 0_usize;
    for stale in subject.checkpoint.stale().iter().filter(|image| image.kind == ImageKind::Core) {
        extra = extra.saturating_add(1);
        let what = format!("{}: left from an earlier dump", stale.why);
        check.tell(Effect::Remark, stale.path.escaped(), what);
    }
    for id in cores.iter().filter(|id| !wanted.contains(id)) {
        extra = extra.saturating_add(1);
        let what = format!("{id} is no thread of the process tree");
        check.tell(Effect::Remark, subject.place(ImageKind::Core, Some(*id)), what);
    }
    check.end(
        format!("{}, {}", count(threads, "thread", "threads"), count(zombies, "zombie", "zombies")),
        format!("{}, {extra} without a thread", count(cores.len(), "core image", "core images")),
    )
}

/// Seccomp filters.
pub(super) fn filters(subject: &Subject<'_>) -> Check {
    let mut check = FILTERS.begin();
    let at = subject.place(ImageKind::Seccomp, None);
    let image = subject.read::<SeccompEntry>(ImageKind::Seccomp, None);
    if !image.whole {
        check.unreadable(&*at);
    }
    let filters: Vec<SeccompFilter> =
        image.list.into_iter().flat_map(|entry| entry.seccomp_filters).collect();
    let is_there = |index: u32| usize::try_from(index).is_ok_and(|index| index < filters.len());
    let mut filtered = 0_usize;
    let mut missing: BTreeMap<u32, String> = BTreeMap::new();
    for thread in subject.checkpoint.processes().by_pid().into_iter().flat_map(|task| &task.threads)
    {
        let Some(index) = thread.core.as_ref().and_then(|core| last_filter(core)) else { continue };
        filtered = filtered.saturating_add(1);
        if !is_there(index) {
            missing.entry(index).or_insert_with(|| format!("thread {}", thread.tid));
        }
    }
    for (index, filter) in filters.iter().enumerate() {
        if let Some(prev) = filter.prev.filter(|prev| !is_there(*prev)) {
            missing.entry(prev).or_insert_with(|| format!("filter {index}"));
        }
    }
    for (index, of) in missing.iter().filter(|_| image.whole) {
        let what = format!("filter {index}, which {of} refers to, is not in it");
        check.tell(Effect::Incomplete, &*at, what);
    }
    if let Some(index) = ring(&filters) {
        let what =
            format!("filter {index} was installed before itself: the chain comes back to it");
        check.tell(Effect::Damaged, &*at, what);
    }
    if filtered == 0 && filters.is_empty() && !check.has_failed() && image.whole {
        return FILTERS.not_applicable("no thread has a seccomp filter");
    }
    check.end(
        count(filtered, "filtered thread", "filtered threads"),
        count(filters.len(), "filter", "filters"),
    )
}

/// A filter that is among those installed before it. Every one has one before it at most: what a walk met in an earlier one
/// need not be walked again.
fn ring(filters: &[SeccompFilter]) -> Option<usize> {
    let mut walk_of = vec![usize::MAX; filters.len()];
    for start in 0..filters.len() {
        let mut at = start;
        loop {
            let met = walk_of.get_mut(at)?;
            if *met == start {
                return Some(at);
            }
            if std::mem::replace(met, start) != usize::MAX {
                break;
            }
            let prev = filters.get(at).and_then(|filter| filter.prev);
            match prev.and_then(|prev| usize::try_from(prev).ok()) {
                Some(prev) if prev < filters.len() => at = prev,
                _ => break,
            }
        }
    }
    None
}

/// Index of the filter that a thread installed last.
fn last_filter(core: &CoreEntry) -> Option<u32> {
    const MODE_FILTER: u32 = 2;
    let thread = core.thread_core.as_ref();
    let (mode, filter) = match thread.and_then(|thread| thread.seccomp_mode) {
        Some(mode) => (mode, thread?.seccomp_filter?),
        None => (core.tc.as_ref()?.old_seccomp_mode?, core.tc.as_ref()?.old_seccomp_filter?),
    };
    (mode == MODE_FILTER).then_some(filter)
}

/// The tree itself: CRIU writes parents before their children, the root first.
pub(super) fn tree(subject: &Subject<'_>) -> Check {
    if !subject.images.has(ImageKind::Pstree, None) {
        return TREE.not_checkable("there is no process tree");
    }
    let mut check = TREE.begin();
    let at = subject.place(ImageKind::Pstree, None);
    let tree = subject.read::<PstreeEntry>(ImageKind::Pstree, None);
    if !tree.whole {
        check.unreadable(&*at);
    }
    let all: HashSet<u32> = tree.list.iter().map(|entry| entry.pid).collect();
    let mut before: HashSet<u32> = HashSet::new();
    let mut roots = 0_usize;
    for (record, PstreeEntry { pid, ppid, .. }) in tree.list.iter().enumerate() {
        let at = || format!("{at}: record {record}");
        if *ppid == 0 {
            roots = roots.saturating_add(1);
            if roots > 1 {
                let what = format!("process {pid} is another root, and CRIU dumps one tree");
                check.tell(Effect::Damaged, at(), what);
            }
        } else if !all.contains(ppid) {
            let what = format!("the parent of process {pid} is {ppid}, which is not in the tree");
            check.tell(Effect::Incomplete, at(), what);
        } else if !before.contains(ppid) {
            let what = format!("process {pid} stands before its parent {ppid}");
            check.tell(Effect::Damaged, at(), what);
        }
        if !before.insert(*pid) {
            check.tell(Effect::Damaged, at(), format!("process {pid} is there twice"));
        }
    }
    if roots == 0 && tree.whole {
        check.tell(Effect::Damaged, &*at, "no process is the root");
    }
    check.end(
        "one root, parents first",
        format!(
            "{} in {}",
            count(tree.list.len(), "process", "processes"),
            count(roots, "tree", "trees")
        ),
    )
}

/// Images that are not of this dump.
pub(super) fn stale(subject: &Subject<'_>) -> Check {
    if !subject.checkpoint.processes().has_tree {
        return STALE.not_checkable("there is no process tree to tell them by");
    }
    let mut check = STALE.begin();
    let stale = subject.checkpoint.stale();
    for image in stale {
        let what = match image.why {
            Staleness::NoOwner(_) | Staleness::Older { .. } => {
                format!("{}: left from an earlier dump", image.why)
            }
            Staleness::Unreferenced => image.why.to_string(),
        };
        check.tell(Effect::Remark, image.path.escaped(), what);
    }
    let all = subject.images.all().len();
    check.end(
        format!("{} of this dump", count(all, "image", "images")),
        format!("{} of another", count(stale.len(), "image", "images")),
    )
}
