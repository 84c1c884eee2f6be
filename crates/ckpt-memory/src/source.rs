//! Bytes by offset: of a pages file, of a mapped file, of shared memory.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ckpt_archive::{Absence, Chunk, Content, ContentError};

use crate::{AddressSpace, Missing};

/// What lies at one place of a file, as much as is in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// A hole of a sparse file, so many bytes long.
    Zeros(u64),
    /// So many bytes that are not there.
    Missing(u64, Missing),
}

/// Something with bytes by offset that a mapping can show.
pub trait ByteSource: fmt::Debug + Send + Sync {
    /// Bytes in it.
    fn size(&self) -> u64;

    /// What lies at `offset`: at least one byte of at most `len`. `offset` is below [`size`](Self::size), and `len` not 0.
    fn piece(&self, offset: u64, len: u64) -> Piece;
}

impl ByteSource for Content {
    fn size(&self) -> u64 {
        self.len()
    }

    fn piece(&self, offset: u64, len: u64) -> Piece {
        match self.chunks(offset..offset.saturating_add(len)).next() {
            Some(Chunk::Data(bytes)) => Piece::Bytes(bytes),
            Some(Chunk::Hole(len)) => Piece::Zeros(len),
            Some(Chunk::Missing { len, why: Absence::NotKept }) => {
                Piece::Missing(len, Missing::NotKept)
            }
            Some(Chunk::Missing { len, .. }) => Piece::Missing(len, Missing::PagesTruncated),
            None => Piece::Missing(len, Missing::PagesTruncated),
        }
    }
}

/// The bytes of `pages-N.img`, as far as the evidence has them. The file is raw: no header, no records.
#[derive(Clone, Debug)]
pub enum PagesFile {
    /// A member of the evidence.
    Content(Content),
    /// Not in the evidence.
    Missing,
}

impl PagesFile {
    /// Bytes in the file; `None` when it is missing.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Content(content) => Some(content.len()),
            Self::Missing => None,
        }
    }

    /// Whether the file is there and holds no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// What lies at `offset`, at most `len` bytes: as much as is in one piece.
    pub(crate) fn piece(&self, offset: u64, len: u64) -> Piece {
        match self {
            Self::Content(content) => content.piece(offset, len),
            Self::Missing => Piece::Missing(len, Missing::PagesMissing),
        }
    }

    /// `len` bytes from `offset`, all or none.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Result<Bytes, Missing> {
        let Self::Content(content) = self else { return Err(Missing::PagesMissing) };
        content.slice(offset..offset.saturating_add(len)).map_err(|error| match error {
            ContentError::NotKept { .. } => Missing::NotKept,
            _ => Missing::PagesTruncated,
        })
    }
}

/// A file that is at hand and whose pages fill those of a mapping that the dump left in the file.
#[derive(Clone, Debug)]
pub struct FileBacking {
    /// Path in the container, without ` (deleted)`.
    pub path: Arc<[u8]>,
    /// Whose bytes they are: `rootfs-diff.tar`, `ghost-file-1.img`, `base:IMAGE`, ...; safe for a terminal.
    pub source: Arc<str>,
    /// The bytes.
    pub content: Arc<dyn ByteSource>,
}

impl FileBacking {
    /// Whether the file has these bytes at an offset, zeros behind its end; `None` when its own are not all there.
    #[must_use]
    pub fn holds(&self, offset: u64, bytes: &[u8]) -> Option<bool> {
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let left = self.content.size().saturating_sub(at);
            let len = left.min(rest.len() as u64);
            let piece = match len {
                0 => Piece::Zeros(rest.len() as u64),
                len => self.content.piece(at, len),
            };
            let step = match &piece {
                Piece::Bytes(bytes) => bytes.len(),
                Piece::Zeros(len) => usize::try_from(*len).unwrap_or(usize::MAX),
                Piece::Missing(..) => return None,
            };
            let (here, behind) = rest.split_at(step.min(rest.len()));
            let same = match &piece {
                Piece::Bytes(bytes) => bytes.starts_with(here),
                _ => here.iter().all(|byte| *byte == 0),
            };
            if !same || here.is_empty() {
                return Some(false);
            }
            at = at.saturating_add(here.len() as u64);
            rest = behind;
        }
        Some(true)
    }
}

/// Shared memory: memfds, shared anonymous memory, System V segments. Offsets in it are addresses from 0 on.
#[derive(Clone, Debug)]
pub struct SharedMemory {
    /// N of `pagemap-shmem-N.img`.
    pub id: u64,
    /// Bytes.
    pub size: u64,
    /// Its pages.
    pub space: AddressSpace,
}
