//! `pagemap-*.img` and `pages-N.img`. Source: `criu/images/pagemap.proto`.

use crate::content::Content;
use crate::dialect::{BlockLayout, Compression, Dialect};
use crate::memory::{Pages, Run, Source, Vma, page_flags, status};
use crate::protobuf::Message;

/// Records of a pagemap image, without its head, and the pages file.
pub(crate) fn encode(
    pages: &Pages,
    vmas: &[Vma],
    dialect: Dialect,
    page_size: u64,
) -> (Vec<Message>, Content) {
    let mut file = Content::new();
    let mut entries = Vec::new();
    for group in grouped(pages, vmas, page_size) {
        let stored = group.flags & page_flags::PRESENT != 0;
        let mut flags = group.flags;
        let compression = dialect.compression().filter(|_| stored);
        if compression.is_some_and(|c| c.aligned) {
            flags |= page_flags::ALIGNED;
            pad(&mut file, page_size);
        }
        let entry = entry(&group, flags, dialect);
        let left_plain = compression.is_some_and(|c| c.mixed) && entries.len() % 2 == 1;
        entries.push(match compression.filter(|_| !left_plain) {
            Some(compression) => entry.and(&compress(&group, compression, page_size, &mut file)),
            None => {
                group.write(&mut file, page_size);
                entry
            }
        });
    }
    (entries, file)
}

/// `pagemap_head`.
pub(crate) fn head(pages_id: u32) -> Message {
    Message::new().uint(1, pages_id) // pages_id
}

/// Runs that become one entry: one after another and with the same flags.
struct Group<'a> {
    start: u64,
    pages: u64,
    flags: u32,
    runs: Vec<&'a Run>,
}

impl Group<'_> {
    fn write(&self, file: &mut Content, page_size: u64) {
        for run in &self.runs {
            match &run.source {
                Source::Bytes(bytes) => file.push(bytes),
                Source::Noise { seed, first } => {
                    file.push_noise(*seed, *first, run.pages, page_size);
                }
                Source::Parent | Source::Lazy => {}
            }
        }
    }
}

fn grouped<'a>(pages: &'a Pages, vmas: &[Vma], page_size: u64) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for run in pages.runs() {
        let flags = run.flags.unwrap_or_else(|| flags(run, vmas));
        if let Some(last) = groups.last_mut()
            && last.flags == flags
            && last.start + last.pages * page_size == run.start
        {
            last.pages += run.pages;
            last.runs.push(run);
        } else {
            groups.push(Group { start: run.start, pages: run.pages, flags, runs: vec![run] });
        }
    }
    groups
}

/// What CRIU gives: private memory may be fetched lazily, the rest is plainly there.
fn flags(run: &Run, vmas: &[Vma]) -> u32 {
    match run.source {
        Source::Parent => page_flags::PARENT,
        Source::Lazy => page_flags::LAZY,
        Source::Bytes(_) | Source::Noise { .. } => {
            let lazy = vmas.iter().any(|vma| {
                (vma.start..vma.end).contains(&run.start)
                    && vma.status & status::ANON_PRIVATE != 0
                    && vma.status & (status::VDSO | status::GUARD) == 0
            });
            if lazy { page_flags::PRESENT | page_flags::LAZY } else { page_flags::PRESENT }
        }
    }
}

/// `pagemap_entry` up to the page count.
fn entry(group: &Group<'_>, flags: u32, dialect: Dialect) -> Message {
    let entry = Message::new().uint(1, group.start); // vaddr
    if dialect.counts_in_nr_pages() {
        entry.uint(2, 0u32).uint(4, flags).uint(5, group.pages) // compat_nr_pages, flags, nr_pages
    } else {
        entry.uint(2, group.pages).uint(4, flags) // compat_nr_pages, flags
    }
}

/// Writes the blocks of an entry and returns the fields that describe them.
fn compress(
    group: &Group<'_>,
    compression: Compression,
    page_size: u64,
    file: &mut Content,
) -> Message {
    let block_bytes = u64::from(compression.region.unwrap_or(0)).max(page_size);
    let pages_per_block = (block_bytes / page_size).max(1);
    let mut raw = Content::new();
    group.write(&mut raw, page_size);
    let raw = raw.to_vec();
    let block_len = usize::try_from(pages_per_block * page_size).unwrap_or(usize::MAX);
    let mut sizes = Vec::new();
    let before = file.len();
    for plain in raw.chunks(block_len) {
        let block = lz4_block(plain);
        sizes.push(block.len() as u64);
        if compression.padded && !block.is_empty() {
            pad(file, page_size);
        }
        file.push(&block);
    }
    if compression.padded {
        pad(file, page_size);
    }
    let total = file.len() - before;
    match compression.layout {
        BlockLayout::A => {
            let fields = Message::new();
            let fields = if compression.unpacked {
                fields.uints(6, sizes) // compressed_size
            } else {
                fields.packed(6, sizes) // compressed_size
            };
            let fields = fields.uint(7, total); // total_compressed_size
            if compression.region.is_some() { fields.uint(8, pages_per_block) } else { fields } // region_pages
        }
        BlockLayout::B => {
            let mut blocks = Message::new()
                .packed(1, sizes) // block_sizes
                .uint(2, total) // total_payload_size
                .uint(3, pages_per_block); // pages_per_block
            if compression.padded {
                blocks = blocks.bool(4, true); // payload_padded
            }
            Message::new().message(6, &blocks) // blocks
        }
    }
}

/// One block: nothing for zeros, raw LZ4, or the bytes themselves where LZ4 gains less than an eighth.
fn lz4_block(plain: &[u8]) -> Vec<u8> {
    if plain.iter().all(|byte| *byte == 0) {
        return Vec::new();
    }
    let packed = lz4_flex::block::compress(plain);
    if packed.len() > plain.len() - plain.len() / 8 { plain.to_vec() } else { packed }
}

fn pad(file: &mut Content, page_size: u64) {
    let missing = file.len().next_multiple_of(page_size) - file.len();
    file.push(&vec![0; usize::try_from(missing).unwrap_or_default()]);
}
