//! What the core image of a thread tells of it.

use std::sync::Arc;

use criu_image::messages::{CoreEntry, CredsEntry, ThreadCoreEntry};

use crate::attributes::Registered;
use crate::registers;
use crate::task::{Capabilities, Credentials, Seccomp, Thread};
use crate::{Pid, Text};

/// Flag of `sched_setscheduler(2)` that `sched_getscheduler(2)`, and so CRIU, gives back with the policy:
/// `include/uapi/linux/sched.h`.
const SCHED_RESET_ON_FORK: u32 = 0x4000_0000;

/// `user_x86_regs_entry.mode` of a thread that runs 32-bit code.
const COMPAT: u32 = 2;

pub(crate) fn thread(tid: Pid, core: Arc<CoreEntry>) -> Thread {
    let (sp, ip) = registers::pointers(&core);
    let thread: Option<&ThreadCoreEntry> = core.thread_core.as_ref();
    let tc = core.tc.as_ref();
    let name =
        thread.and_then(|thread| thread.comm.clone()).or_else(|| tc.map(|tc| tc.comm.clone()));
    let mode = thread.and_then(|thread| match thread.seccomp_mode {
        Some(mode) => Some(Seccomp::from_raw(mode)),
        // CRIU leaves the mode out when there is none, and for threads that a filter was synchronised to (TSYNC) as
        // well: only of the leading thread its absence says something.
        None => tc.is_some().then_some(Seccomp::Disabled),
    });
    let policy = thread.and_then(|thread| thread.sched_policy);
    Thread {
        tid,
        comm: name.map(Text),
        sigblk: thread.and_then(|thread| thread.blk_sigset).or(tc.map(|tc| tc.blk_sigset)),
        sp,
        ip,
        seccomp: mode,
        sched_policy: policy.map(|policy| policy & !SCHED_RESET_ON_FORK),
        sched_priority: thread
            .and_then(|thread| thread.sched_prio)
            .filter(|priority| *priority != 0),
        reset_on_fork: policy.is_some_and(|policy| policy & SCHED_RESET_ON_FORK != 0),
        nice: thread.and_then(|thread| thread.sched_nice),
        // CRIU leaves it out when there is none.
        parent_death_signal: thread.map(|thread| thread.pdeath_sig.unwrap_or_default()),
        timer_slack: thread.and_then(|thread| thread.timerslack_ns),
        registered: thread.map(Registered::of).unwrap_or_default(),
        compat: core.thread_info.as_ref().map(|info| info.gpregs.mode == Some(COMPAT)),
        credentials: thread.and_then(|thread| thread.creds.as_ref()).map(credentials),
        core: Some(core),
        ..Thread::default()
    }
}

pub(crate) fn credentials(creds: &CredsEntry) -> Credentials {
    // Sets are lists of 32-bit words, the low one first.
    let set = |words: &[u32]| {
        let word = |index| u64::from(words.get(index).copied().unwrap_or_default());
        word(0) | word(1) << 32
    };
    Credentials {
        uids: [creds.uid, creds.euid, creds.suid, creds.fsuid],
        gids: [creds.gid, creds.egid, creds.sgid, creds.fsgid],
        groups: creds.groups.clone(),
        caps: Capabilities {
            inheritable: set(&creds.cap_inh),
            permitted: set(&creds.cap_prm),
            effective: set(&creds.cap_eff),
            bounding: set(&creds.cap_bnd),
            ambient: (!creds.cap_amb.is_empty()).then(|| set(&creds.cap_amb)),
        },
        no_new_privs: creds.no_new_privs.map(|set| set != 0),
        secbits: creds.secbits,
        lsm_profile: creds.lsm_profile.clone().map(Text),
    }
}
