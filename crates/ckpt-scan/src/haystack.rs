//! What is searched: memory of processes, shared memory once for all of them, and artifacts.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use ckpt_memory::{
    AddressSpace, Backing, Mapping, MappingKind, Origin, SharedMemory, Span, VirtAddr,
};
use ckpt_model::artifacts::Artifact;
use ckpt_model::{Checkpoint, Pid, Piece as Content, Task};

use crate::part::Piece;

/// Most places of one hit that a list of hits tells: memory that thousands of processes have in common holds each hit
/// thousands of times, and is in the evidence once.
pub const MOST_PLACES: usize = 64;

/// The bytes to search, by region.
///
/// Memory that was never written is not searched, and what is missing cannot be. Shared memory is searched once, however
/// many processes map it; so is the memory of tasks that have it in common. Of artifacts those with the bytes of another
/// one, and shared memory that is searched as such, are left out.
#[derive(Debug, Default)]
pub struct Haystack<'a> {
    pub(crate) regions: Vec<Region<'a>>,
    /// Regions of shared memory, by its number.
    shared: HashMap<u64, usize>,
}

/// Bytes whose positions have one meaning.
#[derive(Debug)]
pub(crate) enum Region<'a> {
    /// Positions are addresses.
    Private(Private<'a>),
    /// Positions are offsets in shared memory.
    Shared(Shared<'a>),
    /// Positions are offsets in an artifact.
    Artifact(&'a Artifact),
}

/// The memory of a task, or of several that share it.
#[derive(Debug)]
pub(crate) struct Private<'a> {
    pub(crate) space: AddressSpace,
    /// By pid; they have the same memory.
    pub(crate) tasks: Vec<&'a Task>,
    /// Places in the list of mappings.
    mappings: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Shared<'a> {
    memory: Arc<SharedMemory>,
    /// Region of the private memory beside it, and place in its list of mappings.
    maps: Vec<(usize, usize)>,
    /// The same as an artifact, for what nobody maps.
    artifact: Option<&'a Artifact>,
}

/// A place where a process, or an artifact, has some bytes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Place<'a> {
    /// In memory.
    Memory {
        /// The process.
        task: &'a Task,
        /// The address.
        address: VirtAddr,
        /// The mapping that holds it.
        mapping: &'a Mapping,
    },
    /// Outside of memory.
    Artifact {
        /// The artifact.
        artifact: &'a Artifact,
        /// Offset in it, bytes.
        offset: u64,
    },
}

impl<'a> Haystack<'a> {
    /// Nothing, to which is added.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the memory of processes, those of their mappings for which `keep` holds.
    pub fn add_memory(
        &mut self,
        checkpoint: &'a Checkpoint,
        pids: &[Pid],
        keep: impl Fn(&Mapping, &Task) -> bool,
    ) {
        for private in Private::of(checkpoint, pids, keep) {
            let region = self.regions.len();
            let mappings = private.space.mappings();
            let segments: Vec<(usize, Arc<SharedMemory>)> = private
                .mappings
                .iter()
                .filter_map(|at| match &mappings.get(*at)?.backing {
                    Backing::Shared(memory) => Some((*at, Arc::clone(memory))),
                    _ => None,
                })
                .collect();
            self.regions.push(Region::Private(private));
            for (at, memory) in segments {
                self.add_shared(memory, (region, at));
            }
        }
    }

    fn add_shared(&mut self, memory: Arc<SharedMemory>, map: (usize, usize)) {
        let next = self.regions.len();
        let region = *self.shared.entry(memory.id).or_insert(next);
        match self.regions.get_mut(region) {
            Some(Region::Shared(shared)) => {
                shared.maps.push(map);
                // Mappings can know different sizes of one segment: the largest has all of it.
                if shared.memory.size < memory.size {
                    shared.memory = memory;
                }
            }
            _ => {
                let shared = Shared { memory, maps: vec![map], artifact: None };
                self.regions.push(Region::Shared(shared));
            }
        }
    }

    /// Adds artifacts. What is shared memory that was added before is not searched twice.
    pub fn add_artifacts(&mut self, artifacts: impl IntoIterator<Item = &'a Artifact>) {
        for artifact in artifacts {
            if artifact.same_as.is_some() {
                continue;
            }
            let Some(content) = artifact.content() else { continue };
            let shared = content.shared_memory_id().and_then(|id| self.shared.get(&id));
            match shared.and_then(|region| self.regions.get_mut(*region)) {
                Some(Region::Shared(shared)) => {
                    shared.artifact.get_or_insert(artifact);
                }
                _ => self.regions.push(Region::Artifact(artifact)),
            }
        }
    }

