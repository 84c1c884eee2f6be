//! Files that carry events: eventfd, epoll, signalfd, timerfd, pidfd; BPF maps.

use super::FownEntry;
use crate::message::message;
use crate::names;

message! {
    /// An eventfd. Source: `criu/images/eventfd.proto`.
    EventfdFileEntry = "eventfd_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 3,
        /// Its counter.
        counter: required uint64 = 4,
    }

    /// An epoll instance. Source: `criu/images/eventpoll.proto`.
    EventpollFileEntry = "eventpoll_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 3,
        /// What it watches; in `eventpoll-tfd.img` in old dumps.
        tfd: repeated message(EventpollTfdEntry) = 4,
    }

    /// A file watched by epoll. Source: `criu/images/eventpoll.proto`.
    EventpollTfdEntry = "eventpoll_tfd_entry" {
        /// File id of the epoll instance; 0 when inline.
        id: required uint32 = 1,
        /// Descriptor number in the owning task.
        tfd: required uint32 = 2,
        /// Events.
        events: required uint32 = 3 [flags(&names::EPOLL_EVENTS)],
        /// Value handed back.
        data: required uint64 = 4 [hex],
        /// Device of the file.
        dev: optional uint32 = 5 [dev],
        /// Inode of the file.
        inode: optional uint64 = 6,
        /// Position in the file.
        pos: optional uint64 = 7,
    }

    /// A signalfd. Source: `criu/images/signalfd.proto`.
    SignalfdEntry = "signalfd_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 3,
        /// Signals it reads.
        sigmask: required uint64 = 4 [signal_set],
    }

    /// A timerfd. Source: `criu/images/timerfd.proto`.
    TimerfdEntry = "timerfd_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 3,
        /// Clock.
        clockid: required uint32 = 4 [names(&names::CLOCKS)],
        /// Ends not read.
        ticks: required uint64 = 5,
        /// How it was set.
        settime_flags: required uint32 = 6 [flags(&names::TIMERFD_FLAGS)],
        /// Time left, seconds.
        vsec: required uint64 = 7,
        /// Time left, nanoseconds.
        vnsec: required uint64 = 8,
        /// Interval, seconds.
        isec: required uint64 = 9,
        /// Interval, nanoseconds.
        insec: required uint64 = 10,
    }

    /// A pidfd (since 4.1). Source: `criu/images/pidfd.proto`.
    PidfdEntry = "pidfd_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Inode of pidfs.
        ino: required uint32 = 2,
        /// Open flags.
        flags: required uint32 = 3 [open_flags],
        /// Pid in the namespace; -1 when the process is gone.
        nspid: required int32 = 4,
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 5,
    }

    /// An open BPF map. Source: `criu/images/bpfmap-file.proto`.
    BpfmapFileEntry = "bpfmap_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// File position.
        pos: required uint64 = 3,
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 4,
        /// Kind of map.
        map_type: required uint32 = 5 [names(&names::BPF_MAP_TYPES)],
        /// Bytes of a key.
        key_size: required uint32 = 6,
        /// Bytes of a value.
        value_size: required uint32 = 7,
        /// The map, see [`BpfmapDataEntry`].
        map_id: required uint32 = 8,
        /// Most entries.
        max_entries: required uint32 = 9,
        /// Flags of its creation.
        map_flags: required uint32 = 10 [hex],
        /// Locked memory, bytes.
        memlock: required uint64 = 11,
        /// Read only from user space.
        frozen: required bool = 12,
        /// Name, at most 15 bytes.
        map_name: required string = 13,
        /// Interface it is offloaded to.
        ifindex: required uint32 = 14,
        /// Mount.
        mnt_id: optional sint32 = 15,
        /// Additional argument of its creation.
        map_extra: optional uint64 = 16 [hex],
    }

    /// Content of a BPF map; the keys, then the values follow. Source: `criu/images/bpfmap-data.proto`.
    BpfmapDataEntry = "bpfmap_data_entry" {
        /// The map.
        map_id: required uint32 = 1,
        /// Bytes of all keys.
        keys_bytes: required uint32 = 2,
        /// Bytes of all values.
        values_bytes: required uint32 = 3,
        /// Pairs.
        count: required uint32 = 4,
    }
}
