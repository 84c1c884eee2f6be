//! What could not be read, is not there, or is of an unknown format.

use std::fmt;
use std::sync::Mutex;

/// How something fails to be whole. Four different things, never mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DefectKind {
    /// It should be there and is not.
    Missing,
    /// It is there and broken.
    Damaged,
    /// It is there and its meaning is not known to this version.
    Unknown,
    /// It is whole but does not belong: duplicates, trailing bytes, left-overs, contradictions.
    Suspect,
}

impl DefectKind {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
            Self::Suspect => "suspect",
        }
    }
}

/// One defect: where, and what. A defect never stops the rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Defect {
    /// Member, record and offset as far as they are known. Safe for a terminal.
    pub place: String,
    /// What was expected and what was found, as a sentence. Safe for a terminal.
    pub what: String,
    /// Missing, damaged, unknown or suspect.
    pub kind: DefectKind,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Most defects that are kept; hostile evidence could have one for every few bytes.
const MAX_DEFECTS: usize = 10_000;

/// Where defects are gathered while several images are decoded.
#[derive(Debug, Default)]
pub(crate) struct Defects(Mutex<Vec<Defect>>);

impl Defects {
    pub(crate) fn tell(&self, kind: DefectKind, place: impl Into<String>, what: impl Into<String>) {
        // A poisoned lock holds what another thread had told before it ended; that still counts.
        let mut told = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (place, what) = (place.into(), what.into());
        if told.len() < MAX_DEFECTS {
            told.push(Defect { place, what, kind });
        } else if told.len() == MAX_DEFECTS {
            let what = format!("more than {MAX_DEFECTS} defects; the rest is not listed");
            told.push(Defect { place: "evidence".into(), what, kind: DefectKind::Damaged });
        }
    }

    pub(crate) fn missing(&self, place: impl Into<String>, what: impl Into<String>) {
        self.tell(DefectKind::Missing, place, what);
    }

    pub(crate) fn damaged(&self, place: impl Into<String>, what: impl Into<String>) {
        self.tell(DefectKind::Damaged, place, what);
    }

    pub(crate) fn suspect(&self, place: impl Into<String>, what: impl Into<String>) {
        self.tell(DefectKind::Suspect, place, what);
    }

    /// Everything told so far, each once, in the order it was told.
    pub(crate) fn list(&self) -> Vec<Defect> {
        let told = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut seen = std::collections::HashSet::new();
        told.iter().filter(|defect| seen.insert(*defect)).cloned().collect()
    }
}
