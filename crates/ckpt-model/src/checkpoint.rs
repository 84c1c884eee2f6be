//! A checkpoint: evidence, opened and joined.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use ckpt_archive::{Content, Evidence};
use ckpt_memory::PageSizeSource;
use criu_image::messages::{
    CgroupEntry, CoreEntry, DumpStatsEntry, InventoryEntry, PstreeEntry, StatsEntry,
};
use criu_image::{ByteOrder, ImageKind, names};

use crate::Text;
use crate::accounting::{self, Accounting};
use crate::attributes;
use crate::container::Container;
use crate::defect::{Defect, DefectKind, Defects};
use crate::dump_log::DumpLog;
use crate::engine;
use crate::fds::Descriptors;
use crate::files::FileTable;
use crate::images::Images;
use crate::locate::{ContainerPlace, DumpKind, ImageDirectory};
use crate::locks::FileLock;
use crate::memory::Memory;
use crate::metadata::Metadata;
use crate::mounts::Mount;
use crate::net::Network;
use crate::opening::{OpenError, OpenOptions};
use crate::pipes::Pipe;
use crate::processes::{Processes, Reader};
use crate::registers::Arch;
use crate::shared::SharedTable;
use crate::sockets::Socket;
use crate::stale::{self, StaleImage};

pub(crate) fn kind_of(defect: &ckpt_archive::Defect) -> DefectKind {
    use ckpt_archive::DefectKind as Archive;
    match defect.kind {
        Archive::MissingBlob { .. } | Archive::DanglingLink { .. } => DefectKind::Missing,
        Archive::UnsupportedType { .. } | Archive::Ignored { .. } => DefectKind::Unknown,
        Archive::TrailingBytes { .. }
        | Archive::CompressedTrailing { .. }
        | Archive::LoneZeroBlock
        | Archive::Duplicate { .. }
        | Archive::UnsafeName { .. } => DefectKind::Suspect,
        _ => DefectKind::Damaged,
    }
}

/// Newest version of the images that is known: V1.2, with compressed pages. Source: `criu/include/magic.h`.
const NEWEST_VERSION: u32 = 3;

/// Sizes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The evidence as it lies there.
    pub archive: u64,
    /// All images of the chosen directory, pages included.
    pub images: u64,
    /// Its pages files.
    pub pages: u64,
    /// `rootfs-diff.tar`; `None` when there is none.
    pub rootfs_diff: Option<u64>,
}

/// A checkpoint of a container.
///
/// Opening reads headers and directories only; images are decoded when something is asked of them, once.
#[derive(Debug)]
pub struct Checkpoint {
    evidence: Arc<Evidence>,
    place: ContainerPlace,
    directory: Option<ImageDirectory>,
    images: Option<Images>,
    parents: Vec<Images>,
    container: OnceLock<Container>,
    inventory: OnceLock<Option<InventoryEntry>>,
    log: OnceLock<Option<DumpLog>>,
    files: OnceLock<FileTable>,
    memory: OnceLock<Memory>,
    pub(crate) shared: OnceLock<SharedTable>,
    arch: OnceLock<Option<Arch>>,
    statistics: OnceLock<Option<DumpStatsEntry>>,
    processes: OnceLock<Processes>,
    pub(crate) descriptors: OnceLock<Descriptors>,
    pub(crate) sockets: OnceLock<Vec<Socket>>,
    pub(crate) pipes: OnceLock<Vec<Pipe>>,
    pub(crate) mounts: OnceLock<Vec<Mount>>,
    pub(crate) locks: OnceLock<Vec<FileLock>>,
    pub(crate) networks: OnceLock<Vec<Network>>,
    pub(crate) linked: OnceLock<HashMap<u32, Content>>,
    /// For archives inside of the evidence.
    pub(crate) archive_options: ckpt_archive::Options,
    stale: Vec<StaleImage>,
    defects: Defects,
}

