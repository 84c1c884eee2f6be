//! Open file descriptors, as `/proc/PID/fd` and `/proc/PID/fdinfo` showed them.

use std::collections::{HashMap, HashSet};

use criu_image::ImageKind;
use criu_image::messages::{FdinfoEntry, FileEntry, RegFileEntry, SkPacketEntry};

use crate::defect::Defects;
use crate::files::{FileTable, Remap, fd_type, path_of};
use crate::images::Images;
use crate::sockets::EXTERN;
use crate::{Checkpoint, Pid, Task, Text};

/// `FD_CLOEXEC` of `fdinfo_entry.flags`.
const FD_CLOEXEC: u32 = 1;

/// `O_CLOEXEC`, the same on every architecture that CRIU knows. `/proc` shows it among the flags of the open file, though
/// it belongs to the descriptor.
const O_CLOEXEC: u32 = 0o2_000_000;

/// `O_RDWR`, the same everywhere. Every pidfd has it, and CRIU leaves it out of the image: `pidfd_open(2)` refuses it.
const O_RDWR: u32 = 0o2;

/// Descriptors of all processes together, more than a kernel would allow. Processes that share a table have it each, so
/// that a small image could claim billions.
const MAX_DESCRIPTORS: usize = 8 << 20;

/// What a descriptor refers to, in the words of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DescriptorType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A character device, terminals included.
    Character,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
    /// A pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A file in memory.
    Memfd,
    /// A file of the kernel's own: `eventfd`, `epoll`, namespaces and so on.
    Anonymous,
    /// A kind of file that this version does not know, or one that a plugin of CRIU keeps.
    Unknown,
}

impl DescriptorType {
    /// The word in JSON and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Regular => "reg",
            Self::Directory => "dir",
            Self::Character => "chr",
            Self::Block => "blk",
            Self::Fifo => "fifo",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::Memfd => "memfd",
            Self::Anonymous => "anon",
            Self::Unknown => "unknown",
        }
    }

    /// Of `st_mode`.
    fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o040_000 => Self::Directory,
            0o020_000 => Self::Character,
            0o060_000 => Self::Block,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            _ => Self::Regular,
        }
    }
}

/// A descriptor of a process. Several descriptors, of one process or many, may share an open file: then `file_id` is the
/// same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Descriptor {
    /// The number.
    pub fd: u32,
    /// What it refers to.
    pub kind: DescriptorType,
    /// What `readlink` of `/proc/PID/fd/N` said; `None` where no image tells it.
    pub target: Option<Text>,
    /// Offset in bytes; 0 for what has none, as in `/proc`. `None` when the file is not in the images.
    pub pos: Option<u64>,
    /// Flags as `/proc/PID/fdinfo/N` shows them: those of the open file, and `O_CLOEXEC` of the descriptor. Their values
    /// are the dumped architecture's.
    pub flags: Option<u32>,
    /// Closed on `execve`.
    pub cloexec: bool,
    /// The file had lost its name.
    pub deleted: bool,
    /// The kernel's number of the mount it is on.
    pub mount_id: Option<i32>,
    /// Label of SELinux, where CRIU noted it.
    pub selinux: Option<Text>,
    /// `file_entry.id`, the open file.
    pub file_id: u32,
    /// `fd_types` number, see [`fd_type`].
    pub fd_type: u32,
}

/// A descriptor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The process.
    pub pid: Pid,
    /// The number.
    pub fd: u32,
}

/// The descriptors of all processes.
#[derive(Debug, Default)]
pub struct Descriptors {
    tables: Vec<Vec<Descriptor>>,
    /// The first process of each table.
    first: Vec<Pid>,
    /// Index of a process's table: processes can share one (`CLONE_FILES`).
    of: HashMap<Pid, usize>,
    holders: HashMap<(u32, u32), Vec<Holder>>,
}

impl Descriptors {
    /// The descriptors of a process, by number. Processes that share a table have the same ones.
    #[must_use]
    pub fn of(&self, pid: Pid) -> &[Descriptor] {
        let table = self.of.get(&pid).and_then(|index| self.tables.get(*index));
        table.map(Vec::as_slice).unwrap_or_default()
    }

