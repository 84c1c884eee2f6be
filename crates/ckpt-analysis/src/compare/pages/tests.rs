//! Counting, held against a naive model that goes cell by cell.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test ends where it meets what it does not expect"
)]

use bytes::Bytes;
use ckpt_archive::Content;
use ckpt_memory::{AddressSpace, Link, Mapping, PagemapImage, PagesFile};
use criu_image::PagemapRecord;
use criu_image::messages::{PagemapEntry, VmaEntry};
use proptest::prelude::*;

use super::*;

/// The smallest page there is; larger ones are made of several.
const CELL: u64 = 4096;
const CELLS: usize = 24;
const BASE: u64 = 0x10_0000;

const ANON: u32 = 0x201;
const FILE: u32 = 0x41;
const PRESENT: u32 = 4;
const LAZY: u32 = 2;

/// What a side has of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Unmapped,
    /// Anonymous and never written.
    Zero,
    /// Stored: the value, and where in the page it stands; all else is zeros.
    Stored(u8, u16),
    /// Of a file, not stored.
    Clean,
    /// In no image, though it should be.
    Lost,
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        Just(Cell::Unmapped),
        Just(Cell::Zero),
        (0_u8..3, prop_oneof![Just(0_u16), Just(4095), 0_u16..4096])
            .prop_map(|(value, at)| Cell::Stored(value, at)),
        Just(Cell::Clean),
        Just(Cell::Lost),
    ]
}

/// Cells in groups that are alike in kind, as pages of a larger page size are.
fn cells(group: usize) -> impl Strategy<Value = Vec<Cell>> {
    prop::collection::vec((cell(), prop::collection::vec(0_u8..3, group)), CELLS / group).prop_map(
        move |groups| {
            let parts = groups.into_iter().flat_map(|(cell, values)| {
                values.into_iter().map(move |value| match cell {
                    Cell::Stored(_, at) if group > 1 => Cell::Stored(value, at),
                    cell => cell,
                })
            });
            parts.collect()
        },
    )
}

fn space(cells: &[Cell], page: u64) -> AddressSpace {
    let mut mappings = Vec::new();
    let mut entries = Vec::new();
    let mut stored = Vec::new();
    for (at, cell) in (0_u64..).zip(cells) {
        let start = BASE + at * CELL;
        let status = if *cell == Cell::Clean { FILE } else { ANON };
        if *cell != Cell::Unmapped {
            let vma = VmaEntry { start, end: start + CELL, status, ..VmaEntry::default() };
            mappings.push(Mapping::new(vma));
        }
        let first = start.is_multiple_of(page);
        let flags = match cell {
            Cell::Stored(value, place) => {
                let mut bytes = vec![0; CELL as usize];
                bytes[usize::from(*place)] = *value;
                stored.extend(bytes);
                Some(PRESENT)
            }
            Cell::Lost => Some(LAZY),
            _ => None,
        };
        if first && let Some(flags) = flags {
            let entry = PagemapEntry {
                vaddr: start,
                nr_pages: Some(1),
                flags: Some(flags),
                ..PagemapEntry::default()
            };
            entries.push(PagemapRecord { entry, blocks: None });
        }
    }
    let pagemap = PagemapImage { pages_id: 1, entries, ..PagemapImage::default() }.layout(page);
    let pages = PagesFile::Content(Content::from(Bytes::from(stored)));
    AddressSpace::new(mappings, vec![Link { pagemap, pages }], page)
}

fn verdict(a: Cell, b: Cell) -> Verdict {
    let zero = |cell| matches!(cell, Cell::Zero | Cell::Stored(0, _));
    match (a, b) {
        (Cell::Lost, _) | (_, Cell::Lost) => Verdict::Unknown,
        (Cell::Stored(..), Cell::Stored(..)) if a == b || zero(a) && zero(b) => Verdict::Same,
        (Cell::Stored(..), Cell::Stored(..)) => Verdict::Changed,
        (Cell::Stored(..), Cell::Zero) | (Cell::Zero, Cell::Stored(..)) if zero(a) && zero(b) => {
            Verdict::Same
        }
        (Cell::Stored(..), _) => Verdict::Removed,
        (_, Cell::Stored(..)) => Verdict::Added,
        (Cell::Zero, Cell::Clean) | (Cell::Clean, Cell::Zero) => Verdict::Unknown,
        _ => Verdict::Same,
    }
}

