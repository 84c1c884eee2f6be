//! The protobuf wire format without schemas: a bounded walker over the fields of one message.
//!
//! Decoding drops fields that the declarations do not know and stops at the first wrong byte. Forensics wants to know of
//! both, so this module walks the same bytes: [`unknown_fields`] lists what decoding would drop, [`missing_required`]
//! what it would invent, [`review`] both in one walk. The walker allocates nothing, refuses groups (CRIU has none) and ends
//! after its first error.

use std::fmt;

use thiserror::Error;

use crate::schema::{FieldSchema, Kind, Label, MessageSchema};

/// How deep nested messages are followed. Real images nest at most about fifteen levels (cgroup directories).
pub const MAX_DEPTH: usize = 64;

/// How many unknown fields [`unknown_fields`] lists at most.
pub const MAX_UNKNOWN: usize = 4096;

/// How a field is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireType {
    /// 0: one to ten bytes.
    Varint,
    /// 1: eight bytes.
    Fixed64,
    /// 2: a length, then as many bytes.
    LengthDelimited,
    /// 5: four bytes.
    Fixed32,
}

impl fmt::Display for WireType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Varint => "varint",
            Self::Fixed64 => "fixed64",
            Self::LengthDelimited => "length-delimited",
            Self::Fixed32 => "fixed32",
        })
    }
}

/// Why bytes are not a protobuf message. Offsets count from the first byte of the walked slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// A varint had no end, or more than ten bytes.
    #[error("varint at {offset} is cut off or longer than ten bytes")]
    Varint {
        /// Where the varint begins.
        offset: usize,
    },
    /// A field number of 0 or above 2^29-1.
    #[error("impossible field number at {offset}")]
    FieldNumber {
        /// Where the tag begins.
        offset: usize,
    },
    /// Wire types 3 and 4 (groups), or 6 and 7 (nothing).
    #[error("illegal wire type {wire_type} at {offset}")]
    WireType {
        /// Where the tag begins.
        offset: usize,
        /// The type.
        wire_type: u8,
    },
    /// A value runs over the end.
    #[error("field {number} at {offset} needs {needed} bytes, {left} are left")]
    Truncated {
        /// Where the tag begins.
        offset: usize,
        /// The field.
        number: u32,
        /// Bytes it says it has.
        needed: u64,
        /// Bytes there are.
        left: usize,
    },
    /// Messages nested deeper than [`MAX_DEPTH`].
    #[error("message at {offset} is nested too deep")]
    TooDeep {
        /// Where the nested message begins.
        offset: usize,
    },
}

/// Value of a field as coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireValue<'a> {
    /// A varint, before zigzag or sign.
    Varint(u64),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// Four bytes, little-endian.
    Fixed32(u32),
    /// String, bytes, message or packed list.
    Bytes(&'a [u8]),
}

impl WireValue<'_> {
    /// How it is coded.
    #[must_use]
    pub const fn wire_type(&self) -> WireType {
        match self {
            Self::Varint(_) => WireType::Varint,
            Self::Fixed64(_) => WireType::Fixed64,
            Self::Fixed32(_) => WireType::Fixed32,
            Self::Bytes(_) => WireType::LengthDelimited,
        }
    }
}

/// One field as found in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireField<'a> {
    /// Field number.
    pub number: u32,
    /// Value.
    pub value: WireValue<'a>,
    /// Where its tag begins.
    pub offset: usize,
    /// Where its value begins; of length-delimited fields, where the bytes after the length begin.
    pub value_offset: usize,
    /// Where the next field begins.
    pub end: usize,
}

/// Iterator over the fields of one message, in the order they are written.
#[derive(Clone, Debug)]
pub struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Walks the fields of a message.
#[must_use]
pub const fn walk(bytes: &[u8]) -> Walker<'_> {
    Walker { bytes, at: 0 }
}

impl<'a> Iterator for Walker<'a> {
    type Item = Result<WireField<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = field_at(self.bytes, self.at);
        self.at = field.as_ref().map_or(self.bytes.len(), |field| field.end);
        Some(field)
    }
}

impl std::iter::FusedIterator for Walker<'_> {}

