//! The processes of a checkpoint, built from `pstree.img` and what it names.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use ckpt_memory::{AddressSpace, Mapping};
use criu_image::ImageKind;
use criu_image::messages::{
    CoreEntry, CredsEntry, FsEntry, InventoryEntry, ItimerEntry, MmEntry, PosixTimerEntry,
    PstreeEntry, RlimitEntry, SaEntry, SiginfoEntry, SignalQueueEntry, TaskKobjIdsEntry,
    TaskTimersEntry, VmaEntry,
};

use crate::attributes::{CgroupPlace, Dispositions, Personality, Timers};
use crate::cmdline;
use crate::defect::{DefectKind, Defects};
use crate::files::FileTable;
use crate::images::Images;
use crate::marks::mark;
use crate::memory::Memory;
use crate::owners::{OwnedMemory, Owners};
use crate::registers::{self, Arch};
use crate::signals::PendingSignal;
use crate::task::{Credentials, Namespace, Namespaces, Rlimit, Seccomp, Task, TaskState, Thread};
use crate::text::Strings;
use crate::threads;
use crate::tree::{self, Node};
use crate::{Pid, Text};

/// The processes, in the order of `pstree.img`: a parent comes before its children in a sound dump.
#[derive(Debug, Default)]
pub struct Processes {
    /// Every task, each once.
    pub tasks: Vec<Task>,
    /// The tree: every task once, depth first.
    pub forest: Vec<Node>,
    /// Whether there is a process tree. Without one (failed dumps and pre-dumps) tasks are known by the names of their
    /// images alone, and nothing is known of who is whose parent.
    pub has_tree: bool,
    /// Index of the first task of each pid, made when first asked for.
    by_pid: OnceLock<HashMap<Pid, usize>>,
}

impl Processes {
    /// The task with that pid; the first when several claim it.
    #[must_use]
    pub fn get(&self, pid: Pid) -> Option<&Task> {
        let by_pid = self.by_pid.get_or_init(|| {
            let mut first = HashMap::new();
            for (index, task) in self.tasks.iter().enumerate() {
                first.entry(task.pid).or_insert(index);
            }
            first
        });
        self.tasks.get(*by_pid.get(&pid)?)
    }

    /// The tasks by pid.
    #[must_use]
    pub fn by_pid(&self) -> Vec<&Task> {
        let mut tasks: Vec<&Task> = self.tasks.iter().collect();
        tasks.sort_by_key(|task| task.pid);
        tasks
    }
}

/// Most bytes of arguments and environment that are kept of all processes together.
const MAX_STRINGS: u64 = 512 << 20;

/// What the tasks that are built have used up.
struct SoFar {
    /// Bytes of arguments and environment that there is still room for.
    strings_left: u64,
    /// Threads that have been told, but for leading ones.
    tids: HashSet<Pid>,
}

/// What is needed to build tasks.
pub(crate) struct Reader<'a> {
    pub(crate) images: &'a Images,
    pub(crate) inventory: Option<&'a InventoryEntry>,
    pub(crate) files: &'a FileTable,
    pub(crate) memory: &'a Memory,
    /// Cgroups by the number of their set.
    pub(crate) cgroups: HashMap<u32, Arc<[CgroupPlace]>>,
    pub(crate) defects: &'a Defects,
}

