//! `files`: descriptors, and on request sockets, mounts, locks, pipes, networks and System V objects.

use std::borrow::Cow;
use std::collections::HashMap;

use ckpt_model::{Checkpoint, Descriptor, FileRef, Pid, Remap, Task, Text, Unhashed};
use serde::Serialize;

use super::file_details::{DetailsRecord, ToldLists};
use super::network::{NetworkRecord, networks};
use super::repeats::Repeats;
use super::shared::{DefectRecord, EvidenceRecord, base64, defects, fields};
use super::sockets::{PipeRecord, SocketRecord, pipes, sockets};
use super::system::{IpcRecord, LockRecord, MountRecord, ipc, locks, mounts};

/// Which lists stand beside the processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesOptions {
    /// Only these processes; all when empty.
    pub pids: Vec<u32>,
    /// Sockets.
    pub sockets: bool,
    /// Mounts.
    pub mounts: bool,
    /// File locks.
    pub locks: bool,
    /// Pipes.
    pub pipes: bool,
    /// Interfaces, addresses, routes, rules, firewalls.
    pub net: bool,
    /// System V shared memory, message queues and semaphores.
    pub ipc: bool,
    /// Names in place of well-known ports.
    pub resolve_ports: bool,
}

impl FilesOptions {
    /// Whether a list beside the processes is asked for.
    #[must_use]
    pub fn any_list(&self) -> bool {
        self.sockets || self.mounts || self.locks || self.pipes || self.net || self.ipc
    }

    pub(crate) fn wants(&self, pid: u32) -> bool {
        self.pids.is_empty() || self.pids.contains(&pid)
    }
}

/// `ckpt-inspect/files/1`.
#[derive(Clone, Debug, Serialize)]
pub struct FilesDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// The processes, by pid.
    pub processes: Vec<FilesRecord<'a>>,
    /// The sockets, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<Vec<SocketRecord<'a>>>,
    /// The mounts, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mounts: Option<Vec<MountRecord<'a>>>,
    /// The locks, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locks: Option<Vec<LockRecord<'a>>>,
    /// The pipes, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipes: Option<Vec<PipeRecord<'a>>>,
    /// The network namespaces, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<NetworkRecord<'a>>>,
    /// The System V objects, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc: Option<Vec<IpcRecord>>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// The descriptors of the processes and the lists that are asked for.
#[must_use]
pub fn files<'a>(checkpoint: &'a Checkpoint, options: &FilesOptions) -> FilesDocument<'a> {
    let mut told = Told::default();
    let tasks = checkpoint.processes().by_pid();
    let tasks = tasks.into_iter().filter(|task| options.wants(task.pid.0));
    let processes = tasks.map(|task| FilesRecord::of(checkpoint, task, &mut told)).collect();
    let mut document = files_lists(checkpoint, options);
    document.processes = processes;
    document.defects = defects(checkpoint);
    document
}

/// The lists that are asked for, without the processes.
pub(crate) fn files_lists<'a>(
    checkpoint: &'a Checkpoint,
    options: &FilesOptions,
) -> FilesDocument<'a> {
    FilesDocument {
        schema: "ckpt-inspect/files/1",
        evidence: EvidenceRecord::of(checkpoint),
        processes: Vec::new(),
        sockets: options.sockets.then(|| sockets(checkpoint, options)),
        mounts: options.mounts.then(|| mounts(checkpoint, options)),
        locks: options.locks.then(|| locks(checkpoint, options)),
        pipes: options.pipes.then(|| pipes(checkpoint, options)),
        networks: options.net.then(|| networks(checkpoint)),
        ipc: options.ipc.then(|| ipc(checkpoint)),
        defects: Vec::new(),
    }
}

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct FilesRecord<'a> {
    /// Process id in the container.
    pub pid: u32,
    /// Name.
    pub comm: Option<Cow<'a, str>>,
    /// Bytes of `comm`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm_base64: Option<String>,
    /// Executable.
    pub exe: Option<PathRecord<'a>>,
    /// Working directory.
    pub cwd: Option<PathRecord<'a>>,
    /// Root directory.
    pub root: Option<PathRecord<'a>>,
    /// Files that are mapped into its memory, each once; none where `mapped_of` says.
    pub mapped: Vec<PathRecord<'a>>,
    /// The process with the same memory, where they stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped_of: Option<u32>,
    /// How many they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped_count: Option<usize>,
    /// Descriptors, by number; none where `fds_of` says.
    pub fds: Vec<DescriptorRecord<'a>>,
    /// The process with the same table of descriptors, where they stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fds_of: Option<u32>,
    /// How many they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fds_count: Option<usize>,
}