    /// The first process, by pid, that has the same table as a process: itself, if it shares it with none before it. `None`
    /// for one without a table.
    #[must_use]
    pub fn first_with(&self, pid: Pid) -> Option<Pid> {
        self.first.get(*self.of.get(&pid)?).copied()
    }

    /// A descriptor of a process.
    #[must_use]
    pub fn get(&self, pid: Pid, fd: u32) -> Option<&Descriptor> {
        let table = self.of(pid);
        let index = table.binary_search_by_key(&fd, |descriptor| descriptor.fd).ok()?;
        table.get(index)
    }

    /// Who has an open file (by its type and id), by process and number.
    #[must_use]
    pub fn holders(&self, fd_type: u32, file_id: u32) -> &[Holder] {
        self.holders.get(&(fd_type, file_id)).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Checkpoint {
    /// The descriptors of all processes.
    pub fn descriptors(&self) -> &Descriptors {
        self.descriptors.get_or_init(|| {
            let Some(images) = self.images() else { return Descriptors::default() };
            // In old dumps an image of descriptors has the pid in its name.
            let per_id = self.inventory().is_some_and(|one| one.fdinfo_per_id == Some(true));
            let by_pid = !per_id && images.ids(ImageKind::Ids).is_empty();
            let reader = Reader { images, files: self.files(), by_pid, defects: self.told() };
            reader.read(&self.processes().by_pid())
        })
    }
}

struct Reader<'a> {
    images: &'a Images,
    files: &'a FileTable,
    by_pid: bool,
    defects: &'a Defects,
}

impl Reader<'_> {
    fn read(&self, tasks: &[&Task]) -> Descriptors {
        let mut all = Descriptors::default();
        let mut by_id: HashMap<u32, usize> = HashMap::new();
        let mut left = MAX_DESCRIPTORS;
        let mut without = Vec::new();
        for task in tasks {
            if task.is_zombie() || all.of.contains_key(&task.pid) {
                continue;
            }
            let Some(id) = task.files_id.or(self.by_pid.then_some(task.pid.0)) else {
                self.tell_unknown(task);
                continue;
            };
            let index = *by_id.entry(id).or_insert_with(|| {
                if task.state.is_some() && !self.images.has(ImageKind::Fdinfo, Some(id.into())) {
                    without.push((task.pid, id));
                }
                all.tables.push(self.table(id));
                all.first.push(task.pid);
                all.tables.len().saturating_sub(1)
            });
            let table = all.tables.get(index).map(Vec::as_slice).unwrap_or_default();
            let Some(rest) = left.checked_sub(table.len()) else {
                let what = format!(
                    "descriptors of process {} and of those after it left out: more than {MAX_DESCRIPTORS} in all",
                    task.pid
                );
                self.defects.damaged(self.place(id), what);
                return all;
            };
            left = rest;
            for descriptor in table {
                let holder = Holder { pid: task.pid, fd: descriptor.fd };
                let key = (descriptor.fd_type, descriptor.file_id);
                all.holders.entry(key).or_default().push(holder);
            }
            all.of.insert(task.pid, index);
        }
        self.tell_lost(&without, &all);
        all
    }

