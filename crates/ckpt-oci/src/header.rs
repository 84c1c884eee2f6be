//! Headers of a POSIX pax archive (POSIX.1-2008 `pax`), in the one spelling that every reader of layers knows.
//!
//! The `tar` crate writes long names as GNU does, and takes keys of pax records as UTF-8, which names of extended attributes
//! need not be.

use std::collections::BTreeMap;

use ckpt_archive::Timestamp;

/// Size of a block; headers are one block, contents are padded to whole ones.
pub(crate) const BLOCK: usize = 512;

/// Bytes of an extended header that readers take: Go's `archive/tar`, which the engines are built on, stops at 1 MiB.
pub(crate) const MAX_EXTENDED: usize = 1 << 20;

/// What kind of entry a header begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind<'a> {
    File,
    Directory,
    /// With its target.
    Symlink(&'a [u8]),
    /// With the path of the entry that it is another name of.
    HardLink(&'a [u8]),
}

/// What a header says.
#[derive(Clone, Debug)]
pub(crate) struct Header<'a> {
    /// Relative, normalised, not empty but for the root itself.
    pub(crate) path: &'a [u8],
    pub(crate) kind: EntryKind<'a>,
    pub(crate) size: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) uname: &'a [u8],
    pub(crate) gname: &'a [u8],
    pub(crate) mtime: Timestamp,
    pub(crate) atime: Option<Timestamp>,
    pub(crate) ctime: Option<Timestamp>,
    pub(crate) xattrs: BTreeMap<&'a [u8], &'a [u8]>,
}

impl Header<'_> {
    /// The header as bytes, with an extended one before it where it needs that.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut records = Vec::new();
        let block = self.block(&mut records);
        let mut bytes = Vec::new();
        if !records.is_empty() {
            let mut extended = Block::new();
            extended.text(0..100, b"././@PaxHeader");
            extended.number(100..108, 0o644);
            extended.number(108..116, 0);
            extended.number(116..124, 0);
            extended.number(124..136, records.len() as u64);
            extended.number(136..148, 0);
            bytes.extend_from_slice(&extended.finish(b'x'));
            let padding = padding(records.len() as u64);
            bytes.extend_from_slice(&records);
            bytes.resize(bytes.len().saturating_add(padding), 0);
        }
        bytes.extend_from_slice(&block);
        bytes
    }

    /// The block, and in `records` what it has no room for.
    fn block(&self, records: &mut Vec<u8>) -> [u8; BLOCK] {
        let mut block = Block::new();
        let (flag, target): (u8, &[u8]) = match self.kind {
            EntryKind::File => (b'0', b""),
            EntryKind::Directory => (b'5', b""),
            EntryKind::Symlink(target) => (b'2', target),
            EntryKind::HardLink(target) => (b'1', target),
        };
        let mut path = if self.path.is_empty() { b".".to_vec() } else { self.path.to_vec() };
        if self.kind == EntryKind::Directory {
            path.push(b'/');
        }
        if !block.text(0..100, &path) {
            record(records, b"path", &path);
        }
        if !block.text(157..257, target) {
            record(records, b"linkpath", target);
        }
        block.number(100..108, u64::from(self.mode & 0o7777));
        for (range, key, value) in [
            (108..116, "uid", self.uid),
            (116..124, "gid", self.gid),
            (124..136, "size", self.size),
        ] {
            if !block.number(range, value) {
                record(records, key.as_bytes(), value.to_string().as_bytes());
            }
        }
        let seconds = u64::try_from(self.mtime.secs).ok().filter(|_| self.mtime.nanos == 0);
        if !seconds.is_some_and(|seconds| block.number(136..148, seconds)) {
            block.number(136..148, u64::try_from(self.mtime.secs).unwrap_or(0));
            record(records, b"mtime", time(self.mtime).as_bytes());
        }
        for (key, value) in [("atime", self.atime), ("ctime", self.ctime)] {
            if let Some(value) = value {
                record(records, key.as_bytes(), time(value).as_bytes());
            }
        }
        // These fields end with a NUL.
        for (range, key, name) in [(265..296, "uname", self.uname), (297..328, "gname", self.gname)]
        {
            if !block.text(range, name) {
                record(records, key.as_bytes(), name);
            }
        }
        for (name, value) in &self.xattrs {
            record(records, &[b"SCHILY.xattr.", *name].concat(), value);
        }
        block.finish(flag)
    }
}

