//! A member's bytes: data that is there, holes of sparse files, and what is not there.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::ContentError;
use crate::member::{Keep, Stored};
use crate::sparse::SparseMap;

/// The bytes of one member. Cheap to clone, without lifetimes; data is a slice of a mapping and never copied until a range
/// crosses its pieces.
#[derive(Clone)]
pub struct Content {
    len: u64,
    /// In ascending order, without gaps, covering `0..len`; none is empty.
    segments: Arc<[Segment]>,
    max_copy: u64,
}

#[derive(Debug, Clone)]
struct Segment {
    start: u64,
    len: u64,
    body: Body,
}

impl Segment {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

#[derive(Debug, Clone)]
enum Body {
    Data(Bytes),
    Hole,
    Missing(Absence),
}

/// Why a range has no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absence {
    /// The archive was cut before it.
    Truncated,
    /// It passed by in a compressed stream, and [`Select`](crate::Select) did not ask for it.
    NotKept,
    /// The map of a sparse member is damaged, so that nobody can say what belongs there.
    Damaged,
}

/// A stretch of content, see [`Content::chunks`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Bytes of the evidence.
    Data(Bytes),
    /// So many zero bytes that the evidence does not store.
    Hole(u64),
    /// So many bytes that are not there.
    Missing {
        /// How many.
        len: u64,
        /// Why.
        why: Absence,
    },
}

impl Chunk {
    /// Number of bytes that the chunk stands for. Never 0 when it comes from [`Content::chunks`].
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        match self {
            Chunk::Data(bytes) => as_u64(bytes.len()),
            Chunk::Hole(len) | Chunk::Missing { len, .. } => *len,
        }
    }
}

impl Content {
    /// Content of a file that should have `len` bytes, of which `bytes` could be read.
    pub(crate) fn partial(bytes: &Bytes, len: u64, max_copy: u64) -> Self {
        let bytes = clip(bytes, 0..len);
        let rest = len.saturating_sub(as_u64(bytes.len()));
        let mut builder = Builder::default();
        builder.push(as_u64(bytes.len()), Body::Data(bytes));
        builder.push(rest, Body::Missing(Absence::Truncated));
        builder.finish(max_copy)
    }

    /// Content as an archive stores it: `part` holds the kept bytes, `sparse` says where they belong in `size` bytes.
    pub(crate) fn stored(
        part: &Bytes,
        stored: &Stored,
        sparse: Option<&SparseMap>,
        size: u64,
        max_copy: u64,
    ) -> Self {
        let packed = pack(part, stored);
        let Some(map) = sparse else {
            return packed.finish(max_copy);
        };
        let mut logical = Builder::default();
        let mut from = 0_usize;
        for (range, at) in map.iter() {
            logical.push(range.start.saturating_sub(logical.len), Body::Hole);
            let end = at.saturating_add(range.end.saturating_sub(range.start));
            while let Some(segment) = packed.segments.get(from).filter(|next| next.start < end) {
                logical.push_part(segment, at..end);
                if segment.end() > end {
                    break;
                }
                from = from.saturating_add(1);
            }
        }
        logical.push(map.trusted.saturating_sub(logical.len), Body::Hole);
        logical.push(size.saturating_sub(logical.len), Body::Missing(Absence::Damaged));
        logical.finish(max_copy)
    }

    /// Logical size in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the logical size is 0.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes from the start up to where the archive was cut or the sparse map is damaged; [`Content::len`] when neither is so.
    pub fn captured_len(&self) -> u64 {
        let absent = self.segments.iter().find(|segment| {
            matches!(segment.body, Body::Missing(Absence::Truncated | Absence::Damaged))
        });
        absent.map_or(self.len, |segment| segment.start)
    }

    /// Everything, as one piece. Zero copy unless the content has holes or lies in pieces.
    pub fn bytes(&self) -> Result<Bytes, ContentError> {
        self.slice(0..self.len)
    }

