//! Everything in a checkpoint that can be had as a file.
//!
//! | origin | where its bytes are |
//! |---|---|
//! | [`RootfsDiff`](Origin::RootfsDiff) | members of `rootfs-diff.tar` |
//! | [`Tmpfs`](Origin::Tmpfs), [`DevShm`](Origin::DevShm) | members of `tmpfs-dev-N.tar.gz.img` and `devshm-checkpoint.tar` |
//! | [`Volume`](Origin::Volume) | members of `volumes/NAME.tar` |
//! | [`Ghost`](Origin::Ghost) | `ghost-file-X.img` |
//! | [`Memfd`](Origin::Memfd), [`Shm`](Origin::Shm), [`SysvShm`](Origin::SysvShm) | `pagemap-shmem-N.img` and its pages |
//! | [`Pipe`](Origin::Pipe) | `pipes-data.img`, `fifo-data.img` |
//! | [`SocketQueue`](Origin::SocketQueue), [`TcpQueue`](Origin::TcpQueue) | `sk-queues.img`, `tcp-stream-X.img` |
//! | [`Tty`](Origin::Tty) | `tty-data.img` |
//! | [`Log`](Origin::Log) | the container's log, as its engine archived it |
//! | [`Exe`](Origin::Exe) | one of the others, which a process runs |
//!
//! Files that exist and are empty are listed; queues without a byte in them are not. Directories, links and devices have
//! no content and are no artifacts, but an [`Entry`] of their own.
//!
//! # Limits
//!
//! Contents are slices of the evidence, given piece by piece. A compressed archive inside the evidence unpacks to the
//! spool, to at most [`MAX_UNPACKED`] bytes each and never beyond the room on its file system. Of holes, which cost the
//! evidence nothing, at most [`MAX_HOLES`] bytes in sum are granted; an artifact that claims more has
//! neither hash nor file. Hard links to a file are listed as the [same](Artifact::same_as), so that repeating one
//! multiplies nothing.

mod content;
mod deleted;
mod executables;
mod logs;
mod owners;
mod queues;
mod shared;
mod times;
mod trees;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

pub use content::{ArtifactContent, Hashing};
pub use owners::{Hold, Holder};
pub use trees::MAX_UNPACKED;

use crate::{Checkpoint, DefectKind, FileCapabilities, FileType, Pid, Sender, Text};
use owners::Owners;

/// Bytes of holes that the artifacts of a checkpoint may have in sum. More are neither hashed nor written.
pub const MAX_HOLES: u64 = 64 << 30;

/// Where the bytes of an artifact come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// Written or changed in the container's root file system.
    RootfsDiff,
    /// A file of a tmpfs of the container.
    Tmpfs,
    /// A file of `/dev/shm`: POSIX shared memory.
    DevShm,
    /// A deleted file that was still open, mapped or run.
    Ghost,
    /// `memfd_create(2)`.
    Memfd,
    /// Shared anonymous memory.
    Shm,
    /// A System V shared memory segment.
    SysvShm,
    /// A file of a named volume.
    Volume,
    /// Unread bytes of a pipe or named pipe.
    Pipe,
    /// Messages waiting in a unix socket.
    SocketQueue,
    /// One direction of a TCP connection.
    TcpQueue,
    /// Unread bytes of a terminal.
    Tty,
    /// The container's log.
    Log,
    /// A program that a process runs.
    Exe,
}

impl Origin {
    /// All of them, in the order in which artifacts are listed.
    pub const ALL: [Self; 14] = [
        Self::RootfsDiff,
        Self::Tmpfs,
        Self::DevShm,
        Self::Volume,
        Self::Ghost,
        Self::Memfd,
        Self::Shm,
        Self::SysvShm,
        Self::Pipe,
        Self::SocketQueue,
        Self::TcpQueue,
        Self::Tty,
        Self::Log,
        Self::Exe,
    ];

