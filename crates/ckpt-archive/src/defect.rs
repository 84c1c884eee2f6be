//! What is wrong with the evidence: told with its place, never fatal.

use std::fmt;
use std::sync::Arc;

use crate::name::{Escaped, NameRisk};

/// One thing that is wrong, odd or dangerous about the evidence.
///
/// Displayed as one sentence without the place, such as `12 bytes follow the end of the archive`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Defect {
    /// What is wrong.
    pub kind: DefectKind,
    /// Where.
    pub place: Place,
    /// Where in the tar stream of that place, in bytes from its start. For a compressed archive this counts unpacked bytes,
    /// with the exception of [`DefectKind::CompressedDamaged`] and [`DefectKind::CompressedTrailing`].
    pub offset: Option<u64>,
}

/// The part of the evidence that a defect is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The archive or directory as such.
    Archive,
    /// One member, by its normalised path.
    Member(Vec<u8>),
    /// A blob of an image, by its digest or its path in the image's archive.
    Blob(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Archive => f.write_str("archive"),
            Place::Member(path) if path.is_empty() => f.write_str("."),
            Place::Member(path) => write!(f, "{}", Escaped(path)),
            Place::Blob(digest) => write!(f, "blob {}", Escaped(digest.as_bytes())),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefectKind {
    /// The archive ends within something that should be longer.
    Truncated {
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The archive ends without the two zero blocks that close it: it may have been cut between two members.
    NoEnd,
    /// A single zero block lies between two members.
    LoneZeroBlock,
    /// Bytes that are not zero follow the end of the archive.
    TrailingBytes {
        /// The first of them, from the archive's start.
        offset: u64,
        /// From there to the end.
        count: u64,
    },
    /// The compressed stream is cut or corrupt. What was unpacked before is served.
    CompressedDamaged {
        /// The compression, such as `gz`.
        codec: &'static str,
        /// Where decoding stopped, in compressed bytes.
        offset: u64,
        /// Whether the stream just ended too early.
        truncated: bool,
        /// The decoder's words.
        reason: String,
    },
    /// Bytes that are not zero follow the end of the compressed stream.
    CompressedTrailing {
        /// The compression, such as `gz`.
        codec: &'static str,
        /// The first byte after the stream, in compressed bytes.
        offset: u64,
        /// From there to the end.
        count: u64,
    },
    /// A member header is damaged. Reading went on at the next header with a valid checksum.
    DamagedHeader {
        /// What is wrong with it.
        reason: &'static str,
        /// Where the next good header lies; none was found if absent.
        resumed: Option<u64>,
    },
    /// A field of an otherwise good header is no number; it reads as 0.
    DamagedField {
        /// Which.
        field: &'static str,
    },
    /// An extended header (PAX, GNU long name) is damaged or over a limit; it was applied as far as it could be read.
    DamagedExtension {
        /// What is wrong with it.
        reason: String,
    },
    /// A sparse member's map is damaged; the content behind the good part is not served.
    DamagedSparseMap {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Several members of one archive have this name. The last one is found by name.
    Duplicate {
        /// How many there are.
        count: u64,
    },
    /// The name could do harm when extracted.
    UnsafeName {
        /// Why.
        risk: NameRisk,
    },
    /// A hard link to a member that is not there.
    DanglingLink {
        /// The link's target as written.
        target: Vec<u8>,
    },
    /// A member of a kind that is listed, but not understood.
    UnsupportedType {
        /// The tar type flag.
        flag: u8,
    },
    /// Something in a directory could not be read.
    Unreadable {
        /// The operating system's answer.
        reason: String,
    },
    /// A blob that the image names is not there.
    MissingBlob {
        /// Its media type.
        media_type: String,
    },
    /// A blob is not as long as the image says.
    BlobSize {
        /// Bytes according to the image.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A blob cannot be read as what the image says it is.
    UnreadableBlob {
        /// Why.
        reason: String,
    },
    /// A part of the image that was not read: a further manifest, an attestation, an unknown type.
    Ignored {
        /// What it is.
        what: String,
    },
    /// A limit was met; what lies behind was not read.
    Limit {
        /// What is limited, in words with the unit.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl Defect {
    pub(crate) fn archive(kind: DefectKind, offset: Option<u64>) -> Self {
        Defect { kind, place: Place::Archive, offset }
    }

    pub(crate) fn member(kind: DefectKind, path: &[u8], offset: Option<u64>) -> Self {
        Defect { kind, place: Place::Member(path.to_vec()), offset }
    }

    pub(crate) fn blob(kind: DefectKind, digest: &str) -> Self {
        Defect { kind, place: Place::Blob(digest.into()), offset: None }
    }

    /// The place as text, escaped for a terminal.
    pub fn place(&self) -> String {
        self.place.to_string()
    }

    /// A stable name for machines, such as `trailing-bytes`.
    pub fn code(&self) -> &'static str {
        match self.kind {
            DefectKind::Truncated { .. } => "truncated",
            DefectKind::NoEnd => "no-end-of-archive",
            DefectKind::LoneZeroBlock => "lone-zero-block",
            DefectKind::TrailingBytes { .. } => "trailing-bytes",
            DefectKind::CompressedDamaged { truncated: true, .. } => "compressed-truncated",
            DefectKind::CompressedDamaged { truncated: false, .. } => "compressed-damaged",
            DefectKind::CompressedTrailing { .. } => "compressed-trailing-bytes",
            DefectKind::DamagedHeader { .. } => "damaged-header",
            DefectKind::DamagedField { .. } => "damaged-field",
            DefectKind::DamagedExtension { .. } => "damaged-extended-header",
            DefectKind::DamagedSparseMap { .. } => "damaged-sparse-map",
            DefectKind::Duplicate { .. } => "duplicate-member",
            DefectKind::UnsafeName { .. } => "unsafe-name",
            DefectKind::DanglingLink { .. } => "dangling-hard-link",
            DefectKind::UnsupportedType { .. } => "unsupported-member-type",
            DefectKind::Unreadable { .. } => "unreadable",
            DefectKind::MissingBlob { .. } => "missing-blob",
            DefectKind::BlobSize { .. } => "blob-size",
            DefectKind::UnreadableBlob { .. } => "unreadable-blob",
            DefectKind::Ignored { .. } => "ignored-part",
            DefectKind::Limit { .. } => "limit",
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            DefectKind::Truncated { expected, found } => {
                write!(f, "the archive is cut: {expected} bytes expected, {found} found")
            }
            DefectKind::NoEnd => f.write_str("the archive has no end mark and may be cut"),
            DefectKind::LoneZeroBlock => {
                f.write_str("a single zero block lies between two members")
            }
            DefectKind::TrailingBytes { offset, count } => {
                write!(f, "{count} bytes at offset {offset} follow the end of the archive")
            }
            DefectKind::CompressedDamaged { codec, offset, truncated: true, .. } => {
                write!(f, "the compressed stream ({codec}) is cut at byte {offset}")
            }
            DefectKind::CompressedDamaged { codec, offset, reason, .. } => {
                write!(f, "the compressed stream ({codec}) is damaged at byte {offset}: {reason}")
            }
            DefectKind::CompressedTrailing { codec, offset, count } => {
                write!(
                    f,
                    "{count} bytes at offset {offset} follow the end of the compressed stream ({codec})"
                )
            }
            DefectKind::DamagedHeader { reason, resumed: Some(next) } => {
                write!(
                    f,
                    "the member header is damaged ({reason}); reading went on at offset {next}"
                )
            }
            DefectKind::DamagedHeader { reason, resumed: None } => {
                write!(f, "the member header is damaged ({reason}); no other header follows")
            }
            DefectKind::DamagedField { field } => {
                write!(f, "the {field} in the member header is not a number")
            }
            DefectKind::DamagedExtension { reason } => {
                write!(f, "the extended header is damaged: {reason}")
            }
            DefectKind::DamagedSparseMap { reason } => {
                write!(f, "the sparse map is damaged: {reason}")
            }
            DefectKind::Duplicate { count } => {
                write!(f, "{count} members have this name; the last one is used")
            }
            DefectKind::UnsafeName { risk } => write!(f, "{risk}: dangerous to extract"),
            DefectKind::DanglingLink { target } => {
                write!(f, "the hard link's target {} is not in the archive", Escaped(target))
            }
            DefectKind::UnsupportedType { flag } => {
                write!(f, "members of type {} are listed, but not understood", Escaped(&[*flag]))
            }
            DefectKind::Unreadable { reason } => write!(f, "cannot be read: {reason}"),
            DefectKind::MissingBlob { media_type } => {
                write!(f, "the blob of type {} is not there", Escaped(media_type.as_bytes()))
            }
            DefectKind::BlobSize { expected, found } => {
                write!(f, "the blob has {found} bytes, not {expected}")
            }
            DefectKind::UnreadableBlob { reason } => write!(f, "the blob cannot be read: {reason}"),
            DefectKind::Ignored { what } => write!(f, "not read: {}", Escaped(what.as_bytes())),
            DefectKind::Limit { what, limit } => {
                write!(f, "more than {limit} {what}: the rest was not read")
            }
        }
    }
}

/// Defects as they are found, bounded in number.
#[derive(Debug)]
pub(crate) struct DefectList {
    list: Vec<Defect>,
    max: usize,
}

impl DefectList {
    pub(crate) fn new(max: usize) -> Self {
        DefectList { list: Vec::new(), max }
    }

    pub(crate) fn push(&mut self, defect: Defect) {
        match self.list.len().cmp(&self.max) {
            std::cmp::Ordering::Less => self.list.push(defect),
            // One more says that there are others.
            std::cmp::Ordering::Equal => self.list.push(Defect::archive(
                DefectKind::Limit {
                    what: "defects",
                    limit: u64::try_from(self.max).unwrap_or(u64::MAX),
                },
                None,
            )),
            std::cmp::Ordering::Greater => {}
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Defect> {
        self.list
    }
}
