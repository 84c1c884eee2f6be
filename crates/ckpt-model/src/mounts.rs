//! Mounts, in every mount namespace of the dump.

use std::collections::HashMap;

use ckpt_archive::normalise;
use criu_image::ImageKind;
use criu_image::messages::{MntEntry, RegFileEntry};

use crate::locate::ancestors;
use crate::{Checkpoint, Pid, Text};

/// A mount.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mount {
    /// Mount namespace, by CRIU's small id.
    pub ns: u32,
    /// The kernel's number of the mount.
    pub id: u32,
    /// The mount that it is mounted on; of the root of the namespace one that is not in the images.
    pub parent: u32,
    /// Where it is mounted, from the namespace's root.
    pub mountpoint: Text,
    /// File system in the kernel's words; `None` where CRIU knew it only as unsupported.
    pub fstype: Option<Text>,
    /// Path inside of that file system which is mounted: `/` unless it is a bind mount.
    pub root: Text,
    /// What is mounted, as the kernel shows it.
    pub source: Text,
    /// Options of the mount and of its file system, as `mount` would show them.
    pub options: Text,
    /// How mounts propagate: `shared:N`, `master:N`, `unbindable`; `private` when not at all.
    pub propagation: Vec<String>,
    /// The key by which the engine brings it in from outside (the destination, for crun and runc): its content is in no
    /// image.
    pub external: Option<Text>,
    /// The root of a bind mount was removed.
    pub deleted: bool,
    /// The raw entry.
    pub raw: MntEntry,
}

impl Mount {
    /// Whether it is the root of its namespace.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.mountpoint.as_bytes() == b"/"
    }
}

/// The mounts by what tells them apart.
pub(crate) struct MountIndex<'a> {
    /// The first one of each number.
    by_id: HashMap<u32, &'a Mount>,
    /// The last one of the longest mount points of each normalised one.
    by_point: HashMap<Vec<u8>, (usize, &'a Mount)>,
}

impl<'a> MountIndex<'a> {
    pub(crate) fn of(mounts: &'a [Mount]) -> Self {
        let mut all = Self { by_id: HashMap::new(), by_point: HashMap::new() };
        for (index, mount) in mounts.iter().enumerate() {
            all.by_id.entry(mount.id).or_insert(mount);
            let (point, _) = normalise(mount.mountpoint.as_bytes());
            let known = all.by_point.entry(point).or_insert((index, mount));
            if len(known.1) <= len(mount) {
                *known = (index, mount);
            }
        }
        all
    }

    /// The mount that a file was opened on; the longest mount point above it where CRIU did not note that.
    pub(crate) fn mount_of(&self, reg: &RegFileEntry) -> Option<&'a Mount> {
        let id = reg.mnt_id.and_then(|id| u32::try_from(id).ok());
        if let Some(mount) = id.and_then(|id| self.by_id.get(&id)) {
            return Some(mount);
        }
        let (path, _) = normalise(&reg.name);
        let above = ancestors(&path).filter(|point| point.is_empty() || *point != path.as_slice());
        let above = above.filter_map(|point| self.by_point.get(point));
        above.max_by_key(|(index, mount)| (len(mount), *index)).map(|(_, mount)| *mount)
    }
}

/// Length of a mount point as it stands in the image.
fn len(mount: &Mount) -> usize {
    mount.mountpoint.as_bytes().len()
}

/// Bits of `mnt_entry.flags` that options are made of: `MS_*` of `include/uapi/linux/mount.h`. The order is that of
/// `/proc/self/mountinfo`.
const OPTIONS: [(u32, &str); 7] = [
    (0x2, "nosuid"),
    (0x4, "nodev"),
    (0x8, "noexec"),
    (0x400, "noatime"),
    (0x800, "nodiratime"),
    (0x20_0000, "relatime"),
    (0x100, "nosymfollow"),
];
/// Bits of `mnt_entry.sb_flags`: what holds for the file system, wherever it is mounted.
const FILE_SYSTEM_OPTIONS: [(u32, &str); 4] =
    [(0x10, "sync"), (0x80, "dirsync"), (0x40, "mand"), (0x200_0000, "lazytime")];
const MS_RDONLY: u32 = 1;
const MS_UNBINDABLE: u32 = 0x2_0000;

impl Checkpoint {
    /// The mounts by namespace, those of the first process's namespace first; within one in the order in which they can be
    /// mounted.
    pub fn mounts(&self) -> &[Mount] {
        self.mounts.get_or_init(|| self.read_mounts())
    }

    /// The processes in a mount namespace.
    #[must_use]
    pub fn in_mount_namespace(&self, ns: u32) -> Vec<Pid> {
        let inside = self.processes().by_pid().into_iter().filter(|task| {
            let mnt = task.namespaces.as_ref().and_then(|all| all.mnt);
            mnt.is_some_and(|mnt| mnt.id == ns)
        });
        inside.map(|task| task.pid).collect()
    }

    fn read_mounts(&self) -> Vec<Mount> {
        let Some(images) = self.images() else { return Vec::new() };
        let first = self.processes().tasks.iter().find_map(|task| task.namespaces.as_ref()?.mnt);
        let mut namespaces = images.ids(ImageKind::Mountpoints);
        namespaces.sort_by_key(|id| (first.is_none_or(|first| u64::from(first.id) != *id), *id));
        let mut mounts = Vec::new();
        for id in namespaces {
            let Ok(ns) = u32::try_from(id) else { continue };
            let entries = images.many::<MntEntry>(ImageKind::Mountpoints, Some(id), self.told());
            mounts.extend(in_order(entries.unwrap_or_default()).map(|raw| mount(ns, raw)));
        }
        mounts
    }
}

