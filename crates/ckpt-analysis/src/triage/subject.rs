//! What is looked at: the checkpoint, and what several detectors need of it, found out once.

use std::collections::BTreeMap;

use ckpt_memory::VirtAddr;
use ckpt_model::artifacts::Artifacts;
use ckpt_model::{
    Change, ChangeSource, Changes, ChangesOptions, Checkpoint, FillError, FillOptions, MemoryMap,
    Pid, Socket, Strings, Task, Text, escape,
};
use ckpt_scan::secrets::Summary;
use criu_image::ImageKind;

use super::TriageOptions;
use super::commands::is_own;
use super::finding::Seen;
use super::links::Links;
use super::packages::Packages;
use super::provenance::Provenance;
use super::written::written;
use super::{miner, secrets};

/// Bytes of a command line that are looked at.
const LONGEST: usize = 4096;

/// Characters of a command line that are shown.
const SHOWN: usize = 160;

/// A checkpoint under examination.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) options: &'a TriageOptions,
    /// What changed in the file system.
    pub(crate) changes: Changes,
    /// The memory maps of the tasks that have memory, by pid.
    pub(crate) maps: Vec<MemoryMap<'a>>,
    /// The tasks that run, by pid.
    pub(crate) tasks: Vec<&'a Task>,
    /// Where their executables come from.
    executables: BTreeMap<Pid, Provenance>,
    /// Who is linked to whom.
    pub(super) links: Links<'a>,
    /// The archive of the root file system's changes, safe for a terminal.
    diff: Option<String>,
    /// Everything that can be had as a file.
    pub(crate) artifacts: Artifacts,
    /// What a package manager installed.
    pub(super) packages: Packages,
    /// Secrets, and words of miners in memory.
    pub(super) searched: Summary,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        checkpoint: &'a Checkpoint,
        options: &'a TriageOptions,
    ) -> Result<Self, FillError> {
        let mut changes = ChangesOptions::default().archive(options.archive.clone()).unhashed();
        let mut files = FillOptions::default().archive(options.archive.clone());
        if let Some(base) = &options.base {
            changes = changes.base(base);
            files = files.base(base);
        }
        if let Some(rootfs) = &options.rootfs {
            files = files.rootfs(rootfs);
        }
        let files = checkpoint.file_sources(&files)?;
        let tasks: Vec<&Task> =
            checkpoint.processes().by_pid().into_iter().filter(|task| !task.is_zombie()).collect();
        // Those who share a memory have one map.
        let owns = |task: &&&Task| task.mm_owner.is_none_or(|owner| owner == task.pid);
        let maps = tasks.iter().filter(owns);
        let maps: Vec<MemoryMap<'_>> =
            maps.filter_map(|task| checkpoint.memory_map(task.pid, &files)).collect();
        let links = Links::of(checkpoint, &tasks, &maps);
        let mut subject = Self {
            checkpoint,
            options,
            changes: checkpoint.changes(&changes)?,
            maps,
            tasks,
            executables: BTreeMap::new(),
            links,
            diff: member_called(checkpoint, b"rootfs-diff.tar"),
            artifacts: checkpoint.artifacts(&options.archive),
            packages: Packages::default(),
            searched: Summary::default(),
        };
        subject.packages = Packages::of(written(&subject));
        let executables = subject.tasks.iter().filter_map(|task| {
            let exe = task.exe.as_ref()?;
            let of = Provenance::of_file(&subject, exe);
            Some((task.pid, if is_own(&subject, task) { of } else { of.of_stranger() }))
        });
        subject.executables = executables.collect();
        subject.searched = secrets::search(&subject, &miner::WORDS);
        Ok(subject)
    }

    /// Where the executable of a task comes from; `None` when it is not known.
    pub(crate) fn executable(&self, task: &Task) -> Option<&Provenance> {
        self.executables.get(&task.pid)
    }

    /// Whether a task runs a program that the image does not have, or that hides.
    pub(crate) fn is_foreign(&self, task: &Task) -> bool {
        self.executable(task).is_some_and(Provenance::is_foreign)
    }

    /// The sockets that a process has open, by descriptor.
    pub(crate) fn sockets_of(&self, pid: Pid) -> &[(u32, &'a Socket)] {
        self.links.held(pid)
    }

    /// The parent of a task, when it is in the dump and another one.
    pub(crate) fn parent(&self, task: &Task) -> Option<&'a Task> {
        self.task(task.ppid.filter(|ppid| *ppid != task.pid)?)
    }

    /// The task of that pid, when it runs.
    pub(crate) fn task(&self, pid: Pid) -> Option<&'a Task> {
        self.tasks.get(self.links.task(pid)?).copied()
    }

    /// The children of a task.
    pub(crate) fn children(&self, task: &Task) -> impl Iterator<Item = &'a Task> + '_ {
        self.links.children(task.pid).iter().filter_map(|at| self.tasks.get(*at).copied())
    }

    /// The memory map of a task: that of the task that owns the memory.
    pub(crate) fn map(&self, pid: Pid) -> Option<&MemoryMap<'a>> {
        self.maps.get(self.links.map(pid)?)
    }

    /// The first process of the dump: what the container was started with.
    pub(crate) fn first(&self) -> Option<&'a Task> {
        self.checkpoint.processes().forest.first().and_then(|node| {
            let first = self.checkpoint.processes().tasks.get(node.task)?;
            (!first.is_zombie()).then_some(first)
        })
    }

    /// The member that holds an image, safe for a terminal; `None` when there is no such image.
    pub(crate) fn image(&self, kind: ImageKind, id: impl Into<Option<u64>>) -> Option<String> {
        let member = self.checkpoint.images()?.member(kind, id.into())?;
        Some(Text::from(member.path.as_slice()).escaped().into_owned())
    }

    /// The member that describes the memory of a task.
    pub(crate) fn mm(&self, task: &Task) -> Option<String> {
        let owner = task.mm_owner.unwrap_or(task.pid);
        self.image(ImageKind::Mm, u64::from(owner.0))
    }

    /// The member that describes a task itself.
    pub(crate) fn core(&self, task: &Task) -> Option<String> {
        self.image(ImageKind::Core, u64::from(task.pid.0))
    }

    /// Something that is seen of a byte of memory, with the member that holds it and where.
    pub(crate) fn seen_in_memory(
        &self,
        map: &MemoryMap<'_>,
        address: VirtAddr,
        what: String,
    ) -> Seen {
        let Some((depth, pages, offset)) = map.space.stored_at(address) else {
            return Seen::new(what).member(self.mm(map.task));
        };
        let images = match depth.checked_sub(1) {
            None => self.checkpoint.images(),
            Some(back) => self.checkpoint.parents().get(back),
        };
        let member = images.and_then(|all| all.member(ImageKind::Pages, Some(u64::from(pages))));
        let member = member.map(|one| Text::from(one.path.as_slice()).escaped().into_owned());
        Seen::new(what).member(member).offset(offset)
    }

    /// What happened to a path of the root file system or of a volume; `None` when nothing did, or nobody can tell.
    pub(crate) fn change(&self, path: &[u8]) -> Option<&Change> {
        let list = &self.changes.list;
        let at = list.partition_point(|change| change.path.as_bytes() < path);
        list.get(at).filter(|change| change.path.as_bytes() == path)
    }

    /// Whether the evidence tells what was written to the root file system.
    pub(crate) fn has_diff(&self) -> bool {
        self.diff.is_some()
    }

    /// The member that tells of a change, safe for a terminal.
    pub(crate) fn member_of(&self, change: &Change) -> Option<String> {
        match &change.source {
            ChangeSource::RootfsDiff => self.diff.clone(),
            ChangeSource::DeletedFiles => member_called(self.checkpoint, b"deleted.files"),
            ChangeSource::Volume(name) => {
                let wanted = [b"volumes/", name.as_bytes(), b".tar"].concat();
                member_called(self.checkpoint, &wanted)
            }
            _ => None,
        }
    }

    /// The arguments of a task as something seen; `None` when it has none.
    pub(crate) fn seen_arguments(&self, task: &Task) -> Option<Seen> {
        let line = command_line(task.argv.as_ref()?);
        (!line.is_empty())
            .then(|| Seen::new(format!("arguments: {}", shortened(&line))).member(self.mm(task)))
    }
}

/// The first member of that name, in whatever folder, safe for a terminal.
fn member_called(checkpoint: &Checkpoint, wanted: &[u8]) -> Option<String> {
    let mut members = checkpoint.evidence().members().iter();
    let found = members.find(|member| {
        let rest = member.path.strip_suffix(wanted);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"))
    });
    found.map(|member| Text::from(member.path.as_slice()).escaped().into_owned())
}

/// A process in words, safe for a terminal: `python3 (pid 7)`.
pub(crate) fn named(task: &Task) -> String {
    match &task.comm {
        Some(comm) => format!("{comm} (pid {})", task.pid),
        None => format!("pid {}", task.pid),
    }
}

/// Arguments joined by spaces, safe for a terminal; empty ones at the end are left out. The beginning of very long ones.
pub(crate) fn command_line(argv: &Strings) -> String {
    let mut line = String::new();
    for word in argv.iter() {
        if line.len() > LONGEST {
            break;
        }
        line.push_str(&escape(word.get(..LONGEST).unwrap_or(word)));
        line.push(' ');
    }
    line.truncate(line.trim_end().len());
    line
}

/// The first characters of a text that is safe already.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The last component of a path.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