    /// The bytes of `range`. Zero copy when they lie in one piece; holes read as zeros.
    ///
    /// ```
    /// # use ckpt_archive::{ContentError, Evidence, Options};
    /// # fn read(evidence: &Evidence) -> Result<(), Box<dyn std::error::Error>> {
    /// let member = evidence.get(b"checkpoint/inventory.img").ok_or("no inventory")?;
    /// match evidence.content(member)?.slice(0..8) {
    ///     Ok(magic) => println!("{magic:x}"),
    ///     Err(ContentError::Truncated { available, .. }) => println!("cut after {available} bytes"),
    ///     Err(other) => return Err(other.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn slice(&self, range: Range<u64>) -> Result<Bytes, ContentError> {
        if range.start > range.end || range.end > self.len {
            return Err(ContentError::OutOfRange { range, len: self.len });
        }
        if range.start == range.end {
            return Ok(Bytes::new());
        }
        let covering = self.covering(&range);
        if let [Segment { start, body: Body::Data(bytes), .. }] = covering {
            let from = range.start.saturating_sub(*start);
            return Ok(clip(bytes, from..range.end.saturating_sub(*start)));
        }
        for segment in covering {
            if let Body::Missing(why) = segment.body {
                return Err(self.absent(why, segment.start.max(range.start)));
            }
        }
        let len = range.end.saturating_sub(range.start);
        let too_large = ContentError::TooLarge { len, limit: self.max_copy };
        if len > self.max_copy {
            return Err(too_large);
        }
        let mut out = Vec::new();
        if !usize::try_from(len).is_ok_and(|len| out.try_reserve_exact(len).is_ok()) {
            return Err(too_large);
        }
        for chunk in self.chunks(range) {
            match chunk {
                Chunk::Data(bytes) => out.extend_from_slice(&bytes),
                Chunk::Hole(len) => {
                    let len = usize::try_from(len).unwrap_or(0);
                    out.resize(out.len().saturating_add(len), 0);
                }
                Chunk::Missing { .. } => {}
            }
        }
        Ok(out.into())
    }

    /// The stretches of `range` (cut to the content), in order and without gaps: nothing is copied, and holes of any size are
    /// one chunk.
    pub fn chunks(&self, range: Range<u64>) -> Chunks {
        let end = range.end.min(self.len);
        let start = range.start.min(end);
        let next = self.segments.partition_point(|segment| segment.end() <= start);
        Chunks { content: self.clone(), next, range: start..end }
    }

    /// Reads the content from its start; holes read as zeros, and reading what is not there is an error.
    pub fn reader(&self) -> ContentReader {
        ContentReader { content: self.clone(), position: 0 }
    }

    fn covering(&self, range: &Range<u64>) -> &[Segment] {
        let first = self.segments.partition_point(|segment| segment.end() <= range.start);
        let behind = self.segments.partition_point(|segment| segment.start < range.end);
        self.segments.get(first..behind).unwrap_or_default()
    }

    fn absent(&self, why: Absence, offset: u64) -> ContentError {
        match why {
            Absence::Truncated => {
                ContentError::Truncated { available: self.captured_len(), len: self.len }
            }
            Absence::NotKept => ContentError::NotKept { offset },
            Absence::Damaged => ContentError::Damaged { offset },
        }
    }
}

/// Bytes as the content of a file that lies in one piece.
impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        let mut whole = Builder::default();
        whole.push(as_u64(bytes.len()), Body::Data(bytes));
        whole.finish(crate::Limits::default().max_copy)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes themselves are no help in a debug message.
        f.debug_struct("Content")
            .field("len", &self.len)
            .field("captured_len", &self.captured_len())
            .field("segments", &self.segments.len())
            .finish()
    }
}

