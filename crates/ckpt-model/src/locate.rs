//! Where in the evidence the images are, and which of them belong together.
//!
//! Names are not trusted: an image directory is a place that holds `inventory.img` or `pstree.img` (or, after a failed
//! dump, other images), at any depth. The container it belongs to is the nearest folder above that an engine described.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ckpt_archive::{Evidence, Member, MemberKind};
use criu_image::kind::Header;
use criu_image::{Classified, classify};

use crate::Text;

/// How much of a dump an image directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DumpKind {
    /// Neither inventory nor process tree, which CRIU writes last: the dump failed or was cut off.
    Incomplete,
    /// Memory only, made to be the parent of a later dump (`criu pre-dump`).
    PreDump,
    /// A whole dump.
    Full,
}

impl DumpKind {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::PreDump => "pre-dump",
            Self::Full => "full",
        }
    }
}

/// A folder of CRIU images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDirectory {
    /// Path in the evidence; empty for its top.
    pub path: Text,
    /// How much of a dump it holds.
    pub kind: DumpKind,
    /// Its parent, for an incremental dump.
    pub parent: Option<ParentLink>,
    /// Modification time of its youngest image, seconds since 1970.
    pub modified: i64,
}

/// The `parent` link of an incremental dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentLink {
    /// Target as written.
    pub target: Text,
    /// The image directory in this evidence that it leads to.
    pub found: Option<Text>,
}

/// A container in the evidence: a folder with what its engine wrote and the image directories below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPlace {
    /// Path in the evidence; empty for its top.
    pub path: Text,
    /// Its image directories, by path.
    pub directories: Vec<ImageDirectory>,
}

/// Members that an engine writes beside the image directory and nobody writes into it.
const MARKERS: [&[u8]; 6] =
    [b"config.dump", b"spec.dump", b"spec.any", b"config.v2.json", b"state.json", b"status.dump"];

/// Everything of the evidence that could be a container, by path.
pub(crate) fn containers(evidence: &Evidence) -> Vec<ContainerPlace> {
    let mut folders: BTreeMap<&[u8], Folder> = BTreeMap::new();
    let mut marked: BTreeSet<&[u8]> = BTreeSet::new();
    for member in evidence.members() {
        let (folder, name) = split(&member.path);
        if MARKERS.contains(&name) && member.kind != MemberKind::Directory {
            marked.insert(folder);
        }
        note(&mut folders, member, folder, name);
    }
    folders.retain(|_, folder| folder.is_image_directory());
    let known = Known::of(folders.keys().copied());
    let mut containers: BTreeMap<&[u8], Vec<ImageDirectory>> = BTreeMap::new();
    for (path, folder) in &folders {
        let root = ancestors(path).find(|ancestor| marked.contains(ancestor)).unwrap_or_default();
        containers.entry(root).or_default().push(folder.describe(path, &known));
    }
    // What an engine described and has no images is still a container, unless it is a part of one that has.
    let roots: HashSet<&[u8]> = containers.keys().flat_map(|root| ancestors(root)).collect();
    // A folder comes before those in it, so that those which this adds are above no later one.
    for path in marked {
        if !roots.contains(path) {
            containers.entry(path).or_default();
        }
    }
    containers
        .into_iter()
        .map(|(path, directories)| ContainerPlace { path: Text::from(path), directories })
        .collect()
}

/// The directory that is shown when nobody picks one: no other one's parent, the most complete, the youngest.
pub(crate) fn leaf(directories: &[ImageDirectory]) -> Option<&ImageDirectory> {
    let parents: BTreeSet<&Text> = directories
        .iter()
        .filter_map(|directory| directory.parent.as_ref()?.found.as_ref())
        .collect();
    let leaves = directories.iter().filter(|directory| !parents.contains(&directory.path));
    let rank = |directory: &&ImageDirectory| (directory.kind, directory.modified);
    // A ring of parents has no leaf.
    leaves.max_by_key(rank).or_else(|| directories.iter().max_by_key(rank))
}

