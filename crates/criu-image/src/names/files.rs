//! Files: descriptor types, open flags, seals, locks, terminals, notification masks.

use super::{
    FlagNames, MTYPE_AARCH64, MTYPE_ARM, MTYPE_MIPS, MTYPE_PPC64, flag_names, number_names,
};

number_names! {
    /// Descriptor and file types: `fd_types` of `criu/images/fdinfo.proto`.
    FD_TYPES, "fd type":
    0 => "UND", 1 => "REG", 2 => "PIPE", 3 => "FIFO", 4 => "INETSK", 5 => "UNIXSK", 6 => "EVENTFD", 7 => "EVENTPOLL",
    8 => "INOTIFY", 9 => "SIGNALFD", 10 => "PACKETSK", 11 => "TTY", 12 => "FANOTIFY", 13 => "NETLINKSK", 14 => "NS",
    15 => "TUNF", 16 => "EXT", 17 => "TIMERFD", 18 => "MEMFD", 19 => "BPFMAP", 20 => "PIDFD", 65534 => "CTL_TTY",
    65535 => "AUTOFS_PIPE",
}

flag_names! {
    /// Descriptor flags of `fdinfo_entry`.
    FD_FLAGS, "descriptor flags", zero "0": 0x1 => "FD_CLOEXEC",
}

number_names! {
    /// Access mode, the two low bits of the open flags.
    ACCESS_MODES, "access mode": 0 => "O_RDONLY", 1 => "O_WRONLY", 2 => "O_RDWR",
}

flag_names! {
    /// Open flags of x86, s390, riscv, loongarch: `include/uapi/asm-generic/fcntl.h`.
    OPEN_FLAGS, "open flags", zero "O_RDONLY", choice 0o3 of &ACCESS_MODES;
    0o4_010_000 => "O_SYNC", 0o20_200_000 => "O_TMPFILE", 0o100 => "O_CREAT", 0o200 => "O_EXCL", 0o400 => "O_NOCTTY",
    0o1_000 => "O_TRUNC", 0o2_000 => "O_APPEND", 0o4_000 => "O_NONBLOCK", 0o10_000 => "O_DSYNC",
    0o20_000 => "O_ASYNC", 0o40_000 => "O_DIRECT", 0o100_000 => "O_LARGEFILE", 0o200_000 => "O_DIRECTORY",
    0o400_000 => "O_NOFOLLOW", 0o1_000_000 => "O_NOATIME", 0o2_000_000 => "O_CLOEXEC", 0o10_000_000 => "O_PATH",
}

flag_names! {
    /// Open flags of arm and aarch64: four are permuted, `arch/arm64/include/uapi/asm/fcntl.h`.
    OPEN_FLAGS_ARM, "open flags", zero "O_RDONLY", choice 0o3 of &ACCESS_MODES;
    0o4_010_000 => "O_SYNC", 0o20_040_000 => "O_TMPFILE", 0o100 => "O_CREAT", 0o200 => "O_EXCL", 0o400 => "O_NOCTTY",
    0o1_000 => "O_TRUNC", 0o2_000 => "O_APPEND", 0o4_000 => "O_NONBLOCK", 0o10_000 => "O_DSYNC",
    0o20_000 => "O_ASYNC", 0o40_000 => "O_DIRECTORY", 0o100_000 => "O_NOFOLLOW", 0o200_000 => "O_DIRECT",
    0o400_000 => "O_LARGEFILE", 0o1_000_000 => "O_NOATIME", 0o2_000_000 => "O_CLOEXEC", 0o10_000_000 => "O_PATH",
}

flag_names! {
    /// Open flags of ppc64: `arch/powerpc/include/uapi/asm/fcntl.h`.
    OPEN_FLAGS_PPC64, "open flags", zero "O_RDONLY", choice 0o3 of &ACCESS_MODES;
    0o4_010_000 => "O_SYNC", 0o20_040_000 => "O_TMPFILE", 0o100 => "O_CREAT", 0o200 => "O_EXCL", 0o400 => "O_NOCTTY",
    0o1_000 => "O_TRUNC", 0o2_000 => "O_APPEND", 0o4_000 => "O_NONBLOCK", 0o10_000 => "O_DSYNC",
    0o20_000 => "O_ASYNC", 0o40_000 => "O_DIRECTORY", 0o100_000 => "O_NOFOLLOW", 0o200_000 => "O_LARGEFILE",
    0o400_000 => "O_DIRECT", 0o1_000_000 => "O_NOATIME", 0o2_000_000 => "O_CLOEXEC", 0o10_000_000 => "O_PATH",
}

