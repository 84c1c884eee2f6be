//! Processes that appeared, went or changed.

use std::collections::HashMap;
use std::hash::Hash;

use ckpt_model::{FileRef, Namespace, Namespaces, Pid, Processes as Tasks, Strings, Task, Thread};

use super::identity::Identity;
use super::matching::{MatchBy, Matching, Pair};
use super::threads::{self, ThreadChanges};
use super::whole::Deletions;

/// What of a process is different. What one side does not tell is no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProcessFact {
    /// [`Identity`]: it is not, or not certainly, the same process.
    Identity,
    /// Running, stopped, zombie.
    State,
    /// Wait status.
    ExitCode,
    /// Parent.
    Ppid,
    /// Process group.
    Pgid,
    /// Session.
    Sid,
    /// Name of the task.
    Comm,
    /// Arguments.
    Argv,
    /// Environment.
    Env,
    /// Executable.
    Exe,
    /// Working directory.
    Cwd,
    /// Root directory.
    Root,
    /// File mode creation mask.
    Umask,
    /// User ids.
    Uids,
    /// Group ids.
    Gids,
    /// Supplementary groups.
    Groups,
    /// Capabilities.
    Caps,
    /// Whether privileges can no longer be gained.
    NoNewPrivs,
    /// `SECBIT_*` flags.
    Secbits,
    /// SELinux context or AppArmor profile.
    LsmProfile,
    /// Seccomp mode.
    Seccomp,
    /// Namespaces: whether one is the host's or the pod's, and with which process it is shared.
    Namespaces,
    /// Resource limits.
    Rlimits,
    /// Out-of-memory score adjustment.
    OomScoreAdj,
    /// Login uid.
    Loginuid,
    /// Signals that wait.
    Pending,
    /// Threads.
    Threads,
}

impl ProcessFact {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::State => "state",
            Self::ExitCode => "exit_code",
            Self::Ppid => "ppid",
            Self::Pgid => "pgid",
            Self::Sid => "sid",
            Self::Comm => "comm",
            Self::Argv => "argv",
            Self::Env => "env",
            Self::Exe => "exe",
            Self::Cwd => "cwd",
            Self::Root => "root",
            Self::Umask => "umask",
            Self::Uids => "uids",
            Self::Gids => "gids",
            Self::Groups => "groups",
            Self::Caps => "caps",
            Self::NoNewPrivs => "no_new_privs",
            Self::Secbits => "secbits",
            Self::LsmProfile => "lsm_profile",
            Self::Seccomp => "seccomp",
            Self::Namespaces => "namespaces",
            Self::Rlimits => "rlimits",
            Self::OomScoreAdj => "oom_score_adj",
            Self::Loginuid => "loginuid",
            Self::Pending => "pending",
            Self::Threads => "threads",
        }
    }
}

/// A process that changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProcessChange<'a> {
    /// The two tasks.
    pub pair: Pair<'a>,
    /// What differs.
    pub what: Vec<ProcessFact>,
    /// Environment variables that came and went.
    pub env: ListChange<'a>,
    /// Threads that came, went and changed.
    pub threads: ThreadChanges<'a>,
}

/// Strings that came and went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListChange<'a> {
    /// Only in the second, in its order; repeats as often as there are more of them.
    pub added: Vec<&'a [u8]>,
    /// Only in the first, in its order.
    pub removed: Vec<&'a [u8]>,
}

/// Processes. Those that came and went are in [`Matching`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Processes<'a> {
    /// Changed, by the pid in the second.
    pub changed: Vec<ProcessChange<'a>>,
    /// Matched, and nothing is different.
    pub unchanged: Vec<Pair<'a>>,
}

pub(super) fn compare<'a>(
    matching: &Matching<'a>,
    a: &'a Tasks,
    b: &'a Tasks,
    deletions: Deletions,
) -> Processes<'a> {
    let spaces = (first_holders(a), first_holders(b));
    let mut processes = Processes::default();
    for pair in &matching.pairs {
        let change = compare_pair(pair, matching, &spaces, deletions);
        if change.what.is_empty() {
            processes.unchanged.push(pair.clone());
        } else {
            processes.changed.push(change);
        }
    }
    processes
}

