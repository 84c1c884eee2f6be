//! Tasks: processes with their threads, credentials and limits.

use std::sync::Arc;

use ckpt_memory::VirtAddr;
use criu_image::messages::{CoreEntry, MmEntry};

use crate::attributes::{CgroupPlace, Handler, Personality, Registered, Timers};
use crate::signals::PendingSignal;
use crate::text::Strings;
use crate::{Pid, Text};

/// A process of the container, as it was when CRIU froze it.
///
/// Fields are `None` when the evidence does not tell them; a defect then says why. Lists that a zombie no longer has are
/// `None` too, which is not the same as empty.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Task {
    /// Process id in the container.
    pub pid: Pid,
    /// Parent's id; 0 for the root of the dump. `None` when there is no process tree.
    pub ppid: Option<Pid>,
    /// Process group id; may name a process outside the dump.
    pub pgid: Option<Pid>,
    /// Session id; may name a process outside the dump.
    pub sid: Option<Pid>,
    /// Whether it ran; `None` when its core image is missing or broken.
    pub state: Option<TaskState>,
    /// Raw wait status of a zombie: `exit(7)` is 1792, killed by signal 9 is 9.
    pub exit_code: Option<u32>,
    /// Name of the task, at most 15 bytes, settable by itself.
    pub comm: Option<Text>,
    /// Arguments as `/proc/PID/cmdline` shows them, empty ones included. A program may have overwritten them.
    pub argv: Option<Strings>,
    /// Environment as `/proc/PID/environ` shows it: order, repeats and empty strings kept.
    pub env: Option<Strings>,
    /// The executable.
    pub exe: Option<FileRef>,
    /// Working directory.
    pub cwd: Option<FileRef>,
    /// Root directory.
    pub root: Option<FileRef>,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// User and group ids, capabilities, security labels.
    pub credentials: Option<Credentials>,
    /// Seccomp mode of the leading thread.
    pub seccomp: Option<Seccomp>,
    /// Threads, the leading one first.
    pub threads: Vec<Thread>,
    /// Signals that wait for the process, with what they carry; those for one thread are with the thread.
    pub pending: Vec<PendingSignal>,
    /// Signals pending for the leading thread, bit n-1 for signal n.
    pub sigpnd: Option<u64>,
    /// Signals pending for the process, bit n-1 for signal n.
    pub shdpnd: Option<u64>,
    /// Signals that are ignored, bit n-1 for signal n; `None` where no image tells of handlers.
    pub sigign: Option<u64>,
    /// Signals that have a handler, likewise.
    pub sigcgt: Option<u64>,
    /// The handlers, by signal; `None` where no image tells of them.
    pub handlers: Option<Vec<Handler>>,
    /// Resource limits; the position is the `RLIMIT_*` number.
    pub rlimits: Vec<Rlimit>,
    /// Out-of-memory score adjustment, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// Login uid; `None` when CRIU did not record it, `Some(u32::MAX)` when unset.
    pub loginuid: Option<u32>,
    /// How the kernel treats its program (`personality(2)`).
    pub personality: Option<Personality>,
    /// `PF_*` flags of the kernel, as field 9 of `/proc/PID/stat` has them.
    pub kernel_flags: Option<u32>,
    /// Whether it adopts orphaned descendants; `None` when CRIU did not record it.
    pub child_subreaper: Option<bool>,
    /// Signal that stopped it; `None` when it was not stopped, or CRIU did not record it (3.x).
    pub stop_signal: Option<u32>,
    /// What becomes of its memory when it crashes, and who may look into it: 0 nobody, 1 its user, 2 root alone. `None`
    /// without a memory map.
    pub dumpable: Option<i32>,
    /// Whether it has forbidden huge pages.
    pub thp_disabled: Option<bool>,
    /// Its timers; `None` where no image tells of them.
    pub timers: Option<Timers>,
    /// Its cgroups, one in each hierarchy; `None` where no image tells.
    pub cgroups: Option<Arc<[CgroupPlace]>>,
    /// Namespaces, by CRIU's small ids.
    pub namespaces: Option<Namespaces>,
    /// What this task shares with another one.
    pub shares: Vec<Share>,
    /// Number of its descriptor table, N of `fdinfo-N.img`; tasks that share it have the same one.
    pub files_id: Option<u32>,
    /// What an analyst should notice.
    pub marks: Vec<Mark>,
    /// The raw image of the leading thread.
    pub core: Option<Arc<CoreEntry>>,
    /// The raw image of its memory map; the owner's when it is shared.
    pub mm: Option<Arc<MmEntry>>,
    /// The task whose `mm` and `pagemap` images describe this one's memory: itself unless it is shared.
    pub mm_owner: Option<Pid>,
}

