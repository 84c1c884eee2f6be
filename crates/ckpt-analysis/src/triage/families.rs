//! Forks: what a process and its many descendants have in common, or many children of one process, is told once.

use std::collections::HashMap;

use ckpt_memory::VirtAddr;
use ckpt_model::{Pid, Text};

use super::finding::{Finding, Seen, Severity};
use super::subject::{Subject, named};

/// Findings of one kind in one family that are told one by one.
const FEW: usize = 4;

/// Processes that are named.
const MOST_NAMED: usize = 16;

/// What findings of one family have in common: rule, severity, file, address.
type Kind = (&'static str, Severity, Option<Text>, Option<VirtAddr>);

/// Folds findings of more than a [`FEW`] processes of a family, equal but for their pids, into that of its eldest: the
/// ancestor of the others, or the first among children of one process.
pub(super) fn fold(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let kind = |one: &Finding| (one.rule.id, one.severity, one.path.clone(), one.address);
    let mut by_kind: HashMap<Kind, HashMap<Pid, usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        if let Some(pid) = finding.pid {
            by_kind.entry(kind(finding)).or_default().entry(pid).or_insert(at);
        }
    }
    // The eldest by the finding that is folded into it.
    let mut into: HashMap<usize, Vec<usize>> = HashMap::new();
    for family in by_kind.values().filter(|family| family.len() > FEW) {
        let mut siblings: HashMap<Pid, Vec<(Pid, usize)>> = HashMap::new();
        for (pid, at) in family {
            if let Some(eldest) = eldest(subject, *pid, family) {
                into.entry(eldest).or_default().push(*at);
            } else if let Some(ppid) = subject.task(*pid).and_then(|task| task.ppid) {
                siblings.entry(ppid).or_default().push((*pid, *at));
            }
        }
        for mut siblings in siblings.into_values().filter(|siblings| siblings.len() > FEW) {
            siblings.sort_unstable();
            let mut siblings = siblings.into_iter().map(|(_, at)| at);
            let Some(first) = siblings.next() else { continue };
            for sibling in siblings {
                let of_sibling = into.remove(&sibling).unwrap_or_default();
                into.entry(first).or_default().extend(of_sibling.into_iter().chain([sibling]));
            }
        }
    }
    into.retain(|_, folded| folded.len() >= FEW);
    let mut gone = vec![false; findings.len()];
    for (eldest, mut folded) in into {
        folded.sort_by_key(|at| findings.get(*at).and_then(|one| one.pid));
        let pids: Vec<Pid> =
            folded.iter().filter_map(|at| findings.get(*at).and_then(|one| one.pid)).collect();
        folded.iter().filter_map(|at| gone.get_mut(*at).map(|gone| *gone = true)).for_each(drop);
        let tasks = pids.iter().take(MOST_NAMED).filter_map(|pid| subject.task(*pid));
        let names: Vec<String> = tasks.map(named).collect();
        let rest = pids.len().saturating_sub(names.len());
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let what = format!("the same of {}{more}", names.join(", "));
        if let Some(finding) = findings.get_mut(eldest) {
            finding.evidence.push(Seen::new(what));
        }
    }
    let mut gone = gone.into_iter();
    findings.retain(|_| !gone.next().unwrap_or_default());
}

/// The finding of the eldest ancestor in a family of findings; `None` for the eldest itself.
fn eldest(subject: &Subject<'_>, pid: Pid, family: &HashMap<Pid, usize>) -> Option<usize> {
    let mut task = subject.task(pid)?;
    let mut eldest = None;
    // A loop of parents ends here, too.
    for _ in 0..family.len() {
        task = subject.parent(task)?;
        match family.get(&task.pid) {
            Some(at) if task.pid != pid => eldest = Some(*at),
            _ => break,
        }
    }
    eldest
}
