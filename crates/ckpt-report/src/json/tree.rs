//! `tree`: the processes, with everything known of them whatever is displayed.

use std::borrow::Cow;
use std::collections::HashMap;

use ckpt_model::{
    Checkpoint, FileRef, Namespace, Namespaces, NotCaptured, Pid, StaleImage, Strings, Task,
};
use criu_image::names::TASK_FLAGS;
use serde::{Serialize, Serializer};

use super::attributes::{BitsRecord, CgroupRecord, HandlerRecord, PersonalityRecord, TimersRecord};
use super::repeats::Repeats;
use super::shared::{
    DefectRecord, EvidenceRecord, Limit, base64, defects, fields, list_fields, mask,
};
use super::threads::{CapsRecord, SignalRecord, ThreadRecord};
use crate::words::{self, Word};
use crate::{subtree, times};

/// `ckpt-inspect/tree/1`.
#[derive(Clone, Debug, Serialize)]
pub struct TreeDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// Pids of the processes without a parent in the dump; children follow from `ppid`.
    pub roots: Vec<u32>,
    /// Whether the dump has a process tree. Without one nothing is known of parents.
    pub has_tree: bool,
    /// The processes, by pid.
    pub processes: Vec<ProcessRecord<'a>>,
    /// Processes that `dump.log` names and the dump left out.
    pub not_captured: Vec<NotCapturedRecord<'a>>,
    /// Images that an earlier checkpoint left behind.
    pub stale: Vec<StaleRecord<'a>>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// The processes; with pids, those and their descendants.
