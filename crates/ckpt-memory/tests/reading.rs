//! Reading memory, held against a naive model that goes page by page.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test ends where it meets what it does not expect"
)]

use bytes::Bytes;
use ckpt_archive::Content;
use ckpt_memory::{
    AddressSpace, Defect, Link, Mapping, MappingKind, Missing, Origin, PageSizeSource,
    PagemapImage, PagesFile, Span, VirtAddr, aligned_page_size, derive_page_size,
};
use criu_image::messages::{PagemapEntry, VmaEntry};
use criu_image::{BlockLayout, Blocks, PagemapRecord};
use proptest::prelude::*;

const PAGE: u64 = 4096;
const PARENT: u32 = 1;
const ALIGNED: u32 = 8;
const LAZY: u32 = 2;
const PRESENT: u32 = 4;
const ANON_PRIVATE: u32 = 0x201;
const FILE_PRIVATE: u32 = 0x41;

fn vma(start: u64, end: u64, status: u32) -> Mapping {
    Mapping::new(VmaEntry { start, end, status, ..VmaEntry::default() })
}

fn entry(vaddr: u64, pages: u64, flags: u32) -> PagemapRecord {
    let entry = PagemapEntry {
        vaddr,
        nr_pages: Some(pages),
        flags: Some(flags),
        ..PagemapEntry::default()
    };
    PagemapRecord { entry, blocks: None }
}

fn link(entries: Vec<PagemapRecord>, pages: Vec<u8>) -> Link {
    let image = PagemapImage { pages_id: 1, entries, ..PagemapImage::default() };
    Link {
        pagemap: image.layout(PAGE),
        pages: PagesFile::Content(Content::from(Bytes::from(pages))),
    }
}

/// Bytes that tell their page.
fn stored(pages: u64, seed: u8) -> Vec<u8> {
    (0..pages * PAGE).map(|at| (at / PAGE) as u8 ^ (at % 251) as u8 ^ seed).collect()
}

#[test]
fn every_kind_of_page_says_where_it_comes_from() {
    let vmas = vec![
        vma(0x1000, 0x9000, ANON_PRIVATE),
        vma(0x9000, 0xb000, FILE_PRIVATE),
        vma(0xb000, 0xc000, 0x1201),
    ];
    let own = link(
        vec![
            entry(0x1000, 1, PRESENT),
            entry(0x2000, 1, PARENT),
            entry(0x3000, 1, LAZY),
            entry(0x5000, 1, PRESENT | LAZY),
        ],
        stored(2, 1),
    );
    let parent = link(vec![entry(0x2000, 1, PRESENT), entry(0x4000, 1, PRESENT)], stored(2, 9));
    let space = AddressSpace::new(vmas, vec![own, parent], PAGE);
    let told: Vec<_> = space
        .spans(VirtAddr(0), 0xd000)
        .map(|span| match span {
            Span::Bytes { start, bytes, origin } => (start.0, bytes.len() as u64, Ok(Some(origin))),
            Span::Zero { start, len } => (start.0, len, Ok(None)),
            Span::Missing { start, len, why } => (start.0, len, Err(why)),
        })
        .collect();
    let expected = [
        (0x0, 0x1000, Err(Missing::Unmapped)),
        (0x1000, 0x1000, Ok(Some(Origin::Dumped))),
        (0x2000, 0x1000, Ok(Some(Origin::Parent(1)))),
        (0x3000, 0x1000, Err(Missing::Lazy)),
        // The parent has a page here that the child does not mention: freed memory, which reads as zeros.
        (0x4000, 0x1000, Ok(None)),
        (0x5000, 0x1000, Ok(Some(Origin::Dumped))),
        (0x6000, 0x3000, Ok(None)),
        (0x9000, 0x2000, Err(Missing::FileBacked)),
        (0xb000, 0x1000, Err(Missing::KernelOwned)),
        (0xc000, 0x1000, Err(Missing::Unmapped)),
    ];
    assert_eq!(told, expected);
    let error = space.read(VirtAddr(0x2ff0), 0x20).expect_err("the lazy page");
    assert_eq!((error.start, error.len, error.why), (VirtAddr(0x3000), 0x10, Missing::Lazy));
}