fn field_at(bytes: &[u8], offset: usize) -> Result<WireField<'_>, WireError> {
    let (tag, at) = varint(bytes, offset)?;
    let number = u32::try_from(tag >> 3)
        .ok()
        .filter(|number| (1..1 << 29).contains(number))
        .ok_or(WireError::FieldNumber { offset })?;
    let truncated = |needed: u64, at: usize| WireError::Truncated {
        offset,
        number,
        needed,
        left: bytes.len().saturating_sub(at),
    };
    let (value, value_offset, end) = match tag & 7 {
        0 => {
            let (value, end) = varint(bytes, at)?;
            (WireValue::Varint(value), at, end)
        }
        1 => {
            let raw =
                bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(|| truncated(8, at))?;
            (WireValue::Fixed64(u64::from_le_bytes(*raw)), at, at.saturating_add(8))
        }
        2 => {
            let (length, at) = varint(bytes, at)?;
            let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
            let data =
                end.and_then(|end| bytes.get(at..end)).ok_or_else(|| truncated(length, at))?;
            (WireValue::Bytes(data), at, at.saturating_add(data.len()))
        }
        5 => {
            let raw =
                bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(|| truncated(4, at))?;
            (WireValue::Fixed32(u32::from_le_bytes(*raw)), at, at.saturating_add(4))
        }
        other => {
            return Err(WireError::WireType {
                offset,
                wire_type: u8::try_from(other).unwrap_or(u8::MAX),
            });
        }
    };
    Ok(WireField { number, value, offset, value_offset, end })
}

/// Reads a varint; gives its value and the offset after it.
fn varint(bytes: &[u8], offset: usize) -> Result<(u64, usize), WireError> {
    let mut value = 0_u64;
    let rest = bytes.get(offset..).unwrap_or_default();
    for (byte, shift) in rest.iter().take(10).zip((0_u32..).step_by(7)) {
        // The tenth byte holds the highest bit only.
        if shift == 63 && *byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let length = usize::try_from(shift / 7).unwrap_or(0).saturating_add(1);
            return Ok((value, offset.saturating_add(length)));
        }
    }
    Err(WireError::Varint { offset })
}

/// Iterator over a packed list of varints.
#[derive(Clone, Debug)]
pub struct Packed<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Reads a packed list of varints.
#[must_use]
pub const fn packed(bytes: &[u8]) -> Packed<'_> {
    Packed { bytes, at: 0 }
}

impl Iterator for Packed<'_> {
    type Item = Result<u64, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let item = varint(self.bytes, self.at);
        self.at = item.as_ref().map_or(self.bytes.len(), |(_, end)| *end);
        Some(item.map(|(value, _)| value))
    }
}

impl std::iter::FusedIterator for Packed<'_> {}

/// Whether a value coded this way can be that field.
#[must_use]
pub const fn fits(field: &FieldSchema, value: &WireValue<'_>) -> bool {
    match (field.kind, value) {
        (Kind::Fixed64, WireValue::Fixed64(_)) => true,
        (Kind::String | Kind::Bytes | Kind::Message(_), WireValue::Bytes(_)) => true,
        // A packed list.
        (kind, WireValue::Bytes(_)) => {
            matches!(field.label, Label::Repeated)
                && (kind.is_varint() || matches!(kind, Kind::Fixed64))
        }
        (kind, WireValue::Varint(_)) => kind.is_varint(),
        _ => false,
    }
}

/// A field that decoding drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Where it is: names of the enclosing fields joined with dots, with the position in lists (`tc.sigactions[3]`).
    /// Empty at the top.
    pub path: String,
    /// Field number.
    pub number: u32,
    /// How it is coded.
    pub wire_type: WireType,
    /// Bytes of its value; a varint's are those it takes.
    pub size: usize,
    /// Where its tag begins, from the first byte of the payload.
    pub offset: usize,
}

impl UnknownField {
    fn of(path: &Path, field: &WireField<'_>, base: usize) -> Self {
        Self {
            path: path.text(),
            number: field.number,
            wire_type: field.value.wire_type(),
            size: field.end.saturating_sub(field.value_offset),
            offset: base.saturating_add(field.offset),
        }
    }
}

/// Lists the fields of a payload that the schema does not know, also in nested messages.
///
/// A known field in a coding that its type cannot have is unknown as well. Ends quietly where the bytes stop being
/// protobuf: decoding reports that. Lists [`MAX_UNKNOWN`] at most.
#[must_use]
pub fn unknown_fields(payload: &[u8], schema: &MessageSchema) -> Vec<UnknownField> {
    let mut found = Vec::new();
    let _ = visit(payload, schema, &mut Path::default(), 0, 0, &mut |event| {
        if let Event::Unknown { path, field, base } = event {
            found.push(UnknownField::of(path, field, base));
        }
        found.len() < MAX_UNKNOWN
    });
    found
}