#[must_use]
pub fn tree<'a>(checkpoint: &'a Checkpoint, pids: &[u32]) -> TreeDocument<'a> {
    let processes = checkpoint.processes();
    let nodes = subtree::chosen(processes, pids);
    let task = |index: usize| processes.tasks.get(index);
    let roots =
        nodes.iter().filter(|node| node.depth == 0).filter_map(|node| Some(task(node.task)?.pid.0));
    let mut tasks: Vec<&Task> = nodes.iter().filter_map(|node| task(node.task)).collect();
    tasks.sort_by_key(|task| task.pid);
    let mut told = ToldStrings::default();
    let record = |task| ProcessRecord::told_once(task, &mut told);
    let log = checkpoint.dump_log();
    TreeDocument {
        schema: "ckpt-inspect/tree/1",
        evidence: EvidenceRecord::of(checkpoint),
        roots: roots.collect(),
        has_tree: processes.has_tree,
        processes: tasks.into_iter().map(record).collect(),
        not_captured: log
            .iter()
            .flat_map(|log| &log.not_captured)
            .map(NotCapturedRecord::of)
            .collect(),
        stale: checkpoint.stale().iter().map(StaleRecord::of).collect(),
        defects: defects(checkpoint),
    }
}

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessRecord<'a> {
    /// Process id in the container.
    pub pid: u32,
    /// Parent's id.
    pub ppid: Option<u32>,
    /// Process group id.
    pub pgid: Option<u32>,
    /// Session id.
    pub sid: Option<u32>,
    /// `alive`, `stopped`, `zombie` or `unknown (N)`.
    pub state: Option<Word>,
    /// Raw wait status of a zombie.
    pub exit_code: Option<u32>,
    /// Name.
    pub comm: Option<Cow<'a, str>>,
    /// Bytes of `comm`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm_base64: Option<String>,
    /// Arguments.
    pub argv: Option<Vec<Cow<'a, str>>>,
    /// Every argument, when one of them is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv_base64: Option<Vec<String>>,
    /// The process with the same memory, where `argv` and `env` stand; here they are empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strings_of: Option<u32>,
    /// Environment.
    pub env: Option<Vec<Cow<'a, str>>>,
    /// Every variable, when one of them is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_base64: Option<Vec<String>>,
    /// Executable.
    pub exe: Option<ExeRecord<'a>>,
    /// Working directory.
    pub cwd: Option<Cow<'a, str>>,
    /// Bytes of `cwd`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd_base64: Option<String>,
    /// Root directory.
    pub root: Option<Cow<'a, str>>,
    /// Bytes of `root`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_base64: Option<String>,
    /// File mode creation mask, octal: `0022`.
    pub umask: Option<String>,
    /// Real, effective, saved and file system user id.
    pub uids: Option<[u32; 4]>,
    /// Real, effective, saved and file system group id.
    pub gids: Option<[u32; 4]>,
    /// Supplementary groups.
    pub groups: Option<&'a [u32]>,
    /// Capability sets.
    pub caps: Option<CapsRecord>,
    /// Whether privileges can no longer be gained.
    pub no_new_privs: Option<bool>,
    /// `SECBIT_*` flags.
    pub secbits: Option<u32>,
    /// SELinux context or AppArmor profile.
    pub lsm_profile: Option<Cow<'a, str>>,
    /// Bytes of `lsm_profile`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsm_profile_base64: Option<String>,
    /// `disabled`, `strict` or `filter`.
    pub seccomp: Option<Word>,
    /// Threads, the leading one first.
    pub threads: Vec<ThreadRecord<'a>>,
    /// Signals that wait for the process, with what they carry.
    pub pending: Vec<SignalRecord>,
    /// Signals pending for the leading thread.
    pub sigpnd: Option<String>,
    /// Signals pending for the process.
    pub shdpnd: Option<String>,
    /// Signals that are ignored.
    pub sigign: Option<String>,
    /// Signals that have a handler.
    pub sigcgt: Option<String>,
    /// Signals that have a handler, with it.
    pub handlers: Option<Vec<HandlerRecord>>,
    /// Resource limits by name.
    pub rlimits: Option<RlimitRecords>,
    /// Out-of-memory score adjustment.
    pub oom_score_adj: Option<i32>,
    /// Login uid; 4294967295 when unset.
    pub loginuid: Option<u32>,
    /// How the kernel treats its program.
    pub personality: Option<PersonalityRecord>,
    /// `PF_*` flags of the kernel.
    pub kernel_flags: Option<BitsRecord>,
    /// Whether it adopts orphaned descendants.
    pub child_subreaper: Option<bool>,
    /// Number of the signal that stopped it.
    pub stop_signal: Option<u32>,
    /// Whether it leaves a core: 0 no, and only root may look into it; 1 yes; 2 one that root alone can read.
    pub dumpable: Option<i32>,
    /// Whether it has forbidden huge pages.
    pub thp_disabled: Option<bool>,
    /// Its timers.
    pub timers: Option<TimersRecord>,
    /// Its cgroups, one in each hierarchy.
    pub cgroups: Option<Vec<CgroupRecord<'a>>>,
    /// Namespaces by CRIU's ids.
    pub namespaces: Option<NamespaceRecords>,
    /// What is shared with another process.
    pub shares: Vec<ShareRecord>,
    /// What an analyst should notice.
    pub marks: Vec<&'static str>,
}

/// The processes at which the arguments and environment of a memory are told.
#[derive(Default)]
pub(crate) struct ToldStrings {
    /// By the owner of the memory.
    shown: HashMap<Pid, Pid>,
    repeats: Repeats,
}

impl ToldStrings {
    /// The process at which the arguments and environment of a task stand, when there is no room for them at this one as well.
    pub(crate) fn same(&mut self, task: &Task) -> Option<Pid> {
        let shown = *self.shown.entry(task.mm_owner?).or_insert(task.pid);
        (shown != task.pid && !self.repeats.take(strings_size(task))).then_some(shown)
    }
}

/// How many records the arguments and the environment of a task count for: one for 64 bytes.
pub(super) fn strings_size(task: &Task) -> usize {
    let bytes = [&task.argv, &task.env].into_iter().flatten().map(|strings| strings.0.len());
    bytes.fold(63, usize::saturating_add) / 64
}

impl<'a> ProcessRecord<'a> {
    pub(super) fn of(task: &'a Task) -> Self {
        Self::with_strings(task, task.argv.as_ref(), task.env.as_ref())
    }

