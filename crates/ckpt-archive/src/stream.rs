//! A tar stream that passes by once: what is asked for goes to the spool, the rest is skipped where it lies.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Error;
use crate::content::as_u64;
use crate::decompress::{Feed, Filled, Report};
use crate::hashing::MemberHash;
use crate::member::{Keep, Member, MemberKind, Piece, Stored};
use crate::options::{Kept, Options, Progress, Select, Selection, Watch};
use crate::sniff::HEAD;
use crate::spool::Spool;
use crate::tape::{Rest, Tape, first_nonzero};

/// No compression that is in use packs tighter than this, except for long runs of one byte.
const PLAUSIBLE_RATIO: u64 = 1100;

/// What a stream is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To serve the contents of its members.
    Serve {
        /// Whether parts of images are kept without asking.
        images: bool,
    },
    /// To hash the contents of its members, and keep none.
    Hash,
}

impl Purpose {
    /// Archives within others are not watched: their positions would be those of another spool.
    pub(crate) fn is_watched(self) -> bool {
        self == Purpose::Serve { images: true }
    }
}

/// Where bytes go that pass by.
enum Sink<'a> {
    Nowhere,
    Spool,
    Hash(&'a mut MemberHash),
}

/// The stream end of the decoder's channel, and the spool.
pub(crate) struct StreamTape {
    name: String,
    feed: Feed,
    /// Buffers that were looked at before the walk began, in reverse order.
    peeked: Vec<Filled>,
    buffer: Option<Filled>,
    /// Bytes of `buffer` that are used up.
    used: usize,
    position: u64,
    max_unpacked: u64,
    /// Bytes of holes that may still be hashed.
    holes_left: u64,
    spool: RefCell<Spool>,
    select: Option<Arc<dyn Select>>,
    watch: Option<Arc<dyn Watch>>,
    purpose: Purpose,
    /// Members kept whole, by path.
    whole: HashMap<Vec<u8>, usize>,
    pass: Pass,
}

/// Tells about a pass, and that it is over when dropped.
struct Pass {
    progress: Option<Arc<dyn Progress>>,
    told: u64,
    /// Compressed bytes, if known.
    total: Option<u64>,
}

impl Pass {
    fn begin(name: &str, options: &Options, total: Option<u64>) -> Self {
        if let Some(progress) = &options.progress {
            progress.begin(name, total);
        }
        Pass { progress: options.progress.clone(), told: 0, total }
    }

    fn advance(&mut self, consumed: u64) {
        if let Some(progress) = &self.progress {
            progress.advance(consumed.saturating_sub(self.told));
        }
        self.told = consumed;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.end();
        }
    }
}

impl StreamTape {
    pub(crate) fn new(
        name: &str,
        feed: Feed,
        total: Option<u64>,
        options: &Options,
        purpose: Purpose,
    ) -> Self {
        let dir: PathBuf = options.spool();
        StreamTape {
            name: name.to_owned(),
            feed,
            peeked: Vec::new(),
            buffer: None,
            used: 0,
            position: 0,
            max_unpacked: options.limits.max_unpacked,
            holes_left: options.limits.max_hashed_holes,
            spool: RefCell::new(Spool::new(dir)),
            select: options.select.clone(),
            watch: options.watch.clone().filter(|_| purpose.is_watched()),
            purpose,
            whole: HashMap::new(),
            pass: Pass::begin(name, options, total),
        }
    }

    /// The first bytes, as many as it takes to tell what they are, and whether that is all.
    pub(crate) fn head(&mut self) -> (Vec<u8>, bool) {
        let mut head = Vec::new();
        let mut buffers = Vec::new();
        let mut complete = false;
        while head.len() < HEAD {
            let Some(filled) = self.feed.next() else {
                complete = true;
                break;
            };
            head.extend_from_slice(filled.bytes());
            buffers.push(filled);
        }
        buffers.reverse();
        self.peeked = buffers;
        (head, complete)
    }

    /// What was kept, the decoder's report, and the number of bytes taken from the source.
    pub(crate) fn finish(mut self) -> Result<(bytes::Bytes, Report, u64), Error> {
        let consumed = self.feed.consumed();
        self.pass.advance(consumed);
        // The walk may have stopped early: then the decoder notices that nobody listens.
        let (spool, report) = (self.spool.into_inner(), self.feed.finish());
        Ok((spool.finish()?, report, consumed))
    }

