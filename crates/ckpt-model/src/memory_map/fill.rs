//! Mapped files that are at hand: their bytes stand for the pages that a dump leaves in the file.
//!
//! | source | which files |
//! |---|---|
//! | `ghost-file-X.img` | deleted ones |
//! | `rootfs-diff.tar`, `tmpfs-dev-N.tar.gz.img`, `devshm-checkpoint.tar`, `volumes/NAME.tar` | those of the file system that the archive holds |
//! | layers of the container's image, given by the analyst | those of the root file system |
//! | a directory with the container's root file system, given by the analyst | the same |
//!
//! A file counts only when it is the mapped one as far as the images tell: its size and its build id are those that CRIU
//! noted (`reg_file_entry.size`, `.build_id`).
//!
//! # Limits
//!
//! A file that was changed without a change of its size or build id cannot be told from the mapped one. Links in a
//! directory of the analyst are not followed.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use ckpt_archive::{Content, Evidence, normalise};
use ckpt_memory::{ByteSource, FileBacking, Missing, Piece};
use criu_image::messages::RegFileEntry;
use thiserror::Error;

use super::elf::Identity;
use crate::artifacts::{Artifact, Artifacts, Origin};
use crate::changes::base;
use crate::files::{Remap, fd_type};
use crate::mounts::MountIndex;
use crate::recover::Recovered;
use crate::{BaseError, Checkpoint, DefectKind, Mount, Text};

/// Bits of `vma_entry.status` by which `shmid` names a file.
///
/// Source: `criu/include/image.h`.
const FILE: u32 = 1 << 6 | 1 << 7;

/// Where to look for mapped files.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct FillOptions {
    archive: ckpt_archive::Options,
    base: Option<PathBuf>,
    rootfs: Option<PathBuf>,
}

impl FillOptions {
    /// Options for opening the archives inside the checkpoint, and the base: spool directory, limits, progress.
    pub fn archive(mut self, options: ckpt_archive::Options) -> Self {
        self.archive = options;
        self
    }

    /// The container's image: an OCI layout (directory or tar) or the archive of `docker save`.
    pub fn base(mut self, path: impl Into<PathBuf>) -> Self {
        self.base = Some(path.into());
        self
    }

    /// A directory with the container's root file system.
    pub fn rootfs(mut self, path: impl Into<PathBuf>) -> Self {
        self.rootfs = Some(path.into());
        self
    }
}

/// Why the files that the analyst gave cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FillError {
    /// The image.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The directory.
    #[error("the root file system cannot be opened")]
    Rootfs(#[source] ckpt_archive::Error),
}

/// The mapped files that are at hand.
#[derive(Clone, Debug, Default)]
pub struct FileSources {
    /// By id in `files.img`.
    files: HashMap<u32, Result<Arc<FileBacking>, Missing>>,
}

impl FileSources {
    /// The file of that id in `files.img`.
    ///
    /// # Errors
    ///
    /// [`Missing::FileBacked`] when it is not at hand, [`Missing::FileDiffers`] when what is at hand is another file.
    pub fn file(&self, id: u32) -> Result<&Arc<FileBacking>, Missing> {
        match self.files.get(&id) {
            Some(Ok(file)) => Ok(file),
            Some(Err(why)) => Err(*why),
            None => Err(Missing::FileBacked),
        }
    }
}

impl Checkpoint {
    /// Looks for the files that processes map: in the evidence, and in what the analyst gives beside it.
    ///
    /// # Errors
    ///
    /// When what the analyst gave cannot be opened. Files that are found nowhere are no error.
    pub fn file_sources(&self, options: &FillOptions) -> Result<FileSources, FillError> {
        let ids = self.mapped_file_ids();
        let table = self.files();
        let wanted: BTreeMap<u32, &RegFileEntry> = ids
            .into_iter()
            .filter_map(|id| Some((id, table.get(fd_type::REG, id)?.reg.as_ref()?)))
            .collect();
        let links = wanted.keys().filter_map(|id| table.link(*id));
        let paths: BTreeSet<Vec<u8>> =
            links.chain(wanted.values().copied()).map(|reg| normalise(&reg.name).0).collect();
        let artifacts = self.artifacts(&options.archive);
        let mut finder = Finder {
            checkpoint: self,
            found: by_path(self, &artifacts, &paths),
            looked_at: RefCell::default(),
            places: Vec::new(),
            mounts: OnceCell::new(),
        };
        if let Some(base) = &options.base {
            let evidence = base::open(base, &options.archive, &paths)?;
            finder.places.push(Place::of_base(&evidence, &paths));
        }
        if let Some(rootfs) = &options.rootfs {
            let evidence = Evidence::open(rootfs, &options.archive).map_err(FillError::Rootfs)?;
            finder.places.push(Place::of_directory(&evidence, &paths));
        }
        let files = wanted.into_iter().map(|(id, reg)| (id, finder.find(id, reg))).collect();
        Ok(FileSources { files })
    }