#[test]
fn the_end_of_the_address_space_is_an_end() {
    let top = 0xffff_ffff_ff60_0000;
    let space = AddressSpace::new(vec![vma(top, top + 0x1000, 0x204)], Vec::new(), PAGE);
    let spans: Vec<_> = space.spans(VirtAddr(top), u64::MAX).collect();
    assert_eq!(
        spans[0],
        Span::Missing { start: VirtAddr(top), len: 0x1000, why: Missing::KernelOwned }
    );
    assert_eq!(spans.len(), 2);
}

#[test]
fn hostile_entries_are_defects() {
    let image =
        |entries| PagemapImage { pages_id: 3, entries, ..PagemapImage::default() }.layout(PAGE);
    let overflow = image(vec![entry(0x1000, 1 << 63, PRESENT)]);
    assert!(
        matches!(overflow.defects[..], [Defect::Overflow { index: 0, pages, .. }] if pages == 1 << 63)
    );
    let disorder = image(vec![
        entry(0x5000, 2, PRESENT),
        entry(0x1000, 1, PRESENT),
        entry(0x1000, 9, PRESENT),
    ]);
    assert!(
        disorder.defects.iter().any(|defect| matches!(defect, Defect::Disorder { index: 1, .. }))
    );
    assert!(disorder.runs.windows(2).all(|pair| pair[0].end <= pair[1].start));
    let both = image(vec![entry(0x1000, 1, PRESENT | PARENT)]);
    assert!(matches!(both.defects[..], [Defect::Contradiction { flags: 5, .. }]));
    let nowhere = image(vec![entry(0x1000, 1, 0), entry(0x2000, 1, 0x10)]);
    assert!(matches!(
        nowhere.defects[..],
        [Defect::Flags { index: 0, flags: 0, .. }, Defect::Flags { index: 1, flags: 0x10, .. }]
    ));
    let later = image(vec![entry(0x1000, 1, PRESENT | 0x10), entry(0x3000, 1, PRESENT | 0x10)]);
    assert!(matches!(later.defects[..], [Defect::Flags { index: 0, flags: 0x14, .. }]));
    let none = image(vec![entry(0x1000, 0, PRESENT)]);
    assert_eq!(none.defects, [Defect::NoPages { index: 0, start: VirtAddr(0x1000) }]);
    let aligned = image(vec![entry(0x1000, 1, PARENT | ALIGNED)]);
    assert_eq!(aligned.defects, [Defect::NotStored { index: 0, start: VirtAddr(0x1000) }]);
    let lost = link(vec![entry(0x1000, 1, 0)], Vec::new());
    let space = AddressSpace::new(vec![vma(0x1000, 0x2000, ANON_PRIVATE)], vec![lost], PAGE);
    let (_, why) = space.read_prefix(VirtAddr(0x1000), PAGE);
    assert_eq!(why, Some(Missing::PagemapDamaged));
    let short = link(vec![entry(0x1000, 3, PRESENT)], stored(2, 0));
    assert_eq!(
        short.defects(),
        [Defect::PagesShort { pages_id: 1, expected: 3 * PAGE, found: 2 * PAGE }]
    );
    let space = AddressSpace::new(vec![vma(0x1000, 0x4000, ANON_PRIVATE)], vec![short], PAGE);
    let (bytes, why) = space.read_prefix(VirtAddr(0x1000), 3 * PAGE);
    assert_eq!((bytes.len() as u64, why), (2 * PAGE, Some(Missing::PagesTruncated)));
}

/// What lies in a range: where from, and why not.
fn told(space: &AddressSpace, start: u64, len: u64) -> Vec<(u64, &'static str)> {
    let spans = space.spans(VirtAddr(start), len).map(|span| match span {
        Span::Bytes { start, origin: Origin::Dumped, .. } => (start.0, "dumped"),
        Span::Bytes { start, .. } => (start.0, "elsewhere"),
        Span::Zero { start, .. } => (start.0, "zero"),
        Span::Missing { start, why, .. } => (start.0, why.word()),
    });
    spans.collect()
}

