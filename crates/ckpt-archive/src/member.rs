//! What is known about a member without looking at its content.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::ContentError;
use crate::digest::Sha256Digest;
use crate::name::{NameRisk, resolve_link};
use crate::sparse::SparseMap;

/// One entry of an archive, a directory or an image layer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Member {
    /// The name for looking up: see [`normalise`](crate::normalise).
    pub path: Vec<u8>,
    /// The name exactly as the evidence writes it.
    pub raw_path: Vec<u8>,
    /// What it is.
    pub kind: MemberKind,
    /// Logical size in bytes: holes of sparse files count, missing bytes of a cut archive too. 0 for a hard link.
    pub size: u64,
    /// Permission bits, including set-user-id, set-group-id and sticky (`0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// The owner's name, if the archive gives one.
    pub uname: Option<Arc<[u8]>>,
    /// The group's name, if the archive gives one.
    pub gname: Option<Arc<[u8]>>,
    /// Last modification of the content.
    pub mtime: Timestamp,
    /// Last access, where recorded (PAX and GNU headers, directories).
    pub atime: Option<Timestamp>,
    /// Last change of the inode, where recorded (PAX and GNU headers, directories).
    pub ctime: Option<Timestamp>,
    /// Target of a symlink or a hard link, as written.
    pub link_target: Option<Vec<u8>>,
    /// Where its first header (extended headers included) lies in the tar stream of its archive or layer, in bytes; 0 in a
    /// directory.
    pub header_offset: u64,
    /// Extended attributes (PAX `SCHILY.xattr.*`) by name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Set if the name could do harm when extracted.
    pub unsafe_name: Option<NameRisk>,
    /// Position in [`Evidence::members`](crate::Evidence::members).
    pub(crate) id: u32,
    /// For sparse files, where the stored bytes belong.
    pub(crate) sparse: Option<Box<SparseMap>>,
    /// Where the stored bytes are.
    pub(crate) stored: Stored,
}

impl Member {
    /// Whether this is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == MemberKind::File
    }

    /// Whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == MemberKind::Directory
    }

    /// Whether the file was stored with holes.
    pub fn is_sparse(&self) -> bool {
        self.sparse.is_some()
    }

    /// The last component of the path.
    pub fn file_name(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// The path of the directory that holds it; empty at the top.
    pub fn parent(&self) -> &[u8] {
        let cut = self.path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        self.path.get(..cut).unwrap_or_default()
    }

    /// For a symlink, the normalised path that it points to, worked out on the names alone. `None` when the target is absolute
    /// or climbs out of the evidence.
    pub fn symlink_path(&self) -> Option<Vec<u8>> {
        match (&self.kind, &self.link_target) {
            (MemberKind::Symlink, Some(target)) => resolve_link(&self.path, target),
            _ => None,
        }
    }

    /// SHA-256 of its content with holes as zeros, or why there is none; only of files in evidence that was opened by
    /// [`Evidence::hash`](crate::Evidence::hash).
    pub fn sha256(&self) -> Option<Result<Sha256Digest, ContentError>> {
        self.stored.sha256.clone()
    }

    /// Memory that the listing of this member takes, roughly.
    pub(crate) fn weight(&self) -> u64 {
        let names =
            [self.path.len(), self.raw_path.len(), self.link_target.as_ref().map_or(0, Vec::len)];
        let attributes = self.xattrs.iter().flat_map(|(name, value)| [name.len(), value.len(), 64]);
        let extents = self.sparse.as_ref().map_or(0, |map| map.weight());
        let own = [size_of::<Member>(), extents];
        let sum =
            names.into_iter().chain(attributes).chain(own).fold(0_usize, usize::saturating_add);
        u64::try_from(sum).unwrap_or(u64::MAX)
    }
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MemberKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A further name of a file that the archive holds already.
    HardLink,
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
    /// A unix socket; only directories hold them.
    Socket,
    /// A tar type flag that means something else.
    Other(u8),
}

impl fmt::Display for MemberKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemberKind::File => "regular file",
            MemberKind::Directory => "directory",
            MemberKind::Symlink => "symlink",
            MemberKind::HardLink => "hard link",
            MemberKind::CharDevice { .. } => "character device",
            MemberKind::BlockDevice { .. } => "block device",
            MemberKind::Fifo => "fifo",
            MemberKind::Socket => "socket",
            MemberKind::Other(_) => "member of unknown type",
        })
    }
}

/// A point in time, counted from 1970-01-01T00:00:00Z without leap seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds; negative before 1970.
    pub secs: i64,
    /// Nanoseconds after `secs`, less than 1,000,000,000.
    pub nanos: u32,
}

/// Where the packed bytes of a member are. "Packed" is what the archive stores: without the holes of sparse files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    /// Which part of the evidence holds them.
    pub(crate) part: u32,
    /// Bytes that the archive should hold.
    pub(crate) packed: u64,
    /// Bytes that it does hold, less if it was cut.
    pub(crate) captured: u64,
    /// Which of them are at hand.
    pub(crate) keep: Keep,
    /// Hash of the content, where everything was hashed while it passed by.
    pub(crate) sha256: Option<Result<Sha256Digest, ContentError>>,
}

/// Which packed bytes of a member are at hand.
#[derive(Debug, Clone, Default)]
pub(crate) enum Keep {
    /// None of them.
    #[default]
    Nothing,
    /// All that were captured, from this offset of the part.
    Whole(u64),
    /// Some ranges, in ascending order.
    Pieces(Box<[Piece]>),
    /// A file below a directory, read when asked for.
    File,
}

/// A range of packed bytes and where it lies in the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// First byte, counted in packed bytes of the member.
    pub(crate) start: u64,
    /// Number of bytes.
    pub(crate) len: u64,
    /// Offset in the part.
    pub(crate) at: u64,
}
