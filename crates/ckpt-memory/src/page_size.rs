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

fn is_page_size(bytes: u64) -> bool {
    bytes.is_power_of_two() && POSSIBLE.contains(&bytes.trailing_zeros())
}
