//! Whether an ELF file is a program or a library.
//!
//! Both can be of type `ET_DYN` and have an entry point: older linkers gave every library one. A program names its
//! interpreter, or says in its dynamic section that it is position-independent (`DF_1_PIE`), which a linker also writes
//! where there is no interpreter (static-pie).
//!
//! Source: `include/uapi/linux/elf.h`; the generic ABI, "Program Header" and "Dynamic Section"; binutils
//! `include/elf/common.h`.

use super::places::split;

const ET_DYN: u64 = 3;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NULL: u64 = 0;
const DT_SONAME: u64 = 14;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;

/// Most program headers that are read.
const MOST_SEGMENTS: u64 = 64;

/// Most bytes of a dynamic section that are read.
const MOST_DYNAMIC: u64 = 16 << 10;

/// How numbers stand in a file.
#[derive(Clone, Copy, Debug)]
struct Layout {
    big: bool,
    wide: bool,
}

impl Layout {
    /// The number of so many bytes at an offset.
    fn number(self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if self.big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }

    /// As [`number`](Self::number), of an address or offset: in another place and of another size in files of 32 bits.
    fn word(self, bytes: &[u8], narrow: usize, wide: usize) -> Option<u64> {
        if self.wide { self.number(bytes, wide, 8) } else { self.number(bytes, narrow, 4) }
    }
}

/// Whether an ELF file is a library. `read` gives the bytes at an offset, at most so many, and fewer where they end or
/// are missing.
pub(super) fn is_library(path: &[u8], read: impl Fn(u64, u64) -> Vec<u8>) -> bool {
    let header = read(0, 64);
    let layout = Layout { big: header.get(5) == Some(&2), wide: header.get(4) == Some(&2) };
    if layout.number(&header, 16, 2) != Some(ET_DYN) {
        return false;
    }
    if layout.word(&header, 24, 24) == Some(0) {
        return true;
    }
    let position_independent = match segments(layout, &header, &read) {
        // Without a dynamic section it is a packer's work.
        Some(Segments { interpreter: true, .. } | Segments { dynamic: None, .. }) => return false,
        Some(Segments { dynamic: Some((at, size)), .. }) => dynamic(layout, at, size, &read),
        None => None,
    };
    // What cannot be read has a name at least.
    let name = split(path).1;
    let so = || name.ends_with(b".so") || name.windows(4).any(|window| window == b".so.");
    position_independent.map_or_else(so, |program| !program)
}

/// What the program headers say.
#[derive(Clone, Copy, Debug, Default)]
struct Segments {
    /// There is one that names an interpreter.
    interpreter: bool,
    /// Offset and bytes of the dynamic section.
    dynamic: Option<(u64, u64)>,
}

/// Reads the program headers; `None` when some are missing.
fn segments(
    layout: Layout,
    header: &[u8],
    read: &impl Fn(u64, u64) -> Vec<u8>,
) -> Option<Segments> {
    let at = layout.word(header, 28, 32)?;
    let (size_at, number_at) = if layout.wide { (54, 56) } else { (42, 44) };
    let size = layout.number(header, size_at, 2)?;
    let number = layout.number(header, number_at, 2)?.min(MOST_SEGMENTS);
    let least = if layout.wide { 56 } else { 32 };
    if size < least || number == 0 {
        return (number == 0).then(Segments::default);
    }
    let table = read(at, size.checked_mul(number)?);
    let mut found = Segments::default();
    let mut entries = table.chunks_exact(usize::try_from(size).ok()?);
    for _ in 0..number {
        let entry = entries.next()?;
        match layout.number(entry, 0, 4)? {
            PT_INTERP => found.interpreter = true,
            PT_DYNAMIC => {
                let size = layout.word(entry, 16, 32)?;
                found.dynamic = Some((layout.word(entry, 4, 8)?, size));
            }
            _ => {}
        }
    }
    Some(found)
}

/// Whether a dynamic section says that the file is a program; `None` when it cannot be read.
fn dynamic(
    layout: Layout,
    at: u64,
    size: u64,
    read: &impl Fn(u64, u64) -> Vec<u8>,
) -> Option<bool> {
    let table = read(at, size.min(MOST_DYNAMIC));
    let (half, whole) = if layout.wide { (8, 16) } else { (4, 8) };
    let mut named = false;
    for entry in table.chunks_exact(whole) {
        let value = layout.number(entry, half, half)?;
        match layout.number(entry, 0, half)? {
            DT_NULL => return Some(false),
            DT_SONAME => named = true,
            DT_FLAGS_1 => return Some(value & DF_1_PIE != 0),
            _ => {}
        }
    }
    named.then_some(false)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file of 64 bits with these segments (type, offset, bytes) and entries of a dynamic section at 0x200.
    pub(in crate::triage) fn elf(
        entry: u8,
        segments: &[(u8, u64, u64)],
        tags: &[(u64, u64)],
    ) -> Vec<u8> {
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        file.resize(64, 0);
        (file[16], file[24], file[32], file[54]) = (3, entry, 64, 56);
        file[56] = u8::try_from(segments.len()).expect("few");
        for (kind, offset, size) in segments {
            let mut header = vec![*kind, 0, 0, 0, 4, 0, 0, 0];
            header.extend(offset.to_le_bytes());
            header.resize(32, 0);
            header.extend(size.to_le_bytes());
            header.resize(56, 0);
            file.extend(header);
        }
        file.resize(0x200, 0);
        file.extend(
            tags.iter().flat_map(|(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()]).flatten(),
        );
        file
    }

    fn library(path: &str, file: &[u8]) -> bool {
        is_library(path.as_bytes(), |at, most| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let rest = file.get(at..).unwrap_or_default();
            rest.iter().copied().take(usize::try_from(most).unwrap_or(usize::MAX)).collect()
        })
    }

    #[test]
    fn programs_and_libraries() {
        let of = |path: &str, entry, segments: &[_], tags: &[_]| {
            library(path, &elf(entry, segments, tags))
        };
        let dynamic = (2, 0x200, 48);
        let tags = [(DT_SONAME, 1), (5, 0), (DT_NULL, 0)];
        assert!(of("/tmp/x", 0, &[], &[]), "no entry point");
        assert!(of("/tmp/x", 9, &[dynamic], &tags), "an old linker's library");
        assert!(of("/tmp/x", 9, &[dynamic], &[(DT_FLAGS_1, 1), (DT_NULL, 0)]));
        assert!(
            !of("/tmp/x.so", 9, &[dynamic], &[(DT_FLAGS_1, DF_1_PIE), (DT_NULL, 0)]),
            "static-pie"
        );
        assert!(!of("/tmp/x.so", 9, &[(3, 0, 0), dynamic], &tags), "an interpreter is named");
        assert!(!of("/tmp/x.so", 9, &[(1, 0, 0)], &[]), "packed");
        assert!(!of("/tmp/x", 9, &[], &[]));
        let far = (2, 0x10_0000, 48);
        assert!(of("/tmp/x.so", 9, &[far], &[]) && of("/tmp/x.so.1", 9, &[far], &[]), "cut off");
        assert!(!of("/tmp/x", 9, &[far], &[]) && !of("/tmp/x.sorted", 9, &[far], &[]));
    }

    /// Numbers that lead anywhere.
    #[test]
    fn hostile_headers() {
        for at in 0..64_usize {
            let mut file = elf(9, &[(2, u64::MAX, u64::MAX), (2, 0x200, u64::MAX)], &[(1, 1)]);
            file[at] = 0xff;
            library("/tmp/x", &file);
            library("/tmp/x", &file[..at]);
        }
    }
}
