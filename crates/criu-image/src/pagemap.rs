//! Pagemap entries with the block lists of compressed dumps.
//!
//! CRIU after 4.2 can compress pages files (raw LZ4 blocks). Two layouts of the block list were merged one after the
//! other, and both use field number 6 for different types; which one an entry has is told by how it is coded.

use crate::frame::{ImageError, Record, Records};
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
        if let Some(entry) = plain(payload) {
            return Ok(Self { entry, blocks: None });
        }
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

    /// The entries of a pagemap: what follows its head. Ends after the first broken one, because the offsets of all later
    /// ones hang on it.
    pub fn entries(mut records: Records) -> impl Iterator<Item = Result<Self, ImageError>> {
        let mut whole = true;
        std::iter::from_fn(move || {
            let entry = whole.then(|| records.next_pagemap_record())??;
            whole = entry.is_ok();
            Some(entry)
        })
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

/// An entry of nothing but fields 1 to 5 coded as they should be, which nearly all are: a dump of 4 GiB has thousands, and
/// what is shown of a process waits for them. Anything else is left to the decoder that knows all of it.
fn plain(payload: &[u8]) -> Option<PagemapEntry> {
    let mut entry = PagemapEntry::default();
    let mut rest = payload;
    while let [tag, value @ ..] = rest {
        let (number, after) = varint(value)?;
        match tag {
            0x08 => entry.vaddr = number,
            0x10 => entry.compat_nr_pages = u32::try_from(number).ok()?,
            0x18 => entry.in_parent = Some(number != 0),
            0x20 => entry.flags = Some(u32::try_from(number).ok()?),
            0x28 => entry.nr_pages = Some(number),
            _ => return None,
        }
        rest = after;
    }
    Some(entry)
}

/// A varint of at most nine bytes; the tenth could overflow.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index.checked_add(1)?..)?));
        }
    }
    None
}

/// Which block list the payload of a pagemap entry has, if any.
#[must_use]
pub fn layout(payload: &[u8]) -> Option<BlockLayout> {
    if plain(payload).is_some() {
        return None;
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    /// A field as any writer could put it: any number, any coding of a varint, any value.
    fn field() -> impl Strategy<Value = Vec<u8>> {
        let value = prop_oneof![any::<u64>(), 0..300u64, Just(u64::MAX), Just(u64::from(u32::MAX))];
        (0..10u8, 0..6u8, value).prop_map(|(number, wire_type, value)| {
            let mut bytes = vec![number << 3 | if wire_type < 5 { 0 } else { 2 }];
            prost::encoding::encode_varint(value, &mut bytes);
            bytes
        })
    }

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_long_one(fields in prop::collection::vec(field(), 0..6)) {
            let payload = fields.concat();
            if let Some(entry) = plain(&payload) {
                prop_assert_eq!(PagemapEntry::decode(&payload[..]), Ok(entry));
                prop_assert_eq!(layout(&payload), None);
            }
        }
    }

    #[test]
    fn what_criu_writes_goes_the_short_way() {
        for payload in [
            &b"\x08\x80\x20\x10\x00\x20\x04\x28\x01"[..],
            b"\x08\x80\x20\x10\x02\x20\x06",
            b"\x08\x00\x10\x01",
        ] {
            assert!(plain(payload).is_some());
        }
    }
}
