//! What all documents have: the evidence, the defects, and how text and numbers are written.

use std::borrow::Cow;

use ckpt_memory::VirtAddr;
use ckpt_model::{Checkpoint, Defect, Text};
use data_encoding::BASE64;
use serde::{Serialize, Serializer};

/// What was opened.
#[derive(Clone, Debug, Serialize)]
pub struct EvidenceRecord<'a> {
    /// As the user named it.
    pub path: &'a str,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// `tar`, `tar.zst`, `directory`, `oci-layout` and so on.
    pub kind: String,
}

impl<'a> EvidenceRecord<'a> {
    /// Evidence of this name and kind; with the bytes of the name, where they are not UTF-8.
    #[must_use]
    pub fn new(path: &'a str, bytes: Option<&[u8]>, kind: String) -> Self {
        Self { path, path_base64: bytes.and_then(base64), kind }
    }

    pub(super) fn of(checkpoint: &'a Checkpoint) -> Self {
        let evidence = checkpoint.evidence();
        Self::new(evidence.name(), evidence.name_bytes(), evidence.kind())
    }
}

/// Something that could not be read, was damaged, is missing or of an unknown format.
#[derive(Clone, Debug, Serialize)]
pub struct DefectRecord {
    /// Member, record and offset.
    #[serde(rename = "where")]
    pub place: String,
    /// What was expected and what was found.
    pub what: String,
    /// `missing`, `damaged`, `unknown` or `suspect`.
    pub kind: &'static str,
}

impl From<Defect> for DefectRecord {
    fn from(defect: Defect) -> Self {
        Self { place: defect.place, what: defect.what, kind: defect.kind.word() }
    }
}

/// Everything found wrong so far. Reading finds defects, so this comes after all else of a document is made.
pub(super) fn defects(checkpoint: &Checkpoint) -> Vec<DefectRecord> {
    checkpoint.defects().into_iter().map(DefectRecord::from).collect()
}

/// Text by itself, where it is no field: `text`, and `text_base64` when it is not UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TextRecord<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
}

impl<'a> TextRecord<'a> {
    pub(super) fn of(text: &'a Text) -> Self {
        Self { text: text.lossless(), text_base64: base64(text.as_bytes()) }
    }
}

/// Bytes as text: UTF-8 as it is, other bytes as `\xff`.
pub(super) fn lossless(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(Text::from(bytes).lossless().into_owned()),
    }
}

/// The bytes themselves, when they are not UTF-8.
pub(super) fn base64(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).is_err().then(|| BASE64.encode(bytes))
}

/// An optional text as its two fields.
pub(super) fn fields(text: Option<&Text>) -> (Option<Cow<'_, str>>, Option<String>) {
    (text.map(Text::lossless), text.and_then(|text| base64(text.as_bytes())))
}

/// A list of texts as its two fields; the second has every element when one of them is not UTF-8.
pub(super) fn list_fields<'a>(
    texts: impl Iterator<Item = &'a [u8]> + Clone,
) -> (Vec<Cow<'a, str>>, Option<Vec<String>>) {
    let foreign = texts.clone().any(|text| std::str::from_utf8(text).is_err());
    let encoded = foreign.then(|| texts.clone().map(|text| BASE64.encode(text)).collect());
    (texts.map(lossless).collect(), encoded)
}

/// A 64-bit mask: 16 hexadecimal digits.
pub(super) fn mask(mask: u64) -> String {
    format!("{mask:016x}")
}

/// An address: `0x7f76c1772190`.
pub(super) fn address(address: VirtAddr) -> String {
    address.to_string()
}

/// A number whose largest value means that there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u64);

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            u64::MAX => serializer.serialize_str("unlimited"),
            limit => serializer.serialize_u64(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_carried_beside_it() {
        let text = Text::from(&b"a\xff"[..]);
        assert_eq!(fields(Some(&text)), (Some("a\\xff".into()), Some("Yf8=".to_owned())));
        assert_eq!(fields(Some(&Text::from("a\u{1b}"))), (Some("a\u{1b}".into()), None));
        assert_eq!(fields(None), (None, None));
        let (texts, encoded) = list_fields([&b"ok"[..], b"\xfe"].into_iter());
        assert_eq!(texts, ["ok", "\\xfe"]);
        assert_eq!(encoded.as_deref(), Some(&["b2s=".to_owned(), "/g==".to_owned()][..]));
        assert_eq!(list_fields([&b"ok"[..]].into_iter()).1, None);
    }

    #[test]
    fn numbers() {
        assert_eq!(mask(0x10000), "0000000000010000");
        assert_eq!(address(VirtAddr(0x7f00)), "0x7f00");
        let limits = serde_json::to_string(&[Limit(1024), Limit(u64::MAX)]);
        assert_eq!(limits.ok().as_deref(), Some("[1024,\"unlimited\"]"));
    }
}
