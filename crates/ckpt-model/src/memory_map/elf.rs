//! Who an ELF object is: its build id and its name, out of a file or of memory.
//!
//! Source: `include/uapi/linux/elf.h`; the System V ABI, chapters 4 and 5.

use ckpt_memory::{AddressSpace, ByteSource, Piece, VirtAddr};
use goblin::container::Ctx;
use goblin::elf::dynamic::{DT_NULL, DT_SONAME, DT_STRTAB};
use goblin::elf::header::{ELFMAG, ET_DYN, ET_EXEC, Header};
use goblin::elf::note::{NT_GNU_BUILD_ID, NoteDataIterator};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, PT_NOTE, ProgramHeader};
use goblin::elf::{Elf, header};

/// Bytes of an ELF header, of the larger kind.
const HEADER: u64 = 64;

/// Most program headers that are looked at. Real objects have about a dozen.
const MAX_HEADERS: u64 = 1024;

/// Most bytes of notes, of the dynamic section and of the name. Real ones stay far below.
const MAX_PART: u64 = 64 << 10;

/// What an ELF object says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Width of its addresses, bits.
    pub bits: u8,
    /// `e_machine`.
    pub machine: u16,
    /// `e_type`.
    pub kind: u16,
    /// Its build id, bytes; 20 of them as a rule.
    pub build_id: Option<Vec<u8>>,
    /// Its name as a shared library.
    pub soname: Option<Vec<u8>>,
}

impl Identity {
    /// Of a file. `None` when it is no ELF object.
    #[must_use]
    pub fn of(file: &dyn ByteSource) -> Option<Self> {
        Object { bytes: &|offset, len| read_file(file, offset, len), loaded: false }.identity()
    }

    /// Of an object that lies in memory as the program loader puts it, its header at `base`. `None` when there is no ELF
    /// header. What is not in the evidence is not told.
    #[must_use]
    pub fn in_memory(space: &AddressSpace, base: VirtAddr) -> Option<Self> {
        let read = |offset, len| {
            let (bytes, missing) = space.read_prefix(base.checked_add(offset)?, len);
            missing.is_none().then_some(bytes)
        };
        Object { bytes: &read, loaded: true }.identity()
    }
}

/// Whether bytes begin as an ELF file does.
pub(crate) fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(ELFMAG)
}

/// Up to `len` bytes of a file; `None` when one of them is not there.
fn read_file(file: &dyn ByteSource, offset: u64, len: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let len = len.min(file.size().checked_sub(offset)?);
    while (out.len() as u64) < len {
        let read = out.len() as u64;
        match file.piece(offset.checked_add(read)?, len.checked_sub(read)?) {
            Piece::Bytes(bytes) if !bytes.is_empty() => out.extend_from_slice(&bytes),
            Piece::Zeros(zeros) if zeros > 0 => {
                out.resize(out.len().checked_add(usize::try_from(zeros).ok()?)?, 0);
            }
            _ => return None,
        }
    }
    Some(out)
}

/// An object whose bytes can be asked for by offset: in the file, or from its first byte in memory.
struct Object<'a> {
    bytes: &'a dyn Fn(u64, u64) -> Option<Vec<u8>>,
    /// Whether it lies in memory, where segments are at their addresses.
    loaded: bool,
}

