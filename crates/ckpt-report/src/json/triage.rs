//! `triage`: where to look first.

use std::borrow::Cow;

use ckpt_analysis::triage::{Finding, Rule, Seen, Severity, Triage};
use ckpt_model::Checkpoint;
use serde::Serialize;

use super::shared::{DefectRecord, EvidenceRecord, address, defects, fields};

/// `ckpt-inspect/triage/1`.
#[derive(Clone, Debug, Serialize)]
pub struct TriageDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// How many findings there are of each severity.
    pub counts: CountsRecord,
    /// The most serious first.
    pub findings: Vec<FindingRecord<'a>>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the severities")]
pub struct CountsRecord {
    pub critical: usize,
    pub high: usize,
    pub medium: usize,
    pub low: usize,
    pub info: usize,
}

/// A finding.
#[derive(Clone, Debug, Serialize)]
pub struct FindingRecord<'a> {
    /// What kind of thing it is; its name for ever.
    pub id: &'static str,
    /// `critical`, `high`, `medium`, `low` or `info`.
    pub severity: &'static str,
    /// `high`, `medium` or `low`.
    pub confidence: &'static str,
    /// What was found, in one line.
    pub title: &'a str,
    /// The process.
    pub pid: Option<u32>,
    /// The file, as the container names it.
    pub path: Option<Cow<'a, str>>,
    /// Its bytes, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// The address in the process, `0x…`.
    pub address: Option<String>,
    /// What it rests on.
    pub evidence: Vec<SeenRecord<'a>>,
    /// Techniques of MITRE ATT&CK.
    pub attack: &'static [&'static str],
    /// Why it matters.
    pub why: &'static str,
    /// How it can be wrong.
    pub wrong: &'static str,
    /// How to check by hand.
    pub check: &'static str,
}

/// Something that was seen.
#[derive(Clone, Debug, Serialize)]
pub struct SeenRecord<'a> {
    /// What.
    pub what: &'a str,
    /// Member of the evidence that says so.
    pub member: Option<&'a str>,
    /// Offset in it, bytes.
    pub offset: Option<u64>,
}

/// What is looked for, `ckpt-inspect/triage-rules/1`.
#[derive(Clone, Debug, Serialize)]
pub struct KindsDocument {
    /// Name and version of this form.
    pub schema: &'static str,
    /// By id.
    pub rules: Vec<KindRecord>,
}

/// A kind of finding.
#[derive(Clone, Debug, Serialize)]
pub struct KindRecord {
    /// Its name for ever.
    pub id: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// How it can be wrong.
    pub wrong: &'static str,
    /// How to check by hand.
    pub check: &'static str,
    /// Techniques of MITRE ATT&CK.
    pub attack: &'static [&'static str],
}

/// The rules as a document.
#[must_use]
pub fn rules(rules: &[&'static Rule]) -> KindsDocument {
    let rules = rules.iter().map(|rule| KindRecord {
        id: rule.id,
        title: rule.title,
        why: rule.why,
        wrong: rule.wrong,
        check: rule.check,
        attack: rule.attack,
    });
    KindsDocument { schema: "ckpt-inspect/triage-rules/1", rules: rules.collect() }
}

/// The findings as a document.
#[must_use]
pub fn triage<'a>(checkpoint: &'a Checkpoint, triage: &'a Triage) -> TriageDocument<'a> {
    let count = |severity| triage.findings.iter().filter(|one| one.severity == severity).count();
    TriageDocument {
        schema: "ckpt-inspect/triage/1",
        evidence: EvidenceRecord::of(checkpoint),
        counts: CountsRecord {
            critical: count(Severity::Critical),
            high: count(Severity::High),
            medium: count(Severity::Medium),
            low: count(Severity::Low),
            info: count(Severity::Info),
        },
        findings: triage.findings.iter().map(FindingRecord::of).collect(),
        defects: defects(checkpoint),
    }
}

impl<'a> FindingRecord<'a> {
    fn of(finding: &'a Finding) -> Self {
        let rule = finding.rule;
        let (path, path_base64) = fields(finding.path.as_ref());
        Self {
            id: rule.id,
            severity: finding.severity.word(),
            confidence: finding.confidence.word(),
            title: &finding.title,
            pid: finding.pid.map(|pid| pid.0),
            path,
            path_base64,
            address: finding.address.map(address),
            evidence: finding.evidence.iter().map(SeenRecord::of).collect(),
            attack: rule.attack,
            why: rule.why,
            wrong: rule.wrong,
            check: rule.check,
        }
    }
}

impl<'a> SeenRecord<'a> {
    fn of(seen: &'a Seen) -> Self {
        Self { what: &seen.what, member: seen.member.as_deref(), offset: seen.offset }
    }
}
