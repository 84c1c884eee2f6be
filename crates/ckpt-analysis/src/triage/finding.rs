//! A finding: what was seen, how much it weighs, and how sure it is.

use std::fmt;

use ckpt_memory::VirtAddr;
use ckpt_model::{Pid, Text};

/// What kind of thing was found. One for each id, the same in every checkpoint; `docs/findings.md` says more of each.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Names it for ever, `executable-deleted`.
    pub id: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// How it can be wrong: what honest programs do the same.
    pub wrong: &'static str,
    /// How to check by hand, as commands of this program; `EVIDENCE` and `PID` stand for what they say.
    pub check: &'static str,
    /// Techniques of MITRE ATT&CK, `T1070.004`; empty when none fits.
    pub attack: &'static [&'static str],
}

/// How much it would matter if it is what it looks like, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; most containers have some.
    Info,
    /// Unusual, with common honest causes.
    Low,
    /// Unusual, with rare honest causes, or a weakness that an intruder would use.
    Medium,
    /// What intruders do and administrators hardly ever.
    High,
    /// An intrusion, as far as a checkpoint can show one.
    Critical,
}

impl Severity {
    /// The word in JSON and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How sure it is that what was seen is what the finding says, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// A likeness.
    Low,
    /// Several signs agree, or one that is seldom wrong.
    Medium,
    /// The images say so themselves.
    High,
}

impl Confidence {
    /// The word in JSON and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Something that was seen, and where it stands in the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What; safe for a terminal.
    pub what: String,
    /// Member of the evidence that says so, `checkpoint/mm-4.img`; safe for a terminal.
    pub member: Option<String>,
    /// Offset in that member, bytes, where one is known.
    pub offset: Option<u64>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing it is.
    pub rule: &'static Rule,
    /// How much it would matter.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// What was found, in one line that names it; safe for a terminal.
    pub title: String,
    /// The process, where it is about one.
    pub pid: Option<Pid>,
    /// The file, where it is about one: as the container names it.
    pub path: Option<Text>,
    /// The address in that process, where it is about memory.
    pub address: Option<VirtAddr>,
    /// What it rests on, at least one thing.
    pub evidence: Vec<Seen>,
}

impl Finding {
    /// A finding that says `title`, which must be safe for a terminal: [`Text`]'s `Display` makes it so. Evidence follows
    /// with [`seen`](Self::seen).
    pub(crate) fn new(
        rule: &'static Rule,
        severity: Severity,
        confidence: Confidence,
        title: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            severity,
            confidence,
            title: title.into(),
            pid: None,
            path: None,
            address: None,
            evidence: Vec::new(),
        }
    }

    /// It is about this process.
    pub(crate) fn of(mut self, pid: Pid) -> Self {
        self.pid = Some(pid);
        self
    }

    /// It is about this file, as the container names it.
    pub(crate) fn path(mut self, path: impl Into<Text>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// It is about this address.
    pub(crate) fn at(mut self, address: VirtAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// One more thing that it rests on.
    pub(crate) fn seen(mut self, seen: Seen) -> Self {
        self.evidence.push(seen);
        self
    }
}

impl Seen {
    /// Something that no single member says; `what` must be safe for a terminal.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), member: None, offset: None }
    }

    /// The member that says so, safe for a terminal; see [`Subject::image`](super::subject::Subject::image).
    pub(crate) fn member(mut self, member: impl Into<Option<String>>) -> Self {
        self.member = member.into();
        self
    }

    /// Where in that member, bytes.
    pub(crate) fn offset(mut self, offset: impl Into<Option<u64>>) -> Self {
        self.offset = offset.into();
        self
    }
}
