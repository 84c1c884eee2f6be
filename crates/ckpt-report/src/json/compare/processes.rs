//! Processes that appeared, went or changed.

use std::collections::HashMap;

use ckpt_analysis::compare::{
    ListChange, Matching, Pair, ProcessChange, ProcessFact, Processes, ThreadChange, ThreadChanges,
};
use ckpt_model::{Pid, Task};
use serde::Serialize;
use serde_json::{Map, Value};

use super::CompareShow;
use crate::json::repeats::Repeats;
use crate::json::shared::list_fields;
use crate::json::threads::ThreadRecord;
use crate::json::tree::{ProcessRecord, ToldStrings, strings_size};

/// Processes.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessChangeRecords<'a> {
    /// Only in B, as in `tree`.
    pub started: Vec<ProcessRecord<'a>>,
    /// Only in A, as in `tree`.
    pub exited: Vec<ProcessRecord<'a>>,
    /// In both, and different.
    pub changed: Vec<ProcessChangeRecord<'a>>,
    /// In both, and not different, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Vec<MatchedRecord>>,
}

impl<'a> ProcessChangeRecords<'a> {
    pub(super) fn of(
        matching: &Matching<'a>,
        found: &'a Processes<'a>,
        show: &CompareShow,
    ) -> Self {
        let whole = |tasks: &[&'a Task]| {
            let mut told = ToldStrings::default();
            tasks.iter().map(|task| ProcessRecord::told_once(task, &mut told)).collect()
        };
        Self {
            started: whole(&matching.only_b),
            exited: whole(&matching.only_a),
            changed: {
                let mut told = ToldChanges::default();
                let record = |change| ProcessChangeRecord::of(change, told.same(change));
                found.changed.iter().map(record).collect()
            },
            unchanged: show
                .unchanged
                .then(|| found.unchanged.iter().map(MatchedRecord::of).collect()),
        }
    }
}

/// Which process it is, and what the one is to the other.
#[derive(Clone, Debug, Serialize)]
pub struct MatchedRecord {
    /// The process in B.
    pub pid: u32,
    /// The process in A, where it has another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_a: Option<u32>,
    /// `same`, `execed`, `replaced`, `execed-or-replaced`, `unknown`, `counterpart`.
    pub identity: &'static str,
    /// Why that is thought, as sentences.
    pub because: Vec<String>,
}

