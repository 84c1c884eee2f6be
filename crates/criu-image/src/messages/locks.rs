//! `filelocks.img`: file locks of all tasks.

use crate::message::message;
use crate::names;

message! {
    /// A file lock. Source: `criu/images/file-lock.proto`.
    FileLockEntry = "file_lock_entry" {
        /// Kind.
        flag: required uint32 = 1 [flags(&names::LOCK_FLAGS)],
        /// Shared, exclusive; also for `flock(2)` by the `F_*LCK` numbers.
        r#type: required uint32 = 2 [flags(&names::LOCK_TYPES)],
        /// Holder's pid.
        pid: required int32 = 3,
        /// Holder's descriptor.
        fd: required int32 = 4,
        /// First byte.
        start: required int64 = 5,
        /// Bytes; 0 is to the end.
        len: required int64 = 6,
    }
}
