//! What is behind a descriptor: counters, watches, timers, terminals and so on.

use criu_image::messages::{
    BpfmapFileEntry, EventpollTfdEntry, FanotifyFileEntry, FileEntry, InotifyWdEntry,
    MemfdInodeEntry, NsFileEntry, RegFileEntry, TimerfdEntry, TtyInfoEntry, TunfileEntry,
};

use crate::fds::Descriptor;
use crate::files::{Remap, fd_type};
use crate::{Checkpoint, Pid, Text};

/// What the images know of an open file beyond its descriptor. Raw messages where nothing needs to be joined.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Details<'a> {
    /// Nothing more.
    None,
    /// A file with a path.
    File {
        /// Mode, size, build id.
        reg: &'a RegFileEntry,
        /// How it is kept when it has lost its name.
        remap: Option<Remap>,
    },
    /// One end of a pipe or named pipe: its inode.
    Pipe(u32),
    /// A socket.
    Socket(&'a FileEntry),
    /// `eventfd`: its counter. Whether it is a semaphore is in no image.
    Eventfd {
        /// The counter.
        counter: u64,
    },
    /// `epoll`: what it watches; [`Checkpoint::watched`] tells what each is now.
    Epoll(&'a [EventpollTfdEntry]),
    /// `signalfd`: the signals that it takes, bit n-1 for signal n.
    Signalfd(u64),
    /// `timerfd`.
    Timerfd(&'a TimerfdEntry),
    /// `inotify`: what it watches.
    Inotify(&'a [InotifyWdEntry]),
    /// `fanotify`: what it watches.
    Fanotify(&'a FanotifyFileEntry),
    /// A terminal.
    Terminal(&'a TtyInfoEntry),
    /// A namespace: its kind as a `CLONE_NEW*` number and CRIU's small id.
    Namespace(&'a NsFileEntry),
    /// A TUN or TAP device.
    Tun(&'a TunfileEntry),
    /// A file in memory.
    Memfd(&'a MemfdInodeEntry),
    /// A process: its pid in the container, `None` when it had been reaped.
    Pidfd(Option<Pid>),
    /// A BPF map.
    BpfMap(&'a BpfmapFileEntry),
    /// Kept by a plugin of CRIU; nothing more is known of it.
    External,
}

impl Checkpoint {
    /// What is behind a descriptor.
    #[must_use]
    pub fn details(&self, descriptor: &Descriptor) -> Details<'_> {
        let files = self.files();
        let file = files.get(descriptor.fd_type, descriptor.file_id);
        let details = file.and_then(|file| match file.r#type {
            fd_type::REG => {
                let reg = file.reg.as_ref()?;
                Some(Details::File { reg, remap: files.remap(reg.id) })
            }
            fd_type::PIPE => Some(Details::Pipe(file.pipe.as_ref()?.pipe_id)),
            fd_type::FIFO => Some(Details::Pipe(file.fifo.as_ref()?.pipe_id)),
            fd_type::INETSK | fd_type::UNIXSK | fd_type::PACKETSK | fd_type::NETLINKSK => {
                Some(Details::Socket(file))
            }
            fd_type::EVENTFD => Some(Details::Eventfd { counter: file.efd.as_ref()?.counter }),
            fd_type::EVENTPOLL => Some(Details::Epoll(&file.epfd.as_ref()?.tfd)),
            fd_type::SIGNALFD => Some(Details::Signalfd(file.sgfd.as_ref()?.sigmask)),
            fd_type::TIMERFD => Some(Details::Timerfd(file.tfd.as_ref()?)),
            fd_type::INOTIFY => Some(Details::Inotify(&file.ify.as_ref()?.wd)),
            fd_type::FANOTIFY => Some(Details::Fanotify(file.ffy.as_ref()?)),
            fd_type::TTY => {
                Some(Details::Terminal(files.terminal(file.tty.as_ref()?.tty_info_id)?))
            }
            fd_type::NS => Some(Details::Namespace(file.nsf.as_ref()?)),
            fd_type::TUNF => Some(Details::Tun(file.tunf.as_ref()?)),
            fd_type::MEMFD => Some(Details::Memfd(files.memfd_inode(file.id)?)),
            fd_type::PIDFD => {
                let pid = file.pidfd.as_ref()?.nspid;
                Some(Details::Pidfd(u32::try_from(pid).ok().map(Pid)))
            }
            fd_type::BPFMAP => Some(Details::BpfMap(file.bpf.as_ref()?)),
            fd_type::EXT => Some(Details::External),
            _ => None,
        });
        details.unwrap_or(Details::None)
    }

    /// What a process has open at the number that an `epoll` of its watches. It was that number when the watch was added; the
    /// descriptor may have been closed or used again since.
    #[must_use]
    pub fn watched(&self, pid: Pid, watch: &EventpollTfdEntry) -> Option<&Text> {
        self.descriptors().get(pid, watch.tfd)?.target.as_ref()
    }

    /// The files that a process maps, each path once, in the order of their addresses.
    #[must_use]
    pub fn mapped_files(&self, pid: Pid) -> Vec<crate::FileRef> {
        /// Mappings of files: `VMA_FILE_PRIVATE` and `VMA_FILE_SHARED` of `criu/include/image.h`.
        const FILE: u32 = 1 << 6 | 1 << 7;
        let mut seen = std::collections::HashSet::new();
        let mm = self.processes().get(pid).and_then(|task| task.mm.as_deref());
        let vmas = mm.into_iter().flat_map(|mm| &mm.vmas).filter(|vma| vma.status & FILE != 0);
        let ids = vmas.filter_map(|vma| u32::try_from(vma.shmid).ok());
        let fresh: Vec<u32> = ids.filter(|id| seen.insert(*id)).collect();
        let mut paths = std::collections::HashSet::new();
        let files = fresh.into_iter().filter_map(|id| self.files().path(id));
        files.filter(|file| paths.insert(file.path.clone())).collect()
    }
}
