//! Descriptors and files: `fs-PID.img`, `fdinfo-N.img`, `files.img`, regular files, memfds, remaps, ghosts.

use super::{
    BpfmapFileEntry, EventfdFileEntry, EventpollFileEntry, FanotifyFileEntry, FifoEntry,
    InetSkEntry, InotifyFileEntry, NetlinkSkEntry, PacketSockEntry, PidfdEntry, PipeEntry,
    SignalfdEntry, TimerfdEntry, Timeval, TtyFileEntry, TunfileEntry, UnixSkEntry,
};
use crate::message::message;
use crate::names;

message! {
    /// Directories of a task. Source: `criu/images/fs.proto`.
    FsEntry = "fs_entry" {
        /// File id of the current directory.
        cwd_id: required uint32 = 1,
        /// File id of the root directory.
        root_id: required uint32 = 2,
        /// File mode creation mask.
        umask: optional uint32 = 3 [octal],
    }

    /// One descriptor of a descriptor table. Source: `criu/images/fdinfo.proto`.
    FdinfoEntry = "fdinfo_entry" {
        /// Id of the open file, with `type` the key of [`FileEntry`].
        id: required uint32 = 1,
        /// `FD_CLOEXEC` or nothing.
        flags: required uint32 = 2 [flags(&names::FD_FLAGS)],
        /// Kind of the open file.
        r#type: required uint32 = 3 [names(&names::FD_TYPES)],
        /// Descriptor number.
        fd: required uint32 = 4,
        /// SELinux label of the file.
        xattr_security_selinux: optional string = 5,
    }

    /// An open file: the key (`type`, `id`) and one message by its type. Source: `criu/images/fdinfo.proto`.
    FileEntry = "file_entry" {
        /// Which of the messages is present.
        r#type: required uint32 = 1 [names(&names::FD_TYPES)],
        /// Id, unique within a type only.
        id: required uint32 = 2,
        /// Regular file, directory, device.
        reg: optional message(RegFileEntry) = 3,
        /// Internet socket.
        isk: optional message(InetSkEntry) = 4,
        /// Namespace file.
        nsf: optional message(NsFileEntry) = 5,
        /// Packet socket.
        psk: optional message(PacketSockEntry) = 6,
        /// Netlink socket.
        nlsk: optional message(NetlinkSkEntry) = 7,
        /// Eventfd.
        efd: optional message(EventfdFileEntry) = 8,
        /// Epoll.
        epfd: optional message(EventpollFileEntry) = 9,
        /// Signalfd.
        sgfd: optional message(SignalfdEntry) = 10,
        /// TUN or TAP.
        tunf: optional message(TunfileEntry) = 11,
        /// Timerfd.
        tfd: optional message(TimerfdEntry) = 12,
        /// Inotify.
        ify: optional message(InotifyFileEntry) = 13,
        /// Fanotify.
        ffy: optional message(FanotifyFileEntry) = 14,
        /// Owned by a plugin.
        ext: optional message(ExtFileEntry) = 15,
        /// Unix socket.
        usk: optional message(UnixSkEntry) = 16,
        /// Named pipe.
        fifo: optional message(FifoEntry) = 17,
        /// Pipe.
        pipe: optional message(PipeEntry) = 18,
        /// Terminal.
        tty: optional message(TtyFileEntry) = 19,
        /// Memfd.
        memfd: optional message(MemfdFileEntry) = 20,
        /// BPF map.
        bpf: optional message(BpfmapFileEntry) = 21,
        /// Pidfd (since 4.1).
        pidfd: optional message(PidfdEntry) = 22,
    }

    /// Who gets the signals of asynchronous input and output; all zero when nobody. Source: `criu/images/fown.proto`.
    FownEntry = "fown_entry" {
        /// User that set it.
        uid: required uint32 = 1,
        /// Effective user that set it.
        euid: required uint32 = 2,
        /// Signal instead of SIGIO.
        signum: required uint32 = 3 [signal],
        /// Whether `pid` is a thread, process or group.
        pid_type: required uint32 = 4,
        /// Who.
        pid: required uint32 = 5,
    }

    /// A regular file, directory or device by path. Source: `criu/images/regfile.proto`.
    RegFileEntry = "reg_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// File position, bytes.
        pos: required uint64 = 3,
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 5,
        /// Path from the root of the mount namespace. Deleted files keep theirs, without suffix.
        name: required string = 6,
        /// Mount, an id of [`MntEntry`](super::MntEntry). Absent is -1: unknown.
        mnt_id: optional sint32 = 7,
        /// Bytes when dumped.
        size: optional uint64 = 8,
        /// Outside of the container; `name` is then a key such as `file[mnt:ino]`.
        ext: optional bool = 9,
        /// `st_mode`.
        mode: optional uint32 = 10 [octal],
        /// ELF build id, words of the file read by the dumping host.
        build_id: repeated uint32 = 11 [hex],
        /// CRC32C of the content.
        checksum: optional uint32 = 12 [hex],
        /// Which bytes it covers.
        checksum_config: optional uint32 = 13,
        /// Argument of that choice.
        checksum_parameter: optional uint32 = 14,
    }

    /// A file that a plugin owns. Source: `criu/images/ext-file.proto`.
    ExtFileEntry = "ext_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 5,
    }

    /// An open `/proc/PID/ns/` file. Source: `criu/images/ns.proto`.
    NsFileEntry = "ns_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// CRIU's id of the namespace.
        ns_id: required uint32 = 2,
        /// Which kind of namespace.
        ns_cflag: required uint32 = 3 [names(&names::NAMESPACES)],
        /// Open flags.
        flags: required uint32 = 4 [open_flags],
    }

    /// An open memfd. Source: `criu/images/memfd.proto`.
    MemfdFileEntry = "memfd_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// File position, bytes.
        pos: required uint64 = 3,
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 4,
        /// [`MemfdInodeEntry::inode_id`] of its content.
        inode_id: required uint32 = 5,
    }

    /// Content of memfds, also of shared anonymous memory. Source: `criu/images/memfd.proto`.
    MemfdInodeEntry = "memfd_inode_entry" {
        /// Name without `/memfd:`; `/dev/zero` is shared anonymous memory.
        name: required string = 1,
        /// Owner.
        uid: required uint32 = 2,
        /// Group.
        gid: required uint32 = 3,
        /// Bytes, not always whole pages.
        size: required uint64 = 4,
        /// Names `pagemap-shmem-N.img`.
        shmid: required uint32 = 5,
        /// Seals.
        seals: required uint32 = 6 [flags(&names::SEALS)],
        /// Key, see [`MemfdFileEntry::inode_id`].
        inode_id: required uint64 = 7,
        /// `MFD_HUGETLB` and the page size.
        hugetlb_flag: optional uint32 = 8 [hex],
        /// `st_mode`.
        mode: optional uint32 = 9 [octal],
    }

    /// How CRIU reaches a file whose path is gone. Source: `criu/images/remap-file-path.proto`.
    RemapFilePathEntry = "remap_file_path_entry" {
        /// File id of the deleted file.
        orig_id: required uint32 = 1,
        /// By type: file id of a hard link, number of a ghost file (hexadecimal in its name), pid of a dead task.
        /// In dumps without a type, bit 31 says ghost.
        remap_id: required uint32 = 2,
        /// Kind of remap.
        remap_type: optional uint32 = 3 [names(&names::REMAP_TYPES)],
    }

    /// A deleted file that is still open; its content follows. Source: `criu/images/ghost-file.proto`.
    GhostFileEntry = "ghost_file_entry" {
        /// Owner.
        uid: required uint32 = 1,
        /// Group.
        gid: required uint32 = 2,
        /// `st_mode`, with the type.
        mode: required uint32 = 3 [octal],
        /// Device it was on.
        dev: optional uint32 = 4 [dev],
        /// Inode number.
        ino: optional uint64 = 5,
        /// Device it is, for device nodes.
        rdev: optional uint32 = 6 [odev],
        /// Last access.
        atim: optional message(Timeval) = 7,
        /// Last modification.
        mtim: optional message(Timeval) = 8,
        /// The content follows as chunks, not as the rest of the file.
        chunks: optional bool = 9,
        /// Bytes of the content.
        size: optional uint64 = 10,
        /// Target of a symbolic link.
        symlnk_target: optional string = 11,
    }

    /// A piece of a ghost file; `len` bytes follow. Source: `criu/images/ghost-file.proto`.
    GhostChunkEntry = "ghost_chunk_entry" {
        /// Bytes.
        len: required uint64 = 1,
        /// Where they belong in the file.
        off: required uint64 = 2,
    }
}

impl RemapFilePathEntry {
    /// Kind and number of the remap; dumps without a type mark ghosts by bit 31 of the number.
    #[must_use]
    pub fn target(&self) -> (u32, u32) {
        const OLD_GHOST: u32 = 1 << 31;
        match self.remap_type {
            Some(kind) => (kind, self.remap_id),
            None if self.remap_id & OLD_GHOST != 0 => (1, self.remap_id & !OLD_GHOST),
            None => (0, self.remap_id),
        }
    }
}
