//! The file table: what the ids in other images refer to.

use std::collections::{HashMap, HashSet};

use criu_image::ImageKind;
use criu_image::messages::{
    EventpollTfdEntry, FanotifyMarkEntry, FileEntry, InotifyWdEntry, MemfdInodeEntry, RegFileEntry,
    RemapFilePathEntry, TtyInfoEntry,
};

use crate::Text;
use crate::defect::Defects;
use crate::images::Images;
use crate::locate::split;
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

/// Device number of `/dev/ptmx`, 5:2, by which the master of a pseudo-terminal is opened.
const PTMX: u32 = 5 << 8 | 2;

/// `TTY_TYPE__PTY` of `criu/images/tty.proto`.
const PSEUDO_TERMINAL: u32 = 1;

/// Most bytes of a path, and of what `readlink` says: `include/uapi/linux/limits.h`.
const PATH_MAX: usize = 4096;

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
    /// Numbers of the pseudo-terminals whose master is open.
    masters: HashSet<u32>,
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
        table.cut_names(&place, defects);
        let terminals = images.many::<TtyInfoEntry>(ImageKind::TtyInfo, None, defects);
        table.terminals = terminals.into_iter().flatten().map(|info| (info.id, info)).collect();
        let masters = table.terminals.values().filter(|info| info.rdev == PTMX);
        table.masters = masters.filter_map(|info| Some(info.pty.as_ref()?.index)).collect();
        table
    }

    /// Cuts names that no kernel gives. Any number of descriptors, mappings and hits repeat the name of one file.
    fn cut_names(&mut self, place: &str, defects: &Defects) {
        let mut long = Vec::new();
        for inode in self.memfds.values_mut().filter(|inode| inode.name.len() > PATH_MAX) {
            long.push(("memfd", inode.inode_id, inode.name.len()));
            inode.name.truncate(PATH_MAX);
        }
        for ((_, id), entry) in &mut self.entries {
            let watched = entry.ify.iter_mut().flat_map(|inotify| &mut inotify.wd);
            let watched = watched.filter_map(|watch| watch.f_handle.path.as_mut());
            let marked = entry.ffy.iter_mut().flat_map(|fanotify| &mut fanotify.mark);
            let marked = marked.filter_map(|mark| match (&mut mark.ie, &mut mark.me) {
                (Some(inode), _) => inode.f_handle.path.as_mut(),
                (None, Some(mount)) => mount.path.as_mut(),
                (None, None) => None,
            });
            let own = entry.reg.iter_mut().map(|reg| &mut reg.name);
            let own = own.chain(entry.usk.iter_mut().map(|socket| &mut socket.name));
            for name in own.chain(watched).chain(marked).filter(|name| name.len() > PATH_MAX) {
                long.push(("file", u64::from(*id), name.len()));
                name.truncate(PATH_MAX);
            }
        }
        long.sort_unstable();
        for (kind, id, len) in long {
            let what = format!(
                "{kind} {id} has a name of {len} bytes, longer than any path; the first {PATH_MAX} are shown"
            );
            defects.suspect(place, what);
        }
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

    /// The link that CRIU made to the inode of a file (by its id) whose name was deleted while it had others. It is in no
    /// image but this table; the file system has it where CRIU left it there.
    #[must_use]
    pub fn link(&self, id: u32) -> Option<&RegFileEntry> {
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

    /// Whether a terminal is the slave of a pseudo-terminal whose master was closed: the kernel takes its name away, and CRIU
    /// writes neither settings nor window of it, which it could not read.
    ///
    /// Source: `criu/tty.c`, `dump_tty_info`; `fs/devpts/inode.c`, `devpts_pty_kill`.
    #[must_use]
    pub fn hung_up(&self, terminal: &TtyInfoEntry) -> bool {
        terminal.r#type == PSEUDO_TERMINAL
            && terminal.rdev != PTMX
            && terminal.termios.is_none()
            && terminal.winsize.is_none()
            && terminal.pty.as_ref().is_some_and(|pty| !self.masters.contains(&pty.index))
    }

    /// What `readlink` of `/proc/PID/fd/N` said of an open file; `None` where no image tells it.
    #[must_use]
    pub fn target(&self, file: &FileEntry) -> Option<Text> {
        let inode = |kind: &str, ino: u32| Some(Text(format!("{kind}:[{ino}]").into_bytes()));
        let anonymous = |name: &str| Some(Text(format!("anon_inode:{name}").into_bytes()));
        let path = |id: u32| self.path(id).map(|file| file.path);
        match file.r#type {
            // What the engine gives from outside has its key in place of its path.
            fd_type::REG if file.reg.as_ref()?.ext == Some(true) => None,
            fd_type::REG => path(file.reg.as_ref()?.id),
            fd_type::MEMFD => path(file.id),
            fd_type::PIPE => inode("pipe", file.pipe.as_ref()?.pipe_id),
            fd_type::FIFO | fd_type::TUNF => path(path_of(file)?),
            fd_type::TTY => {
                let mut path = path(path_of(file)?)?;
                let terminal = self.terminal(file.tty.as_ref()?.tty_info_id);
                if terminal.is_some_and(|terminal| self.hung_up(terminal)) {
                    path.0.extend_from_slice(DELETED);
                }
                Some(path)
            }
            fd_type::INETSK => inode("socket", file.isk.as_ref()?.ino),
            fd_type::UNIXSK => inode("socket", file.usk.as_ref()?.ino),
            fd_type::NETLINKSK => inode("socket", file.nlsk.as_ref()?.ino),
            fd_type::EVENTFD => anonymous("[eventfd]"),
            fd_type::EVENTPOLL => anonymous("[eventpoll]"),
            fd_type::SIGNALFD => anonymous("[signalfd]"),
            fd_type::TIMERFD => anonymous("[timerfd]"),
            fd_type::INOTIFY => anonymous("inotify"),
            fd_type::FANOTIFY => anonymous("[fanotify]"),
            fd_type::PIDFD => anonymous("[pidfd]"),
            fd_type::BPFMAP => anonymous("bpf-map"),
            // The image of a packet socket has no inode, and namespaces have CRIU's numbers in place of the kernel's.
            _ => None,
        }
    }

    /// The path of a regular file, directory or memfd, as `/proc` shows it.
    #[must_use]
    pub fn path(&self, id: u32) -> Option<FileRef> {
        if let Some(reg) = self.get(fd_type::REG, id).and_then(|entry| entry.reg.as_ref()) {
            let deleted = self.is_deleted(id, reg);
            let mut path = reg.name.clone();
            // What NFS renames in place of removing it keeps the name that it gives.
            if deleted && !is_silly_rename(&path) {
                path.extend_from_slice(DELETED);
            }
            return Some(FileRef { path: Text(path), deleted, memfd: false, file_id: id });
        }
        self.get(fd_type::MEMFD, id)?.memfd.as_ref()?;
        let mut path = b"/memfd:".to_vec();
        if let Some(inode) = self.memfd_inode(id) {
            path.extend_from_slice(&inode.name);
        }
        path.extend_from_slice(DELETED);
        Some(FileRef { path: Text(path), deleted: true, memfd: true, file_id: id })
    }

    fn is_deleted(&self, id: u32, reg: &RegFileEntry) -> bool {
        match self.remap(id) {
            Some(Remap::Linked(_) | Remap::Ghost(_)) => true,
            // Of the files of a process that ended the kernel takes away the name of their directory alone.
            Some(Remap::Procfs(_)) => {
                let (folder, name) = split(&reg.name);
                !name.is_empty()
                    && name.iter().all(u8::is_ascii_digit)
                    && !folder.ends_with(b"/task")
            }
            _ => false,
        }
    }
}

/// What the kernel adds to the path of a file that has lost its name.
const DELETED: &[u8] = b" (deleted)";

/// The id of the file by whose path another one of the table was opened: named pipes, terminals, TUN devices.
pub(crate) fn path_of(file: &FileEntry) -> Option<u32> {
    match file.r#type {
        fd_type::FIFO => file.fifo.as_ref().map(|fifo| fifo.regf_id.unwrap_or(fifo.id)),
        fd_type::TTY => file.tty.as_ref().and_then(|tty| tty.regf_id),
        fd_type::TUNF => file.tunf.as_ref().map(|tun| tun.id),
        _ => None,
    }
}

/// Whether a name is one that the client of NFS gives to an open file that is removed: `.nfs` and 24 hexadecimal digits.
///
/// Source: `criu/files-reg.c`, `is_sillyrename_name`; `fs/nfs/unlink.c`.
fn is_silly_rename(path: &[u8]) -> bool {
    let rest = split(path).1.strip_prefix(b".nfs");
    rest.is_some_and(|rest| rest.len() >= 24 && rest.iter().take(24).all(u8::is_ascii_hexdigit))
}