impl MatchedRecord {
    fn of(pair: &Pair<'_>) -> Self {
        Self {
            pid: pair.b.pid.0,
            pid_a: (pair.a.pid != pair.b.pid).then_some(pair.a.pid.0),
            identity: pair.verdict.identity.word(),
            because: pair.verdict.because.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A process that changed.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessChangeRecord<'a> {
    /// Which it is.
    #[serde(flatten)]
    pub matched: MatchedRecord,
    /// What differs, by the names that `tree` has for it; `identity` when it is not certainly the same process.
    pub what: Vec<&'static str>,
    /// What A says of that, as in `tree`; environment and threads are apart.
    pub a: Map<String, Value>,
    /// What B says of it.
    pub b: Map<String, Value>,
    /// Environment variables that came and went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<ListChangeRecord<'a>>,
    /// The process in B of which is told how `argv` and `env` differ, where both have the same memory in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strings_of: Option<u32>,
    /// Threads that came, went or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<ThreadChangeRecords<'a>>,
}

/// Memories of which is told how arguments and environment differ.
#[derive(Default)]
struct ToldChanges {
    /// The process in B, by the owners of the memory in A and in B.
    shown: HashMap<(Pid, Pid), Pid>,
    repeats: Repeats,
}

impl ToldChanges {
    /// The process of which is told what differs, when there is no room to tell it of this one as well.
    fn same(&mut self, change: &ProcessChange<'_>) -> Option<Pid> {
        if ![ProcessFact::Argv, ProcessFact::Env].iter().any(|fact| change.what.contains(fact)) {
            return None;
        }
        let Pair { a, b, .. } = &change.pair;
        let shown = *self.shown.entry(a.mm_owner.zip(b.mm_owner)?).or_insert(b.pid);
        let again = strings_size(a).saturating_add(strings_size(b));
        (shown != b.pid && !self.repeats.take(again)).then_some(shown)
    }
}

impl<'a> ProcessChangeRecord<'a> {
    /// `same`: the process of which is told how arguments and environment differ.
    fn of(change: &'a ProcessChange<'a>, same: Option<Pid>) -> Self {
        let pair = &change.pair;
        let here = |fact: &ProcessFact| same.is_none() || *fact != ProcessFact::Argv;
        let told: Vec<ProcessFact> = change.what.iter().copied().filter(here).collect();
        let env = same.is_none() && change.what.contains(&ProcessFact::Env);
        Self {
            matched: MatchedRecord::of(pair),
            what: change.what.iter().map(|fact| fact.word()).collect(),
            a: picked(pair.a, &told),
            b: picked(pair.b, &told),
            env: env.then(|| ListChangeRecord::of(&change.env)),
            strings_of: same.map(|pid| pid.0),
            threads: (!change.threads.is_empty())
                .then(|| ThreadChangeRecords::of(&change.threads, pair)),
        }
    }
}

/// The fields of a process's record that are about these facts.
fn picked(task: &Task, what: &[ProcessFact]) -> Map<String, Value> {
    let apart = [ProcessFact::Env, ProcessFact::Threads, ProcessFact::Identity];
    let wanted: Vec<&str> =
        what.iter().filter(|fact| !apart.contains(fact)).map(|fact| fact.word()).collect();
    if wanted.is_empty() {
        return Map::new();
    }
    let Ok(Value::Object(mut fields)) = serde_json::to_value(ProcessRecord::of(task)) else {
        return Map::new();
    };
    fields.retain(|name, _| wanted.contains(&name.strip_suffix("_base64").unwrap_or(name)));
    fields
}

/// Strings that came and went.
#[derive(Clone, Debug, Serialize)]
pub struct ListChangeRecord<'a> {
    /// Only in B.
    pub added: Vec<std::borrow::Cow<'a, str>>,
    /// Every one of them, when one is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_base64: Option<Vec<String>>,
    /// Only in A.
    pub removed: Vec<std::borrow::Cow<'a, str>>,
    /// Every one of them, when one is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_base64: Option<Vec<String>>,
}

impl<'a> ListChangeRecord<'a> {
    fn of(change: &ListChange<'a>) -> Self {
        let (added, added_base64) = list_fields(change.added.iter().copied());
        let (removed, removed_base64) = list_fields(change.removed.iter().copied());
        Self { added, added_base64, removed, removed_base64 }
    }
}

/// Threads.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadChangeRecords<'a> {
    /// Only in B, as in `tree`.
    pub added: Vec<ThreadRecord<'a>>,
    /// Only in A, as in `tree`.
    pub removed: Vec<ThreadRecord<'a>>,
    /// In both, and different.
    pub changed: Vec<ThreadChangeRecord<'a>>,
}

impl<'a> ThreadChangeRecords<'a> {
    fn of(changes: &ThreadChanges<'a>, pair: &Pair<'a>) -> Self {
        let records = |threads: &[&'a ckpt_model::Thread], task: &Task| {
            threads.iter().map(|thread| ThreadRecord::of(thread, task)).collect()
        };
        Self {
            added: records(&changes.added, pair.b),
            removed: records(&changes.removed, pair.a),
            changed: changes.changed.iter().map(|one| ThreadChangeRecord::of(one, pair)).collect(),
        }
    }
}

/// A thread that changed.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadChangeRecord<'a> {
    /// Its id in B.
    pub tid: u32,
    /// `comm`, `sigblk`, `seccomp`, `sched_policy`, `nice`.
    pub what: Vec<&'static str>,
    /// In A, as in `tree`.
    pub a: ThreadRecord<'a>,
    /// In B.
    pub b: ThreadRecord<'a>,
}

impl<'a> ThreadChangeRecord<'a> {
    fn of(change: &ThreadChange<'a>, pair: &Pair<'a>) -> Self {
        Self {
            tid: change.b.tid.0,
            what: change.what.iter().map(|fact| fact.word()).collect(),
            a: ThreadRecord::of(change.a, pair.a),
            b: ThreadRecord::of(change.b, pair.b),
        }
    }
}
