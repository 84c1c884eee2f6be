//! The 512-byte tar header in its dialects: v7, ustar, GNU, star.
//!
//! Read here and not by the `tar` crate, because damaged fields, negative times, star's prefix and sparse extensions must
//! each be told apart. Layouts: POSIX.1-2008 `pax` (ustar), GNU tar `src/tar.h` (`oldgnu_header`, `star_in_header`).

use std::ops::Range;

use crate::Timestamp;
use crate::sparse::Extent;

/// Size of a tar block in bytes. Headers are one block; contents are padded to whole blocks.
pub(crate) const BLOCK: usize = 512;
/// The same as an offset.
pub(crate) const BLOCK_BYTES: u64 = 512;

/// One block.
pub(crate) type Block = [u8; BLOCK];

/// Which layout a header follows beyond the fields common to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    V7,
    Ustar,
    Gnu,
    Star,
}

/// A header whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    block: &'a Block,
    dialect: Dialect,
}

impl<'a> Header<'a> {
    /// `None` when the checksum is wrong: this is no header, or a damaged one.
    pub(crate) fn checked(block: &'a Block) -> Option<Self> {
        let stored = field(block, 148..156);
        // Most blocks of data fail here, which keeps the search for the next header fast.
        if !stored.iter().all(|byte| matches!(byte, b'0'..=b'7' | b' ' | 0)) {
            return None;
        }
        let expected = octal(stored)?;
        let mut unsigned = 0_u64;
        let mut signed = 0_i64;
        for (at, byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&at) { b' ' } else { *byte };
            unsigned = unsigned.wrapping_add(u64::from(byte));
            // Old Sun tars summed signed characters.
            signed = signed.wrapping_add(i64::from(i8::from_ne_bytes([byte])));
        }
        if expected != unsigned && i64::try_from(expected) != Ok(signed) {
            return None;
        }
        let dialect = match (field(block, 257..265), field(block, 508..512)) {
            (b"ustar  \0", _) => Dialect::Gnu,
            (magic, b"tar\0") if magic.starts_with(b"ustar") => Dialect::Star,
            (magic, _) if magic.starts_with(b"ustar") => Dialect::Ustar,
            _ => Dialect::V7,
        };
        Some(Header { block, dialect })
    }

    /// Whether the header carries the magic that all but the oldest writers set.
    pub(crate) fn has_magic(&self) -> bool {
        self.dialect != Dialect::V7
    }

    fn field(&self, range: Range<usize>) -> &'a [u8] {
        field(self.block, range)
    }

    /// The name, with the prefix where the dialect has one.
    pub(crate) fn path(&self) -> Vec<u8> {
        let name = until_nul(self.field(0..100));
        let prefix = match self.dialect {
            Dialect::Ustar => until_nul(self.field(345..500)),
            Dialect::Star => until_nul(self.field(345..476)),
            Dialect::V7 | Dialect::Gnu => b"",
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, name].join(&b'/') }
    }

    pub(crate) fn link_name(&self) -> Vec<u8> {
        until_nul(self.field(157..257)).to_vec()
    }

    pub(crate) fn type_flag(&self) -> u8 {
        self.block[156]
    }

    pub(crate) fn size(&self) -> Option<u64> {
        unsigned(self.field(124..136))
    }

    pub(crate) fn mode(&self) -> Option<u32> {
        unsigned(self.field(100..108)).and_then(|mode| u32::try_from(mode & 0o7777).ok())
    }

    pub(crate) fn uid(&self) -> Option<u64> {
        unsigned(self.field(108..116))
    }

    pub(crate) fn gid(&self) -> Option<u64> {
        unsigned(self.field(116..124))
    }

    pub(crate) fn mtime(&self) -> Option<Timestamp> {
        signed(self.field(136..148)).map(|secs| Timestamp { secs, nanos: 0 })
    }

    /// Access time: GNU and star headers have room for it, zeros mean absent.
    pub(crate) fn atime(&self) -> Option<Timestamp> {
        match self.dialect {
            Dialect::Gnu => self.optional_time(345..357),
            Dialect::Star => self.optional_time(476..488),
            Dialect::V7 | Dialect::Ustar => None,
        }
    }

    /// Inode change time, as [`Header::atime`].
    pub(crate) fn ctime(&self) -> Option<Timestamp> {
        match self.dialect {
            Dialect::Gnu => self.optional_time(357..369),
            Dialect::Star => self.optional_time(488..500),
            Dialect::V7 | Dialect::Ustar => None,
        }
    }

    fn optional_time(&self, range: Range<usize>) -> Option<Timestamp> {
        let bytes = self.field(range);
        if bytes.iter().all(|byte| matches!(byte, 0 | b' ')) {
            return None;
        }
        signed(bytes).map(|secs| Timestamp { secs, nanos: 0 })
    }

    pub(crate) fn uname(&self) -> &'a [u8] {
        if self.has_magic() { until_nul(self.field(265..297)) } else { b"" }
    }

    pub(crate) fn gname(&self) -> &'a [u8] {
        if self.has_magic() { until_nul(self.field(297..329)) } else { b"" }
    }

    /// Major and minor device number.
    pub(crate) fn device(&self) -> (u32, u32) {
        let number =
            |range| unsigned(self.field(range)).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        if self.has_magic() { (number(329..337), number(337..345)) } else { (0, 0) }
    }

    /// The four sparse extents of an old GNU header; `None` in the list for a field that is no number.
    pub(crate) fn sparse_extents(&self) -> Vec<Option<Extent>> {
        extents(self.field(386..482))
    }

    /// Whether blocks with further sparse extents follow the header.
    pub(crate) fn sparse_continues(&self) -> bool {
        self.block[482] != 0
    }

    /// Logical size of an old GNU sparse member.
    pub(crate) fn sparse_size(&self) -> Option<u64> {
        unsigned(self.field(483..495))
    }
}