    /// Without the strings that stand at another process.
    pub(super) fn told_once(task: &'a Task, told: &mut ToldStrings) -> Self {
        let Some(of) = told.same(task) else { return Self::of(task) };
        let none = || Some(Vec::new());
        let record = Self::with_strings(task, None, None);
        Self { argv: none(), env: none(), strings_of: Some(of.0), ..record }
    }

    fn with_strings(task: &'a Task, argv: Option<&'a Strings>, env: Option<&'a Strings>) -> Self {
        let (comm, comm_base64) = fields(task.comm.as_ref());
        let (argv, argv_base64) = strings(argv);
        let (env, env_base64) = strings(env);
        let (cwd, cwd_base64) = fields(task.cwd.as_ref().map(|cwd| &cwd.path));
        let (root, root_base64) = fields(task.root.as_ref().map(|root| &root.path));
        let creds = task.credentials.as_ref();
        let (lsm_profile, lsm_profile_base64) =
            fields(creds.and_then(|creds| creds.lsm_profile.as_ref()));
        Self {
            pid: task.pid.0,
            ppid: task.ppid.map(|pid| pid.0),
            pgid: task.pgid.map(|pid| pid.0),
            sid: task.sid.map(|pid| pid.0),
            state: task.state.map(words::state),
            exit_code: task.exit_code,
            comm,
            comm_base64,
            argv,
            argv_base64,
            strings_of: None,
            env,
            env_base64,
            exe: task.exe.as_ref().map(ExeRecord::of),
            cwd,
            cwd_base64,
            root,
            root_base64,
            umask: task.umask.map(|umask| format!("{umask:04o}")),
            uids: creds.map(|creds| creds.uids),
            gids: creds.map(|creds| creds.gids),
            groups: creds.map(|creds| creds.groups.as_slice()),
            caps: creds.map(|creds| CapsRecord::of(&creds.caps)),
            no_new_privs: creds.and_then(|creds| creds.no_new_privs),
            secbits: creds.map(|creds| creds.secbits),
            lsm_profile,
            lsm_profile_base64,
            seccomp: task.seccomp.map(words::seccomp),
            threads: task.threads.iter().map(|thread| ThreadRecord::of(thread, task)).collect(),
            pending: SignalRecord::list(&task.pending, task),
            sigpnd: task.sigpnd.map(mask),
            shdpnd: task.shdpnd.map(mask),
            sigign: task.sigign.map(mask),
            sigcgt: task.sigcgt.map(mask),
            handlers: HandlerRecord::list(task),
            rlimits: RlimitRecords::of(task),
            oom_score_adj: task.oom_score_adj,
            loginuid: task.loginuid,
            personality: task.personality.map(PersonalityRecord::of),
            kernel_flags: task.kernel_flags.map(|flags| BitsRecord::of(&TASK_FLAGS, flags)),
            child_subreaper: task.child_subreaper,
            stop_signal: task.stop_signal,
            dumpable: task.dumpable,
            thp_disabled: task.thp_disabled,
            timers: task.timers.as_ref().map(TimersRecord::of),
            cgroups: task.cgroups.as_deref().map(CgroupRecord::list),
            namespaces: task.namespaces.as_ref().map(NamespaceRecords::of),
            shares: task
                .shares
                .iter()
                .map(|share| ShareRecord { what: share.what.word(), with: share.with.0 })
                .collect(),
            marks: task.marks.iter().map(|mark| mark.word()).collect(),
        }
    }
}

type StringFields<'a> = (Option<Vec<Cow<'a, str>>>, Option<Vec<String>>);

fn strings(strings: Option<&Strings>) -> StringFields<'_> {
    let Some(strings) = strings else { return (None, None) };
    let all: Vec<&[u8]> = strings.iter().collect();
    let (texts, encoded) = list_fields(all.into_iter());
    (Some(texts), encoded)
}

