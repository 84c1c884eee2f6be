//! Why evidence, or one member's content, cannot be read.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::MemberKind;

/// Why evidence cannot be opened at all. Anything less is a [`Defect`](crate::Defect).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no bytes.
    #[error("{name} is empty")]
    Empty {
        /// The evidence, as the user named it.
        name: String,
    },
    /// The content is no archive.
    #[error("{name} is not a tar archive, an image or a directory{}: {looks_like}", unpacked(.inside))]
    NotAnArchive {
        /// The evidence, as the user named it.
        name: String,
        /// The compression that was removed before looking, such as `zst`.
        inside: Option<String>,
        /// What the content looks like, in words.
        looks_like: String,
    },
    /// The content is of a known form that is not read here.
    #[error("{name} is {what}, which is not supported: {advice}")]
    Unsupported {
        /// The evidence, as the user named it.
        name: String,
        /// The form, in words.
        what: &'static str,
        /// What the user can do.
        advice: &'static str,
    },
    /// The operating system refused something.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The operating system's answer.
        source: Arc<io::Error>,
    },
    /// The unpacked members do not fit on the spool's file system.
    #[error(
        "not enough room in {} for unpacked members: {needed} bytes needed, {available} available; \
         choose another directory with --spool DIR, or unpack the archive to plain tar first",
        dir.display()
    )]
    DiskFull {
        /// Bytes still to be written, as far as known, and a small reserve.
        needed: u64,
        /// Bytes available to this user.
        available: u64,
        /// The spool directory.
        dir: PathBuf,
    },
    /// Archives inside archives inside archives.
    #[error("{name} is nested deeper than {limit} levels")]
    Nesting {
        /// The evidence, with the path of archives to it.
        name: String,
        /// The limit.
        limit: u32,
    },
    /// A limit was met, and going on would make no sense.
    #[error("{name} has more than {limit} {what}")]
    Limit {
        /// The evidence.
        name: String,
        /// What is limited, in words with the unit.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// It is an image, but not one layer of it can be read.
    #[error("{name} is an image without a readable layer: {reason}")]
    NoLayers {
        /// The evidence.
        name: String,
        /// Why.
        reason: String,
    },
    /// The member that should be opened as an archive cannot be read.
    #[error("cannot open {name} as an archive")]
    Member {
        /// The evidence, with the path of archives to it.
        name: String,
        /// Why its content cannot be read.
        source: ContentError,
    },
}

fn unpacked(inside: &Option<String>) -> String {
    inside
        .as_ref()
        .map(|codec| format!(" after removing the compression ({codec})"))
        .unwrap_or_default()
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Error::Io { action, path: path.into(), source: Arc::new(source.into()) }
    }
}

/// Why some bytes of a member cannot be given.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The member is a directory, a device, a symlink or the like.
    #[error("a {kind} has no content")]
    NotAFile {
        /// What it is.
        kind: MemberKind,
    },
    /// A hard link whose target is not in the evidence.
    #[error("the hard link's target {target} is not in the evidence")]
    LinkTarget {
        /// The target's name, escaped.
        target: String,
    },
    /// The range does not lie within the member.
    #[error("bytes {}..{} are outside of a member of {len} bytes", range.start, range.end)]
    OutOfRange {
        /// The range asked for, in bytes.
        range: Range<u64>,
        /// The member's size in bytes.
        len: u64,
    },
    /// The archive was cut before the end of the range.
    #[error("the archive is cut: only {available} of the member's {len} bytes are there")]
    Truncated {
        /// Bytes that are there, from the member's start.
        available: u64,
        /// The member's size in bytes.
        len: u64,
    },
    /// The bytes passed by in a compressed stream and were not selected.
    #[error("byte {offset} was not kept while the archive was unpacked")]
    NotKept {
        /// The first byte that was not kept, from the member's start.
        offset: u64,
    },
    /// The sparse map is damaged from here on, so that nobody can say which bytes belong there.
    #[error("the member's sparse map is damaged from byte {offset} on")]
    Damaged {
        /// The first byte without a known content, from the member's start.
        offset: u64,
    },
    /// Copying the range together would take more memory than granted.
    #[error(
        "{len} bytes in pieces are too many to copy at once (limit {limit}): read them in chunks"
    )]
    TooLarge {
        /// Bytes asked for.
        len: u64,
        /// The limit, see [`Limits::max_copy`](crate::Limits::max_copy).
        limit: u64,
    },
    /// The operating system refused to give the file.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: Arc<io::Error>,
    },
}
