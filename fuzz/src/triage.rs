//! What intruders leave.

use std::cmp::Reverse;

use ckpt_analysis::triage::{self, TriageOptions};
use ckpt_model::Need;
use ckpt_report::{human, json};

use crate::terminal;

/// What is found, with one thread and with several: the most serious first, each resting on something.
pub fn look(tar: &[u8]) {
    let Some(checkpoint) = crate::open(tar, Need::Everything) else { return };
    let options = TriageOptions::default().archive(crate::options());
    let found = triage::triage(&checkpoint, &options).expect("there is no base");
    let severities: Vec<_> = found.findings.iter().map(|one| Reverse(one.severity)).collect();
    assert!(severities.is_sorted(), "findings are not in order");
    assert!(found.findings.iter().all(|one| !one.evidence.is_empty()), "one rests on nothing");
    let again = triage::triage(&checkpoint, &options.threads(3)).expect("there is no base");
    assert!(found.findings == again.findings, "several threads found something else");
    let mut out = Vec::new();
    for (explain, width) in [(false, None), (true, Some(40))] {
        let layout = human::Layout { width, color: false };
        human::triage(&mut out, &checkpoint, &found, explain, &layout).expect("a Vec takes all");
    }
    terminal::assert_fit(&out);
    json::write(&mut out, &json::triage(&checkpoint, &found)).expect("a Vec takes all");
}
