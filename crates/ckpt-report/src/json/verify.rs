//! `verify`: whether the evidence is whole and consistent.

use ckpt_analysis::verify::{Check, Outcome, Trouble, Verification};
use ckpt_model::Checkpoint;
use serde::Serialize;

use super::dump::ImagesRecord;
use super::shared::{DefectRecord, EvidenceRecord};

/// `ckpt-inspect/verify/1`.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// `whole`, `whole-with-remarks`, `incomplete` or `damaged`.
    pub verdict: &'static str,
    /// The checks, always the same ones in the same order.
    pub checks: Vec<CheckRecord<'a>>,
    /// What was made of the members.
    pub members: ImagesRecord<'a>,
    /// What archives of this engine never hold, so that no check could miss it.
    pub never_captured: &'static [&'static str],
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// The verification as a document.
#[must_use]
pub fn verify<'a>(
    checkpoint: &'a Checkpoint,
    verification: &'a Verification,
) -> VerifyDocument<'a> {
    VerifyDocument {
        schema: "ckpt-inspect/verify/1",
        evidence: EvidenceRecord::of(checkpoint),
        verdict: verification.verdict.word(),
        checks: verification.checks.iter().map(CheckRecord::of).collect(),
        members: ImagesRecord::of(checkpoint, &checkpoint.accounting()),
        never_captured: verification.never_captured,
        defects: verification.defects.iter().cloned().map(DefectRecord::from).collect(),
    }
}

/// What all checks together say, with those that failed.
#[derive(Clone, Debug, Serialize)]
pub struct VerdictRecord<'a> {
    /// `whole`, `whole-with-remarks`, `incomplete` or `damaged`.
    pub verdict: &'static str,
    /// How many checks there are.
    pub checks: usize,
    /// Those that failed.
    pub failed: Vec<CheckRecord<'a>>,
}

impl<'a> VerdictRecord<'a> {
    /// The gist of a verification.
    #[must_use]
    pub fn of(verification: &'a Verification) -> Self {
        let failed = |check: &&Check| matches!(check.outcome, Outcome::Failed(_));
        Self {
            verdict: verification.verdict.word(),
            checks: verification.checks.len(),
            failed: verification.checks.iter().filter(failed).map(CheckRecord::of).collect(),
        }
    }
}

/// A check and its result.
#[derive(Clone, Debug, Serialize)]
pub struct CheckRecord<'a> {
    /// Its name for ever.
    pub id: &'static str,
    /// `C1` to `C15`, where it is one of the invariants that decoders of CRIU images share.
    pub code: Option<&'static str>,
    /// `passed`, `failed`, `not-applicable` or `not-checkable`.
    pub result: &'static str,
    /// What a failure means: `remark`, `incomplete` or `damaged`.
    pub effect: Option<&'static str>,
    /// What is compared with what.
    pub what: &'static str,
    /// What was expected, in numbers.
    pub expected: Option<&'a str>,
    /// What was found.
    pub found: Option<&'a str>,
    /// Where the first contradiction is.
    pub place: Option<&'a str>,
    /// Why it was not made, or what to know of its result.
    pub why: Option<&'a str>,
    /// The contradictions, at most fifty.
    pub contradictions: Vec<ContradictionRecord<'a>>,
    /// How many more there are.
    pub more: usize,
}

impl<'a> CheckRecord<'a> {
    fn of(check: &'a Check) -> Self {
        Self {
            id: check.id,
            code: check.code,
            result: check.outcome.word(),
            effect: match check.outcome {
                Outcome::Failed(effect) => Some(effect.word()),
                _ => None,
            },
            what: check.what,
            expected: check.expected.as_deref(),
            found: check.found.as_deref(),
            place: check.troubles.first().map(|trouble| trouble.place.as_str()),
            why: check.why.as_deref(),
            contradictions: check.troubles.iter().map(ContradictionRecord::of).collect(),
            more: check.more,
        }
    }
}

/// One contradiction.
#[derive(Clone, Debug, Serialize)]
pub struct ContradictionRecord<'a> {
    /// Member and record.
    #[serde(rename = "where")]
    pub place: &'a str,
    /// What contradicts what.
    pub what: &'a str,
    /// `remark`, `incomplete` or `damaged`.
    pub effect: &'static str,
}

impl<'a> ContradictionRecord<'a> {
    fn of(trouble: &'a Trouble) -> Self {
        Self { place: &trouble.place, what: &trouble.what, effect: trouble.effect.word() }
    }
}