    /// The rest of the current buffer, or the next one. Empty at the end.
    fn ahead(&mut self) -> Result<&[u8], Error> {
        let exhausted = self.buffer.as_ref().is_none_or(|filled| self.used >= filled.bytes().len());
        if exhausted {
            if let Some(old) = self.buffer.take() {
                self.feed.give_back(old);
            }
            self.used = 0;
            self.buffer = self.peeked.pop().or_else(|| self.feed.next());
            self.pass.advance(self.feed.consumed());
            if self.position > self.max_unpacked {
                return Err(Error::Limit {
                    name: self.name.clone(),
                    what: "unpacked bytes",
                    limit: self.max_unpacked,
                });
            }
        }
        let filled = self.buffer.as_ref().map(Filled::bytes).unwrap_or_default();
        Ok(filled.get(self.used..).unwrap_or_default())
    }

    fn take(&mut self, count: usize) {
        self.used = self.used.saturating_add(count);
        self.position = self.position.saturating_add(as_u64(count));
    }

    /// Passes over `count` bytes; gives how many there were.
    fn pass(&mut self, count: u64, mut sink: Sink<'_>) -> Result<u64, Error> {
        let mut left = count;
        while left > 0 {
            let ahead = self.ahead()?.len();
            if ahead == 0 {
                break;
            }
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(ahead);
            let filled = self.buffer.as_ref().map(Filled::bytes).unwrap_or_default();
            let end = self.used.saturating_add(step);
            let bytes = filled.get(self.used..end).unwrap_or_default();
            match &mut sink {
                Sink::Nowhere => {}
                Sink::Spool => {
                    let mut spool = self.spool.borrow_mut();
                    if let Some(watch) = &self.watch {
                        watch.pass(spool.position(), bytes);
                    }
                    spool.write(bytes)?;
                }
                Sink::Hash(hash) => hash.update(bytes),
            }
            self.take(step);
            left = left.saturating_sub(as_u64(step));
        }
        Ok(count.saturating_sub(left))
    }

    fn selection(&self, member: &Member, listed: &[Member]) -> Selection {
        let Some(select) = &self.select else {
            return Selection::All;
        };
        let images = self.purpose == Purpose::Serve { images: true };
        if !member.is_file() || (images && is_image_part(&member.path)) {
            return Selection::All;
        }
        let read = |member: &Member| {
            let Keep::Whole(at) = member.stored.keep else { return None };
            let mut spool = self.spool.borrow_mut();
            spool.flush().ok()?;
            spool.read(at, member.stored.captured)
        };
        select.select(member, &Kept { members: listed, whole: &self.whole, read: &read })
    }

    /// Refuses a member that cannot fit before writing half of it. Sizes that the rest of the stream cannot hold come from damaged
    /// or hostile headers, and are left to run into the end of the stream.
    fn require(&self, packed: u64) -> Result<(), Error> {
        let left = self.pass.total.map(|total| total.saturating_sub(self.feed.consumed()));
        let most = left.map_or(u64::MAX, |left| left.saturating_mul(PLAUSIBLE_RATIO));
        if packed <= most.max(1 << 30) {
            self.spool.borrow_mut().require(packed)?;
        }
        Ok(())
    }
}

impl Tape for StreamTape {
    fn position(&self) -> u64 {
        self.position
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let mut len = 0_usize;
        while let Some(free) = out.get_mut(len..).filter(|free| !free.is_empty()) {
            let ahead = self.ahead()?;
            let count = ahead.len().min(free.len());
            if count == 0 {
                break;
            }
            if let (Some(to), Some(from)) = (free.get_mut(..count), ahead.get(..count)) {
                to.copy_from_slice(from);
            }
            self.take(count);
            len = len.saturating_add(count);
        }
        Ok(len)
    }

    fn skip(&mut self, count: u64) -> Result<u64, Error> {
        self.pass(count, Sink::Nowhere)
    }

