//! `mountpoints-NS.img`: mounts of a mount namespace; registered binary formats.

use crate::message::message;
use crate::names;

message! {
    /// A mount. Source: `criu/images/mnt.proto`.
    MntEntry = "mnt_entry" {
        /// Filesystem type.
        fstype: required uint32 = 1 [names(&names::FSTYPES)],
        /// Key.
        mnt_id: required uint32 = 2,
        /// Device of the filesystem, kernel encoding; names `tmpfs-dev-N.tar.gz.img` as one number.
        root_dev: required uint32 = 3 [dev],
        /// Mount it is on; the root mount's is not listed.
        parent_mnt_id: required uint32 = 4,
        /// Mount flags.
        flags: required uint32 = 5 [flags(&names::MOUNT_FLAGS)],
        /// Path inside the filesystem that is mounted.
        root: required string = 6,
        /// Path inside the container.
        mountpoint: required string = 7,
        /// Source.
        source: required string = 8,
        /// Options; overlays name directories of the host.
        options: required string = 9,
        /// Peer group it shares events with.
        shared_id: optional uint32 = 10,
        /// Peer group it receives events from.
        master_id: optional uint32 = 11,
        /// Handled by a plugin.
        with_plugin: optional bool = 12,
        /// Mounted from outside of the container.
        ext_mount: optional bool = 13,
        /// Type by name, where the number does not tell.
        fsname: optional string = 14,
        /// Shared within the container only.
        internal_sharing: optional bool = 15,
        /// What is mounted was deleted.
        deleted: optional bool = 16,
        /// Flags of the filesystem.
        sb_flags: optional uint32 = 17 [flags(&names::MOUNT_FLAGS)],
        /// Key that the engine gave to an external mount.
        ext_key: optional string = 18,
    }

    /// A binary format. Source: `criu/images/binfmt-misc.proto`.
    BinfmtMiscEntry = "binfmt_misc_entry" {
        /// Name.
        name: required string = 1,
        /// In use.
        enabled: required bool = 2,
        /// Program started.
        interpreter: required string = 3,
        /// Flags.
        flags: optional string = 4,
        /// File name extension it matches.
        extension: optional string = 5,
        /// Bytes it matches, in hexadecimal.
        magic: optional string = 6,
        /// Mask of those bytes, in hexadecimal.
        mask: optional string = 7,
        /// Where they are in the file.
        offset: optional int32 = 8,
    }
}