fn compare_pair<'a>(
    pair: &Pair<'a>,
    matching: &Matching<'a>,
    spaces: &(FirstHolders, FirstHolders),
    deletions: Deletions,
) -> ProcessChange<'a> {
    let (a, b) = (pair.a, pair.b);
    // In another container the same process group has another number.
    let pid = |pid: Option<Pid>| pid.map(|pid| relative(matching, pid));
    let env = a.env.as_ref().zip(b.env.as_ref());
    let env_differs = env.is_some_and(|(a, b)| a != b);
    let threads = threads::compare(pair, matching.by);
    let creds = a.credentials.as_ref().zip(b.credentials.as_ref());
    let creds = |differs: fn(&ckpt_model::Credentials, &ckpt_model::Credentials) -> bool| {
        creds.is_some_and(|(a, b)| differs(a, b))
    };
    let path = |file| path(file, deletions);
    let identity =
        matches!(pair.verdict.identity, Identity::Execed | Identity::Replaced | Identity::Unclear);
    let what = [
        (identity, ProcessFact::Identity),
        (known(&a.state, &b.state), ProcessFact::State),
        (known(&a.exit_code, &b.exit_code), ProcessFact::ExitCode),
        (known(&pid(a.ppid), &b.ppid), ProcessFact::Ppid),
        (known(&pid(a.pgid), &b.pgid), ProcessFact::Pgid),
        (known(&pid(a.sid), &b.sid), ProcessFact::Sid),
        (known(&a.comm, &b.comm), ProcessFact::Comm),
        (known(&a.argv, &b.argv), ProcessFact::Argv),
        (env_differs, ProcessFact::Env),
        (known(&path(&a.exe), &path(&b.exe)), ProcessFact::Exe),
        (known(&path(&a.cwd), &path(&b.cwd)), ProcessFact::Cwd),
        (known(&path(&a.root), &path(&b.root)), ProcessFact::Root),
        (known(&a.umask, &b.umask), ProcessFact::Umask),
        (creds(|a, b| a.uids != b.uids), ProcessFact::Uids),
        (creds(|a, b| a.gids != b.gids), ProcessFact::Gids),
        (creds(|a, b| a.groups != b.groups), ProcessFact::Groups),
        (creds(capabilities_differ), ProcessFact::Caps),
        (creds(|a, b| known(&a.no_new_privs, &b.no_new_privs)), ProcessFact::NoNewPrivs),
        (creds(|a, b| a.secbits != b.secbits), ProcessFact::Secbits),
        (creds(|a, b| a.lsm_profile != b.lsm_profile), ProcessFact::LsmProfile),
        (known(&a.seccomp, &b.seccomp), ProcessFact::Seccomp),
        (namespaces_differ(pair, matching, spaces), ProcessFact::Namespaces),
        (limits_differ(a, b), ProcessFact::Rlimits),
        (known(&a.oom_score_adj, &b.oom_score_adj), ProcessFact::OomScoreAdj),
        (known(&a.loginuid, &b.loginuid), ProcessFact::Loginuid),
        (a.pending != b.pending, ProcessFact::Pending),
        (!threads.is_empty(), ProcessFact::Threads),
    ];
    ProcessChange {
        pair: pair.clone(),
        what: what.into_iter().filter_map(|(differs, fact)| differs.then_some(fact)).collect(),
        env: env.filter(|_| env_differs).map(|(a, b)| strings(a, b)).unwrap_or_default(),
        threads,
    }
}

/// What is not known is no difference.
fn known<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// A pid of the first checkpoint as the second would have it.
fn relative(matching: &Matching<'_>, pid: Pid) -> Pid {
    match matching.by {
        MatchBy::Role => matching.partner(pid).unwrap_or(pid),
        _ => pid,
    }
}