    fn store(&mut self, member: &Member, packed: u64, listed: &[Member]) -> Result<Stored, Error> {
        let at = self.spool.borrow().position();
        let mut stored = Stored { packed, ..Stored::default() };
        if self.purpose == Purpose::Hash {
            if matches!(member.kind, MemberKind::File | MemberKind::Other(_)) {
                let mut hash = MemberHash::new(member, self.holes_left);
                stored.captured = self.pass(packed, Sink::Hash(&mut hash))?;
                stored.sha256 = Some(hash.finish(member.size, stored.captured, packed));
                self.holes_left = self.holes_left.saturating_sub(hash.hashed_holes());
            }
            return Ok(stored);
        }
        if packed == 0 {
            // Nothing to keep, but the member's content is known all the same.
            stored.keep = Keep::Whole(at);
            if member.is_file() && self.select.is_some() {
                self.selection(member, listed);
                self.whole.insert(member.path.clone(), listed.len());
            }
            return Ok(stored);
        }
        match self.selection(member, listed) {
            Selection::All => {
                self.require(packed)?;
                stored.captured = self.pass(packed, Sink::Spool)?;
                stored.keep = Keep::Whole(at);
                if member.is_file() && self.select.is_some() && stored.captured == packed {
                    self.whole.insert(member.path.clone(), listed.len());
                }
            }
            Selection::Nothing => stored.captured = self.skip(packed)?,
            Selection::Ranges(ranges) => {
                let mut pieces = Vec::new();
                for range in packed_ranges(member, &ranges, packed) {
                    let gap = range.start.saturating_sub(stored.captured);
                    stored.captured = stored.captured.saturating_add(self.skip(gap)?);
                    let at = self.spool.borrow().position();
                    let len = self.pass(range.end.saturating_sub(range.start), Sink::Spool)?;
                    if len > 0 {
                        pieces.push(Piece { start: stored.captured, len, at });
                        stored.captured = stored.captured.saturating_add(len);
                    }
                }
                let rest = packed.saturating_sub(stored.captured);
                stored.captured = stored.captured.saturating_add(self.skip(rest)?);
                stored.keep = Keep::Pieces(pieces.into_boxed_slice());
            }
        }
        Ok(stored)
    }

    fn rest(&mut self) -> Result<Rest, Error> {
        let mut rest = Rest::default();
        loop {
            let ahead = self.ahead()?;
            if ahead.is_empty() {
                break;
            }
            let (zeros, len) = (first_nonzero(ahead).unwrap_or(ahead.len()), ahead.len());
            if zeros < len {
                self.take(zeros);
                rest.first = Some(self.position);
                break;
            }
            self.take(len);
        }
        if rest.first.is_some() {
            let at = self.spool.borrow().position();
            let keep = self.select.is_none() && self.purpose != Purpose::Hash;
            let count = self.pass(u64::MAX, if keep { Sink::Spool } else { Sink::Nowhere })?;
            let keep = if keep { Keep::Whole(at) } else { Keep::Nothing };
            let stored = Stored { packed: count, captured: count, keep, ..Stored::default() };
            rest.stored = Some(stored);
        }
        rest.end = self.position;
        Ok(rest)
    }

    fn is_broken(&self) -> bool {
        self.feed.has_failed()
    }
}

/// The ranges in packed bytes: sorted, merged, within the member.
fn packed_ranges(member: &Member, ranges: &[Range<u64>], packed: u64) -> Vec<Range<u64>> {
    let mut wanted: Vec<Range<u64>> = match &member.sparse {
        Some(map) => ranges.iter().flat_map(|range| map.packed_ranges(range)).collect(),
        None => ranges.to_vec(),
    };
    wanted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(wanted.len());
    for range in wanted {
        let range = range.start..range.end.min(packed);
        if range.is_empty() {
            continue;
        }
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Whether the path is one that image layouts use: whether this is an image shows only at the end, when the blobs are gone.
fn is_image_part(path: &[u8]) -> bool {
    let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
    match path {
        b"index.json" | b"oci-layout" | b"manifest.json" | b"repositories" | b"version" => true,
        // `docker save` and `dir:` name their parts by digest.
        _ => {
            first == b"blobs"
                || first.get(..64).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_parts_are_known_by_name() {
        let hex = "98f88138fb19dc2fae2a5ff00b22565e0158234d9ad0a464eda4fa28db941854";
        for path in [
            "index.json",
            "blobs/sha256/x",
            hex,
            &format!("{hex}.tar"),
            &format!("{hex}/layer.tar"),
        ] {
            assert!(is_image_part(path.as_bytes()), "{path}");
        }
        for path in ["checkpoint/index.json", "checkpoint/pages-1.img", "blob", &hex[1..]] {
            assert!(!is_image_part(path.as_bytes()), "{path}");
        }
    }
}
