//! `inventory.img`, `pstree.img`, `ids-PID.img`, `fs-PID.img` and `stats-dump`.

use crate::dialect::Dialect;
use crate::protobuf::Message;
use crate::task::{State, Task};

/// CRIU's small number for a namespace of the container; the names of namespace images carry them.
pub mod ns {
    /// Time namespace: the host's.
    pub const TIME: u32 = 5;
    /// User namespace: the host's.
    pub const USER: u32 = 7;
    /// Process id namespace.
    pub const PID: u32 = 9;
    /// Network namespace.
    pub const NET: u32 = 10;
    /// SysV IPC namespace.
    pub const IPC: u32 = 11;
    /// Host name namespace.
    pub const UTS: u32 = 12;
    /// Mount namespace.
    pub const MNT: u32 = 13;
    /// Cgroup namespace.
    pub const CGROUP: u32 = 14;
}

/// Identities of a task's shared objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kobj {
    pub(crate) vm: u32,
    pub(crate) files: u32,
    pub(crate) fs: u32,
    pub(crate) sighand: u32,
}

/// `inventory_entry`. Source: `criu/images/inventory.proto`.
pub(crate) fn inventory(dialect: Dialect, version: u32, uptime: Option<u64>) -> Message {
    // The criu process itself: vm, files, fs, sighand, then pid, net, ipc, uts, mnt, user, cgroup, time.
    let host = [1, 1, 1, 1, 1, 2, 3, 4, 6, ns::USER, 8, ns::TIME];
    let root_ids = (1u32..).zip(host).fold(Message::new(), |ids, (field, id)| ids.uint(field, id));
    let mut inventory = Message::new()
        .uint(1, version) // img_version
        .bool(2, true) // fdinfo_per_id
        .message(3, &root_ids) // root_ids
        .bool(4, true) // ns_per_id
        .uint(5, 1u32) // root_cg_set
        .uint(6, 0u32) // lsmtype
        .uint_opt(8, uptime); // dump_uptime
    if !dialect.is_317() {
        inventory = inventory
            .message(12, &Message::new()) // plugins_entry: none
            .bytes(13, "3ba07481-9117-47ae-bcd3-f74246339fd6"); // dump_criu_run_id
    }
    if let Some(compression) = dialect.compression() {
        match compression.region {
            None => inventory = inventory.uint(15, 1u32), // compress: a block a page
            Some(bytes) => inventory = inventory.uint(15, 2u32).uint(16, bytes), // compress, compress_region_size
        }
    }
    inventory
}

/// `inventory_entry` of a pre-dump: version 0 and little else.
pub(crate) fn pre_dump_inventory(dialect: Dialect, uptime: u64) -> Message {
    let inventory = Message::new().uint(1, 0u32).uint(8, uptime).uint(9, 1u32); // img_version, dump_uptime, pre_dump_mode: splice
    if dialect.is_317() { inventory } else { inventory.message(12, &Message::new()) } // plugins_entry
}

/// `pstree_entry`. Source: `criu/images/pstree.proto`.
pub(crate) fn pstree(task: &Task, root: u32, dialect: Dialect) -> Message {
    let entry = Message::new()
        .uint(1, task.pid) // pid
        .uint(2, task.ppid) // ppid
        .uint(3, task.pgid.unwrap_or(root)) // pgid
        .uint(4, task.sid.unwrap_or(root)); // sid
    if task.state == State::Zombie {
        // CRIU writes one thread id from memory that it never set.
        let garbage = if dialect.counts_in_nr_pages() { 3_428_082_240 } else { 0u32 };
        return entry.uint(5, garbage);
    }
    entry.uint(5, task.pid).uints(5, task.threads.iter().map(|(tid, _)| *tid)) // threads
}

/// `task_kobj_ids_entry`.
pub(crate) fn ids(kobj: Kobj) -> Message {
    let Kobj { vm, files, fs, sighand } = kobj;
    let all = [
        vm,
        files,
        fs,
        sighand,
        ns::PID,
        ns::NET,
        ns::IPC,
        ns::UTS,
        ns::MNT,
        ns::USER,
        ns::CGROUP,
        ns::TIME,
    ];
    (1u32..).zip(all).fold(Message::new(), |ids, (field, id)| ids.uint(field, id))
}

/// `fs_entry`.
pub(crate) fn fs(cwd: u32, root: u32, umask: u32) -> Message {
    Message::new().uint(1, cwd).uint(2, root).uint(3, umask) // cwd_id, root_id, umask
}

/// Page counts of a dump.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) written: u64,
    pub(crate) in_parent: u64,
    pub(crate) lazy: u64,
    pub(crate) shared_written: u64,
}

/// `stats_entry` with `dump`. Source: `criu/images/stats.proto`.
pub(crate) fn stats(counts: Counts) -> Message {
    let dump = Message::new()
        .uint(1, 100_737u32) // freezing_time, in microseconds as the next three
        .uint(2, 214_537u32) // frozen_time
        .uint(3, 1_784u32) // memdump_time
        .uint(4, 143u32) // memwrite_time
        .uint(5, counts.written + counts.in_parent + 14) // pages_scanned
        .uint(6, counts.in_parent) // pages_skipped_parent
        .uint(7, counts.written) // pages_written
        .uint(8, 0u32) // irmap_resolve
        .uint(9, counts.lazy) // pages_lazy
        .uint(10, 8u32) // page_pipes
        .uint(11, 8u32) // page_pipe_bufs
        .uint(12, counts.shared_written) // shpages_scanned
        .uint(13, 0u32) // shpages_skipped_parent
        .uint(14, counts.shared_written); // shpages_written
    Message::new().message(1, &dump)
}
