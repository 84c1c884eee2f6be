//! Memory with files, shared memory and guards behind it, held against a naive model that goes byte by byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test ends where it meets what it does not expect"
)]

use std::sync::Arc;

use bytes::Bytes;
use ckpt_archive::Content;
use ckpt_memory::{
    AddressSpace, Backing, FileBacking, Link, Mapping, Missing, PagemapImage, PagesFile,
    SharedMemory, Span, VirtAddr,
};
use criu_image::PagemapRecord;
use criu_image::messages::{PagemapEntry, VmaEntry};
use proptest::prelude::*;

const PAGE: u64 = 4096;

/// What a mapping is of, in the words of the test.
#[derive(Clone, Debug)]
enum Of {
    Anon,
    /// A private mapping of a file of so many bytes.
    File(u64),
    /// Shared memory of so many bytes, of which these pages are stored.
    Shared(u64, Vec<u64>),
    /// The same, mapped privately.
    PrivateMemfd(u64, Vec<u64>),
}

#[derive(Clone, Debug)]
struct Area {
    /// Pages between the mapping before and this one.
    gap: u64,
    pages: u64,
    offset_pages: u64,
    of: Of,
    /// Pages of it that the process's own pagemap has.
    stored: Vec<u64>,
    /// A guard over these pages of it.
    guard: Option<(u64, u64)>,
}

fn area() -> impl Strategy<Value = Area> {
    let numbers = || prop::collection::vec(0..8u64, 0..5);
    let of = prop_oneof![
        Just(Of::Anon),
        (0..6 * PAGE).prop_map(Of::File),
        (1..6 * PAGE, numbers()).prop_map(|(size, stored)| Of::Shared(size, stored)),
        (1..6 * PAGE, numbers()).prop_map(|(size, stored)| Of::PrivateMemfd(size, stored)),
    ];
    let guard = prop::option::of((0..6u64, 1..3u64));
    (0..3u64, 1..8u64, 0..4u64, of, numbers(), guard).prop_map(
        |(gap, pages, offset_pages, of, stored, guard)| Area {
            gap,
            pages,
            offset_pages,
            of,
            stored,
            guard,
        },
    )
}

/// The byte at an offset of a file or segment.
fn byte(seed: u64, offset: u64) -> u8 {
    (seed.wrapping_mul(31) ^ offset.wrapping_mul(0x9e37_79b9) >> 7) as u8 | 1
}

fn bytes(seed: u64, range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|offset| byte(seed, offset)).collect()
}

fn link(pages: &[(u64, Vec<u8>)]) -> Link {
    let entries = pages.iter().map(|(vaddr, _)| {
        let entry = PagemapEntry {
            vaddr: *vaddr,
            nr_pages: Some(1),
            flags: Some(4),
            ..PagemapEntry::default()
        };
        PagemapRecord { entry, blocks: None }
    });
    let image = PagemapImage { pages_id: 1, entries: entries.collect(), ..PagemapImage::default() };
    let stored: Vec<u8> = pages.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let pages = PagesFile::Content(Content::from(Bytes::from(stored)));
    Link { pagemap: image.layout(PAGE), pages }
}

/// A byte of memory: what it is, or why it is not there.
type Told = Result<u8, Missing>;