#[test]
fn behind_the_last_entry_of_a_broken_pagemap_nothing_is_known() {
    let vmas = || vec![vma(0x1000, 0x6000, ANON_PRIVATE), vma(0x6000, 0x8000, FILE_PRIVATE)];
    let good = || vec![entry(0x1000, 1, PRESENT), entry(0x3000, 1, PRESENT)];
    let expected = [
        (0x1000, "dumped"),
        (0x2000, "zero"),
        (0x3000, "dumped"),
        (0x4000, "pagemap-damaged"),
        (0x6000, "pagemap-damaged"),
    ];
    let of = |image: &PagemapImage, pages: u64| {
        let pages = PagesFile::Content(Content::from(Bytes::from(stored(pages, 1))));
        Link { pagemap: image.layout(PAGE), pages }
    };
    let image = |entries, broken| PagemapImage { pages_id: 1, entries, broken };
    // The image ends in what is no entry.
    let broken = of(&image(good(), true), 3);
    assert_eq!(broken.defects(), [], "whoever decoded it has told");
    // It ends between two entries, and the pages file has more.
    let cut = of(&image(good(), false), 3);
    assert!(matches!(cut.defects()[..], [Defect::PagesLong { .. }]), "{:?}", cut.defects());
    // An entry that cannot be placed hides those behind it.
    let mut entries = good();
    entries.extend([entry(0x4000, 1 << 63, PRESENT), entry(0x5000, 1, PRESENT)]);
    let overflow = of(&image(entries, false), 3);
    assert!(matches!(overflow.defects()[..], [Defect::Overflow { index: 2, .. }]));
    for link in [broken, cut, overflow] {
        let space = AddressSpace::new(vmas(), vec![link], PAGE);
        assert_eq!(told(&space, 0x1000, 0x7000), expected);
        let tally = space.tally(space.mapping_at(VirtAddr(0x1000)).expect("the first"));
        assert_eq!((tally.dumped, tally.zero, tally.missing), (2, 1, 2));
        assert_eq!(space.gaps(VirtAddr(0x1000), 0x5000).count(), 1);
    }
    let whole = of(&image(good(), false), 2);
    let space = AddressSpace::new(vmas(), vec![whole], PAGE);
    assert_eq!(told(&space, 0x4000, 0x4000), [(0x4000, "zero"), (0x6000, "file-backed")]);
    // Entries that are in no order say nothing of where the lost ones were.
    let entries = vec![entry(0x5000, 1, PRESENT), entry(0x1000, 1, PRESENT)];
    let space = AddressSpace::new(vmas(), vec![of(&image(entries, true), 2)], PAGE);
    assert_eq!(told(&space, 0x2000, 0x2000), [(0x2000, "pagemap-damaged")]);
    // A parent whose pagemap is broken is not one that lacks the page.
    let child = link(vec![entry(0x4000, 1, PARENT)], Vec::new());
    let space = AddressSpace::new(vmas(), vec![child, of(&image(good(), true), 2)], PAGE);
    assert_eq!(told(&space, 0x4000, 0x1000), [(0x4000, "pagemap-damaged")]);
}

#[test]
fn a_cut_pagemap_does_not_tell_the_page_size() {
    let image =
        |broken| PagemapImage { pages_id: 1, entries: vec![entry(0x40_0000, 2, PRESENT)], broken };
    let auxv = Some(PAGE);
    let found = derive_page_size([(&image(false), 2 * PAGE)], auxv, PAGE);
    assert_eq!(found, (PAGE, PageSizeSource::PagesFile));
    // As many bytes as two pages of 16 KiB.
    let found = derive_page_size([(&image(true), 8 * PAGE)], auxv, PAGE);
    assert_eq!(found, (PAGE, PageSizeSource::Auxv));
    // Cut between two entries, which the kernel's own word gives away.
    let found = derive_page_size([(&image(false), 8 * PAGE)], auxv, PAGE);
    assert_eq!(found, (PAGE, PageSizeSource::Auxv));
    // No page of 16 KiB begins there.
    let odd = PagemapImage { entries: vec![entry(0x40_1000, 2, PRESENT)], ..image(false) };
    let found = derive_page_size([(&odd, 8 * PAGE)], None, PAGE);
    assert_eq!(found, (PAGE, PageSizeSource::Architecture));
}

