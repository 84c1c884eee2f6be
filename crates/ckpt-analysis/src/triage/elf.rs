//! Whether an ELF file is a program or a library.
//!
//! Both can be of type `ET_DYN` and have an entry point: older linkers gave every library one. A program names its
//! interpreter, or says in its dynamic section that it is position-independent (`DF_1_PIE`), which a linker also writes
//! where there is no interpreter (static-pie).
//!
//! Source: `include/uapi/linux/elf.h`; the generic ABI, "Program Header" and "Dynamic Section"; binutils
//! `include/elf/common.h`.

use goblin::container::Ctx;
use goblin::elf::Elf;
use goblin::elf::dynamic::{DF_1_PIE, DT_FLAGS_1, DT_NULL, DT_SONAME, Dynamic};
use goblin::elf::header::{ET_DYN, Header};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP, ProgramHeader};

use super::places::split;

/// Bytes of an ELF header, of the larger kind.
const HEADER: u64 = 64;

/// Most program headers that are read.
const MOST_SEGMENTS: u16 = 64;

/// Most bytes of a dynamic section that are read.
const MOST_DYNAMIC: u64 = 16 << 10;

/// Whether an ELF file is a library. `read` gives the bytes at an offset, at most so many, and fewer where they end or
/// are missing.
pub(super) fn is_library(path: &[u8], read: impl Fn(u64, u64) -> Vec<u8>) -> bool {
    let Ok(header) = Elf::parse_header(&read(0, HEADER)) else { return false };
    let (Ok(container), Ok(endian)) = (header.container(), header.endianness()) else {
        return false;
    };
    if header.e_type != ET_DYN {
        return false;
    }
    if header.e_entry == 0 {
        return true;
    }
    let ctx = Ctx::new(container, endian);
    let program = match segments(&header, ctx, &read) {
        Some(segments) => {
            let of = |kind: u32| segments.iter().find(|segment| segment.p_type == kind);
            match (of(PT_INTERP), of(PT_DYNAMIC)) {
                (None, Some(segment)) => is_program(segment, ctx, &read),
                // Without a dynamic section it is a packer's work.
                _ => return false,
            }
        }
        None => None,
    };
    // What cannot be read has a name at least.
    let name = split(path).1;
    let so = || name.ends_with(b".so") || name.windows(4).any(|window| window == b".so.");
    program.map_or_else(so, |program| !program)
}

/// The program headers; `None` when some are missing.
fn segments(
    header: &Header,
    ctx: Ctx,
    read: &impl Fn(u64, u64) -> Vec<u8>,
) -> Option<Vec<ProgramHeader>> {
    let number = header.e_phnum.min(MOST_SEGMENTS);
    let size = ProgramHeader::size(ctx) as u64;
    if number > 0 && u64::from(header.e_phentsize) != size {
        return None;
    }
    let table = read(header.e_phoff, size.checked_mul(u64::from(number))?);
    ProgramHeader::parse(&table, 0, usize::from(number), ctx).ok()
}

/// Whether a dynamic section says that the file is a program; `None` when it cannot be read.
fn is_program(
    segment: &ProgramHeader,
    ctx: Ctx,
    read: &impl Fn(u64, u64) -> Vec<u8>,
) -> Option<bool> {
    let table = read(segment.p_offset, segment.p_filesz.min(MOST_DYNAMIC));
    // The parser is given the section alone.
    let alone = ProgramHeader { p_offset: 0, p_filesz: table.len() as u64, ..segment.clone() };
    let entries = Dynamic::parse(&table, &[alone], ctx).ok()??.dyns;
    let value = |tag: u64| entries.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val);
    match value(DT_FLAGS_1) {
        Some(flags) => Some(flags & DF_1_PIE != 0),
        None => (value(DT_SONAME).is_some() || value(DT_NULL).is_some()).then_some(false),
    }
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
