//! The bytes of an artifact, piece by piece, and their hash.

use std::sync::Arc;

use bytes::Bytes;
use ckpt_archive::{Absence, Chunk, Content, Evidence, Member, Sha256Digest};
use ckpt_memory::ByteSource;
use sha2::{Digest, Sha256};

use crate::{Lost, Piece, Recovered, Unhashed};

/// The bytes of an artifact. Cheap to clone; nothing is copied.
#[derive(Clone, Debug)]
pub struct ArtifactContent(Source);

#[derive(Clone, Debug)]
enum Source {
    Recovered(Recovered),
    /// Messages, one after another.
    Parts(Arc<[Bytes]>),
    /// A member of an archive inside the evidence, by its number, and its size in bytes.
    Member(Arc<Evidence>, usize, u64),
}

impl ArtifactContent {
    pub(super) fn recovered(content: Recovered) -> Self {
        Self(Source::Recovered(content))
    }

    pub(super) fn parts(parts: Vec<Bytes>) -> Self {
        Self(Source::Parts(parts.into()))
    }

    pub(super) fn member(archive: &Arc<Evidence>, number: usize, size: u64) -> Self {
        Self(Source::Member(Arc::clone(archive), number, size))
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.0 {
            Source::Recovered(content) => content.size(),
            Source::Parts(parts) => sum(parts.iter().map(|part| part.len() as u64)),
            Source::Member(_, _, size) => *size,
        }
    }

    /// Its bytes by offset; `None` of what lies in parts, and where the archive does not have it.
    pub(crate) fn source(&self) -> Option<Arc<dyn ByteSource>> {
        match &self.0 {
            Source::Recovered(content) => Some(Arc::new(content.clone())),
            Source::Parts(_) => None,
            Source::Member(archive, number, _) => {
                let content = open(archive, archive.members().get(*number)?)?;
                Some(Arc::new(content))
            }
        }
    }

    /// It as a member of an archive; `None` of what is no member, and where the archive does not have it.
    pub(crate) fn of_member(&self) -> Option<Content> {
        match &self.0 {
            Source::Member(archive, number, _) => open(archive, archive.members().get(*number)?),
            _ => None,
        }
    }

    /// Its number, when it is shared memory: N of `pagemap-shmem-N.img`.
    #[must_use]
    pub fn shared_memory_id(&self) -> Option<u64> {
        match &self.0 {
            Source::Recovered(content) => content.shared_memory_id(),
            _ => None,
        }
    }

    /// Bytes that are holes.
    pub(super) fn holes(&self) -> u64 {
        match &self.0 {
            Source::Parts(_) => 0,
            Source::Member(archive, number, _)
                if archive.members().get(*number).is_some_and(|member| !member.is_sparse()) =>
            {
                0
            }
            _ => sum(self.pieces().map(|piece| match piece {
                Piece::Zeros(len) => len,
                _ => 0,
            })),
        }
    }

    /// The bytes from the first to the last, without gaps.
    #[must_use]
    pub fn pieces(&self) -> Box<dyn Iterator<Item = Piece> + Send + '_> {
        match &self.0 {
            Source::Recovered(content) => content.pieces(),
            Source::Parts(parts) => Box::new(
                parts.iter().filter(|part| !part.is_empty()).map(|part| Piece::Bytes(part.clone())),
            ),
            Source::Member(archive, number, size) => {
                let content = archive.members().get(*number).map(|member| open(archive, member));
                match content.flatten() {
                    Some(content) => Box::new(content.chunks(0..content.len()).map(piece)),
                    None => Box::new(
                        (*size > 0)
                            .then(|| Piece::Missing {
                                len: *size,
                                why: Lost::Image(Absence::Damaged),
                            })
                            .into_iter(),
                    ),
                }
            }
        }
    }

    /// SHA-256 over all bytes, holes included.
    ///
    /// # Errors
    ///
    /// Why a byte is missing.
    pub fn sha256(&self) -> Result<Sha256Digest, Unhashed> {
        let mut hashing = Hashing::default();
        for piece in self.pieces() {
            hashing.update(&piece)?;
        }
        Ok(hashing.finish())
    }
}

fn open(archive: &Evidence, member: &Member) -> Option<Content> {
    archive.content(member).ok()
}

fn piece(chunk: Chunk) -> Piece {
    match chunk {
        Chunk::Data(bytes) => Piece::Bytes(bytes),
        Chunk::Hole(len) => Piece::Zeros(len),
        Chunk::Missing { len, why } => Piece::Missing { len, why: Lost::Image(why) },
    }
}

fn sum(lengths: impl Iterator<Item = u64>) -> u64 {
    lengths.fold(0, u64::saturating_add)
}

/// SHA-256 over pieces, while something else is done with them.
#[derive(Clone, Debug, Default)]
pub struct Hashing(Sha256);

impl Hashing {
    /// Goes on with a piece.
    ///
    /// # Errors
    ///
    /// Why its bytes are missing.
    pub fn update(&mut self, piece: &Piece) -> Result<(), Unhashed> {
        match piece {
            Piece::Bytes(bytes) => self.0.update(bytes),
            Piece::Zeros(len) => self.zeros(*len),
            Piece::Missing { why, .. } => return Err(Unhashed::Incomplete(*why)),
        }
        Ok(())
    }

    /// Goes on with so many zeros.
    pub fn zeros(&mut self, len: u64) {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut left = len;
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
            self.0.update(ZEROS.get(..step).unwrap_or_default());
            left = left.saturating_sub(step as u64);
        }
    }

    /// The digest of everything so far.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}
