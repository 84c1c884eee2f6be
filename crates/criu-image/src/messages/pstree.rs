//! `pstree.img`: the process tree, parents before children.

use crate::message::message;

message! {
    /// One task of the tree. Source: `criu/images/pstree.proto`.
    PstreeEntry = "pstree_entry" {
        /// Pid in the pid namespace of the root task.
        pid: required uint32 = 1,
        /// Parent's pid; 0 for the root task.
        ppid: required uint32 = 2,
        /// Process group; may name a pid outside the tree, or be 0.
        pgid: required uint32 = 3,
        /// Session; may name a pid outside the tree, or be 0.
        sid: required uint32 = 4,
        /// Thread ids with the leader's. For a zombie CRIU writes uninitialised memory here: ignore it.
        threads: repeated uint32 = 5,
    }
}