impl Reader<'_> {
    pub(crate) fn read(&self) -> Processes {
        let pstree = self.images.many::<PstreeEntry>(ImageKind::Pstree, None, self.defects);
        let has_tree = pstree.is_some();
        let mut entries = pstree.unwrap_or_else(|| self.entries_by_name());
        let copies = tree::drop_copies(&mut entries);
        if copies > 0 {
            let place = self.images.place(ImageKind::Pstree, None);
            let what = format!(
                "{copies} more entries of processes that are in the tree already are left out"
            );
            self.defects.suspect(place, what);
        }
        let owners = Owners::new(self.images, &entries, self.defects);
        let mut so_far = SoFar { strings_left: MAX_STRINGS, tids: HashSet::new() };
        let mut tasks: Vec<Task> =
            entries.iter().map(|entry| self.task(entry, has_tree, &owners, &mut so_far)).collect();
        self.settle_what_was_recorded(&mut tasks);
        let forest = tree::forest(&mut tasks);
        for task in &mut tasks {
            task.marks.sort_unstable();
        }
        Processes { tasks, forest, has_tree, by_pid: OnceLock::new() }
    }

    /// Without a tree: one entry for each image that only a process has.
    fn entries_by_name(&self) -> Vec<PstreeEntry> {
        let kinds = [ImageKind::Ids, ImageKind::Mm, ImageKind::Fs, ImageKind::Pagemap];
        let pids: BTreeSet<u64> = kinds.iter().flat_map(|kind| self.images.ids(*kind)).collect();
        let pids = pids.into_iter().filter_map(|pid| u32::try_from(pid).ok());
        pids.map(|pid| PstreeEntry { pid, ..PstreeEntry::default() }).collect()
    }

    fn task(
        &self,
        entry: &PstreeEntry,
        has_tree: bool,
        owners: &Owners,
        so_far: &mut SoFar,
    ) -> Task {
        let pid = Pid(entry.pid);
        let from_tree = |pid: u32| has_tree.then_some(Pid(pid));
        let mut task = Task {
            pid,
            ppid: from_tree(entry.ppid),
            pgid: from_tree(entry.pgid),
            sid: from_tree(entry.sid),
            ..Task::default()
        };
        task.core = self.core(pid, has_tree).map(Arc::new);
        if let Some(core) = task.core.clone() {
            self.describe(&mut task, &core);
        }
        if task.is_zombie() {
            // CRIU writes nothing but the core of a zombie, and an uninitialised number into its list of threads.
            return task;
        }
        if let Some(ids) = owners.ids.get(&pid) {
            task.namespaces = Some(self.namespaces(ids));
            task.shares = owners.shares(pid, ids);
            task.files_id = Some(ids.files_id).filter(|id| *id != 0);
        }
        self.threads(&mut task, entry, has_tree, &mut so_far.tids);
        if let Some(leader) = task.threads.first() {
            task.credentials.clone_from(&leader.credentials);
            task.cgroups.clone_from(&leader.cgroups);
        }
        self.filesystem(&mut task, owners);
        self.memory(&mut task, owners, &mut so_far.strings_left);
        mark(&mut task);
        task
    }

    fn core(&self, tid: Pid, expected: bool) -> Option<CoreEntry> {
        let id = Some(u64::from(tid.0));
        if !self.images.has(ImageKind::Core, id) {
            if expected {
                let place = self.images.place(ImageKind::Core, id);
                self.defects.missing(place, format!("no image of thread {tid}"));
            }
            return None;
        }
        self.images.one(ImageKind::Core, id, self.defects)
    }

    /// What the leading thread's core tells of the process.
    fn describe(&self, task: &mut Task, core: &CoreEntry) {
        let id = Some(u64::from(task.pid.0));
        let Some(tc) = &core.tc else {
            let place = self.images.place(ImageKind::Core, id);
            self.defects
                .missing(place, "the leading thread's core tells nothing of its process (no tc)");
            return;
        };
        let state = TaskState::from_raw(tc.task_state);
        if let TaskState::Unknown(number) = state {
            let place = self.images.place(ImageKind::Core, id);
            self.defects.tell(
                DefectKind::Unknown,
                place,
                format!("task state {number} is not known"),
            );
        }
        task.state = Some(state);
        task.exit_code = (state == TaskState::Zombie).then_some(tc.exit_code);
        task.comm = Some(Text(tc.comm.clone()));
        task.oom_score_adj = tc.oom_score_adj;
        task.loginuid = tc.loginuid;
        task.personality = Some(Personality::of(tc.personality));
        task.kernel_flags = Some(tc.flags);
        if state == TaskState::Zombie {
            return;
        }
        let thread = core.thread_core.as_ref();
        let mode = thread.and_then(|thread| thread.seccomp_mode).or(tc.old_seccomp_mode);
        // CRIU leaves the mode out when there is none.
        task.seccomp = Some(mode.map_or(Seccomp::Disabled, Seccomp::from_raw));
        let arch = Arch::from_raw(core.mtype);
        task.pending = self.pending(tc.signals_s.as_ref(), ImageKind::SignalShared, id, arch);
        task.shdpnd = Some(task.pending.iter().fold(0, |set, signal| set | signal.bit()));
        let private = thread.and_then(|thread| thread.signals_p.as_ref());
        let private = self.pending(private, ImageKind::SignalPrivate, id, arch);
        task.sigpnd = Some(private.iter().fold(0, |set, signal| set | signal.bit()));
        self.dispositions(task, &tc.sigactions, id, arch);
        task.child_subreaper = tc.child_subreaper;
        task.stop_signal = tc.stop_signo;
        task.timers = self.timers(tc.timers.as_ref(), id);
        let limit = |limit: &RlimitEntry| Rlimit { cur: limit.cur, max: limit.max };
        task.rlimits = match &tc.rlimits {
            Some(limits) => limits.rlimits.iter().map(limit).collect(),
            None => {
                let limits = self.images.many::<RlimitEntry>(ImageKind::Rlimit, id, self.defects);
                limits.into_iter().flatten().map(|entry| limit(&entry)).collect()
            }
        };
    }

    /// Signals that wait, from the core or, in dumps before CRIU 2, from an image of their own.
    fn pending(
        &self,
        queue: Option<&SignalQueueEntry>,
        old: ImageKind,
        id: Option<u64>,
        arch: Arch,
    ) -> Vec<PendingSignal> {
        let of = |signals: &[SiginfoEntry]| {
            let parse = |info: &SiginfoEntry| {
                PendingSignal::parse(&info.siginfo, self.memory.order(), Some(arch))
            };
            signals.iter().filter_map(parse).collect()
        };
        match queue {
            Some(queue) => of(&queue.signals),
            None => of(&self.images.many(old, id, self.defects).unwrap_or_default()),
        }
    }

    /// What becomes of each signal, from the core or, in dumps before CRIU 2, from an image of its own.
    fn dispositions(&self, task: &mut Task, actions: &[SaEntry], id: Option<u64>, arch: Arch) {
        let mut old = Vec::new();
        if actions.is_empty() {
            old = self
                .images
                .many::<SaEntry>(ImageKind::Sigacts, id, self.defects)
                .unwrap_or_default();
        }
        let actions = if actions.is_empty() { &old } else { actions };
        if actions.is_empty() {
            return;
        }
        let Dispositions { ignored, caught, handlers } = Dispositions::of(actions, arch);
        (task.sigign, task.sigcgt) = (Some(ignored), Some(caught));
        task.handlers = Some(handlers);
    }

    /// Timers, from the core or, in dumps before CRIU 2, from images of their own.
    fn timers(&self, timers: Option<&TaskTimersEntry>, id: Option<u64>) -> Option<Timers> {
        if let Some(timers) = timers {
            return Some(Timers::of(timers));
        }
        let interval = self.images.many::<ItimerEntry>(ImageKind::Itimers, id, self.defects)?;
        let posix = self.images.many::<PosixTimerEntry>(ImageKind::PosixTimers, id, self.defects);
        let timers = Timers::of_images(&interval, &posix.unwrap_or_default());
        if timers.is_none() {
            let what = format!("{} interval timers where a process has three", interval.len());
            self.defects.damaged(self.images.place(ImageKind::Itimers, id), what);
        }
        timers
    }

    /// Threads. What the image of one holds is told once, with the first process that lists it.
    fn threads(
        &self,
        task: &mut Task,
        entry: &PstreeEntry,
        has_tree: bool,
        known: &mut HashSet<Pid>,
    ) {
        let mut seen = BTreeSet::new();
        // A list without the process itself is not of its threads: CRIU leaves an uninitialised one for a zombie.
        let foreign = !entry.threads.is_empty() && !entry.threads.contains(&entry.pid);
        let listed = entry.threads.iter().copied().filter(|_| !foreign);
        let tids = std::iter::once(entry.pid).chain(listed);
        for tid in tids.filter(|tid| seen.insert(*tid)).map(Pid) {
            if tid != task.pid && !known.insert(tid) {
                let place = self.images.place(ImageKind::Pstree, None);
                let what = format!("thread {tid} of process {} is another one's as well", task.pid);
                self.defects.suspect(place, what);
                task.threads.push(Thread { tid, ..Thread::default() });
                continue;
            }
            let core = if tid == task.pid {
                task.core.clone()
            } else {
                self.core(tid, has_tree).map(Arc::new)
            };
            let bare = || Thread { tid, ..Thread::default() };
            let mut thread = core.map_or_else(bare, |core| self.thread(tid, core));
            if thread.credentials.is_none() {
                // Before CRIU 2 they had an image of their own.
                let id = Some(u64::from(tid.0));
                let creds = self.images.one::<CredsEntry>(ImageKind::Creds, id, self.defects);
                thread.credentials = creds.as_ref().map(threads::credentials);
            }
            task.threads.push(thread);
        }
        if has_tree && foreign {
            let place = self.images.place(ImageKind::Pstree, None);
            let what = format!(
                "process {} is not among its own threads: a zombie, or its list of threads is wrong",
                task.pid
            );
            self.defects.suspect(place, what);
        }
    }

    fn thread(&self, tid: Pid, core: Arc<CoreEntry>) -> Thread {
        let own = core.thread_core.as_ref();
        let private = own.and_then(|thread| thread.signals_p.as_ref());
        let (id, arch) = (Some(u64::from(tid.0)), Arch::from_raw(core.mtype));
        let place = || self.images.place(ImageKind::Core, id);
        if let Arch::Unknown(number) = arch {
            let what = format!("architecture {number} is not known: registers are not read");
            self.defects.tell(DefectKind::Unknown, place(), what);
        } else if !registers::has(&core) {
            self.defects.missing(place(), format!("no registers of thread {tid}"));
        }
        let pending = self.pending(private, ImageKind::SignalPrivate, id, arch);
        // CRIU 3 has one set for all threads of a process, in the image of the leading one.
        let set = own.and_then(|thread| thread.cg_set);
        let set = set.or_else(|| core.tc.as_ref().and_then(|tc| tc.cg_set));
        let cgroups = set.and_then(|set| self.cgroups.get(&set).cloned());
        Thread { pending, cgroups, ..threads::thread(tid, core) }
    }

    fn namespaces(&self, ids: &TaskKobjIdsEntry) -> Namespaces {
        let criu = self.inventory.and_then(|inventory| inventory.root_ids.as_ref());
        let namespace = |of: fn(&TaskKobjIdsEntry) -> Option<u32>| {
            let id = of(ids)?;
            Some(Namespace { id, shared_with_criu: criu.and_then(of) == Some(id) })
        };
        Namespaces {
            pid: namespace(|ids| ids.pid_ns_id),
            net: namespace(|ids| ids.net_ns_id),
            ipc: namespace(|ids| ids.ipc_ns_id),
            uts: namespace(|ids| ids.uts_ns_id),
            mnt: namespace(|ids| ids.mnt_ns_id),
            user: namespace(|ids| ids.user_ns_id),
            cgroup: namespace(|ids| ids.cgroup_ns_id),
            time: namespace(|ids| ids.time_ns_id),
        }
    }

    fn filesystem(&self, task: &mut Task, owners: &Owners) {
        let owner = owners.fs(task.pid);
        let id = Some(u64::from(owner.0));
        if !self.images.has(ImageKind::Fs, id) {
            if task.state.is_some() {
                let place = self.images.place(ImageKind::Fs, id);
                self.defects.missing(
                    place,
                    format!("no working directory and root of process {}", task.pid),
                );
            }
            return;
        }
        let Some(fs) = self.images.one::<FsEntry>(ImageKind::Fs, id, self.defects) else { return };
        task.umask = fs.umask;
        task.cwd = self.path(fs.cwd_id, task.pid, "working directory");
        task.root = self.path(fs.root_id, task.pid, "root");
    }

    fn path(&self, id: u32, pid: Pid, what: &str) -> Option<crate::task::FileRef> {
        let found = self.files.path(id);
        if found.is_none() {
            let place = self.images.place(ImageKind::Files, None);
            self.defects.missing(place, format!("no file {id}, the {what} of process {pid}"));
        }
        found
    }

    fn memory(&self, task: &mut Task, owners: &Owners, left: &mut u64) {
        let owner = owners.mm(task.pid);
        let id = Some(u64::from(owner.0));
        let has_map = self.images.has(ImageKind::Mm, id);
        if !has_map && task.state.is_some() {
            let place = self.images.place(ImageKind::Mm, id);
            self.defects.missing(place, format!("no memory map of process {}", task.pid));
        }
        let known = owners.memory.borrow().get(&owner).cloned();
        let known = known.unwrap_or_else(|| {
            let read = self.read_memory(owner, has_map, left);
            owners.memory.borrow_mut().insert(owner, read.clone());
            read
        });
        if known.is_there {
            task.mm_owner = Some(owner);
        }
        let Some(mm) = known.mm else { return };
        (task.dumpable, task.thp_disabled) = (mm.dumpable, mm.thp_disabled);
        task.exe = self.path(mm.exe_file_id, task.pid, "executable");
        (task.argv, task.env) = (known.argv, known.env);
        task.mm = Some(mm);
    }

    /// What the images tell of the memory of a task that owns it; read once, however many tasks share it.
    fn read_memory(&self, owner: Pid, has_map: bool, left: &mut u64) -> OwnedMemory {
        let mm = if has_map { self.mm(owner) } else { None };
        // Arguments and environment lie in private memory: what is behind other mappings is not asked for.
        let vmas = mm.iter().flat_map(|mm| &mm.vmas);
        let space =
            self.memory.space(owner, vmas.cloned().map(Mapping::new).collect(), self.defects);
        self.tell_memory(owner, &space, mm.is_some());
        let mut known = OwnedMemory {
            is_there: mm.is_some() || !space.mappings().is_empty(),
            ..OwnedMemory::default()
        };
        if let Some(mm) = mm {
            known.argv = self.strings(owner, cmdline::argv(&space, &mm), left);
            known.env = self.strings(owner, cmdline::environ(&space, &mm), left);
            known.mm = Some(Arc::new(mm));
        }
        known
    }

    fn mm(&self, owner: Pid) -> Option<MmEntry> {
        let id = Some(u64::from(owner.0));
        let mut mm = self.images.one::<MmEntry>(ImageKind::Mm, id, self.defects)?;
        if mm.vmas.is_empty() {
            // Before 2014 the mappings had an image of their own.
            mm.vmas =
                self.images.many::<VmaEntry>(ImageKind::Vmas, id, self.defects).unwrap_or_default();
        }
        Some(mm)
    }

    /// Tells what is wrong with the memory of a task that owns it. `mapped`: whether its memory map is there.
    fn tell_memory(&self, owner: Pid, space: &AddressSpace, mapped: bool) {
        let id = Some(u64::from(owner.0));
        let pagemap = self.images.place(ImageKind::Pagemap, id);
        if mapped && !self.images.has(ImageKind::Pagemap, id) {
            let what =
                format!("no pagemap: nothing tells which pages of process {owner} were dumped");
            self.defects.missing(pagemap.clone(), what);
        }
        let old = self.images.has(ImageKind::Vmas, id);
        let map = self.images.place(if old { ImageKind::Vmas } else { ImageKind::Mm }, id);
        for defect in space.defects() {
            let of_mappings = defect.is_of_mappings();
            // What a map leaves out that is not there has been told by that.
            if mapped || !of_mappings {
                let place = if of_mappings { &map } else { &pagemap };
                self.memory.tell(place, &defect, self.defects);
            }
        }
    }

    fn strings(&self, pid: Pid, area: cmdline::Area, left: &mut u64) -> Option<Strings> {
        let place = format!("process {pid}");
        if let Some((kind, problem)) = area.problem {
            self.defects.tell(kind, place.clone(), problem);
        }
        let strings = area.strings?;
        match left.checked_sub(strings.0.len() as u64) {
            Some(rest) => *left = rest,
            None => {
                let what = format!(
                    "arguments or environment left out: more than {MAX_STRINGS} bytes in all"
                );
                self.defects.damaged(place, what);
                return None;
            }
        }
        Some(strings)
    }

    /// CRIU leaves fields out that are zero, so that "no" and "not recorded" look alike in one process; the dump as a
    /// whole tells them apart.
    fn settle_what_was_recorded(&self, tasks: &mut [Task]) {
        let modern = self.inventory.is_some_and(|inventory| {
            inventory.dump_criu_run_id.is_some() || inventory.plugins_entry.is_some()
        });
        let any = |recorded: fn(&Credentials) -> bool| {
            modern || tasks.iter().any(|task| task.credentials.as_ref().is_some_and(recorded))
        };
        let privileges = any(|creds| creds.no_new_privs.is_some());
        let ambient = any(|creds| creds.caps.ambient.is_some());
        let all = tasks.iter_mut().flat_map(|task| {
            let threads = task.threads.iter_mut().filter_map(|thread| thread.credentials.as_mut());
            threads.chain(task.credentials.as_mut())
        });
        for creds in all {
            if privileges {
                creds.no_new_privs.get_or_insert(false);
            }
            if ambient {
                creds.caps.ambient.get_or_insert(0);
            }
        }
    }
}
