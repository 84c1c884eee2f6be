//! What the archives of a checkpoint say, path by path, and how it differs from a base.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use ckpt_archive::{Chunk, Content, Evidence, Member, MemberKind, Sha256Digest, sha256};

use super::base::Tree;
use super::change::{Change, ChangeKind, ChangeSource};
use super::state::{FileState, FileType};
use super::volumes::Volume;
use crate::Text;
use crate::defect::{DefectKind, Defects};
use crate::locate::{join, split};

/// Most bytes of holes that are hashed for one checkpoint, 16 GiB: a header can claim exabytes of them.
pub const MAX_HOLES: u64 = 16 << 30;

/// Most paths of `deleted.files` that are listed.
pub const MAX_DELETED: usize = 1_000_000;

/// Begins the name of a member that deletes its namesake. Source: OCI image-spec `layer.md`, "Whiteouts".
pub(super) const WHITEOUT: &[u8] = b".wh.";

/// Says that nothing below its directory is left.
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Begins the names of aufs' own files.
const AUFS: &[u8] = b".wh..wh.";

/// What a member of a layer with such a name does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whiteout {
    /// Deletes this path.
    Of(Vec<u8>),
    /// Empties this directory.
    Opaque(Vec<u8>),
    /// Nothing that is known.
    Unknown,
}

impl Whiteout {
    /// `None` when the member is what it seems to be.
    pub(super) fn parse(member: &Member) -> Option<Self> {
        let (folder, name) = split(&member.path);
        let rest = name.strip_prefix(WHITEOUT)?;
        Some(if name == OPAQUE {
            Self::Opaque(folder.to_vec())
        } else if name.starts_with(AUFS) || matches!(rest, b"" | b"." | b"..") {
            Self::Unknown
        } else {
            Self::Of(join(folder, rest))
        })
    }
}

/// Changes by normalised path, while they are gathered.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    changes: BTreeMap<Vec<u8>, Change>,
    volumes: Vec<Change>,
    hashes: Hashes,
    not_in_base: u64,
}

impl Gathered {
    /// Nothing yet; `unhashed` leaves the contents of files unread.
    pub(super) fn new(unhashed: bool) -> Self {
        Self { hashes: Hashes { unhashed, ..Hashes::default() }, ..Self::default() }
    }

    /// Takes in `rootfs-diff.tar`. Of members with one name the last one counts, as for an extracting tar.
    pub(super) fn diff(&mut self, diff: &Archive<'_>, whiteouts: bool, defects: &Defects) {
        self.hashes.forget();
        let mut deleted = BTreeMap::new();
        let mut opaque = BTreeSet::new();
        for member in diff.evidence.members() {
            match Whiteout::parse(member).filter(|_| whiteouts) {
                None => {
                    let state = self.hashes.state(diff, member, defects);
                    let mut change = written(&member.path, state, ChangeSource::RootfsDiff);
                    change.risk = member.unsafe_name;
                    self.changes.insert(member.path.clone(), change);
                }
                Some(Whiteout::Of(path)) => {
                    deleted.insert(path, member.unsafe_name);
                }
                Some(Whiteout::Opaque(path)) => {
                    opaque.insert(path);
                }
                Some(Whiteout::Unknown) => {
                    let what = "a whiteout that deletes nothing that has a name; ignored";
                    defects.suspect(diff.place(member), what);
                }
            }
        }
        for (path, risk) in deleted {
            self.delete(path, ChangeSource::RootfsDiff).risk = risk;
        }
        for path in opaque {
            let marker = || Change { state: None, ..deletion(&path, ChangeSource::RootfsDiff) };
            let change = self.changes.entry(path.clone()).or_insert_with(marker);
            if change.state.is_none() {
                change.kind = ChangeKind::Written;
            }
            change.opaque = true;
        }
    }

    /// Takes in a path that is gone. When it is also in the diff, it was there before and was made anew.
    pub(super) fn delete(&mut self, path: Vec<u8>, source: ChangeSource) -> &mut Change {
        let new = deletion(&path, source);
        self.changes
            .entry(path)
            .and_modify(|change| {
                if change.kind == ChangeKind::Written {
                    change.kind = ChangeKind::Modified;
                }
            })
            .or_insert(new)
    }