/// Parents before children. CRIU writes children first; what is part of a loop comes last.
fn in_order(entries: Vec<MntEntry>) -> impl Iterator<Item = MntEntry> {
    let parents: HashMap<u32, u32> =
        entries.iter().map(|mount| (mount.mnt_id, mount.parent_mnt_id)).collect();
    let mut depths: HashMap<u32, usize> = HashMap::new();
    for entry in &entries {
        let mut path = Vec::new();
        let mut id = entry.mnt_id;
        // Up to a mount whose depth is known, to the root, or round a loop once.
        while !depths.contains_key(&id) && path.len() <= parents.len() {
            let Some(parent) = parents.get(&id) else { break };
            path.push(id);
            id = *parent;
        }
        let mut depth = match depths.get(&id) {
            Some(depth) => *depth,
            None if path.len() > parents.len() => usize::MAX,
            None => 0,
        };
        for id in path.into_iter().rev() {
            depth = depth.saturating_add(1);
            depths.entry(id).or_insert(depth);
        }
    }
    let mut entries = entries;
    entries.sort_by_key(|mount| (depths.get(&mount.mnt_id).copied(), mount.mnt_id));
    entries.into_iter()
}

fn mount(ns: u32, raw: MntEntry) -> Mount {
    let of_file_system = raw.sb_flags.unwrap_or_default();
    // Either of them forbids writing.
    let read_only = (raw.flags | of_file_system) & MS_RDONLY != 0;
    let mut options = if read_only { b"ro".to_vec() } else { b"rw".to_vec() };
    let of_mount = OPTIONS.iter().filter(|(bit, _)| raw.flags & bit != 0);
    let of_file_system = FILE_SYSTEM_OPTIONS.iter().filter(|(bit, _)| of_file_system & bit != 0);
    for (_, word) in of_mount.chain(of_file_system) {
        options.push(b',');
        options.extend_from_slice(word.as_bytes());
    }
    if !raw.options.is_empty() {
        options.push(b',');
        options.extend_from_slice(&raw.options);
    }
    let group =
        |name: &str, id: Option<u32>| id.filter(|id| *id != 0).map(|id| format!("{name}:{id}"));
    let mut propagation: Vec<String> =
        group("shared", raw.shared_id).into_iter().chain(group("master", raw.master_id)).collect();
    if raw.flags & MS_UNBINDABLE != 0 {
        propagation.push("unbindable".to_owned());
    }
    if propagation.is_empty() {
        propagation.push("private".to_owned());
    }
    let external = raw.ext_key.clone().filter(|key| !key.is_empty());
    let external = external.or_else(|| raw.ext_mount.unwrap_or_default().then(Vec::new));
    Mount {
        ns,
        id: raw.mnt_id,
        parent: raw.parent_mnt_id,
        mountpoint: Text(raw.mountpoint.clone()),
        fstype: fstype(&raw),
        root: Text(raw.root.clone()),
        source: Text(raw.source.clone()),
        options: Text(options),
        propagation,
        external: external.map(Text),
        deleted: raw.deleted.unwrap_or_default(),
        raw,
    }
}

/// The kernel's word for `fstype` of `criu/images/mnt.proto`.
fn fstype(raw: &MntEntry) -> Option<Text> {
    if let Some(name) = raw.fsname.as_ref().filter(|name| !name.is_empty()) {
        return Some(Text(name.clone()));
    }
    let word = match raw.fstype {
        1 => "proc",
        2 => "sysfs",
        3 => "devtmpfs",
        4 => "binfmt_misc",
        5 => "tmpfs",
        6 => "devpts",
        7 => "simfs",
        8 => "pstore",
        9 => "securityfs",
        10 => "fusectl",
        11 => "debugfs",
        12 => "cgroup",
        13 => "aufs",
        14 => "mqueue",
        15 => "fuse",
        17 => "overlay",
        18 => "autofs",
        19 => "tracefs",
        23 => "cgroup2",
        _ => return None,
    };
    Some(Text::from(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(mnt_id: u32, parent_mnt_id: u32) -> MntEntry {
        MntEntry { mnt_id, parent_mnt_id, ..MntEntry::default() }
    }

    #[test]
    fn parents_come_first_and_loops_end() {
        let order =
            |entries: Vec<MntEntry>| in_order(entries).map(|m| m.mnt_id).collect::<Vec<_>>();
        assert_eq!(order(vec![entry(5, 4), entry(4, 3), entry(3, 1), entry(9, 3)]), [3, 4, 9, 5]);
        assert_eq!(order(vec![entry(7, 8), entry(8, 7), entry(3, 1)]).len(), 3);
    }

    #[test]
    fn options_as_the_kernel_shows_them() {
        let raw = MntEntry {
            flags: 0x20_000f,
            options: b"size=1024k".to_vec(),
            fstype: 5,
            shared_id: Some(7),
            ..MntEntry::default()
        };
        let mount = mount(13, raw);
        assert_eq!(mount.options, Text::from("ro,nosuid,nodev,noexec,relatime,size=1024k"));
        assert_eq!(mount.propagation, ["shared:7"]);
        let read_only = MntEntry { sb_flags: Some(0x11), ..MntEntry::default() };
        assert_eq!(super::mount(13, read_only).options, Text::from("ro,sync"));
        assert_eq!(mount.fstype, Some(Text::from("tmpfs")));
    }
}
