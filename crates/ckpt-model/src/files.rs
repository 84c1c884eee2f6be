//! The file table: what the ids in other images refer to.

use std::collections::HashMap;

use criu_image::ImageKind;
use criu_image::messages::{
    EventpollTfdEntry, FanotifyMarkEntry, FileEntry, InotifyWdEntry, MemfdInodeEntry, RegFileEntry,
    RemapFilePathEntry, TtyInfoEntry,
};

use crate::Text;
use crate::defect::Defects;
use crate::images::Images;
use crate::split_layout;
use crate::task::FileRef;

/// `fd_types` of `criu/images/fdinfo.proto`: the 20 kinds of open files that CRIU dumps, and the number of an undefined
/// one.
pub mod fd_type {
    /// Regular files, directories and devices.
    pub const REG: u32 = 1;
    /// Pipes.
    pub const PIPE: u32 = 2;
    /// Named pipes.
    pub const FIFO: u32 = 3;
    /// Internet sockets.
    pub const INETSK: u32 = 4;
    /// Unix sockets.
    pub const UNIXSK: u32 = 5;
    /// `eventfd(2)`.
    pub const EVENTFD: u32 = 6;
    /// `epoll(7)`.
    pub const EVENTPOLL: u32 = 7;
    /// `inotify(7)`.
    pub const INOTIFY: u32 = 8;
    /// `signalfd(2)`.
    pub const SIGNALFD: u32 = 9;
    /// Packet sockets.
    pub const PACKETSK: u32 = 10;
    /// Terminals.
    pub const TTY: u32 = 11;
    /// `fanotify(7)`.
    pub const FANOTIFY: u32 = 12;
    /// Netlink sockets.
    pub const NETLINKSK: u32 = 13;
    /// Files of namespaces.
    pub const NS: u32 = 14;
    /// TUN and TAP devices.
    pub const TUNF: u32 = 15;
    /// Files that a plugin of CRIU keeps.
    pub const EXT: u32 = 16;
    /// `timerfd_create(2)`.
    pub const TIMERFD: u32 = 17;
    /// `memfd_create(2)`.
    pub const MEMFD: u32 = 18;
    /// BPF maps.
    pub const BPFMAP: u32 = 19;
    /// `pidfd_open(2)`.
    pub const PIDFD: u32 = 20;
}

/// How a file without its name is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remap {
    /// The inode has another name: the file of this id is a link to it that CRIU made.
    Linked(u32),
    /// The inode had no name any more: the number of its ghost.
    Ghost(u32),
    /// A file in `/proc` of a process that had ended: its pid.
    Procfs(u32),
    /// A kind that this version does not know, and its number.
    Unknown(u32, u32),
}

impl Remap {
    fn of(entry: &RemapFilePathEntry) -> Self {
        match entry.target() {
            (0, id) => Self::Linked(id),
            (1, id) => Self::Ghost(id),
            (2, pid) => Self::Procfs(pid),
            (kind, id) => Self::Unknown(kind, id),
        }
    }
}

/// `files.img` (or the split images of CRIU before 3.4) with what belongs to the files.
#[derive(Debug, Default)]
pub struct FileTable {
    /// By type and id: a TUN device and the file it was opened by share an id.
    entries: HashMap<(u32, u32), FileEntry>,
    /// The types that an id has, where only the id is known.
    types: HashMap<u32, Vec<u32>>,
    /// By the id of the deleted file.
    remaps: HashMap<u32, Remap>,
    /// By `inode_id`.
    memfds: HashMap<u64, MemfdInodeEntry>,
    /// By `tty_info_id`.
    terminals: HashMap<u32, TtyInfoEntry>,
}

