//! Mappings that appeared, went or changed.

use std::collections::HashMap;
use std::sync::Arc;

use ckpt_memory::{Mapping, MappingKind, Perms, VirtAddr};
use ckpt_model::Pid;

use super::pages::Stretch;
use super::whole::Deletions;

/// A mapping, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// First address.
    pub start: VirtAddr,
    /// First address after it.
    pub end: VirtAddr,
    /// What it is.
    pub kind: MappingKind,
    /// Permissions.
    pub perms: Perms,
    /// The last column of `/proc/PID/maps`.
    pub name: Option<Arc<[u8]>>,
    /// Offset in the file or segment, bytes.
    pub offset: u64,
}

impl Region {
    pub(super) fn of(mapping: &Mapping) -> Self {
        Self {
            start: mapping.start,
            end: mapping.end,
            kind: mapping.kind,
            perms: mapping.perms(),
            name: mapping.name.clone(),
            offset: mapping.offset(),
        }
    }

    /// The part of a mapping between two addresses.
    pub(super) fn part(mapping: &Mapping, start: VirtAddr, end: VirtAddr) -> Self {
        let offset = mapping.offset().saturating_add(start.since(mapping.start));
        Self { start, end, offset, ..Self::of(mapping) }
    }

    /// Bytes.
    #[allow(clippy::len_without_is_empty)] // no mapping is empty
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end.since(self.start)
    }
}

/// What of a mapping is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MappingFact {
    /// It begins or ends elsewhere: it grew, shrank or was split. Between counterparts in two containers, its length.
    Range,
    /// Permissions.
    Perms,
    /// Its name: the file was deleted, or memory was named.
    Name,
    /// Its kind.
    Kind,
}

impl MappingFact {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Perms => "perms",
            Self::Name => "name",
            Self::Kind => "kind",
        }
    }
}

/// A mapping of a process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mapped {
    /// The process, as its own checkpoint numbers it.
    pub pid: Pid,
    /// The mapping.
    pub region: Region,
}

/// A mapping that changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MappingChange {
    /// In the first checkpoint. Of a mapping that was split every part has the whole here.
    pub a: Mapped,
    /// In the second.
    pub b: Mapped,
    /// What differs.
    pub what: Vec<MappingFact>,
}

/// Mappings of the matched processes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Mappings {
    /// Only in the second, by process and address.
    pub added: Vec<Mapped>,
    /// Only in the first.
    pub removed: Vec<Mapped>,
    /// In both, and different.
    pub changed: Vec<MappingChange>,
    /// How many are in both and not different.
    pub unchanged: u64,
}

/// Two lists of mappings laid against each other.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// Which of the first list a mapping of the second is, by position in the second.
    pub(super) partner: Vec<Option<usize>>,
    /// Where each mapping of the second is held against the first.
    pub(super) against: Vec<Stretch>,
    /// Parts of mappings of the first that the second has nothing in place of.
    pub(super) lone: Vec<(usize, Stretch)>,
    /// Parts of mappings of the second that have nothing to be held against.
    pub(super) tails: Vec<(usize, Stretch)>,
}

/// By address: for one address space at two moments.
pub(super) fn by_address(a: &[Mapping], b: &[Mapping]) -> Laid {
    let mut laid = Laid {
        partner: vec![None; b.len()],
        against: b.iter().map(|mapping| Stretch::at(mapping.start, mapping.end)).collect(),
        ..Laid::default()
    };
    let (mut i, mut j, mut at) = (0_usize, 0_usize, VirtAddr(0));
    let rest = |list: &[Mapping], index: &mut usize, at: VirtAddr| loop {
        let mapping = list.get(*index)?;
        if mapping.end > at {
            return Some((mapping.start.max(at), mapping.end));
        }
        *index = index.saturating_add(1);
    };
    loop {
        match (rest(a, &mut i, at), rest(b, &mut j, at)) {
            (None, None) => return laid,
            (Some((start, end)), other) if other.is_none_or(|(other, _)| start < other) => {
                at = other.map_or(end, |(other, _)| end.min(other));
                laid.lone.push((i, Stretch::at(start, at)));
            }
            (Some((start, end)), Some((other, other_end))) if start == other => {
                at = end.min(other_end);
                let same = a.get(i).zip(b.get(j)).is_some_and(|(a, b)| is_same(a, b));
                if same && let Some(partner) = laid.partner.get_mut(j) {
                    partner.get_or_insert(i);
                }
            }
            (first, Some((_, end))) => {
                at = first.map_or(end, |(first, _)| end.min(first));
            }
            (Some(_), None) => return laid,
        }
    }
}

/// Whether two mappings that overlap show the same thing at the same place.
fn is_same(a: &Mapping, b: &Mapping) -> bool {
    if a.kind.is_anonymous() && b.kind.is_anonymous() {
        return true;
    }
    let begins = |mapping: &Mapping| mapping.start.0.wrapping_sub(mapping.offset());
    let pathless = !(a.kind.is_file() || a.kind.is_shared_memory());
    a.kind == b.kind && path(a) == path(b) && (pathless || begins(a) == begins(b))
}