/// The packed bytes of a member, with gaps where nothing was kept.
fn pack(part: &Bytes, stored: &Stored) -> Builder {
    let mut packed = Builder::default();
    match &stored.keep {
        Keep::Nothing | Keep::File => {}
        Keep::Whole(at) => {
            let bytes = clip(part, *at..at.saturating_add(stored.captured));
            packed.push(as_u64(bytes.len()), Body::Data(bytes));
        }
        Keep::Pieces(pieces) => {
            for piece in pieces {
                let gap = piece.start.saturating_sub(packed.len);
                packed.push(gap, Body::Missing(Absence::NotKept));
                let bytes = clip(part, piece.at..piece.at.saturating_add(piece.len));
                packed.push(as_u64(bytes.len()), Body::Data(bytes));
            }
        }
    }
    packed.push(stored.captured.saturating_sub(packed.len), Body::Missing(Absence::NotKept));
    packed.push(stored.packed.saturating_sub(packed.len), Body::Missing(Absence::Truncated));
    packed
}

/// Appends segments, keeping the promise of `Content::segments`.
#[derive(Default)]
struct Builder {
    len: u64,
    segments: Vec<Segment>,
}

impl Builder {
    fn push(&mut self, len: u64, body: Body) {
        if len != 0 {
            self.segments.push(Segment { start: self.len, len, body });
            self.len = self.len.saturating_add(len);
        }
    }

    /// Appends the part of `segment` that lies in `range`.
    fn push_part(&mut self, segment: &Segment, range: Range<u64>) {
        let start = range.start.max(segment.start);
        let end = range.end.min(segment.end());
        let body = match &segment.body {
            Body::Data(bytes) => {
                let from = start.saturating_sub(segment.start);
                Body::Data(clip(bytes, from..end.saturating_sub(segment.start)))
            }
            other => other.clone(),
        };
        self.push(end.saturating_sub(start), body);
    }

    fn finish(self, max_copy: u64) -> Content {
        Content { len: self.len, segments: self.segments.into(), max_copy }
    }
}

/// The stretches of a content: an iterator, see [`Content::chunks`].
#[derive(Debug, Clone)]
pub struct Chunks {
    content: Content,
    next: usize,
    range: Range<u64>,
}

impl Iterator for Chunks {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        if self.range.is_empty() {
            return None;
        }
        let segment = self.content.segments.get(self.next)?;
        let end = segment.end().min(self.range.end);
        let len = end.saturating_sub(self.range.start);
        let chunk = match &segment.body {
            Body::Data(bytes) => {
                let from = self.range.start.saturating_sub(segment.start);
                Chunk::Data(clip(bytes, from..from.saturating_add(len)))
            }
            Body::Hole => Chunk::Hole(len),
            Body::Missing(why) => Chunk::Missing { len, why: *why },
        };
        self.range.start = end;
        self.next = self.next.saturating_add(1);
        Some(chunk)
    }
}

/// Reads a content like a file, see [`Content::reader`].
#[derive(Debug, Clone)]
pub struct ContentReader {
    content: Content,
    position: u64,
}

impl Read for ContentReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let end = self.position.saturating_add(as_u64(out.len()));
        let Some(chunk) = self.content.chunks(self.position..end).next() else {
            return Ok(0);
        };
        let count = usize::try_from(chunk.len()).unwrap_or(usize::MAX).min(out.len());
        let (out, _) = out.split_at_mut_checked(count).unwrap_or_default();
        match chunk {
            Chunk::Data(bytes) => out.copy_from_slice(bytes.get(..count).unwrap_or_default()),
            Chunk::Hole(_) => out.fill(0),
            Chunk::Missing { why, .. } => {
                return Err(io::Error::other(self.content.absent(why, self.position)));
            }
        }
        self.position = self.position.saturating_add(as_u64(count));
        Ok(count)
    }
}

impl Seek for ContentReader {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.content.len.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The part of `bytes` that lies in `range`; ranges that reach beyond give what is there.
pub(crate) fn clip(bytes: &Bytes, range: Range<u64>) -> Bytes {
    let clamp = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let (start, end) = (clamp(range.start), clamp(range.end));
    if start >= end { Bytes::new() } else { bytes.slice(start..end) }
}

/// Lengths in memory always fit.
pub(crate) fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Piece;
    use crate::sparse::Extent;

