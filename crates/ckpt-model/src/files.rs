//! The file table: what the ids in other images refer to.

use std::collections::HashMap;

use criu_image::ImageKind;
use criu_image::messages::{FileEntry, MemfdInodeEntry, RegFileEntry, RemapFilePathEntry};

use crate::Text;
use crate::defect::Defects;
use crate::images::Images;
use crate::task::FileRef;

/// `fd_types` of `criu/images/fdinfo.proto` that a path can come from.
mod fd_type {
    pub(super) const REG: u32 = 1;
    pub(super) const MEMFD: u32 = 18;
}

/// `remap_type` of `criu/images/remap-file-path.proto`.
mod remap_type {
    /// The file has another name: `remap_id` is the file id of a link that CRIU made.
    pub(super) const LINKED: u32 = 0;
    /// The file has no name any more: `remap_id` is the number of a ghost file.
    pub(super) const GHOST: u32 = 1;
}

/// `files.img` (or the split images of CRIU before 3.4) with what tells whether a file was deleted.
#[derive(Debug, Default)]
pub struct FileTable {
    /// By type and id: a TUN device and the file it was opened by share an id.
    entries: HashMap<(u32, u32), FileEntry>,
    /// By the id of the deleted file.
    remaps: HashMap<u32, RemapFilePathEntry>,
    /// By `inode_id`.
    memfds: HashMap<u64, MemfdInodeEntry>,
}

impl FileTable {
    pub(crate) fn read(images: &Images, defects: &Defects) -> Self {
        let mut table = Self::default();
        let entries = images.many::<FileEntry>(ImageKind::Files, None, defects);
        for entry in entries.into_iter().flatten() {
            table.entries.insert((entry.r#type, entry.id), entry);
        }
        let split = images.many::<RegFileEntry>(ImageKind::RegFiles, None, defects);
        for reg in split.into_iter().flatten() {
            let entry = FileEntry {
                r#type: fd_type::REG,
                id: reg.id,
                reg: Some(reg),
                ..FileEntry::default()
            };
            table.entries.entry((fd_type::REG, entry.id)).or_insert(entry);
        }
        let remaps = images.many::<RemapFilePathEntry>(ImageKind::RemapFpath, None, defects);
        table.remaps = remaps.into_iter().flatten().map(|remap| (remap.orig_id, remap)).collect();
        let memfds = images.many::<MemfdInodeEntry>(ImageKind::MemfdInode, None, defects);
        table.memfds = memfds.into_iter().flatten().map(|inode| (inode.inode_id, inode)).collect();
        table
    }

    /// The entry of that type and id.
    #[must_use]
    pub fn get(&self, fd_type: u32, id: u32) -> Option<&FileEntry> {
        self.entries.get(&(fd_type, id))
    }

    /// The path of a regular file, directory or memfd, as `/proc` shows it.
    #[must_use]
    pub fn path(&self, id: u32) -> Option<FileRef> {
        if let Some(reg) = self.get(fd_type::REG, id).and_then(|entry| entry.reg.as_ref()) {
            let deleted = self.is_deleted(id);
            let mut path = reg.name.clone();
            if deleted {
                path.extend_from_slice(b" (deleted)");
            }
            return Some(FileRef { path: Text(path), deleted, memfd: false, file_id: id });
        }
        let memfd = self.get(fd_type::MEMFD, id)?.memfd.as_ref()?;
        let mut path = b"/memfd:".to_vec();
        if let Some(inode) = self.memfds.get(&u64::from(memfd.inode_id)) {
            path.extend_from_slice(&inode.name);
        }
        path.extend_from_slice(b" (deleted)");
        Some(FileRef { path: Text(path), deleted: true, memfd: true, file_id: id })
    }

    fn is_deleted(&self, id: u32) -> bool {
        // Without a type (CRIU 1.x) bit 31 of the remap id tells ghosts; the rest are links. Both mean deleted.
        let remap = self.remaps.get(&id);
        remap.is_some_and(|remap| {
            matches!(remap.remap_type, None | Some(remap_type::LINKED | remap_type::GHOST))
        })
    }
}
