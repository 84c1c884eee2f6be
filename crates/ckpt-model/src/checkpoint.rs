//! A checkpoint: evidence, opened and joined.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ckpt_archive::{Content, Evidence, MemberKind};
use ckpt_memory::PageSizeSource;
use criu_image::messages::{
    CgroupEntry, CoreEntry, DumpStatsEntry, InventoryEntry, PstreeEntry, StatsEntry,
};
use criu_image::{ByteOrder, ImageKind, names};
use thiserror::Error;

use crate::Text;
use crate::accounting::{self, Accounting};
use crate::attributes;
use crate::container::Container;
use crate::defect::{Defect, DefectKind, Defects};
use crate::dump_log::DumpLog;
use crate::engine;
use crate::fds::Descriptors;
use crate::files::FileTable;
use crate::images::{Folders, Images};
use crate::locate::{self, ContainerPlace, DumpKind, ImageDirectory};
use crate::locks::FileLock;
use crate::memory::Memory;
use crate::metadata::Metadata;
use crate::mounts::Mount;
use crate::net::Network;
use crate::pipes::Pipe;
use crate::pod::PodOptions;
use crate::processes::{Processes, Reader};
use crate::registers::Arch;
use crate::select::{Need, Selector};
use crate::shared::SharedTable;
use crate::sockets::Socket;
use crate::stale::{self, StaleImage};

/// How to open a checkpoint.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct OpenOptions {
    archive: ckpt_archive::Options,
    parents: Vec<PathBuf>,
    images: Option<String>,
    container: Option<String>,
    need: Need,
}

impl OpenOptions {
    /// Options for opening the archive itself: spool directory, limits, progress. Archives of parents are not watched.
    pub fn archive(mut self, options: ckpt_archive::Options) -> Self {
        self.archive = options;
        self
    }

    /// Evidence that holds the parent of an incremental dump, nearest first.
    pub fn parent(mut self, path: impl Into<PathBuf>) -> Self {
        self.parents.push(path.into());
        self
    }

    /// Picks an image directory by its path in the evidence, or by the end of it.
    pub fn images(mut self, directory: impl Into<String>) -> Self {
        self.images = Some(directory.into());
        self
    }

    /// Picks a container by name, id or path.
    pub fn container(mut self, name: impl Into<String>) -> Self {
        self.container = Some(name.into());
        self
    }

    /// What will be asked: less need, less kept of a compressed archive.
    pub fn need(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// Opens the checkpoint at a path: an archive, a directory, an OCI image.
    ///
    /// # Errors
    ///
    /// When there is nothing usable; see [`OpenError`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Checkpoint, OpenError> {
        let evidence = Evidence::open(path.as_ref(), &self.archive_options())?;
        self.open_evidence(evidence)
    }

