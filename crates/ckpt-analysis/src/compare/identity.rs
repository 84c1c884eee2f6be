//! Whether two tasks are one process.
//!
//! No image states when a process started. What `execve` gave a process is the next best thing: where its stack, program,
//! loader and vdso lie, and 16 random bytes. A process keeps all of it until the next `execve`; a restored process has it
//! still; and a forked child has its parent's, so that two workers of one parent cannot be told apart by it.
//!
//! Source: `fs/binfmt_elf.c` (`create_elf_tables`), `man 3 getauxval`.

use std::fmt;

use ckpt_memory::VirtAddr;
use ckpt_model::{Checkpoint, Pid, Seccomp, Task};

/// What became of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// The same process, and no `execve` in between.
    Same,
    /// The same process, which has run another program since, or the same program again.
    Execed,
    /// Another process has the pid now.
    Replaced,
    /// `execve` has taken place under this pid, and nothing tells whether in the same process.
    Unclear,
    /// The same pid, and no memory map on one side to tell more: a zombie, or a damaged image.
    Unknown,
    /// A process of another container that has the same role.
    Counterpart,
}

impl Identity {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Execed => "execed",
            Self::Replaced => "replaced",
            Self::Unclear => "execed-or-replaced",
            Self::Unknown => "unknown",
            Self::Counterpart => "counterpart",
        }
    }

    /// Whether the two have one address space, in which an address means the same.
    #[must_use]
    pub fn keeps_memory(self) -> bool {
        matches!(self, Self::Same)
    }
}

/// Why two tasks are taken for one process, or for two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Everything that `execve` sets is the same.
    SameMarks,
    /// These of the things that `execve` sets are not the same.
    OtherMarks(Vec<&'static str>),
    /// One side has no memory map.
    NoMarks,
    /// It was a zombie, and runs.
    Revived,
    /// Its session is another one, and it is not the leader of it.
    OtherSession,
    /// Its parent is another one, and the parent that it had is there and could not have lost it.
    ParentLeft(Pid),
    /// `no_new_privs` was set, and is not.
    PrivilegesFreed,
    /// It had a seccomp filter, and has none.
    FilterGone,
    /// A child that is the same process in both has it as its parent in both.
    Child(Pid),
    /// The pid is below 300, and such a pid is never given twice in the life of a pid namespace.
    LowPid,
    /// The containers are not the same.
    OtherContainer,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameMarks => f.write_str("everything that execve sets is the same"),
            Self::OtherMarks(marks) => {
                write!(f, "execve sets these, and they differ: {}", marks.join(", "))
            }
            Self::NoMarks => f.write_str("one side has no memory map; only the pid is the same"),
            Self::Revived => f.write_str("it was a zombie in A, and no zombie runs again"),
            Self::OtherSession => {
                f.write_str("it is in another session without leading it, which no process can enter")
            }
            Self::ParentLeft(pid) => write!(
                f,
                "its parent {pid} is there in both, and no process loses a parent that lives"
            ),
            Self::PrivilegesFreed => f.write_str("no_new_privs was set, and nothing unsets it"),
            Self::FilterGone => f.write_str("it had a seccomp filter, and nothing removes one"),
            Self::Child(pid) => write!(f, "process {pid} is its child in both"),
            Self::LowPid => f.write_str(
                "a pid below 300 is given only once in the life of a pid namespace, and others of its processes go on",
            ),
            Self::OtherContainer => f.write_str("the containers are not the same"),
        }
    }
}

/// A judgement with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What became of the process.
    pub identity: Identity,
    /// Why that is thought.
    pub because: Vec<Reason>,
}

/// Below this, pids are given once: `RESERVED_PIDS` of `kernel/pid.c`, where the numbers begin again after the last one.
const RESERVED_PIDS: u32 = 300;

/// Auxiliary vector keys whose values `execve` chooses: `include/uapi/linux/auxvec.h`.
const MARKS: [(u64, &str); 6] = [
    (3, "AT_PHDR"),
    (7, "AT_BASE"),
    (9, "AT_ENTRY"),
    (AT_RANDOM, "AT_RANDOM"),
    (31, "AT_EXECFN"),
    (33, "AT_SYSINFO_EHDR"),
];
const AT_RANDOM: u64 = 25;

/// What `execve` gave a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Each with its name; those that a dump does not tell are left out.
    values: Vec<(&'static str, u128)>,
}

