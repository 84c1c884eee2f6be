//! Images by hand: a writer of protobuf and framing that knows nothing of the crate under test.

/// A protobuf message under construction.
#[derive(Clone, Default)]
pub(crate) struct Proto(pub(crate) Vec<u8>);

impl Proto {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn raw(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn varint(mut self, number: u64, value: u64) -> Self {
        self.raw(number << 3);
        self.raw(value);
        self
    }

    pub(crate) fn bytes(mut self, number: u64, value: &[u8]) -> Self {
        self.raw(number << 3 | 2);
        self.raw(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(crate) fn message(self, number: u64, value: &Proto) -> Self {
        self.bytes(number, &value.0)
    }

    pub(crate) fn fixed64(mut self, number: u64, value: u64) -> Self {
        self.raw(number << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn packed(self, number: u64, values: &[u64]) -> Self {
        let mut list = Proto::new();
        values.iter().for_each(|value| list.raw(*value));
        self.bytes(number, &list.0)
    }
}

/// An image under construction.
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
    big: bool,
}

impl Writer {
    pub(crate) fn new(big: bool, magics: &[u32]) -> Self {
        let mut writer = Self { bytes: Vec::new(), big };
        magics.iter().for_each(|magic| writer.word(*magic));
        writer
    }

    /// A little-endian image of today.
    pub(crate) fn v1_1(magic: u32) -> Self {
        Self::new(false, &[0x5456_4319, magic])
    }

    pub(crate) fn word(&mut self, word: u32) {
        self.bytes.extend(if self.big { word.to_be_bytes() } else { word.to_le_bytes() });
    }

    pub(crate) fn half(&mut self, half: u16) {
        self.bytes.extend(if self.big { half.to_be_bytes() } else { half.to_le_bytes() });
    }

    pub(crate) fn record(mut self, payload: &Proto) -> Self {
        self.word(payload.0.len() as u32);
        self.bytes.extend(&payload.0);
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }
}
