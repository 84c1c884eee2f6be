//! Memory that several processes have at one address, because one is a fork of the other: pages that are equal.

use std::ops::Range;

use bytes::Bytes;
use ckpt_memory::{Origin, Span, VirtAddr};

use crate::haystack::{Haystack, Place, Private, Region};
use crate::part::{Part, offset};

/// Bytes beside a hit that must be the same for it to be the same hit: what it is can depend on them.
pub(crate) const BESIDE: u64 = 8;

/// Bytes that are asked for at a time.
const LOOK: u64 = 64 << 10;

/// Most regions among which copies are looked for: each page with a hit is held against all of them.
const MOST_REGIONS: usize = 256;

/// Most pages of a hit that are held against others.
const MOST_PAGES: u64 = 256;

/// What was last seen of each region, so that hits that follow each other cost next to nothing.
#[derive(Debug, Default)]
pub struct CopySpace {
    seen: Vec<Option<Seen>>,
    /// The page that was looked at last, of which region, and which others have an equal one.
    page: Option<(usize, u64)>,
    /// Where it lies; empty before any was.
    range: Range<u64>,
    equal: Vec<usize>,
    common: Vec<usize>,
}

/// A range of an address space.
#[derive(Debug)]
struct Seen {
    start: u64,
    end: u64,
    /// `None` where the process has no bytes of its own.
    bytes: Option<Bytes>,
}

impl Haystack<'_> {
    /// Adds the places of other processes that have what was found at `range` of a part, in equal pages at the same
    /// address. `false` when a process that is searched earlier has it, and so has told of it.
    pub fn copies<'s>(
        &'s self,
        part: &Part,
        range: &Range<u64>,
        space: &mut CopySpace,
        places: &mut Vec<Place<'s>>,
    ) -> bool {
        // Most hits lie in the page of the one before, and of most pages there is one.
        let near = range.start.saturating_sub(BESIDE)..range.end.saturating_add(BESIDE);
        let seen = space.page.is_some_and(|(region, _)| region == part.region())
            && space.range.start <= near.start
            && near.end <= space.range.end;
        if seen && space.equal.is_empty() {
            return true;
        }
        let Some(Region::Private(own)) = self.regions.get(part.region()) else { return true };
        let size = own.space.page_size().max(1);
        let page_of = |at: u64| at.checked_div(size).unwrap_or_default();
        let around = part.around();
        let first = page_of(range.start.saturating_sub(BESIDE).max(around.start));
        let last = range.end.saturating_add(BESIDE).min(around.end).saturating_sub(1);
        let last = page_of(last).max(first);
        if self.regions.len() > MOST_REGIONS || last.saturating_sub(first) >= MOST_PAGES {
            return true;
        }
        for page in first..=last {
            self.look_at_page(part.region(), page, size, space);
            if page == first {
                space.common.clone_from(&space.equal);
            } else {
                space.common.retain(|region| space.equal.contains(region));
            }
        }
        for number in &space.common {
            if *number < part.region() {
                return false;
            }
            if let Some(Region::Private(private)) = self.regions.get(*number) {
                private.places(VirtAddr(range.start), usize::MAX, places);
            }
        }
        true
    }

    /// Finds the regions that have the same page as one of them, by their numbers.
    fn look_at_page(&self, region: usize, page: u64, size: u64, space: &mut CopySpace) {
        if space.page == Some((region, page)) {
            return;
        }
        let range = page.saturating_mul(size)..page.saturating_add(1).saturating_mul(size);
        space.page = Some((region, page));
        space.range = range.clone();
        space.equal.clear();
        space.seen.resize_with(self.regions.len(), || None);
        let Some(Region::Private(own)) = self.regions.get(region) else { return };
        let Some(mut mine) = space.seen.get_mut(region).map(Option::take) else { return };
        for (number, (other, seen)) in self.regions.iter().zip(&mut space.seen).enumerate() {
            if let Region::Private(other) = other
                && number != region
                && own.has_page_of(other, &range, &mut mine, seen)
            {
                space.equal.push(number);
            }
        }
        if let Some(seen) = space.seen.get_mut(region) {
            *seen = mine;
        }
    }
}

impl Private<'_> {
    /// Whether both have the same bytes of their own in a range.
    fn has_page_of(
        &self,
        other: &Self,
        range: &Range<u64>,
        mine: &mut Option<Seen>,
        theirs: &mut Option<Seen>,
    ) -> bool {
        let mut at = range.start;
        while at < range.end {
            let (Some(these), Some(those)) =
                (self.at(at, range.end, mine), other.at(at, range.end, theirs))
            else {
                return false;
            };
            let len = these.len().min(those.len());
            if len == 0 || these.get(..len) != those.get(..len) {
                return false;
            }
            at = at.saturating_add(len as u64);
        }
        true
    }

    /// The bytes from `at` on, before `end`; `None` where there are none.
    fn at<'s>(&self, at: u64, end: u64, seen: &'s mut Option<Seen>) -> Option<&'s [u8]> {
        if seen.as_ref().is_none_or(|seen| at < seen.start || seen.end <= at) {
            *seen = Some(self.look(at));
        }
        let seen = seen.as_ref()?;
        let bytes = seen.bytes.as_ref()?;
        bytes.get(offset(at, seen.start)..offset(end.min(seen.end), seen.start))
    }

    /// What the process has of its own at an address, and how far.
    fn look(&self, at: u64) -> Seen {
        let address = VirtAddr(at);
        let nothing =
            |end: u64| Seen { start: at, end: end.max(at.saturating_add(1)), bytes: None };
        let Some(mapping) = self.space.mapping_at(address) else {
            let page = self.space.page_size().max(1);
            return nothing(
                at.saturating_sub(at.checked_rem(page).unwrap_or(0)).saturating_add(page),
            );
        };
        if !self.is_meant(mapping) {
            return nothing(mapping.end.0);
        }
        let len = mapping.end.since(address).min(LOOK);
        match self.space.spans(address, len).next() {
            Some(Span::Bytes { bytes, origin, .. }) if origin != Origin::Shared => {
                Seen { start: at, end: at.saturating_add(bytes.len() as u64), bytes: Some(bytes) }
            }
            Some(Span::Bytes { bytes, .. }) => nothing(at.saturating_add(bytes.len() as u64)),
            Some(Span::Zero { len, .. } | Span::Missing { len, .. }) => {
                nothing(at.saturating_add(len))
            }
            None => nothing(at.saturating_add(1)),
        }
    }
}
