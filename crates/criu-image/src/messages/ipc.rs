//! System V IPC.

use crate::message::message;

message! {
    /// Owner and mode of an IPC object. Source: `criu/images/ipc-desc.proto`.
    IpcDescEntry = "ipc_desc_entry" {
        /// Key.
        key: required uint32 = 1 [hex],
        /// Owner.
        uid: required uint32 = 2,
        /// Group.
        gid: required uint32 = 3,
        /// Creator.
        cuid: required uint32 = 4,
        /// Creator's group.
        cgid: required uint32 = 5,
        /// Permissions.
        mode: required uint32 = 6 [octal],
        /// Id.
        id: required uint32 = 7,
    }

    /// A shared memory segment. Source: `criu/images/ipc-shm.proto`.
    IpcShmEntry = "ipc_shm_entry" {
        /// Owner and mode; its id names `pagemap-shmem-N.img`.
        desc: required message(IpcDescEntry) = 1,
        /// Bytes.
        size: required uint64 = 2,
        /// The content is in the pagemap; otherwise it follows, padded to 4 bytes.
        in_pagemaps: optional bool = 3,
        /// `SHM_HUGETLB` and the page size.
        hugetlb_flag: optional uint32 = 4 [hex],
    }

    /// A message queue; its messages follow. Source: `criu/images/ipc-msg.proto`.
    IpcMsgEntry = "ipc_msg_entry" {
        /// Owner and mode.
        desc: required message(IpcDescEntry) = 1,
        /// Most bytes in the queue.
        qbytes: required uint32 = 2,
        /// Messages that follow.
        qnum: required uint32 = 3,
    }

    /// A message of a queue; its text follows, padded to 8 bytes. Source: `criu/images/ipc-msg.proto`.
    IpcMsg = "ipc_msg" {
        /// Type.
        mtype: required uint64 = 1,
        /// Bytes of the text.
        msize: required uint32 = 2,
    }

    /// A semaphore set; the values follow as 16-bit numbers, padded to 8 bytes. Source: `criu/images/ipc-sem.proto`.
    IpcSemEntry = "ipc_sem_entry" {
        /// Owner and mode.
        desc: required message(IpcDescEntry) = 1,
        /// Semaphores.
        nsems: required uint32 = 2,
    }

    /// Limits of an IPC namespace. Source: `criu/images/ipc-var.proto`.
    IpcVarEntry = "ipc_var_entry" {
        /// SEMMSL, SEMMNS, SEMOPM, SEMMNI.
        sem_ctls: repeated uint32 = 1,
        /// Largest message, bytes.
        msg_ctlmax: required uint32 = 2,
        /// Largest queue, bytes.
        msg_ctlmnb: required uint32 = 3,
        /// Most queues.
        msg_ctlmni: required uint32 = 4,
        /// Scale with memory.
        auto_msgmni: required uint32 = 5,
        /// Largest segment, bytes.
        shm_ctlmax: required uint64 = 6,
        /// Shared memory in all, pages.
        shm_ctlall: required uint64 = 7,
        /// Most segments.
        shm_ctlmni: required uint32 = 8,
        /// Segments go with their last user.
        shm_rmid_forced: required uint32 = 9,
        /// Most POSIX message queues.
        mq_queues_max: required uint32 = 10,
        /// Most messages of a POSIX queue.
        mq_msg_max: required uint32 = 11,
        /// Largest message of a POSIX queue, bytes.
        mq_msgsize_max: required uint32 = 12,
        /// Messages of a POSIX queue by default.
        mq_msg_default: optional uint32 = 13,
        /// Bytes of a message of a POSIX queue by default.
        mq_msgsize_default: optional uint32 = 14,
        /// Id of the next queue.
        msg_next_id: optional uint32 = 15,
        /// Id of the next semaphore set.
        sem_next_id: optional uint32 = 16,
        /// Id of the next segment.
        shm_next_id: optional uint32 = 17,
    }
}
