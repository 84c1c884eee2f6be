//! What bytes are, by their content: names and suffixes are never asked.

use crate::header::{BLOCK, Header};
use crate::tape::first_nonzero;

/// So many bytes are looked at when the beginning is unknown.
pub(crate) const HEAD: usize = 1 << 20;

/// A compression that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Codec {
    /// As in file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gz",
            Codec::Zstd => "zst",
            Codec::Xz => "xz",
            Codec::Bzip2 => "bz2",
        }
    }

    /// The codec whose stream begins with `head`.
    pub(crate) fn of(head: &[u8]) -> Option<Codec> {
        // A tar member may have any name, also one like a magic number.
        if is_header(head) {
            return None;
        }
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Codec::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Codec::Zstd),
            // Skippable frames; pzstd puts one first. lz4 shares them, but begins with its own magic.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Codec::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Codec::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
                if rest.starts_with(b"\x31\x41\x59\x26\x53\x59")
                    || rest.starts_with(b"\x17\x72\x45\x38\x50\x90") =>
            {
                Some(Codec::Bzip2)
            }
            _ => None,
        }
    }
}

/// Whether bytes begin like an archive that can be opened: a tar header, or a stream of a compression that is read. For
/// telling archives among the members of other evidence; give the first 512 bytes or more.
#[must_use]
pub fn begins_like_archive(head: &[u8]) -> bool {
    is_header(head) || Codec::of(head).is_some()
}

/// Whether this is an lz4 frame, current or legacy.
pub(crate) fn is_lz4(head: &[u8]) -> bool {
    !is_header(head)
        && (head.starts_with(&[0x04, 0x22, 0x4d, 0x18])
            || head.starts_with(&[0x02, 0x21, 0x4c, 0x18]))
}

fn is_header(head: &[u8]) -> bool {
    head.first_chunk::<BLOCK>().is_some_and(|block| Header::checked(block).is_some())
}

/// Whether `head` is the beginning of a tar archive, perhaps one with a damaged start. `complete`: nothing follows `head`.
pub(crate) fn is_tar(head: &[u8], complete: bool) -> bool {
    if is_header(head) {
        return true;
    }
    // An archive without members is two blocks of zeros, padded to a record by most writers. A disk image full of zeros is not.
    if first_nonzero(head).is_none() {
        return complete && head.len() >= 2 * BLOCK;
    }
    if known_form(head).is_some() {
        return false;
    }
    // The first header is damaged, or the first blocks are missing. Only headers with a magic count here: a checksum alone is
    // too easily right among so many blocks.
    let (blocks, _) = head.as_chunks::<BLOCK>();
    blocks.iter().any(|block| Header::checked(block).is_some_and(|header| header.has_magic()))
}

/// What the bytes look like, in words, for those who gave the wrong file.
pub(crate) fn looks_like(head: &[u8]) -> String {
    if let Some(form) = known_form(head) {
        return format!("it looks like {form}");
    }
    if first_nonzero(head).is_none() {
        return "it holds nothing but zero bytes".to_owned();
    }
    if is_text(head) {
        return match head.trim_ascii_start().first() {
            Some(b'{' | b'[') => "it looks like json".to_owned(),
            Some(b'<') => "it looks like xml or html".to_owned(),
            _ => "it looks like plain text".to_owned(),
        };
    }
    if head.len() < BLOCK {
        return format!("its {} bytes are too few for a tar header", head.len());
    }
    "its content is of no known form".to_owned()
}

fn known_form(head: &[u8]) -> Option<&'static str> {
    const FORMS: [(&[u8], &str); 22] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"PK\x05\x06", "an empty zip archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive"),
        (b"Rar!\x1a\x07", "a rar archive"),
        (b"\x7fELF", "an elf file (a program, library or core dump)"),
        (b"MZ", "a windows program"),
        (b"!<arch>\n", "an ar archive or debian package"),
        (b"\xed\xab\xee\xdb", "an rpm package"),
        (b"070701", "a cpio archive"),
        (b"070707", "a cpio archive"),
        (b"hsqs", "a squashfs image"),
        (b"QFI\xfb", "a qcow2 disk image"),
        (b"KDMV", "a vmdk disk image"),
        (b"SQLite format 3\0", "an sqlite database"),
        (b"%PDF-", "a pdf document"),
        (b"\x89PNG\r\n", "a png picture"),
        (b"\xff\xd8\xff", "a jpeg picture"),
        (b"LZIP", "an lzip file"),
        (b"\x1f\x9d", "a file of the old compress program"),
        (b"\x89LZO\0\r\n", "an lzop file"),
        (b"EMiL", "a lime memory image"),
        (b"\x1f\x8b", "a gzip file of an unknown method"),
    ];
    FORMS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}

fn is_text(head: &[u8]) -> bool {
    let sample = head.get(..4096).unwrap_or(head);
    // The sample may end within a character.
    let valid = match str::from_utf8(sample) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    valid && !sample.iter().any(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        let cases: [(&[u8], &str); 7] = [
            (b"PK\x03\x04....", "zip"),
            (b"\x7fELF\x02", "elf"),
            (b"{\"a\": 1}", "json"),
            (b"<!doctype html>", "html"),
            ("hello, w\u{f6}rld\n".as_bytes(), "plain text"),
            (&[0; 4096], "zero bytes"),
            (&[0xaa; 100], "too few"),
        ];
        for (bytes, expected) in cases {
            assert!(looks_like(bytes).contains(expected), "{}", looks_like(bytes));
            assert!(Codec::of(bytes).is_none());
        }
        assert!(looks_like(&[0xaa; 1000]).contains("no known form"));
    }

    #[test]
    fn an_empty_archive_is_one_a_disk_of_zeros_is_not() {
        assert!(is_tar(&[0; 1024], true));
        assert!(is_tar(&[0; 10240], true));
        assert!(!is_tar(&[0; 1024], false));
        assert!(!is_tar(&[0; 512], true));
    }

    #[test]
    fn a_member_may_be_called_like_a_magic_number() {
        let mut header = tar::Header::new_gnu();
        header.set_path("BZh91AY&SY").unwrap();
        header.set_cksum();
        assert_eq!(Codec::of(header.as_bytes()), None);
        assert!(is_tar(header.as_bytes(), false));
        assert_eq!(Codec::of(b"BZh91AY&SY"), Some(Codec::Bzip2));
    }
}