    /// CRIU makes the image of a table with its first descriptor, so that a process without any has none. But where there are
    /// open files that nobody has, they were those of a process whose image is gone.
    fn tell_lost(&self, without: &[(Pid, u32)], all: &Descriptors) {
        if without.is_empty() {
            return;
        }
        let sent = self.sent();
        // Regular files and memfds can be mapped, or be a program or a directory; a plugin keeps its own as it likes. A socket
        // outside of the dump is noted for one inside that talks to it.
        let outside =
            |file: &FileEntry| file.usk.as_ref().is_some_and(|socket| socket.uflags & EXTERN != 0);
        let only_open = |file: &&FileEntry| {
            !matches!(file.r#type, fd_type::REG | fd_type::MEMFD | fd_type::EXT) && !outside(file)
        };
        let held = |file: &&FileEntry| {
            !all.holders(file.r#type, file.id).is_empty() || sent.contains(&file.id)
        };
        let files = self.files.all();
        let lost = files.iter().copied().filter(only_open).filter(|file| !held(file)).count();
        for (pid, id) in without.iter().filter(|_| lost > 0) {
            let what =
                format!("no descriptors of process {pid}, and {lost} open files are nobody's");
            self.defects.missing(self.place(*id), what);
        }
    }

    /// Ids of the open files that wait in messages of sockets: they may be open nowhere else.
    fn sent(&self) -> HashSet<u32> {
        // What is wrong with the image is told where it is shown.
        let quiet = Defects::default();
        let packets = self.images.many::<SkPacketEntry>(ImageKind::SkQueues, None, &quiet);
        let messages = packets.into_iter().flatten().flat_map(|packet| packet.scm);
        messages.flat_map(|message| message.rights).collect()
    }

    /// Tells of a process whose table nothing names. An image of ids that is broken has been told.
    fn tell_unknown(&self, task: &Task) {
        let id = Some(u64::from(task.pid.0));
        if task.state.is_some() && !self.images.has(ImageKind::Ids, id) {
            let what = format!("nothing tells which descriptors are those of process {}", task.pid);
            self.defects.missing(self.images.place(ImageKind::Ids, id), what);
        }
    }

    fn place(&self, id: u32) -> String {
        self.images.place(ImageKind::Fdinfo, Some(u64::from(id)))
    }

    fn table(&self, id: u32) -> Vec<Descriptor> {
        let entries =
            self.images.many::<FdinfoEntry>(ImageKind::Fdinfo, Some(u64::from(id)), self.defects);
        let Some(entries) = entries else { return Vec::new() };
        let mut table: Vec<Descriptor> =
            entries.iter().map(|entry| self.descriptor(id, entry)).collect();
        table.sort_by_key(|descriptor| descriptor.fd);
        let mut seen = HashSet::new();
        let before = table.len();
        table.retain(|descriptor| seen.insert(descriptor.fd));
        if table.len() < before {
            let twice = before.saturating_sub(table.len());
            let what = format!("{twice} descriptor(s) are there twice; the first of each counts");
            self.defects.suspect(self.place(id), what);
        }
        table
    }

    fn descriptor(&self, table: u32, entry: &FdinfoEntry) -> Descriptor {
        let cloexec = entry.flags & FD_CLOEXEC != 0;
        let mut descriptor = Descriptor {
            fd: entry.fd,
            kind: DescriptorType::Unknown,
            target: None,
            pos: None,
            flags: None,
            cloexec,
            deleted: false,
            mount_id: None,
            selinux: entry.xattr_security_selinux.as_deref().map(Text::from),
            file_id: entry.id,
            fd_type: entry.r#type,
        };
        match self.files.get(entry.r#type, entry.id) {
            Some(file) => self.describe(&mut descriptor, file),
            None => {
                let what = format!(
                    "descriptor {} is file {} of type {}, which is not in the images",
                    entry.fd, entry.id, entry.r#type
                );
                self.defects.missing(self.place(table), what);
                descriptor.kind = type_of(entry.r#type);
            }
        }
        if cloexec {
            descriptor.flags = descriptor.flags.map(|flags| flags | O_CLOEXEC);
        }
        descriptor
    }

    /// What the file itself tells.
    fn describe(&self, descriptor: &mut Descriptor, file: &FileEntry) {
        descriptor.kind = type_of(file.r#type);
        descriptor.pos = Some(0);
        descriptor.flags = flags(file);
        descriptor.target = self.files.target(file);
        match file.r#type {
            fd_type::REG => {
                if let Some(reg) = &file.reg {
                    self.regular(descriptor, reg);
                }
            }
            fd_type::FIFO | fd_type::TTY | fd_type::TUNF => self.by_path(descriptor, file),
            fd_type::MEMFD => {
                descriptor.deleted = true;
                descriptor.pos = file.memfd.as_ref().map(|memfd| memfd.pos);
            }
            _ => {}
        }
    }

    fn regular(&self, descriptor: &mut Descriptor, reg: &RegFileEntry) {
        descriptor.pos = Some(reg.pos);
        // CRIU writes -1 where it does not know.
        descriptor.mount_id = reg.mnt_id.filter(|id| *id >= 0);
        descriptor.deleted = self.files.path(reg.id).is_some_and(|file| file.deleted);
        descriptor.kind = match reg.mode {
            Some(mode) => DescriptorType::of_mode(mode),
            // Before 2.x the image does not tell; the end of a path of a directory does not either.
            None => DescriptorType::Regular,
        };
        if matches!(self.files.remap(reg.id), Some(Remap::Unknown(..))) {
            let what = format!("file {} has lost its name in an unknown way", reg.id);
            let place = self.images.place(ImageKind::RemapFpath, None);
            self.defects.tell(crate::DefectKind::Unknown, place, what);
        }
    }

    /// What is reached by the path of another file of the table.
    fn by_path(&self, descriptor: &mut Descriptor, file: &FileEntry) {
        let reg = path_of(file).and_then(|id| self.files.get(fd_type::REG, id)?.reg.as_ref());
        if let Some(reg) = reg {
            let kind = descriptor.kind;
            self.regular(descriptor, reg);
            descriptor.kind = kind;
            descriptor.flags = descriptor.flags.or(Some(reg.flags));
        }
        let terminal = file.tty.as_ref().and_then(|tty| self.files.terminal(tty.tty_info_id));
        descriptor.deleted |= terminal.is_some_and(|terminal| self.files.hung_up(terminal));
    }
}

/// Flags of the open file; `None` for types whose image has none.
fn flags(file: &FileEntry) -> Option<u32> {
    match file.r#type {
        fd_type::REG => file.reg.as_ref().map(|file| file.flags),
        fd_type::PIPE => file.pipe.as_ref().map(|file| file.flags),
        fd_type::INETSK => file.isk.as_ref().map(|file| file.flags),
        fd_type::UNIXSK => file.usk.as_ref().map(|file| file.flags),
        fd_type::PACKETSK => file.psk.as_ref().map(|file| file.flags),
        fd_type::NETLINKSK => file.nlsk.as_ref().map(|file| file.flags),
        fd_type::EVENTFD => file.efd.as_ref().map(|file| file.flags),
        fd_type::EVENTPOLL => file.epfd.as_ref().map(|file| file.flags),
        fd_type::SIGNALFD => file.sgfd.as_ref().map(|file| file.flags),
        fd_type::TIMERFD => file.tfd.as_ref().map(|file| file.flags),
        fd_type::INOTIFY => file.ify.as_ref().map(|file| file.flags),
        fd_type::FANOTIFY => file.ffy.as_ref().map(|file| file.flags),
        fd_type::TTY => file.tty.as_ref().map(|file| file.flags),
        fd_type::NS => file.nsf.as_ref().map(|file| file.flags),
        fd_type::MEMFD => file.memfd.as_ref().map(|file| file.flags),
        fd_type::BPFMAP => file.bpf.as_ref().map(|file| file.flags),
        fd_type::PIDFD => file.pidfd.as_ref().map(|file| file.flags | O_RDWR),
        _ => None,
    }
}

/// What a type of CRIU's is, where that does not depend on the file.
fn type_of(kind: u32) -> DescriptorType {
    match kind {
        fd_type::REG => DescriptorType::Regular,
        fd_type::PIPE => DescriptorType::Pipe,
        fd_type::FIFO => DescriptorType::Fifo,
        fd_type::INETSK | fd_type::UNIXSK | fd_type::PACKETSK | fd_type::NETLINKSK => {
            DescriptorType::Socket
        }
        fd_type::TTY | fd_type::TUNF => DescriptorType::Character,
        fd_type::MEMFD => DescriptorType::Memfd,
        fd_type::EVENTFD
        | fd_type::EVENTPOLL
        | fd_type::INOTIFY
        | fd_type::SIGNALFD
        | fd_type::FANOTIFY
        | fd_type::NS
        | fd_type::TIMERFD
        | fd_type::BPFMAP
        | fd_type::PIDFD => DescriptorType::Anonymous,
        _ => DescriptorType::Unknown,
    }
}