    /// Ids in `files.img` of the files that processes map.
    fn mapped_file_ids(&self) -> BTreeSet<u32> {
        let tasks = self.processes().tasks.iter();
        let vmas = tasks.filter_map(|task| task.mm.as_deref()).flat_map(|mm| &mm.vmas);
        vmas.filter(|vma| vma.status & FILE != 0)
            .filter_map(|vma| u32::try_from(vma.shmid).ok())
            .collect()
    }
}

/// Files by normalised path, of something that the analyst gave.
struct Place {
    label: Arc<str>,
    files: HashMap<Vec<u8>, Content>,
}

impl Place {
    fn of_base(evidence: &Evidence, paths: &BTreeSet<Vec<u8>>) -> Self {
        let tree = base::Tree::of(evidence);
        let files = paths.iter().filter_map(|path| {
            let content = evidence.content(tree.get(path)?).ok()?;
            Some((path.clone(), content))
        });
        let label = format!("base:{}", Text::from(evidence.name()).escaped());
        Self { label: label.into(), files: files.collect() }
    }

    fn of_directory(evidence: &Evidence, paths: &BTreeSet<Vec<u8>>) -> Self {
        let files = paths.iter().filter_map(|path| {
            let content = evidence.content(evidence.get(path)?).ok()?;
            Some((path.clone(), content))
        });
        let label = format!("rootfs:{}", Text::from(evidence.name()).escaped());
        Self { label: label.into(), files: files.collect() }
    }
}

/// A file that could be the mapped one.
struct Candidate {
    /// Whose bytes.
    source: Arc<str>,
    /// The bytes.
    content: Arc<dyn ByteSource>,
    /// Of an ELF object that has one; read when it is first asked for.
    build_id: OnceCell<Option<Vec<u8>>>,
}

impl Candidate {
    fn new(source: Arc<str>, content: Arc<dyn ByteSource>) -> Rc<Self> {
        Rc::new(Self { source, content, build_id: OnceCell::new() })
    }

    fn of(artifact: &Artifact) -> Option<Rc<Self>> {
        Some(Self::new(Arc::clone(&artifact.source), artifact.content()?.source()?))
    }

    /// Whether it has the size and the build id that CRIU noted of the mapped file.
    fn is(&self, reg: &RegFileEntry) -> bool {
        if reg.size.is_some_and(|size| size != self.content.size()) {
            return false;
        }
        let noted: Vec<u8> = reg.build_id.iter().flat_map(|word| word.to_le_bytes()).collect();
        let read = || Identity::of(self.content.as_ref()).and_then(|identity| identity.build_id);
        // CRIU pads the id to whole words.
        noted.is_empty()
            || self.build_id.get_or_init(read).as_ref().is_some_and(|id| noted.starts_with(id))
    }
}

/// Most files of one path that are held against those that were mapped from it, the last ones: an archive can name a path any
/// number of times, and any number of open files have it.
const MOST_OF_A_PATH: usize = 16;

/// Files of the archives in the evidence by normalised path and whether the root file system has them, the last of each path
/// first.
type ByPath<'a> = HashMap<(Vec<u8>, bool), Vec<&'a Artifact>>;

