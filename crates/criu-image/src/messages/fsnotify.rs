//! Inotify and fanotify, file handles, `irmap-cache`, autofs.

use super::FownEntry;
use crate::message::message;
use crate::names;

message! {
    /// An inotify instance. Source: `criu/images/fsnotify.proto`.
    InotifyFileEntry = "inotify_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 4,
        /// What it watches; in `inotify-wd.img` in old dumps.
        wd: repeated message(InotifyWdEntry) = 5,
    }

    /// A watched inode. Source: `criu/images/fsnotify.proto`.
    InotifyWdEntry = "inotify_wd_entry" {
        /// File id of the inotify instance.
        id: required uint32 = 1,
        /// Inode number.
        i_ino: required uint64 = 2,
        /// Events.
        mask: required uint32 = 3 [flags(&names::INOTIFY_MASK)],
        /// Events ignored.
        ignored_mask: required uint32 = 4 [flags(&names::INOTIFY_MASK)],
        /// Device of the inode.
        s_dev: required uint32 = 5 [dev],
        /// Watch descriptor.
        wd: required uint32 = 6,
        /// Handle of the inode.
        f_handle: required message(FhEntry) = 7,
    }

    /// A file handle of `name_to_handle_at(2)`. Source: `criu/images/fh.proto`.
    FhEntry = "fh_entry" {
        /// Bytes of the handle.
        bytes: required uint32 = 1,
        /// Its kind, by filesystem.
        r#type: required uint32 = 2,
        /// Its words, padded with zeros to 16.
        handle: repeated uint64 = 3 [hex],
        /// Path that CRIU found for it.
        path: optional string = 4,
        /// Mount.
        mnt_id: optional uint32 = 5,
    }

    /// A path found by inode, in `irmap-cache`. Source: `criu/images/fh.proto`.
    IrmapCacheEntry = "irmap_cache_entry" {
        /// Device.
        dev: required uint32 = 1 [odev],
        /// Inode number.
        inode: required uint64 = 2,
        /// Path.
        path: required string = 3,
    }

    /// A fanotify instance. Source: `criu/images/fsnotify.proto`.
    FanotifyFileEntry = "fanotify_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Open flags.
        flags: required uint32 = 2 [open_flags],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 3,
        /// Flags of `fanotify_init(2)`.
        faflags: required uint32 = 4 [hex],
        /// Open flags of the descriptors it hands out.
        evflags: required uint32 = 5 [open_flags],
        /// What it watches; in `fanotify-mark.img` in old dumps.
        mark: repeated message(FanotifyMarkEntry) = 6,
    }

    /// A fanotify mark. Source: `criu/images/fsnotify.proto`.
    FanotifyMarkEntry = "fanotify_mark_entry" {
        /// File id of the fanotify instance.
        id: required uint32 = 1,
        /// Inode or mount.
        r#type: required uint32 = 2 [names(&names::FANOTIFY_MARK_TYPES)],
        /// Flags of the mark.
        mflags: required uint32 = 3 [hex],
        /// Events.
        mask: required uint32 = 4 [flags(&names::FANOTIFY_MASK)],
        /// Events ignored.
        ignored_mask: required uint32 = 5 [flags(&names::FANOTIFY_MASK)],
        /// Device.
        s_dev: required uint32 = 6 [dev],
        /// The marked inode.
        ie: optional message(FanotifyInodeMarkEntry) = 7,
        /// The marked mount.
        me: optional message(FanotifyMountMarkEntry) = 8,
    }

    /// A marked inode. Source: `criu/images/fsnotify.proto`.
    FanotifyInodeMarkEntry = "fanotify_inode_mark_entry" {
        /// Inode number.
        i_ino: required uint64 = 1,
        /// Its handle.
        f_handle: required message(FhEntry) = 2,
    }

    /// A marked mount. Source: `criu/images/fsnotify.proto`.
    FanotifyMountMarkEntry = "fanotify_mount_mark_entry" {
        /// Mount.
        mnt_id: required uint32 = 1,
        /// Path.
        path: optional string = 2,
    }

    /// An autofs mount and its daemon. Source: `criu/images/autofs.proto`.
    AutofsEntry = "autofs_entry" {
        /// Write end of the daemon's pipe.
        fd: required int32 = 1,
        /// Process group of the daemon.
        pgrp: required int32 = 2,
        /// Seconds until an idle mount goes.
        timeout: required int32 = 3,
        /// Lowest protocol version.
        minproto: required int32 = 4,
        /// Highest protocol version.
        maxproto: required int32 = 5,
        /// Indirect, direct, offset.
        mode: required int32 = 6,
        /// User.
        uid: optional int32 = 7,
        /// Group.
        gid: optional int32 = 8,
        /// Read end of the daemon's pipe.
        read_fd: optional int32 = 9,
    }
}
