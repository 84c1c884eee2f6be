//! The page size, which no image states.

use crate::PagemapImage;

/// How the page size was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageSizeSource {
    /// Size of a pages file divided by the pages stored in it; exact.
    PagesFile,
    /// `AT_PAGESZ` in the auxiliary vector of a task.
    Auxv,
    /// What mapped and dumped addresses are multiples of: no page is larger, and with many of them it is one.
    Alignment,
    /// The usual one of the architecture.
    Architecture,
}

/// Page sizes that Linux has: 4, 8, 16, 32 and 64 KiB.
const POSSIBLE: std::ops::RangeInclusive<u32> = 12..=16;

/// The page size in bytes and how it was found: from `(pagemap, size of its pages file in bytes)` pairs, else from
/// `at_pagesz` (auxv key 6), else `default`. Compressed pagemaps say nothing of it and are passed over, as are those by
/// which pages are larger than `at_pagesz`: they were cut, and count too few.
#[must_use]
pub fn derive_page_size<'a>(
    pagemaps: impl IntoIterator<Item = (&'a PagemapImage, u64)>,
    at_pagesz: Option<u64>,
    default: u64,
) -> (u64, PageSizeSource) {
    let at_pagesz = at_pagesz.filter(|page| is_page_size(*page));
    for (pagemap, size) in pagemaps {
        // A pagemap without its end counts too few pages, which makes them seem too large.
        if !pagemap.broken
            && let Some(stored) = pagemap.stored_pages()
            && stored > 0
            && size.checked_rem(stored) == Some(0)
            && let Some(page) = size.checked_div(stored)
            && is_page_size(page)
            && at_pagesz.is_none_or(|told| page <= told)
            && pagemap.entries.iter().all(|record| record.entry.vaddr.is_multiple_of(page))
        {
            return (page, PageSizeSource::PagesFile);
        }
    }
    match at_pagesz {
        Some(page) => (page, PageSizeSource::Auxv),
        None => (default, PageSizeSource::Architecture),
    }
}

/// The page size that addresses tell where nothing else does, bytes: of mappings and pagemap entries, which begin and end at
/// pages. `usual` is the one of the architecture; `is_fixed` where its kernels have no other.
///
/// Addresses that are no multiples of the usual one prove a smaller one. That all of them are multiples of a larger one
/// proves nothing by itself: many of them are asked for.
#[must_use]
pub fn aligned_page_size(
    addresses: impl IntoIterator<Item = u64>,
    usual: u64,
    is_fixed: bool,
) -> Option<u64> {
    let (all, number) = addresses
        .into_iter()
        .filter(|address| *address != 0)
        .fold((0u64, 0usize), |(all, number), address| (all | address, number.saturating_add(1)));
    let largest = 1u64.checked_shl(*POSSIBLE.end()).unwrap_or_default();
    let aligned = 1u64.checked_shl(all.trailing_zeros()).map_or(largest, |page| page.min(largest));
    let proven = aligned < usual || (aligned > usual && number >= MANY);
    (!is_fixed && proven && is_page_size(aligned)).then_some(aligned)
}

/// Addresses that are enough to tell a page size: of as many, one in two is an odd multiple of the true one.
const MANY: usize = 16;

fn is_page_size(bytes: u64) -> bool {
    bytes.is_power_of_two() && POSSIBLE.contains(&bytes.trailing_zeros())
}
