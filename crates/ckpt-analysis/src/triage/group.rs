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

/// Most directories that are told apart.
const MOST_PLACES: usize = 500;

/// Rule, severity and directory.
type Key = (&'static str, Severity, Vec<u8>);

/// Findings about files, while they are gathered.
#[derive(Debug, Default)]
pub(super) struct Group {
    places: BTreeMap<Key, Place>,
}

/// Findings of one kind in one directory.
#[derive(Debug, Default)]
struct Place {
    /// The first ones.
    kept: Vec<Finding>,
    /// How many there are.
    number: usize,
}

impl Group {
    /// One more of which it does not matter where it is.
    pub(super) fn push_together(&mut self, finding: Finding) {
        self.add((finding.rule.id, finding.severity, Vec::new()), finding);
    }

    /// One more.
    pub(super) fn push(&mut self, finding: Finding) {
        let path = finding.path.as_ref().map(Text::as_bytes).unwrap_or_default();
        let mut key = (finding.rule.id, finding.severity, split(path).0.to_vec());
        // What lies in so many directories has none to be told by.
        if self.places.len() >= MOST_PLACES && !self.places.contains_key(&key) {
            key.2.clear();
        }
        self.add(key, finding);
    }

    fn add(&mut self, key: Key, finding: Finding) {
        let place = self.places.entry(key).or_default();
        place.number = place.number.saturating_add(1);
        if place.kept.len() < MOST_SEEN {
            place.kept.push(finding);
        }
    }

    /// Gives them to `to`, merged where there are many.
    pub(super) fn finish(self, to: &mut Vec<Finding>) {
        for ((.., folder), place) in self.places {
            if place.number <= APART {
                to.extend(place.kept);
            } else {
                to.extend(merge(&Text(folder), place));
            }
        }
    }
}

/// One finding for all of a directory; it names the first.
fn merge(folder: &Text, place: Place) -> Option<Finding> {
    let confidence = place.kept.iter().map(|one| one.confidence).max()?;
    let mut findings = place.kept.into_iter();
    let first = findings.next()?;
    let at = if folder.is_empty() { "several places".to_owned() } else { folder.to_string() };
    let title = format!("{} times in {at}: {}", place.number, inside(first.rule.title));
    let mut merged = Finding::new(first.rule, first.severity, confidence, title);
    merged.path.clone_from(&first.path);
    let all = std::iter::once(first).chain(findings);
    merged.evidence = all.filter_map(|one| one.evidence.into_iter().next()).collect();
    let more = place.number.saturating_sub(merged.evidence.len());
    if more > 0 {
        merged.evidence.push(Seen::new(format!("and {more} more")));
    }
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