#[test]
fn runs_that_no_mapping_covers_can_be_read() {
    let entries =
        || vec![entry(0x1000, 4, PRESENT), entry(0x5000, 1, LAZY), entry(0x9000, 1, PRESENT)];
    // Without any list, what no run has is not known.
    let space = AddressSpace::new(Vec::new(), vec![link(entries(), stored(5, 1))], PAGE);
    assert_eq!(told(&space, 0x1000, 0x1000), [(0x1000, "unmapped")]);
    let space = space.with_unlisted();
    let ranges: Vec<_> = space.mappings().iter().map(|one| (one.start.0, one.end.0)).collect();
    assert_eq!(ranges, [(0x1000, 0x6000), (0x9000, 0xa000)]);
    let first = &space.mappings()[0];
    assert_eq!((first.kind, first.perms().to_string().as_str()), (MappingKind::Unknown, "????"));
    assert!(first.readable() && !first.writable() && !first.executable());
    assert_eq!(
        told(&space, 0x1000, 0xa000),
        [
            (0x1000, "dumped"),
            (0x5000, "lazy"),
            (0x6000, "not-listed"),
            (0x9000, "dumped"),
            (0xa000, "not-listed")
        ]
    );
    assert_eq!(space.read(VirtAddr(0x1000), 4 * PAGE).expect("bytes"), stored(5, 1)[..0x4000]);
    let start = VirtAddr(0x1000);
    assert_eq!(space.defects(), [Defect::NotListed { start, bytes: 6 * PAGE }]);
    // With a list that has holes, its word counts where it has one.
    let vmas = vec![vma(0x2000, 0x3000, ANON_PRIVATE), vma(0x9000, 0xa000, ANON_PRIVATE)];
    let space = AddressSpace::new(vmas, vec![link(entries(), stored(5, 1))], PAGE).with_unlisted();
    let kinds: Vec<_> = space.mappings().iter().map(|one| (one.start.0, one.kind.word())).collect();
    assert_eq!(
        kinds,
        [(0x1000, "unknown"), (0x2000, "anon"), (0x3000, "unknown"), (0x9000, "anon")]
    );
    assert_eq!(told(&space, 0x5000, 0x2000), [(0x5000, "lazy"), (0x6000, "unmapped")]);
    // A sound dump has none.
    let vmas = vec![vma(0x1000, 0xa000, ANON_PRIVATE)];
    let space = AddressSpace::new(vmas, vec![link(entries(), stored(5, 1))], PAGE).with_unlisted();
    assert_eq!((space.mappings().len(), space.defects().len()), (1, 0));
}

#[test]
fn a_mapping_of_nothing_is_told() {
    let vmas = vec![vma(0x5000, 0x4000, ANON_PRIVATE), vma(0x6000, 0x7000, ANON_PRIVATE)];
    let space = AddressSpace::new(vmas, Vec::new(), PAGE);
    let defects = space.defects();
    let (start, end) = (VirtAddr(0x5000), VirtAddr(0x4000));
    assert_eq!(defects, [Defect::MappingEmpty { start, end }]);
    assert!(defects.iter().all(Defect::is_of_mappings));
    assert_eq!(space.mappings().len(), 1);
}

#[test]
fn a_pages_file_that_is_missing_is_not_one_that_ends() {
    let pagemap =
        PagemapImage { entries: vec![entry(0x1000, 1, PRESENT)], ..PagemapImage::default() };
    let link = Link { pagemap: pagemap.layout(PAGE), pages: PagesFile::Missing };
    let space = AddressSpace::new(vec![vma(0x1000, 0x2000, ANON_PRIVATE)], vec![link], PAGE);
    assert_eq!(told(&space, 0x1000, PAGE), [(0x1000, "pages-missing")]);
}

