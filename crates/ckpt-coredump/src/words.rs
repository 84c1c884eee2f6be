//! Bytes as the dumped machine would have written them.

use criu_image::ByteOrder;

/// Width of an address, and with it the class of an ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// 4 bytes, ELF32.
    Bits32,
    /// 8 bytes, ELF64.
    Bits64,
}

impl Width {
    /// Bytes of an address, of a `long` and of a register.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Bits32 => 4,
            Self::Bits64 => 8,
        }
    }
}

/// A C structure of the dumped machine, built field by field.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    bytes: Vec<u8>,
    order: ByteOrder,
    width: Width,
}

impl Words {
    pub(crate) fn new(order: ByteOrder, width: Width) -> Self {
        Self { bytes: Vec::new(), order, width }
    }

    pub(crate) fn u8(&mut self, number: u8) -> &mut Self {
        self.bytes.push(number);
        self
    }

    /// The low 16 bits.
    pub(crate) fn u16(&mut self, number: u32) -> &mut Self {
        let [a, b, c, d] = self.order.bytes_of_u32(number);
        self.bytes.extend(match self.order {
            ByteOrder::Little => [a, b],
            ByteOrder::Big => [c, d],
        });
        self
    }

    pub(crate) fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes.extend(self.order.bytes_of_u32(number));
        self
    }

    pub(crate) fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes.extend(match self.order {
            ByteOrder::Little => number.to_le_bytes(),
            ByteOrder::Big => number.to_be_bytes(),
        });
        self
    }

    /// An address, a `long` or a register: of a 32-bit machine the low half, which is all that it has.
    pub(crate) fn word(&mut self, number: u64) -> &mut Self {
        match self.width {
            Width::Bits32 => self.u32(low(number)),
            Width::Bits64 => self.u64(number),
        }
    }

    pub(crate) fn words(&mut self, numbers: impl IntoIterator<Item = u64>) -> &mut Self {
        for number in numbers {
            self.word(number);
        }
        self
    }

    /// Exactly `count` numbers of 32 bits, zeros where the image has fewer.
    pub(crate) fn list32(&mut self, numbers: &[u32], count: usize) -> &mut Self {
        for number in numbers.iter().copied().chain(std::iter::repeat(0)).take(count) {
            self.u32(number);
        }
        self
    }

    /// Exactly `count` numbers of 64 bits, zeros where the image has fewer.
    pub(crate) fn list64(&mut self, numbers: &[u64], count: usize) -> &mut Self {
        for number in numbers.iter().copied().chain(std::iter::repeat(0)).take(count) {
            self.u64(number);
        }
        self
    }

    /// A text field of `size` bytes that ends in a NUL at least: longer text is cut.
    pub(crate) fn text(&mut self, text: &[u8], size: usize) -> &mut Self {
        let room = size.saturating_sub(1);
        let end = self.bytes.len().saturating_add(size);
        self.bytes.extend(text.iter().take(room));
        self.bytes.resize(end, 0);
        self
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(crate) fn zeros(&mut self, count: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len().saturating_add(count), 0);
        self
    }

    /// Zeros up to a multiple of `align` bytes.
    pub(crate) fn align(&mut self, align: usize) -> &mut Self {
        let end = self.bytes.len().next_multiple_of(align.max(1));
        self.bytes.resize(end, 0);
        self
    }

    /// Zeros up to a multiple of the width of an address, as a compiler puts them before one.
    pub(crate) fn align_word(&mut self) -> &mut Self {
        self.align(self.width.bytes())
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn width(&self) -> Width {
        self.width
    }

    /// What was built; nothing stays.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// What was built so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what was built, and keeps its room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// The low 32 bits.
pub(crate) fn low(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