/// Counts what [`unknown_fields`] would list, without limit.
#[must_use]
pub fn count_unknown(payload: &[u8], schema: &MessageSchema) -> u64 {
    let mut count = 0_u64;
    let _ = visit(payload, schema, &mut Path::default(), 0, 0, &mut |event| {
        if matches!(event, Event::Unknown { .. }) {
            count = count.saturating_add(1);
        }
        true
    });
    count
}

/// Lists the required fields that a payload lacks, as paths; also in nested messages. [`MAX_UNKNOWN`] at most.
#[must_use]
pub fn missing_required(payload: &[u8], schema: &MessageSchema) -> Vec<String> {
    let mut found = Vec::new();
    let _ = visit(payload, schema, &mut Path::default(), 0, 0, &mut |event| {
        if let Event::Missing { path, field } = event {
            found.push(path.with(field.name));
        }
        found.len() < MAX_UNKNOWN
    });
    found
}

/// What decoding a payload would drop, and what it would invent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// As [`unknown_fields`] lists them.
    pub unknown: Vec<UnknownField>,
    /// As [`missing_required`] lists them.
    pub missing: Vec<String>,
}

/// Lists what [`unknown_fields`] and [`missing_required`] would, in one walk; each up to the same [`MAX_UNKNOWN`].
#[must_use]
pub fn review(payload: &[u8], schema: &MessageSchema) -> Review {
    let mut found = Review::default();
    let _ = visit(payload, schema, &mut Path::default(), 0, 0, &mut |event| {
        match event {
            Event::Unknown { path, field, base } if found.unknown.len() < MAX_UNKNOWN => {
                found.unknown.push(UnknownField::of(path, field, base));
            }
            Event::Missing { path, field } if found.missing.len() < MAX_UNKNOWN => {
                found.missing.push(path.with(field.name));
            }
            _ => {}
        }
        found.unknown.len() < MAX_UNKNOWN || found.missing.len() < MAX_UNKNOWN
    });
    found
}

/// Counts what [`missing_required`] would list, without limit.
#[must_use]
pub fn count_missing(payload: &[u8], schema: &MessageSchema) -> u64 {
    let mut count = 0_u64;
    let _ = visit(payload, schema, &mut Path::default(), 0, 0, &mut |event| {
        if matches!(event, Event::Missing { .. }) {
            count = count.saturating_add(1);
        }
        true
    });
    count
}

/// The first thing that keeps a payload from being protobuf, followed into nested messages.
///
/// # Errors
///
/// The error, with its offset from the first byte of the payload.
pub fn check(payload: &[u8], schema: &MessageSchema) -> Result<(), WireError> {
    visit(payload, schema, &mut Path::default(), 0, 0, &mut |_| true)
}

enum Event<'e> {
    Unknown { path: &'e Path, field: &'e WireField<'e>, base: usize },
    Missing { path: &'e Path, field: &'static FieldSchema },
}