/// Page by page; a page is what the worst of its cells is.
fn naive(a: &[Cell], b: &[Cell], cells: std::ops::Range<usize>, page: u64) -> PageCounts {
    let mut counts = PageCounts::default();
    let number = |cell: usize| (BASE + cell as u64 * CELL) / page;
    let mut at = cells.start;
    while at < cells.end {
        let end = (at..cells.end).find(|cell| number(*cell) != number(at)).unwrap_or(cells.end);
        let worst = (at..end).map(|cell| verdict(a[cell], b[cell])).max().unwrap();
        if let Some(count) = counts.of(worst) {
            *count += 1;
        }
        at = end;
    }
    counts
}

fn stretch(cells: &std::ops::Range<usize>) -> Stretch {
    let at = |cell: usize| VirtAddr(BASE + cell as u64 * CELL);
    Stretch::at(at(cells.start), at(cells.end))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn pages_are_counted_as_one_by_one(
        a in cells(1), b in cells(1), from in 0..CELLS, len in 1..CELLS,
    ) {
        let range = from..(from + len).min(CELLS);
        let counted = count(&space(&a, CELL), &space(&b, CELL), stretch(&range), CELL);
        prop_assert_eq!(counted, naive(&a, &b, range, CELL));
    }

    #[test]
    fn page_sizes_may_differ(
        a in cells(1), b in cells(4), from in 0..CELLS, len in 1..CELLS,
    ) {
        let (small, large) = (space(&a, CELL), space(&b, 4 * CELL));
        let range = from..(from + len).min(CELLS);
        let counted = count(&small, &large, stretch(&range), 4 * CELL);
        prop_assert_eq!(counted, naive(&a, &b, range.clone(), 4 * CELL));
        // The other way round what was added is removed.
        let back = count(&large, &small, stretch(&range), 4 * CELL);
        prop_assert_eq!(
            (back.unknown, back.changed + back.added + back.removed),
            {
                let there = naive(&b, &a, range, 4 * CELL);
                (there.unknown, there.changed + there.added + there.removed)
            }
        );
    }

    #[test]
    fn parts_sum_up(a in cells(1), b in cells(1), part in 1_u64..6) {
        let (one, other) = (space(&a, CELL), space(&b, CELL));
        let whole = stretch(&(0..CELLS));
        let mut sum = PageCounts::default();
        let mut len = 0;
        for part in whole.parts(part * CELL) {
            len += part.len;
            sum.add(count(&one, &other, part, CELL));
        }
        prop_assert_eq!(len, whole.len);
        prop_assert_eq!(sum, count(&one, &other, whole, CELL));
    }

    #[test]
    fn rows_are_the_bytes_that_differ(a in cells(1), b in cells(1)) {
        let (one, other) = (space(&a, CELL), space(&b, CELL));
        let rows = crate::compare::rows::differing(&one, &other, stretch(&(0..CELLS)), usize::MAX);
        let mut expected = Vec::new();
        for (cell, (a, b)) in a.iter().zip(&b).enumerate() {
            if matches!((a, b), (Cell::Lost, _) | (_, Cell::Lost)) {
                continue;
            }
            let place = |cell: &Cell| match cell {
                Cell::Stored(value, at) if *value != 0 => Some((*at, *value)),
                _ => None,
            };
            let mut places: Vec<u64> = match (place(a), place(b)) {
                (one, other) if one == other => Vec::new(),
                (one, other) => [one, other].into_iter().flatten().map(|(at, _)| u64::from(at) / 16).collect(),
            };
            places.sort_unstable();
            places.dedup();
            expected.extend(places.into_iter().map(|row| BASE + cell as u64 * CELL + row * 16));
        }
        let found: Vec<u64> = rows.list.iter().map(|row| row.at_b.unwrap().0).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(!rows.more);
    }
}

#[test]
fn a_side_without_an_address_has_nothing() {
    let cells = [Cell::Stored(1, 0), Cell::Zero, Cell::Stored(0, 0)];
    let one = space(&cells, CELL);
    let lone = Stretch { a: None, b: Some(VirtAddr(BASE)), len: 3 * CELL };
    let counted = count(&one, &one, lone, CELL);
    // Captured pages count, whatever is in them.
    assert_eq!(counted, PageCounts { added: 2, ..PageCounts::default() });
    let gone = Stretch { a: Some(VirtAddr(BASE)), b: None, len: 3 * CELL };
    assert_eq!(count(&one, &one, gone, CELL), PageCounts { removed: 2, ..PageCounts::default() });
}

#[test]
fn an_address_space_of_nothing_costs_nothing() {
    let empty = space(&[], CELL);
    let whole = Stretch::at(VirtAddr(0), VirtAddr(u64::MAX));
    assert_eq!(count(&empty, &empty, whole, CELL), PageCounts::default());
    assert!(whole.parts(1 << 50).count() <= 1 << 14);
}