flag_names! {
    /// Open flags of MIPS: `arch/mips/include/uapi/asm/fcntl.h`.
    OPEN_FLAGS_MIPS, "open flags", zero "O_RDONLY", choice 0o3 of &ACCESS_MODES;
    0x4010 => "O_SYNC", 0x41_0000 => "O_TMPFILE", 0x8 => "O_APPEND", 0x10 => "O_DSYNC", 0x80 => "O_NONBLOCK",
    0x100 => "O_CREAT", 0x200 => "O_TRUNC", 0x400 => "O_EXCL", 0x800 => "O_NOCTTY", 0x1000 => "O_ASYNC",
    0x2000 => "O_LARGEFILE", 0x8000 => "O_DIRECT", 0x1_0000 => "O_DIRECTORY", 0x2_0000 => "O_NOFOLLOW",
    0x4_0000 => "O_NOATIME", 0x8_0000 => "O_CLOEXEC", 0x20_0000 => "O_PATH",
}

/// Open flags of a machine (`core_entry.mtype`).
#[must_use]
pub fn open_flags(mtype: Option<u32>) -> &'static FlagNames {
    match mtype {
        Some(MTYPE_ARM | MTYPE_AARCH64) => &OPEN_FLAGS_ARM,
        Some(MTYPE_PPC64) => &OPEN_FLAGS_PPC64,
        Some(MTYPE_MIPS) => &OPEN_FLAGS_MIPS,
        _ => &OPEN_FLAGS,
    }
}

number_names! {
    /// How a deleted file is kept: `remap_type` of `criu/images/remap-file-path.proto`.
    REMAP_TYPES, "remap type": 0 => "LINKED", 1 => "GHOST", 2 => "PROCFS",
}

flag_names! {
    /// Seals of a memfd: `F_SEAL_*` of `include/uapi/linux/fcntl.h`.
    SEALS, "seals", zero "0":
    0x1 => "F_SEAL_SEAL", 0x2 => "F_SEAL_SHRINK", 0x4 => "F_SEAL_GROW", 0x8 => "F_SEAL_WRITE",
    0x10 => "F_SEAL_FUTURE_WRITE", 0x20 => "F_SEAL_EXEC",
}

flag_names! {
    /// Kinds of file locks: `criu/include/file-lock.h`.
    LOCK_FLAGS, "lock kind", zero "0": 0x1 => "POSIX", 0x2 => "FLOCK", 0x4 => "OFD", 0x8 => "LEASE",
}

number_names! {
    /// `F_*LCK` part of a lock type.
    LOCK_TYPE_NAMES, "lock type": 0 => "F_RDLCK", 1 => "F_WRLCK", 2 => "F_UNLCK",
}

flag_names! {
    /// Lock types with their additional bits.
    LOCK_TYPES, "lock type", zero "F_RDLCK", choice 0x3 of &LOCK_TYPE_NAMES;
    0x4 => "LEASE_BREAKING", 0x20 => "LOCK_MAND", 0x40 => "LOCK_READ", 0x80 => "LOCK_WRITE",
}

number_names! {
    /// Terminal kinds: `TtyType` of `criu/images/tty.proto`.
    TTY_TYPES, "terminal type":
    0 => "UNKNOWN", 1 => "PTY", 2 => "CONSOLE", 3 => "VT", 4 => "CTTY", 5 => "EXT_TTY", 6 => "SERIAL",
}

flag_names! {
    /// Events of `epoll`: `include/uapi/linux/eventpoll.h`.
    EPOLL_EVENTS, "epoll events", zero "0":
    0x1 => "EPOLLIN", 0x2 => "EPOLLPRI", 0x4 => "EPOLLOUT", 0x8 => "EPOLLERR", 0x10 => "EPOLLHUP",
    0x40 => "EPOLLRDNORM", 0x80 => "EPOLLRDBAND", 0x100 => "EPOLLWRNORM", 0x200 => "EPOLLWRBAND",
    0x400 => "EPOLLMSG", 0x2000 => "EPOLLRDHUP", 0x1000_0000 => "EPOLLEXCLUSIVE", 0x2000_0000 => "EPOLLWAKEUP",
    0x4000_0000 => "EPOLLONESHOT", 0x8000_0000 => "EPOLLET",
}

