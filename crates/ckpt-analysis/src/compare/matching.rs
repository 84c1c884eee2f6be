//! Which process of one checkpoint is held against which of the other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use ckpt_model::{Checkpoint, Pid, Processes, Task, Text};
use rayon::prelude::*;

use super::identity::{Identity, Marks, Reason, Surroundings, Verdict, judge};

/// How processes are matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MatchBy {
    /// By pid when both are of one container, or when a process of the one goes on in the other; else by role.
    #[default]
    Auto,
    /// By pid.
    Pid,
    /// By place in the tree, executable and arguments.
    Role,
}

impl MatchBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Pid, Self::Role];

    /// The word on the command line and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pid => "pid",
            Self::Role => "role",
        }
    }
}

impl FromStr for MatchBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|by| by.word() == text);
        known.ok_or_else(|| "one of auto, pid, role".to_owned())
    }
}

/// Two tasks that are held against each other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pair<'a> {
    /// In the first checkpoint.
    pub a: &'a Task,
    /// In the second.
    pub b: &'a Task,
    /// What the second is to the first.
    pub verdict: Verdict,
}

/// All tasks of both, each once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Matching<'a> {
    /// Matched, by the pid in the second.
    pub pairs: Vec<Pair<'a>>,
    /// Only in the first, by pid.
    pub only_a: Vec<&'a Task>,
    /// Only in the second, by pid.
    pub only_b: Vec<&'a Task>,
    /// How: never [`MatchBy::Auto`].
    pub by: MatchBy,
    /// Whether the containers have one id; `None` when one of them has none.
    pub one_container: Option<bool>,
    /// Whether any process of the first goes on in the second.
    pub continued: bool,
    partners: HashMap<Pid, Pid>,
    /// Pids of the second that have a partner.
    matched_b: HashSet<Pid>,
}

impl<'a> Matching<'a> {
    /// Matches the processes; without `needed` there are none, so that nothing is read for them.
    pub(super) fn of(a: &'a Checkpoint, b: &'a Checkpoint, by: MatchBy, needed: bool) -> Self {
        let ids = (&a.container().id, &b.container().id);
        let one_container = match ids {
            (Some(one), Some(other)) => Some(one == other),
            _ => None,
        };
        let none = || Self {
            pairs: Vec::new(),
            only_a: Vec::new(),
            only_b: Vec::new(),
            by: if by == MatchBy::Role { MatchBy::Role } else { MatchBy::Pid },
            one_container,
            continued: false,
            partners: HashMap::new(),
            matched_b: HashSet::new(),
        };
        if !needed {
            return none();
        }
        let by_pid = by_pid(a.processes(), b.processes());
        // Tasks that share a memory have its marks.
        let memory = |(one, other): &(&Task, &Task)| (one.mm_owner, other.mm_owner);
        let memories: BTreeMap<_, _> =
            by_pid.pairs.iter().rev().map(|pair| (memory(pair), pair)).collect();
        let marks: HashMap<_, Option<Vec<&'static str>>> = memories
            .par_iter()
            .map(|(memory, (one, other))| {
                let differing = || Some(Marks::of(a, one)?.differing(&Marks::of(b, other)?));
                (*memory, differing())
            })
            .collect();
        let differing: Vec<Option<Vec<&'static str>>> =
            by_pid.pairs.iter().map(|pair| marks.get(&memory(pair)).cloned().flatten()).collect();
        let same = by_pid.pairs.iter().zip(&differing).filter(|((one, other), names)| {
            !(one.is_zombie() || other.is_zombie()) && names.as_ref().is_some_and(Vec::is_empty)
        });
        let same: HashMap<Pid, (Option<Pid>, Option<Pid>)> =
            same.map(|((one, other), _)| (one.pid, (one.ppid, other.ppid))).collect();
        let continued = !same.is_empty();
        let pid = match by {
            MatchBy::Pid => true,
            MatchBy::Role => false,
            MatchBy::Auto => continued || one_container != Some(false),
        };
        let found = if pid { by_pid } else { by_role(a.processes(), b.processes()) };
        let mut parents: HashMap<Pid, Pid> = HashMap::new();
        for (child, (before, after)) in &same {
            if let (Some(before), Some(after)) = (before, after)
                && before == after
            {
                let first = parents.entry(*before).or_insert(*child);
                *first = (*first).min(*child);
            }
        }
        let around = Surroundings {
            other_container: one_container == Some(false),
            goes_on: &|pid| same.contains_key(&pid),
            child_of: &|pid| parents.get(&pid).copied(),
            continued,
        };
        let pairs: Vec<Pair<'a>> = if pid {
            let judged = found.pairs.into_iter().zip(differing);
            judged
                .map(|((a, b), names)| Pair { a, b, verdict: judge(a, b, names, &around) })
                .collect()
        } else {
            let because = || {
                let other = (one_container == Some(false)).then_some(Reason::OtherContainer);
                Verdict { identity: Identity::Counterpart, because: other.into_iter().collect() }
            };
            found.pairs.into_iter().map(|(a, b)| Pair { a, b, verdict: because() }).collect()
        };
        let partners = pairs.iter().rev().map(|pair| (pair.a.pid, pair.b.pid)).collect();
        Self {
            matched_b: pairs.iter().map(|pair| pair.b.pid).collect(),
            pairs,
            only_a: found.only_a,
            only_b: found.only_b,
            by: if pid { MatchBy::Pid } else { MatchBy::Role },
            one_container,
            continued,
            partners,
        }
    }

    /// Whether a process of the second checkpoint has a partner.
    pub(super) fn is_matched(&self, pid: Pid) -> bool {
        self.matched_b.contains(&pid)
    }

    /// The pid in the second checkpoint of a process of the first.
    #[must_use]
    pub fn partner(&self, pid: Pid) -> Option<Pid> {
        self.partners.get(&pid).copied()
    }
}

