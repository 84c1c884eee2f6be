//! Threads of `tree`: what the kernel keeps for each, their credentials, signals that wait.

use std::borrow::Cow;

use ckpt_model::{Capabilities, Credentials, PendingSignal, Task, Thread};
use criu_image::names::signal_text;
use serde::Serialize;

use super::attributes::{CgroupRecord, RobustListRecord, RseqRecord, SignalStackRecord};
use super::shared::{address, fields, mask};
use crate::words::{self, Word};

/// Capability sets, 16 hexadecimal digits each.
#[derive(Clone, Debug, Serialize)]
pub struct CapsRecord {
    /// Kept across `execve`.
    pub inheritable: String,
    /// May be made effective.
    pub permitted: String,
    /// In force.
    pub effective: String,
    /// Limits what may be gained.
    pub bounding: String,
    /// Kept across `execve` of ordinary programs.
    pub ambient: Option<String>,
}

impl CapsRecord {
    pub(super) fn of(caps: &Capabilities) -> Self {
        Self {
            inheritable: mask(caps.inheritable),
            permitted: mask(caps.permitted),
            effective: mask(caps.effective),
            bounding: mask(caps.bounding),
            ambient: caps.ambient.map(mask),
        }
    }
}

/// A thread.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadRecord<'a> {
    /// Thread id.
    pub tid: u32,
    /// Name.
    pub comm: Option<Cow<'a, str>>,
    /// Bytes of `comm`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm_base64: Option<String>,
    /// Blocked signals.
    pub sigblk: Option<String>,
    /// Stack pointer.
    pub sp: Option<String>,
    /// Instruction pointer.
    pub ip: Option<String>,
    /// Seccomp mode.
    pub seccomp: Option<Word>,
    /// `other`, `fifo`, `rr`, `batch`, `idle`, `deadline`, `ext` or `unknown (N)`.
    pub sched_policy: Option<Word>,
    /// Real time priority, of a policy that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sched_priority: Option<u32>,
    /// Its children start with the ordinary policy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reset_on_fork: bool,
    /// Nice value.
    pub nice: Option<i32>,
    /// Number of the signal that it gets when its parent ends, 0 for none.
    pub parent_death_signal: Option<u32>,
    /// Timer slack, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer_slack_ns: Option<u64>,
    /// Alternate stack for signal handlers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal_stack: Option<SignalStackRecord>,
    /// Futexes that the kernel gives up when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robust_list: Option<RobustListRecord>,
    /// Restartable sequences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rseq: Option<RseqRecord>,
    /// Whether it runs 32-bit code on a 64-bit x86.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compat: Option<bool>,
    /// Its cgroups, where they are not those of the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroups: Option<Vec<CgroupRecord<'a>>>,
    /// Its credentials, where they are not those of the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsRecord<'a>>,
    /// Signals that wait for this thread, with what they carry.
    pub pending: Vec<SignalRecord>,
}

/// Credentials of one thread, in the words of the process.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialsRecord<'a> {
    /// Real, effective, saved and file system user id.
    pub uids: [u32; 4],
    /// Real, effective, saved and file system group id.
    pub gids: [u32; 4],
    /// Supplementary groups.
    pub groups: &'a [u32],
    /// Capability sets.
    pub caps: CapsRecord,
    /// Whether privileges can no longer be gained.
    pub no_new_privs: Option<bool>,
    /// `SECBIT_*` flags.
    pub secbits: u32,
    /// SELinux context or AppArmor profile.
    pub lsm_profile: Option<Cow<'a, str>>,
    /// Bytes of `lsm_profile`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsm_profile_base64: Option<String>,
}

impl<'a> CredentialsRecord<'a> {
    fn of(creds: &'a Credentials) -> Self {
        let (lsm_profile, lsm_profile_base64) = fields(creds.lsm_profile.as_ref());
        Self {
            uids: creds.uids,
            gids: creds.gids,
            groups: &creds.groups,
            caps: CapsRecord::of(&creds.caps),
            no_new_privs: creds.no_new_privs,
            secbits: creds.secbits,
            lsm_profile,
            lsm_profile_base64,
        }
    }
}

/// A signal that was sent and not yet taken.
#[derive(Clone, Debug, Serialize)]
pub struct SignalRecord {
    /// Its number.
    pub signo: u32,
    /// Its name.
    pub name: String,
    /// `si_code`.
    pub code: i32,
    /// Name of the code; codes of faults have none.
    pub code_name: Option<&'static str>,
    /// Process that sent it.
    pub pid: Option<u32>,
    /// Real user id of the sender.
    pub uid: Option<u32>,
    /// Value that was sent along.
    pub value: Option<u64>,
    /// Timer that sent it.
    pub timer: Option<u32>,
    /// Exit code of the child that it tells of, or the signal that ended, stopped or continued that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// Descriptor that is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<u32>,
}

impl SignalRecord {
    pub(super) fn list(signals: &[PendingSignal], task: &Task) -> Vec<Self> {
        let mtype = task.core.as_ref().map(|core| core.mtype);
        let of = |signal: &PendingSignal| Self {
            signo: signal.signo,
            name: signal_text(mtype, signal.signo.into()),
            code: signal.code,
            code_name: signal.code_name(),
            pid: signal.pid.map(|pid| pid.0),
            uid: signal.uid,
            value: signal.value,
            timer: signal.timer,
            status: signal.status,
            fd: signal.fd,
        };
        signals.iter().map(of).collect()
    }
}

impl<'a> ThreadRecord<'a> {
    pub(super) fn of(thread: &'a Thread, task: &Task) -> Self {
        let own_cgroups = thread.cgroups.as_deref().filter(|_| thread.cgroups != task.cgroups);
        let registered = thread.registered;
        let (comm, comm_base64) = fields(thread.comm.as_ref());
        Self {
            tid: thread.tid.0,
            comm,
            comm_base64,
            sigblk: thread.sigblk.map(mask),
            sp: thread.sp.map(address),
            ip: thread.ip.map(address),
            seccomp: thread.seccomp.map(words::seccomp),
            sched_policy: thread.sched_policy.map(words::sched_policy),
            sched_priority: thread.sched_priority,
            reset_on_fork: thread.reset_on_fork,
            nice: thread.nice,
            parent_death_signal: thread.parent_death_signal,
            timer_slack_ns: thread.timer_slack,
            signal_stack: registered.signal_stack.map(SignalStackRecord::of),
            robust_list: registered.robust_list.map(RobustListRecord::of),
            rseq: registered.rseq.map(RseqRecord::of),
            compat: thread.compat,
            cgroups: own_cgroups.map(CgroupRecord::list),
            credentials: task.own_credentials(thread).map(CredentialsRecord::of),
            pending: SignalRecord::list(&thread.pending, task),
        }
    }
}