/// The address space of areas, and every byte of it from address 0 on as it should be.
fn build(areas: &[Area]) -> (AddressSpace, Vec<Told>) {
    let mut mappings = Vec::new();
    let mut own = Vec::new();
    let mut told: Vec<Told> = Vec::new();
    for (number, area) in (0u64..).zip(areas) {
        told.resize(told.len() + (area.gap * PAGE) as usize, Err(Missing::Unmapped));
        let start = told.len() as u64;
        let end = start + area.pages * PAGE;
        let (status, flags) = match &area.of {
            Of::Anon => (0x201, 0x22),
            Of::File(_) => (0x41, 2),
            Of::Shared(..) => (0x4081, 1),
            Of::PrivateMemfd(..) => (0x4041, 2),
        };
        let pgoff = area.offset_pages * PAGE;
        let mut mapping =
            Mapping::new(VmaEntry { start, end, pgoff, status, flags, ..VmaEntry::default() });
        let shared = |size: u64, stored: &[u64]| {
            let mut stored = stored.to_vec();
            stored.sort_unstable();
            stored.dedup();
            stored.retain(|page| page * PAGE < size);
            let pages: Vec<_> = stored
                .iter()
                .map(|page| (page * PAGE, bytes(number + 100, page * PAGE..(page + 1) * PAGE)))
                .collect();
            let whole = Mapping::new(VmaEntry { end: size, ..VmaEntry::default() });
            let space = AddressSpace::new(vec![whole], vec![link(&pages)], PAGE);
            (Arc::new(SharedMemory { id: number, size, space }), stored)
        };
        let mut of_shared: Vec<u64> = Vec::new();
        match &area.of {
            Of::Anon => {}
            Of::File(size) => {
                let content = Content::from(Bytes::from(bytes(number, 0..*size)));
                mapping.backing = Backing::File(Arc::new(FileBacking {
                    path: b"/file".as_slice().into(),
                    source: "test".into(),
                    content: Arc::new(content),
                }));
            }
            Of::Shared(size, stored) | Of::PrivateMemfd(size, stored) => {
                let (memory, stored) = shared(*size, stored);
                of_shared = stored;
                mapping.backing = Backing::Shared(memory);
            }
        }
        mappings.push(mapping);
        let private = !matches!(area.of, Of::Shared(..));
        for page in 0..area.pages {
            let at = start + page * PAGE;
            let stored = private && area.stored.contains(&page);
            if stored {
                own.push((at, bytes(number + 1000, page * PAGE..(page + 1) * PAGE)));
            }
            let guarded = area.guard.is_some_and(|(from, len)| (from..from + len).contains(&page));
            for within in 0..PAGE {
                let offset = pgoff + page * PAGE + within;
                let whole = |size: u64| size.next_multiple_of(PAGE);
                told.push(match &area.of {
                    _ if guarded => Err(Missing::Guard),
                    _ if stored => Ok(byte(number + 1000, page * PAGE + within)),
                    Of::Anon => Ok(0),
                    Of::File(size) if offset < *size => Ok(byte(number, offset)),
                    Of::Shared(size, _) | Of::PrivateMemfd(size, _)
                        if offset < *size && of_shared.contains(&(offset / PAGE)) =>
                    {
                        Ok(byte(number + 100, offset))
                    }
                    Of::File(size) | Of::Shared(size, _) | Of::PrivateMemfd(size, _) => {
                        if offset < whole(*size) { Ok(0) } else { Err(Missing::BeyondEnd) }
                    }
                });
            }
        }
        if let Some((from, len)) = area.guard {
            let from = from.min(area.pages);
            let to = (from + len).min(area.pages);
            let (start, end) = (start + from * PAGE, start + to * PAGE);
            let guard = VmaEntry { start, end, status: 0x10000, ..VmaEntry::default() };
            mappings.push(Mapping::new(guard));
        }
    }
    (AddressSpace::new(mappings, vec![link(&own)], PAGE), told)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_byte_is_what_the_naive_model_says(
        areas in prop::collection::vec(area(), 1..6),
        ranges in prop::collection::vec((0..50 * PAGE, 1..9 * PAGE), 1..8),
    ) {
        let (space, told) = build(&areas);
        let end = told.len() as u64;
        let mut ranges = ranges;
        ranges.push((0, end));
        for (from, len) in ranges {
            let from = from.min(end - 1);
            let len = len.min(end - from);
            let expected = &told[from as usize..(from + len) as usize];
            let mut found: Vec<Told> = Vec::new();
            for span in space.spans(VirtAddr(from), len) {
                prop_assert_eq!(span.start().0, from + found.len() as u64);
                match span {
                    Span::Bytes { bytes, .. } => found.extend(bytes.iter().map(|byte| Ok(*byte))),
                    Span::Zero { len, .. } => found.extend((0..len).map(|_| Ok(0))),
                    Span::Missing { len, why, .. } => found.extend((0..len).map(|_| Err(why))),
                }
            }
            prop_assert_eq!(&found[..], expected);
            let first_missing = expected.iter().position(Result::is_err);
            match space.read(VirtAddr(from), len) {
                Ok(read) => {
                    prop_assert_eq!(first_missing, None);
                    let expected: Vec<u8> = expected.iter().map(|told| told.unwrap()).collect();
                    prop_assert_eq!(read, expected);
                }
                Err(error) => {
                    prop_assert_eq!(Some((error.start.0 - from) as usize), first_missing);
                }
            }
            let gaps: u64 = space.gaps(VirtAddr(from), len).map(|(gap, _)| gap.len()).sum();
            prop_assert_eq!(gaps, expected.iter().filter(|told| told.is_err()).count() as u64);
        }
    }

    #[test]
    fn the_tally_counts_every_page_once(areas in prop::collection::vec(area(), 1..6)) {
        let (space, told) = build(&areas);
        for mapping in space.mappings() {
            let tally = space.tally(mapping);
            let pages = mapping.len() / PAGE;
            prop_assert_eq!(tally.captured() + tally.zero + tally.never, pages);
            let missing = (0..pages).filter(|page| {
                told[(mapping.start.0 + page * PAGE) as usize].is_err()
            });
            prop_assert_eq!(tally.never, missing.count() as u64);
        }
    }
}

#[test]
fn a_million_mappings_are_searched_and_not_walked() {
    let mappings: Vec<Mapping> = (0..1_000_000u64)
        .map(|n| {
            let start = n * 2 * PAGE;
            Mapping::new(VmaEntry { start, end: start + PAGE, ..VmaEntry::default() })
        })
        .collect();
    let pages: Vec<_> = (0..16u64).map(|n| (n * 131_072 * PAGE, vec![n as u8; 4096])).collect();
    let space = AddressSpace::new(mappings, vec![link(&pages)], PAGE);
    let began = std::time::Instant::now();
    for n in 0..16u64 {
        let read = space.read(VirtAddr(n * 131_072 * PAGE), 8).expect("a stored page");
        assert_eq!(read, [n as u8; 8]);
    }
    let zero: u64 = space.mappings().iter().map(|mapping| space.tally(mapping).zero).sum();
    assert_eq!(zero, 1_000_000 - 16);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
