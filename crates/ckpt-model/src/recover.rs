//! Content of files that no file system holds any more: deleted files, memfds, shared memory.
//!
//! CRIU keeps a deleted file as a ghost (`ghost-file-X.img`: the bytes, or pieces of them) and shared memory as pages of
//! its own (`pagemap-shmem-N.img`). Either can claim a size of exabytes in a few bytes, so nothing is put together in
//! memory: [`Recovered::pieces`] gives one piece after another, and a hole of any length is one piece.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ckpt_archive::{Absence, Chunk, Content, Sha256Digest};
use ckpt_memory::{ByteSource, Missing, Piece as MemoryPiece, SharedMemory, Span, VirtAddr};
use criu_image::messages::GhostFileEntry;
use criu_image::{Extra, GhostChunks, Image, ImageKind};
use sha2::{Digest, Sha256};

use crate::Checkpoint;
use crate::files::Remap;

/// Bytes of a ghost image that hold its record, more than any record needs: a symlink's target has 4095 bytes at most.
const GHOST_HEAD: u64 = 64 << 10;

/// Holes longer than this in sum are not hashed.
const MAX_HASHED_ZEROS: u64 = 64 << 30;

/// The content of a file, as far as the evidence has it.
#[derive(Clone, Debug)]
pub struct Recovered {
    size: u64,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// A part of a member, from this offset to its end.
    Member(Content, u64),
    /// Pieces in ascending order that do not overlap; what lies behind `captured` is not there.
    Pieces { pieces: Vec<(u64, Bytes)>, captured: u64 },
    /// Pages from address 0 on.
    Pages(Arc<SharedMemory>),
}

/// A stretch of content. None is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of the evidence, at most a few MiB at a time unless they lie together.
    Bytes(Bytes),
    /// So many zero bytes that the evidence does not store.
    Zeros(u64),
    /// So many bytes that are not there.
    Missing {
        /// How many.
        len: u64,
        /// Why.
        why: Lost,
    },
}

impl Piece {
    /// Bytes of the file that it stands for.
    #[allow(clippy::len_without_is_empty)] // no piece is empty
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(len) | Self::Missing { len, .. } => *len,
        }
    }
}

/// Why bytes are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The image that holds them is cut off, broken or was not kept.
    Image(Absence),
    /// The pages are not there.
    Pages(Missing),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(Absence::Truncated) => f.write_str("the image ends before it"),
            Self::Image(Absence::NotKept) => {
                f.write_str("not kept while the compressed archive was read")
            }
            Self::Image(_) => f.write_str("the image is damaged"),
            Self::Pages(Missing::NoPagemap) => f.write_str("there is no pagemap for it"),
            Self::Pages(why) => why.fmt(f),
        }
    }
}

impl Recovered {
    /// The whole of a member, or of bytes: for other content that is shown and written in the same way.
    #[must_use]
    pub fn whole(content: Content) -> Self {
        Self { size: content.len(), source: Source::Member(content, 0) }
    }

    pub(crate) fn pages(memory: Arc<SharedMemory>) -> Self {
        Self { size: memory.size, source: Source::Pages(memory) }
    }

    /// Its number, when it is shared memory: N of `pagemap-shmem-N.img`.
    #[must_use]
    pub fn shared_memory_id(&self) -> Option<u64> {
        match &self.source {
            Source::Pages(memory) => Some(memory.id),
            _ => None,
        }
    }

