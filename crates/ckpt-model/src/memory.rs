//! Memory of tasks: pagemaps and pages of the image directory and of its parents, joined.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ckpt_memory::{
    AddressSpace, Defect as MemoryDefect, Link, Mapping, PageSizeSource, PagemapImage, PagesFile,
    aligned_page_size, derive_page_size,
};
use criu_image::messages::{MmEntry, VmaEntry};
use criu_image::{ByteOrder, ImageKind};

use crate::Pid;
use crate::auxv::auxv;
use crate::defect::{DefectKind, Defects};
use crate::images::Images;
use crate::registers::Arch;

/// Auxiliary vector key of the page size.
const AT_PAGESZ: u64 = 6;

/// What the address spaces of one dump are made of.
#[derive(Debug)]
pub(crate) struct Memory {
    /// The image directory, then its parents, nearest first.
    chain: Vec<Images>,
    page_size: u64,
    source: PageSizeSource,
    order: ByteOrder,
    /// Pages that only a parent holds which is not here, by task.
    orphaned: Mutex<HashMap<Pid, u64>>,
    /// The pagemap that told the page size, decoded already.
    first: Option<(u64, PagemapImage)>,
    /// The first task whose pagemap names a pages file.
    users: Mutex<HashMap<u32, Pid>>,
}

impl Memory {
    pub(crate) fn new(
        chain: Vec<Images>,
        arch: Option<Arch>,
        order: ByteOrder,
        defects: &Defects,
    ) -> Self {
        let ((page_size, source), first) = page_size(&chain, arch, defects);
        Self {
            chain,
            page_size,
            source,
            order,
            first,
            orphaned: Mutex::default(),
            users: Mutex::default(),
        }
    }

    /// Bytes of a page, and how that is known.
    pub(crate) fn page_size(&self) -> (u64, PageSizeSource) {
        (self.page_size, self.source)
    }

    /// Byte order of raw parts of the images.
    pub(crate) fn order(&self) -> ByteOrder {
        self.order
    }

    /// The address space of the task that owns a memory map, of mappings that somebody made of it; of the pagemap alone
    /// where they do not reach.
    pub(crate) fn space(
        &self,
        owner: Pid,
        mappings: Vec<Mapping>,
        defects: &Defects,
    ) -> AddressSpace {
        let id = Some(u64::from(owner.0));
        let mut links = Vec::new();
        for (depth, images) in self.chain.iter().enumerate() {
            let decoded = self.first.as_ref().filter(|(pid, _)| depth == 0 && Some(*pid) == id);
            let decoded = decoded.map(|(_, pagemap)| Cow::Borrowed(pagemap));
            let read = || pagemap(images, ImageKind::Pagemap, id, defects).map(Cow::Owned);
            let Some(pagemap) = decoded.or_else(read) else {
                // A parent that does not know the process ends its chain; without this dump's own there is nothing.
                break;
            };
            let pages = match images.content(ImageKind::Pages, Some(u64::from(pagemap.pages_id))) {
                Some(content) => PagesFile::Content(content),
                None => PagesFile::Missing,
            };
            if depth == 0 {
                self.note_user(owner, pagemap.pages_id, defects);
            }
            let in_parent = pagemap.parent_pages();
            let last = depth.saturating_add(1) == self.chain.len();
            if last && in_parent > 0 {
                let mut orphaned = self.orphaned.lock().unwrap_or_else(PoisonError::into_inner);
                orphaned.insert(owner, in_parent);
            }
            links.push(Link { pagemap: pagemap.layout(self.page_size), pages });
            if in_parent == 0 {
                break;
            }
        }
        AddressSpace::new(mappings, links, self.page_size).with_unlisted()
    }

    /// Shared memory number `shmid` as an address space of its own: from address 0, `size` bytes.
    pub(crate) fn shared(&self, shmid: u64, size: u64, defects: &Defects) -> AddressSpace {
        let mut links = Vec::new();
        for images in &self.chain {
            let Some(pagemap) = pagemap(images, ImageKind::PagemapShmem, Some(shmid), defects)
            else {
                break;
            };
            let pages = match images.content(ImageKind::Pages, Some(u64::from(pagemap.pages_id))) {
                Some(content) => PagesFile::Content(content),
                None => PagesFile::Missing,
            };
            let in_parent = pagemap.parent_pages();
            links.push(Link { pagemap: pagemap.layout(self.page_size), pages });
            if in_parent == 0 {
                break;
            }
        }
        // As private memory, what the pagemap leaves out was never written to; without a pagemap nothing is known.
        let whole = Mapping::new(VmaEntry { end: size, ..VmaEntry::default() });
        AddressSpace::new(vec![whole], links, self.page_size)
    }

