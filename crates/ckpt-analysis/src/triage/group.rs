//! Findings of one kind in one directory become one when there are many: a directory full of them must not drown the list.

use std::collections::BTreeMap;

use ckpt_model::Text;

use super::finding::{Finding, Seen, Severity};
use super::places::split;
use super::quote::inside;

/// Findings of one kind, directory and severity that are still told one by one.
const APART: usize = 3;

/// Most things that are shown as the evidence of a finding.
pub(super) const MOST_SEEN: usize = 12;

/// Findings about files, while they are gathered.
#[derive(Debug, Default)]
pub(super) struct Group {
    findings: Vec<Finding>,
}

impl Group {
    /// One more.
    pub(super) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Gives them to `to`, merged where there are many.
    pub(super) fn finish(self, to: &mut Vec<Finding>) {
        let mut groups: BTreeMap<(&'static str, Severity, Vec<u8>), Vec<Finding>> = BTreeMap::new();
        for finding in self.findings {
            let path = finding.path.as_ref().map(Text::as_bytes).unwrap_or_default();
            let key = (finding.rule.id, finding.severity, split(path).0.to_vec());
            groups.entry(key).or_default().push(finding);
        }
        for ((_, _, folder), findings) in groups {
            if findings.len() <= APART {
                to.extend(findings);
            } else {
                to.extend(merge(&Text(folder), findings));
            }
        }
    }
}

/// One finding for all of a directory; it names the first.
fn merge(folder: &Text, findings: Vec<Finding>) -> Option<Finding> {
    let number = findings.len();
    let confidence = findings.iter().map(|one| one.confidence).max()?;
    let mut findings = findings.into_iter();
    let first = findings.next()?;
    let place = if folder.is_empty() { "/".to_owned() } else { folder.to_string() };
    let title = format!("{number} times in {place}: {}", inside(first.rule.title));
    let mut merged = Finding::new(first.rule, first.severity, confidence, title);
    merged.path.clone_from(&first.path);
    let seen = first.evidence.into_iter().chain(findings.flat_map(|one| one.evidence));
    merged.evidence = bounded(seen.collect());
    Some(merged)
}

/// Evidence, cut where there is too much of it to be read.
pub(super) fn bounded(mut seen: Vec<Seen>) -> Vec<Seen> {
    let more = seen.len().saturating_sub(MOST_SEEN);
    if more > 0 {
        seen.truncate(MOST_SEEN);
        seen.push(Seen::new(format!("and {more} more")));
    }
    seen
}
