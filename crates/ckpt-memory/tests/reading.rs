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
    AddressSpace, Defect, Link, Mapping, Missing, Origin, PagemapImage, PagesFile, Span, VirtAddr,
};
use criu_image::messages::{PagemapEntry, VmaEntry};
use criu_image::{BlockLayout, Blocks, PagemapRecord};
use proptest::prelude::*;

const PAGE: u64 = 4096;
const PARENT: u32 = 1;
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
    let image = PagemapImage { pages_id: 1, entries };
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
    let image = |entries| PagemapImage { pages_id: 3, entries }.layout(PAGE);
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
    let short = link(vec![entry(0x1000, 3, PRESENT)], stored(2, 0));
    assert_eq!(
        short.defects(),
        [Defect::PagesShort { pages_id: 1, expected: 3 * PAGE, found: 2 * PAGE }]
    );
    let space = AddressSpace::new(vec![vma(0x1000, 0x4000, ANON_PRIVATE)], vec![short], PAGE);
    let (bytes, why) = space.read_prefix(VirtAddr(0x1000), 3 * PAGE);
    assert_eq!((bytes.len() as u64, why), (2 * PAGE, Some(Missing::PagesTruncated)));
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
        let space = AddressSpace::new(vmas, vec![link(entries, stored(4, 0))], PAGE);
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
