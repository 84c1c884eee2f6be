//! Whether the evidence is whole, and what is wrong with it.

use serde::Serialize;

use super::shown::Shown;
use super::{Legible, Limits, Sources};
use crate::json::CheckRecord;

/// The sections on verification and on defects.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    word: String,
    tone: &'static str,
    checks: Vec<Check>,
    passed: usize,
    failed: usize,
    parsed: usize,
    recognised: Shown<String>,
    unknown: Shown<String>,
    defects: Shown<Defect>,
}

#[derive(Clone, Debug, Serialize)]
struct Check {
    id: &'static str,
    code: Option<&'static str>,
    result: &'static str,
    tone: &'static str,
    what: &'static str,
    expected: Option<String>,
    found: Option<String>,
    why: Option<String>,
    contradictions: Shown<(String, String)>,
}

#[derive(Clone, Debug, Serialize)]
struct Defect {
    kind: &'static str,
    place: String,
    what: String,
}

/// Contradictions of one check that are shown.
const MOST_CONTRADICTIONS: usize = 12;

impl Verdict {
    pub(super) fn of(sources: &Sources<'_>, legible: &Legible<'_>, limits: &Limits) -> Self {
        let verify = &sources.verify;
        let checks: Vec<Check> =
            verify.checks.iter().map(|check| Check::of(check, legible)).collect();
        let count = |result| checks.iter().filter(|check| check.result == result).count();
        let members = &verify.members;
        let some = limits.of_process;
        Self {
            word: verify.verdict.replace('-', " "),
            tone: match verify.verdict {
                "whole" => "good",
                "whole-with-remarks" => "fair",
                _ => "bad",
            },
            passed: count("passed"),
            failed: count("failed"),
            checks,
            parsed: members.parsed,
            recognised: Shown::first(&members.recognised, some, "info --format json", |one| {
                legible.text(&one.path)
            }),
            unknown: Shown::first(&members.unknown, some, "info --format json", |one| {
                legible.text(&one.path)
            }),
            defects: Shown::first(
                &verify.defects,
                limits.defects,
                "verify --format json",
                |defect| Defect {
                    kind: defect.kind,
                    place: legible.text(&defect.place),
                    what: legible.within(&defect.what, 600),
                },
            ),
        }
    }
}

impl Check {
    fn of(check: &CheckRecord<'_>, legible: &Legible<'_>) -> Self {
        let text = |text: Option<&str>| text.map(|text| legible.text(text));
        let found = &check.contradictions;
        let mut contradictions =
            Shown::first(found, MOST_CONTRADICTIONS, "verify --format json", |one| {
                (legible.text(one.place), legible.within(one.what, 600))
            });
        contradictions.all = contradictions.all.saturating_add(check.more);
        contradictions.more = contradictions.more.saturating_add(check.more);
        Self {
            id: check.id,
            code: check.code,
            result: check.result,
            tone: match (check.result, check.effect) {
                ("passed", _) => "good",
                ("failed", Some("remark")) => "fair",
                ("failed", _) => "bad",
                _ => "plain",
            },
            what: check.what,
            expected: text(check.expected),
            found: text(check.found),
            why: text(check.why),
            contradictions,
        }
    }
}
