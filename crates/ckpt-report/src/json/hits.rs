//! What a search found: the records of `search`, and what those of `strings` share with them.

use std::borrow::Cow;
use std::io::{self, Write};

use ckpt_model::Checkpoint;
use ckpt_scan::Place;
use ckpt_scan::strings::{Encoding, decode};
use data_encoding::BASE64;
use serde::Serialize;

use super::shared::{DefectRecord, EvidenceRecord, address, base64, defects, fields, lossless};
use super::write::{write_line, write_value};

/// Where something was found: `pid`, `address` and `vma` in memory, `artifact` and `offset` elsewhere.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlaceRecord<'a> {
    /// Process id in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Address of the first byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The mapping that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vma: Option<HitVmaRecord<'a>>,
    /// Id of the artifact that holds it: what `extract --to DIR ID` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<&'a str>,
    /// Offset in the artifact, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Origin of the artifact, as in `extract`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'static str>,
    /// Path of the artifact in the container, or what the kernel calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Cow<'a, str>>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// It is the last place that is told of more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more_places: bool,
}

/// The mapping of a hit.
#[derive(Clone, Debug, Serialize)]
pub struct HitVmaRecord<'a> {
    /// First address.
    pub start: String,
    /// What it is, as in `maps`.
    pub kind: &'static str,
    /// As `/proc/PID/maps` names it.
    pub path: Option<Cow<'a, str>>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
}

impl<'a> PlaceRecord<'a> {
    /// Of places, one record each; `more` when there are more than these.
    pub fn all(places: &[Place<'a>], more: bool) -> impl Iterator<Item = Self> {
        let last = places.len().saturating_sub(1);
        places
            .iter()
            .enumerate()
            .map(move |(at, place)| Self { more_places: more && at == last, ..Self::of(place) })
    }

    /// Of a place.
    #[must_use]
    pub fn of(place: &Place<'a>) -> Self {
        let nowhere = Self::default();
        match place {
            Place::Memory { task, address: at, mapping } => {
                let name = mapping.name.as_deref();
                let vma = HitVmaRecord {
                    start: address(mapping.start),
                    kind: mapping.kind.word(),
                    path: name.map(lossless),
                    path_base64: name.and_then(base64),
                };
                Self {
                    pid: Some(task.pid.0),
                    address: Some(address(*at)),
                    vma: Some(vma),
                    ..nowhere
                }
            }
            Place::Artifact { artifact, offset } => {
                let (path, path_base64) = fields(artifact.path.as_ref());
                Self {
                    artifact: Some(&artifact.id),
                    offset: Some(*offset),
                    origin: Some(artifact.origin.word()),
                    path,
                    path_base64,
                    ..nowhere
                }
            }
            _ => nowhere,
        }
    }
}

/// One hit of `search` at one place.
#[derive(Clone, Debug, Serialize)]
pub struct SearchRecord<'a> {
    /// Where it is.
    #[serde(flatten)]
    pub place: PlaceRecord<'a>,
    /// The pattern, as it was given.
    pub pattern: &'a str,
    /// How the bytes are to be read: `ascii`, `utf8`, `utf16le`, `utf16be` or `bytes`.
    pub encoding: &'static str,
    /// Bytes.
    pub length: u64,
    /// The bytes as text: what UTF-16 says, and of others what is not UTF-8 as `\xff`.
    pub text: Cow<'a, str>,
    /// The bytes, when `text` is not exactly they.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
    /// What lies around it, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextRecord>,
}

/// Bytes around a hit.
#[derive(Clone, Debug, Serialize)]
pub struct ContextRecord {
    /// Bytes before the hit.
    pub before_base64: String,
    /// Bytes behind it.
    pub after_base64: String,
}

impl ContextRecord {
    /// Of bytes.
    #[must_use]
    pub fn of(before: &[u8], after: &[u8]) -> Self {
        Self { before_base64: BASE64.encode(before), after_base64: BASE64.encode(after) }
    }
}