    /// Bytes of the file. What it claims: sparse content of a few bytes can have exabytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The content from its start to its end, without gaps.
    #[must_use]
    pub fn pieces(&self) -> Box<dyn Iterator<Item = Piece> + Send + '_> {
        match &self.source {
            Source::Member(content, start) => {
                Box::new(content.chunks(*start..u64::MAX).map(|chunk| match chunk {
                    Chunk::Data(bytes) => Piece::Bytes(bytes),
                    Chunk::Hole(len) => Piece::Zeros(len),
                    Chunk::Missing { len, why } => Piece::Missing { len, why: Lost::Image(why) },
                }))
            }
            Source::Pieces { pieces, captured } => {
                Box::new(Scattered { pieces, next: 0, at: 0, captured: *captured, size: self.size })
            }
            Source::Pages(memory) => {
                Box::new(memory.space.spans(VirtAddr(0), self.size).map(|span| match span {
                    Span::Bytes { bytes, .. } => Piece::Bytes(bytes),
                    Span::Zero { len, .. } => Piece::Zeros(len),
                    Span::Missing { len, why, .. } => Piece::Missing { len, why: Lost::Pages(why) },
                }))
            }
        }
    }

    /// What lies at `offset`, at most `len` bytes, as far as it is in one piece.
    pub(crate) fn piece_at(&self, offset: u64, len: u64) -> MemoryPiece {
        let len = len.min(self.size.saturating_sub(offset));
        let truncated = |len| MemoryPiece::Missing(len, Missing::PagesTruncated);
        match &self.source {
            Source::Member(content, start) => content.piece(start.saturating_add(offset), len),
            Source::Pieces { pieces, captured } => {
                let after = pieces.partition_point(|(start, _)| *start <= offset);
                let here = after.checked_sub(1).and_then(|index| pieces.get(index));
                if let Some((start, bytes)) = here
                    && let Ok(into) = usize::try_from(offset.saturating_sub(*start))
                    && into < bytes.len()
                {
                    let end = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(into);
                    return MemoryPiece::Bytes(bytes.slice(into..end.min(bytes.len())));
                }
                let next = pieces.get(after).map_or(self.size, |(start, _)| *start);
                let hole = len.min(next.saturating_sub(offset));
                if offset >= *captured { truncated(hole) } else { MemoryPiece::Zeros(hole) }
            }
            Source::Pages(memory) => match memory.space.spans(VirtAddr(offset), len).next() {
                Some(Span::Bytes { bytes, .. }) => MemoryPiece::Bytes(bytes),
                Some(Span::Zero { len, .. }) => MemoryPiece::Zeros(len),
                Some(Span::Missing { len, why, .. }) => MemoryPiece::Missing(len, why),
                None => truncated(len),
            },
        }
    }

    /// SHA-256 over all bytes, zeros of holes included.
    ///
    /// # Errors
    ///
    /// The reason why the first missing byte is missing; [`Unhashed::TooLong`] when there are more than 64 GiB of holes,
    /// which a few bytes can claim.
    pub fn sha256(&self) -> Result<Sha256Digest, Unhashed> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut hash = Sha256::new();
        let mut zeros = 0u64;
        for piece in self.pieces() {
            match piece {
                Piece::Bytes(bytes) => hash.update(&bytes),
                Piece::Zeros(len) => {
                    zeros = zeros.saturating_add(len);
                    if zeros > MAX_HASHED_ZEROS {
                        return Err(Unhashed::TooLong);
                    }
                    let mut left = usize::try_from(len).unwrap_or(usize::MAX);
                    while left > 0 {
                        let step = left.min(ZEROS.len());
                        hash.update(ZEROS.get(..step).unwrap_or_default());
                        left = left.saturating_sub(step);
                    }
                }
                Piece::Missing { why, .. } => return Err(Unhashed::Incomplete(why)),
            }
        }
        Ok(Sha256Digest(hash.finalize().into()))
    }
}

/// Why there is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unhashed {
    /// Bytes are missing.
    Incomplete(Lost),
    /// More than 64 GiB of holes.
    TooLong,
}

impl fmt::Display for Unhashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(why) => why.fmt(f),
            Self::TooLong => f.write_str("more than 64 GiB of holes are not hashed"),
        }
    }
}

/// The pieces of a deleted file with the holes between them.
struct Scattered<'a> {
    pieces: &'a [(u64, Bytes)],
    next: usize,
    at: u64,
    captured: u64,
    size: u64,
}

