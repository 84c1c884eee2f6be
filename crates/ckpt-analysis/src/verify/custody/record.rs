//! The records of a manifest, as they stand in JSON.
//!
//! They are what is hashed, written, read and compared, all by one type, so that nothing can be in the file that is not
//! under its digest.

use ckpt_archive::{Evidence, Member, MemberKind, Timestamp};
use ckpt_model::Text;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::error::ManifestError;

/// The evidence as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRecord {
    /// As the user named it; not compared.
    pub path: String,
    /// `tar`, `tar.zst`, `directory` and so on: how it lies there.
    pub kind: String,
    /// Bytes as it lies there; of a directory the sum of its regular files.
    pub size: u64,
    /// SHA-256 of the file; a directory has none.
    pub sha256: Option<String>,
}

impl EvidenceRecord {
    pub(super) fn of(evidence: &Evidence) -> Self {
        Self {
            path: evidence.name().to_owned(),
            kind: evidence.kind(),
            size: evidence.size(),
            sha256: evidence.sha256().map(|digest| digest.to_string()),
        }
    }

    pub(super) fn check(&self) -> Result<(), ManifestError> {
        digest("evidence: sha256", self.sha256.as_deref())
    }
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRecord {
    /// Normalised path; empty for the top.
    pub path: String,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// How many members of the same path stand before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copy: u64,
    /// `file`, `dir`, `symlink`, `hardlink`, `char`, `block`, `fifo`, `sock` or `other`.
    pub kind: String,
    /// Bytes, holes included.
    pub size: u64,
    /// SHA-256 of the content, holes as zeros; only files have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why a file has no hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhashed: Option<String>,
    /// Permission bits, octal.
    pub mode: String,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Name of the owner, escaped; empty where the archive has none. Manifests of earlier versions do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uname: Option<String>,
    /// Name of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gname: Option<String>,
    /// Last modification, RFC 3339; `@` and seconds for a time that no calendar has.
    pub mtime: String,
    /// Target of a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Bytes of `target`, when they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_base64: Option<String>,
    /// Major and minor number of a device, `8:0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

// serde wants a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl MemberRecord {
    pub(super) fn of(member: &Member, copy: u64) -> Self {
        let (kind, device) = match member.kind {
            MemberKind::File => ("file", None),
            MemberKind::Directory => ("dir", None),
            MemberKind::Symlink => ("symlink", None),
            MemberKind::HardLink => ("hardlink", None),
            MemberKind::CharDevice { major, minor } => ("char", Some((major, minor))),
            MemberKind::BlockDevice { major, minor } => ("block", Some((major, minor))),
            MemberKind::Fifo => ("fifo", None),
            MemberKind::Socket => ("sock", None),
            _ => ("other", None),
        };
        let (sha256, unhashed) = match member.sha256() {
            Some(Ok(digest)) => (Some(digest.to_string()), None),
            Some(Err(why)) => (None, Some(Text::from(&*why.to_string()).escaped().into_owned())),
            None if member.is_file() => (None, Some("it was not hashed".to_owned())),
            None => (None, None),
        };
        let (path, path_base64) = text(&member.path);
        let target = member.link_target.as_deref().map(text);
        let (target, target_base64) = target.map_or((None, None), |(t, b)| (Some(t), b));
        Self {
            path,
            path_base64,
            copy,
            kind: kind.to_owned(),
            size: member.size,
            sha256,
            unhashed,
            mode: format!("{:o}", member.mode),
            uid: member.uid,
            gid: member.gid,
            uname: Some(name(member.uname.as_deref())),
            gname: Some(name(member.gname.as_deref())),
            mtime: time(member.mtime),
            target,
            target_base64,
            device: device.map(|(major, minor)| format!("{major}:{minor}")),
        }
    }

    /// The bytes of its path, which are its key.
    #[must_use]
    pub fn path_bytes(&self) -> Vec<u8> {
        let decoded =
            self.path_base64.as_deref().and_then(|text| BASE64.decode(text.as_bytes()).ok());
        decoded.unwrap_or_else(|| self.path.clone().into_bytes())
    }

    /// Holds the values against what a manifest can have.
    pub(super) fn check(&self, number: usize) -> Result<(), ManifestError> {
        let at = |key: &str| format!("members[{number}].{key}");
        let wrong = |key: &str, what: &str| {
            Err(ManifestError::Value { place: at(key), what: what.to_owned() })
        };
        digest(&at("sha256"), self.sha256.as_deref())?;
        for (key, plain, base64) in [
            ("path_base64", Some(&self.path), &self.path_base64),
            ("target_base64", self.target.as_ref(), &self.target_base64),
        ] {
            let Some(base64) = base64 else { continue };
            let Ok(bytes) = BASE64.decode(base64.as_bytes()) else {
                return wrong(key, "not base64");
            };
            let (text, again) = text(&bytes);
            if again.is_none() || Some(&text) != plain {
                return wrong(key, "other bytes than the text beside it");
            }
        }
        if u32::from_str_radix(&self.mode, 8).is_err() {
            return wrong("mode", "not an octal number");
        }
        Ok(())
    }
}

fn name(bytes: Option<&[u8]>) -> String {
    Text::from(bytes.unwrap_or_default()).escaped().into_owned()
}

/// A defect of the archive, as it was told when the manifest was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefectRecord {
    /// Where.
    #[serde(rename = "where")]
    pub place: String,
    /// What.
    pub what: String,
}

/// Bytes as text, and as base64 when they are not UTF-8.
fn text(bytes: &[u8]) -> (String, Option<String>) {
    let foreign = std::str::from_utf8(bytes).is_err();
    (Text::from(bytes).lossless().into_owned(), foreign.then(|| BASE64.encode(bytes)))
}

fn time(time: Timestamp) -> String {
    let exact = i32::try_from(time.nanos).ok();
    let exact = exact.and_then(|nanos| jiff::Timestamp::new(time.secs, nanos).ok());
    exact.map_or_else(|| format!("@{}", time.secs), |exact| exact.to_string())
}

/// A digest is 64 lower-case hexadecimal digits.
pub(super) fn digest(place: &str, digest: Option<&str>) -> Result<(), ManifestError> {
    let good = |digest: &str| {
        digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    match digest {
        Some(digest) if !good(digest) => Err(ManifestError::Value {
            place: place.to_owned(),
            what: "not 64 lower-case hexadecimal digits".to_owned(),
        }),
        _ => Ok(()),
    }
}