impl Object<'_> {
    fn identity(&self) -> Option<Identity> {
        let bytes = (self.bytes)(0, HEADER)?;
        if !is_elf(&bytes) {
            return None;
        }
        let header: Header = Elf::parse_header(&bytes).ok()?;
        let (container, endian) = (header.container().ok()?, header.endianness().ok()?);
        let ctx = Ctx::new(container, endian);
        let mut identity = Identity {
            bits: if container.is_big() { 64 } else { 32 },
            machine: header.e_machine,
            kind: header.e_type,
            ..Identity::default()
        };
        if !matches!(header.e_type, ET_EXEC | ET_DYN) {
            return Some(identity);
        }
        let segments = self.segments(&header, ctx).unwrap_or_default();
        let first =
            segments.iter().filter(|one| one.p_type == PT_LOAD).map(|one| one.p_vaddr).min();
        let places =
            Places { segments: &segments, first: first.unwrap_or_default(), loaded: self.loaded };
        let notes = segments.iter().filter(|segment| segment.p_type == PT_NOTE);
        identity.build_id = notes.filter_map(|segment| self.build_id(segment, &places, ctx)).next();
        let dynamic = segments.iter().find(|segment| segment.p_type == PT_DYNAMIC);
        identity.soname = dynamic.and_then(|segment| self.soname(segment, &places, ctx));
        Some(identity)
    }

    fn segments(&self, header: &Header, ctx: Ctx) -> Option<Vec<ProgramHeader>> {
        let size = ProgramHeader::size(ctx);
        let count = u64::from(header.e_phnum).min(MAX_HEADERS);
        if usize::from(header.e_phentsize) != size {
            return None;
        }
        let bytes = (self.bytes)(header.e_phoff, count.checked_mul(size as u64)?)?;
        ProgramHeader::parse(&bytes, 0, usize::try_from(count).ok()?, ctx).ok()
    }

    fn build_id(&self, segment: &ProgramHeader, places: &Places<'_>, ctx: Ctx) -> Option<Vec<u8>> {
        let data = (self.bytes)(places.of(segment)?, segment.p_filesz.min(MAX_PART))?;
        let alignment =
            usize::try_from(segment.p_align).ok().filter(|align| matches!(align, 4 | 8));
        let ctx = (alignment.unwrap_or(4), ctx);
        let mut notes = NoteDataIterator { data: &data, size: data.len(), offset: 0, ctx };
        // Ends with the first broken one.
        let notes = std::iter::from_fn(|| notes.next()?.ok());
        let mut ids = notes.filter(|note| note.n_type == NT_GNU_BUILD_ID && note.name == "GNU");
        ids.next().map(|note| note.desc.to_vec())
    }

    fn soname(&self, segment: &ProgramHeader, places: &Places<'_>, ctx: Ctx) -> Option<Vec<u8>> {
        let data = (self.bytes)(places.of(segment)?, segment.p_filesz.min(MAX_PART))?;
        let word = if ctx.container.is_big() { 8 } else { 4 };
        let number = |bytes: &[u8]| {
            let mut whole = [0; 8];
            if ctx.is_little_endian() {
                whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
                Some(u64::from_le_bytes(whole))
            } else {
                whole.get_mut(8usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
                Some(u64::from_be_bytes(whole))
            }
        };
        let (mut name, mut table) = (None, None);
        for pair in data.chunks_exact(2 * word) {
            let (tag, value) = pair.split_at_checked(word)?;
            match number(tag)? {
                DT_NULL => break,
                DT_SONAME => name = number(value),
                DT_STRTAB => table = number(value),
                _ => {}
            }
        }
        let at = places.of_address(table?)?.checked_add(name?)?;
        let text = (self.bytes)(at, 256)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        text.get(..end).filter(|text| !text.is_empty()).map(<[u8]>::to_vec)
    }
}

/// Where segments lie.
struct Places<'a> {
    segments: &'a [ProgramHeader],
    /// Lowest address of a loaded segment.
    first: u64,
    loaded: bool,
}

impl Places<'_> {
    fn of(&self, segment: &ProgramHeader) -> Option<u64> {
        if self.loaded { segment.p_vaddr.checked_sub(self.first) } else { Some(segment.p_offset) }
    }

    fn of_address(&self, addr: u64) -> Option<u64> {
        if self.loaded {
            // The loader of the C library puts absolute addresses there; those are of no use without knowing where.
            return addr.checked_sub(self.first);
        }
        let segment = self.segments.iter().find(|segment| {
            segment.p_type == PT_LOAD
                && addr.checked_sub(segment.p_vaddr).is_some_and(|into| into < segment.p_filesz)
        })?;
        addr.checked_sub(segment.p_vaddr)?.checked_add(segment.p_offset)
    }
}

/// The usual name of `e_machine`; `None` for rare ones.
#[must_use]
pub fn machine_name(machine: u16) -> Option<&'static str> {
    Some(match machine {
        header::EM_X86_64 => "x86-64",
        header::EM_386 => "i386",
        header::EM_AARCH64 => "aarch64",
        header::EM_ARM => "arm",
        header::EM_PPC64 => "ppc64",
        header::EM_S390 => "s390",
        header::EM_MIPS => "mips",
        header::EM_RISCV => "riscv",
        258 => "loongarch",
        _ => return None,
    })
}
