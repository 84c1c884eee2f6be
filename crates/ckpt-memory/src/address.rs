//! Virtual addresses.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

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

/// Addresses from `start` up to but without `end`. Written as `A-B` or `A+LENGTH`: hexadecimal with or without `0x`, the
/// length decimal unless it begins with `0x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddrRange {
    /// First address.
    pub start: VirtAddr,
    /// First address after it; above `start`.
    pub end: VirtAddr,
}

/// Why a text is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddrRangeError {
    /// Neither `A-B` nor `A+LENGTH`.
    #[error("a range is written 0xSTART-0xEND or 0xSTART+LENGTH")]
    Form,
    /// A part is no number.
    #[error("`{0}` is no address")]
    Number(String),
    /// The end is not above the start.
    #[error("the end {end} is not above the start {start}")]
    Inverted {
        /// The first address.
        start: VirtAddr,
        /// The last one.
        end: VirtAddr,
    },
}

impl AddrRange {
    /// Bytes.
    #[allow(clippy::len_without_is_empty)] // none is empty
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end.since(self.start)
    }
}

impl FromStr for AddrRange {
    type Err = AddrRangeError;

    fn from_str(text: &str) -> Result<Self, AddrRangeError> {
        let hex = |part: &str| {
            let digits = part.strip_prefix("0x").unwrap_or(part);
            u64::from_str_radix(digits, 16).map_err(|_| AddrRangeError::Number(part.to_owned()))
        };
        let (start, end) = if let Some((start, end)) = text.split_once('-') {
            (hex(start)?, hex(end)?)
        } else if let Some((start, len)) = text.split_once('+') {
            let bytes = if len.starts_with("0x") {
                hex(len)?
            } else {
                len.parse().map_err(|_| AddrRangeError::Number(len.to_owned()))?
            };
            let start = hex(start)?;
            (start, start.saturating_add(bytes))
        } else {
            return Err(AddrRangeError::Form);
        };
        let (start, end) = (VirtAddr(start), VirtAddr(end));
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(AddrRangeError::Inverted { start, end })
        }
    }
}

/// `0x1000-0x2000`.
impl fmt::Display for AddrRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_people_write_them() {
        let range =
            |text: &str| text.parse::<AddrRange>().map(|range| (range.start.0, range.end.0));
        assert_eq!(range("0x1000-0x2000"), Ok((0x1000, 0x2000)));
        assert_eq!(range("7f00-7f10"), Ok((0x7f00, 0x7f10)));
        assert_eq!(range("0x1000+16"), Ok((0x1000, 0x1010)));
        assert_eq!(range("0x1000+0x10"), Ok((0x1000, 0x1010)));
        assert_eq!(range("1000"), Err(AddrRangeError::Form));
        assert_eq!(range("1000-x"), Err(AddrRangeError::Number("x".into())));
        let (start, end) = (VirtAddr(0x2000), VirtAddr(0x1000));
        assert_eq!(range("0x2000-0x1000"), Err(AddrRangeError::Inverted { start, end }));
        assert!(range("1000+0").is_err());
    }
}