    /// Two tasks never have a pages file in common in a sound dump.
    fn note_user(&self, owner: Pid, pages_id: u32, defects: &Defects) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *users.entry(pages_id).or_insert(owner);
        if first != owner
            && let Some(images) = self.chain.first()
        {
            let place = images.place(ImageKind::Pagemap, Some(u64::from(owner.0)));
            let what = format!("names pages-{pages_id}.img, which belongs to process {first}");
            defects.suspect(place, what);
        }
    }

    /// Tells a defect of a pagemap.
    pub(crate) fn tell(&self, place: &str, defect: &MemoryDefect, defects: &Defects) {
        let kind = match defect {
            MemoryDefect::PagesMissing { .. } | MemoryDefect::ParentMissing { .. } => {
                DefectKind::Missing
            }
            _ => DefectKind::Damaged,
        };
        defects.tell(kind, place, defect.to_string());
    }

    /// Tells what is missing because a parent is.
    pub(crate) fn tell_orphaned(&self, defects: &Defects) {
        let orphaned = self.orphaned.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = orphaned.values().fold(0u64, |sum, pages| sum.saturating_add(*pages));
        if pages > 0
            && let Some(last) = self.chain.last()
        {
            let place = last.path().inside("parent");
            let what = format!(
                "{} in {} process(es); give the parent with --parent",
                MemoryDefect::ParentMissing { pages },
                orphaned.len()
            );
            defects.missing(place, what);
        }
    }
}

/// Reads a pagemap image: its head, then its entries.
pub(crate) fn pagemap(
    images: &Images,
    kind: ImageKind,
    id: Option<u64>,
    defects: &Defects,
) -> Option<PagemapImage> {
    let (place, image) = images.open(kind, id, defects)?;
    match PagemapImage::read(&image) {
        Ok((mut pagemap, broken)) => {
            if let Some(error) = broken {
                defects.damaged(place, error.to_string());
            }
            // An archive can end between two records, and then nothing is wrong with those that are there.
            pagemap.broken |= images.is_cut(kind, id);
            Some(pagemap)
        }
        Err(error) => {
            defects.damaged(place, error.to_string());
            None
        }
    }
}

/// Bytes of a page, and how that is known.
type PageSize = (u64, PageSizeSource);

/// Looks at pagemaps until one tells the page size; of a dump with many processes the first does.
///
/// A pagemap of the first directory that told it and is whole comes back with it: reading it again would be for nothing.
fn page_size(
    chain: &[Images],
    arch: Option<Arch>,
    defects: &Defects,
) -> (PageSize, Option<(u64, PagemapImage)>) {
    let default = arch.map_or(4096, Arch::usual_page_size);
    let auxv = auxv_page_size(chain);
    for (depth, images) in chain.iter().enumerate() {
        for id in images.ids(ImageKind::Pagemap) {
            let quiet = Defects::default();
            let Some(pagemap) = pagemap(images, ImageKind::Pagemap, Some(id), &quiet) else {
                continue;
            };
            let Some(pages) = images.member(ImageKind::Pages, Some(u64::from(pagemap.pages_id)))
            else {
                continue;
            };
            let found = derive_page_size([(&pagemap, pages.size)], auxv, default);
            if found.1 == PageSizeSource::PagesFile {
                let whole = depth == 0 && quiet.list().is_empty();
                return (found, whole.then_some((id, pagemap)));
            }
        }
    }
    let found = derive_page_size([], auxv, default);
    if found.1 == PageSizeSource::Architecture
        && let Some(page) =
            aligned_page_size(addresses(chain), default, arch.is_some_and(Arch::has_fixed_pages))
    {
        return ((page, PageSizeSource::Alignment), None);
    }
    if found.1 == PageSizeSource::Architecture
        && chain.iter().any(|images| images.has_numbered(ImageKind::Pagemap))
    {
        defects.missing(
            "evidence",
            format!("nothing tells the page size; {default} bytes are assumed"),
        );
    }
    (found, None)
}

/// Most addresses that are looked at to tell the page size.
const MOST_ADDRESSES: usize = 4096;

/// Where mappings and runs of pages begin and end, as far as they are needed to tell the page size.
fn addresses(chain: &[Images]) -> impl Iterator<Item = u64> {
    let quiet = Defects::default();
    let all = chain.iter().flat_map(move |images| {
        let vmas = images.ids(ImageKind::Mm).into_iter().flat_map(|id| {
            let mm = images.one::<MmEntry>(ImageKind::Mm, Some(id), &Defects::default());
            mm.into_iter().flat_map(|mm| mm.vmas).flat_map(|vma| [vma.start, vma.end])
        });
        let mut runs = Vec::new();
        for id in images.ids(ImageKind::Pagemap) {
            let entries = pagemap(images, ImageKind::Pagemap, Some(id), &quiet);
            runs.extend(entries.iter().flat_map(|all| &all.entries).map(|one| one.entry.vaddr));
            if runs.len() >= MOST_ADDRESSES {
                break;
            }
        }
        vmas.chain(runs)
    });
    all.take(MOST_ADDRESSES)
}

/// What the kernel told the first task that has kept it.
fn auxv_page_size(chain: &[Images]) -> Option<u64> {
    let quiet = Defects::default();
    chain.iter().find_map(|images| {
        images.ids(ImageKind::Mm).into_iter().find_map(|id| {
            let mm: MmEntry = images.one(ImageKind::Mm, Some(id), &quiet)?;
            auxv(&mm).find_map(|(key, value)| (key == AT_PAGESZ).then_some(value))
        })
    })
}