fn path(mapping: &Mapping) -> Option<&[u8]> {
    mapping.name.as_deref().map(|name| name.strip_suffix(b" (deleted)").unwrap_or(name))
}

/// By what they show: for two address spaces in which addresses mean different things. Anonymous memory without a name is
/// known by its size and permissions; of equal ones the first goes with the first.
pub(super) fn by_content(a: &[Mapping], b: &[Mapping]) -> Laid {
    type Key<'k> = (MappingKind, Option<&'k [u8]>, u64, Perms);
    fn key(mapping: &Mapping) -> Key<'_> {
        let place = match mapping.kind {
            MappingKind::Heap | MappingKind::Stack | MappingKind::Vdso | MappingKind::Vvar => 0,
            kind if kind.is_anonymous() => mapping.len(),
            _ => mapping.offset(),
        };
        (mapping.kind, path(mapping), place, mapping.perms())
    }
    let mut waiting: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    for (index, mapping) in a.iter().enumerate().rev() {
        waiting.entry(key(mapping)).or_default().push(index);
    }
    let mut laid = Laid::default();
    for (index, mapping) in b.iter().enumerate() {
        let partner = waiting.get_mut(&key(mapping)).and_then(Vec::pop);
        let other = partner.and_then(|partner| a.get(partner));
        laid.partner.push(partner);
        let whole = Stretch { a: None, b: Some(mapping.start), len: mapping.len() };
        let Some((other, place)) = other.zip(partner) else {
            laid.against.push(whole);
            continue;
        };
        let len = mapping.len().min(other.len());
        let later = |at: VirtAddr, by: u64| VirtAddr(at.0.saturating_add(by));
        // A stack grows downwards: its end is what stays.
        let stack = mapping.kind == MappingKind::Stack;
        let skip = |whole: &Mapping| if stack { whole.len().saturating_sub(len) } else { 0 };
        let start = |whole: &Mapping| later(whole.start, skip(whole));
        laid.against.push(Stretch { a: Some(start(other)), b: Some(start(mapping)), len });
        let tail = |whole: &Mapping| if stack { whole.start } else { later(whole.start, len) };
        let left = |whole: &Mapping| whole.len().saturating_sub(len);
        if left(mapping) > 0 {
            laid.tails
                .push((index, Stretch { a: None, b: Some(tail(mapping)), len: left(mapping) }));
        }
        if left(other) > 0 {
            laid.lone.push((place, Stretch { a: Some(tail(other)), b: None, len: left(other) }));
        }
    }
    for place in waiting.into_values().flatten() {
        if let Some(mapping) = a.get(place) {
            laid.lone
                .push((place, Stretch { a: Some(mapping.start), b: None, len: mapping.len() }));
        }
    }
    laid.lone.sort_by_key(|(place, stretch)| (*place, stretch.a));
    laid
}

/// What of two lists of mappings can be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// Whether addresses mean the same in both.
    pub(super) by_address: bool,
    /// Whether a file was deleted.
    pub(super) deletions: Deletions,
}

impl Told {
    fn name(self, mapping: &Mapping) -> Option<&[u8]> {
        mapping.name.as_deref().map(|name| self.deletions.name(name))
    }
}

/// Adds how the mappings of a process changed.
pub(super) fn compare(
    found: &mut Mappings,
    (pid_a, a): (Pid, &[Mapping]),
    (pid_b, b): (Pid, &[Mapping]),
    laid: &Laid,
    told: Told,
) {
    let mapped = |pid, mapping| Mapped { pid, region: Region::of(mapping) };
    let mut taken = vec![false; a.len()];
    for (mapping, partner) in b.iter().zip(&laid.partner) {
        let other = partner.and_then(|place| Some((a.get(place)?, taken.get_mut(place)?)));
        let Some((other, taken)) = other else {
            found.added.push(mapped(pid_b, mapping));
            continue;
        };
        *taken = true;
        let range = if told.by_address {
            (other.start, other.end) != (mapping.start, mapping.end)
        } else {
            other.len() != mapping.len()
        };
        let what = [
            (range, MappingFact::Range),
            (other.perms() != mapping.perms(), MappingFact::Perms),
            (told.name(other) != told.name(mapping), MappingFact::Name),
            (other.kind != mapping.kind, MappingFact::Kind),
        ];
        let what: Vec<MappingFact> =
            what.into_iter().filter_map(|(differs, fact)| differs.then_some(fact)).collect();
        if what.is_empty() {
            found.unchanged = found.unchanged.saturating_add(1);
        } else {
            let (a, b) = (mapped(pid_a, other), mapped(pid_b, mapping));
            found.changed.push(MappingChange { a, b, what });
        }
    }
    let gone = a.iter().zip(taken).filter(|(_, taken)| !taken);
    found.removed.extend(gone.map(|(mapping, _)| mapped(pid_a, mapping)));
}
