//! Files of file systems that the evidence holds as archives: the root file system, tmpfs, `/dev/shm`, volumes.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::Arc;

use ckpt_archive::{Evidence, Member, MemberKind, Options, normalise};
use criu_image::ImageKind;
use criu_image::messages::MntEntry;

use super::content::ArtifactContent;
use super::owners::Owners;
use super::times::{Clock, stamp};
use super::{Artifact, Details, Entry, Origin};
use crate::FileType;
use crate::changes::CAPABILITY;
use crate::checkpoint::kind_of;
use crate::images::Images;
use crate::locate::join;
use crate::{Checkpoint, DefectKind, FileCapabilities, Text};

/// Bytes that a compressed archive inside the evidence may unpack to. The file systems that engines archive live in
/// memory, or hold what one container wrote.
pub const MAX_UNPACKED: u64 = 64 << 30;

/// Names in image layers that mean a deletion and are no files.
const WHITEOUT: &[u8] = b".wh.";

/// An archive that holds a file system.
struct Tree<'a> {
    member: &'a Member,
    evidence: &'a Evidence,
    origin: Origin,
    /// What ids begin with.
    id: String,
    /// Where the file system was mounted, with the part of it that was; the first is the one to name.
    mounts: Vec<Mount>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Mount {
    /// Absolute path in the container.
    point: Vec<u8>,
    /// Path inside the file system, normalised; empty for all of it.
    root: Vec<u8>,
}

impl Mount {
    fn at(point: &[u8]) -> Self {
        Self { point: point.to_vec(), root: Vec::new() }
    }

    /// The path of a file of the file system in the container; `None` when this mount does not show it.
    fn path(&self, inside: &[u8]) -> Option<Vec<u8>> {
        let rest = if self.root.is_empty() {
            inside
        } else if inside == self.root {
            b""
        } else {
            inside.strip_prefix(self.root.as_slice())?.strip_prefix(b"/")?
        };
        let (point, _) = normalise(&self.point);
        let mut path = b"/".to_vec();
        // The top of the file system is the mount point itself.
        path.extend_from_slice(&if rest.is_empty() { point } else { join(&point, rest) });
        Some(path)
    }
}

pub(super) fn find(
    checkpoint: &Checkpoint,
    owners: &Owners,
    options: &Options,
    list: &mut Vec<Artifact>,
    entries: &mut Vec<Entry>,
) {
    let metadata = checkpoint.metadata();
    let evidence = checkpoint.evidence();
    let mut trees = Vec::new();
    let mut whole = |name: &str, id: &str, origin, point: &[u8]| {
        if let Some(member) = metadata.member(name) {
            let mounts = vec![Mount::at(point)];
            trees.push(Tree { member, evidence, origin, id: id.to_owned(), mounts });
        }
    };
    whole("rootfs-diff.tar", "rootfs", Origin::RootfsDiff, b"/");
    whole("devshm-checkpoint.tar", "devshm", Origin::DevShm, b"/dev/shm");
    trees.extend(volumes(checkpoint));
    if let Some(images) = checkpoint.images() {
        trees.extend(tmpfs(checkpoint, images));
    }
    let options = options.clone().unpack_at_most(MAX_UNPACKED);
    for tree in trees {
        // Engines write an empty file where there is nothing to tell.
        if tree.member.is_file() && tree.member.size == 0 {
            continue;
        }
        let place: Arc<str> = Text::from(tree.member.path.as_slice()).escaped().into();
        match tree.evidence.nested(tree.member, &options) {
            Ok(archive) => {
                for defect in archive.defects() {
                    let at = format!("{place}: {}", defect.place());
                    checkpoint.tell(kind_of(defect), at, defect.to_string());
                }
                let files = Files { checkpoint, place: &place, owners };
                tree.files(&Arc::new(archive), &files, list, entries);
            }
            Err(error) => checkpoint.tell(DefectKind::Damaged, &*place, sentence(&error)),
        }
    }
}

/// What the files of a tree are joined with.
struct Files<'a> {
    checkpoint: &'a Checkpoint,
    place: &'a Arc<str>,
    owners: &'a Owners,
}

