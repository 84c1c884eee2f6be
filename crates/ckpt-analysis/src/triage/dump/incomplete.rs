//! Dumps that failed or stopped.

use ckpt_model::DumpKind;

use crate::triage::finding::{Confidence, Finding, Rule, Seen, Severity};
use crate::triage::quote::quote;
use crate::triage::subject::Subject;
use crate::verify::dump::unexplained;

const DUMP_INCOMPLETE: Rule = Rule {
    id: "dump-incomplete",
    title: "The dump failed or is not whole",
    why: "What is not in the dump cannot be found in it; and a dump that fails is what somebody wants who knows that dumps are taken.",
    wrong: "Dumps fail for honest reasons: open connections, file locks, large deleted files.",
    check: "ckpt-inspect verify EVIDENCE",
    attack: &[],
};

pub(in crate::triage) const RULES: &[&Rule] = &[&DUMP_INCOMPLETE];

/// Most lines of the log that are quoted.
const MOST: usize = 6;

pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let checkpoint = subject.checkpoint;
    let mut seen = Vec::new();
    if let Some(log) = checkpoint.dump_log()
        && log.failed
    {
        let lines = unexplained(&log.errors).take(MOST);
        seen.extend(
            lines.map(|text| super::line(checkpoint, log, quote(text.as_bytes()), text.as_bytes())),
        );
    }
    let whole = checkpoint.directory().map(|directory| directory.kind);
    if whole.is_some_and(|kind| !matches!(kind, DumpKind::Full | DumpKind::PreDump)) {
        let what = "inventory or process tree is missing, which CRIU writes last";
        seen.push(Seen::new(what));
    }
    if seen.is_empty() {
        return;
    }
    let title = "the dump failed or is not whole";
    let mut finding = Finding::new(&DUMP_INCOMPLETE, Severity::Medium, Confidence::High, title);
    finding.evidence = seen;
    findings.push(finding);
}
