//! SHA-256 over contents.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::content::{Chunk, Content};
use crate::{Absence, ContentError};

/// Holes longer than this in sum are not hashed: a header of 512 bytes can claim exabytes of them.
const MAX_HOLES: u64 = 64 << 30;

/// A SHA-256 digest. Displayed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256Digest({self})")
    }
}

/// Hashes a whole content without copying it; holes count as zeros, as a reader of the original file would see them.
///
/// What is not there makes this an error, and so do more than 64 GiB of holes.
pub fn sha256(content: &Content) -> Result<Sha256Digest, ContentError> {
    let zeros = Bytes::from_static(&[0; 64 << 10]);
    let mut hash = Sha256::new();
    let mut holes = 0_u64;
    for chunk in content.chunks(0..content.len()) {
        match chunk {
            Chunk::Data(bytes) => hash.update(&bytes),
            Chunk::Hole(len) => {
                holes = holes.saturating_add(len);
                if holes > MAX_HOLES {
                    return Err(ContentError::TooLarge { len: content.len(), limit: MAX_HOLES });
                }
                let mut left = usize::try_from(len).unwrap_or(usize::MAX);
                while left > 0 {
                    let step = left.min(zeros.len());
                    hash.update(zeros.get(..step).unwrap_or_default());
                    left = left.saturating_sub(step);
                }
            }
            Chunk::Missing { why, .. } => return Err(missing(content, why)),
        }
    }
    Ok(Sha256Digest(hash.finalize().into()))
}

/// Hashes bytes in memory.
pub fn sha256_bytes(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest(Sha256::digest(bytes).into())
}

/// The error that a slice over the first absent byte gives, which knows the offsets.
fn missing(content: &Content, why: Absence) -> ContentError {
    let mut offset = 0_u64;
    for chunk in content.chunks(0..content.len()) {
        if let Chunk::Missing { why: found, .. } = chunk
            && found == why
        {
            break;
        }
        offset = offset.saturating_add(chunk.len());
    }
    match why {
        Absence::Truncated => ContentError::Truncated { available: offset, len: content.len() },
        Absence::NotKept => ContentError::NotKept { offset },
        Absence::Damaged => ContentError::Damaged { offset },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_published_ones() {
        assert_eq!(
            sha256_bytes(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let content = Content::partial(&Bytes::from_static(b"abc"), 3, 0);
        assert_eq!(sha256(&content).unwrap(), sha256_bytes(b"abc"));
        let cut = Content::partial(&Bytes::from_static(b"abc"), 5, 0);
        assert!(matches!(sha256(&cut), Err(ContentError::Truncated { available: 3, len: 5 })));
    }
}
