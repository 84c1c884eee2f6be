//! `inventory.img`: what kind of dump this is.

use super::TaskKobjIdsEntry;
use crate::message::message;
use crate::names;

message! {
    /// The dump as a whole. Source: `criu/images/inventory.proto`.
    InventoryEntry = "inventory_entry" {
        /// Version of the image set: 1 is V1.0, 2 is V1.1, 3 is V1.2 (compressed pages). 0 in a pre-dump.
        img_version: required uint32 = 1,
        /// True when `fdinfo-N.img` is named by `files_id` and not by pid. Absent in pre-dumps.
        fdinfo_per_id: optional bool = 2,
        /// Namespaces of the dumping CRIU itself: a task with the same id shares the host's, which is not dumped.
        root_ids: optional message(TaskKobjIdsEntry) = 3,
        /// True when namespace images are named by namespace id and not by the pid of the root task.
        ns_per_id: optional bool = 4,
        /// Cgroup set of CRIU itself, an id of `cgroup_entry.sets`.
        root_cg_set: optional uint32 = 5,
        /// Security module of the host.
        lsmtype: optional uint32 = 6 [names(&names::LSM_TYPES)],
        /// Uptime of the host when the dump began, microseconds.
        dump_uptime: optional uint64 = 8,
        /// How a pre-dump read the memory.
        pre_dump_mode: optional uint32 = 9 [names(&names::PRE_DUMP_MODES)],
        /// Dumped with `--tcp-close`: established connections have no `tcp-stream` image.
        tcp_close: optional bool = 10,
        /// How the network was locked while dumping.
        network_lock_method: optional uint32 = 11 [names(&names::NETWORK_LOCKS)],
        /// Plugins that took part; present and empty means that there were none.
        plugins_entry: optional message(PluginsEntry) = 12,
        /// UUID of the run of CRIU that dumped (since 4.1).
        dump_criu_run_id: optional string = 13,
        /// A mapping of uprobes was tolerated (since 4.2).
        allow_uprobes: optional bool = 14,
        /// Compression of the pages files (after 4.2).
        compress: optional uint32 = 15 [names(&names::COMPRESSIONS)],
        /// Bytes of one compressed region (after 4.2).
        compress_region_size: optional uint32 = 16,
    }

    /// Names of the plugins of a dump. Source: `criu/images/inventory.proto`.
    PluginsEntry = "plugins_entry" {
        /// Plugin names, e.g. `cuda_plugin`.
        plugins: repeated string = 12,
    }

    /// A file asked of the image streamer; a socket protocol, never in an image. Source: `criu/images/img-streamer.proto`.
    ImgStreamerRequestEntry = "img_streamer_request_entry" {
        /// Image file name.
        filename: required string = 1,
    }

    /// Its answer. Source: `criu/images/img-streamer.proto`.
    ImgStreamerReplyEntry = "img_streamer_reply_entry" {
        /// Whether the file exists.
        exists: required bool = 1,
    }
}
