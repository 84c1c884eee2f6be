//! Pagemap entries with the block lists of compressed dumps.
//!
//! CRIU after 4.2 can compress pages files (raw LZ4 blocks). Two layouts of the block list were merged one after the
//! other, and both use field number 6 for different types; which one an entry has is told by how it is coded.

use crate::frame::{ImageError, Record};
use crate::messages::{PagemapBlocks, PagemapEntry, PagemapEntryLayoutA, PagemapEntryLayoutB};
use crate::schema::{Described, MessageSchema};
use crate::wire::{WireValue, walk};

/// A pagemap entry and, in compressed dumps, its blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct PagemapRecord {
    /// The entry.
    pub entry: PagemapEntry,
    /// Its blocks; `None` when its pages are stored as they are.
    pub blocks: Option<Blocks>,
}

/// Which form a block list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockLayout {
    /// Fields 6 to 8 of the entry.
    A,
    /// A message in field 6.
    B,
}

/// The blocks of a run of pages.
///
/// A block of 0 bytes is all zeros. A block of as many bytes as it has uncompressed is stored as it is. Any other is an
/// LZ4 block that expands to exactly the uncompressed bytes. The last block of a run may hold fewer pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Form of the list.
    pub layout: BlockLayout,
    /// Stored bytes of each block.
    pub sizes: Vec<u32>,
    /// Pages of one block; 1 where the entry does not say.
    pub pages_per_block: u64,
    /// Stored bytes of all blocks as the entry says; layout A may not, then it is the sum of the sizes.
    pub total: u64,
    /// Every block that is not empty is padded to a page boundary; `total` then counts the padding or not as the writer
    /// did.
    pub padded: bool,
}

impl PagemapRecord {
    /// Decodes the payload of a pagemap entry.
    ///
    /// # Errors
    ///
    /// When the payload is not protobuf, as message only: [`PagemapRecord::from_record`] adds record and offset.
    pub fn decode(payload: &[u8]) -> Result<Self, prost::DecodeError> {
        use prost::Message as _;
        let blocks = match layout(payload) {
            None => None,
            Some(BlockLayout::A) => {
                let found = PagemapEntryLayoutA::decode(payload)?;
                let sum = found
                    .compressed_size
                    .iter()
                    .map(|size| u64::from(*size))
                    .fold(0, u64::saturating_add);
                Some(Blocks {
                    layout: BlockLayout::A,
                    pages_per_block: u64::from(found.region_pages.unwrap_or(1)),
                    total: found.total_compressed_size.unwrap_or(sum),
                    sizes: found.compressed_size,
                    padded: false,
                })
            }
            Some(BlockLayout::B) => {
                let PagemapBlocks {
                    block_sizes,
                    total_payload_size,
                    pages_per_block,
                    payload_padded,
                } = PagemapEntryLayoutB::decode(payload)?.blocks.unwrap_or_default();
                Some(Blocks {
                    layout: BlockLayout::B,
                    sizes: block_sizes,
                    pages_per_block: u64::from(pages_per_block),
                    total: total_payload_size,
                    padded: payload_padded.unwrap_or(false),
                })
            }
        };
        Ok(Self { entry: PagemapEntry::decode(payload)?, blocks })
    }

    /// Decodes a record of a pagemap other than its first.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadProtobuf`] when the payload is not protobuf.
    pub fn from_record(record: &Record) -> Result<Self, ImageError> {
        Self::decode(&record.payload).map_err(|error| record.bad_protobuf(&error))
    }

    /// Pages of the run, see [`PagemapEntry::pages`].
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.entry.pages()
    }

    /// True when the bytes are in the pages file of this dump, see [`PagemapEntry::stored`].
    #[must_use]
    pub fn stored(&self) -> bool {
        self.entry.stored()
    }

    /// True when the bytes are in the parent image directory, see [`PagemapEntry::in_parent_dump`].
    #[must_use]
    pub fn in_parent(&self) -> bool {
        self.entry.in_parent_dump()
    }

    /// True when the lazy flag is set, see [`PagemapEntry::lazy`].
    #[must_use]
    pub fn lazy(&self) -> bool {
        self.entry.lazy()
    }

    /// True when the payload begins at a page boundary, see [`PagemapEntry::payload_aligned`].
    #[must_use]
    pub fn payload_aligned(&self) -> bool {
        self.entry.payload_aligned()
    }
}

/// Which block list the payload of a pagemap entry has, if any.
#[must_use]
pub fn layout(payload: &[u8]) -> Option<BlockLayout> {
    let mut sixth = None;
    for field in walk(payload).map_while(Result::ok) {
        match (field.number, field.value) {
            (7 | 8, _) | (6, WireValue::Varint(_)) => return Some(BlockLayout::A),
            (6, WireValue::Bytes(data)) => sixth = sixth.or(Some(data)),
            _ => {}
        }
    }
    sixth.map(|data| if is_blocks_message(data) { BlockLayout::B } else { BlockLayout::A })
}

/// The schema that describes this very entry.
#[must_use]
pub fn schema_of(payload: &[u8]) -> &'static MessageSchema {
    match layout(payload) {
        None => PagemapEntry::schema(),
        Some(BlockLayout::A) => PagemapEntryLayoutA::schema(),
        Some(BlockLayout::B) => PagemapEntryLayoutB::schema(),
    }
}

/// True when bytes parse as a block message: only its fields, in their codings, the required ones present. A packed list
/// of sizes nearly never does.
fn is_blocks_message(data: &[u8]) -> bool {
    let (mut total, mut pages) = (false, false);
    for field in walk(data) {
        match field.map(|field| (field.number, field.value)) {
            Ok((1, WireValue::Bytes(_) | WireValue::Varint(_)) | (4, WireValue::Varint(_))) => {}
            Ok((2, WireValue::Varint(_))) => total = true,
            Ok((3, WireValue::Varint(_))) => pages = true,
            _ => return false,
        }
    }
    total && pages
}