/// Names of the enclosing fields.
#[derive(Default)]
struct Path(Vec<(&'static str, Option<usize>)>);

impl Path {
    fn text(&self) -> String {
        let mut text = String::new();
        for (name, index) in &self.0 {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(name);
            if let Some(index) = index {
                text.push_str(&format!("[{index}]"));
            }
        }
        text
    }

    fn with(&self, name: &str) -> String {
        let mut text = self.text();
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(name);
        text
    }
}

/// Walks a message and its known sub messages. The callback returns false to stop.
fn visit(
    payload: &[u8],
    schema: &MessageSchema,
    path: &mut Path,
    base: usize,
    depth: usize,
    event: &mut impl FnMut(Event<'_>) -> bool,
) -> Result<(), WireError> {
    if depth >= MAX_DEPTH {
        return Err(WireError::TooDeep { offset: base });
    }
    // Field numbers of CRIU's messages go up to 128 at most; required ones to 38.
    let mut seen = 0_u64;
    let mut counts: Vec<(u32, usize)> = Vec::new();
    for field in walk(payload) {
        let field = field.map_err(|error| error.shifted(base))?;
        let known = schema.field(field.number).filter(|known| fits(known, &field.value));
        let Some(known) = known else {
            if !event(Event::Unknown { path, field: &field, base }) {
                return Ok(());
            }
            continue;
        };
        seen |= 1_u64.checked_shl(known.number).unwrap_or(0);
        if let (Kind::Message(sub), WireValue::Bytes(data)) = (known.kind, field.value) {
            let index = (known.label == Label::Repeated).then(|| {
                let position = counts.iter().position(|(number, _)| *number == known.number);
                match position.and_then(|position| counts.get_mut(position)) {
                    Some((_, count)) => {
                        *count = count.saturating_add(1);
                        *count
                    }
                    None => {
                        counts.push((known.number, 0));
                        0
                    }
                }
            });
            path.0.push((known.name, index));
            let inner = visit(
                data,
                sub(),
                path,
                base.saturating_add(field.value_offset),
                depth.saturating_add(1),
                event,
            );
            path.0.pop();
            inner?;
        }
    }
    for field in schema.fields {
        let present = 1_u64.checked_shl(field.number).unwrap_or(0) & seen != 0;
        if field.label == Label::Required && !present && !event(Event::Missing { path, field }) {
            return Ok(());
        }
    }
    Ok(())
}

impl WireError {
    /// The same error in a slice that begins `base` bytes further on.
    #[must_use]
    pub fn shifted(self, base: usize) -> Self {
        match self {
            Self::Varint { offset } => Self::Varint { offset: offset.saturating_add(base) },
            Self::FieldNumber { offset } => {
                Self::FieldNumber { offset: offset.saturating_add(base) }
            }
            Self::WireType { offset, wire_type } => {
                Self::WireType { offset: offset.saturating_add(base), wire_type }
            }
            Self::Truncated { offset, number, needed, left } => {
                Self::Truncated { offset: offset.saturating_add(base), number, needed, left }
            }
            Self::TooDeep { offset } => Self::TooDeep { offset: offset.saturating_add(base) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bytes: &[u8]) -> Result<WireField<'_>, WireError> {
        walk(bytes).next().unwrap()
    }

    #[test]
    fn varints_have_ten_bytes_and_64_bits() {
        let mut bytes = vec![0x08];
        bytes.extend([0xff; 9]);
        bytes.push(1);
        assert_eq!(one(&bytes).unwrap().value, WireValue::Varint(u64::MAX));
        *bytes.last_mut().unwrap() = 2;
        assert_eq!(one(&bytes), Err(WireError::Varint { offset: 1 }));
        *bytes.last_mut().unwrap() = 0x81;
        bytes.push(0);
        assert_eq!(one(&bytes), Err(WireError::Varint { offset: 1 }));
        assert_eq!(one(&[0x08, 0x80]), Err(WireError::Varint { offset: 1 }));
        assert_eq!(one(&[0x80]), Err(WireError::Varint { offset: 0 }));
    }

    #[test]
    fn groups_and_field_zero_are_refused_and_end_the_walk() {
        for wire_type in [3, 4, 6, 7] {
            let bytes = [0x08 | wire_type, 0x08, 1];
            let mut fields = walk(&bytes);
            assert_eq!(fields.next(), Some(Err(WireError::WireType { offset: 0, wire_type })));
            assert_eq!(fields.next(), None);
        }
        assert_eq!(one(&[0x00, 0x01]), Err(WireError::FieldNumber { offset: 0 }));
        assert_eq!(
            one(&[0xf8, 0xff, 0xff, 0xff, 0xff, 0x01, 1]),
            Err(WireError::FieldNumber { offset: 0 })
        );
    }

    #[test]
    fn values_may_not_run_over_the_end() {
        let cut =
            |number, needed, left| Err(WireError::Truncated { offset: 0, number, needed, left });
        assert_eq!(one(&[0x0a, 5, 1, 2]), cut(1, 5, 2));
        assert_eq!(one(&[0x09, 5, 1, 2]), cut(1, 8, 3));
        assert_eq!(one(&[0x0d, 5]), cut(1, 4, 1));
        let huge = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0];
        assert_eq!(one(&huge), cut(1, u64::MAX, 1));
        assert_eq!(
            packed(&[1, 0x80]).collect::<Vec<_>>(),
            [Ok(1), Err(WireError::Varint { offset: 1 })]
        );
    }
}
