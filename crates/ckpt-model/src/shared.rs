//! Shared memory by its number: memfds, shared anonymous memory, System V segments.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ckpt_archive::Content;
use ckpt_memory::{
    AddressSpace, Link, Mapping, Pagemap, PagesFile, Run, RunKind, SharedMemory, VirtAddr,
};
use criu_image::messages::{IpcShmEntry, MemfdInodeEntry, VmaEntry};
use criu_image::{Extra, ImageKind};

use crate::Checkpoint;
use crate::images::decode;

/// What CRIU calls shared anonymous memory, which is a memfd to it.
pub(crate) const ANONYMOUS: &[u8] = b"/dev/zero";

/// The same of huge pages, private memory included: the name that the kernel gives it (`mm/mmap.c`).
pub(crate) const ANONYMOUS_HUGE: &[u8] = b"/anon_hugepage";

/// Whether a memfd of the images is shared anonymous memory, and no memfd for the process.
pub(crate) fn is_anonymous(inode: &MemfdInodeEntry) -> bool {
    inode.name == ANONYMOUS || inode.hugetlb_flag.is_some() && inode.name == ANONYMOUS_HUGE
}

/// Bits of `vma_entry.status`: shared anonymous memory in the form of older kernels, and a System V segment.
///
/// Source: `criu/include/image.h`.
mod status {
    pub(super) const ANON_SHARED: u32 = 1 << 8;
    pub(super) const SYSVIPC: u32 = 1 << 10;
}

/// A System V segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// The image that lists it.
    pub(crate) place: String,
    pub(crate) entry: IpcShmEntry,
    /// Its bytes, where the dump is so old that they follow the entry.
    pub(crate) inline: Option<Bytes>,
}

/// What is known of shared memory apart from memfds.
#[derive(Debug, Default)]
pub(crate) struct SharedTable {
    /// In the order of the images.
    segments: Vec<Segment>,
    by_id: HashMap<u64, usize>,
    /// Bytes of shared anonymous memory as far as somebody maps it, by number.
    anonymous: HashMap<u64, u64>,
    /// Address spaces that were made already, by number and size.
    spaces: Mutex<HashMap<(u64, u64), Arc<SharedMemory>>>,
}

impl SharedTable {
    pub(crate) fn read(checkpoint: &Checkpoint) -> Self {
        let mut table = Self::default();
        let Some(images) = checkpoint.images() else { return table };
        for namespace in images.ids(ImageKind::IpcShm) {
            let records = images.records(ImageKind::IpcShm, Some(namespace), checkpoint.told());
            for (place, record) in records.into_iter().flatten() {
                let entry = decode::<IpcShmEntry>(&place, &record, checkpoint.told());
                let inline = match record.extra {
                    Extra::SharedMemory(bytes) => Some(bytes),
                    _ => None,
                };
                if let Some(entry) = entry {
                    let number = table.segments.len();
                    table.by_id.entry(entry.desc.id.into()).or_insert(number);
                    table.segments.push(Segment { place: place.to_string(), entry, inline });
                }
            }
        }
        let tasks = checkpoint.processes().tasks.iter();
        for vma in tasks.filter_map(|task| task.mm.as_deref()).flat_map(|mm| &mm.vmas) {
            if vma.status & status::ANON_SHARED != 0 && vma.status & status::SYSVIPC == 0 {
                let end = vma.pgoff.saturating_add(vma.end.saturating_sub(vma.start));
                let size = table.anonymous.entry(vma.shmid).or_default();
                *size = end.max(*size);
            }
        }
        table
    }

    /// The System V segments, attached or not.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The System V segment of that id.
    pub(crate) fn segment(&self, id: u64) -> Option<&Segment> {
        self.segments.get(*self.by_id.get(&id)?)
    }

    /// Bytes of shared anonymous memory of that number that are mapped somewhere.
    pub(crate) fn anonymous_size(&self, id: u64) -> u64 {
        self.anonymous.get(&id).copied().unwrap_or_default()
    }

    /// The one made before, or a new one.
    fn space(&self, id: u64, size: u64, make: impl FnOnce() -> AddressSpace) -> Arc<SharedMemory> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let made = spaces
            .entry((id, size))
            .or_insert_with(|| Arc::new(SharedMemory { id, size, space: make() }));
        Arc::clone(made)
    }
}

impl Checkpoint {
    pub(crate) fn shared_table(&self) -> &SharedTable {
        self.shared.get_or_init(|| SharedTable::read(self))
    }

    /// Shared memory by its number (N of `pagemap-shmem-N.img`, `shmid` of memfds and mappings) and size in bytes. Without
    /// an image everything in it is missing.
    pub(crate) fn shared_by_id(&self, id: u64, size: u64) -> Arc<SharedMemory> {
        let make = || self.chained_memory().shared(id, size, self.told());
        self.shared_table().space(id, size, make)
    }

    /// The memory of a System V segment.
    pub(crate) fn shared_segment(&self, segment: &Segment) -> Arc<SharedMemory> {
        let (id, size) = (u64::from(segment.entry.desc.id), segment.entry.size);
        match &segment.inline {
            None => self.shared_by_id(id, size),
            Some(bytes) => {
                let page_size = self.page_size().0;
                self.shared_table().space(id, size, || inline(bytes, size, page_size))
            }
        }
    }
}

/// Bytes that lie in one piece as an address space from 0 on.
fn inline(bytes: &Bytes, size: u64, page_size: u64) -> AddressSpace {
    let stored_bytes = bytes.len() as u64;
    let run = Run {
        start: VirtAddr(0),
        end: VirtAddr(stored_bytes),
        kind: RunKind::Stored { offset: 0 },
    };
    let pagemap = Pagemap { runs: vec![run], stored_bytes, ..Pagemap::default() };
    let link = Link { pagemap, pages: PagesFile::Content(Content::from(bytes.clone())) };
    let whole = Mapping::new(VmaEntry { end: size, ..VmaEntry::default() });
    AddressSpace::new(vec![whole], vec![link], page_size)
}
