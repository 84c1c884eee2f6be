//! A manifest: made, written, read.

use std::collections::HashMap;
use std::io::{self, Write};

use ckpt_archive::{Evidence, sha256_bytes};
use ckpt_model::Text;
use serde::{Deserialize, Serialize};

use super::error::ManifestError;
use super::record::{DefectRecord, EvidenceRecord, MemberRecord, digest};

/// Name and version of the form.
pub const SCHEMA: &str = "ckpt-inspect/custody/1";

/// Largest manifest that is read, bytes: some millions of members.
pub const MAX_MANIFEST: u64 = 1 << 30;

/// Who made a manifest, when and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Name and version of the program.
    pub tool: String,
    /// When, RFC 3339 in UTC. The caller has a clock.
    pub made: String,
    /// Who.
    pub operator: Option<String>,
    /// What the operator has to say.
    pub note: Option<String>,
}

/// What evidence was, member by member. The order of the keys is that of the file, and what the digest is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name and version of the program that made it.
    pub tool: String,
    /// When it was made, RFC 3339 in UTC.
    pub made: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// What they had to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The evidence as a whole.
    pub evidence: EvidenceRecord,
    /// Its members: archives in archive order, directories by path.
    pub members: Vec<MemberRecord>,
    /// What was wrong with the archive already.
    pub defects: Vec<DefectRecord>,
    /// SHA-256 of all of this without `digest`, as compact JSON with the keys in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl Manifest {
    /// Of evidence that was opened by [`Evidence::hash`].
    #[must_use]
    pub fn of(evidence: &Evidence, about: About) -> Self {
        let mut copies: HashMap<&[u8], u64> = HashMap::new();
        let members = evidence.members().iter().map(|member| {
            let copies = copies.entry(&member.path).or_default();
            let record = MemberRecord::of(member, *copies);
            *copies = copies.saturating_add(1);
            record
        });
        let members = members.collect();
        let defects = evidence.defects().iter();
        let defects = defects
            .map(|defect| DefectRecord { place: defect.place(), what: defect.to_string() })
            .collect();
        let mut manifest = Self {
            schema: SCHEMA.to_owned(),
            tool: about.tool,
            made: about.made,
            operator: about.operator,
            note: about.note,
            evidence: EvidenceRecord::of(evidence),
            members,
            defects,
            digest: None,
        };
        manifest.digest = manifest.computed().ok();
        manifest
    }

    /// The digest of everything but the digest.
    fn computed(&self) -> Result<String, serde_json::Error> {
        /// The manifest without its last key, borrowed.
        #[derive(Serialize)]
        struct Content<'a> {
            schema: &'a str,
            tool: &'a str,
            made: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            operator: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            note: Option<&'a str>,
            evidence: &'a EvidenceRecord,
            members: &'a [MemberRecord],
            defects: &'a [DefectRecord],
        }
        let content = Content {
            schema: &self.schema,
            tool: &self.tool,
            made: &self.made,
            operator: self.operator.as_deref(),
            note: self.note.as_deref(),
            evidence: &self.evidence,
            members: &self.members,
            defects: &self.defects,
        };
        Ok(sha256_bytes(&serde_json::to_vec(&content)?).to_string())
    }

    /// Writes it, indented.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn write<W: Write>(&self, out: &mut W) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// Reads one, and holds it against its own digest.
    ///
    /// # Errors
    ///
    /// [`ManifestError`], with the place as far as there is one.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        let found = json.len() as u64;
        if found > MAX_MANIFEST {
            return Err(ManifestError::TooLarge { found, limit: MAX_MANIFEST });
        }
        let safe = |text: &str| Text::from(text).escaped().into_owned();
        let manifest: Self = serde_json::from_slice(json)
            .map_err(|error| ManifestError::Form { reason: safe(&error.to_string()) })?;
        if manifest.schema != SCHEMA {
            let found = safe(&manifest.schema);
            return Err(ManifestError::Schema { expected: SCHEMA, found });
        }
        manifest.evidence.check()?;
        let mut copies: HashMap<Vec<u8>, u64> = HashMap::new();
        for (number, member) in manifest.members.iter().enumerate() {
            member.check(number)?;
            let copies = copies.entry(member.path_bytes()).or_default();
            if member.copy != *copies {
                let place = format!("members[{number}].copy");
                let what = format!("{copies} members of this path stand before it");
                return Err(ManifestError::Value { place, what });
            }
            *copies = copies.saturating_add(1);
        }
        let place = "digest";
        digest(place, manifest.digest.as_deref())?;
        let Some(expected) = manifest.digest.clone() else {
            let what = "it is missing".to_owned();
            return Err(ManifestError::Value { place: place.to_owned(), what });
        };
        let found = manifest.computed().map_err(|error| ManifestError::Value {
            place: place.to_owned(),
            what: safe(&error.to_string()),
        })?;
        if found != expected {
            return Err(ManifestError::Digest { expected, found });
        }
        Ok(manifest)
    }
}
