//! `strings`: text in memory and in files.

use std::borrow::Cow;
use std::io::{self, Write};

use ckpt_model::Checkpoint;
use ckpt_scan::{Found, Place, strings};
use serde::Serialize;

use super::shared::{DefectRecord, EvidenceRecord, address, base64, defects, lossless};
use super::write::write_line;

/// A string at one of its places: a line of `ckpt-inspect/strings/1`.
#[derive(Clone, Debug, Serialize)]
pub struct StringRecord<'a> {
    /// Where it is.
    #[serde(flatten)]
    pub place: PlaceRecord<'a>,
    /// The string; of UTF-16, decoded.
    pub text: Cow<'a, str>,
    /// Its bytes, when it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
    /// `ascii`, `utf8`, `utf16le`, `utf16be`.
    pub encoding: &'static str,
    /// It is a part of a longer string, which began before it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// It is a part of a longer string, which goes on behind it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// With `--unique`: how often it is there, at all places together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl<'a> StringRecord<'a> {
    /// Of a string, its bytes and a place where it is.
    #[must_use]
    pub fn new(found: &Found, bytes: &'a [u8], place: &'a Place<'a>, count: Option<u64>) -> Self {
        let (text, text_base64) = match strings::decode(bytes, found.encoding) {
            Cow::Borrowed(text) => (lossless(text), base64(text)),
            Cow::Owned(text) => (Cow::Owned(lossless(&text).into_owned()), base64(&text)),
        };
        Self {
            place: PlaceRecord::of(place),
            text,
            text_base64,
            encoding: found.encoding.word(),
            continued: found.continued,
            continues: found.continues,
            count,
        }
    }
}

/// A place where bytes are: in the memory of a process, or in an artifact.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum PlaceRecord<'a> {
    /// In memory.
    Memory {
        /// The process.
        pid: u32,
        /// The address.
        address: String,
        /// The mapping.
        vma: VmaPlaceRecord<'a>,
    },
    /// Outside of memory.
    Artifact {
        /// Its id, as `extract` has it.
        artifact: &'a str,
        /// Offset in it, bytes.
        offset: u64,
    },
}

/// The mapping that an address lies in.
#[derive(Clone, Debug, Serialize)]
pub struct VmaPlaceRecord<'a> {
    /// Its first address.
    pub start: String,
    /// What it is: `heap`, `stack`, `anon`, `file-private` and so on.
    pub kind: &'static str,
    /// The last column of `/proc/PID/maps`; null where there is none.
    pub path: Option<Cow<'a, str>>,
    /// Its bytes, when it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
}

impl<'a> PlaceRecord<'a> {
    pub(super) fn of(place: &'a Place<'a>) -> Self {
        match place {
            Place::Memory { task, address: at, mapping } => {
                let name = mapping.name.as_deref();
                Self::Memory {
                    pid: task.pid.0,
                    address: address(*at),
                    vma: VmaPlaceRecord {
                        start: address(mapping.start),
                        kind: mapping.kind.word(),
                        path: name.map(lossless),
                        path_base64: name.and_then(base64),
                    },
                }
            }
            Place::Artifact { artifact, offset } => {
                Self::Artifact { artifact: &artifact.id, offset: *offset }
            }
            _ => Self::Artifact { artifact: "", offset: 0 },
        }
    }
}

/// A document whose one list is written while it is found. It is the same JSON as any other document, but for the records
/// of the list standing on a line each.
#[derive(Debug)]
pub struct StreamedList {
    any: bool,
}

#[derive(Serialize)]
struct Tail {
    defects: Vec<DefectRecord>,
}

impl StreamedList {
    /// Writes what stands before the records.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn begin<W: Write>(
        out: &mut W,
        schema: &str,
        checkpoint: &Checkpoint,
        key: &str,
    ) -> io::Result<Self> {
        let evidence = serde_json::to_string(&EvidenceRecord::of(checkpoint))?;
        let (schema, key) = (serde_json::to_string(schema)?, serde_json::to_string(key)?);
        write!(out, "{{\n  \"schema\": {schema},\n  \"evidence\": {evidence},\n  {key}: [")?;
        Ok(Self { any: false })
    }

    /// Writes records that [`record`](Self::record) made.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn write<W: Write>(&mut self, out: &mut W, records: &[u8]) -> io::Result<()> {
        let first = !self.any && !records.is_empty();
        self.any |= first;
        // Each begins with the comma behind the one before it.
        out.write_all(if first { records.get(1..).unwrap_or_default() } else { records })
    }

    /// Makes a record, to be written in its turn.
    ///
    /// # Errors
    ///
    /// None but those of JSON itself.
    pub fn record(out: &mut Vec<u8>, record: &impl Serialize) -> io::Result<()> {
        out.extend_from_slice(b",\n    ");
        serde_json::to_writer(out, record)?;
        Ok(())
    }

    /// Writes what stands behind the records: what was found wrong meanwhile.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn finish<W: Write>(self, out: &mut W, checkpoint: &Checkpoint) -> io::Result<()> {
        let tail = serde_json::to_string(&Tail { defects: defects(checkpoint) })?;
        let tail = tail.strip_prefix('{').unwrap_or_default();
        writeln!(out, "{}],\n  {tail}", if self.any { "\n  " } else { "" })
    }
}

/// Adds a record as a line.
///
/// # Errors
///
/// None but those of JSON itself.
pub fn push_line(out: &mut Vec<u8>, record: &impl Serialize) -> io::Result<()> {
    write_line(out, record)
}
