//! The bytes of `pages-N.img`.

use bytes::Bytes;
use ckpt_archive::Content;

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

    /// `len` bytes from `offset`, as many as are there: shorter at the end of a truncated file, `None` when none are.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Option<Bytes> {
        let Self::Content(content) = self else { return None };
        let end = offset.checked_add(len)?.min(content.captured_len());
        if end <= offset {
            return None;
        }
        content.slice(offset..end).ok()
    }
}