/// Bytes as text, and the bytes beside it where they are no text.
#[must_use]
pub fn hit_text(bytes: &[u8], encoding: Encoding) -> (Cow<'_, str>, Option<String>) {
    match decode(bytes, encoding) {
        Cow::Borrowed(bytes) => (lossless(bytes), base64(bytes)),
        Cow::Owned(bytes) => (Cow::Owned(lossless(&bytes).into_owned()), base64(&bytes)),
    }
}

/// A document with an array of records that are written as they come: `ckpt-inspect/COMMAND/1`.
#[derive(Debug)]
pub struct StreamedDocument<W: Write> {
    out: W,
    any: bool,
}

impl<W: Write> StreamedDocument<W> {
    /// Begins the document and its array.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn begin(
        mut out: W,
        schema: &str,
        checkpoint: &Checkpoint,
        array: &str,
    ) -> io::Result<Self> {
        write!(out, "{{\n  \"schema\": ")?;
        write_value(&mut out, &schema)?;
        write!(out, ",\n  \"evidence\": ")?;
        write_value(&mut out, &EvidenceRecord::of(checkpoint))?;
        write!(out, ",\n  \"{array}\": [")?;
        Ok(Self { out, any: false })
    }

    /// Adds records that were written as lines already.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let before: &[u8] = if self.any { b",\n    " } else { b"\n    " };
            self.out.write_all(before)?;
            self.out.write_all(line)?;
            self.any = true;
        }
        Ok(())
    }

    /// Ends the array and begins another one.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn array(&mut self, array: &str) -> io::Result<()> {
        let close = if self.any { "\n  ]" } else { "]" };
        self.any = false;
        write!(self.out, "{close},\n  \"{array}\": [")
    }

    /// Ends the array and the document.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn finish(self, checkpoint: &Checkpoint) -> io::Result<()> {
        self.end(checkpoint, None::<(&str, &())>)
    }

    /// As [`finish`](Self::finish), with one more field.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn finish_with(
        self,
        checkpoint: &Checkpoint,
        key: &str,
        value: &impl Serialize,
    ) -> io::Result<()> {
        self.end(checkpoint, Some((key, value)))
    }

    fn end(
        mut self,
        checkpoint: &Checkpoint,
        field: Option<(&str, &impl Serialize)>,
    ) -> io::Result<()> {
        let close = if self.any { "\n  ]" } else { "]" };
        write!(self.out, "{close}")?;
        if let Some((key, value)) = field {
            write!(self.out, ",\n  \"{key}\": ")?;
            write_value(&mut self.out, value)?;
        }
        write!(self.out, ",\n  \"defects\": ")?;
        write_value(&mut self.out, &defects(checkpoint))?;
        self.out.write_all(b"\n}\n")
    }
}

/// `ckpt-inspect/search-count/1`: how often each pattern was found.
#[derive(Clone, Debug, Serialize)]
pub struct SearchCountDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// By pattern, pid and artifact.
    pub counts: Vec<SearchCountRecord<'a>>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// How often a pattern was found in one place.
#[derive(Clone, Debug, Serialize)]
pub struct SearchCountRecord<'a> {
    /// The pattern, as it was given.
    pub pattern: &'a str,
    /// The process; null for artifacts.
    pub pid: Option<u32>,
    /// The artifact; null for processes.
    pub artifact: Option<&'a str>,
    /// Hits.
    pub hits: u64,
}

/// Counts as a document.
#[must_use]
pub fn search_counts<'a>(
    checkpoint: &'a Checkpoint,
    counts: Vec<SearchCountRecord<'a>>,
) -> SearchCountDocument<'a> {
    SearchCountDocument {
        schema: "ckpt-inspect/search-count/1",
        evidence: EvidenceRecord::of(checkpoint),
        counts,
        defects: defects(checkpoint),
    }
}

/// Writes a hit once for each place.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_hits<'a, W: Write>(
    out: &mut W,
    places: &[Place<'a>],
    record: impl Fn(PlaceRecord<'a>) -> SearchRecord<'a>,
) -> io::Result<()> {
    places.iter().try_for_each(|place| write_line(out, &record(PlaceRecord::of(place))))
}