    /// The bytes, by region and position. Nothing is copied.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> + Send + '_ {
        self.regions.iter().enumerate().flat_map(|(number, region)| region.pieces(number))
    }

    /// Bytes to search, zeros and what is missing not counted.
    #[must_use]
    pub fn size(&self) -> u64 {
        let sizes = self.regions.iter().map(|region| match region {
            Region::Private(private) => {
                let tallies = private.mappings().map(|mapping| private.space.tally(mapping));
                let pages = tallies.fold(0_u64, |sum, tally| {
                    sum.saturating_add(tally.dumped.saturating_add(tally.parent))
                });
                pages.saturating_mul(private.space.page_size())
            }
            Region::Shared(shared) => {
                let SharedMemory { size, space, .. } = shared.memory.as_ref();
                let tally = space.tally_range(VirtAddr(0), VirtAddr(*size));
                tally.captured().saturating_mul(space.page_size())
            }
            Region::Artifact(artifact) => artifact.size.saturating_sub(artifact.holes),
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// Where some bytes of a region are to be found: by pid and address, or in an artifact. Empty when none of the
    /// processes that were chosen has them. What `places` held before, those of another hit as a rule, is gone.
    pub fn places<'s>(&'s self, region: usize, range: &Range<u64>, places: &mut Vec<Place<'s>>) {
        self.some_places(region, range, usize::MAX, places);
    }

    /// As [`places`](Self::places), the first [`MOST_PLACES`] of them; whether there are more.
    pub fn first_places<'s>(
        &'s self,
        region: usize,
        range: &Range<u64>,
        places: &mut Vec<Place<'s>>,
    ) -> bool {
        self.some_places(region, range, MOST_PLACES.saturating_add(1), places);
        let more = places.len() > MOST_PLACES;
        places.truncate(MOST_PLACES);
        more
    }

    fn some_places<'s>(
        &'s self,
        region: usize,
        range: &Range<u64>,
        most: usize,
        places: &mut Vec<Place<'s>>,
    ) {
        let before = places.first().copied();
        places.clear();
        match self.regions.get(region) {
            Some(Region::Private(private)) => {
                private.places_near(before, VirtAddr(range.start), most, places);
            }
            Some(Region::Shared(shared)) => self.places_of_shared(shared, range, most, places),
            Some(Region::Artifact(artifact)) => {
                places.push(Place::Artifact { artifact, offset: range.start });
            }
            None => {}
        }
    }

    fn places_of_shared<'s>(
        &'s self,
        shared: &'s Shared<'a>,
        range: &Range<u64>,
        most: usize,
        places: &mut Vec<Place<'s>>,
    ) {
        for (region, at) in &shared.maps {
            if places.len() >= most {
                break;
            }
            let Some(Region::Private(private)) = self.regions.get(*region) else { continue };
            let Some(mapping) = private.space.mappings().get(*at) else { continue };
            let Some(into) = range.start.checked_sub(mapping.offset()) else { continue };
            let Some(address) = mapping.start.checked_add(into) else { continue };
            let end = address.checked_add(range.end.saturating_sub(range.start));
            if address >= mapping.end || end.is_none_or(|end| end > mapping.end) {
                continue;
            }
            if mapping.kind == MappingKind::MemfdPrivate && !private.is_shared(address) {
                continue;
            }
            let left = most.saturating_sub(places.len());
            let tasks = private.tasks.iter().take(left);
            places.extend(tasks.map(|task| Place::Memory { task, address, mapping }));
        }
        if places.is_empty()
            && let Some(artifact) = shared.artifact
        {
            places.push(Place::Artifact { artifact, offset: range.start });
        }
        places.sort_by_key(|place| match place {
            Place::Memory { task, address, .. } => (task.pid, *address),
            Place::Artifact { .. } => (Pid(u32::MAX), VirtAddr(u64::MAX)),
        });
    }
}

impl Region<'_> {
    fn pieces(&self, region: usize) -> Box<dyn Iterator<Item = Piece> + Send + '_> {
        match self {
            Self::Private(private) => Box::new(private.pieces(region)),
            Self::Shared(shared) => {
                let SharedMemory { size, space, .. } = shared.memory.as_ref();
                let spans = space.spans(VirtAddr(0), *size);
                Box::new(spans.filter_map(move |span| piece_of(region, span)))
            }
            Self::Artifact(artifact) => {
                let mut at = 0_u64;
                let contents = artifact.content().into_iter().flat_map(|content| content.pieces());
                Box::new(contents.filter_map(move |content| {
                    let start = at;
                    at = at.saturating_add(content.len());
                    match content {
                        Content::Bytes(bytes) => Some(Piece { region, start, bytes }),
                        _ => None,
                    }
                }))
            }
        }
    }
}

