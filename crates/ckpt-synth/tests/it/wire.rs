//! A protobuf and image reader that is as plain as can be.

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Varint(u64),
    Bytes(Vec<u8>),
    Fixed,
}

/// Fields of a message, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(u64, Value)>);

impl Fields {
    pub(crate) fn parse(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = match tag & 7 {
                0 => Value::Varint(varint(&mut bytes)),
                1 => {
                    bytes = &bytes[8..];
                    Value::Fixed
                }
                2 => {
                    let len = usize::try_from(varint(&mut bytes)).unwrap();
                    let (value, rest) = bytes.split_at(len);
                    bytes = rest;
                    Value::Bytes(value.to_vec())
                }
                other => panic!("wire type {other}"),
            };
            fields.push((tag >> 3, value));
        }
        Self(fields)
    }

    pub(crate) fn numbers(&self, field: u64) -> Vec<u64> {
        let all = self.0.iter().filter(|(number, _)| *number == field);
        all.filter_map(|(_, value)| match value {
            Value::Varint(number) => Some(*number),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn number(&self, field: u64) -> Option<u64> {
        self.numbers(field).last().copied()
    }

    pub(crate) fn all_bytes(&self, field: u64) -> Vec<Vec<u8>> {
        let all = self.0.iter().filter(|(number, _)| *number == field);
        all.filter_map(|(_, value)| match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn bytes(&self, field: u64) -> Option<Vec<u8>> {
        self.all_bytes(field).pop()
    }

    pub(crate) fn message(&self, field: u64) -> Option<Fields> {
        self.bytes(field).map(|bytes| Fields::parse(&bytes))
    }
}

pub(crate) fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("varint without end");
}

/// Messages of an image without extra bytes, after a header of `header` bytes.
pub(crate) fn records(image: &[u8], header: usize, big_endian: bool) -> Vec<Fields> {
    let mut rest = &image[header..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (len, body) = rest.split_first_chunk::<4>().unwrap();
        let len = if big_endian { u32::from_be_bytes(*len) } else { u32::from_le_bytes(*len) };
        let (record, after) = body.split_at(usize::try_from(len).unwrap());
        records.push(Fields::parse(record));
        rest = after;
    }
    records
}
