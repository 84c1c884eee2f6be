//! A check: what was compared with what, and what came out.

use std::fmt;

/// Most contradictions that one check names; more are counted.
const MOST_NAMED: usize = 50;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Everything that was compared agrees.
    Passed,
    /// Something does not, and this is what it means for the evidence.
    Failed(Effect),
    /// The evidence has nothing to compare.
    NotApplicable,
    /// There would be something, but what it has to be compared with is not there or cannot be read.
    NotCheckable,
}

impl Outcome {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::NotApplicable => "not-applicable",
            Self::NotCheckable => "not-checkable",
        }
    }
}

/// What a contradiction means for the evidence, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nothing is lost, but something is there that does not belong, or is told twice and differently.
    Remark,
    /// Something is not there.
    Incomplete,
    /// Something is there and broken.
    Damaged,
}

impl Effect {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Remark => "remark",
            Self::Incomplete => "incomplete",
            Self::Damaged => "damaged",
        }
    }
}

/// What all checks together say, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No check failed.
    Whole,
    /// What failed takes nothing away.
    WholeWithRemarks,
    /// Something is missing.
    Incomplete,
    /// Something is broken.
    Damaged,
}

impl Verdict {
    /// Of the worst effect, if there is one.
    #[must_use]
    pub fn of(worst: Option<Effect>) -> Self {
        match worst {
            None => Self::Whole,
            Some(Effect::Remark) => Self::WholeWithRemarks,
            Some(Effect::Incomplete) => Self::Incomplete,
            Some(Effect::Damaged) => Self::Damaged,
        }
    }

    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::WholeWithRemarks => "whole-with-remarks",
            Self::Incomplete => "incomplete",
            Self::Damaged => "damaged",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::WholeWithRemarks => "whole with remarks",
            other => other.word(),
        })
    }
}

/// One contradiction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Member and record; safe for a terminal.
    pub place: String,
    /// What contradicts what; safe for a terminal.
    pub what: String,
    /// What it means for the evidence.
    pub effect: Effect,
}

/// A check and its result. All text is safe for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Names it for ever, `pages-counted`.
    pub id: &'static str,
    /// Number of the invariant in the list of self-checks that decoders of CRIU images share, `C2`.
    pub code: Option<&'static str>,
    /// What is compared with what.
    pub what: &'static str,
    /// What came out.
    pub outcome: Outcome,
    /// What was expected, in numbers.
    pub expected: Option<String>,
    /// What was found.
    pub found: Option<String>,
    /// Why it was not made, or what to know of its result.
    pub why: Option<String>,
    /// The contradictions, at most fifty.
    pub troubles: Vec<Trouble>,
    /// How many more there are.
    pub more: usize,
}

/// What is fixed of a check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) id: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) what: &'static str,
}

impl Spec {
    pub(super) const fn of(id: &'static str, what: &'static str) -> Self {
        Self { id, code: None, what }
    }

    pub(super) const fn coded(code: &'static str, id: &'static str, what: &'static str) -> Self {
        Self { id, code: Some(code), what }
    }

    /// The evidence has nothing to compare.
    pub(super) fn not_applicable(self, why: impl Into<String>) -> Check {
        self.without_result(Outcome::NotApplicable, why)
    }

    /// What it has to be compared with is not there.
    pub(super) fn not_checkable(self, why: impl Into<String>) -> Check {
        self.without_result(Outcome::NotCheckable, why)
    }

    fn without_result(self, outcome: Outcome, why: impl Into<String>) -> Check {
        Check { outcome, why: Some(why.into()), ..self.check() }
    }

    fn check(self) -> Check {
        Check {
            id: self.id,
            code: self.code,
            what: self.what,
            outcome: Outcome::Passed,
            expected: None,
            found: None,
            why: None,
            troubles: Vec::new(),
            more: 0,
        }
    }

    /// Begins to gather contradictions.
    pub(super) fn begin(self) -> Gathering {
        Gathering { check: self.check(), worst: None, unreadable: Vec::new() }
    }
}

/// A check while it is made.
#[derive(Debug)]
pub(super) struct Gathering {
    check: Check,
    worst: Option<Effect>,
    /// Images that would have to be read and cannot be.
    unreadable: Vec<String>,
}

impl Gathering {
    /// Tells a contradiction.
    pub(super) fn tell(
        &mut self,
        effect: Effect,
        place: impl Into<String>,
        what: impl Into<String>,
    ) {
        self.worst = self.worst.max(Some(effect));
        if self.check.troubles.len() < MOST_NAMED {
            let trouble = Trouble { place: place.into(), what: what.into(), effect };
            self.check.troubles.push(trouble);
        } else {
            self.check.more = self.check.more.saturating_add(1);
        }
    }

    /// Notes an image whose content should have been compared; that it is broken is told elsewhere.
    pub(super) fn unreadable(&mut self, place: impl Into<String>) {
        if self.unreadable.len() < MOST_NAMED {
            self.unreadable.push(place.into());
        }
    }

    /// Whether anything contradicts so far.
    pub(super) fn has_failed(&self) -> bool {
        self.worst.is_some()
    }

    /// What to know of the result.
    pub(super) fn note(&mut self, why: impl Into<String>) {
        self.check.why = Some(why.into());
    }

    /// The result: a contradiction counts even where not everything could be read.
    pub(super) fn end(self, expected: impl Into<String>, found: impl Into<String>) -> Check {
        let Self { mut check, worst, unreadable } = self;
        check.expected = Some(expected.into());
        check.found = Some(found.into());
        if let Some(first) = unreadable.first() {
            check.outcome = Outcome::NotCheckable;
            check.why = Some(match unreadable.len() {
                1 => format!("{first} cannot be read"),
                many => format!("{many} images cannot be read, {first} first"),
            });
        }
        if let Some(worst) = worst {
            check.outcome = Outcome::Failed(worst);
        }
        check
    }
}

/// `1 image`, `2 images`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
