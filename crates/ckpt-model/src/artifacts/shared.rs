//! Memory without a file system: memfds, shared anonymous memory, System V segments.

use std::collections::{BTreeMap, HashSet};

use criu_image::ImageKind;
use criu_image::messages::MemfdInodeEntry;

use super::content::ArtifactContent;
use super::owners::Owners;
use super::{Artifact, Origin};
use crate::files::fd_type;
use crate::images::Images;
use crate::recover::Recovered;
use crate::shared::{ANONYMOUS, is_anonymous};
use crate::{Checkpoint, Text};

pub(super) fn find(
    checkpoint: &Checkpoint,
    images: &Images,
    owners: &Owners,
    list: &mut Vec<Artifact>,
) {
    let mut numbers = HashSet::new();
    memfds(checkpoint, images, owners, &mut numbers, list);
    segments(checkpoint, owners, list);
    for (shmid, holders, size) in owners.anonymous() {
        if !numbers.contains(&shmid) && images.has(ImageKind::PagemapShmem, Some(shmid)) {
            let content = ArtifactContent::recovered(checkpoint.shared_memory(shmid, size));
            let place = images.place(ImageKind::PagemapShmem, Some(shmid));
            let mut artifact = Artifact::new(format!("shm-{shmid}"), Origin::Shm, place, content);
            artifact.path = Some(Text::from(ANONYMOUS));
            artifact.holders = holders.to_vec();
            list.push(artifact);
        }
    }
}

fn memfds(
    checkpoint: &Checkpoint,
    images: &Images,
    owners: &Owners,
    numbers: &mut HashSet<u64>,
    list: &mut Vec<Artifact>,
) {
    // Several open files can be of one memfd.
    let mut inodes: BTreeMap<u64, (&MemfdInodeEntry, Vec<u32>)> = BTreeMap::new();
    for entry in checkpoint.files().all() {
        if let Some(inode) = checkpoint.files().memfd_inode(entry.id)
            && entry.r#type == fd_type::MEMFD
        {
            inodes.entry(inode.inode_id).or_insert((inode, Vec::new())).1.push(entry.id);
        }
    }
    for (id, (inode, files)) in inodes {
        let shmid = u64::from(inode.shmid);
        numbers.insert(shmid);
        let anonymous = is_anonymous(inode);
        let (name, origin, path) = if anonymous {
            (format!("shm-{shmid}"), Origin::Shm, Text::from(inode.name.as_slice()))
        } else {
            let path = [b"/memfd:", inode.name.as_slice()].concat();
            (format!("memfd-{id}"), Origin::Memfd, Text(path))
        };
        let content = ArtifactContent::recovered(checkpoint.shared_memory(shmid, inode.size));
        let place = images.place(ImageKind::PagemapShmem, Some(shmid));
        let mut artifact = Artifact::new(name, origin, place, content);
        artifact.path = Some(path);
        artifact.mode = inode.mode.map(|mode| mode & 0o7777);
        artifact.uid = Some(inode.uid.into());
        artifact.gid = Some(inode.gid.into());
        artifact.holders = owners.files(files.into_iter().map(|id| (fd_type::MEMFD, id)));
        list.push(artifact);
    }
}

fn segments(checkpoint: &Checkpoint, owners: &Owners, list: &mut Vec<Artifact>) {
    for segment in checkpoint.shared_table().segments() {
        let desc = &segment.entry.desc;
        let content = Recovered::pages(checkpoint.shared_segment(segment));
        let content = ArtifactContent::recovered(content);
        let id = format!("sysv-shm-{}", desc.id);
        let mut artifact = Artifact::new(id, Origin::SysvShm, segment.place.as_str(), content);
        artifact.path = Some(Text(format!("/SYSV{:08x}", desc.key).into_bytes()));
        artifact.mode = Some(desc.mode & 0o7777);
        artifact.uid = Some(desc.uid.into());
        artifact.gid = Some(desc.gid.into());
        artifact.holders = owners.segment(desc.id.into());
        list.push(artifact);
    }
}
