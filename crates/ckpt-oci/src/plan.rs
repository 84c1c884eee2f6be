//! Which members of a checkpoint a layer gets, and which it cannot have.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use ckpt_archive::{Chunk, Evidence, Member, MemberKind, NameRisk, resolve_link};
use ckpt_model::{Checkpoint, Defect, DefectKind, escape};

use crate::header::{self, BLOCK, EntryKind, Header, MAX_EXTENDED, padding};

/// Longest path that Linux takes, without the NUL at its end (`PATH_MAX`, `include/uapi/linux/limits.h`).
const MAX_PATH: usize = 4095;

/// Most bytes of holes that are written for one checkpoint, 64 GiB: a header can claim exabytes of them.
const MAX_HOLES: u64 = 64 << 30;

/// Most members whose fate is told one by one.
const MOST_TOLD: usize = 10_000;

/// Attributes by which overlayfs hides files and follows redirections. A file system on which a layer is unpacked would do
/// what they say.
///
/// source: Linux `Documentation/filesystems/overlayfs.rst`
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// What the layer of a checkpoint's image will hold.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) entries: Vec<Entry<'a>>,
    defects: Vec<Defect>,
    /// Members whose fate is not in `defects`, because those are too many.
    untold: usize,
}

/// A member and how the layer has it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) member: &'a Member,
    /// Path below the image's root; empty for the root itself.
    pub(crate) path: &'a [u8],
    pub(crate) kind: EntryKind<'a>,
    /// Whether times of access and of the last change belong to the evidence: a directory has those of its copy.
    times: bool,
}

impl<'a> Plan<'a> {
    /// Decides for every member of the checkpoint's container. Members outside of its folder are not of it; when that is not
    /// the evidence's top, the layer's paths begin below it.
    #[must_use]
    pub fn of(checkpoint: &'a Checkpoint) -> Self {
        Self::of_folder(checkpoint.evidence(), checkpoint.place().path.as_bytes())
    }

    /// The same for any evidence and a folder in it, as a normalised path; empty for its top.
    #[must_use]
    pub fn of_folder(evidence: &'a Evidence, folder: &[u8]) -> Self {
        let mut plan = Self { evidence, entries: Vec::new(), defects: Vec::new(), untold: 0 };
        let times = evidence.kind() != "directory";
        let mut outside = 0_usize;
        for member in evidence.members() {
            let Some(path) = below(folder, &member.path) else {
                outside = outside.saturating_add(1);
                continue;
            };
            match judge(member, path) {
                Ok(kind) => plan.entries.push(Entry { member, path, kind, times }),
                Err(why) => plan.leave_out(member, why),
            }
        }
        if outside > 0 {
            let what = format!(
                "left out of the image: {outside} member(s) outside of {}, the container's folder",
                escape(folder)
            );
            plan.tell(Defect { place: "archive".to_owned(), what, kind: DefectKind::Suspect });
        }
        plan.one_of_each_path();
        plan.holes();
        plan.links(folder);
        plan.attributes();
        plan
    }

    /// What the layer does not hold of the members, or not as the evidence has it. More is found while it is written: see
    /// [`Layer::defects`](crate::Layer).
    #[must_use]
    pub fn defects(&self) -> Vec<Defect> {
        let mut defects = self.defects.clone();
        defects.extend(untold(self.untold));
        defects
    }

    /// Entries of the layer.
    #[must_use]
    pub fn members(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of contents in the layer, holes included.
    #[must_use]
    pub fn content_size(&self) -> u64 {
        let files = self.entries.iter().filter(|entry| entry.kind == EntryKind::File);
        files.fold(0, |sum, entry| sum.saturating_add(entry.member.size))
    }

    /// Bytes of the layer before it is compressed; less when contents turn out to be cut or unreadable.
    #[must_use]
    pub fn layer_size(&self) -> u64 {
        let of = |entry: &Entry<'_>| {
            let size = if entry.kind == EntryKind::File { entry.member.size } else { 0 };
            let header = entry.header(size, &mut 0).bytes().len();
            size.saturating_add(padding(size) as u64).saturating_add(header as u64)
        };
        let entries = self.entries.iter().map(of);
        entries.fold(2 * BLOCK as u64, u64::saturating_add)
    }

