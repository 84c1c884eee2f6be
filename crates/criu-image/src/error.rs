//! What can be wrong with an image, with where, what was expected and what was found.

use thiserror::Error;

/// Why an image, or a part of it, cannot be read. Offsets count from the first byte of the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImageError {
    /// The file has no bytes, and its kind has a header.
    #[error("empty file")]
    Empty,
    /// A magic is not the one of this kind in either byte order.
    #[error("bad magic at {offset}: expected {expected:#010x}, found {found:#010x}")]
    BadMagic {
        /// Where the magic is.
        offset: u64,
        /// Magic of the kind.
        expected: u32,
        /// What is there, read in the byte order of the file where known, else little-endian.
        found: u32,
    },
    /// The file ends inside of something.
    #[error("cut off at {offset}: {what} needs {expected} bytes, {found} are left")]
    Truncated {
        /// Where it begins.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// Bytes it needs.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A length is above a limit of this crate.
    #[error("{what} at {offset} has {length} bytes, more than the limit of {limit}")]
    TooLong {
        /// Where it begins.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// Bytes it says it has.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// Bytes after the end of an image that holds one record.
    #[error("{length} bytes after the end at {offset}")]
    TrailingBytes {
        /// Where they begin.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// A payload is not the protobuf message it should be.
    #[error("record {record} at {offset} is not a valid message: {message}")]
    BadProtobuf {
        /// Index of the record.
        record: usize,
        /// Where its length field is.
        offset: u64,
        /// What the decoder says.
        message: String,
    },
    /// A value that rules over framing is impossible.
    #[error("impossible {what} at {offset}: {value}")]
    BadValue {
        /// Where the value, or what holds it, begins.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// The value.
        value: u64,
    },
}

impl ImageError {
    /// Stable name of the variant, for logs and counts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::BadMagic { .. } => "bad-magic",
            Self::Truncated { .. } => "truncated",
            Self::TooLong { .. } => "too-long",
            Self::TrailingBytes { .. } => "trailing-bytes",
            Self::BadProtobuf { .. } => "bad-protobuf",
            Self::BadValue { .. } => "bad-value",
        }
    }

    /// Where in the file, except for an empty one.
    #[must_use]
    pub const fn offset(&self) -> Option<u64> {
        match self {
            Self::Empty => None,
            Self::BadMagic { offset, .. }
            | Self::Truncated { offset, .. }
            | Self::TooLong { offset, .. }
            | Self::TrailingBytes { offset, .. }
            | Self::BadProtobuf { offset, .. }
            | Self::BadValue { offset, .. } => Some(*offset),
        }
    }
}