#[test]
fn blocks_of_every_kind_expand() {
    let plain = stored(3, 5);
    let text = vec![b'x'; PAGE as usize];
    let packed = lz4_flex::block::compress(&text);
    let mut file = packed.clone();
    file.extend_from_slice(&plain[..PAGE as usize]);
    let sizes = vec![packed.len() as u32, 0, PAGE as u32];
    let total = sizes.iter().map(|size| u64::from(*size)).sum();
    let blocks = Blocks { layout: BlockLayout::B, sizes, pages_per_block: 1, total, padded: false };
    let mut record = entry(0x1000, 3, PRESENT);
    record.blocks = Some(blocks);
    let space = AddressSpace::new(
        vec![vma(0x1000, 0x4000, ANON_PRIVATE)],
        vec![link(vec![record], file)],
        PAGE,
    );
    let read = space.read(VirtAddr(0x1000), 3 * PAGE).expect("all of it");
    assert_eq!(read[..PAGE as usize], text[..]);
    assert!(read[PAGE as usize..2 * PAGE as usize].iter().all(|byte| *byte == 0));
    assert_eq!(read[2 * PAGE as usize..], plain[..PAGE as usize]);
}

/// The total of the blocks with their padding, or without it; neither of both is wrong.
#[test]
fn blocks_that_are_not_stored_or_do_not_add_up_are_defects() {
    let image = |flags: u32, total: u64, padded: bool| {
        let sizes = vec![100, 0, 50];
        let layout = BlockLayout::B;
        let mut record = entry(0x1000, 3, flags);
        record.blocks = Some(Blocks { layout, sizes, pages_per_block: 1, total, padded });
        PagemapImage { pages_id: 1, entries: vec![record], ..PagemapImage::default() }.layout(PAGE)
    };
    for (total, padded) in [(150, false), (150, true), (2 * PAGE, true)] {
        assert_eq!(image(PRESENT, total, padded).defects, [], "{total} {padded}");
    }
    let start = VirtAddr(0x1000);
    let wrong = Defect::BlockTotal { index: 0, start, expected: 151, found: 150 };
    assert_eq!(image(PRESENT, 151, false).defects, [wrong]);
    let parent = image(PARENT, 150, false);
    assert_eq!(parent.defects, [Defect::NotStored { index: 0, start }]);
}

#[test]
fn addresses_tell_a_page_size_that_nothing_else_does() {
    let many = |page: u64| (1..=16).map(move |n| n * page);
    assert_eq!(aligned_page_size(many(16384), 4096, false), Some(16384));
    assert_eq!(aligned_page_size(many(16384).take(15), 4096, false), None, "too few");
    assert_eq!(aligned_page_size([4096, 65536], 65536, false), Some(4096), "proven by one");
    assert_eq!(aligned_page_size(many(16384), 4096, true), None, "a machine of one size");
    assert_eq!(aligned_page_size(many(1 << 20), 4096, false), Some(65536), "none is larger");
    assert_eq!(aligned_page_size([0x123], 4096, false), None, "no page begins there");
    assert_eq!(aligned_page_size([0], 4096, false), None);
}

/// A page as the naive model knows it.
#[derive(Clone, Debug, PartialEq)]
enum Page {
    Bytes(Vec<u8>),
    Zero,
    Missing,
}

/// One page of one link, as a strategy picks it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Here {
    Absent,
    Present,
    InParent,
    Lazy,
}

fn here() -> impl Strategy<Value = Here> {
    prop_oneof![Just(Here::Absent), Just(Here::Present), Just(Here::InParent), Just(Here::Lazy)]
}

const PAGES: usize = 24;

fn links() -> impl Strategy<Value = Vec<Vec<Here>>> {
    prop::collection::vec(prop::collection::vec(here(), PAGES), 1..4)
}