#[derive(Debug, Default)]
struct Folder {
    inventory: bool,
    pstree: bool,
    /// Images that only a real dump has; a lone `stats-dump` or log makes no image directory.
    images: usize,
    pagemaps: usize,
    parent: Option<Vec<u8>>,
    modified: i64,
}

impl Folder {
    fn is_image_directory(&self) -> bool {
        self.inventory || self.pstree || self.images > 0
    }

    fn kind(&self) -> DumpKind {
        if self.pstree && self.inventory {
            DumpKind::Full
        } else if self.inventory && self.images == self.pagemaps.saturating_add(1) {
            DumpKind::PreDump
        } else {
            DumpKind::Incomplete
        }
    }

    fn describe(&self, path: &[u8], known: &Known<'_>) -> ImageDirectory {
        let parent = self.parent.as_ref().map(|target| ParentLink {
            target: Text::from(target.as_slice()),
            found: resolve(path, target, known).map(Text),
        });
        ImageDirectory {
            path: Text::from(path),
            kind: self.kind(),
            parent,
            modified: self.modified,
        }
    }
}

fn note<'a>(
    folders: &mut BTreeMap<&'a [u8], Folder>,
    member: &Member,
    folder: &'a [u8],
    name: &[u8],
) {
    if name == b"parent" {
        let target = match member.kind {
            MemberKind::Symlink => member.link_target.clone(),
            // A copy that followed the link.
            MemberKind::Directory => Some(b"parent".to_vec()),
            _ => None,
        };
        if target.is_some() {
            folders.entry(folder).or_default().parent = target;
        }
        return;
    }
    if member.kind == MemberKind::Directory {
        return;
    }
    let Classified::Image(image) = classify(name) else { return };
    if image.kind.info().header == Header::Service || !image.kind.info().analysed {
        return;
    }
    let folder = folders.entry(folder).or_default();
    folder.images = folder.images.saturating_add(1);
    match image.kind {
        criu_image::ImageKind::Inventory => folder.inventory = true,
        criu_image::ImageKind::Pstree => folder.pstree = true,
        criu_image::ImageKind::Pagemap | criu_image::ImageKind::Pages => {
            folder.pagemaps = folder.pagemaps.saturating_add(1);
        }
        _ => {}
    }
    folder.modified = folder.modified.max(member.mtime.secs);
}

/// Folder and name of a normalised path.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (
            path.get(..at).unwrap_or_default(),
            path.get(at.saturating_add(1)..).unwrap_or_default(),
        ),
        None => (&[], path),
    }
}

/// A folder and a name as one path.
pub(crate) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The path itself, then every folder above it, the top (empty) last.
pub(crate) fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = Some(path);
    std::iter::from_fn(move || {
        let here = next?;
        next = (!here.is_empty()).then(|| split(here).0);
        Some(here)
    })
}

/// The image directories of the evidence.
struct Known<'a> {
    paths: HashSet<&'a [u8]>,
    /// By the last name.
    by_name: HashMap<&'a [u8], Vec<&'a [u8]>>,
}

impl<'a> Known<'a> {
    fn of(all: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut known = Self { paths: HashSet::new(), by_name: HashMap::new() };
        for path in all {
            known.paths.insert(path);
            known.by_name.entry(split(path).1).or_default().push(path);
        }
        known
    }
}

/// Where a `parent` link leads: inside the evidence, or by its last name when it is absolute or leads out of it.
fn resolve(from: &[u8], target: &[u8], known: &Known<'_>) -> Option<Vec<u8>> {
    let mut path: Vec<&[u8]> =
        from.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    let mut outside = target.starts_with(b"/");
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => outside |= path.pop().is_none(),
            name => path.push(name),
        }
    }
    let path = path.join(&b'/');
    if !outside && path != from && known.paths.contains(path.as_slice()) {
        return Some(path);
    }
    let name = target
        .split(|byte| *byte == b'/')
        .rfind(|part| !part.is_empty() && *part != b"." && *part != b"..")?;
    let namesakes = known.by_name.get(name).into_iter().flatten();
    let mut namesakes = namesakes.filter(|path| **path != from);
    match (namesakes.next(), namesakes.next()) {
        (Some(only), None) if outside => Some(only.to_vec()),
        _ => None,
    }
}
