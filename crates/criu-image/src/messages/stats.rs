//! `stats-dump` and `stats-restore`: what CRIU counted.

use crate::message::message;

message! {
    /// One of the two. Source: `criu/images/stats.proto`.
    StatsEntry = "stats_entry" {
        /// Of a dump.
        dump: optional message(DumpStatsEntry) = 1,
        /// Of a restore.
        restore: optional message(RestoreStatsEntry) = 2,
    }

    /// Statistics of a dump. Source: `criu/images/stats.proto`.
    ///
    /// `pages_written` and `shpages_written` together are the pages of all `pages-N.img`.
    DumpStatsEntry = "dump_stats_entry" {
        /// Time to freeze the tasks, microseconds.
        freezing_time: required uint32 = 1,
        /// Time they were frozen, microseconds.
        frozen_time: required uint32 = 2,
        /// Time to take the memory, microseconds.
        memdump_time: required uint32 = 3,
        /// Time to write the memory, microseconds.
        memwrite_time: required uint32 = 4,
        /// Pages looked at.
        pages_scanned: required uint64 = 5,
        /// Pages left to the parent.
        pages_skipped_parent: required uint64 = 6,
        /// Pages written.
        pages_written: required uint64 = 7,
        /// Time to find paths of watched inodes, microseconds.
        irmap_resolve: optional uint32 = 8,
        /// Pages that may be transferred lazily. Upstream calls it required; CRIU before 3.5 does not have it.
        pages_lazy: optional uint64 = 9,
        /// Pipes used to take the memory.
        page_pipes: optional uint64 = 10,
        /// Buffers of those pipes.
        page_pipe_bufs: optional uint64 = 11,
        /// Pages of shared memory looked at.
        shpages_scanned: optional uint64 = 12,
        /// Pages of shared memory left to the parent.
        shpages_skipped_parent: optional uint64 = 13,
        /// Pages of shared memory written.
        shpages_written: optional uint64 = 14,
    }

    /// Statistics of a restore. Source: `criu/images/stats.proto`.
    RestoreStatsEntry = "restore_stats_entry" {
        /// Pages compared with inherited ones.
        pages_compared: required uint64 = 1,
        /// Pages that were equal.
        pages_skipped_cow: required uint64 = 2,
        /// Time to fork, microseconds.
        forking_time: required uint32 = 3,
        /// Time in all, microseconds.
        restore_time: required uint32 = 4,
        /// Pages restored.
        pages_restored: optional uint64 = 5,
    }
}
