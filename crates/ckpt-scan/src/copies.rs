//! Memory that several processes have at one address, because one is a fork of the other.

use std::ops::Range;

use bytes::Bytes;
use ckpt_memory::{Origin, Span, VirtAddr};

use crate::haystack::{Haystack, Place, Private, Region};
use crate::part::{Part, offset};

/// Bytes beside a hit that must be the same for it to be the same hit: what it is can depend on them.
const BESIDE: u64 = 8;

/// Bytes that are asked for at a time.
const LOOK: u64 = 64 << 10;

/// What was last seen of each region, so that hits that follow each other cost next to nothing.
#[derive(Debug, Default)]
pub struct CopySpace {
    seen: Vec<Option<Seen>>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Seen {
    start: u64,
    end: u64,
    /// `None` where the process has no bytes of its own.
    bytes: Option<Bytes>,
}

/// Most regions among which copies are looked for: each hit is held against all of them.
const MOST_REGIONS: usize = 256;

impl Haystack<'_> {
    /// Adds the places of other processes that have what was found at `range` of a part: the same bytes, and a few beside
    /// them, at the same address. `false` when a process that is searched earlier has it, and so has told of it.
    pub fn copies<'s>(
        &'s self,
        part: &Part,
        range: &Range<u64>,
        space: &mut CopySpace,
        places: &mut Vec<Place<'s>>,
    ) -> bool {
        let is_private = matches!(self.regions.get(part.region()), Some(Region::Private(_)));
        if !is_private || self.regions.len() > MOST_REGIONS {
            return true;
        }
        space.seen.resize_with(self.regions.len(), || None);
        let beside = range.start.saturating_sub(BESIDE).max(part.around().start)
            ..range.end.saturating_add(BESIDE);
        let bytes = part.bytes(beside.clone(), &mut space.bytes);
        let regions = self.regions.iter().zip(&mut space.seen).enumerate();
        for (number, (region, seen)) in regions {
            let Region::Private(private) = region else { continue };
            if number == part.region() || !private.has(bytes, beside.start, seen) {
                continue;
            }
            if number < part.region() {
                return false;
            }
            private.places(VirtAddr(range.start), places);
        }
        true
    }
}

impl Private<'_> {
    /// Whether these bytes are at `at`.
    fn has(&self, mut bytes: &[u8], mut at: u64, seen: &mut Option<Seen>) -> bool {
        while !bytes.is_empty() {
            let here = match seen {
                Some(seen) if seen.start <= at && at < seen.end => seen,
                _ => seen.insert(self.look(at)),
            };
            let Some(theirs) = &here.bytes else { return false };
            let theirs = theirs.get(offset(at, here.start)..).unwrap_or_default();
            let len = theirs.len().min(bytes.len());
            let (these, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
            if len == 0 || theirs.get(..len) != Some(these) {
                return false;
            }
            at = at.saturating_add(len as u64);
            bytes = rest;
        }
        true
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