    fn tell(&mut self, defect: Defect) {
        if self.defects.len() < MOST_TOLD {
            self.defects.push(defect);
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }

    fn leave_out(&mut self, member: &Member, why: impl AsRef<str>) {
        self.tell(left_out(member, why));
    }

    /// Leaves one entry of each path, and none below what is no directory.
    fn one_of_each_path(&mut self) {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        let path = |at: &usize| self.entries.get(*at).map(|entry| entry.path).unwrap_or_default();
        // A stable sort keeps the archive's order among equal paths.
        order.sort_by(|a, b| by_component(path(a), path(b)));
        let mut out: HashMap<usize, String> = HashMap::new();
        let mut blocker: Option<&[u8]> = None;
        for group in order.chunk_by(|a, b| path(a) == path(b)) {
            let Some((last, earlier)) = group.split_last() else { continue };
            let is_dir = |at: &usize| {
                self.entries.get(*at).is_some_and(|entry| entry.kind == EntryKind::Directory)
            };
            blocker = blocker.filter(|blocker| below(blocker, path(last)).is_some());
            if let Some(blocker) = blocker {
                let why = format!("it lies below {}, which is no directory", escape(blocker));
                out.extend(group.iter().map(|at| (*at, why.clone())));
                continue;
            }
            for at in earlier {
                // Writers repeat directories without harm.
                let why =
                    if is_dir(at) && is_dir(last) { "" } else { "a later member has its name" };
                out.insert(*at, why.to_owned());
            }
            if !is_dir(last) {
                blocker = Some(path(last));
            }
        }
        let entries = std::mem::take(&mut self.entries);
        for (at, entry) in entries.into_iter().enumerate() {
            match out.get(&at) {
                None => self.entries.push(entry),
                Some(why) if why.is_empty() => {}
                Some(why) => self.leave_out(entry.member, why),
            }
        }
    }

    /// Leaves out sparse files that claim more zeros than are written.
    fn holes(&mut self) {
        let mut holes = 0_u64;
        let entries = std::mem::take(&mut self.entries);
        for entry in entries {
            if entry.kind == EntryKind::File && entry.member.is_sparse() {
                let sum = holes.saturating_add(holes_of(self.evidence, entry.member));
                if sum > MAX_HOLES {
                    let why = "its holes are more than the 64 GiB of zeros that are written in all";
                    self.leave_out(entry.member, why);
                    continue;
                }
                holes = sum;
            }
            self.entries.push(entry);
        }
    }

    /// Keeps hard links to files that stand before them.
    fn links(&mut self, folder: &[u8]) {
        let mut files: HashMap<&'a [u8], &'a [u8]> = HashMap::new();
        let entries = std::mem::take(&mut self.entries);
        for mut entry in entries {
            if let EntryKind::HardLink(target) = entry.kind {
                let (target, _) = ckpt_archive::normalise(target);
                let target = below(folder, &target).and_then(|path| files.get(path));
                let Some(target) = target else {
                    let why = "it is a hard link to what is not in the image before it";
                    self.leave_out(entry.member, why);
                    continue;
                };
                entry.kind = EntryKind::HardLink(target);
            } else if entry.kind == EntryKind::File {
                files.insert(entry.path, entry.path);
            }
            self.entries.push(entry);
        }
    }

    /// Tells of attributes that do not go into the layer.
    fn attributes(&mut self) {
        let mut told = Vec::new();
        for entry in &self.entries {
            let mut dropped = 0;
            entry.header(0, &mut dropped);
            if dropped > 0 {
                told.push(Defect {
                    place: escape(&entry.member.path).into_owned(),
                    what: format!(
                        "{dropped} extended attribute(s) left out of the image: of overlayfs, without a name, or too large"
                    ),
                    kind: DefectKind::Suspect,
                });
            }
        }
        for defect in told {
            self.tell(defect);
        }
    }
}

impl<'a> Entry<'a> {
    /// The header for a content of so many bytes; counts the attributes that have no place in it.
    pub(crate) fn header(&self, size: u64, dropped: &mut usize) -> Header<'a> {
        let member = self.member;
        let named = |name: &'a Option<std::sync::Arc<[u8]>>| {
            name.as_deref().filter(|name| !name.contains(&0)).unwrap_or_default()
        };
        let mut xattrs: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        for (name, value) in &member.xattrs {
            let hides = OVERLAY.iter().any(|prefix| name.starts_with(prefix));
            let nameless = name.is_empty() || name.contains(&b'=') || name.contains(&0);
            if !(hides || nameless) {
                xattrs.insert(name, value);
            }
        }
        if header::weight(&xattrs) > MAX_EXTENDED / 2 {
            xattrs.clear();
        }
        *dropped = member.xattrs.len().saturating_sub(xattrs.len());
        Header {
            path: self.path,
            kind: self.kind,
            size,
            mode: member.mode,
            uid: member.uid,
            gid: member.gid,
            uname: named(&member.uname),
            gname: named(&member.gname),
            mtime: member.mtime,
            atime: member.atime.filter(|_| self.times),
            ctime: member.ctime.filter(|_| self.times),
            xattrs,
        }
    }
}