impl Checkpoint {
    /// Opens the checkpoint at a path with the default options.
    ///
    /// # Errors
    ///
    /// When there is nothing usable; see [`OpenError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::default().open(path)
    }

    /// How to open it: `Checkpoint::options().container("web").open(path)`.
    pub fn options() -> OpenOptions {
        OpenOptions::default()
    }

    pub(crate) fn new(
        evidence: Arc<Evidence>,
        place: ContainerPlace,
        directory: Option<ImageDirectory>,
        mut chain: Vec<Images>,
        defects: Defects,
        archive_options: ckpt_archive::Options,
    ) -> Self {
        let parents = chain.split_off(chain.len().min(1));
        let images = chain.pop();
        let mut checkpoint = Self {
            evidence,
            place,
            directory,
            images,
            parents,
            container: OnceLock::new(),
            inventory: OnceLock::new(),
            log: OnceLock::new(),
            files: OnceLock::new(),
            memory: OnceLock::new(),
            shared: OnceLock::new(),
            arch: OnceLock::new(),
            statistics: OnceLock::new(),
            processes: OnceLock::new(),
            descriptors: OnceLock::new(),
            sockets: OnceLock::new(),
            pipes: OnceLock::new(),
            mounts: OnceLock::new(),
            locks: OnceLock::new(),
            networks: OnceLock::new(),
            linked: OnceLock::new(),
            archive_options,
            stale: Vec::new(),
            defects,
        };
        checkpoint.set_aside_stale();
        checkpoint.tell_what_is_wrong();
        checkpoint
    }

    /// Takes left-overs of an earlier dump out of the index, so that nothing later can meet them.
    fn set_aside_stale(&mut self) {
        let seconds = self.statistics().map_or(1, |stats| {
            let micros =
                u64::from(stats.freezing_time).saturating_add(u64::from(stats.frozen_time));
            i64::try_from(micros.div_ceil(1_000_000)).unwrap_or(i64::MAX)
        });
        let Some(images) = &mut self.images else { return };
        // Whatever is wrong with the tree is told when it is read for itself.
        let tree = images.many::<PstreeEntry>(ImageKind::Pstree, None, &Defects::default());
        let Some(tree) = tree else { return };
        self.stale = stale::find(images, &tree, seconds);
        for image in &self.stale {
            images.set_aside(image.kind, image.id);
        }
        if !self.stale.is_empty() {
            let what = format!(
                "{} image(s) are not of this dump but left from an earlier one, or out of place; they are listed and not used",
                self.stale.len()
            );
            self.defects.suspect(images.path().folder(), what);
        }
    }

    fn tell_what_is_wrong(&self) {
        let Some(directory) = &self.directory else {
            self.defects
                .missing("evidence", "no CRIU images; only what the engine wrote can be shown");
            return;
        };
        let place = directory.path.folder();
        match directory.kind {
            DumpKind::Full => {}
            DumpKind::PreDump => {
                let what = "a pre-dump: memory only, without process tree, names and files";
                self.defects.missing(place, what);
            }
            DumpKind::Incomplete => {
                let images = self.images.as_ref();
                let has = |kind| images.is_some_and(|images| images.has(kind, None));
                let missing: Vec<&str> =
                    [(ImageKind::Inventory, "inventory.img"), (ImageKind::Pstree, "pstree.img")]
                        .into_iter()
                        .filter(|(kind, _)| !has(*kind))
                        .map(|(_, name)| name)
                        .collect();
                let what = format!(
                    "an incomplete dump: {} missing, which CRIU writes last; the dump failed, was cut off, or lost files",
                    missing.join(" and ")
                );
                self.defects.missing(place, what);
            }
        }
        self.tell_unknown_forms(&directory.path.folder());
        if let Some(log) = self.dump_log().filter(|log| log.failed) {
            // The last error is always the same; the cause is among those before it.
            let causes = log.errors.iter().map(Text::escaped);
            let causes: Vec<_> =
                causes.filter(|line| !line.contains("Dumping FAILED")).take(5).collect();
            let what = format!("CRIU says that the dump failed: {}", causes.join("; "));
            self.defects.damaged(log.path.escaped(), what);
        }
        if let Some(log) = self.dump_log().filter(|log| !log.not_captured.is_empty()) {
            let what = format!(
                "{} process(es) of the container are not in the dump; the log names them",
                log.not_captured.len()
            );
            self.defects.missing(log.path.escaped(), what);
        }
        if let Some(link) = &directory.parent
            && link.found.is_none()
            && self.parents.is_empty()
        {
            let what =
                format!("the parent {} is not in the evidence; give it with --parent", link.target);
            self.defects.missing(directory.path.inside("parent"), what);
        }
    }

    /// Tells what makes all images another thing than this version reads: a later form of them, a coding of the pages
    /// that it does not know, encryption.
    fn tell_unknown_forms(&self, folder: &str) {
        let Some(images) = &self.images else { return };
        if images.has(ImageKind::Cipher, None) {
            let what = "the dump is encrypted (cipher.img), as proposed for CRIU: its images cannot be decoded";
            self.defects.tell(DefectKind::Unknown, folder, what);
        }
        let Some(inventory) = self.inventory() else { return };
        let place = || images.place(ImageKind::Inventory, None);
        if inventory.img_version > NEWEST_VERSION {
            let what = format!(
                "version {} of the images is not known, the newest one that is has number {NEWEST_VERSION}: they may mean something else",
                inventory.img_version
            );
            self.defects.tell(DefectKind::Unknown, place(), what);
        }
        if let Some(compress) = inventory.compress
            && names::COMPRESSIONS.get(compress.into()).is_none()
        {
            let what = format!("compression {compress} of the pages is not known");
            self.defects.tell(DefectKind::Unknown, place(), what);
        }
    }

    /// The evidence.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Where in the evidence the container and its image directories are.
    #[must_use]
    pub fn place(&self) -> &ContainerPlace {
        &self.place
    }

    /// The image directory that is shown.
    #[must_use]
    pub fn directory(&self) -> Option<&ImageDirectory> {
        self.directory.as_ref()
    }

    /// The images that are shown; `None` when there are none.
    #[must_use]
    pub fn images(&self) -> Option<&Images> {
        self.images.as_ref()
    }

    /// The parents of an incremental dump, nearest first.
    #[must_use]
    pub fn parents(&self) -> &[Images] {
        &self.parents
    }

    /// The container, as its engine describes it.
    pub fn container(&self) -> &Container {
        self.container.get_or_init(|| {
            let metadata = self.metadata();
            let mut container = engine::describe(&metadata, &self.defects);
            self.complete(&mut container);
            container
        })
    }

    pub(crate) fn metadata(&self) -> Metadata<'_> {
        Metadata::new(&self.evidence, self.place.path.as_bytes(), &self.defects)
    }

    /// Fills in what only the images tell.
    fn complete(&self, container: &mut Container) {
        if let Some(log) = self.dump_log() {
            container.host.criu = log.criu_version.clone().or(container.host.criu.take());
            let release = log.running_on.as_ref().and_then(accounting::kernel_release);
            container.host.kernel = container.host.kernel.take().or(release);
        }
        if let Some(images) = &self.images {
            accounting::complete(container, images, self.directory.as_ref(), &self.defects);
        }
    }

    /// `inventory.img`.
    pub fn inventory(&self) -> Option<&InventoryEntry> {
        let read = || {
            let images = self.images.as_ref()?;
            images
                .has(ImageKind::Inventory, None)
                .then(|| images.one(ImageKind::Inventory, None, &self.defects))?
        };
        self.inventory.get_or_init(read).as_ref()
    }

    /// The dump log, where the archive has one.
    pub fn dump_log(&self) -> Option<&DumpLog> {
        let read = || {
            let near =
                self.directory.as_ref().map_or(&self.place.path, |directory| &directory.path);
            let metadata = self.metadata();
            let found = ["dump.log", "criu.log", "criu-dump.log"]
                .iter()
                .find_map(|name| metadata.near(near.as_bytes(), name));
            let (place, log) = found?;
            Some(DumpLog::parse(Text::from(place.as_str()), &log))
        };
        self.log.get_or_init(read).as_ref()
    }

    /// What CRIU counted while it dumped (`stats-dump`).
    pub fn statistics(&self) -> Option<&DumpStatsEntry> {
        let read = || {
            let near =
                self.directory.as_ref().map_or(&self.place.path, |directory| &directory.path);
            let (place, bytes) = self.metadata().near(near.as_bytes(), "stats-dump")?;
            accounting::statistics(&place, bytes, &self.defects)
        };
        self.statistics.get_or_init(read).as_ref()
    }

    /// The architecture of the dumped processes; `None` when no core image tells.
    pub fn arch(&self) -> Option<Arch> {
        *self.arch.get_or_init(|| {
            let images = self.images.as_ref()?;
            let quiet = Defects::default();
            images.ids(ImageKind::Core).into_iter().find_map(|id| {
                let core: CoreEntry = images.one(ImageKind::Core, Some(id), &quiet)?;
                Some(Arch::from_raw(core.mtype))
            })
        })
    }

    /// Byte order of the images; little unless the inventory says otherwise.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        self.images.as_ref().and_then(Images::byte_order).unwrap_or(ByteOrder::Little)
    }

    /// The file table.
    pub fn files(&self) -> &FileTable {
        self.files.get_or_init(|| {
            self.images
                .as_ref()
                .map(|images| FileTable::read(images, &self.defects))
                .unwrap_or_default()
        })
    }

    pub(crate) fn chained_memory(&self) -> &Memory {
        self.memory.get_or_init(|| {
            let chain = self.images.iter().chain(&self.parents).cloned().collect();
            Memory::new(chain, self.arch(), self.byte_order(), &self.defects)
        })
    }

    /// Bytes of a page, and how that is known.
    pub fn page_size(&self) -> (u64, PageSizeSource) {
        self.chained_memory().page_size()
    }

    /// The processes.
    pub fn processes(&self) -> &Processes {
        self.processes.get_or_init(|| {
            let Some(images) = &self.images else { return Processes::default() };
            let cgroup = images.one::<CgroupEntry>(ImageKind::Cgroup, None, &self.defects);
            let cgroups = cgroup.map(|cgroup| {
                let place = images.place(ImageKind::Cgroup, None);
                attributes::cgroups(&cgroup, &place, &self.defects)
            });
            let reader = Reader {
                images,
                inventory: self.inventory(),
                files: self.files(),
                memory: self.chained_memory(),
                cgroups: cgroups.unwrap_or_default(),
                defects: &self.defects,
            };
            let processes = reader.read();
            self.chained_memory().tell_orphaned(&self.defects);
            processes
        })
    }

    /// Images in the directory that are not of this dump.
    #[must_use]
    pub fn stale(&self) -> &[StaleImage] {
        &self.stale
    }

    /// Every member and what was made of it.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        accounting::account(self)
    }

    /// Sizes.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let images = self.images.iter().flat_map(Images::all);
        let mut sizes = Sizes { archive: self.evidence.size(), ..Sizes::default() };
        for (kind, _, member) in images {
            sizes.images = sizes.images.saturating_add(member.size);
            if kind == ImageKind::Pages {
                sizes.pages = sizes.pages.saturating_add(member.size);
            }
        }
        sizes.rootfs_diff = self.metadata().member("rootfs-diff.tar").map(|member| member.size);
        sizes
    }

    pub(crate) fn told(&self) -> &Defects {
        &self.defects
    }

    pub(crate) fn tell(&self, kind: DefectKind, place: impl Into<String>, what: impl Into<String>) {
        self.defects.tell(kind, place, what);
    }

    /// Everything that was found wrong so far: what was not asked for has not been looked at.
    #[must_use]
    pub fn defects(&self) -> Vec<Defect> {
        self.defects.list()
    }
}

/// The dump half of `stats-dump`.
pub(crate) fn dump_half(stats: StatsEntry) -> Option<DumpStatsEntry> {
    stats.dump
}
