//! Processes of the container that are not in the dump.

use crate::triage::finding::{Confidence, Finding, Rule, Severity};
use crate::triage::group::bounded;
use crate::triage::subject::Subject;

const PROCESS_MISSED_BY_DUMP: Rule = Rule {
    id: "process-missed-by-dump",
    title: "A process of the container is not in the dump",
    why: "It ran in the container's cgroup, and not below its first process: a daemon whose parent is gone, in a pod that shares its process ids. Nothing else is known of it. Malware that puts itself into the background looks so.",
    wrong: "Honest daemons do that, too, as does what `kubectl exec` or `podman exec` starts.",
    check: "ckpt-inspect verify EVIDENCE",
    attack: &["T1564"],
};

pub(in crate::triage) const RULES: &[&Rule] = &[&PROCESS_MISSED_BY_DUMP];

/// CRIU's first process is dumped from its descendants on; it meets the others in the container's cgroup and goes on.
pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(log) = subject.checkpoint.dump_log() else { return };
    let Some(first) = log.not_captured.first() else { return };
    let name = |process: &ckpt_model::NotCaptured| match &process.comm {
        Some(comm) => format!("{comm} (host pid {})", process.host_pid),
        None => format!("host pid {}", process.host_pid),
    };
    let more = log.not_captured.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let title = format!("not in the dump: {}{more}", name(first));
    let rule = &PROCESS_MISSED_BY_DUMP;
    let mut finding = Finding::new(rule, Severity::Medium, Confidence::High, title);
    let seen = log.not_captured.iter().map(|process| {
        let what =
            format!("{}: {}", name(process), super::super::quote::quote(process.line.as_bytes()));
        super::line(subject.checkpoint, log, what, process.line.as_bytes())
    });
    finding.evidence = bounded(seen.take(64).collect());
    findings.push(finding);
}