/// Bytes of zeros that a sparse file does not store. What cannot be read has none: it is told when it is to be written.
fn holes_of(evidence: &Evidence, member: &Member) -> u64 {
    let Ok(content) = evidence.content(member) else { return 0 };
    let holes = content.chunks(0..content.len()).map(|chunk| match chunk {
        Chunk::Hole(len) => len,
        _ => 0,
    });
    holes.fold(0, u64::saturating_add)
}

/// That a member is not in the layer.
pub(crate) fn left_out(member: &Member, why: impl AsRef<str>) -> Defect {
    let place = if member.path.is_empty() { b"." } else { member.path.as_slice() };
    Defect {
        place: escape(place).into_owned(),
        what: format!("left out of the image: {}", why.as_ref()),
        kind: DefectKind::Suspect,
    }
}

/// That there were more to tell of.
fn untold(count: usize) -> Option<Defect> {
    (count > 0).then(|| Defect {
        place: "archive".to_owned(),
        what: format!("left out of the image, or not in it as they are: {count} further members"),
        kind: DefectKind::Suspect,
    })
}

/// The path below a folder; empty for the folder itself, `None` for what is not in it.
fn below<'p>(folder: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
    if folder.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
}

/// Orders paths so that what lies below a path comes right behind it.
fn by_component(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |byte: &u8| if *byte == b'/' { 0_u16 } else { u16::from(*byte).saturating_add(1) };
    a.iter().map(rank).cmp(b.iter().map(rank))
}

/// What a member becomes, or why it must not become anything: whoever unpacks a layer does so as root, and does what the
/// layer says.
fn judge<'m>(member: &'m Member, path: &[u8]) -> Result<EntryKind<'m>, String> {
    match member.unsafe_name {
        Some(NameRisk::Parent) => return Err("a name with .. could leave the image".to_owned()),
        Some(NameRisk::Nul) => return Err("a name with a NUL byte is no file's".to_owned()),
        // The leading / is gone from the normalised name.
        _ => {}
    }
    // source: image-spec layer.md, whiteouts
    if path.split(|byte| *byte == b'/').any(|component| component.starts_with(b".wh.")) {
        return Err("a layer takes this name for a deletion (whiteout)".to_owned());
    }
    if path.len() > MAX_PATH {
        return Err(format!("a name of {} bytes is longer than any path may be", path.len()));
    }
    if path.is_empty() && !member.is_dir() {
        return Err("it has the place of the image's root".to_owned());
    }
    let target = member.link_target.as_deref().unwrap_or_default();
    match member.kind {
        MemberKind::File => Ok(EntryKind::File),
        MemberKind::Directory => Ok(EntryKind::Directory),
        MemberKind::Symlink => {
            let inside = !target.is_empty()
                && !target.contains(&0)
                && target.len() <= MAX_PATH
                && resolve_link(path, target).is_some();
            if inside {
                Ok(EntryKind::Symlink(target))
            } else {
                Err(format!("a symlink to {}, outside of the image", escape(target)))
            }
        }
        MemberKind::HardLink => Ok(EntryKind::HardLink(target)),
        kind => Err(format!("a {kind} has no place in a checkpoint")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_path_comes_right_behind_it() {
        let mut paths: Vec<&[u8]> = vec![b"a.b", b"a/c", b"b", b"a", b"a-", b"a/b/c", b"a\0"];
        paths.sort_by(|a, b| by_component(a, b));
        assert_eq!(paths, [&b"a"[..], b"a/b/c", b"a/c", b"a\0", b"a-", b"a.b", b"b"]);
    }

    #[test]
    fn paths_begin_below_the_folder() {
        assert_eq!(below(b"", b"a/b"), Some(&b"a/b"[..]));
        assert_eq!(below(b"a", b"a/b"), Some(&b"b"[..]));
        assert_eq!(below(b"a", b"a"), Some(&b""[..]));
        assert_eq!(below(b"a", b"ab"), None);
    }
}
