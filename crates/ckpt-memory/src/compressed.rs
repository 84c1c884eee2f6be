//! Pages in LZ4 blocks: CRIU after 4.2.

use bytes::Bytes;

use crate::pagemap::CompressedRun;
use crate::source::Piece;
use crate::{Missing, PagesFile, Run, VirtAddr};

/// Largest uncompressed block that is expanded, bytes. CRIU's own limit for a region is 4 MiB.
const MAX_BLOCK: usize = 64 << 20;

/// Where in its block an address lies.
pub(crate) struct Block {
    /// Bytes of the block before the address.
    before: u64,
    /// Uncompressed bytes of the block.
    size: u64,
    /// Offset in the pages file and bytes there; `None` when the entry lists fewer blocks.
    stored: Option<(u64, u32)>,
}

impl Block {
    /// The block of `run` that holds `at`.
    pub(crate) fn of(run: &Run, blocks: &CompressedRun, at: VirtAddr) -> Self {
        let into = at.since(run.start);
        let index = into.checked_div(blocks.block_bytes).unwrap_or_default();
        let start = index.saturating_mul(blocks.block_bytes);
        let size = blocks.block_bytes.min(run.end.since(run.start).saturating_sub(start));
        let place = usize::try_from(index).ok().and_then(|index| blocks.blocks.get(index));
        Self { before: into.saturating_sub(start), size, stored: place.copied() }
    }

    /// Bytes from the address to the end of the block.
    pub(crate) fn left(&self) -> u64 {
        self.size.saturating_sub(self.before)
    }

    /// Whether it is all zeros.
    pub(crate) fn is_zero(&self) -> bool {
        matches!(self.stored, Some((_, 0)))
    }

    /// Whether the pages file has all of its bytes.
    pub(crate) fn is_there(&self, pages: &PagesFile) -> bool {
        let end = self.stored.map(|(offset, len)| offset.saturating_add(u64::from(len)));
        end.is_some_and(|end| pages.len().is_some_and(|len| end <= len))
    }
}

/// The rest of the block that holds `at`, at most `len` bytes of it.
pub(crate) fn piece(
    pages: &PagesFile,
    run: &Run,
    blocks: &CompressedRun,
    at: VirtAddr,
    len: u64,
) -> Piece {
    let block = Block::of(run, blocks, at);
    let len = len.min(block.left());
    if block.is_zero() {
        return Piece::Zeros(len);
    }
    match expand(pages, &block, len) {
        Ok(bytes) => Piece::Bytes(bytes),
        Err(why) => Piece::Missing(len, why),
    }
}

fn expand(pages: &PagesFile, block: &Block, len: u64) -> Result<Bytes, Missing> {
    let (offset, stored) = block.stored.ok_or(Missing::Damaged)?;
    let bytes = pages.slice(offset, u64::from(stored))?;
    let size = usize::try_from(block.size).map_err(|_| Missing::Damaged)?;
    // A block as long as what it holds was stored as it is: LZ4 had not gained enough.
    let plain = if bytes.len() == size {
        bytes
    } else {
        if size > MAX_BLOCK {
            return Err(Missing::Damaged);
        }
        match lz4_flex::block::decompress(&bytes, size) {
            Ok(plain) if plain.len() == size => Bytes::from(plain),
            _ => return Err(Missing::Damaged),
        }
    };
    let from = usize::try_from(block.before).map_err(|_| Missing::Damaged)?;
    let to = usize::try_from(block.before.saturating_add(len)).map_err(|_| Missing::Damaged)?;
    if from > to || to > plain.len() {
        return Err(Missing::Damaged);
    }
    Ok(plain.slice(from..to))
}