/// An executable.
#[derive(Clone, Debug, Serialize)]
pub struct ExeRecord<'a> {
    /// Path as `/proc/PID/exe` shows it.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Whether the file had been deleted.
    pub deleted: bool,
    /// Whether it is a memfd.
    pub memfd: bool,
}

impl<'a> ExeRecord<'a> {
    fn of(exe: &'a FileRef) -> Self {
        Self {
            path: exe.path.lossless(),
            path_base64: base64(exe.path.as_bytes()),
            deleted: exe.deleted,
            memfd: exe.memfd,
        }
    }
}

/// Resource limits as an object by name, in the order of their numbers.
#[derive(Clone, Debug)]
pub struct RlimitRecords(pub Vec<(Word, RlimitRecord)>);

/// A resource limit.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RlimitRecord {
    /// Soft limit, a number or `unlimited`.
    pub cur: Limit,
    /// Hard limit, a number or `unlimited`.
    pub max: Limit,
}

impl RlimitRecords {
    fn of(task: &Task) -> Option<Self> {
        let limits = task.rlimits.iter().enumerate();
        let named = limits.map(|(position, limit)| {
            let record = RlimitRecord { cur: Limit(limit.cur), max: Limit(limit.max) };
            (words::rlimit(task, position), record)
        });
        (!task.rlimits.is_empty()).then(|| Self(named.collect()))
    }
}

impl Serialize for RlimitRecords {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, limit)| (name, limit)))
    }
}

/// Namespaces as an object by kind: `pid`, `net`, `ipc`, `uts`, `mnt`, `user`, `cgroup`, `time`.
#[derive(Clone, Debug)]
pub struct NamespaceRecords(pub Vec<(&'static str, Option<NamespaceRecord>)>);

/// A namespace.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct NamespaceRecord {
    /// CRIU's small id.
    pub id: u32,
    /// Whether CRIU itself was in it: then it is the host's or the pod's, and not dumped.
    pub shared_with_criu: bool,
}

impl NamespaceRecords {
    fn of(namespaces: &Namespaces) -> Self {
        let record =
            |of: Namespace| NamespaceRecord { id: of.id, shared_with_criu: of.shared_with_criu };
        let all = words::namespaces(namespaces);
        Self(all.into_iter().map(|(name, namespace)| (name, namespace.map(record))).collect())
    }
}

impl Serialize for NamespaceRecords {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, namespace)| (name, namespace)))
    }
}

/// Something that two processes share beyond a fork.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ShareRecord {
    /// `vm`, `files`, `fs` or `sighand`.
    pub what: &'static str,
    /// The first process that has it.
    pub with: u32,
}

/// A process that the dump met and left out.
#[derive(Clone, Debug, Serialize)]
pub struct NotCapturedRecord<'a> {
    /// Its pid on the host.
    pub host_pid: u32,
    /// Its name.
    pub comm: Option<Cow<'a, str>>,
    /// Bytes of `comm`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm_base64: Option<String>,
    /// The line of the log that tells it.
    pub line: Cow<'a, str>,
    /// Bytes of `line`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_base64: Option<String>,
}

impl<'a> NotCapturedRecord<'a> {
    fn of(process: &'a NotCaptured) -> Self {
        let (comm, comm_base64) = fields(process.comm.as_ref());
        Self {
            host_pid: process.host_pid,
            comm,
            comm_base64,
            line: process.line.lossless(),
            line_base64: base64(process.line.as_bytes()),
        }
    }
}

/// An image that is not of this dump.
#[derive(Clone, Debug, Serialize)]
pub struct StaleRecord<'a> {
    /// Path of the member.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// How it is known.
    pub why: String,
    /// Modification time, RFC 3339.
    pub modified: Option<String>,
}

impl<'a> StaleRecord<'a> {
    pub(super) fn of(image: &'a StaleImage) -> Self {
        Self {
            path: image.path.lossless(),
            path_base64: base64(image.path.as_bytes()),
            why: image.why.to_string(),
            modified: times::seconds(image.modified),
        }
    }
}