/// The links as pagemaps, neighbours merged, with bytes that differ by link and page.
fn build(links: &[Vec<Here>]) -> Vec<Link> {
    let build_one = |(depth, pages): (usize, &Vec<Here>)| {
        let mut entries: Vec<PagemapRecord> = Vec::new();
        let mut file = Vec::new();
        let mut last = Here::Absent;
        for (index, here) in pages.iter().enumerate() {
            if *here == Here::Present {
                file.extend_from_slice(&content(depth, index));
            }
            match entries.last_mut() {
                Some(run) if *here == last && *here != Here::Absent => {
                    run.entry.nr_pages = run.entry.nr_pages.map(|pages| pages + 1);
                }
                _ if *here != Here::Absent => {
                    let flags = match here {
                        Here::Present => PRESENT,
                        Here::InParent => PARENT,
                        _ => LAZY,
                    };
                    entries.push(entry(0x10000 + index as u64 * PAGE, 1, flags));
                }
                _ => {}
            }
            last = *here;
        }
        link(entries, file)
    };
    links.iter().enumerate().map(build_one).collect()
}

fn content(depth: usize, index: usize) -> Vec<u8> {
    (0..PAGE).map(|at| (at as usize * 7 + depth * 31 + index * 13) as u8).collect()
}

fn naive(links: &[Vec<Here>], index: usize) -> Page {
    for (depth, pages) in links.iter().enumerate() {
        match pages[index] {
            Here::Present => return Page::Bytes(content(depth, index)),
            Here::Lazy => return Page::Missing,
            Here::InParent => {}
            Here::Absent => return if depth == 0 { Page::Zero } else { Page::Missing },
        }
    }
    Page::Missing
}

proptest! {
    #[test]
    fn reading_agrees_with_the_naive_model(links in links(), from in 0..PAGES as u64 * PAGE, len in 0..3 * PAGE) {
        let end = 0x10000 + PAGES as u64 * PAGE;
        let space = AddressSpace::new(vec![vma(0x10000, end, ANON_PRIVATE)], build(&links), PAGE);
        let start = 0x10000 + from;
        let len = len.min(end - start);
        let mut expected = Vec::new();
        let mut whole = true;
        for at in start..start + len {
            let index = ((at - 0x10000) / PAGE) as usize;
            match naive(&links, index) {
                Page::Bytes(bytes) => expected.push(bytes[(at % PAGE) as usize]),
                Page::Zero => expected.push(0),
                Page::Missing => {
                    whole = false;
                    break;
                }
            }
        }
        let (bytes, why) = space.read_prefix(VirtAddr(start), len);
        prop_assert_eq!(bytes, expected);
        prop_assert_eq!(why.is_none(), whole);
        prop_assert_eq!(space.read(VirtAddr(start), len).is_ok(), whole);
    }

    #[test]
    fn spans_tile_any_range_of_any_pagemap(
        vmas in prop::collection::vec((0..u64::MAX, 0..1u64 << 20, any::<u32>()), 0..8),
        entries in prop::collection::vec((any::<u64>(), any::<u64>(), 0..16u32), 0..8),
        start in any::<u64>(),
        len in 0..1u64 << 30,
    ) {
        let vmas = vmas.into_iter().map(|(start, len, status)| vma(start, start.saturating_add(len), status)).collect();
        let entries = entries.into_iter().map(|(vaddr, pages, flags)| entry(vaddr, pages, flags)).collect();
        let space = AddressSpace::new(vmas, vec![link(entries, stored(4, 0))], PAGE).with_unlisted();
        prop_assert!(space.mappings().windows(2).all(|pair| pair[0].end <= pair[1].start));
        let mut at = start;
        for span in space.spans(VirtAddr(start), len) {
            let (from, bytes) = match span {
                Span::Bytes { start, bytes, .. } => (start, bytes.len() as u64),
                Span::Zero { start, len } | Span::Missing { start, len, .. } => (start, len),
            };
            prop_assert_eq!(from.0, at);
            prop_assert!(bytes > 0);
            at += bytes;
        }
        prop_assert_eq!(at, start.saturating_add(len));
    }
}
