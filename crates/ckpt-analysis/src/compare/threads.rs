//! Threads that appeared, went or changed.

use std::collections::{HashMap, HashSet};

use ckpt_model::{Pid, Task, Text, Thread};

use super::matching::{MatchBy, Pair};
use super::processes::others;

/// What of a thread is different. Registers are left out: a thread that runs has others at any two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ThreadFact {
    /// Its name.
    Comm,
    /// Blocked signals.
    Sigblk,
    /// Seccomp mode.
    Seccomp,
    /// Scheduling policy.
    SchedPolicy,
    /// Nice value.
    Nice,
}

impl ThreadFact {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Comm => "comm",
            Self::Sigblk => "sigblk",
            Self::Seccomp => "seccomp",
            Self::SchedPolicy => "sched_policy",
            Self::Nice => "nice",
        }
    }
}

/// A thread that changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadChange<'a> {
    /// In the first checkpoint.
    pub a: &'a Thread,
    /// In the second.
    pub b: &'a Thread,
    /// What differs.
    pub what: Vec<ThreadFact>,
}

/// Threads of a process.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ThreadChanges<'a> {
    /// Only in the second.
    pub added: Vec<&'a Thread>,
    /// Only in the first.
    pub removed: Vec<&'a Thread>,
    /// In both, and different.
    pub changed: Vec<ThreadChange<'a>>,
}

impl ThreadChanges<'_> {
    /// Whether nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// By tid; in another container by name. The leading threads go together, and what they are called is told of the process.
pub(super) fn compare<'a>(pair: &Pair<'a>, by: MatchBy) -> ThreadChanges<'a> {
    let mut changes = ThreadChanges::default();
    // A zombie has no threads left, and its image an uninitialised number in their place.
    if pair.a.is_zombie() || pair.b.is_zombie() {
        return changes;
    }
    let key = |thread: &'a Thread| match by {
        MatchBy::Role => (None, thread.comm.as_ref()),
        _ => (Some(thread.tid), None),
    };
    let rest: Vec<&'a Thread> = others(pair.b).collect();
    let mut waiting: HashMap<(Option<Pid>, Option<&Text>), Vec<usize>> = HashMap::new();
    for (index, thread) in rest.iter().enumerate().rev() {
        waiting.entry(key(thread)).or_default().push(index);
    }
    let lead = leading(pair.a).zip(leading(pair.b));
    changes.changed.extend(lead.and_then(|(a, b)| change(a, b, false)));
    let mut taken = HashSet::new();
    for thread in others(pair.a) {
        let index = waiting.get_mut(&key(thread)).and_then(Vec::pop);
        match index.and_then(|index| rest.get(index)) {
            Some(other) => changes.changed.extend(change(thread, other, true)),
            None => changes.removed.push(thread),
        }
        taken.extend(index);
    }
    let left = rest.into_iter().enumerate().filter(|(index, _)| !taken.contains(index));
    changes.added = left.map(|(_, thread)| thread).collect();
    changes
}

fn leading(task: &Task) -> Option<&Thread> {
    task.threads.iter().find(|thread| thread.tid == task.pid)
}

fn change<'a>(a: &'a Thread, b: &'a Thread, named: bool) -> Option<ThreadChange<'a>> {
    fn known<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        matches!((a, b), (Some(a), Some(b)) if a != b)
    }
    let what = [
        (named && known(a.comm.as_ref(), b.comm.as_ref()), ThreadFact::Comm),
        (known(a.sigblk, b.sigblk), ThreadFact::Sigblk),
        // The leading thread's is told of the process.
        (named && known(a.seccomp, b.seccomp), ThreadFact::Seccomp),
        (known(a.sched_policy, b.sched_policy), ThreadFact::SchedPolicy),
        (known(a.nice, b.nice), ThreadFact::Nice),
    ];
    let what: Vec<ThreadFact> =
        what.into_iter().filter_map(|(differs, fact)| differs.then_some(fact)).collect();
    (!what.is_empty()).then_some(ThreadChange { a, b, what })
}