fn by_path<'a>(
    checkpoint: &Checkpoint,
    artifacts: &'a Artifacts,
    paths: &BTreeSet<Vec<u8>>,
) -> ByPath<'a> {
    let mut found = ByPath::new();
    let mut left_out: BTreeMap<(Vec<u8>, &str), usize> = BTreeMap::new();
    for artifact in artifacts.list.iter().rev().filter(|one| is_file_system(one.origin)) {
        let Some(path) = &artifact.path else { continue };
        let (path, _) = normalise(path.as_bytes());
        if !paths.contains(&path) {
            continue;
        }
        let on_root = artifact.origin == Origin::RootfsDiff;
        let all = found.entry((path.clone(), on_root)).or_default();
        if all.len() < MOST_OF_A_PATH {
            all.push(artifact);
        } else {
            let count = left_out.entry((path, &*artifact.source)).or_default();
            *count = count.saturating_add(1);
        }
    }
    for ((path, source), count) in left_out {
        let what = format!(
            "{} is there more than {MOST_OF_A_PATH} times; {count} of them are not held against the mapped file",
            Text::from(path).escaped()
        );
        checkpoint.tell(DefectKind::Suspect, source, what);
    }
    found
}

struct Finder<'a> {
    checkpoint: &'a Checkpoint,
    found: ByPath<'a>,
    /// Artifacts that were candidates before.
    looked_at: RefCell<HashMap<&'a str, Option<Rc<Candidate>>>>,
    places: Vec<Place>,
    mounts: OnceCell<MountIndex<'a>>,
}

impl Finder<'_> {
    fn find(&self, id: u32, reg: &RegFileEntry) -> Result<Arc<FileBacking>, Missing> {
        let mut differs = false;
        for candidate in self.candidates(id, reg) {
            let source = Arc::clone(&candidate.source);
            if candidate.is(reg) {
                let path = reg.name.as_slice().into();
                let content = Arc::clone(&candidate.content);
                return Ok(Arc::new(FileBacking { path, source, content }));
            }
            differs = true;
            let what = format!(
                "{} in {source} is not the file that was mapped: its size or build id is another",
                Text::from(reg.name.as_slice()).escaped()
            );
            self.checkpoint.tell(DefectKind::Suspect, &*source, what);
        }
        Err(if differs { Missing::FileDiffers } else { Missing::FileBacked })
    }

    /// Files that could be the mapped one, the likeliest first.
    fn candidates(&self, id: u32, reg: &RegFileEntry) -> Vec<Rc<Candidate>> {
        let table = self.checkpoint.files();
        if let Some(Remap::Ghost(number)) = table.remap(id) {
            let ghost = self.checkpoint.ghost(id).and_then(|ghost| ghost.content);
            let label: Arc<str> = format!("ghost-file-{number:x}.img").into();
            let ghost = ghost.map(|content| Candidate::new(label, Arc::new(content)));
            return ghost.into_iter().collect();
        }
        let reg = match table.remap(id) {
            Some(Remap::Linked(_)) => table.link(id),
            Some(_) => None,
            None => Some(reg),
        };
        let Some(reg) = reg else { return Vec::new() };
        let mounts = self.mounts.get_or_init(|| MountIndex::of(self.checkpoint.mounts()));
        let on_root = mounts.mount_of(reg).is_none_or(Mount::is_root);
        let (path, _) = normalise(&reg.name);
        let key = (path, on_root);
        let artifacts = self.found.get(&key).into_iter().flatten();
        let mut looked_at = self.looked_at.borrow_mut();
        let mut found: Vec<Rc<Candidate>> = artifacts
            .filter_map(|artifact| {
                let candidate = || Candidate::of(artifact);
                looked_at.entry(&artifact.id).or_insert_with(candidate).clone()
            })
            .collect();
        if on_root {
            let given = self.places.iter().filter_map(|place| {
                let content = place.files.get(&key.0)?.clone();
                Some(Candidate::new(Arc::clone(&place.label), Arc::new(content)))
            });
            found.extend(given);
        }
        found
    }
}

fn is_file_system(origin: Origin) -> bool {
    matches!(origin, Origin::RootfsDiff | Origin::Tmpfs | Origin::DevShm | Origin::Volume)
}

impl ByteSource for Recovered {
    fn size(&self) -> u64 {
        Recovered::size(self)
    }

    fn piece(&self, offset: u64, len: u64) -> Piece {
        self.piece_at(offset, len)
    }
}