    /// Takes in what a volume holds.
    pub(super) fn volume(&mut self, content: &Archive<'_>, volume: &Volume<'_>, defects: &Defects) {
        self.hashes.forget();
        for member in content.evidence.members() {
            let state = self.hashes.state(content, member, defects);
            let source = ChangeSource::Volume(volume.name.clone());
            let mut change = written(b"", state, source);
            change.path = volume.path(&member.path);
            change.risk = member.unsafe_name;
            self.volumes.push(change);
        }
    }

    /// Paths of regular files, whose content a base must be asked for.
    pub(super) fn wanted(&self) -> BTreeSet<Vec<u8>> {
        let is_file = |change: &Change| {
            change.state.as_ref().is_some_and(|state| state.kind == FileType::File)
        };
        let files = self.changes.iter().filter(|(_, change)| is_file(change));
        files.map(|(path, _)| path.clone()).collect()
    }

    /// Holds everything against the base. Gives how many entries are as the base has them; those are dropped.
    pub(super) fn compare(&mut self, base: &Tree<'_>, defects: &Defects) -> u64 {
        self.hashes.forget();
        let mut unchanged = 0_u64;
        let mut swept = Vec::new();
        for (path, change) in &mut self.changes {
            let member = base.get(path);
            let Some(now) = &change.state else {
                change.before = member.map(|member| base.state(member));
                if change.opaque {
                    swept.push((path.clone(), true));
                } else if member.is_none() {
                    self.not_in_base = self.not_in_base.saturating_add(1);
                }
                continue;
            };
            let Some(member) = member else {
                change.kind = ChangeKind::Added;
                continue;
            };
            let before = if now.kind == FileType::File {
                self.hashes.state(&base.archive, member, defects)
            } else {
                base.state(member)
            };
            let was_directory = before.kind == FileType::Directory;
            if was_directory && (change.opaque || now.kind != FileType::Directory) {
                swept.push((path.clone(), now.kind == FileType::Directory));
            }
            change.what = now.aspects_since(&before);
            change.kind = ChangeKind::Modified;
            change.before = Some(before);
        }
        for (path, is_directory) in swept {
            self.sweep(&path, is_directory, base);
        }
        self.changes.retain(|_, change| {
            let same = change.kind == ChangeKind::Modified
                && change.before.is_some()
                && change.what.is_empty()
                && !change.opaque;
            unchanged = unchanged.saturating_add(u64::from(same));
            !same
        });
        unchanged
    }

    /// Lists what the base has below a directory that was emptied, of deleted directories the topmost alone.
    fn sweep(&mut self, path: &[u8], is_directory: bool, base: &Tree<'_>) {
        let mut last: Option<Vec<u8>> = None;
        let mut gone = Vec::new();
        for (below, member) in base.under(path) {
            let inside = |top: &Vec<u8>| below.strip_prefix(top.as_slice()).is_some_and(is_below);
            if last.as_ref().is_some_and(inside) || (is_directory && self.holds(below)) {
                continue;
            }
            let mut change = deletion(below, ChangeSource::Base);
            change.before = Some(base.state(member));
            gone.push((below.to_vec(), change));
            last = Some(below.to_vec());
        }
        for (path, change) in gone {
            self.changes.entry(path).or_insert(change);
        }
    }

    /// Whether the diff has the path, or anything below it.
    fn holds(&self, path: &[u8]) -> bool {
        let written = |change: &Change| change.kind != ChangeKind::Deleted;
        let from = (Bound::Included(path), Bound::Unbounded);
        let here = self.changes.range::<[u8], _>(from).next();
        if here.is_some_and(|(found, change)| found == path && written(change)) {
            return true;
        }
        let folder = [path, b"/"].concat();
        let from = (Bound::Included(folder.as_slice()), Bound::Unbounded);
        let mut below = self.changes.range::<[u8], _>(from);
        below.next().is_some_and(|(found, change)| found.starts_with(&folder) && written(change))
    }