flag_names! {
    /// Events of inotify: `include/uapi/linux/inotify.h`.
    INOTIFY_MASK, "inotify events", zero "0":
    0x1 => "IN_ACCESS", 0x2 => "IN_MODIFY", 0x4 => "IN_ATTRIB", 0x8 => "IN_CLOSE_WRITE", 0x10 => "IN_CLOSE_NOWRITE",
    0x20 => "IN_OPEN", 0x40 => "IN_MOVED_FROM", 0x80 => "IN_MOVED_TO", 0x100 => "IN_CREATE", 0x200 => "IN_DELETE",
    0x400 => "IN_DELETE_SELF", 0x800 => "IN_MOVE_SELF", 0x2000 => "IN_UNMOUNT", 0x4000 => "IN_Q_OVERFLOW",
    0x8000 => "IN_IGNORED", 0x0100_0000 => "IN_ONLYDIR", 0x0200_0000 => "IN_DONT_FOLLOW",
    0x0400_0000 => "IN_EXCL_UNLINK", 0x2000_0000 => "IN_MASK_ADD", 0x4000_0000 => "IN_ISDIR",
    0x8000_0000 => "IN_ONESHOT",
}

flag_names! {
    /// Events of fanotify: `include/uapi/linux/fanotify.h`.
    FANOTIFY_MASK, "fanotify events", zero "0":
    0x1 => "FAN_ACCESS", 0x2 => "FAN_MODIFY", 0x4 => "FAN_ATTRIB", 0x8 => "FAN_CLOSE_WRITE",
    0x10 => "FAN_CLOSE_NOWRITE", 0x20 => "FAN_OPEN", 0x40 => "FAN_MOVED_FROM", 0x80 => "FAN_MOVED_TO",
    0x100 => "FAN_CREATE", 0x200 => "FAN_DELETE", 0x400 => "FAN_DELETE_SELF", 0x800 => "FAN_MOVE_SELF",
    0x1000 => "FAN_OPEN_EXEC", 0x4000 => "FAN_Q_OVERFLOW", 0x1_0000 => "FAN_OPEN_PERM",
    0x2_0000 => "FAN_ACCESS_PERM", 0x4_0000 => "FAN_OPEN_EXEC_PERM", 0x0800_0000 => "FAN_EVENT_ON_CHILD",
    0x4000_0000 => "FAN_ONDIR",
}

number_names! {
    /// What a fanotify mark watches: `mark_type` of `criu/images/fsnotify.proto`.
    FANOTIFY_MARK_TYPES, "fanotify mark": 1 => "INODE", 2 => "MOUNT",
}

flag_names! {
    /// `timerfd_settime` flags.
    TIMERFD_FLAGS, "timerfd flags", zero "0": 0x1 => "TFD_TIMER_ABSTIME", 0x2 => "TFD_TIMER_CANCEL_ON_SET",
}

number_names! {
    /// Map types of BPF: `include/uapi/linux/bpf.h`.
    BPF_MAP_TYPES, "BPF map type":
    0 => "UNSPEC", 1 => "HASH", 2 => "ARRAY", 3 => "PROG_ARRAY", 4 => "PERF_EVENT_ARRAY", 5 => "PERCPU_HASH",
    6 => "PERCPU_ARRAY", 7 => "STACK_TRACE", 8 => "CGROUP_ARRAY", 9 => "LRU_HASH", 10 => "LRU_PERCPU_HASH",
    11 => "LPM_TRIE", 12 => "ARRAY_OF_MAPS", 13 => "HASH_OF_MAPS", 14 => "DEVMAP", 15 => "SOCKMAP", 16 => "CPUMAP",
    17 => "XSKMAP", 18 => "SOCKHASH", 19 => "CGROUP_STORAGE", 20 => "REUSEPORT_SOCKARRAY",
    21 => "PERCPU_CGROUP_STORAGE", 22 => "QUEUE", 23 => "STACK", 24 => "SK_STORAGE", 25 => "DEVMAP_HASH",
    26 => "STRUCT_OPS", 27 => "RINGBUF", 28 => "INODE_STORAGE", 29 => "TASK_STORAGE", 30 => "BLOOM_FILTER",
    31 => "USER_RINGBUF", 32 => "CGRP_STORAGE", 33 => "ARENA",
}

/// Type letter and permissions of an `st_mode`, e.g. `-rwxr-xr-x`.
#[must_use]
pub fn mode_text(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o140_000 => 's',
        0o120_000 => 'l',
        0o100_000 => '-',
        0o060_000 => 'b',
        0o040_000 => 'd',
        0o020_000 => 'c',
        0o010_000 => 'p',
        _ => '?',
    };
    let mut text = String::from(kind);
    for (shift, special, set, unset) in
        [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = mode >> shift & 0o7;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}
