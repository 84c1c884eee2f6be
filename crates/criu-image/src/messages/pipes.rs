//! Pipes and named pipes. The bytes of `pipes-data.img` and `fifo-data.img` follow each record.

use super::FownEntry;
use crate::message::message;

message! {
    /// One end of a pipe. Source: `criu/images/pipe.proto`.
    PipeEntry = "pipe_entry" {
        /// File id.
        id: required uint32 = 1,
        /// The pipe; both ends have the same.
        pipe_id: required uint32 = 2,
        /// Open flags; the access mode tells the end.
        flags: required uint32 = 3 [open_flags],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 4,
        /// User of the inode (after 4.2).
        uid: optional uint32 = 5,
        /// Group of the inode (after 4.2).
        gid: optional uint32 = 6,
    }

    /// An open named pipe. Source: `criu/images/fifo.proto`.
    FifoEntry = "fifo_entry" {
        /// File id.
        id: required uint32 = 1,
        /// The pipe behind it.
        pipe_id: required uint32 = 2,
        /// File id of its path.
        regf_id: optional uint32 = 3,
    }

    /// Unread bytes of a pipe; `bytes` bytes follow, oldest first. Source: `criu/images/pipe-data.proto`.
    PipeDataEntry = "pipe_data_entry" {
        /// The pipe.
        pipe_id: required uint32 = 1,
        /// Bytes that follow.
        bytes: required uint32 = 2,
        /// Capacity, bytes.
        size: optional uint32 = 3,
    }
}