    /// Opens the checkpoint that arrives on a reader, such as standard input.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_reader<R: std::io::Read + Send + 'static>(
        &self,
        name: &str,
        reader: R,
    ) -> Result<Checkpoint, OpenError> {
        let evidence = Evidence::from_reader(name, reader, &self.archive_options())?;
        self.open_evidence(evidence)
    }

    /// Takes opened evidence.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_evidence(&self, evidence: Evidence) -> Result<Checkpoint, OpenError> {
        let mut evidence = Arc::new(evidence);
        let mut places = locate::containers(&evidence);
        let nested = places.is_empty();
        if nested {
            evidence = Arc::new(self.inner(&evidence)?);
            places = locate::containers(&evidence);
        }
        let place = match places.as_slice() {
            // It was picked already, by the name of its archive; its own may be another.
            [only] if nested => only.clone(),
            _ => self.pick(&evidence, &places)?,
        };
        let directory = self.pick_directory(&place)?;
        let defects = Defects::default();
        for defect in evidence.defects() {
            defects.tell(kind_of(defect), defect.place(), defect.to_string());
        }
        let chain = self.chain(&evidence, &place, directory.as_ref(), &defects)?;
        let archive = self.archive.clone().unwatched();
        Ok(Checkpoint::new(evidence, place, directory, chain, defects, archive))
    }

    fn archive_options(&self) -> ckpt_archive::Options {
        match self.need {
            Need::Everything => self.archive.clone(),
            need => self.archive.clone().select(Arc::new(Selector::new(need))),
        }
    }

    /// The one archive inside evidence that has no images itself: pod checkpoints, directories of archives.
    fn inner(&self, evidence: &Evidence) -> Result<Evidence, OpenError> {
        let archives: Vec<_> = evidence
            .members()
            .iter()
            .filter(|member| matches!(member.kind, MemberKind::File | MemberKind::HardLink))
            .filter(|member| {
                let content = evidence.content(member).ok();
                let start = content
                    .and_then(|content| content.slice(0..content.captured_len().min(1024)).ok());
                start.is_some_and(|start| ckpt_archive::begins_like_archive(&start))
            })
            .collect();
        let pod = PodOptions::of(evidence);
        let name = |path: &[u8]| match pod.name_of(path) {
            Some(name) => Text::from(name).escaped().into_owned(),
            None => Text::from(path).escaped().into_owned(),
        };
        let wanted: Vec<_> = match &self.container {
            None => archives.clone(),
            Some(container) => {
                let matching =
                    |path: &[u8]| names(path, container) || pod.name_of(path) == Some(container);
                archives.iter().copied().filter(|member| matching(&member.path)).collect()
            }
        };
        match wanted.as_slice() {
            [only] => {
                let inner = evidence.nested(only, &self.archive_options())?;
                if locate::containers(&inner).is_empty() {
                    return Err(OpenError::NoImages {
                        evidence: format!(
                            "{}: {}",
                            evidence.name(),
                            Text::from(only.path.as_slice()).escaped()
                        ),
                    });
                }
                Ok(inner)
            }
            [] if archives.is_empty() => {
                Err(OpenError::NoImages { evidence: evidence.name().to_owned() })
            }
            _ => Err(OpenError::SeveralContainers {
                evidence: evidence.name().to_owned(),
                names: archives.iter().map(|member| name(&member.path)).collect(),
                wanted: self.container.clone(),
            }),
        }
    }

    fn pick(
        &self,
        evidence: &Evidence,
        places: &[ContainerPlace],
    ) -> Result<ContainerPlace, OpenError> {
        let described = || {
            let quiet = Defects::default();
            places
                .iter()
                .map(move |place| {
                    (
                        place,
                        engine::describe(
                            &Metadata::new(evidence, place.path.as_bytes(), &quiet),
                            &quiet,
                        ),
                    )
                })
                .collect::<Vec<_>>()
        };
        if let ([only], None) = (places, &self.container) {
            return Ok(only.clone());
        }
        let described = described();
        let pod = PodOptions::of(evidence);
        let mut wanted = described.iter().filter(|(place, container)| match &self.container {
            None => true,
            Some(name) => {
                let named = [&container.name, &container.engine_name]
                    .into_iter()
                    .flatten()
                    .any(|known| known == name);
                let id = container
                    .id
                    .as_ref()
                    .is_some_and(|id| name.len() >= 4 && id.starts_with(name.as_str()));
                let path = place.path.as_bytes();
                let in_pod = pod.name_of(path) == Some(name.as_str());
                named || id || (places.len() > 1 && (names(path, name) || in_pod))
            }
        });
        match (wanted.next(), wanted.next()) {
            (Some((only, _)), None) => Ok((*only).clone()),
            _ => Err(OpenError::SeveralContainers {
                evidence: evidence.name().to_owned(),
                names: described
                    .iter()
                    .map(|(place, container)| {
                        let name = container.name.clone().unwrap_or_default();
                        let name = crate::text::escape(name.as_bytes()).into_owned();
                        let path = place.path.folder();
                        if name.is_empty() { path.into_owned() } else { name }
                    })
                    .collect(),
                wanted: self.container.clone(),
            }),
        }
    }

    fn pick_directory(&self, place: &ContainerPlace) -> Result<Option<ImageDirectory>, OpenError> {
        let Some(wanted) = &self.images else {
            return Ok(locate::leaf(&place.directories).cloned());
        };
        let wanted = wanted.trim_start_matches("./").trim_end_matches('/');
        let exact = place
            .directories
            .iter()
            .find(|directory| directory.path.as_bytes() == wanted.as_bytes());
        let mut ending =
            place.directories.iter().filter(|directory| names(directory.path.as_bytes(), wanted));
        let found = exact.or_else(|| match (ending.next(), ending.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        });
        found.cloned().map(Some).ok_or_else(|| OpenError::NoSuchDirectory {
            wanted: wanted.to_owned(),
            known: place
                .directories
                .iter()
                .map(|directory| directory.path.folder().into_owned())
                .collect(),
        })
    }

    /// The image directory and its parents, nearest first.
    fn chain(
        &self,
        evidence: &Arc<Evidence>,
        place: &ContainerPlace,
        directory: Option<&ImageDirectory>,
        defects: &Defects,
    ) -> Result<Vec<Images>, OpenError> {
        let mut chain = Vec::new();
        let Some(directory) = directory else { return Ok(chain) };
        climb(evidence, place, directory, &mut chain, defects);
        for parent in &self.parents {
            let path = parent.as_path();
            let evidence = Arc::new(Evidence::open(path, &self.archive.clone().unwatched())?);
            for defect in evidence.defects() {
                defects.tell(
                    kind_of(defect),
                    format!("{}: {}", evidence.name(), defect.place()),
                    defect.to_string(),
                );
            }
            let places = locate::containers(&evidence);
            let found =
                places.iter().find_map(|place| Some((place, locate::leaf(&place.directories)?)));
            let Some((place, directory)) = found else {
                return Err(OpenError::NoImages { evidence: evidence.name().to_owned() });
            };
            climb(&evidence, place, directory, &mut chain, defects);
        }
        Ok(chain)
    }
}

