//! Host name, time, user and pid namespaces.

use super::BinfmtMiscEntry;
use crate::message::message;

message! {
    /// Host name. Source: `criu/images/utsns.proto`.
    UtsnsEntry = "utsns_entry" {
        /// Node name.
        nodename: required string = 1,
        /// NIS domain; `(none)` is usual.
        domainname: required string = 2,
    }

    /// Clocks of a time namespace: readings at the dump, in spite of the name. Source: `criu/images/timens.proto`.
    TimensEntry = "timens_entry" {
        /// `CLOCK_MONOTONIC`.
        monotonic: required message(Timespec) = 1,
        /// `CLOCK_BOOTTIME`.
        boottime: required message(Timespec) = 2,
    }

    /// A time of nanoseconds. Source: `criu/images/timens.proto`.
    Timespec = "timespec" {
        /// Seconds.
        tv_sec: required uint64 = 1,
        /// Nanoseconds.
        tv_nsec: required uint64 = 2,
    }

    /// Id maps of a user namespace. Source: `criu/images/userns.proto`.
    UsernsEntry = "userns_entry" {
        /// Users.
        uid_map: repeated message(UidGidExtent) = 1,
        /// Groups.
        gid_map: repeated message(UidGidExtent) = 2,
        /// Binary formats registered in it (after 4.2).
        binfmt_misc: repeated message(BinfmtMiscEntry) = 3,
    }

    /// A range of ids. Source: `criu/images/userns.proto`.
    UidGidExtent = "uid_gid_extent" {
        /// First id inside.
        first: required uint32 = 1,
        /// First id outside.
        lower_first: required uint32 = 2,
        /// Ids.
        count: required uint32 = 3,
    }

    /// A pid namespace from outside. Source: `criu/images/pidns.proto`.
    PidnsEntry = "pidns_entry" {
        /// Key that the engine gave.
        ext_key: optional string = 1,
    }
}
