//! `NT_FILE`: which file lies where.

use ckpt_memory::Mapping;

use crate::Lack;
use crate::machine::Machine;

/// Most bytes of the note. A kernel stops at 4 MiB unless told otherwise (`kernel.core_file_note_size_limit`); a million
/// mappings of one long path would be gigabytes.
const MAX_BYTES: u64 = 64 << 20;

/// Count and page size, start, end and offset in pages of each mapping, then the names, each ended by a NUL: as the
/// kernel has them, ` (deleted)` included, memfds and shared memory among them. `None` when no mapping has a file.
///
/// Source: `fill_files_note` in `fs/binfmt_elf.c`.
pub(crate) fn note<'a>(
    mappings: impl Iterator<Item = &'a Mapping>,
    page_size: u64,
    machine: &Machine,
    lacks: &mut Vec<Lack>,
) -> Option<Vec<u8>> {
    let record = (machine.width.bytes() as u64).saturating_mul(3);
    let (mut count, mut size, mut left_out) = (0u64, record, 0u64);
    let (mut places, mut names) = (machine.words(), Vec::new());
    for mapping in mappings {
        let Some(name) = mapping.name.as_deref().filter(|name| name.starts_with(b"/")) else {
            continue;
        };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let more = (name.len() as u64).saturating_add(1).saturating_add(record);
        if size.saturating_add(more) > MAX_BYTES {
            left_out = left_out.saturating_add(1);
            continue;
        }
        size = size.saturating_add(more);
        count = count.saturating_add(1);
        let pages = mapping.offset().checked_div(page_size).unwrap_or(0);
        places.words([mapping.start.0, mapping.end.0, pages]);
        names.extend_from_slice(name);
        names.push(0);
    }
    if left_out > 0 {
        lacks.push(Lack::FileNames { mappings: left_out });
    }
    let note =
        || machine.words().words([count, page_size]).raw(places.as_bytes()).raw(&names).take();
    (count > 0).then(note)
}