impl Iterator for Scattered<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let next = self.pieces.get(self.next);
        let piece = match next {
            Some((start, bytes)) if *start <= self.at => {
                self.next = self.next.saturating_add(1);
                Piece::Bytes(bytes.clone())
            }
            _ => {
                let end = next.map_or(self.size, |(start, _)| *start).min(self.size);
                let len = end.checked_sub(self.at).filter(|len| *len > 0)?;
                if self.at >= self.captured {
                    Piece::Missing { len, why: Lost::Image(Absence::Truncated) }
                } else {
                    Piece::Zeros(len)
                }
            }
        };
        self.at = self.at.saturating_add(piece.len());
        Some(piece)
    }
}

/// A deleted file: what CRIU kept of it.
#[derive(Clone, Debug)]
pub struct Ghost {
    /// X of `ghost-file-X.img`.
    pub id: u32,
    /// Owner, mode, times; for a symbolic link its target.
    pub entry: GhostFileEntry,
    /// The content; `None` of what has none (directories, links, devices, named pipes).
    pub content: Option<Recovered>,
}

impl Checkpoint {
    /// The content of a deleted file (by its id in `files.img`), as CRIU kept it; `None` when the file is not a ghost or
    /// its image is missing or broken, which is told.
    #[must_use]
    pub fn ghost(&self, file_id: u32) -> Option<Ghost> {
        match self.files().remap(file_id)? {
            Remap::Ghost(id) => self.ghost_image(id),
            _ => None,
        }
    }

    /// The content of `ghost-file-ID.img` (the name has the number in hexadecimal).
    #[must_use]
    pub fn ghost_image(&self, id: u32) -> Option<Ghost> {
        let images = self.images()?;
        let number = Some(u64::from(id));
        let place = images.place(ImageKind::GhostFile, number);
        let Some(content) = images.content(ImageKind::GhostFile, number) else {
            self.told().missing(place, "the content of a deleted file is not there");
            return None;
        };
        match self.read_ghost(id, &content, &place) {
            Ok(ghost) => Some(ghost),
            Err(error) => {
                self.told().damaged(place, error);
                None
            }
        }
    }