fn piece_of(region: usize, span: Span) -> Option<Piece> {
    match span {
        Span::Bytes { start, bytes, .. } => Some(Piece { region, start: start.0, bytes }),
        _ => None,
    }
}

impl<'a> Private<'a> {
    /// The memory of processes, once for those that share it, with those mappings for which `keep` holds.
    pub(crate) fn of(
        checkpoint: &'a Checkpoint,
        pids: &[Pid],
        keep: impl Fn(&Mapping, &Task) -> bool,
    ) -> Vec<Self> {
        let mut owners: HashMap<Pid, usize> = HashMap::new();
        let mut all: Vec<Self> = Vec::new();
        for pid in pids {
            let Some(task) = checkpoint.processes().get(*pid) else { continue };
            let owner = task.mm_owner.unwrap_or(*pid);
            if let Some(private) = owners.get(&owner).and_then(|at| all.get_mut(*at)) {
                private.tasks.push(task);
                continue;
            }
            let Some(space) = checkpoint.memory(*pid) else { continue };
            let meant = space.mappings().iter().enumerate();
            let mappings: Vec<usize> =
                meant.filter(|(_, mapping)| keep(mapping, task)).map(|(at, _)| at).collect();
            owners.insert(owner, all.len());
            all.push(Self { space, tasks: vec![task], mappings });
        }
        all
    }

    pub(crate) fn mappings(&self) -> impl Iterator<Item = &Mapping> + Send {
        self.mappings.iter().filter_map(|at| self.space.mappings().get(*at))
    }

    /// What is the task's own; shared memory has regions of its own.
    fn pieces(&self, region: usize) -> impl Iterator<Item = Piece> + Send + '_ {
        let own = self.mappings().filter(|mapping| match mapping.backing {
            Backing::Shared(_) => mapping.kind == MappingKind::MemfdPrivate,
            _ => true,
        });
        let spans = own.flat_map(|mapping| self.space.spans(mapping.start, mapping.len()));
        spans.filter_map(move |span| match span {
            Span::Bytes { origin: Origin::Shared, .. } => None,
            span => piece_of(region, span),
        })
    }

    /// What lies in a range, the task's own and shared memory alike.
    #[cfg(feature = "yara")]
    pub(crate) fn pieces_of(
        &self,
        start: VirtAddr,
        len: u64,
    ) -> impl Iterator<Item = Piece> + Send + '_ {
        self.space.spans(start, len).filter_map(|span| piece_of(0, span))
    }

    /// Adds the places of an address. Hits come by address, so that most lie in the mapping of the one `before`.
    fn places_near<'s>(
        &'s self,
        before: Option<Place<'s>>,
        address: VirtAddr,
        most: usize,
        places: &mut Vec<Place<'s>>,
    ) {
        match (before, self.tasks.as_slice()) {
            (Some(Place::Memory { task, mapping, .. }), [only])
                if std::ptr::eq(task, *only)
                    && mapping.start <= address
                    && address < mapping.end =>
            {
                places.push(Place::Memory { task, address, mapping });
            }
            _ => self.places(address, most, places),
        }
    }

    /// Adds the places of an address, `most` at most.
    pub(crate) fn places<'s>(
        &'s self,
        address: VirtAddr,
        most: usize,
        places: &mut Vec<Place<'s>>,
    ) {
        let Some(mapping) = self.space.mapping_at(address) else { return };
        let tasks = self.tasks.iter().take(most);
        places.extend(tasks.map(|task| Place::Memory { task, address, mapping }));
    }

    /// Whether a mapping is among those that are searched, as private memory.
    pub(crate) fn is_meant(&self, mapping: &Mapping) -> bool {
        let own = !matches!(mapping.backing, Backing::Shared(_))
            || mapping.kind == MappingKind::MemfdPrivate;
        let start = |at: &usize| self.space.mappings().get(*at).map(|mapping| mapping.start);
        own && self.mappings.binary_search_by_key(&Some(mapping.start), start).is_ok()
    }

    /// Whether a page of a private mapping of shared memory is still the shared one.
    fn is_shared(&self, address: VirtAddr) -> bool {
        let first = self.space.spans(address, 1).next();
        matches!(first, Some(Span::Bytes { origin: Origin::Shared, .. } | Span::Zero { .. }))
    }
}
