//! The headers of the file.
//!
//! Source: `elf(5)`; `fs/binfmt_elf.c` for what Linux puts into a core.

use criu_image::ByteOrder;

use crate::machine::Machine;
use crate::segments::Segment;
use crate::words::{Width, Words};

/// `e_phnum` when there are that many program headers or more (`PN_XNUM`): `sh_info` of section 0 has the number then.
pub(crate) const MANY: u64 = 0xffff;

const ET_CORE: u32 = 4;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;

/// Bytes of the headers.
pub(crate) struct Sizes {
    pub(crate) file: u32,
    pub(crate) program: u32,
    pub(crate) section: u32,
}

pub(crate) fn sizes(width: Width) -> Sizes {
    match width {
        Width::Bits32 => Sizes { file: 52, program: 32, section: 40 },
        Width::Bits64 => Sizes { file: 64, program: 56, section: 64 },
    }
}

/// The ELF header, for so many program headers right behind it. With too many for its field, section header 0 follows
/// those.
pub(crate) fn file_header(out: &mut Words, machine: &Machine, headers: u64) {
    let sizes = sizes(machine.width);
    let (class, data) = (
        if machine.width == Width::Bits64 { 2 } else { 1 },
        if machine.order == ByteOrder::Big { 2 } else { 1 },
    );
    let many = headers >= MANY;
    let sections_at =
        u64::from(sizes.file).saturating_add(headers.saturating_mul(u64::from(sizes.program)));
    out.raw(b"\x7fELF").u8(class).u8(data).u8(1).zeros(9);
    out.u16(ET_CORE).u16(machine.number()).u32(1).word(0).word(u64::from(sizes.file));
    out.word(if many { sections_at } else { 0 }).u32(machine.flags());
    out.u16(sizes.file).u16(sizes.program);
    out.u16(u32::try_from(headers.min(MANY)).unwrap_or(u32::MAX));
    out.u16(if many { sizes.section } else { 0 }).u16(u32::from(many)).u16(0);
}

/// The program header of the notes.
pub(crate) fn note_header(out: &mut Words, at: u64, len: u64) {
    program_header(out, PT_NOTE, 0, [at, 0, len, 0, crate::note::ALIGN as u64]);
}

/// The program header of a segment of memory.
pub(crate) fn load_header(out: &mut Words, segment: &Segment, page_size: u64) {
    // A segment begins at the same place of a page as its bytes in the file do. Damaged images have mappings that do
    // not begin on a page.
    let apart = segment.offset.abs_diff(segment.start);
    let align = if apart.checked_rem(page_size) == Some(0) { page_size } else { 1 };
    let Segment { start, offset, file, memory, .. } = *segment;
    program_header(out, PT_LOAD, segment.flags(), [offset, start, file, memory, align]);
}

/// Offset, address, size in the file, size in memory, alignment. The physical address means nothing.
fn program_header(out: &mut Words, kind: u32, flags: u32, fields: [u64; 5]) {
    let [offset, address, file, memory, align] = fields;
    out.u32(kind);
    if out.width() == Width::Bits64 {
        out.u32(flags);
    }
    out.word(offset).word(address).word(0).word(file).word(memory);
    if out.width() == Width::Bits32 {
        out.u32(flags);
    }
    out.word(align);
}

/// Section header 0 with the number of program headers.
pub(crate) fn section_header(out: &mut Words, headers: u64) {
    out.zeros(8).word(0).word(0).word(0).word(1).u32(0);
    out.u32(u32::try_from(headers).unwrap_or(u32::MAX)).word(0).word(0);
}