impl Files<'_> {
    /// Modification, access and change of a member; those that no calendar has are told.
    fn times(&self, member: &Member) -> [Option<jiff::Timestamp>; 3] {
        let place = || format!("{}: {}", self.place, Text::from(member.path.as_slice()).escaped());
        [
            (Clock::Modified, Some(member.mtime)),
            (Clock::Accessed, member.atime),
            (Clock::Changed, member.ctime),
        ]
        .map(|(clock, time)| stamp(self.checkpoint, time?, clock, place))
    }
}

impl Tree<'_> {
    fn files(
        &self,
        archive: &Arc<Evidence>,
        files: &Files<'_>,
        list: &mut Vec<Artifact>,
        entries: &mut Vec<Entry>,
    ) {
        // Layers are compressed whenever an engine makes them; in a plain tar `.wh.x` is a file that somebody called so.
        let layer = self.origin == Origin::RootfsDiff && archive.kind() != "tar";
        // Files so far, for hard links to them.
        let mut known: HashMap<&[u8], usize> = HashMap::new();
        for (number, member) in archive.members().iter().enumerate() {
            if layer && member.file_name().starts_with(WHITEOUT) {
                continue;
            }
            let linked = match member.kind {
                MemberKind::File | MemberKind::Other(_) => None,
                MemberKind::HardLink => {
                    let target = member.link_target.as_deref().map(normalise);
                    let Some(target) = target.and_then(|(path, _)| known.get(path.as_slice()))
                    else {
                        // Nothing before it has that name; that it leads nowhere is told already.
                        continue;
                    };
                    list.get(*target)
                }
                _ => {
                    entries.push(self.entry(member, files));
                    continue;
                }
            };
            let size = linked.map_or(member.size, |target| target.size);
            let same_as = linked.map(|target| target.same_as.clone().unwrap_or(target.id.clone()));
            let id = format!("{}-{}", self.id, number.saturating_add(1));
            let content = ArtifactContent::member(archive, number, size);
            let mut artifact = Artifact::new(id, self.origin, Arc::clone(files.place), content);
            artifact.same_as = same_as;
            self.describe(&mut artifact, member, files);
            if let Some(path) = &artifact.path {
                artifact.holders = files.owners.path(path.as_bytes());
            }
            known.insert(&member.path, list.len());
            list.push(artifact);
        }
    }

    /// The paths of a member in the container, the one to name first: that of the archive where no mount shows it.
    fn paths(&self, member: &Member) -> (Text, Vec<Text>) {
        let mut paths = self.mounts.iter().filter_map(|mount| mount.path(&member.path)).map(Text);
        let first = paths.next().unwrap_or_else(|| Text::from(member.path.as_slice()));
        (first, paths.collect())
    }

    fn entry(&self, member: &Member, files: &Files<'_>) -> Entry {
        let [mtime, atime, ctime] = files.times(member);
        let link = member.link_target.as_deref().map(Text::from);
        Entry {
            origin: self.origin,
            path: self.paths(member).0,
            kind: FileType::of(member.kind),
            mode: member.mode,
            uid: member.uid,
            gid: member.gid,
            mtime,
            atime,
            ctime,
            target: link.filter(|_| member.kind == MemberKind::Symlink),
            device: match member.kind {
                MemberKind::CharDevice { major, minor }
                | MemberKind::BlockDevice { major, minor } => Some((major, minor)),
                _ => None,
            },
            source: Arc::clone(files.place),
        }
    }

    fn describe(&self, artifact: &mut Artifact, member: &Member, files: &Files<'_>) {
        let (path, also) = self.paths(member);
        artifact.path = Some(path);
        let capabilities = member.xattrs.get(CAPABILITY).map(Vec::as_slice);
        let capabilities = capabilities.and_then(FileCapabilities::parse);
        if !also.is_empty() || capabilities.is_some() {
            let details = Details { also, capabilities, ..Details::default() };
            artifact.details = Some(Box::new(details));
        }
        artifact.mode = Some(member.mode);
        artifact.uid = Some(member.uid);
        artifact.gid = Some(member.gid);
        [artifact.mtime, artifact.atime, artifact.ctime] = files.times(member);
    }
}

