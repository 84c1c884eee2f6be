//! What a file of an image directory is, from its name.

use std::fmt;

use crate::kind::{ImageKind, NamePattern, Number};

/// What a file name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classified {
    /// An image of CRIU or of one of its plugins.
    Image(ImageName),
    /// Known, but not an image: says what.
    NotCriu(&'static str),
    /// Not known.
    Unknown,
}

/// Kind and number of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    /// Kind.
    pub kind: ImageKind,
    /// Number in the name: a pid, a namespace id and so on, by kind.
    pub id: Option<u64>,
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.file_name(self.id) {
            Some(name) => f.write_str(&name),
            None => f.write_str(self.kind.name()),
        }
    }
}

/// Files that engines and CRIU put beside the images.
static NOT_CRIU: &[(&str, &str)] = &[
    ("descriptors.json", "standard descriptors of the container, by the runtime"),
    ("dump.log", "log of the dump"),
    ("restore.log", "log of a restore"),
    ("criu.log", "log of CRIU"),
    ("predump.log", "log of a pre-dump"),
    ("parent", "link to the parent image directory"),
    ("criu.conf", "configuration of CRIU"),
    ("criu.kdat", "cache of kernel features"),
    ("config.json", "configuration of the container"),
    ("state.json", "state of the container, by the runtime"),
    ("criu.pid", "pid file"),
    ("criu.work", "work directory of CRIU"),
];

/// Tells what a file is from its name without directories.
///
/// Numbers must be written as CRIU writes them (no leading zeros, lower-case hexadecimal), so that a name and its kind
/// and number tell each other.
#[must_use]
pub fn classify(file_name: &[u8]) -> Classified {
    let Ok(name) = std::str::from_utf8(file_name) else {
        return Classified::Unknown;
    };
    for kind in ImageKind::ALL {
        for pattern in kind.info().patterns {
            if let Some(id) = matches(pattern, name) {
                return Classified::Image(ImageName { kind: *kind, id });
            }
        }
    }
    let known = NOT_CRIU.iter().find(|(known, _)| *known == name);
    known.map_or(Classified::Unknown, |(_, what)| Classified::NotCriu(what))
}

/// The number of a name that the pattern fits: `Some(None)` where the pattern has none.
fn matches(pattern: &NamePattern, name: &str) -> Option<Option<u64>> {
    let middle = name.strip_prefix(pattern.prefix)?.strip_suffix(pattern.suffix)?;
    match pattern.number {
        Number::None => middle.is_empty().then_some(None),
        Number::Decimal => number(middle, 10).map(Some),
        Number::Hexadecimal => number(middle, 16).map(Some),
        Number::Other => (!middle.is_empty()).then_some(None),
    }
}

fn number(text: &str, radix: u32) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (radix == 16 && matches!(byte, b'a'..=b'f')));
    if canonical && digits { u64::from_str_radix(text, radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> Option<(ImageKind, Option<u64>)> {
        match classify(name.as_bytes()) {
            Classified::Image(found) => Some((found.kind, found.id)),
            _ => None,
        }
    }

    #[test]
    fn names_of_every_form() {
        assert_eq!(image("inventory.img"), Some((ImageKind::Inventory, None)));
        assert_eq!(image("core-17.img"), Some((ImageKind::Core, Some(17))));
        assert_eq!(image("pagemap-shmem-0.img"), Some((ImageKind::PagemapShmem, Some(0))));
        assert_eq!(image("tcp-stream-2188a.img"), Some((ImageKind::TcpStream, Some(0x2188a))));
        assert_eq!(image("ghost-file-10.img"), Some((ImageKind::GhostFile, Some(16))));
        assert_eq!(image("tmpfs-dev-45.tar.gz.img"), Some((ImageKind::TmpfsDev, Some(45))));
        assert_eq!(image("tmpfs-45.tar.gz.img"), Some((ImageKind::TmpfsImg, Some(45))));
        assert_eq!(image("netns-ct-3.img"), Some((ImageKind::NetnsCt, Some(3))));
        assert_eq!(image("stats-dump"), Some((ImageKind::StatsDump, None)));
        assert_eq!(image("binfmt-misc.img"), Some((ImageKind::BinfmtMisc, None)));
        assert_eq!(image("binfmt-misc-9.img"), Some((ImageKind::BinfmtMisc, Some(9))));
        assert_eq!(image("amdgpu-pages-1-00ff.img"), Some((ImageKind::AmdgpuPages, None)));
        assert_eq!(image("pages-3.comp.img"), Some((ImageKind::PagesCompressed, Some(3))));
    }

    #[test]
    fn names_that_criu_does_not_write() {
        for name in [
            "core-.img",
            "core-01.img",
            "core-+1.img",
            "core-1.IMG",
            "tcp-stream-AB.img",
            "stats-dump.img",
        ] {
            assert_eq!(classify(name.as_bytes()), Classified::Unknown, "{name}");
        }
        assert_eq!(classify(b"core-99999999999999999999.img"), Classified::Unknown);
        assert_eq!(classify(b"\xff.img"), Classified::Unknown);
        assert!(matches!(classify(b"descriptors.json"), Classified::NotCriu(_)));
    }

    #[test]
    fn every_kind_finds_itself_by_its_name() {
        for kind in ImageKind::ALL {
            for id in [None, Some(0), Some(1234), Some(u64::MAX)] {
                if let Some(name) = kind.file_name(id) {
                    assert_eq!(image(&name), Some((*kind, id)), "{name}");
                    assert_eq!(ImageName { kind: *kind, id }.to_string(), name);
                }
            }
        }
    }
}
