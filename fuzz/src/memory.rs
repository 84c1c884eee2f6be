//! Pagemaps and address spaces.

use std::hint::black_box;

use bytes::Bytes;
use ckpt_memory::{AddressSpace, Link, Mapping, PagemapImage, PagesFile, Span, VirtAddr};
use criu_image::{Image, ImageKind, Message as _, PagemapRecord};

fn pagemap_image(bytes: &[u8]) -> PagemapImage {
    let mut pagemap = PagemapImage { pages_id: 1, ..PagemapImage::default() };
    if let Ok(image) = Image::open(ImageKind::Pagemap, Bytes::copy_from_slice(bytes)) {
        let records = image.records().map_while(Result::ok).skip(1);
        pagemap.entries =
            records.filter_map(|record| PagemapRecord::from_record(&record).ok()).collect();
    }
    pagemap
}

/// Lays out a pagemap. Runs must come out in order and apart from each other.
pub fn pagemap(bytes: &[u8]) {
    let pagemap = pagemap_image(bytes);
    black_box((pagemap.stored_pages(), pagemap.parent_pages()));
    black_box(ckpt_memory::derive_page_size([(&pagemap, bytes.len() as u64)], None, 4096));
    for page_size in [4096, 16_384, 65_536] {
        let layout = pagemap.layout(page_size);
        for run in &layout.runs {
            assert!(run.start < run.end, "an empty run");
        }
        assert!(layout.runs.windows(2).all(|pair| pair[0].end <= pair[1].start), "runs overlap");
    }
}

/// Reads an address space made of a memory map and of up to three dumps, each a pagemap and a pages file.
pub fn space(files: &[(&[u8], &[u8])]) {
    let Some(((_, mm), rest)) = files.split_first() else { return };
    let Ok(mm) = criu_image::messages::MmEntry::decode(*mm) else { return };
    let links = rest.chunks_exact(2).take(3).filter_map(|pair| {
        let tar = crate::tar::of([(&b"pages"[..], pair[1].1)]);
        let evidence = crate::evidence(&tar)?;
        let pages = PagesFile::Content(evidence.content(evidence.get(b"pages")?).ok()?);
        Some(Link { pagemap: pagemap_image(pair[0].1).layout(4096), pages })
    });
    let starts: Vec<u64> = mm.vmas.iter().map(|vma| vma.start).take(16).collect();
    let mappings = mm.vmas.into_iter().map(Mapping::new).collect();
    let space = AddressSpace::new(mappings, links.collect(), 4096);
    black_box(space.defects());
    for mapping in space.mappings().iter().chain(space.guards()) {
        assert!(mapping.start < mapping.end, "an empty mapping");
        black_box((space.tally(mapping), mapping.perms().to_string(), mapping.offset()));
    }
    for start in starts.into_iter().flat_map(|start| [start, start.wrapping_sub(8), start ^ 0x0fff])
    {
        read(&space, VirtAddr(start), 3 * 4096 + 17);
    }
    read(&space, VirtAddr(u64::MAX - 9000), u64::MAX);
}

/// Spans must cover what was asked for, without gaps; and reading must agree with them.
pub(crate) fn read(space: &AddressSpace, start: VirtAddr, len: u64) {
    let end = start.0.saturating_add(len);
    let (mut at, mut there) = (start.0, true);
    for span in space.spans(start, len) {
        let (from, len) = match &span {
            Span::Bytes { start, bytes, .. } => (start.0, bytes.len() as u64),
            Span::Zero { start, len } => (start.0, *len),
            Span::Missing { start, len, why } => {
                black_box(why.to_string());
                there = false;
                (start.0, *len)
            }
        };
        assert!(from == at && len > 0, "spans leave gaps");
        at += len;
    }
    assert_eq!(at, end, "spans end early");
    if len <= 1 << 20 {
        assert_eq!(space.read(start, len).is_ok(), there, "reading and spans differ");
    }
}