/// `volumes/NAME.tar`, numbered by name: the name itself is the user's.
fn volumes(checkpoint: &Checkpoint) -> Vec<Tree<'_>> {
    let evidence = checkpoint.evidence();
    let folder = join(checkpoint.place().path.as_bytes(), b"volumes");
    let members = evidence.children(&folder).filter(|member| {
        matches!(member.kind, MemberKind::File | MemberKind::HardLink)
            && member.file_name().ends_with(b".tar")
    });
    let trees = members.enumerate().map(|(number, member)| {
        let name = member.file_name().strip_suffix(b".tar").unwrap_or_default();
        let mounts = destination(checkpoint, name).map(|point| Mount::at(&point));
        Tree {
            member,
            evidence,
            origin: Origin::Volume,
            id: format!("volume-{}", number.saturating_add(1)),
            mounts: mounts.into_iter().collect(),
        }
    });
    trees.collect()
}

/// Where a volume was mounted: the mount of the runtime spec whose source is the volume's directory.
///
/// Source: `podman/libpod/define/volume_inspect.go`; volumes lie in `volumes/NAME/_data` of the storage.
fn destination(checkpoint: &Checkpoint, name: &[u8]) -> Option<Vec<u8>> {
    let end = [b"/volumes/".as_slice(), name, b"/_data"].concat();
    let mounts = checkpoint.container().mounts.iter();
    let mut found = mounts
        .filter(|mount| mount.source.as_ref().is_some_and(|s| s.as_bytes().ends_with(&end)))
        .map(|mount| mount.destination.as_bytes().to_vec());
    found.next()
}

/// `tmpfs-dev-N.tar.gz.img`, one a superblock with however many mounts; `tmpfs-N.tar.gz.img`, one a mount, in old dumps.
fn tmpfs<'a>(checkpoint: &Checkpoint, images: &'a Images) -> Vec<Tree<'a>> {
    let mut mounts = Vec::new();
    for namespace in images.ids(ImageKind::Mountpoints) {
        let all =
            images.many::<MntEntry>(ImageKind::Mountpoints, Some(namespace), checkpoint.told());
        mounts.extend(all.into_iter().flatten());
    }
    let mut trees = Vec::new();
    for kind in [ImageKind::TmpfsDev, ImageKind::TmpfsImg] {
        let by_device = kind == ImageKind::TmpfsDev;
        let mut here: HashMap<u64, Vec<&MntEntry>> = HashMap::new();
        for mount in &mounts {
            let number = if by_device { mount.root_dev } else { mount.mnt_id };
            here.entry(number.into()).or_default().push(mount);
        }
        for id in images.ids(kind) {
            let Some(member) = images.member(kind, Some(id)) else { continue };
            let mut points: Vec<Mount> = Vec::new();
            let mut known = HashSet::new();
            for mount in here.get(&id).into_iter().flatten() {
                let (root, _) = normalise(&mount.root);
                let mount = Mount { point: mount.mountpoint.clone(), root };
                if known.insert(mount.clone()) {
                    points.push(mount);
                }
            }
            // A mount of all of it names files better than one of a part.
            points.sort_by_key(|mount| !mount.root.is_empty());
            let shm = points.first().is_some_and(|mount| mount.point == b"/dev/shm");
            trees.push(Tree {
                member,
                evidence: images.evidence(),
                origin: if shm { Origin::DevShm } else { Origin::Tmpfs },
                id: format!("{}-{id}", if by_device { "tmpfs" } else { "tmpfs-mount" }),
                mounts: points,
            });
        }
    }
    trees
}

/// An error with its causes.
fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    crate::escape(text.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_of_a_part_shows_only_that() {
        let whole = Mount::at(b"/run");
        assert_eq!(whole.path(b"lock/a").as_deref(), Some(&b"/run/lock/a"[..]));
        let part = Mount { point: b"/mnt".to_vec(), root: b"lock".to_vec() };
        assert_eq!(part.path(b"lock/a").as_deref(), Some(&b"/mnt/a"[..]));
        assert_eq!(part.path(b"lockx/a"), None);
        assert_eq!(part.path(b"lock").as_deref(), Some(&b"/mnt"[..]));
        assert_eq!(part.path(b""), None);
        assert_eq!(whole.path(b"").as_deref(), Some(&b"/run"[..]));
        assert_eq!(Mount::at(b"/").path(b"").as_deref(), Some(&b"/"[..]));
        assert_eq!(Mount::at(b"/").path(b"etc/x").as_deref(), Some(&b"/etc/x"[..]));
    }
}
