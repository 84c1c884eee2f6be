//! Framing: header, records, and what follows them.
//!
//! All integers of the framing are 32 bits in the byte order of the dumping host. A record is a length, as many bytes of
//! protobuf, and for some kinds more bytes whose number the message tells. Nothing is copied: payloads are slices of the
//! image.

use bytes::Bytes;

pub use crate::error::ImageError;
use crate::extra::{self, Extra};
use crate::kind::{Content, ExtraRule, Header, ImageKind};
use crate::messages::PagemapHead;
use crate::pagemap::{self, PagemapRecord};
use crate::schema::{Described, MessageSchema};

/// First magic of images since about 2015.
pub const MAGIC_COMMON: u32 = 0x5456_4319;
/// First magic of service files.
pub const MAGIC_SERVICE: u32 = 0x5510_5940;

/// Longest payload of a record that is read, 256 MiB. CRIU has no limit; the largest records of real dumps (address
/// spaces with very many mappings, seccomp filters, cgroups) have a few MiB.
pub const MAX_RECORD: u64 = 256 << 20;

/// Byte order of the host that dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// x86, arm, riscv, loongarch and the little-endian forms of ppc and mips.
    Little,
    /// s390x and the big-endian forms of ppc and mips.
    Big,
}

impl ByteOrder {
    /// Two bytes as a number.
    #[must_use]
    pub const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// Four bytes as a number.
    #[must_use]
    pub const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// Eight bytes as a number.
    #[must_use]
    pub const fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    /// The bytes of a number, as the dumping host had them in memory.
    #[must_use]
    pub const fn bytes_of_u32(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    /// Four bytes at an offset as a number.
    #[must_use]
    pub fn u32_at(self, bytes: &[u8], offset: usize) -> Option<u32> {
        bytes.get(offset..)?.first_chunk().map(|raw| self.u32(*raw))
    }
}

/// Byte order of a dump from the first bytes of its `inventory.img`; `None` when they are not an inventory's.
#[must_use]
pub fn probe_order(inventory: &[u8]) -> Option<ByteOrder> {
    let raw = *inventory.first_chunk()?;
    order_of(raw, ImageKind::Inventory.magic())
}

fn order_of(raw: [u8; 4], magic: u32) -> Option<ByteOrder> {
    [ByteOrder::Little, ByteOrder::Big].into_iter().find(|order| order.u32(raw) == magic)
}

/// Form of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// The magic of the kind alone: CRIU before about 2015.
    V1_0,
    /// Common magic, then the magic of the kind. V1.2 (compressed pages) looks the same.
    V1_1,
    /// Service magic, then the magic of the kind.
    Service,
    /// The magic of the inventory alone, in all versions.
    Inventory,
    /// No header.
    Raw,
}

/// An image whose header is right.
#[derive(Clone, Debug)]
pub struct Image {
    kind: ImageKind,
    order: Option<ByteOrder>,
    framing: Framing,
    bytes: Bytes,
    body: usize,
}

impl Image {
    /// Checks the header of an image, in either byte order and both versions.
    ///
    /// # Errors
    ///
    /// [`ImageError::Empty`], [`ImageError::Truncated`] in the header, or [`ImageError::BadMagic`]. Raw kinds always open.
    pub fn open(kind: ImageKind, bytes: Bytes) -> Result<Self, ImageError> {
        let info = kind.info();
        let (order, framing, body) = match info.header {
            Header::None => (None, Framing::Raw, 0),
            Header::Inventory => {
                let first = word(&bytes, 0)?;
                let order = order_of(first, info.magic)
                    .ok_or_else(|| bad_magic(0, info.magic, first, None))?;
                (Some(order), Framing::Inventory, 4)
            }
            Header::Normal => header(&bytes, info.magic, MAGIC_COMMON, Framing::V1_1)?,
            Header::Service => header(&bytes, info.magic, MAGIC_SERVICE, Framing::Service)?,
        };
        Ok(Self { kind, order, framing, bytes, body })
    }

    /// Kind of the image.
    #[must_use]
    pub fn kind(&self) -> ImageKind {
        self.kind
    }

    /// Byte order of the dumping host; `None` for raw files, which do not tell.
    #[must_use]
    pub fn order(&self) -> Option<ByteOrder> {
        self.order
    }

    /// Form of the header.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// All bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes after the header; of raw files, all.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.body.min(self.bytes.len())..)
    }

    /// The records; none for raw files.
    #[must_use]
    pub fn records(&self) -> Records {
        Records {
            kind: self.kind,
            order: self.order.unwrap_or(ByteOrder::Little),
            bytes: self.bytes.clone(),
            at: if self.kind.is_raw() { self.bytes.len() } else { self.body },
            index: 0,
        }
    }

    /// Decodes the one record of a single image; `None` when the file ends after its header.
    ///
    /// # Errors
    ///
    /// Those of framing and [`ImageError::BadProtobuf`].
    pub fn single<M: prost::Message + Default>(&self) -> Result<Option<M>, ImageError> {
        self.records().next().map(|record| record?.decode()).transpose()
    }
}

fn word(bytes: &[u8], offset: usize) -> Result<[u8; 4], ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    let rest = bytes.get(offset..).unwrap_or_default();
    rest.first_chunk().copied().ok_or(ImageError::Truncated {
        offset: count(offset),
        what: "magic",
        expected: 4,
        found: count(rest.len()),
    })
}

