//! Netlink messages as iproute2 and CRIU save them: `ifaddr`, `route`, `route6`, `rule`, `netns-ct`, `netns-exp`.
//!
//! Files of iproute2 begin with a magic, those of conntrack do not. Then messages follow to the end, each padded to four
//! bytes. All numbers but addresses are in the dumping host's byte order.

use bytes::Bytes;

use crate::error::ImageError;
use crate::frame::{ByteOrder, count};
use crate::kind::ImageKind;

/// Magic of saved addresses.
pub const MAGIC_IFADDR: u32 = 0x4736_1222;
/// Magic of saved routes of both families.
pub const MAGIC_ROUTE: u32 = 0x4531_1224;
/// Magic of saved rules.
pub const MAGIC_RULE: u32 = 0x7170_6986;

const HEADER: usize = 16;

/// Magic of a kind; `None` for kinds without one.
#[must_use]
pub const fn magic_of(kind: ImageKind) -> Option<u32> {
    match kind {
        ImageKind::Ifaddr => Some(MAGIC_IFADDR),
        ImageKind::Route | ImageKind::Route6 => Some(MAGIC_ROUTE),
        ImageKind::Rule => Some(MAGIC_RULE),
        _ => None,
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NlRecord {
    /// Where its header is in the file.
    pub offset: u64,
    /// Type, `nlmsg_type`.
    pub kind: u16,
    /// Flags, `nlmsg_flags`.
    pub flags: u16,
    /// Sequence number, `nlmsg_seq`.
    pub sequence: u32,
    /// Port, `nlmsg_pid`.
    pub port: u32,
    /// What follows the header, without padding.
    pub payload: Bytes,
    order: ByteOrder,
}

/// One attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NlAttribute {
    /// Type without its flags.
    pub kind: u16,
    /// The data holds attributes.
    pub nested: bool,
    /// Data, without padding.
    pub data: Bytes,
}

/// Iterator over the messages of a file; ends after the first error.
#[derive(Clone, Debug)]
pub struct NlRecords {
    bytes: Bytes,
    at: usize,
    order: ByteOrder,
}

impl NlRecords {
    /// Begins to read a file. `order` is that of the dump; files with a magic tell their own.
    ///
    /// # Errors
    ///
    /// [`ImageError::Truncated`] or [`ImageError::BadMagic`] for kinds with a magic. An empty file has no messages.
    pub fn open(kind: ImageKind, bytes: Bytes, order: ByteOrder) -> Result<Self, ImageError> {
        let Some(magic) = magic_of(kind).filter(|_| !bytes.is_empty()) else {
            return Ok(Self { bytes, at: 0, order });
        };
        let raw = bytes.first_chunk().copied().ok_or(ImageError::Truncated {
            offset: 0,
            what: "magic",
            expected: 4,
            found: count(bytes.len()),
        })?;
        let order = [ByteOrder::Little, ByteOrder::Big]
            .into_iter()
            .find(|order| order.u32(raw) == magic)
            .ok_or(ImageError::BadMagic { offset: 0, expected: magic, found: order.u32(raw) })?;
        Ok(Self { bytes, at: 4, order })
    }

    /// Byte order of the numbers.
    #[must_use]
    pub const fn order(&self) -> ByteOrder {
        self.order
    }

    fn read(&self) -> Result<(NlRecord, usize), ImageError> {
        let offset = count(self.at);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let truncated = |expected: u64| ImageError::Truncated {
            offset,
            what: "netlink message",
            expected,
            found: count(rest.len()),
        };
        let header: &[u8; HEADER] = rest.first_chunk().ok_or_else(|| truncated(count(HEADER)))?;
        let [l0, l1, l2, l3, t0, t1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3] = *header;
        let length = self.order.u32([l0, l1, l2, l3]);
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if size < HEADER {
            return Err(ImageError::BadValue {
                offset,
                what: "length of a netlink message",
                value: length.into(),
            });
        }
        if size > rest.len() {
            return Err(truncated(length.into()));
        }
        let end = self.at.saturating_add(size);
        let record = NlRecord {
            offset,
            kind: self.order.u16([t0, t1]),
            flags: self.order.u16([f0, f1]),
            sequence: self.order.u32([s0, s1, s2, s3]),
            port: self.order.u32([p0, p1, p2, p3]),
            payload: self.bytes.slice(self.at.saturating_add(HEADER)..end),
            order: self.order,
        };
        // The last message may lack its padding.
        Ok((record, end.checked_next_multiple_of(4).unwrap_or(usize::MAX)))
    }
}

impl Iterator for NlRecords {
    type Item = Result<NlRecord, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let record = self.read();
        self.at = record.as_ref().map_or(self.bytes.len(), |(_, end)| *end);
        Some(record.map(|(record, _)| record))
    }
}

impl std::iter::FusedIterator for NlRecords {}

impl NlRecord {
    /// Attributes after a family header of `header` bytes (8 for addresses, 12 for routes and rules, 4 for conntrack).
    #[must_use]
    pub fn attributes(&self, header: usize) -> NlAttributes {
        NlAttributes { bytes: self.payload.clone(), at: header, order: self.order }
    }
}

impl NlAttribute {
    /// Attributes inside of this one.
    #[must_use]
    pub fn attributes(&self, order: ByteOrder) -> NlAttributes {
        NlAttributes { bytes: self.data.clone(), at: 0, order }
    }
}

/// Iterator over attributes. Ends at the first that does not fit: the message around it is known to be whole.
#[derive(Clone, Debug)]
pub struct NlAttributes {
    bytes: Bytes,
    at: usize,
    order: ByteOrder,
}

impl Iterator for NlAttributes {
    type Item = NlAttribute;

    fn next(&mut self) -> Option<NlAttribute> {
        const NESTED: u16 = 0x8000;
        const FLAGS: u16 = 0xc000;
        let [l0, l1, t0, t1] = *self.bytes.get(self.at..)?.first_chunk()?;
        let length = usize::from(self.order.u16([l0, l1]));
        let kind = self.order.u16([t0, t1]);
        let start = self.at.checked_add(4)?;
        let end =
            self.at.checked_add(length).filter(|end| *end >= start && *end <= self.bytes.len());
        let Some(end) = end else {
            self.at = self.bytes.len();
            return None;
        };
        self.at = end.checked_next_multiple_of(4)?;
        Some(NlAttribute {
            kind: kind & !FLAGS,
            nested: kind & NESTED != 0,
            data: self.bytes.slice(start..end),
        })
    }
}