/// Matched and unmatched tasks.
#[derive(Debug, Default)]
struct Found<'a> {
    pairs: Vec<(&'a Task, &'a Task)>,
    only_a: Vec<&'a Task>,
    only_b: Vec<&'a Task>,
}

/// Hostile trees have a pid twice; then the first goes with the first.
fn by_pid<'a>(a: &'a Processes, b: &'a Processes) -> Found<'a> {
    let mut found = Found::default();
    let (a, b) = (a.by_pid(), b.by_pid());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(one), Some(other)) if one.pid == other.pid => {
                found.pairs.extend(a.next().zip(b.next()));
            }
            (Some(one), other) if other.is_none_or(|other| one.pid < other.pid) => {
                found.only_a.extend(a.next());
            }
            (_, Some(_)) => found.only_b.extend(b.next()),
            _ => return found,
        }
    }
}

/// What a process of another container is recognised by.
#[derive(Debug)]
struct Role<'a> {
    task: &'a Task,
    /// Number of the executables from the root of the tree down to the parent.
    lineage: u32,
    exe: Option<&'a [u8]>,
    argv: Option<&'a [u8]>,
    comm: Option<&'a [u8]>,
}

type Key<'a> = (Option<u32>, &'a [u8], &'a [u8]);

/// From the most telling to the least. Of tasks with equal keys the first in the tree goes with the first.
const KEYS: [for<'a> fn(&Role<'a>) -> Option<Key<'a>>; 6] = [
    |role| Some((Some(role.lineage), role.exe?, role.argv?)),
    |role| Some((Some(role.lineage), role.exe?, b"")),
    |role| Some((None, role.exe?, role.argv?)),
    |role| Some((None, role.exe?, role.comm?)),
    |role| Some((None, role.exe?, b"")),
    |role| Some((None, b"", role.comm?)),
];

fn by_role<'a>(a: &'a Processes, b: &'a Processes) -> Found<'a> {
    let mut known = HashMap::new();
    let (mut a, mut b) = (roles(a, &mut known), roles(b, &mut known));
    let mut found = Found::default();
    for key in KEYS {
        let mut waiting: HashMap<Key<'a>, Vec<usize>> = HashMap::new();
        for (index, role) in b.iter().enumerate().rev() {
            if let Some(key) = key(role) {
                waiting.entry(key).or_default().push(index);
            }
        }
        let mut taken = HashSet::new();
        a.retain(|role| {
            let index = key(role).and_then(|key| waiting.get_mut(&key)?.pop());
            let other = index.and_then(|index| b.get(index));
            taken.extend(index);
            found.pairs.extend(other.map(|other| (role.task, other.task)));
            other.is_none()
        });
        let mut index = 0_usize;
        b.retain(|_| {
            let keep = !taken.contains(&index);
            index = index.saturating_add(1);
            keep
        });
    }
    found.pairs.sort_by_key(|(_, other)| other.pid);
    found.only_a = a.into_iter().map(|role| role.task).collect();
    found.only_b = b.into_iter().map(|role| role.task).collect();
    found.only_a.sort_by_key(|task| task.pid);
    found.only_b.sort_by_key(|task| task.pid);
    found
}

/// The tasks, depth first. `known` numbers lineages: that of a parent, and its executable.
fn roles<'a>(processes: &'a Processes, known: &mut HashMap<(u32, &'a [u8]), u32>) -> Vec<Role<'a>> {
    let mut roles = Vec::new();
    // The lineage that children have, by depth of the parent.
    let mut above: Vec<u32> = Vec::new();
    for node in &processes.forest {
        let Some(task) = processes.tasks.get(node.task) else { continue };
        above.truncate(node.depth);
        let lineage = above.last().copied().unwrap_or_default();
        let exe = task.exe.as_ref().map(|exe| {
            let path = exe.path.as_bytes();
            path.strip_suffix(b" (deleted)").unwrap_or(path)
        });
        let comm = task.comm.as_ref().map(Text::as_bytes);
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(1);
        let here = exe.or(comm).unwrap_or_default();
        above.push(*known.entry((lineage, here)).or_insert(next));
        let argv = task.argv.as_ref().map(|argv| argv.0.as_ref());
        roles.push(Role { task, lineage, exe, argv, comm });
    }
    roles
}