    /// The word in JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RootfsDiff => "rootfs-diff",
            Self::Tmpfs => "tmpfs",
            Self::DevShm => "dev-shm",
            Self::Ghost => "ghost",
            Self::Memfd => "memfd",
            Self::Shm => "shm",
            Self::SysvShm => "sysv-shm",
            Self::Volume => "volume",
            Self::Pipe => "pipe",
            Self::SocketQueue => "socket-queue",
            Self::TcpQueue => "tcp-queue",
            Self::Tty => "tty",
            Self::Log => "log",
            Self::Exe => "exe",
        }
    }
}

/// Something that can be had as a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Artifact {
    /// Names it: letters, digits and dashes, the same for the same evidence.
    pub id: String,
    /// Where its bytes come from.
    pub origin: Origin,
    /// Its path in the container; for what has no path, the kernel's word for it (`pipe:[250880]`, `socket:[251658]`,
    /// `/memfd:name`, `/SYSV0000002a`). Deleted files have theirs without ` (deleted)`.
    pub path: Option<Text>,
    /// Bytes. What it claims: sparse content can claim exabytes.
    pub size: u64,
    /// Bytes of it that are holes.
    pub holes: u64,
    /// Permission bits, `0o7777`.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Last modification.
    pub mtime: Option<Timestamp>,
    /// Last access.
    pub atime: Option<Timestamp>,
    /// Last change of the inode.
    pub ctime: Option<Timestamp>,
    /// The image or archive that holds its bytes, safe for a terminal.
    pub source: Arc<str>,
    /// Processes that use it, the one to name first.
    pub holders: Vec<Holder>,
    /// Id of the artifact that has the same bytes because it is the same file.
    pub same_as: Option<String>,
    /// What only some origins have.
    pub details: Option<Box<Details>>,
    /// Its bytes; `None` where it claims too many holes.
    content: Option<ArtifactContent>,
}

impl Artifact {
    fn new(
        id: String,
        origin: Origin,
        source: impl Into<Arc<str>>,
        content: ArtifactContent,
    ) -> Self {
        Self {
            id,
            origin,
            path: None,
            size: content.size(),
            holes: content.holes(),
            mode: None,
            uid: None,
            gid: None,
            mtime: None,
            atime: None,
            ctime: None,
            source: source.into(),
            holders: Vec::new(),
            same_as: None,
            details: None,
            content: Some(content),
        }
    }

    /// The process to name with it.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.holders.first().map(|holder| holder.pid)
    }

    /// That process's descriptor.
    #[must_use]
    pub fn fd(&self) -> Option<u32> {
        self.holders.first().and_then(Holder::fd)
    }

    /// Its bytes; `None` when it claims more holes than are granted.
    #[must_use]
    pub fn content(&self) -> Option<&ArtifactContent> {
        self.content.as_ref()
    }
}

/// What an archived file system holds that has no content: a directory, a symbolic link, a device, a named pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The file system: [`Origin::RootfsDiff`], [`Origin::Tmpfs`], [`Origin::DevShm`] or [`Origin::Volume`].
    pub origin: Origin,
    /// Its path in the container.
    pub path: Text,
    /// What it is.
    pub kind: FileType,
    /// Permission bits, `0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Last modification; `None` when it is in no calendar.
    pub mtime: Option<Timestamp>,
    /// Last access.
    pub atime: Option<Timestamp>,
    /// Last change of the inode.
    pub ctime: Option<Timestamp>,
    /// Target of a symbolic link.
    pub target: Option<Text>,
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// The archive that holds it, safe for a terminal.
    pub source: Arc<str>,
}

/// What only some origins have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Details {
    /// Further paths of the same file.
    pub also: Vec<Text>,
    /// The capabilities that the file gives to whoever runs it.
    pub capabilities: Option<FileCapabilities>,
    /// The messages that the content is made of, in the order of their arrival.
    pub messages: Vec<Message>,
    /// Whose TCP queue it is.
    pub tcp: Option<TcpQueue>,
    /// Target of the socket, named pipe or terminal, where `path` is not it.
    pub name: Option<Text>,
    /// Paths that the file had and that were removed while it was open: `path` is a link that CRIU made to keep it.
    pub deleted_paths: Vec<Text>,
}