/// What content of an open file is kept as, the number of a ghost or of a memfd: any number of open files can have one.
pub(crate) type Kept = (Option<u32>, Option<u64>);

pub(crate) fn kept(checkpoint: &Checkpoint, file_id: u32) -> Kept {
    let files = checkpoint.files();
    let ghost = match files.remap(file_id) {
        Some(Remap::Ghost(ghost)) => Some(ghost),
        _ => None,
    };
    (ghost, files.memfd_inode(file_id).map(|inode| inode.inode_id))
}

type Hashes = HashMap<Kept, Option<RecoveredRecord>>;

/// What a document has told already.
#[derive(Default)]
struct Told {
    recovered: Hashes,
    lists: ToldLists,
    /// The process that was shown with a table, by the first one that has it.
    tables: HashMap<Pid, Pid>,
    /// The process that was shown with a memory and how many files it maps, by the owner of the memory.
    memory: HashMap<Pid, (Pid, usize)>,
    repeats: Repeats,
}

impl Told {
    /// The process at which the descriptors of a task stand, when there is no room for them at this one as well.
    fn table(&mut self, checkpoint: &Checkpoint, task: &Task) -> Option<Pid> {
        let descriptors = checkpoint.descriptors();
        let shown = *self.tables.entry(descriptors.first_with(task.pid)?).or_insert(task.pid);
        let again = shown != task.pid && !self.repeats.take(descriptors.of(task.pid).len());
        again.then_some(shown)
    }

    /// The files that a task maps; the process at which they stand, and how many they are, when there is no room for them at
    /// this one as well.
    fn mapped(
        &mut self,
        checkpoint: &Checkpoint,
        task: &Task,
    ) -> Result<Vec<FileRef>, (Pid, usize)> {
        if let Some(shown) = task.mm_owner.and_then(|owner| self.memory.get(&owner))
            && !self.repeats.take(shown.1)
        {
            return Err(*shown);
        }
        let files = checkpoint.mapped_files(task.pid);
        if let Some(owner) = task.mm_owner {
            self.memory.entry(owner).or_insert((task.pid, files.len()));
        }
        Ok(files)
    }
}

impl<'a> FilesRecord<'a> {
    fn of(checkpoint: &'a Checkpoint, task: &'a Task, told: &mut Told) -> Self {
        let (comm, comm_base64) = fields(task.comm.as_ref());
        let path = |file: &'a FileRef| PathRecord::of(Cow::Borrowed(file));
        let (mapped, same_memory) = match told.mapped(checkpoint, task) {
            Ok(files) => (files, None),
            Err(shown) => (Vec::new(), Some(shown)),
        };
        let descriptors = checkpoint.descriptors().of(task.pid);
        let same_table = told.table(checkpoint, task);
        let here = if same_table.is_some() { &[][..] } else { descriptors };
        Self {
            pid: task.pid.0,
            comm,
            comm_base64,
            exe: task.exe.as_ref().map(path),
            cwd: task.cwd.as_ref().map(path),
            root: task.root.as_ref().map(path),
            mapped: mapped.into_iter().map(|file| PathRecord::of(Cow::Owned(file))).collect(),
            mapped_of: same_memory.map(|(pid, _)| pid.0),
            mapped_count: same_memory.map(|(_, count)| count),
            fds: here
                .iter()
                .map(|descriptor| DescriptorRecord::of(checkpoint, task, descriptor, told))
                .collect(),
            fds_of: same_table.map(|pid| pid.0),
            fds_count: same_table.map(|_| descriptors.len()),
        }
    }
}

