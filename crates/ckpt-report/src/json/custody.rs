//! `verify --check`: evidence held against its custody manifest. The manifest itself is a form of `ckpt-analysis`, which
//! reads it too.

use ckpt_analysis::verify::custody::{
    Comparison, DefectRecord as ManifestDefect, Difference, Fact, Manifest, MemberRecord,
};
use serde::Serialize;

use super::shared::{DefectRecord, EvidenceRecord};

/// `ckpt-inspect/custody-check/1`.
#[derive(Clone, Debug, Serialize)]
pub struct CustodyCheckDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was hashed now.
    pub evidence: EvidenceRecord<'a>,
    /// What it was held against.
    pub manifest: ManifestRecord<'a>,
    /// Whether nothing differs.
    pub same: bool,
    /// Whether all members are the same and the archive is of another kind, or has them in another order: it was packed again.
    pub repacked: bool,
    /// Members that are the same.
    pub members_same: usize,
    /// Those of them that are files without a hash, so that only the rest was compared.
    pub members_unhashed: usize,
    /// What differs: the evidence as a whole, then members by path.
    pub differences: Vec<DifferenceRecord<'a>>,
    /// What is wrong with the archive.
    pub defects: Vec<DefectRecord>,
}

/// The comparison as a document; `path` is the manifest's.
#[must_use]
pub fn custody_check<'a>(
    path: &'a str,
    expected: &'a Manifest,
    found: &'a Manifest,
    comparison: &'a Comparison<'a>,
) -> CustodyCheckDocument<'a> {
    CustodyCheckDocument {
        schema: "ckpt-inspect/custody-check/1",
        evidence: EvidenceRecord::new(&found.evidence.path, None, found.evidence.kind.clone()),
        manifest: ManifestRecord {
            path,
            digest: expected.digest.as_deref(),
            tool: &expected.tool,
            made: &expected.made,
            operator: expected.operator.as_deref(),
            note: expected.note.as_deref(),
        },
        same: comparison.is_same(),
        repacked: comparison.is_repacked(),
        members_same: comparison.same,
        members_unhashed: comparison.unhashed,
        differences: comparison.differences.iter().map(DifferenceRecord::of).collect(),
        defects: found.defects.iter().map(defect).collect(),
    }
}

fn defect(defect: &ManifestDefect) -> DefectRecord {
    DefectRecord { place: defect.place.clone(), what: defect.what.clone(), kind: "suspect" }
}

/// Who made the manifest, when and why.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestRecord<'a> {
    /// The file.
    pub path: &'a str,
    /// SHA-256 of its content, which was checked.
    pub digest: Option<&'a str>,
    /// What made it.
    pub tool: &'a str,
    /// When, RFC 3339.
    pub made: &'a str,
    /// Who.
    pub operator: Option<&'a str>,
    /// What they had to say.
    pub note: Option<&'a str>,
}

/// One difference.
#[derive(Clone, Debug, Serialize)]
pub struct DifferenceRecord<'a> {
    /// `evidence`, `defect`, `changed`, `added`, `removed`, `renamed` or `order`.
    pub change: &'static str,
    /// The member's path; of a renamed one, as it was.
    pub path: Option<&'a str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<&'a str>,
    /// How many members of the same path stand before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<u64>,
    /// The new path of a renamed member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'a str>,
    /// Bytes of `to`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_base64: Option<&'a str>,
    /// Which values differ.
    pub facts: Vec<CustodyFactRecord<'a>>,
}

impl<'a> DifferenceRecord<'a> {
    fn of(difference: &'a Difference<'a>) -> Self {
        let (member, to, facts): (Option<&MemberRecord>, Option<&MemberRecord>, &[Fact]) =
            match difference {
                Difference::Evidence(fact) | Difference::Defect(fact) => {
                    (None, None, std::slice::from_ref(fact))
                }
                Difference::Changed { member, facts } => (Some(member), None, facts),
                Difference::Added(member) | Difference::Removed(member) => {
                    (Some(member), None, &[])
                }
                Difference::Renamed { from, to } => (Some(from), Some(to), &[]),
                Difference::Order => (None, None, &[]),
            };
        Self {
            change: difference.word(),
            path: member.map(|member| member.path.as_str()),
            path_base64: member.and_then(|member| member.path_base64.as_deref()),
            copy: member.map(|member| member.copy).filter(|copy| *copy > 0),
            to: to.map(|to| to.path.as_str()),
            to_base64: to.and_then(|to| to.path_base64.as_deref()),
            facts: facts.iter().map(CustodyFactRecord::of).collect(),
        }
    }
}

/// A value that is another one than it was.
#[derive(Clone, Debug, Serialize)]
pub struct CustodyFactRecord<'a> {
    /// Its key in the manifest.
    pub fact: &'static str,
    /// What the manifest says.
    pub expected: Option<&'a str>,
    /// What the evidence has.
    pub found: Option<&'a str>,
}

impl<'a> CustodyFactRecord<'a> {
    fn of(fact: &'a Fact) -> Self {
        Self { fact: fact.name, expected: fact.expected.as_deref(), found: fact.found.as_deref() }
    }
}