    fn pieces(pieces: &[(u64, u64, u64)], packed: u64, captured: u64) -> Stored {
        let pieces = pieces.iter().map(|&(start, len, at)| Piece { start, len, at }).collect();
        Stored { packed, captured, keep: Keep::Pieces(pieces), ..Stored::default() }
    }

    #[test]
    fn one_piece_is_not_copied() {
        let bytes = Bytes::from(vec![1, 2, 3, 4]);
        let content = Content::partial(&bytes, 4, 0);
        assert_eq!(content.slice(1..3).unwrap().as_ptr(), bytes[1..].as_ptr());
        assert_eq!(content.bytes().unwrap(), bytes);
        assert!(matches!(content.slice(3..5), Err(ContentError::OutOfRange { len: 4, .. })));
        assert_eq!(content.slice(4..4).unwrap(), Bytes::new());
    }

    #[test]
    fn gaps_tell_why() {
        let part = Bytes::from_static(b"abcdef");
        let content = Content::stored(&part, &pieces(&[(2, 3, 1)], 10, 8), None, 10, 100);
        let chunks: Vec<_> = content.chunks(0..u64::MAX).collect();
        assert_eq!(
            chunks,
            [
                Chunk::Missing { len: 2, why: Absence::NotKept },
                Chunk::Data(Bytes::from_static(b"bcd")),
                Chunk::Missing { len: 3, why: Absence::NotKept },
                Chunk::Missing { len: 2, why: Absence::Truncated },
            ]
        );
        assert_eq!(content.captured_len(), 8);
        assert!(matches!(content.slice(1..4), Err(ContentError::NotKept { offset: 1 })));
        assert!(matches!(
            content.slice(8..9),
            Err(ContentError::Truncated { available: 8, len: 10 })
        ));
        assert_eq!(&content.slice(3..5).unwrap()[..], b"cd");
    }

    #[test]
    fn sparse_content_has_holes_and_pieces() {
        let part = Bytes::from_static(b"abcdef");
        let extents = [Some(Extent { offset: 2, len: 2 }), Some(Extent { offset: 6, len: 4 })];
        let (map, fault) = SparseMap::new(&extents, 12, 6);
        assert_eq!(fault, None);
        let stored = Stored { packed: 6, captured: 6, keep: Keep::Whole(0), ..Stored::default() };
        let content = Content::stored(&part, &stored, Some(&map), 12, 100);
        assert_eq!(&content.bytes().unwrap()[..], b"\0\0ab\0\0cdef\0\0");
        assert_eq!(&content.slice(3..7).unwrap()[..], b"b\0\0c");
        let mut read = Vec::new();
        content.reader().read_to_end(&mut read).unwrap();
        assert_eq!(read, b"\0\0ab\0\0cdef\0\0");

        // Kept in pieces that do not match the extents.
        let stored = pieces(&[(1, 3, 1)], 6, 6);
        let content = Content::stored(&part, &stored, Some(&map), 12, 100);
        assert_eq!(&content.slice(3..8).unwrap()[..], b"b\0\0cd");
        assert!(matches!(content.slice(2..4), Err(ContentError::NotKept { offset: 2 })));
        assert!(matches!(content.slice(7..9), Err(ContentError::NotKept { offset: 8 })));
    }

    #[test]
    fn holes_without_end_cost_nothing() {
        let (map, fault) = SparseMap::new(&[], 1 << 62, 0);
        assert_eq!(fault, None);
        let content =
            Content::stored(&Bytes::new(), &Stored::default(), Some(&map), 1 << 62, 1 << 20);
        assert_eq!(content.chunks(0..u64::MAX).collect::<Vec<_>>(), [Chunk::Hole(1 << 62)]);
        assert!(matches!(content.bytes(), Err(ContentError::TooLarge { .. })));
        assert_eq!(&content.slice((1 << 61)..(1 << 61) + 2).unwrap()[..], b"\0\0");
    }
}