    /// Deleted paths that the base does not have.
    pub(super) fn not_in_base(&self) -> u64 {
        self.not_in_base
    }

    /// Everything, by path.
    pub(super) fn finish(self) -> Vec<Change> {
        let mut list: Vec<Change> = self.changes.into_values().chain(self.volumes).collect();
        list.sort_by(|a, b| (&a.path, &a.source).cmp(&(&b.path, &b.source)));
        list
    }
}

fn is_below(rest: &[u8]) -> bool {
    rest.first() == Some(&b'/')
}

/// A normalised path as the container writes it.
pub(super) fn absolute(path: &[u8]) -> Text {
    Text([b"/", path].concat())
}

fn written(path: &[u8], state: FileState, source: ChangeSource) -> Change {
    Change { kind: ChangeKind::Written, state: Some(state), ..deletion(path, source) }
}

fn deletion(path: &[u8], source: ChangeSource) -> Change {
    Change {
        path: absolute(path),
        kind: ChangeKind::Deleted,
        state: None,
        before: None,
        what: Vec::new(),
        opaque: false,
        noise: None,
        deleted_paths: Vec::new(),
        source,
        risk: None,
    }
}

/// An archive, and what it is called in defects.
#[derive(Clone, Debug)]
pub(super) struct Archive<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) label: String,
}

impl Archive<'_> {
    fn place(&self, member: &Member) -> String {
        format!("{}: {}", self.label, Text::from(member.path.as_slice()).escaped())
    }
}

/// Hashes that were made, and the holes that went into them.
#[derive(Debug, Default)]
struct Hashes {
    /// By where the content lies and how long it is: hard links are hashed once, however many there are.
    known: HashMap<(usize, u64), Option<Sha256Digest>>,
    holes: u64,
    /// Nobody asked for them.
    unhashed: bool,
}

impl Hashes {
    /// Before another archive: where the content of the one before lay, that of this one may lie by now.
    fn forget(&mut self) {
        self.known.clear();
    }

    /// What a member is, its content hashed.
    fn state(&mut self, archive: &Archive<'_>, member: &Member, defects: &Defects) -> FileState {
        let content = match member.kind {
            MemberKind::File | MemberKind::HardLink => match archive.evidence.content(member) {
                Ok(content) => Some(content),
                Err(error) => {
                    // The evidence told of links that lead nowhere when it was opened.
                    if member.is_file() {
                        defects.damaged(archive.place(member), error.to_string());
                    }
                    None
                }
            },
            _ => None,
        };
        let size = content.as_ref().map_or(member.size, Content::len);
        let mut state = FileState::of(member, size);
        state.look_at(content.as_ref());
        if let Some(content) = content.filter(|_| !self.unhashed) {
            state.sha256 = self.hash(&content, || archive.place(member), defects);
        }
        state
    }

    fn hash(
        &mut self,
        content: &Content,
        place: impl FnOnce() -> String,
        defects: &Defects,
    ) -> Option<Sha256Digest> {
        let first = content.chunks(0..content.len()).find_map(|chunk| match chunk {
            Chunk::Data(bytes) => Some(bytes.as_ptr().addr()),
            _ => None,
        });
        let key = first.map(|address| (address, content.len()));
        if let Some(known) = key.and_then(|key| self.known.get(&key)) {
            return *known;
        }
        let holes = content.chunks(0..content.len()).map(|chunk| match chunk {
            Chunk::Hole(len) => len,
            _ => 0,
        });
        let holes = self.holes.saturating_add(holes.fold(0, u64::saturating_add));
        let digest = if holes > MAX_HOLES {
            let what = format!(
                "not hashed: with it, files of the checkpoint would claim {holes} bytes of holes, more than {MAX_HOLES}"
            );
            defects.tell(DefectKind::Suspect, place(), what);
            None
        } else {
            self.holes = holes;
            match sha256(content) {
                Ok(digest) => Some(digest),
                Err(error) => {
                    defects.damaged(place(), format!("not hashed: {error}"));
                    None
                }
            }
        };
        if let Some(key) = key {
            self.known.insert(key, digest);
        }
        digest
    }
}