/// Bytes of an extended header with these attributes, roughly and not less.
pub(crate) fn weight(xattrs: &BTreeMap<&[u8], &[u8]>) -> usize {
    // A length, two separators and a newline, and the prefix of the key.
    xattrs.iter().fold(0_usize, |sum, (name, value)| {
        sum.saturating_add(name.len()).saturating_add(value.len()).saturating_add(40)
    })
}

/// Bytes from the end of a content to the next block.
pub(crate) fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK.saturating_sub(over) }
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len().saturating_add(value.len()).saturating_add(3);
    let mut len = rest.saturating_add(rest.to_string().len());
    // One more digit can make it one digit longer, once.
    if len.to_string().len() != rest.to_string().len() {
        len = rest.saturating_add(len.to_string().len());
    }
    records.extend_from_slice(len.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// Seconds with as many digits behind the point as there are; before 1970 with a minus sign.
fn time(time: Timestamp) -> String {
    let nanos =
        i128::from(time.secs).saturating_mul(1_000_000_000).saturating_add(i128::from(time.nanos));
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let text = format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A header block while its fields are filled in.
struct Block([u8; BLOCK]);

impl Block {
    fn new() -> Self {
        let mut block = Self([0; BLOCK]);
        block.text(257..265, b"ustar\x0000");
        block
    }

    /// Puts a text in a field; false when only its beginning has room there.
    fn text(&mut self, range: std::ops::Range<usize>, text: &[u8]) -> bool {
        let Some(field) = self.0.get_mut(range) else { return false };
        let len = text.len().min(field.len());
        if let (Some(field), Some(text)) = (field.get_mut(..len), text.get(..len)) {
            field.copy_from_slice(text);
        }
        len == text.len()
    }

    /// Puts a number in a field as octal digits and a NUL; false, and a 0, when it has no room there.
    fn number(&mut self, range: std::ops::Range<usize>, number: u64) -> bool {
        let digits = range.len().saturating_sub(1);
        let text = format!("{number:0digits$o}");
        let fits = text.len() <= digits;
        let text = if fits { text } else { "0".repeat(digits) };
        self.text(range, text.as_bytes());
        fits
    }

    fn finish(mut self, flag: u8) -> [u8; BLOCK] {
        self.text(156..157, &[flag]);
        self.text(148..156, b"        ");
        let sum = self.0.iter().fold(0_u64, |sum, byte| sum.saturating_add(u64::from(*byte)));
        self.text(148..156, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_themselves() {
        for len in 0..2000 {
            let mut records = Vec::new();
            record(&mut records, b"path", &vec![b'x'; len]);
            let text = String::from_utf8(records.clone()).unwrap();
            let (count, _) = text.split_once(' ').unwrap();
            assert_eq!(count.parse(), Ok(records.len()), "{len}");
        }
    }

    #[test]
    fn what_no_field_has_room_for_is_told_all_the_same() {
        let name = [b'n'; 40];
        let header = Header {
            path: b"large",
            kind: EntryKind::File,
            size: 1 << 40,
            mode: 0o600,
            uid: 1 << 31,
            gid: u64::MAX,
            uname: &name,
            gname: b"",
            mtime: Timestamp { secs: 1 << 35, nanos: 0 },
            atime: None,
            ctime: None,
            xattrs: BTreeMap::new(),
        };
        let tar = header.bytes();
        let evidence =
            ckpt_archive::Evidence::from_bytes("tar", tar.into(), &Default::default()).unwrap();
        let [member] = evidence.members() else { panic!("{evidence:?}") };
        assert_eq!((member.size, member.uid, member.gid), (1 << 40, 1 << 31, u64::MAX));
        assert_eq!(member.uname.as_deref(), Some(&name[..]));
        assert_eq!(member.mtime.secs, 1 << 35);
    }

    #[test]
    fn times_have_signs_and_fractions() {
        for (secs, nanos, text) in [
            (0, 0, "0"),
            (1, 500_000_000, "1.5"),
            (-2, 500_000_000, "-1.5"),
            (-3, 0, "-3"),
            (100, 1, "100.000000001"),
            (-1, 999_999_999, "-0.000000001"),
        ] {
            assert_eq!(time(Timestamp { secs, nanos }), text);
        }
    }
}
