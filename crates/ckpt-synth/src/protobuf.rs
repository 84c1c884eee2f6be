//! A protobuf message as bytes, written field by field.

/// A protobuf message under construction.
///
/// Fields are written in the order of the calls, by number. Nothing is checked: a test may write a field twice, with the
/// wrong wire type or not at all.
///
/// ```
/// use ckpt_synth::protobuf::Message;
///
/// let entry = Message::new().uint(1, 300u32).bytes(2, b"sh").sint(7, -1);
/// assert_eq!(entry.as_bytes(), [0x08, 0xac, 0x02, 0x12, 0x02, b's', b'h', 0x38, 0x01]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
}

/// How the bytes after a tag are to be read.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Delimited = 2,
    Fixed32 = 5,
}

impl Message {
    /// A message without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `uint32`, `uint64` or an enum.
    #[must_use]
    pub fn uint(mut self, field: u32, value: impl Into<u64>) -> Self {
        self.tag(field, Wire::Varint);
        self.varint(value.into());
        self
    }

    /// [`uint`](Self::uint), left out for `None`.
    #[must_use]
    pub fn uint_opt(self, field: u32, value: Option<impl Into<u64>>) -> Self {
        match value {
            Some(value) => self.uint(field, value),
            None => self,
        }
    }

    /// `int32` or `int64`: a negative number takes ten bytes.
    #[must_use]
    pub fn int(self, field: u32, value: i64) -> Self {
        self.uint(field, value.cast_unsigned())
    }

    /// `sint32` or `sint64`: zigzag.
    #[must_use]
    pub fn sint(self, field: u32, value: i64) -> Self {
        self.uint(field, ((value << 1) ^ (value >> 63)).cast_unsigned())
    }

    /// `bool`.
    #[must_use]
    pub fn bool(self, field: u32, value: bool) -> Self {
        self.uint(field, u64::from(value))
    }

    /// `fixed64`.
    #[must_use]
    pub fn fixed64(mut self, field: u32, value: u64) -> Self {
        self.tag(field, Wire::Fixed64);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// `fixed32`. No CRIU message has one: it serves to write a wrong wire type.
    #[must_use]
    pub fn fixed32(mut self, field: u32, value: u32) -> Self {
        self.tag(field, Wire::Fixed32);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// `string` or `bytes`.
    #[must_use]
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.tag(field, Wire::Delimited);
        self.varint(value.len() as u64);
        self.bytes.extend(value);
        self
    }

    /// An embedded message.
    #[must_use]
    pub fn message(self, field: u32, value: &Message) -> Self {
        self.bytes(field, &value.bytes)
    }

    /// A repeated number, one tag an element: what every CRIU release so far writes.
    #[must_use]
    pub fn uints<T: Into<u64>>(mut self, field: u32, values: impl IntoIterator<Item = T>) -> Self {
        for value in values {
            self = self.uint(field, value);
        }
        self
    }

    /// A repeated number, packed. Nothing is written for an empty list.
    #[must_use]
    pub fn packed<T: Into<u64>>(self, field: u32, values: impl IntoIterator<Item = T>) -> Self {
        let mut list = Self::new();
        for value in values {
            list.varint(value.into());
        }
        if list.bytes.is_empty() { self } else { self.bytes(field, list.bytes) }
    }

    /// Repeated embedded messages.
    #[must_use]
    pub fn messages<'a>(
        mut self,
        field: u32,
        values: impl IntoIterator<Item = &'a Message>,
    ) -> Self {
        for value in values {
            self = self.message(field, value);
        }
        self
    }

    /// The fields of `other` after those of this one.
    #[must_use]
    pub fn and(mut self, other: &Message) -> Self {
        self.bytes.extend(&other.bytes);
        self
    }

    /// The message as it goes on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn tag(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field) << 3 | wire as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }
}

impl From<Vec<u8>> for Message {
    /// Takes any bytes for a message, so that a test can frame what is none.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn varints() {
        assert_eq!(Message::new().uint(1, 0u32).as_bytes(), [0x08, 0]);
        assert_eq!(Message::new().uint(1, 127u32).as_bytes(), [0x08, 0x7f]);
        assert_eq!(Message::new().uint(1, 128u32).as_bytes(), [0x08, 0x80, 0x01]);
        assert_eq!(Message::new().uint(18, 1u32).as_bytes(), [0x90, 0x01, 0x01]);
        let max = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Message::new().uint(1, u64::MAX).as_bytes(), max);
        assert_eq!(Message::new().int(1, -1).as_bytes(), max);
    }

    #[test]
    fn zigzag() {
        for (value, byte) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (2, 4)] {
            assert_eq!(Message::new().sint(8, value).as_bytes(), [0x40, byte]);
        }
    }

    #[test]
    fn fixed_and_delimited() {
        let bytes = Message::new().fixed64(16, 0x0102_0304_0506_0708).as_bytes().to_vec();
        assert_eq!(bytes, [0x81, 0x01, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(Message::new().fixed32(1, 1).as_bytes(), [0x0d, 1, 0, 0, 0]);
        let inner = Message::new().uint(1, 5u32);
        assert_eq!(Message::new().message(3, &inner).as_bytes(), [0x1a, 2, 0x08, 5]);
        assert_eq!(Message::new().bytes(6, b"").as_bytes(), [0x32, 0]);
    }

    #[test]
    fn repeated_both_ways() {
        assert_eq!(Message::new().uints(5, [1u32, 300]).as_bytes(), [0x28, 1, 0x28, 0xac, 2]);
        assert_eq!(Message::new().packed(6, [1u32, 300]).as_bytes(), [0x32, 3, 1, 0xac, 2]);
        assert_eq!(Message::new().packed(6, Vec::<u32>::new()).as_bytes(), []);
    }
}
