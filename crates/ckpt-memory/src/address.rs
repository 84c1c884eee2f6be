//! Virtual addresses.

use std::fmt;

/// A virtual address of the dumped process, bytes. Unsigned on purpose: `[vsyscall]` lies at `0xffffffffff600000`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtAddr(pub u64);

impl VirtAddr {
    /// The address `len` bytes further on, or `None` past the end of the address space.
    #[must_use]
    pub fn checked_add(self, len: u64) -> Option<Self> {
        self.0.checked_add(len).map(Self)
    }

    /// Bytes from `start` to here; 0 when `start` is not below.
    #[must_use]
    pub fn since(self, start: Self) -> u64 {
        self.0.saturating_sub(start.0)
    }
}

/// `0x7f76c1772190`, as JSON and tables show an address.
impl fmt::Display for VirtAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::LowerHex for VirtAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}