impl Task {
    /// Whether the process had ended and only waited to be reaped.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        self.state == Some(TaskState::Zombie)
    }

    /// Credentials of a thread, where they are not those of the process. `setuid(3)` of a C library changes all threads
    /// together; the system call changes one.
    #[must_use]
    pub fn own_credentials<'a>(&self, thread: &'a Thread) -> Option<&'a Credentials> {
        let own = thread.credentials.as_ref()?;
        self.credentials.as_ref().is_some_and(|common| common != own).then_some(own)
    }
}

/// Whether a task ran.
///
/// Source: `criu/include/pid.h`, `TASK_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Running or sleeping.
    Alive,
    /// Stopped by a signal.
    Stopped,
    /// Ended and not reaped. CRIU writes 2 (`TASK_DEAD`) for these, and 6 in its own memory.
    Zombie,
    /// A number that this version does not know.
    Unknown(u32),
}

impl TaskState {
    /// Of `task_core_entry.task_state`.
    #[must_use]
    pub fn from_raw(raw: u32) -> Self {
        match raw {
            1 => Self::Alive,
            2 | 6 => Self::Zombie,
            3 => Self::Stopped,
            other => Self::Unknown(other),
        }
    }
}

/// A path that a task refers to, as `/proc` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileRef {
    /// The path, with ` (deleted)` at its end when it is.
    pub path: Text,
    /// Whether the file had been deleted.
    pub deleted: bool,
    /// Whether it is a memfd.
    pub memfd: bool,
    /// `file_entry.id` in `files.img`.
    pub file_id: u32,
}

/// A thread.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Thread {
    /// Thread id in the container; the leading thread's is the pid.
    pub tid: Pid,
    /// Its name.
    pub comm: Option<Text>,
    /// Blocked signals, bit n-1 for signal n.
    pub sigblk: Option<u64>,
    /// Stack pointer.
    pub sp: Option<VirtAddr>,
    /// Instruction pointer. A thread that waits in a system call is on the instruction that will make it again.
    pub ip: Option<VirtAddr>,
    /// Signals that wait for this thread, with what they carry.
    pub pending: Vec<PendingSignal>,
    /// Seccomp mode.
    pub seccomp: Option<Seccomp>,
    /// Scheduling policy number (0 other, 1 FIFO, 2 round robin, 3 batch, 5 idle, 6 deadline).
    pub sched_policy: Option<u32>,
    /// Real time priority, 1 to 99, of a policy that has one.
    pub sched_priority: Option<u32>,
    /// Children start with the ordinary policy (`SCHED_RESET_ON_FORK`).
    pub reset_on_fork: bool,
    /// Nice value.
    pub nice: Option<i32>,
    /// Signal that it gets when its parent ends, 0 for none; `None` where the image tells nothing of it.
    pub parent_death_signal: Option<u32>,
    /// Timer slack, nanoseconds; `None` when CRIU did not record it (4.2 and before).
    pub timer_slack: Option<u64>,
    /// What it has registered with the kernel.
    pub registered: Registered,
    /// Whether it runs 32-bit code on a 64-bit x86; `None` of other machines, and without registers.
    pub compat: Option<bool>,
    /// Its cgroups, which are a thread's own in CRIU 4; `None` where the image does not tell.
    pub cgroups: Option<Arc<[CgroupPlace]>>,
    /// Its credentials, which are a thread's own for the kernel; `None` where the image has none for it.
    pub credentials: Option<Credentials>,
    /// The raw image.
    pub core: Option<Arc<CoreEntry>>,
}

/// Seccomp mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Seccomp {
    /// No filtering.
    Disabled,
    /// read, write, exit and sigreturn only.
    Strict,
    /// A filter program.
    Filter,
    /// A number that this version does not know.
    Unknown(u32),
}