/// Follows `parent` links inside one evidence.
fn climb(
    evidence: &Arc<Evidence>,
    place: &ContainerPlace,
    from: &ImageDirectory,
    chain: &mut Vec<Images>,
    defects: &Defects,
) {
    chain.push(Images::new(Arc::clone(evidence), from.path.clone()));
    if from.parent.is_none() {
        return;
    }
    let by_path: HashMap<&Text, &ImageDirectory> =
        place.directories.iter().map(|directory| (&directory.path, directory)).collect();
    let folders = Folders::of(evidence);
    let mut visited = HashSet::from([&from.path]);
    let mut here = from;
    while let Some(found) = here.parent.as_ref().and_then(|link| link.found.as_ref())
        && let Some(next) = by_path.get(found)
    {
        if !visited.insert(&next.path) {
            let what = format!("the chain of parents comes back to {}", next.path);
            defects.suspect(here.path.inside("parent"), what);
            return;
        }
        chain.push(Images::of_folder(Arc::clone(evidence), next.path.clone(), &folders));
        here = next;
    }
}

/// Whether a path is, or ends in, what the user typed; an archive also without its endings.
fn names(path: &[u8], typed: &str) -> bool {
    let typed = typed.as_bytes();
    let last = locate::split(path).1;
    let stem = last.split(|byte| *byte == b'.').next().unwrap_or_default();
    let ends = path.strip_suffix(typed).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"));
    ends || last == typed || stem == typed
}

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

/// Why there is no checkpoint to show.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The evidence itself could not be opened.
    #[error(transparent)]
    Archive(#[from] ckpt_archive::Error),
    /// No CRIU image and no description of a container in it.
    #[error(
        "{evidence}: no checkpoint in it: neither CRIU images (inventory.img, pstree.img) nor an engine's config.dump"
    )]
    NoImages {
        /// What was opened.
        evidence: String,
    },
    /// More than one container, and none or no single one picked.
    #[error(
        "{evidence}: {} {}; pick one with --container",
        match wanted { None => "holds several checkpoints:".to_owned(), Some(w) => format!("no single checkpoint is called `{w}` among") },
        names.join(", ")
    )]
    SeveralContainers {
        /// What was opened.
        evidence: String,
        /// The containers in it, safe for a terminal.
        names: Vec<String>,
        /// The one asked for.
        wanted: Option<String>,
    },
    /// No image directory of that name.
    #[error("no image directory `{wanted}`; there are: {}", known.join(", "))]
    NoSuchDirectory {
        /// The one asked for.
        wanted: String,
        /// Those there are, safe for a terminal.
        known: Vec<String>,
    },
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

    fn new(
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
