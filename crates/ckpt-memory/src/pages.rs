//! The bytes of `pages-N.img`.

use bytes::Bytes;
use ckpt_archive::{Absence, Chunk, Content, ContentError};

use crate::Missing;

/// A pages file, as far as the evidence has it. The file is raw: no header, no records.
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
        let Self::Content(content) = self else { return Piece::Missing(Missing::PagesTruncated) };
        let end = offset.saturating_add(len);
        match content.chunks(offset..end).next() {
            Some(Chunk::Data(bytes)) => Piece::Bytes(bytes),
            Some(Chunk::Hole(len)) => Piece::Zeros(len),
            Some(Chunk::Missing { why: Absence::NotKept, .. }) => Piece::Missing(Missing::NotKept),
            Some(Chunk::Missing { .. }) | None => Piece::Missing(Missing::PagesTruncated),
        }
    }

    /// `len` bytes from `offset`, all or none.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Result<Bytes, Missing> {
        let Self::Content(content) = self else { return Err(Missing::PagesTruncated) };
        content.slice(offset..offset.saturating_add(len)).map_err(|error| match error {
            ContentError::NotKept { .. } => Missing::NotKept,
            _ => Missing::PagesTruncated,
        })
    }
}

/// What lies at one place of a pages file.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// A hole of a sparse file, so many bytes long.
    Zeros(u64),
    /// Nothing.
    Missing(Missing),
}