impl Marks {
    /// Of a task; `None` without a memory map.
    pub(super) fn of(checkpoint: &Checkpoint, task: &Task) -> Option<Self> {
        let mm = task.mm.as_deref()?;
        let auxv = |key: u64| {
            ckpt_model::auxv(mm).find_map(|(found, value)| (found == key).then_some(value))
        };
        let mut values = vec![
            ("start of the code", u128::from(mm.mm_start_code)),
            ("start of the stack", u128::from(mm.mm_start_stack)),
        ];
        values
            .extend(MARKS.iter().filter_map(|(key, name)| Some((*name, u128::from(auxv(*key)?)))));
        let random = auxv(AT_RANDOM).and_then(|at| {
            let bytes = checkpoint.memory(task.pid)?.read(VirtAddr(at), 16).ok()?;
            Some(u128::from_le_bytes(bytes.try_into().ok()?))
        });
        values.extend(random.map(|bytes| ("the random bytes at AT_RANDOM", bytes)));
        Some(Self { values })
    }

    /// The names of those that both have and that differ.
    pub(super) fn differing(&self, other: &Self) -> Vec<&'static str> {
        let value = |name: &str| other.values.iter().find(|(known, _)| *known == name);
        let differ = self
            .values
            .iter()
            .filter(|(name, mine)| value(name).is_some_and(|(_, theirs)| mine != theirs));
        differ.map(|(name, _)| *name).collect()
    }
}

/// What else is known when two tasks are judged.
pub(super) struct Surroundings<'a> {
    /// The containers are known to be two.
    pub(super) other_container: bool,
    /// Whether the task of this pid is the same process in both and lives in the second.
    pub(super) goes_on: &'a dyn Fn(Pid) -> bool,
    /// A process that goes on is a child of this pid in both.
    pub(super) child_of: &'a dyn Fn(Pid) -> Option<Pid>,
    /// Whether any process goes on.
    pub(super) continued: bool,
}

/// Judges two tasks that have one pid. `differing` are the names of marks that differ; `None` when they cannot be compared.
pub(super) fn judge(
    a: &Task,
    b: &Task,
    differing: Option<Vec<&'static str>>,
    around: &Surroundings<'_>,
) -> Verdict {
    let excluded = exclusions(a, b, around);
    if !excluded.is_empty() {
        return Verdict { identity: Identity::Replaced, because: excluded };
    }
    let (identity, because) = match differing {
        None => (Identity::Unknown, vec![Reason::NoMarks]),
        Some(names) if names.is_empty() => (Identity::Same, vec![Reason::SameMarks]),
        Some(names) => {
            let mut because = vec![Reason::OtherMarks(names)];
            let child = (around.child_of)(a.pid).map(Reason::Child);
            let low = around.continued && !around.other_container && a.pid.0 < RESERVED_PIDS;
            let proofs: Vec<Reason> =
                child.into_iter().chain(low.then_some(Reason::LowPid)).collect();
            if !proofs.is_empty() {
                because.extend(proofs);
                (Identity::Execed, because)
            } else if around.other_container {
                because.push(Reason::OtherContainer);
                (Identity::Replaced, because)
            } else {
                (Identity::Unclear, because)
            }
        }
    };
    Verdict { identity, because }
}

/// What no process can have done between the two.
fn exclusions(a: &Task, b: &Task, around: &Surroundings<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if a.is_zombie() && b.state.is_some() && !b.is_zombie() {
        reasons.push(Reason::Revived);
    }
    // setsid makes a process the leader of a session of its own; there is no other way into one but to be born in it.
    if let (Some(was), Some(is)) = (a.sid, b.sid)
        && was != is
        && is != b.pid
        && was.0 != 0
        && is.0 != 0
    {
        reasons.push(Reason::OtherSession);
    }
    if let (Some(was), Some(is)) = (a.ppid, b.ppid)
        && was != is
        && is.0 != 0
        && (around.goes_on)(was)
    {
        reasons.push(Reason::ParentLeft(was));
    }
    let privileges = |task: &Task| task.credentials.as_ref().and_then(|creds| creds.no_new_privs);
    if privileges(a) == Some(true) && privileges(b) == Some(false) {
        reasons.push(Reason::PrivilegesFreed);
    }
    if a.seccomp == Some(Seccomp::Filter) && b.seccomp == Some(Seccomp::Disabled) {
        reasons.push(Reason::FilterGone);
    }
    reasons
}