fn header(
    bytes: &[u8],
    magic: u32,
    first_magic: u32,
    framing: Framing,
) -> Result<(Option<ByteOrder>, Framing, usize), ImageError> {
    let first = word(bytes, 0)?;
    if let Some(order) = order_of(first, first_magic) {
        let second = word(bytes, 4)?;
        return if order.u32(second) == magic {
            Ok((Some(order), framing, 8))
        } else {
            Err(bad_magic(4, magic, second, Some(order)))
        };
    }
    match order_of(first, magic) {
        Some(order) => Ok((Some(order), Framing::V1_0, 4)),
        None => Err(bad_magic(0, first_magic, first, None)),
    }
}

fn bad_magic(offset: u64, expected: u32, found: [u8; 4], order: Option<ByteOrder>) -> ImageError {
    ImageError::BadMagic { offset, expected, found: order.unwrap_or(ByteOrder::Little).u32(found) }
}

/// A length in memory as a length in a file.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// One record of an image.
#[derive(Clone, Debug)]
pub struct Record {
    /// Index in the image, from 0.
    pub index: usize,
    /// Where its length field is in the file.
    pub offset: u64,
    /// Protobuf bytes, a slice of the image.
    pub payload: Bytes,
    /// What the payload is.
    pub schema: &'static MessageSchema,
    /// What follows it.
    pub extra: Extra,
    /// All bytes that follow it, with inner lengths and padding.
    pub extra_bytes: Bytes,
}

impl Record {
    /// Decodes the payload. It is the caller's to ask for the message that [`Record::schema`] names.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadProtobuf`].
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, ImageError> {
        M::decode(&*self.payload).map_err(|error| self.bad_protobuf(&error))
    }

    /// Whether the payload decodes as what it should be.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadProtobuf`].
    pub fn check(&self) -> Result<(), ImageError> {
        self.schema.check(&self.payload).map_err(|error| self.bad_protobuf(&error))
    }

    /// Where the payload is in the file.
    #[must_use]
    pub fn payload_offset(&self) -> u64 {
        self.offset.saturating_add(4)
    }

    pub(crate) fn bad_protobuf(&self, error: &prost::DecodeError) -> ImageError {
        ImageError::BadProtobuf {
            record: self.index,
            offset: self.offset,
            message: error.to_string(),
        }
    }
}

/// Iterator over the records of an image. Ends after the first error, which is one of framing: a payload that is not
/// protobuf is not noticed here, except where it has to tell how many bytes follow.
#[derive(Clone, Debug)]
pub struct Records {
    kind: ImageKind,
    order: ByteOrder,
    bytes: Bytes,
    at: usize,
    index: usize,
}

impl Iterator for Records {
    type Item = Result<Record, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let record = self.read();
        match &record {
            Ok((_, end)) => {
                self.at = *end;
                self.index = self.index.saturating_add(1);
            }
            Err(_) => self.at = self.bytes.len(),
        }
        Some(record.map(|(record, _)| record))
    }
}

impl std::iter::FusedIterator for Records {}

impl Records {
    /// The next record as an entry of a pagemap, without what only showing needs: pagemaps have thousands.
    pub(crate) fn next_pagemap_record(&mut self) -> Option<Result<PagemapRecord, ImageError>> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let offset = count(self.at);
        let entry = self.frame().and_then(|(start, end)| {
            let payload = self.bytes.get(start..end).unwrap_or_default();
            let entry = PagemapRecord::decode(payload).map_err(|error| {
                ImageError::BadProtobuf { record: self.index, offset, message: error.to_string() }
            })?;
            Ok((entry, end))
        });
        self.at = entry.as_ref().map_or(self.bytes.len(), |(_, end)| *end);
        self.index = self.index.saturating_add(1);
        Some(entry.map(|(entry, _)| entry))
    }

    /// Where the payload of the next record begins and ends.
    fn frame(&self) -> Result<(usize, usize), ImageError> {
        let offset = count(self.at);
        let left = self.bytes.len().saturating_sub(self.at);
        let info = self.kind.info();
        if matches!(info.content, Content::Single(_)) && self.index > 0 {
            return Err(ImageError::TrailingBytes { offset, length: count(left) });
        }
        let length = self.order.u32_at(&self.bytes, self.at).ok_or(ImageError::Truncated {
            offset,
            what: "record length",
            expected: 4,
            found: count(left),
        })?;
        let start = self.at.saturating_add(4);
        let left = left.saturating_sub(4);
        if u64::from(length) > count(left) {
            return Err(ImageError::Truncated {
                offset,
                what: "record",
                expected: length.into(),
                found: count(left),
            });
        }
        if u64::from(length) > MAX_RECORD {
            return Err(ImageError::TooLong {
                offset,
                what: "record",
                length: length.into(),
                limit: MAX_RECORD,
            });
        }
        let end = start
            .saturating_add(usize::try_from(length).unwrap_or(usize::MAX))
            .min(self.bytes.len());
        Ok((start, end))
    }

    fn read(&self) -> Result<(Record, usize), ImageError> {
        let (start, end) = self.frame()?;
        let info = self.kind.info();
        let offset = count(self.at);
        let payload = self.bytes.slice(start..end);
        let schema = match info.content {
            Content::Single(schema) | Content::Array(schema) => schema(),
            Content::Pagemap if self.index == 0 => PagemapHead::schema(),
            _ => pagemap::schema_of(&payload),
        };
        let mut record = Record {
            index: self.index,
            offset,
            payload,
            schema,
            extra: Extra::None,
            extra_bytes: Bytes::new(),
        };
        if info.extra == ExtraRule::None {
            return Ok((record, end));
        }
        let rest = self.bytes.slice(end..);
        let (extra, length) = extra::follow(info.extra, &record, &rest, count(end), self.order)?;
        record.extra_bytes = rest.slice(..length.min(rest.len()));
        record.extra = extra;
        Ok((record, end.saturating_add(length)))
    }
}
