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
    why: &'static str,
    wrong: &'static str,
    /// Commands, one a line.
    check: &'static str,
    open: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Seen {
    what: String,
    member: Option<String>,
    offset: Option<u64>,
}

/// Pieces of evidence that one finding shows.
const MOST_SEEN: usize = 40;

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
        Self {
            counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
            list: Shown::first(&triage.findings, limits.findings, "triage", |finding| {
                Finding::of(finding, legible)
            }),
        }
    }
}

impl Finding {
    fn of(finding: &FindingRecord<'_>, legible: &Legible<'_>) -> Self {
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
            why: finding.why,
            wrong: finding.wrong,
            check: finding.check,
            open: matches!(finding.severity, "critical" | "high"),
        }
    }
}