/// A path.
#[derive(Clone, Debug, Serialize)]
pub struct PathRecord<'a> {
    /// As `/proc` shows it.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Whether the file had been deleted.
    pub deleted: bool,
    /// Whether it is a memfd.
    pub memfd: bool,
}

impl<'a> PathRecord<'a> {
    fn of(file: Cow<'a, FileRef>) -> Self {
        let (path_base64, deleted, memfd) =
            (base64(file.path.as_bytes()), file.deleted, file.memfd);
        let path = match file {
            Cow::Borrowed(file) => file.path.lossless(),
            Cow::Owned(file) => Cow::Owned(file.path.lossless().into_owned()),
        };
        Self { path, path_base64, deleted, memfd }
    }
}

/// A descriptor.
#[derive(Clone, Debug, Serialize)]
pub struct DescriptorRecord<'a> {
    /// The number.
    pub fd: u32,
    /// `reg`, `dir`, `chr`, `blk`, `fifo`, `pipe`, `socket`, `memfd`, `anon` or `unknown`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What `readlink` of `/proc/PID/fd/N` said.
    pub target: Option<Cow<'a, str>>,
    /// Bytes of `target`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_base64: Option<String>,
    /// Offset, bytes.
    pub pos: Option<u64>,
    /// Flags as `/proc/PID/fdinfo/N` shows them, octal.
    pub flags: Option<String>,
    /// Closed on `execve`.
    pub cloexec: bool,
    /// The file had lost its name.
    pub deleted: bool,
    /// Number of the mount it is on.
    pub mnt_id: Option<i32>,
    /// Label of SELinux, where CRIU noted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux: Option<Cow<'a, str>>,
    /// Number of the open file in the images: the same for descriptors that share it.
    pub file_id: u32,
    /// Content of a deleted file or memfd that is in the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<RecoveredRecord>,
    /// What is behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<DetailsRecord<'a>>,
}

impl<'a> DescriptorRecord<'a> {
    fn of(
        checkpoint: &'a Checkpoint,
        task: &Task,
        descriptor: &'a Descriptor,
        told: &mut Told,
    ) -> Self {
        let (target, target_base64) = fields(descriptor.target.as_ref());
        let read = || RecoveredRecord::of(checkpoint, descriptor.file_id);
        let recovered = descriptor
            .deleted
            .then(|| {
                let kept = kept(checkpoint, descriptor.file_id);
                told.recovered.entry(kept).or_insert_with(read).clone()
            })
            .flatten();
        Self {
            fd: descriptor.fd,
            kind: descriptor.kind.word(),
            target,
            target_base64,
            pos: descriptor.pos,
            flags: descriptor.flags.map(|flags| format!("0{flags:o}")),
            cloexec: descriptor.cloexec,
            deleted: descriptor.deleted,
            mnt_id: descriptor.mount_id,
            selinux: descriptor.selinux.as_ref().map(Text::lossless),
            file_id: descriptor.file_id,
            recovered,
            details: DetailsRecord::of(
                checkpoint,
                task,
                descriptor,
                &mut told.lists,
                &mut told.repeats,
            ),
        }
    }
}

/// Content that is in the evidence.
#[derive(Clone, Debug, Serialize)]
pub struct RecoveredRecord {
    /// Bytes.
    pub size: u64,
    /// SHA-256 over all of them; `null` when some are missing or more than 64 GiB are holes.
    pub sha256: Option<String>,
    /// Why there is no hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

impl RecoveredRecord {
    fn of(checkpoint: &Checkpoint, file_id: u32) -> Option<Self> {
        let content = checkpoint.recovered(file_id)?;
        let hash = content.sha256();
        Some(Self {
            size: content.size(),
            sha256: hash.as_ref().ok().map(ToString::to_string),
            incomplete: hash.err().as_ref().map(Unhashed::to_string),
        })
    }
}
