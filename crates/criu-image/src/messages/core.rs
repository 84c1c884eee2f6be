//! `core-TID.img`: a thread, and with the leader its task; `ids-PID.img`: what it shares.

use super::{
    CredsEntry, RlimitEntry, SaEntry, SignalQueueEntry, TaskTimersEntry, ThreadInfoAarch64,
    ThreadInfoArm, ThreadInfoLoongarch64, ThreadInfoMips, ThreadInfoPpc64, ThreadInfoRiscv64,
    ThreadInfoS390, ThreadInfoX86,
};
use crate::message::message;
use crate::names;

message! {
    /// A thread. Source: `criu/images/core.proto`.
    ///
    /// A zombie's has only `mtype` and `tc`.
    CoreEntry = "core_entry" {
        /// Architecture; tells which register message is present.
        mtype: required uint32 = 1 [names(&names::MACHINES)],
        /// Registers on x86.
        thread_info: optional message(ThreadInfoX86) = 2,
        /// The task; only in the core of a thread group leader.
        tc: optional message(TaskCoreEntry) = 3,
        /// Shared objects and namespaces; old dumps only, newer ones have `ids-PID.img`.
        ids: optional message(TaskKobjIdsEntry) = 4,
        /// The thread, whatever its architecture.
        thread_core: optional message(ThreadCoreEntry) = 5,
        /// Registers on arm.
        ti_arm: optional message(ThreadInfoArm) = 6,
        /// Registers on aarch64.
        ti_aarch64: optional message(ThreadInfoAarch64) = 8,
        /// Registers on ppc64.
        ti_ppc64: optional message(ThreadInfoPpc64) = 9,
        /// Registers on s390x.
        ti_s390: optional message(ThreadInfoS390) = 10,
        /// Registers on mips64.
        ti_mips: optional message(ThreadInfoMips) = 11,
        /// Registers on loongarch64.
        ti_loongarch64: optional message(ThreadInfoLoongarch64) = 12,
        /// Registers on riscv64.
        ti_riscv64: optional message(ThreadInfoRiscv64) = 13,
    }

    /// What a task has once for all its threads. Source: `criu/images/core.proto`.
    TaskCoreEntry = "task_core_entry" {
        /// State when it was dumped; zombies are written as DEAD.
        task_state: required uint32 = 1 [names(&names::TASK_STATES)],
        /// Wait status as the kernel keeps it: `exit(3)` is 0x300, killed by signal n is n, with core 0x80 more.
        exit_code: required uint32 = 2 [hex],
        /// `personality(2)`, its hexadecimal digits read as decimal ones, see [`names::personality`].
        personality: required uint32 = 3 [personality],
        /// `PF_*` flags of the kernel.
        flags: required uint32 = 4 [flags(&names::TASK_FLAGS)],
        /// Blocked signals of the leader.
        blk_sigset: required uint64 = 5 [signal_set],
        /// Name of the leader, at most 15 bytes.
        comm: required string = 6,
        /// Interval and POSIX timers.
        timers: optional message(TaskTimersEntry) = 7,
        /// Resource limits.
        rlimits: optional message(TaskRlimitsEntry) = 8,
        /// Cgroup set of the task; newer dumps have one for each thread.
        cg_set: optional uint32 = 9,
        /// Pending signals of the whole task.
        signals_s: optional message(SignalQueueEntry) = 10,
        /// Seccomp mode in dumps from before it was kept for each thread.
        old_seccomp_mode: optional uint32 = 11 [names(&names::SECCOMP_MODES)],
        /// Seccomp filter in dumps from before it was kept for each thread.
        old_seccomp_filter: optional uint32 = 12,
        /// Audit login uid; 4294967295 is unset.
        loginuid: optional uint32 = 13,
        /// -1000 (never killed for memory) to 1000.
        oom_score_adj: optional int32 = 14,
        /// Signal handlers, signals 1 to 64 without 9 and 19, in order.
        sigactions: repeated message(SaEntry) = 15,
        /// Adopts orphaned descendants.
        child_subreaper: optional bool = 18,
        /// Blocked signals 65 to 128 (MIPS).
        blk_sigset_extended: optional uint64 = 20 [hex],
        /// Signal that stopped it.
        stop_signo: optional uint32 = 21 [signal],
        /// Registrations with `membarrier(2)`.
        membarrier_registration_mask: optional uint32 = 22 [flags(&names::MEMBARRIER)],
    }

    /// What every thread has. Source: `criu/images/core.proto`.
    ThreadCoreEntry = "thread_core_entry" {
        /// Address of the robust futex list.
        futex_rla: required uint64 = 1 [hex],
        /// Bytes of its head.
        futex_rla_len: required uint32 = 2,
        /// Nice value, -20 to 19.
        sched_nice: optional sint32 = 3,
        /// Scheduling policy.
        sched_policy: optional uint32 = 4 [names(&names::SCHED_POLICIES)],
        /// Real time priority.
        sched_prio: optional uint32 = 5,
        /// Blocked signals.
        blk_sigset: optional uint64 = 6 [signal_set],
        /// Alternate signal stack.
        sas: optional message(ThreadSasEntry) = 7,
        /// Signal sent when the parent dies.
        pdeath_sig: optional uint32 = 8 [signal],
        /// Pending signals of this thread.
        signals_p: optional message(SignalQueueEntry) = 9,
        /// Credentials.
        creds: optional message(CredsEntry) = 10,
        /// Seccomp mode.
        seccomp_mode: optional uint32 = 11 [names(&names::SECCOMP_MODES)],
        /// Index of the last installed filter in `seccomp_entry.seccomp_filters`.
        seccomp_filter: optional uint32 = 12,
        /// Name of the thread, at most 15 bytes.
        comm: optional string = 13,
        /// Blocked signals 65 to 128 (MIPS).
        blk_sigset_extended: optional uint64 = 14 [hex],
        /// Restartable sequences.
        rseq_entry: optional message(RseqEntry) = 15,
        /// Cgroup set of this thread, an id of `cgroup_entry.sets`.
        cg_set: optional uint32 = 16,
        /// Timer slack, nanoseconds (after 4.2).
        timerslack_ns: optional uint64 = 17,
    }

    /// An alternate signal stack. Source: `criu/images/core.proto`.
    ThreadSasEntry = "thread_sas_entry" {
        /// Lowest address.
        ss_sp: required uint64 = 1 [hex],
        /// Bytes.
        ss_size: required uint64 = 2,
        /// `SS_*` flags.
        ss_flags: required uint32 = 3 [flags(&names::SIGALTSTACK_FLAGS)],
    }

    /// Restartable sequences of a thread. Source: `criu/images/rseq.proto`.
    RseqEntry = "rseq_entry" {
        /// Address of the registered `struct rseq`; 0 when not registered.
        rseq_abi_pointer: required uint64 = 1 [hex],
        /// Its bytes.
        rseq_abi_size: required uint32 = 2,
        /// Signature before abort handlers.
        signature: required uint32 = 3 [hex],
        /// Critical section the thread was in.
        rseq_cs_pointer: optional uint64 = 4 [hex],
    }

    /// Resource limits; the position is the number of the limit, see [`names::rlimits`]. Source: `criu/images/core.proto`.
    TaskRlimitsEntry = "task_rlimits_entry" {
        /// Limits from `RLIMIT_CPU` on.
        rlimits: repeated message(RlimitEntry) = 1,
    }

    /// Which objects a task has; equal numbers are shared objects. Source: `criu/images/core.proto`.
    ///
    /// All are small ids made by CRIU: neither pids nor inodes.
    TaskKobjIdsEntry = "task_kobj_ids_entry" {
        /// Address space.
        vm_id: required uint32 = 1,
        /// Descriptor table; names `fdinfo-N.img`.
        files_id: required uint32 = 2,
        /// Current and root directory.
        fs_id: required uint32 = 3,
        /// Signal handlers.
        sighand_id: required uint32 = 4,
        /// Pid namespace.
        pid_ns_id: optional uint32 = 5,
        /// Network namespace.
        net_ns_id: optional uint32 = 6,
        /// System V IPC namespace.
        ipc_ns_id: optional uint32 = 7,
        /// Host name namespace.
        uts_ns_id: optional uint32 = 8,
        /// Mount namespace.
        mnt_ns_id: optional uint32 = 9,
        /// User namespace.
        user_ns_id: optional uint32 = 10,
        /// Cgroup namespace.
        cgroup_ns_id: optional uint32 = 11,
        /// Time namespace.
        time_ns_id: optional uint32 = 12,
    }
}
