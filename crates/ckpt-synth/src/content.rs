//! The bytes of a member, which need not all be in memory.

use std::io::{self, Write};

use crate::noise;

/// Bytes of a member: given ones, and pages that are made while they are written.
#[derive(Clone, Debug, Default)]
pub struct Content {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
enum Segment {
    Bytes(Vec<u8>),
    Noise { seed: u64, first: u64, pages: u64, page_size: u64 },
}

impl Content {
    /// No bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(Segment::Bytes(last)) = self.segments.last_mut() {
            last.extend(bytes);
        } else {
            self.segments.push(Segment::Bytes(bytes.to_vec()));
        }
    }

    /// Adds the pages `first .. first + pages` of the endless memory that `seed` names (see [`noise`]).
    pub fn push_noise(&mut self, seed: u64, first: u64, pages: u64, page_size: u64) {
        self.segments.push(Segment::Noise { seed, first, pages, page_size });
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Bytes(bytes) => bytes.len() as u64,
                Segment::Noise { pages, page_size, .. } => pages * page_size,
            })
            .sum()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes all of it, a mebibyte at a time.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut buffer = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Bytes(bytes) => out.write_all(bytes)?,
                Segment::Noise { seed, first, pages, page_size } => {
                    let size = usize::try_from(*page_size).unwrap_or(1).max(1);
                    buffer.resize((1 << 20) / size.min(1 << 20) * size, 0);
                    let mut page = *first;
                    let mut left = usize::try_from(pages * page_size).unwrap_or(usize::MAX);
                    while left > 0 {
                        let take = left.min(buffer.len());
                        let (chunk, _) = buffer.split_at_mut(take);
                        for bytes in chunk.chunks_exact_mut(size) {
                            noise::fill(*seed, page, bytes);
                            page += 1;
                        }
                        out.write_all(chunk)?;
                        left -= chunk.len();
                    }
                }
            }
        }
        Ok(())
    }

    /// All of it in memory.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A Vec takes all that is written to it.
        let _ = self.write_to(&mut bytes);
        bytes
    }
}

impl<T: Into<Vec<u8>>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self { segments: vec![Segment::Bytes(bytes.into())] }
    }
}

#[cfg(test)]
mod tests {
    use super::Content;
    use crate::noise;

    #[test]
    fn mixed() {
        let mut content = Content::from(&b"ab"[..]);
        content.push(b"c");
        content.push_noise(9, 3, 700, 4096);
        content.push(b"d");
        assert_eq!(content.len(), 4 + 700 * 4096);
        let bytes = content.to_vec();
        assert_eq!(bytes.len() as u64, content.len());
        assert_eq!(&bytes[..3], b"abc");
        assert_eq!(&bytes[3..3 + 4096], noise::page(9, 3, 4096));
        assert_eq!(&bytes[3 + 4096 * 699..3 + 4096 * 700], noise::page(9, 702, 4096));
    }
}