    fn read_ghost(&self, id: u32, content: &Content, place: &str) -> Result<Ghost, String> {
        let head_len = content.captured_len().min(GHOST_HEAD);
        let head = content.slice(0..head_len).map_err(|error| error.to_string())?;
        let image = Image::open(ImageKind::GhostFile, head).map_err(|error| error.to_string())?;
        let record = image.records().next().ok_or("no record where there must be one")?;
        let record = record.map_err(|error| error.to_string())?;
        let entry: GhostFileEntry = record.decode().map_err(|error| error.to_string())?;
        let content = match record.extra {
            Extra::GhostContent(rest) => {
                // Of what follows the record only its beginning was read; it goes on to the end of the file.
                let start = head_len.saturating_sub(rest.len() as u64);
                let size = content.len().saturating_sub(start);
                Some(Recovered { size, source: Source::Member(content.clone(), start) })
            }
            Extra::GhostChunks(_) => {
                let whole = content.slice(0..content.captured_len());
                let whole = whole.map_err(|error| error.to_string())?;
                let image =
                    Image::open(ImageKind::GhostFile, whole).map_err(|error| error.to_string())?;
                match image.records().next() {
                    Some(Ok(record)) => match record.extra {
                        Extra::GhostChunks(chunks) => Some(self.scattered(&chunks, place)),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        };
        Ok(Ghost { id, entry, content })
    }

    /// Puts the pieces of a deleted file in order. CRIU writes them in order and without overlap.
    fn scattered(&self, chunks: &GhostChunks, place: &str) -> Recovered {
        let mut pieces: Vec<(u64, Bytes)> = Vec::new();
        let mut captured = u64::MAX;
        for chunk in chunks {
            match chunk {
                Ok(chunk) if chunk.data.is_empty() => {}
                Ok(chunk) => pieces.push((chunk.start, chunk.data)),
                Err(error) => {
                    captured = end_of(pieces.last());
                    self.told().damaged(place, error.to_string());
                }
            }
        }
        if !pieces.is_sorted_by(|a, b| end_of(Some(a)) <= b.0) {
            let what = "pieces of a deleted file overlap or are out of order; of two the one that begins first counts";
            self.told().damaged(place, what);
            pieces.sort_by_key(|(start, _)| *start);
            let mut end = 0;
            for (start, bytes) in &mut pieces {
                let covered = usize::try_from(end.max(*start).saturating_sub(*start));
                let covered = covered.unwrap_or(usize::MAX).min(bytes.len());
                *start = start.saturating_add(covered as u64);
                *bytes = bytes.slice(covered..);
                end = end.max(start.saturating_add(bytes.len() as u64));
            }
            pieces.retain(|(_, bytes)| !bytes.is_empty());
        }
        let size = chunks.size().unwrap_or_default().max(end_of(pieces.last()));
        Recovered { size, source: Source::Pieces { pieces, captured } }
    }

    /// The content of a memfd (by its id in `files.img`).
    #[must_use]
    pub fn memfd(&self, file_id: u32) -> Option<Recovered> {
        let inode = self.files().memfd_inode(file_id)?;
        Some(self.shared_memory(u64::from(inode.shmid), inode.size))
    }

    /// Shared memory by its number: `N` of `pagemap-shmem-N.img`, `shmid` of memfds and mappings, the id of a System V
    /// segment. `size` in bytes. Without an image everything in it is missing.
    #[must_use]
    pub fn shared_memory(&self, shmid: u64, size: u64) -> Recovered {
        Recovered::pages(self.shared_by_id(shmid, size))
    }

    /// The content of a deleted file or of a memfd (by its id in `files.img`): of a file that CRIU kept by a link of its own
    /// that of the link, where an archive in the evidence has it. Such archives are opened with the options that the
    /// checkpoint was opened with.
    #[must_use]
    pub fn recovered(&self, file_id: u32) -> Option<Recovered> {
        match self.files().remap(file_id) {
            Some(Remap::Linked(_)) => self.linked(file_id).map(Recovered::whole),
            Some(_) => self.ghost(file_id)?.content,
            None => self.memfd(file_id),
        }
    }
}

fn end_of(piece: Option<&(u64, Bytes)>) -> u64 {
    piece.map_or(0, |(start, bytes)| start.saturating_add(bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scattered(pieces: &[(u64, &'static str)], captured: u64, size: u64) -> Recovered {
        let pieces =
            pieces.iter().map(|(start, text)| (*start, Bytes::from_static(text.as_bytes())));
        Recovered { size, source: Source::Pieces { pieces: pieces.collect(), captured } }
    }

    #[test]
    fn holes_are_zeros_and_what_is_cut_off_is_missing() {
        let whole: Vec<Piece> = scattered(&[(2, "ab"), (4, "cd")], u64::MAX, 9).pieces().collect();
        let bytes = |text: &'static str| Piece::Bytes(Bytes::from_static(text.as_bytes()));
        assert_eq!(whole, [Piece::Zeros(2), bytes("ab"), bytes("cd"), Piece::Zeros(3)]);
        let cut: Vec<Piece> = scattered(&[(0, "ab")], 2, 5).pieces().collect();
        let why = Lost::Image(Absence::Truncated);
        assert_eq!(cut, [bytes("ab"), Piece::Missing { len: 3, why }]);
        assert_eq!(scattered(&[(0, "ab")], 2, 5).sha256(), Err(Unhashed::Incomplete(why)));
    }

    #[test]
    fn exabytes_of_holes_cost_nothing() {
        let huge = scattered(&[(1 << 62, "x")], u64::MAX, (1 << 62) + 1);
        assert_eq!(huge.pieces().count(), 2);
        assert_eq!(huge.sha256(), Err(Unhashed::TooLong));
    }
}
