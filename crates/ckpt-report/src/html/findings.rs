//! Findings: what to look at first.

use serde::Serialize;

use super::shown::Shown;
use super::{Legible, Limits};
use crate::json::{CountsRecord, FindingRecord, TriageDocument};

/// The section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Findings {
    counts: Vec<(&'static str, usize)>,
    list: Shown<Finding>,
}

#[derive(Clone, Debug, Serialize)]
struct Finding {
    id: &'static str,
    severity: &'static str,
    confidence: &'static str,
    title: String,
    pid: Option<u32>,
    path: Option<String>,
    address: Option<String>,
    evidence: Shown<Seen>,
    attack: &'static [&'static str],
    why: Vec<Part>,
    wrong: Vec<Part>,
    /// Commands.
    check: Vec<String>,
    open: bool,
}

/// A part of a sentence: words, or what stands between backticks in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Part {
    code: bool,
    text: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Seen {
    what: String,
    member: Option<String>,
    offset: Option<u64>,
}

/// Pieces of evidence that one finding shows.
const MOST_SEEN: usize = 40;

/// Serious findings that are unfolded from the start; of more, the titles are read first.
const MOST_OPEN: usize = 3;

impl Findings {
    pub(super) fn of(triage: &TriageDocument<'_>, legible: &Legible<'_>, limits: &Limits) -> Self {
        let CountsRecord { critical, high, medium, low, info } = triage.counts;
        let counts = [
            ("critical", critical),
            ("high", high),
            ("medium", medium),
            ("low", low),
            ("info", info),
        ];
        let open = critical.saturating_add(high) <= MOST_OPEN;
        Self {
            counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
            list: Shown::first(&triage.findings, limits.findings, "triage", |finding| {
                Finding::of(finding, open, legible)
            }),
        }
    }
}

impl Finding {
    fn of(finding: &FindingRecord<'_>, open: bool, legible: &Legible<'_>) -> Self {
        Self {
            id: finding.id,
            severity: finding.severity,
            confidence: finding.confidence,
            title: legible.text(finding.title),
            pid: finding.pid,
            path: finding.path.as_deref().map(|path| legible.text(path)),
            address: finding.address.clone(),
            evidence: Shown::first(&finding.evidence, MOST_SEEN, "triage --format json", |seen| {
                Seen {
                    what: legible.within(seen.what, 600),
                    member: seen.member.map(|member| legible.text(member)),
                    offset: seen.offset,
                }
            }),
            attack: finding.attack,
            why: prose(finding.why),
            wrong: prose(finding.wrong),
            check: commands(finding.check, finding.pid),
            open: open && matches!(finding.severity, "critical" | "high"),
        }
    }
}

/// A sentence of a rule, taken apart at its backticks.
fn prose(text: &'static str) -> Vec<Part> {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(place, text)| Part { code: place % 2 == 1, text });
    parts.filter(|part| !part.text.is_empty()).collect()
}

/// The commands of a rule, one a line, about the process that was found.
fn commands(text: &str, pid: Option<u32>) -> Vec<String> {
    let pid = pid.map_or_else(|| "PID".to_owned(), |pid| pid.to_string());
    text.split(['\n', ';'])
        .map(|line| line.trim().split(' ').map(|word| if word == "PID" { &pid } else { word }))
        .map(|words| words.collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_and_commands() {
        let part = |code, text| Part { code, text };
        assert_eq!(
            prose("as `su` does"),
            [part(false, "as "), part(true, "su"), part(false, " does")]
        );
        assert_eq!(prose("plain"), [part(false, "plain")]);
        let check = "ckpt-inspect tree --pid PID EVIDENCE; ckpt-inspect diff EVIDENCE";
        let known = ["ckpt-inspect tree --pid 4 EVIDENCE", "ckpt-inspect diff EVIDENCE"];
        assert_eq!(commands(check, Some(4)), known);
        assert_eq!(commands("maps --pid PID", None), ["maps --pid PID"]);
    }
}