impl FileTable {
    pub(crate) fn read(images: &Images, defects: &Defects) -> Self {
        let mut table = Self::default();
        let place = images.place(ImageKind::Files, None);
        let entries = images.many::<FileEntry>(ImageKind::Files, None, defects);
        for entry in entries.into_iter().flatten() {
            let key = (entry.r#type, entry.id);
            if table.entries.insert(key, entry).is_some() {
                let what =
                    format!("file {} of type {} is there twice; the last counts", key.1, key.0);
                defects.suspect(place.clone(), what);
            }
        }
        for entry in split_layout::read(images, defects) {
            table.entries.entry((entry.r#type, entry.id)).or_insert(entry);
        }
        table.attach_watches(images, defects);
        for (kind, id) in table.entries.keys() {
            table.types.entry(*id).or_default().push(*kind);
        }
        table.types.values_mut().for_each(|types| types.sort_unstable());
        let remaps = images.many::<RemapFilePathEntry>(ImageKind::RemapFpath, None, defects);
        table.remaps =
            remaps.into_iter().flatten().map(|remap| (remap.orig_id, Remap::of(&remap))).collect();
        let memfds = images.many::<MemfdInodeEntry>(ImageKind::MemfdInode, None, defects);
        table.memfds = memfds.into_iter().flatten().map(|inode| (inode.inode_id, inode)).collect();
        let terminals = images.many::<TtyInfoEntry>(ImageKind::TtyInfo, None, defects);
        table.terminals = terminals.into_iter().flatten().map(|info| (info.id, info)).collect();
        table
    }

    /// What is watched has images of its own in dumps before 3.4.
    fn attach_watches(&mut self, images: &Images, defects: &Defects) {
        let watched = images.many::<EventpollTfdEntry>(ImageKind::EventpollTfd, None, defects);
        for watch in watched.into_iter().flatten() {
            let entry = self.entries.get_mut(&(fd_type::EVENTPOLL, watch.id));
            if let Some(epoll) = entry.and_then(|entry| entry.epfd.as_mut()) {
                epoll.tfd.push(watch);
            }
        }
        let watched = images.many::<InotifyWdEntry>(ImageKind::InotifyWd, None, defects);
        for watch in watched.into_iter().flatten() {
            let entry = self.entries.get_mut(&(fd_type::INOTIFY, watch.id));
            if let Some(inotify) = entry.and_then(|entry| entry.ify.as_mut()) {
                inotify.wd.push(watch);
            }
        }
        let marks = images.many::<FanotifyMarkEntry>(ImageKind::FanotifyMark, None, defects);
        for mark in marks.into_iter().flatten() {
            let entry = self.entries.get_mut(&(fd_type::FANOTIFY, mark.id));
            if let Some(fanotify) = entry.and_then(|entry| entry.ffy.as_mut()) {
                fanotify.mark.push(mark);
            }
        }
    }

    /// The entry of that type (see [`fd_type`]) and id.
    #[must_use]
    pub fn get(&self, fd_type: u32, id: u32) -> Option<&FileEntry> {
        self.entries.get(&(fd_type, id))
    }

    /// Every entry, by id and type.
    #[must_use]
    pub fn all(&self) -> Vec<&FileEntry> {
        let mut all: Vec<&FileEntry> = self.entries.values().collect();
        all.sort_unstable_by_key(|entry| (entry.id, entry.r#type));
        all
    }

    /// The entries of an id whose type is not known, by type: files that were sent over a socket.
    pub fn by_id(&self, id: u32) -> impl Iterator<Item = &FileEntry> + '_ {
        let types = self.types.get(&id).map(Vec::as_slice).unwrap_or_default();
        types.iter().filter_map(move |kind| self.get(*kind, id))
    }

    /// How a deleted file is kept.
    #[must_use]
    pub fn remap(&self, id: u32) -> Option<Remap> {
        self.remaps.get(&id).copied()
    }

    /// The link that CRIU made to the inode of a file whose name was deleted while it had others.
    pub(crate) fn link(&self, id: u32) -> Option<&RegFileEntry> {
        match self.remap(id)? {
            Remap::Linked(link) => self.get(fd_type::REG, link)?.reg.as_ref(),
            _ => None,
        }
    }

    /// The memfd that a file of that id has open.
    #[must_use]
    pub fn memfd_inode(&self, id: u32) -> Option<&MemfdInodeEntry> {
        let memfd = self.get(fd_type::MEMFD, id)?.memfd.as_ref()?;
        self.memfds.get(&u64::from(memfd.inode_id))
    }

    /// The terminal of that number.
    #[must_use]
    pub fn terminal(&self, tty_info_id: u32) -> Option<&TtyInfoEntry> {
        self.terminals.get(&tty_info_id)
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
        self.get(fd_type::MEMFD, id)?.memfd.as_ref()?;
        let mut path = b"/memfd:".to_vec();
        if let Some(inode) = self.memfd_inode(id) {
            path.extend_from_slice(&inode.name);
        }
        path.extend_from_slice(b" (deleted)");
        Some(FileRef { path: Text(path), deleted: true, memfd: true, file_id: id })
    }

    fn is_deleted(&self, id: u32) -> bool {
        matches!(self.remap(id), Some(Remap::Linked(_) | Remap::Ghost(_)))
    }
}