/// The 21 extents of an old GNU sparse extension block, and whether another block follows.
pub(crate) fn sparse_extension(block: &Block) -> (Vec<Option<Extent>>, bool) {
    (extents(field(block, 0..504)), block[504] != 0)
}

fn extents(bytes: &[u8]) -> Vec<Option<Extent>> {
    bytes
        .chunks_exact(24)
        .take_while(|entry| entry.first() != Some(&0))
        .map(|entry| {
            let (offset, len) = entry.split_at_checked(12)?;
            Some(Extent { offset: unsigned(offset)?, len: unsigned(len)? })
        })
        .collect()
}

fn field(block: &Block, range: Range<usize>) -> &[u8] {
    block.get(range).unwrap_or_default()
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits with spaces or NULs around them; nothing at all is 0.
fn octal(bytes: &[u8]) -> Option<u64> {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | 0)).unwrap_or(bytes.len());
    let mut value = 0_u64;
    for byte in bytes.get(start..)? {
        match byte {
            b'0'..=b'7' => {
                value = value.checked_mul(8)?.checked_add(u64::from(byte.wrapping_sub(b'0')))?;
            }
            b' ' | 0 => break,
            _ => return None,
        }
    }
    Some(value)
}

/// Base-256, the GNU form for numbers that octal has no room for: the top bit marks it, two's complement follows.
fn base256(bytes: &[u8]) -> Option<i128> {
    let (first, rest) = bytes.split_first()?;
    // Sign-extend from the seven bits that are left of the first byte.
    let mut value = i128::from(first & 0x7f);
    if first & 0x40 != 0 {
        value = value.wrapping_sub(0x80);
    }
    for byte in rest {
        value = value.checked_mul(256)?.checked_add(i128::from(*byte))?;
    }
    Some(value)
}

fn unsigned(bytes: &[u8]) -> Option<u64> {
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => u64::try_from(base256(bytes)?).ok(),
        _ => octal(bytes),
    }
}

fn signed(bytes: &[u8]) -> Option<i64> {
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => i64::try_from(base256(bytes)?).ok(),
        // Some writers put a minus sign before octal digits.
        Some(b'-') => octal(bytes.get(1..)?).and_then(|n| 0_i64.checked_sub_unsigned(n)),
        _ => octal(bytes).and_then(|n| i64::try_from(n).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_both_notations() {
        assert_eq!(unsigned(b"0000644\0"), Some(0o644));
        assert_eq!(unsigned(b"   644 \0"), Some(0o644));
        assert_eq!(unsigned(b"\0\0\0\0"), Some(0));
        assert_eq!(unsigned(b"77777777777"), Some(0o77_777_777_777));
        assert_eq!(unsigned(b"00x0644\0"), None);
        assert_eq!(unsigned(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(0x2_0000_0000));
        assert_eq!(unsigned(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(signed(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
        assert_eq!(signed(b"\x80\x01\0\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(signed(b"-17\0"), Some(-15));
    }

    #[test]
    fn a_signed_checksum_counts_too() {
        let mut block = [0_u8; BLOCK];
        block[0] = 0xe9;
        block[156] = b'0';
        // Signed: 0xe9 is -23; eight spaces; one '0'.
        let sum = 8 * 32 + 48 - 23;
        block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        assert!(Header::checked(&block).is_some());
        block[1] = 1;
        assert!(Header::checked(&block).is_none());
    }
}