/// A message in the queue of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Bytes.
    pub size: u64,
    /// Files that were sent with it (`SCM_RIGHTS`) and that no process has open by it: what they are, as `/proc` says it.
    pub rights: Vec<Text>,
    /// Who sent it, where CRIU noted it.
    pub sender: Option<Sender>,
}

/// A direction of a TCP connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpQueue {
    /// Received and not read, or sent and not acknowledged.
    pub direction: Direction,
    /// Local address; `None` when no socket of the dump has the queue.
    pub local: Option<SocketAddr>,
    /// Remote address.
    pub remote: Option<SocketAddr>,
    /// Sequence number of the first byte.
    pub first: u32,
    /// Sequence number after the last byte.
    pub next: u32,
    /// Bytes at the end that were never sent.
    pub unsent: u32,
}

/// Which queue of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Received, acknowledged by the kernel, not read by the program.
    Received,
    /// Written by the program, not acknowledged by the peer.
    Sent,
}

impl Direction {
    /// The word in ids and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Received => "recv",
            Self::Sent => "send",
        }
    }
}

/// The artifacts of a checkpoint.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Artifacts {
    /// In the order of [`Origin::ALL`], those of one origin in the order of the evidence.
    pub list: Vec<Artifact>,
    /// What the archived file systems hold besides files, in the order of the evidence.
    pub entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
}

impl Artifacts {
    /// The artifact of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Artifact> {
        self.list.get(*self.by_id.get(id)?)
    }

    /// Makes ids unique (hostile images repeat theirs), grants holes, sorts.
    fn settle(checkpoint: &Checkpoint, mut list: Vec<Artifact>) -> Self {
        let rank = |origin| Origin::ALL.iter().position(|known| *known == origin);
        list.sort_by_key(|artifact| rank(artifact.origin));
        let mut by_id: HashMap<String, usize> = HashMap::new();
        let mut granted = MAX_HOLES;
        for (index, artifact) in list.iter_mut().enumerate() {
            if by_id.contains_key(&artifact.id) {
                artifact.id = format!("{}-again-{index}", artifact.id);
            }
            by_id.insert(artifact.id.clone(), index);
            if artifact.same_as.is_some() {
                continue;
            }
            match granted.checked_sub(artifact.holes) {
                Some(left) => granted = left,
                None => artifact.content = None,
            }
        }
        let refused: HashSet<String> =
            list.iter().filter(|one| one.content.is_none()).map(|one| one.id.clone()).collect();
        for artifact in &mut list {
            if artifact.same_as.as_ref().is_some_and(|same| refused.contains(same)) {
                artifact.content = None;
            }
            if artifact.content.is_none() {
                let what = format!(
                    "{}: claims {} bytes, {} of them in holes; more than {} GiB of holes in sum are not read",
                    artifact.id,
                    artifact.size,
                    artifact.holes,
                    MAX_HOLES >> 30
                );
                checkpoint.tell(DefectKind::Suspect, artifact.source.as_ref(), what);
            }
        }
        Self { list, entries: Vec::new(), by_id }
    }
}

impl Checkpoint {
    /// Everything that can be had as a file. Archives inside the evidence are opened with `options`, compressed ones
    /// unpack to its spool; nothing else is read until a content is asked for.
    #[must_use]
    pub fn artifacts(&self, options: &ckpt_archive::Options) -> Artifacts {
        let owners = Owners::of(self);
        let (mut list, mut entries) = (Vec::new(), Vec::new());
        trees::find(self, &owners, options, &mut list, &mut entries);
        self.mark_links(&mut list, |files| owners.files(files));
        logs::find(self, &mut list);
        if let Some(images) = self.images() {
            deleted::find(self, images, &owners, &mut list);
            shared::find(self, images, &owners, &mut list);
            queues::find(self, images, &owners, &mut list);
        }
        executables::find(self, &mut list);
        Artifacts { entries, ..Artifacts::settle(self, list) }
    }
}