/// Path and what it is of; ids in the images are numbered anew in every dump.
fn path(file: &Option<FileRef>, deletions: Deletions) -> Option<(&[u8], bool, bool)> {
    let file = file.as_ref()?;
    Some((deletions.text(&file.path), deletions.told() && file.deleted, file.memfd))
}

fn capabilities_differ(a: &ckpt_model::Credentials, b: &ckpt_model::Credentials) -> bool {
    let sets = |creds: &ckpt_model::Credentials| {
        let caps = creds.caps;
        (caps.inheritable, caps.permitted, caps.effective, caps.bounding)
    };
    sets(a) != sets(b) || known(&a.caps.ambient, &b.caps.ambient)
}

/// A dump that tells no limits has none.
fn limits_differ(a: &Task, b: &Task) -> bool {
    !a.rlimits.is_empty() && !b.rlimits.is_empty() && a.rlimits != b.rlimits
}

/// Kind of a namespace and its small id.
type Space = (usize, u32);

/// The first process, by pid, in each namespace: what a namespace is known by, as its number is not kept.
type FirstHolders = HashMap<Space, Pid>;

fn each(all: &Namespaces) -> [Option<Namespace>; 8] {
    [all.pid, all.net, all.ipc, all.uts, all.mnt, all.user, all.cgroup, all.time]
}

fn first_holders(tasks: &Tasks) -> FirstHolders {
    let mut first = FirstHolders::new();
    for task in tasks.by_pid() {
        let Some(all) = &task.namespaces else { continue };
        for (kind, space) in each(all).into_iter().enumerate() {
            if let Some(space) = space {
                first.entry((kind, space.id)).or_insert(task.pid);
            }
        }
    }
    first
}

/// Whether a namespace became, or ceased to be, one that is shared with the host, or with another process of the dump.
///
/// With whom it is shared is told by the first process in it; where that one has come or gone there is nothing to tell.
fn namespaces_differ(
    pair: &Pair<'_>,
    matching: &Matching<'_>,
    (in_a, in_b): &(FirstHolders, FirstHolders),
) -> bool {
    let (Some(a), Some(b)) = (&pair.a.namespaces, &pair.b.namespaces) else { return false };
    each(a).into_iter().zip(each(b)).enumerate().any(|(kind, spaces)| {
        let (Some(a), Some(b)) = spaces else { return false };
        if a.shared_with_criu != b.shared_with_criu {
            return true;
        }
        let first = |of: &FirstHolders, space: Namespace| of.get(&(kind, space.id)).copied();
        let Some((with_a, with_b)) = first(in_a, a).zip(first(in_b, b)) else { return false };
        let alone = |first: Pid, task: &Task| first == task.pid;
        if alone(with_a, pair.a) || alone(with_b, pair.b) {
            return alone(with_a, pair.a) != alone(with_b, pair.b)
                && matching.partner(with_a).is_some();
        }
        matching.partner(with_a).is_some_and(|partner| partner != with_b)
    })
}

fn strings<'a>(a: &'a Strings, b: &'a Strings) -> ListChange<'a> {
    ListChange { added: surplus(b.iter(), a.iter()), removed: surplus(a.iter(), b.iter()) }
}

/// What the first has more of than the second, in its order.
fn surplus<T: Copy + Eq + Hash>(
    of: impl Iterator<Item = T>,
    over: impl Iterator<Item = T>,
) -> Vec<T> {
    let mut counts: HashMap<T, usize> = HashMap::new();
    for item in over {
        let count = counts.entry(item).or_default();
        *count = count.saturating_add(1);
    }
    of.filter(|item| match counts.get_mut(item) {
        Some(count) if *count > 0 => {
            *count = count.saturating_sub(1);
            false
        }
        _ => true,
    })
    .collect()
}

/// The threads but for the leading one.
pub(super) fn others(task: &Task) -> impl Iterator<Item = &Thread> {
    task.threads.iter().filter(|thread| thread.tid != task.pid)
}