impl Seccomp {
    /// Of `thread_core_entry.seccomp_mode`.
    #[must_use]
    pub fn from_raw(raw: u32) -> Self {
        match raw {
            0 => Self::Disabled,
            1 => Self::Strict,
            2 => Self::Filter,
            other => Self::Unknown(other),
        }
    }
}

/// Credentials, as seen inside the user namespace of the task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective, saved and file system user id.
    pub uids: [u32; 4],
    /// Real, effective, saved and file system group id.
    pub gids: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Capability sets.
    pub caps: Capabilities,
    /// Whether privileges can no longer be gained; `None` where CRIU did not record it (3.x).
    pub no_new_privs: Option<bool>,
    /// `SECBIT_*` flags.
    pub secbits: u32,
    /// SELinux context or AppArmor profile.
    pub lsm_profile: Option<Text>,
}

/// Capability sets; bit n is capability n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Kept across `execve`.
    pub inheritable: u64,
    /// May be made effective.
    pub permitted: u64,
    /// In force.
    pub effective: u64,
    /// Limits what may be gained.
    pub bounding: u64,
    /// Kept across `execve` of ordinary programs; `None` where CRIU did not record it (before 4.1).
    pub ambient: Option<u64>,
}

/// A resource limit; `u64::MAX` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// Soft limit.
    pub cur: u64,
    /// Hard limit.
    pub max: u64,
}

/// Namespaces of a task by CRIU's small ids, which name the namespace images (`mountpoints-13.img`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Process ids.
    pub pid: Option<Namespace>,
    /// Network.
    pub net: Option<Namespace>,
    /// System V IPC and POSIX message queues.
    pub ipc: Option<Namespace>,
    /// Host name.
    pub uts: Option<Namespace>,
    /// Mounts.
    pub mnt: Option<Namespace>,
    /// User ids.
    pub user: Option<Namespace>,
    /// Cgroups.
    pub cgroup: Option<Namespace>,
    /// Clocks.
    pub time: Option<Namespace>,
}

/// A namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// CRIU's small id.
    pub id: u32,
    /// Whether CRIU itself was in it: then it is shared with the host, or with the pod, and not dumped.
    pub shared_with_criu: bool,
}

/// What two tasks have in common beyond a fork: `CLONE_VM`, `CLONE_FILES`, `CLONE_FS`, `CLONE_SIGHAND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// What is shared.
    pub what: Shared,
    /// The first task that has it.
    pub with: Pid,
}

/// A kernel object that tasks can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shared {
    /// Memory.
    Vm,
    /// File descriptors.
    Files,
    /// Working directory, root and umask.
    Fs,
    /// Signal handlers.
    Sighand,
}

impl Shared {
    /// The word in JSON and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Files => "files",
            Self::Fs => "fs",
            Self::Sighand => "sighand",
        }
    }
}

/// Something odd that can be seen of a task at a glance. No verdict: each has honest causes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mark {
    /// The executable was deleted, or replaced while it ran.
    ExeDeleted,
    /// The executable never was in a file system.
    ExeMemfd,
    /// Its name looks like a kernel thread's, and kernel threads are never in a dump.
    PosesAsKernelThread,
    /// The working directory was deleted.
    CwdDeleted,
    /// Its parent is not in the dump.
    Orphan,
    /// It is its own ancestor.
    Cycle,
    /// Another entry of the process tree has the same pid.
    DuplicatePid,
    /// Its addresses are not randomised: it was told so, or its parent was.
    NoAddressRandomisation,
    /// All that it can read it can execute.
    ReadImpliesExec,
}

impl Mark {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ExeDeleted => "exe-deleted",
            Self::ExeMemfd => "exe-memfd",
            Self::PosesAsKernelThread => "poses-as-kernel-thread",
            Self::CwdDeleted => "cwd-deleted",
            Self::Orphan => "orphan",
            Self::Cycle => "cycle",
            Self::DuplicatePid => "duplicate-pid",
            Self::NoAddressRandomisation => "no-address-randomisation",
            Self::ReadImpliesExec => "read-implies-exec",
        }
    }
}
